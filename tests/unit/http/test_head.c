/* The names of HTTP: fields, methods, refusals, reason phrases. */
#include "http/head.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
	const char *name;
	enum http_field_id id;
} fields[] = {
	{ "Host", HTTP_FIELD_HOST },
	{ "Connection", HTTP_FIELD_CONNECTION },
	{ "Content-Length", HTTP_FIELD_CONTENT_LENGTH },
	{ "Content-Type", HTTP_FIELD_CONTENT_TYPE },
	{ "Transfer-Encoding", HTTP_FIELD_TRANSFER_ENCODING },
	{ "Expect", HTTP_FIELD_EXPECT },
	{ "Upgrade", HTTP_FIELD_UPGRADE },
	{ "TE", HTTP_FIELD_TE },
	{ "Trailer", HTTP_FIELD_TRAILER },
	{ "Keep-Alive", HTTP_FIELD_KEEP_ALIVE },
	{ "Proxy-Connection", HTTP_FIELD_PROXY_CONNECTION },
	{ "HTTP2-Settings", HTTP_FIELD_HTTP2_SETTINGS },
	{ "Date", HTTP_FIELD_DATE },
	{ "Server", HTTP_FIELD_SERVER },
	{ "Location", HTTP_FIELD_LOCATION },
	{ "User-Agent", HTTP_FIELD_USER_AGENT },
	{ "Authorization", HTTP_FIELD_AUTHORIZATION },
	{ "Cookie", HTTP_FIELD_COOKIE },
	{ "Forwarded", HTTP_FIELD_FORWARDED },
	{ "X-Forwarded-For", HTTP_FIELD_X_FORWARDED_FOR },
	{ "X-Forwarded-Proto", HTTP_FIELD_X_FORWARDED_PROTO },
	{ "X-Forwarded-Host", HTTP_FIELD_X_FORWARDED_HOST },
	{ "X-Real-IP", HTTP_FIELD_X_REAL_IP },
	{ "X-Request-ID", HTTP_FIELD_X_REQUEST_ID },
	{ "X-Envoy-Original-Path", HTTP_FIELD_X_ENVOY_ORIGINAL_PATH },
	{ "X-Envoy-Expected-Rq-Timeout-Ms",
		HTTP_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS },
};

#define FIELDS (sizeof(fields) / sizeof(*fields))

static void
test_fields_of_the_hop(void **state)
{
	static const char names[] = "Connection Content-Length "
				    "Transfer-Encoding Upgrade TE Trailer "
				    "Keep-Alive Proxy-Connection "
				    "HTTP2-Settings ";
	size_t length = 0;

	(void)state;
	for (size_t i = 0; i < FIELDS; i++) {
		if (!http_field_is_of_hop(fields[i].id))
			continue;
		assert_non_null(strstr(names, fields[i].name));
		length += strlen(fields[i].name) + 1;
	}
	assert_int_equal(length, strlen(names));
	assert_false(http_field_is_of_hop(HTTP_FIELD_OTHER));
}

static void
test_field_ids(void **state)
{
	(void)state;
	assert_int_equal(FIELDS, HTTP_FIELD_COUNT - 1);
	for (size_t i = 0; i < FIELDS; i++) {
		char name[64];
		size_t n = strlen(fields[i].name);

		assert_int_equal(http_field_id_of(slice_of(fields[i].name)),
			fields[i].id);
		for (size_t k = 0; k <= n; k++)
			name[k] = (char)tolower(fields[i].name[k]);
		assert_int_equal(
			http_field_id_of(slice_of(name)), fields[i].id);
		for (size_t k = 0; k <= n; k++)
			name[k] = (char)toupper(fields[i].name[k]);
		assert_int_equal(
			http_field_id_of(slice_of(name)), fields[i].id);
	}
}

/* No name but the right one, in any case, has an id. */
static void
test_field_ids_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELDS; i++) {
		char name[64];
		size_t n = strlen(fields[i].name);

		for (size_t at = 0; at < n; at++) {
			for (int c = 0; c < 256; c++) {
				memcpy(name, fields[i].name, n);
				name[at] = (char)c;
				if (c < 128 &&
					tolower(c) ==
						tolower(fields[i].name[at]))
					continue;
				assert_int_equal(
					http_field_id_of(
						(struct slice){ name, n }),
					HTTP_FIELD_OTHER);
			}
		}
		assert_int_equal(http_field_id_of((struct slice){
					 fields[i].name, n - 1 }),
			HTTP_FIELD_OTHER);
	}
	assert_int_equal(
		http_field_id_of((struct slice){ NULL, 0 }), HTTP_FIELD_OTHER);
	assert_int_equal(http_field_id_of(slice_of("a-name-that-is-longer-"
						   "than-all-of-ours-are")),
		HTTP_FIELD_OTHER);
}

