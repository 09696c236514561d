/*
 * Tests userspace/kinds/aws/event_wrap.c, event_pairs.c and event_text.c. Each
 * file of aws_events/ is a request and the event that AWS's pages, or an
 * emulator, have for it; members that are known to differ are named there with
 * the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/aws/event.h"

#define FOLDER     "tests/unit/kinds/aws_events/"
#define FIELDS_MAX 32

static const struct aws_event_context nothing_known = { 0 };

struct request {
	struct call_request r;
	struct call_field fields[FIELDS_MAX];
	struct str body;
};

static struct slice
slice_get(const struct doc *d, const char *key)
{
	const char *text = doc_get_string(d, key);

	return text == NULL ? (struct slice){ NULL, 0 } : slice_of(text);
}

static void
request_init(struct request *q, const struct doc *d)
{
	const struct doc *fields = doc_get(d, "fields");
	const char *coded = doc_get_string(d, "body_base64");

	*q = (struct request){
		.r = { .method = slice_get(d, "method"),
			.path = slice_get(d, "path"),
			.query = slice_get(d, "query"),
			.host = slice_get(d, "host"),
			.fields = q->fields,
			.field_count = doc_count(fields),
			.tls = doc_bool(doc_get(d, "tls")),
			.request_id = doc_get_string(d, "request_id"),
			.now_ms = (uint64_t)doc_get_integer(d, "now_ms") },
	};
	assert_in_range(doc_count(fields), 0, FIELDS_MAX);
	for (size_t i = 0; i < doc_count(fields); i++)
		q->fields[i] = (struct call_field){
			slice_of(doc_string(doc_at(doc_at(fields, i), 0))),
			slice_of(doc_string(doc_at(doc_at(fields, i), 1)))
		};
	assert_int_equal(
		addr_parse_ip(doc_get_string(d, "client"), 1234, &q->r.client),
		0);
	str_init(&q->body);
	if (coded != NULL)
		assert_int_equal(
			base64_decode(coded, strlen(coded), &q->body), 0);
	else
		str_puts(&q->body, doc_get_text(d, "body"));
	q->r.body = (struct slice){ q->body.data, q->body.length };
}

static enum aws_event_shape
shape_of(const char *name)
{
	static const char *const names[] = { [AWS_EVENT_GLOO] = "gloo",
		[AWS_EVENT_ALB] = "alb",
		[AWS_EVENT_API_GATEWAY_V1] = "v1",
		[AWS_EVENT_API_GATEWAY_V2] = "v2" };

	for (size_t i = AWS_EVENT_GLOO; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum aws_event_shape)i;
	fail_msg("there is no shape %s", name);
	return AWS_EVENT_RAW;
}

/* As a document: it is JSON, and no key comes twice. */
static struct doc *
wrapped(enum aws_event_shape shape, const struct call_request *r,
	const struct aws_event_context *context)
{
	struct error err = ERROR_INIT;
	struct str out;
	struct doc *d;

	str_init(&out);
	aws_event_wrap(shape, r, context, &out);
	d = json_doc_read(out.data, out.length, &err);
	if (d == NULL)
		fail_msg("%s: %s", err.text, out.data);
	str_fini(&out);
	return d;
}

/* place: "requestContext.identity.user" */
static void
forget(struct doc *event, const char *place)
{
	char *path = xstrdup(place), *key = path, *dot;
	struct doc *map = event;

	for (; (dot = strchr(key, '.')) != NULL; key = dot + 1) {
		*dot = '\0';
		map = doc_get(map, key);
	}
	if (doc_type(map) == DOC_MAP)
		doc_free(doc_steal(map, key));
	free(path);
}

static void
compare(const char *name, const struct doc *got, const struct doc *want)
{
	struct str a, b;

	if (doc_equal(got, want))
		return;
	str_init(&a);
	str_init(&b);
	json_doc_write(got, 2, &a);
	json_doc_write(want, 2, &b);
	fail_msg("%s\ngot:  %s\nwant: %s", name, a.data, b.data);
}

