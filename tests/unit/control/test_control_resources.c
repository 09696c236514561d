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

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_verdicts),
		CASE(test_references),
		CASE(test_versions),
		CASE(test_files),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
