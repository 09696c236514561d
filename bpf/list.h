/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of a source before its packets are counted against a limit:
 * prefixes that are denied or allowed, and sources that are blocked.
 */
#ifndef BPF_LIST_H
#define BPF_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/contract.h"
#include "bpf/maps.h"
#include "bpf/parse.h"

/* enum gg_list_action of the longest prefix that holds the source; 0: none. */
static __always_inline __u32
list_action(const struct parsed *packet)
{
	struct gg_list_key key = { .plen = 128 };
	const struct gg_list *entry;
	__u64 *hits;
	__u32 index;

	__builtin_memcpy(key.ip, packet->from.ip, 16);
	entry = bpf_map_lookup_elem(&gg_list, &key);
	if (entry == NULL)
		return 0;
	index = entry->index;
	hits = bpf_map_lookup_elem(&gg_list_hits, &index);
	if (hits != NULL)
		*hits += 1;
	return entry->action;
}

static __always_inline bool
list_is_blocked(const struct parsed *packet, __u32 slot)
{
	struct gg_block_key key = { .slot = slot };
	struct gg_block *block;

	__builtin_memcpy(key.ip, packet->from.ip, 16);
	/* In its /64 a host has as many addresses as it likes. */
	if (packet->family == 6)
		__builtin_memset(key.ip + 8, 0, 8);
	block = bpf_map_lookup_elem(&gg_block, &key);
	if (block == NULL || block->until_ns < bpf_ktime_get_coarse_ns())
		return false;
	__sync_fetch_and_add(&block->dropped, 1);
	return true;
}

#endif