static void
check_file(const char *name)
{
	struct str text;
	struct doc *d, *got, *want, *differs, *c;
	struct error err = ERROR_INIT;
	struct request q;
	char *path = xasprintf(FOLDER "%s", name);

	str_init(&text);
	if (file_read(path, 1 << 20, &text, &err) != 0 ||
		(d = json_doc_read(text.data, text.length, &err)) == NULL)
		fail_msg("%s: %s", path, err.text);
	c = doc_get(d, "context");
	request_init(&q, doc_get(d, "request"));
	got = wrapped(shape_of(doc_get_string(d, "shape")), &q.r,
		&(struct aws_event_context){
			.function_arn = doc_get_string(c, "function_arn"),
			.account = doc_get_string(c, "account"),
			.region = doc_get_string(c, "region"),
			.stage = doc_get_string(c, "stage"),
			.api_id = doc_get_string(c, "api_id"),
			.domain = doc_get_string(c, "domain"),
			.multi_value_headers =
				doc_bool(doc_get(c, "multi_value_headers")),
		});
	want = doc_get(d, "event");
	differs = doc_get(d, "differs");
	for (size_t i = 0; i < doc_count(differs); i++) {
		forget(got, doc_key_at(differs, i));
		forget(want, doc_key_at(differs, i));
	}
	compare(name, got, want);
	str_fini(&q.body);
	str_fini(&text);
	doc_free(got);
	doc_free(d);
	free(path);
}

static void
test_documented_events(void **state)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *e;
	unsigned count = 0;

	(void)state;
	assert_non_null(folder);
	while ((e = readdir(folder)) != NULL) {
		if (strstr(e->d_name, ".json") == NULL)
			continue;
		check_file(e->d_name);
		count++;
	}
	closedir(folder);
	assert_true(count >= 17);
}

/* ---- bodies */

static void
test_which_body_is_text(void **state)
{
	static const struct {
		const char *type;
		bool alb, v1, v2;
	} rows[] = {
		{ "text/plain", true, true, true },
		{ "TEXT/HTML ; charset=utf-8", true, true, true },
		{ "text/", false, false, false },
		{ "application/json", true, true, true },
		{ "Application/JSON;charset=UTF-8", true, true, true },
		{ "application/javascript", true, true, true },
		{ "application/xml", true, true, true },
		{ "application/problem+json", false, true, true },
		{ "image/svg+xml", false, true, true },
		{ "application/x-www-form-urlencoded", false, true, false },
		{ "multipart/form-data; boundary=a", false, false, false },
		{ "application/octet-stream", false, false, false },
		{ "application/jsonx", false, false, false },
		{ "", false, true, false },
		{ NULL, false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const bool want[] = { [AWS_EVENT_GLOO] = true,
			[AWS_EVENT_ALB] = rows[i].alb,
			[AWS_EVENT_API_GATEWAY_V1] = rows[i].v1,
			[AWS_EVENT_API_GATEWAY_V2] = rows[i].v2 };
		struct call_field field = { slice_of("Content-Type"),
			slice_of(rows[i].type == NULL ? "" : rows[i].type) };
		struct call_request r = { .method = slice_of("POST"),
			.path = slice_of("/"),
			.fields = &field,
			.field_count = rows[i].type != NULL,
			.body = slice_of("abc") };

		for (size_t k = AWS_EVENT_GLOO; k < ARRAY_SIZE(want); k++) {
			struct doc *d = wrapped(
				(enum aws_event_shape)k, &r, &nothing_known);

			assert_string_equal(doc_get_string(d, "body"),
				want[k] ? "abc" : "YWJj");
			assert_true(doc_bool(doc_get(d, "isBase64Encoded")) ==
				    !want[k]);
			doc_free(d);
		}
	}
}

/* Any bytes come through: what is undone of the event is what went in. */
static void
test_any_body(void **state)
{
	static const char *const types[] = { "text/plain", "image/png" };
	char bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t begin = 0; begin < 256; begin++) {
		size_t length = 1 + begin % 40;
		struct call_field field = { slice_of("content-type"),
			slice_of(types[begin % 2]) };
		struct call_request r = { .method = slice_of("POST"),
			.path = slice_of("/"),
			.fields = &field,
			.field_count = 1,
			.body = { bytes + begin, length } };

		/* A document holds no NUL; the last bytes go round to it. */
		for (size_t k = AWS_EVENT_GLOO; begin > 0 && begin < 217 &&
						k <= AWS_EVENT_API_GATEWAY_V2;
			k++) {
			struct doc *d = wrapped(
				(enum aws_event_shape)k, &r, &nothing_known);
			const char *body = doc_get_string(d, "body");
			struct str plain;

			str_init(&plain);
			if (doc_bool(doc_get(d, "isBase64Encoded")))
				assert_int_equal(base64_decode(body,
							 strlen(body), &plain),
					0);
			else
				str_puts(&plain, body);
			assert_int_equal(plain.length, length);
			assert_memory_equal(plain.data, bytes + begin, length);
			str_fini(&plain);
			doc_free(d);
		}
	}
}

