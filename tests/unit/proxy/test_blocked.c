/* Tests userspace/proxy/blocked.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "proxy/blocked.h"

static void
ip_make(uint8_t ip[16], uint32_t n)
{
	memset(ip, 0, 16);
	ip[10] = ip[11] = 0xff;
	memcpy(ip + 12, &n, sizeof(n));
}

static void
who_is_blocked_where_and_how_long(void **state)
{
	struct blocked *b = blocked_new();
	uint8_t a[16], other[16];

	(void)state;
	ip_make(a, 1);
	ip_make(other, 2);
	assert_false(blocked_has(b, 1, a, 0));
	blocked_add(b, 1, a, 3000, 1000);
	assert_true(blocked_has(b, 1, a, 1000));
	assert_true(blocked_has(b, 1, a, 2999));
	assert_false(blocked_has(b, 1, a, 3000));
	assert_false(blocked_has(b, 2, a, 2000)); /* another listener */
	assert_false(blocked_has(b, 1, other, 2000));
	/* Set anew, while another stands. */
	blocked_add(b, 1, other, 9000, 2000);
	blocked_add(b, 1, a, 5000, 2000);
	assert_true(blocked_has(b, 1, a, 4999));
	assert_false(blocked_has(b, 1, a, 5000));
	assert_true(blocked_has(b, 1, other, 8999));
	/* All are over, then one comes. */
	blocked_add(b, 1, a, 20000, 10000);
	assert_true(blocked_has(b, 1, a, 19999));
	assert_false(blocked_has(b, 1, other, 10000));
	blocked_add(b, 2, a, 20000, 10000);
	blocked_forget(b, 1);
	assert_false(blocked_has(b, 1, a, 10000));
	assert_true(blocked_has(b, 2, a, 10000));
	blocked_free(b);
}

static void
an_ipv6_source_is_its_64(void **state)
{
	struct blocked *b = blocked_new();
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [7] = 1, [15] = 1 };

	(void)state;
	blocked_add(b, 1, ip, 3000, 1000);
	assert_true(blocked_has(b, 1, ip, 2000));
	ip[8] = ip[15] = 0xff;
	assert_true(blocked_has(b, 1, ip, 2000));
	ip[7] = 2;
	assert_false(blocked_has(b, 1, ip, 2000));
	blocked_free(b);
}

static void
it_is_bounded(void **state)
{
	struct blocked *b = blocked_new();
	uint32_t kept = 0;
	uint8_t ip[16];

	(void)state;
	for (uint32_t n = 0; n < 100000; n++) {
		ip_make(ip, n);
		blocked_add(b, 1, ip, 1000 + n, 0);
		assert_true(blocked_has(b, 1, ip, 0));
	}
	for (uint32_t n = 0; n < 100000; n++) {
		ip_make(ip, n);
		kept += blocked_has(b, 1, ip, 0);
	}
	assert_int_equal(kept, 4096);
	blocked_free(b);
	blocked_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_blocked_where_and_how_long),
		cmocka_unit_test(an_ipv6_source_is_its_64),
		cmocka_unit_test(it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
