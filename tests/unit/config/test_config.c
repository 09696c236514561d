/* Types of documents and the forms they are printed in; what single keys may
 * hold is tested by tests/config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "config/config.h"
#include "kinds.h"

static struct doc *
yaml(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);

	if (d == NULL)
		fail_msg("%s: %s", text, err.text);
	return d;
}

static void
test_type(void **state)
{
	static const struct {
		const char *text;
		int type; /* -1: cannot tell */
	} rows[] = {
		{ "kind: Upstream", MODEL_UPSTREAM },
		{ "kind: VirtualService", MODEL_VIRTUAL_SERVICE },
		{ "kind: Gateway", MODEL_GATEWAY },
		{ "kind: upstream", -1 },
		{ "kind: [a]", -1 },
		{ "kind: UpstreamGroup", MODEL_UPSTREAM_GROUP },
		{ "destinations: []", MODEL_UPSTREAM_GROUP },
		{ "spec: {destinations: []}", MODEL_UPSTREAM_GROUP },
		{ "upstreamSpec: {}", MODEL_UPSTREAM },
		{ "spec: {upstreamSpec: {}}", MODEL_UPSTREAM },
		{ "spec: {static: {}}", MODEL_UPSTREAM },
		{ "static: {}", MODEL_UPSTREAM },
		{ "virtualHost: {}", MODEL_VIRTUAL_SERVICE },
		{ "spec: {virtualHost: {}}", MODEL_VIRTUAL_SERVICE },
		{ "bindPort: 1", MODEL_GATEWAY },
		{ "httpGateway: {}", MODEL_GATEWAY },
		{ "kind: Secret", MODEL_SECRET },
		{ "tls: {}", MODEL_SECRET },
		{ "aws: {accessKey: a}", MODEL_SECRET },
		{ "aws: {region: a}", MODEL_UPSTREAM },
		{ "azure: {apiKeys: {}}", MODEL_SECRET },
		{ "azure: {functionAppName: a}", MODEL_UPSTREAM },
		{ "metadata: {name: a}", -1 },
		{ "metadata: {name: a}\nstatus: {state: 1}", -1 },
		{ "[]", -1 },
		{ "5", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *d = yaml(rows[i].text);
		struct error err = ERROR_INIT;
		enum model_type type;
		int rc = config_type(d, &type, &err);

		if (rc != (rows[i].type < 0 ? -1 : 0) ||
			(rc == 0 && (int)type != rows[i].type))
			fail_msg("%s: %d, %s", rows[i].text, rc, err.text);
		doc_free(d);
	}
}

