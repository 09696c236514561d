/* Services: objects in, upstream documents out. */
#include "told.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"
#include "kinds.h"
#include "kinds/kubernetes/services.h"

static struct kubernetes_settings *settings;
static struct kubernetes_services *services;

static void
on_changed(const char *ns, const char *name, void *arg)
{
	(void)arg;
	str_printf(&told, "%s/%s\n", ns, name);
}

static void
begin(const char *text)
{
	struct doc *d = yaml(text);
	struct error err = ERROR_INIT;

	settings = kubernetes_settings_read(d, &err);
	if (settings == NULL)
		fail_msg("%s", err.text);
	services = kubernetes_services_new(
		settings, "gloo-system", on_changed, NULL);
	doc_free(d);
}

static void
end(void)
{
	kubernetes_services_free(services);
	kubernetes_settings_free(settings);
	str_clear(&told);
}

static void
put(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(text);

	if (kubernetes_services_put(services, d, &err) != 0)
		fail_msg("%s: %s", err.text, text);
	doc_free(d);
}

static void
on_name(struct doc *d, void *arg)
{
	struct str *out = arg;

	str_printf(out, "%s%s", out->length > 0 ? " " : "",
		doc_get_string(doc_get(d, "metadata"), "name"));
	assert_string_equal(doc_get_string(doc_get(d, "metadata"), "namespace"),
		"gloo-system");
	doc_free(d);
}

/* Of all services. */
static void
names_are(const char *want)
{
	struct str out;

	str_init(&out);
	kubernetes_services_upstreams(services, NULL, NULL, on_name, &out);
	assert_string_equal(out.data, want);
	str_fini(&out);
}

static void
on_keep(struct doc *d, void *arg)
{
	struct doc **out = arg;

	assert_null(*out);
	*out = d;
}

/* The only upstream of default/web. */
static struct doc *
web(void)
{
	struct doc *d = NULL;

	kubernetes_services_upstreams(
		services, "default", "web", on_keep, &d);
	assert_non_null(d);
	return d;
}

/* As `kubectl expose deploy httpbin --port 8000 --selector=app=httpbin` makes
 * it, and what Gloo printed of that in January 2019. */
static void
test_seed(void **state)
{
	static const char want[] = "discoveryMetadata: {}\n"
				   "metadata:\n"
				   "  labels:\n"
				   "    app: httpbin\n"
				   "    discovered_by: kubernetesplugin\n"
				   "  name: default-httpbin-8000\n"
				   "  namespace: gloo-system\n"
				   "  resourceVersion: \"13678\"\n"
				   "status:\n"
				   "  reportedBy: gloo\n"
				   "  state: Accepted\n"
				   "upstreamSpec:\n"
				   "  kube:\n"
				   "    selector:\n"
				   "      app: httpbin\n"
				   "    serviceName: httpbin\n"
				   "    serviceNamespace: default\n"
				   "    servicePort: 8000\n";
	struct doc *d = NULL, *printed, *status;
	struct error err = ERROR_INIT;
	struct model_object *o;
	struct str text;

	(void)state;
	begin("{}");
	put("apiVersion: v1\n"
	    "kind: Service\n"
	    "metadata:\n"
	    "  annotations: {example.com/a: b}\n"
	    "  creationTimestamp: \"2019-01-07T10:00:00Z\"\n"
	    "  labels: {app: httpbin}\n"
	    "  name: httpbin\n"
	    "  namespace: default\n"
	    "  resourceVersion: \"13600\"\n"
	    "  uid: 4c6f\n"
	    "spec:\n"
	    "  clusterIP: 10.245.47.195\n"
	    "  ports: [{port: 8000, protocol: TCP, targetPort: 8000}]\n"
	    "  selector: {app: httpbin}\n"
	    "  sessionAffinity: None\n"
	    "  type: ClusterIP\n"
	    "status: {loadBalancer: {}}\n");
	told_is("default/httpbin\n");
	kubernetes_services_upstreams(
		services, "default", "httpbin", on_keep, &d);
	o = config_read(d, upstream_kinds, &err);
	if (o == NULL)
		fail_msg("%s", err.text);
	o->meta->resource_version = 13678;
	printed = config_print(o);
	status = doc_set(printed, "status", doc_new_map());
	doc_set_string(status, "state", "Accepted");
	doc_set_string(status, "reportedBy", "gloo");
	str_init(&text);
	yaml_doc_write(printed, &text);
	assert_string_equal(text.data, want);
	str_fini(&text);
	doc_free(printed);
	doc_free(d);
	model_object_unref(o);
	end();
}

