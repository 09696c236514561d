/*
 * Looks an image over before anybody walks it: every offset, length, index and
 * order that the walkers rely on. Takes time in proportion to its length:
 * arrays may not overlap so much that they come to more bytes than there are.
 */
#include "model/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/counters.h"
#include "model/image_radix.h"
#include "model/model.h"

struct checker { /* of the image itself or of one vhost */
	const char *base;
	uint32_t length;
	uint64_t arrays; /* bytes of all arrays so far */
	struct error *err;
};

struct vhosts { /* offsets, as often as they are named */
	uint32_t *at;
	size_t count, size;
};

#define ALIGNOF(type) _Alignof(type)

static int __attribute__((format(printf, 2, 3)))
fault(const struct checker *c, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(
		c->err, ERROR_CONFIG, "the image is damaged: %s", text);
}

static int
check_array(struct checker *c, const char *what, struct image_array a,
	size_t size, size_t align)
{
	uint64_t bytes = (uint64_t)a.count * size;

	if (a.count == 0)
		return a.offset <= c->length
			       ? 0
			       : fault(c, "%s out of bounds", what);
	if (a.offset == 0 || a.offset % align != 0 ||
		a.offset + bytes > c->length)
		return fault(c, "%s out of bounds", what);
	c->arrays += bytes;
	if (c->arrays > c->length)
		return fault(c, "%s overlaps", what);
	return 0;
}

