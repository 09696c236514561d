/* The writer of statuses: how often it writes, what, in which order, and what
 * it makes of refusals. */
#include "kubernetes_fake.h"

#include "kinds/kubernetes/lease.h"
#include "kinds/kubernetes/status.h"

#define PATH    "/apis/gateway.solo.io/v1/namespaces/default/virtualservices/a"
#define OTHER   "/apis/gateway.solo.io/v1/namespaces/default/virtualservices/b"
#define MINUTES 60000

static struct kind_program program = { .condition_set = on_condition };
static struct kubernetes_api api;
static struct kubernetes_cluster cluster = { .program = &program, .api = &api };
static struct kubernetes_status *status;
static bool held;

bool
kubernetes_lease_held(const struct kubernetes_lease *l)
{
	(void)l;
	return held;
}

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	held = true;
	fake_now_ms += 10 * MINUTES;
	status = kubernetes_status_new(&cluster, NULL);
	kubernetes_status_lead(status, true);
	pass(0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kubernetes_status_free(status);
	fake_end();
	return 0;
}

static void
seen_of(const char *path, const char *uid, uint64_t generation,
	const char *json)
{
	struct error err = ERROR_INIT;
	struct doc *d = json == NULL
				? NULL
				: json_doc_read(json, strlen(json), &err);

	kubernetes_status_seen(status, path, uid, generation, d);
	doc_free(d);
}

static void
seen(const char *path, uint64_t generation, const char *json)
{
	seen_of(path, "u1", generation, json);
}

static void
want(const char *path, const char *state, const char *reason,
	uint64_t generation)
{
	struct kubernetes_said said = { state, reason, "gateway", generation };

	kubernetes_status_want(status, path, &said);
}

#define ACCEPTED                                                               \
	"{\"state\": \"Accepted\", \"reportedBy\": \"gateway\","               \
	" \"observedGeneration\": 1}"

/* As if the patch had been taken and came back. */
static void
take(const char *path, uint64_t generation)
{
	struct str text;

	str_init(&text);
	json_doc_write(doc_get(fake_calls->body, "status"), 0, &text);
	answer(fake_calls, 200, "{}");
	seen(path, generation, text.data);
	str_fini(&text);
}

static void
quiet(void)
{
	pass(10 * MINUTES);
	assert_null(fake_calls);
}

static void
test_one_write(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	want(PATH, "Accepted", "", 1);
	pass(0);
	assert_string_equal(
		fake_calls->type, "application/merge-patch+json");
	call_is("PATCH " PATH "/status {\"status\":{\"observedGeneration\":1,"
		"\"reason\":null,\"reportedBy\":\"gateway\","
		"\"state\":\"Accepted\"}}");
	take(PATH, 1);
	quiet();

	want(PATH, "Warning", "no upstream \"x\"", 1);
	pass(0);
	call_is("PATCH " PATH "/status {\"status\":{\"observedGeneration\":1,"
		"\"reason\":\"no upstream \\\"x\\\"\",\"reportedBy\":"
		"\"gateway\",\"state\":\"Warning\"}}");
	take(PATH, 1);
	quiet();
	assert_int_equal(fake_call_count, 2);
	told_is("");
}

static void
test_nothing_new(void **state)
{
	(void)state;
	seen(PATH, 1, ACCEPTED);
	want(PATH, "Accepted", "", 1);
	quiet();
	/* The words of another time are replaced. */
	seen(OTHER, 1, "{\"state\": 1, \"reportedBy\": \"gateway\"}");
	want(OTHER, "Accepted", "", 1);
	pass(0);
	take(OTHER, 1);
	quiet();
}

/* The verdict of a generation that has passed is not written. */
static void
test_old_verdict(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Rejected", "bad", 1);
	seen(PATH, 2, NULL);
	quiet();
	want(PATH, "Accepted", "", 2);
	pass(0);
	assert_int_equal(doc_get_integer(doc_get(fake_calls->body, "status"),
				 "observedGeneration"),
		2);
	take(PATH, 2);
	quiet();
}

static void
test_pending(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Pending", "generation 7", 1);
	pass(900);
	want(PATH, "Pending", "generation 8", 1);
	assert_null(fake_calls);
	want(PATH, "Accepted", "", 1);
	pass(0);
	take(PATH, 1);
	assert_int_equal(fake_call_count, 1);
	want(PATH, "Pending", "no proxy runs", 1);
	pass(900);
	want(PATH, "Pending", "none at all", 1);
	assert_null(fake_calls);
	pass(100);
	take(PATH, 1);
	quiet();
	assert_int_equal(fake_call_count, 2);
}

