/* Tests userspace/base/addr.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"

static void
test_parse_and_format(void **state)
{
	static const struct {
		const char *what, *text, *formatted, *ip;
		int rc;
		bool v4, any;
	} rows[] = {
		{ "IPv4", "10.0.0.1", "10.0.0.1:80", "10.0.0.1", 0, true,
			false },
		{ "the IPv4 wildcard", "0.0.0.0", "0.0.0.0:80", "0.0.0.0", 0,
			true, true },
		{ "IPv6", "2001:DB8::1", "[2001:db8::1]:80", "2001:db8::1", 0,
			false, false },
		{ "the IPv6 wildcard", "::", "[::]:80", "::", 0, false, true },
		{ "loopback is no wildcard", "::1", "[::1]:80", "::1", 0, false,
			false },
		{ "IPv4-mapped IPv6 is IPv4", "::ffff:10.0.0.1", "10.0.0.1:80",
			"10.0.0.1", 0, true, false },
		{ "nothing", "", "", "", -1, false, false },
		{ "a name", "localhost", "", "", -1, false, false },
		{ "brackets", "[::1]", "", "", -1, false, false },
		{ "a port", "10.0.0.1:80", "", "", -1, false, false },
		{ "three numbers", "10.0.1", "", "", -1, false, false },
		{ "octal", "010.0.0.1", "", "", -1, false, false },
		{ "256", "10.0.0.256", "", "", -1, false, false },
		{ "a zone", "fe80::1%lo", "", "", -1, false, false },
		{ "a space", " 10.0.0.1", "", "", -1, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ADDR_TEXT_MAX], ip[ADDR_TEXT_MAX];
		struct addr a;

		if (addr_parse_ip(rows[i].text, 80, &a) != rows[i].rc)
			fail_msg("%s: parsed", rows[i].what);
		if (rows[i].rc < 0)
			continue;
		if (addr_is_v4(&a) != rows[i].v4 ||
			addr_is_any(&a) != rows[i].any || addr_port(&a) != 80)
			fail_msg("%s: kind", rows[i].what);
		assert_string_equal(addr_format(&a, text), rows[i].formatted);
		assert_string_equal(addr_format_ip(&a, ip), rows[i].ip);
	}
}

/* Both ends of each range, and those next to them. */
static void
test_kinds(void **state)
{
	static const struct {
		const char *ip;
		enum addr_kind kind;
	} rows[] = {
		{ "0.0.0.0", ADDR_UNSPECIFIED },
		{ "0.0.0.1", ADDR_THIS_NETWORK },
		{ "0.255.255.255", ADDR_THIS_NETWORK },
		{ "1.0.0.0", ADDR_ORDINARY },
		{ "10.0.0.1", ADDR_ORDINARY },
		{ "126.255.255.255", ADDR_ORDINARY },
		{ "127.0.0.0", ADDR_LOOPBACK },
		{ "127.255.255.255", ADDR_LOOPBACK },
		{ "::ffff:127.0.0.1", ADDR_LOOPBACK },
		{ "128.0.0.0", ADDR_ORDINARY },
		{ "169.253.255.255", ADDR_ORDINARY },
		{ "169.254.0.0", ADDR_LINK_LOCAL },
		{ "169.254.255.255", ADDR_LINK_LOCAL },
		{ "169.255.0.0", ADDR_ORDINARY },
		{ "192.0.2.1", ADDR_ORDINARY },
		{ "223.255.255.255", ADDR_ORDINARY },
		{ "224.0.0.0", ADDR_MULTICAST },
		{ "239.255.255.255", ADDR_MULTICAST },
		{ "240.0.0.0", ADDR_ORDINARY },
		{ "255.255.255.254", ADDR_ORDINARY },
		{ "255.255.255.255", ADDR_BROADCAST },
		{ "::", ADDR_UNSPECIFIED },
		{ "::1", ADDR_LOOPBACK },
		{ "::2", ADDR_ORDINARY },
		{ "::127.0.0.1", ADDR_ORDINARY },
		{ "7f00::1", ADDR_ORDINARY },
		{ "100::1", ADDR_ORDINARY },
		{ "2001:db8::1", ADDR_ORDINARY },
		{ "fd00::1", ADDR_ORDINARY },
		{ "fe7f:ffff::", ADDR_ORDINARY },
		{ "fe80::", ADDR_LINK_LOCAL },
		{ "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_LINK_LOCAL },
		{ "fec0::", ADDR_ORDINARY },
		{ "feff:ffff::", ADDR_ORDINARY },
		{ "ff00::", ADDR_MULTICAST },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_MULTICAST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a;

		assert_int_equal(addr_parse_ip(rows[i].ip, 80, &a), 0);
		if (addr_kind(&a) != rows[i].kind)
			fail_msg("%s: %d", rows[i].ip, (int)addr_kind(&a));
		assert_int_equal(
			addr_is_any(&a), rows[i].kind == ADDR_UNSPECIFIED);
		assert_int_equal(
			addr_is_loopback(&a), rows[i].kind == ADDR_LOOPBACK);
	}
}

static void
test_sources(void **state)
{
	static const struct {
		const char *ip, *source;
	} rows[] = {
		{ "192.0.2.7", "192.0.2.7" },
		{ "2001:db8::7", "2001:db8::/64" },
		{ "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr_prefix source;
		struct addr a;

		assert_int_equal(addr_parse_ip(rows[i].ip, 80, &a), 0);
		addr_source(a.ip, &source);
		assert_string_equal(
			addr_source_format(&source, text), rows[i].source);
		assert_true(addr_prefix_contains(&source, a.ip));
	}
}

static void
test_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{ "2001:db8::/64", "2001:db8::7/128", true },
		{ "2001:db8::/32", "2001:db8::/64", true },
		{ "2001:db8::/64", "2001:db8::/64", true },
		{ "2001:db8::/64", "2001:db8:0:1::7/128", false },
		{ "::/0", "10.0.0.0/8", true },
		{ "10.0.0.0/8", "11.0.0.0/8", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr_prefix a, b;

		assert_int_equal(addr_prefix_parse(rows[i].a, &a, NULL), 0);
		assert_int_equal(addr_prefix_parse(rows[i].b, &b, NULL), 0);
		if (addr_prefix_overlaps(&a, &b) != rows[i].overlap ||
			addr_prefix_overlaps(&b, &a) != rows[i].overlap)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

static void
test_longest_text_fits(void **state)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];

	(void)state;
	memset(&a, 0xff, sizeof(a));
	assert_string_equal(addr_format(&a, text),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void
test_sockaddr_there_and_back(void **state)
{
	static const struct {
		const char *ip;
		int family;
		socklen_t length;
	} rows[] = {
		{ "192.0.2.7", AF_INET, sizeof(struct sockaddr_in) },
		{ "2001:db8::7", AF_INET6, sizeof(struct sockaddr_in6) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage ss;
		struct addr a, b;

		assert_int_equal(addr_parse_ip(rows[i].ip, 8080, &a), 0);
		assert_int_equal(addr_to_sockaddr(&a, &ss), rows[i].length);
		assert_int_equal(ss.ss_family, rows[i].family);
		addr_from_sockaddr(&b, (struct sockaddr *)&ss);
		assert_true(addr_equal(&a, &b));
		b.port_be = 0;
		assert_false(addr_equal(&a, &b));
	}
}

static void
test_prefixes(void **state)
{
	static const struct {
		const char *what, *prefix, *ip;
		bool valid, contains;
	} rows[] = {
		{ "inside", "10.0.0.0/8", "10.255.0.1", true, true },
		{ "outside", "10.0.0.0/8", "11.0.0.1", true, false },
		{ "bits of the host are ignored", "10.1.2.3/8", "10.9.9.9",
			true, true },
		{ "not on a byte", "172.16.0.0/12", "172.31.255.255", true,
			true },
		{ "just past it", "172.16.0.0/12", "172.32.0.0", true, false },
		{ "one address", "10.0.0.1", "10.0.0.1", true, true },
		{ "another address", "10.0.0.1", "10.0.0.2", true, false },
		{ "all of IPv4", "0.0.0.0/0", "203.0.113.9", true, true },
		{ "all of IPv4 has no IPv6", "0.0.0.0/0", "2001:db8::1", true,
			false },
		{ "everything", "::/0", "203.0.113.9", true, true },
		{ "IPv6", "2001:db8::/33", "2001:db8:7fff::1", true, true },
		{ "not IPv6", "2001:db8::/33", "2001:db8:8000::1", true,
			false },
		{ "mapped", "::ffff:10.0.0.0/104", "10.1.1.1", true, true },
		{ "too long for IPv4", "10.0.0.0/33", "", false, false },
		{ "too long for IPv6", "::/129", "", false, false },
		{ "a huge length", "::/99999999999999999999", "", false,
			false },
		{ "no length", "10.0.0.0/", "", false, false },
		{ "a negative length", "10.0.0.0/-1", "", false, false },
		{ "a length with a tail", "10.0.0.0/8x", "", false, false },
		{ "a name", "localhost/8", "", false, false },
		{ "nothing", "", "", false, false },
		{ "a long text",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = ERROR_INIT;
		struct addr_prefix p;
		struct addr a;
		int rc = addr_prefix_parse(rows[i].prefix, &p, &err);

		if (rc != (rows[i].valid ? 0 : -1))
			fail_msg("%s: %s", rows[i].what, err.text);
		if (rc < 0) {
			assert_int_equal(err.code, ERROR_CONFIG);
			continue;
		}
		assert_int_equal(addr_parse_ip(rows[i].ip, 0, &a), 0);
		if (addr_prefix_contains(&p, a.ip) != rows[i].contains)
			fail_msg("%s", rows[i].what);
	}
}

static void
test_prefixes_as_text(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "10.1.2.3/8", "10.0.0.0/8" },
		{ "10.1.2.3", "10.1.2.3/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "2001:db8:1:2::5/64", "2001:db8:1:2::/64" },
		{ "::/0", "::/0" },
		{ "::ffff:10.0.0.0/90", "::ffc0:0:0/90" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr_prefix p, same;

		assert_int_equal(addr_prefix_parse(rows[i].in, &p, NULL), 0);
		assert_string_equal(addr_prefix_format(&p, text), rows[i].out);
		assert_int_equal(addr_prefix_parse(text, &same, NULL), 0);
		assert_int_equal(same.bits, p.bits);
		assert_memory_equal(same.ip, p.ip, 16);
		memset(p.ip, 0xff, 16);
		addr_prefix_mask(&p);
		assert_true(addr_prefix_contains(&p, p.ip));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_longest_text_fits),
		cmocka_unit_test(test_sockaddr_there_and_back),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_prefixes_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
