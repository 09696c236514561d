/*
 * One set of the maps that the contract names, held by descriptors: made by
 * loading a program, or found by pin or by the id of a program that uses them.
 */
#ifndef FASTPATH_MAPS_H
#define FASTPATH_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"

enum map_kind {
	MAP_CFG,
	MAP_VIP,
	MAP_REASON,
	MAP_LIMIT,
	MAP_RL4,
	MAP_RL6,
	MAP_SKETCH,
	MAP_MARK,
	MAP_LIST,
	MAP_LIST_HITS,
	MAP_BLOCK,
	MAP_EVENTS,
	MAP_RING,
	MAP_BACKEND,
	MAP_BACKEND_HITS,
	MAP_SERVICE,
	MAP_REVERSE,
	MAP_CT4,
	MAP_CT6,
	MAP_NAT4,
	MAP_NAT6,
	MAP_FRAGMENT,
	MAP_TX,
	MAP_COUNT,
};

extern const char *const map_names[MAP_COUNT];

struct maps {
	int fd[MAP_COUNT]; /* -1: not open */
	uint32_t id[MAP_COUNT];
};

void maps_init(struct maps *m);
void maps_close(struct maps *m);
/* Takes fd, after checking that it has the shape the contract demands. */
int maps_take(struct maps *m, enum map_kind kind, int fd, struct error *err);
/* 0: gg_cfg and perhaps others found; what an older version did not have yet
 * stays closed. -1: err says what is missing, has another shape or is of another
 * contract; *m is closed then. */
int maps_open_pinned(struct maps *m, const char *pin_path, struct error *err);
int maps_open_program(struct maps *m, uint32_t program_id, struct error *err);
/* The same gg_cfg: a program may not use all that its set has. */
bool maps_equal(const struct maps *a, const struct maps *b);
int maps_pin(const struct maps *m, const char *pin_path, struct error *err);
/* Fills in gg_cfg what the daemon knows, leaving flags that stand there as they
 * are; the seed as maps_seed() does. */
int maps_configure(const struct maps *m, uint32_t flood_guard, uint32_t seed,
	struct error *err);
/* Which seed flows are hashed with; 0: the one that stands there, or if there
 * is none a random one. While services are steered the one that stands there
 * stays: by another one their connections would go elsewhere. */
int maps_seed(const struct maps *m, uint32_t seed, struct error *err);
bool maps_seed_is(const struct maps *m, uint32_t seed);
/* Sets or clears one GG_CFG_*. */
int maps_flag(const struct maps *m, uint32_t flag, bool on, struct error *err);
/* Ticks a second; 0: unknown. */
uint32_t maps_kernel_hz(void);
/* Adds the counters of the slot, over all CPUs, to *sum. */
int maps_count(const struct maps *m, uint32_t slot, struct gg_counters *sum);
int maps_count_backend(const struct maps *m, uint16_t index,
	struct gg_backend_hits *sum);
/* Programs that run now have ended when it returns: none of them holds what was
 * taken out of a map before. Takes some milliseconds. */
int maps_await_programs(struct error *err);
/* Bytes of kernel memory. */
uint64_t maps_bytes(const struct maps *m);
/* Entries that the sizes ask for; 0: none in particular. */
uint32_t maps_size_wanted(const struct fastpath_sizes *sizes,
	enum map_kind kind);
/* Adds to out, separated by commas, each map that has another size. */
void maps_sizes_explain(const struct maps *m,
	const struct fastpath_sizes *sizes, struct str *out);

#endif
