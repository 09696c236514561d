/*
 * Tests userspace/control/discovered.c: upstreams that a kind finds, what an
 * operator changes in them, and what is left when they go.
 */
#include "fake_kind.h"

#define CONTROL_CHILD_KIND     fake_kind
#define CONTROL_CHILD_SETTINGS "fake: { socket: kind.sock }\n"
#include "control_child.h"

#define FOUND(name, port, more)                                                \
	"{\"do\": \"found\", \"doc\": {\"metadata\": {\"name\": \"" name       \
	"\", \"labels\": {\"discovered_by\": \"fakeplugin\"" more              \
	"}}, \"upstreamSpec\": {\"fake\": {\"service\": \"" name               \
	"\", \"port\": " port "}}}}"
#define HAND(name)                                                             \
	"metadata: { name: " name " }\nupstreamSpec: { static: { hosts: "      \
	"[ { addr: 127.0.0.1, port: 80 } ] } }\n"
#define FILE_OF(name) "config/upstreams/gloo-system/" name ".yaml"

/* The object, with its port and resourceVersion. */
static struct doc *
upstream_get(const char *name)
{
	char *path = xasprintf("/v1/upstreams/gloo-system/%s", name);
	struct doc *d;

	assert_int_equal(ask("GET", path, "text/plain", "", &d), 200);
	free(path);
	return d;
}

static int64_t
port_of(const char *name)
{
	struct doc *d = upstream_get(name);
	int64_t n = doc_integer(
		doc_find(d, "upstreamSpec", "fake", "port", NULL));

	doc_free(d);
	return n;
}

