/* Tests userspace/filter/limit.c: rules of model, image and table together. */
#include "filter/limit.h"

#include "filter/limit_table.h"
#include "tests/unit/routing/virtual_host.h"

#define CHARS(text) ((char *)(uintptr_t)(text))
#define NOW_MS      1000000

struct limited {
	struct fixture f;
	void *memory;
	struct limit_table *table;
	struct model_gateway gateway;
	struct filter_limit_verdict verdict;
};

/* The rules of the listener and of the virtual service. */
static void
limited_init(struct limited *t, struct model_limit *outer, size_t outer_count,
	struct model_limit *inner, size_t inner_count)
{
	struct model_virtual_service vs = test_service(NULL, 0);
	size_t size = limit_memory_size(1024);

	memset(t, 0, sizeof(*t));
	fixture_init(&t->f);
	t->gateway.meta = vs.meta;
	t->gateway.limits = (struct model_limits){ outer, outer_count, NULL };
	vs.limits = (struct model_limits){ inner, inner_count, NULL };
	t->f.gateway = &t->gateway;
	fixture_serve(&t->f, &vs);
	t->memory = aligned_alloc(64, (size + 63) / 64 * 64);
	memset(t->memory, 0, size);
	limit_memory_format(t->memory, 1024, 7, NOW_MS);
	t->table = limit_table_new(t->memory, size, NULL);
	assert_non_null(t->table);
}

static void
limited_fini(struct limited *t)
{
	limit_table_free(t->table);
	free(t->memory);
	fixture_clear(&t->f);
}

/* True: it passes. */
static bool
passes(struct limited *t, const char *client, const char *fields)
{
	struct filter_limit_request r = { .now_ms = NOW_MS };
	struct addr addr;
	char head[512];

	assert_int_equal(addr_parse_ip(client, 0, &addr), 0);
	snprintf(head, sizeof(head), "GET / HTTP/1.1\nHost: h\n%s", fields);
	fixture_find(&t->f, head);
	assert_true(filter_is_limited(&t->f.match));
	r.head = &t->f.head;
	r.match = &t->f.match;
	r.image = t->f.image;
	r.client = &addr;
	filter_limit_apply(t->table, &r, &t->verdict);
	return !t->verdict.refused;
}

