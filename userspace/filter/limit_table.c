/* What keys and rules of rate limits have used, in shared memory. */
#include "filter/limit_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "model/counters.h"

#define MAGIC       0x3174696d696c6767ull
#define WAYS        8u
#define LOCKS       64u
#define TALLY_ROWS  (LIMIT_TALLIES_MAX / WAYS)
#define NOT_COUNTED UINT32_MAX

/*
 * A state is the time that is paid for, in units of the rule, and above it
 * eight bits of the key: who still writes for a key that has been replaced
 * fails. At a million units a millisecond, the most there is, the time lasts
 * for two years of uptime.
 */
#define PAID_BITS 56
#define PAID_MASK ((UINT64_C(1) << PAID_BITS) - 1)

/* Of eight keys; a line of the cache each, the last two for what is rarer:
 * when each will have paid, and what it was refused. */
struct row {
	_Alignas(64) _Atomic uint64_t key[WAYS];
	_Atomic uint64_t state[WAYS];
	_Atomic uint32_t settled[WAYS]; /* SETTLED_MS since the epoch */
	_Atomic uint32_t refused[WAYS];
	_Atomic uint32_t since_ms[WAYS]; /* of the refused; low bits */
	uint32_t pad[WAYS];
};

#define SETTLED_MS 64 /* coarse, and good for 8 years */

struct tally { /* a worker's; a line of the cache */
	_Alignas(64) _Atomic uint64_t count[LIMIT_TALLY_COUNT];
};

struct memory {
	uint64_t magic;
	uint32_t rows, pad;
	uint64_t seed, epoch_ms;
	_Alignas(64) _Atomic uint64_t replaced;
	_Alignas(64) _Atomic uint64_t rules[TALLY_ROWS][WAYS];
	struct tally tallies[LIMIT_TALLIES_MAX][COUNTERS_WORKERS_MAX];
	struct row row[];
};

struct limit_table {
	struct memory *memory;
	uint32_t rows; /* as checked: the memory's own may change */
	uint64_t epoch_ms, seed;
	pthread_mutex_t locks[LOCKS]; /* for new keys, by row */
	pthread_mutex_t rules;        /* for new rules */
};

static uint32_t
rows_for(uint32_t entries)
{
	uint32_t rows = LIMIT_ENTRIES_MIN / WAYS;

	while (rows * WAYS < entries)
		rows *= 2;
	return rows;
}

static size_t
size_of(uint32_t rows)
{
	return sizeof(struct memory) + (size_t)rows * sizeof(struct row);
}

size_t
limit_memory_size(uint32_t entries)
{
	return size_of(rows_for(entries));
}

void
limit_memory_format(
	void *memory, uint32_t entries, uint64_t seed, uint64_t now_ms)
{
	struct memory *m = memory;

	m->rows = rows_for(entries);
	m->seed = seed;
	m->epoch_ms = now_ms;
	m->magic = MAGIC;
}

struct limit_table *
limit_table_new(void *memory, size_t length, struct error *err)
{
	struct memory *m = memory;
	struct limit_table *t;
	uint32_t rows = 0;

	/* Read once: another process may change it. */
	if (length >= sizeof(*m) && m->magic == MAGIC)
		rows = *(const volatile uint32_t *)&m->rows;
	if (rows == 0 || (rows & (rows - 1)) != 0 || length != size_of(rows)) {
		error_set(err, ERROR_SYSTEM,
			"the table of rate limits is of another shape");
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->memory = m;
	t->rows = rows;
	t->epoch_ms = m->epoch_ms;
	t->seed = m->seed;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&t->locks[i], NULL);
	pthread_mutex_init(&t->rules, NULL);
	return t;
}

void
limit_table_free(struct limit_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&t->locks[i]);
	pthread_mutex_destroy(&t->rules);
	free(t);
}

uint32_t
limit_table_entries(const struct limit_table *t)
{
	return t->rows * WAYS;
}

uint64_t
limit_table_replaced(const struct limit_table *t)
{
	return atomic_load_explicit(
		&t->memory->replaced, memory_order_relaxed);
}

uint64_t
limit_table_key(const struct limit_table *t, uint64_t identity,
	const void *bytes, size_t length)
{
	uint64_t key = hash_bytes(bytes, length, identity ^ t->seed);

	return key != 0 ? key : 1;
}

/* ---- keys */

static struct row *
row_of(const struct limit_table *t, uint64_t key)
{
	return &t->memory->row[key & (t->rows - 1)];
}

/* WAYS: it is not there. */
static unsigned
way_find(struct row *r, uint64_t key)
{
	unsigned way = 0;

	while (way < WAYS &&
		atomic_load_explicit(&r->key[way], memory_order_acquire) != key)
		way++;
	return way;
}

