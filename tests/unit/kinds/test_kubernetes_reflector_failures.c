/* A reflector and an API server that refuses, fails, or has no such resource:
 * nothing is emptied by it, and what is wrong is told. */
#include "kubernetes_reflector_world.h"

/* ---- refusals and failures */

static void
test_too_many_requests(void **state)
{
	static const struct replay_line script[] = {
		ANSWER_WITH("sendInitialEvents=true", 429, "Retry-After: 8\r\n",
			STATUS(429, "TooManyRequests", "later")),
		NO_WATCHLIST,
		ANSWER_WITH(
			"resourceVersion=0", 503, "Retry-After: 9\r\n", "busy"),
		FIRST_LIST("10", OBJECT("a", "1")),
		ANSWER_WITH("watch=1 resourceVersion=10", 429,
			"Retry-After: 8\r\n",
			STATUS(429, "TooManyRequests", "later")),
		WATCH_FOREVER("10"),
		END,
	};
	struct replay *r;
	struct world *w = *state;
	const char *busy;

	play(w, script, "d/a@1");
	/* A second lasts 10 ms here, a pause of our own 20 ms at most. */
	r = w->replay;
	assert_true(replay_time_ms(r, 1) - replay_time_ms(r, 0) >= 60);
	assert_true(replay_time_ms(r, 3) - replay_time_ms(r, 2) >= 70);
	assert_true(replay_time_ms(r, 5) - replay_time_ms(r, 4) >= 60);
	/* The last watch is held, so it is current in the end. */
	said_is(w, "stale stale +d/a@1 current settled stale current ");
	busy = strstr(w->reasons.data, "busy\n");
	assert_non_null(busy);
	assert_non_null(strstr(busy, "TooManyRequests: later\n"));
}

/* An event that says less than no time: that is not waited for. */
static void
test_retry_after_of_an_event(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10",
			EVENT("ERROR", "{\"kind\":\"Status\",\"code\":429,"
				       "\"details\":{\"retryAfterSeconds\":"
				       "-1}}"),
			REPLAY_FOREVER),
		WATCH_FOREVER("10"),
		END,
	};

	play(*state, script, "d/a@1");
}

