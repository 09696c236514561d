/* Resources of the cluster: what the program hears of them, and what is written
 * back, with reflectors and an API server of the test's own. */
#include "kubernetes_fake.h"
#include "kubernetes_reflector_fake.h"

#include "kinds/kubernetes/resources.h"
#include "net/resolver.h"

/* ---- what address.c asks; the server is this box, so it asks no more */

struct resolver_query *
resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	(void)r;
	(void)cb;
	(void)arg;
	fail_msg("%s was asked for", name);
	return NULL;
}

void
resolver_query_cancel(struct resolver_query *q)
{
	(void)q;
}

const char *
kubernetes_account_server(const struct kubernetes_account *a)
{
	(void)a;
	return "https://127.0.0.1:6443";
}

/* ---- the program */

static struct doc *last; /* that was put */

static void
resource_put(struct kind_program *p, enum model_type type, const char *ns,
	const char *name, struct doc *d, uint64_t generation)
{
	(void)p;
	str_printf(&told, "put %s %s/%s %" PRIu64 "\n", model_type_kind(type),
		ns, name, generation);
	doc_free(last);
	last = d;
}

static void
resource_remove(struct kind_program *p, enum model_type type, const char *ns,
	const char *name)
{
	(void)p;
	str_printf(&told, "remove %s %s/%s\n", model_type_kind(type), ns, name);
}

static void
resources_settled(struct kind_program *p, enum model_type type)
{
	(void)p;
	str_printf(&told, "settled %s\n", model_type_kind(type));
}

static struct kind_program program = {
	.condition_set = on_condition,
	.resource_put = resource_put,
	.resource_remove = resource_remove,
	.resources_settled = resources_settled,
};

static struct kubernetes_settings settings;
static struct kubernetes_api api;
static struct kubernetes_cluster cluster = {
	.program = &program,
	.settings = &settings,
	.api = &api,
};
static struct kubernetes_resources *resources;

static void
begin(void)
{
	resources = kubernetes_resources_new(&cluster);
	cluster.resources = resources;
	told_is("");
	pass(0);
}

/* There is no Lease yet, and the server takes ours. */
static void
lead(void)
{
	assert_string_equal(fake_calls->method, "GET");
	answer(fake_calls, 404, NULL);
	assert_string_equal(fake_calls->method, "POST");
	answer(fake_calls, 201,
		"{\"metadata\": {\"resourceVersion\": \"1\"}, \"spec\": {}}");
}

static bool
release(struct kubernetes_call *call)
{
	if (!call->api->temporary)
		return false;
	answer(call, 200, "{}");
	return true;
}

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	settings = (struct kubernetes_settings){
		.namespace_ = (char *)"gloo-system",
		.service = (char *)"gateway-proxy",
		.identity = (char *)"a",
		.resources = true,
	};
	fake_serve = release;
	reflectors_api = &api;
	fake_now_ms += 3600000;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kubernetes_resources_free(resources);
	assert_int_equal(reflector_count(), 0);
	doc_free(last);
	last = NULL;
	fake_end();
	return 0;
}

#define VS(name, generation, more)                                             \
	"{\"apiVersion\": \"gateway.solo.io/v1\", \"kind\":"                   \
	" \"VirtualService\", \"metadata\": {\"name\": \"" name "\","          \
	" \"namespace\": \"default\", \"uid\": \"u1\","                        \
	" \"resourceVersion\": \"no number\", \"managedFields\": [{}],"        \
	" \"generation\": " #generation more "}, \"spec\": {\"virtualHost\":"  \
	" {}}, \"status\": {\"state\": \"Accepted\", \"reportedBy\":"          \
	" \"gateway\", \"observedGeneration\": 1}}"

/* What begin() says in any case. */
#define BEGUN                                                                  \
	"address note: the way to the API server begins at an address that "   \
	"only this box can use; the Service keeps the address that it has, "    \
	"unless the settings name one\n"

