/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sources without an entry of their own have spent: two cells of one cache
 * line for each of their buckets. A cell is a time up to which its sources have
 * spent; what is left of it is their debt. Each adds what it spends to both of
 * its cells, so the smaller debt is at least its own.
 *
 * Many CPUs: who spends adds to row 1, then, if both rows still say so, to row
 * 0; only that admits. Who makes an entry closes row 1, then row 0, and adds to
 * what row 1 had what came into row 0 meanwhile: no packet is missed.
 */
#ifndef BPF_SKETCH_H
#define BPF_SKETCH_H

#include <stdbool.h>

#include "bpf/bucket.h"
#include "bpf/contract.h"

#define SKETCH_TRIES       3
#define SKETCH_CLOSE_TRIES 8
/* No burst takes that long: further ahead is the past, seen through the wrap
 * of the clock. */
#define SKETCH_DEBT_MAX (1ull << (32 + GG_SKETCH_SHIFT))

/* The two cells of one bucket, and what the rate says in times. */
struct sketch {
	__u64 *row0, *row1;
	__u64 now;       /* ticks << GG_SKETCH_SHIFT */
	__u64 time;      /* of this packet */
	__u64 threshold; /* admitted while the debt is not beyond */
	__u64 full;      /* the burst */
};

static __inline__ __attribute__((always_inline)) __u64
sketch_load(const __u64 *cell)
{
	return *(const volatile __u64 *)cell;
}

static __inline__ __attribute__((always_inline)) __u64
sketch_debt(__u64 cell, __u64 now)
{
	__u64 debt = cell - now;

	return debt > SKETCH_DEBT_MAX ? 0 : debt;
}

static __inline__ __attribute__((always_inline)) __u64
sketch_min(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __inline__ __attribute__((always_inline)) __u64
sketch_read(const struct sketch *s)
{
	return sketch_min(sketch_debt(sketch_load(s->row0), s->now),
		sketch_debt(sketch_load(s->row1), s->now));
}

static __inline__ __attribute__((always_inline)) bool
sketch_admits(const struct sketch *s, __u64 debt)
{
	return debt <= s->threshold && debt + s->time <= s->full;
}

/* The debt after this packet. Never beyond a full burst by our doing: that says
 * all, and a flood of others must not be remembered longer. */
static __inline__ __attribute__((always_inline)) __u64
sketch_after(const struct sketch *s, __u64 debt)
{
	if (debt >= s->full)
		return debt;
	return sketch_min(debt + s->time, s->full);
}

static __inline__ __attribute__((always_inline)) bool
sketch_swap(__u64 *cell, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(cell, old, new) == old;
}

/* *added: what row 1 got. */
static __inline__ __attribute__((always_inline)) bool
sketch_add_row1(const struct sketch *s, __u64 *added)
{
#pragma GCC unroll 3
	for (int i = 0; i < SKETCH_TRIES; i++) {
		__u64 old = sketch_load(s->row1);
		__u64 debt = sketch_debt(old, s->now);
		__u64 after = sketch_after(s, debt);

		*added = after - debt;
		if (after == debt ||
			sketch_swap(s->row1, old, s->now + after))
			return true;
	}
	return false;
}

static __inline__ __attribute__((always_inline)) enum bucket_result
sketch_spend(const struct sketch *s)
{
	__u64 added;

	if (!sketch_add_row1(s, &added))
		return BUCKET_CONTENDED;
#pragma GCC unroll 3
	for (int i = 0; i < SKETCH_TRIES; i++) {
		/* In this order: who came into row 0 before us is in row 1. */
		__u64 old = sketch_load(s->row0);
		__u64 debt = sketch_debt(old, s->now), after;
		__u64 other = sketch_debt(sketch_load(s->row1), s->now);

		other = other > added ? other - added : 0;
		if (!sketch_admits(s, sketch_min(debt, other)))
			return BUCKET_REFUSED;
		after = sketch_after(s, debt);
		if (after == debt ||
			sketch_swap(s->row0, old, s->now + after))
			return BUCKET_SPENT;
	}
	return BUCKET_CONTENDED;
}

/* Nobody whose clock is not beyond ours spends from the cell any more. *debt is
 * what it had. */
static __inline__ __attribute__((always_inline)) bool
sketch_close_cell(const struct sketch *s, __u64 *cell, __u64 *debt)
{
#pragma GCC unroll 8
	for (int i = 0; i < SKETCH_CLOSE_TRIES; i++) {
		__u64 old = sketch_load(cell);

		*debt = sketch_debt(old, s->now);
		if (*debt > s->threshold ||
			sketch_swap(cell, old, s->now + s->threshold + 1))
			return true;
	}
	return false;
}

/* Closes both rows and returns what the source has spent at most. s->time is
 * the largest that a packet can have: it is what goes beyond the threshold. */
static __inline__ __attribute__((always_inline)) __u64
sketch_close(const struct sketch *s)
{
	__u64 before = sketch_debt(sketch_load(s->row0), s->now);
	__u64 row0, row1, most = sketch_min(s->threshold + s->time, s->full);

	if (!sketch_close_cell(s, s->row1, &row1) ||
		!sketch_close_cell(s, s->row0, &row0))
		return s->full;
	if (row0 > before)
		row1 += row0 - before;
	return sketch_min(most, sketch_min(row0, row1));
}

#endif
