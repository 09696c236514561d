/*
 * Tests userspace/kinds/azure/watch.c and what it stands on (token, catalog,
 * probe), with names, time and answers in the test's hands.
 */
#include "azure_world.h"

#include <unistd.h>

#include "base/file.h"

#define HOST       "my-app.azurewebsites.net"
#define MANAGED    "subscriptionId: sub\nresourceGroup: grp_(1)\n"
#define MANAGEMENT "https://management.azure.com"
#define SITE                                                                   \
	MANAGEMENT "/subscriptions/sub/resourceGroups/grp_%281%29/"            \
		   "providers/Microsoft.Web/sites/my-app"
#define VERSION  "?api-version=2022-03-01"
#define METADATA "http://169.254.169.254/metadata/identity/oauth2/token"
#define ASK_METADATA(more)                                                     \
	"GET " METADATA "?api-version=2018-02-01&resource=" more               \
	" [Metadata: true]\n"
#define ASK_MANAGEMENT_TOKEN ASK_METADATA("https%3A%2F%2Fmanagement.azure.com")
#define HOST_KEYS        "POST " SITE "/host/default/listkeys" VERSION
#define AS(token)            " [Authorization: Bearer " token "]\n"

#define LIST(first) "{\"value\":[" first "]}"
#define FUNCTION(name, level, url)                                             \
	"{\"name\":\"my-app/" name "\",\"properties\":{\"name\":\"" name       \
	"\",\"invoke_url_template\":\"https://" HOST url                       \
	"\",\"config\":{\"bindings\":[{\"type\":\"httpTrigger\","              \
	"\"authLevel\":\"" level "\"}]}}}"

static struct azure_shared *shared;

static int
setup(void **state)
{
	(void)state;
	unsetenv("AZURE_FEDERATED_TOKEN_FILE");
	unsetenv("AZURE_TENANT_ID");
	unsetenv("AZURE_CLIENT_ID");
	unsetenv("AZURE_AUTHORITY_HOST");
	unsetenv("IDENTITY_ENDPOINT");
	unsetenv("IDENTITY_HEADER");
	str_clear(&told);
	chance_high = false;
	shared = shared_new("{}");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	upstream_kind_azure.close(shared);
	assert_null(fake_timers);
	return 0;
}

/* ---- endpoints */

static void
test_endpoints(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, "functionAppName: my-app\n");
	told_is("");
	answer(HOST, "10.0.0.1 10.0.0.2", 60, NULL);
	told_is("u: 10.0.0.1:443(" HOST ") 10.0.0.2:443(" HOST ")\nu ok\n");
	pass(60 * SECOND);
	answer(HOST, "", 0, "timeout");
	told_is("u: 10.0.0.1:443(" HOST ") 10.0.0.2:443(" HOST ")\n"
		"u not ok: the app's host " HOST
		" is not resolved: timeout; see functionAppName, slot and "
		"hostname, and dns.servers\n");
	world_unwatch(&w);
	told_is("");
}

