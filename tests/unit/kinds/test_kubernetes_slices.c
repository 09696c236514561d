/*
 * Endpoint slices: objects in, endpoints of one port out. The names of the rows
 * are the rules.
 */
#include "told.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "kinds/kubernetes/slices.h"

#define ROOM 64

static void
on_changed(const char *ns, const char *service, void *arg)
{
	(void)arg;
	str_printf(&told, "%s/%s\n", ns, service);
}

static void
put_sort(struct kubernetes_slices *s, enum kubernetes_slice_sort sort,
	const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(text);

	if (kubernetes_slices_put(s, sort, d, &err) != 0)
		fail_msg("%s: %s", err.text, text);
	doc_free(d);
}

/* A slice of default/web; rest is the body. */
static char *
slice(const char *name, const char *rest)
{
	return xasprintf("metadata:\n"
			 "  name: %s\n"
			 "  namespace: default\n"
			 "  labels: {kubernetes.io/service-name: web}\n"
			 "%s",
		name, rest);
}

static void
put(struct kubernetes_slices *s, const char *name, const char *rest)
{
	char *text = slice(name, rest);

	put_sort(s, KUBERNETES_SLICE, text);
	free(text);
}

static void
endpoints_print(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q, struct str *out)
{
	struct endpoint set[ROOM];
	char text[ADDR_TEXT_MAX];
	size_t count = kubernetes_slices_endpoints(s, q, set, ROOM);

	str_clear(out);
	for (size_t i = 0; i < count && i < ROOM; i++) {
		assert_int_equal(set[i].weight, 1);
		assert_int_equal(set[i].health, ENDPOINT_UP);
		assert_string_equal(set[i].host, "");
		str_printf(out, "%s%s", i > 0 ? " " : "",
			addr_format(&set[i].addr, text));
	}
}

static void
query_is(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q, const char *want)
{
	struct str out;

	str_init(&out);
	endpoints_print(s, q, &out);
	assert_string_equal(out.data, want);
	str_fini(&out);
}

static struct kubernetes_slices_query
web(void)
{
	return (struct kubernetes_slices_query){
		.ns = "default",
		.service = "web",
		.port_name = "",
		.protocol = "TCP",
		.family = AF_INET,
	};
}

static void
web_is(const struct kubernetes_slices *s, const char *want)
{
	struct kubernetes_slices_query q = web();

	query_is(s, &q, want);
}

