/* Tests userspace/base/json.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"

static void
test_read_and_write(void **state)
{
	static const struct {
		const char *what, *in, *out;
	} rows[] = {
		{ "null", "null", "null" },
		{ "booleans", "[true,false]", "[true,false]" },
		{ "the largest integers",
			"[9223372036854775807,-9223372036854775808]",
			"[9223372036854775807,-9223372036854775808]" },
		{ "a real stays a real", "[1.0,1e2,0.1,-2.5e-7]",
			"[1.0,100.0,0.1,-2.5e-07]" },
		{ "keys are sorted", "{\"b\":1,\"a\":{\"d\":2,\"c\":3}}",
			"{\"a\":{\"c\":3,\"d\":2},\"b\":1}" },
		{ "empty ones", " { \"a\" : [ ] , \"b\" : { } } ",
			"{\"a\":[],\"b\":{}}" },
		{ "escapes", "\"\\u0041\\n\\t\\\"\\\\\\/\\u001f\\b\\f\\r\"",
			"\"A\\n\\t\\\"\\\\/\\u001f\\b\\f\\r\"" },
		{ "a pair of surrogates", "\"\\ud83d\\ude00\"",
			"\"\xf0\x9f\x98\x80\"" },
		{ "UTF-8 passes", "\"\xc3\xa9\"", "\"\xc3\xa9\"" },
		{ "an empty key", "{\"\":1}", "{\"\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct doc *d;
		struct str s;

		d = json_doc_read(rows[i].in, strlen(rows[i].in), &err);
		if (d == NULL)
			fail_msg("%s: %s", rows[i].what, err.text);
		str_init(&s);
		json_doc_write(d, 0, &s);
		if (strcmp(s.data, rows[i].out) != 0)
			fail_msg("%s: %s", rows[i].what, s.data);
		str_fini(&s);
		doc_free(d);
	}
}

#define ROW(text) text, sizeof(text) - 1

static void
test_refusals(void **state)
{
	static const struct {
		const char *what, *in;
		size_t length;
		int line;
		const char *says; /* or NULL */
	} rows[] = {
		{ "nothing", ROW(""), 1, NULL },
		{ "two values", ROW("1\n2"), 2, NULL },
		{ "a tail", ROW("{}x"), 1, NULL },
		{ "a key twice", ROW("{\"a\":1,\n\"b\":2,\n\"a\":3}"), 3,
			"duplicate key \"a\"" },
		{ "a key twice, deeper", ROW("[{\"k\":{\"x\":1,\"x\":1}}]"), 1,
			"duplicate key \"x\"" },
		{ "a NUL", ROW("{\"a\":\n\"b\0c\"}"), 2, "NUL" },
		{ "an escaped NUL", ROW("{\"a\":\n\"b\\u0000c\"}"), 2, "NUL" },
		{ "an escaped NUL in a key", ROW("{\"b\\u0000c\":1}"), 1,
			"NUL" },
		{ "a NUL at the end", ROW("{}\0"), 1, "NUL" },
		{ "Latin-1", ROW("\"\xe9\""), 1, NULL },
		{ "an overlong form", ROW("\"\xc0\xaf\""), 1, NULL },
		{ "a surrogate in UTF-8", ROW("\"\xed\xa0\x80\""), 1, NULL },
		{ "half a pair", ROW("\"\\ud83d\""), 1, NULL },
		{ "an integer past 64 bits", ROW("\n\n9223372036854775808"), 3,
			NULL },
		{ "a real past what a double holds", ROW("1e999"), 1, NULL },
		{ "not a number", ROW("NaN"), 1, NULL },
		{ "a leading zero", ROW("01"), 1, NULL },
		{ "a comma too many", ROW("[1,]"), 1, NULL },
		{ "single quotes", ROW("{'a':1}"), 1, NULL },
		{ "a comment", ROW("{} // x"), 1, NULL },
		{ "a control character", ROW("\"a\nb\""), 1, NULL },
		{ "cut short", ROW("{\"a\":[1,2"), 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		/* At its very end, so that reading past it is seen. */
		char *text = xmemdup(rows[i].in, rows[i].length);

		if (json_doc_read(text, rows[i].length, &err) != NULL)
			fail_msg("%s: was read", rows[i].what);
		free(text);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_true(err.text[0] != '\0');
		if (err.line != rows[i].line)
			fail_msg("%s: line %d", rows[i].what, err.line);
		if (rows[i].says != NULL &&
			strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].what, err.text);
	}
	assert_null(json_doc_read("x", 1, NULL));
}

