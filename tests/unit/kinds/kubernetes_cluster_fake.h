/*
 * The cluster and the upstreams of kind kube that are watched. Account, API
 * server, resources, loop, clock and resolver are the test's own: objects come,
 * time passes and names are answered when a line says so.
 */
#ifndef TESTS_UNIT_KINDS_KUBERNETES_CLUSTER_FAKE_H
#define TESTS_UNIT_KINDS_KUBERNETES_CLUSTER_FAKE_H

#include "fake_host.h"
#include "fake_program.h"
#include "kubernetes_reflector_fake.h"
#include "tests/unit/net/fake_resolver.h"
#include "tests/unit/net/fake_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/kubernetes/cluster.h"
#include "kinds/kubernetes/permissions.h"
#include "kinds/kubernetes/resources.h"
#include "kinds/kubernetes/token.h"

extern const struct upstream_kind upstream_kind_kubernetes;

/* ---- the account, the API server, the resources */

struct kubernetes_account {
	int unused;
};

struct kubernetes_api {
	int unused;
};

struct kubernetes_resources {
	struct kubernetes_cluster *cluster;
};

static struct kubernetes_account the_account;
static struct kubernetes_api the_api;
static struct kubernetes_resources the_resources;
static const char *account_problem; /* NULL: it can be read */

struct kubernetes_account *
kubernetes_account_open(struct loop *loop,
	const struct kubernetes_account_options *o, struct error *err)
{
	(void)loop;
	assert_string_equal(o->folder, "/etc/gloo-gateway");
	if (account_problem == NULL)
		return &the_account;
	error_set(err, ERROR_CONFIG, "%s", account_problem);
	return NULL;
}

void
kubernetes_account_close(struct kubernetes_account *a)
{
	(void)a;
}

const char *
kubernetes_account_server(const struct kubernetes_account *a)
{
	(void)a;
	return "https://kube.example.com:6443/path";
}

struct kubernetes_api *
kubernetes_api_new(struct loop *loop, struct http_client *http,
	struct kubernetes_account *account)
{
	(void)loop;
	(void)http;
	assert_ptr_equal(account, &the_account);
	return &the_api;
}

void
kubernetes_api_free(struct kubernetes_api *api)
{
	(void)api;
}

struct kubernetes_resources *
kubernetes_resources_new(struct kubernetes_cluster *c)
{
	assert_ptr_equal(c->api, &the_api);
	str_puts(&told, "resources\n");
	the_resources.cluster = c;
	return &the_resources;
}

void
kubernetes_resources_free(struct kubernetes_resources *r)
{
	if (r != NULL)
		r->cluster = NULL;
}

void
kubernetes_resources_judged(
	struct kubernetes_resources *r, const struct kind_verdict *verdict)
{
	assert_ptr_equal(r, &the_resources);
	str_printf(&told, "judged %s\n", verdict->name);
}

/* ---- the account's rights, and its token */

static struct kubernetes_permissions *const the_permissions = (void *)&the_api;
static size_t refusals;

struct kubernetes_permissions *
kubernetes_permissions_new(struct kubernetes_cluster *c)
{
	assert_ptr_equal(c->api, &the_api);
	return the_permissions;
}

void
kubernetes_permissions_free(struct kubernetes_permissions *p)
{
	(void)p;
}

void
kubernetes_permissions_again(struct kubernetes_permissions *p)
{
	assert_ptr_equal(p, the_permissions);
	refusals++;
}

struct kubernetes_token *
kubernetes_token_new(struct kubernetes_cluster *c)
{
	assert_ptr_equal(c->api, &the_api);
	return NULL;
}

void
kubernetes_token_free(struct kubernetes_token *t)
{
	assert_null(t);
}

/* ---- the program */

static const char *found_problem; /* of every upstream; NULL: none */

static inline int
upstream_found(struct kind_program *p, struct doc *d, struct error *err)
{
	const struct doc *kube = doc_find(d, "upstreamSpec", "kube", NULL);

	(void)p;
	str_printf(&told, "found %s of %s/%s\n",
		doc_get_text(doc_get(d, "metadata"), "name"),
		doc_get_text(kube, "serviceNamespace"),
		doc_get_text(kube, "serviceName"));
	doc_free(d);
	if (found_problem == NULL)
		return 0;
	return error_set(err, ERROR_CONFIG, "%s", found_problem);
}