static void
test_put(void **state)
{
	struct str text;

	(void)state;
	begin();
	told_is(BEGUN);
	put("virtualservices", VS("a", 1, ""));
	told_is("put VirtualService default/a 1\n");
	str_init(&text);
	json_doc_write(last, 0, &text);
	assert_string_equal(text.data,
		"{\"apiVersion\":\"gateway.solo.io/v1\",\"kind\":"
		"\"VirtualService\",\"metadata\":{\"generation\":1,"
		"\"name\":\"a\",\"namespace\":\"default\",\"uid\":\"u1\"},"
		"\"spec\":{\"virtualHost\":{}}}");
	str_fini(&text);
	put("gateways",
		"{\"metadata\": {\"name\": \"g\", \"namespace\": \"n\","
		" \"generation\": 4}, \"spec\": {}}");
	told_is("put Gateway n/g 4\n");
	/* Members of a list need not say what they are. */
	assert_string_equal(
		doc_get_text(last, "apiVersion"), "gateway.solo.io/v1");
	assert_string_equal(doc_get_text(last, "kind"), "Gateway");
	put("upstreams",
		"{\"metadata\": {\"name\": \"default-httpbin-8000\","
		" \"namespace\": \"gloo-system\", \"generation\": 1, \"labels\":"
		" {\"discovered_by\": \"kubernetesplugin\"}}, \"spec\": {}}");
	told_is("put Upstream gloo-system/default-httpbin-8000 1\n");
	gone("virtualservices", "default", "a");
	told_is("remove VirtualService default/a\n");
	/* Nobody knew of it. */
	gone("virtualservices", "default", "a");
	told_is("");
}

/* Our own status comes back as a change, and is none; what else changes is. */
static void
test_changes(void **state)
{
	(void)state;
	begin();
	told_is(BEGUN);
	put("virtualservices", VS("a", 1, ""));
	put("virtualservices", VS("a", 1, ""));
	told_is("put VirtualService default/a 1\n");
	put("virtualservices", VS("a", 2, ""));
	told_is("put VirtualService default/a 2\n");
	put("virtualservices", VS("a", 2, ", \"labels\": {\"a\": \"b\"}"));
	told_is("put VirtualService default/a 2\n");
	put("virtualservices", VS("a", 2, ", \"annotations\": {\"a\": \"b\"}"));
	told_is("put VirtualService default/a 2\n");
	put("virtualservices", VS("a", 2, ", \"annotations\": {\"a\": \"b\"}"));
	told_is("");
	/* Deleted and made again, which a relist shows as one change. */
	put("virtualservices",
		"{\"metadata\": {\"name\": \"a\", \"namespace\": \"default\","
		" \"uid\": \"u2\", \"generation\": 2,"
		" \"annotations\": {\"a\": \"b\"}}, \"spec\": {}}");
	told_is("put VirtualService default/a 2\n");
	/* A server that counts no generations. */
	for (int i = 0; i < 2; i++) {
		put("virtualservices",
			"{\"metadata\": {\"name\": \"b\", \"namespace\":"
			" \"default\"}, \"spec\": {}}");
		told_is("put VirtualService default/b 0\n");
	}
}

static void
judge(enum model_type type, const char *ns, const char *name,
	const char *state, const char *reason, uint64_t generation)
{
	struct kind_verdict v = { type, ns, name, state, reason, generation };

	kubernetes_resources_judged(resources, &v);
}

static void
test_status(void **state)
{
	(void)state;
	begin();
	lead();
	put("virtualservices", VS("a", 1, ""));
	judge(MODEL_VIRTUAL_SERVICE, "default", "a", "Accepted", "", 1);
	put("upstreams",
		"{\"metadata\": {\"name\": \"u\", \"namespace\": \"n\","
		" \"generation\": 3}, \"spec\": {}}");
	judge(MODEL_UPSTREAM, "n", "u", "Warning", "no endpoint", 3);
	/* Of what the cluster does not have nothing is written. */
	judge(MODEL_UPSTREAM, "default", "a", "Accepted", "", 1);
	pass(0);
	call_is("PATCH /apis/gloo.solo.io/v1/namespaces/n/upstreams/u/status "
		"{\"status\":{\"observedGeneration\":3,\"reason\":"
		"\"no endpoint\",\"reportedBy\":\"gloo\",\"state\":"
		"\"Warning\"}}");
	answer(fake_calls, 200, "{}");
	pass(1000);
	assert_null(fake_calls);
	put("upstreamgroups",
		"{\"metadata\": {\"name\": \"g\", \"namespace\": \"n\","
		" \"generation\": 2}, \"spec\": {\"destinations\": []}}");
	judge(MODEL_UPSTREAM_GROUP, "n", "g", "Rejected", "none", 2);
	pass(0);
	call_is("PATCH /apis/gloo.solo.io/v1/namespaces/n/upstreamgroups/g/"
		"status {\"status\":{\"observedGeneration\":2,\"reason\":"
		"\"none\",\"reportedBy\":\"gloo\",\"state\":"
		"\"Rejected\"}}");
	answer(fake_calls, 200, "{}");
	pass(1000);
	judge(MODEL_VIRTUAL_SERVICE, "default", "a", "Rejected", "bad", 1);
	pass(0);
	call_is("PATCH /apis/gateway.solo.io/v1/namespaces/default/"
		"virtualservices/a/status {\"status\":{\"observedGeneration\":"
		"1,\"reason\":\"bad\",\"reportedBy\":\"gateway\",\"state\":"
		"\"Rejected\"}}");
	answer(fake_calls, 200, "{}");
}

