/*
 * The questions of an Azure upstream over real connections: instance metadata
 * and the management API on loopback, scripted (tests/lib/replay.h).
 */
#include "told.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/credentials.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "tests/lib/replay.h"

#define WAIT_MS 20000 /* for what takes milliseconds */

extern const struct upstream_kind upstream_kind_azure;

static struct loop *loop;
static bool has_keys;

static void
endpoints_replace(
	struct kind_host *host, const struct endpoint *set, size_t count)
{
	(void)host;
	(void)set;
	assert_int_equal(count, 1);
}

static const struct endpoint *
endpoints_used(struct kind_host *host, size_t *count)
{
	(void)host;
	*count = 0;
	return NULL;
}

static void
condition_set(struct kind_host *host, bool ok, const char *reason)
{
	(void)host;
	if (!ok)
		fail_msg("%s", reason);
}

static void
note_set(struct kind_host *host, const char *note)
{
	(void)host;
	if (note != NULL)
		fail_msg("%s", note);
}

static void
credentials_replace(struct kind_host *host, const void *bytes, size_t length)
{
	struct azure_credentials c;

	(void)host;
	assert_int_equal(azure_credentials_read(
				 (struct slice){ bytes, length }, &c, NULL),
		0);
	assert_string_equal(c.master, "m+/=");
	assert_string_equal(c.fallback, "d");
	assert_int_equal(c.count, 1);
	assert_string_equal(c.functions[0].key, "k");
	azure_credentials_fini(&c);
	has_keys = true;
}

static void
functions_replace(
	struct kind_host *host, const char *const *names, size_t count)
{
	(void)host;
	assert_true(has_keys);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "f");
	loop_stop(loop);
}

static void
program_condition(struct kind_program *p, const char *part,
	enum kind_level level, const char *reason)
{
	(void)p;
	(void)part;
	(void)reason;
	assert_int_equal(level, KIND_OK);
}

static void
on_limit(void *arg)
{
	(void)arg;
	fail_msg("it takes too long");
}

#define SITE "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a"
#define JSON "Content-Type: application/json\r\n"

static const struct replay_line script[] = {
	{ .asked = "GET /metadata/identity/oauth2/token?api-version= "
		   "Metadata: client_id=me !Authorization",
		.status = 200,
		.headers = JSON,
		.body = "{\"access_token\":\"tok\",\"expires_in\":\"3599\"}",
		.chunk = 7 },
	{ .asked = "GET " SITE "/functions?api-version=2022-03-01 "
		   "Bearer tok",
		.status = 200,
		.headers = JSON,
		.body = "{\"value\":[{\"name\":\"a/f\",\"properties\":{"
			"\"invoke_url_template\":\"https://a/api/{x}\","
			"\"config\":{\"bindings\":[{\"type\":\"httpTrigger\","
			"\"authLevel\":\"function\"}]}}}]}",
		.chunk = 11 },
	{ .asked = "POST " SITE "/host/default/listkeys? "
		   "Content-Length: tok",
		.status = 200,
		.headers = JSON,
		.body = "{\"masterKey\":\"m+/=\",\"functionKeys\":{\"default\":"
			"\"d\"}}" },
	{ .asked = "POST " SITE "/functions/f/listkeys? tok",
		.status = 200,
		.headers = JSON,
		.body = "{\"default\":\"k\"}" },
	{ .asked = NULL },
};

static void
test_whole(void **state)
{
	static char key[] = "discovery.solo.io/function_discovery",
		    value[] = "enabled";
	struct model_pair label = { key, value };
	struct model_meta meta = { .labels = &label, .label_count = 1 };
	struct kind_host host = { .meta = &meta,
		.endpoints_replace = endpoints_replace,
		.endpoints_used = endpoints_used,
		.condition_set = condition_set,
		.note_set = note_set,
		.credentials_replace = credentials_replace,
		.functions_replace = functions_replace };
	struct kind_program program = { .condition_set = program_condition };
	struct loop_timer *limit;
	struct replay *replay;
	struct doc *settings, *spec;
	char *text;
	void *read, *watch;

	(void)state;
	loop = loop_new();
	replay = replay_new(loop, script, NULL);
	text = xasprintf("managementUrl: http://127.0.0.1:%u\n"
			 "metadataUrl: http://127.0.0.1:%u\n",
		replay_port(replay), replay_port(replay));
	settings = yaml(text);
	program.settings = settings;
	program.loop = host.loop = loop;
	program.http = http_client_new(loop);
	host.shared = upstream_kind_azure.open(&program);
	assert_non_null(host.shared);
	spec = yaml("functionAppName: a\nhostname: 127.0.0.1\n"
		    "subscriptionId: s\nresourceGroup: g\n"
		    "managedIdentityClientId: me\n");
	read = upstream_kind_azure.read(spec, NULL);
	assert_non_null(read);
	watch = upstream_kind_azure.watch(read, &host);
	upstream_kind_azure.free(read);
	limit = loop_timer_new(loop, on_limit, NULL);
	loop_timer_start(limit, WAIT_MS);
	loop_run(loop);
	assert_int_equal(replay_count(replay), 4);
	upstream_kind_azure.unwatch(watch);
	upstream_kind_azure.close(host.shared);
	http_client_free(program.http);
	replay_free(replay);
	loop_timer_free(limit);
	loop_free(loop);
	doc_free(settings);
	doc_free(spec);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole) };

	unsetenv("AZURE_FEDERATED_TOKEN_FILE");
	unsetenv("IDENTITY_ENDPOINT");
	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
