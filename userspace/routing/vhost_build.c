/* A virtual service as a block of an image. */
#include "routing/image_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "http/head.h"
#include "model/subset.h"
#include "routing/block.h"
#include "routing/limit_build.h"
#include "routing/vhost_matchers.h"

#define ROUTE_BYTES  384 /* of a common route with all that belongs to it */
#define RESIDUAL_MAX 64  /* regexes to be tried one by one without a warning */

struct vhost_builder {
	struct block block;
	uint32_t routes; /* offset of the struct image_route */
	struct vhost_matchers *matchers;
	uint32_t retries; /* offset of the virtual host's own, or 0 */
	const struct model_virtual_service *vs;
	struct table *groups; /* "namespace.name" to struct target */
	vhost_upstream_f *upstream;
	vhost_group_f *group;
	vhost_warning_f *warning;
	void *arg;
};

static struct image_route *
route_at(const struct vhost_builder *b, size_t i)
{
	return (struct image_route *)block_at(&b->block, b->routes) + i;
}

static void
route_warn(const struct vhost_builder *b, size_t i, const char *text)
{
	char place[48];

	snprintf(place, sizeof(place), "routes[%zu]", i);
	b->warning(place, text, b->arg);
}

/* ---- headerManipulation */

/* What delimits messages or concerns one connection is the gateway's own. */
static bool
field_is_ours(enum http_field_id id)
{
	return id == HTTP_FIELD_HOST || http_field_is_of_hop(id);
}

struct header_list { /* one of the four, the values or the names only */
	const struct model_header_value *values;
	char *const *names;
	size_t count;
};

static struct image_array
header_list_put(
	struct vhost_builder *b, const char *place, struct header_list list)
{
	struct block *block = &b->block;
	struct image_array to = {
		block_room(block, list.count, sizeof(struct image_header)), 0
	};

	for (size_t i = 0; i < list.count; i++) {
		const struct model_header_value *v =
			list.values != NULL ? &list.values[i] : NULL;
		const char *name = v != NULL ? v->name : list.names[i];
		enum http_field_id id = http_field_id_of(slice_of(name));
		struct image_header h = { .field_id = (uint8_t)id };
		char text[160];

		if (field_is_ours(id)) {
			snprintf(text, sizeof(text),
				"headerManipulation leaves %.40s as it is: it "
				"is the gateway's own",
				name);
			b->warning(place, text, b->arg);
			continue;
		}
		h.name = block_text(block, name);
		if (v != NULL) {
			h.value = block_text(block, v->value ? v->value : "");
			h.append = v->append;
		}
		((struct image_header *)block_at(
			block, to.offset))[to.count++] = h;
	}
	return to;
}

static uint32_t
headers_put(struct vhost_builder *b, const char *place,
	const struct model_header_manipulation *m)
{
	struct image_headers h;
	uint32_t offset;

	if (m == NULL)
		return 0;
	h.request_add = header_list_put(b, place,
		(struct header_list){
			m->request_add, NULL, m->request_add_count });
	h.request_remove = header_list_put(b, place,
		(struct header_list){
			NULL, m->request_remove, m->request_remove_count });
	h.response_add = header_list_put(b, place,
		(struct header_list){
			m->response_add, NULL, m->response_add_count });
	h.response_remove = header_list_put(b, place,
		(struct header_list){
			NULL, m->response_remove, m->response_remove_count });
	offset = block_room(&b->block, 1, sizeof(h));
	memcpy(block_at(&b->block, offset), &h, sizeof(h));
	return offset;
}

/* ---- actions */

static void
route_set_unavailable(struct vhost_builder *b, size_t i, const char *reason)
{
	struct image_str text = block_text(&b->block, reason);

	route_at(b, i)->action = IMAGE_ACTION_UNAVAILABLE;
	route_at(b, i)->reason = text;
}

#define MISSING_NAMED 5

