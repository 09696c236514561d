/*
 * Makes generations: objects to an image, coalesced. The first change is built
 * at once; while changes keep coming there is one generation per 50 ms.
 */
#ifndef CONTROL_GENERATION_H
#define CONTROL_GENERATION_H

#include <stdint.h>

#include "control/core.h"
#include "model/image.h"

struct generations;

struct generations *generations_new(struct control *c);
void generations_free(struct generations *g);

/* Something changed; the number of the generation that will have it. */
uint64_t generation_touch(struct control *c);
/* Upstreams lead elsewhere, perhaps (upstream_epoch): a generation is due if a
 * virtual service is another one by that. */
void generation_look(struct control *c);
/* Builds at once when something is due. */
void generation_commit(struct control *c);
/* Numbers go on after that one: of the adopted proxy. */
void generation_follow(struct control *c, uint64_t number);

uint64_t generation_number(const struct control *c); /* 0: none yet */
uint64_t generation_age_ms(const struct control *c); /* since it was made */
/* The newest image, mapped; NULL: none yet. */
const struct image *generation_image(const struct control *c);
int generation_fd(const struct control *c);
/* Changes whenever an id or a slot is given or freed. */
uint64_t generation_ids_version(const struct control *c);
/* Why the newest changes could not be made an image, or "". */
const char *generation_problem(const struct control *c);

/* From holding the models to every worker running them, of the newest. */
struct generation_times {
	uint64_t build_us;   /* blocks of what changed, the image, its memfd */
	uint64_t enforce_us; /* from sending it until the last worker ran it */
	size_t bytes;
};

void generation_times_get(
	const struct control *c, struct generation_times *out);
/* A changed virtual service took that long to build. */
void generation_spent(struct control *c, uint64_t us);
/* Blocks of virtual services that were built since the start. */
uint64_t generation_vhosts_built(const struct control *c);
/* Every worker runs that one. */
void generation_enforced(struct control *c, uint64_t number);

#endif