static char *
nested(size_t depth, char open, char close)
{
	char *text = xmalloc(2 * depth + 1);

	memset(text, open, depth);
	memset(text + depth, close, depth);
	text[2 * depth] = '\0';
	return text;
}

static void
test_depth(void **state)
{
	static const struct {
		size_t depth;
		bool valid;
	} rows[] = { { DOC_MAX_DEPTH, true }, { DOC_MAX_DEPTH + 1, false },
		{ 2000, false }, { 10000, false }, { 1000000, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		char *text = nested(rows[i].depth, '[', ']');
		struct doc *d = json_doc_read(text, strlen(text), &err);

		assert_int_equal(d != NULL, rows[i].valid);
		if (d == NULL)
			assert_string_equal(
				err.text, "the text is nested too deeply");
		doc_free(d);
		free(text);
	}
}

static void
test_size(void **state)
{
	struct error err = ERROR_INIT;
	size_t length = (size_t)DOC_MAX_BYTES + 1;
	char *text = xmalloc(length);

	(void)state;
	memset(text, ' ', length);
	text[0] = '1';
	assert_null(json_doc_read(text, length, &err));
	assert_int_equal(err.code, ERROR_LIMIT);
	free(text);
}

static void
test_lines(void **state)
{
	static const char text[] = "{\n"
				   "  \"a}\\\"\": \"x]\\\\\",\n"
				   "  \"b\":\n"
				   "    [1,\r\n"
				   "     2.5, {},\n"
				   "     {\"c\"\n"
				   "     :null}, []\n"
				   "    ],\n"
				   "  \"d\": true}";
	struct doc *d = json_doc_read(text, strlen(text), NULL);
	struct doc *b;

	(void)state;
	assert_non_null(d);
	assert_int_equal(doc_line(d), 1);
	assert_int_equal(doc_line(doc_get(d, "a}\"")), 2);
	b = doc_get(d, "b");
	assert_int_equal(doc_line(b), 4);
	assert_int_equal(doc_line(doc_at(b, 0)), 4);
	assert_int_equal(doc_line(doc_at(b, 1)), 5);
	assert_int_equal(doc_line(doc_at(b, 2)), 5);
	assert_int_equal(doc_line(doc_at(b, 3)), 6);
	assert_int_equal(doc_line(doc_get(doc_at(b, 3), "c")), 7);
	assert_int_equal(doc_line(doc_at(b, 4)), 7);
	assert_int_equal(doc_line(doc_get(d, "d")), 9);
	assert_string_equal(doc_key_at(d, 0), "a}\"");
	assert_string_equal(doc_key_at(d, 2), "d");
	doc_free(d);
}

static void
test_indent(void **state)
{
	static const char text[] = "{\"b\":[1,{}],\"a\":[]}";
	struct doc *d = json_doc_read(text, strlen(text), NULL);
	struct str s;

	(void)state;
	str_init(&s);
	json_doc_write(d, 2, &s);
	assert_string_equal(s.data, "{\n"
				    "  \"a\": [],\n"
				    "  \"b\": [\n"
				    "    1,\n"
				    "    {}\n"
				    "  ]\n"
				    "}");
	str_fini(&s);
	doc_free(d);
	d = doc_new_real(INFINITY);
	json_doc_write(d, 0, &s);
	assert_string_equal(s.data, "null");
	str_fini(&s);
	doc_free(d);
}

static void
test_quote_hostile_bytes(void **state)
{
	static const struct {
		const char *what, *in;
		size_t length;
		const char *out;
	} rows[] = {
		{ "nothing", ROW(""), "\"\"" },
		{ "quotes and NUL", ROW("a\"b\\c\0d"),
			"\"a\\\"b\\\\c\\u0000d\"" },
		{ "a lone byte", ROW("a\xff z"), "\"a\\ufffd z\"" },
		{ "a cut character", ROW("a\xe2\x82"), "\"a\\ufffd\\ufffd\"" },
		{ "a surrogate", ROW("\xed\xa0\x80"),
			"\"\\ufffd\\ufffd\\ufffd\"" },
		{ "past U+10FFFF", ROW("\xf4\x90\x80\x80"),
			"\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "the last character", ROW("\xf4\x8f\xbf\xbf"),
			"\"\xf4\x8f\xbf\xbf\"" },
		{ "vertical tab and DEL", ROW("\v\x7f"), "\"\\u000b\\u007f\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xmemdup(rows[i].in, rows[i].length);
		struct str s;

		str_init(&s);
		json_quote(&s, text, rows[i].length);
		assert_int_equal(s.length,
			json_quoted_length(text, rows[i].length));
		if (strcmp(s.data, rows[i].out) != 0)
			fail_msg("%s: %s", rows[i].what, s.data);
		str_fini(&s);
		free(text);
	}
}

/*
 * JSONTestSuite, where it lies beside the checkout ($GG_SHARED or ../shared):
 * y_ must be read, n_ must not, i_ is ours to decide.
 */
#define SUITE_MUST     95
#define SUITE_MUST_NOT 188
#define SUITE_MAY      35

/* Valid by RFC 8259, and refused by base/doc.h for everybody's sake. */
static const char *const suite_exceptions[] = {
	"y_object_duplicated_key.json", /* which of them would count? */
	"y_object_duplicated_key_and_value.json",
	"y_object_escaped_null_in_key.json", /* no NUL in texts */
	"y_string_null_escape.json",
};

static unsigned suite_must, suite_must_not, suite_may, suite_excepted;

static bool
suite_is_exception(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(suite_exceptions); i++)
		if (strcmp(name, suite_exceptions[i]) == 0)
			return true;
	return false;
}

static struct doc *
suite_read(const char *path, size_t size)
{
	struct error err = ERROR_INIT;
	FILE *file = fopen(path, "rb");
	char *text = xmalloc(size); /* no byte more than there is */
	struct doc *d;

	assert_non_null(file);
	assert_int_equal(fread(text, 1, size, file), size);
	fclose(file);
	d = json_doc_read(text, size, &err);
	if (d == NULL && (err.code == ERROR_NONE || err.text[0] == '\0'))
		fail_msg("%s: refused without a reason", path);
	free(text);
	return d;
}

/* What was read is written so that it reads to the same. */
static void
suite_rewrite(const char *path, const struct doc *d)
{
	struct doc *again;
	struct str s;

	str_init(&s);
	json_doc_write(d, 0, &s);
	again = json_doc_read(s.data, s.length, NULL);
	if (again == NULL || !doc_equal(d, again))
		fail_msg("%s: written as %s", path, s.data);
	doc_free(again);
	str_fini(&s);
}

static int
suite_case(const char *path, const struct stat *st, int type, struct FTW *w)
{
	const char *name = path + w->base;
	struct doc *d;

	if (type != FTW_F)
		return 0;
	d = suite_read(path, (size_t)st->st_size);
	if (d != NULL)
		suite_rewrite(path, d);
	if (name[0] == 'y') {
		suite_must++;
		if (suite_is_exception(name)) {
			assert_null(d);
			suite_excepted++;
		} else if (d == NULL) {
			fail_msg("%s: refused", name);
		}
	} else if (name[0] == 'n') {
		suite_must_not++;
		if (d != NULL)
			fail_msg("%s: read", name);
	} else {
		suite_may++;
	}
	doc_free(d);
	return 0;
}

static int
entry_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

static void
test_suite(void **state)
{
	const char *shared = getenv("GG_SHARED");
	char folder[] = "/tmp/gg-json-XXXXXX", path[512], command[1024];

	(void)state;
	snprintf(path, sizeof(path),
		"%s/data/json-test-suite/test_parsing.tar.gz",
		shared != NULL ? shared : "../shared");
	if (access(path, R_OK) != 0) {
		print_message("skipped: %s is not there\n", path);
		skip();
	}
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "tar -xzf '%s' -C %s", path, folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(nftw(folder, suite_case, 16, FTW_PHYS), 0);
	assert_int_equal(
		nftw(folder, entry_remove, 16, FTW_PHYS | FTW_DEPTH), 0);
	assert_int_equal(suite_must, SUITE_MUST);
	assert_int_equal(suite_must_not, SUITE_MUST_NOT);
	assert_int_equal(suite_may, SUITE_MAY);
	assert_int_equal(suite_excepted, ARRAY_SIZE(suite_exceptions));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_indent),
		cmocka_unit_test(test_quote_hostile_bytes),
		cmocka_unit_test(test_suite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
