/* Destinations that name a subset of the endpoints. */
#include "tests/unit/proxy/failures.h"

#include "model/subset.h"

/* v1, v2: who is in which, as letters. */
static void
parts_of(uint32_t id, const char *v1, const char *v2)
{
	struct rig_endpoint set[] = { at_origin(a), at_origin(b),
		at_origin(c) };

	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		if (strchr(v1, 'a' + (int)i) != NULL)
			set[i].subsets[0] = subset_identity(version_1, 1);
		if (strchr(v2, 'a' + (int)i) != NULL)
			set[i].subsets[1] = subset_identity(version_2, 1);
	}
	for (size_t i = 1; id == UP_LEAST && i < ARRAY_SIZE(set); i++)
		set[i].weight = 9;
	rig_endpoints(&rig, id, set, ARRAY_SIZE(set));
	generation_next();
}

static void
parts_are(const char *v1, const char *v2)
{
	parts_of(UP_PARTS, v1, v2);
}

static void
each_has_its_own(void **state)
{
	(void)state;
	origins_answer_by_name();
	parts_are("a", "bc");
	turns(GET("/parts/v1"), 5, 5, 0, 0);
	turns(GET("/parts/v2"), 6, 0, 3, 3);
	turns(GET("/parts/all"), 9, 3, 3, 3);
	turns(GET("/parts/v1"), 5, 5, 0, 0);
}

static void
one_may_be_in_several(void **state)
{
	(void)state;
	origins_answer_by_name();
	parts_are("abc", "b");
	turns(GET("/parts/v1"), 9, 3, 3, 3);
	turns(GET("/parts/v2"), 4, 0, 4, 0);
}

static void
another_set_has_other_subsets(void **state)
{
	(void)state;
	origins_answer_by_name();
	parts_are("a", "bc");
	turns(GET("/parts/v2"), 6, 0, 3, 3);
	parts_are("ab", "c");
	turns(GET("/parts/v1"), 6, 3, 3, 0);
	turns(GET("/parts/v2"), 4, 0, 0, 4);
}

static void
nobody_there_is_said(void **state)
{
	struct counters_upstream before = counted(UP_PARTS);
	struct str got;

	(void)state;
	str_init(&got);
	origins_answer_by_name();
	parts_are("a", "");
	for (int i = 0; i < 2; i++) {
		ask(GET("/parts/none"), &got);
		begins("none", &got, "HTTP/1.1 503 ");
		ends("none", &got,
			"upstream g.parts: it has no endpoint in the subset of "
			"the route\n");
	}
	ask_for(GET("/parts/v2"), 503);
	assert_int_equal(counted(UP_PARTS).no_endpoint - before.no_endpoint, 3);
	parts_are("a", "b");
	ask_for(GET("/parts/v2"), 200);
	str_fini(&got);
}

/* Also if none is well, rather those of the subset than others. */
static void
who_is_down_is_left_out(void **state)
{
	(void)state;
	origins_answer_by_name();
	parts_are("ab", "bc");
	turns(GET("/parts/v1"), 6, 3, 3, 0);
	turns(GET("/parts/v2"), 6, 0, 3, 3);
	rig_health(&rig, UP_PARTS, rig_origin_port(b), ENDPOINT_DOWN);
	generation_next();
	turns(GET("/parts/v1"), 4, 4, 0, 0);
	turns(GET("/parts/v2"), 4, 0, 0, 4);
	turns(GET("/parts/all"), 6, 3, 0, 3);
	rig_health(&rig, UP_PARTS, rig_origin_port(a), ENDPOINT_DOWN);
	generation_next();
	turns(GET("/parts/v1"), 6, 3, 3, 0);
	rig_health(&rig, UP_PARTS, rig_origin_port(a), ENDPOINT_UP);
	rig_health(&rig, UP_PARTS, rig_origin_port(b), ENDPOINT_UP);
	generation_next();
	turns(GET("/parts/v1"), 6, 3, 3, 0);
}

static void
retries_stay_in_it(void **state)
{
	struct str got;

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_503);
	rig_origin_script(c, always_503);
	parts_are("a", "bc");
	for (int i = 0; i < 4; i++) {
		ask(GET("/parts/v2"), &got);
		begins("both are busy", &got, "HTTP/1.1 503 ");
		ends("both are busy", &got, "\r\n\r\ne");
	}
	assert_true(is_unseen(a));
	rig_origin_script(c, always_ok_c);
	for (int i = 0; i < 4; i++)
		ask_for(GET("/parts/v2"), 200);
	str_fini(&got);
}

static void
nobody_waits(const char *request)
{
	for (int i = 0; i < 60; i++)
		answered(client_send(request), "HTTP/1.1 200 ");
}

/* One in ten would come to a; that all of its draws are a, no request lives to
 * see. */
static void
work_counts_in_all_subsets(void **state)
{
	int fd;

	(void)state;
	origins_answer_by_name();
	rig_settled(&rig);
	parts_of(UP_LEAST, "ab", "a");
	/* Both subsets are made before there is work. */
	ask_for(GET("/least/v1"), 200);
	ask_for(GET("/least/v2"), 200);
	rig_settled(&rig);
	origins_answer_by_name();
	rig_origin_pause(a, true);
	fd = client_send(GET("/least/v2"));
	assert_true(rig_await(&rig, UP_LEAST, "requests_active", 1));
	nobody_waits(GET("/least/v1"));
	/* Also where the subset is made while there is work. */
	parts_of(UP_LEAST, "ab", "ac");
	nobody_waits(GET("/least/v1"));
	nobody_waits(GET("/least/v2"));
	rig_origin_pause(a, false);
	answered(fd, "HTTP/1.1 200 ");
	rig_settled(&rig);
	gauges_are_zero(UP_LEAST);
}

/* It finishes, and nobody asks an endpoint that left. */
static void
one_leaves_while_it_works(void **state)
{
	int fd;

	(void)state;
	origins_answer_by_name();
	rig_settled(&rig);
	parts_are("a", "bc");
	rig_origin_pause(a, true);
	fd = client_send(GET("/parts/v1"));
	assert_true(rig_await(&rig, UP_PARTS, "requests_active", 1));
	parts_are("b", "ac");
	answered(client_send(GET("/parts/v1")), "HTTP/1.1 200 ");
	assert_false(is_unseen(b));
	rig_endpoints(&rig, UP_PARTS, NULL, 0);
	generation_next();
	rig_origin_pause(a, false);
	answered(fd, "HTTP/1.1 200 ");
	ask_for(GET("/parts/v1"), 503);
	rig_settled(&rig);
	gauges_are_zero(UP_PARTS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_own),
		cmocka_unit_test(one_may_be_in_several),
		cmocka_unit_test(another_set_has_other_subsets),
		cmocka_unit_test(nobody_there_is_said),
		cmocka_unit_test(who_is_down_is_left_out),
		cmocka_unit_test(retries_stay_in_it),
		cmocka_unit_test(work_counts_in_all_subsets),
		cmocka_unit_test(one_leaves_while_it_works),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
