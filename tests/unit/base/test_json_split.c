/* Tests userspace/base/json_split.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_split.h"
#include "base/mem.h"

#define PLENTY (1u << 20)

/* Each value that came and a "|" behind it. */
struct got {
	struct str values;
	size_t count;
	size_t stop_at; /* the caller has enough of that one; 0: never */
};

static int
on_value(const char *text, size_t length, void *arg)
{
	struct got *got = arg;

	str_append(&got->values, text, length);
	str_putc(&got->values, '|');
	return ++got->count == got->stop_at ? 7 : 0;
}

/* What a stream came to: its values, then the rest, and how it ended. */
static char *
outcome_of(struct json_split *s, struct got *got, int rc,
	const struct error *err)
{
	struct slice rest = json_split_rest(s);
	struct str out;

	str_init(&out);
	str_append(&out, got->values.data, got->values.length);
	str_puts(&out, " ");
	str_append(&out, rest.data, rest.length);
	if (rc < 0)
		str_printf(&out, " %s", err->text);
	else
		str_puts(&out, json_split_done(s) ? " done" : " open");
	str_printf(&out, " skipped=%llu",
		(unsigned long long)json_split_skipped(s));
	return str_steal(&out);
}

/* Feeds up to first bytes, then steps of step bytes. */
static char *
split(const char *array, size_t max_bytes, struct slice text, size_t first,
	size_t step)
{
	struct error err = ERROR_INIT;
	struct got got = { .count = 0 };
	struct json_split *s =
		json_split_new(array, max_bytes, on_value, &got);
	size_t at = 0, n = first;
	char *outcome;
	int rc = 0;

	str_init(&got.values);
	while (rc == 0 && at < text.length) {
		/* of its own, so that reading past it is seen */
		char *chunk;

		if (n > text.length - at)
			n = text.length - at;
		chunk = xmemdup(text.data + at, n);
		rc = json_split_feed(s, chunk, n, &err);
		free(chunk);
		at += n;
		n = step;
	}
	outcome = outcome_of(s, &got, rc, &err);
	str_fini(&got.values);
	json_split_free(s);
	return outcome;
}

/* In one piece, in bytes, and in two pieces wherever they can be cut. */
static void
expect_split(const char *array, size_t max_bytes, struct slice text,
	const char *outcome)
{
	for (size_t cut = 0; cut <= text.length; cut++) {
		char *got = split(array, max_bytes, text, cut,
			cut == 0 ? 1 : text.length);

		if (strcmp(got, outcome) != 0)
			fail_msg("%s cut at %zu:\n%s\nwanted\n%s", text.data,
				cut, got, outcome);
		free(got);
	}
}

#define ADDED                                                                  \
	"{\"type\":\"ADDED\",\"object\":{\"kind\":\"EndpointSlice\","          \
	"\"metadata\":{\"name\":\"httpbin-x7k2p\",\"namespace\":\"default\","  \
	"\"resourceVersion\":\"228\",\"annotations\":{\"why\":\"{[\\\"\\\\\"," \
	"\"wer\":\"J\xc3\xb6rg \xf0\x9f\x90\xb3 \\ud83d\\udc33\"}},"           \
	"\"endpoints\":null,\"ports\":[{\"name\":\"\",\"port\":8080}]}}"
