/*
 * The cluster and the upstreams of kind kube that are watched. Account, API
 * server, resources, loop, clock and resolver are the test's own: objects come,
 * time passes and names are answered when a line says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kinds/kubernetes/cluster.h"
#include "kinds/kubernetes/permissions.h"
#include "kinds/kubernetes/reflector.h"
#include "kinds/kubernetes/resources.h"
#include "kinds/kubernetes/token.h"
#include "net/loop.h"
#include "tests/unit/net/fake_resolver.h"

extern const struct upstream_kind upstream_kind_kubernetes;

#define TIMERS     2048
#define REFLECTORS 8

static struct str told; /* a line per call of the host or the program */

static void
told_is(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

/* ---- time */

struct loop_timer {
	loop_timer_f *cb;
	void *arg;
	uint64_t due_ms; /* 0: not started */
	bool used;
};

static struct loop_timer timers[TIMERS];
static uint64_t now_ms;
static size_t timers_started;

uint64_t
loop_now_ms(struct loop *l)
{
	(void)l;
	return now_ms;
}

uint64_t
clock_monotonic_ms(void)
{
	return now_ms;
}

uint64_t
clock_realtime_ms(void)
{
	return now_ms;
}

uint64_t
clock_monotonic_us(void)
{
	return now_ms * 1000;
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_timer_f *cb, void *arg)
{
	(void)l;
	for (size_t i = 0; i < TIMERS; i++) {
		if (timers[i].used)
			continue;
		timers[i] = (struct loop_timer){ cb, arg, 0, true };
		return &timers[i];
	}
	fail();
	return NULL;
}

void
loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
	t->due_ms = now_ms + delay_ms;
	timers_started++;
}

void
loop_timer_stop(struct loop_timer *t)
{
	t->due_ms = 0;
}

bool
loop_timer_pending(const struct loop_timer *t)
{
	return t->due_ms != 0;
}

void
loop_timer_free(struct loop_timer *t)
{
	if (t != NULL)
		memset(t, 0, sizeof(*t));
}

/* What is due within ms happens, in order. */
static void
pass(uint64_t ms)
{
	uint64_t end = now_ms + ms;

	for (;;) {
		struct loop_timer *next = NULL;

		for (size_t i = 0; i < TIMERS; i++)
			if (timers[i].due_ms != 0 && timers[i].due_ms <= end &&
				(next == NULL ||
					timers[i].due_ms < next->due_ms))
				next = &timers[i];
		if (next == NULL)
			break;
		if (next->due_ms > now_ms)
			now_ms = next->due_ms;
		next->due_ms = 0;
		next->cb(next->arg);
	}
	now_ms = end;
}

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

struct kubernetes_reflector {
	char *what; /* "services", "pods in ns of a=b" */
	struct kubernetes_reflector_events events;
	void *arg;
};

static struct kubernetes_reflector *reflectors[REFLECTORS];

struct kubernetes_reflector *
kubernetes_reflector_new(struct kubernetes_api *api,
	const struct kubernetes_collection *c,
	const struct kubernetes_reflector_events *events, void *arg)
{
	struct kubernetes_reflector *r = xcalloc(1, sizeof(*r));
	size_t i = 0;

	assert_ptr_equal(api, &the_api);
	assert_string_equal(c->versions[0], "v1");
	assert_string_equal(c->group,
		strcmp(c->plural, "endpointslices") == 0 ? "discovery.k8s.io"
							 : "");
	r->what = xasprintf("%s%s%s%s%s", c->plural,
		c->ns == NULL ? "" : " in ", c->ns == NULL ? "" : c->ns,
		c->labels == NULL ? "" : " of ",
		c->labels == NULL ? "" : c->labels);
	r->events = *events;
	r->arg = arg;
	while (i < REFLECTORS && reflectors[i] != NULL)
		i++;
	assert_true(i < REFLECTORS);
	reflectors[i] = r;
	str_printf(&told, "follow %s\n", r->what);
	return r;
}

