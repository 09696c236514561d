/*
 * The splitter of JSON streams. However the bytes are cut, the same comes of
 * them; and of what is valid JSON, the values are those that a reader of the
 * whole finds. The first byte chooses the sort of stream and its limit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_split.h"

#define SIZE_MAX_FED (8u << 10)
#define PLENTY	     (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static int
on_value(const char *text, size_t length, void *arg)
{
	struct str *out = arg;

	expect(length > 0);
	str_append(out, text, length);
	str_putc(out, '\0');
	return out->length % 251 == 250 ? 3 : 0;
}

/* All that came of the bytes, as text. */
static void
split(const char *array, size_t max_bytes, const char *bytes, size_t size,
	size_t step, struct str *out)
{
	struct json_split *s = json_split_new(array, max_bytes, on_value, out);
	struct error err = ERROR_INIT;
	struct slice rest;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < size; i += step)
		rc = json_split_feed(
			s, bytes + i, size - i < step ? size - i : step, &err);
	expect((rc < 0) == (err.code != ERROR_NONE));
	rest = json_split_rest(s);
	expect(rest.length <= max_bytes);
	str_append(out, rest.data, rest.length);
	str_printf(out, " rc=%d done=%d skipped=%llu %s", rc,
		json_split_done(s), (unsigned long long)json_split_skipped(s),
		err.text);
	json_split_free(s);
}

static void
cut_everywhere(const char *array, size_t max_bytes, const char *bytes,
	size_t size)
{
	static const size_t steps[] = { 1, 2, 3, 17, 1000 };
	struct str whole, cut;

	str_init(&whole);
	str_init(&cut);
	split(array, max_bytes, bytes, size, size > 0 ? size : 1, &whole);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		str_clear(&cut);
		split(array, max_bytes, bytes, size, steps[i], &cut);
		expect(whole.length == cut.length &&
			memcmp(whole.data, cut.data, cut.length) == 0);
	}
	str_fini(&whole);
	str_fini(&cut);
}

/* The members of the array that a reader of the whole found, to be met. */
struct members {
	const struct doc *list;
	size_t met;
};

static int
on_member(const char *text, size_t length, void *arg)
{
	struct members *m = arg;
	struct doc *d = json_doc_read(text, length, NULL);

	expect(d != NULL && doc_equal(d, doc_at(m->list, m->met)));
	doc_free(d);
	m->met++;
	return 0;
}

/* A valid map: its members and its rest are those of the whole. */
static void
read_whole(const char *bytes, size_t size)
{
	struct doc *whole = json_doc_read(bytes, size, NULL), *rest;
	struct members m = { doc_get(whole, "a"), 0 };
	struct json_split *s;

	/* The key may be written with escapes, then it is another one here. */
	if (doc_type(whole) == DOC_MAP && memchr(bytes, '\\', size) == NULL) {
		s = json_split_new("a", PLENTY, on_member, &m);
		expect(json_split_feed(s, bytes, size, NULL) == 0);
		expect(json_split_done(s));
		expect(m.met ==
			(doc_type(m.list) == DOC_LIST ? doc_count(m.list) : 0));
		rest = json_doc_read(json_split_rest(s).data,
			json_split_rest(s).length, NULL);
		expect(rest != NULL);
		if (doc_type(m.list) == DOC_LIST)
			doc_set(whole, "a", doc_new_list());
		expect(doc_equal(whole, rest));
		doc_free(rest);
		json_split_free(s);
	}
	doc_free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;

	if (size == 0)
		return 0;
	size = size > SIZE_MAX_FED ? SIZE_MAX_FED : size - 1;
	cut_everywhere(data[0] & 1 ? "a" : NULL,
		data[0] & 2 ? 24 : PLENTY, bytes, size);
	read_whole(bytes, size);
	return 0;
}
