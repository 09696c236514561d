/* What a reflector asks for, step by step, and that the set that is told is the
 * server's: lists, watches, WatchLists, silence, and another server. */
#include "kubernetes_reflector_world.h"

/* ---- list and watch */

static void
test_list_then_watch(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "5") "," OBJECT("b", "7")),
		WATCH("10",
			ADDED("c", "11") CHANGED("a", "12") DELETED("b", "13")
				BOOKMARK("20"),
			HELD_MS),
		/* The normal end of a watch: on from the bookmark, no list. */
		WATCH("20", CHANGED("c", "21"), HELD_MS),
		WATCH_FOREVER("21"),
		END,
	};
	struct world *w = *state;
	struct kubernetes_reflector_counts counts;

	play(w, script, "d/a@12 d/c@21");
	assert_non_null(strstr(replay_head(w->replay, 0),
		"GET /apis/discovery.k8s.io/v1/endpointslices?"));
	assert_non_null(strstr(
		replay_head(w->replay, 0), "Authorization: Bearer one\r\n"));
	said_has(w, "current settled +d/c@11 +d/a@12 -d/b ");
	said_not(w, "stale");
	assert_string_equal(w->version, "v1");
	counts = counts_of(w);
	assert_int_equal(counts.lists, 2); /* the WatchList and the list */
	assert_int_equal(counts.watches, 3);
	assert_int_equal(counts.events, 4);
	assert_int_equal(counts.skipped, 0);
	assert_true(counts.last_event_ms > 0);
}

static void
test_selectors_and_namespace(void **state)
{
	static const struct replay_line script[] = {
		ANSWER("/api/v1/namespaces/web/secrets?labelSelector=a%3Db%2Cc&"
		       "fieldSelector=type%3Dkubernetes.io%2Ftls&watch=1",
			422, STATUS(422, "Invalid", "no")),
		ANSWER("/api/v1/namespaces/web/secrets?labelSelector=a%3Db%2Cc&"
		       "fieldSelector=type%3Dkubernetes.io%2Ftls&limit=500",
			200, LIST("x/ 1&", "")),
		/* Opaque: whatever it is, it comes back as it was. */
		WATCH_FOREVER("x%2F%201%26"),
		END,
	};
	static const char *const versions[] = { "v1", NULL };
	struct world *w = *state;

	begin_collection(w, script,
		(struct kubernetes_collection){
			.group = "",
			.versions = versions,
			.plural = "secrets",
			.ns = "web",
			.labels = "a=b,c",
			.fields = "type=kubernetes.io/tls",
		});
	reach(w, 3, "");
}

