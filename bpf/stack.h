/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections of the box's own stack to the address of a service: those that
 * the proxy relayed before the service was steered, or relays since it is to be
 * steered no more. Looked for only while the daemon says that there may be some
 * (GG_VIP_RELAYED).
 */
#ifndef BPF_STACK_H
#define BPF_STACK_H

#include "bpf/packet.h"

/* A packet of a TCP connection that is there, or was lately. */
__attribute__((noinline)) int
stack_has(struct xdp_md *ctx, struct packet *p)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *found;
	__u32 size = sizeof(tuple.ipv6);
	int has;

	if (p == NULL)
		return 0;
	if (packet_is4(p)) {
		size = sizeof(tuple.ipv4);
		__builtin_memcpy(&tuple.ipv4.saddr, p->at.from.ip + 12, 4);
		__builtin_memcpy(&tuple.ipv4.daddr, p->at.to.ip + 12, 4);
		tuple.ipv4.sport = p->at.from.port_be;
		tuple.ipv4.dport = p->at.to.port_be;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, p->at.from.ip, 16);
		__builtin_memcpy(tuple.ipv6.daddr, p->at.to.ip, 16);
		tuple.ipv6.sport = p->at.from.port_be;
		tuple.ipv6.dport = p->at.to.port_be;
	}
	found = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (found == NULL)
		return 0;
	has = found->state != BPF_TCP_LISTEN;
	bpf_sk_release(found);
	return has;
}

/* What the stack has stays there, and of a service that leaves XDP it gets
 * what is new. */
static __always_inline bool
stack_keeps(struct xdp_md *ctx, struct packet *p)
{
	if (!(p->vip_flags & GG_VIP_RELAYED) ||
		p->at.to.l4_proto != IPPROTO_TCP)
		return false;
	if (p->at.tcp_request)
		return p->vip_flags & GG_VIP_LEAVING;
	return stack_has(ctx, p);
}

#endif
