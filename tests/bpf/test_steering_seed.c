/*
 * The seed of the hash of flows: asked for, kept while something is steered,
 * at random where nobody asked.
 */
#include "base/str.h"
#include "steering_lab.h"

static uint32_t
cfg_seed(void)
{
	struct gg_cfg cfg;
	uint32_t key = 0;

	assert_int_equal(look("gg_cfg", &key, &cfg), 0);
	return cfg.seed;
}

static void
assert_seed(const struct fastpath *f, uint32_t seed, bool as_asked)
{
	struct str why;

	assert_int_equal(cfg_seed(), seed);
	str_init(&why);
	fastpath_hash_seed_explain(f, &why);
	if (as_asked)
		assert_int_equal(why.length, 0);
	else
		assert_non_null(strstr(why.data, "xdp.hashSeed"));
	str_fini(&why);
}

/* Another one would move every connection: not while there may be some. */
static void
test_another_hash_seed_waits_until_nothing_is_steered(void **state)
{
	struct fastpath *f = control_open_seeded(netns.pin_path, "v0", 7);
	struct asked *a = service_of(GG_MODE_DSR_L2, 2);
	struct error err = ERROR_INIT;

	(void)state;
	assert_seed(f, 7, true);
	assert_int_equal(fastpath_hash_seed_set(f, 8, &err), 0);
	assert_seed(f, 8, true);
	set_ok(f, a);
	assert_int_equal(fastpath_hash_seed_set(f, 9, &err), 0);
	assert_seed(f, 8, false);
	set_ok(f, a);
	assert_seed(f, 8, false);
	fastpath_close(f, false);
	f = control_open_seeded(netns.pin_path, "v0", 9);
	assert_seed(f, 8, false);
	set_ok(f, a);
	assert_seed(f, 8, false);
	assert_int_equal(fastpath_flood_guard_set(f, 4711, &err), 0);
	assert_seed(f, 8, false);
	set_none(f);
	assert_seed(f, 9, true);
	fastpath_close(f, true);
	free(a);
}

/* As it stands there, and at random when there is nothing. */
static void
test_without_a_hash_seed(void **state)
{
	struct fastpath *f = control_open_seeded(netns.pin_path, "v0", 7);
	struct error err = ERROR_INIT;
	uint32_t seed;

	(void)state;
	assert_int_equal(fastpath_hash_seed_set(f, 0, &err), 0);
	assert_seed(f, 7, true);
	fastpath_close(f, false);
	f = open_v0();
	assert_seed(f, 7, true);
	fastpath_close(f, true);
	f = open_v0();
	seed = cfg_seed();
	assert_int_not_equal(seed, 0);
	assert_int_not_equal(seed, 7);
	fastpath_close(f, true);
	f = open_v0();
	assert_int_not_equal(cfg_seed(), seed);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_another_hash_seed_waits_until_nothing_is_steered),
		LAB(test_without_a_hash_seed),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