static void
test_names(void **state)
{
	static const char a63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char name[KUBERNETES_UPSTREAM_MAX];

	(void)state;
	kubernetes_upstream_name("default", "httpbin", 8000, name);
	assert_string_equal(name, "default-httpbin-8000");
	kubernetes_upstream_name("my.ns", "a.b", 80, name);
	assert_string_equal(name, "my-ns-a-b-80");
	/* of 63 bytes, and of 64 */
	kubernetes_upstream_name("n", a63 + 5, 1, name);
	assert_int_equal(strlen(name), 62);
	kubernetes_upstream_name("nn", a63 + 5, 1, name);
	assert_int_equal(strlen(name), 63);
	assert_memory_equal(name, "nn-aaaa", 7);
	assert_string_equal(name + 60, "a-1");
	kubernetes_upstream_name("nnn", a63 + 5, 1, name);
	assert_string_equal(name,
		"nnn-aaaaaaaaaaaaaaaaaaaaaaaaaaa-"
		"5b52c8dc879d983539767fb4e16377f");
	kubernetes_upstream_name("nnn", a63 + 5, 2, name);
	assert_string_equal(name,
		"nnn-aaaaaaaaaaaaaaaaaaaaaaaaaaa-"
		"628b3a95a2c4643c41d76f6b7f54c3b");
}

static void
test_ports(void **state)
{
	struct kubernetes_port port;
	struct str ports;

	(void)state;
	begin("{}");
	put("metadata: {name: dns, namespace: kube-system}\n"
	    "spec:\n"
	    "  ports:\n"
	    "  - {name: metrics, port: 9153, targetPort: metrics}\n"
	    "  - {name: dns, port: 53, protocol: UDP, targetPort: 5353}\n"
	    "  - {name: dns-tcp, port: 53, protocol: TCP}\n"
	    "  - {name: only-udp, port: 54, protocol: UDP}\n");
	names_are("kube-system-dns-53 kube-system-dns-54 kube-system-dns-9153");
	assert_true(kubernetes_services_port(
		services, "kube-system", "dns", 53, &port));
	assert_string_equal(port.name, "dns-tcp");
	assert_string_equal(port.protocol, "TCP");
	assert_int_equal(port.target, 53);
	assert_false(port.external_name);
	assert_true(kubernetes_services_port(
		services, "kube-system", "dns", 54, &port));
	assert_string_equal(port.protocol, "UDP");
	assert_true(kubernetes_services_port(
		services, "kube-system", "dns", 9153, &port));
	assert_int_equal(port.target, 0);
	assert_false(kubernetes_services_port(
		services, "kube-system", "dns", 80, &port));
	assert_false(kubernetes_services_port(
		services, "default", "dns", 53, &port));
	str_init(&ports);
	assert_true(kubernetes_services_ports(
		services, "kube-system", "dns", &ports));
	assert_string_equal(ports.data, "53, 54, 9153");
	assert_false(kubernetes_services_ports(
		services, "kube-system", "no", &ports));
	str_fini(&ports);
	end();
}

#define WEB(meta, spec)                                                        \
	"metadata: {name: web, namespace: default" meta "}\n"                  \
	"spec: {ports: [{port: 80}]" spec "}\n"

static void
test_changes(void **state)
{
	(void)state;
	begin("{}");
	put(WEB("", ""));
	told_is("default/web\n");
	/* What we use of it is the same. */
	put(WEB(", resourceVersion: \"2\", annotations: {a: b}",
		", clusterIP: 10.0.0.1"));
	told_is("");
	put(WEB(", labels: {a: b}", ""));
	told_is("default/web\n");
	kubernetes_services_remove(services, "default", "web");
	told_is("default/web\n");
	kubernetes_services_remove(services, "default", "web");
	told_is("");
	names_are("");
	assert_int_equal(kubernetes_services_count(services), 0);
	end();
}