/* Where routes lead to, once it stands in the block. */
struct target {
	struct image_array destinations; /* none: it leads nowhere */
	uint32_t total_weight;
	char *first;        /* why a destination is left out; NULL: none is */
	struct str missing; /* the same of all of them */
	size_t missing_count;
	struct str doubts; /* of those that stay though they answer nobody */
	size_t doubt_count;
};

static void
target_init(struct target *t)
{
	memset(t, 0, sizeof(*t));
	str_init(&t->missing);
	str_init(&t->doubts);
}

static void
target_fini(struct target *t)
{
	free(t->first);
	str_fini(&t->missing);
	str_fini(&t->doubts);
}

static void
target_free(void *target)
{
	target_fini(target);
	free(target);
}

static void
target_misses(struct target *t, const char *reason)
{
	if (t->first == NULL)
		t->first = xstrdup(reason);
	if (t->missing_count++ < MISSING_NAMED)
		str_printf(&t->missing, "%s%s",
			t->missing.length > 0 ? "; " : "", reason);
}

static void
target_doubts(struct target *t, const char *reason)
{
	if (t->doubt_count++ < MISSING_NAMED)
		str_printf(&t->doubts, "%s%s", t->doubts.length > 0 ? "; " : "",
			reason);
}

/* The weights so that their sum fits. */
static uint32_t
weights_settle(struct image_destination *d, size_t count)
{
	uint64_t total = 0;
	unsigned shift = 0;

	for (size_t i = 0; i < count; i++)
		total += d[i].weight;
	while (total >> shift > UINT32_MAX)
		shift++;
	total = 0;
	for (size_t i = 0; i < count; i++) {
		d[i].weight >>= shift;
		total += d[i].weight;
	}
	return (uint32_t)total;
}

/* False: nothing can be sent there. */
static bool
destination_fill(struct vhost_builder *b, struct target *t,
	const struct model_destination *from, struct image_destination *to)
{
	const char *reason = NULL;
	struct str call;

	memset(to, 0, sizeof(*to));
	str_init(&call);
	to->upstream = b->upstream(from, &call, &reason, b->arg);
	if (to->upstream == 0)
		target_misses(t, reason ? reason : "the upstream is missing");
	else if (reason != NULL)
		target_doubts(t, reason);
	to->weight = from->weight;
	if (from->subset_count > 0)
		to->subset = subset_identity(from->subset, from->subset_count);
	if (to->upstream != 0 && call.length > 0)
		to->call = block_string(&b->block,
			(struct slice){ call.data, call.length });
	str_fini(&call);
	return to->upstream != 0;
}

static void
target_fill(struct vhost_builder *b, struct target *t,
	const struct model_destination *list, size_t list_count)
{
	uint32_t offset = block_room(
		&b->block, list_count, sizeof(struct image_destination));
	struct image_destination *d, one;
	uint32_t count = 0;

	for (size_t k = 0; k < list_count; k++) {
		if (!destination_fill(b, t, &list[k], &one))
			continue;
		/* The block may have moved. */
		d = block_at(&b->block, offset);
		d[count++] = one;
	}
	d = block_at(&b->block, offset);
	t->total_weight = weights_settle(d, count);
	if (t->total_weight > 0)
		t->destinations = (struct image_array){ offset, count };
	if (t->missing_count > MISSING_NAMED)
		str_printf(&t->missing, "; and %zu more",
			t->missing_count - MISSING_NAMED);
	if (t->doubt_count > MISSING_NAMED)
		str_printf(&t->doubts, "; and %zu more",
			t->doubt_count - MISSING_NAMED);
}

/* What is said of a target; group: its name, or NULL. */
static void
target_warn(const struct vhost_builder *b, size_t i, const char *group,
	const char *what)
{
	char *text = NULL;

	if (group != NULL)
		text = xasprintf("the upstream group \"%s\": %s", group, what);
	route_warn(b, i, text != NULL ? text : what);
	free(text);
}

