/*
 * The endpoints of an upstream while slices come and go, and while the API
 * server, or its rights there, do.
 */
#include "kubernetes_cluster_fake.h"

static void
test_beginning(void **state)
{
	struct upstream u;

	(void)state;
	begin("{}");
	watch(&u, "u", WEB);
	pass(0);
	told_is("follow services\nfollow endpointslices\nresources\n");
	service_put();
	slice_put("10.0.0.1");
	pass(1000);
	/* Half of it is nothing yet. */
	told_is("");
	settled("services");
	told_is("found default-web-80 of default/web\nsettled\n");
	slice_put_at("endpointslices", "web-2", "10.0.0.2");
	pass(1000);
	told_is("");
	settled("endpointslices");
	told_is("");
	pass(0);
	told_is("u: 10.0.0.1:8080* 10.0.0.2:8080*\nu ok\n");
	/* Again, after a relist: nothing is another than it was. */
	settled("services");
	settled("endpointslices");
	service_put();
	pass(1000);
	told_is("");
	unwatch(&u);
	end();
}

/* What comes later is served at once. */
static void
test_late_watch(void **state)
{
	struct upstream u, v;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	told_is("u: 10.0.0.1:8080*\nu ok\n");
	watch(&v, "v", WEB);
	told_is("v: 10.0.0.1:8080*\nv ok\n");
	pass(100);
	slice_put("10.0.0.2");
	pass(0);
	assert_non_null(strstr(told.data, "u: 10.0.0.2:8080*\n"));
	assert_non_null(strstr(told.data, "v: 10.0.0.2:8080*\n"));
	str_clear(&told);
	unwatch(&u);
	slice_put("10.0.0.3");
	pass(100);
	told_is("v: 10.0.0.3:8080*\n");
	unwatch(&v);
	slice_put("10.0.0.4");
	pass(100);
	told_is("");
	end();
}

/* The first change at once, then one set per 50 ms, the last one always. */
static void
test_coalescing(void **state)
{
	struct upstream u;
	char ip[16];

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	str_clear(&told);
	slice_put("10.0.0.2");
	/* of one piece: one report */
	slice_put("10.0.0.3");
	pass(0);
	told_is("u: 10.0.0.3:8080*\n");
	slice_put("10.0.0.4");
	pass(49);
	told_is("");
	slice_put("10.0.0.5");
	pass(1);
	told_is("u: 10.0.0.5:8080*\n");
	/* There and back is no change. */
	slice_put("10.0.0.6");
	slice_put("10.0.0.5");
	pass(50);
	told_is("");
	/* 1000 changes in one second are at most 21 reports. */
	pass(1000);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(ip, sizeof(ip), "10.0.1.%u", i % 250 + 1);
		slice_put(ip);
		pass(1);
	}
	pass(50);
	size_t reports = 0;
	for (const char *p = told.data; (p = strchr(p, '\n')) != NULL; p++)
		reports++;
	assert_in_range(reports, 19, 21);
	assert_non_null(strstr(told.data, "u: 10.0.1.250:8080*\n"));
	str_clear(&told);
	unwatch(&u);
	end();
}

/* Another pod at the same address is another set. */
static void
test_owner(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	str_clear(&told);
	put("endpointslices",
		"metadata: {name: web-1, namespace: default,\n"
		"  labels: {kubernetes.io/service-name: web}}\n"
		"addressType: IPv4\n"
		"ports: [{name: http, port: 8080}]\n"
		"endpoints: [{addresses: [10.0.0.1],"
		" targetRef: {kind: Pod, uid: another}}]\n");
	pass(0);
	told_is("u: 10.0.0.1:8080*\n");
	unwatch(&u);
	end();
}

/* An outage takes nothing away; it is said of the part at once, and of each
 * upstream after a while. */
static void
test_stale(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	str_clear(&told);
	is_now("endpointslices", KUBERNETES_STALE, "connection refused");
	told_is("endpoints warning: connection refused\n");
	is_now("services", KUBERNETES_STALE, "timeout");
	told_is("services warning: timeout\n");
	pass(29999);
	told_is("");
	is_now("services", KUBERNETES_STALE, "connection refused");
	told_is("services warning: connection refused\n");
	pass(1);
	told_is("u not ok: connection refused\n");
	is_now("services", KUBERNETES_STALE, "timeout");
	told_is("services warning: timeout\n");
	pass(100000);
	told_is("");
	is_now("services", KUBERNETES_CURRENT, NULL);
	is_now("endpointslices", KUBERNETES_CURRENT, NULL);
	told_is("services ok\nendpoints ok\n");
	pass(0);
	told_is("u ok\n");
	unwatch(&u);
	end();
}

