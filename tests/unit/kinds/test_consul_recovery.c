/*
 * Tests userspace/kinds/consul/recovery.c, and the pauses of query.c after a
 * failure.
 */
#include "consul_asker.h"

#include <unistd.h>

#include "base/file.h"

/* ---- failure */

/* The times between questions, in s, while all fail. */
static void
test_backoff(void **state)
{
	static const uint64_t pauses_ms[] = { 1000, 2000, 4000, 8000, 16000,
		32000, 60000, 60000, 60000 };
	struct asker w = { 0 };
	uint64_t failed_ms;

	(void)state;
	sim.status = 500;
	sim.status_body = "boom";
	ask(&w, (struct consul_question){ 0 });
	pass(10 * MINUTE);
	assert_true(sim.asked > ARRAY_SIZE(pauses_ms));
	for (size_t i = 0; i < ARRAY_SIZE(pauses_ms); i++)
		assert_int_equal(
			sim.asked_ms[i + 1] - sim.asked_ms[i], pauses_ms[i]);
	assert_int_equal(w.failures, 1);
	assert_string_equal(w.why,
		"Consul agent 127.0.0.1:8500: GET /v1/health/service/web: "
		"HTTP 500: boom; see the agent's log");
	assert_int_equal(w.since_ms, 1795698000000 + sim.asked_ms[0]);
	/* Health begins anew. */
	sim.status = 0;
	pass(2 * MINUTE);
	assert_false(w.failing);
	sim.status = 500;
	sim.asked = 0;
	sim_change("[1]");
	failed_ms = fake_now_ms;
	pass(10 * SECOND);
	assert_int_equal(sim.asked_ms[0] - failed_ms, 1000);
	end(&w);
	/* Chance may have it that there is no pause: the pace remains. */
	memset(&w, 0, sizeof(w));
	chance_high = false;
	ask(&w, (struct consul_question){ 0 });
	sim.asked = 0;
	pass(MINUTE);
	assert_in_range(sim.asked, 90, MINUTE / CONSUL_PACE_MS + 2);
	end(&w);
}

static void
test_when_the_server_wants_to_be_asked(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.status = 503;
	sim.status_body = "";
	sim.headers = "Retry-After: 30\n";
	ask(&w, (struct consul_question){ 0 });
	pass(20 * SECOND);
	assert_int_equal(sim.asked, 1);
	sim.headers = "Retry-After: 100000000000\n";
	pass(20 * SECOND);
	assert_int_equal(sim.asked, 2);
	pass(MINUTE);
	assert_int_equal(sim.asked, 3);
	end(&w);
}

/* What is said is said once for each reason, and nothing is ever lost. */
static void
test_reasons(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.body = "[1]";
	ask(&w, (struct consul_question){ .datacenter = "dc2" });
	pass(1);
	sim_kill();
	pass(2 * MINUTE);
	assert_int_equal(w.failures, 1);
	assert_non_null(strstr(w.why, "Consul agent 127.0.0.1:8500: Failed to "
				      "connect after "));
	sim_start(3, "[1]");
	sim.status = 500;
	sim.status_body = "No cluster leader";
	sim.leader = "\"\"";
	pass(2 * MINUTE);
	assert_int_equal(w.failures, 2);
	assert_non_null(strstr(w.why, "of data centre dc2: HTTP 500: No "
				      "cluster leader; "));
	sim.status_body = "No path to datacenter";
	pass(2 * MINUTE);
	assert_int_equal(w.failures, 3);
	assert_non_null(strstr(w.why, "consul members -wan"));
	sim.status = 403;
	sim.status_body = "ACL not found";
	pass(2 * MINUTE);
	assert_int_equal(w.failures, 4);
	sim.status_body = "Permission denied";
	pass(2 * MINUTE);
	assert_int_equal(w.failures, 5);
	assert_true(w.failing);
	assert_int_equal(w.answers, 1);
	/* The first after a failure is told, though it is the same. */
	sim.status = 0;
	pass(2 * MINUTE);
	assert_false(w.failing);
	assert_int_equal(w.answers, 2);
	end(&w);
}

/* A list that comes from an agent without a leader is none. */
static void
test_no_leader_known(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.body = "[1]";
	ask(&w, (struct consul_question){ .consistency = CONSUL_STALE });
	pass(1);
	sim.no_index = true;
	sim.headers = "X-Consul-Knownleader: false\nX-Consul-Index: 1\n";
	sim_change("[]");
	pass(SECOND);
	assert_int_equal(w.answers, 1);
	assert_true(w.failing);
	assert_non_null(strstr(w.why, "knows no leader"));
	sim.no_index = false;
	sim.headers = "X-Consul-Knownleader: true\n";
	pass(2 * SECOND);
	assert_int_equal(w.answers, 2);
	assert_string_equal(w.body, "[]");
	assert_false(w.failing);
	end(&w);
}

static void
test_an_answer_that_is_no_good(void **state)
{
	struct asker w = { .refuses = "the instances are no JSON array" };

	(void)state;
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	assert_int_equal(w.answers, 1);
	assert_true(w.failing);
	assert_non_null(strstr(w.why, "the instances are no JSON array; "));
	/* The same is tried again, and its index is not kept. */
	pass(20 * SECOND);
	assert_in_range(w.answers, 3, 6);
	assert_int_equal(w.failures, 1);
	assert_string_equal(sim.last, "/v1/health/service/web");
	w.refuses = NULL;
	pass(MINUTE);
	assert_false(w.failing);
	end(&w);
}

