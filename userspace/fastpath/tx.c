/* gg_tx of every set of maps. */
#include "fastpath/tx.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

bool
tx_has(const struct tx *t, uint32_t ifindex)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->list[i] == ifindex)
			return true;
	}
	return false;
}

int
tx_want(struct tx *t, uint32_t ifindex, struct error *err)
{
	if (tx_has(t, ifindex))
		return 0;
	if (t->count == TX_MAX)
		return error_set(err, ERROR_LIMIT,
			"the ways to the backends lead over more than %d"
			" interfaces",
			TX_MAX);
	t->list[t->count++] = ifindex;
	return 0;
}

bool
tx_equal(const struct tx *a, const struct tx *b)
{
	return a->count == b->count &&
		memcmp(a->list, b->list, a->count * sizeof(a->list[0])) == 0;
}

static int
tx_add_one(int fd, uint32_t ifindex, struct error *err)
{
	struct bpf_devmap_val value = { 0 };

	/* The kernel takes an interface that goes out by itself. */
	if (bpf_map_lookup_elem(fd, &ifindex, &value) == 0)
		return 0;
	value = (struct bpf_devmap_val){ .ifindex = ifindex };
	/* ENODEV, EINVAL: it went meanwhile, and word of that is on its way. */
	if (bpf_map_update_elem(fd, &ifindex, &value, BPF_ANY) != 0 &&
		errno != ENODEV && errno != EINVAL)
		return error_errno(err, errno, "cannot write " GG_MAP_TX);
	return 0;
}

int
tx_add(const struct tx *t, const struct sets *sets, struct error *err)
{
	for (size_t s = 0; s < sets->count; s++) {
		for (size_t i = 0; i < t->count; i++) {
			if (tx_add_one(sets->list[s].maps.fd[MAP_TX],
				    t->list[i], err) != 0)
				return -1;
		}
	}
	return 0;
}

void
tx_remove_others(const struct tx *t, const struct sets *sets)
{
	for (size_t s = 0; s < sets->count; s++) {
		int fd = sets->list[s].maps.fd[MAP_TX];
		uint32_t keys[TX_MAX], count = 0;

		while (count < TX_MAX &&
			bpf_map_get_next_key(fd,
				count == 0 ? NULL : &keys[count - 1],
				&keys[count]) == 0)
			count++;
		for (uint32_t i = 0; i < count; i++) {
			if (!tx_has(t, keys[i]))
				bpf_map_delete_elem(fd, &keys[i]);
		}
	}
}
