/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Samples of dropped packets for gg_events. */
#ifndef BPF_EVENT_H
#define BPF_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/contract.h"
#include "bpf/count.h"
#include "bpf/maps.h"
#include "bpf/parse.h"

/* One of cfg->sample, and the first in a second of this CPU, so that one sees
 * as well what is dropped rarely. */
static __always_inline bool
event_is_due(const struct gg_cfg *cfg, __u32 slot, __u32 reason)
{
	__u64 ticks = bpf_jiffies64();
	struct this_cpu *cpu;
	__u32 zero = 0;

	cpu = bpf_map_lookup_elem(&gg_cpu, &zero);
	if (cpu == NULL)
		return false;
	if ((cfg->hz == 0 || ticks - cpu->sampled_tick < cfg->hz) &&
		(count_read(slot, reason) & (cfg->sample - 1)) != 0)
		return false;
	cpu->sampled_tick = ticks;
	return true;
}

/* Before the packet is counted. A full buffer takes nothing: samples may be
 * lost, counters are not. */
static __always_inline void
event_sample(struct xdp_md *ctx, const struct gg_cfg *cfg, __u32 slot,
	__u32 reason, const struct parsed *packet)
{
	struct gg_event *event;

	if (cfg->sample == 0 || !event_is_due(cfg, slot, reason))
		return;
	event = bpf_ringbuf_reserve(&gg_events, sizeof(*event), 0);
	if (event == NULL)
		return;
	event->time_ns = bpf_ktime_get_ns();
	event->ifindex = ctx->ingress_ifindex;
	event->slot = (__u16)slot;
	event->reason = (__u16)reason;
	__builtin_memcpy(event->from, packet->from.ip, 16);
	__builtin_memcpy(event->to, packet->to.ip, 16);
	event->from_port_be = packet->from.port_be;
	event->to_port_be = packet->to.port_be;
	event->length = (__u16)(ctx->data_end - ctx->data);
	event->l4_proto = packet->to.l4_proto;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
}

#endif
