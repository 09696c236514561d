/*
 * Tests userspace/kinds/consul/agent.c: the pace of a query, and many of them
 * on few connections.
 */
#include "consul_asker.h"

/* ---- pace */

static void
test_churn(void **state)
{
	static char bodies[3000][16];
	struct asker w = { 0 };

	(void)state;
	ask(&w, (struct consul_question){ 0 });
	pass(MINUTE);
	sim.asked = 0;
	for (int i = 0; i < 3000; i++) {
		snprintf(bodies[i], sizeof(bodies[i]), "[%d]", i);
		sim_change(bodies[i]);
		pass(10);
	}
	assert_in_range(sim.asked, 30, 60);
	pass(2 * SECOND);
	assert_string_equal(w.body, "[2999]");
	assert_in_range(sim.asked, 30, 60);
	/* It is quiet: nothing is asked any more but what waits. */
	pass(2 * SECOND);
	sim.asked = 0;
	pass(MINUTE);
	assert_int_equal(sim.asked, 0);
	assert_string_equal(strstr(sim.last, "wait="), "wait=300000ms");
	end(&w);
}

static void
test_others_do_not_pay_for_churn(void **state)
{
	struct asker w = { 0 }, other = { 0 };

	(void)state;
	ask(&w, (struct consul_question){ 0 });
	pass(1);
	for (int i = 0; i < 10; i++) {
		sim_change("[1]");
		pass(10);
	}
	ask(&other, (struct consul_question){ .path = "/v1/other" });
	pass(1);
	assert_int_equal(other.answers, 1);
	end(&w);
	end(&other);
}

/* ---- turns */

#define MANY 500

static void
test_turns(void **state)
{
	static struct asker w[MANY];
	static char paths[MANY][48];
	uint64_t changed_ms, asked_before;

	(void)state;
	memset(w, 0, sizeof(w));
	sim.limit = 150;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/v1/health/service/s%zu",
			i);
		ask(&w[i], (struct consul_question){ .path = paths[i] });
	}
	pass(SECOND);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(w[i].answers, 1);
	pass(MINUTE);
	assert_int_equal(sim.open_most, 150);
	assert_int_equal(counts().limited, 0);
	assert_int_equal(counts().open, 150);
	assert_int_equal(counts().waiting, MANY - 150);
	/* Each has its turn; it is not asked more often for that. */
	asked_before = sim.asked;
	changed_ms = fake_now_ms;
	sim_change("[\"new\"]");
	pass(5 * SECOND);
	for (size_t i = 0; i < MANY; i++) {
		assert_string_equal(w[i].body, "[\"new\"]");
		assert_true(w[i].told_ms - changed_ms <= 5 * SECOND);
		assert_int_equal(w[i].failures, 0);
	}
	asked_before = sim.asked;
	pass(10 * SECOND);
	assert_in_range(sim.asked - asked_before, 1000, 1500);
	/* Fewer again: there is room for all, and all wait for long. */
	for (size_t i = 100; i < MANY; i++)
		end(&w[i]);
	pass(10 * SECOND);
	assert_int_equal(sim.open, 100);
	asked_before = sim.asked;
	pass(MINUTE);
	assert_int_equal(sim.asked, asked_before);
	for (size_t i = 0; i < 100; i++)
		end(&w[i]);
}

/* One more than there is room for does not wait until the others are done. */
static void
test_one_more(void **state)
{
	struct asker w[4] = { { 0 } };

	(void)state;
	consul_agent_free(agent);
	settings.connections_max = 3;
	begin();
	for (size_t i = 0; i < 3; i++)
		ask(&w[i], (struct consul_question){ 0 });
	pass(10 * SECOND);
	assert_int_equal(sim.open, 3);
	ask(&w[3], (struct consul_question){ 0 });
	pass(1);
	assert_int_equal(w[3].answers, 1);
	assert_in_range(counts().gave_way, 1, 3);
	sim_change("[1]");
	pass(5 * SECOND);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(w[i].body, "[1]");
		assert_int_equal(w[i].failures, 0);
	}
	assert_int_equal(sim.open_most, 3);
	for (size_t i = 0; i < 4; i++)
		end(&w[i]);
}

/* With one connection for all, each still has its turn. */
static void
test_one_connection(void **state)
{
	struct asker w[20] = { { 0 } };

	(void)state;
	consul_agent_free(agent);
	settings.connections_max = 1;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		ask(&w[i], (struct consul_question){ 0 });
	pass(MINUTE);
	sim_change("[1]");
	pass(25 * SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		assert_string_equal(w[i].body, "[1]");
		end(&w[i]);
	}
	assert_int_equal(sim.open_most, 1);
}

/* The agent takes fewer connections than we thought: nobody is lost, nothing
 * is said to be wrong. */
static void
test_fewer_connections_than_thought(void **state)
{
	static struct asker w[120];

	(void)state;
	memset(w, 0, sizeof(w));
	sim.limit = 40;
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		ask(&w[i], (struct consul_question){ 0 });
	pass(2 * MINUTE);
	/* three quarters of what is taken, and one more every ten seconds */
	assert_in_range(counts().connections, 30, 41);
	sim_change("[1]");
	pass(10 * SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		assert_string_equal(w[i].body, "[1]");
		assert_int_equal(w[i].failures, 0);
	}
	assert_in_range(counts().limited, 80, 100);
	/* It takes more again. */
	sim.limit = 0;
	pass(20 * MINUTE);
	assert_in_range(counts().connections, ARRAY_SIZE(w), 150);
	assert_int_equal(counts().waiting, 0);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		end(&w[i]);
}

static void
test_no_connection_at_all(void **state)
{
	struct asker w = { 0 };

	(void)state;
	sim.status = 429;
	sim.status_body = "limit";
	ask(&w, (struct consul_question){ 0 });
	pass(30 * SECOND);
	assert_true(w.failing);
	assert_non_null(strstr(w.why, "HTTP 429: limit; "));
	assert_non_null(strstr(w.why, "consul.maxConnections"));
	sim.status = 0;
	pass(MINUTE);
	assert_int_equal(w.answers, 1);
	assert_false(w.failing);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TIMED_TEST(test_churn),
		TIMED_TEST(test_others_do_not_pay_for_churn),
		TIMED_TEST(test_turns),
		TIMED_TEST(test_one_more),
		TIMED_TEST(test_one_connection),
		TIMED_TEST(test_fewer_connections_than_thought),
		TIMED_TEST(test_no_connection_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
