/*
 * What all upstreams of kind kube share: the account, the namespaces, which
 * upstreams are found and gone, what is wrong with single objects.
 */
#include "kubernetes_cluster_fake.h"

static void
test_account(void **state)
{
	static const uint64_t delays[] = { 800, 1600, 3200, 6400, 12800, 25600,
		30000, 30000 };
	struct upstream u;

	(void)state;
	account_problem = "kubeconfig /x: no such file";
	begin("{}");
	watch(&u, "u", WEB);
	told_is("");
	pass(0);
	told_is("account error: kubeconfig /x: no such file\n"
		"u not ok: kubeconfig /x: no such file\n");
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		account_problem = i % 2 ? "that" : "this";
		pass(delays[i] - 1);
		told_is("");
		pass(1);
		told_is(i % 2 ? "account error: that\n"
			      : "account error: this\n");
	}
	account_problem = NULL;
	pass(30000);
	told_is("account ok\n"
		"follow services\n"
		"follow endpointslices\n"
		"resources\n");
	unwatch(&u);
	str_clear(&told);
	end();
}

static void
test_namespaces(void **state)
{
	struct upstream u, v;

	(void)state;
	begin("watchNamespaces: [default, other]");
	pass(0);
	told_is("follow services in default\n"
		"follow endpointslices in default\n"
		"follow services in other\n"
		"follow endpointslices in other\n"
		"resources\n");
	watch(&u, "u", "{serviceName: x, serviceNamespace: third}");
	told_is("u not ok: namespace \"third\" is not watched: add it to "
		"kubernetes.watchNamespaces\n");
	watch(&v, "v", WEB);
	is_now("services in other", KUBERNETES_FORBIDDEN, "cannot list");
	told_is("services error: namespace other: cannot list\n");
	put("services in default", SERVICE);
	settled("services in default");
	slice_put_at("endpointslices in default", "a", "10.0.0.1");
	settled("endpointslices in default");
	pass(0);
	/* What the other namespace has is not known. */
	told_is("found default-web-80 of default/web\n"
		"settled default third\n"
		"v: 10.0.0.1:8080*\nv ok\n");
	settled("services in other");
	told_is("settled\n");
	unwatch(&u);
	unwatch(&v);
	end();
}

/* Objects that cannot be taken. */
#define ODD_SERVICE                                                            \
	"metadata: {name: b, namespace: default}\n"                            \
	"spec: {ports: 1}\n"
#define MENDED_SERVICE                                                         \
	"metadata: {name: b, namespace: default}\n"                            \
	"spec: {}\n"
#define ODD_SERVICE_TOLD                                                       \
	"objects warning: Service default/b is passed over: spec.ports: "      \
	"expected a list, found an integer\n"
#define ODD_SLICE                                                              \
	"metadata: {name: a, namespace: default,"                              \
	" labels: {kubernetes.io/service-name: web}}\n"

static void
test_objects(void **state)
{
	(void)state;
	begin_settled();
	put("services", ODD_SERVICE);
	told_is(ODD_SERVICE_TOLD);
	put("endpointslices", ODD_SLICE);
	told_is("objects warning: EndpointSlice default/a is passed over: "
		"addressType: expected IPv4, IPv6 or FQDN, found \"\" (and 1 "
		"more)\n");
	put("endpointslices", ODD_SLICE);
	told_is("");
	gone("endpointslices", "default", "a");
	told_is(ODD_SERVICE_TOLD);
	put("services", MENDED_SERVICE);
	told_is("objects ok\n");
	end();
}

/* What is there but cannot be taken may be what an earlier run knew: nothing of
 * it is given up. */
static void
test_not_whole(void **state)
{
	struct upstream u;

	(void)state;
	begin_following("{}");
	watch(&u, "u", WEB);
	settled_in_part("services");
	settled_in_part("endpointslices");
	pass(100);
	told_is("u not ok: there is no service \"web\" in namespace "
		"\"default\"\n");
	service_put();
	told_is("found default-web-80 of default/web\n");
	pass(100);
	told_is("u ok\n");
	/* A relist that is whole, but for an object that cannot be taken. */
	put("services", ODD_SERVICE);
	put("endpointslices", ODD_SLICE);
	settled("services");
	settled("endpointslices");
	str_clear(&told);
	pass(100);
	told_is("");
	put("services", MENDED_SERVICE);
	assert_non_null(strstr(told.data, "settled\n"));
	str_clear(&told);
	pass(100);
	told_is("");
	gone("endpointslices", "default", "a");
	told_is("objects ok\n");
	pass(100);
	told_is("u: none\n");
	unwatch(&u);
	end();
}

static void
test_upstreams_refused(void **state)
{
	(void)state;
	begin_settled();
	found_problem = "an upstream of that name was made by hand";
	put("services", "metadata: {name: b, namespace: default}\n"
			"spec: {ports: [{port: 1}]}\n");
	told_is("found default-b-1 of default/b\n"
		"upstreams warning: upstream default-b-1 is not made: an "
		"upstream of that name was made by hand\n");
	gone("services", "default", "b");
	told_is("upstreams ok\ngone default-b-1\n");
	end();
}