static void
test_methods(void **state)
{
	(void)state;
	for (int m = HTTP_GET; m <= HTTP_CONNECT; m++) {
		struct slice name = slice_of(http_method_name(m));

		assert_true(name.length > 0);
		assert_int_equal(http_method_of(name), m);
	}
	assert_int_equal(http_method_of(slice_of("get")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_of(slice_of("")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_of(slice_of("GETS")), HTTP_METHOD_OTHER);
	assert_string_equal(http_method_name(HTTP_METHOD_OTHER), "");
}

static void
test_refusals(void **state)
{
	(void)state;
	for (int i = 1; i < HTTP_REFUSE_COUNT; i++) {
		int status = http_refusal_status(i);

		assert_true(http_refusal_word(i)[0] != '\0');
		if (i == HTTP_REFUSE_PROTOCOL)
			assert_int_equal(status, 0);
		else
			assert_true(http_status_reason(status)[0] != '\0');
		for (int k = 1; k < i; k++)
			assert_string_not_equal(
				http_refusal_word(i), http_refusal_word(k));
	}
	assert_int_equal(http_refusal_status(HTTP_REFUSE_TARGET), 414);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_HEAD_SIZE), 431);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_FIELDS), 431);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_METHOD), 501);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_TE), 501);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_VERSION), 505);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_EXPECT), 417);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_CONNECT), 405);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_HOST), 400);
	assert_int_equal(http_refusal_status(HTTP_REFUSE_COUNT), 400);
	assert_string_equal(http_refusal_word(HTTP_REFUSE_COUNT), "");
}

static void
test_reasons(void **state)
{
	(void)state;
	assert_string_equal(http_status_reason(200), "OK");
	assert_string_equal(http_status_reason(404), "Not Found");
	assert_string_equal(http_status_reason(504), "Gateway Timeout");
	assert_string_equal(http_status_reason(299), "");
	assert_string_equal(http_status_reason(99), "");
	assert_string_equal(http_status_reason(600), "");
	assert_string_equal(http_status_reason(-1), "");
}

static void
test_finding(void **state)
{
	static const char bytes[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n"
				    "x-a: 2\r\n\r\n";
	static struct http_head head;
	enum http_refusal why;
	size_t skipped;

	(void)state;
	assert_int_equal(http_request_parse(bytes, sizeof(bytes) - 1, 0,
				 &http_limits_default, &head, &skipped, &why),
		HTTP_PARSE_DONE);
	assert_ptr_equal(
		http_head_find(&head, HTTP_FIELD_HOST), &head.fields[0]);
	assert_null(http_head_find(&head, HTTP_FIELD_COOKIE));
	assert_ptr_equal(
		http_head_find_name(&head, slice_of("X-a")), &head.fields[1]);
	assert_null(http_head_find_name(&head, slice_of("X-")));
	assert_true(slice_equal(
		http_field_value(&head, &head.fields[2]), slice_of("2")));
}

static void
test_tokens(void **state)
{
	(void)state;
	assert_true(http_is_token(slice_of("a!#$%&'*+-.^_`|~Z9")));
	assert_false(http_is_token(slice_of("")));
	assert_false(http_is_token((struct slice){ NULL, 0 }));
	assert_false(http_is_token(slice_of("a b")));
	assert_false(http_is_token(slice_of("a:")));
	assert_false(http_is_token(slice_of("\xc3\xa4")));
	assert_true(http_is_field_value(slice_of("")));
	assert_true(http_is_field_value((struct slice){ NULL, 0 }));
	assert_true(http_is_field_value(slice_of("a\tb \xc3\xa4")));
	assert_false(http_is_field_value(slice_of("a\r\nb")));
	assert_false(http_is_field_value((struct slice){ "a\0b", 3 }));
	assert_false(http_is_field_value(slice_of("\x7f")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field_ids),
		cmocka_unit_test(test_fields_of_the_hop),
		cmocka_unit_test(test_field_ids_exact),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
