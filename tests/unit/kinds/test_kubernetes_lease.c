/*
 * Leader election between gateways that share a Lease on a server of the test's
 * own, some of which are cut off from it. At every moment at most one of them
 * holds it.
 */
#include "kubernetes_fake.h"

#include "kinds/kubernetes/lease.h"

#define STEP_MS 50

static struct kind_program program = { .condition_set = on_condition };

/* ---- the server */

static struct doc *lease; /* NULL: there is none */
static unsigned version;

static void
lease_version(void)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ++version);
	doc_set_string(doc_get(lease, "metadata"), "resourceVersion", text);
}

static const char *
lease_get(const char *key)
{
	return doc_get_text(doc_get(lease, "spec"), key);
}

static int
lease_store(const struct doc *body)
{
	const char *given = doc_get_text(
		doc_get(body, "metadata"), "resourceVersion");

	if (lease == NULL && given[0] != '\0')
		return 404;
	if (lease != NULL &&
		strcmp(given, doc_get_text(doc_get(lease, "metadata"),
				      "resourceVersion")) != 0)
		return 409;
	doc_free(lease);
	lease = doc_copy(body);
	lease_version();
	return 200;
}

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/gloo-system/leases"

/* Does what is asked; the status that it is answered with. */
static int
lease_do(const struct kubernetes_call *call)
{
	if (strcmp(call->method, "POST") == 0) {
		assert_string_equal(call->path, LEASES);
		return lease != NULL ? 409 : lease_store(call->body);
	}
	assert_string_equal(call->path, LEASES "/gloo-gateway");
	if (strcmp(call->method, "PUT") == 0)
		return lease_store(call->body);
	return lease != NULL ? 200 : 404;
}

static void
lease_answer(struct kubernetes_call *call, int status)
{
	struct str text;

	str_init(&text);
	if (lease != NULL)
		json_doc_write(lease, 0, &text);
	answer(call, status, status == 200 ? text.data : NULL);
	str_fini(&text);
}

/* ---- candidates */

struct candidate {
	struct kubernetes_settings settings;
	struct kubernetes_api api;
	struct kubernetes_cluster cluster;
	struct kubernetes_lease *lease;
	bool leads; /* as it was told */
	bool cut;   /* off from the server */
};

static struct candidate one, two;

static bool
serve(struct kubernetes_call *call)
{
	if ((call->api == &one.api && one.cut) ||
		(call->api == &two.api && two.cut))
		return false;
	assert_true(call->urgent); /* statuses are many */
	lease_answer(call, lease_do(call));
	return true;
}

static void
on_lead(bool leads, void *arg)
{
	struct candidate *c = arg;

	assert_true(c->leads != leads);
	c->leads = leads;
}

static void
begin(struct candidate *c, const char *identity)
{
	memset(c, 0, sizeof(*c));
	c->settings.namespace_ = (char *)"gloo-system";
	c->settings.identity = xstrdup(identity);
	c->cluster = (struct kubernetes_cluster){
		.program = &program,
		.settings = &c->settings,
		.api = &c->api,
	};
	c->lease = kubernetes_lease_new(&c->cluster, on_lead, c);
}

static void
end(struct candidate *c)
{
	kubernetes_lease_free(c->lease);
	free(c->settings.identity);
	memset(c, 0, sizeof(*c));
}

static bool
holds(const struct candidate *c)
{
	bool held = c->lease != NULL && kubernetes_lease_held(c->lease);

	assert_true(c->lease == NULL || held == c->leads);
	return held;
}

/* Time passes, the server answers whom it can, and nobody doubles. */
static void
live(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += STEP_MS) {
		pass(STEP_MS);
		while (fake_serve_one())
			;
		assert_false(holds(&one) && holds(&two));
	}
}

static uint64_t
live_until_held(struct candidate *c, uint64_t at_most_ms)
{
	uint64_t begun = fake_now_ms;

	while (!holds(c)) {
		assert_true(fake_now_ms - begun <= at_most_ms);
		live(STEP_MS);
	}
	return fake_now_ms - begun;
}

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	fake_serve = serve;
	lease = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	end(&one);
	end(&two);
	fake_serve = NULL;
	doc_free(lease);
	fake_end();
	return 0;
}