/* One slice each, of IPv4 unless it says otherwise. */
static void
test_conditions(void **state)
{
	static const struct {
		const char *what, *endpoints, *want;
	} rows[] = {
		{ "no conditions: ready", "[{addresses: [10.0.0.1]}]",
			"10.0.0.1:80" },
		{ "null conditions: ready",
			"[{addresses: [10.0.0.1], conditions: null}]",
			"10.0.0.1:80" },
		{ "null ready: ready",
			"[{addresses: [10.0.0.1], conditions: {ready: null}}]",
			"10.0.0.1:80" },
		{ "not ready", "[{addresses: [10.0.0.1], conditions: "
			       "{ready: false}}]",
			"" },
		{ "only the ready ones",
			"[{addresses: [10.0.0.2], conditions: {ready: true}},"
			" {addresses: [10.0.0.1], conditions: {ready: false}}]",
			"10.0.0.2:80" },
		{ "terminating ones not beside a ready one",
			"[{addresses: [10.0.0.2]}, {addresses: [10.0.0.1], "
			"conditions: {ready: false, serving: true, "
			"terminating: true}}]",
			"10.0.0.2:80" },
		{ "terminating ones where none is ready",
			"[{addresses: [10.0.0.2], conditions: {ready: false}},"
			" {addresses: [10.0.0.1], conditions: {ready: false, "
			"serving: true, terminating: true}}]",
			"10.0.0.1:80" },
		{ "serving alone is not enough",
			"[{addresses: [10.0.0.1], conditions: {ready: false, "
			"serving: true}}]",
			"" },
		{ "null serving is as ready: not",
			"[{addresses: [10.0.0.1], conditions: {ready: false, "
			"terminating: true}}]",
			"" },
		{ "null serving is as ready: yes",
			"[{addresses: [10.0.0.1], conditions: {ready: true, "
			"terminating: true}}]",
			"10.0.0.1:80" },
		{ "the first address only",
			"[{addresses: [10.0.0.1, 10.0.0.9]}]", "10.0.0.1:80" },
		{ "sorted", "[{addresses: [10.0.0.10]}, {addresses: "
			    "[10.0.0.9]}]",
			"10.0.0.9:80 10.0.0.10:80" },
		{ "null endpoints", "null", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kubernetes_slices *s =
			kubernetes_slices_new(on_changed, NULL);
		char *rest = xasprintf("addressType: IPv4\n"
				       "ports: [{port: 80}]\n"
				       "endpoints: %s\n",
			rows[i].endpoints);
		struct kubernetes_slices_query q = web();
		struct str out;

		put(s, "a", rest);
		str_init(&out);
		endpoints_print(s, &q, &out);
		if (strcmp(out.data, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].what, out.data);
		told_is("default/web\n");
		str_fini(&out);
		free(rest);
		kubernetes_slices_free(s);
	}
}

static void
test_ports(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();

	(void)state;
	put(s, "a",
		"addressType: IPv4\n"
		"ports: [{name: http, port: 8080, protocol: TCP},"
		" {name: dns, port: 53, protocol: UDP}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n");
	put(s, "b",
		"addressType: IPv4\n"
		"ports: [{name: http, port: 8081}]\n"
		"endpoints: [{addresses: [10.0.0.2]}]\n");
	q.port_name = "http";
	query_is(s, &q, "10.0.0.1:8080 10.0.0.2:8081");
	q.port_name = "dns";
	query_is(s, &q, "");
	q.protocol = "UDP";
	query_is(s, &q, "10.0.0.1:53");
	q.port_name = "other";
	query_is(s, &q, "");
	web_is(s, "");

	put(s, "b",
		"addressType: IPv4\n"
		"ports: null\n"
		"endpoints: [{addresses: [10.0.0.2]}]\n");
	q = web();
	q.port_name = "http";
	query_is(s, &q, "10.0.0.1:8080");
	/* null name, null number: all ports of the pod */
	put(s, "b",
		"addressType: IPv4\n"
		"ports: [{name: null, port: null, protocol: null}]\n"
		"endpoints: [{addresses: [10.0.0.2]}]\n");
	web_is(s, "");
	q.port_name = "";
	q.port = 8000;
	query_is(s, &q, "10.0.0.2:8000");
	kubernetes_slices_free(s);
	str_clear(&told);
}

static void
test_families(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);

	(void)state;
	put(s, "four",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n");
	put(s, "six",
		"addressType: IPv6\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [\"fd00::1\"]}]\n");
	put(s, "name",
		"addressType: FQDN\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [a.example]}]\n");
	web_is(s, "10.0.0.1:80 [fd00::1]:80");
	told_is("default/web\ndefault/web\ndefault/web\n");
	kubernetes_slices_free(s);
}

/* Of a pod that has both, the service's: one endpoint, not two. */
static void
test_two_families(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();

	(void)state;
	put(s, "four",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [10.0.0.1], targetRef: {kind: Pod, uid: u-1},"
		" hints: {forZones: [{name: a}]}}\n"
		"- {addresses: [10.0.0.2], targetRef: {kind: Pod, uid: u-2},"
		" hints: {forZones: [{name: b}]}}\n");
	put(s, "six",
		"addressType: IPv6\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [\"fd00::1\"],"
		" targetRef: {kind: Pod, uid: u-1}}\n"
		"- {addresses: [\"fd00::3\"],"
		" targetRef: {kind: Pod, uid: u-3},"
		" hints: {forZones: [{name: a}]}}\n"
		"- {addresses: [\"fd00::9\"]}\n");
	query_is(s, &q,
		"10.0.0.1:80 10.0.0.2:80 [fd00::3]:80 [fd00::9]:80");
	q.family = AF_INET6;
	query_is(s, &q, "10.0.0.2:80 [fd00::1]:80 [fd00::3]:80 [fd00::9]:80");
	/* Hints are those of the addresses that are used. */
	put(s, "six",
		"addressType: IPv6\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [\"fd00::1\"],"
		" targetRef: {kind: Pod, uid: u-1}}\n");
	q.family = AF_INET;
	q.zone = "a";
	query_is(s, &q, "10.0.0.1:80");
	kubernetes_slices_free(s);
	str_clear(&told);
}

/* The same address in two slices, while one takes it over from the other. */
static void
test_duplicates(void **state)
{
	static const char both[] = "addressType: IPv4\n"
				   "ports: [{port: 80}]\n"
				   "endpoints: [{addresses: [10.0.0.1]},"
				   " {addresses: [10.0.0.2]}]\n";
	static const char one[] = "addressType: IPv4\n"
				  "ports: [{port: 80}]\n"
				  "endpoints: [{addresses: [10.0.0.1]}]\n";
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);

	(void)state;
	put(s, "a", both);
	put(s, "b", both);
	web_is(s, "10.0.0.1:80 10.0.0.2:80");
	put(s, "a", one);
	web_is(s, "10.0.0.1:80 10.0.0.2:80");
	kubernetes_slices_remove(s, KUBERNETES_SLICE, "default", "b");
	web_is(s, "10.0.0.1:80");
	kubernetes_slices_remove(s, KUBERNETES_SLICE, "default", "b");
	kubernetes_slices_remove(s, KUBERNETES_SLICE, "other", "a");
	web_is(s, "10.0.0.1:80");
	told_is("default/web\ndefault/web\ndefault/web\ndefault/web\n");
	kubernetes_slices_remove(s, KUBERNETES_SLICE, "default", "a");
	web_is(s, "");
	assert_int_equal(kubernetes_slices_count(s, KUBERNETES_SLICE), 0);
	told_is("default/web\n");
	kubernetes_slices_free(s);
}