static void
test_failures_of_a_watch_do_not_lead_to_a_list(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		ANSWER("watch=1 resourceVersion=10", 0, NULL),
		ANSWER("watch=1 resourceVersion=10", 500,
			STATUS(500, "InternalError", "etcd")),
		ANSWER("watch=1 resourceVersion=10", 502, "<html>"),
		WATCH("10",
			EVENT("ERROR", STATUS(500, "InternalError", "etcd")),
			REPLAY_FOREVER),
		/* Torn in the middle of an event. */
		TORN("watch=1 resourceVersion=10",
			ADDED("b", "12") "{\"type\":\"DEL", HELD_MS),
		WATCH("12", CHANGED("a", "13"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@13 d/b@12");
	said_is(w, "+d/a@1 current settled stale stale stale "
		   "current +d/b@12 +d/a@13 ");
}

static void
test_forbidden(void **state)
{
	static const char denied[] =
		STATUS(403, "Forbidden", "endpointslices is forbidden");
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		ANSWER("limit=500", 403, denied),
		ANSWER("limit=500", 403, denied),
		FIRST_LIST("10", OBJECT("a", "1")),
		ANSWER("watch=1 resourceVersion=10", 403, denied),
		ANSWER("watch=1 resourceVersion=10", 403, denied),
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 3, "");
	expect_reason(w, "may not list endpointslices.discovery.k8s.io: GET "
			 "/apis/discovery.k8s.io/v1/endpointslices: Forbidden: "
			 "endpointslices is forbidden");
	reach(w, 6, "d/a@1");
	expect_reason(w, "may not watch endpointslices.discovery.k8s.io");
	reach(w, 7, "d/a@1 d/b@11");
	said_is(w, "forbidden +d/a@1 current settled "
		   "forbidden current +d/b@11 ");
}

/* Each reason once, the latest one last; it stays what it was: stale. */
static void
test_the_latest_reason_is_told(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		ANSWER("watch=1 resourceVersion=10", 500,
			STATUS(500, "InternalError", "etcd")),
		ANSWER("watch=1 resourceVersion=10", 500,
			STATUS(500, "InternalError", "etcd")),
		ANSWER("watch=1 resourceVersion=10", 503,
			STATUS(503, "ServiceUnavailable", "it shuts down")),
		ANSWER("watch=1 resourceVersion=10", 503,
			STATUS(503, "ServiceUnavailable", "it shuts down")),
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;
	const char *first, *later;

	play(w, script, "d/a@1 d/b@11");
	said_is(w, "+d/a@1 current settled stale stale current +d/b@11 ");
	first = strstr(w->reasons.data, "InternalError: etcd\n");
	later = strstr(w->reasons.data, "ServiceUnavailable: it shuts down\n");
	assert_non_null(first);
	assert_non_null(later);
	assert_true(first < later);
	assert_string_equal(w->reason, "");
}

static void
token_changes(void *arg)
{
	(void)arg;
	file_write("token", "two");
}

static void
test_unauthorized(void **state)
{
	static const char unauthorized[] =
		STATUS(401, "Unauthorized", "Unauthorized");
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		/* The token has changed by the time that it is refused: read
		 * and asked again at once. */
		{ "watch=1 Bearer one", 401, NULL, unauthorized, 0, 0, 0,
			token_changes },
		STREAM("watch=1 resourceVersion=10 two", BOOKMARK("10"),
			HELD_MS),
		/* This one stays refused: once more, then it is told. */
		ANSWER("watch=1 resourceVersion=10", 401, unauthorized),
		ANSWER("watch=1 resourceVersion=10", 401, unauthorized),
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@11");
	said_is(w, "+d/a@1 current settled stale "
		   "current +d/b@11 ");
}

static void
test_half_a_list_says_nothing(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("b", "2")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		TORN("resourceVersion=10",
			"{\"metadata\":{\"resourceVersion\":\"20\"},\"items\":"
			"[" OBJECT("b", "3"),
			20),
		STREAM("resourceVersion=10", "{\"items\":[", 20),
		ANSWER("resourceVersion=10", 200, "[]"),
		ANSWER("resourceVersion=10", 200, "{\"items\":[]}"),
		ANSWER("resourceVersion=10", 200, ""),
		ANSWER("resourceVersion=10", 200,
			LIST("30", OBJECT("a", "1") "," OBJECT("b", "2"))),
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@2");
	assert_null(strchr(strstr(w->said.data, "settled"), '+'));
	assert_null(strchr(w->said.data, '-'));
	said_has(w, "settled stale stale stale stale stale current "
		    "settled ");
}

/* ---- what is not there */

static void
test_older_version(void **state)
{
	static const struct replay_line script[] = {
		ANSWER("/v1/endpointslices sendInitialEvents", 404, TEXT_404),
		ANSWER("/v1beta1/endpointslices sendInitialEvents", 422,
			STATUS(422, "Invalid", "no")),
		ANSWER("/v1beta1/endpointslices limit=500", 200,
			LIST("10", OBJECT("a", "1"))),
		STREAM("/v1beta1/endpointslices watch=1", NULL, REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	assert_string_equal(w->version, "v1beta1");
}

#define GROUPS(groups) "{\"kind\":\"APIGroupList\",\"groups\":[" groups "]}"
#define NO_VERSION                                                             \
	ANSWER("/v1/endpointslices", 404, TEXT_404),                           \
		ANSWER("/v1beta1/endpointslices", 404, TEXT_404)
#define NOT_SERVED                                                             \
	ANSWER("GET /apis/discovery.k8s.io/v1 ", 404, TEXT_404),               \
		ANSWER("GET /apis/discovery.k8s.io/v1beta1 ", 404, TEXT_404)
#define GROUPS_V1                                                              \
	GROUPS("{\"name\":\"discovery.k8s.io\",\"versions\":[{"                \
	       "\"version\":\"v1\"}]}")
#define RESOURCES(name)                                                        \
	"{\"kind\":\"APIResourceList\",\"resources\":[{\"name\":\"" name "\"}" \
	"]}"

/* Neither version: core Endpoints are another collection, which is there. All
 * that an earlier run may have had of it is not there: that is told once. */
static void
test_absent_at_first(void **state)
{
	static const struct replay_line script[] = {
		NO_VERSION,
		NOT_SERVED,
		ANSWER("GET /apis ", 200, GROUPS("{\"name\":\"apps\"}")),
		/* Again after a while, the best version first. */
		NO_VERSION,
		STREAM("/v1/endpointslices", ADDED("a", "1") INITIAL_END("2"),
			REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_is(w, "absent settled +d/a@1 current settled ");
	assert_true(
		replay_time_ms(w->replay, 5) - replay_time_ms(w->replay, 4) >=
		25);
}

/* A server that begins: its 404 is not believed. */
static void
test_404_alone_at_first(void **state)
{
	static const struct replay_line script[] = {
		NO_VERSION,
		NOT_SERVED,
		ANSWER("GET /apis ", 404, TEXT_404),
		NO_VERSION,
		NOT_SERVED,
		ANSWER("GET /apis ", 200, GROUPS_V1),
		STREAM("/v1/endpointslices", ADDED("a", "1") INITIAL_END("2"),
			REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_is(w, "stale stale +d/a@1 current settled ");
}

static void
test_definition_is_deleted_and_made_again(void **state)
{
	static const struct replay_line script[] = {
		STREAM("/v1/endpointslices",
			ADDED("a", "1") ADDED("b", "1") INITIAL_END("2")
				DELETED("a", "3") DELETED("b", "4"),
			HELD_MS),
		ANSWER("watch=1 resourceVersion=4", 404, TEXT_404),
		NO_VERSION,
		STREAM("/v1/endpointslices sendInitialEvents",
			ADDED("a", "9") INITIAL_END("9"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@9");
	said_has(w, "current settled -d/a -d/b absent +d/a@9 "
		    "current settled ");
}

/* The watch broke and the definition was deleted meanwhile: the server says in
 * full what it serves. */
static void
test_definition_is_deleted_unseen(void **state)
{
	static const struct replay_line script[] = {
		TORN("/v1/endpointslices", ADDED("a", "1") INITIAL_END("2"),
			HELD_MS),
		ANSWER("watch=1", 404, TEXT_404),
		NO_VERSION,
		ANSWER("GET /apis/discovery.k8s.io/v1 ", 200,
			RESOURCES("others")),
		ANSWER("GET /apis/discovery.k8s.io/v1beta1 ", 404, TEXT_404),
		ANSWER("GET /apis ", 200, GROUPS_V1),
		{ "/v1/endpointslices", 404, NULL, TEXT_404, 0, REPLAY_FOREVER,
			0, NULL },
		END,
	};
	struct world *w = *state;

	play(w, script, "");
	said_has(w, "current settled -d/a absent ");
	said_not(w, "stale");
}

/* Something in between, or a server that begins, answers 404 to everything:
 * that empties nothing. */
static void
test_404_alone_empties_nothing(void **state)
{
	static const struct replay_line script[] = {
		TORN("/v1/endpointslices", ADDED("a", "1") INITIAL_END("2"),
			HELD_MS),
		ANSWER("watch=1", 404, TEXT_404),
		NO_VERSION,
		NOT_SERVED,
		ANSWER("GET /apis ", 404, TEXT_404),
		NO_VERSION,
		/* Its list contradicts its 404. */
		ANSWER("/apis/discovery.k8s.io/v1 ", 200,
			RESOURCES("endpointslices")),
		NO_VERSION,
		NOT_SERVED,
		ANSWER("GET /apis ", 200, GROUPS_V1),
		STREAM("/v1/endpointslices sendInitialEvents",
			ADDED("a", "1") INITIAL_END("2"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_is(w, "+d/a@1 current settled stale stale stale current settled ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_too_many_requests),
		T(test_retry_after_of_an_event),
		T(test_failures_of_a_watch_do_not_lead_to_a_list),
		T(test_forbidden),
		T(test_the_latest_reason_is_told),
		T(test_unauthorized),
		T(test_half_a_list_says_nothing),
		T(test_older_version),
		T(test_absent_at_first),
		T(test_404_alone_at_first),
		T(test_definition_is_deleted_and_made_again),
		T(test_definition_is_deleted_unseen),
		T(test_404_alone_empties_nothing),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
