/*
 * Upstreams with functions: what the proxy is told of calls to them, functions
 * that come and go, secrets and credentials, and probes. The kind is the test's
 * own (function_kind.h).
 */
#include "fake_kind.h"
#include "function_kind.h"

#define CONTROL_CHILD_KIND fake_kind
#define CONTROL_CHILD_SETTINGS                                                 \
	"fake: { socket: kind.sock }\ntls: { roots: roots.pem }\n"
#include "control_child.h"
#include "tests/lib/certificates.h"

#define APP(name, more)                                                        \
	"metadata: { name: " name                                              \
	" }\nupstreamSpec: { azure: { app: " name more " } }\n"
#define CALL(name, domain, upstream, spec)                                     \
	"metadata: { name: " name " }\nvirtualHost:\n  domains: [ " domain     \
	" ]\n  routes:\n  - routeAction: { single: { upstream: { "             \
	"name: " upstream " }, destinationSpec: " spec " } }\n"
#define FUNCTION(name) "{ azure: { functionName: " name " } }"
#define SECRET(name, keys)                                                     \
	"metadata: { name: " name " }\nazure: { apiKeys: { " keys " } }\n"
#define SE(name) "/v1/secrets/gloo-system/" name

#define NUMBER(counter, upstream)                                              \
	"upstream_" counter "{upstream=\"gloo-system." upstream "\"}"
#define GIVEN(upstream)   NUMBER("connect_failed", upstream)
#define TAKEN(upstream)   NUMBER("connect_timeout", upstream)
#define BYTES(upstream)   NUMBER("idle_closed", upstream)
#define CALLS(upstream)   NUMBER("retried", upstream)
#define WITHOUT(upstream) NUMBER("try_timeout", upstream)

static int
called_setup(void **state)
{
	called_make();
	return setup(state);
}

static int
called_teardown(void **state)
{
	int rc = teardown(state);

	called_unmake();
	return rc;
}

#define CALLED_CASE(name)                                                      \
	cmocka_unit_test_setup_teardown(name, called_setup, called_teardown)

static int64_t
sum_of(const char *text)
{
	return (int64_t)bytes_sum(text, strlen(text));
}

static void
until_metric(const char *series, int64_t value)
{
	uint64_t end = clock_monotonic_ms() + 15000;

	while (metric(series) != value) {
		if (clock_monotonic_ms() > end)
			fail_msg("%s stays %lld, not %lld", series,
				(long long)metric(series), (long long)value);
		poll(NULL, 0, 1);
	}
}

static void
put_app(const char *name, const char *text)
{
	char *path = xasprintf("/v1/upstreams/gloo-system/%s", name);

	expect("PUT", path, text, 200, NULL, NULL);
	free(path);
}

/* Ends this control; the proxy stays, as with a crash. */
static void
control_restart(void)
{
	kill(control, SIGKILL);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
}

/* ---- calls */

static void
test_calls(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	assert_string_equal(called->meta, "gloo-system.app");
	assert_int_equal(called->opened, 1);
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	assert_int_equal(metric(CALLS("app")), sum_of("call:f/app"));
	/* Another spec is another call. */
	put_app("app",
		"metadata: { name: app }\nupstreamSpec: { azure: { app: x } }");
	assert_int_equal(metric(CALLS("app")), sum_of("call:f/x"));
	/* What cannot be called is not, and says why. */
	expect("PUT", VS("v"), SERVICE("v", "a.test", "app"), 200, "reason",
		"routes[0]: the upstream \"gloo-system.app\" cannot be called: "
		"the route names no function");
	assert_int_equal(metric(CALLS("app")), 0);
	expect("PUT", VS("v"),
		CALL("v", "a.test", "app", "{ aws: { logicalName: f } }"), 200,
		"reason",
		"routes[0]: the upstream \"gloo-system.app\" is of kind azure, "
		"but destinationSpec has the key \"aws\": give it the "
		"upstream's");
	put_app("plain", UPSTREAM("plain"));
	expect("PUT", VS("v"), CALL("v", "a.test", "plain", FUNCTION("f")), 200,
		"reason", "has the key \"azure\": leave it out");
}

