/*
 * What the tests of azure's watch and of what it stands on (token, catalog,
 * probe) share: the settings, the questions and sentences that they expect.
 */
#ifndef TESTS_UNIT_KINDS_AZURE_WATCHED_H
#define TESTS_UNIT_KINDS_AZURE_WATCHED_H

#include <unistd.h>

#include "azure_world.h"

#define HOST       "my-app.azurewebsites.net"
#define MANAGED    "subscriptionId: sub\nresourceGroup: grp_(1)\n"
#define MANAGEMENT "https://management.azure.com"
#define SITE                                                                   \
	MANAGEMENT "/subscriptions/sub/resourceGroups/grp_%281%29/"            \
		   "providers/Microsoft.Web/sites/my-app"
#define VERSION  "?api-version=2022-03-01"
#define METADATA "http://169.254.169.254/metadata/identity/oauth2/token"
#define ASK_METADATA(more)                                                     \
	"GET " METADATA "?api-version=2018-02-01&resource=" more               \
	" [Metadata: true]\n"
#define ASK_MANAGEMENT_TOKEN ASK_METADATA("https%3A%2F%2Fmanagement.azure.com")
#define HOST_KEYS        "POST " SITE "/host/default/listkeys" VERSION
#define AS(token)            " [Authorization: Bearer " token "]\n"

#define LIST(first) "{\"value\":[" first "]}"
#define FUNCTION(name, level, url)                                             \
	"{\"name\":\"my-app/" name "\",\"properties\":{\"name\":\"" name       \
	"\",\"invoke_url_template\":\"https://" HOST url                       \
	"\",\"config\":{\"bindings\":[{\"type\":\"httpTrigger\","              \
	"\"authLevel\":\"" level "\"}]}}}"

static struct azure_shared *shared;

static inline int
setup(void **state)
{
	(void)state;
	unsetenv("AZURE_FEDERATED_TOKEN_FILE");
	unsetenv("AZURE_TENANT_ID");
	unsetenv("AZURE_CLIENT_ID");
	unsetenv("AZURE_AUTHORITY_HOST");
	unsetenv("IDENTITY_ENDPOINT");
	unsetenv("IDENTITY_HEADER");
	str_clear(&told);
	chance_high = false;
	shared = shared_new("{}");
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	upstream_kind_azure.close(shared);
	assert_null(fake_timers);
	return 0;
}

#define FUNCTIONS                                                              \
	"functions:\n- {functionName: f, authLevel: Function}\n"               \
	"- {functionName: g, authLevel: Admin}\n"
#define REFUSED(what)                                                          \
	"u note the function app \"my-app\" did not take the " what            \
	" that it was sent last"
#define SEE_HOSTNAME                                                           \
	", and asking for another did not help; see that hostname is that of " \
	"functionAppName in subscriptionId and resourceGroup\n"
#define SEE_AUDIENCE                                                           \
	", and asking for another did not help; see the audience of "          \
	"appServiceAuthentication, and whom the app lets in\n"
#define OF_CLIENTS                                                             \
	"u note a 401 without a body goes to clients as the function's own; "  \
	"if every call gets one, hostname is not that of functionAppName "     \
	"\"my-app\"\n"
#define OF_UNKNOWN                                                             \
	"u note the function app \"my-app\" did not take the key for a "       \
	"function whose level is not known; list the function with its "       \
	"authLevel in functions\n"
#define NOT_RENEWED                                                            \
	"the token for api://x is good until %s, but no other comes from "     \
	"instance metadata: "
#define SEE_IDENTITIES "; see the managed identities of this machine\n"
#define AUTHENTICATED                                                          \
	"functionAppName: my-app\nhostname: 10.0.0.1\n"                        \
	"appServiceAuthentication: {audience: 'api://x'}\n"
#define ASK_APP_TOKEN ASK_METADATA("api%3A%2F%2Fx")

static inline void
told_is_not_renewed(const char *why)
{
	char until[CLOCK_TEXT_MAX];
	char *line = xasprintf("u not ok: " NOT_RENEWED "%s" SEE_IDENTITIES,
		clock_format(clock_realtime_ms() + 5 * MINUTE, until), why);

	told_is(line);
	free(line);
}

/* What stands in the status without a Warning. */
static inline void
shown_note_is(struct world *w, const char *note)
{
	struct doc *d = doc_new_map();

	upstream_kind_azure.show(w->state, d);
	if (note == NULL)
		assert_null(doc_get(d, "keysNote"));
	else
		assert_string_equal(doc_get_text(d, "keysNote"), note);
	doc_free(d);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