/* An agent that answers, but no more to us, is not asked all the time. */
static void
test_a_recovery_that_is_none(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.status = 500;
	sim.status_body = "No cluster leader"; /* of another data centre */
	ask(&w, (struct consul_question){ .datacenter = "dc2" });
	pass(60 * MINUTE);
	assert_in_range(sim.asked, 60, 250);
	assert_true(sim.probes < 100);
	end(&w);
	/* Nobody fails any more: nobody looks. */
	pass(10 * SECOND);
	sim.probes = 0;
	pass(MINUTE);
	assert_int_equal(sim.probes, 0);
}

/* The agent answers, and its servers are away for long. */
static void
test_servers_away(void **state)
{
	static const char *const bodies[] = { "No known Consul servers",
		"rpc error getting client: failed to get conn" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const char *leader = sim.leader;
		struct asker w = { 0 };

		sim.status = 500;
		sim.status_body = bodies[i];
		sim.leader = "\"\"";
		ask(&w, (struct consul_question){ 0 });
		pass(20 * MINUTE);
		assert_true(w.failing);
		assert_non_null(strstr(w.why, "reaches its servers"));
		sim.status = 0;
		sim.leader = leader;
		pass(2 * SECOND);
		assert_false(w.failing);
		end(&w);
	}
}

static void
test_a_long_absence(void **state)
{
	struct asker w[10] = { { 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		ask(&w[i], (struct consul_question){ 0 });
	pass(1);
	sim_kill();
	pass(60 * MINUTE);
	/* One small question a second for all of them. */
	assert_in_range(sim.probes, 3000, 3700);
	assert_true(sim.asked < 10 * 80);
	sim_start(5, "[1]");
	pass(2 * SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		assert_string_equal(w[i].body, "[1]");
		end(&w[i]);
	}
	assert_true(counts().recovered >= ARRAY_SIZE(w));
}

/* ---- the token */

static char token_path[] = "/tmp/consul-token-XXXXXX";

static void
token_write(const char *text)
{
	struct error err = ERROR_INIT;

	if (file_replace(token_path, text, strlen(text), 0600, &err) != 0)
		fail_msg("%s", err.text);
}

static void
test_token(void **state)
{
	struct asker w = { 0 };
	char token[] = "t0k3n";

	(void)state;
	consul_agent_free(agent);
	settings.token = token;
	begin();
	sim.status = 403;
	sim.status_body = "ACL not found";
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	assert_string_equal(sim.last_headers,
		"Accept: application/json\nX-Consul-Token: t0k3n\n");
	assert_null(strstr(sim.last, "t0k3n"));
	assert_true(w.failing);
	assert_null(strstr(w.why, "t0k3n"));
	assert_non_null(strstr(w.why, "service:read"));
	end(&w);
}

static void
test_token_file(void **state)
{
	struct asker w = { 0 };
	int fd = mkstemp(token_path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	consul_agent_free(agent);
	settings.token_file = token_path;
	begin();
	/* It is empty: nothing is asked as nobody. */
	ask(&w, (struct consul_question){ 0 });
	pass(10 * SECOND);
	assert_int_equal(sim.asked, 0);
	assert_true(w.failing);
	assert_non_null(strstr(w.why, "consul.tokenFile: "));
	assert_non_null(strstr(w.why, "is empty"));
	token_write("first\n");
	pass(2 * SECOND);
	assert_non_null(strstr(sim.last_headers, "X-Consul-Token: first\n"));
	assert_false(w.failing);
	/* It is revoked; another one is found soon, however long it took. */
	sim.status = 403;
	sim.status_body = "ACL not found";
	loop_timer_start(sim.calls->timer, 0);
	pass(20 * MINUTE);
	assert_true(w.failing);
	sim.status = 0;
	sim_change("[1]");
	token_write("second");
	pass(2 * SECOND);
	assert_non_null(strstr(sim.last_headers, "X-Consul-Token: second\n"));
	assert_string_equal(w.body, "[1]");
	assert_false(w.failing);
	/* It is replaced while a question waits, which waits for nothing new as
	 * whoever it was asked: to another there is another answer. */
	sim.body = "[1, 2]";
	token_write("third");
	pass(3 * SECOND);
	assert_non_null(strstr(sim.last_headers, "X-Consul-Token: third\n"));
	assert_string_equal(w.body, "[1, 2]");
	sim_change("[1]");
	token_write("second");
	pass(3 * SECOND);
	assert_string_equal(w.body, "[1]");
	/* It is away for a moment: the one that was read is good. */
	assert_int_equal(unlink(token_path), 0);
	sim_change("[2]");
	pass(SECOND);
	assert_string_equal(w.body, "[2]");
	assert_non_null(strstr(sim.last_headers, "X-Consul-Token: second\n"));
	/* So it is while there is no token in the file. */
	token_write("two words\n");
	sim_change("[3]");
	pass(SECOND);
	assert_non_null(strstr(sim.last_headers, "X-Consul-Token: second\n"));
	assert_int_equal(unlink(token_path), 0);
	assert_int_equal(w.failures, 2);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TIMED_TEST(test_backoff),
		TIMED_TEST(test_when_the_server_wants_to_be_asked),
		TIMED_TEST(test_reasons),
		TIMED_TEST(test_no_leader_known),
		TIMED_TEST(test_an_answer_that_is_no_good),
		TIMED_TEST(test_a_recovery_that_is_none),
		TIMED_TEST(test_servers_away),
		TIMED_TEST(test_a_long_absence),
		TIMED_TEST(test_token),
		TIMED_TEST(test_token_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
