/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP program: parse, classify, count, pass. Loads with plain `ip link`,
 * so it has no tail calls and takes its settings from gg_cfg.
 */
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "bpf/contract.h"
#include "bpf/maps.h"
#include "bpf/parse.h"

/* Read by libxdp's dispatcher, where there is one; others ignore it. */
struct {
	__uint(priority, 40);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(gg_gateway);

static __always_inline void
count_packet(__u32 slot, __u32 reason, __u64 bytes)
{
	struct gg_count *counts = bpf_map_lookup_elem(&gg_reason, &slot);

	/* The verifier wants to see a bound that clang knows to hold. */
	asm volatile("" : "+r"(reason));
	if (counts == NULL || reason >= GG_REASON_COUNT)
		return;
	counts[reason].packets += 1;
	counts[reason].bytes += bytes;
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
	__u32 slot = 0;
	enum gg_reason reason;

	cfg = bpf_map_lookup_elem(&gg_cfg, &slot);
	if (cfg != NULL && cfg->flags & GG_CFG_BYPASS) {
		count_packet(0, GG_REASON_pass_bypass, end - data);
		return XDP_PASS;
	}
	reason = parse_packet(data, end, &packet);
	if (packet.has_ports) {
		vip = bpf_map_lookup_elem(&gg_vip, &packet.to);
		if (vip != NULL && vip->slot < GG_SLOTS_MAX) {
			slot = vip->slot;
			reason = packet.tcp_request ?
				GG_REASON_pass_listener_syn :
				GG_REASON_pass_listener;
		}
	}
	count_packet(slot, reason, end - data);
	return XDP_PASS;
}

char gg_license[] SEC("license") = "Dual BSD/GPL";
