/* Finds virtual host and route for a request in one image. */
#include "routing/router.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/chars.h"
#include "model/counters.h"
#include "model/image_radix.h"
#include "model/model.h"
#include "routing/condition.h"
#include "routing/hash.h"
#include "routing/matcher.h"
#include "routing/radix.h"

/* Domains are no longer than names in DNS; longer hosts end wildcards. */
#define DOMAIN_MAX 255

struct router_vhost {
	const struct image_vhost *vhost;
	struct matcher **regexes; /* as vhost->regexes */
	uint32_t regex_count;
};

struct router_listener {
	const struct image_listener *listener; /* NULL: none in that slot */
	const struct image_host *hosts;
	struct router_vhost **vhosts;  /* of hosts[i] */
	struct router_vhost *fallback; /* of the domain "*", or NULL */
};

struct router {
	const struct image *image;
	struct router_vhost *vhosts; /* by offset */
	size_t vhost_count;
	struct router_listener listeners[LISTENERS_MAX];
};

struct router_scratch {
	struct matcher_run *matchers;
	struct str lower, text;
	struct radix_list *lists;
	size_t list_size;
};

/* ---- making */

static int
vhost_compare(const void *a, const void *b)
{
	const struct router_vhost *x = a, *y = b;

	return x->vhost < y->vhost ? -1 : x->vhost > y->vhost;
}

static struct router_vhost *
vhost_get(const struct router *r, uint32_t offset)
{
	struct router_vhost key = { .vhost = image_at(r->image, offset) };

	if (offset == 0)
		return NULL;
	return bsearch(
		&key, r->vhosts, r->vhost_count, sizeof(key), vhost_compare);
}

/* All that listeners name, each once, by offset. */
static void
vhosts_collect(struct router *r)
{
	const struct image_listener *l =
		image_at(r->image, r->image->listeners.offset);
	size_t count = 0, size = 0, kept = 0;

	for (uint32_t i = 0; i < r->image->listeners.count; i++)
		size += l[i].hosts.count + 1;
	r->vhosts = xcalloc(size + 1, sizeof(*r->vhosts));
	for (uint32_t i = 0; i < r->image->listeners.count; i++) {
		const struct image_host *h =
			image_at(r->image, l[i].hosts.offset);

		for (uint32_t k = 0; k < l[i].hosts.count; k++)
			if (h[k].name.offset != 0)
				r->vhosts[count++].vhost =
					image_at(r->image, h[k].vhost);
		if (l[i].default_vhost != 0)
			r->vhosts[count++].vhost =
				image_at(r->image, l[i].default_vhost);
	}
	qsort(r->vhosts, count, sizeof(*r->vhosts), vhost_compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 ||
			r->vhosts[kept - 1].vhost != r->vhosts[i].vhost)
			r->vhosts[kept++] = r->vhosts[i];
	r->vhost_count = kept;
}

static int
vhost_compile(
	struct router_vhost *v, struct matcher_cache *c, struct error *err)
{
	const struct image_vhost *vhost = v->vhost;
	const struct image_str *pattern =
		image_at(vhost, vhost->regexes.offset);

	v->regexes = xcalloc(vhost->regexes.count + 1, sizeof(*v->regexes));
	for (uint32_t i = 0; i < vhost->regexes.count; i++) {
		v->regexes[i] = matcher_cache_take(
			c, image_text(vhost, pattern[i]), err);
		if (v->regexes[i] == NULL)
			return error_prefix(err, "%.*s",
				(int)vhost->name.length,
				image_text(vhost, vhost->name).data);
		v->regex_count++;
	}
	return 0;
}

static int
listener_set(
	struct router *r, const struct image_listener *l, struct error *err)
{
	struct router_listener *to;

	if (l->slot >= LISTENERS_MAX)
		return error_set(err, ERROR_CONFIG,
			"listener slot %u is out of range", l->slot);
	to = &r->listeners[l->slot];
	to->listener = l;
	to->hosts = image_at(r->image, l->hosts.offset);
	to->vhosts = xcalloc(l->hosts.count + 1, sizeof(*to->vhosts));
	for (uint32_t i = 0; i < l->hosts.count; i++)
		if (to->hosts[i].name.offset != 0)
			to->vhosts[i] = vhost_get(r, to->hosts[i].vhost);
	to->fallback = vhost_get(r, l->default_vhost);
	return 0;
}

struct router *
router_new(
	const struct image *image, struct matcher_cache *c, struct error *err)
{
	struct router *r = xcalloc(1, sizeof(*r));
	const struct image_listener *l =
		image_at(image, image->listeners.offset);

	r->image = image;
	vhosts_collect(r);
	for (size_t i = 0; i < r->vhost_count; i++)
		if (vhost_compile(&r->vhosts[i], c, err) < 0)
			goto fail;
	for (uint32_t i = 0; i < image->listeners.count; i++)
		if (listener_set(r, &l[i], err) < 0)
			goto fail;
	return r;
fail:
	router_free(r);
	return NULL;
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->vhost_count; i++) {
		struct router_vhost *v = &r->vhosts[i];

		for (uint32_t k = 0; k < v->regex_count; k++)
			matcher_release(v->regexes[k]);
		free(v->regexes);
	}
	for (size_t i = 0; i < LISTENERS_MAX; i++)
		free(r->listeners[i].vhosts);
	free(r->vhosts);
	free(r);
}