static uint64_t
tag_of(uint64_t key)
{
	return key & ~PAID_MASK;
}

static uint64_t
units_now(const struct limit_table *t, const struct gcra *g, uint64_t now_ms)
{
	return now_ms > t->epoch_ms ? (now_ms - t->epoch_ms) * g->per_ms : 0;
}

static uint32_t
settled_at(const struct limit_table *t, uint64_t ms)
{
	return (uint32_t)((ms - t->epoch_ms) / SETTLED_MS);
}

/* False: the place belongs to another key by now. */
static bool
state_take(struct row *r, unsigned way, uint64_t key, const struct gcra *g,
	uint64_t now, bool count_rejected, struct gcra_verdict *out)
{
	_Atomic uint64_t *state = &r->state[way];
	uint64_t old = atomic_load_explicit(state, memory_order_relaxed), made;

	do {
		if (tag_of(old) != tag_of(key))
			return false;
		*out = gcra_take(g, old & PAID_MASK, now, count_rejected);
		made = tag_of(key) | (out->paid & PAID_MASK);
		if (made == old)
			return true;
	} while (!atomic_compare_exchange_weak_explicit(state, &old, made,
		memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* The first that is free or has paid, else the one that will be first. */
static unsigned
victim_find(const struct limit_table *t, struct row *r, uint64_t now_ms)
{
	uint32_t now = settled_at(t, now_ms), least = UINT32_MAX;
	unsigned victim = 0;

	for (unsigned way = 0; way < WAYS; way++) {
		uint32_t settled = atomic_load_explicit(
			&r->settled[way], memory_order_relaxed);

		if (atomic_load_explicit(&r->key[way], memory_order_relaxed) ==
				0 ||
			settled < now)
			return way;
		if (settled < least) {
			least = settled;
			victim = way;
		}
	}
	atomic_fetch_add_explicit(
		&t->memory->replaced, 1, memory_order_relaxed);
	return victim;
}

/* Under the row's lock. Nobody finds the old key any more, then who still
 * holds its state fails, then the new key is found. */
static unsigned
key_put(const struct limit_table *t, struct row *r, uint64_t key,
	uint64_t now_ms)
{
	unsigned way = victim_find(t, r, now_ms);

	atomic_store_explicit(&r->key[way], 0, memory_order_seq_cst);
	atomic_store_explicit(
		&r->state[way], tag_of(key), memory_order_seq_cst);
	atomic_store_explicit(&r->refused[way], 0, memory_order_relaxed);
	atomic_store_explicit(&r->settled[way], settled_at(t, now_ms),
		memory_order_relaxed);
	atomic_store_explicit(&r->key[way], key, memory_order_release);
	return way;
}

static pthread_mutex_t *
lock_of(struct limit_table *t, uint64_t key)
{
	return &t->locks[key & (t->rows - 1) & (LOCKS - 1)];
}

static unsigned
way_take(struct limit_table *t, struct row *r, uint64_t key, uint64_t now_ms)
{
	pthread_mutex_t *lock = lock_of(t, key);
	unsigned way = way_find(r, key);

	if (way < WAYS)
		return way;
	pthread_mutex_lock(lock);
	way = way_find(r, key);
	if (way == WAYS)
		way = key_put(t, r, key, now_ms);
	pthread_mutex_unlock(lock);
	return way;
}

/* Two proxies, while one replaces the other, can put a key each into one place:
 * then the state is not that of the key that is found there. */
static void
state_repair(struct limit_table *t, struct row *r, unsigned way, uint64_t key)
{
	pthread_mutex_t *lock = lock_of(t, key);

	pthread_mutex_lock(lock);
	if (atomic_load(&r->key[way]) == key &&
		tag_of(atomic_load(&r->state[way])) != tag_of(key))
		atomic_store(&r->state[way], tag_of(key));
	pthread_mutex_unlock(lock);
}

struct gcra_verdict
limit_table_take(struct limit_table *t, uint64_t key, const struct gcra *g,
	uint64_t now_ms, bool count_rejected)
{
	struct row *r = row_of(t, key);
	uint64_t now = units_now(t, g, now_ms);
	struct gcra_verdict v;
	uint32_t settled;
	unsigned way;

	/* Three lines of memory at once, not one after the other. */
	__builtin_prefetch(r->key);
	__builtin_prefetch(r->state, 1);
	__builtin_prefetch(r->settled);
	for (;;) {
		way = way_take(t, r, key, now_ms);
		if (state_take(r, way, key, g, now, count_rejected, &v))
			break;
		state_repair(t, r, way, key);
	}
	/* Moves seldom, so the line is mostly only read. */
	settled = settled_at(t, now_ms + v.reset_ms);
	if (atomic_load_explicit(&r->settled[way], memory_order_relaxed) !=
		settled)
		atomic_store_explicit(
			&r->settled[way], settled, memory_order_relaxed);
	return v;
}

void
limit_table_give_back(struct limit_table *t, uint64_t key, const struct gcra *g)
{
	struct row *r = row_of(t, key);
	unsigned way = way_find(r, key);
	uint64_t old, made;

	if (way == WAYS)
		return;
	old = atomic_load_explicit(&r->state[way], memory_order_relaxed);
	do {
		if (tag_of(old) != tag_of(key) || (old & PAID_MASK) < g->cost)
			return;
		made = old - g->cost;
	} while (!atomic_compare_exchange_weak_explicit(&r->state[way], &old,
		made, memory_order_relaxed, memory_order_relaxed));
}

/* Counted without care for races: it is about many. */
bool
limit_table_refused(struct limit_table *t, uint64_t key, uint32_t many,
	uint32_t window_ms, uint64_t now_ms)
{
	struct row *r = row_of(t, key);
	unsigned way = way_find(r, key);
	uint32_t now = (uint32_t)(now_ms - t->epoch_ms), since, count;

	if (way == WAYS)
		return false;
	since = atomic_load_explicit(&r->since_ms[way], memory_order_relaxed);
	count = atomic_fetch_add_explicit(
			&r->refused[way], 1, memory_order_relaxed) +
		1;
	/* Another worker's clock may be a little behind. */
	if (count > 1 && (int32_t)(now - since) < (int32_t)window_ms)
		return false;
	atomic_store_explicit(&r->since_ms[way], now, memory_order_relaxed);
	atomic_store_explicit(&r->refused[way], 1, memory_order_relaxed);
	/* So many in that time; those of a longer one are fewer in it. */
	return count > 1 &&
	       (uint64_t)count * window_ms >= (uint64_t)many * (now - since);
}

/* ---- rules */

static uint32_t
rule_find(const struct limit_table *t, uint64_t identity)
{
	uint32_t row = (uint32_t)(identity % TALLY_ROWS);
	_Atomic uint64_t *ways = t->memory->rules[row];

	for (uint32_t way = 0; way < WAYS; way++)
		if (atomic_load_explicit(&ways[way], memory_order_acquire) ==
			identity)
			return row * WAYS + way;
	return NOT_COUNTED;
}

static uint32_t
rule_take(struct limit_table *t, uint64_t identity)
{
	uint32_t row = (uint32_t)(identity % TALLY_ROWS);
	uint32_t place = rule_find(t, identity);
	_Atomic uint64_t *ways = t->memory->rules[row];

	if (place != NOT_COUNTED)
		return place;
	pthread_mutex_lock(&t->rules);
	place = rule_find(t, identity);
	for (uint32_t way = 0; place == NOT_COUNTED && way < WAYS; way++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&ways[way], &none, identity))
			place = row * WAYS + way;
	}
	pthread_mutex_unlock(&t->rules);
	return place;
}

void
limit_table_count(struct limit_table *t, uint64_t identity, uint32_t worker,
	enum limit_tally what)
{
	uint32_t place = rule_take(t, identity);

	if (place != NOT_COUNTED)
		atomic_fetch_add_explicit(
			&t->memory->tallies[place]
				   [worker % COUNTERS_WORKERS_MAX].count[what],
			1, memory_order_relaxed);
}

void
limit_table_sums(const struct limit_table *t, uint64_t identity,
	uint64_t out[LIMIT_TALLY_COUNT])
{
	uint32_t place = rule_find(t, identity);

	memset(out, 0, LIMIT_TALLY_COUNT * sizeof(*out));
	for (uint32_t w = 0; place != NOT_COUNTED && w < COUNTERS_WORKERS_MAX;
		w++)
		for (unsigned i = 0; i < LIMIT_TALLY_COUNT; i++)
			out[i] += atomic_load_explicit(
				&t->memory->tallies[place][w].count[i],
				memory_order_relaxed);
}

void
limit_table_forget(struct limit_table *t,
	bool (*lives)(uint64_t identity, void *arg), void *arg)
{
	for (uint32_t i = 0; i < LIMIT_TALLIES_MAX; i++) {
		_Atomic uint64_t *rule = &t->memory->rules[i / WAYS][i % WAYS];
		uint64_t identity = atomic_load(rule);

		if (identity == 0 || lives(identity, arg))
			continue;
		memset(t->memory->tallies[i], 0, sizeof(t->memory->tallies[i]));
		atomic_store(rule, 0);
	}
}
