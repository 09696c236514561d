/*
 * Tests userspace/kinds/aws/event_unwrap.c: what a function answered as an
 * answer of HTTP, whatever it answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "aws_judged.h"
#include "base/mem.h"
#include "http/head.h"
#include "kinds/aws/event.h"

#define ALB AWS_EVENT_ALB
#define V1  AWS_EVENT_API_GATEWAY_V1
#define V2  AWS_EVENT_API_GATEWAY_V2

/* "200 A: x\nB: y\n\nthe body", or the reason. Caller frees. */
static char *
outcome(enum aws_event_shape shape, struct slice answer, bool head)
{
	/* An over-read is one of this block. */
	char *bytes = xmemdup(answer.data, answer.length);
	struct slice in = { bytes, answer.length };
	struct error err = ERROR_INIT;
	struct aws_event_answer a;
	struct str out;
	int rc;

	str_init(&out);
	rc = head ? aws_event_unwrap_head(in, &a, &err)
		  : aws_event_unwrap(shape, in, &a, &err);
	memset(bytes, 'x', answer.length); /* nothing of a lies in it */
	free(bytes);
	if (rc != 0) {
		assert_int_equal(rc, -1);
		str_puts(&out, err.text);
		return str_steal(&out);
	}
	assert_int_equal(err.code, ERROR_NONE);
	assert_in_range(a.field_count, 0, CALL_FIELDS_MAX);
	str_printf(&out, "%d ", a.status);
	for (size_t i = 0; i < a.field_count; i++) {
		struct slice name = a.fields[i].name;
		struct slice value = a.fields[i].value;

		assert_true(http_is_token(name) && http_is_field_value(value));
		str_append(&out, name.data, name.length);
		str_puts(&out, ": ");
		str_append(&out, value.data, value.length);
		str_putc(&out, '\n');
	}
	str_putc(&out, '\n');
	str_append(&out, a.body.data, a.body.length);
	aws_event_answer_fini(&a);
	return str_steal(&out);
}

struct row {
	enum aws_event_shape shape;
	const char *answer, *want;
};

static void
check_rows(const struct row *rows, size_t count, bool head)
{
	for (size_t i = 0; i < count; i++) {
		char *got =
			outcome(rows[i].shape, slice_of(rows[i].answer), head);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", rows[i].answer, got,
				rows[i].want);
		free(got);
	}
}

#define ANSWER "the function's answer: "

static void
test_usual(void **state)
{
	static const struct row rows[] = {
		/* as the pages of AWS have them */
		{ ALB,
			"{\"isBase64Encoded\":false,\"statusCode\":200,"
			"\"statusDescription\":\"200 OK\",\"headers\":{"
			"\"Set-cookie\":\"cookies\",\"Content-Type\":"
			"\"application/json\"},\"body\":\"Hello from Lambda "
			"(optional)\"}",
			"200 Set-cookie: cookies\nContent-Type: "
			"application/json\n\nHello from Lambda (optional)" },
		{ ALB,
			"{\"isBase64Encoded\":false,\"statusCode\":200,"
			"\"multiValueHeaders\":{\"Set-cookie\":[\"cookie-name="
			"cookie-value;Domain=myweb.com;Secure;HttpOnly\","
			"\"cookie-name=cookie-value;Expires=May 8, 2019\"],"
			"\"Content-Type\":[\"application/json\"]},"
			"\"body\":\"Hello\"}",
			"200 Set-cookie: cookie-name=cookie-value;Domain=myweb."
			"com;Secure;HttpOnly\nSet-cookie: cookie-name=cookie-"
			"value;Expires=May 8, 2019\nContent-Type: "
			"application/json\n\nHello" },
		{ V1,
			"{\"isBase64Encoded\":true,\"statusCode\":201,"
			"\"headers\":{\"X-N\":7,\"X-B\":true},"
			"\"multiValueHeaders\":{},\"body\":\"SGVsbG8=\"}",
			"201 X-N: 7\nX-B: true\nContent-Type: "
			"application/json\n\nHello" },
		{ V2,
			"{\"cookies\":[\"cookie1\",\"cookie2\"],"
			"\"isBase64Encoded\":false,\"statusCode\":404,"
			"\"headers\":{\"headername\":\"headervalue\"},"
			"\"body\":\"Hello from Lambda!\"}",
			"404 headername: headervalue\nSet-Cookie: cookie1\n"
			"Set-Cookie: cookie2\nContent-Type: text/plain; "
			"charset=utf-8\n\nHello from Lambda!" },
		{ AWS_EVENT_GLOO, "{\"statusCode\":200,\"body\":\"x\"}",
			"200 Content-Type: application/json\n\nx" },
		{ ALB, "{\"statusCode\":200,\"body\":\"x\"}",
			"200 Content-Type: application/octet-stream\n\nx" },
		{ AWS_EVENT_RAW, "not { JSON", "200 \nnot { JSON" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), false);
}

