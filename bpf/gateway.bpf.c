/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP program: parse, deny, classify, limit, count, pass. Loads with plain
 * `ip link`, so it has no tail calls and takes its settings from gg_cfg.
 */
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "bpf/contract.h"
#include "bpf/count.h"
#include "bpf/event.h"
#include "bpf/limit.h"
#include "bpf/list.h"
#include "bpf/maps.h"
#include "bpf/parse.h"

/* Read by libxdp's dispatcher, where there is one; others ignore it. */
struct {
	__uint(priority, 40);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(gg_gateway);

/* Why a source may not have what it asks of a listener or service; else
 * LIMIT_ADMITTED. */
static __always_inline __u32
source_judge(const struct gg_cfg *cfg, const struct gg_vip *vip,
	const struct parsed *packet, __u32 bytes)
{
	if (packet->tcp_request && cfg->flags & GG_CFG_BLOCK &&
		list_is_blocked(packet, vip->slot))
		return GG_REASON_drop_blocked;
	if (vip->flags & GG_VIP_LIMITED)
		return limit_packet(cfg, vip->slot, packet, bytes);
	return LIMIT_ADMITTED;
}

SEC(GG_SECTION)
int
gg_gateway(struct xdp_md *ctx)
{
	const void *data = (const void *)(long)ctx->data;
	const void *end = (const void *)(long)ctx->data_end;
	struct parsed packet = {};
	const struct gg_cfg *cfg;
	const struct gg_vip *vip;
	__u32 slot = 0, listed = 0, reason, refused;
	__u32 bytes = (__u32)((const __u8 *)end - (const __u8 *)data);

	cfg = bpf_map_lookup_elem(&gg_cfg, &slot);
	if (cfg == NULL) /* cannot be */
		return XDP_PASS;
	if (cfg->flags & GG_CFG_BYPASS) {
		count_packet(0, GG_REASON_pass_bypass, bytes);
		return XDP_PASS;
	}
	reason = parse_packet(data, end, &packet);
	if (cfg->flags & GG_CFG_LIST && packet.family != 0)
		listed = list_action(&packet);
	if (listed == GG_LIST_DENY) {
		reason = GG_REASON_drop_denied;
	} else if (packet.has_ports) {
		vip = bpf_map_lookup_elem(&gg_vip, &packet.to);
		if (vip != NULL && vip->slot < GG_SLOTS_MAX) {
			slot = vip->slot;
			reason = packet.tcp_request ?
				GG_REASON_pass_listener_syn :
				GG_REASON_pass_listener;
			refused = listed == GG_LIST_ALLOW ? LIMIT_ADMITTED :
				source_judge(cfg, vip, &packet, bytes);
			if (refused != LIMIT_ADMITTED)
				reason = refused;
		}
	}
	if (reason >= GG_REASON_drop_denied)
		event_sample(ctx, cfg, slot, reason, &packet);
	count_packet(slot, reason, bytes);
	return reason >= GG_REASON_drop_denied ? XDP_DROP : XDP_PASS;
}

char gg_license[] SEC("license") = "Dual BSD/GPL";
