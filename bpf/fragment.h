/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fragments: the first one has the ports, and the others get them from it. Only
 * those to and from services are looked at.
 */
#ifndef BPF_FRAGMENT_H
#define BPF_FRAGMENT_H

#include "bpf/connection.h"

static __always_inline bool
nat_has_port(__be16 port_be)
{
	__u16 port = bpf_ntohs(port_be);

	return port >= GG_NAT_PORT_FIRST &&
		port < GG_NAT_PORT_FIRST + GG_NAT_PORTS;
}

/* Whether some step further on may want the ports of this packet. */
static __always_inline bool
fragment_matters(const struct packet *p)
{
	if (p->cfg_flags & GG_CFG_NAT && nat_has_port(p->at.to.port_be))
		return true;
	if (p->cfg_flags & GG_CFG_ROUTE &&
		reverse_find(&p->at.from) != NULL)
		return true;
	return packet_is_to_service_address(p);
}

static __always_inline void
fragment_key_set(struct gg_fragment_key *key, const struct packet *p)
{
	address_copy(key->from, p->at.from.ip);
	address_copy(key->to, p->at.to.ip);
	key->id_be = p->at.fragment_id_be;
	key->l4_proto = p->at.to.l4_proto;
	key->pad[0] = key->pad[1] = key->pad[2] = 0;
}

/*
 * Gives later fragments the ports of the first one; has_ports then says so.
 * Returns what it is counted as where it stays without.
 */
__attribute__((noinline)) int
fragment_ports(struct packet *p)
{
	const struct gg_fragment *first;
	struct gg_fragment_key key;
	struct gg_fragment ports;

	if (p == NULL)
		return GG_REASON_pass_fragment;
	if (p->at.to.l4_proto != IPPROTO_TCP &&
		p->at.to.l4_proto != IPPROTO_UDP)
		return GG_REASON_pass_fragment;
	fragment_key_set(&key, p);
	if (p->at.fragment == PARSE_FIRST) {
		if (!fragment_matters(p))
			return GG_REASON_pass_fragment;
		ports.from_port_be = p->at.from.port_be;
		ports.to_port_be = p->at.to.port_be;
		ports.seen_s = clock_s();
		if (bpf_map_update_elem(&gg_fragment, &key, &ports, BPF_ANY))
			count_note(0, GG_NOTE_connection_not_kept);
		return GG_REASON_pass_fragment;
	}
	first = bpf_map_lookup_elem(&gg_fragment, &key);
	if (first != NULL && clock_s() - first->seen_s <= GG_FRAGMENT_S) {
		p->at.from.port_be = first->from_port_be;
		p->at.to.port_be = first->to_port_be;
		p->at.has_ports = true;
		p->at.fragment = PARSE_LATER;
		return GG_REASON_pass_fragment;
	}
	return packet_is_to_service_address(p) ? GG_REASON_drop_fragment :
						 GG_REASON_pass_fragment;
}

#endif