/* group: its name, or NULL. */
static void
target_put(struct vhost_builder *b, size_t i, const struct target *t,
	const char *group)
{
	const char *missing = t->first;

	route_at(b, i)->destinations = t->destinations;
	route_at(b, i)->total_weight = t->total_weight;
	route_at(b, i)->partial = missing != NULL;
	if (missing != NULL)
		target_warn(b, i, group, t->missing.data);
	if (t->doubt_count > 0)
		target_warn(b, i, group, t->doubts.data);
	if (t->total_weight > 0)
		return;
	if (missing == NULL) {
		missing = "no destination of the route has a weight";
		route_warn(b, i, missing);
	}
	route_set_unavailable(b, i, missing);
}

/* Routes to one group share its destinations. */
static void
group_put(struct vhost_builder *b, size_t i, const struct model_ref *ref)
{
	char *name = xasprintf("%s.%s", ref->ns, ref->name);
	struct target *t = table_get(b->groups, name);
	const struct model_upstream_group *group = NULL;
	const char *reason = "the upstream group is missing";

	if (t == NULL && b->group != NULL)
		group = b->group(ref, &reason, b->arg);
	if (group != NULL) {
		t = xmalloc(sizeof(*t));
		target_init(t);
		target_fill(
			b, t, group->destinations, group->destination_count);
		table_set(b->groups, name, t);
	}
	if (t != NULL) {
		target_put(b, i, t, name);
	} else {
		route_warn(b, i, reason);
		route_set_unavailable(b, i, reason);
	}
	free(name);
}

static void
destinations_put(struct vhost_builder *b, size_t i, const struct model_route *r)
{
	struct target t;

	if (r->target == MODEL_TARGET_GROUP) {
		group_put(b, i, &r->group);
		return;
	}
	target_init(&t);
	target_fill(b, &t, r->destinations, r->destination_count);
	target_put(b, i, &t, NULL);
	target_fini(&t);
}

static void
redirect_put(struct vhost_builder *b, size_t i, const struct model_redirect *r)
{
	struct image_str host = block_text(&b->block, r->host_redirect);
	struct image_str path = block_text(&b->block, r->path_redirect);
	struct image_str prefix = block_text(&b->block, r->prefix_rewrite);
	struct image_route *to = route_at(b, i);

	to->action = IMAGE_ACTION_REDIRECT;
	to->status = r->status != 0 ? r->status : 301;
	to->https_redirect = r->https_redirect;
	to->strip_query = r->strip_query;
	to->host_redirect = host;
	to->path_redirect = path;
	to->prefix_rewrite = prefix;
	if (r->port_redirect.given)
		to->port_redirect = (uint16_t)r->port_redirect.value;
}

static void
direct_put(struct vhost_builder *b, size_t i,
	const struct model_direct_response *d)
{
	struct image_str body = block_text(&b->block, d->body);
	struct image_route *to = route_at(b, i);

	to->action = IMAGE_ACTION_DIRECT;
	to->status = d->status;
	to->body = body;
}

/* ---- routes */

static uint32_t
retries_put(struct vhost_builder *b, const struct model_retries *r)
{
	struct image_retries to;
	uint32_t offset;

	if (r == NULL)
		return 0;
	to.policy = r->policy;
	if (to.policy.backoff_max_ms == 0)
		to.policy.backoff_max_ms = 10 * to.policy.backoff_ms;
	to.codes.offset =
		block_room(&b->block, r->code_count, sizeof(*r->codes));
	to.codes.count = (uint32_t)r->code_count;
	if (r->code_count > 0)
		memcpy(block_at(&b->block, to.codes.offset), r->codes,
			r->code_count * sizeof(*r->codes));
	offset = block_room(&b->block, 1, sizeof(to));
	memcpy(block_at(&b->block, offset), &to, sizeof(to));
	return offset;
}

