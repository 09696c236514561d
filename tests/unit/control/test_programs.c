/*
 * Tests userspace/control/programs.c: a kind that is opened by its settings,
 * reloads, conditions, and what discovery would make.
 */
#include "fake_kind.h"

#define CONTROL_CHILD_KIND     fake_kind
#define CONTROL_CHILD_SETTINGS "fake: { socket: kind.sock, tag: one }\n"
#include "control_child.h"

#define FAKE_UPSTREAM(name)                                                    \
	"metadata: { name: " name " }\n"                                       \
	"upstreamSpec: { fake: { service: s, port: 81 } }\n"

static void
until_kind(const char *says)
{
	uint64_t end = clock_monotonic_ms() + 15000;
	char *answer = NULL;

	do {
		free(answer);
		answer = fake_ask(root, "{\"do\": \"state\"}");
		if (answer != NULL && strstr(answer, says) != NULL) {
			free(answer);
			return;
		}
		poll(NULL, 0, 10);
	} while (clock_monotonic_ms() < end);
	fail_msg("the kind says %s, not %s", answer == NULL ? "-" : answer,
		says);
}

/* A text of one list of the area, or NULL; the caller frees. */
static char *
check_says(const char *area, const char *list)
{
	char *text = NULL;
	struct doc *d;

	ask("GET", "/v1/check", "text/plain", "", &d);
	for (size_t i = 0; i < doc_count(doc_get(d, "areas")); i++) {
		const struct doc *a = doc_at(doc_get(d, "areas"), i);

		if (strcmp(doc_get_text(a, "name"), area) == 0 &&
			doc_count(doc_get(a, list)) > 0)
			text = xstrdup(doc_string(doc_at(doc_get(a, list), 0)));
	}
	doc_free(d);
	return text;
}

static size_t
check_count(const char *area, const char *list)
{
	size_t count = 0;
	struct doc *d;

	ask("GET", "/v1/check", "text/plain", "", &d);
	for (size_t i = 0; i < doc_count(doc_get(d, "areas")); i++) {
		const struct doc *a = doc_at(doc_get(d, "areas"), i);

		if (strcmp(doc_get_text(a, "name"), area) == 0)
			count += doc_count(doc_get(a, list));
	}
	doc_free(d);
	return count;
}

static void
test_reload(void **state)
{
	(void)state;
	expect("PUT", UP("a"), FAKE_UPSTREAM("a"), 200, "state", "Accepted");
	until_kind("opened 1 watched 1 tag one namespace gloo-system");
	/* Another key changes: it is left alone. */
	settings_put("fake: { tag: one, socket: kind.sock }\n"
		     "logLevel: warn\n");
	kill(control, SIGHUP);
	settings_put("fake: { socket: kind.sock, tag: two }\n");
	kill(control, SIGHUP);
	until_kind("opened 2 watched 1 tag two");
	until_text(UP("a"), "status", "state", "Accepted");
}

/* As SIGHUP, and the answer says whether the settings are right. */
static void
test_reload_asked_for(void **state)
{
	(void)state;
	settings_put("fake: { socket: kind.sock, tag: two }\n");
	expect("POST", "/v1/reload", "", 200, NULL, NULL);
	until_kind("opened 2");
	until_kind("tag two");
	settings_put("fake: { socket: kind.sock, tag: three }\nno: key\n");
	expect("POST", "/v1/reload", "", 422, "error", "settings.yaml:");
	until_kind("tag two");
	expect("GET", "/v1/reload", "", 404, NULL, NULL);
	expect("PUT", "/v1/reload", "", 404, NULL, NULL);
}

/* Without the key its upstreams are not served and say so, its resources are
 * gone, what was discovered is left; with the key all comes back. */
static void
test_key_goes(void **state)
{
	struct doc *d;

	(void)state;
	fake_tell(root,
		"{\"do\": \"found\", \"doc\": {\"metadata\": {\"name\": "
		"\"a\", \"labels\": {\"discovered_by\": \"x\"}}, "
		"\"upstreamSpec\": {\"fake\": {\"port\": 81}}}}",
		"ok");
	fake_tell(root,
		"{\"do\": \"put\", \"type\": \"upstream\", \"ns\": "
		"\"gloo-system\", \"name\": \"b\", \"doc\": {\"spec\": "
		"{\"fake\": {\"port\": 81}}}}",
		"ok");
	expect("PUT", VS("v"), SERVICE("v", "\"*\"", "a"), 200, "state",
		"Accepted");
	settings_put("");
	kill(control, SIGHUP);
	until_text(UP("a"), "status", "reason",
		"the settings have no key \"fake\"");
	until_text(VS("v"), "status", "reason", "cannot be served");
	expect("GET", UP("b"), "", 404, NULL, NULL);
	/* Nobody finds it again. */
	expect("PUT", UP("c"), FAKE_UPSTREAM("c"), 200, "reason",
		"no key \"fake\"");
	expect("PUT", UP("d") "?dryRun=true", FAKE_UPSTREAM("d"), 200, "reason",
		"no key \"fake\"");
	expect("GET", "/v1/upstreams?preview=true", "", 409, "error",
		"nothing is discovered");
	settings_put("fake: { socket: kind.sock }\n");
	kill(control, SIGHUP);
	until_text(VS("v"), "status", "state", "Accepted");
	until_kind("opened 2 watched 2");
	fake_tell(root, "{\"do\": \"settled\"}", "ok");
	expect("GET", UP("a"), "", 404, NULL, NULL);
	assert_int_equal(ask("GET", UP("c"), "", "", &d), 200);
	doc_free(d);
}