/* While a call is under way, what changes waits, and only the last counts. */
static void
test_changes_meanwhile(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	want(PATH, "Warning", "one", 1);
	want(PATH, "Warning", "two", 1);
	pass(5000);
	assert_int_equal(fake_call_count, 1);
	take(PATH, 1);
	pass(0);
	assert_string_equal(
		doc_get_text(doc_get(fake_calls->body, "status"), "reason"),
		"two");
	take(PATH, 1);
	quiet();
}

/* The event of our own write may come before its answer. */
static void
test_event_before_answer(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	seen(PATH, 1, ACCEPTED);
	answer(fake_calls, 200, "{}");
	quiet();
	assert_int_equal(fake_call_count, 1);
}

static void
test_other_hand(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	take(PATH, 1);
	for (int i = 1; i <= 3; i++) {
		seen(PATH, 1, "{\"state\": \"Rejected\"}");
		pass(KUBERNETES_STATUS_AGAIN_MS - 1);
		assert_null(fake_calls);
		pass(1);
		take(PATH, 1);
	}
	quiet();
	assert_int_equal(fake_call_count, 4);
}

/* 40 objects: five at once, then three a second, in the order in which they
 * came. */
static void
test_pace(void **state)
{
	char path[128];
	size_t done = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "%s%02d", PATH, i);
		seen(path, 1, NULL);
		want(path, "Accepted", "", 1);
		pass(1);
		while (fake_calls != NULL) {
			snprintf(path, sizeof(path), "%s%02zu/status", PATH,
				done++);
			assert_string_equal(fake_calls->path, path);
			answer(fake_calls, 200, "{}");
			pass(0);
		}
	}
	assert_int_equal(done, KUBERNETES_STATUS_BURST);
	for (int second = 0; second < 5; second++) {
		size_t before = done;

		for (int i = 0; i < 100; i++) {
			pass(10);
			if (fake_calls == NULL)
				continue;
			snprintf(path, sizeof(path), "%s%02zu/status", PATH,
				done++);
			assert_string_equal(fake_calls->path, path);
			answer(fake_calls, 200, "{}");
		}
		assert_in_range(done - before, KUBERNETES_STATUS_PER_S - 1,
			KUBERNETES_STATUS_PER_S + 1);
	}
}

static void
test_conflict(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	answer(fake_calls, 409, NULL);
	pass(999);
	assert_null(fake_calls);
	pass(1);
	take(PATH, 1);
	quiet();
	told_is("");
}

/* The definition, or the object, went while we wrote. */
static void
test_gone_meanwhile(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	kubernetes_status_forget(status, PATH);
	answer(fake_calls, 404, NULL);
	quiet();

	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	answer(fake_calls, 404, NULL);
	told_is("");
	kubernetes_status_forget(status, PATH);
	quiet();
	/* What was never seen, or is not any more, gets nothing. */
	want(PATH, "Accepted", "", 1);
	kubernetes_status_forget(status, PATH);
	quiet();
	told_is("");
}

/* A definition without the status subresource. */
static void
test_no_subresource(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	answer(fake_calls, 404, NULL);
	pass(10000);
	answer(fake_calls, 404, NULL);
	told_is("status warning: cannot write the status of " PATH
		": the server said 404\n");
	pass(19999);
	assert_null(fake_calls);
	pass(1);
	answer(fake_calls, 404, NULL);
	told_is("");
	kubernetes_status_forget(status, PATH);
	told_is("status ok\n");
}