static void
test_not_served(void **state)
{
	static const char *const plurals[][2] = {
		{ "routetables", "/apis/gateway.solo.io/v1" },
	};
	char path[160];

	(void)state;
	begin();
	lead();
	str_clear(&told);
	for (size_t i = 0; i < ARRAY_SIZE(plurals); i++) {
		const struct doc *said;

		put(plurals[i][0],
			"{\"metadata\": {\"name\": \"a\", \"namespace\": \"n\","
			" \"generation\": 2}, \"spec\": {}}");
		pass(0);
		snprintf(path, sizeof(path), "%s/namespaces/n/%s/a/status",
			plurals[i][1], plurals[i][0]);
		assert_string_equal(fake_calls->path, path);
		said = doc_get(fake_calls->body, "status");
		assert_string_equal(doc_get_text(said, "state"), "Rejected");
		assert_non_null(strstr(
			doc_get_text(said, "reason"), "not served yet"));
		assert_int_equal(
			doc_get_integer(said, "observedGeneration"), 2);
		answer(fake_calls, 200, "{}");
		settled(plurals[i][0]);
		gone(plurals[i][0], "n", "a");
		told_is("");
	}
}

/* One that is none is passed over; others go on. */
static void
test_malformed(void **state)
{
	static const struct {
		const char *json, *ns, *name;
	} rows[] = {
		{ "[]", "", "" },
		{ "null", "", "" },
		{ "{}", "", "" },
		{ "{\"metadata\": []}", "", "" },
		{ "{\"metadata\": {\"name\": null, \"namespace\": \"a\"}}",
			"a", "" },
		{ "{\"metadata\": {\"name\": \"a\"}}", "", "a" },
		{ "{\"metadata\": {\"name\": \"../a\", \"namespace\": \"a\"}}",
			"a", "../a" },
		{ "{\"metadata\": {\"name\": \"a\", \"namespace\": \"a/b\"}}",
			"a/b", "a" },
		{ "{\"metadata\": {\"name\": 5, \"namespace\": {}}}", "", "" },
	};

	(void)state;
	begin();
	str_clear(&told);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *want = xasprintf("resources warning: VirtualService "
				       "\"%s\" in \"%s\" is passed over: ",
			rows[i].name, rows[i].ns);

		put("virtualservices", rows[i].json);
		assert_memory_equal(told.data, want, strlen(want));
		assert_ptr_equal(strchr(told.data, '\n'),
			told.data + told.length - 1);
		str_clear(&told);
		gone("virtualservices", rows[i].ns, rows[i].name);
		told_is("resources ok\n");
		free(want);
	}
	/* What is in it is for others to judge. */
	put("virtualservices",
		"{\"apiVersion\": 5, \"kind\": [], \"metadata\": {\"name\":"
		" \"a\", \"namespace\": \"b\", \"generation\": -1, \"labels\":"
		" 7, \"uid\": {}}, \"spec\": 3, \"status\": \"good\"}");
	told_is("put VirtualService b/a 0\n");
}

/* What is passed over is told as long as it is there. */
static void
test_malformed_mended(void **state)
{
	(void)state;
	begin();
	str_clear(&told);
	put("virtualservices", "{\"metadata\": {\"name\": \"a_\","
			       " \"namespace\": \"n\"}}");
	told_is("resources warning: VirtualService \"a_\" in \"n\" is passed "
		"over: metadata.name is no name\n");
	put("upstreams", "{\"metadata\": {\"name\": \"b_\","
			 " \"namespace\": \"n\"}}");
	told_is("resources warning: VirtualService \"a_\" in \"n\" is passed "
		"over: metadata.name is no name (and 1 more)\n");
	gone("virtualservices", "n", "a_");
	told_is("resources warning: Upstream \"b_\" in \"n\" is passed over: "
		"metadata.name is no name\n");
	gone("upstreams", "n", "b_");
	told_is("resources ok\n");
}