static void
test_selection(void **state)
{
	static const struct {
		const char *what, *settings, *meta, *want;
	} rows[] = {
		{ "all", "{}", "", "default-web-80" },
		{ "its namespace", "watchNamespaces: [other, default]", "",
			"default-web-80" },
		{ "another namespace", "watchNamespaces: [other]", "", "" },
		{ "another namespace, forced", "watchNamespaces: [other]",
			", annotations: {gloo.solo.io/discover: \"true\"}",
			"" },
		{ "its label", "watchLabels: {a: b}", ", labels: {a: b, c: d}",
			"default-web-80" },
		{ "one label of two", "watchLabels: {a: b, c: e}",
			", labels: {a: b, c: d}", "" },
		{ "no label", "watchLabels: {a: b}", "", "" },
		{ "no label, forced", "watchLabels: {a: b}",
			", annotations: {gloo.solo.io/discover: \"true\"}",
			"default-web-80" },
		{ "opted out by annotation", "{}",
			", annotations: {gloo.solo.io/discover: \"false\"}",
			"" },
		{ "opted out by label", "{}",
			", labels: {gloo.solo.io/discover: \"false\"}", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kubernetes_port port;
		char *text = xasprintf(
			"metadata: {name: web, namespace: default%s}\n"
			"spec: {ports: [{port: 80}]}\n",
			rows[i].meta);
		struct str out;

		begin(rows[i].settings);
		put(text);
		str_init(&out);
		kubernetes_services_upstreams(
			services, NULL, NULL, on_name, &out);
		if (strcmp(out.data, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].what, out.data);
		/* Upstreams made by hand may still use it. */
		assert_true(kubernetes_services_port(
			services, "default", "web", 80, &port));
		str_fini(&out);
		free(text);
		end();
	}
}

/* The older service has the name, in whatever order they come. */
static void
test_clash(void **state)
{
	static const char older[] =
		"metadata: {name: b-c, namespace: a,"
		" creationTimestamp: \"2026-01-01T00:00:00Z\"}\n"
		"spec: {ports: [{port: 80}]}\n";
	static const char younger[] =
		"metadata: {name: c, namespace: a-b,"
		" creationTimestamp: \"2026-01-02T00:00:00Z\"}\n"
		"spec: {ports: [{port: 80}]}\n";
	struct doc *d = NULL;
	struct str text;

	(void)state;
	str_init(&text);
	begin("{}");
	put(younger);
	told_is("a-b/c\n");
	put(older);
	assert_non_null(strstr(told.data, "a-b/c\n"));
	assert_non_null(strstr(told.data, "a/b-c\n"));
	str_clear(&told);
	names_are("a-b-c-80");
	kubernetes_services_upstreams(services, "a", "b-c", on_keep, &d);
	assert_string_equal(
		doc_get_string(doc_find(d, "upstreamSpec", "kube", NULL),
			"serviceNamespace"),
		"a");
	doc_free(d);
	kubernetes_services_clash(services, "a-b", "c", &text);
	assert_string_equal(text.data,
		"port 80 of service a-b/c makes no upstream: \"a-b-c-80\" is "
		"that of the service a/b-c, which is older; create an upstream "
		"of another name for it");
	str_clear(&text);
	kubernetes_services_clash(services, "a", "b-c", &text);
	assert_string_equal(text.data, "");
	assert_true(kubernetes_services_makes(services, "a-b-c-80"));

	kubernetes_services_remove(services, "a", "b-c");
	assert_non_null(strstr(told.data, "a-b/c\n"));
	kubernetes_services_clash(services, "a-b", "c", &text);
	assert_string_equal(text.data, "");
	names_are("a-b-c-80");
	kubernetes_services_remove(services, "a-b", "c");
	assert_false(kubernetes_services_makes(services, "a-b-c-80"));
	str_fini(&text);
	end();
}

static void
port_of_web(struct kubernetes_port *port)
{
	assert_true(kubernetes_services_port(
		services, "default", "web", 80, port));
}

/* The first one; another one is a change. */
static void
test_families(void **state)
{
	struct kubernetes_port port;

	(void)state;
	begin("{}");
	put(WEB("", ""));
	port_of_web(&port);
	assert_int_equal(port.family, AF_INET);
	str_clear(&told);
	put(WEB("", ", ipFamilies: [IPv6, IPv4]"));
	told_is("default/web\n");
	port_of_web(&port);
	assert_int_equal(port.family, AF_INET6);
	put(WEB("", ", ipFamilies: [IPv4, IPv6]"));
	port_of_web(&port);
	assert_int_equal(port.family, AF_INET);
	end();
}

static void
test_http2(void **state)
{
	static const struct {
		const char *meta, *port;
		bool want;
	} rows[] = {
		{ "", "port: 80", false },
		{ "", "port: 80, name: http", false },
		{ "", "port: 80, name: grpc-web", true },
		{ "", "port: 80, name: h2", true },
		{ "", "port: 80, name: http2-x", true },
		{ "", "port: 80, appProtocol: kubernetes.io/h2c", true },
		{ "", "port: 80, appProtocol: kubernetes.io/ws", false },
		{ "", "port: 80, appProtocol: http", false },
		{ "", "port: 80, appProtocol: grpc", true },
		{ ", annotations: {gloo.solo.io/h2_service: \"true\"}",
			"port: 80", true },
		{ ", annotations: {gloo.solo.io/h2_service: \"false\"}",
			"port: 80, name: grpc", false },
		{ ", annotations: {gloo.solo.io/upstream_config: "
		  "'{\"use_http2\": true}'}",
			"port: 80", true },
		{ ", annotations: {gloo.solo.io/upstream_config: "
		  "'{\"useHttp2\": false}', gloo.solo.io/h2_service: \"true\"}",
			"port: 80, name: grpc", false },
	};
	struct kubernetes_port port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf(
			"metadata: {name: web, namespace: default%s}\n"
			"spec: {ports: [{%s}]}\n",
			rows[i].meta, rows[i].port);

		begin("{}");
		put(text);
		port_of_web(&port);
		if (port.http2 != rows[i].want)
			fail_msg("%s", text);
		assert_string_equal(port.warning, "");
		free(text);
		end();
	}
}

