/* What the XDP program must make of a frame. */
#include "tests/lib/packet_model.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "bpf/parse.h"

const struct packet_listener packet_listeners[] = {
	{ "::ffff:198.51.100.1", 80, IPPROTO_TCP, 1 },
	{ "2001:db8::2", 80, IPPROTO_TCP, 2 },
	{ "::ffff:198.51.100.1", 53, IPPROTO_UDP, 3 },
	{ "2001:db8::2", 53, IPPROTO_UDP, 4 },
	{ "::ffff:198.51.100.1", 443, IPPROTO_TCP, GG_SLOTS_MAX - 1 },
	{ "::ffff:198.51.100.1", 666, IPPROTO_TCP, GG_SLOTS_MAX },
	{ NULL, 0, 0, 0 },
};

#define R(name) GG_REASON_##name

const struct packet_row packet_rows[] = {
	{ "a TCP segment to a listener belongs to its slot",
		"eth ip4 tcp to=80 data=10", 1, R(pass_listener) },
	{ "SYN to a listener is a connection request",
		"eth ip4 tcp to=80 flags=S options=20", 1,
		R(pass_listener_syn) },
	{ "SYN with ACK is no request", "eth ip4 tcp to=80 flags=SA", 1,
		R(pass_listener) },
	{ "RST to a listener", "eth ip4 tcp to=80 flags=R", 1,
		R(pass_listener) },
	{ "TCP without any flag reaches the stack all the same",
		"eth ip4 tcp to=80 flags=", 1, R(pass_listener) },
	{ "TCP to another port", "eth ip4 tcp to=81", 0, R(pass_no_vip_tcp) },
	{ "TCP to the listener's port at another address",
		"eth ip4 to=198.51.100.2 tcp to=80", 0, R(pass_no_vip_tcp) },
	{ "SYN to no listener has no reason of its own",
		"eth ip4 tcp to=81 flags=S", 0, R(pass_no_vip_tcp) },
	{ "UDP to the number of a TCP listener", "eth ip4 udp to=80", 0,
		R(pass_no_vip_udp) },
	{ "UDP to a listener", "eth ip4 udp to=53 data=30", 3,
		R(pass_listener) },
	{ "UDP without checksum", "eth ip4 udp to=53 sum=0", 3,
		R(pass_listener) },
	{ "the highest slot", "eth ip4 tcp to=443 flags=S",
		GG_SLOTS_MAX - 1, R(pass_listener_syn) },
	{ "an entry whose slot does not exist is no listener",
		"eth ip4 tcp to=666", 0, R(pass_no_vip_tcp) },
	{ "TCP over IPv6 to a listener", "eth ip6 tcp to=80 flags=S", 2,
		R(pass_listener_syn) },
	{ "UDP over IPv6 to a listener", "eth ip6 udp to=53", 4,
		R(pass_listener) },
	{ "TCP over IPv6 to no listener", "eth ip6 to=2001:db8::3 tcp to=80", 0,
		R(pass_no_vip_tcp) },
	{ "UDP over IPv6 to no listener", "eth ip6 udp to=54", 0,
		R(pass_no_vip_udp) },
	{ "an IPv6 packet to the mapped address is counted as the IPv4 one",
		"eth ip6 to=::ffff:198.51.100.1 tcp to=80", 1,
		R(pass_listener) },
	{ "one VLAN tag", "eth vlan ip4 tcp to=80", 1, R(pass_listener) },
	{ "two VLAN tags, 802.1ad outside",
		"eth vlan tpid=88a8 id=7 vlan id=8 ip4 tcp to=80", 1,
		R(pass_listener) },
	{ "two 802.1Q tags around IPv6", "eth vlan vlan ip6 tcp to=80", 2,
		R(pass_listener) },
	{ "priority tag (VLAN 0)", "eth vlan id=0 ip4 udp to=53", 3,
		R(pass_listener) },
	{ "three VLAN tags", "eth vlan vlan vlan ip4 tcp to=80", 0,
		R(pass_too_many_vlans) },
	{ "VLAN tag cut", "eth vlan cut=16", 0, R(pass_malformed_eth) },
	{ "second VLAN tag cut", "eth vlan vlan cut=20", 0,
		R(pass_malformed_eth) },
	{ "VLAN tag around ARP", "eth vlan type=0806 data=28", 0,
		R(pass_not_ip) },
	{ "ARP", "eth type=0806 data=28", 0, R(pass_not_ip) },
	{ "a frame of 14 bytes", "eth type=88b5", 0, R(pass_not_ip) },
	{ "802.3 length instead of a type", "eth type=0026 data=38", 0,
		R(pass_not_ip) },
	{ "LLDP", "eth type=88cc data=60", 0, R(pass_not_ip) },
	{ "IPv4 with 4 bytes of options", "eth ip4 options=4 tcp to=80", 1,
		R(pass_listener) },
	{ "IPv4 with 40 bytes of options", "eth ip4 options=40 udp to=53", 3,
		R(pass_listener) },
	{ "IPv4 header cut", "eth ip4 tcp cut=33", 0, R(pass_malformed_ip4) },
	{ "IPv4 ethertype and nothing after it", "eth type=0800", 0,
		R(pass_malformed_ip4) },
	{ "version 5 under the ethertype of IPv4", "eth ip4 version=5 tcp", 0,
		R(pass_malformed_ip4) },
	{ "version 6 under the ethertype of IPv4", "eth ip4 version=6 tcp", 0,
		R(pass_malformed_ip4) },
	{ "IHL 4", "eth ip4 ihl=4 tcp", 0, R(pass_malformed_ip4) },
	{ "IHL 0", "eth ip4 ihl=0 tcp", 0, R(pass_malformed_ip4) },
	{ "IHL beyond the total length", "eth ip4 ihl=15 len=40 tcp", 0,
		R(pass_malformed_ip4) },
	{ "total length 0", "eth ip4 len=0 tcp", 0, R(pass_malformed_ip4) },
	{ "total length below the header", "eth ip4 len=19 tcp", 0,
		R(pass_malformed_ip4) },
	{ "total length beyond the frame", "eth ip4 len=41 tcp", 0,
		R(pass_malformed_ip4) },
	{ "total length 65535 in a short frame", "eth ip4 len=65535 tcp", 0,
		R(pass_malformed_ip4) },
	{ "a frame padded to 60 bytes", "eth ip4 udp to=53 pad=18", 3,
		R(pass_listener) },
	{ "padding does not stand in for a TCP header",
		"eth ip4 len=39 tcp pad=6", 0, R(pass_malformed_l4) },
	{ "TCP header cut by the total length", "eth ip4 len=32 tcp", 0,
		R(pass_malformed_l4) },
	{ "IPv4 header alone that promises TCP", "eth ip4 proto=6", 0,
		R(pass_malformed_l4) },
	{ "data offset 4", "eth ip4 tcp doff=4", 0, R(pass_malformed_l4) },
	{ "data offset 0", "eth ip4 tcp doff=0", 0, R(pass_malformed_l4) },
	{ "data offset beyond the segment", "eth ip4 tcp doff=6", 0,
		R(pass_malformed_l4) },
	{ "data offset 15 within the segment",
		"eth ip4 tcp to=80 options=40 flags=S", 1,
		R(pass_listener_syn) },
	{ "UDP length 7", "eth ip4 udp len=7", 0, R(pass_malformed_l4) },
	{ "UDP length 0", "eth ip4 udp len=0", 0, R(pass_malformed_l4) },
	{ "UDP length beyond the packet", "eth ip4 udp len=9", 0,
		R(pass_malformed_l4) },
	{ "UDP length below the packet's", "eth ip4 udp to=53 len=8 data=4", 3,
		R(pass_listener) },
	{ "UDP header cut", "eth ip4 len=27 udp", 0, R(pass_malformed_l4) },
	{ "UDP over IPv6 with length 0", "eth ip6 udp len=0", 0,
		R(pass_malformed_l4) },
	{ "ping", "eth ip4 icmp data=56", 0, R(pass_icmp) },
	{ "ICMP of 7 bytes", "eth ip4 len=27 icmp", 0, R(pass_malformed_l4) },
	{ "an ICMP error around a segment of a listener",
		"eth ip4 icmp type=3 code=4 ip4 tcp", 0, R(pass_icmp) },
	{ "ping over IPv6", "eth ip6 icmp6 data=8", 0, R(pass_icmpv6) },
	{ "neighbour solicitation", "eth ip6 hops=255 icmp6 type=135 data=24",
		0, R(pass_icmpv6) },
	{ "ICMPv6 of 4 bytes", "eth ip6 len=4 icmp6", 0,
		R(pass_malformed_l4) },
	{ "ICMPv6's number in IPv4 is nothing special", "eth ip4 icmp6", 0,
		R(pass_other_l4) },
	{ "ICMP's number in IPv6 is nothing special", "eth ip6 icmp", 0,
		R(pass_other_l4) },
	{ "GRE", "eth ip4 raw proto=47 data=20", 0, R(pass_other_l4) },
	{ "SCTP over IPv6", "eth ip6 raw proto=132 data=20", 0,
		R(pass_other_l4) },
	{ "IPv4 in IPv4", "eth ip4 ip4 tcp to=80", 0, R(pass_other_l4) },
	{ "ESP hides what is in it", "eth ip6 raw proto=50 data=40", 0,
		R(pass_other_l4) },
	{ "no next header", "eth ip6", 0, R(pass_other_l4) },
	{ "the first fragment", "eth ip4 mf=1 tcp to=80 data=12", 1,
		R(pass_listener) },
	{ "the first fragment of a SYN",
		"eth ip4 mf=1 tcp to=80 flags=S data=12", 1,
		R(pass_listener_syn) },
	{ "the first fragment to no listener", "eth ip4 mf=1 tcp to=81 data=12",
		0, R(pass_fragment) },
	{ "the first fragment over UDP", "eth ip4 mf=1 udp to=53 data=16", 3,
		R(pass_listener) },
	{ "a middle fragment", "eth ip4 mf=1 offset=185 raw proto=6 data=64",
		0, R(pass_fragment) },
	{ "the last fragment", "eth ip4 offset=185 raw proto=17 data=3", 0,
		R(pass_fragment) },
	{ "\"don't fragment\" is no fragment", "eth ip4 df=1 tcp to=80", 1,
		R(pass_listener) },
	{ "a fragment shorter than a TCP header, to no listener",
		"eth ip4 mf=1 raw proto=6 data=8", 0, R(pass_fragment) },
	{ "one with ports and no flags may be a SYN",
		"eth ip4 len=28 mf=1 tcp to=80 flags=A cut=42", 1,
		R(pass_listener_syn) },
	{ "ports cut", "eth ip4 len=27 mf=1 tcp to=80 cut=41", 0,
		R(pass_fragment) },
	{ "the first fragment over IPv6", "eth ip6 frag mf=1 tcp to=80", 2,
		R(pass_listener) },
	{ "a header between a first fragment's and its ports",
		"eth ip6 frag mf=1 dest tcp to=80 flags=S", 2,
		R(pass_listener_syn) },
	{ "headers that a first fragment has not whole",
		"eth ip6 frag mf=1 dest len=1", 0, R(pass_malformed_ip6) },
	{ "a first fragment over IPv6 with ports and no flags",
		"eth ip6 len=24 frag mf=1 dest tcp to=80 cut=78", 2,
		R(pass_listener_syn) },
	{ "the last fragment over IPv6",
		"eth ip6 frag offset=100 next=6 data=20", 0, R(pass_fragment) },
	{ "an atomic fragment is a whole packet", "eth ip6 frag tcp to=80", 2,
		R(pass_listener) },
	{ "fragment header cut", "eth ip6 len=7 frag", 0,
		R(pass_malformed_ip6) },
	{ "hop-by-hop options", "eth ip6 hop tcp to=80", 2, R(pass_listener) },
	{ "a long extension header", "eth ip6 dest size=2048 tcp to=80", 2,
		R(pass_listener) },
	{ "hop-by-hop, destination options, routing, fragment, TCP",
		"eth ip6 hop dest size=16 route size=24 frag tcp to=80", 2,
		R(pass_listener) },
	{ "authentication header", "eth ip6 ah size=24 udp to=53", 4,
		R(pass_listener) },
	{ "six extension headers", "eth ip6 hop dest route frag ah size=12 dest "
				   "tcp to=80",
		2, R(pass_listener) },
	{ "seven extension headers",
		"eth ip6 hop dest route frag ah size=12 dest dest tcp to=80", 0,
		R(pass_ext_header_limit) },
	{ "extension header longer than the packet",
		"eth ip6 hop len=3 tcp to=80", 0, R(pass_malformed_ip6) },
	{ "extension header cut", "eth ip6 next=0 raw data=5", 0,
		R(pass_malformed_ip6) },
	{ "extension headers that end the packet", "eth ip6 dest", 0,
		R(pass_other_l4) },
	{ "TCP promised after an extension header and not there",
		"eth ip6 dest next=6", 0, R(pass_malformed_l4) },
	{ "IPv6 header cut", "eth ip6 tcp cut=53", 0, R(pass_malformed_ip6) },
	{ "version 4 under the ethertype of IPv6", "eth ip6 version=4 tcp", 0,
		R(pass_malformed_ip6) },
	{ "payload length beyond the frame", "eth ip6 len=21 tcp", 0,
		R(pass_malformed_ip6) },
	{ "payload length 0 before TCP", "eth ip6 len=0 tcp", 0,
		R(pass_malformed_l4) },
	{ "IPv6 padded by the link", "eth ip6 udp to=53 pad=6", 4,
		R(pass_listener) },
	{ "hop limit 0 is the stack's business", "eth ip6 hops=0 tcp to=80", 2,
		R(pass_listener) },
	{ "TTL 0 is the stack's business", "eth ip4 ttl=0 tcp to=80", 1,
		R(pass_listener) },
	{ "a full frame", "eth ip4 tcp to=80 data=1460", 1, R(pass_listener) },
	{ "a frame as long as native mode takes",
		"eth ip4 tcp to=80 data=3400", 1, R(pass_listener) },
	{ NULL, NULL, 0, R(pass_listener) },
};