void
kubernetes_reflector_free(struct kubernetes_reflector *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < REFLECTORS; i++)
		if (reflectors[i] == r)
			reflectors[i] = NULL;
	str_printf(&told, "unfollow %s\n", r->what);
	free(r->what);
	free(r);
}

static struct kubernetes_reflector *
reflector(const char *what)
{
	for (size_t i = 0; i < REFLECTORS; i++)
		if (reflectors[i] != NULL &&
			strcmp(reflectors[i]->what, what) == 0)
			return reflectors[i];
	fail_msg("%s is not followed", what);
	return NULL;
}

static struct doc *
yaml(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);

	if (d == NULL)
		fail_msg("%s: %s", err.text, text);
	return d;
}

static void
put(const char *what, const char *text)
{
	struct kubernetes_reflector *r = reflector(what);
	struct doc *d = yaml(text);

	r->events.put(d, "v1", r->arg);
	doc_free(d);
}

static void
gone(const char *what, const char *ns, const char *name)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.gone(ns, name, r->arg);
}

static void
settled(const char *what)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.settled(true, r->arg);
}

/* Something on the list could not be read. */
static void
settled_in_part(const char *what)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.settled(false, r->arg);
}

static void
is_now(const char *what, enum kubernetes_state state, const char *reason)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.state(state, reason, r->arg);
}

/* ---- the program */

static const char *found_problem; /* of every upstream; NULL: none */

static int
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

static void
upstream_gone(struct kind_program *p, const char *name)
{
	(void)p;
	str_printf(&told, "gone %s\n", name);
}

/* Of every upstream; NULL: nothing. */
static struct doc *said;

static const struct doc *
upstream_said(struct kind_program *p, const char *name)
{
	(void)p;
	(void)name;
	return said;
}

/* Of everything, or of which of these namespaces. */
static void
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

/* As control does, only what changes is shown. */
static char *conditions[8][2];

static void
program_condition(struct kind_program *p, const char *part,
	enum kind_level level, const char *reason)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };
	char *text = level == KIND_OK
			     ? NULL
			     : xasprintf("%s: %s", names[level], reason);
	size_t i = 0;

	(void)p;
	while (conditions[i][0] != NULL && strcmp(conditions[i][0], part) != 0)
		i++;
	assert_true(i < ARRAY_SIZE(conditions));
	if (conditions[i][0] == NULL)
		conditions[i][0] = xstrdup(part);
	if ((text == NULL) != (conditions[i][1] == NULL) ||
		(text != NULL && strcmp(text, conditions[i][1]) != 0))
		str_printf(&told, "%s %s\n", part, text == NULL ? "ok" : text);
	free(conditions[i][1]);
	conditions[i][1] = text;
}

static struct kind_program program = {
	.upstream_found = upstream_found,
	.upstream_gone = upstream_gone,
	.upstream_said = upstream_said,
	.upstreams_settled = upstreams_settled,
	.condition_set = program_condition,
	.discovery_namespace = "gloo-system",
	.settings_folder = "/etc/gloo-gateway",
};

static struct kubernetes_cluster *cluster;
static struct doc *cluster_settings;

static void
begin(const char *settings)
{
	cluster_settings = yaml(settings);
	program.settings = cluster_settings;
	now_ms = 1000;
	cluster = upstream_kind_kubernetes.open(&program);
	told_is("");
}

/* Opened, and the account was read. */
static void
begin_following(const char *settings)
{
	begin(settings);
	pass(0);
	str_clear(&told);
}