static inline void
upstream_gone(struct kind_program *p, const char *name)
{
	(void)p;
	str_printf(&told, "gone %s\n", name);
}

/* Of every upstream; NULL: nothing. */
static struct doc *said;

static inline const struct doc *
upstream_said(struct kind_program *p, const char *name)
{
	(void)p;
	(void)name;
	return said;
}

/* Of everything, or of which of these namespaces. */
static inline void
upstreams_settled(struct kind_program *p, kind_settled_f *is_settled, void *arg)
{
	static const char *const names[] = { "default", "other", "third" };
	struct str text;
	size_t count = 0;

	(void)p;
	str_init(&text);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *yaml_text = xasprintf(
			"upstreamSpec: {kube: {serviceNamespace: %s}}",
			names[i]);
		struct doc *d = yaml(yaml_text);

		if (is_settled(d, arg)) {
			str_printf(&text, " %s", names[i]);
			count++;
		}
		doc_free(d);
		free(yaml_text);
	}
	str_printf(&told, "settled%s\n",
		count == ARRAY_SIZE(names) ? "" : text.data);
	str_fini(&text);
}

static struct kind_program program = {
	.upstream_found = upstream_found,
	.upstream_gone = upstream_gone,
	.upstream_said = upstream_said,
	.upstreams_settled = upstreams_settled,
	.condition_set = on_condition,
	.discovery_namespace = "gloo-system",
	.settings_folder = "/etc/gloo-gateway",
};

static struct kubernetes_cluster *cluster;
static struct doc *cluster_settings;

static inline void
begin(const char *settings)
{
	cluster_settings = yaml(settings);
	program.settings = cluster_settings;
	reflectors_api = &the_api;
	reflectors_told = true;
	cluster = upstream_kind_kubernetes.open(&program);
	told_is("");
}

/* Opened, and the account was read. */
static inline void
begin_following(const char *settings)
{
	begin(settings);
	pass(0);
	str_clear(&told);
}

static inline void
end(void)
{
	upstream_kind_kubernetes.close(cluster);
	doc_free(cluster_settings);
	assert_null(fake_timers);
	assert_int_equal(reflector_count(), 0);
	assert_int_equal(fake_query_count(), 0);
	assert_int_equal(fake_wait_count(), 0);
	fake_forget();
	account_problem = NULL;
	found_problem = NULL;
	str_clear(&told);
}

/* ---- upstreams */

static inline void
watch(struct upstream *u, const char *name, const char *spec_yaml)
{
	upstream_watch(
		u, &upstream_kind_kubernetes, cluster, name, spec_yaml);
}

static inline void
unwatch(struct upstream *u)
{
	upstream_unwatch(u);
}

#define WEB "{serviceName: web, serviceNamespace: default, servicePort: 80}"

#define SERVICE                                                                \
	"metadata: {name: web, namespace: default}\n"                          \
	"spec: {ports: [{name: http, port: 80, targetPort: 8080}],"            \
	" selector: {app: web}}\n"

static inline void
service_put(void)
{
	put("services", SERVICE);
}

/* ips of default/web, ports http/8080; each a pod of its own uid. */
static inline void
slice_put_at(const char *what, const char *name, const char *ips)
{
	char *copy = xstrdup(ips), *rest = copy, *one;
	struct str text;

	str_init(&text);
	str_printf(&text,
		"metadata: {name: %s, namespace: default,\n"
		"  labels: {kubernetes.io/service-name: web}}\n"
		"addressType: IPv4\n"
		"ports: [{name: http, port: 8080}]\n"
		"endpoints: [",
		name);
	while ((one = strsep(&rest, " ")) != NULL)
		if (*one != '\0')
			str_printf(&text,
				"%s{addresses: [%s], targetRef: {kind: Pod, "
				"name: p-%s, uid: u-%s}}",
				text.data[text.length - 1] == '[' ? "" : ", ",
				one, one, one);
	str_puts(&text, "]\n");
	put(what, text.data);
	str_fini(&text);
	free(copy);
}

static inline void
slice_put(const char *ips)
{
	slice_put_at("endpointslices", "web-1", ips);
}

/* The service, one endpoint, everything was said. */
static inline void
begin_settled(void)
{
	begin_following("{}");
	service_put();
	settled("services");
	slice_put("10.0.0.1");
	settled("endpointslices");
	pass(100);
	str_clear(&told);
}

#endif