#define CHECK_ARRAY(c, array, type)                                            \
	check_array(c, #array, array, sizeof(type), ALIGNOF(type))

static int
check_string(const struct checker *c, const char *what, struct image_str s)
{
	if (s.offset == 0 && s.length == 0)
		return 0;
	if (s.offset == 0 || (uint64_t)s.offset + s.length >= c->length ||
		c->base[s.offset + s.length] != '\0')
		return fault(c, "%s out of bounds", what);
	return 0;
}

static int
check_strings(struct checker *c, const char *what, struct image_array a)
{
	const struct image_str *s = image_at(c->base, a.offset);

	if (check_array(c, what, a, sizeof(*s), ALIGNOF(struct image_str)) < 0)
		return -1;
	for (uint32_t i = 0; i < a.count; i++)
		if (s[i].offset == 0 || check_string(c, what, s[i]) < 0)
			return fault(c, "%s out of bounds", what);
	return 0;
}

/* ---- a vhost's routes and matchers */

static int
check_header_list(struct checker *c, struct image_array list)
{
	const struct image_header *h = image_at(c->base, list.offset);

	if (CHECK_ARRAY(c, list, struct image_header) < 0)
		return -1;
	for (uint32_t i = 0; i < list.count; i++)
		if (check_string(c, "header name", h[i].name) < 0 ||
			check_string(c, "header value", h[i].value) < 0)
			return -1;
	return 0;
}

static int
check_headers(struct checker *c, uint32_t offset)
{
	struct image_array headers = { offset, 1 };
	const struct image_headers *h = image_at(c->base, offset);

	if (offset == 0)
		return 0;
	if (CHECK_ARRAY(c, headers, struct image_headers) < 0 ||
		check_header_list(c, h->request_add) < 0 ||
		check_header_list(c, h->request_remove) < 0 ||
		check_header_list(c, h->response_add) < 0)
		return -1;
	return check_header_list(c, h->response_remove);
}

static int
check_retries(struct checker *c, uint32_t offset)
{
	struct image_array retries = { offset, 1 };
	const struct image_retries *r = image_at(c->base, offset);

	if (offset == 0)
		return 0;
	if (CHECK_ARRAY(c, retries, struct image_retries) < 0)
		return -1;
	return CHECK_ARRAY(c, r->codes, uint32_t);
}

static int
check_hash(struct checker *c, struct image_array hash)
{
	const struct image_hash *h = image_at(c->base, hash.offset);

	if (CHECK_ARRAY(c, hash, struct image_hash) < 0)
		return -1;
	for (uint32_t i = 0; i < hash.count; i++) {
		if (h[i].source > IMAGE_HASH_SOURCE_IP)
			return fault(c, "source of a hash");
		if (check_string(c, "hash name", h[i].name) < 0 ||
			check_string(c, "cookie path", h[i].path) < 0)
			return -1;
	}
	return 0;
}

static int
check_limits(struct checker *c, struct image_array limits)
{
	const struct image_limit *l = image_at(c->base, limits.offset);

	if (CHECK_ARRAY(c, limits, struct image_limit) < 0)
		return -1;
	for (uint32_t i = 0; i < limits.count; i++) {
		if (l[i].identity == 0 || l[i].per_ms == 0 || l[i].cost == 0 ||
			l[i].most / l[i].cost != l[i].burst ||
			l[i].burst == 0 || l[i].key > LIMIT_KEY_NONE ||
			l[i].plen4 > 32 || l[i].plen6 > 128)
			return fault(c, "numbers of a limit");
		if (check_string(c, "limit name", l[i].name) < 0 ||
			check_string(c, "limit header", l[i].header) < 0)
			return -1;
	}
	return limits.count > 2 * LIMIT_RULES_MAX ? fault(c, "many limits") : 0;
}

static int
check_route(struct checker *c, const struct image_route *r)
{
	const struct image_destination *d =
		image_at(c->base, r->destinations.offset);
	uint64_t total = 0;

	if (r->action > IMAGE_ACTION_UNAVAILABLE ||
		r->auto_host_rewrite > IMAGE_HOST_AS_ENDPOINT)
		return fault(c, "action %u of a route", r->action);
	if (CHECK_ARRAY(c, r->destinations, struct image_destination) < 0)
		return -1;
	for (uint32_t i = 0; i < r->destinations.count; i++) {
		total += d[i].weight;
		if (check_string(c, "call", d[i].call) < 0)
			return -1;
	}
	if (r->action == IMAGE_ACTION_ROUTE &&
		(total == 0 || total != r->total_weight))
		return fault(c, "weights of a route");
	if (check_string(c, "route name", r->name) < 0 ||
		check_string(c, "prefix rewrite", r->prefix_rewrite) < 0 ||
		check_string(c, "host rewrite", r->host_rewrite) < 0 ||
		check_string(c, "reason", r->reason) < 0 ||
		check_string(c, "host redirect", r->host_redirect) < 0 ||
		check_string(c, "path redirect", r->path_redirect) < 0 ||
		check_string(c, "body", r->body) < 0)
		return -1;
	if (check_retries(c, r->retries) < 0 || check_hash(c, r->hash) < 0)
		return -1;
	return check_headers(c, r->headers);
}

static int
check_conditions(struct checker *c, const struct image_vhost *v,
	struct image_array conditions)
{
	const struct image_condition *k = image_at(c->base, conditions.offset);

	if (CHECK_ARRAY(c, conditions, struct image_condition) < 0)
		return -1;
	for (uint32_t i = 0; i < conditions.count; i++) {
		if (check_string(c, "condition name", k[i].name) < 0 ||
			check_string(c, "condition value", k[i].value) < 0)
			return -1;
		if (k[i].regex != IMAGE_NO_REGEX &&
			k[i].regex >= v->regexes.count)
			return fault(c, "regex of a condition");
	}
	return 0;
}

static int
check_matcher(struct checker *c, const struct image_vhost *v,
	const struct image_matcher *m)
{
	if (m->route >= v->routes.count)
		return fault(c, "route of a matcher");
	if (m->path_type > MODEL_PATH_REGEX)
		return fault(c, "path type of a matcher");
	if (m->path_type == MODEL_PATH_REGEX && m->regex >= v->regexes.count)
		return fault(c, "regex of a matcher");
	if (check_string(c, "path", m->path) < 0 ||
		check_strings(c, "methods", m->methods) < 0 ||
		check_conditions(c, v, m->headers) < 0)
		return -1;
	return check_conditions(c, v, m->query);
}

/* ---- a vhost's radix trees */

/* Indices of matchers, ascending. */
static int
check_indices(struct checker *c, const struct image_vhost *v,
	const uint32_t *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] >= v->matchers.count ||
			(i > 0 && list[i] <= list[i - 1]))
			return fault(c, "order of matchers");
	return 0;
}

