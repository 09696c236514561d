/*
 * Resources that control is given, through the socket and as files: verdicts,
 * references between them, versions.
 */
#include "control_child.h"

static void
test_verdicts(void **state)
{
	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, "state", "Accepted");
	expect("PUT", UP("b"), UPSTREAM("x"), 422, "reason", "metadata.name");
	expect("PUT", UP("b"), "7", 422, "state", "Rejected");
	expect("PUT", UP("b"), "[", 400, "error", "");
	expect("PUT", UP("b"), "", 400, "error", "no document");
	expect("PUT", UP("b"), "upstreamSpec: { static: { hosts: 7 } }", 422,
		"reason", "upstreamSpec.static.hosts");
	expect("GET", UP("b"), "", 404, "error", "b");
	expect("DELETE", UP("b"), "", 404, "error", "b");
	expect("PUT", UP("c"), "upstreamSpec: { consul: { serviceName: web } }",
		200, "reason", "no Consul agent is configured");
	expect("PUT", VS("v"), SERVICE("v", "v.example", "a"), 200, "state",
		"Accepted");
	expect("PUT", VS("w"), SERVICE("w", "v.example", "a"), 422, "reason",
		"gloo-system.v");
	expect("PUT", VS("w") "?dryRun=true", SERVICE("w", "w.example", "b"),
		200, "reason", "gloo-system.b");
	expect("GET", VS("w"), "", 404, NULL, NULL);
	expect("PUT", VS("w"), SERVICE("w", "w.example", "b"), 200, "reason",
		"no upstream is named \"gloo-system.b\"");
	expect("POST", VS("w"), "", 405, "error", "POST");
	expect("GET", "/v1/nothing", "", 404, "error", "/v1/nothing");
}

static void
test_references(void **state)
{
	(void)state;
	expect("PUT", VS("v"), SERVICE("v", "\"*\"", "late"), 200, "state",
		"Warning");
	expect("PUT", UP("late"), UPSTREAM("late"), 200, "state", "Accepted");
	until_text(VS("v"), "status", "state", "Accepted");
	expect("DELETE", UP("late"), "", 200, "reason", "gloo-system.v");
	until_text(VS("v"), "status", "reason", "late");
}

/* Of the routes in the image: all weights in their order, "9 1; 5". */
static void
weights_are(const char *want)
{
	struct doc *body, *hosts;
	struct str got;

	str_init(&got);
	ask("GET", "/v1/dump", "text/plain", "", &body);
	hosts = doc_get(body, "virtualHosts");
	for (size_t i = 0; i < doc_count(hosts); i++) {
		const struct doc *routes = doc_get(doc_at(hosts, i), "routes");
		const struct doc *list =
			doc_get(doc_at(routes, 0), "destinations");

		str_puts(&got, i > 0 ? ";" : "");
		for (size_t k = 0; k < doc_count(list); k++)
			str_printf(&got, " %lld",
				(long long)doc_integer(doc_get(
					doc_at(list, k), "weight")));
	}
	assert_string_equal(got.data, want);
	str_fini(&got);
	doc_free(body);
}

static int64_t
generation_of(const char *type, const char *name)
{
	struct doc *body;
	int64_t found = -1;

	ask("GET", "/v1/status", "text/plain", "", &body);
	for (size_t i = 0; i < doc_count(doc_get(body, "objects")); i++) {
		const struct doc *o = doc_at(doc_get(body, "objects"), i);

		if (strcmp(doc_get_string(o, "type"), type) == 0 &&
			strcmp(doc_get_string(o, "name"), name) == 0)
			found = doc_integer(doc_get(o, "generation"));
	}
	doc_free(body);
	return found;
}

