/*
 * Tests what userspace/kinds/consul/query.c, agent.c and recovery.c do in time:
 * pace, turns, pauses, and what an index is believed for. The agent is
 * consul_sim.h; no second passes.
 */
#include "consul_sim.h"

#include <unistd.h>

#include "base/file.h"
#include "kinds/consul/agent.h"
#include "kinds/consul/pass.h"

#define SECOND 1000u
#define MINUTE (60 * SECOND)

/* ---- chance, in the test's hands, too */

static bool chance_high = true;

uint32_t
arc4random_uniform(uint32_t bound)
{
	return chance_high ? bound - 1 : 0;
}

/* ---- who asks */

struct asker {
	struct consul_query *query;
	char body[64]; /* of the last answer */
	uint64_t index, last_contact_ms;
	uint64_t told_ms; /* when that was */
	size_t answers, failures;
	bool filtered, failing;
	char why[512];
	uint64_t since_ms;
	const char *refuses; /* answers are no good: why; or NULL */
	bool frees;          /* itself, in whatever is told */
	bool frees_agent;
};

static struct consul_agent *agent;
static struct consul_settings settings;
static char address[] = "127.0.0.1:8500";

static void
asker_free(struct asker *w)
{
	if (w->frees || w->frees_agent) {
		consul_query_free(w->query);
		w->query = NULL;
	}
	if (w->frees_agent) {
		consul_agent_free(agent);
		agent = NULL;
	}
}

static int
on_answer(const struct consul_answer *a, void *arg, struct error *err)
{
	struct asker *w = arg;

	w->answers++;
	snprintf(w->body, sizeof(w->body), "%.*s", (int)a->body.length,
		a->body.data);
	w->index = a->index;
	w->last_contact_ms = a->last_contact_ms;
	w->filtered = a->filtered;
	w->told_ms = fake_now_ms;
	assert_int_equal(a->answered_us, fake_now_ms * 1000);
	asker_free(w);
	if (w->refuses != NULL)
		return error_set(err, ERROR_CONFIG, "%s", w->refuses);
	return 0;
}

static void
on_failed(const char *why, uint64_t since_ms, void *arg)
{
	struct asker *w = arg;

	w->failures += why != NULL;
	w->failing = why != NULL;
	w->since_ms = since_ms;
	snprintf(w->why, sizeof(w->why), "%s", why == NULL ? "" : why);
	asker_free(w);
}

static const struct consul_events events = { on_answer, on_failed };

static void
begin(void)
{
	agent = consul_agent_new(NULL, NULL, &settings, "/nowhere");
}

static void
ask(struct asker *w, struct consul_question question)
{
	if (question.path == NULL)
		question.path = "/v1/health/service/web";
	w->query = consul_query_new(agent, &question, &events, w);
	assert_int_equal(w->answers + w->failures, 0);
}

static void
end(struct asker *w)
{
	consul_query_free(w->query);
	w->query = NULL;
}

static struct consul_agent_counts
counts(void)
{
	struct consul_agent_counts c;

	consul_agent_counts(agent, &c);
	return c;
}

static int
set_up(void **state)
{
	(void)state;
	/* whatever a test that failed has left behind */
	sim.calls = NULL;
	fake_timers = NULL;
	sim_reset();
	chance_high = true;
	settings = (struct consul_settings){
		.http_address = address,
		.wait_time = { true, 5 * MINUTE },
		.connections_max = 150,
	};
	begin();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	consul_agent_free(agent);
	agent = NULL;
	sim_reset();
	assert_null(fake_timers);
	return 0;
}

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_first_without_index_then_with),
		TEST(test_how_it_is_asked),
		TEST(test_where_it_is_asked),
		TEST(test_what_was_left_out),
		TEST(test_no_index),
		TEST(test_an_index_that_goes_backwards),
		TEST(test_a_restart),
		TEST(test_a_restart_within_a_pause),
		TEST(test_a_restart_while_others_wait),
		TEST(test_churn),
		TEST(test_others_do_not_pay_for_churn),
		TEST(test_turns),
		TEST(test_one_more),
		TEST(test_one_connection),
		TEST(test_fewer_connections_than_thought),
		TEST(test_no_connection_at_all),
		TEST(test_backoff),
		TEST(test_when_the_server_wants_to_be_asked),
		TEST(test_reasons),
		TEST(test_no_leader_known),
		TEST(test_streaming),
		TEST(test_streaming_and_rights),
		TEST(test_streaming_of_what_is_cached),
		TEST(test_an_answer_that_is_no_good),
		TEST(test_a_recovery_that_is_none),
		TEST(test_a_long_absence),
		TEST(test_stale_but_not_too_much),
		TEST(test_token),
		TEST(test_token_file),
		TEST(test_freed_while_it_is_told),
		TEST(test_freed_while_it_works_again),
		TEST(test_freed_in_every_state),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
