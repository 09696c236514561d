/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP program: parse, deny, classify, limit, steer, count. Loads with plain
 * `ip link`, so it has no tail calls and takes its settings from gg_cfg.
 */
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "bpf/contract.h"
#include "bpf/count.h"
#include "bpf/encapsulate.h"
#include "bpf/event.h"
#include "bpf/fragment.h"
#include "bpf/icmp.h"
#include "bpf/limit.h"
#include "bpf/list.h"
#include "bpf/maps.h"
#include "bpf/nat.h"
#include "bpf/parse.h"
#include "bpf/path_mtu.h"
#include "bpf/stack.h"
#include "bpf/too_big.h"

#define CFG_STEERS (GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE)

/* Read by libxdp's dispatcher, where there is one; others ignore it. */
struct {
	__uint(priority, 40);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(gg_gateway);

/* To a service: the packet goes on to a backend or is dropped. */
static __always_inline enum gg_reason
steer_service(struct xdp_md *ctx, struct packet *p)
{
	if (p->at.to.l4_proto == IPPROTO_TCP &&
		p->at.fragment != PARSE_LATER &&
		!steer_flags_are_sane(p->at.tcp_flags))
		return GG_REASON_drop_tcp_flags;
	/* A hop in every mode: two boxes that take each other for a backend
	 * do not play ball for ever. */
	if (p->at.ttl <= 1)
		return GG_REASON_drop_ttl;
	p->hash = steer_hash(&p->at.from, &p->at.to, packet_is4(p), p->seed);
	if (p->mode != GG_MODE_NAT)
		return forward(ctx, p);
	return packet_is4(p) ? nat_forward4(ctx, p) : nat_forward6(ctx, p);
}

/* From a backend back to its client; else PARSE_ON. */
__attribute__((noinline)) int
steer_back(struct xdp_md *ctx, struct packet *p)
{
	enum gg_reason reason = PARSE_ON;

	if (p == NULL)
		return PARSE_ON;
	if (p->cfg_flags & GG_CFG_NAT)
		reason = packet_is4(p) ? nat_back(ctx, p, true) :
					 nat_back(ctx, p, false);
	if (reason == PARSE_ON && p->cfg_flags & GG_CFG_ROUTE)
		reason = route_back(ctx, p);
	return reason;
}

/* To no listener and no service: what comes back from backends, and ICMP. */
static __always_inline enum gg_reason
steer_rest(struct xdp_md *ctx, struct packet *p, enum gg_reason reason)
{
	enum gg_reason back;

	if (reason == GG_REASON_pass_icmp || reason == GG_REASON_pass_icmpv6)
		return icmp_handle(ctx, p, reason);
	if (!p->at.has_ports)
		return reason;
	back = steer_back(ctx, p);
	return back == PARSE_ON ? reason : back;
}

/* The rest of p, for the steps that not every packet takes. */
static __always_inline void
packet_fill(struct packet *p, const struct gg_cfg *cfg, __u32 bytes)
{
	p->slot = 0;
	p->hash = 0;
	p->action = XDP_PASS;
	p->bytes = bytes;
	p->seed = cfg->seed;
	p->flood_guard = cfg->flood_guard;
	p->cfg_flags = cfg->flags;
	p->mtu = 0;
	p->mode = GG_MODE_PASS;
	p->vip_flags = 0;
}

static __always_inline enum gg_reason
listener_reason(bool tcp_request)
{
	return tcp_request ? GG_REASON_pass_listener_syn :
			     GG_REASON_pass_listener;
}

static __always_inline enum gg_reason
icmp_reason(const struct packet *p)
{
	return packet_is4(p) ? GG_REASON_pass_icmp : GG_REASON_pass_icmpv6;
}

static __always_inline enum gg_reason
steer(struct xdp_md *ctx, struct packet *p, enum gg_reason reason)
{
	if (p->mode == GG_MODE_PASS)
		reason = steer_rest(ctx, p, reason);
	else if (stack_keeps(ctx, p))
		reason = listener_reason(p->at.tcp_request);
	else
		reason = steer_service(ctx, p);
	/* What is left for a step of its own is none of these. */
	if (reason < GG_REASON_answer_too_big)
		return reason;
	if (reason == GG_REASON_answer_too_big)
		return too_big_answer(ctx, p);
	if (reason == PACKET_ENCAPSULATE)
		return encapsulate(ctx, p);
	if (reason != PACKET_PATH_MTU)
		return reason;
	reason = icmp_reason(p);
	path_mtu_learn(ctx, p);
	return reason;
}

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
	__u32 zero = 0, slot = 0, listed = 0, refused;
	__u32 bytes = ctx->data_end - ctx->data;
	const struct gg_vip *vip = NULL;
	const struct gg_cfg *cfg;
	__u32 reason, action = XDP_PASS;
	struct packet p;

	cfg = bpf_map_lookup_elem(&gg_cfg, &zero);
	if (cfg == NULL) /* cannot be */
		return XDP_PASS;
	if (cfg->flags & GG_CFG_BYPASS) {
		count_packet(0, GG_REASON_pass_bypass, bytes);
		return XDP_PASS;
	}
	p.at = (struct parsed){};
	reason = parse_packet(data, end, &p.at);
	if (cfg->flags & GG_CFG_LIST && p.at.family != 0)
		listed = list_action(&p.at);
	if (listed == GG_LIST_DENY) {
		reason = GG_REASON_drop_denied;
		goto out;
	}
	if (reason == GG_REASON_pass_fragment && cfg->flags & CFG_STEERS) {
		packet_fill(&p, cfg, bytes);
		reason = fragment_ports(&p);
	}
	if (p.at.has_ports || p.at.fragment == PARSE_SHORT)
		vip = bpf_map_lookup_elem(&gg_vip, &p.at.to);
	if (vip != NULL && vip->slot < GG_SLOTS_MAX &&
		vip->mode < GG_MODE_COUNT)
		slot = vip->slot;
	if (slot != 0 && vip->mode == GG_MODE_PASS) {
		if (p.at.fragment == PARSE_LATER) {
			slot = 0;
			goto out;
		}
		/* The rest of its header may say so. */
		if (p.at.fragment == PARSE_SHORT)
			p.at.tcp_request = true;
		reason = listener_reason(p.at.tcp_request);
	} else if (p.at.fragment == PARSE_SHORT) {
		slot = 0;
	}
	if (slot != 0 && listed != GG_LIST_ALLOW) {
		refused = source_judge(cfg, vip, &p.at, bytes);
		if (refused != LIMIT_ADMITTED) {
			reason = refused;
			goto out;
		}
	}
	if (slot == 0 ? cfg->flags & CFG_STEERS :
			vip->mode != GG_MODE_PASS) {
		packet_fill(&p, cfg, bytes);
		if (slot != 0) {
			p.slot = slot;
			p.mode = vip->mode;
			p.vip_flags = vip->flags;
		}
		reason = steer(ctx, &p, reason);
		slot = p.slot;
		action = p.action;
	}
out:
	if (reason >= GG_REASON_drop_denied) {
		event_sample(ctx, cfg, slot, reason, &p.at);
		action = XDP_DROP;
	}
	count_packet(slot, reason, bytes);
	return action;
}

char gg_license[] SEC("license") = "Dual BSD/GPL";
