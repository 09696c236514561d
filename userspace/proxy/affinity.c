/* The hash of lbHash. */
#include "proxy/affinity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

static bool
header_hash(const struct exchange *x, const struct http_head *head,
	struct slice name, uint64_t *hash)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];
		struct slice value = http_field_value(head, f);

		if (!slice_equal_nocase(http_field_name(head, f), name) ||
			!http_field_counts(head, f, x->peer_trusted))
			continue;
		*hash = hash_bytes(value.data, value.length, 0);
		return true;
	}
	return false;
}

/* The value of a cookie within one field (RFC 6265, 5.4); data NULL: none. */
static struct slice
cookie_in(struct slice field, struct slice name)
{
	const char *at = field.data, *end = at + field.length;

	while (at < end) {
		const char *stop = memchr(at, ';', (size_t)(end - at));
		size_t length = (size_t)((stop != NULL ? stop : end) - at);

		if (length > name.length && at[name.length] == '=' &&
			memcmp(at, name.data, name.length) == 0)
			return (struct slice){ at + name.length + 1,
				length - name.length - 1 };
		at += length + 1;
		while (at < end && *at == ' ')
			at++;
	}
	return (struct slice){ NULL, 0 };
}

static bool
cookie_hash(const struct http_head *head, struct slice name, uint64_t *hash)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		struct slice value;

		if (head->fields[i].id != HTTP_FIELD_COOKIE)
			continue;
		value = cookie_in(
			http_field_value(head, &head->fields[i]), name);
		if (value.data == NULL)
			continue;
		*hash = hash_bytes(value.data, value.length, 0);
		return true;
	}
	return false;
}

static void
cookie_text(uint64_t cookie, char out[17])
{
	snprintf(out, 17, "%016" PRIx64, cookie);
}

/* A client that has none yet is given one, which decides already now. */
static void
cookie_make(struct exchange *x, const struct image_hash *h, uint64_t *hash)
{
	char text[17];

	x->cookie = worker_random(x->worker);
	x->cookie_of = h;
	cookie_text(x->cookie, text);
	*hash = hash_bytes(text, 16, 0);
}

static bool
one_hash(struct exchange *x, const struct http_head *head,
	const struct image_hash *h, uint64_t *hash)
{
	struct slice name = image_text(x->match.vhost, h->name);

	switch ((enum image_hash_source)h->source) {
	case IMAGE_HASH_HEADER:
		return header_hash(x, head, name, hash);
	case IMAGE_HASH_COOKIE:
		if (cookie_hash(head, name, hash))
			return true;
		if (!h->sets_cookie || x->cookie_of != NULL)
			return false; /* one at a time is set */
		cookie_make(x, h, hash);
		return true;
	case IMAGE_HASH_SOURCE_IP:
		*hash = hash_bytes(x->client.ip, sizeof(x->client.ip), 0);
		return true;
	}
	return false;
}

void
affinity_find(struct exchange *x, const struct http_head *head)
{
	struct image_array list = x->match.route->hash;
	const struct image_hash *h = image_at(x->match.vhost, list.offset);
	uint64_t hash;

	for (uint32_t i = 0; i < list.count; i++) {
		if (!one_hash(x, head, &h[i], &hash))
			continue;
		x->hash = (x->hash << 1 | x->hash >> 63) ^ hash;
		x->hashed = true;
		if (h[i].terminal)
			break;
	}
}

void
affinity_cookie_print(const struct exchange *x, struct str *out)
{
	const struct image_hash *h = x->cookie_of;
	struct slice name = image_text(x->match.vhost, h->name);
	struct slice path = image_text(x->match.vhost, h->path);
	char text[17];

	cookie_text(x->cookie, text);
	str_append(out, name.data, name.length);
	str_printf(out, "=%s", text);
	if (h->ttl_s > 0)
		str_printf(out, "; Max-Age=%u", h->ttl_s);
	if (path.length > 0) {
		str_puts(out, "; Path=");
		str_append(out, path.data, path.length);
	}
	str_puts(out, "; HttpOnly");
}
