/* Tests userspace/base/yaml.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"

/* What is read is compared as JSON. */
static void
test_read(void **state)
{
	static const struct {
		const char *what, *in, *json;
	} rows[] = {
		{ "nothing", "", "null" },
		{ "only a comment", "# x\n", "null" },
		{ "nulls", "[null, Null, NULL, ~, ]",
			"[null,null,null,null]" },
		{ "an absent value", "a:\nb: 1\n", "{\"a\":null,\"b\":1}" },
		{ "booleans", "[true, True, TRUE, false, False, FALSE]",
			"[true,true,true,false,false,false]" },
		{ "words that YAML 1.1 took for booleans",
			"[yes, no, on, off, y, n]",
			"[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]" },
		{ "integers", "[0, -1, +2, 007, 0o17, 0xfF]",
			"[0,-1,2,7,15,255]" },
		{ "the largest integers",
			"[9223372036854775807, -9223372036854775808]",
			"[9223372036854775807,-9223372036854775808]" },
		{ "reals", "[1.5, .5, 2., 1e3, -1.5E-2]",
			"[1.5,0.5,2.0,1000.0,-0.015]" },
		{ "what only looks like numbers",
			"[1.2.3, 0x, 0o8, 1e, ., '-', +, 12:30, 1_000, 1s]",
			"[\"1.2.3\",\"0x\",\"0o8\",\"1e\",\".\",\"-\",\"+\","
			"\"12:30\",\"1_000\",\"1s\"]" },
		{ "quoted is always a string", "['1', \"true\", '', 'null']",
			"[\"1\",\"true\",\"\",\"null\"]" },
		{ "a quoted merge key", "'<<': 1", "{\"<<\":1}" },
		{ "keys are texts", "true: 1\n8080: 2\n",
			"{\"8080\":2,\"true\":1}" },
		{ "block text", "a: |\n  x\n   y\nb: >-\n  c\n  d\n",
			"{\"a\":\"x\\n y\\n\",\"b\":\"c d\"}" },
		{ "flow is JSON too", "{\"a\": [1, {\"b\": null}]}",
			"{\"a\":[1,{\"b\":null}]}" },
		{ "a sequence on the key's column", "a:\n- 1\n- b: 2\n  c: 3\n",
			"{\"a\":[1,{\"b\":2,\"c\":3}]}" },
		{ "a start mark and an end mark", "---\na: 1\n...\n",
			"{\"a\":1}" },
		{ "a byte order mark", "\xef\xbb\xbf" "a: 1\n", "{\"a\":1}" },
		{ "UTF-8", "a: \xc3\xa9\n", "{\"a\":\"\xc3\xa9\"}" },
		{ "Windows line ends", "a: 1\r\nb: 2\r\n",
			"{\"a\":1,\"b\":2}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct doc *d;
		struct str s;

		d = yaml_doc_read(rows[i].in, strlen(rows[i].in), &err);
		if (d == NULL)
			fail_msg("%s: %s", rows[i].what, err.text);
		str_init(&s);
		json_doc_write(d, 0, &s);
		if (strcmp(s.data, rows[i].json) != 0)
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
		{ "a key twice", ROW("a: 1\nb: 2\na: 3\n"), 3,
			"duplicate key \"a\", it is on line 1 already" },
		{ "a key twice, deeper", ROW("x:\n  - {k: 1, k: 2}\n"), 2,
			"duplicate key \"k\"" },
		{ "a key twice, quoted and not", ROW("a: 1\n'a': 3\n"), 2,
			"duplicate key \"a\"" },
		{ "a merge", ROW("a: 1\n<<: {b: 2}\n"), 2, "<<" },
		{ "an anchor", ROW("a: 1\nb: &x 1\n"), 2, "anchors" },
		{ "an anchor on a map", ROW("b: &x\n  c: 1\n"), 1,
			"anchors" },
		{ "an alias", ROW("a: 1\nb: *x\n"), 2, "aliases" },
		{ "a tag", ROW("a: !!int \"1\"\n"), 1, "tags" },
		{ "a tag of one's own", ROW("a: !x [1]\n"), 1, "tags" },
		{ "a list as key", ROW("? [1, 2]\n: 3\n"), 1, "a list" },
		{ "a map as key", ROW("{{a: 1}: 3}\n"), 1, "a map" },
		{ "no key", ROW("a: 1\n: 3\n"), 2, "key" },
		{ "two documents", ROW("a: 1\n---\nb: 2\n"), 2,
			"second document" },
		{ "an integer past 64 bits",
			ROW("a:\n- 9223372036854775808\n"), 2,
			"out of range" },
		{ "a real past what a double holds", ROW("1e999"), 1,
			"out of range" },
		{ "infinity", ROW("a: -.inf"), 1, "finite" },
		{ "not a number", ROW("a: .NaN"), 1, "finite" },
		{ "a NUL", ROW("a: 1\nb: x\0y\n"), 2, "NUL" },
		{ "an escaped NUL", ROW("a: 1\nb: \"x\\0y\"\n"), 2, "NUL" },
		{ "Latin-1", ROW("a: 1\nb: caf\xe9\n"), 2, NULL },
		{ "an overlong form", ROW("a: \xc0\xaf\n"), 1, NULL },
		{ "UTF-16", ROW("\xff\xfe" "a\n"), 1, NULL },
		{ "a control character", ROW("a: 1\nb: \x01\n"), 2, NULL },
		{ "a tab as indent", ROW("a:\n\tb: 1\n"), 2, NULL },
		{ "a bracket left open", ROW("a: [1, 2\n"), 2, NULL },
		{ "two colons", ROW("a: b: c\n"), 1, NULL },
		{ "an outdented line", ROW("a:\n    b: 1\n  c: 2\n"), 3, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		char *text = xmemdup(rows[i].in, rows[i].length);

		if (yaml_doc_read(text, rows[i].length, &err) != NULL)
			fail_msg("%s: was read", rows[i].what);
		free(text);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_true(err.text[0] != '\0');
		if (err.line != rows[i].line)
			fail_msg("%s: line %d: %s", rows[i].what, err.line,
				err.text);
		if (rows[i].says != NULL &&
			strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].what, err.text);
	}
	assert_null(yaml_doc_read("[", 1, NULL));
}

static char *
nested(size_t depth, const char *level, const char *end)
{
	struct str s;

	str_init(&s);
	for (size_t i = 0; i < depth; i++)
		str_puts(&s, level);
	str_puts(&s, "x");
	for (size_t i = 0; i < depth; i++)
		str_puts(&s, end);
	return str_steal(&s);
}

static void
test_depth(void **state)
{
	static const struct {
		size_t depth;
		bool valid;
	} rows[] = { { DOC_MAX_DEPTH, true }, { DOC_MAX_DEPTH + 1, false },
		{ 10000, false }, { 1000000, false } };
	static const char *const shapes[][2] = { { "[", "]" }, { "{a: ", "}" },
		{ "- ", "" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(shapes); i++) {
		const char *const *shape = shapes[i % ARRAY_SIZE(shapes)];
		size_t depth = rows[i / ARRAY_SIZE(shapes)].depth;
		struct error err = ERROR_INIT;
		char *text = nested(depth, shape[0], shape[1]);
		struct doc *d = yaml_doc_read(text, strlen(text), &err);

		assert_int_equal(d != NULL,
			rows[i / ARRAY_SIZE(shapes)].valid);
		if (d == NULL && strcmp(err.text,
			    "the text is nested too deeply") != 0)
			fail_msg("%zu of %s: %s", depth, shape[0], err.text);
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
	memset(text, '\n', length);
	assert_null(yaml_doc_read(text, length, &err));
	assert_int_equal(err.code, ERROR_LIMIT);
	free(text);
}

static void
test_lines(void **state)
{
	static const char text[] = "# a comment\n"
				   "a: 1\n"
				   "b:\n"
				   "  - x\n"
				   "  - c: |\n"
				   "      1\n"
				   "      2\n"
				   "    d: 2\n";
	struct doc *d = yaml_doc_read(text, strlen(text), NULL);
	struct doc *b;

	(void)state;
	assert_int_equal(doc_line(d), 2);
	assert_int_equal(doc_line(doc_get(d, "a")), 2);
	b = doc_get(d, "b");
	assert_int_equal(doc_line(b), 4);
	assert_int_equal(doc_line(doc_at(b, 1)), 5);
	assert_int_equal(doc_line(doc_get(doc_at(b, 1), "d")), 8);
	doc_free(d);
}

static void
test_read_all(void **state)
{
	static const struct {
		const char *what, *in, *json;
	} rows[] = {
		{ "nothing", "", "[]" },
		{ "one", "a: 1\n", "[{\"a\":1}]" },
		{ "empty ones are left out",
			"---\n# x\n---\na: 1\n---\n---\nb: 2\n---\n",
			"[{\"a\":1},{\"b\":2}]" },
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *d = yaml_doc_read_all(rows[i].in,
			strlen(rows[i].in), NULL);
		struct str s;

		str_init(&s);
		json_doc_write(d, 0, &s);
		if (strcmp(s.data, rows[i].json) != 0)
			fail_msg("%s: %s", rows[i].what, s.data);
		str_fini(&s);
		doc_free(d);
	}
	assert_null(yaml_doc_read_all("a: 1\n---\nb: [\n", 15, &err));
	assert_int_equal(err.line, 4);
}

static void
test_write(void **state)
{
	static const struct {
		const char *what, *json, *out;
	} rows[] = {
		{ "as kubectl prints",
			"{\"status\":{\"state\":1,\"reportedBy\":\"gloo\"},"
			"\"virtualHost\":{\"routes\":[{\"matchers\":[{"
			"\"prefix\":\"/\"}],\"weights\":[1,2]}],"
			"\"domains\":[\"*\"]}}",
			"status:\n"
			"  reportedBy: gloo\n"
			"  state: 1\n"
			"virtualHost:\n"
			"  domains:\n"
			"  - '*'\n"
			"  routes:\n"
			"  - matchers:\n"
			"    - prefix: /\n"
			"    weights:\n"
			"    - 1\n"
			"    - 2\n" },
		{ "empty ones", "{\"a\":{},\"b\":[],\"c\":\"\",\"d\":null}",
			"a: {}\nb: []\nc: \"\"\nd: null\n" },
		{ "an empty map alone", "{}", "{}\n" },
		{ "an empty list alone", "[]", "[]\n" },
		{ "a list of lists", "[[1,2],[[],{}]]",
			"- - 1\n  - 2\n- - []\n  - {}\n" },
		{ "strings that look like others",
			"[\"true\",\"null\",\"12\",\"1.5\",\"0x1f\",\"yes\","
			"\"n\",\"off\",\"~\",\"1_0\",\"2001-01-01\","
			"\"12:30:45\",\".5\",\".inf\",\"1e3\",\"0o7\"]",
			"- \"true\"\n- \"null\"\n- \"12\"\n- \"1.5\"\n"
			"- \"0x1f\"\n- \"yes\"\n- \"n\"\n- \"off\"\n- \"~\"\n"
			"- \"1_0\"\n- \"2001-01-01\"\n- \"12:30:45\"\n"
			"- \".5\"\n- \".inf\"\n- \"1e3\"\n- \"0o7\"\n" },
		{ "strings that look only alike",
			"[\"10.0.0.1\",\"1.2.3\",\"nope\",\"v1\",\"a:b\","
			"\"/x y\",\"10s\"]",
			"- 10.0.0.1\n- 1.2.3\n- nope\n- v1\n- a:b\n- /x y\n"
			"- 10s\n" },
		{ "special first characters",
			"[\"*.example.com\",\"&a\",\"!x\",\"@y\",\"`z\",\"%p\","
			"\"- a\",\"a: b\",\"a #b\",\"{\",\"[::1]:80\","
			"\" a\",\"'q'\"]",
			"- '*.example.com'\n- '&a'\n- '!x'\n- '@y'\n- '`z'\n"
			"- '%p'\n- '- a'\n- 'a: b'\n- 'a #b'\n- '{'\n"
			"- '[::1]:80'\n- ' a'\n- '''q'''\n" },
		{ "keys that look like others",
			"{\"true\":1,\"80\":2,\"a b\":3,\"\":4}",
			"\"\": 4\n\"80\": 2\na b: 3\n\"true\": 1\n" },
		{ "lines", "{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\"}",
			"a: |\n  x\n  y\nb: |-\n  x\n  y\n" },
		{ "UTF-8 stays", "[\"caf\xc3\xa9\"]", "- caf\xc3\xa9\n" },
		{ "control characters", "[\"a\\u0001\\tb\"]",
			"- \"a\\x01\\tb\"\n" },
		{ "reals", "[1.0,0.1,1e300]", "- 1.0\n- 0.1\n- 1e+300\n" },
		{ "a text alone", "\"abc\"", "abc\n" },
		{ "lines alone", "\"a\\nb\\n\"", "|\n  a\n  b\n" },
		{ "many line ends are kept", "[\"a\\n\\n\\n\"]",
			"- \"a\\n\\n\\n\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *d = json_doc_read(rows[i].json,
			strlen(rows[i].json), NULL);
		struct doc *again;
		struct str s;

		assert_non_null(d);
		str_init(&s);
		yaml_doc_write(d, &s);
		if (strcmp(s.data, rows[i].out) != 0)
			fail_msg("%s:\n%s", rows[i].what, s.data);
		again = yaml_doc_read(s.data, s.length, NULL);
		if (again == NULL || !doc_equal(d, again))
			fail_msg("%s: reads back otherwise", rows[i].what);
		doc_free(again);
		str_fini(&s);
		doc_free(d);
	}
}

static void
test_long_lines_are_not_folded(void **state)
{
	struct doc *d = doc_new_map();
	char words[2000];
	struct str s;

	(void)state;
	for (size_t i = 0; i < sizeof(words) - 1; i++)
		words[i] = i % 7 == 6 ? ' ' : 'x';
	words[sizeof(words) - 1] = '\0';
	doc_set_string(d, "text", words);
	doc_set_string(d, words, "text");
	str_init(&s);
	yaml_doc_write(d, &s);
	assert_non_null(strstr(s.data, words));
	assert_null(strstr(s.data, "..."));
	doc_free(d);
	d = yaml_doc_read(s.data, s.length, NULL);
	assert_string_equal(doc_get_string(d, "text"), words);
	assert_string_equal(doc_get_string(d, words), "text");
	str_fini(&s);
	doc_free(d);
}

static struct doc *
random_string(void)
{
	static const char *const parts[] = { "a", "\n", " ", "\t", ":", "#",
		"-", "'", "\"", "1", ".", "\\", "{", "|", "...", "---",
		"\xc3\xa9", "\x01", "\x7f", "\r", "?", "%", "\xe2\x80\xa8",
		"\xef\xbb\xbf", "true", "~", ",", "\xc2\x85" };
	struct doc *d;
	struct str s;

	str_init(&s);
	for (int n = rand() % 8; n > 0; n--)
		str_puts(&s, parts[(size_t)rand() % ARRAY_SIZE(parts)]);
	d = doc_new_string(s.data);
	str_fini(&s);
	return d;
}

static struct doc *
random_doc(int depth)
{
	struct doc *d, *key;

	switch (rand() % (depth == 0 ? 5 : 7)) {
	case 0:
		return doc_new_integer(rand() - RAND_MAX / 2);
	case 1:
		return doc_new_real((double)rand() / 997);
	case 2:
		return doc_new_bool(rand() % 2 == 0);
	case 5:
		d = doc_new_list();
		for (int n = rand() % 4; n > 0; n--)
			doc_add(d, random_doc(depth - 1));
		return d;
	case 6:
		d = doc_new_map();
		for (int n = rand() % 4; n > 0; n--) {
			key = random_string();
			doc_set(d, doc_string(key), random_doc(depth - 1));
			doc_free(key);
		}
		return d;
	default:
		return random_string();
	}
}

static void
test_what_is_written_reads_back(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct doc *d = random_doc(4), *yaml, *json;
		struct error err = ERROR_INIT;
		struct str y, j;

		str_init(&y);
		str_init(&j);
		yaml_doc_write(d, &y);
		json_doc_write(d, i % 3, &j);
		yaml = yaml_doc_read(y.data, y.length, &err);
		json = json_doc_read(j.data, j.length, NULL);
		if (json == NULL || !doc_equal(d, json))
			fail_msg("JSON %s", j.data);
		if (yaml == NULL || !doc_equal(d, yaml))
			fail_msg("%s: YAML of %s:\n%s", err.text, j.data,
				y.data);
		if (strncmp(y.data, "---", 3) == 0 ||
			strstr(y.data, "\n...\n") != NULL)
			fail_msg("a mark in %s", y.data);
		str_fini(&y);
		str_fini(&j);
		doc_free(yaml);
		doc_free(json);
		doc_free(d);
	}
}

static void
test_not_utf8_is_written_all_the_same(void **state)
{
	struct doc *d = doc_new_string("caf\xe9");
	struct str s;

	(void)state;
	str_init(&s);
	yaml_doc_write(d, &s);
	assert_string_equal(s.data, "caf?\n");
	str_fini(&s);
	doc_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_read_all),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_long_lines_are_not_folded),
		cmocka_unit_test(test_what_is_written_reads_back),
		cmocka_unit_test(test_not_utf8_is_written_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
