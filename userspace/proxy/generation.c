/* A mapped image and its router. */
#include "proxy/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/shm.h"
#include "proxy/call_target.h"
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

static void
call_add(struct generation *g, size_t *size, struct call_targets *targets,
	const struct image_vhost *v, const struct image_destination *d)
{
	const struct image_upstream *u =
		image_upstream_get(g->image, d->upstream);

	if (u == NULL)
		return;
	if (g->call_count == *size) {
		*size = *size > 0 ? 2 * *size : 16;
		g->calls = xreallocarray(g->calls, *size, sizeof(*g->calls));
	}
	g->calls[g->call_count++] = (struct generation_call){ d,
		call_targets_get(targets, image_text(g->image, u->kind),
			image_text(v, d->call)) };
}

static int
call_compare(const void *a, const void *b)
{
	const struct generation_call *x = a, *y = b;

	return x->destination < y->destination
		       ? -1
		       : x->destination > y->destination;
}

static void
calls_find(struct generation *g, struct call_targets *targets)
{
	const struct image_vhost *v;
	size_t size = 0;

	for (size_t i = 0; (v = router_vhost(g->router, i)) != NULL; i++) {
		const struct image_route *r = image_at(v, v->routes.offset);

		for (uint32_t k = 0; k < v->routes.count; k++) {
			const struct image_destination *d =
				image_at(v, r[k].destinations.offset);

			for (uint32_t n = 0; n < r[k].destinations.count; n++)
				if (d[n].call.length > 0)
					call_add(g, &size, targets, v, &d[n]);
		}
	}
	if (g->call_count > 1)
		qsort(g->calls, g->call_count, sizeof(*g->calls), call_compare);
}

const struct call_target *
generation_call_target(
	const struct generation *g, const struct image_destination *d)
{
	const struct generation_call key = { .destination = d }, *found;

	if (g->call_count == 0)
		return NULL;
	found = bsearch(
		&key, g->calls, g->call_count, sizeof(key), call_compare);
	return found != NULL ? found->target : NULL;
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
	struct call_targets *targets, uint32_t workers, struct error *err)
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
	calls_find(g, targets);
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
	for (size_t i = 0; i < g->call_count; i++)
		call_target_unref(g->calls[i].target);
	free(g->calls);
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