static struct image_array
hash_put(struct vhost_builder *b, const struct model_route_options *o)
{
	struct image_array list = { block_room(&b->block, o->hash_count,
					    sizeof(struct image_hash)),
		(uint32_t)o->hash_count };

	for (size_t i = 0; i < o->hash_count; i++) {
		const struct model_hash_policy *h = &o->hash[i];
		struct image_hash to = {
			.name = block_text(&b->block, h->name),
			.path = block_text(&b->block, h->path),
			.ttl_s = (uint32_t)(h->ttl.ms / 1000),
			.source = (uint8_t)h->source,
			.terminal = h->terminal,
			.sets_cookie = h->ttl.given,
		};

		((struct image_hash *)block_at(&b->block, list.offset))[i] = to;
	}
	return list;
}

static uint32_t
timeout_of(const struct model_route_options *o)
{
	if (!o->timeout.given)
		return MODEL_TIMEOUT_MS_DEFAULT;
	return o->timeout.ms > UINT32_MAX ? UINT32_MAX
					  : (uint32_t)o->timeout.ms;
}

static void
options_put(struct vhost_builder *b, size_t i, const struct model_route *r)
{
	const struct model_route_options *o = &r->options;
	struct image_str name = block_text(&b->block, r->name);
	struct image_str prefix = block_text(&b->block, o->prefix_rewrite);
	struct image_str host = block_text(&b->block, o->host_rewrite);
	struct image_route *to;
	struct image_array hash = hash_put(b, o);
	char place[48];
	uint32_t headers, retries;

	snprintf(place, sizeof(place), "routes[%zu]", i);
	headers = headers_put(b, place, o->headers);
	retries = o->retries != NULL ? retries_put(b, o->retries) : b->retries;
	to = route_at(b, i);
	to->retries = retries;
	to->hash = hash;
	to->idle_timeout_ms = (uint32_t)o->idle_timeout.ms;
	to->name = name;
	to->prefix_rewrite = prefix;
	to->host_rewrite = host;
	to->headers = headers;
	to->timeout_ms = timeout_of(o);
	to->auto_host_rewrite = !o->auto_host_rewrite.given
					? IMAGE_HOST_AS_ENDPOINT
				: o->auto_host_rewrite.value
					? IMAGE_HOST_ENDPOINT
					: IMAGE_HOST_KEPT;
}

static int
matchers_put(struct vhost_builder *b, size_t i, const struct model_route *r,
	struct error *err)
{
	static char slash[] = "/";
	static const struct model_matcher all = { .path = slash };
	const struct model_matcher *m = r->matchers;
	size_t count = r->matcher_count;
	bool regex = false;

	if (count == 0) {
		m = &all;
		count = 1;
	}
	for (size_t j = 0; j < count; j++) {
		if (vhost_matchers_add(b->matchers, &m[j], (uint32_t)i, err) <
			0)
			return error_prefix(err,
				"virtualHost.routes[%zu].matchers[%zu]", i, j);
		regex |= m[j].path_type == MODEL_PATH_REGEX;
	}
	if (regex && route_at(b, i)->prefix_rewrite.offset != 0)
		route_warn(
			b, i, "prefixRewrite has no effect on a regex matcher");
	return 0;
}

static int
route_put(struct vhost_builder *b, size_t i, const struct model_route *r,
	struct error *err)
{
	options_put(b, i, r);
	switch (r->action) {
	case MODEL_ACTION_ROUTE:
		route_at(b, i)->action = IMAGE_ACTION_ROUTE;
		destinations_put(b, i, r);
		break;
	case MODEL_ACTION_REDIRECT:
		redirect_put(b, i, &r->redirect);
		break;
	case MODEL_ACTION_DIRECT_RESPONSE:
		direct_put(b, i, &r->direct);
		break;
	}
	return matchers_put(b, i, r, err);
}

