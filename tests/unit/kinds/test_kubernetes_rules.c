/* Tests the rules that the gateway needs: which there are, how they are asked
 * for, and what of an answer grants them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "kinds/kubernetes/rules.h"

static char ns[] = "gloo-system", service[] = "gateway-proxy";
static char account[] = "gloo-gateway";

static const struct kubernetes_settings usual = {
	.resources = true,
	.namespace_ = ns,
	.service = service,
	.service_account = account,
};

/* Names all of them. */
static char *
all_put(const struct kubernetes_settings *settings)
{
	struct kubernetes_rules *r = kubernetes_rules_new(settings);
	size_t count = kubernetes_rules_count(r);
	bool *missing = xcalloc(count + 1, sizeof(*missing));
	struct str text;
	char *all;

	for (size_t i = 0; i < count; i++)
		missing[i] = true;
	str_init(&text);
	kubernetes_rules_put(r, missing, &text);
	all = str_steal(&text);
	free(missing);
	kubernetes_rules_free(r);
	return all;
}

#define CORE                                                                   \
	"list, watch services; "                                               \
	"list, watch endpointslices of discovery.k8s.io; "                     \
	"list, watch endpoints; "
#define CUSTOM                                                                 \
	"list, watch virtualservices of gateway.solo.io; "                     \
	"list, watch routetables of gateway.solo.io; "                         \
	"list, watch gateways of gateway.solo.io; "                            \
	"patch virtualservices/status of gateway.solo.io; "                    \
	"patch routetables/status of gateway.solo.io; "                        \
	"patch gateways/status of gateway.solo.io; "                           \
	"list, watch upstreams of gloo.solo.io; "                              \
	"list, watch upstreamgroups of gloo.solo.io; "                         \
	"patch upstreams/status of gloo.solo.io; "                             \
	"patch upstreamgroups/status of gloo.solo.io; "
#define TOKEN "create serviceaccounts/token gloo-gateway in gloo-system; "
#define ADDRESS                                                                \
	"get services gateway-proxy in gloo-system; "                          \
	"patch services/status gateway-proxy in gloo-system; "                 \
	"get, patch endpointslices gateway-proxy of discovery.k8s.io "         \
	"in gloo-system"
#define LEASE                                                                  \
	"; create leases of coordination.k8s.io in gloo-system; "              \
	"get, update leases gloo-gateway of coordination.k8s.io in gloo-system"

static void
test_all(void **state)
{
	char *all = all_put(&usual);

	(void)state;
	assert_string_equal(all, CORE CUSTOM TOKEN ADDRESS LEASE);
	/* Nothing that would let it read secrets, or change anybody's. */
	assert_null(strstr(all, "secrets"));
	assert_null(strstr(all, "pods"));
	assert_null(strstr(all, "delete"));
	free(all);
}

static void
test_settings(void **state)
{
	static char other_ns[] = "edge", other_service[] = "front";
	struct kubernetes_settings s = usual;
	char *all;

	(void)state;
	s.resources = false;
	s.service_account = NULL;
	s.namespace_ = other_ns;
	s.service = other_service;
	all = all_put(&s);
	assert_string_equal(all, CORE
		"get services front in edge; "
		"patch services/status front in edge; "
		"get, patch endpointslices front of discovery.k8s.io in edge");
	free(all);
}

static void
test_watched_namespaces(void **state)
{
	static char *watched[] = { "a", "b" };
	struct kubernetes_settings s = usual;
	char *all;

	(void)state;
	s.resources = false;
	s.service_account = NULL;
	s.watch_namespaces = watched;
	s.watch_namespace_count = 2;
	all = all_put(&s);
	assert_non_null(strstr(all, "list services in a; list services in b; "
				    "watch services in a; "));
	assert_null(strstr(all, "services; "));
	/* Its own namespace need not be among them. */
	assert_non_null(strstr(
		all, "get services gateway-proxy in gloo-system; "));
	assert_null(strstr(all, "list services in gloo-system"));
	free(all);
}

/* ---- answers */

struct grant {
	const char *what, *verb, *group, *resource, *name;
	const char *rows; /* of the answer */
	bool granted;
};

#define ROW(groups, resources, names, verbs)                                   \
	"{apiGroups: [" groups "], resources: [" resources                     \
	"], resourceNames: [" names "], verbs: [" verbs "]}"