static int
check_node_matchers(struct checker *c, const struct image_vhost *v,
	const struct image_node *n)
{
	struct image_array list = { n->matchers, n->matcher_count };

	if (n->route != IMAGE_NO_ROUTE &&
		(n->route >= v->routes.count || n->matcher_count != 1 ||
			n->path_type >= MODEL_PATH_REGEX))
		return fault(c, "route of a node");
	if (n->matcher_count <= 1)
		return check_indices(c, v, &n->matchers, n->matcher_count);
	if (CHECK_ARRAY(c, list, uint32_t) < 0)
		return -1;
	return check_indices(c, v, image_at(c->base, list.offset), list.count);
}

/* Children come after their parent, so nobody walks in circles, and each
 * takes a byte, so nobody walks further than a path is long. */
static int
check_children(struct checker *c, const struct image_vhost *v, uint32_t index)
{
	const struct image_node *nodes = image_at(c->base, v->nodes.offset);
	const struct image_node *n = &nodes[index];
	struct image_array keys = { n->keys, n->child_count };
	const uint8_t *key = n->key;

	if (n->child_count == 0)
		return 0;
	if (n->child_count > 256 || n->first_child <= index ||
		(uint64_t)n->first_child + n->child_count > v->nodes.count)
		return fault(c, "children of a node");
	if (n->child_count > IMAGE_NODE_KEYS) {
		if (CHECK_ARRAY(c, keys, uint8_t) < 0)
			return -1;
		key = image_at(c->base, n->keys);
	}
	for (uint32_t i = 0; i < n->child_count; i++) {
		const struct image_node *child = &nodes[n->first_child + i];

		/* Bounds of the child's label: check_node, before. */
		if (child->label_length == 0 ||
			*(const uint8_t *)image_at(c->base, child->label) !=
				key[i] ||
			(i > 0 && key[i] <= key[i - 1]))
			return fault(c, "keys of a node");
	}
	return 0;
}

