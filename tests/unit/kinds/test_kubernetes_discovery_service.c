/*
 * What becomes of an upstream by its service: one that is not there, is not to
 * be spoken to as we do, or is a name elsewhere; and by a selector of its own.
 */
#include "kubernetes_cluster_fake.h"

static void
test_absent(void **state)
{
	struct upstream u, v;

	(void)state;
	begin_settled();
	watch(&u, "u",
		"{serviceName: no, serviceNamespace: default, "
		"servicePort: 80}");
	told_is("u: none\n"
		"u not ok: there is no service \"no\" in namespace "
		"\"default\"\n");
	watch(&v, "v",
		"{serviceName: web, serviceNamespace: default, "
		"servicePort: 81}");
	told_is("v: none\n"
		"v not ok: service \"default/web\" has no port 81; it has "
		"80\n");
	pass(100);
	put("services",
		"metadata: {name: web, namespace: default}\n"
		"spec: {ports: [{name: http, port: 81}]}\n");
	told_is("found default-web-81 of default/web\ngone default-web-80\n");
	pass(0);
	told_is("v: 10.0.0.1:8080*\nv ok\n");
	put("services", "metadata: {name: no, namespace: default}\n"
			"spec: {clusterIP: None}\n");
	pass(100);
	told_is("u not ok: service \"default/no\" has no port\n");
	/* Gone with its slices still there: it is gone. */
	gone("services", "default", "web");
	told_is("gone default-web-81\n");
	pass(100);
	told_is("v: none\n"
		"v not ok: there is no service \"web\" in namespace "
		"\"default\"\n");
	unwatch(&u);
	unwatch(&v);
	end();
}

static void
test_http2_and_tls(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	str_clear(&told);
	put("services",
		"metadata: {name: web, namespace: default,"
		" annotations: {gloo.solo.io/h2_service: \"true\","
		"  gloo.solo.io/upstream_config: '[]'}}\n"
		"spec: {ports: [{name: http, port: 80}]}\n");
	told_is("found default-web-80 of default/web\n");
	pass(0);
	told_is("u note the service asks for HTTP/2, which is not spoken to "
		"upstreams yet: HTTP/1.1 is; annotation "
		"gloo.solo.io/upstream_config: expected a map in JSON\n");
	put("services",
		"metadata: {name: web, namespace: default,"
		" annotations: {gloo.solo.io/sslService.secret: tls}}\n"
		"spec: {ports: [{name: http, port: 80}]}\n");
	pass(100);
	told_is("found default-web-80 of default/web\n"
		"u: none\n"
		"u not ok: annotations of service \"default/web\" ask for TLS, "
		"which is not spoken to upstreams yet; nothing is sent in the "
		"clear\n"
		"u note -\n");
	put("services",
		"metadata: {name: web, namespace: default}\n"
		"spec: {ports: [{name: http, port: 80, protocol: SCTP}]}\n");
	pass(100);
	told_is("found default-web-80 of default/web\n"
		"u not ok: port 80 of service \"default/web\" is of SCTP, "
		"which is not served\n");
	service_put();
	pass(100);
	told_is("found default-web-80 of default/web\n"
		"u: 10.0.0.1:8080*\nu ok\n");
	unwatch(&u);
	end();
}

static void
external_put(const char *host)
{
	char *text = xasprintf(
		"metadata: {name: web, namespace: default}\n"
		"spec: {type: ExternalName, externalName: \"%s\","
		" ports: [{name: http, port: 80}]}\n",
		host);

	put("services", text);
	str_clear(&told);
	pass(100);
	free(text);
}

