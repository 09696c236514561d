/*
 * What the keys of rate limits have used, and what each rule let pass and
 * refused: memory that control makes (a memfd sealed against resizing) and all
 * workers of the proxy share. It outlives either process and every generation.
 *
 * The table of keys has a fixed size. A key has its place in one row of eight;
 * in a full row the one goes that is the first to have paid, so a flood of keys
 * never locks anybody out. A request that finds its key is one compare-and-swap
 * of 64 bits; only a new key takes a lock, which is the process's own: a proxy
 * that dies leaves none behind. Two proxies, while one replaces the other, may
 * count a new key once each.
 *
 * Control treats every number in it as untrusted.
 */
#ifndef FILTER_LIMIT_TABLE_H
#define FILTER_LIMIT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "filter/gcra.h"

#define LIMIT_ENTRIES_MIN 1024
#define LIMIT_ENTRIES_MAX (1u << 24)
#define LIMIT_TALLIES_MAX 4096 /* rules that are counted */

struct limit_table; /* a process's view of the memory */

/* For as many keys, a whole number of rows. */
size_t limit_memory_size(uint32_t entries);
/* Zeroed memory of that size; seed: of the hashes. */
void limit_memory_format(
	void *memory, uint32_t entries, uint64_t seed, uint64_t now_ms);

/* The memory stays the caller's. NULL: it is of another shape. */
struct limit_table *limit_table_new(
	void *memory, size_t length, struct error *err);
void limit_table_free(struct limit_table *t);
uint32_t limit_table_entries(const struct limit_table *t);
/* Keys that had to go before they had paid. */
uint64_t limit_table_replaced(const struct limit_table *t);

/* The key of a rule: identity of the rule, bytes of the key. Not 0. */
uint64_t limit_table_key(const struct limit_table *t, uint64_t identity,
	const void *bytes, size_t length);
struct gcra_verdict limit_table_take(struct limit_table *t, uint64_t key,
	const struct gcra *g, uint64_t now_ms, bool count_rejected);
/* Of one that was let pass: it did not after all. */
void limit_table_give_back(
	struct limit_table *t, uint64_t key, const struct gcra *g);
/* One was refused. True: many were, for window_ms; it then begins anew. */
bool limit_table_refused(struct limit_table *t, uint64_t key, uint32_t many,
	uint32_t window_ms, uint64_t now_ms);

/* ---- what the rules did */

enum limit_tally {
	LIMIT_PASSED,
	LIMIT_REFUSED,
	LIMIT_SHADOWED, /* would have been refused */
	LIMIT_PROMOTED, /* sources that were far beyond */
	LIMIT_TALLY_COUNT,
};

void limit_table_count(struct limit_table *t, uint64_t identity,
	uint32_t worker, enum limit_tally what);
/* The sums over the workers; all 0: no such rule has counted anything. */
void limit_table_sums(const struct limit_table *t, uint64_t identity,
	uint64_t out[LIMIT_TALLY_COUNT]);
/* Room is made: whom `lives` disowns is forgotten. Control only. */
void limit_table_forget(struct limit_table *t,
	bool (*lives)(uint64_t identity, void *arg), void *arg);

#endif
