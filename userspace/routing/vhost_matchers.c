/* The matchers of a virtual host while its block is built. */
#include "routing/vhost_matchers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"
#include "http/chars.h"
#include "http/head.h"
#include "model/regex.h"
#include "routing/matcher.h"
#include "routing/radix.h"

struct keys {
	struct radix_key *key;
	size_t count;
};

struct vhost_matchers {
	struct block *block;
	uint32_t first; /* offset of the struct image_matcher */
	size_t count, added;
	struct keys cased, nocase, residual; /* each with room for all */
	struct image_str *regexes;
	size_t regex_count, regex_size;
	struct table *regex_index; /* by pattern: index + 1 */
	struct str text;
	uint32_t cover;     /* lowest route that takes every path */
	uint32_t *covering; /* per matcher: the route that leaves it nothing,
			       or RADIX_NO_ROUTE */
	struct table *seen; /* matchers with conditions, as text: route + 1 */
};

struct vhost_matchers *
vhost_matchers_new(struct block *block, size_t count)
{
	struct vhost_matchers *v = xcalloc(1, sizeof(*v));

	v->block = block;
	v->count = count;
	v->first = block_room(block, count, sizeof(struct image_matcher));
	v->cased.key = xcalloc(count + 1, sizeof(struct radix_key));
	v->nocase.key = xcalloc(count + 1, sizeof(struct radix_key));
	v->residual.key = xcalloc(count + 1, sizeof(struct radix_key));
	v->covering = xreallocarray(NULL, count + 1, sizeof(*v->covering));
	for (size_t i = 0; i < count; i++)
		v->covering[i] = RADIX_NO_ROUTE;
	v->regex_index = table_new(NULL);
	v->seen = table_new(NULL);
	v->cover = RADIX_NO_ROUTE;
	str_init(&v->text);
	return v;
}

void
vhost_matchers_free(struct vhost_matchers *v)
{
	if (v == NULL)
		return;
	free(v->cased.key);
	free(v->nocase.key);
	free(v->residual.key);
	free(v->covering);
	free(v->regexes);
	table_free(v->regex_index);
	table_free(v->seen);
	str_fini(&v->text);
	free(v);
}

static int
regex_add(struct vhost_matchers *v, const char *pattern, uint32_t *index,
	struct error *err)
{
	uintptr_t known = (uintptr_t)table_get(v->regex_index, pattern);

	if (known != 0) {
		*index = (uint32_t)(known - 1);
		return 0;
	}
	if (matcher_check(pattern, err) < 0)
		return -1;
	if (v->regex_count == v->regex_size) {
		v->regex_size = v->regex_size ? v->regex_size * 2 : 16;
		v->regexes = xreallocarray(
			v->regexes, v->regex_size, sizeof(*v->regexes));
	}
	v->regexes[v->regex_count] = block_text(v->block, pattern);
	*index = (uint32_t)v->regex_count++;
	table_set(v->regex_index, pattern, (void *)(uintptr_t)(*index + 1));
	return 0;
}

static const char *
lower(struct str *out, const char *text)
{
	str_clear(out);
	for (; *text != '\0'; text++)
		str_putc(out, http_char_lower(*text));
	return out->data;
}

static int
condition_set(struct vhost_matchers *v, uint32_t offset, const char *name,
	const char *value, bool regex, struct error *err)
{
	struct image_condition *c = block_at(v->block, offset);
	uint32_t index = IMAGE_NO_REGEX;

	c->presence = value == NULL;
	c->field_id = (uint8_t)http_field_id_of(slice_of(name));
	if (value != NULL && regex && regex_add(v, value, &index, err) < 0)
		return -1;
	c = block_at(v->block, offset);
	c->regex = index;
	if (value != NULL && !regex) {
		struct image_str text = block_text(v->block, value);

		c = block_at(v->block, offset);
		c->value = text;
	}
	return 0;
}

static void
condition_set_name(struct vhost_matchers *v, uint32_t offset, const char *name)
{
	struct image_str text = block_text(v->block, name);
	struct image_condition *c = block_at(v->block, offset);

	c->name = text;
}

static int
headers_add(struct vhost_matchers *v, const struct model_matcher *m,
	uint32_t matcher, struct error *err)
{
	uint32_t first = block_room(
		v->block, m->header_count, sizeof(struct image_condition));
	struct image_matcher *to = block_at(v->block, matcher);

	to->headers = (struct image_array){ first, (uint32_t)m->header_count };
	for (size_t i = 0; i < m->header_count; i++) {
		const struct model_header_matcher *h = &m->headers[i];
		uint32_t at =
			first + (uint32_t)(i * sizeof(struct image_condition));
		struct image_condition *c = block_at(v->block, at);

		c->invert = h->invert_match;
		condition_set_name(v, at, lower(&v->text, h->name));
		if (condition_set(v, at, h->name, h->value, h->regex, err) < 0)
			return error_prefix(err, ".headers[%zu].value", i);
	}
	return 0;
}

