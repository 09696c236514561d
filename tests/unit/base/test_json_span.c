/* Tests userspace/base/json_span.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_span.h"
#include "base/mem.h"

static struct json_span
read_good(struct slice text)
{
	struct error err = ERROR_INIT;
	struct json_span s;

	if (json_span_read(text, &s, &err) != 0)
		fail_msg("%.*s: %s", (int)text.length, text.data, err.text);
	assert_int_equal(err.code, ERROR_NONE);
	return s;
}

static void
test_values(void **state)
{
	static const struct {
		const char *text, *span;
		enum doc_type type;
	} rows[] = {
		{ "null", "null", DOC_NULL },
		{ " true\n", "true", DOC_BOOL },
		{ "false", "false", DOC_BOOL },
		{ "\t\"a\\\"b\" ", "\"a\\\"b\"", DOC_STRING },
		{ "-0.5e+7", "-0.5e+7", DOC_REAL },
		{ "0", "0", DOC_REAL },
		{ "1E9 ", "1E9", DOC_REAL },
		{ "123456789012345678901234567890",
			"123456789012345678901234567890", DOC_REAL },
		{ " [ ] ", "[ ]", DOC_LIST },
		{ "{}", "{}", DOC_MAP },
		{ "{\"a\":[1,{\"]\":\"}\"}]} ", "{\"a\":[1,{\"]\":\"}\"}]}",
			DOC_MAP },
		{ "\"\\ud800\"", "\"\\ud800\"", DOC_STRING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_span s = read_good(slice_of(rows[i].text));

		assert_int_equal(s.type, rows[i].type);
		assert_true(slice_equal(s.text, slice_of(rows[i].span)));
	}
}

static void
test_refused(void **state)
{
	static const struct {
		struct slice text;
		const char *want;
	} rows[] = {
		{ { "", 0 }, "no value where one should be at byte 0" },
		{ { " ", 1 }, "no value where one should be at byte 1" },
		{ { "nul", 3 }, "no value where one should be at byte 0" },
		{ { "True", 4 }, "no value where one should be at byte 0" },
		{ { "1 2", 3 }, "more than one value at byte 2" },
		{ { "01", 2 }, "more than one value at byte 1" },
		{ { "-", 1 }, "a number that is none at byte 1" },
		{ { "+1", 2 }, "no value where one should be at byte 0" },
		{ { "1.", 2 }, "a number that is none at byte 2" },
		{ { ".5", 2 }, "no value where one should be at byte 0" },
		{ { "1e", 2 }, "a number that is none at byte 2" },
		{ { "NaN", 3 }, "no value where one should be at byte 0" },
		{ { "\"a", 2 }, "a string that does not end at byte 2" },
		{ { "'a'", 3 }, "no value where one should be at byte 0" },
		{ { "\"\\x\"", 4 }, "an escape that is none at byte 1" },
		{ { "\"\\", 2 }, "an escape that is none at byte 1" },
		{ { "\"\\\0\"", 4 }, "an escape that is none at byte 1" },
		{ { "\"\\u12g4\"", 8 },
			"\\u without four hexadecimal digits at byte 5" },
		{ { "\"\n\"", 3 },
			"a control character in a string at byte 1" },
		{ { "\"\0\"", 3 },
			"a control character in a string at byte 1" },
		{ { "\"\xff\"", 3 }, "a string that is not UTF-8 at byte 1" },
		{ { "\"\xc3\"", 3 }, "a string that is not UTF-8 at byte 1" },
		{ { "[1,]", 4 }, "no value where one should be at byte 3" },
		{ { "[1 2]", 5 },
			"a map or list that does not go on at byte 3" },
		{ { "[1}", 3 }, "a map or list that does not go on at byte 2" },
		{ { "[", 1 }, "no value where one should be at byte 1" },
		{ { "]", 1 }, "no value where one should be at byte 0" },
		{ { "{", 1 }, "no key where one should be at byte 1" },
		{ { "{a:1}", 5 }, "no key where one should be at byte 1" },
		{ { "{\"a\"}", 5 }, "no colon behind a key at byte 4" },
		{ { "{\"a\":}", 6 }, "no value where one should be at byte 5" },
		{ { "{\"a\":1,}", 8 }, "no key where one should be at byte 7" },
		{ { "[1]\0", 4 }, "more than one value at byte 3" },
		{ { "\xef\xbb\xbf{}", 5 },
			"no value where one should be at byte 0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct json_span s;
		/* ASan sees a read behind it. */
		char *text = xmemdup(rows[i].text.data, rows[i].text.length);

		assert_int_equal(json_span_read((struct slice){ text,
							rows[i].text.length },
					 &s, &err),
			-1);
		assert_string_equal(err.text, rows[i].want);
		free(text);
	}
}

