/* Tests userspace/kinds/azure/catalog.c, as watch.c uses it. */
#include "azure_watched.h"

/* ---- the management API */

static void
test_keys_are_fetched(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n" MANAGED
			FUNCTIONS);
	told_is("u: 10.0.0.1:443\nu ok\n");
	pass(0);
	told_is(ASK_MANAGEMENT_TOKEN);
	reply_token("t", 86400);
	pass(0);
	told_is("POST " SITE "/host/default/listkeys" VERSION AS("t"));
	reply(200, "{\"masterKey\":\"m\",\"functionKeys\":{\"default\":\"d\"},"
		   "\"systemKeys\":{}}");
	told_is("POST " SITE "/functions/f/listkeys" VERSION AS("t"));
	reply(200, "{\"default\":\"k1\",\"other\":\"k\"}");
	told_is("u credentials master=m default=d f=k1/3\n");
	/* Rotation (A4). */
	pass(20 * SECOND);
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	told_is(HOST_KEYS AS("t"));
	reply(200, "{\"masterKey\":\"m2\",\"functionKeys\":{\"default\":\"d2\"}"
		   "}");
	str_clear(&told);
	upstream_kind_azure.credentials_refused(w.state);
	reply(200, "{\"other\":\"k2\"}");
	told_is("u credentials master=m2 default=d2 f=k2/3\n");
	/* At most each 10 s. */
	upstream_kind_azure.credentials_refused(w.state);
	told_is(REFUSED("key") SEE_HOSTNAME);
	pass(9 * SECOND);
	told_is("");
	pass(SECOND);
	told_is("POST " SITE "/host/default/listkeys" VERSION AS("t"));
	/* Failing keeps what there is. */
	reply(403, "{\"error\":{\"code\":\"AuthorizationFailed\","
		   "\"message\":\"...\"}}");
	told_is("u not ok: the keys of the host of \"my-app\": the management "
		"API: status 403 AuthorizationFailed; the gateway's identity "
		"needs the permission "
		"Microsoft.Web/sites/host/listKeys/action\n");
	pass(20 * SECOND);
	told_is("POST " SITE "/host/default/listkeys" VERSION AS("t"));
	reply(200, "{\"masterKey\":\"m2\",\"functionKeys\":{\"default\":\"d2\"}"
		   "}");
	str_clear(&told);
	reply(429, "");
	told_is("u not ok: the keys of the functions of \"my-app\": the "
		"management API: status 429\n");
	world_unwatch(&w);
}

/* A function may refuse on its own account, as often as clients like: the same
 * keys that come then prove it, for as long as none are fetched again. */
static void
test_keys_are_refused_in_vain(void **state)
{
	static const unsigned pauses_s[] = { 10, 20, 40, 80, 150, 150 };
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n" MANAGED);
	pass(0);
	reply_token("t", 86400);
	pass(0);
	reply(200, "{\"masterKey\":\"m\",\"functionKeys\":{}}");
	for (size_t i = 0; i < ARRAY_SIZE(pauses_s); i++) {
		upstream_kind_azure.credentials_refused(w.state);
		pass((pauses_s[i] - 1) * SECOND);
		str_clear(&told);
		if (i == 0) /* not proven yet */
			upstream_kind_azure.credentials_refused(w.state);
		told_is("");
		pass(SECOND);
		if (i > 0) /* What was proven is in doubt again. */
			told_is("u credentials master=m\n");
		upstream_kind_azure.credentials_refused(w.state);
		pass(0);
		assert_non_null(strstr(told.data, HOST_KEYS AS("t")));
		str_clear(&told);
		reply(200, "{\"masterKey\":\"m\",\"functionKeys\":{}}");
		told_is(i == 0 ? "u credentials master=m proven\n" OF_CLIENTS
			       : "u credentials master=m proven\n");
		shown_note_is(&w, "a 401 without a body is the function's own: "
				  "the management API gave the same key again");
	}
	/* Another one counts anew. */
	pass(150 * SECOND);
	shown_note_is(&w, NULL);
	upstream_kind_azure.credentials_refused(w.state);
	shown_note_is(&w, "the app did not take the key; another is asked for");
	pass(0);
	str_clear(&told);
	reply(200, "{\"masterKey\":\"m2\",\"functionKeys\":{}}");
	told_is("u credentials master=m2\nu note -\n");
	upstream_kind_azure.credentials_refused(w.state);
	pass(10 * SECOND);
	told_is(REFUSED("key") SEE_HOSTNAME HOST_KEYS AS("t"));
	world_unwatch(&w);
}

