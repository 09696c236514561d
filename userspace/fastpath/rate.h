/* A rate and a burst in the tokens and ticks that the XDP program counts in. */
#ifndef FASTPATH_RATE_H
#define FASTPATH_RATE_H

#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/limits.h"

#define RATE_MAX (UINT64_C(1) << 40) /* per unit */
#define RATE_UNIT_MAX_S (366u * 24 * 60 * 60)

/* hz: of the kernel's tick. Exact where 31 bits hold the burst in tokens; else
 * a rate up to 1 in 10 000 below; a rate that cannot be held so is refused, and
 * err says what could. */
int rate_make(const struct fastpath_rate *rate, uint32_t hz,
	struct gg_rate *out, struct error *err);

#endif
