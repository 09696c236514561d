/* Prefixes of sources that are denied or allowed, brought into gg_list. */
#include "fastpath/prefixes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/mem.h"
#include "fastpath/inner.h"

/* gg_list as it stands, or as it shall stand. */
struct entry {
	struct gg_list_key key;
	struct gg_list value;
	bool kept; /* its index is settled */
};

struct table {
	struct entry *entries; /* sorted by key */
	size_t count;
};

static int
entry_compare(const void *a, const void *b)
{
	return memcmp(&((const struct entry *)a)->key,
		&((const struct entry *)b)->key, sizeof(struct gg_list_key));
}

static struct entry *
table_find(const struct table *t, const struct gg_list_key *key)
{
	struct entry wanted = { .key = *key };

	if (t->count == 0)
		return NULL;
	return bsearch(&wanted, t->entries, t->count, sizeof(wanted),
		entry_compare);
}

static void
table_wanted(const struct fastpath *f, struct table *t)
{
	t->count = f->prefix_count;
	t->entries = xcalloc(t->count + 1, sizeof(*t->entries));
	for (size_t i = 0; i < t->count; i++) {
		const struct fastpath_prefix *p = &f->prefixes[i];
		struct entry *e = &t->entries[i];

		e->key.plen = p->prefix.bits;
		memcpy(e->key.ip, p->prefix.ip, 16);
		e->value.action = p->deny ? GG_LIST_DENY : GG_LIST_ALLOW;
	}
	qsort(t->entries, t->count, sizeof(*t->entries), entry_compare);
}

/* Only we write the map: no entry disappears while it is read. */
static void
table_read(int fd, struct table *t)
{
	struct gg_list_key key, *last = NULL;
	struct entry *e;

	t->count = 0;
	t->entries = xcalloc(GG_LIST_MAX, sizeof(*t->entries));
	while (t->count < GG_LIST_MAX &&
		bpf_map_get_next_key(fd, last, &key) == 0) {
		e = &t->entries[t->count];
		e->key = key;
		last = &e->key;
		if (bpf_map_lookup_elem(fd, &key, &e->value) != 0 ||
			e->value.index >= GG_LIST_MAX)
			e->value.index = GG_LIST_MAX;
		t->count++;
	}
	qsort(t->entries, t->count, sizeof(*t->entries), entry_compare);
}

static int
hits_clear(const struct maps *maps, uint32_t index)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	uint64_t *zeroes = xcalloc(cpus, sizeof(*zeroes));
	int rc = bpf_map_update_elem(maps->fd[MAP_LIST_HITS], &index, zeroes,
		BPF_ANY);

	free(zeroes);
	return rc;
}

/* Prefixes that stay keep their place among the hits, others get a free one,
 * set to 0. What goes frees its place at once when there is no other room. */
static int
indices_settle(const struct maps *maps, const struct table *now,
	struct table *wanted, bool crowded, struct error *err)
{
	bool *used = xcalloc(GG_LIST_MAX, sizeof(*used));
	uint32_t next = 0;
	int rc = -1;

	for (size_t i = 0; i < now->count; i++) {
		struct entry *e = table_find(wanted, &now->entries[i].key);
		uint32_t index = now->entries[i].value.index;

		if (index == GG_LIST_MAX)
			continue;
		if (e != NULL) {
			e->value.index = index;
			e->kept = true;
		}
		if (e != NULL || !crowded)
			used[index] = true;
	}
	for (size_t i = 0; i < wanted->count; i++) {
		struct entry *e = &wanted->entries[i];

		if (e->kept)
			continue;
		while (used[next])
			next++;
		e->value.index = next++;
		if (hits_clear(maps, e->value.index) != 0) {
			error_errno(err, errno,
				"cannot write " GG_MAP_LIST_HITS);
			goto out;
		}
	}
	rc = 0;
out:
	free(used);
	return rc;
}

/* A lookup would find a shorter prefix as well: what stands there is known from
 * reading it all. */
static bool
table_has(const struct table *t, const struct entry *e)
{
	const struct entry *found = table_find(t, &e->key);

	return found != NULL &&
		memcmp(&found->value, &e->value, sizeof(e->value)) == 0;
}

static int
table_add(int fd, const struct table *now, const struct table *wanted,
	struct error *err)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const struct entry *e = &wanted->entries[i];

		if (!table_has(now, e) &&
			bpf_map_update_elem(fd, &e->key, &e->value, BPF_ANY) !=
				0)
			return error_errno(err, errno,
				"cannot write " GG_MAP_LIST);
	}
	return 0;
}

static int
table_remove_others(int fd, const struct table *now, const struct table *wanted,
	struct error *err)
{
	for (size_t i = 0; i < now->count; i++) {
		const struct gg_list_key *key = &now->entries[i].key;

		if (table_find(wanted, key) == NULL &&
			bpf_map_delete_elem(fd, key) != 0 && errno != ENOENT)
			return error_errno(err, errno,
				"cannot write " GG_MAP_LIST);
	}
	return 0;
}

