/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A token bucket in one word, changed by one compare-and-swap: every success
 * spends from one consistent pair of tokens and stamp, so that no interleaving
 * admits more than the burst and the refill. Who is refused writes nothing: the
 * cache line of a source beyond its limit stays shared by all CPUs.
 */
#ifndef BPF_BUCKET_H
#define BPF_BUCKET_H

#include "bpf/contract.h"

#define BUCKET_TRIES 3
/* A CPU that read its clock and was stopped then finds the stamps of others
 * ahead of it: that far back, a second of the fine clock, is no wrap. */
#define BUCKET_SKEW (1u << 20)

/* bucket_give() adds to the word. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	"tokens are the low half of the word");

enum bucket_result { BUCKET_SPENT, BUCKET_REFUSED, BUCKET_CONTENDED };

/* One load: tokens and stamp belong together. */
static __inline__ __attribute__((always_inline)) union gg_bucket
bucket_read(const union gg_bucket *at)
{
	return (union gg_bucket){ .word = *(const volatile __u64 *)&at->word };
}

static __inline__ __attribute__((always_inline)) __u32
bucket_elapsed(union gg_bucket b, __u32 now)
{
	__u32 elapsed = now - b.stamp;

	return elapsed > 0u - BUCKET_SKEW ? 0 : elapsed;
}

/* The tokens that it has now. */
static __inline__ __attribute__((always_inline)) __u64
bucket_left(union gg_bucket b, const struct gg_rate *rate, __u32 now)
{
	__u64 tokens = b.tokens +
		(__u64)bucket_elapsed(b, now) * rate->refill;

	return tokens < rate->burst ? tokens : rate->burst;
}

static __inline__ __attribute__((always_inline)) enum bucket_result
bucket_spend(union gg_bucket *at, const struct gg_rate *rate, __u64 need,
	__u32 now)
{
#pragma GCC unroll 3
	for (int i = 0; i < BUCKET_TRIES; i++) {
		union gg_bucket old = bucket_read(at), new;
		__u64 left = bucket_left(old, rate, now);

		if (left < need)
			return BUCKET_REFUSED;
		new.tokens = (__u32)(left - need);
		/* Never back: what passed once is not paid twice. */
		new.stamp = bucket_elapsed(old, now) == 0 ? old.stamp : now;
		if (__sync_val_compare_and_swap(&at->word, old.word,
			    new.word) == old.word)
			return BUCKET_SPENT;
	}
	return BUCKET_CONTENDED;
}

/* Tokens on top; no more than GG_BURST_MAX, which cannot carry over into the
 * stamp. */
static __inline__ __attribute__((always_inline)) void
bucket_give(union gg_bucket *at, __u32 tokens)
{
	__sync_fetch_and_add(&at->word, (__u64)tokens);
}

#endif