static void
test_tls(void **state)
{
	static const struct {
		const char *annotation;
		bool want;
	} rows[] = {
		{ "gloo.solo.io/sslService.secret: tls", true },
		{ "gloo.solo.io/sslService.secret: \"80:tls\"", true },
		{ "gloo.solo.io/sslService.secret: \"443:tls\"", false },
		{ "gloo.solo.io/sslService.tlsCert: /tls.crt", true },
		{ "gloo.solo.io/sslService.tlsKey: \"80:/tls.key\"", true },
		{ "gloo.solo.io/sslService.rootCa: /ca.crt", true },
		{ "gloo.solo.io/sslService.oneWayTls: \"true\"", false },
		{ "gloo.solo.io/upstream_config: "
		  "'{\"ssl_config\": {\"sni\": \"a.b\"}}'",
			true },
	};
	struct kubernetes_port port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf("metadata: {name: web, namespace: "
				       "default, annotations: {%s}}\n"
				       "spec: {ports: [{port: 80}]}\n",
			rows[i].annotation);

		begin("{}");
		put(text);
		port_of_web(&port);
		if (port.tls != rows[i].want)
			fail_msg("%s", text);
		free(text);
		end();
	}
}

/* What is applied stands in the document, what is not in the warning; the rest
 * goes on. */