static void
test_endpoint_given(void **state)
{
	static const struct {
		const char *spec, *told;
	} rows[] = {
		{ "hostname: '10.0.0.9'\n", "u: 10.0.0.9:443\nu ok\n" },
		{ "hostname: '127.0.0.1:8443'\n", "u: 127.0.0.1:8443\nu ok\n" },
		{ "hostname: '[::1]:8443'\n", "u: [::1]:8443\nu ok\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *spec =
			xasprintf("functionAppName: my-app\n%s", rows[i].spec);
		struct world w = { .name = "u" };

		world_watch(&w, shared, spec);
		told_is(rows[i].told);
		world_unwatch(&w);
		free(spec);
	}
}

/* What an earlier run knew stays in use, if it is of this host. */
static void
test_earlier(void **state)
{
	struct world w = { .name = "u", .used_count = 1 };

	(void)state;
	addr_parse_ip("10.0.0.1", 443, &w.used[0].addr);
	strcpy(w.used[0].host, HOST);
	world_watch(&w, shared, "functionAppName: my-app\n");
	told_is("");
	world_unwatch(&w);
	world_watch(&w, shared, "functionAppName: your-app\n");
	told_is("u: none\n");
	world_unwatch(&w);
}

/* ---- keys of the secret */

#define FUNCTIONS                                                              \
	"functions:\n- {functionName: f, authLevel: Function}\n"               \
	"- {functionName: g, authLevel: Admin}\n"

static void
test_secret(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n"
		"secretRef: {name: s, namespace: n}\n" FUNCTIONS);
	/* Control says itself that it is not there. */
	told_is("u: 10.0.0.1:443\nu ok\n");
	secret_put(&w, "f=k1,_master=m,default=d");
	upstream_kind_azure.secret_changed(w.state);
	told_is("u credentials master=m default=d f=k1/3\n");
	upstream_kind_azure.secret_changed(w.state);
	told_is("");
	/* Another key, and half of what is needed. */
	secret_put(&w, "f=k2");
	upstream_kind_azure.secret_changed(w.state);
	told_is("u credentials f=k2/3\n"
		"u note function \"g\" cannot be called: its level is Admin, "
		"and there is no key for it; give the secret n.s the key "
		"\"_master\"\n");
	secret_put(&w, "g=k2");
	upstream_kind_azure.secret_changed(w.state);
	told_is("u credentials g=k2/3\n"
		"u note function \"f\" cannot be called: its level is "
		"Function, and there is no key for it; give the secret n.s the "
		"key \"f\", \"default\" or \"_master\"\n");
	w.has_secret = false;
	upstream_kind_azure.secret_changed(w.state);
	told_is("u credentials none\nu note -\n");
	secret_put(&w, "f=k2");
	w.secret.type = MODEL_SECRET_AWS;
	upstream_kind_azure.secret_changed(w.state);
	world_unwatch(&w);
	told_is("");
}

#define REFUSED(what)                                                          \
	"u note the function app \"my-app\" did not take the " what            \
	" that it was sent last"
#define SEE_HOSTNAME                                                           \
	", and asking for another did not help; see that hostname is that of " \
	"functionAppName in subscriptionId and resourceGroup\n"
#define SEE_AUDIENCE                                                           \
	", and asking for another did not help; see the audience of "          \
	"appServiceAuthentication, and whom the app lets in\n"
#define OF_CLIENTS                                                             \
	"u note a 401 without a body goes to clients as the function's own; "  \
	"if every call gets one, hostname is not that of functionAppName "     \
	"\"my-app\"\n"
#define OF_UNKNOWN                                                             \
	"u note the function app \"my-app\" did not take the key for a "       \
	"function whose level is not known; list the function with its "       \
	"authLevel in functions\n"
#define NOT_RENEWED                                                            \
	"the token for api://x is good until %s, but no other comes from "     \
	"instance metadata: "
#define SEE_IDENTITIES "; see the managed identities of this machine\n"

/* A4: nothing can be got anew, but it is told, for a while. */
static void
test_secret_refused(void **state)
{
	static const char note[] =
		REFUSED("key") "; give the secret n.s its present keys\n";
	struct world w = { .name = "u" };

	(void)state;
	secret_put(&w, "f=k1,_master=m");
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n"
		"secretRef: {name: s, namespace: n}\n" FUNCTIONS);
	str_clear(&told);
	upstream_kind_azure.credentials_refused(w.state);
	told_is(note);
	pass(9 * MINUTE);
	upstream_kind_azure.credentials_refused(w.state);
	pass(10 * MINUTE - 1);
	told_is("");
	pass(1);
	told_is("u note -\n");
	upstream_kind_azure.credentials_refused(w.state);
	told_is(note);
	secret_put(&w, "f=k2,_master=m");
	upstream_kind_azure.secret_changed(w.state);
	told_is("u credentials master=m f=k2/3\nu note -\n");
	world_unwatch(&w);
}

/* A3 */
static void
test_two_apps(void **state)
{
	struct world a = { .name = "a" }, b = { .name = "b" };

	(void)state;
	secret_put(&a, "f=key-of-a,_master=m");
	secret_put(&b, "f=key-of-b");
	world_watch(&a, shared,
		"functionAppName: a\nhostname: 10.0.0.1\nsecretRef: {name: a}");
	world_watch(&b, shared,
		"functionAppName: b\nhostname: 10.0.0.2\nsecretRef: {name: b}");
	told_is("a: 10.0.0.1:443\na credentials master=m f=key-of-a/3\na ok\n"
		"b: 10.0.0.2:443\nb credentials f=key-of-b/3\nb ok\n");
	secret_put(&b, "f=new");
	upstream_kind_azure.secret_changed(b.state);
	told_is("b credentials f=new/3\n");
	upstream_kind_azure.secret_changed(a.state);
	told_is("");
	upstream_kind_azure.unwatch(a.state);
	a.state = NULL;
	told_is("");
	world_unwatch(&a);
	world_unwatch(&b);
}