/* Of an app's own name the same key is proof enough. Where it is refused
 * nevertheless, the function's level is not known: that is told, and does not
 * go and come with the proof. */
static void
test_proven_key_is_refused(void **state)
{
	static const char keys[] = "{\"masterKey\":\"m\",\"functionKeys\":{}}";
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, "functionAppName: my-app\n" MANAGED);
	answer(HOST, "10.0.0.1", 86400, NULL);
	pass(0);
	reply_token("t", 86400);
	pass(0);
	reply(200, keys);
	pass(10 * SECOND);
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	str_clear(&told);
	reply(200, keys);
	told_is("u credentials master=m proven\n");
	/* On its way. */
	pass(3 * SECOND - 1);
	upstream_kind_azure.credentials_refused(w.state);
	told_is("");
	pass(1);
	upstream_kind_azure.credentials_refused(w.state);
	told_is(OF_UNKNOWN);
	shown_note_is(&w, NULL);
	/* Doubt, and proof again. */
	pass(17 * SECOND);
	told_is("u credentials master=m\n");
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	told_is(HOST_KEYS AS("t"));
	reply(200, keys);
	told_is("u credentials master=m proven\n");
	pass(10 * MINUTE);
	assert_non_null(strstr(told.data, "u note -\n"));
	world_unwatch(&w);
}

/* Until the last refusal is long past, whatever else changes. */
static void
test_warning_stays(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_discover(&w, "enabled");
	world_watch(&w, shared,
		AUTHENTICATED "secretRef: {name: s, namespace: n}\n" MANAGED);
	secret_put(&w, "f=k");
	upstream_kind_azure.secret_changed(w.state);
	pass(0);
	reply_token("t", 86400);
	reply_token("t", 86400);
	pass(0);
	upstream_kind_azure.credentials_refused(w.state);
	assert_non_null(strstr(told.data, "u note "));
	str_clear(&told);
	reply(200, LIST(FUNCTION("g", "function", "/api/g")));
	told_is("u credentials bearer=Bearer t f=k/3 g=/1(/api/g)\n"
		"u functions g\n");
	pass(10 * SECOND);
	told_is(ASK_APP_TOKEN);
	reply_token("t2", 86400);
	told_is("u credentials bearer=Bearer t2 f=k/3 g=/1(/api/g)\n"
		"u functions g\n");
	upstream_kind_azure.secret_changed(w.state);
	told_is("");
	secret_put(&w, "f=k2");
	upstream_kind_azure.secret_changed(w.state);
	told_is("u credentials bearer=Bearer t2 f=k2/3 g=/1(/api/g)\n"
		"u note -\n");
	world_unwatch(&w);
}