static int
check_nodes(struct checker *c, const struct image_vhost *v)
{
	const struct image_node *n = image_at(c->base, v->nodes.offset);

	if (CHECK_ARRAY(c, v->nodes, struct image_node) < 0)
		return -1;
	for (uint32_t i = 0; i < v->nodes.count; i++) {
		if ((uint64_t)n[i].label + n[i].label_length > c->length)
			return fault(c, "label out of bounds");
		if (check_node_matchers(c, v, &n[i]) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < v->nodes.count; i++)
		if (check_children(c, v, i) < 0)
			return -1;
	return 0;
}

static int
check_radix(struct checker *c, const struct image_vhost *v)
{
	struct image_array root = { v->root, 1 };
	const struct image_radix *radix = image_at(c->base, v->root);

	if (check_nodes(c, v) < 0 ||
		CHECK_ARRAY(c, root, struct image_radix) < 0 ||
		CHECK_ARRAY(c, v->residual, uint32_t) < 0)
		return -1;
	if ((radix->cased != IMAGE_RADIX_NONE &&
		    radix->cased >= v->nodes.count) ||
		(radix->nocase != IMAGE_RADIX_NONE &&
			radix->nocase >= v->nodes.count))
		return fault(c, "root of a tree");
	return check_indices(
		c, v, image_at(c->base, v->residual.offset), v->residual.count);
}

static int
check_vhost(const struct image_vhost *v, struct error *err)
{
	struct checker c = { (const char *)v, v->length, sizeof(*v), err };
	const struct image_route *routes = image_at(v, v->routes.offset);
	const struct image_matcher *m = image_at(v, v->matchers.offset);

	if (check_string(&c, "vhost name", v->name) < 0 ||
		CHECK_ARRAY(&c, v->routes, struct image_route) < 0 ||
		CHECK_ARRAY(&c, v->matchers, struct image_matcher) < 0 ||
		check_strings(&c, "regexes", v->regexes) < 0)
		return -1;
	for (uint32_t i = 0; i < v->routes.count; i++)
		if (check_route(&c, &routes[i]) < 0)
			return -1;
	for (uint32_t i = 0; i < v->matchers.count; i++) {
		if (check_matcher(&c, v, &m[i]) < 0)
			return -1;
		if (i > 0 && m[i].route < m[i - 1].route)
			return fault(&c, "order of routes");
	}
	if (check_headers(&c, v->headers) < 0 ||
		check_limits(&c, v->limits) < 0)
		return -1;
	return check_radix(&c, v);
}

/* ---- the image */

/* A vhost's place; what is in it comes later, once for each. */
static int
vhosts_add(const struct checker *c, struct vhosts *vs, uint32_t offset)
{
	if (offset % IMAGE_ALIGN != 0 || offset < sizeof(struct image) ||
		(uint64_t)offset + sizeof(struct image_vhost) > c->length)
		return fault(c, "vhost out of bounds");
	if (vs->count == vs->size) {
		vs->size = vs->size ? vs->size * 2 : 16;
		vs->at = xreallocarray(vs->at, vs->size, sizeof(*vs->at));
	}
	vs->at[vs->count++] = offset;
	return 0;
}

static int
offset_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
check_vhosts(const struct checker *c, struct vhosts *vs)
{
	uint64_t end = 0;

	if (vs->count > 1)
		qsort(vs->at, vs->count, sizeof(*vs->at), offset_compare);
	for (size_t i = 0; i < vs->count; i++) {
		const struct image_vhost *v = image_at(c->base, vs->at[i]);

		if (i > 0 && vs->at[i] == vs->at[i - 1])
			continue;
		if (vs->at[i] < end)
			return fault(c, "vhosts overlap");
		end = (uint64_t)vs->at[i] + v->length;
		if (v->length < sizeof(*v) || end > c->length)
			return fault(c, "length of a vhost");
		if (check_vhost(v, c->err) < 0)
			return -1;
	}
	return 0;
}

static int
check_hosts(struct checker *c, struct vhosts *vs, struct image_array hosts)
{
	const struct image_host *h = image_at(c->base, hosts.offset);
	uint32_t used = 0;

	if (CHECK_ARRAY(c, hosts, struct image_host) < 0)
		return -1;
	if ((hosts.count & (hosts.count - 1)) != 0)
		return fault(c, "number of hosts");
	for (uint32_t i = 0; i < hosts.count; i++) {
		if (check_string(c, "host", h[i].name) < 0)
			return -1;
		if (h[i].name.offset == 0)
			continue;
		used++;
		if (h[i].type > IMAGE_HOST_PREFIX)
			return fault(c, "type of a host");
		if (vhosts_add(c, vs, h[i].vhost) < 0)
			return -1;
	}
	/* An empty slot ends each search. */
	return used == hosts.count && used > 0 ? fault(c, "full table") : 0;
}

static int
check_listeners(struct checker *c, struct vhosts *vs, const struct image *image)
{
	const struct image_listener *l =
		image_at(image, image->listeners.offset);
	bool seen[LISTENERS_MAX] = { false };

	if (CHECK_ARRAY(c, image->listeners, struct image_listener) < 0)
		return -1;
	for (uint32_t i = 0; i < image->listeners.count; i++) {
		if (l[i].slot >= LISTENERS_MAX || seen[l[i].slot])
			return fault(c, "slot of a listener");
		seen[l[i].slot] = true;
		if (check_string(c, "listener name", l[i].name) < 0 ||
			check_limits(c, l[i].limits) < 0 ||
			check_hosts(c, vs, l[i].hosts) < 0)
			return -1;
		if (l[i].default_vhost != 0 &&
			vhosts_add(c, vs, l[i].default_vhost) < 0)
			return -1;
	}
	return 0;
}

/* One that is used up to its first NUL: so that this is its end. */
static int
check_text(const struct checker *c, const char *what, struct image_str s)
{
	if (check_string(c, what, s) < 0)
		return -1;
	if (s.length > 0 && strlen(c->base + s.offset) != s.length)
		return fault(c, "%s with a NUL in it", what);
	return 0;
}

static int
check_texts(struct checker *c, const char *what, struct image_array a)
{
	const struct image_str *s = image_at(c->base, a.offset);

	if (check_strings(c, what, a) < 0)
		return -1;
	for (uint32_t i = 0; i < a.count; i++)
		if (check_text(c, what, s[i]) < 0)
			return -1;
	return 0;
}

/* RFC 7301 3.1: one byte says how long the name of a protocol is. */
static int
check_alpn(struct checker *c, struct image_array alpn)
{
	const struct image_str *name = image_at(c->base, alpn.offset);

	if (check_texts(c, "alpn", alpn) < 0)
		return -1;
	for (uint32_t i = 0; i < alpn.count; i++)
		if (name[i].length == 0 || name[i].length > 255)
			return fault(c, "a protocol's name");
	return 0;
}

static int
check_tls(struct checker *c, uint32_t offset)
{
	struct image_array tls = { offset, 1 };
	const struct image_tls *t = image_at(c->base, offset);

	if (offset == 0)
		return 0;
	if (CHECK_ARRAY(c, tls, struct image_tls) < 0)
		return -1;
	/* Whom to trust is always said: nobody is trusted unseen. */
	if (t->roots == 0)
		return fault(c, "roots of an upstream");
	if (check_text(c, "server name", t->server_name) < 0 ||
		check_text(c, "ciphers", t->ciphers) < 0 ||
		check_text(c, "curves", t->curves) < 0 ||
		check_texts(c, "names of a certificate", t->names) < 0)
		return -1;
	return check_alpn(c, t->alpn);
}

static int
check_upstreams(struct checker *c, const struct image *image)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);

	if (CHECK_ARRAY(c, image->upstreams, struct image_upstream) < 0)
		return -1;
	for (uint32_t i = 0; i < image->upstreams.count; i++) {
		if (u[i].id == 0 || u[i].id >= UPSTREAMS_MAX ||
			(i > 0 && u[i].id <= u[i - 1].id))
			return fault(c, "id of an upstream");
		if (check_string(c, "upstream name", u[i].name) < 0 ||
			check_string(c, "upstream kind", u[i].kind) < 0 ||
			check_string(c, "why", u[i].unavailable) < 0)
			return -1;
		if (u[i].balance.type >= POLICY_BALANCE_COUNT ||
			u[i].balance.choices > POLICY_CHOICES_MAX ||
			u[i].balance.ring_max > POLICY_RING_MAX ||
			u[i].balance.ring_min > u[i].balance.ring_max ||
			u[i].balance.panic_percent > 100)
			return fault(c, "balance of an upstream");
		if (check_tls(c, u[i].tls) < 0)
			return -1;
	}
	return 0;
}