static const struct grant grants[] = {
	{ "nothing is granted", "get", "", "services", NULL, "", false },
	{ "exactly", "get", "", "services", NULL,
		ROW("''", "services", "", "get"), true },
	{ "another verb", "list", "", "services", NULL,
		ROW("''", "services", "", "get, watch"), false },
	{ "another group", "get", "gloo.solo.io", "upstreams", NULL,
		ROW("''", "upstreams", "", "get"), false },
	{ "all verbs", "patch", "", "services/status", NULL,
		ROW("''", "services/status", "", "'*'"), true },
	{ "all groups", "get", "gloo.solo.io", "upstreams", NULL,
		ROW("'*'", "upstreams", "", "get"), true },
	{ "all resources, with what is below them", "patch", "",
		"services/status", NULL, ROW("''", "'*'", "", "patch"), true },
	{ "the status of all", "patch", "gloo.solo.io", "upstreams/status",
		NULL, ROW("gloo.solo.io", "'*/status'", "", "patch"), true },
	{ "a resource is not what is below it", "patch", "", "services/status",
		NULL, ROW("''", "services", "", "patch"), false },
	{ "nor the other way", "get", "", "services", NULL,
		ROW("''", "services/status", "", "get"), false },
	{ "the status of all is not all", "get", "", "services", NULL,
		ROW("''", "'*/status'", "", "get"), false },
	{ "by name", "create", "", "serviceaccounts/token", "a",
		ROW("''", "serviceaccounts/token", "b, a", "create"), true },
	{ "of another name", "create", "", "serviceaccounts/token", "a",
		ROW("''", "serviceaccounts/token", "b", "create"), false },
	{ "one name is not all", "get", "", "services", NULL,
		ROW("''", "services", "a", "get"), false },
	{ "all names are that one too", "get", "", "services", "a",
		ROW("''", "services", "", "get"), true },
	{ "the second row", "get", "", "services", NULL,
		ROW("''", "pods", "", "get") ", "
		ROW("''", "services", "", "get"), true },
	{ "not put together of two rows", "get", "", "services", NULL,
		ROW("''", "pods", "", "get") ", "
		ROW("''", "services", "", "list"), false },
};

static void
test_granted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(grants); i++) {
		const struct grant *g = &grants[i];
		const struct kubernetes_rule rule = { g->verb, g->group,
			g->resource, g->name, NULL };
		char *text = xasprintf(
			"status: {resourceRules: [%s]}", g->rows);
		struct error err = ERROR_INIT;
		struct doc *d = yaml_doc_read(text, strlen(text), &err);

		if (d == NULL)
			fail_msg("%s: %s", g->what, err.text);
		if (kubernetes_rule_granted(&rule, d) != g->granted)
			fail_msg("%s", g->what);
		doc_free(d);
		free(text);
	}
}

/* What a server may answer instead. */
static void
test_answers_of_other_forms(void **state)
{
	static const struct kubernetes_rule rule = { "get", "", "services",
		NULL, NULL };
	static const char *const texts[] = { "{}", "status: 1",
		"status: {resourceRules: null}", "status: {resourceRules: {}}",
		"status: {resourceRules: [null, 1, [], {}]}",
		"status: {resourceRules: [{verbs: get, apiGroups: [1], "
		"resources: [null]}]}" };

	(void)state;
	assert_false(kubernetes_rule_granted(&rule, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct doc *d =
			yaml_doc_read(texts[i], strlen(texts[i]), NULL);

		assert_non_null(d);
		assert_false(kubernetes_rule_granted(&rule, d));
		doc_free(d);
	}
}

static void
review_is(struct doc *d, const char *want)
{
	struct str text;

	str_init(&text);
	json_doc_write(d, 0, &text);
	assert_string_equal(text.data, want);
	str_fini(&text);
	doc_free(d);
}

static void
test_reviews(void **state)
{
	static const struct kubernetes_rule all = { "list", "gloo.solo.io",
		"upstreams", NULL, NULL };
	static const struct kubernetes_rule one = { "create", "",
		"serviceaccounts/token", "a", "b" };

	(void)state;
	review_is(kubernetes_rules_review("a"),
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
		"\"SelfSubjectRulesReview\",\"spec\":{\"namespace\":\"a\"}}");
	review_is(kubernetes_rule_review(&all),
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
		"\"SelfSubjectAccessReview\",\"spec\":{\"resourceAttributes\":"
		"{\"group\":\"gloo.solo.io\",\"resource\":\"upstreams\","
		"\"verb\":\"list\"}}}");
	review_is(kubernetes_rule_review(&one),
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
		"\"SelfSubjectAccessReview\",\"spec\":{\"resourceAttributes\":"
		"{\"group\":\"\",\"name\":\"a\",\"namespace\":\"b\","
		"\"resource\":\"serviceaccounts\",\"subresource\":\"token\","
		"\"verb\":\"create\"}}}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_watched_namespaces),
		cmocka_unit_test(test_granted),
		cmocka_unit_test(test_answers_of_other_forms),
		cmocka_unit_test(test_reviews),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