static void
test_refused(void **state)
{
	static const struct {
		int status;
		uint64_t wait_ms;
	} rows[] = { { 422, 60000 }, { 403, 60000 }, { 500, 1000 },
		{ 0, 1000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t wait_ms = rows[i].wait_ms;

		seen(PATH, 1, NULL);
		want(PATH, "Accepted", "", 1);
		pass(0);
		for (int n = 0; n < 12; n++) {
			answer(fake_calls, rows[i].status, NULL);
			pass(wait_ms - 1);
			assert_null(fake_calls);
			pass(1);
			assert_non_null(fake_calls);
			wait_ms = wait_ms * 2 > 300000 ? 300000 : wait_ms * 2;
		}
		assert_non_null(strstr(told.data, "status warning: "));
		str_clear(&told);
		take(PATH, 1);
		told_is("status ok\n");
		kubernetes_status_forget(status, PATH);
	}
}

/* One object that is refused keeps no other one waiting; something new to say
 * is tried at once. */
static void
test_refused_alone(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	answer(fake_calls, 422, NULL);
	seen(OTHER, 1, NULL);
	want(OTHER, "Accepted", "", 1);
	pass(0);
	assert_string_equal(fake_calls->path, OTHER "/status");
	take(OTHER, 1);
	want(PATH, "Warning", "x", 1);
	pass(0);
	assert_string_equal(fake_calls->path, PATH "/status");
	take(PATH, 1);
	quiet();
	told_is("status warning: cannot write the status of " PATH
		": the server said 422\nstatus ok\n");
}

/* What comes meanwhile does not cut the pause after a failure short. */
static void
test_pause_holds(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	pass(0);
	answer(fake_calls, 422, NULL);
	for (int i = 0; i < 59; i++) {
		pass(1000);
		seen(PATH, 1, "{\"state\": \"other\"}");
		want(PATH, "Accepted", "", 1);
		pass(0);
		assert_null(fake_calls);
	}
	pass(1000);
	take(PATH, 1);
	quiet();
	assert_int_equal(fake_call_count, 2);
	/* Nor does another answer of the same. */
	want(PATH, "Warning", "x", 1);
	pass(0);
	answer(fake_calls, 500, NULL);
	seen(PATH, 1, NULL);
	pass(999);
	assert_null(fake_calls);
	pass(1);
	take(PATH, 1);
}

/* Deleted and made again under its name: it is judged anew. */
static void
test_another_object(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Rejected", "bad", 1);
	pass(0);
	seen_of(PATH, "u2", 1, NULL);
	answer(fake_calls, 200, "{}");
	quiet();
	assert_int_equal(fake_call_count, 1);
	want(PATH, "Accepted", "", 1);
	pass(0);
	assert_string_equal(
		doc_get_text(doc_get(fake_calls->body, "status"), "state"),
		"Accepted");
	answer(fake_calls, 200, "{}");
}

static void
test_leader_only(void **state)
{
	(void)state;
	kubernetes_status_lead(status, false);
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	seen(OTHER, 1, ACCEPTED);
	want(OTHER, "Accepted", "", 1);
	quiet();
	kubernetes_status_lead(status, true);
	pass(0);
	assert_string_equal(fake_calls->path, PATH "/status");
	/* It ends while writing: written again by whoever leads. */
	kubernetes_status_lead(status, false);
	assert_null(fake_calls);
	quiet();
	kubernetes_status_lead(status, true);
	pass(0);
	take(PATH, 1);
	quiet();
	assert_int_equal(fake_call_count, 2);
	/* The other leader wrote it meanwhile. */
	kubernetes_status_lead(status, false);
	want(PATH, "Warning", "x", 1);
	seen(PATH, 1,
		"{\"state\": \"Warning\", \"reason\": \"x\", \"reportedBy\":"
		" \"gateway\", \"observedGeneration\": 1}");
	kubernetes_status_lead(status, true);
	quiet();
}

/* The time of a leader may be over before its timer says so. */
static void
test_lease_over(void **state)
{
	(void)state;
	held = false;
	seen(PATH, 1, NULL);
	want(PATH, "Accepted", "", 1);
	quiet();
}

/* What is no UTF-8 comes back as another text, and is not taken for one. */
static void
test_broken_text(void **state)
{
	(void)state;
	seen(PATH, 1, NULL);
	want(PATH, "Rejected", "cut \xc3", 1);
	pass(0);
	take(PATH, 1);
	quiet();
	assert_int_equal(fake_call_count, 1);
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(test_one_write),
		ROW(test_nothing_new),
		ROW(test_old_verdict),
		ROW(test_pending),
		ROW(test_changes_meanwhile),
		ROW(test_event_before_answer),
		ROW(test_other_hand),
		ROW(test_pace),
		ROW(test_conflict),
		ROW(test_gone_meanwhile),
		ROW(test_no_subresource),
		ROW(test_refused),
		ROW(test_refused_alone),
		ROW(test_pause_holds),
		ROW(test_another_object),
		ROW(test_leader_only),
		ROW(test_lease_over),
		ROW(test_broken_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
