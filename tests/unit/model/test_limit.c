/* Tests userspace/model/limit.c and limit_rule.c; what is refused:
 * tests/config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "model/limit.h"
#include "model/model.h"

#define CHARS(text) ((char *)(uintptr_t)(text))

static void
defaults_are_filled_in(void **state)
{
	struct model_limit items[] = {
		{ .rate = 100, .unit_s = 60 },
		{ .name = CHARS("packets"),
			.rate = 5,
			.unit_s = 1,
			.counts = LIMIT_PACKETS,
			.plen4 = 24 },
		{ .rate = 5,
			.unit_s = 1,
			.burst = 7,
			.action = LIMIT_ACTION_SHADOW },
	};
	struct model_limit_basic basic = { 10, 3600 };
	const struct model_limits l = { items, 3, &basic };
	struct limit_rule r;

	(void)state;
	assert_true(limit_rule_get(&l, 0, &r));
	assert_string_equal(r.name, "rateLimits[0]");
	assert_int_equal(r.burst, 100);
	assert_int_equal(r.stage, LIMIT_STAGE_HTTP);
	assert_int_equal(r.action, LIMIT_ACTION_429);
	assert_int_equal(r.plen4, 32);
	assert_int_equal(r.plen6, 64);
	assert_true(r.promotion.enabled);
	assert_int_equal(r.promotion.factor, 10);

	assert_true(limit_rule_get(&l, 1, &r));
	assert_string_equal(r.name, "packets");
	assert_int_equal(r.stage, LIMIT_STAGE_KERNEL);
	assert_int_equal(r.action, LIMIT_ACTION_DROP);
	assert_int_equal(r.plen4, 24);
	assert_false(r.promotion.enabled);

	assert_true(limit_rule_get(&l, 2, &r));
	assert_int_equal(r.burst, 7);
	assert_false(r.promotion.enabled); /* in shadow nobody is blocked */

	assert_true(limit_rule_get(&l, 3, &r));
	assert_string_equal(r.name, "anonymousLimits");
	assert_int_equal(r.rate, 10);
	assert_int_equal(r.unit_s, 3600);
	assert_int_equal(r.burst, 10);
	assert_false(limit_rule_get(&l, 4, &r));
	assert_false(limit_rule_get(&(struct model_limits){ 0 }, 0, &r));
}

static void
identity_is_what_the_buckets_are_of(void **state)
{
	struct limit_rule r = {
		.name = "a", .rate = 5, .unit_s = 1, .burst = 5
	};
	uint64_t first = limit_rule_identity(&r, "virtualservices/x/y");

	(void)state;
	r.burst = 9;
	r.action = LIMIT_ACTION_DROP;
	assert_true(limit_rule_identity(&r, "virtualservices/x/y") == first);
	assert_false(limit_rule_identity(&r, "virtualservices/x/z") == first);
	r.rate = 6;
	assert_false(limit_rule_identity(&r, "virtualservices/x/y") == first);
	r.rate = 5;
	strcpy(r.name, "b");
	assert_false(limit_rule_identity(&r, "virtualservices/x/y") == first);
}

static void
units_are_whole(void **state)
{
	static const struct {
		uint32_t rate, unit_s, per_ms, cost;
	} rows[] = {
		{ 100, 60, 1, 600 },
		{ 1000, 1, 1, 1 },
		{ 7, 1, 7, 1000 },
		{ 1000000, 1, 1000, 1 },
		{ 999983, 1, 999983, 1000 },
		{ 1, 86400, 1, 86400000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t per_ms, cost;

		limit_units(rows[i].rate, rows[i].unit_s, &per_ms, &cost);
		assert_int_equal(per_ms, rows[i].per_ms);
		assert_int_equal(cost, rows[i].cost);
	}
}

static void
far_beyond_is_never_a_few(void **state)
{
	struct limit_rule r = {
		.rate = 100,
		.unit_s = 60,
		.promotion = { true, 10, 3000, 30000 },
	};

	(void)state;
	assert_int_equal(limit_far_beyond(&r), 45);
	r.rate = 1;
	r.unit_s = 86400;
	assert_int_equal(limit_far_beyond(&r), 30); /* ten a second */
	r.rate = 1000000;
	r.unit_s = 1;
	r.promotion.factor = 1000;
	r.promotion.after_ms = 3600000;
	assert_true(limit_far_beyond(&r) == UINT32_MAX);
	r.promotion.enabled = false;
	assert_int_equal(limit_far_beyond(&r), 0);
}

static void
the_kernels_rules_are_grouped_by_bucket(void **state)
{
	struct model_limit items[] = {
		{ .rate = 1, .unit_s = 1, .counts = LIMIT_PACKETS },
		{ .rate = 100, .unit_s = 1 }, /* requests: not the kernel's */
		{ .rate = 2,
			.unit_s = 1,
			.counts = LIMIT_BYTES,
			.plen4 = 24,
			.action = LIMIT_ACTION_SHADOW },
		{ .rate = 3,
			.unit_s = 60,
			.counts = LIMIT_CONNECTIONS,
			.burst = 9 },
	};
	const struct model_limits l = { items, 4, NULL };
	struct limit_group g[LIMIT_GROUPS_MAX];
	size_t count;

	(void)state;
	assert_int_equal(limits_check(&l, LIMIT_AT_GATEWAY, NULL), 0);
	assert_int_equal(limit_groups(&l, g, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_int_equal(g[0].plen4, 32);
	assert_int_equal(g[0].packets.rate, 1);
	assert_int_equal(g[0].bytes.rate, 0);
	assert_int_equal(g[0].connections.rate, 3);
	assert_int_equal(g[0].connections.unit_s, 60);
	assert_int_equal(g[0].connections.burst, 9);
	assert_false(g[0].shadow);
	assert_int_equal(g[1].plen4, 24);
	assert_int_equal(g[1].bytes.burst, 2);
	assert_true(g[1].shadow);
}

static void
a_tcp_host_has_no_requests(void **state)
{
	struct model_limit item = { .rate = 1, .unit_s = 1 };
	const struct model_limits l = { &item, 1, NULL };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(limits_check(&l, LIMIT_AT_TCP_HOST, &err), -1);
	assert_non_null(strstr(err.text, "a TCP host has no requests"));
	item.counts = LIMIT_CONNECTIONS;
	assert_int_equal(limits_check(&l, LIMIT_AT_TCP_HOST, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(identity_is_what_the_buckets_are_of),
		cmocka_unit_test(units_are_whole),
		cmocka_unit_test(far_beyond_is_never_a_few),
		cmocka_unit_test(the_kernels_rules_are_grouped_by_bucket),
		cmocka_unit_test(a_tcp_host_has_no_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