#define BOOKMARK                                                               \
	"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":"                     \
	"{\"resourceVersion\":\"12746\",\"creationTimestamp\":null},"          \
	"\"endpoints\":null,\"ports\":null}}"
#define ERROR_EVENT                                                            \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":"      \
	"\"Failure\",\"message\":\"too old resource version: 230 (264)\","     \
	"\"reason\":\"Expired\",\"code\":410}}"

static void
test_watches(void **state)
{
	static const char stream[] =
		ADDED "\n" BOOKMARK "\n" ADDED "\r\n\t " ERROR_EVENT "\n";

	(void)state;
	expect_split(NULL, PLENTY, slice_of(stream),
		ADDED "|" BOOKMARK "|" ADDED "|" ERROR_EVENT "|  done skipped=0");
}

static void
test_streams(void **state)
{
	static const struct {
		const char *text, *outcome;
	} rows[] = {
		{ "", "  done skipped=0" },
		{ " \n\t\r", "  done skipped=0" },
		{ "{}{}", "{}|{}|  done skipped=0" },
		{ "[][[]] {\"a\":[{}]}",
			"[]|[[]]|{\"a\":[{}]}|  done skipped=0" },
		{ "\"}\"\"\\\"\" \"\\\\\"",
			"\"}\"|\"\\\"\"|\"\\\\\"|  done skipped=0" },
		/* A word ends with what is no part of it. */
		{ "1 null -2.5e+3\ntrue\n",
			"1|null|-2.5e+3|true|  done skipped=0" },
		{ "12{}", "12|{}|  done skipped=0" },
		{ "{} 12", "{}|  open skipped=0" },
		{ "{\"a\"", "  open skipped=0" },
		{ "\"a", "  open skipped=0" },
		/* What is inside, the reader of the value judges. */
		{ "{,:]", "  no JSON at byte 3: brackets that do not match "
			  "skipped=0" },
		{ "{,:}", "{,:}|  done skipped=0" },
		{ "{}, {}", "{}|  no JSON at byte 2: no value begins like this "
			    "skipped=0" },
		{ "}", "  no JSON at byte 0: no value begins like this "
		       "skipped=0" },
		{ "[1}", "  no JSON at byte 2: brackets that do not match "
			 "skipped=0" },
		{ "<html>", "  no JSON at byte 0: no value begins like this "
			    "skipped=0" },
		{ "\x1f\x8b", "  no JSON at byte 0: no value begins like this "
			      "skipped=0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_split(NULL, PLENTY, slice_of(rows[i].text),
			rows[i].outcome);
}

static void
test_arrays(void **state)
{
	static const struct {
		const char *text, *outcome;
	} rows[] = {
		{ "", "  done skipped=0" },
		{ "{}", " {} done skipped=0" },
		{ "{\"items\":[]}", " {\"items\":[]} done skipped=0" },
		{ "{\"items\":null}", " {\"items\":null} done skipped=0" },
		{ "{\"items\":{\"items\":[1]}}",
			" {\"items\":{\"items\":[1]}} done skipped=0" },
		{ "{\"kind\":\"SliceList\",\"metadata\":{\"items\":[3],"
		  "\"continue\":\"x]\"},\"items\":[{\"a\":[1,{}]}, \"]\" ,\n"
		  "null,-1,[[]]],\"after\":[\"items\",{}],\"n\":12}\n",
			"{\"a\":[1,{}]}|\"]\"|null|-1|[[]]| "
			"{\"kind\":\"SliceList\",\"metadata\":{\"items\":[3],"
			"\"continue\":\"x]\"},\"items\":[],\"after\":[\"items\","
			"{}],\"n\":12} done skipped=0" },
		{ " { \"items\" : [ 1 ] , \"x\" : true } ",
			"1| {\"items\":[],\"x\":true} done skipped=0" },
		{ "{\"item\":[1],\"itemss\":[2],\"\\\"items\":[3]}",
			" {\"item\":[1],\"itemss\":[2],\"\\\"items\":[3]} done "
			"skipped=0" },
		{ "{\"x\":\"items\",\"items\":[1]}",
			"1| {\"x\":\"items\",\"items\":[]} done skipped=0" },
		/* Twice: what is read of the rest says so. */
		{ "{\"items\":[1],\"items\":[2]}",
			"1|2| {\"items\":[],\"items\":[]} done skipped=0" },
		{ "{\"items\":[1", " {\"items\":[ open skipped=0" },
		{ "{\"items\":[1]", "1| {\"items\":[] open skipped=0" },
		{ "{\"items\":[1,]}",
			"1| {\"items\":[ no JSON at byte 12: no value begins "
			"like this skipped=0" },
		{ "{\"items\":[,1]}",
			" {\"items\":[ no JSON at byte 10: no value begins like "
			"this skipped=0" },
		{ "{\"items\":[1 2]}",
			"1| {\"items\":[ no JSON at byte 12: a member without a "
			"comma behind it skipped=0" },
		{ "{\"items\":[{]}]}",
			" {\"items\":[ no JSON at byte 11: brackets that do not "
			"match skipped=0" },
		{ "{\"x\":{\"y\":[1}",
			" {\"x\":{\"y\":[1 no JSON at byte 12: brackets that do "
			"not match skipped=0" },
		{ "{\"items\" []}",
			" {\"items\" no JSON at byte 9: a key without a colon "
			"skipped=0" },
		{ "{\"x\":1 \"items\":[]}",
			" {\"x\":1 no JSON at byte 7: a value without a comma "
			"behind it skipped=0" },
		{ "{x", " { no JSON at byte 1: a key is no string skipped=0" },
		{ "{\"items\":[]} {}",
			" {\"items\":[]} no JSON at byte 13: something behind "
			"the map skipped=0" },
		{ "[1]", "  no JSON at byte 0: this is no map skipped=0" },
		{ "404 page not found\n",
			"  no JSON at byte 0: this is no map skipped=0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_split("items", PLENTY, slice_of(rows[i].text),
			rows[i].outcome);
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *array, *text, *outcome;
	} rows[] = {
		{ NULL, "{\"a\":12345}{}", "{\"a\":12345}|{}|  done skipped=0" },
		{ NULL, "{\"a\":123456} {}", "{}|  done skipped=1" },
		{ NULL, "[[[[[[[]]]]]]]\"0123456789\"\"012345678\" 123456789012 7 ",
			"\"012345678\"|7|  done skipped=3" },
		{ "a", "{\"a\":[123456789012,\"]]]]]]]]]]]\",5]}",
			"5| {\"a\":[]} done skipped=2" },
		{ "a", "{\"b\":12345}", " {\"b\":12345} done skipped=0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_split(rows[i].array, 11, slice_of(rows[i].text),
			rows[i].outcome);
}

static void
test_the_rest_is_bounded(void **state)
{
	struct error err = ERROR_INIT;
	struct got got = { .count = 0 };
	struct json_split *s = json_split_new("a", 11, on_value, &got);

	(void)state;
	str_init(&got.values);
	assert_int_equal(json_split_feed(s, "{\"b\":123456", 11, &err), 0);
	assert_int_equal(json_split_feed(s, "7", 1, &err), -1);
	assert_string_equal(err.text,
		"no JSON at byte 11: what stands beside the array is too large");
	/* It stays so. */
	err = (struct error)ERROR_INIT;
	assert_int_equal(json_split_feed(s, "}", 1, &err), -1);
	assert_non_null(strstr(err.text, "too large"));
	assert_false(json_split_done(s));
	json_split_free(s);
	str_fini(&got.values);
}

static int
on_large(const char *text, size_t length, void *arg)
{
	struct got *got = arg;

	str_printf(&got->values, "<%.6s %zu>", text, length);
	return 0;
}

static void
test_a_large_object_is_passed_over(void **state)
{
	struct got got = { .count = 0 };
	struct json_split *s =
		json_split_new("items", 4u << 20, on_value, &got);
	static char filler[65536];
	struct error err = ERROR_INIT;

	(void)state;
	str_init(&got.values);
	memset(filler, '}', sizeof(filler));
	json_split_set_large(s, on_large);
	assert_int_equal(json_split_feed(s, "{\"items\":[1,{\"a\":\"", 18, &err),
		0);
	for (size_t fed = 0; fed < 5u << 20; fed += sizeof(filler))
		assert_int_equal(
			json_split_feed(s, filler, sizeof(filler), &err), 0);
	assert_int_equal(json_split_skipped(s), 1);
	assert_int_equal(json_split_feed(s, "\"},{\"b\":2}]}", 12, &err), 0);
	assert_true(json_split_done(s));
	assert_string_equal(
		got.values.data, "1|<{\"a\":\" 4194304>{\"b\":2}|");
	assert_int_equal(json_split_skipped(s), 1);
	json_split_free(s);
	str_fini(&got.values);
}

static char *
nested(unsigned depth)
{
	char *text = xcalloc(1, 2 * depth + 1);

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return text;
}

static void
test_nesting(void **state)
{
	char *most = nested(256), *more = nested(257), *wanted, *got;

	(void)state;
	wanted = xasprintf("%s|  done skipped=0", most);
	got = split(NULL, PLENTY, slice_of(most), 3, 5);
	assert_string_equal(got, wanted);
	free(got);
	got = split(NULL, PLENTY, slice_of(more), 3, 5);
	assert_string_equal(got,
		"  no JSON at byte 256: nested too deeply skipped=0");
	free(got);
	/* The array's two levels are two of them. */
	free(wanted);
	wanted = xasprintf("{\"a\":[%.254s%.254s]}", most, most + 256);
	got = split("a", PLENTY, slice_of(wanted), 3, 5);
	assert_non_null(strstr(got, "{\"a\":[]} done"));
	free(got);
	free(wanted);
	wanted = xasprintf("{\"a\":[%.255s%.255s]}", most, most + 256);
	got = split("a", PLENTY, slice_of(wanted), 3, 5);
	assert_non_null(strstr(got, "nested too deeply"));
	free(got);
	free(wanted);
	free(most);
	free(more);
}

/* NUL and bytes that are no UTF-8 are the value's own. */
static void
test_bytes(void **state)
{
	static const char text[] = "{\"a\0\":\"\xff\xfe\xc3\"}\n7\n";
	struct got got = { .count = 0 };
	struct json_split *s = json_split_new(NULL, PLENTY, on_value, &got);
	struct error err = ERROR_INIT;

	(void)state;
	str_init(&got.values);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_int_equal(json_split_feed(s, text + i, 1, &err), 0);
	assert_int_equal(got.values.length, 15);
	assert_memory_equal(
		got.values.data, "{\"a\0\":\"\xff\xfe\xc3\"}|7|", 15);
	assert_int_equal(json_split_feed(s, "\0", 1, &err), -1);
	json_split_free(s);
	str_fini(&got.values);
}

static void
test_the_caller_has_enough(void **state)
{
	struct got got = { .stop_at = 2 };
	struct json_split *s = json_split_new(NULL, PLENTY, on_value, &got);
	struct error err = ERROR_INIT;

	(void)state;
	str_init(&got.values);
	assert_int_equal(json_split_feed(s, "{}{\"a", 5, &err), 0);
	assert_int_equal(json_split_feed(s, "\":1}{}{}", 8, &err), 7);
	assert_int_equal(json_split_feed(s, "{}", 2, &err), 7);
	assert_string_equal(got.values.data, "{}|{\"a\":1}|");
	assert_int_equal(err.code, ERROR_NONE);
	json_split_free(s);
	json_split_free(NULL);
	str_fini(&got.values);
}

/* A list of many chunks, read as a whole and in members, is the same. */
static void
test_a_list_is_the_sum_of_its_members(void **state)
{
	struct doc *whole, *rest, *items;
	struct error err = ERROR_INIT;
	struct got got = { .count = 0 };
	struct json_split *s;
	struct str text;
	const char *at;

	(void)state;
	str_init(&text);
	str_init(&got.values);
	str_puts(&text, "{\"kind\":\"L\",\"items\":[");
	for (unsigned i = 0; i < 1000; i++)
		str_printf(&text, "%s{\"name\":\"s-%u\",\"at\":[%u,null]}",
			i == 0 ? "" : ",", i, i);
	str_puts(&text, "],\"metadata\":{\"resourceVersion\":\"9\"}}");
	whole = json_doc_read(text.data, text.length, &err);
	assert_non_null(whole);
	items = doc_get(whole, "items");
	s = json_split_new("items", PLENTY, on_value, &got);
	for (size_t i = 0; i < text.length; i += 1000)
		assert_int_equal(json_split_feed(s, text.data + i,
					 text.length - i < 1000
						 ? text.length - i
						 : 1000,
					 &err),
			0);
	assert_true(json_split_done(s));
	assert_int_equal(got.count, doc_count(items));
	at = got.values.data;
	for (size_t i = 0; i < got.count; i++) {
		size_t n = strcspn(at, "|");
		struct doc *member = json_doc_read(at, n, &err);

		assert_true(doc_equal(member, doc_at(items, i)));
		doc_free(member);
		at += n + 1;
	}
	rest = json_doc_read(json_split_rest(s).data,
		json_split_rest(s).length, &err);
	doc_set(whole, "items", doc_new_list());
	assert_true(doc_equal(rest, whole));
	doc_free(rest);
	doc_free(whole);
	json_split_free(s);
	str_fini(&text);
	str_fini(&got.values);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watches),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_the_rest_is_bounded),
		cmocka_unit_test(test_a_large_object_is_passed_over),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_the_caller_has_enough),
		cmocka_unit_test(test_a_list_is_the_sum_of_its_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
