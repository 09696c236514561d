/* Whose request it is. */
#include "proxy/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/generation.h"

/* 10.0.0.0/8 and fd00::/8 are trusted. */
static struct with_trusted {
	struct image image;
	struct addr_prefix trusted[2];
} with_trusted;

static struct generation generation;

static int
make(void **state)
{
	(void)state;
	assert_int_equal(
		addr_prefix_parse("10.0.0.0/8", &with_trusted.trusted[0], NULL),
		0);
	assert_int_equal(
		addr_prefix_parse("fd00::/8", &with_trusted.trusted[1], NULL),
		0);
	with_trusted.image.trusted.offset =
		offsetof(struct with_trusted, trusted);
	with_trusted.image.trusted.count = 2;
	generation.image = &with_trusted.image;
	return 0;
}

static void
rows_hold(void **state)
{
	static const struct {
		const char *peer, *fields, *client;
	} rows[] = {
		{ "192.0.2.1", "", "192.0.2.1" },
		{ "192.0.2.1", "X-Forwarded-For: 198.51.100.7\r\n",
			"192.0.2.1" },
		{ "10.1.1.1", "", "10.1.1.1" },
		{ "10.1.1.1", "X-Forwarded-For: 198.51.100.7\r\n",
			"198.51.100.7" },
		{ "fd00::1", "X-Forwarded-For: 2001:db8::5\r\n",
			"2001:db8::5" },
		/* Only the last is known to be no invention of the client. */
		{ "10.1.1.1", "X-Forwarded-For: 1.1.1.1, 198.51.100.7\r\n",
			"198.51.100.7" },
		{ "10.1.1.1",
			"X-Forwarded-For: 1.1.1.1,\t198.51.100.7 , "
			"10.2.2.2\r\n",
			"198.51.100.7" },
		{ "10.1.1.1",
			"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: "
			"198.51.100.7\r\nX-Forwarded-For: 10.3.3.3\r\n",
			"198.51.100.7" },
		{ "10.1.1.1", "X-Forwarded-For: 10.4.4.4, 10.3.3.3\r\n",
			"10.4.4.4" },
		/* What is no address ends it: the proxy before is the client.
		 */
		{ "10.1.1.1", "X-Forwarded-For: 198.51.100.7, unknown\r\n",
			"10.1.1.1" },
		{ "10.1.1.1",
			"X-Forwarded-For: 198.51.100.7, bad, 10.3.3.3\r\n",
			"10.3.3.3" },
		{ "10.1.1.1", "X-Forwarded-For: \r\n", "10.1.1.1" },
		{ "10.1.1.1", "X-Forwarded-For: ,\r\n", "10.1.1.1" },
		{ "10.1.1.1", "X-Real-IP: 198.51.100.7\r\n", "10.1.1.1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static struct http_head head;
		char bytes[512], got[ADDR_TEXT_MAX];
		enum http_refusal why;
		struct addr peer, client;
		size_t skipped;

		snprintf(bytes, sizeof(bytes),
			"GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", rows[i].fields);
		assert_int_equal(
			http_request_parse(bytes, strlen(bytes), 0,
				&http_limits_default, &head, &skipped, &why),
			HTTP_PARSE_DONE);
		addr_parse_ip(rows[i].peer, 1234, &peer);
		assert_int_equal(
			client_address(&generation, &peer, &head, &client),
			generation_trusts(&generation, peer.ip));
		if (strcmp(addr_format_ip(&client, got), rows[i].client) != 0)
			fail_msg("[%zu]: %s, not %s", i, got, rows[i].client);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
	};

	return cmocka_run_group_tests(tests, make, NULL);
}