static void
test_alone(void **state)
{
	char *begun;

	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	told_is("leader note: leader\n");
	assert_string_equal(lease_get("holderIdentity"), "a");
	assert_int_equal(
		doc_get_integer(doc_get(lease, "spec"), "leaseDurationSeconds"),
		15);
	assert_int_equal(
		doc_get_integer(doc_get(lease, "spec"), "leaseTransitions"), 0);
	begun = xstrdup(lease_get("acquireTime"));
	assert_int_equal(strlen(begun), strlen("2026-11-26T13:00:00.000000Z"));
	live(60000);
	assert_true(holds(&one));
	/* Renewed every 2 to 2.4 s. */
	assert_in_range(version, 24, 32);
	assert_string_equal(lease_get("acquireTime"), begun);
	assert_string_not_equal(lease_get("renewTime"), begun);
	free(begun);
	told_is("");
	end(&one);
	assert_string_equal(lease_get("holderIdentity"), "");
}

static void
test_moves(void **state)
{
	uint64_t took;

	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	str_clear(&told);
	begin(&two, "b");
	live(30000);
	assert_false(holds(&two));
	told_is("leader note: follower of a\n");

	one.cut = true;
	took = live_until_held(&two, 20000);
	assert_in_range(took, 12000, 20000);
	assert_false(holds(&one));
	assert_string_equal(lease_get("holderIdentity"), "b");
	assert_int_equal(
		doc_get_integer(doc_get(lease, "spec"), "leaseTransitions"), 1);
	str_clear(&told);

	/* It comes back, and follows. */
	end(&one);
	begin(&one, "a2");
	live(60000);
	assert_true(holds(&two));
}

/* Half a minute without the server: it stops by itself, and is the first to go
 * on if nobody else came. */
static void
test_gives_up(void **state)
{
	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	live(5000);
	str_clear(&told);
	one.cut = true;
	live(7500);
	assert_true(holds(&one));
	live(2700);
	assert_false(holds(&one));
	told_is("leader warning: does not lead any more: the Lease could not "
		"be renewed for 10 s\n");
	/* What comes too late makes no leader. */
	live(3000);
	one.cut = false;
	assert_true(serve(fake_calls));
	assert_false(holds(&one));
	live_until_held(&one, 2500);
}

static void
test_release(void **state)
{
	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	begin(&two, "b");
	live(5000);
	end(&one);
	assert_string_equal(lease_get("holderIdentity"), "");
	live_until_held(&two, 2500);
}

/* The end waits for no server. */
static void
test_release_in_vain(void **state)
{
	uint64_t begun;

	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	fake_serve = NULL;
	begun = fake_now_ms;
	end(&one);
	assert_int_equal(fake_now_ms - begun, KUBERNETES_LEASE_RELEASE_MS);
}

/* Somebody else wrote the Lease, whoever may. */
static void
test_taken_away(void **state)
{
	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	str_clear(&told);
	doc_set_string(doc_get(lease, "spec"), "holderIdentity", "thief");
	lease_version();
	live(2500);
	assert_false(holds(&one));
	live(2500);
	told_is("leader note: follower of thief\n");
	/* Who took it says nothing: 15 s from when that was seen. */
	live(8000);
	assert_false(holds(&one));
	live_until_held(&one, 8000);
}

/* A label or a note on the Lease takes nothing from its holder for long. */
static void
test_touched(void **state)
{
	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	doc_set(doc_get(lease, "metadata"), "labels", doc_new_map());
	doc_set_string(doc_find(lease, "metadata", "labels", NULL), "a", "b");
	lease_version();
	live(5000);
	assert_true(holds(&one));
	assert_string_equal(
		doc_get_text(doc_find(lease, "metadata", "labels", NULL), "a"),
		"b");
}

static void
test_deleted(void **state)
{
	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	doc_free(lease);
	lease = NULL;
	live(5000);
	assert_true(holds(&one));
	assert_string_equal(lease_get("holderIdentity"), "a");
}