static void
test_read_type(void **state)
{
	static const struct {
		const char *text;
		enum model_type type;
		const char *error; /* NULL: is read */
	} rows[] = {
		{ "metadata: {name: a}", MODEL_GATEWAY, NULL },
		{ "metadata: {name: a}\nvirtualHost: {}", MODEL_VIRTUAL_SERVICE,
			NULL },
		{ "metadata: {name: a}\nvirtualHost: {}", MODEL_GATEWAY,
			"expected a resource of type Gateway, found one of "
			"type VirtualService" },
		{ "kind: Upstream\nmetadata: {name: a}", MODEL_GATEWAY,
			"expected a resource of type Gateway, found one of "
			"type Upstream" },
		{ "kind: Pod\nmetadata: {name: a}", MODEL_GATEWAY,
			"kind: expected Upstream, UpstreamGroup, "
			"VirtualService, Gateway or Secret" },
		{ "[a]", MODEL_GATEWAY, "expected a map, found a list" },
		{ "metadata: {name: a}", MODEL_UPSTREAM,
			"the key \"upstreamSpec\" is missing" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *d = yaml(rows[i].text);
		struct error err = ERROR_INIT;
		struct model_object *o =
			config_read_type(d, rows[i].type, upstream_kinds, &err);

		if (rows[i].error == NULL) {
			if (o == NULL)
				fail_msg("%s: %s", rows[i].text, err.text);
			assert_int_equal(o->type, rows[i].type);
		} else {
			assert_null(o);
			assert_string_equal(err.text, rows[i].error);
			assert_int_equal(err.line, 1);
		}
		model_object_unref(o);
		doc_free(d);
	}
}

static void
test_without_error(void **state)
{
	struct doc *d = yaml("metadata: {name: a}\nvirtualHost: {routes: 1}");

	(void)state;
	assert_null(config_read(d, upstream_kinds, NULL));
	assert_null(config_read_type(d, MODEL_GATEWAY, upstream_kinds, NULL));
	assert_null(config_read(NULL, upstream_kinds, NULL));
	doc_free(d);
}

static void
test_model(void **state)
{
	struct doc *d = yaml("metadata: {name: vs}\n"
			     "virtualHost:\n"
			     "  domains: [A.com]\n"
			     "  routes:\n"
			     "  - matcher: {exact: /a}\n"
			     "    routeAction:\n"
			     "      single: {upstream: {name: u}}\n"
			     "  - redirectAction: {pathRedirect: /b}\n");
	struct error err = ERROR_INIT;
	struct model_object *o = config_read(d, upstream_kinds, &err);
	struct model_virtual_service *vs;

	(void)state;
	if (o == NULL)
		fail_msg("%s", err.text);
	vs = o->virtual_service;
	assert_int_equal(o->refs, 1);
	assert_string_equal(vs->meta.ns, MODEL_NAMESPACE_DEFAULT);
	assert_string_equal(vs->domains[0], "a.com");
	assert_int_equal(vs->route_count, 2);
	assert_int_equal(vs->routes[0].matchers[0].path_type, MODEL_PATH_EXACT);
	assert_int_equal(vs->routes[0].action, MODEL_ACTION_ROUTE);
	assert_int_equal(vs->routes[0].target, MODEL_TARGET_SINGLE);
	assert_int_equal(vs->routes[0].destinations[0].weight, 1);
	assert_string_equal(vs->routes[0].destinations[0].upstream.ns,
		MODEL_NAMESPACE_DEFAULT);
	assert_false(vs->routes[0].options.timeout.given);
	assert_int_equal(vs->routes[1].action, MODEL_ACTION_REDIRECT);
	assert_int_equal(vs->routes[1].redirect.status, 301);
	model_object_unref(o);
	doc_free(d);
}

static void
test_kube_form(void **state)
{
	struct doc *d = yaml("metadata: {name: a}\n"
			     "status: {state: Accepted}\n"
			     "bindPort: 8080\n");
	struct doc *form = config_kube_form(d, MODEL_GATEWAY);
	struct str text;

	(void)state;
	str_init(&text);
	yaml_doc_write(form, &text);
	assert_string_equal(text.data, "apiVersion: gateway.solo.io/v1\n"
				       "kind: Gateway\n"
				       "metadata:\n"
				       "  name: a\n"
				       "spec:\n"
				       "  bindPort: 8080\n"
				       "status:\n"
				       "  state: Accepted\n");
	str_fini(&text);
	doc_free(form);
	doc_free(d);
}

static void
test_duration(void **state)
{
	uint64_t ms;
	char *text = config_duration_print(90000);

	(void)state;
	assert_string_equal(text, "1m30s");
	assert_int_equal(config_duration_parse(text, &ms), 0);
	assert_int_equal(ms, 90000);
	assert_int_equal(config_duration_parse("soon", &ms), -1);
	free(text);
}

static char *
shown(const char *text, bool kube)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(text), *form;
	struct model_object *o = config_read(d, upstream_kinds, &err);
	struct str out;

	if (o == NULL)
		fail_msg("%s", err.text);
	doc_free(d);
	d = config_print_shown(o);
	if (kube) {
		form = config_kube_form(d, o->type);
		doc_free(d);
		d = form;
	}
	str_init(&out);
	yaml_doc_write(d, &out);
	doc_free(d);
	model_object_unref(o);
	return str_steal(&out);
}

/* No value, but which there are; and what is shown cannot be taken for one. */
static void
test_shown(void **state)
{
	static const struct {
		const char *text;
		bool kube;
		const char *want;
	} rows[] = {
		{ "metadata: {name: a, namespace: ns}\ntls: {certChain: HIDE, "
		  "privateKey: HIDE}",
			false,
			"metadata:\n  name: a\n  namespace: ns\n"
			"tls:\n  certChain: null\n  privateKey: null\n" },
		{ "metadata: {name: a, namespace: ns}\ntls: {certChain: HIDE, "
		  "privateKey: HIDE}",
			true,
			"apiVersion: v1\ndata:\n  tls.crt: null\n"
			"  tls.key: null\nkind: Secret\nmetadata:\n  name: a\n"
			"  namespace: ns\ntype: kubernetes.io/tls\n" },
		{ "metadata: {name: a, namespace: ns}\naws: {accessKey: HIDE, "
		  "secretKey: HIDE}",
			false,
			"aws:\n  accessKey: null\n  secretKey: null\n"
			"metadata:\n  name: a\n  namespace: ns\n" },
		{ "metadata: {name: a, namespace: ns}\n"
		  "azure: {apiKeys: {one: HIDE, two: HIDE}}",
			false,
			"azure:\n  apiKeys:\n    one: null\n    two: null\n"
			"metadata:\n  name: a\n  namespace: ns\n" },
		{ "metadata: {name: a, namespace: ns}\n"
		  "azure: {apiKeys: {x: HIDE}}",
			true,
			"apiVersion: v1\ndata:\n  azure: null\nkind: Secret\n"
			"metadata:\n  name: a\n  namespace: ns\ntype: Opaque\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = shown(rows[i].text, rows[i].kube);
		struct error err = ERROR_INIT;
		struct doc *d;

		assert_string_equal(text, rows[i].want);
		d = yaml(text);
		assert_null(config_read(d, upstream_kinds, &err));
		doc_free(d);
		free(text);
	}
}

static void
test_error_hide(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	config_error_hide(&err);
	assert_int_equal(err.code, ERROR_NONE);
	error_set(&err, ERROR_CONFIG, "unexpected token near 'HIDE'");
	err.line = 3;
	config_error_hide(&err);
	assert_null(strstr(err.text, "HIDE"));
	assert_int_equal(err.line, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type),
		cmocka_unit_test(test_read_type),
		cmocka_unit_test(test_without_error),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_kube_form),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_error_hide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
