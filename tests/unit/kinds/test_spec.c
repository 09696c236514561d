/* The specs of all kinds: flags in, document out, details, prompts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "kinds.h"

static const struct upstream_kind *
kind_get(const char *key)
{
	const struct upstream_kind *kind = kind_find(upstream_kinds, key);

	if (kind == NULL)
		fail_msg("there is no kind %s", key);
	return kind;
}

static int
flag_set(const struct upstream_kind *kind, struct doc *spec, const char *name,
	const char *value, struct error *err)
{
	for (const struct kind_flag *f = kind->flags; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f->set(spec, value, err);
	fail_msg("%s has no flag %s", kind->key, name);
	return -1;
}

struct flag_value {
	const char *name, *value;
};

static void
test_flags(void **state)
{
	static const struct {
		const char *key;
		struct flag_value flags[12];
		const char *printed, *details;
	} rows[] = {
		{ "static",
			{ { "static-hosts", "a, b:81,[::1]:82,[::2],::3" },
				{ "static-hosts", "10.0.0.1:443" },
				{ "static-outbound-tls", "false" } },
			"hosts:\n"
			"- addr: a\n  port: 80\n"
			"- addr: b\n  port: 81\n"
			"- addr: ::1\n  port: 82\n"
			"- addr: ::2\n  port: 80\n"
			"- addr: ::3\n  port: 80\n"
			"- addr: 10.0.0.1\n  port: 443\n"
			"useTls: false\n",
			"hosts:\n- a:80\n- b:81\n- [::1]:82\n- [::2]:80\n"
			"- [::3]:80\n- 10.0.0.1:443\n" },
		{ "static",
			{ { "static-hosts", "a,_http._tcp.b.test,::1" },
				{ "static-outbound-tls", "true" } },
			"hosts:\n"
			"- addr: a\n  port: 443\n"
			"- addr: _http._tcp.b.test\n"
			"- addr: ::1\n  port: 443\n"
			"useTls: true\n",
			"hosts:\n- a:443\n- _http._tcp.b.test\n"
			"- [::1]:443\n" },
		{ "kube",
			{ { "kube-service", "httpbin" },
				{ "kube-service-port", "8000" },
				{ "kube-service-labels",
					"app=httpbin,a=b=c" } },
			"selector:\n  a: b=c\n  app: httpbin\n"
			"serviceName: httpbin\n"
			"serviceNamespace: default\n"
			"servicePort: 8000\n",
			"svc name:      httpbin\n"
			"svc namespace: default\n"
			"port:          8000\n" },
		{ "kube",
			{ { "kube-service", "a" },
				{ "kube-service-namespace", "b" } },
			"serviceName: a\n"
			"serviceNamespace: b\n"
			"servicePort: 80\n",
			"svc name:      a\n"
			"svc namespace: b\n"
			"port:          80\n" },
		{ "consul",
			{ { "consul-service", "web" },
				{ "consul-service-tags", "a,b" },
				{ "consul-service-tags", "c" } },
			"serviceName: web\nserviceTags:\n- a\n- b\n- c\n",
			"svc name: web\nsvc tags: [a b c]\n" },
		{ "consul", { { "consul-service", "web" } },
			"serviceName: web\n", "svc name: web\nsvc tags: []\n" },
		{ "aws",
			{ { "aws-region", "us-east-2" },
				{ "aws-secret", "gloo-system.aws" } },
			"region: us-east-2\n"
			"secretRef:\n  name: aws\n  namespace: gloo-system\n",
			"region: us-east-2\nsecret: gloo-system.aws\n" },
		{ "aws",
			{ { "aws-secret-name", "x" },
				{ "aws-secret-namespace", "keys" } },
			"region: us-east-1\n"
			"secretRef:\n  name: x\n  namespace: keys\n",
			"region: us-east-1\nsecret: keys.x\n" },
		{ "aws",
			{ { "aws-role-arn",
				  "arn:aws:iam::123456789012:role/r" },
				{ "aws-disable-role-chaining", NULL },
				{ "aws-account-id", "123456789012" },
				{ "aws-endpoint-url", "http://127.0.0.1:3002" },
				{ "aws-use-fips", "true" },
				{ "aws-use-dual-stack", "true" },
				{ "aws-overrides",
					"invocationStyle=ASYNC,unwrapAsAlb="
					"true" },
				{ "aws-overrides",
					"payloadFormatVersion=2.0" } },
			"awsAccountId: \"123456789012\"\n"
			"destinationOverrides:\n"
			"  invocationStyle: ASYNC\n"
			"  payloadFormatVersion: \"2.0\"\n"
			"  unwrapAsAlb: true\n"
			"disableRoleChaining: true\n"
			"endpointUrl: http://127.0.0.1:3002\n"
			"region: us-east-1\n"
			"roleArn: arn:aws:iam::123456789012:role/r\n"
			"useDualStack: true\n"
			"useFips: true\n",
			"region: us-east-1\nsecret: <None>\n" },
		{ "azure",
			{ { "azure-app-name", "my-app" },
				{ "azure-secret-name", "x" } },
			"functionAppName: my-app\n"
			"secretRef:\n  name: x\n  namespace: gloo-system\n",
			"function app name: my-app\nsecret: gloo-system.x\n" },
		{ "azure",
			{ { "azure-app-name", "my-app" },
				{ "azure-slot", "blue" },
				{ "azure-route-prefix", "" },
				{ "azure-functions", "a, b=Anonymous" } },
			"functionAppName: my-app\n"
			"functions:\n"
			"- authLevel: Function\n  functionName: a\n"
			"- authLevel: Anonymous\n  functionName: b\n"
			"routePrefix: \"\"\n"
			"slot: blue\n",
			"function app name: my-app\nsecret: <None>\n"
			"functions:\n- a\n- b\n" },
		{ "azure",
			{ { "azure-app-name", "a" },
				{ "azure-audience", "api://x" },
				{ "azure-subscription-id", "s" },
				{ "azure-resource-group", "g" } },
			"appServiceAuthentication:\n  audience: api://x\n"
			"functionAppName: a\n"
			"resourceGroup: g\n"
			"subscriptionId: s\n",
			"function app name: a\nsecret: <None>\n" },
		{ "azure",
			{ { "azure-app-name", "a" },
				{ "azure-hostname", "fx.example.com" },
				{ "azure-functions", "b=Admin" },
				{ "azure-functions", "c" },
				{ "azure-subscription-id", "s" },
				{ "azure-resource-group", "g" },
				{ "azure-management-url",
					"https://management.example.com" },
				{ "azure-identity-client-id", "client" },
				{ "azure-max-request-bytes", "1000" } },
			"functionAppName: a\n"
			"functions:\n"
			"- authLevel: Admin\n  functionName: b\n"
			"- authLevel: Function\n  functionName: c\n"
			"hostname: fx.example.com\n"
			"managedIdentityClientId: client\n"
			"managementUrl: https://management.example.com\n"
			"maxRequestBytes: 1000\n"
			"resourceGroup: g\n"
			"subscriptionId: s\n",
			"function app name: a\nsecret: <None>\n"
			"functions:\n- b\n- c\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct upstream_kind *kind = kind_get(rows[i].key);
		struct doc *d = doc_new_map(), *printed;
		struct error err = ERROR_INIT;
		struct str text;
		void *spec;

		for (size_t j = 0; j < ARRAY_SIZE(rows[i].flags); j++)
			if (rows[i].flags[j].name != NULL &&
				flag_set(kind, d, rows[i].flags[j].name,
					rows[i].flags[j].value, &err) != 0)
				fail_msg("%s: %s", rows[i].flags[j].name,
					err.text);
		spec = kind->read(d, &err);
		if (spec == NULL)
			fail_msg("%s: %s", rows[i].key, err.text);
		printed = kind->print(spec);
		str_init(&text);
		yaml_doc_write(printed, &text);
		assert_string_equal(text.data, rows[i].printed);
		str_clear(&text);
		kind->details(spec, &text);
		assert_string_equal(text.data, rows[i].details);
		str_fini(&text);
		kind->free(spec);
		kind->free(NULL);
		doc_free(printed);
		doc_free(d);
	}
}

static void
test_flags_refused(void **state)
{
	static const struct {
		const char *key, *flag, *value, *error;
	} rows[] = {
		{ "static", "static-hosts", "", "a value is needed" },
		{ "static", "static-hosts", ",", "a value is needed" },
		{ "static", "static-hosts", NULL, "a value is needed" },
		{ "static", "static-hosts", "a:b",
			"\"a:b\" has no port from 1 to 65535 behind \":\"" },
		{ "static", "static-hosts", "a:",
			"\"a:\" has no port from 1 to 65535 behind \":\"" },
		{ "static", "static-hosts", "a:0",
			"\"a:0\" has no port from 1 to 65535 behind \":\"" },
		{ "pipe", "pipe-path", "a", "\"a\" is not an absolute path" },
		{ "consul", "consul-service", "", "must not be empty" },
		{ "static", "static-hosts", ":80",
			"\"\" is neither an address nor a DNS name" },
		{ "static", "static-hosts", "[::1",
			"\"[::1\" is not of the form [address]:port" },
		{ "static", "static-hosts", "[::1]80",
			"\"[::1]80\" is not of the form [address]:port" },
		{ "static", "static-hosts", "http://a",
			"\"http://a\" has no port from 1 to 65535 behind "
			"\":\"" },
		{ "static", "static-outbound-tls", "yes",
			"\"yes\" is neither true nor false" },
		{ "kube", "kube-service-port", "http",
			"\"http\" is not a number" },
		{ "kube", "kube-service-port", "-1", "\"-1\" is not a number" },
		{ "kube", "kube-service-labels", "a",
			"\"a\" is not of the form key=value" },
		{ "kube", "kube-service-labels", "=a",
			"\"=a\" is not of the form key=value" },
		{ "kube", "kube-service", "", "a value is needed" },
		{ "kube", "service-spec-type", "soap",
			"\"soap\" is neither rest nor grpc" },
		{ "aws", "aws-secret", "aws",
			"\"aws\" is not of the form namespace.name" },
		{ "azure", "azure-secret", ".a",
			"\".a\" is not of the form namespace.name" },
		{ "azure", "azure-max-request-bytes", "many",
			"\"many\" is not a number" },
		{ "aws", "aws-overrides", "unwrapAsAlb",
			"\"unwrapAsAlb\" is not of the form key=value" },
		{ "aws", "aws-overrides", "=true",
			"\"=true\" is not of the form key=value" },
		{ "aws", "aws-overrides", "", "a value is needed" },
		{ "aws", "aws-use-fips", "maybe",
			"\"maybe\" is neither true nor false" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *d = doc_new_map();
		struct error err = ERROR_INIT;

		if (flag_set(kind_get(rows[i].key), d, rows[i].flag,
			    rows[i].value, &err) == 0)
			fail_msg("--%s %s was taken", rows[i].flag,
				rows[i].value);
		assert_string_equal(err.text, rows[i].error);
		doc_free(d);
	}
}

/* Taken, so that the daemon can say that it does not serve it. */
static void
test_service_spec(void **state)
{
	static const char *const keys[] = { "static", "kube", "consul" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct doc *d = doc_new_map();
		struct error err = ERROR_INIT;

		assert_int_equal(flag_set(kind_get(keys[i]), d,
					 "service-spec-type", "grpc", &err),
			0);
		assert_int_equal(doc_type(doc_find(d, "serviceSpec", "grpc",
					 NULL)),
			DOC_MAP);
		assert_null(kind_get(keys[i])->read(d, &err));
		assert_non_null(strstr(err.text, "serviceSpec"));
		doc_free(d);
	}
}