/* Before anything was heard it is said at once. */
static void
test_stale_at_start(void **state)
{
	struct upstream u;

	(void)state;
	begin_following("{}");
	watch(&u, "u", WEB);
	told_is("");
	is_now("services", KUBERNETES_STALE, "connection refused");
	pass(0);
	told_is("services warning: connection refused\n"
		"u not ok: connection refused\n");
	unwatch(&u);
	end();
}

static void
test_forbidden(void **state)
{
	struct upstream u;

	(void)state;
	begin_following("{}");
	watch(&u, "u", WEB);
	service_put();
	settled("services");
	refusals = 0;
	is_now("endpointslices", KUBERNETES_FORBIDDEN,
		"cannot list endpointslices");
	assert_int_equal(refusals, 1);
	told_is("found default-web-80 of default/web\n"
		/* What endpoints they have is no matter for that. */
		"settled\n"
		"endpoints error: cannot list endpointslices\n");
	pass(0);
	told_is("u not ok: cannot list endpointslices\n");
	gone("services", "default", "web");
	told_is("gone default-web-80\n");
	pass(100);
	told_is("");
	unwatch(&u);
	end();
}

/* An old server: Endpoints, until it has slices. */
static void
test_core_endpoints(void **state)
{
	struct upstream u;

	(void)state;
	begin_following("{}");
	watch(&u, "u", WEB);
	service_put();
	settled("services");
	str_clear(&told);
	is_now("endpointslices", KUBERNETES_ABSENT, "not found");
	told_is("follow endpoints\n"
		"endpoints note: the API server has no EndpointSlices: "
		"Endpoints are read, which hold at most 1000 addresses of a "
		"service\n");
	/* That there are no slices does not tell that there is no endpoint. */
	settled("endpointslices");
	pass(100);
	told_is("");
	put("endpoints",
		"metadata: {name: web, namespace: default}\n"
		"subsets: [{addresses: [{ip: 10.0.0.1}],"
		" ports: [{name: http, port: 8080}]}]\n");
	pass(100);
	told_is("");
	settled("endpoints");
	told_is("");
	pass(0);
	told_is("u: 10.0.0.1:8080\nu ok\n");
	pass(100);
	is_now("endpointslices", KUBERNETES_CURRENT, NULL);
	slice_put("10.0.0.2");
	pass(0);
	told_is("endpoints ok\nu: 10.0.0.1:8080 10.0.0.2:8080*\n");
	settled("endpointslices");
	told_is("unfollow endpoints\n");
	pass(100);
	told_is("u: 10.0.0.2:8080*\n");
	unwatch(&u);
	end();
}

#define ENDPOINTS(ns)                                                          \
	"metadata: {name: web, namespace: " ns "}\n"                           \
	"subsets: [{addresses: [{ip: 10.0.0.1}],"                              \
	" ports: [{name: http, port: 8080}]}]\n"

/* Of one namespace, while another one, whose name begins alike, still needs
 * them. */
static void
test_core_endpoints_of_one(void **state)
{
	struct upstream u, v;

	(void)state;
	begin_following("watchNamespaces: [default, default-b]");
	watch(&u, "u", WEB);
	watch(&v, "v", "{serviceName: web, serviceNamespace: default-b}");
	is_now("endpointslices in default", KUBERNETES_ABSENT, "not found");
	is_now("endpointslices in default-b", KUBERNETES_ABSENT, "not found");
	put("services in default", SERVICE);
	settled("services in default");
	put("services in default-b",
		"metadata: {name: web, namespace: default-b}\n"
		"spec: {ports: [{name: http, port: 80}]}\n");
	settled("services in default-b");
	put("endpoints in default", ENDPOINTS("default"));
	settled("endpoints in default");
	put("endpoints in default-b", ENDPOINTS("default-b"));
	settled("endpoints in default-b");
	pass(100);
	is_now("endpointslices in default", KUBERNETES_CURRENT, NULL);
	str_clear(&told);
	slice_put_at("endpointslices in default", "web-1", "10.0.0.2");
	is_now("endpointslices in default", KUBERNETES_CURRENT, NULL);
	str_clear(&told);
	settled("endpointslices in default");
	pass(100);
	told_is("unfollow endpoints in default\nu: 10.0.0.2:8080*\n");
	unwatch(&u);
	unwatch(&v);
	end();
}