static void
test_namespaces(void **state)
{
	static char *names[] = { (char *)"a", (char *)"b" };

	(void)state;
	settings.watch_namespaces = names;
	settings.watch_namespace_count = 2;
	begin();
	told_is(BEGUN);
	put("virtualservices in a",
		"{\"metadata\": {\"name\": \"x\", \"namespace\": \"a\","
		" \"generation\": 1}}");
	told_is("put VirtualService a/x 1\n");
	put("virtualservices in a",
		"{\"metadata\": {\"name\": \"x\", \"namespace\": \"b\"}}");
	assert_non_null(strstr(told.data, "it is of another namespace"));
	str_clear(&told);

	settled("virtualservices in a");
	told_is("");
	settled("gateways in b");
	told_is("");
	settled("virtualservices in b");
	told_is("settled VirtualService\n");
	/* Only once: what was not said again is not gone. */
	settled("virtualservices in a");
	settled("virtualservices in b");
	told_is("");

	is_now("virtualservices in a", KUBERNETES_CURRENT, "");
	told_is("");
	is_now("virtualservices in b", KUBERNETES_FORBIDDEN, "list: no");
	told_is("virtualservices warning: list: no\n");
	is_now("virtualservices in a", KUBERNETES_ABSENT, "none");
	told_is("");
	is_now("virtualservices in b", KUBERNETES_CURRENT, NULL);
	told_is("virtualservices note: the cluster does not define "
		"virtualservices.gateway.solo.io; `glooctl install kube` "
		"does\n");
}

/* Absent, added, deleted, added again. What fails takes nothing away. */
static void
test_definition(void **state)
{
	(void)state;
	begin();
	str_clear(&told);
	is_now("virtualservices", KUBERNETES_ABSENT, "none");
	str_clear(&told);
	is_now("virtualservices", KUBERNETES_CURRENT, "");
	told_is("virtualservices ok\n");
	put("virtualservices", VS("a", 1, ""));
	settled("virtualservices");
	told_is("put VirtualService default/a 1\nsettled VirtualService\n");
	is_now("virtualservices", KUBERNETES_STALE, "refused");
	is_now("virtualservices", KUBERNETES_FORBIDDEN, "no");
	told_is("virtualservices warning: refused\n"
		"virtualservices warning: no\n");
	gone("virtualservices", "default", "a");
	is_now("virtualservices", KUBERNETES_ABSENT, "deleted");
	told_is("remove VirtualService default/a\n"
		"virtualservices note: the cluster does not define "
		"virtualservices.gateway.solo.io; `glooctl install kube` "
		"does\n");
	/* A verdict that comes too late. */
	judge(MODEL_VIRTUAL_SERVICE, "default", "a", "Rejected", "x", 1);
	put("virtualservices", VS("a", 1, ""));
	settled("virtualservices");
	told_is("put VirtualService default/a 1\n");
}

/* What is there but cannot be taken may be what an earlier run read. */
static void
test_not_whole(void **state)
{
	(void)state;
	begin();
	told_is(BEGUN);
	settled_in_part("virtualservices");
	told_is("");
	put("virtualservices", "{\"metadata\": {\"name\": \"a/b\","
			       " \"namespace\": \"n\"}}");
	settled("virtualservices");
	assert_null(strstr(told.data, "settled"));
	str_clear(&told);
	gone("virtualservices", "n", "a/b");
	told_is("resources ok\nsettled VirtualService\n");
	/* A definition that was deleted meanwhile: there are none. */
	is_now("gateways", KUBERNETES_ABSENT, "none");
	str_clear(&told);
	settled("gateways");
	told_is("settled Gateway\n");
}

static void
secret_is_followed(const char *what, const char *fields)
{
	const struct kubernetes_reflector *r = reflector(what);

	assert_string_equal(r->fields, fields);
	assert_true(r->hidden);
}