const struct image_vhost *
router_vhost(const struct router *r, size_t index)
{
	return index < r->vhost_count ? r->vhosts[index].vhost : NULL;
}

const struct image *
router_image(const struct router *r)
{
	return r->image;
}

struct router_scratch *
router_scratch_new(uint64_t *limited)
{
	struct router_scratch *s = xcalloc(1, sizeof(*s));

	s->matchers = matcher_run_new(limited);
	str_init(&s->lower);
	str_init(&s->text);
	return s;
}

void
router_scratch_free(struct router_scratch *s)
{
	if (s == NULL)
		return;
	matcher_run_free(s->matchers);
	str_fini(&s->lower);
	str_fini(&s->text);
	free(s->lists);
	free(s);
}

const struct image_upstream *
image_upstream_get(const struct image *image, uint32_t id)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);
	uint32_t low = 0, high = image->upstreams.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (u[middle].id == id)
			return &u[middle];
		if (u[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct image_service *
image_service_get(const struct image *image, uint32_t slot)
{
	const struct image_service *s = image_at(image, image->services.offset);

	for (uint32_t i = 0; i < image->services.count; i++)
		if (s[i].slot == slot)
			return &s[i];
	return NULL;
}

/* ---- host */

static struct router_vhost *
host_find(const struct router *r, const struct router_listener *l,
	struct slice name, enum image_host_type type)
{
	uint32_t mask = l->listener->hosts.count - 1;
	uint32_t hash = text_hash(name);

	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		const struct image_host *h = &l->hosts[i];

		if (h->name.offset == 0)
			return NULL;
		if (h->hash == hash && h->type == type &&
			slice_equal(image_text(r->image, h->name), name))
			return l->vhosts[i];
	}
}

/* "*.example.com": the longest first, so the first label goes first. */
static struct router_vhost *
host_find_suffix(const struct router *r, const struct router_listener *l,
	struct slice host)
{
	size_t i = host.length > DOMAIN_MAX ? host.length - DOMAIN_MAX : 1;

	for (; i < host.length; i++) {
		struct slice suffix = { host.data + i, host.length - i };
		struct router_vhost *v;

		if (host.data[i] != '.')
			continue;
		v = host_find(r, l, suffix, IMAGE_HOST_SUFFIX);
		if (v != NULL)
			return v;
	}
	return NULL;
}

/* "www.*": the longest first. */
static struct router_vhost *
host_find_prefix(const struct router *r, const struct router_listener *l,
	struct slice host)
{
	size_t i = host.length > DOMAIN_MAX ? DOMAIN_MAX : host.length;

	/* At least one byte stands for the "*". */
	for (i = i > 0 ? i - 1 : 0; i > 0; i--) {
		struct slice prefix = { host.data, i };
		struct router_vhost *v;

		if (host.data[i - 1] != '.')
			continue;
		v = host_find(r, l, prefix, IMAGE_HOST_PREFIX);
		if (v != NULL)
			return v;
	}
	return NULL;
}

static struct router_vhost *
vhost_find(const struct router *r, const struct router_request *request)
{
	const struct router_listener *l;
	struct router_vhost *v = NULL;

	if (request->listener >= LISTENERS_MAX)
		return NULL;
	l = &r->listeners[request->listener];
	if (l->listener == NULL)
		return NULL;
	if (l->listener->hosts.count > 0) {
		v = host_find(r, l, request->host, IMAGE_HOST_EXACT);
		if (v == NULL && l->listener->has_suffix)
			v = host_find_suffix(r, l, request->host);
		if (v == NULL && l->listener->has_prefix)
			v = host_find_prefix(r, l, request->host);
	}
	return v != NULL ? v : l->fallback;
}

/* ---- route */

static struct slice
path_lower(struct router_scratch *s, struct slice path)
{
	str_clear(&s->lower);
	str_append(&s->lower, path.data, path.length);
	for (size_t i = 0; i < s->lower.length; i++)
		s->lower.data[i] = http_char_lower(s->lower.data[i]);
	return (struct slice){ s->lower.data, s->lower.length };
}

/* All matchers that may take the path. */
static void
candidates_collect(const struct image_vhost *vhost, struct router_scratch *s,
	struct slice path, struct radix_found *found)
{
	const struct image_radix *radix = image_at(vhost, vhost->root);
	const uint32_t *residual = image_at(vhost, vhost->residual.offset);
	size_t most = 2 * (path.length + 2) + 1;

	if (most > s->list_size) {
		s->lists = xreallocarray(s->lists, most, sizeof(*s->lists));
		s->list_size = most;
	}
	found->matcher = UINT32_MAX;
	found->lists = s->lists;
	found->count = 0;
	if (radix->cased != IMAGE_RADIX_NONE)
		radix_walk(vhost, radix->cased, path, found);
	if (radix->nocase != IMAGE_RADIX_NONE)
		radix_walk(vhost, radix->nocase, path_lower(s, path), found);
	if (vhost->residual.count > 0 && residual[0] < found->matcher)
		s->lists[found->count++] = (struct radix_list){ residual,
			residual + vhost->residual.count };
}

/* Lets lists[i] sink to its place: a heap, the lowest index on top. */
static void
lists_sink(struct radix_list *lists, size_t count, size_t i)
{
	struct radix_list sinking = lists[i];

	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count &&
			*lists[child + 1].at < *lists[child].at)
			child++;
		if (*sinking.at <= *lists[child].at)
			break;
		lists[i] = lists[child];
	}
	lists[i] = sinking;
}