/* Resources of a kind whose key went while no daemon ran. */
static void
test_key_is_gone(void **state)
{
	char *path = xasprintf(
		"%s/state/resources/fake/upstreams/gloo-system/b.json", root);

	(void)state;
	fake_tell(root,
		"{\"do\": \"put\", \"type\": \"upstream\", \"ns\": "
		"\"gloo-system\", \"name\": \"b\", \"doc\": {\"spec\": "
		"{\"fake\": {\"port\": 81}}}}",
		"ok");
	until_text(UP("b"), "status", "state", "Accepted");
	for (int i = 0; i < 1000 && access(path, F_OK) != 0; i++)
		poll(NULL, 0, 10);
	assert_int_equal(access(path, F_OK), 0);
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	settings_put("");
	control_start();
	until_status("/readyz", 200);
	expect("GET", UP("b"), "", 404, NULL, NULL);
	assert_int_not_equal(access(path, F_OK), 0);
	free(path);
}

static void
test_wrong_settings(void **state)
{
	char command[160];

	(void)state;
	settings_put("fake:\n  socket: kind.sock\n  tug: two\n");
	kill(control, SIGHUP);
	expect("PUT", UP("a"), FAKE_UPSTREAM("a"), 200, "state", "Accepted");
	until_kind("opened 1");
	/* The same file is refused by --check, with its line. */
	snprintf(command, sizeof(command), "%s/settings.yaml", root);
	{
		struct control_options options = { .settings_path = command,
			.kinds = kinds,
			.log_level = -1 };

		assert_int_equal(control_check(&options), 1);
	}
}

static void
test_conditions(void **state)
{
	char *text;

	(void)state;
	fake_tell(root,
		"{\"do\": \"condition\", \"name\": \"services\", \"level\": 3, "
		"\"reason\": \"connection refused\"}",
		"ok");
	fake_tell(root,
		"{\"do\": \"condition\", \"name\": \"token\", \"level\": 2, "
		"\"reason\": \"it is old\"}",
		"ok");
	text = check_says("fake", "errors");
	assert_non_null(text);
	assert_non_null(strstr(text, "services: connection refused (since 20"));
	free(text);
	text = check_says("fake", "warnings");
	assert_non_null(text);
	assert_non_null(strstr(text, "token: it is old (since 20"));
	free(text);
	assert_int_equal(metric("discovery_condition{kind=\"fake\",part="
				"\"services\"}"),
		3);
	assert_int_equal(metric("discovery_upstreams{kind=\"fake\"}"), 0);
	assert_int_equal(metric("discovery_resources{kind=\"fake\"}"), 0);
	fake_tell(root,
		"{\"do\": \"condition\", \"name\": \"services\", \"level\": 0}",
		"ok");
	assert_null(check_says("fake", "errors"));
	assert_int_equal(metric("discovery_condition{kind=\"fake\",part="
				"\"services\"}"),
		0);
	assert_int_equal(metric("discovery_condition_seconds{kind=\"fake\","
				"part=\"services\"}"),
		0);
}

static void
services_condition(const char *reason)
{
	char *text = xasprintf(
		"{\"do\": \"condition\", \"name\": \"services\", \"level\": 2, "
		"\"reason\": \"%s\"}",
		reason);

	fake_tell(root, text, "ok");
	free(text);
}

/* Another reason is told, and not another time: since the first one. */
static void
test_condition_of_another_reason(void **state)
{
	char *first, *later;
	uint64_t second;

	(void)state;
	services_condition("refused");
	first = check_says("fake", "warnings");
	assert_non_null(first);
	assert_non_null(strstr(first, "services: refused (since 20"));
	/* Times are told in seconds: in the same one all are the same. */
	second = clock_realtime_ms() / 1000;
	while (clock_realtime_ms() / 1000 == second)
		poll(NULL, 0, 10);
	services_condition("timeout");
	later = check_says("fake", "warnings");
	assert_non_null(later);
	assert_non_null(strstr(later, "services: timeout (since 20"));
	assert_string_equal(strstr(first, "(since"), strstr(later, "(since"));
	free(first);
	free(later);
}

