/* gg_tx of every set of maps: the interfaces that XDP may send out of. */
#ifndef FASTPATH_TX_H
#define FASTPATH_TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/sets.h"

#define TX_MAX 64 /* as gg_tx holds */

struct tx {
	uint32_t list[TX_MAX];
	size_t count;
};

bool tx_has(const struct tx *t, uint32_t ifindex);
/* Into *t; -1: there are too many. */
int tx_want(struct tx *t, uint32_t ifindex, struct error *err);
/* The same interfaces in the same order. */
bool tx_equal(const struct tx *a, const struct tx *b);
/* Adds what the maps lack. */
int tx_add(const struct tx *t, const struct sets *sets, struct error *err);
/* Takes out what is not wanted. */
void tx_remove_others(const struct tx *t, const struct sets *sets);

#endif