/* Its holder is cut off and leads still: a follower waits that out. */
static void
test_deleted_under_a_holder(void **state)
{
	uint64_t took;

	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	begin(&two, "b");
	live(5000);
	one.cut = true;
	doc_free(lease);
	lease = NULL;
	live(5000);
	assert_true(holds(&one));
	took = live_until_held(&two, 15000);
	assert_true(took > 5000);
	assert_false(holds(&one));
	assert_string_equal(lease_get("holderIdentity"), "b");
}

/* It was taken, but the answer was lost: known as its own when read. */
static void
test_answer_lost(void **state)
{
	(void)state;
	begin(&one, "a");
	live_until_held(&one, STEP_MS);
	one.cut = true;
	live(2500);
	assert_int_equal(lease_do(fake_calls), 200);
	answer(fake_calls, 0, NULL);
	one.cut = false;
	for (int i = 0; i < 100; i++) {
		live(STEP_MS);
		assert_true(holds(&one));
	}
}

/* Two that were given the same name: one of them leads. */
static void
test_same_name(void **state)
{
	(void)state;
	begin(&one, "a");
	begin(&two, "a");
	live(60000);
	assert_true(holds(&one) != holds(&two));
	assert_int_equal(
		doc_get_integer(doc_get(lease, "spec"), "leaseTransitions"), 0);
}

static void
test_forbidden(void **state)
{
	(void)state;
	begin(&one, "a");
	one.cut = true;
	pass(0);
	answer(fake_calls, 403, NULL);
	told_is("leader warning: does not lead: cannot read the Lease "
		"gloo-system/gloo-gateway: the server said 403\n");
	for (int i = 0; i < 5; i++) {
		live(2500);
		answer(fake_calls, 403, NULL);
	}
	told_is("");
	live(2500);
	answer(fake_calls, 0, NULL);
	assert_non_null(strstr(told.data, "no answer"));
	str_clear(&told);
	for (int i = 0; i < 5; i++) {
		live(2500);
		answer(fake_calls, 0, NULL);
	}
	told_is("");
	one.cut = false;
	live_until_held(&one, 2500);
	told_is("leader note: leader\n");
}

/* What the object says of time means nothing. */
static void
test_strange_times(void **state)
{
	struct error err = ERROR_INIT;
	const char *text = "{\"metadata\": {\"name\": \"gloo-gateway\"},"
			   "\"spec\": {\"holderIdentity\": \"x\","
			   "\"renewTime\": \"1970-01-01T00:00:00.000000Z\","
			   "\"leaseDurationSeconds\": -5,"
			   "\"leaseTransitions\": 9223372036854775807}}";

	(void)state;
	lease = json_doc_read(text, strlen(text), &err);
	lease_version();
	begin(&one, "a");
	live(14900);
	assert_false(holds(&one));
	live_until_held(&one, 1000);
	assert_int_equal(
		doc_get_integer(doc_get(lease, "spec"), "leaseTransitions"), 1);
}

/* Whatever is cut off when: never two at a time, and somebody in the end. */
static void
test_never_two(void **state)
{
	(void)state;
	begin(&one, "a");
	begin(&two, "b");
	for (int i = 0; i < 300; i++) {
		one.cut = arc4random_uniform(3) == 0;
		two.cut = arc4random_uniform(3) == 0;
		live(arc4random_uniform(20000));
		while (fake_calls != NULL && arc4random_uniform(2) == 0) {
			struct kubernetes_call *call = fake_calls;

			if (arc4random_uniform(2) == 0)
				lease_do(call);
			answer(call, 0, NULL);
		}
	}
	one.cut = two.cut = false;
	live(30000);
	assert_true(holds(&one) || holds(&two));
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(test_alone),
		ROW(test_moves),
		ROW(test_gives_up),
		ROW(test_release),
		ROW(test_release_in_vain),
		ROW(test_taken_away),
		ROW(test_touched),
		ROW(test_deleted),
		ROW(test_deleted_under_a_holder),
		ROW(test_answer_lost),
		ROW(test_same_name),
		ROW(test_forbidden),
		ROW(test_strange_times),
		ROW(test_never_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