/* What is no other key or token is no cure, and no reason for a Warning. */
static void
test_routes_are_no_keys(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_discover(&w, "enabled");
	world_watch(&w, shared, AUTHENTICATED MANAGED);
	pass(0);
	reply_token("t", 86400); /* of the management API */
	reply_token("t", 86400);
	pass(0);
	reply(200, LIST(FUNCTION("g", "anonymous", "/api/g")));
	reply(200, "{\"masterKey\":\"m\"}");
	pass(MINUTE);
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	reply_token("t", 86400);
	reply(200, LIST(FUNCTION("g", "anonymous", "/api/h")));
	str_clear(&told);
	/* The key may be the wrong one: it is not known yet. */
	reply(200, "{\"masterKey\":\"m\"}");
	told_is("u credentials bearer=Bearer t master=m g=/0(/api/h)\n"
		"u functions g\n");
	upstream_kind_azure.credentials_refused(w.state);
	told_is("");
	/* The same of both. */
	pass(10 * SECOND);
	reply_token("t", 86400);
	reply(200, LIST(FUNCTION("g", "anonymous", "/api/h")));
	str_clear(&told);
	reply(200, "{\"masterKey\":\"m\"}");
	told_is("u credentials bearer=Bearer t master=m proven g=/0(/api/h)\n"
		"u functions g\n" REFUSED("key or the token") SEE_AUDIENCE);
	world_unwatch(&w);
}

/* The management API does not take its token any more, though it is not over:
 * another one, and the same question. */
static void
test_management_token_is_revoked(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n" MANAGED
			FUNCTIONS);
	pass(0);
	reply_token("t1", 86400);
	pass(0);
	reply(200, "{\"masterKey\":\"m\",\"functionKeys\":{}}");
	str_clear(&told);
	/* In the midst of a walk; not more than one in 10 s. */
	reply(401, "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}");
	told_is("");
	pass(10 * SECOND);
	told_is(ASK_MANAGEMENT_TOKEN);
	reply_token("t2", 86400);
	told_is("POST " SITE "/functions/f/listkeys" VERSION AS("t2"));
	/* Once: two that are not taken are no accident. */
	reply(401, "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}");
	told_is("u credentials master=m f=/3\n"
		"u not ok: the keys of the functions of \"my-app\": the "
		"management API: status 401 InvalidAuthenticationToken\n");
	/* The next walk may again. */
	pass(20 * SECOND);
	told_is(HOST_KEYS AS("t2"));
	reply(401, "");
	pass(0);
	told_is(ASK_MANAGEMENT_TOKEN);
	/* There is none to be had: what is known stays. */
	reply(500, "");
	told_is("u not ok: no token for https://management.azure.com from "
		"instance metadata: status 500" SEE_IDENTITIES);
	pass(2 * SECOND);
	told_is(ASK_MANAGEMENT_TOKEN);
	reply_token("t3", 86400);
	str_clear(&told);
	pass(20 * SECOND);
	told_is(HOST_KEYS AS("t3"));
	reply(200, "{\"masterKey\":\"m2\",\"functionKeys\":{}}");
	reply(404, "");
	assert_non_null(strstr(told.data, "u credentials master=m2 "));
	assert_non_null(strstr(told.data, "u ok\n"));
	/* Given up while another is awaited. */
	pass(10 * MINUTE);
	reply(401, "");
	world_unwatch(&w);
}

/* It came for the one before, while there is a good one. */
static void
test_management_token_is_another_by_then(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n" MANAGED);
	pass(0);
	reply_token("t1", 20);
	str_clear(&told);
	pass(10 * SECOND);
	told_is(HOST_KEYS AS("t1") ASK_MANAGEMENT_TOKEN);
	last_first();
	reply_token("t2", 86400);
	told_is("");
	reply(401, "");
	told_is(HOST_KEYS AS("t2"));
	/* That one is dropped. */
	reply(401, "");
	pass(10 * SECOND);
	told_is(ASK_MANAGEMENT_TOKEN);
	reply_token("t3", 86400);
	told_is(HOST_KEYS AS("t3"));
	reply(200, "{\"masterKey\":\"m\",\"functionKeys\":{}}");
	told_is("u credentials master=m\n");
	world_unwatch(&w);
}

