/* A mapped image and its router. */
#include "proxy/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/shm.h"
#include "proxy/trust.h"

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

static const struct image_upstream *
upstreams_of(const struct generation *g)
{
	return image_at(g->image, g->image->upstreams.offset);
}

static void
trusts_find(struct generation *g, struct trusts *trusts)
{
	const struct image_upstream *u = upstreams_of(g);

	for (uint32_t i = 0; i < g->image->upstreams.count; i++) {
		struct trust *t;

		if (u[i].tls == 0)
			continue;
		if (g->trusts == NULL)
			g->trusts = xcalloc(g->image->upstreams.count,
				sizeof(struct trust *));
		t = trusts_get(trusts, g->image, image_at(g->image, u[i].tls));
		if (t->problem != NULL && !t->logged)
			log_error("upstream %s: TLS is not spoken to it, it "
				  "gets nothing: %s",
				image_text(g->image, u[i].name).data,
				t->problem);
		t->logged = true;
		g->trusts[i] = t;
	}
}

bool
generation_names(uint64_t number, const void *generation)
{
	const struct generation *g = generation;
	const struct image_upstream *u = upstreams_of(g);

	for (uint32_t i = 0; i < g->image->upstreams.count; i++) {
		const struct image_tls *tls =
			u[i].tls == 0 ? NULL : image_at(g->image, u[i].tls);

		if (tls != NULL &&
			(tls->roots == number || tls->identity == number))
			return true;
	}
	return false;
}

struct generation *
generation_new(int fd, struct matcher_cache *cache, struct trusts *trusts,
	uint32_t workers, struct error *err)
{
	struct generation *g = generation_alloc(workers);

	g->image = shm_map_sealed(fd, &g->length, err);
	if (g->image == NULL || image_check(g->image, g->length, err) < 0)
		goto fail;
	g->number = g->image->generation;
	g->router = router_new(g->image, cache, err);
	if (g->router == NULL)
		goto fail;
	trusts_find(g, trusts);
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
	if (g->trusts != NULL)
		for (uint32_t i = 0; i < g->image->upstreams.count; i++)
			trust_unref(g->trusts[i]);
	free(g->trusts);
	if (g->image != NULL)
		shm_unmap(g->image, g->length);
	free(g);
}

struct trust *
generation_trust(const struct generation *g, uint32_t upstream)
{
	const struct image_upstream *u;

	if (g->trusts == NULL)
		return NULL;
	u = image_upstream_get(g->image, upstream);
	return u != NULL ? g->trusts[u - upstreams_of(g)] : NULL;
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