/* Parts that are not well for one reason: one sentence. */
static void
test_conditions_of_one_reason(void **state)
{
	char *text;

	(void)state;
	services_condition("refused");
	fake_tell(root,
		"{\"do\": \"condition\", \"name\": \"pods\", \"level\": 2, "
		"\"reason\": \"refused\"}",
		"ok");
	text = check_says("fake", "warnings");
	assert_non_null(text);
	assert_non_null(strstr(text, "services"));
	assert_non_null(strstr(text, ", "));
	assert_non_null(strstr(text, "pods"));
	assert_int_equal(check_count("fake", "warnings"), 1);
	free(text);
	fake_tell(root,
		"{\"do\": \"condition\", \"name\": \"pods\", \"level\": 0}",
		"ok");
}

/* A kind has numbers of its own. */
static void
test_numbers(void **state)
{
	(void)state;
	expect("PUT", UP("n"), FAKE_UPSTREAM("n"), 200, "state", "Accepted");
	assert_int_equal(metric("fake_watched"), 1);
	expect("DELETE", UP("n"), "", 200, NULL, NULL);
}

static char *
reason_of(const char *name)
{
	char *path = xasprintf("/v1/upstreams/gloo-system/%s", name);
	struct doc *d;
	char *reason;

	assert_int_equal(ask("GET", path, "text/plain", "", &d), 200);
	reason = xstrdup(doc_get_text(doc_get(d, "status"), "reason"));
	doc_free(d);
	free(path);
	return reason;
}

/* Others' words move nobody's cursor and begin no line. */
static void
test_control_characters(void **state)
{
	char *text;

	(void)state;
	fake_tell(root,
		"{\"do\": \"condition\", \"name\": \"words\", \"level\": 2, "
		"\"reason\": \"one\\ntwo\\u001b[2J\"}",
		"ok");
	text = check_says("fake", "warnings");
	assert_non_null(text);
	assert_non_null(strstr(text, "words: one?two?[2J (since 20"));
	free(text);
	expect("PUT", UP("i"),
		"upstreamSpec: { fake: { service: ill, port: 81 } }\n", 200,
		NULL, NULL);
	until_text(UP("i"), "status", "state", "Warning");
	text = reason_of("i");
	assert_non_null(strstr(text, "a?server's?[2Jwords"));
	free(text);
}

static void
test_preview(void **state)
{
	const struct doc *items;
	struct doc *d;

	(void)state;
	expect("GET", "/v1/upstreams?preview=true", "", 503, "error",
		"Fake: nothing was heard yet");
	expect("PUT", UP("hand"), UPSTREAM("hand"), 200, NULL, NULL);
	fake_tell(root,
		"{\"do\": \"preview\", \"list\": ["
		"{\"metadata\": {\"name\": \"new\", \"labels\": "
		"{\"discovered_by\": \"x\"}}, \"upstreamSpec\": {\"fake\": "
		"{\"port\": 1}}},"
		"{\"metadata\": {\"name\": \"hand\", \"labels\": "
		"{\"discovered_by\": \"x\"}}, \"upstreamSpec\": {\"fake\": "
		"{\"port\": 1}}},"
		"{\"metadata\": {\"name\": \"bad\"}, \"upstreamSpec\": "
		"{\"fake\": {\"port\": 0}}}]}",
		"ok");
	assert_int_equal(
		ask("GET", "/v1/upstreams?preview=true", "", "", &d), 200);
	items = doc_get(d, "items");
	assert_int_equal(doc_count(items), 3);
	assert_string_equal(doc_string(doc_find(doc_at(items, 0), "status",
				    "state", NULL)),
		"Rejected");
	assert_non_null(strstr(doc_string(doc_find(doc_at(items, 1), "status",
				       "reason", NULL)),
		"made by hand"));
	assert_string_equal(doc_string(doc_find(doc_at(items, 2), "status",
				    "state", NULL)),
		"Pending");
	assert_string_equal(doc_string(doc_find(doc_at(items, 2), "metadata",
				    "namespace", NULL)),
		"gloo-system");
	doc_free(d);
	expect("GET", UP("new"), "", 404, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_reload),
		CASE(test_reload_asked_for),
		CASE(test_key_goes),
		CASE(test_key_is_gone),
		CASE(test_wrong_settings),
		CASE(test_conditions),
		CASE(test_condition_of_another_reason),
		CASE(test_conditions_of_one_reason),
		CASE(test_numbers),
		CASE(test_control_characters),
		CASE(test_preview),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
