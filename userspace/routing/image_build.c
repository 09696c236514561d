/* A generation's image from its virtual hosts. */
#include "routing/image_build.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model/counters.h"
#include "routing/block.h"
#include "routing/hash.h"
#include "routing/limit_build.h"

struct image_builder {
	const struct image_build_input *in;
	struct block block;
	uint32_t *vhosts; /* offset of in->vhosts[i]; 0: not yet there */
};

struct domain { /* as in struct image_host */
	struct slice name;
	enum image_host_type type;
};

static struct slice
vhost_name(const struct image_build_vhost *v)
{
	const struct image_vhost *block = v->block;

	return image_text(block, block->name);
}

/* Copied when the first listener wants it. */
static uint32_t
vhost_put(struct image_builder *b, size_t i)
{
	const struct image_build_vhost *v = &b->in->vhosts[i];

	if (b->vhosts[i] == 0)
		b->vhosts[i] = block_copy(&b->block, v->block, v->length);
	return b->vhosts[i];
}

static int
domain_read(const char *text, struct domain *d, struct error *err)
{
	struct slice all = slice_of(text);
	const char *star = strchr(text, '*');

	*d = (struct domain){ all, IMAGE_HOST_EXACT };
	if (star == NULL && all.length > 0)
		return 0;
	if (all.length > 2 && star == text && text[1] == '.') {
		d->name = slice_of(text + 1);
		d->type = IMAGE_HOST_SUFFIX;
	} else if (all.length > 2 && star == text + all.length - 1 &&
		   star[-1] == '.') {
		d->name.length--;
		d->type = IMAGE_HOST_PREFIX;
	}
	if (d->type == IMAGE_HOST_EXACT ||
		memchr(d->name.data, '*', d->name.length) != NULL)
		return error_set(err, ERROR_CONFIG,
			"the domain \"%.200s\" is neither a name, \"*.name\", "
			"\"name.*\" nor \"*\"",
			text);
	return 0;
}

/* The slot of that name, or the empty one where it belongs. */
static struct image_host *
host_slot(const struct block *b, struct image_array hosts,
	const struct domain *d, uint32_t hash)
{
	struct image_host *h = block_at(b, hosts.offset);
	uint32_t mask = hosts.count - 1;

	for (uint32_t i = hash & mask;; i = (i + 1) & mask)
		if (h[i].name.offset == 0 ||
			(h[i].hash == hash && h[i].type == d->type &&
				slice_equal(image_text(b->bytes, h[i].name),
					d->name)))
			return &h[i];
}

static int
domain_twice(const struct image_builder *b, const char *domain, uint32_t offset,
	size_t other, struct error *err)
{
	const struct image_vhost *first = block_at(&b->block, offset);
	struct slice name = vhost_name(&b->in->vhosts[other]);

	return error_set(err, ERROR_CONFIG,
		"the domain \"%.100s\" belongs to both %.*s and %.*s", domain,
		(int)first->name.length, image_text(first, first->name).data,
		(int)name.length, name.data);
}

static int
domain_put(struct image_builder *b, uint32_t listener, const char *text,
	size_t vhost, struct error *err)
{
	uint32_t offset = vhost_put(b, vhost), hash;
	struct image_listener *l = block_at(&b->block, listener);
	struct image_host *host;
	struct image_str name;
	struct domain d;

	if (strcmp(text, "*") == 0) {
		if (l->default_vhost != 0)
			return domain_twice(
				b, text, l->default_vhost, vhost, err);
		l->default_vhost = offset;
		return 0;
	}
	if (domain_read(text, &d, err) < 0)
		return -1;
	name = block_string(&b->block, d.name);
	l = block_at(&b->block, listener);
	hash = text_hash(d.name);
	host = host_slot(&b->block, l->hosts, &d, hash);
	if (host->name.offset != 0)
		return domain_twice(b, text, host->vhost, vhost, err);
	*host = (struct image_host){ name, offset, hash, d.type };
	l->has_suffix |= d.type == IMAGE_HOST_SUFFIX;
	l->has_prefix |= d.type == IMAGE_HOST_PREFIX;
	return 0;
}

