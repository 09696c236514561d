/* What the data plane runs, walked from the image itself. */
#include "control/dump.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/table.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/health.h"
#include "control/supervise.h"
#include "model/model.h"

static struct doc *
text(const void *base, struct image_str s)
{
	struct slice t = image_text(base, s);

	return doc_new_string_n(t.data, t.length);
}

static void
set_text(struct doc *to, const char *key, const void *base, struct image_str s)
{
	if (s.length > 0)
		doc_set(to, key, text(base, s));
}

static void
set_number(struct doc *to, const char *key, uint64_t value)
{
	doc_set(to, key, doc_new_integer((int64_t)value));
}

/* One of 64 bits, which are no number to a reader of JSON; 0 is none. */
static void
set_hash(struct doc *to, const char *key, uint64_t value)
{
	char digits[17];

	if (value == 0)
		return;
	snprintf(digits, sizeof(digits), "%016" PRIx64, value);
	doc_set_string(to, key, digits);
}

/* ---- a virtual host */

static struct doc *
matcher_print(const struct image_vhost *v, const struct image_matcher *m)
{
	static const char *const keys[] = { "prefix", "exact", "regex" };
	const struct image_str *regexes = image_at(v, v->regexes.offset);
	struct doc *d = doc_new_map();

	if (m->path_type == MODEL_PATH_REGEX && m->regex < v->regexes.count)
		set_text(d, "regex", v, regexes[m->regex]);
	else if (m->path_type <= MODEL_PATH_REGEX)
		doc_set(d, keys[m->path_type], text(v, m->path));
	if (m->method_mask != 0)
		set_number(d, "methodMask", m->method_mask);
	if (m->headers.count > 0)
		set_number(d, "headers", m->headers.count);
	if (m->query.count > 0)
		set_number(d, "queryParameters", m->query.count);
	return d;
}

static void
destinations_print(struct doc *to, const struct image_vhost *v,
	const struct image_route *r)
{
	const struct image_destination *from =
		image_at(v, r->destinations.offset);
	struct doc *list = doc_set(to, "destinations", doc_new_list());

	for (uint32_t i = 0; i < r->destinations.count; i++) {
		struct doc *one = doc_add(list, doc_new_map());

		set_number(one, "upstream", from[i].upstream);
		set_number(one, "weight", from[i].weight);
		set_hash(one, "subset", from[i].subset);
	}
}

static struct doc *
route_print(const struct image_vhost *v, const struct image_route *r)
{
	static const char *const actions[] = { "route", "redirect", "direct",
		"unavailable" };
	struct doc *d = doc_new_map();

	doc_set(d, "matchers", doc_new_list());
	set_text(d, "name", v, r->name);
	if (r->action <= IMAGE_ACTION_UNAVAILABLE)
		doc_set_string(d, "action", actions[r->action]);
	switch (r->action) {
	case IMAGE_ACTION_ROUTE:
		destinations_print(d, v, r);
		set_number(d, "timeoutMs", r->timeout_ms);
		if (r->prefix_rewrite.offset != 0)
			doc_set(d, "prefixRewrite", text(v, r->prefix_rewrite));
		set_text(d, "hostRewrite", v, r->host_rewrite);
		break;
	case IMAGE_ACTION_UNAVAILABLE:
		set_text(d, "reason", v, r->reason);
		break;
	default:
		set_number(d, "status", r->status);
		set_text(d, "hostRedirect", v, r->host_redirect);
		set_text(d, "pathRedirect", v, r->path_redirect);
		break;
	}
	return d;
}

static void
limits_print(struct doc *to, const void *base, struct image_array limits)
{
	const struct image_limit *l = image_at(base, limits.offset);
	struct doc *list;

	if (limits.count == 0)
		return;
	list = doc_set(to, "limits", doc_new_list());
	for (uint32_t i = 0; i < limits.count; i++) {
		struct doc *one = doc_add(list, doc_new_map());

		set_text(one, "name", base, l[i].name);
		set_number(one, "burst", l[i].burst);
		set_number(one, "unitsPerMs", l[i].per_ms);
		set_number(one, "unitsOfOne", l[i].cost);
	}
}