static void
test_inferred(void **state)
{
	static const struct row rows[] = {
		{ V2, "\"Hello from Lambda!\"",
			"200 Content-Type: application/json\n\n"
			"Hello from Lambda!" },
		{ V2, " { \"message\": \"Hello\" }\n",
			"200 Content-Type: application/json\n\n"
			"{ \"message\": \"Hello\" }" },
		{ V2, "null", "200 Content-Type: application/json\n\nnull" },
		{ V2, "[1,2]", "200 Content-Type: application/json\n\n[1,2]" },
		{ V2, "12.50", "200 Content-Type: application/json\n\n12.50" },
		{ V2, "{\"statusCode\":null,\"body\":\"x\"}",
			"200 Content-Type: application/json\n\n"
			"{\"statusCode\":null,\"body\":\"x\"}" },
		{ V2, "{\"headers\":5}",
			"200 Content-Type: application/json\n\n"
			"{\"headers\":5}" },
		{ V2, "{\"statusCode\":200,\"body\":{\"a\": [1]}}",
			"200 Content-Type: text/plain; charset=utf-8\n\n"
			"{\"a\": [1]}" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), false);
}

static void
test_wrong(void **state)
{
	static const struct row rows[] = {
		{ ALB, "",
			ANSWER "it is no JSON: no value where one should be "
			       "at byte 0" },
		{ V2, "<html>",
			ANSWER "it is no JSON: no value where one "
			       "should be at byte 0" },
		{ V1, "{\"statusCode\":200",
			ANSWER
			"it is no JSON: a map or list that does not go on at "
			"byte 17" },
		{ V1, "\"x\"",
			ANSWER "it is a string, not a map with a statusCode" },
		{ ALB, "[]",
			ANSWER "it is a list, not a map with a statusCode" },
		{ ALB, "null",
			ANSWER "it is null, not a map with a statusCode" },
		{ V1, "7",
			ANSWER "it is a number, not a map with a "
			       "statusCode" },
		{ V1, "{\"errorMessage\":\"x\"}",
			ANSWER "it has no statusCode" },
		{ ALB, "{\"statusCode\":null}", ANSWER "it has no statusCode" },
		{ V1, "{\"statusCode\":200,\"statusCode\":404}",
			ANSWER "statusCode comes twice" },
		{ V1, "{\"body\":\"\",\"\\u0062ody\":\"x\"}",
			ANSWER "body comes twice" },
		{ ALB, "{\"statusCode\":99}",
			ANSWER "statusCode 99 is none from 200 to 599" },
		{ V2, "{\"statusCode\":600}",
			ANSWER "statusCode 600 is none from 200 to 599" },
		{ V2, "{\"statusCode\":101}",
			ANSWER "statusCode 101 is none from 200 to 599" },
		{ V2, "{\"statusCode\":100}",
			ANSWER "statusCode 100 is none from 200 to 599" },
		{ V1, "{\"statusCode\":-200}",
			ANSWER "statusCode -200 is none from 200 to 599" },
		{ V1, "{\"statusCode\":2e2}",
			ANSWER "statusCode 2e2 is none from 200 to 599" },
		{ V1, "{\"statusCode\":200.5}",
			ANSWER "statusCode 200.5 is none from 200 to 599" },
		{ V1, "{\"statusCode\":20000000000000000000000000}",
			ANSWER
			"statusCode 20000000000000000000 is none from 200 to "
			"599" },
		{ ALB, "{\"statusCode\":\"200\"}",
			ANSWER "statusCode is a string, not a number" },
		{ V1, "{\"statusCode\":\"abc\"}",
			ANSWER "statusCode \"abc\" is none from 200 to 599" },
		{ V1, "{\"statusCode\":\"\"}",
			ANSWER "statusCode \"\" is none from 200 to 599" },
		{ V2, "{\"statusCode\":[200]}",
			ANSWER "statusCode is a list, not a number" },
		{ V2, "{\"statusCode\":true}",
			ANSWER "statusCode is true or false, not a number" },
		{ V1, "{\"statusCode\":200,\"headers\":[]}",
			ANSWER "headers is a list, not a map" },
		{ V1, "{\"statusCode\":200,\"headers\":\"a: b\"}",
			ANSWER "headers is a string, not a map" },
		{ V1, "{\"statusCode\":200,\"headers\":{\"a\":[\"b\"]}}",
			ANSWER "the field \"a\" is a list" },
		{ V1, "{\"statusCode\":200,\"headers\":{\"a\\n\":{}}}",
			ANSWER "the field \"a?\" is a map" },
		{ ALB, "{\"statusCode\":200,\"multiValueHeaders\":[\"a\"]}",
			ANSWER "multiValueHeaders is a list, not a map" },
		{ ALB,
			"{\"statusCode\":200,\"multiValueHeaders\":"
			"{\"a\":\"b\"}}",
			ANSWER "multiValueHeaders has \"a\" that is a string, "
			       "not a list" },
		{ ALB,
			"{\"statusCode\":200,\"multiValueHeaders\":"
			"{\"a\":[\"b\",[]]}}",
			ANSWER "the field \"a\" is a list" },
		{ V2, "{\"statusCode\":200,\"cookies\":\"a=b\"}",
			ANSWER "cookies is a string, not a list" },
		{ V2, "{\"statusCode\":200,\"cookies\":[1]}",
			ANSWER "cookies has a number, not strings" },
		{ V1, "{\"statusCode\":200,\"body\":{\"a\":1}}",
			ANSWER "body is a map, not a string" },
		{ ALB, "{\"statusCode\":200,\"body\":7}",
			ANSWER "body is a number, not a string" },
		{ V2,
			"{\"statusCode\":200,\"body\":7,"
			"\"isBase64Encoded\":true}",
			ANSWER "body is a number, not a string" },
		{ V1, "{\"statusCode\":200,\"isBase64Encoded\":\"true\"}",
			ANSWER "isBase64Encoded is a string, not true or "
			       "false" },
		{ V1,
			"{\"statusCode\":200,\"isBase64Encoded\":true,"
			"\"body\":\"SGVsbG8\"}",
			ANSWER "isBase64Encoded is true, but body is no "
			       "Base64" },
		{ ALB,
			"{\"statusCode\":200,\"isBase64Encoded\":true,"
			"\"body\":\"a\\u0000==\"}",
			ANSWER "isBase64Encoded is true, but body is no "
			       "Base64" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), false);
}