static void
test_many_destinations(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	expect("PUT", UG("g"),
		"metadata: { name: g }\ndestinations:\n"
		"- { destination: { upstream: { name: app }, destinationSpec: "
		"{ azure: { functionName: f } } }, weight: 1 }\n"
		"- { destination: { upstream: { name: app }, destinationSpec: "
		"{ azure: { functionName: g } } }, weight: 1 }\n"
		"- { destination: { upstream: { name: app } }, weight: 1 }\n",
		200, "reason",
		"destinations[2]: the upstream \"gloo-system.app\" cannot be "
		"called: the route names no function");
	expect("PUT", VS("v"), TO_GROUP("v", "a.test", "g"), 200, "reason",
		"the upstream group \"gloo-system.g\": the upstream "
		"\"gloo-system.app\" cannot be called");
	assert_int_equal(metric(CALLS("app")),
		sum_of("call:f/app") + sum_of("call:g/app"));
	called_functions("app", "f");
	until_text(UG("g"), "status", "reason",
		"destinations[1]: the upstream \"gloo-system.app\": no "
		"function is named \"g\"");
	until_text(VS("v"), "status", "reason", "no function is named \"g\"");
	assert_int_equal(metric(CALLS("app")),
		sum_of("call:f/app") + sum_of("call:g/app"));
}

/* Which functions of an upstream its kind is told to be used. */
static void
test_used(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	put_app("other", APP("other", ""));
	called_functions("app", "f");
	assert_string_equal(called->used, "");
	expect("PUT", UG("g"),
		"metadata: { name: g }\ndestinations:\n"
		"- { destination: { upstream: { name: app }, destinationSpec: "
		"{ azure: { functionName: f } } }, weight: 1 }\n"
		"- { destination: { upstream: { name: other }, "
		"destinationSpec: { azure: { functionName: z } } }, weight: 1 "
		"}\n",
		200, NULL, NULL);
	expect("PUT", VS("a"), CALL("a", "a.test", "app", FUNCTION("g")), 200,
		NULL, NULL);
	expect("PUT", VS("b"), CALL("b", "b.test", "other", FUNCTION("z")), 200,
		NULL, NULL);
	expect("PUT", VS("c"), SERVICE("c", "c.test", "app"), 200, NULL, NULL);
	called_functions("app", "f");
	assert_string_equal(called->used, "g f ");
}

/* Without the key in the settings it is open; what they say then is another
 * opening. */
static void
test_settings_are_optional(void **state)
{
	uint32_t watched;

	(void)state;
	put_app("app", APP("app", ""));
	assert_int_equal(called->opened, 1);
	watched = called->watched;
	settings_put(CONTROL_CHILD_SETTINGS "azure: {}\n");
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	assert_int_equal(called->opened, 1);
	settings_put(CONTROL_CHILD_SETTINGS "azure: { cloud: one }\n");
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	assert_int_equal(called->opened, 2);
	assert_int_equal(called->watched, watched + 1);
	settings_put(CONTROL_CHILD_SETTINGS);
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	assert_int_equal(called->opened, 3);
	until_text(UP("app"), "status", "state", "Accepted");
}

/* What the upstream allows and the settings do not is said, and which wins. */
static void
test_requests_are_cut(void **state)
{
	(void)state;
	expect("PUT", UP("app"), APP("app", ", maxRequestBytes: 67108865"), 200,
		"reason",
		"limits.callBytes of the settings (67108864) is less than "
		"requests to its functions may be (67108865), so larger ones "
		"are answered 413: raise limits.callBytes, or lower "
		"maxRequestBytes where the upstream has it");
	until_text(UP("app"), "status", "state", "Warning");
	expect("PUT", UP("app"), APP("app", ", maxRequestBytes: 67108864"), 200,
		"state", "Accepted");
	settings_put(CONTROL_CHILD_SETTINGS "limits: { callBytes: 1048576 }\n");
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	until_text(UP("app"), "status", "state", "Warning");
	/* Nothing is cut by callBytes that bodyBytes lets pass. */
	settings_put(CONTROL_CHILD_SETTINGS
		"limits: { callBytes: 1048576, bodyBytes: 1048576 }\n");
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	until_text(UP("app"), "status", "state", "Accepted");
}

/* Without an sslConfig as its kind says. */
static void
test_tls(void **state)
{
	struct certificate c;
	char *pem;

	(void)state;
	certificate_make(&c,
		&(struct certificate_options){
			.name = "roots", .authority = true },
		NULL);
	pem = xstrndup(certificate_text(&c).data, certificate_text(&c).length);
	put_app("app", APP("app", ", tls: true"));
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"reason", "tls.roots");
	text_put("roots.pem", pem);
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	until_text(VS("v"), "status", "state", "Accepted");
	assert_int_equal(metric(NUMBER("tls_failures", "app")), 1);
	put_app("app", APP("app", ""));
	assert_int_equal(metric(NUMBER("tls_failures", "app")), 0);
	assert_int_equal(metric(CALLS("app")), sum_of("call:f/app"));
	free(pem);
	certificate_drop(&c);
}

