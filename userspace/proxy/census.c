/* Client connections, counted. */
#include "proxy/census.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"

#define ROWS 32768u
#define WAYS 8u

/*
 * A place holds 40 bits of the source's hash and its count of 24. One with
 * count 0 is free. Two sources with one hash would share a count: of 40 bits
 * and those of the row that is one in 2^55 for a pair, and the hash is seeded.
 */
#define COUNT_BITS 24
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

struct census {
	uint64_t seed;
	_Atomic uint32_t total;
	_Atomic uint64_t *places; /* ROWS * WAYS; untouched pages stay unmade */
};

struct census *
census_new(void)
{
	struct census *c = xcalloc(1, sizeof(*c));

	if (getrandom(&c->seed, sizeof(c->seed), 0) != (ssize_t)sizeof(c->seed))
		log_fatal("census: no random bytes errno=%d", errno);
	c->places = xcalloc((size_t)ROWS * WAYS, sizeof(*c->places));
	return c;
}

void
census_free(struct census *c)
{
	if (c == NULL)
		return;
	free(c->places);
	free(c);
}

static uint64_t
source_hash(const struct census *c, const uint8_t ip[16])
{
	struct in6_addr a;

	memcpy(&a, ip, sizeof(a));
	return hash_bytes(ip, IN6_IS_ADDR_V4MAPPED(&a) ? 16 : 8, c->seed);
}

/* Of the source's place, else of a free one; CENSUS_NOWHERE: neither. */
static uint32_t
place_find(struct census *c, uint32_t row, uint64_t tag, uint64_t *value)
{
	uint32_t free_place = CENSUS_NOWHERE;

	for (uint32_t i = row * WAYS; i < (row + 1) * WAYS; i++) {
		uint64_t v = atomic_load_explicit(
			&c->places[i], memory_order_relaxed);

		if ((v & COUNT_MASK) == 0) {
			if (free_place == CENSUS_NOWHERE) {
				free_place = i;
				*value = v;
			}
		} else if ((v & ~COUNT_MASK) == tag) {
			*value = v;
			return i;
		}
	}
	return free_place;
}

static enum census_verdict
source_enter(
	struct census *c, const uint8_t ip[16], uint32_t most, uint32_t *place)
{
	uint64_t hash = source_hash(c, ip), tag = hash & ~COUNT_MASK, old = 0;
	uint32_t row = (uint32_t)hash & (ROWS - 1), at;

	do {
		uint64_t count;

		at = place_find(c, row, tag, &old);
		if (at == CENSUS_NOWHERE)
			break;
		count = old & COUNT_MASK;
		if (count >= most || count == COUNT_MASK)
			return CENSUS_SOURCE_FULL;
		if (atomic_compare_exchange_weak_explicit(&c->places[at], &old,
			    tag | (count + 1), memory_order_relaxed,
			    memory_order_relaxed))
			break;
	} while (true);
	*place = at;
	return CENSUS_IN;
}

enum census_verdict
census_enter(struct census *c, const uint8_t ip[16], uint32_t total_max,
	uint32_t source_max, uint32_t *place)
{
	uint32_t before =
		atomic_fetch_add_explicit(&c->total, 1, memory_order_relaxed);
	enum census_verdict verdict = CENSUS_IN;

	*place = CENSUS_NOWHERE;
	if (total_max > 0 && before >= total_max)
		verdict = CENSUS_FULL;
	else if (source_max > 0)
		verdict = source_enter(c, ip, source_max, place);
	if (verdict != CENSUS_IN)
		atomic_fetch_sub_explicit(&c->total, 1, memory_order_relaxed);
	return verdict;
}

void
census_leave(struct census *c, uint32_t place)
{
	atomic_fetch_sub_explicit(&c->total, 1, memory_order_relaxed);
	if (place != CENSUS_NOWHERE)
		atomic_fetch_sub_explicit(
			&c->places[place], 1, memory_order_relaxed);
}

uint32_t
census_total(const struct census *c)
{
	return atomic_load_explicit(&c->total, memory_order_relaxed);
}
