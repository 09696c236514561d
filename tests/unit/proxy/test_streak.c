/* What control is told of failures in a row. */
#include "tests/unit/proxy/failures.h"

/* ---- streaks of failures */

static struct wire_message
streak_receive(uint32_t id)
{
	struct wire_message m;

	do {
		if (!rig_receive(&rig, WIRE_OUTLIER, &m, NULL))
			fail_msg("no message of a streak at %u", id);
	} while (m.outlier.upstream != id);
	assert_int_equal(m.outlier.worker, 0);
	return m;
}

static void
streaks_are_told(void **state)
{
	struct wire_message m;
	uint32_t last = 0;

	(void)state;
	rig_origin_script(a, always_500);
	for (int i = 0; i < 3; i++)
		ask_for(GET("/outlier3"), 500);
	do {
		m = streak_receive(UP_OUTLIER);
		assert_true(m.outlier.errors > last);
		assert_int_equal(m.outlier.gateway_errors, 0);
		assert_int_equal(
			addr_port(&m.outlier.addr), rig_origin_port(a));
		last = m.outlier.errors;
	} while (last < 3);
	rig_origin_script(a, always_ok);
	ask_for(GET("/outlier3"), 200);
	m = streak_receive(UP_OUTLIER);
	assert_int_equal(m.outlier.errors, 0);
	assert_int_equal(m.outlier.gateway_errors, 0);
}

/* What is enough by itself is told at once, however soon it is over; again
 * within 50 ms it is not, or a flapping endpoint would flood the channel. */
static void
enough_is_told_at_once(void **state)
{
	static const struct rig_answer answers[] = { { E503, 0, 0 },
		{ OK("a"), 0, 0 }, { "", RIG_CLOSE, 0 }, { OK("a"), 0, 0 },
		{ "bad\r\n\r\n", 0, 0 }, { OK("a"), 0, 0 }, END_OF_LIST };
	struct wire_message m;

	(void)state;
	rig_origin_script(a, answers);
	for (int i = 0; i < 3; i++) {
		ask_for(GET("/outlier1"), i == 0 ? 503 : 502);
		ask_for(GET("/outlier1"), 200);
	}
	m = streak_receive(UP_OUTLIER_1);
	assert_int_equal(m.outlier.gateway_errors, 1);
	while (m.outlier.errors > 0) {
		m = streak_receive(UP_OUTLIER_1);
		assert_true(m.outlier.gateway_errors <= 1);
	}
}

static void
who_left_is_not_told_of(void **state)
{
	struct rig_endpoint here = at_origin(a), elsewhere = at_origin(b);
	int fd;

	(void)state;
	rig_origin_script(b, always_ok_b);
	for (int i = 0; i < 3; i++) {
		/* It goes while it is on the list of those to be told of. */
		rig_origin_script(a, always_500);
		ask_for(GET("/outlier3"), 500);
		rig_endpoints(&rig, UP_OUTLIER, NULL, 0);
		ask_for(GET("/outlier1"), 500);
		streak_receive(UP_OUTLIER_1);
		/* It fails when it has gone. */
		rig_endpoints(&rig, UP_OUTLIER, &here, 1);
		generation_next();
		rig_origin_script(a, closed_once);
		rig_origin_pause(a, true);
		fd = client_send(GET("/outlier3"));
		assert_true(rig_await(&rig, UP_OUTLIER, "requests_active", 1));
		rig_endpoints(&rig, UP_OUTLIER, &elsewhere, 1);
		generation_next();
		rig_origin_pause(a, false);
		answered(fd, "HTTP/1.1 502 ");
		assert_int_equal(ask_who(GET("/outlier3")), 'b');
		rig_origin_script(a, always_500);
		ask_for(GET("/outlier1"), 500);
		streak_receive(UP_OUTLIER_1);
		rig_endpoints(&rig, UP_OUTLIER, &here, 1);
		generation_next();
	}
	gauges_are_zero(UP_OUTLIER);
}

/* What the former owner of the address did is told of that one. */
static void
another_owner_has_not_failed_yet(void **state)
{
	struct rig_endpoint e = at_origin(a);
	struct wire_message m;

	(void)state;
	rig_origin_script(a, always_500);
	e.owner = 1;
	rig_endpoints(&rig, UP_OUTLIER, &e, 1);
	generation_next();
	for (int i = 0; i < 2; i++)
		ask_for(GET("/outlier3"), 500);
	do {
		m = streak_receive(UP_OUTLIER);
		assert_int_equal(m.outlier.owner, 1);
	} while (m.outlier.errors < 2);
	e.owner = 2;
	rig_endpoints(&rig, UP_OUTLIER, &e, 1);
	generation_next();
	ask_for(GET("/outlier3"), 500);
	m = streak_receive(UP_OUTLIER);
	assert_int_equal(m.outlier.owner, 2);
	assert_int_equal(m.outlier.errors, 1);
	e.owner = 0;
	rig_endpoints(&rig, UP_OUTLIER, &e, 1);
	generation_next();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streaks_are_told),
		cmocka_unit_test(enough_is_told_at_once),
		cmocka_unit_test(who_left_is_not_told_of),
		cmocka_unit_test(another_owner_has_not_failed_yet),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
