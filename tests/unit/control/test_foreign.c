/*
 * Tests userspace/control/foreign.c: resources that a kind puts, their
 * verdicts, and who wins a name.
 */
#include "fake_kind.h"

#define CONTROL_CHILD_KIND     fake_kind
#define CONTROL_CHILD_SETTINGS "fake: { socket: kind.sock }\n"
#include "control_child.h"

#define PUT(type, name, generation, doc)                                       \
	"{\"do\": \"put\", \"type\": \"" type "\", \"ns\": \"gloo-system\", "  \
	"\"name\": \"" name "\", \"generation\": " generation                  \
	", \"doc\": " doc "}"
#define REMOVE(type, name)                                                     \
	"{\"do\": \"remove\", \"type\": \"" type "\", \"ns\": \"gloo-system\"" \
	", \"name\": \"" name "\"}"
/* As an API server gives it. */
#define KUBE_SERVICE(name, domain, upstream)                                   \
	"{\"apiVersion\": \"gateway.solo.io/v1\", \"kind\": "                  \
	"\"VirtualService\", \"metadata\": {\"name\": \"" name "\", "          \
	"\"namespace\": \"gloo-system\", \"uid\": \"5\", \"generation\": 9, "  \
	"\"resourceVersion\": \"98765432109876543210\", \"finalizers\": [], "  \
	"\"managedFields\": []}, \"spec\": {\"virtualHost\": {\"domains\": "   \
	"[\"" domain "\"], \"routes\": [{\"matchers\": [{\"prefix\": \"/\"}]," \
	" \"routeAction\": {\"single\": {\"upstream\": {\"name\": \""          \
	upstream "\"}}}}]}}, \"status\": {\"state\": 1}}"
#define BROKEN                                                                 \
	"{\"kind\": \"VirtualService\", \"spec\": {\"virtualHost\": "          \
	"{\"routes\": 7}}}"
#define KUBE_UPSTREAM                                                          \
	"{\"kind\": \"Upstream\", \"spec\": {\"fake\": {\"port\": 81}}}"

/* Polls until that line was told; what came until then, told is freed by the
 * caller. */
static char *
until_told(const char *says)
{
	uint64_t end = clock_monotonic_ms() + 15000;
	struct str all;
	char *text;

	str_init(&all);
	do {
		char *more = fake_ask(root, "{\"do\": \"told\"}");

		str_puts(&all, more == NULL ? "" : more);
		free(more);
		if (strstr(all.data, says) != NULL)
			break;
		poll(NULL, 0, 10);
	} while (clock_monotonic_ms() < end);
	if (strstr(all.data, says) == NULL)
		fail_msg("told: %s (wanted %s)", all.data, says);
	text = str_steal(&all);
	str_fini(&all);
	return text;
}

static void
told(const char *says)
{
	free(until_told(says));
}

static size_t
routes_served(void)
{
	struct doc *body;
	size_t n = 0;

	ask("GET", "/v1/dump", "text/plain", "", &body);
	for (size_t i = 0; i < doc_count(doc_get(body, "virtualHosts")); i++)
		n += doc_count(doc_get(
			doc_at(doc_get(body, "virtualHosts"), i), "routes"));
	doc_free(body);
	return n;
}

static void
control_again(void)
{
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
}

