/* bpf/steer.h compiled on the host. */
#include "tests/lib/steer_model.h"

#include <string.h>

#include "bpf/steer.h"

uint64_t
steer_model_hash(const void *data, size_t length, uint32_t seed)
{
	struct parsed p = { 0 };

	parse_packet(data, (const uint8_t *)data + length, &p);
	return steer_hash(&p.from, &p.to, p.family == 4, seed);
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