static int
table_check(int fd, const struct table *wanted, struct error *err)
{
	struct table now;
	bool same;

	table_read(fd, &now);
	same = now.count == wanted->count;
	for (size_t i = 0; same && i < wanted->count; i++)
		same = table_has(&now, &wanted->entries[i]);
	free(now.entries);
	if (!same)
		return error_set(err, ERROR_SYSTEM,
			GG_MAP_LIST " does not hold what was written");
	return 0;
}

/* Adds before it removes, unless both together have no room. */
static int
table_apply(const struct maps *maps, struct table *wanted, struct error *err)
{
	int fd = maps->fd[MAP_LIST], rc = -1;
	struct table now;
	bool crowded;

	table_read(fd, &now);
	crowded = now.count + wanted->count > GG_LIST_MAX;
	if (crowded && table_remove_others(fd, &now, wanted, err) != 0)
		goto out;
	if (indices_settle(maps, &now, wanted, crowded, err) != 0 ||
		table_add(fd, &now, wanted, err) != 0)
		goto out;
	if (!crowded && table_remove_others(fd, &now, wanted, err) != 0)
		goto out;
	rc = table_check(fd, wanted, err);
out:
	free(now.entries);
	return rc;
}

static int
set_sync(const struct fastpath *f, const struct maps *maps, struct error *err)
{
	struct table wanted;
	int rc;

	if (maps->fd[MAP_LIST] < 0) {
		if (f->prefix_count == 0)
			return 0;
		return error_set(err, ERROR_SYSTEM,
			"the attached program is of a version without "
			"prefixes");
	}
	table_wanted(f, &wanted);
	rc = table_apply(maps, &wanted, err);
	if (rc == 0)
		rc = maps_flag(maps, GG_CFG_LIST, f->prefix_count > 0, err);
	free(wanted.entries);
	return rc;
}

int
prefixes_sync(struct fastpath *f, struct error *err)
{
	for (size_t i = 0; i < f->sets.count; i++) {
		if (set_sync(f, &f->sets.list[i].maps, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- what is wanted */

static int
prefix_compare(const void *a, const void *b)
{
	const struct addr_prefix *pa = &((const struct fastpath_prefix *)a)
						->prefix;
	const struct addr_prefix *pb = &((const struct fastpath_prefix *)b)
						->prefix;
	int order = memcmp(pa->ip, pb->ip, 16);

	return order != 0 ? order : (int)pa->bits - (int)pb->bits;
}

int
fastpath_prefixes_set(struct fastpath *f, const struct fastpath_prefix *set,
	size_t count, struct error *err)
{
	struct fastpath_prefix *prefixes;
	char text[ADDR_TEXT_MAX];

	if (count > GG_LIST_MAX)
		return error_set(err, ERROR_LIMIT,
			"%zu prefixes; the kernel half holds %d", count,
			GG_LIST_MAX);
	prefixes = xcalloc(count + 1, sizeof(*prefixes));
	for (size_t i = 0; i < count; i++) {
		prefixes[i] = set[i];
		addr_prefix_mask(&prefixes[i].prefix);
	}
	qsort(prefixes, count, sizeof(*prefixes), prefix_compare);
	for (size_t i = 1; i < count; i++) {
		if (prefix_compare(&prefixes[i - 1], &prefixes[i]) != 0)
			continue;
		error_set(err, ERROR_CONFIG, "the prefix %s stands there twice",
			addr_prefix_format(&prefixes[i].prefix, text));
		free(prefixes);
		return -1;
	}
	free(f->prefixes);
	f->prefixes = prefixes;
	f->prefix_count = count;
	return prefixes_sync(f, err);
}

/* ---- hits */

static int
hits_add(const struct maps *maps, const struct fastpath_prefix *p,
	uint64_t *values, size_t cpus, uint64_t *sum)
{
	struct gg_list_key key = { .plen = p->prefix.bits };
	struct gg_list value;

	memcpy(key.ip, p->prefix.ip, 16);
	if (maps->fd[MAP_LIST] < 0 ||
		bpf_map_lookup_elem(maps->fd[MAP_LIST], &key, &value) != 0 ||
		bpf_map_lookup_elem(maps->fd[MAP_LIST_HITS], &value.index,
			values) != 0)
		return -1;
	for (size_t i = 0; i < cpus; i++)
		*sum += values[i];
	return 0;
}

int
fastpath_prefix_hits(const struct fastpath *f, fastpath_prefix_f *cb, void *arg)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	uint64_t *values = xcalloc(cpus, sizeof(*values)), hits;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->prefix_count; i++) {
		hits = 0;
		for (size_t n = 0; rc == 0 && n < f->sets.count; n++)
			rc = hits_add(&f->sets.list[n].maps, &f->prefixes[i],
				values, cpus, &hits);
		if (rc == 0)
			cb(&f->prefixes[i], hits, arg);
	}
	free(values);
	return rc;
}