static void
test_external_name(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	external_put("a.example.com");
	told_is("");
	answer("a.example.com", "10.0.0.9", 60, NULL);
	told_is("u: 10.0.0.9:80(a.example.com)\n");
	/* What it leads to is looked at as well. */
	pass(66000);
	answer("a.example.com", "10.0.0.9 127.0.0.1", 60, NULL);
	told_is("u: 10.0.0.9:80(a.example.com)\n"
		"u not ok: externalName \"a.example.com\" leads to 127.0.0.1: "
		"it means this box; list the name in "
		"kubernetes.allowedExternalNames if it may be called\n");
	pass(66000);
	answer("a.example.com", "", 60, "no such name");
	told_is("u not ok: cannot resolve \"a.example.com\": no such name\n");
	/* That there is none has to be said twice. */
	pass(66000);
	deny("a.example.com", RESOLVER_NO_NAME);
	told_is("");
	pass(66000);
	deny("a.example.com", RESOLVER_NO_NAME);
	told_is("u: none\n");
	external_put("localhost");
	told_is("u: none\n"
		"u not ok: externalName \"localhost\" is refused: it means "
		"this box; list it in kubernetes.allowedExternalNames if it "
		"may be called\n");
	external_put("KUBE.example.com");
	told_is("u not ok: externalName \"KUBE.example.com\" is refused: it is "
		"the API server; list it in kubernetes.allowedExternalNames if "
		"it may be called\n");
	external_put("a b");
	told_is("u not ok: \"a b\" is neither an address nor a DNS name\n");
	external_put("10.1.1.1");
	told_is("u: 10.1.1.1:80\nu ok\n");
	service_put();
	str_clear(&told);
	pass(100);
	told_is("u: 10.0.0.1:8080*\n");
	external_put("b.example.com");
	unwatch(&u);
	end();
}

/* A name that leads to the API server is no way around, whichever of the two
 * is known first. */
static void
test_external_server(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	watch(&u, "u", WEB);
	pass(100);
	external_put("a.example.com");
	answer("a.example.com", "10.0.0.9 10.9.9.9", 60, NULL);
	told_is("u: 10.0.0.9:80(a.example.com) 10.9.9.9:80(a.example.com)\n");
	answer("kube.example.com", "10.9.9.9", 60, NULL);
	pass(100);
	told_is("u: 10.0.0.9:80(a.example.com)\n"
		"u not ok: externalName \"a.example.com\" leads to 10.9.9.9: "
		"it is the API server's; list the name in "
		"kubernetes.allowedExternalNames if it may be called\n");
	pass(66000);
	/* What cannot be resolved is known as before. */
	answer("kube.example.com", "", 60, "timeout");
	pass(100);
	told_is("");
	/* As a service. */
	put("services", "metadata: {name: kubernetes, namespace: default}\n"
			"spec: {clusterIP: 10.0.0.9, clusterIPs: [10.0.0.9],"
			" ports: [{port: 443}]}\n");
	str_clear(&told);
	pass(100);
	told_is("u: none\n"
		"u not ok: externalName \"a.example.com\" leads to 10.0.0.9: "
		"it is the API server's; list the name in "
		"kubernetes.allowedExternalNames if it may be called\n");
	unwatch(&u);
	end();
}

static void
test_selector(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	slice_put("10.0.0.1 10.0.0.2");
	/* What the service asks for anyway needs nobody to be asked. */
	watch(&u, "u",
		"{serviceName: web, serviceNamespace: default, "
		"servicePort: 80, selector: {app: web}}");
	told_is("u: 10.0.0.1:8080* 10.0.0.2:8080*\nu ok\n");
	unwatch(&u);
	watch(&u, "u",
		"{serviceName: web, serviceNamespace: default, "
		"servicePort: 80, selector: {app: web, version: v2}}");
	told_is("follow pods in default of app=web,version=v2\nu ok\n");
	is_now("pods in default of app=web,version=v2", KUBERNETES_FORBIDDEN,
		"cannot list pods");
	pass(100);
	told_is("u not ok: its selector is not the service's, which needs the "
		"right to list and watch pods: cannot list pods\n");
	is_now("pods in default of app=web,version=v2", KUBERNETES_CURRENT,
		NULL);
	put("pods in default of app=web,version=v2",
		"metadata: {name: p-10.0.0.2, namespace: default}\n");
	pass(100);
	told_is("u ok\n");
	settled("pods in default of app=web,version=v2");
	pass(100);
	told_is("u: 10.0.0.2:8080*\n");
	put("pods in default of app=web,version=v2",
		"metadata: {name: p-10.0.0.1, namespace: default}\n");
	gone("pods in default of app=web,version=v2", "default", "p-10.0.0.2");
	pass(100);
	told_is("u: 10.0.0.1:8080*\n");
	put("services",
		"metadata: {name: web, namespace: default}\n"
		"spec: {ports: [{name: http, port: 80}],"
		" selector: {app: web, version: v2}}\n");
	str_clear(&told);
	pass(100);
	told_is("unfollow pods in default of app=web,version=v2\n"
		"u: 10.0.0.1:8080* 10.0.0.2:8080*\n");
	unwatch(&u);
	end();
}

