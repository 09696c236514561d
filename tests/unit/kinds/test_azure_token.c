/* Tests userspace/kinds/azure/token.c, as watch.c uses it. */
#include "azure_watched.h"

#include "base/file.h"

/* ---- App Service authentication (A7) */

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
