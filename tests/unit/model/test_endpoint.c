/* Where endpoints are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "model/endpoint.h"

static void
test_format(void **state)
{
	static const struct {
		const char *ip, *host, *text;
	} rows[] = {
		{ "10.0.0.1", "", "10.0.0.1:80" },
		{ "10.0.0.1", "a.test", "10.0.0.1:80" },
		{ "::1", "", "[::1]:80" },
		{ "100::1", "/run/a.sock", "unix:/run/a.sock" },
	};
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(addr_parse_ip(rows[i].ip, 80, &e.addr), 0);
		strcpy(e.host, rows[i].host);
		assert_string_equal(endpoint_format(&e, text), rows[i].text);
	}
	/* The longest that there can be. */
	memset(e.host, 'a', sizeof(e.host) - 1);
	e.host[0] = '/';
	assert_int_equal(strlen(endpoint_format(&e, text)),
		sizeof(e.host) - 1 + strlen("unix:"));
}

/* Each path is an endpoint of its own, at an address of nobody. */
static void
test_pipe(void **state)
{
	struct addr a, again, b;

	(void)state;
	endpoint_pipe_addr("/run/a.sock", &a);
	endpoint_pipe_addr("/run/a.sock", &again);
	endpoint_pipe_addr("/run/b.sock", &b);
	assert_true(addr_equal(&a, &again));
	assert_false(addr_equal(&a, &b));
	assert_true(endpoint_addr_is_pipe(&a));
	assert_false(addr_is_v4(&a));
	assert_true(a.port_be != 0);
	assert_int_equal(addr_parse_ip("100:1::1", 80, &b), 0);
	assert_false(endpoint_addr_is_pipe(&b));
	assert_int_equal(addr_parse_ip("1.0.0.1", 80, &b), 0);
	assert_false(endpoint_addr_is_pipe(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