static void
test_pages(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		ANSWER("limit=500 resourceVersion=0", 200,
			LIST_PAGE("10", "p+2", OBJECT("a", "1"))),
		ANSWER("limit=500 continue=p%2B2 !resourceVersion", 200,
			LIST_PAGE("10", "p3", OBJECT("b", "2"))),
		ANSWER("limit=500 continue=p3 !resourceVersion", 200,
			LIST("10", OBJECT("c", "3"))),
		WATCH_FOREVER("10"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/b@2 d/c@3");
	/* Nothing is said before all is there. */
	assert_non_null(strstr(w->said.data + 18, "current settled "));
	assert_null(strstr(strstr(w->said.data, "settled"), "+"));
}

static void
test_expired_continue(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		ANSWER("limit=500 resourceVersion=0", 200,
			LIST_PAGE("10", "p2", OBJECT("a", "1"))),
		ANSWER("continue=p2", 410,
			STATUS(410, "Expired", "continue is too old")),
		ANSWER("resourceVersion=0 !limit= !continue=", 200,
			LIST("20", OBJECT("b", "2"))),
		WATCH_FOREVER("20"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/b@2");
	/* What came with the first page was dropped. */
	said_is(w, "+d/b@2 current settled ");
}

static void
test_expired_watch_by_status(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("b", "2")),
		WATCH("10", ADDED("c", "3"), HELD_MS),
		ANSWER("watch=1 resourceVersion=3", 410, EXPIRED),
		/* At the last version first, without a limit; then of now. */
		ANSWER("resourceVersion=3 !limit= !watch=", 410, EXPIRED),
		ANSWER("limit=500 !resourceVersion !watch=", 200,
			LIST("30", OBJECT("a", "1") "," OBJECT("c", "9"))),
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1 d/c@9");
	/* Only the difference, and never empty. */
	said_has(w, "+d/c@3 +d/c@9 -d/b settled ");
	said_not(w, "stale");
}

static void
test_expired_watch_within_the_stream(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		ANSWER("resourceVersion=10 !limit= !watch=", 200,
			LIST("30", OBJECT("a", "1"))),
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_is(w, "+d/a@1 current settled settled ");
}

/* ---- WatchList */

static void
test_watch_list(void **state)
{
	static const struct replay_line script[] = {
		STREAM("sendInitialEvents=true resourceVersion=",
			ADDED("a", "5") ADDED("b", "3") ADDED("x", "4")
				DELETED("x", "6") BOOKMARK("7") INITIAL_END("8")
					CHANGED("a", "9"),
			HELD_MS),
		WATCH("9", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		/* From the last version on, and then a set of now. */
		STREAM("sendInitialEvents=true resourceVersion=9",
			EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		STREAM("sendInitialEvents=true !resourceVersion=9",
			ADDED("a", "9") ADDED("c", "20") INITIAL_END("30"),
			REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;
	struct kubernetes_reflector_counts counts;

	play(w, script, "d/a@9 d/c@20");
	said_has(w, "current settled +d/a@9 +d/c@20 -d/b settled ");
	counts = counts_of(w);
	assert_int_equal(counts.lists, 3);
	assert_int_equal(counts.watches, 1);
}

static void
test_watch_list_of_an_empty_set(void **state)
{
	static const struct replay_line script[] = {
		STREAM("sendInitialEvents=true", INITIAL_END("8"), HELD_MS),
		WATCH_FOREVER("8"),
		END,
	};
	struct world *w = *state;

	play(w, script, "");
	said_is(w, "current settled ");
}

/* An etcd that tells no progress: 200, and the refusal in the stream. */
static void
test_watch_list_refused_within_the_stream(void **state)
{
	static const struct replay_line script[] = {
		STREAM("sendInitialEvents=true",
			EVENT("ERROR",
				STATUS(500, "InternalError",
					"a watch stream was requested by the "
					"client but the required storage "
					"feature RequestWatchProgress is "
					"disabled")),
			REPLAY_FOREVER),
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH("10", EVENT("ERROR", EXPIRED), REPLAY_FOREVER),
		/* It is not tried again. */
		ANSWER("resourceVersion=10 !watch=", 200,
			LIST("30", OBJECT("a", "1"))),
		WATCH_FOREVER("30"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_not(w, "stale");
}

/* A server that knows nothing of it and begins a watch without an end. */
static void
test_watch_list_without_an_end(void **state)
{
	static const struct replay_line script[] = {
		STREAM("sendInitialEvents=true",
			ADDED("a", "1") ADDED("old", "2"), REPLAY_FOREVER),
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH_FOREVER("10"),
		END,
	};
	struct world *w = *state;

	w->times.initial_idle = 50;
	play(w, script, "d/a@1");
	said_is(w, "+d/a@1 current settled ");
}

static void
test_watch_list_ends_early(void **state)
{
	static const struct replay_line script[] = {
		STREAM("sendInitialEvents=true", ADDED("x", "1"), 1),
		FIRST_LIST("10", OBJECT("a", "1")),
		WATCH_FOREVER("10"),
		END,
	};

	play(*state, script, "d/a@1");
}

/* ---- silence and the future */

static void
test_silent_watch_leads_to_a_list(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("phantom", "2")),
		/* More than all of its time, so that it is that as well to who
		 * sees its beginning late; neither an event nor a bookmark. */
		WATCH("10", NULL, 1000),
		ANSWER_WITH("resourceVersion=10 !watch= !limit=", 504,
			"Retry-After: 1\r\n", TOO_LARGE),
		ANSWER("!resourceVersion !watch=", 200,
			LIST("4", OBJECT("a", "3"))),
		WATCH_FOREVER("4"),
		END,
	};
	struct world *w = *state;

	w->times.watch_min = w->times.watch_max = 120;
	play(w, script, "d/a@3");
	said_has(w, "settled +d/a@3 -d/phantom settled ");
	said_not(w, "stale");
}

static void
test_bookmarks_are_no_silence(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", BOOKMARK("11"), 120),
		WATCH("11", BOOKMARK("12"), 120),
		WATCH_FOREVER("12"),
		END,
	};
	struct world *w = *state;

	w->times.watch_min = w->times.watch_max = 120;
	play(w, script, "d/a@1");
	said_is(w, "+d/a@1 current settled ");
}

/* A server that holds its end of the watch beyond its time. */
static void
test_we_end_a_watch_that_does_not_end(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", BOOKMARK("11"), REPLAY_FOREVER),
		WATCH("11", NULL, REPLAY_FOREVER),
		ANSWER("resourceVersion=11 !watch=", 200,
			LIST("30", OBJECT("a", "1"))),
		WATCH("30", BOOKMARK("31"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	w->times.watch_min = w->times.watch_max = 60;
	w->times.watch_grace = 940; /* seen to be open within that */
	play(w, script, "d/a@1");
	assert_non_null(strstr(replay_head(w->replay, 2), "timeoutSeconds=1&"));
}

static void
test_short_watches_back_off(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", NULL, 0),
		WATCH("10", NULL, 0),
		WATCH("10", NULL, 0),
		WATCH("10", CHANGED("a", "11"), 200),
		WATCH_FOREVER("11"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@11");
	said_is(w, "+d/a@1 current settled stale "
		   "current +d/a@11 ");
}

static void
test_watch_is_not_answered(void **state)
{
	static const struct replay_line script[] = {
		ANSWER("sendInitialEvents=true", -1, NULL),
		LISTED(OBJECT("a", "1")),
		ANSWER("watch=1 resourceVersion=10", -1, NULL),
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	w->times.head = 800;
	play(w, script, "d/a@1 d/b@11");
	said_is(w, "stale +d/a@1 current settled stale current +d/b@11 ");
}

/* What waits for its turn is not late. */
static void
test_the_pace_is_no_silence(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH("10", ADDED("b", "11"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	w->times.head = 800;
	begin(w, script);
	kubernetes_api_set_pace(
		w->api, &(struct kubernetes_pace){ 1000, 2, 10 });
	reach(w, 3, "d/a@1 d/b@11");
	said_is(w, "+d/a@1 current settled +d/b@11 ");
}

/* A restored etcd: what is there is another one at the same version. */
static void
test_watch_from_the_future(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		ANSWER_WITH("watch=1 resourceVersion=10", 504,
			"Retry-After: 1\r\n", TOO_LARGE),
		ANSWER("!resourceVersion !watch=", 200,
			LIST("4", OBJECT("a", "1"))),
		WATCH("4", EVENT("ERROR", TOO_LARGE), REPLAY_FOREVER),
		ANSWER("!resourceVersion !watch=", 200,
			LIST("5", OBJECT("a", "1"))),
		WATCH_FOREVER("5"),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_is(w, "+d/a@1 current settled +d/a@1 settled +d/a@1 settled ");
}

static void
test_watch_that_always_fails_leads_to_a_list(void **state)
{
#define FAILS                                                                  \
	ANSWER("watch=1 resourceVersion=10", 500,                              \
		STATUS(500, "InternalError", "etcd"))
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		FAILS,
		FAILS,
		FAILS,
		FAILS,
		FAILS,
		FAILS,
		ANSWER("resourceVersion=10 !watch=", 200,
			LIST("20", OBJECT("a", "2"))),
		WATCH_FOREVER("20"),
		END,
	};

	play(*state, script, "d/a@2");
}

/* ---- the callee */

static void
test_again(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		WATCH_FOREVER("10"),
		ANSWER("resourceVersion=10 !watch=", 200,
			LIST("20", OBJECT("a", "1"))),
		WATCH_FOREVER("20"),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 3, "d/a@1");
	kubernetes_reflector_again(w->reflector);
	reach(w, 5, "d/a@1");
	said_is(w, "+d/a@1 current settled +d/a@1 settled ");
}

static void
server_moves(void *arg)
{
	struct world *w = arg;

	server_write(w, "localhost", "/cluster");
}

/* Another server: versions of the old one mean nothing to it. */
static void
test_another_server(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("b", "2")),
		{ "watch=1", 200, NULL, BOOKMARK("10"), 0, HELD_MS, 0,
			server_moves },
		STREAM("/cluster/apis watch=1", EVENT("ERROR", EXPIRED),
			REPLAY_FOREVER),
		STREAM("/cluster/apis sendInitialEvents !resourceVersion=10",
			ADDED("a", "1") INITIAL_END("1"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/a@1");
	said_has(w, "settled +d/a@1 -d/b settled ");
}

static void
on_other_answer(const struct kubernetes_answer *answer, void *arg)
{
	(void)answer;
	(void)arg;
}

struct later {
	const struct world *world;
	uint64_t at_ms;
};

static bool
is_later(void *arg)
{
	const struct later *l = arg;

	return loop_now_ms(l->world->loop) >= l->at_ms;
}

static bool
is_stale(void *arg)
{
	return has_said(arg, "stale ");
}

/* Others are told when one finds that the server is back; none waits it out. */
static void
test_recovery_ends_the_pause(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1")),
		/* libcurl tries again by itself, on a new connection. */
		ANSWER("watch=1 resourceVersion=10", 0, NULL),
		ANSWER("watch=1 resourceVersion=10", 0, NULL),
		ANSWER("/else", 200, "{}"),
		WATCH("10", CHANGED("a", "13"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;
	uint64_t away;

	w->times.backoff_min = w->times.backoff_max = 3600000;
	begin(w, script);
	reach(w, 4, "d/a@1");
	run_for(w->loop, WAIT_MS, is_stale, w);
	said_has(w, "stale ");
	/* For longer than what the API takes for a second. */
	away = loop_now_ms(w->loop);
	run_for(w->loop, WAIT_MS, is_later, &(struct later){ w, away + 20 });
	kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/else" },
		on_other_answer, NULL);
	reach(w, 6, "d/a@13");
}

/* While a watch is open: it ends with the first request to the other one. */
static void
test_another_server_while_a_watch_is_open(void **state)
{
	static const struct replay_line script[] = {
		LISTED(OBJECT("a", "1") "," OBJECT("b", "2")),
		{ "watch=1", 200, NULL, NULL, 0, REPLAY_FOREVER, 0,
			server_moves },
		ANSWER("/cluster/else", 200, "{}"),
		STREAM("/cluster/apis sendInitialEvents !resourceVersion=10",
			ADDED("a", "1") INITIAL_END("1"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	begin(w, script);
	reach(w, 3, "d/a@1 d/b@2");
	kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/else" },
		on_other_answer, NULL);
	reach(w, 5, "d/a@1");
	said_has(w, "settled +d/a@1 -d/b settled ");
	said_not(w, "stale");
}

/* Between the pages of a list: they are not put together. */
static void
test_another_server_within_a_list(void **state)
{
	static const struct replay_line script[] = {
		NO_WATCHLIST,
		{ "limit=500 resourceVersion=0", 200, NULL,
			LIST_PAGE("10", "p2", OBJECT("a", "1")), 0, 0, 0,
			server_moves },
		ANSWER("/cluster/apis continue=p2", 200,
			LIST("10", OBJECT("b", "2"))),
		STREAM("/cluster/apis sendInitialEvents",
			ADDED("c", "1") INITIAL_END("1"), REPLAY_FOREVER),
		END,
	};
	struct world *w = *state;

	play(w, script, "d/c@1");
	said_is(w, "+d/c@1 current settled ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_list_then_watch),
		T(test_selectors_and_namespace),
		T(test_pages),
		T(test_expired_continue),
		T(test_expired_watch_by_status),
		T(test_expired_watch_within_the_stream),
		T(test_watch_list),
		T(test_watch_list_of_an_empty_set),
		T(test_watch_list_refused_within_the_stream),
		T(test_watch_list_without_an_end),
		T(test_watch_list_ends_early),
		T(test_silent_watch_leads_to_a_list),
		T(test_bookmarks_are_no_silence),
		T(test_we_end_a_watch_that_does_not_end),
		T(test_short_watches_back_off),
		T(test_watch_is_not_answered),
		T(test_the_pace_is_no_silence),
		T(test_watch_from_the_future),
		T(test_watch_that_always_fails_leads_to_a_list),
		T(test_again),
		T(test_another_server),
		T(test_recovery_ends_the_pause),
		T(test_another_server_while_a_watch_is_open),
		T(test_another_server_within_a_list),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