static void
what_is_one_key(void **state)
{
	static const struct {
		const char *what;
		struct model_limit rule;
		const char *first, *first_fields, *second, *second_fields;
		bool same;
	} rows[] = {
		{ "an address", { 0 }, "192.0.2.1", "", "192.0.2.1", "", true },
		{ "its neighbour", { 0 }, "192.0.2.1", "", "192.0.2.0", "",
			false },
		{ "a /64", { 0 }, "2001:db8::1", "", "2001:db8::ffff:1", "",
			true },
		{ "the next /64", { 0 }, "2001:db8::1", "", "2001:db8:0:1::1",
			"", false },
		{ "a /128", { .plen6 = 128 }, "2001:db8::1", "", "2001:db8::2",
			"", false },
		{ "a /24", { .plen4 = 24 }, "192.0.2.1", "", "192.0.2.255", "",
			true },
		{ "the next /24", { .plen4 = 24 }, "192.0.2.1", "",
			"192.0.3.1", "", false },
		{ "a /25", { .plen4 = 25 }, "192.0.2.127", "", "192.0.2.128",
			"", false },
		{ "everybody", { .key = LIMIT_KEY_NONE }, "192.0.2.1", "",
			"2001:db8::1", "", true },
		{ "a header, its case of no meaning",
			{ .key = LIMIT_KEY_HEADER, .header = CHARS("X-Key") },
			"192.0.2.1", "x-key: a\n", "192.0.2.2", "X-KEY: a\n",
			true },
		{ "another value",
			{ .key = LIMIT_KEY_HEADER, .header = CHARS("X-Key") },
			"192.0.2.1", "x-key: a\n", "192.0.2.1", "x-key: b\n",
			false },
		{ "a known header",
			{ .key = LIMIT_KEY_HEADER,
				.header = CHARS("User-Agent") },
			"192.0.2.1", "user-agent: a\n", "192.0.2.2",
			"user-agent: a\n", true },
		{ "a second line of it",
			{ .key = LIMIT_KEY_HEADER, .header = CHARS("X-Key") },
			"192.0.2.1", "x-key: a\n", "192.0.2.1",
			"x-key: a\nx-key: b\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model_limit rule = rows[i].rule;
		struct limited t;

		rule.rate = 1;
		rule.unit_s = 3600;
		limited_init(&t, NULL, 0, &rule, 1);
		if (!passes(&t, rows[i].first, rows[i].first_fields))
			fail_msg("%s: the first", rows[i].what);
		if (passes(&t, rows[i].second, rows[i].second_fields) ==
			rows[i].same)
			fail_msg("%s", rows[i].what);
		limited_fini(&t);
	}
}

static void
without_the_header_a_rule_does_not_apply(void **state)
{
	struct model_limit rule = { .key = LIMIT_KEY_HEADER,
		.header = CHARS("X-Key"),
		.rate = 1,
		.unit_s = 3600 };
	struct limited t;

	(void)state;
	limited_init(&t, NULL, 0, &rule, 1);
	for (int i = 0; i < 5; i++)
		assert_true(passes(&t, "192.0.2.1", "a: b\n"));
	assert_null(t.verdict.rule);
	limited_fini(&t);
}

static void
all_rules_must_let_it_pass(void **state)
{
	struct model_limit outer = {
		.name = CHARS("outer"), .rate = 4, .unit_s = 3600
	};
	struct model_limit inner[] = {
		{ .name = CHARS("large"), .rate = 3, .unit_s = 3600 },
		{ .name = CHARS("key"),
			.key = LIMIT_KEY_HEADER,
			.header = CHARS("k"),
			.rate = 1,
			.unit_s = 3600 },
	};
	struct limited t;

	(void)state;
	limited_init(&t, &outer, 1, inner, 2);
	assert_true(passes(&t, "192.0.2.1", "k: a\n"));
	assert_int_equal(t.verdict.remaining, 0); /* the least left */
	assert_int_equal(t.verdict.rule->burst, 1);
	/* Refused by the last; the others are not charged for it. */
	for (int i = 0; i < 5; i++)
		assert_false(passes(&t, "192.0.2.1", "k: a\n"));
	assert_true(slice_equal(t.verdict.name, slice_of("key")));
	assert_int_equal(t.verdict.retry_s, 3600);
	assert_true(passes(&t, "192.0.2.1", "k: b\n"));
	assert_true(passes(&t, "192.0.2.1", "k: c\n"));
	assert_false(passes(&t, "192.0.2.1", "k: d\n"));
	assert_true(slice_equal(t.verdict.name, slice_of("large")));
	limited_fini(&t);
}

static void
shadow_refuses_nobody_and_is_counted(void **state)
{
	struct model_limit rule = { .name = CHARS("shy"),
		.rate = 1,
		.unit_s = 3600,
		.action = LIMIT_ACTION_SHADOW };
	uint64_t sums[LIMIT_TALLY_COUNT], identity;
	const struct image_limit *l;
	struct limited t;

	(void)state;
	limited_init(&t, NULL, 0, &rule, 1);
	assert_true(passes(&t, "192.0.2.1", ""));
	assert_int_equal(t.verdict.name.length, 0);
	assert_true(passes(&t, "192.0.2.1", ""));
	assert_true(slice_equal(t.verdict.name, slice_of("shy")));
	assert_null(t.verdict.rule);
	l = image_at(t.f.match.vhost, t.f.match.vhost->limits.offset);
	identity = l->identity;
	limit_table_sums(t.table, identity, sums);
	assert_int_equal(sums[LIMIT_PASSED], 1);
	assert_int_equal(sums[LIMIT_SHADOWED], 1);
	assert_int_equal(sums[LIMIT_REFUSED], 0);
	limited_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_one_key),
		cmocka_unit_test(without_the_header_a_rule_does_not_apply),
		cmocka_unit_test(all_rules_must_let_it_pass),
		cmocka_unit_test(shadow_refuses_nobody_and_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
