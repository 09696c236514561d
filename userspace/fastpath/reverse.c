/* Brings gg_reverse to what services in mode route want, by difference. */
#include "fastpath/reverse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/mem.h"

static int
entry_compare(const void *a, const void *b)
{
	return memcmp(&((const struct reverse_entry *)a)->key,
		&((const struct reverse_entry *)b)->key,
		sizeof(struct gg_vip_key));
}

static int
entries_add(int fd, const struct reverse_entry *entries, size_t count)
{
	struct gg_reverse value;

	for (size_t i = 0; i < count; i++) {
		if (bpf_map_lookup_elem(fd, &entries[i].key, &value) == 0 &&
			memcmp(&value, &entries[i].value, sizeof(value)) == 0)
			continue;
		if (bpf_map_update_elem(fd, &entries[i].key, &entries[i].value,
			    BPF_ANY) != 0)
			return -errno;
	}
	return 0;
}

static void
entries_remove_others(int fd, const struct reverse_entry *entries,
	size_t count)
{
	struct reverse_entry *there =
		xcalloc(GG_BACKENDS_MAX, sizeof(*there));
	size_t n = 0;

	while (n < GG_BACKENDS_MAX &&
		bpf_map_get_next_key(fd, n == 0 ? NULL : &there[n - 1].key,
			&there[n].key) == 0)
		n++;
	for (size_t i = 0; i < n; i++) {
		if (count == 0 ||
			bsearch(&there[i], entries, count, sizeof(*entries),
				entry_compare) == NULL)
			bpf_map_delete_elem(fd, &there[i].key);
	}
	free(there);
}

int
reverse_apply(const struct maps *maps, struct reverse_entry *entries,
	size_t count, struct error *err)
{
	int fd = maps->fd[MAP_REVERSE];
	int rc;

	if (count > 0)
		qsort(entries, count, sizeof(*entries), entry_compare);
	rc = entries_add(fd, entries, count);
	entries_remove_others(fd, entries, count);
	if (rc == -E2BIG) /* old and new together were too many */
		rc = entries_add(fd, entries, count);
	return rc == 0 ? 0 :
			 error_errno(err, -rc, "cannot write " GG_MAP_REVERSE);
}
