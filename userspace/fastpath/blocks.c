/* Sources whose new connections to one slot are dropped for a bounded time. */
#include "fastpath/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "base/mem.h"
#include "fastpath/inner.h"

#define NS_PER_MS UINT64_C(1000000)

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct gg_block_key
block_key(uint32_t slot, const struct addr *addr)
{
	struct gg_block_key key = { .slot = slot };
	struct addr_prefix source;

	addr_source(addr->ip, &source);
	memcpy(key.ip, source.ip, 16);
	return key;
}

/* ---- a table, read before it is changed: who deletes while walking may be
 * sent back to the start */

struct entry {
	struct gg_block_key key;
	struct gg_block value;
};

static struct entry *
table_read(int fd, size_t *count)
{
	struct entry *entries = NULL, *e;
	struct gg_block_key key, last;
	size_t room = 0;

	*count = 0;
	while (*count < GG_BLOCKS_MAX &&
		bpf_map_get_next_key(fd, *count == 0 ? NULL : &last, &key) ==
			0) {
		if (*count == room) {
			room = room == 0 ? 64 : room * 2;
			entries = xreallocarray(entries, room,
				sizeof(*entries));
		}
		e = &entries[*count];
		e->key = last = key;
		if (bpf_map_lookup_elem(fd, &key, &e->value) != 0)
			e->value = (struct gg_block){ 0 };
		++*count;
	}
	return entries;
}

static int
block_write(const struct maps *maps, const struct gg_block_key *key,
	const struct gg_block *value, struct error *err)
{
	if (maps->fd[MAP_BLOCK] < 0)
		return error_set(err, ERROR_SYSTEM,
			"the attached program is of a version without blocks");
	if (bpf_map_update_elem(maps->fd[MAP_BLOCK], key, value, BPF_ANY) != 0)
		return error_errno(err, errno, "cannot write " GG_MAP_BLOCK);
	return maps_flag(maps, GG_CFG_BLOCK, true, err);
}

int
fastpath_block(struct fastpath *f, uint32_t slot, const struct addr *addr,
	uint32_t ms, struct error *err)
{
	struct gg_block_key key = block_key(slot, addr);

	if (slot == 0 || slot >= GG_SLOTS_MAX)
		return error_set(err, ERROR_LIMIT, "slot %u is out of 1..%d",
			slot, GG_SLOTS_MAX - 1);
	for (size_t i = 0; i < f->sets.count; i++) {
		const struct maps *maps = &f->sets.list[i].maps;
		struct gg_block value = { 0 };

		bpf_map_lookup_elem(maps->fd[MAP_BLOCK], &key, &value);
		value.until_ns = now_ns() + ms * NS_PER_MS;
		if (block_write(maps, &key, &value, err) != 0)
			return -1;
	}
	return 0;
}

void
fastpath_unblock(struct fastpath *f, uint32_t slot, const struct addr *addr)
{
	struct gg_block_key key = block_key(slot, addr);

	for (size_t i = 0; i < f->sets.count; i++)
		bpf_map_delete_elem(f->sets.list[i].maps.fd[MAP_BLOCK], &key);
}

void
blocks_spread(struct fastpath *f)
{
	struct error err = ERROR_INIT;
	struct entry *entries;
	size_t count;

	if (f->sets.count < 2 || f->sets.list[0].maps.fd[MAP_BLOCK] < 0)
		return;
	entries = table_read(f->sets.list[0].maps.fd[MAP_BLOCK], &count);
	for (size_t i = 1; i < f->sets.count; i++) {
		for (size_t n = 0; n < count; n++) {
			struct gg_block value = {
				.until_ns = entries[n].value.until_ns
			};

			if (block_write(&f->sets.list[i].maps, &entries[n].key,
				    &value, &err) != 0)
				log_warn("fastpath: %s", err.text);
		}
	}
	free(entries);
}

/* ---- the end of their time */

static size_t
set_sweep(const struct maps *maps)
{
	struct error err = ERROR_INIT;
	uint64_t now = now_ns();
	size_t count, left = 0;
	struct entry *entries;

	if (maps->fd[MAP_BLOCK] < 0)
		return 0;
	entries = table_read(maps->fd[MAP_BLOCK], &count);
	for (size_t i = 0; i < count; i++) {
		if (entries[i].value.until_ns > now)
			left++;
		else
			bpf_map_delete_elem(maps->fd[MAP_BLOCK],
				&entries[i].key);
	}
	free(entries);
	if (left == 0 && maps_flag(maps, GG_CFG_BLOCK, false, &err) != 0)
		log_warn("fastpath: %s", err.text);
	return left;
}

size_t
fastpath_blocks_sweep(struct fastpath *f)
{
	size_t left = 0, most = 0;

	for (size_t i = 0; i < f->sets.count; i++) {
		left = set_sweep(&f->sets.list[i].maps);
		if (left > most)
			most = left;
	}
	return most;
}

/* ---- for people */

/* A source may be dropped by any of the sets. */
static uint64_t
dropped_elsewhere(const struct fastpath *f, const struct gg_block_key *key)
{
	struct gg_block value;
	uint64_t sum = 0;

	for (size_t i = 1; i < f->sets.count; i++) {
		if (bpf_map_lookup_elem(f->sets.list[i].maps.fd[MAP_BLOCK],
			    key, &value) == 0)
			sum += value.dropped;
	}
	return sum;
}

int
fastpath_blocks_each(const struct fastpath *f, fastpath_block_f *cb, void *arg)
{
	uint64_t now = now_ns();
	struct entry *entries;
	size_t count;

	if (f->sets.count == 0 || f->sets.list[0].maps.fd[MAP_BLOCK] < 0)
		return 0;
	entries = table_read(f->sets.list[0].maps.fd[MAP_BLOCK], &count);
	for (size_t i = 0; i < count; i++) {
		const struct entry *e = &entries[i];
		struct fastpath_block block = { .slot = e->key.slot };

		if (e->value.until_ns <= now)
			continue;
		memcpy(block.addr.ip, e->key.ip, 16);
		block.left_ms = (e->value.until_ns - now) / NS_PER_MS;
		block.dropped =
			e->value.dropped + dropped_elsewhere(f, &e->key);
		cb(&block, arg);
	}
	free(entries);
	return 0;
}