static void
test_moves(void **state)
{
	static const char body[] = "addressType: IPv4\n"
				   "ports: [{port: 80}]\n"
				   "endpoints: [{addresses: [10.0.0.1]}]\n";
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();
	char *moved = xasprintf(
		"metadata: {name: a, namespace: default,\n"
		"  labels: {kubernetes.io/service-name: api}}\n%s",
		body);
	char *nobodys = xasprintf(
		"metadata: {name: a, namespace: default}\n%s", body);

	(void)state;
	put(s, "a", body);
	told_is("default/web\n");
	/* What was known, with other things around it. */
	put(s, "a",
		"addressType: IPv4\n"
		"apiVersion: discovery.k8s.io/v1\n"
		"ports: [{port: 80, name: \"\", appProtocol: http}]\n"
		"endpoints: [{addresses: [10.0.0.1], nodeName: n1,"
		" conditions: {ready: true}}]\n");
	told_is("");
	put_sort(s, KUBERNETES_SLICE, moved);
	told_is("default/api\ndefault/web\n");
	web_is(s, "");
	q.service = "api";
	query_is(s, &q, "10.0.0.1:80");
	put_sort(s, KUBERNETES_SLICE, nobodys);
	told_is("default/api\n");
	query_is(s, &q, "");
	put_sort(s, KUBERNETES_SLICE, nobodys);
	told_is("");
	free(moved);
	free(nobodys);
	kubernetes_slices_free(s);
}

/* Another pod at the same address is another endpoint. */
static void
test_owner(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();
	struct endpoint e[3];
	uint64_t first;

	(void)state;
	put(s, "a",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [10.0.0.1], targetRef: {kind: Pod, uid: u-1}}\n"
		"- {addresses: [10.0.0.2], targetRef: {kind: Pod, uid: u-2}}\n"
		"- {addresses: [10.0.0.3]}\n");
	assert_int_equal(kubernetes_slices_endpoints(s, &q, e, 3), 3);
	assert_int_not_equal(e[0].owner, 0);
	assert_int_not_equal(e[0].owner, e[1].owner);
	assert_int_equal(e[2].owner, 0);
	first = e[0].owner;
	assert_int_equal(first, hash_bytes("u-1", 3, 0));
	str_clear(&told);
	put(s, "a",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [10.0.0.1],"
		" targetRef: {kind: Pod, uid: u-3}}\n");
	told_is("default/web\n");
	assert_int_equal(kubernetes_slices_endpoints(s, &q, e, 3), 1);
	assert_int_not_equal(e[0].owner, first);
	kubernetes_slices_free(s);
}

static void
test_hints(void **state)
{
	static const char all[] =
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [10.0.0.1], hints: {forZones: [{name: a}]}}\n"
		"- {addresses: [10.0.0.2], hints: {forZones: [{name: b}]}}\n"
		"- {addresses: [10.0.0.3], hints: {forZones: [{name: c},"
		" {name: b}]}}\n"
		"- {addresses: [10.0.0.4], conditions: {ready: false}}\n";
	static const char nodes[] =
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [10.0.0.1], hints: {forZones: [{name: a}],"
		" forNodes: [{name: n1}]}}\n"
		"- {addresses: [10.0.0.2], hints: {forZones: [{name: a}],"
		" forNodes: [{name: n2}]}}\n";
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();

	(void)state;
	put(s, "a", all);
	query_is(s, &q, "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80");
	q.zone = "b";
	query_is(s, &q, "10.0.0.2:80 10.0.0.3:80");
	/* None for us: hints do not count. */
	q.zone = "elsewhere";
	query_is(s, &q, "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80");
	/* One without: they do not count either, in whatever slice it is. */
	q.zone = "b";
	put(s, "b",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.9],"
		" hints: {forZones: []}}]\n");
	query_is(s, &q, "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 10.0.0.9:80");

	kubernetes_slices_remove(s, KUBERNETES_SLICE, "default", "b");
	put(s, "a", nodes);
	q.zone = "a";
	q.node = "n2";
	query_is(s, &q, "10.0.0.2:80");
	q.node = "n3";
	query_is(s, &q, "10.0.0.1:80 10.0.0.2:80");
	kubernetes_slices_free(s);
	str_clear(&told);
}

