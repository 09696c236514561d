/*
 * Who asks the agent of consul_sim.h, and is told. For tests of the client in
 * time: no second passes but the test's.
 */
#ifndef TESTS_UNIT_KINDS_CONSUL_ASKER_H
#define TESTS_UNIT_KINDS_CONSUL_ASKER_H

#include "consul_sim.h"

#include "kinds/consul/agent.h"

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

static inline void
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

static inline int
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

static inline void
on_failed(const char *why, uint64_t since_ms, void *arg)
{
	struct asker *w = arg;

	w->failures += why != NULL;
	w->failing = why != NULL;
	w->since_ms = since_ms;
	snprintf(w->why, sizeof(w->why), "%s", why == NULL ? "" : why);
	asker_free(w);
}

static const struct consul_events asker_events = { on_answer, on_failed };

static inline void
begin(void)
{
	agent = consul_agent_new(NULL, NULL, &settings, "/nowhere");
}

static inline void
ask(struct asker *w, struct consul_question question)
{
	if (question.path == NULL)
		question.path = "/v1/health/service/web";
	w->query = consul_query_new(agent, &question, &asker_events, w);
	assert_int_equal(w->answers + w->failures, 0);
}

static inline void
end(struct asker *w)
{
	consul_query_free(w->query);
	w->query = NULL;
}

static inline struct consul_agent_counts
counts(void)
{
	struct consul_agent_counts c;

	consul_agent_counts(agent, &c);
	return c;
}

static inline int
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

static inline int
tear_down(void **state)
{
	(void)state;
	consul_agent_free(agent);
	agent = NULL;
	sim_reset();
	assert_null(fake_timers);
	return 0;
}

#define TIMED_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