/* ---- functions */

static size_t
functions_shown(bool are_open)
{
	const struct doc *item, *list;
	struct doc *body;
	size_t count;

	ask("GET", "/v1/endpoints?name=app", "text/plain", "", &body);
	item = doc_at(doc_get(body, "items"), 0);
	list = doc_get(item, "functions");
	assert_int_equal(doc_bool(doc_get(item, "functionsOpen")), are_open);
	count = list == NULL ? SIZE_MAX : doc_count(list);
	if (count == 2)
		assert_string_equal(doc_string(doc_at(list, 1)), "g");
	doc_free(body);
	return count;
}

/* One that goes is a Warning of its routes and nothing else; virtual services
 * that lead to others are left alone, and so are the proxies. */
static void
test_functions_come_and_go(void **state)
{
	int64_t built, generation, endpoints;

	(void)state;
	put_app("app", APP("app", ""));
	expect("PUT", VS("f"), CALL("f", "f.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	expect("PUT", VS("g"), CALL("g", "g.test", "app", FUNCTION("g")), 200,
		"state", "Accepted");
	assert_int_equal(functions_shown(false), SIZE_MAX);
	assert_int_equal(metric(NUMBER("functions", "app")), -1);
	built = metric("virtual_hosts_built");
	generation = metric("generation");
	endpoints = metric(NUMBER("endpoint_messages", "app"));

	called_functions("app", "f,g,h");
	assert_int_equal(functions_shown(false), 3);
	assert_int_equal(metric(NUMBER("functions", "app")), 3);
	/* What is no name is the kind's own. */
	called_functions("app", "*,f,g,g:*");
	assert_int_equal(functions_shown(true), 2);
	assert_int_equal(metric(NUMBER("functions", "app")), 2);
	called_functions("app", "f,g");
	assert_int_equal(functions_shown(false), 2);
	assert_int_equal(metric("virtual_hosts_built"), built);
	assert_int_equal(metric("generation"), generation);

	called_functions("app", "f");
	until_text(VS("g"), "status", "state", "Warning");
	until_text(VS("g"), "status", "reason",
		"routes[0]: the upstream \"gloo-system.app\": no function is "
		"named \"g\"");
	until_text(VS("f"), "status", "state", "Accepted");
	assert_int_equal(metric("virtual_hosts_built"), built + 1);
	assert_int_equal(metric("generation"), generation + 1);
	/* It is called all the same. */
	assert_int_equal(metric(CALLS("app")),
		sum_of("call:f/app") + sum_of("call:g/app"));
	called_functions("app", "f,g");
	until_text(VS("g"), "status", "state", "Accepted");
	assert_int_equal(metric("virtual_hosts_built"), built + 2);
	assert_int_equal(metric(NUMBER("endpoint_messages", "app")), endpoints);
	/* None at all is not the same as nobody knows. */
	called_functions("app", "");
	assert_int_equal(functions_shown(false), 0);
	until_text(VS("f"), "status", "state", "Warning");
	called_functions("app", "-");
	assert_int_equal(functions_shown(false), SIZE_MAX);
	until_text(VS("f"), "status", "state", "Accepted");
}

static void
test_functions_are_remembered(void **state)
{
	char *path = xasprintf("%s/state/functions/gloo-system/app.json", root);

	(void)state;
	put_app("app", APP("app", ""));
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("x")), 200,
		"state", "Accepted");
	called_functions("app", "f,g");
	until_text(VS("v"), "status", "state", "Warning");
	control_restart();
	assert_int_equal(functions_shown(false), 2);
	until_text(VS("v"), "status", "reason", "no function is named \"x\"");
	/* Of another kind it has none. */
	assert_int_equal(access(path, F_OK), 0);
	put_app("app", UPSTREAM("app"));
	assert_int_equal(functions_shown(false), SIZE_MAX);
	assert_int_not_equal(access(path, F_OK), 0);
	put_app("app", APP("app", ""));
	called_functions("app", "f");
	expect("DELETE", UP("app"), "", 200, NULL, NULL);
	assert_int_not_equal(access(path, F_OK), 0);
	free(path);
}

