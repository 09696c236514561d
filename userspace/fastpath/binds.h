/* Brings gg_bind to the further addresses that listeners want, by difference;
 * what an entry counted stays with it. */
#ifndef FASTPATH_BINDS_H
#define FASTPATH_BINDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/sockets.h"

struct binds_entry {
	struct gg_bind_key key; /* first: entries are sorted by it */
	uint32_t slot;
};

/* One entry per port and prefix, sorted by key, each key once; of a listener
 * whose own address another's prefix has, an entry for that as well, so that it
 * stays its own. -1: more than GG_BINDS_MAX. */
int binds_plan(const struct sockets_listener *set, size_t count,
	struct binds_entry **plan, size_t *plan_count, struct error *err);
/* Adds before it removes. */
int binds_apply(int map, const struct binds_entry *plan, size_t count,
	struct error *err);
/* Adds up what the entries of one bind counted. */
void binds_count(int map, const struct sockets_bind *b, uint64_t *connections,
	uint64_t *no_socket);

#endif