#define V2                                                                     \
	"{serviceName: web, serviceNamespace: default, "                       \
	"servicePort: 80, selector: {app: web, version: v2}}"
#define V2_PODS "pods in default of app=web,version=v2"

static void
pod_put(const char *ip)
{
	char *text =
		xasprintf("metadata: {name: p-%s, namespace: default}\n", ip);

	put(V2_PODS, text);
	free(text);
}

/* Pods that cannot be known take nobody away: a rollout goes on. */
static void
test_selector_stale(void **state)
{
	struct upstream u;

	(void)state;
	begin_settled();
	slice_put("10.0.0.1 10.0.0.2");
	watch(&u, "u", V2);
	pod_put("10.0.0.2");
	settled(V2_PODS);
	pass(100);
	str_clear(&told);
	is_now(V2_PODS, KUBERNETES_STALE, "connection refused");
	pass(100);
	told_is("u not ok: its selector asks for pods that are not known: "
		"connection refused\n");
	/* The new one is taken, which may be of the selector; that the first
	 * is not is known. */
	slice_put("10.0.0.1 10.0.0.3");
	pass(100);
	told_is("u: 10.0.0.3:8080*\n");
	/* Known again: it is not. */
	pod_put("10.0.0.4");
	slice_put("10.0.0.1 10.0.0.3 10.0.0.4");
	is_now(V2_PODS, KUBERNETES_CURRENT, NULL);
	pass(100);
	told_is("u: 10.0.0.4:8080*\nu ok\n");
	is_now(V2_PODS, KUBERNETES_STALE, "timeout");
	pass(100);
	told_is("u not ok: its selector asks for pods that are not known: "
		"timeout\n");
	unwatch(&u);
	end();
}

/* Who was used by an earlier run goes on, while the service has it. */
static void
test_selector_forbidden(void **state)
{
	struct upstream u;

	(void)state;
	begin_following("{}");
	watch(&u, "u", V2);
	addr_parse_ip("10.0.0.9", 8080, &u.used[0].addr);
	addr_parse_ip("10.0.0.1", 8080, &u.used[1].addr);
	addr_parse_ip("10.0.0.2", 8080, &u.used[2].addr);
	u.used_count = 3;
	service_put();
	settled("services");
	slice_put("10.0.0.1 10.0.0.2 10.0.0.3");
	settled("endpointslices");
	pass(100);
	str_clear(&told);
	is_now(V2_PODS, KUBERNETES_FORBIDDEN, "cannot list pods");
	pass(100);
	told_is("u: 10.0.0.1:8080* 10.0.0.2:8080*\n"
		"u not ok: its selector is not the service's, which needs the "
		"right to list and watch pods: cannot list pods\n");
	slice_put("10.0.0.2 10.0.0.4");
	pass(100);
	told_is("u: 10.0.0.2:8080*\n");
	unwatch(&u);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_http2_and_tls),
		cmocka_unit_test(test_external_name),
		cmocka_unit_test(test_external_server),
		cmocka_unit_test(test_selector),
		cmocka_unit_test(test_selector_stale),
		cmocka_unit_test(test_selector_forbidden),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