static char *
version_of(const char *name)
{
	struct doc *d = upstream_get(name);
	char *version = xstrdup(doc_string(
		doc_find(d, "metadata", "resourceVersion", NULL)));

	doc_free(d);
	return version;
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
file_remove(const char *below)
{
	char *path = xasprintf("%s/%s", root, below);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
control_again(void)
{
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
}

/* As an operator's own: in the store, served, with its endpoint. */
static void
test_found(void **state)
{
	struct doc *d;

	(void)state;
	fake_tell(root, FOUND("a", "81", ""), "ok");
	until_text(UP("a"), "status", "state", "Accepted");
	d = upstream_get("a");
	assert_string_equal(doc_string(doc_find(d, "metadata", "labels",
				    "discovered_by", NULL)),
		"fakeplugin");
	doc_free(d);
	assert_true(has_file(FILE_OF("a")));
	assert_int_equal(ask("GET", "/v1/endpoints?name=a", "", "", &d), 200);
	assert_non_null(d);
	doc_free(d);
	fake_tell(root, FOUND("a", "82", ""), "ok");
	assert_int_equal(port_of("a"), 82);
	fake_tell(root, "{\"do\": \"gone\", \"name\": \"a\"}", "ok");
	expect("GET", UP("a"), "", 404, NULL, NULL);
	assert_false(has_file(FILE_OF("a")));
	assert_false(has_file(
		"state/discovered/fake/upstreams/gloo-system/a.json"));
}

/* Said again it is not written again, not after a restart either. */
static void
test_unchanged(void **state)
{
	char *first, *second;

	(void)state;
	fake_tell(root, FOUND("a", "81", ""), "ok");
	until_text(UP("a"), "status", "state", "Accepted");
	first = version_of("a");
	fake_tell(root, FOUND("a", "81", ""), "ok");
	second = version_of("a");
	assert_string_equal(first, second);
	free(second);
	control_again();
	fake_tell(root, FOUND("a", "81", ""), "ok");
	second = version_of("a");
	assert_string_equal(first, second);
	free(second);
	free(first);
}

static void
test_wrong(void **state)
{
	(void)state;
	fake_tell(root, FOUND("a", "0", ""), "upstreamSpec.fake.port");
	fake_tell(root,
		"{\"do\": \"found\", \"doc\": {\"metadata\": {\"name\": "
		"\"a\"}, \"upstreamSpec\": {\"fake\": {\"port\": 81}}}}",
		"discovered_by");
	fake_tell(root, "{\"do\": \"found\", \"doc\": 7}", "metadata.name");
	expect("GET", UP("a"), "", 404, NULL, NULL);
}

/* What the operator changed or added stays, the rest follows discovery; through
 * a restart as well, which is why what was said is on disk. */
static void
test_merge(void **state)
{
	struct doc *d;

	(void)state;
	fake_tell(root, FOUND("a", "81", ", \"tier\": \"one\""), "ok");
	expect("PUT", UP("a"),
		"metadata: { labels: { discovered_by: fakeplugin, tier: two, "
		"mine: y } }\n"
		"connectionConfig: { connectTimeout: 2s }\n"
		"upstreamSpec: { fake: { service: a, port: 81 } }\n",
		200, "state", "Accepted");
	control_again();
	fake_tell(root,
		FOUND("a", "82", ", \"tier\": \"three\", \"new\": \"n\""), "ok");
	d = upstream_get("a");
	assert_int_equal(doc_integer(doc_find(d, "upstreamSpec", "fake", "port",
				 NULL)),
		82);
	assert_string_equal(doc_string(doc_find(d, "connectionConfig",
				    "connectTimeout", NULL)),
		"2s");
	assert_string_equal(
		doc_string(doc_find(d, "metadata", "labels", "tier", NULL)),
		"two");
	assert_string_equal(
		doc_string(doc_find(d, "metadata", "labels", "mine", NULL)),
		"y");
	assert_string_equal(
		doc_string(doc_find(d, "metadata", "labels", "new", NULL)),
		"n");
	doc_free(d);
	until_text(UP("a"), "status", "state", "Accepted");
}

static void
test_settled(void **state)
{
	(void)state;
	fake_tell(root, FOUND("a", "81", ""), "ok");
	fake_tell(root, FOUND("b", "82", ""), "ok");
	expect("PUT", UP("hand"), HAND("hand"), 200, NULL, NULL);
	fake_tell(root, "{\"do\": \"settled\"}", "ok");
	expect("GET", UP("a"), "", 200, NULL, NULL);
	control_again();
	/* Nothing was heard yet: all of them are served. */
	until_text(UP("a"), "status", "state", "Accepted");
	fake_tell(root, FOUND("a", "81", ""), "ok");
	fake_tell(root, "{\"do\": \"settled\"}", "ok");
	expect("GET", UP("a"), "", 200, NULL, NULL);
	expect("GET", UP("b"), "", 404, NULL, NULL);
	expect("GET", UP("hand"), "", 200, NULL, NULL);
	/* Of a part of them. */
	fake_tell(root, FOUND("b", "82", ""), "ok");
	control_again();
	until_text(UP("b"), "status", "state", "Accepted");
	fake_tell(root, "{\"do\": \"settled\", \"name\": \"a\"}", "ok");
	expect("GET", UP("a"), "", 404, NULL, NULL);
	expect("GET", UP("b"), "", 200, NULL, NULL);
}

/* One that was made by hand is left alone, also when its label was taken away;
 * when it goes, the discovered one comes. */
static void
test_hand(void **state)
{
	(void)state;
	expect("PUT", UP("a"), HAND("a"), 200, NULL, NULL);
	fake_tell(root, FOUND("a", "81", ""), "was made by hand");
	assert_int_equal(port_of("a"), 0);
	fake_tell(root, "{\"do\": \"settled\"}", "ok");
	expect("DELETE", UP("a"), "", 200, "note", "discovered by Fake");
	assert_int_equal(port_of("a"), 81);
	expect("PUT", UP("a"),
		"upstreamSpec: { fake: { service: a, port: 90 } }\n", 200, NULL,
		NULL);
	fake_tell(root, FOUND("a", "82", ""), "was made by hand");
	assert_int_equal(port_of("a"), 90);
	fake_tell(root, "{\"do\": \"gone\", \"name\": \"a\"}", "ok");
	assert_int_equal(port_of("a"), 90);
}

/* Deleted through the API or as a file it is back at once, as discovery says
 * it; routes to it go on. */
static void
test_deleted(void **state)
{
	(void)state;
	fake_tell(root, FOUND("a", "81", ""), "ok");
	expect("PUT", VS("v"), SERVICE("v", "\"*\"", "a"), 200, "state",
		"Accepted");
	expect("PUT", UP("a"),
		"metadata: { labels: { discovered_by: fakeplugin } }\n"
		"upstreamSpec: { fake: { service: a, port: 99 } }\n",
		200, NULL, NULL);
	expect("DELETE", UP("a"), "", 200, "note",
		"it was discovered by Fake and is back, without what was "
		"changed in it; to be rid of it, delete the fake service");
	assert_int_equal(port_of("a"), 81);
	until_text(VS("v"), "status", "state", "Accepted");
	file_remove(FILE_OF("a"));
	for (int i = 0; i < 1000 && !has_file(FILE_OF("a")); i++)
		poll(NULL, 0, 10);
	assert_true(has_file(FILE_OF("a")));
	until_text(UP("a"), "status", "state", "Accepted");
	fake_tell(root, "{\"do\": \"gone\", \"name\": \"a\"}", "ok");
	expect("PUT", UP("a"), HAND("a"), 200, NULL, NULL);
	expect("DELETE", UP("a"), "", 200, "reason", "gloo-system.v");
	expect("GET", UP("a"), "", 404, NULL, NULL);
}

/* A file that an operator broke waits for him; one that a loss of power left
 * empty is made anew. */
static void
test_broken_file(void **state)
{
	(void)state;
	fake_tell(root, FOUND("a", "81", ""), "ok");
	text_put(FILE_OF("a"), "upstreamSpec: 7\n");
	until_text(UP("a"), "status", "state", "Rejected");
	fake_tell(root, FOUND("a", "82", ""), "waits until its file is mended");
	text_put(FILE_OF("a"),
		"metadata: { labels: { discovered_by: fakeplugin, mine: y } }\n"
		"upstreamSpec: { fake: { service: a, port: 81 } }\n");
	for (int i = 0; i < 1000 && port_of("a") != 82; i++)
		poll(NULL, 0, 10);
	assert_int_equal(port_of("a"), 82);
	text_put(FILE_OF("a"), "");
	until_text(UP("a"), "status", "state", "Rejected");
	fake_tell(root, FOUND("a", "83", ""), "ok");
	assert_int_equal(port_of("a"), 83);
	until_text(UP("a"), "status", "state", "Accepted");
}

/* What an operator wrote in the same moment is read first. */
static void
test_edited_meanwhile(void **state)
{
	struct doc *d;

	(void)state;
	fake_tell(root, FOUND("a", "81", ""), "ok");
	fake_tell(root,
		"{\"file\": \"" FILE_OF("a") "\", \"text\": \"metadata: { labels: "
		"{ discovered_by: fakeplugin, mine: y } }\\n"
		"upstreamSpec: { fake: { service: a, port: 81 } }\\n\", "
		"\"do\": \"found\", \"doc\": {\"metadata\": {\"name\": \"a\", "
		"\"labels\": {\"discovered_by\": \"fakeplugin\"}}, "
		"\"upstreamSpec\": {\"fake\": {\"service\": \"a\", \"port\": "
		"82}}}}",
		"ok");
	for (int i = 0; i < 1000 && port_of("a") != 82; i++)
		poll(NULL, 0, 10);
	assert_int_equal(port_of("a"), 82);
	d = upstream_get("a");
	assert_string_equal(
		doc_get_text(doc_find(d, "metadata", "labels", NULL), "mine"),
		"y");
	doc_free(d);
}

/* A cluster's worth of them is no thousand times the disk. */
static void
test_many(void **state)
{
	uint64_t start = clock_monotonic_ms();
	struct doc *d;

	(void)state;
	fake_tell(root,
		"{\"do\": \"many\", \"count\": 1000, \"doc\": {\"metadata\": "
		"{\"name\": \"x\", \"labels\": {\"discovered_by\": "
		"\"fakeplugin\"}}, \"upstreamSpec\": {\"fake\": {\"port\": "
		"81}}}}",
		"ok");
	print_message("1000 upstreams: %llu ms\n",
		(unsigned long long)(clock_monotonic_ms() - start));
	until_text(UP("many-999"), "status", "state", "Accepted");
	assert_int_equal(ask("GET", "/v1/upstreams", "", "", &d), 200);
	assert_int_equal(doc_count(doc_get(d, "items")), 1000);
	doc_free(d);
	fake_tell(root, "{\"do\": \"settled\"}", "ok");
	control_again();
	fake_tell(root, "{\"do\": \"settled\"}", "ok");
	expect("GET", UP("many-999"), "", 404, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_found),
		CASE(test_unchanged),
		CASE(test_wrong),
		CASE(test_merge),
		CASE(test_settled),
		CASE(test_hand),
		CASE(test_deleted),
		CASE(test_broken_file),
		CASE(test_edited_meanwhile),
		CASE(test_many),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
