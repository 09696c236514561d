/*
 * Tests userspace/kinds/consul/query.c and answer.c: how one question is asked
 * again and again, what an index is believed for, what of an answer is told.
 */
#include "consul_asker.h"

/* ---- one question */

static void
test_first_without_index_then_with(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.body = "[1]";
	ask(&w, (struct consul_question){ 0 });
	assert_int_equal(sim.asked, 0);
	pass(1);
	assert_int_equal(sim.asked, 2);
	assert_string_equal(
		sim.last, "/v1/health/service/web?index=10&wait=300000ms");
	assert_string_equal(sim.last_headers, "Accept: application/json\n");
	/* a sixteenth that the server adds, and a margin */
	assert_int_equal(sim.calls->total_timeout_ms, 300000 + 18750 + 10000);
	assert_string_equal(w.body, "[1]");
	assert_int_equal(w.index, 10);
	assert_int_equal(w.answers, 1);
	/* Nothing changes: it is asked again, and nothing is told. */
	pass(11 * MINUTE);
	assert_int_equal(sim.asked, 4);
	assert_int_equal(w.answers, 1);
	assert_int_equal(counts().asked, 4);
	assert_int_equal(counts().answered, 3);
	assert_int_equal(counts().changed, 1);
	assert_int_equal(counts().open, 1);
	/* A change is told at once. */
	sim_change("[2]");
	pass(0);
	assert_string_equal(w.body, "[2]");
	assert_int_equal(w.index, 11);
	assert_int_equal(w.failures, 0);
	/* The index may move without the content. */
	sim_change("[2]");
	pass(0);
	assert_int_equal(w.answers, 2);
	assert_string_equal(
		sim.last, "/v1/health/service/web?index=12&wait=300000ms");
	end(&w);
	assert_int_equal(counts().open, 0);
}