static int
query_add(struct vhost_matchers *v, const struct model_matcher *m,
	uint32_t matcher, struct error *err)
{
	uint32_t first = block_room(
		v->block, m->query_count, sizeof(struct image_condition));
	struct image_matcher *to = block_at(v->block, matcher);

	to->query = (struct image_array){ first, (uint32_t)m->query_count };
	for (size_t i = 0; i < m->query_count; i++) {
		const struct model_query_matcher *q = &m->query[i];
		uint32_t at =
			first + (uint32_t)(i * sizeof(struct image_condition));

		condition_set_name(v, at, q->name);
		if (condition_set(v, at, q->name, q->value, q->regex, err) < 0)
			return error_prefix(
				err, ".queryParameters[%zu].value", i);
	}
	return 0;
}

static void
methods_add(struct vhost_matchers *v, const struct model_matcher *m,
	uint32_t matcher)
{
	struct image_array others = { 0, 0 };
	struct image_matcher *to;
	uint16_t mask = 0;

	for (size_t i = 0; i < m->method_count; i++) {
		enum http_method method =
			http_method_of(slice_of(m->methods[i]));

		if (method == HTTP_METHOD_OTHER)
			others.count++;
		else
			mask |= (uint16_t)(1u << method);
	}
	others.offset =
		block_room(v->block, others.count, sizeof(struct image_str));
	to = block_at(v->block, matcher);
	to->method_mask = mask;
	to->methods = others;
	others.count = 0;
	for (size_t i = 0; i < m->method_count; i++) {
		struct image_str text, *other;

		if (http_method_of(slice_of(m->methods[i])) !=
			HTTP_METHOD_OTHER)
			continue;
		text = block_text(v->block, m->methods[i]);
		other = block_at(v->block, others.offset);
		other[others.count++] = text;
	}
}

static bool
has_letter(const char *text)
{
	for (; *text != '\0'; text++) {
		char c = http_char_lower(*text);

		if (c >= 'a' && c <= 'z')
			return true;
	}
	return false;
}

static void
key_add(struct keys *keys, struct radix_key k, struct slice text,
	struct block *block)
{
	k.text = block_string(block, text).offset;
	k.length += (uint32_t)text.length;
	keys->key[keys->count++] = k;
}

static int
regex_path_add(struct vhost_matchers *v, const struct model_matcher *m,
	bool nocase, struct radix_key k, uint32_t *index, struct error *err)
{
	struct slice pattern = slice_of(m->path);
	char *literal;
	size_t length;

	str_clear(&v->text);
	str_puts(&v->text, nocase ? "(?i)" : "");
	str_puts(&v->text, m->path);
	if (regex_add(v, v->text.data, index, err) < 0)
		return error_prefix(err, ".regex");
	k.takes_all = false;
	nocase |= regex_cut_nocase(&pattern);
	literal = xmalloc(pattern.length + 1);
	length = regex_literal(pattern, literal);
	for (size_t i = 0; i < length && nocase; i++)
		literal[i] = http_char_lower(literal[i]);
	key_add(length == 0 ? &v->residual
		: nocase    ? &v->nocase
			    : &v->cased,
		k, (struct slice){ literal, length }, v->block);
	free(literal);
	return 0;
}

/* An exact path's key has the NUL behind it (model/image_radix.h). */
static void
plain_path_add(struct vhost_matchers *v, const struct model_matcher *m,
	bool nocase, struct radix_key k)
{
	bool prefix = m->path_type == MODEL_PATH_PREFIX;

	k.length = prefix ? 0 : 1;
	if (nocase)
		key_add(&v->nocase, k, slice_of(lower(&v->text, m->path)),
			v->block);
	else
		key_add(&v->cased, k, slice_of(m->path), v->block);
	if (prefix && k.takes_all && k.route < v->cover &&
		(m->path[0] == '\0' || strcmp(m->path, "/") == 0))
		v->cover = k.route;
}

/* One that asks for the same as an earlier one is never reached either. What
 * asks for nothing but a path is compared in the tree. */
static void
matcher_note(struct vhost_matchers *v, const struct model_matcher *m,
	uint32_t route, bool nocase)
{
	struct str *text = &v->text;
	uintptr_t earlier;

	str_clear(text);
	str_printf(text, "%d%d%zu:%s", (int)m->path_type, nocase,
		strlen(m->path), m->path);
	for (size_t i = 0; i < m->method_count; i++)
		str_printf(text, " %s", m->methods[i]);
	for (size_t i = 0; i < m->header_count; i++) {
		const struct model_header_matcher *h = &m->headers[i];
		const char *value = h->value != NULL ? h->value : "";

		str_printf(text, "\nh%d%d%d%s:%zu:%s", h->value != NULL,
			h->regex, h->invert_match, h->name, strlen(value),
			value);
	}
	for (size_t i = 0; i < m->query_count; i++) {
		const struct model_query_matcher *q = &m->query[i];
		const char *value = q->value != NULL ? q->value : "";

		str_printf(text, "\nq%d%d%zu:%s:%zu:%s", q->value != NULL,
			q->regex, strlen(q->name), q->name, strlen(value),
			value);
	}
	earlier = (uintptr_t)table_get(v->seen, text->data);
	if (earlier == 0)
		table_set(v->seen, text->data, (void *)(uintptr_t)(route + 1));
	else if (earlier - 1 < route)
		v->covering[v->added] = (uint32_t)(earlier - 1);
}

