/* Tests userspace/kinds/consul/trouble.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "kinds/consul/trouble.h"

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t number;
	} cases[] = {
		{ NULL, 0 },
		{ "", 0 },
		{ "0", 0 },
		{ "16", 16 },
		{ "007", 7 },
		{ "18446744073709551615", UINT64_MAX },
		{ "18446744073709551616", 0 },
		{ "99999999999999999999999", 0 },
		{ "-1", 0 },
		{ "+1", 0 },
		{ " 1", 0 },
		{ "1 ", 0 },
		{ "1.0", 0 },
		{ "1e3", 0 },
		{ "0x10", 0 },
		{ "12, 13", 0 },
		{ "never", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (consul_number_read(cases[i].text) != cases[i].number)
			fail_msg("%s", cases[i].text);
}

static void
test_statuses(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum consul_trouble trouble;
	} cases[] = {
		{ 200, "[]", CONSUL_FINE },
		{ 200, "No cluster leader", CONSUL_FINE },
		{ 204, "", CONSUL_REFUSED },
		{ 301, "", CONSUL_REFUSED },
		{ 400, "Invalid wait time", CONSUL_REFUSED },
		{ 401, "", CONSUL_FORBIDDEN },
		{ 403, "ACL not found", CONSUL_FORBIDDEN },
		{ 403, "Permission denied", CONSUL_FORBIDDEN },
		{ 404, "", CONSUL_REFUSED },
		{ 429, "", CONSUL_LIMITED },
		{ 500, "No cluster leader", CONSUL_NO_LEADER },
		{ 500, "rpc error making call: No cluster leader",
			CONSUL_NO_LEADER },
		{ 500, "No path to datacenter", CONSUL_NO_PATH },
		{ 500, "rpc error making call: No path to datacenter",
			CONSUL_NO_PATH },
		{ 500, "No known Consul servers", CONSUL_NO_SERVER },
		{ 500, "rpc error getting client: failed to get conn: dial tcp",
			CONSUL_NO_SERVER },
		{ 500, "rpc error making call: EOF", CONSUL_NO_SERVER },
		{ 500, "", CONSUL_FAILED },
		{ 503, "Service Unavailable", CONSUL_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(consul_trouble_of(cases[i].status,
					 slice_of(cases[i].body)),
			cases[i].trouble);
	assert_int_equal(consul_trouble_of(500, (struct slice){ NULL, 0 }),
		CONSUL_FAILED);
}

static void
told_is(enum consul_trouble trouble, struct consul_complaint c,
	const char *want)
{
	struct str text;

	c.agent = "127.0.0.1:8500";
	c.path = "/v1/health/service/web";
	str_init(&text);
	consul_trouble_tell(trouble, &c, &text);
	assert_string_equal(text.data, want);
	str_fini(&text);
}

static void
test_sentences(void **state)
{
	static const char nul[] = "a\0b\n";

	(void)state;
	told_is(CONSUL_UNREACHED, (struct consul_complaint){ .why = "no" },
		"Consul agent 127.0.0.1:8500: no; see that it runs, or let "
		"consul.httpAddress say where it is");
	told_is(CONSUL_FORBIDDEN,
		(struct consul_complaint){
			.status = 403, .body = slice_of("ACL not found\r\n") },
		"Consul agent 127.0.0.1:8500: GET /v1/health/service/web: "
		"HTTP 403: ACL not found; let consul.token or "
		"consul.tokenFile be a token that Consul knows and that has "
		"service:read and node:read");
	told_is(CONSUL_NO_PATH,
		(struct consul_complaint){ .status = 500,
			.datacenter = "dc9",
			.body = slice_of("No path to datacenter") },
		"Consul agent 127.0.0.1:8500: GET /v1/health/service/web of "
		"data centre dc9: HTTP 500: No path to datacenter; see that "
		"the data centre is joined (`consul members -wan`), or leave "
		"it out");
	told_is(CONSUL_FAILED, (struct consul_complaint){ .status = 500 },
		"Consul agent 127.0.0.1:8500: GET /v1/health/service/web: "
		"HTTP 500; see the agent's log");
	told_is(CONSUL_FAILED,
		(struct consul_complaint){
			.status = 500, .body = { nul, sizeof(nul) - 1 } },
		"Consul agent 127.0.0.1:8500: GET /v1/health/service/web: "
		"HTTP 500: a?b; see the agent's log");
	told_is(CONSUL_FAILED,
		(struct consul_complaint){ .status = 500,
			.body = slice_of("\x1b[2J\xff\xc3\xbc") },
		"Consul agent 127.0.0.1:8500: GET /v1/health/service/web: "
		"HTTP 500: ?[2J???; see the agent's log");
}

static void
test_a_sentence_has_an_end(void **state)
{
	char body[4096];
	struct str text;

	(void)state;
	memset(body, 'x', sizeof(body));
	str_init(&text);
	consul_trouble_tell(CONSUL_FAILED,
		&(struct consul_complaint){ .agent = "a",
			.path = "/",
			.status = 500,
			.body = { body, sizeof(body) } },
		&text);
	assert_true(text.length < 300);
	str_fini(&text);
	/* Each has something to say. */
	for (int t = CONSUL_UNREACHED; t <= CONSUL_NO_PASS; t++) {
		str_init(&text);
		consul_trouble_tell((enum consul_trouble)t,
			&(struct consul_complaint){ .agent = "a", .why = "b" },
			&text);
		assert_memory_equal(text.data, "Consul agent a: b; ", 19);
		assert_true(text.length > 30);
		str_fini(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_a_sentence_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
