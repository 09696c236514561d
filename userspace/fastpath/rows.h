/* gg_backend of every set of maps, mapped into memory. */
#ifndef FASTPATH_ROWS_H
#define FASTPATH_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/sets.h"

struct rows {
	struct gg_backend **mapped; /* by set */
	size_t count;
};

/* Maps those of sets that are not mapped yet. */
int rows_open(struct rows *r, const struct sets *sets, struct error *err);
void rows_close(struct rows *r);
/* All sets get it. While something else than its flags, MTU or MACs changes,
 * packets see a backend without next hop; else what the program learnt of the
 * way to it stays. */
void rows_store(struct rows *r, uint16_t index, const struct gg_backend *row);

#endif
