/* Breakers, those who wait for a connection, endpoints that are down. */
#include "tests/unit/proxy/failures.h"

/* ---- breakers */

static void
narrow_again(void)
{
	struct rig_endpoint only = at_origin(a);

	rig_settled(&rig);
	gauges_are_zero(UP_NARROW);
	rig_endpoints(&rig, UP_NARROW, NULL, 0);
	rig_endpoints(&rig, UP_NARROW, &only, 1);
	generation_next();
	assert_true(rig_await(&rig, UP_NARROW, "connections_open", 0));
}

static void
those_who_wait_are_served_in_order(void **state)
{
	struct counters_upstream before = counted(UP_NARROW), now;
	char want[2048] = "";
	int fds[3];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	rig_origin_pause(a, false);
	for (int i = 0; i < 3; i++) {
		answered(fds[i], "HTTP/1.1 200 ");
		snprintf(want + strlen(want), 512,
			"GET /narrow/%d HTTP/1.1\r\nhost: h\r\n" ADDED TIMED
			"\r\n",
			i + 1);
	}
	seen_is("in order", a, want);
	now = counted(UP_NARROW);
	assert_int_equal(now.connections_opened - before.connections_opened, 1);
	assert_int_equal(now.connections_reused - before.connections_reused, 2);
	assert_int_equal(rig_origin_connections(a), 1);
	narrow_again();
}

static void
a_dead_connection_lets_others_through(void **state)
{
	int fds[3];

	(void)state;
	rig_origin_script(a, closed_once);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 502 ");
	answered(fds[1], "HTTP/1.1 200 ");
	answered(fds[2], "HTTP/1.1 200 ");
	assert_int_equal(rig_origin_connections(a), 2);
	narrow_again();
}

static void
those_who_wait_may_leave(void **state)
{
	int fds[4];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 4);
	/* From the middle, the end, and while it is in work. */
	rig_client_reset(fds[2]);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 2));
	rig_client_reset(fds[3]);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 1));
	rig_client_reset(fds[0]);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 0));
	rig_origin_pause(a, false);
	answered(fds[1], "HTTP/1.1 200 ");
	narrow_again();
}

static void
those_who_wait_go_where_the_endpoints_are(void **state)
{
	struct rig_endpoint elsewhere = at_origin(b);
	int fds[2];

	(void)state;
	rig_origin_script(a, always_ok);
	rig_origin_script(b, always_ok_b);
	clients_wait("/narrow", UP_NARROW, fds, 2);
	rig_endpoints(&rig, UP_NARROW, &elsewhere, 1);
	generation_next();
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	answered(fds[1], "HTTP/1.1 200 ");
	assert_false(is_unseen(b));
	narrow_again();
}

static void
those_who_wait_for_nobody_are_refused(void **state)
{
	struct wire_message forget = rig_message(WIRE_ENDPOINTS_FORGET);
	int fds[3];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	rig_endpoints(&rig, UP_NARROW, NULL, 0);
	answered(fds[1], "HTTP/1.1 503 ");
	answered(fds[2], "HTTP/1.1 503 ");
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	narrow_again();
	/* The same when the upstream is gone altogether. */
	clients_wait("/narrow", UP_NARROW, fds, 3);
	forget.endpoints.upstream = UP_NARROW;
	rig_send(&rig, &forget, NULL, 0);
	answered(fds[1], "HTTP/1.1 503 ");
	answered(fds[2], "HTTP/1.1 503 ");
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	narrow_again();
}

