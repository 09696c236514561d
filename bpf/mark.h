/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which sources may have an entry: gg_mark.
 *
 * Why no entry stays unseen. Who makes one sets both bits before, and each half
 * of a word that userspace clears is complete again before it turns to the
 * other. So if neither is set when a packet looks, there was no entry at that
 * moment, and going on is what a lookup that found none would have done.
 *
 * Clearing: bits that are set after it stay. Those that were set before it are
 * of programs that ran then; userspace waits until they all have ended, so
 * their entries are in the table when it reads that.
 */
#ifndef BPF_MARK_H
#define BPF_MARK_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/maps.h"

typedef __u64 __attribute__((may_alias)) mark_word;
typedef __u32 __attribute__((may_alias)) mark_half;

/* Keys stand at a multiple of 8 in struct limit_call. */
static __always_inline __u32
mark_of4(const struct gg_rl4_key *key)
{
	return GG_MARK4(*(const mark_word *)key);
}

static __always_inline __u32
mark_of6(const struct gg_rl6_key *key)
{
	const mark_word *words = (const mark_word *)key;

	return GG_MARK6(words[0], words[1],
		(__u64)*(const mark_half *)(key->ip + 12));
}

static __always_inline bool
mark_is_set(__u32 mark)
{
	__u32 index = GG_MARK_WORD(mark);
	const __u64 *word = bpf_map_lookup_elem(&gg_mark, &index);

	return word == NULL ||
		*(const volatile __u64 *)word & GG_MARK_BITS(mark);
}

/* False: cannot be. */
static __always_inline bool
mark_set(__u32 mark)
{
	__u32 index = GG_MARK_WORD(mark);
	__u64 *word = bpf_map_lookup_elem(&gg_mark, &index), was;

	if (word == NULL)
		return false;
	was = __sync_fetch_and_or(word, GG_MARK_BITS(mark));
	/* Asked for what was there, it is ordered before what comes after it
	 * on every machine. */
	__asm__ volatile("" : : "r"(was));
	return true;
}

#endif
