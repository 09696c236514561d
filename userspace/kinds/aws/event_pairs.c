/* Names with values, on their way into the maps of an event. */
#include "kinds/aws/event_pairs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

void
event_pairs_init(struct event_pairs *p)
{
	*p = (struct event_pairs){ 0 };
	str_init(&p->text);
}

void
event_pairs_fini(struct event_pairs *p)
{
	free(p->at);
	str_fini(&p->text);
}

void
event_pairs_add(struct event_pairs *p, struct slice name, struct slice value)
{
	if (p->count == p->capacity) {
		p->capacity = p->capacity == 0 ? 32 : p->capacity * 2;
		p->at = xreallocarray(p->at, p->capacity, sizeof(*p->at));
	}
	if (value.data == NULL)
		value.data = "";
	p->at[p->count] = (struct event_pair){ name, value, p->count };
	p->count++;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent-code that is none stays as it is written. */
static void
decode(struct slice coded, struct str *out)
{
	const char *p = coded.data;
	size_t left = coded.length;

	for (; left > 0; p++, left--) {
		if (*p == '+') {
			str_putc(out, ' ');
		} else if (*p == '%' && left >= 3 && hex_value(p[1]) >= 0 &&
			   hex_value(p[2]) >= 0) {
			str_putc(out,
				(char)(hex_value(p[1]) << 4 | hex_value(p[2])));
			p += 2;
			left -= 2;
		} else {
			str_putc(out, *p);
		}
	}
}

/* p->text has the room: slices of it must stay where they are. */
static struct slice
own_slice(struct event_pairs *p, struct slice text, bool decoded,
	struct str *scratch)
{
	size_t begin = p->text.length;

	if (decoded) {
		str_clear(scratch);
		decode(text, scratch);
		text = (struct slice){ scratch->data, scratch->length };
	}
	utf8_put_valid(&p->text, text.data, text.length);
	return (struct slice){ p->text.data + begin, p->text.length - begin };
}

void
event_pairs_add_query(struct event_pairs *p, struct slice query, bool decoded)
{
	const char *at = query.data, *end = at + query.length;
	struct str scratch;

	if (query.length == 0)
		return;
	str_init(&scratch);
	str_reserve(&p->text, 3 * query.length);
	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		const char *equals;
		struct slice name, value = { "", 0 };

		stop = stop == NULL ? end : stop;
		equals = memchr(at, '=', (size_t)(stop - at));
		name.data = at;
		name.length = (size_t)((equals == NULL ? stop : equals) - at);
		if (equals != NULL)
			value = (struct slice){ equals + 1,
				(size_t)(stop - equals - 1) };
		if (stop > at) /* "a&&b" has two */
			event_pairs_add(p,
				own_slice(p, name, decoded, &scratch),
				own_slice(p, value, decoded, &scratch));
		at = stop + (stop < end);
	}
	str_fini(&scratch);
}

struct slice
event_pairs_find(const struct event_pairs *p, const char *name)
{
	struct slice found = { NULL, 0 };
	size_t place = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct event_pair *e = &p->at[i];

		if (slice_equal_nocase(e->name, slice_of(name)) &&
			(found.data == NULL || e->place > place)) {
			found = e->value;
			place = e->place;
		}
	}
	return found;
}

/* By name, then by place. */
static int
order(const struct event_pair *a, const struct event_pair *b, bool nocase)
{
	size_t shorter = a->name.length < b->name.length ? a->name.length
							 : b->name.length;
	int by = 0;

	if (shorter > 0)
		by = nocase ? strncasecmp(a->name.data, b->name.data, shorter)
			    : memcmp(a->name.data, b->name.data, shorter);
	if (by == 0 && a->name.length != b->name.length)
		by = a->name.length < b->name.length ? -1 : 1;
	return by;
}

static int
compare(const void *a, const void *b)
{
	const struct event_pair *x = a, *y = b;
	int by = order(x, y, false);

	return by != 0 ? by : x->place < y->place ? -1 : 1;
}

static int
compare_nocase(const void *a, const void *b)
{
	const struct event_pair *x = a, *y = b;
	int by = order(x, y, true);

	return by != 0 ? by : x->place < y->place ? -1 : 1;
}

static void
put_name(const struct event_pairs *p, struct slice name, struct str *out)
{
	size_t begin = out->length;

	json_quote(out, name.data, name.length);
	/* A field's name is a token: nothing of it was escaped. */
	for (size_t i = begin; p->lower && i < out->length; i++)
		if (out->data[i] >= 'A' && out->data[i] <= 'Z')
			out->data[i] |= 0x20;
	str_putc(out, ':');
}

static void
put_joined(const struct event_pair *e, size_t count, struct str *out)
{
	struct str all;

	str_init(&all);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			str_putc(&all, ',');
		str_append(&all, e[i].value.data, e[i].value.length);
	}
	json_quote(out, all.data, all.length);
	str_fini(&all);
}

/* Those of one name. */
static void
put_values(const struct event_pair *e, size_t count, enum event_pairs_form form,
	struct str *out)
{
	const struct slice *last = &e[count - 1].value;

	if (form == EVENT_PAIRS_LAST) {
		json_quote(out, last->data, last->length);
	} else if (form == EVENT_PAIRS_JOINED) {
		put_joined(e, count, out);
	} else {
		for (size_t i = 0; i < count; i++) {
			str_putc(out, i == 0 ? '[' : ',');
			json_quote(out, e[i].value.data, e[i].value.length);
		}
		str_putc(out, ']');
	}
}

void
event_pairs_put(
	struct event_pairs *p, enum event_pairs_form form, struct str *out)
{
	const char *before = "{";
	size_t next;

	if (p->count > 1)
		qsort(p->at, p->count, sizeof(*p->at),
			p->nocase ? compare_nocase : compare);
	for (size_t i = 0; i < p->count; i = next) {
		for (next = i + 1; next < p->count; next++)
			if (order(&p->at[i], &p->at[next], p->nocase) != 0)
				break;
		if (form == EVENT_PAIRS_SEVERAL && next - i == 1)
			continue;
		str_puts(out, before);
		put_name(p, p->at[i].name, out);
		put_values(&p->at[i], next - i, form, out);
		before = ",";
	}
	if (*before == '{')
		str_putc(out, '{');
	str_putc(out, '}');
}