#undef R

void
packet_listener_key(const struct packet_listener *l, struct gg_vip_key *key)
{
	memset(key, 0, sizeof(*key));
	inet_pton(AF_INET6, l->ip, key->ip);
	key->port_be = htons(l->port);
	key->l4_proto = l->l4_proto;
}

const char *
packet_reason_name(enum gg_reason reason)
{
	static const char *const names[] = {
#define X(name, help) #name,
		GG_REASONS(X)
#undef X
	};

	return reason < GG_REASON_COUNT ? names[reason] : "no reason";
}

static uint32_t
slot_find(const struct gg_vip_key *wanted)
{
	struct gg_vip_key key;

	for (size_t i = 0; packet_listeners[i].ip != NULL; i++) {
		packet_listener_key(&packet_listeners[i], &key);
		if (memcmp(&key, wanted, sizeof(key)) == 0 &&
			packet_listeners[i].slot < GG_SLOTS_MAX)
			return packet_listeners[i].slot;
	}
	return 0;
}

static struct packet_verdict
model(const void *data, size_t length, struct parsed *parsed)
{
	struct packet_verdict verdict = { 0 };

	verdict.reason = parse_packet(data, (const uint8_t *)data + length,
		parsed);
	if (parsed->has_ports || parsed->fragment == PARSE_SHORT)
		verdict.slot = slot_find(&parsed->to);
	if (verdict.slot != 0 && parsed->fragment == PARSE_SHORT)
		parsed->tcp_request = true;
	if (verdict.slot != 0)
		verdict.reason = parsed->tcp_request ?
			GG_REASON_pass_listener_syn :
			GG_REASON_pass_listener;
	return verdict;
}