static bool
is_followed(const char *plural)
{
	const struct slice prefix = slice_of(plural);

	for (size_t i = 0; i < REFLECTORS; i++)
		if (reflectors[i] != NULL &&
			slice_starts(slice_of(reflectors[i]->what), prefix))
			return true;
	return false;
}

#define UPSTREAM(name, generation, spec)                                       \
	"{\"metadata\": {\"name\": \"" name "\", \"namespace\": \"n\","        \
	" \"generation\": " #generation "}, \"spec\": {" spec "}}"
#define SECRET(name)                                                           \
	"{\"metadata\": {\"name\": \"" name "\", \"namespace\": \"n\","        \
	" \"resourceVersion\": \"7\"}, \"type\": \"kubernetes.io/tls\","       \
	" \"data\": {\"tls.crt\": \"AAAA\"}}"

/* Those that an upstream names, by name, as long as one does. */
static void
test_secrets(void **state)
{
	(void)state;
	begin();
	told_is(BEGUN);
	put("upstreams", UPSTREAM("a", 1, ""));
	told_is("put Upstream n/a 1\n");
	assert_false(is_followed("secrets"));
	put("upstreams",
		UPSTREAM("a", 2,
			"\"sslConfig\": {\"secretRef\": {\"name\": \"s\","
			" \"namespace\": \"n\"}}"));
	told_is("put Upstream n/a 2\n");
	secret_is_followed("secrets in n", "metadata.name=s");
	/* Another names the same one, in Gloo's first spelling. */
	put("upstreams",
		UPSTREAM("b", 1,
			"\"upstreamSpec\": {\"aws\": {\"secretRef\":"
			" {\"name\": \"s\", \"namespace\": \"n\"}}}"));
	told_is("put Upstream n/b 1\n");
	settled("upstreams");
	told_is("settled Upstream\n");
	put("secrets in n", SECRET("s"));
	told_is("put Secret n/s 0\n");
	assert_string_equal(doc_get_text(last, "apiVersion"), "v1");
	assert_string_equal(doc_get_text(last, "kind"), "Secret");
	/* A server that shows more than it was asked for. */
	put("secrets in n", SECRET("other"));
	told_is("");
	settled("secrets in n");
	told_is("settled Secret\n");
	put("upstreams", UPSTREAM("a", 3, ""));
	told_is("put Upstream n/a 3\n");
	assert_true(is_followed("secrets"));
	gone("upstreams", "n", "b");
	told_is("remove Upstream n/b\nremove Secret n/s\n");
	assert_false(is_followed("secrets"));
	/* What cannot be a part of a path is not asked for. */
	put("upstreams",
		UPSTREAM("a", 4,
			"\"sslConfig\": {\"secretRef\": {\"name\": \"../s\"}}"));
	told_is("put Upstream n/a 4\n");
	assert_false(is_followed("secrets"));
}

static void
test_secrets_forbidden(void **state)
{
	(void)state;
	begin();
	told_is(BEGUN);
	put("upstreams",
		UPSTREAM("a", 1,
			"\"sslConfig\": {\"secretRef\": {\"name\": \"s\"}}"));
	told_is("put Upstream n/a 1\n");
	is_now("secrets in gloo-system", KUBERNETES_FORBIDDEN, "no rule");
	told_is("secrets warning: the secret gloo-system.s cannot be read: no "
		"rule; grant it with: kubectl create role gloo-gateway-s -n "
		"gloo-system --verb=get,list,watch --resource=secrets "
		"--resource-name=s, and a rolebinding\n");
	is_now("secrets in gloo-system", KUBERNETES_CURRENT, "");
	told_is("secrets ok\n");
}

static void
test_off(void **state)
{
	(void)state;
	settings.resources = false;
	begin();
	told_is("settled Upstream\nsettled VirtualService\nsettled Gateway\n"
		"settled UpstreamGroup\nsettled Secret\n" BEGUN);
	assert_int_equal(reflector_count(), 0);
	judge(MODEL_VIRTUAL_SERVICE, "default", "a", "Rejected", "x", 1);
	pass(60000);
	assert_null(fake_calls);
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(test_put),
		ROW(test_changes),
		ROW(test_status),
		ROW(test_not_served),
		ROW(test_malformed),
		ROW(test_malformed_mended),
		ROW(test_namespaces),
		ROW(test_definition),
		ROW(test_not_whole),
		ROW(test_secrets),
		ROW(test_secrets_forbidden),
		ROW(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
