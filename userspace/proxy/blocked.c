/* Sources whose connections are not taken. */
#include "proxy/blocked.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/table.h"

#define ROWS 512u
#define WAYS 8u

struct source {
	uint8_t ip[16]; /* of addr_source() */
	uint32_t slot;
	uint64_t until_ms;
};

struct blocked {
	uint64_t last_ms;       /* then nobody is blocked any more */
	struct source *sources; /* ROWS * WAYS; made for the first */
};

struct blocked *
blocked_new(void)
{
	return xcalloc(1, sizeof(struct blocked));
}

void
blocked_free(struct blocked *b)
{
	if (b == NULL)
		return;
	free(b->sources);
	free(b);
}

static struct source *
row_of(const struct blocked *b, uint32_t slot, const uint8_t ip[16])
{
	return b->sources + WAYS * (hash_bytes(ip, 16, slot) % ROWS);
}

static bool
is_it(const struct source *s, uint32_t slot, const uint8_t ip[16])
{
	return s->slot == slot && memcmp(s->ip, ip, sizeof(s->ip)) == 0;
}

/* Its own place, else the one that is over first. */
static struct source *
place_find(const struct blocked *b, uint32_t slot, const uint8_t ip[16])
{
	struct source *row = row_of(b, slot, ip), *first = row;

	for (unsigned i = 0; i < WAYS; i++) {
		if (is_it(&row[i], slot, ip))
			return &row[i];
		if (row[i].until_ms < first->until_ms)
			first = &row[i];
	}
	return first;
}

void
blocked_add(struct blocked *b, uint32_t slot, const uint8_t ip[16],
	uint64_t until_ms, uint64_t now_ms)
{
	struct addr_prefix source;
	struct source *s;

	addr_source(ip, &source);
	if (b->sources == NULL)
		b->sources = xcalloc((size_t)ROWS * WAYS, sizeof(*b->sources));
	if (now_ms >= b->last_ms)
		memset(b->sources, 0, ROWS * WAYS * sizeof(*b->sources));
	s = place_find(b, slot, source.ip);
	memcpy(s->ip, source.ip, sizeof(s->ip));
	s->slot = slot;
	s->until_ms = until_ms;
	if (until_ms > b->last_ms)
		b->last_ms = until_ms;
}

void
blocked_forget(struct blocked *b, uint32_t slot)
{
	for (unsigned i = 0; b->sources != NULL && i < ROWS * WAYS; i++)
		if (b->sources[i].slot == slot)
			b->sources[i].until_ms = 0;
}

bool
blocked_has(const struct blocked *b, uint32_t slot, const uint8_t ip[16],
	uint64_t now_ms)
{
	struct addr_prefix source;
	const struct source *row;

	if (now_ms >= b->last_ms)
		return false;
	addr_source(ip, &source);
	row = row_of(b, slot, source.ip);
	for (unsigned i = 0; i < WAYS; i++)
		if (is_it(&row[i], slot, source.ip))
			return now_ms < row[i].until_ms;
	return false;
}