static void
test_depth(void **state)
{
	size_t deep = JSON_SPAN_DEPTH;
	char text[2 * (JSON_SPAN_DEPTH + 1)];
	struct json_span s;

	(void)state;
	memset(text, '[', deep);
	memset(text + deep, ']', deep);
	assert_int_equal(
		json_span_read((struct slice){ text, 2 * deep }, &s, NULL), 0);
	assert_int_equal(s.text.length, 2 * deep);
	memset(text, '[', deep + 1);
	memset(text + deep + 1, ']', deep + 1);
	assert_int_equal(
		json_span_read((struct slice){ text, sizeof(text) }, &s, NULL),
		-1);
}

static void
test_walk(void **state)
{
	static const char text[] =
		" { \"a\" : 1 , \"\\u0062\":[ true , \"x,y\" ,[]],\"c\":{}, "
		"\"c\":null}";
	static const char *const keys[] = { "a", "b", "c", "c" };
	static const char *const values[] = { "1", "[ true , \"x,y\" ,[]]",
		"{}", "null" };
	struct json_span whole = read_good(slice_of(text)), key, value;
	struct json_span_walk w, inner;
	size_t count = 0, of_list = 0;

	(void)state;
	json_span_walk(&w, &whole);
	for (; json_span_next(&w, &key, &value); count++) {
		assert_true(json_span_equal(&key, keys[count]));
		assert_false(json_span_equal(&key, "d"));
		assert_false(json_span_equal(&value, "1"));
		assert_true(slice_equal(value.text, slice_of(values[count])));
		json_span_walk(&inner, &value);
		while (json_span_next(&inner, &key, &value))
			of_list++;
	}
	assert_int_equal(count, 4);
	assert_int_equal(of_list, 3);
	/* Nothing to walk in what has no members, and in nothing. */
	whole = read_good(slice_of("\"a\""));
	json_span_walk(&w, &whole);
	assert_false(json_span_next(&w, NULL, &value));
	whole = (struct json_span){ 0 };
	json_span_walk(&w, &whole);
	assert_false(json_span_next(&w, NULL, &value));
	assert_false(json_span_equal(&whole, ""));
}

static void
test_strings(void **state)
{
	static const struct {
		const char *coded;
		struct slice plain;
	} rows[] = {
		{ "\"\"", { "", 0 } },
		{ "\"plain\"", { "plain", 5 } },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", { "\"\\/\b\f\n\r\t", 8 } },
		{ "\"a\\u0000b\"", { "a\0b", 3 } },
		{ "\"\\u00e4\\u20AC\"", { "\xc3\xa4\xe2\x82\xac", 5 } },
		{ "\"\\ud83d\\ude00!\"", { "\xf0\x9f\x98\x80!", 5 } },
		{ "\"\\ud83d\"", { "\xef\xbf\xbd", 3 } },
		{ "\"\\ud83dx\"", { "\xef\xbf\xbdx", 4 } },
		{ "\"\\ude00\\ud83d\"", { "\xef\xbf\xbd\xef\xbf\xbd", 6 } },
		{ "\"\\ud83d\\u0041\"", { "\xef\xbf\xbd"
					  "A",
						4 } },
		{ "\"\xe2\x82\xac\"", { "\xe2\x82\xac", 3 } },
		{ "12.50", { "12.50", 5 } },
		{ "[ 1 ]", { "[ 1 ]", 5 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_span s = read_good(slice_of(rows[i].coded));
		struct str out;

		str_init(&out);
		str_puts(&out, ">");
		json_span_text(&s, &out);
		assert_int_equal(out.length, rows[i].plain.length + 1);
		assert_memory_equal(
			out.data + 1, rows[i].plain.data, rows[i].plain.length);
		str_fini(&out);
	}
}