static int
check_services(struct checker *c, const struct image *image)
{
	const struct image_service *s = image_at(image, image->services.offset);

	if (CHECK_ARRAY(c, image->services, struct image_service) < 0)
		return -1;
	for (uint32_t i = 0; i < image->services.count; i++) {
		if (s[i].slot < LISTENERS_MAX || s[i].slot >= SLOTS_MAX ||
			(i > 0 && s[i].slot <= s[i - 1].slot))
			return fault(c, "slot of a service");
		if (s[i].upstream >= UPSTREAMS_MAX)
			return fault(c, "upstream of a service");
		if (s[i].connect_attempts == 0)
			return fault(c, "attempts of a service");
		if (check_string(c, "service name", s[i].name) < 0 ||
			check_string(c, "why", s[i].unavailable) < 0)
			return -1;
	}
	return 0;
}

static int
check_trusted(struct checker *c, const struct image *image)
{
	const struct addr_prefix *p = image_at(image, image->trusted.offset);

	if (CHECK_ARRAY(c, image->trusted, struct addr_prefix) < 0)
		return -1;
	for (uint32_t i = 0; i < image->trusted.count; i++)
		if (p[i].bits > 128)
			return fault(c, "bits of a trusted prefix");
	return 0;
}

int
image_check(const void *bytes, size_t length, struct error *err)
{
	const struct image *image = bytes;
	struct checker c = { bytes, 0, sizeof(*image), err };
	struct vhosts vs = { NULL, 0, 0 };
	int rc = -1;

	if ((uintptr_t)bytes % IMAGE_ALIGN != 0)
		return fault(&c, "not aligned");
	if (length < sizeof(*image) || image->magic != IMAGE_MAGIC)
		return fault(&c, "not an image");
	if (image->contract != IMAGE_CONTRACT)
		return fault(&c, "contract %u, not %u", image->contract,
			(unsigned)IMAGE_CONTRACT);
	if (image->length != length)
		return fault(&c, "length %zu, not %u", length, image->length);
	c.length = image->length;
	if (check_upstreams(&c, image) < 0 || check_trusted(&c, image) < 0 ||
		check_services(&c, image) < 0 ||
		check_listeners(&c, &vs, image) < 0)
		goto out;
	rc = check_vhosts(&c, &vs);
out:
	free(vs.at);
	return rc;
}
