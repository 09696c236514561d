/*
 * A generation as the proxy runs it: the mapped image and its router, shared
 * by all workers. Each worker counts its own exchanges that refer to it, so
 * nothing atomic is on the path of a request. When a worker runs a newer one
 * and its last exchange is over it lets go; the last to let go returns it to
 * the main thread, which alone may free it.
 */
#ifndef PROXY_GENERATION_H
#define PROXY_GENERATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/image.h"
#include "routing/router.h"

struct call_target;
struct call_targets;
struct trust;
struct trusts;

struct generation_use { /* one worker's; a line of the cache */
	_Alignas(64) uint32_t count;
};

struct generation_call { /* of a destination that is called */
	const struct image_destination *destination;
	struct call_target *target;
};

struct generation {
	uint64_t number;
	const struct image *image;
	size_t length;
	struct router *router;
	struct trust **trusts; /* of its upstreams, in their order; NULL: TLS is
				* spoken to none */
	struct generation_call *calls; /* by destination */
	size_t call_count;
	_Atomic uint32_t holders; /* workers that have not let go */
	uint32_t enforced;        /* workers that run it; main thread only */
	struct generation_use use[];
};

/* TLS is spoken with that material in it. Of type vault_named_f. */
bool generation_names(uint64_t number, const void *generation);
/* The image is checked; the descriptor stays the caller's. */
struct generation *generation_new(int fd, struct matcher_cache *cache,
	struct trusts *trusts, struct call_targets *targets, uint32_t workers,
	struct error *err);
void generation_free(struct generation *g);
/* How TLS is spoken to that upstream; NULL: not at all. */
struct trust *generation_trust(const struct generation *g, uint32_t upstream);
/* Of one that is called; NULL: it is not of this image. */
const struct call_target *generation_call_target(
	const struct generation *g, const struct image_destination *d);
/* Whether the address is in trustedProxies. */
bool generation_trusts(const struct generation *g, const uint8_t ip[16]);

#endif
