/* Tests what is built in of config/kubernetes/: every object has its place at
 * the API server, is marked as ours, and the box's address comes into the
 * slice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"
#include "kinds/kubernetes/manifest.h"

static void
test_paths(void **state)
{
	static const char places[] =
		"namespace/gloo-system /api/v1/namespaces/gloo-system\n"
		"serviceaccount/gloo-gateway /api/v1/namespaces/gloo-system/"
		"serviceaccounts/gloo-gateway\n"
		"clusterrole.rbac.authorization.k8s.io/gloo-gateway /apis/"
		"rbac.authorization.k8s.io/v1/clusterroles/gloo-gateway\n"
		"clusterrolebinding.rbac.authorization.k8s.io/gloo-gateway "
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/"
		"gloo-gateway\n"
		"role.rbac.authorization.k8s.io/gloo-gateway /apis/"
		"rbac.authorization.k8s.io/v1/namespaces/gloo-system/roles/"
		"gloo-gateway\n"
		"rolebinding.rbac.authorization.k8s.io/gloo-gateway /apis/"
		"rbac.authorization.k8s.io/v1/namespaces/gloo-system/"
		"rolebindings/gloo-gateway\n"
#define CRD(name)                                                              \
	"customresourcedefinition.apiextensions.k8s.io/" name " /apis/"        \
	"apiextensions.k8s.io/v1/customresourcedefinitions/" name "\n"
		CRD("virtualservices.gateway.solo.io")
		CRD("routetables.gateway.solo.io")
		CRD("gateways.gateway.solo.io")
		CRD("upstreams.gloo.solo.io")
		CRD("upstreamgroups.gloo.solo.io")
#undef CRD
		"service/gateway-proxy /api/v1/namespaces/gloo-system/services/"
		"gateway-proxy\n"
		"endpointslice.discovery.k8s.io/gateway-proxy /apis/"
		"discovery.k8s.io/v1/namespaces/gloo-system/endpointslices/"
		"gateway-proxy\n";
	struct doc *all = kubernetes_manifests();
	struct str text;

	(void)state;
	str_init(&text);
	for (size_t i = 0; i < doc_count(all); i++) {
		char *label = kubernetes_manifest_label(doc_at(all, i));
		char *path = kubernetes_manifest_path(doc_at(all, i));

		str_printf(&text, "%s %s\n", label, path);
		if (!kubernetes_manifest_ours(doc_at(all, i)))
			fail_msg("%s is not marked as ours", label);
		free(label);
		free(path);
	}
	assert_string_equal(text.data, places);
	str_fini(&text);
	doc_free(all);
}

static bool
list_is(const struct doc *list, const char *only)
{
	return doc_count(list) == 1 &&
	       strcmp(doc_string(doc_at(list, 0)), only) == 0;
}

/* Each definition serves v1 with a status of its own, keeps what it does not
 * know, and has the short name that Gloo gave it. */
static void
test_definitions(void **state)
{
	static const char *const shorts[] = { "vs", "rt", "gw", "us", "ug" };
	struct doc *all = kubernetes_manifests();
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < doc_count(all); i++) {
		const struct doc *d = doc_at(all, i);
		const struct doc *version = doc_at(
			doc_find(d, "spec", "versions", NULL), 0);
		const struct doc *keep[3];

		if (!kubernetes_manifest_is(d, "CustomResourceDefinition"))
			continue;
		assert_true(n < 5);
		assert_true(list_is(
			doc_find(d, "spec", "names", "shortNames", NULL),
			shorts[n++]));
		assert_string_equal(doc_get_text(version, "name"), "v1");
		assert_true(doc_bool(doc_get(version, "served")));
		assert_true(doc_bool(doc_get(version, "storage")));
		assert_int_equal(doc_type(doc_find(version, "subresources",
					 "status", NULL)),
			DOC_MAP);
		keep[0] = doc_find(version, "schema", "openAPIV3Schema", NULL);
		keep[1] = doc_find(keep[0], "properties", "spec", NULL);
		keep[2] = doc_find(keep[0], "properties", "status", NULL);
		for (size_t k = 0; k < 3; k++)
			assert_true(doc_bool(doc_get(keep[k],
				"x-kubernetes-preserve-unknown-fields")));
	}
	assert_int_equal(n, 5);
	doc_free(all);
}

static const struct doc *
slice_of_all(const struct doc *all)
{
	const struct doc *slice = doc_at(all, doc_count(all) - 1);

	assert_true(kubernetes_manifest_is(slice, "EndpointSlice"));
	return slice;
}

static void
test_address(void **state)
{
	static const struct {
		const char *ip, *family;
	} rows[] = {
		{ "10.0.0.1", "IPv4" },
		{ "2001:db8::1", "IPv6" },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct doc *all = kubernetes_manifests();
		struct error err = ERROR_INIT;
		const struct doc *slice, *one;

		assert_int_equal(
			kubernetes_manifest_address(all, rows[i].ip, &err), 0);
		slice = slice_of_all(all);
		one = doc_at(doc_get(slice, "endpoints"), 0);
		assert_string_equal(
			doc_get_text(slice, "addressType"), rows[i].family);
		assert_true(list_is(doc_get(one, "addresses"), rows[i].ip));
		assert_true(doc_bool(
			doc_find(one, "conditions", "ready", NULL)));
		doc_free(all);
	}
}

static void
test_address_refused(void **state)
{
	static const struct {
		const char *ip, *why;
	} rows[] = {
		{ "127.0.0.1", "it is a loopback address" },
		{ "127.1.2.3", "it is a loopback address" },
		{ "::1", "it is a loopback address" },
		{ "169.254.1.1", "it is a link-local address" },
		{ "fe80::1", "it is a link-local address" },
		{ "224.0.0.1", "it is a multicast address" },
		{ "ff02::1", "it is a multicast address" },
		{ "0.0.0.0", "it is no address of anything" },
		{ "::", "it is no address of anything" },
		{ "box.example", "it is no IP address" },
		{ "", "it is no IP address" },
	};
	struct doc *all = kubernetes_manifests();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = ERROR_INIT;

		if (kubernetes_manifest_address(all, rows[i].ip, &err) == 0)
			fail_msg("%s was taken", rows[i].ip);
		if (strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].ip, err.text);
	}
	assert_int_equal(
		doc_count(doc_get(slice_of_all(all), "endpoints")), 0);
	doc_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_definitions),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_address_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