static void
test_text_with_nul(void **state)
{
	struct call_field field = { slice_of("content-type"),
		slice_of("text/plain") };
	struct call_request r = { .method = slice_of("POST"),
		.path = slice_of("/"),
		.fields = &field,
		.field_count = 1,
		.body = { "a\0b", 3 } };
	struct str out;

	(void)state;
	str_init(&out);
	aws_event_wrap(AWS_EVENT_API_GATEWAY_V2, &r, &nothing_known, &out);
	assert_non_null(strstr(out.data, "\"body\":\"a\\u0000b\""));
	str_clear(&out);
	aws_event_wrap(AWS_EVENT_RAW, &r, &nothing_known, &out);
	assert_int_equal(out.length, 3);
	assert_memory_equal(out.data, "a\0b", 3);
	str_fini(&out);
}

/* Escapes do not multiply a large body: beyond what Lambda takes it goes in
 * Base64. */
static void
test_size_is_bounded(void **state)
{
	size_t size = 6u << 20;
	char *bytes = xmalloc(size);
	struct call_field field = { slice_of("content-type"),
		slice_of("text/plain") };
	struct call_request r = { .method = slice_of("POST"),
		.path = slice_of("/"),
		.fields = &field,
		.field_count = 1,
		.body = { bytes, size } };
	struct str out;

	(void)state;
	memset(bytes, '\1', size);
	for (int shape = AWS_EVENT_GLOO; shape <= AWS_EVENT_API_GATEWAY_V2;
		shape++) {
		str_init(&out);
		aws_event_wrap(
			(enum aws_event_shape)shape, &r, &nothing_known, &out);
		assert_in_range(out.length, size, size / 3 * 4 + 4096);
		assert_in_range(out.capacity, 0, size / 3 * 4 + 2 * 4096);
		assert_non_null(strstr(out.data, "\"isBase64Encoded\":true"));
		str_fini(&out);
	}
	/* The largest text that goes as it is, and one more byte. */
	memset(bytes, 'x', size);
	for (size_t length = size - 2; length <= size - 1; length++) {
		r.body.length = length;
		str_init(&out);
		aws_event_wrap(AWS_EVENT_ALB, &r, &nothing_known, &out);
		assert_int_equal(
			strstr(out.data, "\"isBase64Encoded\":false") != NULL,
			length == size - 2);
		str_fini(&out);
	}
	free(bytes);
}

/* ---- what is odd in a request */

