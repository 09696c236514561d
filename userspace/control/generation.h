/*
 * Makes generations: objects to an image, coalesced. The first change is built
 * at once; while changes keep coming there is one generation per 50 ms.
 */
#ifndef CONTROL_GENERATION_H
#define CONTROL_GENERATION_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
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

/* Made of a virtual service. */
struct vhost_block {
	void *bytes;
	uint32_t length;
	char *warning; /* or NULL */
	uint32_t *uses; /* ids of upstreams that it leads to */
	size_t use_count;
	uint64_t digest;
	uint64_t spent_us; /* building it */
};

/* The id of the upstream that the destination leads to, and, appended to call,
 * what a call has to know (calls_write). 0 and why it cannot be served; an id
 * and a reason: a Warning; "": there is nothing to say. */
uint32_t generation_destination(const struct control *c,
	const struct model_destination *d, struct str *call, char *reason,
	size_t size);
/* The id of the upstream that ref names, for bytes that are passed on as they
 * are, in which TLS is the two ends' own; 0 and why it cannot be served. */
uint32_t generation_upstream_relayed(const struct control *c,
	const struct model_ref *ref, char *reason, size_t size);
/* digest, and all that generation_destination says. */
uint64_t generation_destination_digest(const struct control *c,
	const struct model_destination *d, uint64_t digest);

int vhost_block_build(const struct control *c,
	const struct model_virtual_service *vs, struct vhost_block *out,
	struct error *err);
void vhost_block_fini(struct vhost_block *b);

#endif