/* The tree has compared the bytes; the lengths are compared here so that not
 * even a wrong image makes prefix_length pass the path. */
static enum matcher_verdict
path_holds(const struct condition_run *run, const struct image_matcher *m,
	struct slice path)
{
	bool fits;

	switch (m->path_type) {
	case MODEL_PATH_PREFIX:
		fits = m->path.length <= path.length;
		break;
	case MODEL_PATH_EXACT:
		fits = m->path.length == path.length;
		break;
	default:
		return matcher_matches(
			run->regexes[m->regex], run->matchers, path);
	}
	return fits ? MATCHER_YES : MATCHER_NO;
}

/* What does not hold beside a regex that was given up decides. */
static enum matcher_verdict
matcher_holds(const struct condition_run *run, const struct image_matcher *m,
	const struct router_request *request)
{
	enum matcher_verdict path = path_holds(run, m, request->target.path);
	enum matcher_verdict rest;

	if (path == MATCHER_NO)
		return MATCHER_NO;
	rest = conditions_hold(run, m, request);
	return rest == MATCHER_YES ? path : rest;
}

static void
match_set(struct router_match *match, const struct image_matcher *m,
	const struct image_route *routes, struct slice path)
{
	match->route = &routes[m->route];
	match->path_type = m->path_type;
	match->prefix_length = m->path_type == MODEL_PATH_PREFIX
				       ? m->path.length
				       : (uint32_t)path.length;
}

/* The first of those that have to be asked, if it comes before the one that
 * is certain. MATCHER_LIMITED: it cannot be said which it is. */
static enum matcher_verdict
lists_ask(const struct router_vhost *v, struct router_scratch *s,
	const struct router_request *request, const struct radix_found *found,
	struct router_match *match)
{
	const struct image_vhost *vhost = v->vhost;
	const struct image_matcher *matchers =
		image_at(vhost, vhost->matchers.offset);
	struct condition_run run = { vhost, v->regexes, s->matchers, &s->text };
	struct slice path = request->target.path;
	struct radix_list *lists = found->lists;
	size_t count = found->count;

	for (size_t i = count / 2; i-- > 0;)
		lists_sink(lists, count, i);
	while (count > 0 && *lists[0].at < found->matcher) {
		const struct image_matcher *m = &matchers[*lists[0].at];
		enum matcher_verdict verdict = matcher_holds(&run, m, request);

		if (verdict == MATCHER_YES)
			match_set(match, m,
				image_at(vhost, vhost->routes.offset), path);
		if (verdict != MATCHER_NO)
			return verdict;
		if (++lists[0].at == lists[0].end)
			lists[0] = lists[--count];
		lists_sink(lists, count, 0);
	}
	return MATCHER_NO;
}

static void
route_find(const struct router_vhost *v, struct router_scratch *s,
	const struct router_request *request, struct router_match *match)
{
	const struct image_vhost *vhost = v->vhost;
	const struct image_route *routes =
		image_at(vhost, vhost->routes.offset);
	struct radix_found found;
	enum matcher_verdict asked = MATCHER_NO;

	candidates_collect(vhost, s, request->target.path, &found);
	if (found.count > 0)
		asked = lists_ask(v, s, request, &found, match);
	match->limited = asked == MATCHER_LIMITED;
	if (asked != MATCHER_NO || found.matcher == UINT32_MAX)
		return;
	match->route = &routes[found.route];
	match->path_type = found.path_type;
	match->prefix_length = found.prefix_length;
}

void
router_find(const struct router *r, struct router_scratch *scratch,
	const struct router_request *request, struct router_match *match)
{
	const struct router_vhost *v = vhost_find(r, request);

	*match = (struct router_match){ 0 };
	if (request->listener < LISTENERS_MAX)
		match->listener = r->listeners[request->listener].listener;
	if (v == NULL)
		return;
	match->vhost = v->vhost;
	route_find(v, scratch, request, match);
}