static void
test_config(void **state)
{
	static const struct {
		const char *json, *key, *want, *warning;
	} rows[] = {
		{ "{\"connection_config\": {\"connect_timeout\": \"1s\"}}",
			"connectionConfig", "{\"connectTimeout\":\"1s\"}", "" },
		{ "{\"circuitBreakers\": {\"maxConnections\": 7}}",
			"circuitBreakers", "{\"maxConnections\":7}", "" },
		{ "{\"initialStreamWindowSize\": 2048, \"circuitBreakers\": "
		  "{\"maxConnections\": 7}}",
			"circuitBreakers", "{\"maxConnections\":7}",
			"annotation gloo.solo.io/upstream_config: "
			"initialStreamWindowSize: is not supported yet" },
		{ "{\"circuitBreakers\": {\"maxConnection\": 7}}",
			"circuitBreakers", NULL,
			"annotation gloo.solo.io/upstream_config: "
			"circuitBreakers: unknown key \"maxConnection\"; did "
			"you mean \"maxConnections\"?" },
		{ "{\"metadata\": {\"name\": \"x\"}}", "x", NULL,
			"annotation gloo.solo.io/upstream_config: metadata: "
			"that is said by the service itself" },
		{ "{\"kube\": {\"serviceName\": \"x\"}}", "kube", NULL,
			"annotation gloo.solo.io/upstream_config: kube: that "
			"is said by the service itself" },
		{ "{\"static\": {}}", "static", NULL,
			"annotation gloo.solo.io/upstream_config: static: "
			"unknown key \"static\"" },
		{ "[]", "x", NULL,
			"annotation gloo.solo.io/upstream_config: expected a "
			"map in JSON" },
		{ "null", "x", NULL,
			"annotation gloo.solo.io/upstream_config: expected a "
			"map in JSON" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf(
			"metadata: {name: web, namespace: default, "
			"annotations: {gloo.solo.io/upstream_config: '%s'}}\n"
			"spec: {ports: [{port: 80}]}\n",
			rows[i].json);
		struct kubernetes_port port;
		struct error err = ERROR_INIT;
		struct model_object *o;
		struct doc *d;
		struct str found;

		begin("{}");
		put(text);
		port_of_web(&port);
		assert_string_equal(port.warning, rows[i].warning);
		d = web();
		str_init(&found);
		if (doc_get(d, rows[i].key) != NULL)
			json_doc_write(doc_get(d, rows[i].key), 0, &found);
		assert_string_equal(found.data,
			rows[i].want == NULL ? "" : rows[i].want);
		/* What is made must be accepted. */
		o = config_read(d, upstream_kinds, &err);
		if (o == NULL)
			fail_msg("%s", err.text);
		model_object_unref(o);
		str_fini(&found);
		doc_free(d);
		free(text);
		end();
	}
}

static void
test_external_name(void **state)
{
	struct kubernetes_port port;

	(void)state;
	begin("{}");
	put("metadata: {name: web, namespace: default}\n"
	    "spec: {type: ExternalName, externalName: api.example.com,"
	    " ports: [{port: 80}]}\n");
	port_of_web(&port);
	assert_true(port.external_name);
	assert_string_equal(port.host, "api.example.com");
	names_are("default-web-80");
	/* The name of a service of another type is nothing. */
	put("metadata: {name: web, namespace: default}\n"
	    "spec: {type: ClusterIP, externalName: api.example.com,"
	    " ports: [{port: 80}]}\n");
	port_of_web(&port);
	assert_false(port.external_name);
	/* without ports there is nothing to call */
	put("metadata: {name: web, namespace: default}\n"
	    "spec: {type: ExternalName, externalName: api.example.com}\n");
	names_are("");
	end();
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool want;
	} rows[] = {
		{ "api.example.com", true },
		{ "api.example.com.", true },
		{ "10.0.0.1", true },
		{ "web.other.svc.cluster.local", true },
		{ "localhost", false },
		{ "LocalHost.", false },
		{ "a.localhost", false },
		{ "notlocalhost", true },
		{ "localhost.localdomain", false },
		{ "127.0.0.1", false },
		{ "127.9.9.9", false },
		{ "0.0.0.0", false },
		{ "0.1.2.3", false },
		{ "::", false },
		{ "::1", false },
		{ "::ffff:127.0.0.1", false },
		{ "169.254.169.254", false },
		{ "fe80::1", false },
		{ "fd00:ec2::254", false },
		{ "100.100.100.200", false },
		{ "224.0.0.1", false },
		{ "255.255.255.255", false },
		{ "metadata.google.internal", false },
		{ "kubernetes.default.svc", false },
		{ "kubernetes.default.svc.cluster.local.", false },
		{ "kube.example.com", false },
		{ "KUBE.example.com.", false },
		{ "a.allowed.localhost", true },
		{ "allowed.localhost", false },
		{ "127.0.0.2", true },
	};

	(void)state;
	begin("allowedExternalNames: [\"*.allowed.localhost\", 127.0.0.2]");
	kubernetes_services_server_set(services, "kube.example.com");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		if (kubernetes_services_host_allowed(
			    services, rows[i].host, &err) != rows[i].want)
			fail_msg("%s: %s", rows[i].host, err.text);
		assert_int_equal(err.text[0] == '\0', rows[i].want);
	}
	end();
}