/* Twice as many slots as domains, so that there is always an empty one. */
static struct image_array
hosts_room(struct image_builder *b, const struct image_build_listener *from)
{
	struct image_array hosts = { 0, 0 };
	size_t domains = 0, size = 2;

	for (size_t i = 0; i < from->vhost_count; i++)
		domains += b->in->vhosts[from->vhosts[i]].domain_count;
	if (domains == 0)
		return hosts;
	while (size < domains * 2)
		size *= 2;
	hosts.offset = block_room(&b->block, size, sizeof(struct image_host));
	hosts.count = (uint32_t)size;
	return hosts;
}

static int
listener_put(struct image_builder *b, uint32_t at,
	const struct image_build_listener *from, struct error *err)
{
	static const char *const everything[] = { "*" };
	struct image_str name = block_text(&b->block, from->name);
	struct image_array hosts = hosts_room(b, from), limits = { 0, 0 };
	struct image_listener *l;

	if (from->slot >= LISTENERS_MAX)
		return error_set(err, ERROR_LIMIT,
			"%s: listener slot %u is out of range", from->name,
			from->slot);
	if (from->gateway != NULL)
		limits = limits_put(&b->block, &from->gateway->limits,
			MODEL_GATEWAY, &from->gateway->meta);
	l = block_at(&b->block, at);
	l->slot = from->slot;
	l->name = name;
	l->hosts = hosts;
	l->limits = limits;
	for (size_t i = 0; i < from->vhost_count; i++) {
		const struct image_build_vhost *v =
			&b->in->vhosts[from->vhosts[i]];
		const char *const *domains = v->domains;
		size_t count = v->domain_count;

		if (count == 0) {
			domains = everything;
			count = 1;
		}
		for (size_t k = 0; k < count; k++)
			if (domain_put(b, at, domains[k], from->vhosts[i],
				    err) < 0)
				return error_prefix(err, "%s", from->name);
	}
	return 0;
}

static int
listeners_put(struct image_builder *b, struct error *err)
{
	size_t count = b->in->listener_count;
	uint32_t first =
		block_room(&b->block, count, sizeof(struct image_listener));
	struct image *image = block_at(&b->block, 0);

	image->listeners = (struct image_array){ first, (uint32_t)count };
	for (size_t i = 0; i < count; i++) {
		uint32_t at =
			first + (uint32_t)(i * sizeof(struct image_listener));

		if (listener_put(b, at, &b->in->listeners[i], err) < 0)
			return -1;
	}
	return 0;
}