/* Whether or not all of its body has come. */
static void
those_who_wait_have_the_time_of_the_route(void **state)
{
	static const char head[] =
		"POST /narrow/hasty HTTP/1.1\r\nHost: h\r\n"
		"Connection: close\r\nContent-Length: 16\r\n\r\n";
	static const char *const bodies[] = { "", "hell", "hell of " };
	struct counters_upstream before = counted(UP_NARROW), now;
	int first, fds[ARRAY_SIZE(bodies)];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, &first, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		fds[i] = client_send(head);
		rig_client_send(fds[i], bodies[i], strlen(bodies[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		answered(fds[i], "HTTP/1.1 504 ");
	now = counted(UP_NARROW);
	assert_int_equal(now.request_timeout - before.request_timeout, 3);
	/* A client's time is its own again when the wait is over. */
	fds[0] = client_send(head);
	assert_true(rig_await(&rig, UP_NARROW, "pending_active", 1));
	rig_origin_pause(a, false);
	answered(first, "HTTP/1.1 200 ");
	body_send_slowly(fds[0], 16, 150);
	answered(fds[0], "HTTP/1.1 200 ");
	narrow_again();
}

/* A user whose requests get that status. */
static void
user_find(int status, char *request, size_t size)
{
	char line[32];
	struct str got;

	str_init(&got);
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	for (int i = 0; i < 100; i++) {
		snprintf(request, size,
			"GET /squeeze/ HTTP/1.1\r\nHost: h\r\nX-User: %d\r\n"
			"Connection: close\r\n\r\n",
			i);
		ask(request, &got);
		if (strncmp(got.data, line, strlen(line)) == 0)
			break;
	}
	begins("a user", &got, line);
	str_fini(&got);
}

static void
a_retry_that_waited_goes_elsewhere(void **state)
{
	char refused[256], served[256], again[256];
	int fds[2];

	(void)state;
	rig_origin_script(a, always_503);
	rig_origin_script(b, always_ok_b);
	user_find(503, refused, sizeof(refused));
	user_find(200, served, sizeof(served));
	snprintf(again, sizeof(again), "GET /squeeze/again%s",
		strstr(refused, " HTTP/1.1"));
	rig_origin_pause(b, true);
	fds[0] = client_send(again);
	assert_true(rig_await(&rig, UP_SQUEEZE, "retries_active", 1));
	fds[1] = client_send(served);
	/* Either of them; the other has the connection to b. */
	assert_true(rig_await(&rig, UP_SQUEEZE, "pending_active", 1));
	rig_origin_pause(b, false);
	answered(fds[0], "HTTP/1.1 200 ");
	answered(fds[1], "HTTP/1.1 200 ");
	rig_settled(&rig);
	gauges_are_zero(UP_SQUEEZE);
}

static void
not_all_may_wait(void **state)
{
	struct counters_upstream now;
	struct str got;
	int fds[2];

	(void)state;
	str_init(&got);
	rig_origin_script(a, always_ok);
	clients_wait("/nonewaits", UP_NONE_WAITS, fds, 1);
	client_read(client_send(GET("/nonewaits")), &got);
	begins("none may wait", &got, "HTTP/1.1 503 ");
	ends("none may wait", &got, "as maxPendingRequests allows\n");
	now = counted(UP_NONE_WAITS);
	assert_int_equal(now.pending_overflow, 1);
	assert_int_equal(now.requests_overflow, 0);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	ask_for(GET("/nonewaits"), 200);

	clients_wait("/onewaits", UP_ONE_WAITS, fds, 2);
	client_read(client_send(GET("/onewaits")), &got);
	begins("one may wait", &got, "HTTP/1.1 503 ");
	assert_int_equal(counted(UP_ONE_WAITS).pending_overflow, 1);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	answered(fds[1], "HTTP/1.1 200 ");

	clients_wait("/onerequest", UP_ONE_REQUEST, fds, 1);
	client_read(client_send(GET("/onerequest")), &got);
	begins("one request", &got, "HTTP/1.1 503 ");
	ends("one request", &got, "as maxRequests allows\n");
	assert_int_equal(counted(UP_ONE_REQUEST).requests_overflow, 1);
	rig_origin_pause(a, false);
	answered(fds[0], "HTTP/1.1 200 ");
	rig_settled(&rig);
	ask_for(GET("/onerequest"), 200);
	gauges_are_zero(UP_NONE_WAITS);
	gauges_are_zero(UP_ONE_WAITS);
	gauges_are_zero(UP_ONE_REQUEST);
	str_fini(&got);
}

static void
who_is_down_gets_nothing(void **state)
{
	struct rig_origin *all[] = { a, b, c };

	(void)state;
	origins_answer_by_name();
	turns(GET("/health"), 9, 3, 3, 3);
	rig_health(&rig, UP_HEALTH, rig_origin_port(b), ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 10, 5, 0, 5);
	rig_health(&rig, UP_HEALTH, rig_origin_port(a), ENDPOINT_DRAINING);
	generation_next();
	turns(GET("/health"), 5, 0, 0, 5);
	/* All down is as good as none. */
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		rig_health(&rig, UP_HEALTH, rig_origin_port(all[i]),
			ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 9, 3, 3, 3);
	rig_health(&rig, UP_HEALTH, rig_origin_port(b), ENDPOINT_UP);
	generation_next();
	turns(GET("/health"), 5, 0, 5, 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		rig_health(
			&rig, UP_HEALTH, rig_origin_port(all[i]), ENDPOINT_UP);
	generation_next();
	turns(GET("/health"), 9, 3, 3, 3);
}

/* ---- whose address it is */

static void
alone_is(struct rig_endpoint e, uint64_t owner)
{
	e.owner = owner;
	rig_endpoints(&rig, UP_ALONE, &e, 1);
	generation_next();
}

static void
opened_and_reused(const struct counters_upstream *before, uint64_t opened,
	uint64_t reused)
{
	struct counters_upstream now = counted(UP_ALONE);

	assert_int_equal(
		now.connections_opened - before->connections_opened, opened);
	assert_int_equal(
		now.connections_reused - before->connections_reused, reused);
}

/* The idle connections of the former owner are closed; what is in use finishes
 * and is not kept. */
static void
another_owner_gets_connections_of_its_own(void **state)
{
	struct counters_upstream before = counted(UP_ALONE);
	int fd;

	(void)state;
	rig_origin_script(a, always_ok);
	alone_is(at_origin(a), 1);
	ask_for(GET("/alone"), 200);
	assert_true(rig_await(&rig, UP_ALONE, "idle_open", 1));
	alone_is(at_origin(a), 2);
	assert_int_equal(counted(UP_ALONE).idle_open, 0);
	assert_int_equal(counted(UP_ALONE).connections_open, 0);
	ask_for(GET("/alone"), 200);
	opened_and_reused(&before, 2, 0);

	rig_origin_pause(a, true);
	fd = client_send(GET("/alone"));
	assert_true(rig_await(&rig, UP_ALONE, "requests_active", 1));
	alone_is(at_origin(a), 3);
	assert_int_equal(counted(UP_ALONE).connections_open, 1);
	rig_origin_pause(a, false);
	answered(fd, "HTTP/1.1 200 ");
	assert_true(rig_await(&rig, UP_ALONE, "connections_open", 0));
	assert_int_equal(counted(UP_ALONE).idle_open, 0);
	opened_and_reused(&before, 2, 1);
	ask_for(GET("/alone"), 200);
	opened_and_reused(&before, 3, 1);
	rig_settled(&rig);
	gauges_are_zero(UP_ALONE);
}

/* Not to know the owner is no evidence of another. */
static void
an_owner_that_becomes_known_is_the_same(void **state)
{
	static const uint64_t owners[] = { 0, 7, 0, 7 };
	struct counters_upstream before;

	(void)state;
	rig_origin_script(a, always_ok);
	rig_endpoints(&rig, UP_ALONE, NULL, 0);
	generation_next();
	before = counted(UP_ALONE);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		alone_is(at_origin(a), owners[i]);
		ask_for(GET("/alone"), 200);
	}
	opened_and_reused(&before, 1, ARRAY_SIZE(owners) - 1);
	alone_is(at_origin(a), 8);
	ask_for(GET("/alone"), 200);
	opened_and_reused(&before, 2, ARRAY_SIZE(owners) - 1);
}

static void
health_is_of_an_owner(void **state)
{
	struct rig_endpoint set[] = { at_origin(a), at_origin(b),
		at_origin(c) };

	(void)state;
	origins_answer_by_name();
	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		set[i].owner = 10 + i;
	rig_endpoints(&rig, UP_HEALTH, set, 3);
	rig_health_of(&rig, UP_HEALTH, set[1].port, 99, ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 9, 3, 3, 3);
	rig_health_of(&rig, UP_HEALTH, set[1].port, 11, ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 8, 4, 0, 4);
	/* Another one there is up; word of the former comes too late. */
	set[1].owner = 12;
	rig_endpoints(&rig, UP_HEALTH, set, 3);
	rig_health_of(&rig, UP_HEALTH, set[1].port, 11, ENDPOINT_DOWN);
	generation_next();
	turns(GET("/health"), 9, 3, 3, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_who_wait_are_served_in_order),
		cmocka_unit_test(a_dead_connection_lets_others_through),
		cmocka_unit_test(those_who_wait_may_leave),
		cmocka_unit_test(those_who_wait_go_where_the_endpoints_are),
		cmocka_unit_test(those_who_wait_for_nobody_are_refused),
		cmocka_unit_test(those_who_wait_have_the_time_of_the_route),
		cmocka_unit_test(a_retry_that_waited_goes_elsewhere),
		cmocka_unit_test(not_all_may_wait),
		cmocka_unit_test(who_is_down_gets_nothing),
		cmocka_unit_test(another_owner_gets_connections_of_its_own),
		cmocka_unit_test(an_owner_that_becomes_known_is_the_same),
		cmocka_unit_test(health_is_of_an_owner),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