/* It is dropped when renewing it has failed for a while. */
static void
test_management_token_is_not_renewed(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	chance_high = true;
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n" MANAGED);
	pass(0);
	reply_token("t1", 1000);
	pass(700 * SECOND);
	/* The keys are asked for as well; the last pause is one of 60 s. */
	for (unsigned i = 0; i < 7; i++) {
		pass((1u << i) / 2 * SECOND + SECOND / 2);
		assert_non_null(calls->next);
		last_first();
		reply(500, "");
	}
	pass(10 * SECOND);
	str_clear(&told);
	reply(401, "");
	pass(0);
	told_is(ASK_MANAGEMENT_TOKEN);
	reply(500, "");
	assert_non_null(strstr(told.data, "u not ok: no token for " MANAGEMENT));
	world_unwatch(&w);
}

/* The key is the right one then, and the token is not. */
static void
test_key_and_token_are_refused(void **state)
{
	static const char keys[] = "{\"masterKey\":\"m\",\"functionKeys\":{}}";
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, AUTHENTICATED MANAGED);
	pass(0);
	reply_token("t", 86400);
	reply_token("t", 86400);
	pass(0);
	reply(200, keys);
	pass(MINUTE);
	upstream_kind_azure.credentials_refused(w.state);
	str_clear(&told);
	pass(0);
	told_is(ASK_APP_TOKEN HOST_KEYS AS("t"));
	reply_token("t2", 86400);
	reply(200, keys);
	told_is("u credentials bearer=Bearer t2 master=m\n"
		"u credentials bearer=Bearer t2 master=m proven\n");
	pass(10 * SECOND);
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	told_is(REFUSED("key or the token") SEE_AUDIENCE ASK_APP_TOKEN);
	world_unwatch(&w);
}

static void
test_discovery(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_discover(&w, "enabled");
	secret_put(&w, "f=k");
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\nslot: blue\n"
		"secretRef: {name: s}\n" MANAGED);
	told_is("u: 10.0.0.1:443\nu credentials f=k/3\nu ok\n");
	pass(0);
	told_is(ASK_MANAGEMENT_TOKEN);
	reply_token("t", 86400);
	pass(0);
	told_is("GET " SITE "/slots/blue/functions" VERSION AS("t"));
	reply(200, "{\"value\":[" FUNCTION("g", "anonymous",
			   "/api/g") "],"
				     "\"nextLink\":\"" MANAGEMENT
				     "/next?page=2\"}");
	told_is("GET " MANAGEMENT "/next?page=2" AS("t"));
	reply(200, LIST(FUNCTION("f", "Function",
			   "/api/p/{c:alpha}/{i?}") ","
						    "{\"name\":\"my-app/"
						    "off\",\"properties\":{"
						    "\"isDisabled\":"
						    "true,\"config\":{"
						    "\"bindings\":[{\"type\":"
						    "\"httpTrigger\"}"
						    "]}}},"
						    "{\"name\":\"my-app/"
						    "timer\",\"properties\":{"
						    "\"config\":{"
						    "\"bindings\":[{\"type\":"
						    "\"timerTrigger\"}]}}},"
						    "{\"name\":\"my-app/"
						    "r\",\"properties\":{"
						    "\"config\":{"
						    "\"bindings\":[{\"type\":"
						    "\"httpTrigger\","
						    "\"authLevel\":"
						    "\"admin\",\"route\":\"/x/"
						    "{y}\"}]}}},"
						    "{\"name\":\"my-app/"
						    "bad\",\"properties\":{"
						    "\"config\":{"
						    "\"bindings\":[{\"type\":"
						    "\"httpTrigger\",\"route\":"
						    "\"a//b\"}]}}},7,{}"));
	told_is("u credentials f=k/1(/api/p/{c:alpha}/{i?}) g=/0(/api/g) "
		"r=/2(api/x/{y})\nu functions f g r\n");
	/* Every five minutes; what disappears is gone. */
	pass(4 * MINUTE);
	told_is("");
	pass(90 * SECOND);
	told_is("GET " SITE "/slots/blue/functions" VERSION AS("t"));
	reply(200, LIST(FUNCTION("f", "function", "/api/f")));
	told_is("u credentials f=k/1(/api/f)\nu functions f\n");
	/* What cannot be asked empties nothing. */
	pass(6 * MINUTE);
	str_clear(&told);
	reply_full(429, "{\"error\":{\"code\":\"TooMany\"}}", NULL, "100");
	told_is("u functions f\n"
		"u not ok: the functions of \"my-app\": the management API: "
		"status 429 TooMany\n");
	pass(99 * SECOND);
	told_is("");
	pass(2 * SECOND);
	told_is("GET " SITE "/slots/blue/functions" VERSION AS("t"));
	reply(200, "{\"value\":[],\"nextLink\":\"https://evil.test/x\"}");
	told_is("u functions f\n"
		"u not ok: the functions of \"my-app\": the next page is said "
		"to be on another server\n");
	pass(5 * MINUTE);
	str_clear(&told);
	reply(200, LIST(""));
	told_is("u credentials f=k/3\nu functions\nu ok\n");
	world_unwatch(&w);
}