/* Two services whose port 80 makes an upstream of one name, a-b-c-80. */
#define OLDER                                                                  \
	"metadata: {name: b-c, namespace: a,"                                  \
	" creationTimestamp: \"2026-01-01T00:00:00Z\"}\n"                      \
	"spec: {ports: [{port: 80}]}\n"
#define YOUNGER                                                                \
	"metadata: {name: c, namespace: a-b,"                                  \
	" creationTimestamp: \"2026-01-02T00:00:00Z\"}\n"                      \
	"spec: {ports: [{port: 80}]}\n"

/* The older of two has the name; it goes over without being gone in between. */
static void
test_clash(void **state)
{
	(void)state;
	begin_settled();
	put("services", YOUNGER);
	told_is("found a-b-c-80 of a-b/c\n");
	put("services", OLDER);
	assert_non_null(strstr(told.data, "found a-b-c-80 of a/b-c\n"));
	assert_non_null(strstr(told.data,
		"upstreams warning: port 80 of service a-b/c makes no "
		"upstream"));
	assert_null(strstr(told.data, "gone"));
	str_clear(&told);
	gone("services", "a", "b-c");
	assert_non_null(strstr(told.data, "found a-b-c-80 of a-b/c\n"));
	assert_non_null(strstr(told.data, "upstreams ok\n"));
	assert_null(strstr(told.data, "gone"));
	str_clear(&told);
	gone("services", "a-b", "c");
	told_is("gone a-b-c-80\n");
	end();
}

/* Also in the first list, where the younger comes first. */
static void
test_clash_listed(void **state)
{
	(void)state;
	begin_following("{}");
	put("services", YOUNGER);
	put("services", OLDER);
	settled("services");
	told_is("upstreams warning: port 80 "
		"of service a-b/c makes no upstream: \"a-b-c-80\" is that of "
		"the service a/b-c, which is older; create an upstream of "
		"another name for it\n"
		"found a-b-c-80 of a/b-c\nsettled\n");
	end();
}

/* Nor does it decide which namespace is listed first. */
static void
test_clash_of_namespaces(void **state)
{
	(void)state;
	said = yaml("upstreamSpec: {kube: {serviceNamespace: a,"
		    " serviceName: b-c, servicePort: 80}}");
	begin_following("watchNamespaces: [a, a-b]");
	put("services in a-b", YOUNGER);
	settled("services in a-b");
	told_is("settled\n");
	put("services in a", OLDER);
	settled("services in a");
	assert_non_null(strstr(told.data, "found a-b-c-80 of a/b-c\n"));
	assert_null(strstr(told.data, "of a-b/c\n"));
	end();
	/* It is there no more. */
	begin_following("watchNamespaces: [a, a-b]");
	put("services in a-b", YOUNGER);
	settled("services in a-b");
	told_is("settled\n");
	settled("services in a");
	told_is("found a-b-c-80 of a-b/c\nsettled\n");
	end();
	doc_free(said);
	said = NULL;
}

static void
test_without_discovery(void **state)
{
	struct upstream u;

	(void)state;
	begin("{discovery: false}");
	pass(0);
	/* Which still keep the address of the box. */
	told_is("follow services\nfollow endpointslices\nresources\n");
	service_put();
	settled("services");
	slice_put("10.0.0.1");
	settled("endpointslices");
	pass(100);
	told_is("");
	watch(&u, "u", WEB);
	told_is("u: 10.0.0.1:8080*\nu ok\n");
	unwatch(&u);
	end();
}

static void
on_preview(struct doc *d, void *arg)
{
	(void)arg;
	str_printf(&told, "preview %s\n",
		doc_get_text(doc_get(d, "metadata"), "name"));
	doc_free(d);
}

static void
test_preview(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	begin_following("discovery: false");
	is_now("services", KUBERNETES_STALE, "connection refused");
	str_clear(&told);
	assert_int_equal(upstream_kind_kubernetes.preview(
				 cluster, on_preview, NULL, &err),
		-1);
	assert_string_equal(err.text,
		"the services of the cluster were not listed yet: connection "
		"refused");
	service_put();
	settled("services");
	str_clear(&told);
	assert_int_equal(upstream_kind_kubernetes.preview(
				 cluster, on_preview, NULL, &err),
		0);
	told_is("preview default-web-80\n");
	end();
}

static void
test_judged(void **state)
{
	struct kind_verdict verdict = { .name = "x" };

	(void)state;
	begin("{}");
	upstream_kind_kubernetes.judged(cluster, &verdict);
	told_is("");
	pass(0);
	str_clear(&told);
	upstream_kind_kubernetes.judged(cluster, &verdict);
	told_is("judged x\n");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_not_whole),
		cmocka_unit_test(test_upstreams_refused),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_clash_listed),
		cmocka_unit_test(test_clash_of_namespaces),
		cmocka_unit_test(test_without_discovery),
		cmocka_unit_test(test_preview),
		cmocka_unit_test(test_judged),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
