/* Brings gg_reverse to what services in mode route want, by difference. */
#ifndef FASTPATH_REVERSE_H
#define FASTPATH_REVERSE_H

#include <stddef.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/maps.h"

struct reverse_entry {
	struct gg_vip_key key; /* a backend */
	struct gg_reverse value;
};

/* Sorts entries. Adds before it removes. */
int reverse_apply(const struct maps *maps, struct reverse_entry *entries,
	size_t count, struct error *err);

#endif