/* ---- App Service authentication (A7) */

#define AUTHENTICATED                                                          \
	"functionAppName: my-app\nhostname: 10.0.0.1\n"                        \
	"appServiceAuthentication: {audience: 'api://x'}\n"
#define ASK_APP_TOKEN ASK_METADATA("api%3A%2F%2Fx")

static void
told_is_not_renewed(const char *why)
{
	char until[CLOCK_TEXT_MAX];
	char *line = xasprintf("u not ok: " NOT_RENEWED "%s" SEE_IDENTITIES,
		clock_format(clock_realtime_ms() + 5 * MINUTE, until), why);

	told_is(line);
	free(line);
}

static void
test_token(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, AUTHENTICATED);
	told_is("u: 10.0.0.1:443\nu ok\n");
	pass(0);
	told_is(ASK_APP_TOKEN);
	reply_token("t1", 3600);
	told_is("u credentials bearer=Bearer t1\n");
	/* Five minutes before it is over. */
	pass(55 * MINUTE - 1);
	told_is("");
	pass(1);
	told_is(ASK_APP_TOKEN);
	/* The old one is used while that fails. */
	reply_full(0, "", "connection refused", NULL);
	told_is_not_renewed("connection refused");
	pass(2 * SECOND);
	told_is(ASK_APP_TOKEN);
	reply_token("t2", 3600);
	told_is("u credentials bearer=Bearer t2\nu ok\n");
	world_unwatch(&w);
}

/* Each refusal has its own ids and time: it is told once. */
static void
test_token_refused_again(void **state)
{
	static const char *const ids[] = {
		"5f0c3e1a-77d1-4b3e-9a0c-0123456789ab Timestamp: 2026-11-27 "
		"09:40:27Z",
		"c0ffee00-aaaa-bbbb-cccc-f00dfaceca11 Timestamp: 2026-11-27 "
		"09:41:02Z",
	};
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, AUTHENTICATED);
	pass(0);
	str_clear(&told);
	for (size_t i = 0; i < 2; i++) {
		char *body = xasprintf(
			"{\"error\":\"invalid_client\",\"error_description\":"
			"\"AADSTS700213: no Trace ID: %s\"}",
			ids[i]);
		char *line = xasprintf(
			"u not ok: no token for api://x from instance "
			"metadata: status 401 invalid_client: AADSTS700213: no "
			"Trace ID: %s; see the managed identities of this "
			"machine\n",
			ids[i]);

		reply(401, body);
		told_is(i == 0 ? line : "");
		free(body);
		free(line);
		pass(2 * SECOND);
		told_is(ASK_APP_TOKEN);
	}
	reply(401, "{\"error\":\"unauthorized_client\"}");
	told_is("u not ok: no token for api://x from instance metadata: status "
		"401 unauthorized_client; see the managed identities of this "
		"machine\n");
	world_unwatch(&w);
}

static void
test_token_is_over(void **state)
{
	struct world w = { .name = "u" };
	size_t asked = 0;

	(void)state;
	world_watch(&w, shared, AUTHENTICATED);
	pass(0);
	reply_token("t1", 3600);
	pass(55 * MINUTE);
	str_clear(&told);
	chance_high = true;
	/* Half a second to a minute and a half between two. */
	for (int i = 0; i < 60; i++) {
		if (calls != NULL) {
			reply(500, "{}");
			asked++;
		}
		pass(5 * SECOND - 1);
	}
	assert_true(asked >= 6 && asked <= 16);
	assert_null(strstr(told.data, "credentials none"));
	pass(60);
	assert_non_null(strstr(told.data,
		"u credentials none\nu not ok: no token for api://x from "
		"instance metadata: status 500" SEE_IDENTITIES));
	str_clear(&told);
	while (calls == NULL)
		pass(SECOND);
	str_clear(&told);
	reply_token("t2", 3600);
	told_is("u credentials bearer=Bearer t2\nu ok\n");
	world_unwatch(&w);
}

