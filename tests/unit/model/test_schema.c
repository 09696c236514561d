/* The schema engine over a struct that has every type of row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "model/model.h"
#include "model/schema.h"

struct leaf {
	char *text;
	uint16_t number;
};

struct thing {
	char *text, *fallback;
	bool flag, on;
	struct model_bool flag_given;
	uint8_t small;
	uint64_t large;
	struct model_u32 number_given;
	uint64_t wait_ms;
	struct model_duration wait_given;
	uint32_t word;
	char **list;
	size_t list_count;
	struct model_pair *pairs;
	size_t pair_count;
	struct leaf inside, *pointer, *leaves, *one;
	size_t leaf_count, one_count;
	struct doc *raw;
	char *either;
	uint32_t which;
};

static const struct schema_field leaf_fields[] = {
	{ .name = "number",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(leaf, number),
		.max = 10 },
	{ .name = "text",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(leaf, text) },
	{ .name = NULL },
};

static int
leaf_check(void *base, struct error *err)
{
	const struct leaf *l = base;

	if (l->number == 7)
		return error_set(err, ERROR_CONFIG, ".number: 7 is taken");
	return 0;
}

static const struct schema leaf_schema = {
	.fields = leaf_fields,
	.size = sizeof(struct leaf),
	.check = leaf_check,
};

static int
no_spaces(const char *text, struct error *err)
{
	if (strchr(text, ' ') != NULL)
		return error_set(err, ERROR_CONFIG, "no spaces");
	return 0;
}

static const struct schema_word words[] = { { "NONE", 0 }, { "SOME", 5 },
	{ NULL, 0 } };

static const struct schema_field thing_fields[] = {
	{ .name = "either",
		.type = SCHEMA_STRING,
		SCHEMA_AT(thing, either),
		SCHEMA_CHOICE_AT(thing, which, 1) },
	{ .name = "or",
		.type = SCHEMA_STRING,
		SCHEMA_AT(thing, either),
		SCHEMA_CHOICE_AT(thing, which, 2) },
	{ .name = "fallback",
		.type = SCHEMA_STRING,
		SCHEMA_AT(thing, fallback),
		.fallback_text = "there" },
	{ .name = "flag", .type = SCHEMA_BOOL, SCHEMA_AT(thing, flag) },
	{ .name = "flagGiven",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(thing, flag_given) },
	{ .name = "inside",
		.type = SCHEMA_STRUCT,
		SCHEMA_AT(thing, inside),
		.sub = &leaf_schema },
	{ .name = "large",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(thing, large),
		.min = 3,
		.fallback = 4 },
	{ .name = "leaves",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(thing, leaves, leaf_count),
		.max = 2,
		.sub = &leaf_schema },
	{ .name = "list",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(thing, list, list_count),
		.check = no_spaces },
	{ .name = "notYet", .type = SCHEMA_REFUSED },
	{ .name = "numberGiven",
		.type = SCHEMA_NUMBER_GIVEN,
		SCHEMA_AT(thing, number_given) },
	{ .name = "one",
		.type = SCHEMA_ONE,
		SCHEMA_ARRAY_AT(thing, one, one_count),
		.sub = &leaf_schema },
	{ .name = "over", .type = SCHEMA_SKIPPED },
	{ .name = "pairs",
		.type = SCHEMA_PAIRS,
		SCHEMA_ARRAY_AT(thing, pairs, pair_count) },
	{ .name = "pointer",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(thing, pointer),
		.sub = &leaf_schema },
	{ .name = "raw", .type = SCHEMA_DOC, SCHEMA_AT(thing, raw) },
	{ .name = "ready",
		.type = SCHEMA_BOOL,
		SCHEMA_AT(thing, on),
		.fallback = true },
	{ .name = "small", .type = SCHEMA_NUMBER, SCHEMA_AT(thing, small) },
	{ .name = "text",
		.type = SCHEMA_STRING,
		SCHEMA_AT(thing, text),
		.max = 10 },
	{ .name = "wait",
		.type = SCHEMA_DURATION,
		SCHEMA_AT(thing, wait_ms),
		.min = 10,
		.max = 60000,
		.fallback = 1000 },
	{ .name = "waitGiven",
		.type = SCHEMA_DURATION_GIVEN,
		SCHEMA_AT(thing, wait_given) },
	{ .name = "word",
		.type = SCHEMA_WORD,
		SCHEMA_AT(thing, word),
		.words = words },
	{ .name = NULL },
};

static const struct schema thing_schema = {
	.fields = thing_fields,
	.size = sizeof(struct thing),
};

static struct doc *
yaml(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);

	if (d == NULL && err.code != ERROR_NONE)
		fail_msg("%s: %s", text, err.text);
	return d;
}

static void
test_defaults(void **state)
{
	struct thing *t = schema_read_new(&thing_schema, NULL, NULL);
	struct doc *d = schema_print(&thing_schema, t);

	(void)state;
	assert_string_equal(t->fallback, "there");
	assert_true(t->on);
	assert_int_equal(t->large, 4);
	assert_int_equal(t->wait_ms, 1000);
	assert_int_equal(doc_count(d), 1);
	assert_string_equal(doc_get_string(d, "fallback"), "there");
	doc_free(d);
	schema_fini(&thing_schema, t);
	free(t);
}

static void
test_round(void **state)
{
	static const char text[] = "fallback: here\n"
				   "flag: true\n"
				   "flagGiven: false\n"
				   "inside:\n"
				   "  number: 1\n"
				   "  text: a\n"
				   "large: 9223372036854775807\n"
				   "leaves:\n"
				   "- text: b\n"
				   "- number: 2\n"
				   "  text: c\n"
				   "list:\n"
				   "- x\n"
				   "- z\n"
				   "numberGiven: 0\n"
				   "one:\n"
				   "  text: d\n"
				   "or: this\n"
				   "pairs:\n"
				   "  a: b\n"
				   "  c: \"\"\n"
				   "pointer:\n"
				   "  text: e\n"
				   "raw:\n"
				   "  deep:\n"
				   "  - 1\n"
				   "ready: false\n"
				   "small: 255\n"
				   "text: hello\n"
				   "wait: 1.5s\n"
				   "waitGiven: 0s\n"
				   "word: SOME\n";
	struct error err = ERROR_INIT;
	struct doc *d = yaml(text), *out;
	struct thing *t = schema_read_new(&thing_schema, d, &err);
	struct str printed;

	(void)state;
	if (t == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(t->which, 2);
	assert_string_equal(t->either, "this");
	assert_int_equal(t->word, 5);
	assert_int_equal(t->one_count, 1);
	assert_string_equal(t->leaves[1].text, "c");
	out = schema_print(&thing_schema, t);
	str_init(&printed);
	yaml_doc_write(out, &printed);
	assert_string_equal(printed.data, text);
	str_fini(&printed);
	doc_free(out);
	doc_free(d);
	schema_fini(&thing_schema, t);
	free(t);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *text, *error;
		int line;
	} rows[] = {
		{ "text: 1", "text: expected a string, found a number", 1 },
		{ "text: abcdefghijk",
			"text: 11 bytes are too long, at most 10 are allowed",
			1 },
		{ "flag: 1", "flag: expected true or false, found a number",
			1 },
		{ "flag: on", "flag: expected true or false, found a string",
			1 },
		{ "small: 256", "small: expected 0 to 255, found 256", 1 },
		{ "small: -1", "small: expected 0 to 255, found -1", 1 },
		{ "small: 1.5",
			"small: expected a whole number, found a fraction", 1 },
		{ "large: 2",
			"large: expected 3 to 9223372036854775807, found 2",
			1 },
		{ "wait: 9ms", "wait: expected 10ms to 1m0s, found \"9ms\"",
			1 },
		{ "word: some",
			"word: expected one of NONE, SOME, found \"some\"", 1 },
		{ "list: a", "list: expected a list, found a string", 1 },
		{ "list:\n- a\n- b c\n", "list[1]: no spaces", 3 },
		{ "list:\n- a\n- [b]\n",
			"list[1]: expected a string, found a list", 3 },
		{ "pairs: []", "pairs: expected a map, found a list", 1 },
		{ "pairs:\n  a: b\n  c: 1\n",
			"pairs.c: expected a string, found a number", 3 },
		{ "inside: {}", "inside: the key \"text\" is missing", 1 },
		{ "inside: {text: null}", "inside: the key \"text\" is missing",
			1 },
		{ "leaves:\n- text: a\n- text: b\n- text: c\n",
			"leaves: 3 are too many, at most 2 are allowed", 2 },
		{ "leaves:\n- text: a\n- text: b\n  number: 7\n",
			"leaves[1].number: 7 is taken", 4 },
		{ "leaves:\n- text: a\n- 5\n",
			"leaves[1]: expected a map, found a number", 3 },
		{ "raw: 5", "raw: expected a map, found a number", 1 },
		{ "either: a\nor: b\n",
			"only one of \"either\" and \"or\" may be given", 1 },
		{ "notYet: {a: b}", "notYet: is not supported yet", 1 },
		{ "notYet: true", "notYet: is not supported yet", 1 },
		{ "text: a\nflog: true\n",
			"unknown key \"flog\"; did you mean \"flag\"?", 2 },
		{ "pointr: {}",
			"unknown key \"pointr\"; did you mean \"pointer\"?",
			1 },
		{ "inside: {txet: a}",
			"inside: unknown key \"txet\"; did you mean \"text\"?",
			1 },
		{ "completely: other", "unknown key \"completely\"", 1 },
		{ "\"a\\nb\": 1", "unknown key \"a?b\"", 1 },
		{ "- a", "expected a map, found a list", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct doc *d = yaml(rows[i].text);
		struct thing t;

		if (schema_read(&thing_schema, d, &t, &err) == 0)
			fail_msg("%s was read", rows[i].text);
		assert_int_equal(schema_read(&thing_schema, d, &t, NULL), -1);
		schema_place_trim(&err);
		assert_string_equal(err.text, rows[i].error);
		assert_int_equal(err.line, rows[i].line);
		assert_int_equal(err.code, ERROR_CONFIG);
		doc_free(d);
	}
}

static void
test_nothing_asked(void **state)
{
	static const char *const rows[] = { "notYet: false", "notYet: {}",
		"notYet: []", "notYet: null", "over: [1, {a: b}]",
		"leaves: null", "list: []", "either: a\nor: null" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct doc *d = yaml(rows[i]);
		struct thing *t = schema_read_new(&thing_schema, d, &err);

		if (t == NULL)
			fail_msg("%s: %s", rows[i], err.text);
		schema_fini(&thing_schema, t);
		free(t);
		doc_free(d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_nothing_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