static bool
has_file(const char *below)
{
	char *path = xasprintf("%s/%s", root, below);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static void
test_put(void **state)
{
	(void)state;
	fake_tell(root, PUT("upstream", "a", "1", KUBE_UPSTREAM), "ok");
	fake_tell(root,
		PUT("virtualservice", "v", "7", KUBE_SERVICE("v", "*", "a")),
		"ok");
	told("VirtualService gloo-system.v 7 Accepted: \n");
	expect("GET", UP("a"), "", 200, NULL, NULL);
	until_text(VS("v"), "status", "state", "Accepted");
	until_text(VS("v"), "status", "origin", "Fake");
	assert_int_equal(routes_served(), 1);
	assert_false(has_file("config/virtualservices/gloo-system/v.yaml"));
	fake_tell(root, REMOVE("virtualservice", "v"), "ok");
	expect("GET", VS("v"), "", 404, NULL, NULL);
	assert_false(has_file("state/resources/fake/virtualservices/"
			      "gloo-system/v.json"));
}

/* What needs a secret that is not there is not taken for served. */
static void
test_secrets(void **state)
{
	static const struct {
		const char *type, *name, *spec, *says;
	} rows[] = {
		{ "virtualservice", "v",
			"{\"sslConfig\": {\"secretRef\": {\"name\": \"s\", "
			"\"namespace\": \"n\"}}, \"virtualHost\": {}}",
			"gloo-system.v 1 Rejected: sslConfig: is not "
			"supported yet" },
		{ "upstream", "u",
			"{\"sslConfig\": {\"secretRef\": {\"name\": \"s\"}}, "
			"\"static\": {\"hosts\": [{\"addr\": \"127.0.0.1\", "
			"\"port\": 80}]}}",
			"gloo-system.u 1 Warning: sslConfig.secretRef: no "
			"secret is named \"gloo-system.s\"" },
		{ "upstream", "w",
			"{\"aws\": {\"endpointUrl\": \"http://127.0.0.1:1\", "
			"\"secretRef\": {\"name\": \"s\", \"namespace\": "
			"\"n\"}}}",
			"gloo-system.w 1 Warning: upstreamSpec.aws.secretRef: "
			"no secret is named \"n.s\"\n" },
		{ "upstream", "z",
			"{\"azure\": {\"functionAppName\": \"a\", \"hostname\": "
			"\"127.0.0.1\", \"secretRef\": {\"name\": \"s\", "
			"\"namespace\": \"n\"}}}",
			"gloo-system.z 1 Warning: upstreamSpec.azure.secretRef: "
			"no secret is named \"n.s\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *put = xasprintf("{\"do\": \"put\", \"type\": \"%s\", "
				      "\"ns\": \"gloo-system\", \"name\": "
				      "\"%s\", \"generation\": 1, \"doc\": "
				      "{\"spec\": %s}}",
			rows[i].type, rows[i].name, rows[i].spec);

		fake_tell(root, put, "ok");
		told(rows[i].says);
		free(put);
	}
}

/* A secret of another store is served from memory alone. */
static void
test_secret_put(void **state)
{
	struct doc *body;
	struct str text;

	(void)state;
	str_init(&text);
	fake_tell(root,
		PUT("upstream", "u", "1",
			"{\"spec\": {\"sslConfig\": {\"secretRef\": {\"name\": "
			"\"s\"}}, \"fake\": {\"port\": 81}}}"),
		"ok");
	told("no secret is named \"gloo-system.s\"");
	fake_tell(root,
		PUT("secret", "s", "0",
			"{\"apiVersion\": \"v1\", \"kind\": \"Secret\", "
			"\"metadata\": {\"name\": \"s\", \"namespace\": "
			"\"gloo-system\", \"creationTimestamp\": "
			"\"2026-11-26T13:08:33Z\", \"annotations\": {\"kubectl."
			"kubernetes.io/last-applied-configuration\": \"HIDDEN\"}"
			"}, \"stringData\": {\"aws_access_key_id\": \"HIDDEN\","
			" \"aws_secret_access_key\": \"HIDDEN\"}}"),
		"ok");
	told("\"gloo-system.s\" is of type AWS");
	until_text("/v1/secrets/gloo-system/s", "status", "origin", "Fake");
	ask("GET", "/v1/secrets/gloo-system/s", "text/plain", "", &body);
	assert_string_equal(
		doc_string(doc_find(body, "status", "secret", "created", NULL)),
		"2026-11-26T13:08:33Z");
	assert_int_equal(
		doc_type(doc_find(body, "aws", "secretKey", NULL)), DOC_NULL);
	doc_free(body);
	assert_true(has_file(
		"state/resources/fake/upstreams/gloo-system/u.json"));
	assert_false(has_file("state/resources/fake/secrets"));
	assert_false(has_file("state/good/secrets"));
	assert_false(has_file("secrets/gloo-system/s.yaml"));
	ask_text("GET", "/v1/secrets", "text/plain", "", &text);
	assert_null(strstr(text.data, "HIDDEN"));
	str_fini(&text);
	fake_tell(root, REMOVE("secret", "s"), "ok");
	told("no secret is named \"gloo-system.s\"");
}

/* One call for each change: the same put again tells nothing, a new generation
 * is told, and so is a verdict that others changed. */
static void
test_judged(void **state)
{
	char *text;

	(void)state;
	fake_tell(root,
		PUT("virtualservice", "v", "1", KUBE_SERVICE("v", "*", "a")),
		"ok");
	text = until_told("gloo-system.v 1 Warning: ");
	assert_null(strstr(text, "Pending"));
	assert_non_null(strstr(text, "no upstream is named"));
	free(text);
	fake_tell(root,
		PUT("virtualservice", "v", "1", KUBE_SERVICE("v", "*", "a")),
		"ok");
	fake_tell(root,
		PUT("virtualservice", "v", "2", KUBE_SERVICE("v", "*", "a")),
		"ok");
	text = until_told("gloo-system.v 2 Warning: ");
	assert_null(strstr(text, "v 1 "));
	free(text);
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	text = until_told("gloo-system.v 2 Accepted: \n");
	assert_string_equal(text,
		"VirtualService gloo-system.v 2 Accepted: \n");
	free(text);
	/* Another object of that name and generation. */
	fake_tell(root,
		PUT("virtualservice", "v", "2",
			"{\"metadata\": {\"name\": \"v\", \"uid\": \"6\"}, "
			"\"spec\": {\"virtualHost\": {\"domains\": [\"*\"], "
			"\"routes\": [{\"matchers\": [{\"prefix\": \"/\"}], "
			"\"routeAction\": {\"single\": {\"upstream\": "
			"{\"name\": \"a\", \"namespace\": "
			"\"gloo-system\"}}}}]}}}"),
		"ok");
	text = until_told("gloo-system.v 2 Accepted: \n");
	free(text);
}

/* A wrong one is Rejected, and its last good version goes on, also over a
 * restart while the other store cannot be asked. */
static void
test_rejected(void **state)
{
	(void)state;
	fake_tell(root, PUT("virtualservice", "w", "1", BROKEN), "ok");
	told("gloo-system.w 1 Rejected: virtualHost.routes");
	until_text(VS("w"), "status", "state", "Rejected");
	fake_tell(root,
		PUT("virtualservice", "v", "1", KUBE_SERVICE("v", "*", "a")),
		"ok");
	told("gloo-system.v 1 Warning: ");
	fake_tell(root, PUT("virtualservice", "v", "2", BROKEN), "ok");
	told("gloo-system.v 2 Rejected: virtualHost.routes");
	assert_int_equal(routes_served(), 1);
	control_again();
	assert_int_equal(routes_served(), 1);
	expect("GET", VS("w"), "", 404, NULL, NULL);
	fake_tell(root, "{\"do\": \"told\"}", "");
	fake_tell(root,
		PUT("virtualservice", "v", "3", KUBE_SERVICE("v", "*", "a")),
		"ok");
	told("gloo-system.v 3 Warning: ");
}

/* Names become files. */
static void
test_names(void **state)
{
	(void)state;
	text_put("state/resources/fake/upstreams/x.json", "{}");
	fake_tell(root,
		"{\"do\": \"put\", \"type\": \"upstream\", \"ns\": \"..\", "
		"\"name\": \"x\", \"doc\": {}}",
		"ok");
	fake_tell(root,
		"{\"do\": \"remove\", \"type\": \"upstream\", \"ns\": "
		"\"..\", \"name\": \"x\"}",
		"ok");
	assert_true(has_file("state/resources/fake/upstreams/x.json"));
	fake_tell(root, PUT("upstream", "a", "1", KUBE_UPSTREAM), "ok");
	told("Upstream gloo-system.a 1 Accepted: ");
}

/* Two that want one domain: the second is Rejected until the first goes. */
static void
test_beside(void **state)
{
	(void)state;
	expect("PUT", VS("own"), SERVICE("own", "a.example", "a"), 200, NULL,
		NULL);
	fake_tell(root,
		PUT("virtualservice", "v", "1",
			KUBE_SERVICE("v", "a.example", "a")),
		"ok");
	told("gloo-system.v 1 Rejected: the domain \"a.example\" belongs");
	expect("DELETE", VS("own"), "", 200, NULL, NULL);
	told("gloo-system.v 1 Warning: ");
}

static void
test_same_name(void **state)
{
	char *path = xasprintf(
		"%s/config/virtualservices/gloo-system/v.yaml", root);

	(void)state;
	expect("PUT", VS("v"), SERVICE("v", "a.example", "a"), 200, NULL, NULL);
	fake_tell(root,
		PUT("virtualservice", "v", "1",
			KUBE_SERVICE("v", "b.example", "a")),
		"ok");
	told("gloo-system.v 1 Rejected: the gateway has a VirtualService of "
	     "that name in its own store, ");
	expect("DELETE", VS("v"), "", 200, "note",
		"the VirtualService of that name in Fake is served");
	told("gloo-system.v 1 Warning: ");
	/* A file by hand takes the name back, and gives it. */
	text_put("config/virtualservices/gloo-system/v.yaml",
		SERVICE("v", "c.example", "a"));
	told("config/virtualservices/gloo-system/v.yaml, which is served");
	control_again();
	fake_tell(root,
		PUT("virtualservice", "v", "1",
			KUBE_SERVICE("v", "b.example", "a")),
		"ok");
	told("gloo-system.v 1 Rejected: the gateway has");
	assert_int_equal(unlink(path), 0);
	told("gloo-system.v 1 Warning: ");
	free(path);
}

/* Only there where it is can it be changed. */
static void
test_not_by_us(void **state)
{
	(void)state;
	fake_tell(root, PUT("upstream", "a", "1", KUBE_UPSTREAM), "ok");
	told("Upstream gloo-system.a 1 Accepted: ");
	expect("PUT", UP("a"), UPSTREAM("a"), 409, "error",
		"Upstream gloo-system.a is a resource of Fake and can be "
		"changed only there, with fakectl");
	expect("DELETE", UP("a"), "", 409, "error", "with fakectl");
	expect("GET", UP("a"), "", 200, NULL, NULL);
	fake_tell(root,
		"{\"do\": \"found\", \"doc\": {\"metadata\": {\"name\": "
		"\"a\", \"labels\": {\"discovered_by\": \"x\"}}, "
		"\"upstreamSpec\": {\"fake\": {\"port\": 82}}}}",
		"is a resource of Fake");
}

/* Without the other store the last of its resources are served; what it does
 * not have any more goes when it says so, a type at a time. */
static void
test_restart(void **state)
{
	(void)state;
	fake_tell(root, PUT("upstream", "a", "1", KUBE_UPSTREAM), "ok");
	fake_tell(root, PUT("upstream", "b", "1", KUBE_UPSTREAM), "ok");
	fake_tell(root,
		PUT("virtualservice", "v", "1", KUBE_SERVICE("v", "*", "a")),
		"ok");
	told("gloo-system.v 1 Accepted: ");
	control_again();
	until_text(VS("v"), "status", "state", "Accepted");
	until_text(UP("b"), "status", "state", "Accepted");
	expect("PUT", UP("b"), UPSTREAM("b"), 409, NULL, NULL);
	fake_tell(root, PUT("upstream", "a", "1", KUBE_UPSTREAM), "ok");
	fake_tell(root,
		"{\"do\": \"resources_settled\", \"type\": \"upstream\"}",
		"ok");
	told("Upstream gloo-system.a 1 Accepted: ");
	expect("GET", UP("a"), "", 200, NULL, NULL);
	expect("GET", UP("b"), "", 404, NULL, NULL);
	expect("GET", VS("v"), "", 200, NULL, NULL);
	fake_tell(root,
		"{\"do\": \"resources_settled\", \"type\": "
		"\"virtualservice\"}",
		"ok");
	expect("GET", VS("v"), "", 404, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_put),
		CASE(test_secrets),
		CASE(test_secret_put),
		CASE(test_judged),
		CASE(test_rejected),
		CASE(test_names),
		CASE(test_beside),
		CASE(test_same_name),
		CASE(test_not_by_us),
		CASE(test_restart),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