/* One that does not live as long as twice the margin: at half its life. */
static void
test_token_is_short(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, AUTHENTICATED);
	pass(0);
	reply_token("t1", 300);
	str_clear(&told);
	pass(149 * SECOND);
	told_is("");
	pass(2 * SECOND);
	told_is(ASK_APP_TOKEN);
	world_unwatch(&w);
}

static void
test_token_refused(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, AUTHENTICATED);
	pass(0);
	reply_token("t1", 3600);
	str_clear(&told);
	pass(4 * SECOND);
	/* That may happen: another is asked for, nothing is wrong. */
	upstream_kind_azure.credentials_refused(w.state);
	upstream_kind_azure.credentials_refused(w.state);
	told_is("");
	pass(6 * SECOND - 1);
	told_is("");
	pass(1);
	told_is(ASK_APP_TOKEN);
	upstream_kind_azure.credentials_refused(w.state);
	reply_token("t2", 3600);
	told_is("u credentials bearer=Bearer t2\n");
	pass(MINUTE);
	told_is("");
	/* The other one as well. */
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	told_is(REFUSED("token") SEE_AUDIENCE ASK_APP_TOKEN);
	/* That one may be as bad. */
	reply_token("t3", 3600);
	told_is("u credentials bearer=Bearer t3\n");
	/* Taken for long: that is past. */
	pass(10 * MINUTE);
	told_is("u note -\n");
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	told_is(ASK_APP_TOKEN);
	world_unwatch(&w);
}

/* What stands in the status without a Warning. */
static void
shown_note_is(struct world *w, const char *note)
{
	struct doc *d = doc_new_map();

	upstream_kind_azure.show(w->state, d);
	if (note == NULL)
		assert_null(doc_get(d, "keysNote"));
	else
		assert_string_equal(doc_get_text(d, "keysNote"), note);
	doc_free(d);
}

/* The source keeps it, and gives it again: there is no better one. */
static void
test_same_token_again(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_watch(&w, shared, AUTHENTICATED);
	pass(0);
	reply_token("t", 86400);
	pass(MINUTE);
	str_clear(&told);
	upstream_kind_azure.credentials_refused(w.state);
	shown_note_is(
		&w, "the app did not take the token; another is asked for");
	pass(0);
	told_is(ASK_APP_TOKEN);
	/* None at all is told as such. */
	reply(500, "");
	assert_null(strstr(told.data, "u note"));
	pass(2 * SECOND);
	str_clear(&told);
	reply_token("t", 86400);
	told_is("u ok\n" REFUSED("token") SEE_AUDIENCE);
	shown_note_is(&w, NULL);
	pass(9 * MINUTE);
	upstream_kind_azure.credentials_refused(w.state);
	pass(0);
	told_is(ASK_APP_TOKEN);
	reply_token("t", 86400);
	pass(10 * MINUTE - 1);
	told_is("");
	pass(1);
	told_is("u note -\n");
	world_unwatch(&w);
}