/* Labels say whether functions are looked for. */
static void
test_labels(void **state)
{
	uint32_t watched;

	(void)state;
	put_app("app", APP("app", ""));
	watched = called->watched;
	put_app("app", APP("app", ""));
	assert_int_equal(called->watched, watched);
	put_app("app", "metadata: { name: app, labels: { "
		       "discovery.solo.io/function_discovery: enabled } }\n"
		       "upstreamSpec: { azure: { app: app } }\n");
	assert_int_equal(called->watched, watched + 1);
}

/* ---- secrets */

static void
test_secrets(void **state)
{
	uint32_t changed;
	struct doc *body;

	(void)state;
	expect("PUT", UP("app"), APP("app", ", secretRef: { name: s }"), 200,
		"reason",
		"upstreamSpec.azure.secretRef: no secret is named "
		"\"gloo-system.s\"");
	put_app("other", APP("other", ""));
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"reason",
		"routes[0]: the upstream \"gloo-system.app\" cannot be called: "
		"upstreamSpec.azure.secretRef: no secret is named");
	expect("PUT", VS("o"), CALL("o", "o.test", "other", FUNCTION("f")), 200,
		"state", "Accepted");
	assert_int_equal(metric(CALLS("app")), 0);
	changed = called->secrets_changed;
	expect("PUT", SE("s"), SECRET("s", "f: k1, g: k2"), 200, NULL, NULL);
	called_until(&called->secrets_changed, changed + 1);
	assert_string_equal(called->secret, "f g ");
	until_text(UP("app"), "status", "state", "Accepted");
	until_text(VS("v"), "status", "state", "Accepted");
	assert_int_equal(metric(CALLS("app")), sum_of("call:f/app"));
	ask("GET", SE("s"), "text/plain", "", &body);
	assert_string_equal(
		doc_string(doc_at(
			doc_find(body, "status", "secret", "usedBy", NULL), 0)),
		"gloo-system.app");
	doc_free(body);
	/* Other values, the same places. */
	expect("PUT", SE("s"), SECRET("s", "f: k3"), 200, NULL, NULL);
	called_until(&called->secrets_changed, changed + 2);
	assert_string_equal(called->secret, "f ");
	/* One that nobody names is nobody's matter. */
	expect("PUT", SE("t"), SECRET("t", "f: k3"), 200, NULL, NULL);
	assert_int_equal(called->secrets_changed, changed + 2);
	expect("DELETE", SE("s"), "", 200, NULL, NULL);
	called_until(&called->secrets_changed, changed + 3);
	assert_string_equal(called->secret, "-");
	until_text(UP("app"), "status", "reason", "no secret is named");
	until_text(VS("v"), "status", "reason", "no secret is named");
	until_text(VS("o"), "status", "state", "Accepted");
	expect("PUT", SE("s"),
		"metadata: { name: s }\n"
		"aws: { accessKey: AKIDEXAMPLE, secretKey: not-to-be-seen }\n",
		200, NULL, NULL);
	called_until(&called->secrets_changed, changed + 4);
	assert_string_equal(called->secret, "-");
	until_text(UP("app"), "status", "reason",
		"the secret \"gloo-system.s\" is of type AWS, needed is one of "
		"type Azure");
	until_text(VS("v"), "status", "reason", "needed is one of type Azure");
}

/* ---- credentials */

static void
test_credentials_where_used(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	called_credentials("app", "one");
	assert_int_equal(metric(GIVEN("app")), 0);
	assert_int_equal(metric("call_credentials"), 1);
	assert_int_equal(metric("call_credentials_sent"), 0);
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	assert_int_equal(metric(GIVEN("app")), 1);
	assert_int_equal(metric(BYTES("app")), sum_of("one"));
	assert_int_equal(metric("call_credentials_sent"), 1);
	/* They came before the image. */
	assert_int_equal(metric(WITHOUT("app")), 0);
	called_credentials("app", "two-2");
	until_metric(BYTES("app"), sum_of("two-2"));
	assert_int_equal(metric(GIVEN("app")), 2);
	/* No route leads there: not before nobody runs one that does. */
	expect("DELETE", VS("v"), "", 200, NULL, NULL);
	until_metric(TAKEN("app"), 1);
	assert_int_equal(metric(BYTES("app")), 0);
	called_credentials("app", "three");
	assert_int_equal(metric(GIVEN("app")), 2);
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	assert_int_equal(metric(BYTES("app")), sum_of("three"));
	assert_int_equal(metric(WITHOUT("app")), 0);
	/* There are none any more. */
	called_credentials("app", "");
	until_metric(TAKEN("app"), 2);
	assert_int_equal(metric(BYTES("app")), 0);
}

