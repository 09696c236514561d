/*
 * Endpoints that change go to the proxy by themselves: the first change at
 * once, then one message for all of 50 ms, and no generation is made for them.
 */
#include "churn_kind.h"
#include "control_child.h"

#define CHURN   "metadata: { name: churn }\nupstreamSpec: { churn: {} }\n"
#define NUMBER(name) #name "{upstream=\"gloo-system.churn\"}"
#define MESSAGES NUMBER(upstream_endpoint_messages)
#define OTHERS   "upstream_endpoint_messages{upstream=\"gloo-system.other\"}"

#define ENDPOINTS 500

static int
churn_setup(void **state)
{
	churn_open();
	if (setup(state) != 0)
		return -1;
	expect("PUT", UP("churn"), CHURN, 200, NULL, NULL);
	expect("PUT", UP("other"), UPSTREAM("other"), 200, NULL, NULL);
	churn->count = ENDPOINTS;
	return 0;
}

static int
churn_teardown(void **state)
{
	int rc = teardown(state);

	churn_close();
	return rc;
}

#define CHURN_CASE(name)                                                       \
	cmocka_unit_test_setup_teardown(name, churn_setup, churn_teardown)

/* Until the proxy has the set that begins with that address. */
static void
until_proxy_has(uint32_t first)
{
	uint64_t end = clock_monotonic_ms() + 15000;

	while (metric(NUMBER(upstream_bytes_sent)) != first) {
		if (clock_monotonic_ms() > end)
			fail_msg("the proxy was not told of %x", first);
		poll(NULL, 0, 1);
	}
}

static void
test_churn(void **state)
{
	int64_t before, others, generation, oldest_us;
	uint64_t begin, took_ms;

	(void)state;
	churn->step = 100;
	churn_run(1, 0);
	until_proxy_has(churn->first);
	before = metric(MESSAGES);
	others = metric(OTHERS);
	generation = metric("generation");
	begin = clock_monotonic_ms();
	churn_run(400, 5);
	took_ms = clock_monotonic_ms() - begin;
	until_proxy_has(churn->first);
	/* As the proxy saw it, the last one included. */
	oldest_us = metric(NUMBER(upstream_bytes_received));
	print_message("400 changes in %llu ms: %lld messages, the oldest state "
		      "%lld us\n",
		(unsigned long long)took_ms,
		(long long)(metric(MESSAGES) - before),
		(long long)oldest_us);
	assert_true(metric(MESSAGES) - before <= (int64_t)took_ms / 50 + 2);
	assert_true(metric(MESSAGES) - before >= 2);
	/* Nobody else is touched, and nothing is built anew. */
	assert_int_equal(metric(OTHERS), others);
	assert_int_equal(metric("generation"), generation);
	assert_int_equal(metric(NUMBER(upstream_endpoints)), ENDPOINTS);
}

/* The first change is told at once: were each kept for the 50 ms in which more
 * may come, all would be later than that. How many are on a busy machine says
 * nothing; what is usual is measured by drills. */
static void
test_single_changes(void **state)
{
	int64_t before, late, count;

	(void)state;
	churn->step = 1;
	churn_run(1, 0);
	until_proxy_has(churn->first);
	before = metric(NUMBER(upstream_responses_2xx));
	late = metric(NUMBER(upstream_responses_5xx));
	churn_run(100, 60);
	until_proxy_has(churn->first);
	count = metric(NUMBER(upstream_responses_2xx)) - before;
	late = metric(NUMBER(upstream_responses_5xx)) - late;
	print_message("%lld single changes: %lld later than 50 ms, the longest "
		      "%lld us\n",
		(long long)count, (long long)late,
		(long long)metric(NUMBER(upstream_bytes_received)));
	assert_in_range(count, 2, 100);
	assert_true(late < count);
}

/* Who edits an upstream is told when it is enforced, its endpoints included. */
static void
test_edits_wait_for_nothing(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 20; i++) {
		char text[200];

		snprintf(text, sizeof(text),
			"metadata: { name: other }\nupstreamSpec: { static: { "
			"hosts: [ { addr: 10.60.0.%u, port: 80 } ] } }\n",
			i);
		expect("PUT", UP("other"), text, 200, "state", "");
		assert_int_equal(
			metric("upstream_bytes_sent{upstream=\"gloo-system."
			       "other\"}"),
			0x0a3c0000 + i);
	}
}

#define SHOWN "/v1/endpoints?namespace=gloo-system&name=churn"

static void
shown(struct doc **body, const struct doc **item)
{
	ask("GET", SHOWN, "text/plain", "", body);
	*item = doc_at(doc_get(*body, "items"), 0);
}

static void
test_staleness_is_shown(void **state)
{
	const struct doc *item;
	struct doc *body;

	(void)state;
	churn_run(1, 0);
	until_proxy_has(churn->first);
	shown(&body, &item);
	assert_non_null(doc_get_string(item, "changed"));
	assert_in_range(doc_integer(doc_get(item, "changedSeconds")), 0, 15);
	assert_null(doc_get(item, "staleSince"));
	doc_free(body);
	churn->stale = true;
	until_text(UP("churn"), "status", "reason", "nobody answers");
	until_text(UP("churn"), "status", "reason", "stale since 2");
	shown(&body, &item);
	assert_non_null(doc_get_string(item, "staleSince"));
	assert_string_equal(
		doc_get_string(item, "staleReason"), "nobody answers");
	assert_int_equal(doc_integer(doc_get(item, "count")), ENDPOINTS);
	doc_free(body);
	churn->stale = false;
	until_text(UP("churn"), "status", "state", "Accepted");
	shown(&body, &item);
	assert_null(doc_get(item, "staleSince"));
	doc_free(body);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CHURN_CASE(test_churn),
		CHURN_CASE(test_single_changes),
		CHURN_CASE(test_edits_wait_for_nothing),
		CHURN_CASE(test_staleness_is_shown),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