struct packet_verdict
packet_model(const void *data, size_t length)
{
	struct parsed parsed = { 0 };

	return model(data, length, &parsed);
}

/* ---- under a policy */

/* What one source has spent of one rule. */
struct packet_spent {
	struct addr_prefix source;
	uint32_t slot, rule;
	uint64_t spent[3];
};

void
packet_policy_free(struct packet_policy *policy)
{
	free(policy->spent);
	policy->spent = NULL;
	policy->spent_count = 0;
}

static const struct packet_prefix *
prefix_of(const struct packet_policy *policy, const uint8_t ip[16])
{
	const struct packet_prefix *best = NULL;
	struct addr_prefix p;
	int bits = -1;

	for (const struct packet_prefix *x = policy->prefixes;
		x != NULL && x->prefix != NULL; x++) {
		if (addr_prefix_parse(x->prefix, &p, NULL) == 0 &&
			addr_prefix_contains(&p, ip) && p.bits > bits) {
			best = x;
			bits = p.bits;
		}
	}
	return best;
}

static int
is_blocked(const struct packet_policy *policy, const uint8_t ip[16],
	uint32_t slot)
{
	struct addr_prefix source;
	struct addr a;

	for (const struct packet_block *x = policy->blocks;
		x != NULL && x->ip != NULL; x++) {
		if (x->slot != slot || addr_parse_ip(x->ip, 0, &a) != 0)
			continue;
		addr_source(a.ip, &source);
		if (addr_prefix_contains(&source, ip))
			return 1;
	}
	return 0;
}

