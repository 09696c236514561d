/* Tests userspace/kinds/azure/watch.c, with names, time and answers in the test's hands. */
#include "azure_watched.h"

#include "base/file.h"

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
	const struct CMUnitTest tests[] = {
		TEST(test_endpoints),
		TEST(test_endpoint_given),
		TEST(test_earlier),
		TEST(test_secret),
		TEST(test_secret_refused),
		TEST(test_two_apps),
		TEST(test_show),
		TEST(test_settings),
		TEST(test_ca_file),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