static void
end(void)
{
	upstream_kind_kubernetes.close(cluster);
	doc_free(cluster_settings);
	for (size_t i = 0; i < TIMERS; i++)
		assert_false(timers[i].used);
	for (size_t i = 0; i < REFLECTORS; i++)
		assert_null(reflectors[i]);
	assert_int_equal(fake_query_count(), 0);
	assert_int_equal(fake_wait_count(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		free(conditions[i][0]);
		free(conditions[i][1]);
		conditions[i][0] = conditions[i][1] = NULL;
	}
	account_problem = NULL;
	found_problem = NULL;
	str_clear(&told);
}

/* ---- hosts */

struct upstream {
	struct kind_host host; /* first */
	const char *name;
	void *state;
	size_t last_count;
	struct endpoint used[8];
	size_t used_count;
};

static void
endpoints_replace(
	struct kind_host *host, const struct endpoint *set, size_t count)
{
	struct upstream *u = (struct upstream *)host;
	char text[ADDR_TEXT_MAX];

	u->last_count = count;
	u->used_count = count > 8 ? 0 : count;
	if (u->used_count > 0)
		memcpy(u->used, set, u->used_count * sizeof(*set));
	if (count > 8) {
		str_printf(&told, "%s: %zu endpoints\n", u->name, count);
		return;
	}
	str_printf(&told, "%s:", u->name);
	for (size_t i = 0; i < count; i++) {
		str_printf(&told, " %s", addr_format(&set[i].addr, text));
		if (set[i].host[0] != '\0')
			str_printf(&told, "(%s)", set[i].host);
		if (set[i].owner != 0)
			str_puts(&told, "*");
	}
	str_puts(&told, count == 0 ? " none\n" : "\n");
}

static const struct endpoint *
endpoints_used(struct kind_host *host, size_t *count)
{
	const struct upstream *u = (struct upstream *)host;

	*count = u->used_count;
	return u->used;
}

static void
condition_set(struct kind_host *host, bool ok, const char *reason)
{
	const struct upstream *u = (struct upstream *)host;

	str_printf(&told, "%s %s%s\n", u->name, ok ? "ok" : "not ok: ",
		ok ? "" : reason);
}

static void
note_set(struct kind_host *host, const char *note)
{
	const struct upstream *u = (struct upstream *)host;

	str_printf(&told, "%s note %s\n", u->name, note == NULL ? "-" : note);
}

static void
watch(struct upstream *u, const char *name, const char *spec_yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(spec_yaml);
	void *spec = upstream_kind_kubernetes.read(d, &err);

	if (spec == NULL)
		fail_msg("%s", err.text);
	*u = (struct upstream){
		.host = { .endpoints_replace = endpoints_replace,
			.endpoints_used = endpoints_used,
			.condition_set = condition_set,
			.note_set = note_set,
			.shared = cluster },
		.name = name,
	};
	u->state = upstream_kind_kubernetes.watch(spec, &u->host);
	/* The state must not lean on the spec. */
	upstream_kind_kubernetes.free(spec);
	doc_free(d);
}

static void
unwatch(struct upstream *u)
{
	upstream_kind_kubernetes.unwatch(u->state);
}

#define WEB "{serviceName: web, serviceNamespace: default, servicePort: 80}"

#define SERVICE                                                                \
	"metadata: {name: web, namespace: default}\n"                          \
	"spec: {ports: [{name: http, port: 80, targetPort: 8080}],"            \
	" selector: {app: web}}\n"

static void
service_put(void)
{
	put("services", SERVICE);
}

/* ips of default/web, ports http/8080; each a pod of its own uid. */
static void
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

static void
slice_put(const char *ips)
{
	slice_put_at("endpointslices", "web-1", ips);
}

/* The service, one endpoint, everything was said. */
static void
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

/* ---- tests */

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

static void
test_objects(void **state)
{
	(void)state;
	begin_settled();
	put("services", "metadata: {name: b, namespace: default}\n"
			"spec: {ports: 1}\n");
	told_is("objects warning: Service default/b is passed over: "
		"spec.ports: expected a list, found an integer\n");
	put("endpointslices",
		"metadata: {name: a, namespace: default,"
		" labels: {kubernetes.io/service-name: web}}\n");
	told_is("objects warning: EndpointSlice default/a is passed over: "
		"addressType: expected IPv4, IPv6 or FQDN, found \"\" (and 1 "
		"more)\n");
	put("endpointslices",
		"metadata: {name: a, namespace: default,"
		" labels: {kubernetes.io/service-name: web}}\n");
	told_is("");
	gone("endpointslices", "default", "a");
	told_is("objects warning: Service default/b is passed over: "
		"spec.ports: expected a list, found an integer\n");
	put("services", "metadata: {name: b, namespace: default}\n"
			"spec: {}\n");
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
	put("services", "metadata: {name: b, namespace: default}\n"
			"spec: {ports: 1}\n");
	put("endpointslices",
		"metadata: {name: a, namespace: default,"
		" labels: {kubernetes.io/service-name: web}}\n");
	settled("services");
	settled("endpointslices");
	str_clear(&told);
	pass(100);
	told_is("");
	put("services", "metadata: {name: b, namespace: default}\n"
			"spec: {}\n");
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

/* The older of two has the name; it goes over without being gone in between. */
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

	(void)state;
	begin_settled();
	put("services", younger);
	told_is("found a-b-c-80 of a-b/c\n");
	put("services", older);
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
	put("services",
		"metadata: {name: c, namespace: a-b,"
		" creationTimestamp: \"2026-01-02T00:00:00Z\"}\n"
		"spec: {ports: [{port: 80}]}\n");
	put("services",
		"metadata: {name: b-c, namespace: a,"
		" creationTimestamp: \"2026-01-01T00:00:00Z\"}\n"
		"spec: {ports: [{port: 80}]}\n");
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
	static const char younger[] =
		"metadata: {name: c, namespace: a-b,"
		" creationTimestamp: \"2026-01-02T00:00:00Z\"}\n"
		"spec: {ports: [{port: 80}]}\n";

	(void)state;
	said = yaml("upstreamSpec: {kube: {serviceNamespace: a,"
		    " serviceName: b-c, servicePort: 80}}");
	begin_following("watchNamespaces: [a, a-b]");
	put("services in a-b", younger);
	settled("services in a-b");
	told_is("settled\n");
	put("services in a",
		"metadata: {name: b-c, namespace: a,"
		" creationTimestamp: \"2026-01-01T00:00:00Z\"}\n"
		"spec: {ports: [{port: 80}]}\n");
	settled("services in a");
	assert_non_null(strstr(told.data, "found a-b-c-80 of a/b-c\n"));
	assert_null(strstr(told.data, "of a-b/c\n"));
	end();
	/* It is there no more. */
	begin_following("watchNamespaces: [a, a-b]");
	put("services in a-b", younger);
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
	timers_started = 0;
	put("endpointslices",
		"metadata: {name: x, namespace: default,\n"
		"  labels: {kubernetes.io/service-name: s500}}\n"
		"addressType: IPv4\n"
		"ports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n");
	pass(100);
	told_is("u: 10.0.0.1:80\n");
	assert_int_equal(timers_started, 1);
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

static int
setup(void **state)
{
	(void)state;
	str_init(&told);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	str_fini(&told);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_beginning),
		cmocka_unit_test(test_late_watch),
		cmocka_unit_test(test_coalescing),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_stale_at_start),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_core_endpoints),
		cmocka_unit_test(test_core_endpoints_of_one),
		cmocka_unit_test(test_slices_no_more),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_http2_and_tls),
		cmocka_unit_test(test_external_name),
		cmocka_unit_test(test_external_server),
		cmocka_unit_test(test_selector),
		cmocka_unit_test(test_selector_stale),
		cmocka_unit_test(test_selector_forbidden),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_not_whole),
		cmocka_unit_test(test_upstreams_refused),
		cmocka_unit_test(test_clash),
		cmocka_unit_test(test_clash_listed),
		cmocka_unit_test(test_clash_of_namespaces),
		cmocka_unit_test(test_without_discovery),
		cmocka_unit_test(test_preview),
		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_too_many_endpoints),
		cmocka_unit_test(test_no_cluster),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