static void
test_addresses(void **state)
{
	struct error err = ERROR_INIT;
	struct addr addr;

	(void)state;
	begin("allowedExternalNames: [a.example.com]");
	kubernetes_services_server_set(services, "10.96.0.1");
	assert_int_equal(addr_parse_ip("127.0.0.1", 80, &addr), 0);
	assert_false(kubernetes_services_addr_allowed(
		services, "b.example.com", &addr, &err));
	assert_string_equal(err.text,
		"externalName \"b.example.com\" leads to 127.0.0.1: it means "
		"this box; list the name in kubernetes.allowedExternalNames if "
		"it may be called");
	assert_true(kubernetes_services_addr_allowed(
		services, "a.example.com.", &addr, NULL));
	assert_int_equal(addr_parse_ip("10.96.0.1", 80, &addr), 0);
	assert_false(kubernetes_services_addr_allowed(
		services, "b.example.com", &addr, NULL));
	assert_int_equal(addr_parse_ip("10.96.0.2", 80, &addr), 0);
	assert_true(kubernetes_services_addr_allowed(
		services, "b.example.com", &addr, NULL));
	end();
}

static void
test_selects(void **state)
{
	struct model_pair a = { "a", "1" }, b = { "b", "1" };
	struct model_pair ab[2] = { a, b };

	(void)state;
	begin("{}");
	put(WEB("", ", selector: {a: \"1\", b: \"2\"}"));
	assert_true(kubernetes_services_selects(
		services, "default", "web", &a, 1));
	assert_false(kubernetes_services_selects(
		services, "default", "web", &b, 1));
	assert_false(kubernetes_services_selects(
		services, "default", "web", ab, 2));
	assert_true(kubernetes_services_selects(
		services, "default", "web", NULL, 0));
	assert_false(kubernetes_services_selects(
		services, "default", "no", NULL, 0));
	end();
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "{}", ".metadata: expected the name and namespace of an "
			"object" },
		{ "metadata: {name: web, namespace: Default}",
			".metadata: expected the name and namespace of an "
			"object" },
		{ "metadata: {name: web, namespace: default}",
			".spec: expected a map, found null" },
		{ "metadata: {name: web, namespace: default, labels: {a: 1}}\n"
		  "spec: {}",
			".metadata.labels.a: expected a string, found an "
			"integer" },
		{ "metadata: {name: web, namespace: default}\n"
		  "spec: {ports: {}}",
			".spec.ports: expected a list, found a map" },
		{ "metadata: {name: web, namespace: default}\n"
		  "spec: {ports: [{port: 0}]}",
			".spec.ports[0].port: expected 1 to 65535" },
		{ "metadata: {name: web, namespace: default}\n"
		  "spec: {ports: [{port: 80}, 81]}",
			".spec.ports[1]: expected a map, found an integer" },
		{ "metadata: {name: web, namespace: default}\n"
		  "spec: {ports: [{port: 80, targetPort: 65536}]}",
			".spec.ports[0].targetPort: expected a name or 1 to "
			"65535" },
		{ "metadata: {name: web, namespace: default}\n"
		  "spec: {ports: [{port: 80, protocol: TCPTCPTCP}]}",
			".spec.ports[0].protocol: expected TCP, UDP or SCTP" },
	};

	(void)state;
	begin("{}");
	put(WEB("", ""));
	str_clear(&told);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct doc *d = yaml(rows[i].text);

		assert_int_equal(
			kubernetes_services_put(services, d, &err), -1);
		assert_string_equal(err.text, rows[i].why);
		told_is("");
		names_are("default-web-80");
		doc_free(d);
	}
	end();
}

static void
test_settings(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "watchNamespaces: [a, b, a]",
			".watchNamespaces[2]: \"a\" is given twice" },
		{ "namespace: A_b", NULL },
		{ "allowedExternalNames: [\"*.10.0.0.1\"]", NULL },
		{ "allowedExternalNames: [\"a b\"]", NULL },
		{ "kubeconfig: \"\"", ".kubeconfig: expected a text" },
		{ "discovery: 1", NULL },
		{ "unknown: 1", "unknown key \"unknown\"" },
	};
	struct error err = ERROR_INIT;
	struct doc *d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		d = yaml(rows[i].text);
		err = (struct error)ERROR_INIT;
		assert_int_equal(kubernetes_settings_check(d, &err), -1);
		if (rows[i].why != NULL)
			assert_string_equal(err.text, rows[i].why);
		doc_free(d);
	}
	begin("{}");
	assert_true(settings->discovery);
	assert_true(settings->resources);
	assert_false(settings->insecure);
	assert_null(settings->kubeconfig);
	assert_null(settings->service_account);
	assert_string_equal(settings->namespace_, "gloo-system");
	assert_string_equal(settings->service, "gateway-proxy");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_http2),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_external_name),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_selects),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