static void
test_how_it_is_asked(void **state)
{
	static const struct {
		struct consul_question question;
		const char *want;
	} cases[] = {
		{ { .datacenter = "dc 2" }, "?dc=dc%202&" },
		{ { .consistency = CONSUL_STALE }, "?stale&" },
		{ { .consistency = CONSUL_CONSISTENT }, "?consistent&" },
		{ { .use_cache = true }, "?cached&" },
		{ { .use_cache = true, .consistency = CONSUL_STALE },
			"?stale&cached&" },
		/* of what is cached nothing is sure */
		{ { .use_cache = true, .consistency = CONSUL_CONSISTENT },
			"?consistent&" },
		{ { .path = "/v1/x?a=b", .datacenter = "dc1" },
			"?a=b&dc=dc1&" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct asker w = { 0 };
		bool cached = strstr(cases[i].want, "cached") != NULL;
		char *want =
			xasprintf("%sindex=10&wait=300000ms", cases[i].want);

		ask(&w, cases[i].question);
		pass(1);
		assert_string_equal(strchr(sim.last, '?'), want);
		assert_int_equal(strstr(sim.last_headers,
					 "Cache-Control: max-age=") != NULL,
			cached);
		end(&w);
		free(want);
	}
}

static void
test_where_it_is_asked(void **state)
{
	struct asker w = { 0 }, other = { 0 };
	char unix_address[] = "unix:///run/consul.sock";
	char tls_address[] = "https://consul.internal:8501/prefix/";

	(void)state;
	consul_agent_free(agent);
	settings.http_address = unix_address;
	begin();
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	assert_string_equal(sim.calls->unix_socket, "/run/consul.sock");
	assert_false(sim.calls->tls);
	end(&w);
	consul_agent_free(agent);
	settings.http_address = tls_address;
	begin();
	ask(&other, (struct consul_question){ 0 });
	pass(1);
	assert_null(sim.calls->unix_socket);
	assert_true(sim.calls->tls);
	assert_string_equal(sim.calls->url,
		"https://consul.internal:8501/prefix/v1/health/service/web"
		"?index=10&wait=300000ms");
	end(&other);
}

static void
test_what_was_left_out(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.headers = "X-Consul-Results-Filtered-By-Acls: true\n"
		      "X-Consul-Lastcontact: 12\n";
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	assert_true(w.filtered);
	assert_int_equal(w.last_contact_ms, 12);
	/* The same list is another one when nothing is left out. */
	sim.headers = NULL;
	sim_change("[]");
	pass(0);
	assert_int_equal(w.answers, 2);
	assert_false(w.filtered);
	end(&w);
}

/* ---- what an index is believed for */

static void
test_no_index(void **state)
{
	static const char *const headers[] = {
		"X-Consul-Index: 0\n",
		"X-Consul-Index: 1\n",
		"X-Consul-Index: soon\n",
		"X-Consul-Index: -5\n",
		"X-Consul-Index: 18446744073709551616\n",
		"X-Consul-Index: \n",
		"X-Other: 5\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct asker w = { 0 };
		size_t before = sim.asked;

		sim.no_index = true;
		sim.headers = headers[i];
		ask(&w, (struct consul_question){ 0 });
		pass(MINUTE);
		assert_string_equal(sim.last, "/v1/health/service/web");
		assert_int_equal(w.answers, 1);
		assert_int_equal(w.index, 0);
		/* 0, 0, 1, 3, 7, 12, 17 ... s */
		assert_in_range(sim.asked - before, 14, 16);
		/* Then it has one. */
		sim.no_index = false;
		sim.headers = NULL;
		sim.body = "[3]";
		pass(6 * SECOND);
		assert_string_equal(w.body, "[3]");
		assert_non_null(strstr(sim.last, "index=10&wait=300000ms"));
		sim.body = "[]";
		end(&w);
	}
}

static void
test_an_index_that_goes_backwards(void **state)
{
	struct asker w = { 0 };

	(void)state;
	ask(&w, (struct consul_question){ 0 });
	pass(MINUTE);
	/* A snapshot was restored: who waits is woken with what is there. */
	sim.index = 3;
	sim.body = "[3]";
	loop_timer_start(sim.calls->timer, 0);
	sim.asked = 0;
	pass(1);
	assert_string_equal(w.body, "[3]");
	assert_int_equal(w.index, 0);
	assert_int_equal(counts().index_resets, 1);
	/* once without, at once, then with what that brought */
	assert_int_equal(sim.asked, 2);
	assert_string_equal(
		sim.last, "/v1/health/service/web?index=3&wait=300000ms");
	assert_int_equal(w.answers, 2);
	assert_int_equal(w.failures, 0);
	end(&w);
}

/* However long it is away, and whatever the last index was. */
static void
test_a_restart(void **state)
{
	static const uint64_t away_ms[] = { 0, 50, 700, 5 * SECOND, 45 * SECOND,
		10 * MINUTE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(away_ms); i++) {
		struct asker w = { 0 };

		sim.index = 1000000;
		sim.body = "[\"before\"]";
		ask(&w, (struct consul_question){ 0 });
		pass(MINUTE);
		sim_kill();
		pass(away_ms[i]);
		if (away_ms[i] > 0) {
			assert_true(w.failing);
			assert_int_equal(w.failures, 1);
		}
		assert_string_equal(w.body, "[\"before\"]");
		sim_start(12, "[\"after\"]");
		pass(2 * SECOND - 1);
		assert_string_equal(w.body, "[\"after\"]");
		assert_false(w.failing);
		sim_change("[\"changed\"]");
		pass(700);
		assert_string_equal(w.body, "[\"changed\"]");
		assert_true(counts().index_resets > 0);
		end(&w);
	}
}

/* No connection is there to end: an index of a former life is asked with, but
 * not for long. */
static void
test_a_restart_within_a_pause(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.index = 1000000;
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	sim_change("[1]");
	pass(0);
	sim_change("[2]");
	pass(0);
	assert_int_equal(sim.open, 0);
	sim_start(12, "[\"after\"]");
	pass(2 * SECOND);
	assert_string_equal(w.body, "[\"after\"]");
	pass(2 * SECOND);
	assert_string_equal(
		sim.last, "/v1/health/service/web?index=12&wait=300000ms");
	end(&w);
}

/* Of many, those that have no connection hear of it as well. */
static void
test_a_restart_while_others_wait(void **state)
{
	struct asker w[8] = { { 0 } };

	(void)state;
	consul_agent_free(agent);
	settings.connections_max = 2;
	begin();
	sim.index = 1000000;
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		ask(&w[i], (struct consul_question){ 0 });
	pass(20 * SECOND);
	sim_kill();
	sim_start(12, "[\"after\"]");
	/* a pause, and a turn of somebody else's */
	pass(2 * SECOND + 100);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		assert_string_equal(w[i].body, "[\"after\"]");
		end(&w[i]);
	}
}

/* ---- what is streamed */

/* What Consul streams never says that a leader is known; its index is good. */
static void
test_streaming(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.streams = true;
	ask(&w, (struct consul_question){ 0 });
	pass(MINUTE);
	sim.asked = 0;
	sim_change("[1]");
	pass(1);
	assert_string_equal(w.body, "[1]");
	assert_int_equal(w.index, 11);
	assert_string_equal(
		sim.last, "/v1/health/service/web?index=11&wait=300000ms");
	assert_int_equal(sim.asked, 1);
	assert_int_equal(w.failures, 0);
	end(&w);
}