/* What a route asks for, in few words: its first matcher's path. */
static void
route_describe(const struct model_route *r, char *out, size_t size)
{
	static const char *const types[] = { "prefix", "exact", "regex" };
	const struct model_matcher *m = r->matchers;

	if (r->matcher_count == 0)
		snprintf(out, size, "prefix /");
	else
		snprintf(out, size, "%s %.60s", types[m->path_type], m->path);
}

static void
route_unreachable(uint32_t route, uint32_t earlier, void *arg)
{
	const struct vhost_builder *b = arg;
	char text[256], its[80], other[80];

	route_describe(&b->vs->routes[route], its, sizeof(its));
	route_describe(&b->vs->routes[earlier], other, sizeof(other));
	snprintf(text, sizeof(text),
		"%s is never reached: routes[%" PRIu32 "], %s, comes first and "
		"takes the same requests",
		its, earlier, other);
	route_warn(b, route, text);
}

/* Regexes that begin with no fixed text cost each request of the host. */
static void
residual_warn(const struct vhost_builder *b)
{
	const struct image_vhost *vhost = block_at(&b->block, 0);
	char text[200];

	if (vhost->residual.count <= RESIDUAL_MAX)
		return;
	snprintf(text, sizeof(text),
		"%" PRIu32 " regexes do not begin with a fixed text (like "
		"/api/): every request tries them one by one; up to %d go "
		"without this warning",
		vhost->residual.count, RESIDUAL_MAX);
	b->warning("virtualHost", text, b->arg);
}

static size_t
matcher_count(const struct model_virtual_service *vs)
{
	size_t count = 0;

	for (size_t i = 0; i < vs->route_count; i++)
		count += vs->routes[i].matcher_count
				 ? vs->routes[i].matcher_count
				 : 1;
	return count;
}

static int
vhost_put(struct vhost_builder *b, const struct model_virtual_service *vs,
	struct error *err)
{
	struct image_str name;
	struct str full;
	struct image_array limits;
	struct image_vhost *vhost;
	uint32_t headers;

	block_reserve(&b->block, vs->route_count * ROUTE_BYTES);
	block_room(&b->block, 1, sizeof(*vhost));
	b->routes = block_room(
		&b->block, vs->route_count, sizeof(struct image_route));
	str_init(&full);
	str_printf(&full, "%s.%s", vs->meta.ns, vs->meta.name);
	name = block_text(&b->block, full.data);
	str_fini(&full);
	headers = headers_put(b, "options", vs->headers);
	b->retries = retries_put(b, vs->retries);
	limits = limits_put(
		&b->block, &vs->limits, MODEL_VIRTUAL_SERVICE, &vs->meta);
	vhost = block_at(&b->block, 0);
	vhost->name = name;
	vhost->headers = headers;
	vhost->limits = limits;
	vhost->routes =
		(struct image_array){ b->routes, (uint32_t)vs->route_count };
	b->matchers = vhost_matchers_new(&b->block, matcher_count(vs));
	for (size_t i = 0; i < vs->route_count; i++)
		if (route_put(b, i, &vs->routes[i], err) < 0)
			return -1;
	vhost_matchers_finish(b->matchers, route_unreachable, b);
	residual_warn(b);
	return 0;
}

void *
vhost_build(const struct model_virtual_service *vs, vhost_upstream_f *upstream,
	vhost_group_f *group, vhost_warning_f *warning, void *arg,
	uint32_t *length, struct error *err)
{
	struct vhost_builder b = {
		.vs = vs,
		.groups = table_new(target_free),
		.upstream = upstream,
		.group = group,
		.warning = warning,
		.arg = arg,
	};
	struct image_vhost *vhost = NULL;

	block_init(&b.block);
	if (vhost_put(&b, vs, err) < 0)
		goto out;
	vhost = block_steal(&b.block, length, err);
	if (vhost != NULL)
		vhost->length = *length;
out:
	vhost_matchers_free(b.matchers);
	table_free(b.groups);
	block_fini(&b.block);
	return vhost;
}
