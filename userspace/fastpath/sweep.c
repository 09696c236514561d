/* A walk over the connections of all sets of maps. */
#include "fastpath/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define BATCH 1024 /* more than any bucket holds */

struct table {
	enum map_kind kind;
	size_t key_size, value_size;
	bool nat;
};

static const struct table tables[] = {
	{ MAP_CT4, sizeof(struct gg_flow4), sizeof(struct gg_connection),
		false },
	{ MAP_CT6, sizeof(struct gg_flow6), sizeof(struct gg_connection),
		false },
	{ MAP_NAT4, sizeof(struct gg_flow4), sizeof(struct gg_nat4), true },
	{ MAP_NAT6, sizeof(struct gg_flow6), sizeof(struct gg_nat6), true },
};

#define KEY_MAX   sizeof(struct gg_flow6)
#define VALUE_MAX sizeof(struct gg_nat6)

_Static_assert(offsetof(struct gg_nat4, way) == 0 &&
		offsetof(struct gg_nat6, way) == 0,
	"what both have in common comes first");

void
sweep_begin(struct sweep *s)
{
	if (s->keys == NULL) {
		s->keys = xcalloc(BATCH, KEY_MAX);
		s->values = xcalloc(BATCH, VALUE_MAX);
	}
	s->running = true;
	s->failed = false;
	s->within = false;
	s->set = 0;
	s->table = 0;
}

void
sweep_stop(struct sweep *s)
{
	free(s->keys);
	free(s->values);
	*s = (struct sweep){ 0 };
}

static uint8_t
key_l4_proto(const struct table *table, const void *key)
{
	return table->kind == MAP_CT4 || table->kind == MAP_NAT4 ?
		((const struct gg_flow4 *)key)->l4_proto :
		((const struct gg_flow6 *)key)->l4_proto;
}

/* The key of the other direction: from where this one's packets end. */
static void
peer_key(const struct table *table, const void *value, void *key)
{
	if (table->kind == MAP_NAT4) {
		const struct gg_nat4 *nat = value;
		const struct gg_flow4 *to = &nat->to;
		struct gg_flow4 *peer = key;

		*peer = *to;
		memcpy(peer->from, to->to, sizeof(peer->from));
		memcpy(peer->to, to->from, sizeof(peer->to));
		peer->from_port_be = to->to_port_be;
		peer->to_port_be = to->from_port_be;
	} else {
		const struct gg_nat6 *nat = value;
		const struct gg_flow6 *to = &nat->to;
		struct gg_flow6 *peer = key;

		*peer = *to;
		memcpy(peer->from, to->to, sizeof(peer->from));
		memcpy(peer->to, to->from, sizeof(peer->to));
		peer->from_port_be = to->to_port_be;
		peer->to_port_be = to->from_port_be;
	}
}

static void
nat_judge(const struct table *table, int fd, const void *key,
	const void *value, const struct sweep_judge *judge)
{
	uint8_t other[KEY_MAX], other_value[VALUE_MAX];
	uint8_t l4_proto = key_l4_proto(table, key);
	struct gg_nat nat, peer;
	bool has_peer = false;

	memcpy(&nat, value, sizeof(nat));
	if (judge->want_peer(l4_proto, &nat, judge->arg)) {
		peer_key(table, value, other);
		has_peer = bpf_map_lookup_elem(fd, other, other_value) == 0;
		memcpy(&peer, other_value, sizeof(peer));
	}
	if (!judge->nat(l4_proto, &nat, has_peer ? &peer : NULL, judge->arg))
		return;
	bpf_map_delete_elem(fd, key);
	if (has_peer)
		bpf_map_delete_elem(fd, other);
}

static void
entry_judge(const struct table *table, int fd, const void *key,
	const void *value, const struct sweep_judge *judge)
{
	if (table->nat)
		nat_judge(table, fd, key, value, judge);
	else if (judge->connection(key_l4_proto(table, key), value, judge->arg))
		bpf_map_delete_elem(fd, key);
}

/* True when the table was seen to its end. */
static bool
batch_take(struct sweep *s, const struct table *table, int fd,
	const struct sweep_judge *judge)
{
	uint32_t count = BATCH, next = 0;
	int rc = bpf_map_lookup_batch(fd, s->within ? &s->place : NULL, &next,
		s->keys, s->values, &count, NULL);
	bool ended = rc != 0;

	if (rc != 0 && errno != ENOENT) {
		log_debug("fastpath: %s is not swept: %s",
			map_names[table->kind], strerror(errno));
		s->failed = true;
		count = 0;
	}
	for (uint32_t i = 0; i < count; i++)
		entry_judge(table, fd,
			(const char *)s->keys + i * table->key_size,
			(const char *)s->values + i * table->value_size, judge);
	s->place = next;
	s->within = !ended;
	return ended;
}

bool
sweep_step(struct sweep *s, const struct sets *sets,
	const struct sweep_judge *judge, uint64_t deadline_us)
{
	do {
		const struct table *table = &tables[s->table];
		int fd;

		if (s->set >= sets->count) {
			s->running = false;
			return true;
		}
		fd = sets->list[s->set].maps.fd[table->kind];
		if (fd >= 0 && !batch_take(s, table, fd, judge))
			continue;
		if (++s->table == ARRAY_SIZE(tables)) {
			s->table = 0;
			s->set++;
		}
	} while (clock_monotonic_us() < deadline_us);
	return false;
}