static struct packet_spent *
spent_of(struct packet_policy *policy, const struct parsed *parsed,
	uint32_t slot, uint32_t rule)
{
	const struct packet_rule *r = &policy->rules[slot][rule];
	struct packet_spent wanted = { .slot = slot, .rule = rule }, *s;

	memcpy(wanted.source.ip, parsed->from.ip, 16);
	wanted.source.bits = parsed->family == 4 ? (uint8_t)(96 + r->plen4) :
						   r->plen6;
	addr_prefix_mask(&wanted.source);
	for (size_t i = 0; i < policy->spent_count; i++) {
		s = &policy->spent[i];
		if (s->slot == slot && s->rule == rule &&
			s->source.bits == wanted.source.bits &&
			memcmp(s->source.ip, wanted.source.ip, 16) == 0)
			return s;
	}
	policy->spent = xreallocarray(policy->spent, policy->spent_count + 1,
		sizeof(*policy->spent));
	s = &policy->spent[policy->spent_count++];
	*s = wanted;
	return s;
}

/* The first kind that a rule refuses; 3: none. Spends when told to. */
static int
rule_refuses(struct packet_policy *policy, const struct parsed *parsed,
	uint32_t slot, uint32_t rule, size_t length, int spend)
{
	const struct packet_rule *r = &policy->rules[slot][rule];
	const uint64_t needs[3] = { 1, length, parsed->tcp_request };
	static const int order[3] = { 1, 2, 0 }; /* as bpf/limit.h looks */
	struct packet_spent *s;

	if (r->plen4 == 0)
		return 3;
	s = spent_of(policy, parsed, slot, rule);
	for (int i = 0; i < 3; i++) {
		int kind = order[i];

		if (r->bursts[kind] != 0 && needs[kind] != 0 &&
			s->spent[kind] + needs[kind] > r->bursts[kind])
			return kind;
	}
	for (int kind = 0; spend && kind < 3; kind++)
		s->spent[kind] += needs[kind];
	return 3;
}