static bool
is_wanted(const char *pod, void *arg)
{
	return strcmp(pod, arg) == 0;
}

static void
test_pods(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();
	char wanted[] = "web-2";

	(void)state;
	put(s, "a",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints:\n"
		"- {addresses: [10.0.0.1],"
		" targetRef: {kind: Pod, name: web-1}}\n"
		"- {addresses: [10.0.0.2], targetRef: {kind: Pod, name: web-2,"
		" namespace: default}}\n"
		"- {addresses: [10.0.0.3], targetRef: {kind: Pod, name: web-2,"
		" namespace: other}}\n"
		"- {addresses: [10.0.0.4],"
		" targetRef: {kind: Node, name: web-2}}\n"
		"- {addresses: [10.0.0.5]}\n");
	q.pod_wanted = is_wanted;
	q.arg = wanted;
	query_is(s, &q, "10.0.0.2:80");
	kubernetes_slices_free(s);
	str_clear(&told);
}

static void
test_core_endpoints(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();

	(void)state;
	put_sort(s, KUBERNETES_ENDPOINTS,
		"metadata: {name: web, namespace: default}\n"
		"subsets:\n"
		"- addresses: [{ip: 10.0.0.1, targetRef: {uid: u-1}}]\n"
		"  notReadyAddresses: [{ip: 10.0.0.7}]\n"
		"  ports: [{port: 8080}]\n"
		"- addresses: [{ip: \"fd00::1\"}, {ip: 10.0.0.2}]\n"
		"  ports: [{port: 8081, protocol: TCP}]\n"
		"- addresses: null\n"
		"  ports: null\n");
	told_is("default/web\n");
	web_is(s, "10.0.0.1:8080 10.0.0.2:8081 [fd00::1]:8081");
	/* A slice of that name is another object. */
	put(s, "web",
		"addressType: IPv4\n"
		"ports: [{port: 8080}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n");
	kubernetes_slices_forget(s, KUBERNETES_ENDPOINTS, NULL);
	web_is(s, "10.0.0.1:8080");
	assert_int_equal(kubernetes_slices_count(s, KUBERNETES_ENDPOINTS), 0);
	kubernetes_slices_remove(s, KUBERNETES_SLICE, "default", "web");
	query_is(s, &q, "");
	put_sort(s, KUBERNETES_ENDPOINTS,
		"metadata: {name: web, namespace: default}\n");
	web_is(s, "");
	kubernetes_slices_free(s);
	str_clear(&told);
}

/* What is wrong is passed over alone; what was known of it stays. */
static void
test_refused(void **state)
{
	static const struct {
		const char *rest, *why;
	} rows[] = {
		{ "addressType: IPv7\n",
			".addressType: expected IPv4, IPv6 or FQDN, found "
			"\"IPv7\"" },
		{ "endpoints: []\n", ".addressType: expected IPv4, IPv6 or "
				     "FQDN, found \"\"" },
		{ "addressType: 4\n",
			".addressType: expected a string, found an "
			"integer" },
		{ "addressType: IPv4\nendpoints: {}\n",
			".endpoints: expected a list, found a map" },
		{ "addressType: IPv4\nports: 80\n",
			".ports: expected a list, found an integer" },
		{ "addressType: IPv4\nports: [80]\n",
			".ports[0]: expected a map, found an integer" },
		{ "addressType: IPv4\nports: [{port: 65536}]\n",
			".ports[0].port: expected 1 to 65535" },
		{ "addressType: IPv4\nports: [{port: 80}, {port: \"80\"}]\n",
			".ports[1].port: expected 1 to 65535" },
		{ "addressType: IPv4\nendpoints: [{}]\n",
			".endpoints[0].addresses[0]: \"\" is no address of "
			"that type" },
		{ "addressType: IPv4\nendpoints: [{addresses: "
		  "[\"fd00::1\"]}]\n",
			".endpoints[0].addresses[0]: \"fd00::1\" is no address "
			"of that type" },
		{ "addressType: IPv6\nendpoints: [{addresses: [a.b]}]\n",
			".endpoints[0].addresses[0]: \"a.b\" is no address of "
			"that type" },
		{ "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], "
		  "conditions: {ready: 1}}]\n",
			".endpoints[0].conditions.ready: expected true or "
			"false, found an integer" },
		{ "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], "
		  "targetRef: {uid: 1}}]\n",
			".endpoints[0].targetRef.uid: expected a string, found "
			"an integer" },
		{ "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], "
		  "hints: {forZones: a}}]\n",
			".endpoints[0].hints.forZones: expected a list, found "
			"a string" },
	};
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct error err = ERROR_INIT;
	struct doc *d;

	(void)state;
	put(s, "a",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n");
	str_clear(&told);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = slice("a", rows[i].rest);

		err = (struct error)ERROR_INIT;
		d = yaml(text);
		assert_int_equal(kubernetes_slices_put(
					 s, KUBERNETES_SLICE, d, &err),
			-1);
		assert_string_equal(err.text, rows[i].why);
		web_is(s, "10.0.0.1:80");
		told_is("");
		doc_free(d);
		free(text);
	}
	d = yaml("metadata: {name: ../x, namespace: default}");
	err = (struct error)ERROR_INIT;
	assert_int_equal(
		kubernetes_slices_put(s, KUBERNETES_SLICE, d, &err), -1);
	assert_string_equal(err.text,
		".metadata: expected the name and namespace of an object");
	doc_free(d);
	kubernetes_slices_free(s);
}