static struct doc *
vhost_print(const struct image_vhost *v)
{
	const struct image_route *routes = image_at(v, v->routes.offset);
	const struct image_matcher *matchers = image_at(v, v->matchers.offset);
	struct doc *d = doc_new_map();
	struct doc *list = doc_set(d, "routes", doc_new_list());
	uint32_t next = 0;

	set_text(d, "name", v, v->name);
	limits_print(d, v, v->limits);
	for (uint32_t i = 0; i < v->routes.count; i++) {
		struct doc *one = doc_add(list, route_print(v, &routes[i]));

		/* Matchers stand in the order of their routes. */
		for (; next < v->matchers.count && matchers[next].route == i;
			next++)
			doc_add(doc_get(one, "matchers"),
				matcher_print(v, &matchers[next]));
	}
	return d;
}

/* ---- listeners */

/* Adds each virtual host once; most listeners share theirs. */
static void
vhost_add(struct doc *vhosts, const struct image *image, uint32_t offset,
	struct table *seen)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", offset);
	if (table_get(seen, key) != NULL)
		return;
	table_set(seen, key, vhosts);
	doc_add(vhosts, vhost_print(image_at(image, offset)));
}

static void
host_print(
	struct doc *to, const struct image *image, const struct image_host *h)
{
	struct slice name = image_text(image, h->name);
	const struct image_vhost *v = image_at(image, h->vhost);
	struct doc *one = doc_add(to, doc_new_map());
	struct str domain;

	str_init(&domain);
	if (h->type == IMAGE_HOST_SUFFIX)
		str_putc(&domain, '*');
	str_append(&domain, name.data, name.length);
	if (h->type == IMAGE_HOST_PREFIX)
		str_putc(&domain, '*');
	doc_set_string(one, "domain", domain.data);
	doc_set(one, "virtualHost", text(v, v->name));
	str_fini(&domain);
}

static void
listener_print(const struct control *c, const struct image *image,
	const struct image_listener *l, struct doc *to, struct doc *vhosts,
	struct table *seen)
{
	const struct listener *sockets = listeners_get(c->listeners, l->slot);
	const struct image_host *hosts = image_at(image, l->hosts.offset);
	struct doc *d = doc_add(to, doc_new_map());
	struct doc *list = doc_set(d, "hosts", doc_new_list());
	char addr[ADDR_TEXT_MAX];

	set_number(d, "slot", l->slot);
	set_text(d, "name", image, l->name);
	if (sockets != NULL)
		doc_set_string(d, "address", addr_format(&sockets->addr, addr));
	limits_print(d, image, l->limits);
	for (uint32_t i = 0; i < l->hosts.count; i++) {
		if (hosts[i].name.offset == 0)
			continue;
		host_print(list, image, &hosts[i]);
		vhost_add(vhosts, image, hosts[i].vhost, seen);
	}
	if (l->default_vhost != 0) {
		const struct image_vhost *v = image_at(image, l->default_vhost);
		struct doc *one = doc_add(list, doc_new_map());

		doc_set_string(one, "domain", "*");
		doc_set(one, "virtualHost", text(v, v->name));
		vhost_add(vhosts, image, l->default_vhost, seen);
	}
}

static void
service_print(const struct control *c, const struct image *image,
	const struct image_service *s, struct doc *to)
{
	const struct listener *sockets = listeners_get(c->listeners, s->slot);
	struct doc *d = doc_add(to, doc_new_map());
	char addr[ADDR_TEXT_MAX];

	set_number(d, "slot", s->slot);
	set_text(d, "name", image, s->name);
	if (sockets != NULL)
		doc_set_string(d, "address", addr_format(&sockets->addr, addr));
	set_number(d, "upstream", s->upstream);
	set_text(d, "unavailable", image, s->unavailable);
	set_number(d, "idleTimeoutMs", s->idle_timeout_ms);
	set_number(d, "connectAttempts", s->connect_attempts);
}

/* ---- upstreams */

static const struct object *
upstream_of(const struct control *c, uint32_t id)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_UPSTREAM); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);

		if (o->id == id)
			return o;
	}
	return NULL;
}