struct packet_verdict
packet_model_policed(const void *data, size_t length,
	struct packet_policy *policy)
{
	struct parsed parsed = { 0 };
	struct packet_verdict verdict = model(data, length, &parsed);
	const struct packet_prefix *prefix = NULL;
	int kind;

	if (parsed.family != 0)
		prefix = prefix_of(policy, parsed.from.ip);
	if (prefix != NULL && prefix->deny)
		return (struct packet_verdict){ 0, GG_REASON_drop_denied };
	if (verdict.slot == 0 || prefix != NULL)
		return verdict;
	if (parsed.tcp_request &&
		is_blocked(policy, parsed.from.ip, verdict.slot)) {
		verdict.reason = GG_REASON_drop_blocked;
		return verdict;
	}
	for (uint32_t step = 0; step < 2 * GG_RULES_MAX; step++) {
		kind = rule_refuses(policy, &parsed, verdict.slot,
			step % GG_RULES_MAX, length, step >= GG_RULES_MAX);
		if (kind == 3)
			continue;
		verdict.reason = (enum gg_reason)(
			GG_REASON_drop_limit_packets + kind);
		return verdict;
	}
	return verdict;
}

uint64_t
packet_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void
packet_mutate(uint8_t *data, size_t *length, uint64_t *state)
{
	size_t changes = 1 + packet_random(state) % 4;

	for (size_t i = 0; i < changes; i++) {
		uint64_t r = packet_random(state);
		/* Mostly in the headers: payload decides nothing. */
		size_t place = (r >> 8) % (*length < 100 ? *length : 100);

		switch (r % 5) {
		case 0:
			data[place] ^= (uint8_t)(1u << (r >> 32) % 8);
			break;
		case 1:
			data[place] = (uint8_t)(r >> 32);
			break;
		case 2:
			data[place] = r >> 32 & 1 ? 0xff : 0;
			break;
		case 3:
			data[place] += r >> 32 & 1 ? 1 : 0xff;
			break;
		case 4:
			if (*length > 14)
				*length = 14 + (r >> 32) % (*length - 13);
			break;
		}
	}
}