/* No more than there is room for, and the count that there would be. */
static void
test_room(void **state)
{
	struct kubernetes_slices *s = kubernetes_slices_new(on_changed, NULL);
	struct kubernetes_slices_query q = web();
	struct endpoint e[2];
	char text[ADDR_TEXT_MAX];

	(void)state;
	put(s, "a",
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.3]}, {addresses: [10.0.0.1]},"
		" {addresses: [10.0.0.2]}]\n");
	assert_int_equal(kubernetes_slices_endpoints(s, &q, e, 2), 3);
	assert_string_equal(addr_format(&e[1].addr, text), "10.0.0.2:80");
	assert_int_equal(kubernetes_slices_endpoints(s, &q, NULL, 0), 3);
	kubernetes_slices_free(s);
	str_clear(&told);
}

/* A slice of count endpoints as the API server writes them. */
static struct doc *
slice_large(const char *service, size_t number, size_t count)
{
	struct str text;
	struct doc *d;

	str_init(&text);
	str_printf(&text,
		"metadata: {name: %s-%zu, namespace: default,\n"
		"  labels: {kubernetes.io/service-name: %s}}\n"
		"addressType: IPv4\n"
		"ports: [{name: http, port: 8080, protocol: TCP}]\n"
		"endpoints:\n",
		service, number, service);
	for (size_t i = 0; i < count; i++)
		str_printf(&text,
			"- {addresses: [10.%zu.%zu.%zu],\n"
			"  conditions: {ready: true, serving: true, "
			"terminating: false},\n"
			"  nodeName: node-%zu, zone: zone-a,\n"
			"  targetRef: {kind: Pod, namespace: default, "
			"name: %s-7d4b9c6f5d-%05zu,\n"
			"  uid: 0a1b2c3d-0000-4000-8000-%06zu%06zu}}\n",
			number / 256, number % 256, i + 1, i, service, i,
			number, i);
	d = yaml(text.data);
	str_fini(&text);
	return d;
}

/* 1000 services of 20 endpoints, and one of 5000 in 50 slices. */
static void
test_size(void **state)
{
	struct kubernetes_slices *s;
	struct kubernetes_slices_query q = web();
	struct endpoint *e = xcalloc(6000, sizeof(*e));
	size_t before, after;
	char name[16];

	(void)state;
	before = mallinfo2().uordblks;
	s = kubernetes_slices_new(on_changed, NULL);
	for (size_t i = 0; i < 1050; i++) {
		struct doc *d;

		snprintf(name, sizeof(name), "web-%zu", i < 1000 ? i : 1000);
		d = slice_large(name, i, i < 1000 ? 20 : 100);
		assert_int_equal(kubernetes_slices_put(
					 s, KUBERNETES_SLICE, d, NULL),
			0);
		doc_free(d);
		str_clear(&told);
	}
	after = mallinfo2().uordblks;
	print_message("25000 endpoints: %zu kB\n", (after - before) / 1024);
	assert_true(after - before < 4u << 20);
	q.service = "web-1000";
	q.port_name = "http";
	assert_int_equal(kubernetes_slices_endpoints(s, &q, e, 6000), 5000);
	q.service = "web-999";
	assert_int_equal(kubernetes_slices_endpoints(s, &q, e, 6000), 20);
	kubernetes_slices_free(s);
	free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_two_families),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_core_endpoints),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