static void
test_fields(void **state)
{
	static const struct row rows[] = {
		/* no field: left out, the others stay */
		{ V1,
			"{\"statusCode\":200,\"headers\":{\"a\":\"1\\r\\nX-Evil"
			": 1\",\"b c\":\"2\",\"\":\"3\",\"d\":\"4\\u0000\","
			"\"e:\":\"5\",\"f\":\"6\\n\",\"g\":\"7\",\"h\":null,"
			"\"\xc3\xa4\":\"8\",\"i\":\"\"}}",
			"200 g: 7\ni: \n\n" },
		/* of the hop, in any case; and what Connection names */
		{ V1,
			"{\"statusCode\":200,\"headers\":{\"connection\":"
			"\"close, X-Hop\",\"Keep-Alive\":\"timeout=5\","
			"\"Transfer-Encoding\":\"chunked\",\"CONTENT-LENGTH\":"
			"99,\"Upgrade\":\"h2c\",\"TE\":\"trailers\",\"Trailer\""
			":\"x\",\"Proxy-Connection\":\"close\",\"x-hop\":\"1\","
			"\"HTTP2-Settings\":\"x\",\"X-Stays\":\"1\"}}",
			"200 X-Stays: 1\n\n" },
		{ ALB,
			"{\"statusCode\":200,\"multiValueHeaders\":{"
			"\"Connection\":[\"a\",\"B\"],\"A\":[\"1\"],\"b\":"
			"[\"1\",\"2\"],\"c\":[\"3\"]}}",
			"200 c: 3\n\n" },
		/* white space around a value is no part of it */
		{ V1,
			"{\"statusCode\":200,\"headers\":{\"a\":\" \\t x y\\t "
			"\",\"b\":\"  \"}}",
			"200 a: x y\nb: \n\n" },
		/* multiValueHeaders win */
		{ V1,
			"{\"statusCode\":200,\"headers\":{\"X-A\":\"1\",\"B\":"
			"\"2\"},\"multiValueHeaders\":{\"x-a\":[\"3\",4,"
			"false,null],\"c\":[],\"d\":null}}",
			"200 x-a: 3\nx-a: 4\nx-a: false\nB: 2\n\n" },
		{ V2,
			"{\"statusCode\":200,\"headers\":null,"
			"\"multiValueHeaders\":null,\"cookies\":null,"
			"\"body\":null,\"isBase64Encoded\":null}",
			"200 \n" },
		{ V2,
			"{\"statusCode\":200,\"headers\":{\"set-cookie\":"
			"\"a=1\"},\"cookies\":[\"b=2; Path=/\",null,"
			"\"c=\\r\\n\"]}",
			"200 set-cookie: a=1\nSet-Cookie: b=2; Path=/\n\n" },
		/* bytes past ASCII are allowed in values */
		{ V1, "{\"statusCode\":200,\"headers\":{\"a\":\"\\u00e4\"}}",
			"200 a: \xc3\xa4\n\n" },
		{ V1,
			"{\"statusCode\":\"302\",\"headers\":{\"Location\":"
			"\"/x\"}}",
			"302 Location: /x\n\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), false);
}

static void
test_bodies(void **state)
{
	static const struct row rows[] = {
		{ V1, "{\"statusCode\":204,\"body\":\"x\"}", "204 \n" },
		{ V1, "{\"statusCode\":205,\"body\":\"x\"}", "205 \n" },
		{ V1,
			"{\"statusCode\":304,\"body\":\"x\",\"headers\":"
			"{\"ETag\":\"\\\"a\\\"\"}}",
			"304 ETag: \"a\"\n\n" },
		{ V1, "{\"statusCode\":200,\"body\":\"\"}", "200 \n" },
		{ V1, "{\"statusCode\":200}", "200 \n" },
		{ V1, "{\"statusCode\":200,\"isBase64Encoded\":true}",
			"200 \n" },
		/* PHP writes "/" so */
		{ V1,
			"{\"statusCode\":200,\"isBase64Encoded\":true,"
			"\"headers\":{\"content-type\":\"a/b\"},"
			"\"body\":\"Pz8\\/\\r\\nPz8\\/\"}",
			"200 content-type: a/b\n\n?\?\?\?\?\?" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), false);
}

static void
test_body_of_any_byte(void **state)
{
	static const char text[] = "{\"statusCode\":200,\"headers\":"
				   "{\"content-type\":\"a/b\"},\"body\":"
				   "\"a\\u0000b\"}";
	static const char coded[] = "{\"statusCode\":200,\"isBase64Encoded\":"
				    "true,\"body\":\"AP8A\"}";
	struct aws_event_answer a;

	(void)state;
	assert_int_equal(aws_event_unwrap(V1, slice_of(text), &a, NULL), 0);
	assert_int_equal(a.body.length, 3);
	assert_memory_equal(a.body.data, "a\0b", 3);
	aws_event_answer_fini(&a);
	assert_int_equal(aws_event_unwrap(ALB, slice_of(coded), &a, NULL), 0);
	assert_int_equal(a.body.length, 3);
	assert_memory_equal(a.body.data, "\0\xff\0", 3);
	aws_event_answer_fini(&a);
	/* Twice is as good as once. */
	aws_event_answer_fini(&a);
}

/* Each option is looked for among all fields. */
static void
test_long_connection(void **state)
{
	(void)state;
	for (int length = 1024; length <= 1025; length++) {
		char *text = xasprintf("{\"statusCode\":200,\"headers\":{"
				       "\"a\":1,\"Connection\":\"%0*d\"}}",
			length, 0);
		char *got = outcome(V1, slice_of(text), false);

		assert_string_equal(got,
			length == 1024 ? "200 a: 1\n\n"
				       : "the function's answer: Connection "
					 "says more than 1024 bytes");
		free(got);
		free(text);
	}
}

static void
test_too_many_fields(void **state)
{
	struct str out;
	char *got;

	(void)state;
	for (int count = CALL_FIELDS_MAX - 1; count <= CALL_FIELDS_MAX;
		count++) {
		str_init(&out);
		str_puts(&out, "{\"statusCode\":200,\"body\":\"x\","
			       "\"multiValueHeaders\":{\"a\":[0");
		for (int i = 1; i < count; i++)
			str_printf(&out, ",%d", i);
		str_puts(&out, "]}}");
		got = outcome(
			V1, (struct slice){ out.data, out.length }, false);
		if (count < CALL_FIELDS_MAX)
			assert_non_null(strstr(got,
				"\na: 190\nContent-Type: application/json\n"));
		else
			assert_string_equal(got,
				"the function's answer: more than 191 fields");
		free(got);
		str_fini(&out);
	}
}

static void
test_heads_of_streams(void **state)
{
#define HEAD "the head of the function's stream: "
	static const struct row rows[] = {
		{ V2,
			"{\"statusCode\":201,\"headers\":{\"Content-Type\":"
			"\"text/html\",\"Content-Length\":\"5\"},\"cookies\":"
			"[\"a=b\"]}",
			"201 Content-Type: text/html\nSet-Cookie: a=b\n\n" },
		{ V2, "{}", "200 Content-Type: application/octet-stream\n\n" },
		{ V2, "{\"statusCode\":204}", "204 \n" },
		{ V2, "{\"body\":7}",
			"200 Content-Type: application/octet-stream\n\n" },
		{ V2, "[]", HEAD "it is a list, not a map" },
		{ V2, "{\"statusCode\":99}",
			HEAD "statusCode 99 is none from 200 to 599" },
		{ V2, "{\"headers\":7}",
			HEAD "headers is a number, not a "
			     "map" },
		{ V2, "{",
			HEAD "it is no JSON: no key where one should be at "
			     "byte 1" },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows), true);
}

static enum aws_event_shape
shape_of(const char *name)
{
	return strcmp(name, "alb") == 0  ? ALB
	       : strcmp(name, "v1") == 0 ? V1
					 : V2;
}

static bool
listed(const struct doc *list, const struct call_field *f)
{
	char *line = xasprintf("%.*s: %.*s", (int)f->name.length, f->name.data,
		(int)f->value.length, f->value.data);
	bool found = false;

	for (size_t i = 0; i < doc_count(list); i++) {
		struct slice want = slice_of(doc_string(doc_at(list, i)));

		found |= slice_equal_nocase(slice_of(line), want);
	}
	free(line);
	return found;
}

/* An application says through us what it says over HTTP alone. */
static void
test_answers_of_a_framework(void **state)
{
	struct doc *all = judged(), *answers = doc_get(all, "answers");
	struct str text, body;

	(void)state;
	str_init(&text);
	str_init(&body);
	for (size_t i = 0; i < doc_count(answers); i++) {
		const struct doc *c = doc_value_at(answers, i);
		const struct doc *http = doc_get(c, "http");
		struct error err = ERROR_INIT;
		struct aws_event_answer a;

		str_clear(&text);
		json_doc_write(doc_get(c, "answer"), 0, &text);
		if (aws_event_unwrap(shape_of(doc_get_string(c, "shape")),
			    (struct slice){ text.data, text.length }, &a,
			    &err) != 0)
			fail_msg("%s: %s", doc_key_at(answers, i), err.text);
		assert_int_equal(a.status, doc_get_integer(http, "status"));
		assert_int_equal(
			a.field_count, doc_count(doc_get(http, "fields")));
		for (size_t k = 0; k < a.field_count; k++)
			assert_true(
				listed(doc_get(http, "fields"), &a.fields[k]));
		judged_bytes(http, "body", &body);
		assert_int_equal(a.body.length, body.length);
		assert_memory_equal(a.body.data, body.data, body.length);
		aws_event_answer_fini(&a);
	}
	assert_true(doc_count(answers) >= 11);
	str_fini(&text);
	str_fini(&body);
	doc_free(all);
}

/* Whatever bytes come, there is an answer or a reason. */
static void
test_any_bytes(void **state)
{
	static const char base[] =
		"{\"statusCode\":200,\"headers\":{\"a\":\"x\",\"b\":1},"
		"\"multiValueHeaders\":{\"c\":[\"d\"]},\"cookies\":[\"e\"],"
		"\"isBase64Encoded\":true,\"body\":\"SGVsbG8=\"}";
	size_t length = sizeof(base) - 1;
	unsigned good = 0;

	(void)state;
	for (size_t at = 0; at < length; at++) {
		static const char odd[] = "\"{}[]:,\\\x00\xff"
					  "09nt=-\n";

		for (size_t i = 0; i < sizeof(odd) - 1; i++) {
			char text[sizeof(base)];
			char *got;

			memcpy(text, base, sizeof(base));
			text[at] = odd[i];
			got = outcome(
				V1, (struct slice){ text, length }, false);
			assert_true(strlen(got) > 4);
			good += strncmp(got, "200 ", 4) == 0;
			free(got);
			free(outcome(V2, (struct slice){ text, at }, false));
			free(outcome(ALB, (struct slice){ text, at }, true));
		}
	}
	assert_in_range(good, 100, length * 17);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_inferred),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_body_of_any_byte),
		cmocka_unit_test(test_long_connection),
		cmocka_unit_test(test_too_many_fields),
		cmocka_unit_test(test_heads_of_streams),
		cmocka_unit_test(test_answers_of_a_framework),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
