/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts packets: one reason each, and notes beside it. */
#ifndef BPF_COUNT_H
#define BPF_COUNT_H

#include <stdbool.h>

#include "bpf/maps.h"

static __always_inline void
count_packet(__u32 slot, __u32 reason, __u64 bytes)
{
	struct gg_count *counts = bpf_map_lookup_elem(&gg_reason, &slot);

	/* The verifier wants to see a bound that clang knows to hold. */
	__asm__ volatile("" : "+r"(reason));
	if (counts == NULL || reason >= GG_REASON_COUNT)
		return;
	counts[reason].packets += 1;
	counts[reason].bytes += bytes;
}

/* How many this CPU has counted so far. */
static __always_inline __u64
count_read(__u32 slot, __u32 reason)
{
	const struct gg_count *counts = bpf_map_lookup_elem(&gg_reason, &slot);

	__asm__ volatile("" : "+r"(reason));
	if (counts == NULL || reason >= GG_REASON_COUNT)
		return 0;
	return counts[reason].packets;
}

/* How many this CPU had noted before. */
static __always_inline __u64
count_note(__u32 slot, __u32 note)
{
	struct gg_count *counts = bpf_map_lookup_elem(&gg_reason, &slot);

	__asm__ volatile("" : "+r"(note));
	if (counts == NULL || note >= GG_NOTE_COUNT)
		return 0;
	return ((__u64 *)(counts + GG_REASON_COUNT))[note]++;
}

static __always_inline void
count_hit(__u32 backend, __u64 bytes, bool connection)
{
	struct gg_backend_hits *hits =
		bpf_map_lookup_elem(&gg_backend_hits, &backend);

	if (hits == NULL)
		return;
	hits->packets += 1;
	hits->bytes += bytes;
	hits->connections += connection;
}

#endif