static void
test_switch(void **state)
{
	struct doc *d = doc_new_map();

	(void)state;
	assert_int_equal(flag_set(kind_get("static"), d, "static-outbound-tls",
				 NULL, NULL),
		0);
	assert_true(doc_bool(doc_get(d, "useTls")));
	doc_free(d);
}

/* Details with functions, which no flag sets. */
static void
test_functions(void **state)
{
	static const struct {
		const char *key, *text, *details;
	} rows[] = {
		{ "aws",
			"lambdaFunctions:\n"
			"- {logicalName: a, lambdaFunctionName: a}\n"
			"- {logicalName: \"a:1\", lambdaFunctionName: a}\n",
			"region: us-east-1\nsecret: <None>\n"
			"functions:\n- a\n- a:1\n" },
		{ "azure", "functionAppName: a\nfunctions: [{functionName: f}]",
			"function app name: a\nsecret: <None>\n"
			"functions:\n- f\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct upstream_kind *kind = kind_get(rows[i].key);
		struct error err = ERROR_INIT;
		struct doc *d =
			yaml_doc_read(rows[i].text, strlen(rows[i].text), &err);
		void *spec = kind->read(d, &err);
		struct str text;

		if (spec == NULL)
			fail_msg("%s", err.text);
		str_init(&text);
		kind->details(spec, &text);
		assert_string_equal(text.data, rows[i].details);
		str_fini(&text);
		kind->free(spec);
		doc_free(d);
	}
}

/* What every kind must have, whoever adds one. */
static void
test_contract(void **state)
{
	(void)state;
	for (const struct upstream_kind *const *k = upstream_kinds; *k != NULL;
		k++) {
		const struct upstream_kind *kind = *k;

		assert_true(strlen(kind->key) > 0 && strlen(kind->title) > 0);
		assert_ptr_equal(kind_find(upstream_kinds, kind->key), kind);
		assert_non_null(kind->read);
		assert_non_null(kind->print);
		assert_non_null(kind->free);
		assert_non_null(kind->details);
		assert_true((kind->watch == NULL) == (kind->unwatch == NULL));
		/* Which cannot be served always, or not without settings. */
		assert_true((kind->watch == NULL ||
				    (kind->open != NULL &&
					    !kind->settings_optional)) ==
			    (kind->not_served != NULL));
		assert_true(
			(kind->open == NULL) == (kind->settings_key == NULL));
		assert_true(
			(kind->dialect == NULL) == (kind->function_key == NULL));
		for (const struct kind_prompt *p = kind->prompts;
			p != NULL && p->question != NULL; p++) {
			bool found = false;

			for (const struct kind_flag *f = kind->flags;
				f->name != NULL; f++)
				found |= strcmp(f->name, p->flag) == 0;
			assert_true(found);
		}
	}
	assert_non_null(kind_get("static")->watch);
	assert_string_equal(kind_get("kube")->settings_key, "kubernetes");
	assert_string_equal(kind_get("kube")->title, "Kubernetes");
	assert_string_equal(kind_get("aws")->title, "AWS");
	assert_string_equal(kind_get("azure")->title, "Azure");
	assert_string_equal(kind_get("consul")->title, "Consul");
	assert_string_equal(kind_get("static")->title, "Static");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_flags_refused),
		cmocka_unit_test(test_service_spec),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