static void
test_token_answers(void **state)
{
	static const struct {
		int status;
		const char *body, *why; /* NULL: good */
	} rows[] = {
		{ 200, "{\"access_token\":\"t\",\"expires_in\":\"3599\"}",
			NULL },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":3599}", NULL },
		{ 200,
			"{\"access_token\":\"t\",\"expires_on\":"
			"\"11/26/2026 1:02:03 PM +00:00\",\"expires_in\":60}",
			NULL },
		{ 200, "[]", "the answer is no JSON object" },
		{ 200, "{\"access_token\":\"\",\"expires_in\":60}",
			"the answer has no access_token" },
		{ 200, "{\"access_token\":\"a b\",\"expires_in\":60}",
			"the answer has no access_token" },
		{ 200, "{\"access_token\":\"a\\r\\nb\",\"expires_in\":60}",
			"the answer has no access_token" },
		{ 200, "{\"access_token\":1,\"expires_in\":60}",
			"the answer has no access_token" },
		{ 200, "{\"access_token\":\"t\"}",
			"the token in the answer is over, or does not say when "
			"it will be" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":-1}",
			"the token in the answer is over, or does not say when "
			"it will be" },
		{ 200, "{\"access_token\":\"t\",\"expires_on\":\"1\"}",
			"the token in the answer is over, or does not say when "
			"it will be" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":\"1e9\"}",
			"the token in the answer is over, or does not say when "
			"it will be" },
		{ 400,
			"{\"error\":\"invalid_request\",\"error_description\":"
			"\"Identity not found\"}",
			"status 400 invalid_request: Identity not found" },
		{ 401,
			"{\"error\":\"invalid_client\",\"error_description\":"
			"\"AADSTS700213: no\\r\\nTrace ID: 1\"}",
			"status 401 invalid_client: AADSTS700213: no" },
		{ 404, "", "status 404" },
		{ 410, "gone", "status 410" },
		/* Whatever is in it, a token is not told. */
		{ 400, "{\"error\":\"x\",\"access_token\":\"t\"}",
			"status 400" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = { .name = "u" };

		world_watch(&w, shared, AUTHENTICATED);
		pass(0);
		str_clear(&told);
		reply(rows[i].status, rows[i].body);
		if (rows[i].why == NULL) {
			told_is("u credentials bearer=Bearer t\n");
		} else {
			char *line =
				xasprintf("u not ok: no token for api://x from "
					  "instance metadata: "
					  "%s" SEE_IDENTITIES,
					rows[i].why);

			told_is(line);
			free(line);
		}
		world_unwatch(&w);
	}
}

/* Whatever it says, it is neither over at once nor good for ever. */
static void
test_token_of_a_long_life(void **state)
{
	static const char *const lives[] = { "\"expires_in\":31536000",
		"\"expires_in\":4294967296", "\"expires_in\":4294967297",
		"\"expires_in\":9223372036854775807",
		"\"expires_in\":\"9223372036854775807\"",
		"\"expires_in\":\"18446744073709551615\"",
		"\"expires_in\":\"18446744073709551617\"",
		"\"expires_in\":\"99999999999999999999999999\"",
		"\"expires_on\":9223372036854775807",
		"\"expires_on\":\"18446744073709551\"",
		"\"expires_on\":\"18446744073709551616\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
		char *answer_text = xasprintf(
			"{\"access_token\":\"t\",%s}", lives[i]);
		struct world w = { .name = "u" };

		world_watch(&w, shared, AUTHENTICATED);
		pass(0);
		str_clear(&told);
		reply(200, answer_text);
		told_is("u credentials bearer=Bearer t\n");
		/* Five minutes before a day is over. */
		pass(24 * 60 * MINUTE - 5 * MINUTE - SECOND);
		told_is("");
		pass(SECOND);
		told_is(ASK_APP_TOKEN);
		reply_full(0, "", "no route", NULL);
		pass(5 * MINUTE);
		assert_non_null(strstr(told.data, "u credentials none\n"));
		world_unwatch(&w);
		free(answer_text);
	}
}

static void
test_token_of_app_service(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:4141/msi/token", 1);
	setenv("IDENTITY_HEADER", "secret-header", 1);
	world_watch(
		&w, shared, AUTHENTICATED "managedIdentityClientId: 11-22\n");
	str_clear(&told);
	pass(0);
	told_is("GET http://127.0.0.1:4141/msi/token?api-version=2019-08-01&"
		"resource=api%3A%2F%2Fx&client_id=11-22 "
		"[X-IDENTITY-HEADER: secret-header]\n");
	reply_token("t1", 3600);
	told_is("u credentials bearer=Bearer t1\n");
	world_unwatch(&w);
}

