/* Method, header fields and query parameters of a request. */
#include "routing/condition.h"

#include "http/chars.h"

static bool
method_holds(const struct condition_run *run, const struct image_matcher *m,
	const struct http_head *head)
{
	const struct image_str *other;

	if (m->method_mask == 0 && m->methods.count == 0)
		return true;
	if (head->method != HTTP_METHOD_OTHER)
		return (m->method_mask >> head->method & 1) != 0;
	other = image_at(run->vhost, m->methods.offset);
	for (uint32_t i = 0; i < m->methods.count; i++)
		if (slice_equal(image_text(run->vhost, other[i]),
			    head->method_text))
			return true;
	return false;
}

static enum matcher_verdict
value_holds(const struct condition_run *run, const struct image_condition *c,
	struct slice value)
{
	if (c->presence)
		return MATCHER_YES;
	if (c->regex != IMAGE_NO_REGEX)
		return matcher_matches(
			run->regexes[c->regex], run->matchers, value);
	return slice_equal(image_text(run->vhost, c->value), value)
		       ? MATCHER_YES
		       : MATCHER_NO;
}

/* found: a value that fulfils what is asked, or (MATCHER_LIMITED) may: no other
 * is looked at then, as each may take as long. */
static enum matcher_verdict
outcome(const struct image_condition *c, enum matcher_verdict found)
{
	if (found == MATCHER_LIMITED)
		return MATCHER_LIMITED;
	return (found == MATCHER_YES) != c->invert ? MATCHER_YES : MATCHER_NO;
}

static enum matcher_verdict
header_holds(const struct condition_run *run, const struct image_condition *c,
	const struct router_request *request)
{
	const struct http_head *head = request->head;
	struct slice name = image_text(run->vhost, c->name);
	enum matcher_verdict found;

	if (c->field_id == HTTP_FIELD_X_FORWARDED_PROTO)
		return outcome(
			c, value_holds(run, c,
				   http_scheme(head, request->peer_trusted,
					   request->tls)));
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->id != c->field_id || f->name_length != name.length)
			continue;
		if (f->id == HTTP_FIELD_OTHER &&
			!slice_equal_nocase(http_field_name(head, f), name))
			continue;
		if (!http_field_counts(head, f, request->peer_trusted))
			continue;
		found = value_holds(run, c, http_field_value(head, f));
		if (found != MATCHER_NO)
			return outcome(c, found);
	}
	return outcome(c, MATCHER_NO);
}

/* coded without its %XX into out, which is emptied first. */
static struct slice
decode(struct slice coded, struct str *out)
{
	if (coded.length == 0 || memchr(coded.data, '%', coded.length) == NULL)
		return coded;
	str_clear(out);
	for (size_t i = 0; i < coded.length; i++) {
		char c = coded.data[i];

		if (c == '%' && i + 2 < coded.length &&
			http_char_hex(coded.data[i + 1]) >= 0 &&
			http_char_hex(coded.data[i + 2]) >= 0) {
			c = (char)(http_char_hex(coded.data[i + 1]) << 4 |
				   http_char_hex(coded.data[i + 2]));
			i += 2;
		}
		str_putc(out, c);
	}
	return (struct slice){ out->data, out->length };
}

/* Cuts the piece up to the next c (or the end) off the front of text. */
static struct slice
cut(struct slice *text, char c)
{
	const char *at = NULL;
	struct slice piece = *text;

	if (text->length > 0)
		at = memchr(text->data, c, text->length);
	if (at == NULL) {
		*text = (struct slice){ NULL, 0 };
		return piece;
	}
	piece.length = (size_t)(at - text->data);
	text->data = at + 1;
	text->length -= piece.length + 1;
	return piece;
}

static enum matcher_verdict
query_holds(const struct condition_run *run, const struct image_condition *c,
	struct slice query)
{
	struct slice name = image_text(run->vhost, c->name);
	enum matcher_verdict found;

	while (query.data != NULL) {
		struct slice value = cut(&query, '&');
		struct slice key = cut(&value, '=');

		if (!slice_equal(decode(key, run->text), name))
			continue;
		found = value_holds(run, c, decode(value, run->text));
		if (found != MATCHER_NO)
			return outcome(c, found);
	}
	return outcome(c, MATCHER_NO);
}

enum matcher_verdict
conditions_hold(const struct condition_run *run, const struct image_matcher *m,
	const struct router_request *request)
{
	enum matcher_verdict all = MATCHER_YES, one;
	const struct image_condition *c;

	if (!method_holds(run, m, request->head))
		return MATCHER_NO;
	c = image_at(run->vhost, m->headers.offset);
	for (uint32_t i = 0; i < m->headers.count; i++) {
		one = header_holds(run, &c[i], request);
		if (one == MATCHER_NO)
			return MATCHER_NO;
		if (one == MATCHER_LIMITED)
			all = MATCHER_LIMITED;
	}
	c = image_at(run->vhost, m->query.offset);
	for (uint32_t i = 0; i < m->query.count; i++) {
		one = query_holds(run, &c[i], request->target.query);
		if (one == MATCHER_NO)
			return MATCHER_NO;
		if (one == MATCHER_LIMITED)
			all = MATCHER_LIMITED;
	}
	return all;
}