static void
test_odd_requests(void **state)
{
	static const struct call_field fields[] = {
		{ { "cookie", 6 }, { NULL, 0 } },
		{ { "x", 1 }, { "\xff\"\\\x01\xc3\xa4", 6 } },
		{ { "Content-Type", 12 }, { NULL, 0 } },
	};
	static const struct slice queries[] = { { "", 0 }, { "&&&", 3 },
		{ "=", 1 }, { "%", 1 }, { "%4", 2 }, { "%zz=%4", 6 },
		{ "a=%ff&a=%fe&%ff&%fe", 19 }, { "a=b=c&a", 7 },
		{ "%00=%00", 7 }, { "\xff\x80=\x80", 4 },
		{ "\xff=1&\xfe=2", 7 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		for (size_t k = AWS_EVENT_GLOO; k <= AWS_EVENT_API_GATEWAY_V2;
			k++) {
			/* Nothing else is known. */
			struct call_request r = { .query = queries[i],
				.fields = fields,
				.field_count = ARRAY_SIZE(fields) };
			struct str out;

			str_init(&out);
			str_puts(&out, "{");
			aws_event_wrap((enum aws_event_shape)k, &r,
				&nothing_known, &out);
			assert_int_equal(out.data[0], '{');
			assert_int_equal(out.data[1], '{');
			if (memchr(queries[i].data, '0', queries[i].length) ==
				NULL)
				doc_free(wrapped((enum aws_event_shape)k, &r,
					&nothing_known));
			str_fini(&out);
		}
	}
}

/* Of a field that comes twice the last one counts, wherever one is needed. */
static void
test_last_field_counts(void **state)
{
	static const struct call_field fields[] = {
		{ { "User-Agent", 10 }, { "first", 5 } },
		{ { "content-type", 12 }, { "text/plain", 10 } },
		{ { "accept", 6 }, { "a", 1 } },
		{ { "Content-Type", 12 }, { "image/png", 9 } },
		{ { "user-agent", 10 }, { "last", 4 } },
	};
	struct call_request r = { .method = slice_of("POST"),
		.path = slice_of("/"),
		.fields = fields,
		.field_count = ARRAY_SIZE(fields),
		.body = slice_of("abc") };
	struct doc *v1 = wrapped(AWS_EVENT_API_GATEWAY_V1, &r, &nothing_known);
	struct doc *v2 = wrapped(AWS_EVENT_API_GATEWAY_V2, &r, &nothing_known);

	(void)state;
	assert_string_equal(doc_get_string(v1, "body"), "YWJj");
	assert_string_equal(doc_string(doc_find(v1, "requestContext",
				    "identity", "userAgent", NULL)),
		"last");
	assert_string_equal(doc_string(doc_find(v2, "requestContext", "http",
				    "userAgent", NULL)),
		"last");
	/* The first spelling is the name of all. */
	assert_int_equal(doc_count(doc_find(
				 v1, "multiValueHeaders", "User-Agent", NULL)),
		2);
	assert_string_equal(
		doc_string(doc_find(v1, "headers", "User-Agent", NULL)),
		"last");
	doc_free(v1);
	doc_free(v2);
}

/* Keys that are one after decoding are one key; so are those that no UTF-8
 * tells apart. */
static void
test_query_keys_meet(void **state)
{
	struct call_request r = { .method = slice_of("GET"),
		.path = slice_of("/"),
		.query = slice_of("a=1&%61=2&b=3&%ff=4&%fe=5&a=6") };
	struct doc *d, *q;

	(void)state;
	d = wrapped(AWS_EVENT_API_GATEWAY_V2, &r, &nothing_known);
	q = doc_get(d, "queryStringParameters");
	assert_int_equal(doc_count(q), 3);
	assert_string_equal(doc_get_string(q, "a"), "1,2,6");
	assert_string_equal(doc_get_string(q, "b"), "3");
	assert_string_equal(doc_get_string(q, "\xef\xbf\xbd"), "4,5");
	doc_free(d);
	d = wrapped(AWS_EVENT_API_GATEWAY_V1, &r, &nothing_known);
	q = doc_find(d, "multiValueQueryStringParameters", "a", NULL);
	assert_int_equal(doc_count(q), 3);
	assert_string_equal(doc_string(doc_at(q, 2)), "6");
	doc_free(d);
}

/* Thousands of parameters take no square of time: with one this test would
 * not end. */
static void
test_many_parameters(void **state)
{
	struct call_request r = { .method = slice_of("GET"),
		.path = slice_of("/") };
	struct str query;
	struct doc *d;

	(void)state;
	str_init(&query);
	for (unsigned i = 0; i < 200000; i++)
		str_printf(&query, "%x&", i * 2654435761u);
	r.query = (struct slice){ query.data, query.length };
	d = wrapped(AWS_EVENT_API_GATEWAY_V1, &r, &nothing_known);
	assert_int_equal(
		doc_count(doc_get(d, "queryStringParameters")), 200000);
	doc_free(d);
	str_fini(&query);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented_events),
		cmocka_unit_test(test_which_body_is_text),
		cmocka_unit_test(test_any_body),
		cmocka_unit_test(test_text_with_nul),
		cmocka_unit_test(test_size_is_bounded),
		cmocka_unit_test(test_odd_requests),
		cmocka_unit_test(test_last_field_counts),
		cmocka_unit_test(test_query_keys_meet),
		cmocka_unit_test(test_many_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