/* A group is built into those that lead to it, and nobody else is touched. */
static void
test_groups(void **state)
{
	int64_t built, alone;

	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	expect("PUT", VS("alone"), SERVICE("alone", "alone.example", "a"), 200,
		"state", "Accepted");
	expect("PUT", VS("v"), TO_GROUP("v", "v.example", "g"), 200, "reason",
		"no upstream group is named \"gloo-system.g\"");
	expect("PUT", UG("g") "?dryRun=true", GROUP("g", "9", "1"), 200,
		"reason", "destinations[1]: no upstream is named");
	expect("PUT", UG("g"), GROUP("g", "9", "1"), 200, "reason",
		"destinations[1]: no upstream is named \"gloo-system.b\"");
	until_text(VS("v"), "status", "reason",
		"the upstream group \"gloo-system.g\": no upstream is named "
		"\"gloo-system.b\"");
	expect("PUT", UP("b"), UPSTREAM("b"), 200, NULL, NULL);
	until_text(VS("v"), "status", "state", "Accepted");
	until_text(UG("g"), "status", "state", "Accepted");
	expect("PUT", VS("w"), TO_GROUP("w", "w.example", "g"), 200, "state",
		"Accepted");
	weights_are(" 9 1; 9 1; 1");
	built = metric("virtual_hosts_built");
	alone = generation_of("virtualservices", "alone");

	expect("PUT", UG("g"), GROUP("g", "2", "3"), 200, "state", "Accepted");
	weights_are(" 2 3; 2 3; 1");
	assert_int_equal(metric("virtual_hosts_built") - built, 2);
	assert_int_equal(generation_of("virtualservices", "alone"), alone);
	assert_int_equal(generation_of("virtualservices", "v"),
		generation_of("upstreamgroups", "g"));
	/* Nobody leads to that one. */
	expect("PUT", UG("other"), GROUP("other", "1", "1"), 200, "state",
		"Accepted");
	expect("PUT", UG("other"), GROUP("other", "1", "2"), 200, NULL, NULL);
	assert_int_equal(metric("virtual_hosts_built") - built, 2);

	expect("PUT", UG("g"), GROUP("g", "0", "0"), 422, "reason",
		"destinations: the weights of all destinations are 0");
	expect("DELETE", UP("b"), "", 200, "reason",
		"it is still routed to by gloo-system.g, gloo-system.other");
	until_text(UG("g"), "status", "reason", "gloo-system.b");
	weights_are(" 2; 2; 1");
	expect("DELETE", UG("g"), "", 200, "reason",
		"it is still routed to by gloo-system.v, gloo-system.w");
	until_text(VS("v"), "status", "reason",
		"no upstream group is named \"gloo-system.g\"");
	weights_are(";; 1");
	assert_int_equal(generation_of("virtualservices", "alone"), alone);
}

/* As a file, over a restart, and wrong. */
static void
test_group_files(void **state)
{
	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	expect("PUT", UP("b"), UPSTREAM("b"), 200, NULL, NULL);
	expect("PUT", VS("v"), TO_GROUP("v", "v.example", "g"), 200, NULL,
		NULL);
	text_put("config/upstreamgroups/gloo-system/g.yaml",
		GROUP("g", "4", "5"));
	until_text(UG("g"), "status", "state", "Accepted");
	weights_are(" 4 5");
	text_put("config/upstreamgroups/gloo-system/g.yaml",
		GROUP("g", "0", "0"));
	until_text(UG("g"), "status", "reason", "g.yaml:3: destinations");
	weights_are(" 4 5");
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	until_text(UG("g"), "status", "state", "Rejected");
	weights_are(" 4 5");
	text_put("config/upstreamgroups/gloo-system/g.yaml",
		GROUP("g", "6", "5"));
	until_text(UG("g"), "status", "state", "Accepted");
	weights_are(" 6 5");
}

static void
test_versions(void **state)
{
	char text[256];
	int64_t version;
	struct doc *body;

	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	ask("GET", UP("a"), "text/plain", "", &body);
	version = atoll(doc_string(
		doc_find(body, "metadata", "resourceVersion", NULL)));
	doc_free(body);
	snprintf(text, sizeof(text),
		"metadata: { resourceVersion: \"%lld\" }\nupstreamSpec: { "
		"static: { hosts: [ { addr: 127.0.0.1, port: 81 } ] } }\n",
		(long long)version);
	expect("PUT", UP("a"), text, 200, "state", "Accepted");
	expect("PUT", UP("a"), text, 409, "error", "changed");
	expect("PUT", UP("z"), text, 409, "error", "does not exist");
}

/* A file that is wrong is Rejected, its last good version goes on, also after
 * a restart; removed, the object is gone. */
