/* The sources that the limiter keeps an entry for. */
#include "fastpath/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/mem.h"
#include "fastpath/entries.h"
#include "fastpath/inner.h"

/* ---- the clocks of the buckets */

struct clocks {
	uint32_t ticks, fine;
};

/* times() counts the kernel's ticks in hundredths of a second. */
static struct clocks
clocks_read(uint32_t hz)
{
	struct timespec now;
	struct tms unused;
	uint64_t user = (uint64_t)times(&unused);
	uint64_t user_hz = (uint64_t)sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (struct clocks){
		.ticks = (uint32_t)(user * hz / user_hz),
		.fine = (uint32_t)(((uint64_t)now.tv_sec * 1000000000 +
					   (uint64_t)now.tv_nsec) >>
			GG_FINE_TICK_SHIFT),
	};
}

/* What the kernel would find, had a packet come now. */
static struct fastpath_left
bucket_show(union gg_bucket bucket, const struct gg_rate *rate,
	const struct clocks *clocks)
{
	uint32_t now = rate->flags & GG_RATE_FINE ? clocks->fine :
						    clocks->ticks;
	uint32_t elapsed = now - bucket.stamp;
	uint64_t tokens = bucket.tokens;

	if (rate->burst == 0)
		return (struct fastpath_left){ 0 };
	/* The stamp may be some ticks ahead of a clock that is coarser. */
	if (elapsed < UINT32_MAX / 2)
		tokens += (uint64_t)elapsed * rate->refill;
	if (tokens > rate->burst)
		tokens = rate->burst;
	return (struct fastpath_left){ true, tokens / rate->cost,
		rate->burst / rate->cost };
}

/* ---- each source */

struct walk {
	struct gg_limit *limits; /* by slot */
	struct clocks clocks;
	fastpath_source_f *cb;
	void *arg;
};

static void
source_tell(const struct walk *w, uint32_t slot, uint32_t rule,
	struct addr_prefix prefix, const struct gg_source *value)
{
	const struct gg_rule *r;
	struct fastpath_source source = {
		.prefix = prefix,
		.slot = slot,
		.rule = rule,
		.dropped = value->dropped,
	};

	if (slot >= GG_SLOTS_MAX || rule >= w->limits[slot].count ||
		rule >= GG_RULES_MAX)
		return; /* a rule that is gone, its sources soon */
	r = &w->limits[slot].rules[rule];
	source.shadow = r->flags & GG_RULE_SHADOW;
	source.packets = bucket_show(value->packets, &r->packets, &w->clocks);
	source.bytes = bucket_show(value->bytes, &r->bytes, &w->clocks);
	source.connections =
		bucket_show(value->connections, &r->connections, &w->clocks);
	w->cb(&source, w->arg);
}

static void
source4(const void *key, const void *value, void *arg)
{
	const struct gg_rl4_key *k = key;
	struct addr_prefix prefix = { .bits = (uint8_t)(96 + k->plen) };

	prefix.ip[10] = prefix.ip[11] = 0xff;
	memcpy(prefix.ip + 12, k->ip, 4);
	source_tell(arg, k->slot, k->rule, prefix, value);
}

static void
source6(const void *key, const void *value, void *arg)
{
	const struct gg_rl6_key *k = key;
	struct addr_prefix prefix = { .bits = k->plen };

	memcpy(prefix.ip, k->ip, 16);
	source_tell(arg, k->slot, k->rule, prefix, value);
}

static int
set_each(const struct maps *maps, struct walk *walk)
{
	if (maps->fd[MAP_LIMIT] < 0)
		return 0;
	for (uint32_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		if (bpf_map_lookup_elem(maps->fd[MAP_LIMIT], &slot,
			    &walk->limits[slot]) != 0)
			return -1;
	}
	if (entries_each(maps->fd[MAP_RL4], sizeof(struct gg_rl4_key),
		    sizeof(struct gg_rl4), source4, walk) != 0)
		return -1;
	return entries_each(maps->fd[MAP_RL6], sizeof(struct gg_rl6_key),
		sizeof(struct gg_rl6), source6, walk);
}

int
fastpath_sources_each(const struct fastpath *f, fastpath_source_f *cb,
	void *arg)
{
	struct walk walk = {
		.limits = xcalloc(GG_SLOTS_MAX, sizeof(*walk.limits)),
		.clocks = clocks_read(maps_kernel_hz()),
		.cb = cb,
		.arg = arg,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->sets.count; i++)
		rc = set_each(&f->sets.list[i].maps, &walk);
	free(walk.limits);
	return rc;
}

/* ---- forgetting */

struct forget {
	uint8_t *keys;
	size_t count, room, key_size;
	uint32_t slot;
};

/* Both kinds of keys begin with the slot. */
static void
forget_collect(const void *key, const void *value, void *arg)
{
	struct forget *g = arg;
	uint16_t slot;

	(void)value;
	memcpy(&slot, key, sizeof(slot));
	if (slot != g->slot)
		return;
	if (g->count == g->room) {
		g->room = g->room == 0 ? 256 : g->room * 2;
		g->keys = xreallocarray(g->keys, g->room, g->key_size);
	}
	memcpy(g->keys + g->count++ * g->key_size, key, g->key_size);
}

static void
table_forget(int fd, size_t key_size, size_t value_size, uint32_t slot)
{
	struct forget g = { .key_size = key_size, .slot = slot };

	if (fd < 0)
		return;
	entries_each(fd, key_size, value_size, forget_collect, &g);
	for (size_t i = 0; i < g.count; i++)
		bpf_map_delete_elem(fd, g.keys + i * key_size);
	free(g.keys);
}

void
fastpath_limit_forget(struct fastpath *f, uint32_t slot)
{
	for (size_t i = 0; i < f->sets.count; i++) {
		const struct maps *maps = &f->sets.list[i].maps;

		table_forget(maps->fd[MAP_RL4], sizeof(struct gg_rl4_key),
			sizeof(struct gg_rl4), slot);
		table_forget(maps->fd[MAP_RL6], sizeof(struct gg_rl6_key),
			sizeof(struct gg_rl6), slot);
	}
}