/* Nor does it say that something is left out: who is to know asks otherwise. */
static void
test_streaming_and_rights(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.streams = true;
	sim.body = "[1,2]";
	ask(&w, (struct consul_question){ 0 });
	pass(MINUTE);
	assert_false(w.filtered);
	/* Rights are lost: it becomes less. */
	sim.filtered = true;
	sim_change("[]");
	pass(1);
	assert_string_equal(w.body, "[]");
	assert_true(w.filtered);
	assert_int_equal(w.answers, 2);
	/* The same again: nothing to tell, nothing to ask. */
	pass(MINUTE);
	sim.asked = 0;
	sim_change("[]");
	pass(SECOND);
	assert_int_equal(w.answers, 2);
	assert_int_equal(sim.asked, 1);
	/* They are back. */
	sim.filtered = false;
	sim_change("[1,2]");
	pass(SECOND);
	assert_string_equal(w.body, "[1,2]");
	assert_false(w.filtered);
	assert_int_equal(w.answers, 3);
	/* One instance is gone, and that is all. */
	pass(MINUTE);
	sim.asked = 0;
	sim_change("[1]");
	pass(1);
	assert_string_equal(w.body, "[1]");
	assert_false(w.filtered);
	assert_int_equal(sim.asked, 2);
	assert_int_equal(w.failures, 0);
	end(&w);
}

/* What is cached is streamed even the first time. */
static void
test_streaming_of_what_is_cached(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.streams = sim.filtered = true;
	ask(&w, (struct consul_question){ .use_cache = true });
	pass(2 * SECOND);
	assert_int_equal(w.answers, 1);
	assert_true(w.filtered);
	assert_string_equal(sim.last,
		"/v1/health/service/web?cached&index=10&wait=300000ms");
	end(&w);
}

/* ---- stale */

static void
test_stale_but_not_too_much(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.headers = "X-Consul-Lastcontact: 9000\n";
	sim.body = "[1]";
	ask(&w, (struct consul_question){ .consistency = CONSUL_STALE });
	pass(1);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.last_contact_ms, 9000);
	sim.headers = "X-Consul-Lastcontact: 10001\n";
	sim_change("[\"old\"]");
	pass(0);
	assert_int_equal(w.answers, 1);
	sim.headers = NULL;
	sim.body = "[\"fresh\"]";
	pass(SECOND);
	assert_string_equal(w.body, "[\"fresh\"]");
	assert_null(strstr(sim.last, "stale"));
	assert_int_equal(w.failures, 0);
	/* After a while it may be stale again. */
	pass(MINUTE);
	sim_change("[2]");
	pass(SECOND);
	assert_non_null(strstr(sim.last, "stale"));
	end(&w);
}

/* ---- whoever is told may do what he likes */

static void
test_freed_while_it_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct asker w = { 0 }, other = { 0 };

		w.frees = i & 1;
		w.frees_agent = !w.frees;
		sim.status = i & 2 ? 500 : 0;
		sim.status_body = "boom";
		if (w.frees)
			ask(&other, (struct consul_question){ 0 });
		ask(&w, (struct consul_question){ 0 });
		if (i & 4) {
			sim.down = true;
			sim.status = 0;
		}
		pass(1);
		assert_null(w.query);
		assert_int_equal(w.answers + w.failures, 1);
		sim.down = false;
		sim.status = 0;
		end(&other);
		if (w.frees_agent)
			begin();
	}
}

static void
test_freed_while_it_works_again(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.status = 500;
	sim.status_body = "boom";
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	sim.status = 0;
	w.frees = true;
	pass(10 * SECOND);
	assert_null(w.query);
	assert_int_equal(w.answers, 1);
}

static void
test_freed_in_every_state(void **state)
{
	struct asker w[3] = { { 0 } };

	(void)state;
	consul_agent_free(agent);
	settings.connections_max = 1;
	begin();
	/* not asked yet */
	ask(&w[0], (struct consul_question){ 0 });
	end(&w[0]);
	/* asking, waiting, resting */
	sim.mute = true;
	ask(&w[0], (struct consul_question){ 0 });
	ask(&w[1], (struct consul_question){ 0 });
	pass(1);
	ask(&w[2], (struct consul_question){ 0 });
	assert_int_equal(counts().open, 1);
	assert_int_equal(counts().waiting, 1);
	end(&w[1]);
	end(&w[2]);
	end(&w[0]);
	assert_int_equal(counts().open, 0);
	assert_int_equal(counts().waiting, 0);
	pass(MINUTE);
	assert_int_equal(sim.asked, 1);
	consul_query_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TIMED_TEST(test_first_without_index_then_with),
		TIMED_TEST(test_how_it_is_asked),
		TIMED_TEST(test_where_it_is_asked),
		TIMED_TEST(test_what_was_left_out),
		TIMED_TEST(test_no_index),
		TIMED_TEST(test_an_index_that_goes_backwards),
		TIMED_TEST(test_a_restart),
		TIMED_TEST(test_a_restart_within_a_pause),
		TIMED_TEST(test_a_restart_while_others_wait),
		TIMED_TEST(test_streaming),
		TIMED_TEST(test_streaming_and_rights),
		TIMED_TEST(test_streaming_of_what_is_cached),
		TIMED_TEST(test_stale_but_not_too_much),
		TIMED_TEST(test_freed_while_it_is_told),
		TIMED_TEST(test_freed_while_it_works_again),
		TIMED_TEST(test_freed_in_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