static void
subsets_print(struct doc *to, const struct endpoint *e)
{
	struct doc *list = NULL;
	char digits[17];

	for (size_t i = 0; i < SUBSETS_MAX && e->subsets[i] != 0; i++) {
		if (list == NULL)
			list = doc_set(to, "subsets", doc_new_list());
		snprintf(digits, sizeof(digits), "%016" PRIx64, e->subsets[i]);
		doc_add(list, doc_new_string(digits));
	}
}

static void
endpoints_print(struct doc *to, const struct object *o)
{
	struct doc *list = doc_set(to, "endpoints", doc_new_list());
	size_t count = 0;
	const struct endpoint *set =
		o == NULL ? NULL : discovery_endpoints(o->discovery, &count);

	for (size_t i = 0; i < count; i++) {
		struct doc *one = doc_add(list, doc_new_map());
		char addr[ENDPOINT_TEXT_MAX];

		doc_set_string(one, "address", endpoint_format(&set[i], addr));
		set_number(one, "weight", set[i].weight);
		doc_set_string(one, "health", health_name(set[i].health));
		if (set[i].host[0] != '\0')
			doc_set_string(one, "host", set[i].host);
		subsets_print(one, &set[i]);
	}
}

/* Of certificates an image has no more than numbers. */
static void
tls_print(const struct image *image, const struct image_tls *t, struct doc *to)
{
	const struct image_str *names = image_at(image, t->names.offset);
	struct doc *d = doc_set(to, "tls", doc_new_map());
	struct doc *list;

	set_text(d, "serverName", image, t->server_name);
	doc_set(d, "clientCertificate", doc_new_bool(t->identity != 0));
	if (t->names.count == 0)
		return;
	list = doc_set(d, "names", doc_new_list());
	for (uint32_t i = 0; i < t->names.count; i++)
		doc_add(list, text(image, names[i]));
}

static void
upstream_print(const struct control *c, const struct image *image,
	const struct image_upstream *u, struct doc *to)
{
	const struct object *o = upstream_of(c, u->id);
	struct doc *d = doc_add(to, doc_new_map());
	struct counters_upstream sums;

	set_number(d, "id", u->id);
	set_text(d, "name", image, u->name);
	set_text(d, "kind", image, u->kind);
	set_number(d, "connectTimeoutMs", u->connect_timeout_ms);
	set_text(d, "unavailable", image, u->unavailable);
	if (u->tls != 0)
		tls_print(image, image_at(image, u->tls), d);
	supervisor_sum_upstream(c->supervisor, u->id, &sums);
	set_number(d, "requestsActive", sums.requests_active);
	set_number(d, "connectionsOpen", sums.connections_open);
	endpoints_print(d, o);
}

struct doc *
dump_print(const struct control *c)
{
	const struct image *image = generation_image(c);
	struct table *seen = table_new(NULL);
	struct doc *d = doc_new_map();
	struct doc *listeners = doc_set(d, "listeners", doc_new_list());
	struct doc *vhosts = doc_set(d, "virtualHosts", doc_new_list());
	struct doc *services = doc_set(d, "services", doc_new_list());
	struct doc *upstreams = doc_set(d, "upstreams", doc_new_list());
	struct supervisor_view view;

	supervisor_view(c->supervisor, &view);
	set_number(d, "generation", generation_number(c));
	set_number(d, "enforced", view.generation);
	if (image != NULL) {
		const struct image_listener *l =
			image_at(image, image->listeners.offset);
		const struct image_upstream *u =
			image_at(image, image->upstreams.offset);
		const struct image_service *s =
			image_at(image, image->services.offset);

		set_number(d, "imageBytes", image->length);
		for (uint32_t i = 0; i < image->listeners.count; i++)
			listener_print(
				c, image, &l[i], listeners, vhosts, seen);
		for (uint32_t i = 0; i < image->services.count; i++)
			service_print(c, image, &s[i], services);
		for (uint32_t i = 0; i < image->upstreams.count; i++)
			upstream_print(c, image, &u[i], upstreams);
	}
	table_free(seen);
	return d;
}