static void
test_credentials_of_what_goes(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	put_app("other", APP("other", ""));
	called_credentials("app", "one");
	called_credentials("other", "other");
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	expect("PUT", VS("o"), CALL("o", "o.test", "other", FUNCTION("f")), 200,
		"state", "Accepted");
	expect("PUT", UP("app"), UPSTREAM("app"), 200, NULL, NULL);
	until_metric(TAKEN("app"), 1);
	put_app("app", APP("app", ""));
	called_credentials("app", "two");
	until_metric(BYTES("app"), sum_of("two"));
	assert_int_equal(metric(TAKEN("other")), 0);
	/* Its number is another's, when it is: it is told before. */
	expect("DELETE", UP("app"), "", 200, NULL, NULL);
	put_app("next", APP("next", ""));
	assert_int_equal(metric(BYTES("next")), 0);
	assert_int_equal(metric(BYTES("other")), sum_of("other"));
}

static void
test_credentials_of_a_new_proxy(void **state)
{
	pid_t before;

	(void)state;
	put_app("app", APP("app", ""));
	called_credentials("app", "one");
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	before = proxy_pid();
	kill(before, SIGKILL);
	until_metric(GIVEN("app"), 2);
	until_status("/readyz", 200);
	assert_int_not_equal(proxy_pid(), before);
	assert_int_equal(metric(WITHOUT("app")), 0);
	assert_int_equal(metric(BYTES("app")), sum_of("one"));
}

/* An adopted proxy goes on with what it has until that is known. */
static void
test_credentials_after_take_over(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	put_app("idle", APP("idle", ""));
	called_credentials("app", "one");
	called_credentials("idle", "idle");
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	control_restart();
	assert_int_equal(number_at("/v1/status", "proxy", "adopted"), 0);
	assert_int_equal(metric(BYTES("app")), sum_of("one"));
	assert_int_equal(metric(TAKEN("app")), 0);
	/* Nobody knows what it had of the others. */
	until_metric(TAKEN("idle"), 1);
	called_credentials("app", "two");
	until_metric(BYTES("app"), sum_of("two"));
	control_restart();
	called_credentials("app", "");
	until_metric(TAKEN("app"), 1);
	assert_int_equal(metric(WITHOUT("app")), 0);
}

#define CLUSTER(type, name, doc)                                               \
	"{\"do\": \"put\", \"type\": \"" type "\", \"ns\": \"gloo-system\", "  \
	"\"name\": \"" name "\", \"doc\": " doc "}"
#define SECRETS_SETTLED "{\"do\": \"resources_settled\", \"type\": \"secret\"}"

/* A secret of another store is not on our disk: a proxy that is adopted is not
 * robbed of what it has before that store was asked. */
static void
test_secrets_that_are_awaited(void **state)
{
	char *path = xasprintf(
		"%s/state/resources/fake/upstreams/gloo-system/app.json", root);
	uint64_t end = clock_monotonic_ms() + 15000;
	uint32_t changed;

	(void)state;
	fake_tell(root,
		CLUSTER("upstream", "app",
			"{\"spec\": {\"azure\": {\"app\": \"app\", "
			"\"secretRef\": {\"name\": \"s\"}}}}"),
		"ok");
	fake_tell(root,
		CLUSTER("secret", "s",
			"{\"azure\": {\"apiKeys\": {\"f\": \"k\"}}}"),
		"ok");
	fake_tell(root, SECRETS_SETTLED, "ok");
	called_credentials("app", "one");
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	assert_string_equal(called->secret, "f ");
	assert_int_equal(metric(BYTES("app")), sum_of("one"));
	while (access(path, F_OK) != 0) {
		assert_true(clock_monotonic_ms() < end);
		poll(NULL, 0, 10);
	}

	control_restart();
	assert_string_equal(called->secret, "-");
	until_text(VS("v"), "status", "state", "Accepted");
	until_text(UP("app"), "status", "reason", "no secret is named");
	called_credentials("app", "");
	assert_int_equal(metric(TAKEN("app")), 0);
	assert_int_equal(metric(BYTES("app")), sum_of("one"));
	assert_int_equal(metric(CALLS("app")), sum_of("call:f/app"));
	/* It is not there. */
	changed = called->secrets_changed;
	fake_tell(root, SECRETS_SETTLED, "ok");
	assert_int_equal(called->secrets_changed, changed + 1);
	until_text(VS("v"), "status", "reason", "no secret is named");
	until_metric(CALLS("app"), 0);
	until_metric(BYTES("app"), 0);
	free(path);
}