/* The other way round: nothing is known between the one and the other, which
 * takes nothing away. */
static void
test_slices_no_more(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	str_clear(&told);
	gone("endpointslices", "default", "web-1");
	is_now("endpointslices", KUBERNETES_ABSENT, "not found");
	pass(100);
	assert_null(strstr(told.data, "u: "));
	str_clear(&told);
	put("endpoints",
		"metadata: {name: web, namespace: default}\n"
		"subsets: [{addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}],"
		" ports: [{name: http, port: 8080}]}]\n");
	pass(100);
	told_is("");
	settled("endpoints");
	pass(100);
	told_is("u: 10.0.0.1:8080 10.0.0.2:8080\n");
	unwatch(&u);
	end();
}

/* One of 1000 upstreams changes: one of 1000 is looked at. */
static void
test_many(void **state)
{
	struct upstream *all = xcalloc(1000, sizeof(*all));
	char *text;

	(void)state;
	begin_following("{}");
	for (size_t i = 0; i < 1000; i++) {
		text = xasprintf("{serviceName: s%zu, serviceNamespace: "
				 "default, servicePort: 80}",
			i);
		watch(&all[i], "u", text);
		free(text);
		text = xasprintf("metadata: {name: s%zu, namespace: default}\n"
				 "spec: {ports: [{port: 80}]}\n",
			i);
		put("services", text);
		free(text);
	}
	settled("services");
	settled("endpointslices");
	pass(100);
	str_clear(&told);
	fake_timers_started = 0;
	put("endpointslices",
		"metadata: {name: x, namespace: default,\n"
		"  labels: {kubernetes.io/service-name: s500}}\n"
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n");
	pass(100);
	told_is("u: 10.0.0.1:80\n");
	assert_int_equal(fake_timers_started, 1);
	for (size_t i = 0; i < 1000; i++)
		unwatch(&all[i]);
	free(all);
	end();
}

/* A slice of 1000 endpoints of default/web, made without a text. */
static void
slice_put_large(size_t number)
{
	struct kubernetes_reflector *r = reflector("endpointslices");
	struct doc *d = yaml("metadata: {namespace: default,\n"
			     "  labels: {kubernetes.io/service-name: web}}\n"
			     "addressType: IPv4\n"
			     "ports: [{name: http, port: 8080}]\n");
	struct doc *list = doc_set(d, "endpoints", doc_new_list());
	char text[32];

	snprintf(text, sizeof(text), "large-%zu", number);
	doc_set_string(doc_get(d, "metadata"), "name", text);
	for (size_t i = 0; i < 1000; i++) {
		struct doc *one = doc_add(list, doc_new_map());
		struct doc *addresses =
			doc_set(one, "addresses", doc_new_list());

		snprintf(text, sizeof(text), "10.%zu.%zu.%zu", number + 1,
			i / 250, i % 250 + 1);
		doc_add(addresses, doc_new_string(text));
	}
	r->events.put(d, "v1", r->arg);
	doc_free(d);
}

static void
test_too_many_endpoints(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	for (size_t i = 0; i < 66; i++)
		slice_put_large(i);
	watch(&u, "u", WEB);
	assert_int_equal(u.last_count, ENDPOINTS_MAX);
	told_is("u: 65536 endpoints\nu ok\n"
		"u note 66001 endpoints, 65536 are used\n");
	unwatch(&u);
	str_clear(&told);
	end();
}

static void
test_no_cluster(void **state)
{
	struct upstream u;

	(void)state;
	cluster = NULL;
	watch(&u, "u", WEB);
	assert_null(u.state);
	unwatch(&u);
	told_is("");
	upstream_kind_kubernetes.close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beginning),
		cmocka_unit_test(test_late_watch),
		cmocka_unit_test(test_coalescing),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_stale_at_start),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_core_endpoints),
		cmocka_unit_test(test_core_endpoints_of_one),
		cmocka_unit_test(test_slices_no_more),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_too_many_endpoints),
		cmocka_unit_test(test_no_cluster),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