int
vhost_matchers_add(struct vhost_matchers *v, const struct model_matcher *m,
	uint32_t route, struct error *err)
{
	uint32_t at =
		v->first + (uint32_t)(v->added * sizeof(struct image_matcher));
	uint32_t regex = IMAGE_NO_REGEX;
	struct image_str path = block_text(v->block, m->path);
	struct image_matcher *to;
	struct radix_key k = {
		.matcher = (uint32_t)v->added,
		.route = route,
		.path_type = (uint8_t)m->path_type,
	};
	bool nocase = m->case_sensitive.given && !m->case_sensitive.value &&
		      has_letter(m->path);

	k.takes_all = m->method_count == 0 && m->header_count == 0 &&
		      m->query_count == 0;
	if (m->path_type == MODEL_PATH_REGEX) {
		if (regex_path_add(v, m, nocase, k, &regex, err) < 0)
			return -1;
	} else {
		plain_path_add(v, m, nocase, k);
	}
	if (!k.takes_all || m->path_type == MODEL_PATH_REGEX)
		matcher_note(v, m, route, nocase);
	to = block_at(v->block, at);
	to->route = route;
	to->path_type = (uint8_t)m->path_type;
	to->flags = nocase ? IMAGE_MATCHER_NOCASE : 0;
	to->path = path;
	to->regex = regex;
	v->added++;
	methods_add(v, m, at);
	if (headers_add(v, m, at, err) < 0)
		return -1;
	return query_add(v, m, at, err);
}

static void
matcher_covered(const struct radix_key *k, uint32_t covering, void *arg)
{
	struct vhost_matchers *v = arg;

	v->covering[k->matcher] = covering;
}

static struct image_array
residual_put(struct vhost_matchers *v)
{
	size_t count = v->residual.count;
	uint32_t offset = block_room(v->block, count, sizeof(uint32_t));

	for (size_t i = 0; i < count; i++) {
		const struct radix_key *k = &v->residual.key[i];

		((uint32_t *)block_at(v->block, offset))[i] = k->matcher;
		if (v->cover < k->route)
			matcher_covered(k, v->cover, v);
	}
	return (struct image_array){ offset, (uint32_t)count };
}

static struct image_array
array_put(struct block *b, const void *items, size_t count, size_t size)
{
	uint32_t offset = block_room(b, count, size);

	if (count > 0)
		memcpy(block_at(b, offset), items, count * size);
	return (struct image_array){ offset, (uint32_t)count };
}

static void
unreachable_tell(const struct vhost_matchers *v,
	vhost_unreachable_f *unreachable, void *arg)
{
	size_t i = 0;

	while (i < v->added) {
		const struct image_matcher *m = block_at(v->block, v->first);
		uint32_t route = m[i].route, covering = 0;

		for (; i < v->added && m[i].route == route; i++)
			if (covering != RADIX_NO_ROUTE)
				covering = v->covering[i];
		if (covering != RADIX_NO_ROUTE)
			unreachable(route, covering, arg);
	}
}

void
vhost_matchers_finish(
	struct vhost_matchers *v, vhost_unreachable_f *unreachable, void *arg)
{
	struct block *b = v->block;
	struct radix_nodes nodes = { NULL, 0, 0 };
	struct image_radix radix;
	struct image_array residual, node_array, regexes;
	struct image_vhost *vhost;
	uint32_t root;

	radix.cased = radix_build(b, &nodes, v->cased.key, v->cased.count,
		RADIX_NO_ROUTE, matcher_covered, v);
	radix.nocase = radix_build(b, &nodes, v->nocase.key, v->nocase.count,
		v->cover, matcher_covered, v);
	residual = residual_put(v);
	node_array.offset =
		block_copy(b, nodes.node, nodes.count * sizeof(*nodes.node));
	node_array.count = (uint32_t)nodes.count;
	regexes = array_put(b, v->regexes, v->regex_count, sizeof(*v->regexes));
	root = array_put(b, &radix, 1, sizeof(radix)).offset;
	free(nodes.node);
	vhost = block_at(b, 0);
	vhost->matchers = (struct image_array){ v->first, (uint32_t)v->added };
	vhost->nodes = node_array;
	vhost->regexes = regexes;
	vhost->root = root;
	vhost->residual = residual;
	unreachable_tell(v, unreachable, arg);
}
