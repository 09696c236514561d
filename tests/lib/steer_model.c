/* bpf/steer.h compiled on the host. */
#include "tests/lib/steer_model.h"

#include <string.h>

#include "bpf/steer.h"
#include "tests/lib/packet.h"

uint64_t
steer_model_hash(const void *data, size_t length, uint32_t seed)
{
	struct parsed p = { 0 };

	parse_packet(data, (const uint8_t *)data + length, &p);
	return steer_hash(&p.from, &p.to, p.family == 4, seed);
}

uint32_t
steer_model_index(const void *data, size_t length, uint32_t seed)
{
	return steer_index(steer_model_hash(data, length, seed));
}

uint32_t
steer_model_index4(const struct gg_flow4 *flow, uint32_t seed)
{
	struct gg_vip_key from = { .port_be = flow->from_port_be };
	struct gg_vip_key to = { .port_be = flow->to_port_be,
		.l4_proto = flow->l4_proto };

	from.ip[10] = from.ip[11] = to.ip[10] = to.ip[11] = 0xff;
	memcpy(from.ip + 12, flow->from, 4);
	memcpy(to.ip + 12, flow->to, 4);
	return steer_index(steer_hash(&from, &to, true, seed));
}

/* What checksum the bytes have over themselves; 0 and 0xffff are the same. */
static uint16_t
residue(const uint8_t *data, size_t length, uint32_t sum)
{
	uint16_t left = packet_checksum(data, length, sum);

	return left == 0xffff ? 0 : left;
}

/* The addresses of the pseudo header; what else is in it does not change. */
static uint16_t
pseudo(const uint8_t *ip, const struct parsed *p, size_t l4_length)
{
	size_t place = p->family == 4 ? 12 : 8, size = p->family == 4 ? 8 : 32;
	uint32_t sum = (uint16_t)~packet_checksum(ip + place, size, 0);

	sum += p->to.l4_proto + (uint32_t)l4_length;
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint16_t
l4_residue(const uint8_t *frame, const struct parsed *p)
{
	const uint8_t *ip = frame + p->l3, *l4 = frame + p->l4;
	size_t length = p->l3 + p->length - p->l4;

	switch (p->to.l4_proto) {
	case IPPROTO_UDP:
		if (l4[6] == 0 && l4[7] == 0)
			return 0;
		return residue(l4, length, pseudo(ip, p, length));
	case IPPROTO_TCP:
	case IPPROTO_ICMPV6:
		return residue(l4, length, pseudo(ip, p, length));
	case IPPROTO_ICMP:
		return residue(l4, length, 0);
	default:
		return 0;
	}
}

uint32_t
steer_model_wrongness(const void *data, size_t length)
{
	const uint8_t *frame = data;
	struct parsed p = { 0 };
	uint32_t wrong = 0;
	enum gg_reason reason;

	reason = parse_packet(data, frame + length, &p);
	if (p.family == 4)
		wrong = residue(frame + p.l3, (frame[p.l3] & 15) * 4u, 0);
	if (p.has_ports || p.fragment == PARSE_FIRST ||
		reason == GG_REASON_pass_icmp ||
		reason == GG_REASON_pass_icmpv6)
		wrong |= (uint32_t)l4_residue(frame, &p) << 16;
	return wrong;
}

uint32_t
steer_model_wrongness_inside(const void *data, size_t length, size_t size)
{
	static uint8_t room[PACKET_SHIFT + PACKET_MAX];
	uint8_t *inner = room + PACKET_SHIFT;
	struct parsed p = { 0 };

	parse_packet(data, (const uint8_t *)data + length, &p);
	if (p.family == 0 || p.l3 + size > length ||
		(p.family == 4 &&
			residue((const uint8_t *)data + p.l3, 20, 0) != 0))
		return UINT32_MAX;
	length -= size;
	memcpy(inner, data, p.l3);
	memcpy(inner + p.l3, (const uint8_t *)data + p.l3 + size,
		length - p.l3);
	memcpy(inner + p.l3 - 2,
		inner[p.l3] >> 4 == 4 ? "\x08\x00" : "\x86\xdd", 2);
	return steer_model_wrongness(inner, length);
}
