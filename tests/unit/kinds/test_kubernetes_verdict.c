/* Tests userspace/kinds/kubernetes/verdict.c. */
#include "kubernetes_world.h"

#include "base/doc.h"
#include "base/json.h"
#include "kinds/kubernetes/verdict.h"

static struct doc *
read(const char *json)
{
	struct error err = ERROR_INIT;
	struct doc *d = json_doc_read(json, strlen(json), &err);

	if (d == NULL)
		fail_msg("%s: %s", json, err.text);
	return d;
}

static void
test_answers(void **state)
{
	static const struct {
		int status;
		const char *reason, *body;
		enum verdict verdict;
	} table[] = {
#define TOO_LARGE                                                              \
	"{\"details\":{\"causes\":[{\"reason\":\"Other\"},"                    \
	"{\"reason\":\"ResourceVersionTooLarge\"}]}}"
		{ 0, "", "{}", VERDICT_ENDED },
		{ 200, "", "{}", VERDICT_ENDED },
		{ 404, "NotFound", "{}", VERDICT_MISSING },
		{ 404, "Expired", "{}", VERDICT_MISSING },
		{ 410, "", "{}", VERDICT_EXPIRED },
		{ 200, "Expired", "{}", VERDICT_EXPIRED },
		{ 500, "Gone", "{}", VERDICT_EXPIRED },
		{ 504, "Timeout", TOO_LARGE, VERDICT_FUTURE },
		{ 504, "Timeout", "{}", VERDICT_BROKEN },
		{ 504, "Timeout", "{\"details\":{\"causes\":7}}",
			VERDICT_BROKEN },
		{ 403, "Forbidden", "{}", VERDICT_FORBIDDEN },
		{ 400, "BadRequest", "{}", VERDICT_REFUSED },
		{ 422, "Invalid", "{}", VERDICT_REFUSED },
		{ 500, "InternalError", "{}", VERDICT_BROKEN },
		{ 503, "", "[]", VERDICT_BROKEN },
		{ 401, "Unauthorized", "{}", VERDICT_FAILED },
		{ 429, "TooManyRequests", "{}", VERDICT_FAILED },
		{ 301, "", "{}", VERDICT_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct doc *d = read(table[i].body);
		struct kubernetes_answer a = {
			.status = table[i].status,
			.doc = d,
			.reason = table[i].reason,
			.problem = "x",
		};

		if (verdict_of(&a) != table[i].verdict)
			fail_msg("%d %s %s: %d", table[i].status,
				table[i].reason, table[i].body,
				(int)verdict_of(&a));
		doc_free(d);
	}
}

static void
test_watch_list_that_is_none(void **state)
{
	static const struct {
		int status;
		const char *problem;
		bool opened, none;
	} table[] = {
		{ 200, NULL, true, true },
		{ 400, "x", false, true },
		{ 422, "x", false, true },
		{ 500, "x", true, true },
		{ 500, "x", false, false },
		{ 503, "x", true, false },
		{ 200, "torn", true, false },
		{ 0, "x", false, false },
		{ 404, "x", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kubernetes_answer a = { .status = table[i].status,
			.problem = table[i].problem,
			.reason = "" };

		if (verdict_no_watch_list(&a, table[i].opened) != table[i].none)
			fail_msg("line %zu: %d", i, table[i].status);
	}
}

static void
test_same_problem(void **state)
{
	(void)state;
	assert_true(verdict_same_problem("", ""));
	assert_true(verdict_same_problem("refused", "refused"));
	assert_true(verdict_same_problem("no connection after 0 ms: refused",
		"no connection after 12 ms: refused"));
	assert_true(verdict_same_problem("after ", "after 7"));
	assert_false(verdict_same_problem("refused", ""));
	assert_false(verdict_same_problem("", "refused"));
	assert_false(verdict_same_problem("refused", "refused again"));
	assert_false(verdict_same_problem("status 500", "status 503"));
	assert_false(verdict_same_problem(
		"after 3 ms: refused", "after 3 ms: timed out"));
}

static void
test_events(void **state)
{
	static const struct {
		const char *json;
		enum event event;
	} table[] = {
		{ "{\"type\":\"ADDED\"}", EVENT_PUT },
		{ "{\"type\":\"MODIFIED\"}", EVENT_PUT },
		{ "{\"type\":\"DELETED\"}", EVENT_DELETED },
		{ "{\"type\":\"BOOKMARK\"}", EVENT_BOOKMARK },
		{ "{\"type\":\"ERROR\"}", EVENT_ERROR },
		{ "{\"type\":\"added\"}", EVENT_UNKNOWN },
		{ "{\"type\":7}", EVENT_UNKNOWN },
		{ "{}", EVENT_UNKNOWN },
		{ "[]", EVENT_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct doc *d = read(table[i].json);

		if (event_read(d) != table[i].event)
			fail_msg("%s: %d", table[i].json, (int)event_read(d));
		doc_free(d);
	}
	assert_int_equal(event_read(NULL), EVENT_UNKNOWN);
}

static void
test_initial_end(void **state)
{
	struct doc *end = read("{\"metadata\":{\"annotations\":{"
			       "\"k8s.io/initial-events-end\":\"true\"}}}");
	struct doc *other = read("{\"metadata\":{\"annotations\":{"
				 "\"k8s.io/initial-events-end\":\"false\"}}}");

	(void)state;
	assert_true(event_is_initial_end(end));
	assert_false(event_is_initial_end(other));
	assert_false(event_is_initial_end(NULL));
	doc_free(end);
	doc_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_watch_list_that_is_none),
		cmocka_unit_test(test_same_problem),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_initial_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