static void
test_files(void **state)
{
	int64_t routes;
	struct doc *body;

	(void)state;
	expect("PUT", VS("v"), SERVICE("v", "\"*\"", "a"), 200, NULL, NULL);
	text_put("config/virtualservices/gloo-system/v.yaml",
		"metadata: { name: v }\nvirtualHost:\n  routes: 7\n");
	until_text(VS("v"), "status", "state", "Rejected");
	until_text(VS("v"), "status", "reason", "v.yaml:3: virtualHost.routes");
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	until_text(VS("v"), "status", "state", "Rejected");
	ask("GET", "/v1/dump", "text/plain", "", &body);
	routes = (int64_t)doc_count(
		doc_get(doc_at(doc_get(body, "virtualHosts"), 0), "routes"));
	doc_free(body);
	assert_int_equal(routes, 1);
	text_put("config/virtualservices/gloo-system/other.yaml",
		SERVICE("other", "\"*\"", "a"));
	until_text(VS("other"), "status", "reason", "gloo-system.v");
	body = NULL;
	assert_int_equal(system("true"), 0);
	{
		char *path = xasprintf(
			"%s/config/virtualservices/gloo-system/v.yaml", root);

		assert_int_equal(unlink(path), 0);
		free(path);
	}
	until_status(VS("v"), 404);
	until_text(VS("other"), "status", "state", "Warning");
}

#define SUBSETS(keys)                                                          \
	"metadata: { name: parts }\nupstreamSpec: { static: { hosts: [ { "     \
	"addr: 127.0.0.1, port: 80 } ]" keys " } }\n"
#define TO_SUBSET                                                              \
	"metadata: { name: v }\nvirtualHost:\n  domains: [ v ]\n  routes:\n"   \
	"  - routeAction: { single: { upstream: { name: parts }, subset: { "    \
	"values: { version: v2 } } } }\n"
#define SUBSET_GROUP                                                           \
	"metadata: { name: g }\ndestinations:\n- weight: 1\n  destination: { " \
	"upstream: { name: parts }, subset: { values: { version: v2 } } }\n"

/* A subset that the upstream cannot have is a Warning, until it can. */
static void
test_subsets_that_cannot_be(void **state)
{
	(void)state;
	expect("PUT", UP("parts"), SUBSETS(""), 200, NULL, NULL);
	expect("PUT", VS("v"), TO_SUBSET, 200, "reason",
		"the upstream \"gloo-system.parts\" has no subset of the keys "
		"version and its requests are 503: it has no selectors; add "
		"one or remove the destination's subset");
	expect("PUT", UP("parts"),
		SUBSETS(", subsetSpec: { selectors: [ { keys: [ version, stage "
			"] } ] }"),
		200, NULL, NULL);
	until_text(VS("v"), "status", "reason",
		"none of its selectors has exactly these");
	expect("PUT", UP("parts"),
		SUBSETS(", subsetSpec: { selectors: [ { keys: [ version ] } ] "
			"}"),
		200, NULL, NULL);
	until_text(VS("v"), "status", "state", "Accepted");
	expect("PUT", UG("g"), SUBSET_GROUP, 200, "state", "Accepted");
	expect("PUT", VS("w"), TO_GROUP("w", "w", "g"), 200, "state",
		"Accepted");
	expect("PUT", UP("parts"), SUBSETS(""), 200, NULL, NULL);
	until_text(UG("g"), "status", "reason",
		"destinations[0]: the upstream \"gloo-system.parts\" has no "
		"subset of the keys version");
	until_text(VS("w"), "status", "reason",
		"the upstream group \"gloo-system.g\": the upstream "
		"\"gloo-system.parts\" has no subset of the keys version");
	until_text(VS("v"), "status", "reason", "it has no selectors");
	expect("DELETE", VS("v"), "", 200, NULL, NULL);
	expect("DELETE", VS("w"), "", 200, NULL, NULL);
	expect("DELETE", UG("g"), "", 200, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_verdicts),
		CASE(test_references),
		CASE(test_groups),
		CASE(test_group_files),
		CASE(test_versions),
		CASE(test_files),
		CASE(test_subsets_that_cannot_be),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
