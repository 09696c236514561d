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

struct trust;
struct trusts;

struct generation_use { /* one worker's; a line of the cache */
	_Alignas(64) uint32_t count;
};

struct generation {
	uint64_t number;
	const struct image *image;
	size_t length;
	struct router *router;
	struct trust **trusts; /* of its upstreams, in their order; NULL: TLS is
				* spoken to none */
	_Atomic uint32_t holders; /* workers that have not let go */
	uint32_t enforced;        /* workers that run it; main thread only */
	struct generation_use use[];
};

/* The image is checked; the descriptor stays the caller's. */
/* TLS is spoken with that material in it. Of type vault_named_f. */
bool generation_names(uint64_t number, const void *generation);
struct generation *generation_new(int fd, struct matcher_cache *cache,
	struct trusts *trusts, uint32_t workers, struct error *err);
void generation_free(struct generation *g);
/* How TLS is spoken to that upstream; NULL: not at all. */
struct trust *generation_trust(const struct generation *g, uint32_t upstream);
/* Whether the address is in trustedProxies. */
bool generation_trusts(const struct generation *g, const uint8_t ip[16]);

#endif