/* ---- another reader of JSON says the same */

static unsigned long long seed;

static unsigned
roll(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static struct doc *doc_of(const struct json_span *s);

static void
members_of(const struct json_span *s, struct doc *into)
{
	struct json_span key, value;
	struct json_span_walk w;
	struct str name;

	str_init(&name);
	json_span_walk(&w, s);
	while (json_span_next(&w, &key, &value)) {
		if (s->type == DOC_LIST) {
			doc_add(into, doc_of(&value));
			continue;
		}
		str_clear(&name);
		json_span_text(&key, &name);
		doc_set(into, name.data, doc_of(&value));
	}
	str_fini(&name);
}

static struct doc *
doc_of(const struct json_span *s)
{
	struct doc *d;
	struct str text;

	if (s->type == DOC_MAP || s->type == DOC_LIST) {
		d = s->type == DOC_MAP ? doc_new_map() : doc_new_list();
		members_of(s, d);
		return d;
	}
	if (s->type == DOC_NULL)
		return doc_new_null();
	if (s->type == DOC_BOOL)
		return doc_new_bool(s->text.data[0] == 't');
	str_init(&text);
	json_span_text(s, &text);
	if (s->type == DOC_STRING)
		d = doc_new_string_n(text.data, text.length);
	else if (strpbrk(text.data, ".eE") != NULL)
		d = doc_new_real(strtod(text.data, NULL));
	else
		d = doc_new_integer(strtoll(text.data, NULL, 10));
	str_fini(&text);
	return d;
}

/* What the other refuses besides what is wrong: keys that come twice, U+0000,
 * half surrogates, numbers that no double or int64 holds. */
static bool
refused_for_more(const char *why)
{
	static const char *const more[] = { "duplicate key", "NUL character",
		"surrogate", "\\u0000", "too big", "overflow", "Unicode",
		"nested too deeply" };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (strstr(why, more[i]) != NULL)
			return true;
	return false;
}

static void
compare(const char *text, size_t length)
{
	struct error err = ERROR_INIT;
	struct doc *whole, *ours;
	struct json_span s;
	bool good =
		json_span_read((struct slice){ text, length }, &s, NULL) == 0;

	whole = json_doc_read(text, length, &err);
	if (whole == NULL && good && !refused_for_more(err.text))
		fail_msg("taken: %.*s (%s)", (int)length, text, err.text);
	if (whole != NULL && !good)
		fail_msg("refused: %.*s", (int)length, text);
	if (whole != NULL) {
		ours = doc_of(&s);
		assert_true(doc_equal(ours, whole));
		doc_free(ours);
	}
	doc_free(whole);
}

static void
test_same_as_another_reader(void **state)
{
	static const char base[] =
		"{\"statusCode\":200,\"headers\":{\"A\":\"x\\n\",\"b\":1.5e3},"
		"\"c\":[true,false,null,[],{},-1],\"\\u00e4\":\"\xc3\xa4\"}";
	static const char odd[] = "{}[]\",:\\u0 1e-.tn\xc3\x80\x1f";
	size_t length = sizeof(base) - 1;
	unsigned good = 0;

	(void)state;
	for (unsigned long long i = 0; i < 20000; i++) {
		char *text = xmemdup(base, length);
		struct json_span s;
		size_t cut = length;

		seed = i;
		for (unsigned k = roll(4); k > 0; k--)
			text[roll((unsigned)length)] =
				odd[roll(sizeof(odd) - 1)];
		if (roll(4) == 0)
			cut = roll((unsigned)length);
		text = xreallocarray(text, cut > 0 ? cut : 1, 1);
		compare(text, cut);
		good += json_span_read((struct slice){ text, cut }, &s, NULL) ==
			0;
		free(text);
	}
	assert_in_range(good, 1000, 19000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_same_as_another_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
