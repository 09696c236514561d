/* gg_tx of every set of maps: the interfaces that XDP may send out of. */
#ifndef FASTPATH_TX_H
#define FASTPATH_TX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/sets.h"

#define TX_MAX 64 /* as gg_tx holds */

struct tx {
	uint32_t list[TX_MAX];
	size_t count;
};

/* Into *t; -1: there are too many. */
int tx_want(struct tx *t, uint32_t ifindex, struct error *err);
/* Adds what the maps lack. */
int tx_add(const struct tx *t, const struct sets *sets, struct error *err);
/* Takes out what is not wanted. */
void tx_remove_others(const struct tx *t, const struct sets *sets);

#endif