static void
test_refused(void **state)
{
	(void)state;
	put_app("app", APP("app", ""));
	called_credentials("app", "bad ones");
	expect("PUT", VS("v"), CALL("v", "a.test", "app", FUNCTION("f")), 200,
		"state", "Accepted");
	called_until(&called->refused, 1);
	called_credentials("app", "bad again");
	called_until(&called->refused, 2);
	assert_int_equal(called->refused, 2);
}

/* ---- probes */

#define PROBE(name) "/v1/probe/gloo-system/" name

static pid_t
probe_begin(const char *want)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct str in;
		int status;

		str_init(&in);
		status = ask_text("POST", PROBE("app"), "text/plain", "", &in);
		_exit(status == 200 && strstr(in.data, want) != NULL ? 0 : 1);
	}
	return child;
}

static void
probe_ended(pid_t child)
{
	int status = 1;

	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_probe(void **state)
{
	const char *found =
		"{\"findings\":[{\"level\":\"ok\",\"sentence\":\"the app is "
		"there\"},{\"level\":\"error\",\"sentence\":\"lambda:List? is "
		"not permitted\"}]}";
	pid_t one;

	(void)state;
	put_app("app", APP("app", ""));
	one = probe_begin(found);
	called_until(&called->probed, 1);
	/* Others are served meanwhile. */
	expect("PUT", UP("plain"), UPSTREAM("plain"), 200, NULL, NULL);
	assert_int_equal(waitpid(one, NULL, WNOHANG), 0);
	called_do("app", CALLED_PROBE_ENDS);
	probe_ended(one);
	/* It is changed meanwhile: the kind is not going to answer. */
	one = probe_begin("changed meanwhile");
	called_until(&called->probed, 2);
	put_app("app", APP("app", ", tls: false, secretRef: { name: s }"));
	probe_ended(one);
	/* What control knows itself comes first. */
	one = probe_begin("{\"findings\":[{\"level\":\"error\",\"sentence\":\""
			  "upstreamSpec.azure.secretRef: no secret is named");
	called_until(&called->probed, 3);
	called_do("app", CALLED_PROBE_ENDS);
	probe_ended(one);
	expect("GET", PROBE("none"), "", 404, "error",
		"no upstream is named \"gloo-system.none\"");
	expect("GET", PROBE("plain"), "", 409, "error",
		"its kind has no functions");
	expect("PUT", PROBE("app"), "", 404, NULL, NULL);
	expect("GET", "/v1/probe/gloo-system/app/more", "", 404, NULL, NULL);
}

/* Who waits when the gateway stops is told so. */
static void
test_probe_at_the_end(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	put_app("app", APP("app", ""));
	child = fork();
	if (child == 0) {
		struct str in;

		str_init(&in);
		status = ask_text("GET", PROBE("app"), "text/plain", "", &in);
		_exit(status == 503 || status == 0 ? 0 : 1);
	}
	called_until(&called->probed, 1);
	kill(control, SIGTERM);
	waitpid(control, &status, 0);
	control = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	probe_ended(child);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CALLED_CASE(test_calls),
		CALLED_CASE(test_many_destinations),
		CALLED_CASE(test_used),
		CALLED_CASE(test_settings_are_optional),
		CALLED_CASE(test_requests_are_cut),
		CALLED_CASE(test_tls),
		CALLED_CASE(test_functions_come_and_go),
		CALLED_CASE(test_functions_are_remembered),
		CALLED_CASE(test_labels),
		CALLED_CASE(test_secrets),
		CALLED_CASE(test_credentials_where_used),
		CALLED_CASE(test_credentials_of_what_goes),
		CALLED_CASE(test_credentials_of_a_new_proxy),
		CALLED_CASE(test_credentials_after_take_over),
		CALLED_CASE(test_secrets_that_are_awaited),
		CALLED_CASE(test_refused),
		CALLED_CASE(test_probe),
		CALLED_CASE(test_probe_at_the_end),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