/* Off by default, and on by the word alone; without the app's place it says
 * so. */
static void
test_discovery_is_off(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_discover(&w, "disabled");
	secret_put(&w, "f=k");
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n"
		"secretRef: {name: s}\n" MANAGED);
	pass(MINUTE);
	told_is("u: 10.0.0.1:443\nu credentials f=k/3\nu ok\n");
	upstream_kind_azure.unwatch(w.state);
	world_discover(&w, "enabled");
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n"
		"secretRef: {name: s}\n");
	pass(MINUTE);
	told_is("u: 10.0.0.1:443\nu credentials f=k/3\nu ok\n"
		"u note functions are not discovered: that needs "
		"subscriptionId and resourceGroup; give the upstream both, or "
		"take its label discovery.solo.io/function_discovery away\n");
	world_unwatch(&w);
}

/* Both from there: the keys of those that were found. */
static void
test_discovery_with_keys(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_discover(&w, "enabled");
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n"
		"routePrefix: v1\nmanagementUrl: "
		"http://127.0.0.1:9/\n" MANAGED);
	pass(0);
	assert_non_null(
		strstr(told.data, "resource=http%3A%2F%2F127.0.0.1%3A9 "));
	reply_token("t", 86400);
	pass(0);
	reply(200, LIST(FUNCTION("f", "function", "/api/f") "," FUNCTION(
			   "g", "anonymous", "/api/g") "," FUNCTION("gone",
			   "function", "/api/gone")));
	str_clear(&told);
	reply(200, "{\"functionKeys\":{\"default\":\"d\"}}");
	assert_non_null(strstr(told.data,
		"POST http://127.0.0.1:9/subscriptions/sub/resourceGroups/"
		"grp_%281%29/providers/Microsoft.Web/sites/my-app/functions/"
		"f/listkeys"));
	str_clear(&told);
	reply(200, "{\"default\":\"k\"}");
	assert_non_null(strstr(told.data, "/functions/gone/listkeys"));
	str_clear(&told);
	reply(404, "");
	told_is("u credentials default=d f=k/1(v1/f) g=/0(v1/g) "
		"gone=/1(v1/gone)\nu functions f g gone\n");
	world_unwatch(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keys_are_fetched),
		TEST(test_keys_are_refused_in_vain),
		TEST(test_proven_key_is_refused),
		TEST(test_warning_stays),
		TEST(test_routes_are_no_keys),
		TEST(test_management_token_is_revoked),
		TEST(test_management_token_is_another_by_then),
		TEST(test_management_token_is_not_renewed),
		TEST(test_key_and_token_are_refused),
		TEST(test_discovery),
		TEST(test_discovery_is_off),
		TEST(test_discovery_with_keys),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