static int
upstream_compare(const void *a, const void *b)
{
	const struct image_upstream *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct image_array
texts_put(struct image_builder *b, const char *const *texts, size_t count)
{
	uint32_t first = block_room(&b->block, count, sizeof(struct image_str));
	struct image_str *to;

	for (size_t i = 0; i < count; i++) {
		struct image_str text = block_text(&b->block, texts[i]);

		to = block_at(&b->block, first);
		to[i] = text;
	}
	return (struct image_array){ first, (uint32_t)count };
}

static uint32_t
tls_put(struct image_builder *b, const struct image_build_tls *from)
{
	struct image_tls made, *to;
	uint32_t at;

	if (from == NULL)
		return 0;
	at = block_room(&b->block, 1, sizeof(made));
	made = (struct image_tls){
		.roots = from->roots,
		.identity = from->identity,
		.server_name = block_text(&b->block, from->server_name),
		.names = texts_put(b, from->names, from->name_count),
		.alpn = texts_put(b, from->alpn, from->alpn_count),
		.ciphers = block_text(&b->block, from->ciphers),
		.curves = block_text(&b->block, from->curves),
		.version_min = from->version_min,
		.version_max = from->version_max,
		.renegotiation = from->renegotiation,
	};
	to = block_at(&b->block, at);
	*to = made;
	return at;
}

static int
upstreams_put(struct image_builder *b, struct error *err)
{
	size_t count = b->in->upstream_count;
	uint32_t first =
		block_room(&b->block, count, sizeof(struct image_upstream));
	struct image *image = block_at(&b->block, 0);
	struct image_upstream *to;

	image->upstreams = (struct image_array){ first, (uint32_t)count };
	for (size_t i = 0; i < count; i++) {
		const struct image_build_upstream *u = &b->in->upstreams[i];
		struct image_upstream made = {
			.id = u->id,
			.name = block_text(&b->block, u->name),
			.kind = block_text(&b->block, u->kind),
			.connect_timeout_ms = u->connect_timeout_ms,
			.max_requests_per_connection =
				u->max_requests_per_connection,
			.unavailable = block_text(&b->block, u->unavailable),
			.balance = u->balance,
			.breakers = u->breakers != NULL
					    ? *u->breakers
					    : policy_breakers_default,
			.tls = tls_put(b, u->tls),
		};

		if (u->outlier != NULL) {
			made.outlier_errors = u->outlier->errors;
			made.outlier_gateway_errors =
				u->outlier->gateway_errors;
		}
		if (u->id == 0 || u->id >= UPSTREAMS_MAX)
			return error_set(err, ERROR_LIMIT,
				"%s: upstream id %u is out of range", u->name,
				u->id);
		to = block_at(&b->block, first);
		to[i] = made;
	}
	if (count > 0)
		qsort(block_at(&b->block, first), count, sizeof(*to),
			upstream_compare);
	to = block_at(&b->block, first);
	for (size_t i = 1; i < count; i++)
		if (to[i].id == to[i - 1].id)
			return error_set(err, ERROR_CONFIG,
				"two upstreams have the id %u", to[i].id);
	return 0;
}

static int
service_compare(const void *a, const void *b)
{
	const struct image_service *x = a, *y = b;

	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int
services_put(struct image_builder *b, struct error *err)
{
	size_t count = b->in->service_count;
	uint32_t first =
		block_room(&b->block, count, sizeof(struct image_service));
	struct image *image = block_at(&b->block, 0);
	struct image_service *to;

	image->services = (struct image_array){ first, (uint32_t)count };
	for (size_t i = 0; i < count; i++) {
		const struct image_build_service *s = &b->in->services[i];
		struct image_service made = {
			.slot = s->slot,
			.name = block_text(&b->block, s->name),
			.upstream = s->upstream,
			.unavailable = block_text(&b->block, s->unavailable),
			.idle_timeout_ms = s->idle_timeout_ms,
			.connect_attempts = s->connect_attempts,
		};

		if (s->slot < LISTENERS_MAX || s->slot >= SLOTS_MAX)
			return error_set(err, ERROR_LIMIT,
				"%s: service slot %u is out of range", s->name,
				s->slot);
		to = block_at(&b->block, first);
		to[i] = made;
	}
	if (count > 0)
		qsort(block_at(&b->block, first), count, sizeof(*to),
			service_compare);
	return 0;
}

static void
trusted_put(struct image_builder *b)
{
	size_t count = b->in->trusted_count;
	uint32_t first =
		block_room(&b->block, count, sizeof(struct addr_prefix));
	struct image *image = block_at(&b->block, 0);

	image->trusted = (struct image_array){ first, (uint32_t)count };
	if (count > 0)
		memcpy(block_at(&b->block, first), b->in->trusted,
			count * sizeof(struct addr_prefix));
}

void *
image_build(
	const struct image_build_input *in, size_t *length, struct error *err)
{
	struct image_builder b = { .in = in };
	struct image *image = NULL;
	size_t length_all = 0;
	uint32_t size;

	block_init(&b.block);
	b.vhosts = xcalloc(in->vhost_count + 1, sizeof(*b.vhosts));
	for (size_t i = 0; i < in->vhost_count; i++)
		length_all += in->vhosts[i].length + IMAGE_LINE;
	block_reserve(&b.block, length_all);
	block_room(&b.block, 1, sizeof(*image));
	if (upstreams_put(&b, err) < 0 || listeners_put(&b, err) < 0 ||
		services_put(&b, err) < 0)
		goto out;
	trusted_put(&b);
	image = block_steal(&b.block, &size, err);
	if (image == NULL)
		goto out;
	image->magic = IMAGE_MAGIC;
	image->contract = IMAGE_CONTRACT;
	image->length = size;
	image->generation = in->generation;
	*length = size;
out:
	free(b.vhosts);
	block_fini(&b.block);
	return image;
}