static void
test_token_of_a_workload(void **state)
{
	char path[] = "/tmp/azure-token-XXXXXX";
	struct world w = { .name = "u" };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_replace(path, "a.b.c\n", 6, 0600, NULL), 0);
	setenv("AZURE_FEDERATED_TOKEN_FILE", path, 1);
	world_watch(&w, shared, AUTHENTICATED);
	str_clear(&told);
	pass(0);
	told_is("u not ok: no token for api://x from workload identity: "
		"AZURE_FEDERATED_TOKEN_FILE is in the environment without "
		"AZURE_TENANT_ID and AZURE_CLIENT_ID; see AZURE_* in the "
		"gateway's environment, and the federated credentials of that "
		"client\n");
	setenv("AZURE_TENANT_ID", "tenant", 1);
	setenv("AZURE_CLIENT_ID", "client", 1);
	setenv("AZURE_AUTHORITY_HOST", "https://login.test/", 1);
	pass(2 * SECOND);
	told_is("POST https://login.test/tenant/oauth2/v2.0/token "
		"[Content-Type: application/x-www-form-urlencoded]\n");
	assert_string_equal(last_body,
		"grant_type=client_credentials&client_assertion_type="
		"urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A"
		"jwt-bearer&client_id=client&scope=api%3A%2F%2Fx%2F.default&"
		"client_assertion=a.b.c");
	reply(200, "{\"access_token\":\"t\",\"expires_in\":3599}");
	told_is("u credentials bearer=Bearer t\nu ok\n");
	/* The file has changed by then. */
	assert_int_equal(file_replace(path, "d.e.f", 5, 0600, NULL), 0);
	pass(55 * MINUTE);
	assert_non_null(strstr(last_body, "client_assertion=d.e.f"));
	str_clear(&told);
	reply_full(0, "", "no route", NULL);
	assert_int_equal(unlink(path), 0);
	pass(4 * SECOND);
	assert_non_null(strstr(told.data, "from workload identity: "));
	assert_non_null(strstr(told.data, path));
	world_unwatch(&w);
}

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

/* ---- the probe */

static void
on_finding(enum kind_level level, const char *sentence, void *arg)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };

	(void)arg;
	str_printf(&told, "%s: %s\n", names[level], sentence);
}

static void
on_probed(void *arg)
{
	(void)arg;
	str_puts(&told, "done\n");
}

static void
test_probe(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	world_discover(&w, "enabled");
	world_watch(&w, shared, "functionAppName: my-app\n" MANAGED FUNCTIONS);
	answer(HOST, "10.0.0.1", 60, NULL);
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	str_clear(&told);
	pass(0);
	assert_non_null(strstr(told.data,
		"ok: my-app.azurewebsites.net has 1 addresses\n"
		"error: function f: there is no key for it\n"
		"error: function g: level Admin needs the key _master, which "
		"is not there\n"
		"warning: a token for the management API is still asked for\n"
		"done\n"));
	reply_token("t", 86400);
	pass(0);
	reply(200, LIST(FUNCTION("f", "function", "/api/f")));
	reply(200, "{\"masterKey\":\"m\"}");
	reply(200, "{}");
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	str_clear(&told);
	pass(0);
	told_is("ok: my-app.azurewebsites.net has 1 addresses\n"
		"note: function f is called with the master key, which opens "
		"the whole app; give it a key of its own\n"
		"ok: there is a token for the management API from instance "
		"metadata\n"
		"GET " SITE "/functions" VERSION AS("t"));
	reply(200, LIST(""));
	told_is("ok: its functions may be asked for\n"
		"POST " SITE "/host/default/listkeys" VERSION AS("t"));
	reply(403, "{\"error\":{\"code\":\"AuthorizationFailed\"}}");
	told_is("error: the keys of its host: the management API: status 403 "
		"AuthorizationFailed; the gateway's identity needs the "
		"permission Microsoft.Web/sites/host/listKeys/action\n"
		"POST " SITE "/functions/f/listkeys" VERSION AS("t"));
	reply(404, "");
	told_is("error: the keys of its functions: the management API: status "
		"404; see subscriptionId, resourceGroup, functionAppName and "
		"slot\ndone\n");
	/* Given up. */
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	pass(0);
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	assert_non_null(calls);
	str_clear(&told);
	world_unwatch(&w);
	assert_null(strstr(told.data, "done"));
}

