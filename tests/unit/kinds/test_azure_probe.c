/* Tests userspace/kinds/azure/probe.c. */
#include "azure_watched.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_probe),
		TEST(test_probe_of_a_secret),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
