/*
 * The sets of maps in use, usually one. Interfaces whose programs were loaded
 * apart (`ip link` on each of two) have a set each; all get the same listeners,
 * and counters are added up. The first is the one that is pinned and that new
 * attachments use.
 */
#ifndef FASTPATH_SETS_H
#define FASTPATH_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "fastpath/maps.h"
#include "fastpath/program.h"

struct map_set {
	struct maps maps;
	struct program *program; /* loaded over them; NULL: not yet */
};

struct sets {
	const char *pin_path, *object; /* or NULL; of who opened them */
	struct fastpath_sizes sizes;
	uint32_t flood_guard;
	uint32_t hash_seed; /* 0: any */
	struct map_set *list;
	size_t count;
	bool pinned, warned;
};

/* Finds the pinned set. */
void sets_open(struct sets *s, const struct fastpath_options *options);
/* Another flood guard for all sets. */
int sets_guard(struct sets *s, uint32_t flood_guard, struct error *err);
/* Brings all sets to s->hash_seed where maps_seed() lets it. */
int sets_seed(struct sets *s, struct error *err);
/* Adds to out why there are sets with another seed; nothing if there are none.
 */
void sets_seed_explain(const struct sets *s, struct str *out);
/* The pins stay. */
void sets_close(struct sets *s);
/* The set that an attached program uses, known already or new; NULL when its
 * maps are of another contract. Pointers live until the next set is added. */
struct map_set *sets_of_program(struct sets *s, uint32_t program_id);
/* The first set; made when there is none. */
struct map_set *sets_primary(struct sets *s, struct error *err);
/* Our program over the set's maps, loaded when it is first asked for. */
struct program *sets_program(const struct sets *s, struct map_set *set,
	struct error *err);
void sets_pin(struct sets *s);

#endif