static void
test_probe_of_a_secret(void **state)
{
	struct world w = { .name = "u" };

	(void)state;
	secret_put(&w, "f=k,_master=m");
	world_watch(&w, shared,
		"functionAppName: my-app\nhostname: 10.0.0.1\n"
		"secretRef: {name: s, namespace: n}\n" FUNCTIONS);
	str_clear(&told);
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	told_is("");
	pass(0);
	told_is("ok: the secret n.s has 2 keys\ndone\n");
	w.has_secret = false;
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	pass(0);
	told_is("error: the secret n.s is not there\n"
		"error: function f: there is no key for it\n"
		"error: function g: level Admin needs the key _master, which "
		"is not there\ndone\n");
	/* What routes name besides, once. */
	w.named[0] = "f";
	w.named[1] = w.named[2] = "h";
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	pass(0);
	told_is("error: the secret n.s is not there\n"
		"error: function f: there is no key for it\n"
		"error: function g: level Admin needs the key _master, which "
		"is not there\n"
		"error: function h: there is no key for it\ndone\n");
	world_unwatch(&w);
	world_watch(&w, shared, "functionAppName: a\nhostname: 10.0.0.1\n");
	str_clear(&told);
	upstream_kind_azure.probe(w.state, on_finding, on_probed, NULL);
	pass(0);
	told_is("note: there is no secret and no subscriptionId with "
		"resourceGroup: only anonymous functions can be called\n"
		"done\n");
	upstream_kind_azure.unwatch(w.state);
}

/* ---- for people, and settings */

static void
test_show(void **state)
{
	struct world w = { .name = "u" };
	struct doc *d = doc_new_map();
	struct str text;

	(void)state;
	world_watch(&w, shared,
		AUTHENTICATED MANAGED "managedIdentityClientId: x\n");
	pass(0);
	reply(500, "");
	reply_token("secret-token", 3600);
	upstream_kind_azure.show(w.state, d);
	str_init(&text);
	yaml_doc_write(d, &text);
	assert_null(strstr(text.data, "secret-token"));
	assert_non_null(strstr(text.data, "keysFrom: the management API\n"));
	assert_non_null(strstr(text.data, "of: App Service authentication\n"));
	assert_non_null(strstr(text.data, "status 500"));
	str_fini(&text);
	doc_free(d);
	world_unwatch(&w);
}

static void
test_settings(void **state)
{
	static const struct {
		const char *settings, *error; /* NULL: good */
	} rows[] = {
		{ "{}", NULL },
		{ "managementUrl: https://management.usgovcloudapi.net", NULL },
		{ "managementUrl: https://m.test:8443/", NULL },
		{ "metadataUrl: http://127.0.0.1:8000", NULL },
		{ "metadataUrl: 'http://[::1]:8000'", NULL },
		{ "authorityUrl: http://localhost:1", NULL },
		{ "discoveryInterval: 30s", NULL },
		{ "managementUrl: http://m.test", "it must be https://" },
		{ "managementUrl: http://127.evil.test",
			"it must be https://" },
		{ "managementUrl: http://localhost.evil.test",
			"it must be https://" },
		{ "managementUrl: http://127.0.0.1@evil.test",
			"is not of the form" },
		{ "managementUrl: https://m.test/x", "is not of the form" },
		{ "managementUrl: m.test", "does not begin with" },
		{ "managementUrl: 'https://'", "is not of the form" },
		{ "discoveryInterval: 1ms", "discoveryInterval" },
		{ "clientSecret: x", "unknown key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct doc *d = yaml(rows[i].settings);

		if (upstream_kind_azure.settings_check(d, &err) != 0) {
			if (rows[i].error == NULL)
				fail_msg("%s: %s", rows[i].settings, err.text);
			assert_non_null(strstr(err.text, rows[i].error));
		} else if (rows[i].error != NULL) {
			fail_msg("%s is taken", rows[i].settings);
		}
		doc_free(d);
	}
}

static void
test_ca_file(void **state)
{
	struct azure_shared *s;

	(void)state;
	s = shared_new("caFile: /nowhere/ca.pem");
	assert_non_null(strstr(told.data, "program caFile: "));
	assert_non_null(strstr(told.data, "/nowhere/ca.pem"));
	upstream_kind_azure.close(s);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_endpoints),
		TEST(test_endpoint_given),
		TEST(test_earlier),
		TEST(test_secret),
		TEST(test_secret_refused),
		TEST(test_two_apps),
		TEST(test_token),
		TEST(test_token_refused_again),
		TEST(test_token_is_over),
		TEST(test_token_is_short),
		TEST(test_token_refused),
		TEST(test_same_token_again),
		TEST(test_token_answers),
		TEST(test_token_of_a_long_life),
		TEST(test_token_of_app_service),
		TEST(test_token_of_a_workload),
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
		TEST(test_probe),
		TEST(test_probe_of_a_secret),
		TEST(test_show),
		TEST(test_settings),
		TEST(test_ca_file),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
