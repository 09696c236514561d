/* A mapped image and its router. */
#include "proxy/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "net/shm.h"

static struct generation *
generation_alloc(uint32_t workers)
{
	size_t size = sizeof(struct generation) +
		      workers * sizeof(struct generation_use);
	struct generation *g;

	size = (size + 63) / 64 * 64;
	g = aligned_alloc(64, size);
	if (g == NULL)
		log_fatal("generation: no memory bytes=%zu", size);
	memset(g, 0, size);
	atomic_init(&g->holders, workers);
	return g;
}

struct generation *
generation_new(int fd, struct matcher_cache *cache, uint32_t workers,
	struct error *err)
{
	struct generation *g = generation_alloc(workers);

	g->image = shm_map_sealed(fd, &g->length, err);
	if (g->image == NULL || image_check(g->image, g->length, err) < 0)
		goto fail;
	g->number = g->image->generation;
	g->router = router_new(g->image, cache, err);
	if (g->router == NULL)
		goto fail;
	return g;
fail:
	generation_free(g);
	return NULL;
}

void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	router_free(g->router);
	if (g->image != NULL)
		shm_unmap(g->image, g->length);
	free(g);
}

bool
generation_trusts(const struct generation *g, const uint8_t ip[16])
{
	const struct addr_prefix *p =
		image_at(g->image, g->image->trusted.offset);

	for (uint32_t i = 0; i < g->image->trusted.count; i++)
		if (addr_prefix_contains(&p[i], ip))
			return true;
	return false;
}
