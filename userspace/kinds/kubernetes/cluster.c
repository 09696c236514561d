/* The cluster: account, API server, what is followed of it and what is made. */
#include "kinds/kubernetes/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "kinds/kubernetes/discovery.h"
#include "kinds/kubernetes/permissions.h"
#include "kinds/kubernetes/reflector.h"
#include "kinds/kubernetes/resources.h"
#include "kinds/kubernetes/server_name.h"
#include "kinds/kubernetes/services.h"
#include "kinds/kubernetes/slices.h"
#include "kinds/kubernetes/token.h"
#include "kinds/problems.h"
#include "model/schema.h"
#include "net/loop.h"

#define RETRY_MIN_MS 800
#define RETRY_MAX_MS 30000
/* A server that restarts is no reason for a warning at each upstream. */
#define STALE_TELL_MS 30000

enum follow_what {
	FOLLOW_SERVICES,
	FOLLOW_SLICES,
	FOLLOW_ENDPOINTS, /* only where the server has no slices */
	FOLLOW_COUNT,
};

struct follow {
	struct kubernetes_cluster *cluster;
	struct kubernetes_scope *scope;
	enum follow_what what;
	struct kubernetes_reflector *reflector; /* NULL: not followed */
	enum kubernetes_state state;
	char *reason;          /* of the state */
	uint64_t stale_since;  /* monotonic ms; 0: it is not */
	bool settled;
	bool listed_whole; /* the last list was */
	bool whole; /* once all that was listed could be taken */
	struct table *refused; /* "ns/name": it is there, but passed over */
};

struct kubernetes_scope {
	char *ns; /* NULL: all */
	struct follow follows[FOLLOW_COUNT];
	bool upstreams_settled; /* of this one, which was told */
	char *problem; /* of kubernetes_cluster_problem */
	const void *problem_of; /* the follow, or the cluster: its account */
};

struct names {
	char **items;
	size_t count;
};

/* ---- scopes */

static struct kubernetes_scope *
scope_find(const struct kubernetes_cluster *c, const char *ns)
{
	for (size_t i = 0; i < c->scope_count; i++)
		if (c->scopes[i].ns == NULL ||
			strcmp(c->scopes[i].ns, ns) == 0)
			return &c->scopes[i];
	return NULL;
}

static bool
scope_is_settled(const struct kubernetes_scope *s)
{
	return s->follows[FOLLOW_SERVICES].settled &&
	       (s->follows[FOLLOW_SLICES].settled ||
		       s->follows[FOLLOW_ENDPOINTS].settled);
}

static bool
scope_is_whole(const struct kubernetes_scope *s)
{
	return s->follows[FOLLOW_SERVICES].whole &&
	       (s->follows[FOLLOW_SLICES].whole ||
		       s->follows[FOLLOW_ENDPOINTS].whole);
}

bool
kubernetes_cluster_follows(const struct kubernetes_cluster *c, const char *ns)
{
	return scope_find(c, ns) != NULL;
}

bool
kubernetes_cluster_settled(const struct kubernetes_cluster *c, const char *ns)
{
	const struct kubernetes_scope *s = scope_find(c, ns);

	return s != NULL && scope_is_settled(s);
}

bool
kubernetes_cluster_whole(const struct kubernetes_cluster *c, const char *ns)
{
	const struct kubernetes_scope *s = scope_find(c, ns);

	return s != NULL && scope_is_whole(s);
}

const char *
kubernetes_cluster_problem(const struct kubernetes_cluster *c, const char *ns)
{
	const struct kubernetes_scope *s = scope_find(c, ns);

	return s == NULL ? NULL : s->problem;
}

/* ---- upstreams */

static void
names_free(void *value)
{
	struct names *n = value;

	if (n == NULL)
		return;
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
	free(n);
}

static bool
names_have(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->items[i], name) == 0)
			return true;
	return false;
}

struct making {
	struct kubernetes_cluster *cluster;
	struct names *names;
};

/* Which namespace is listed first must not decide who has a name: until now it
 * was another service's, which may be there still. */
static bool
is_awaited(const struct kubernetes_cluster *c, const struct doc *upstream)
{
	const char *name = doc_get_text(doc_get(upstream, "metadata"), "name");
	const struct doc *said = c->program->upstream_said(c->program, name);
	const char *ns = doc_string(doc_find(said, "upstreamSpec", "kube",
		"serviceNamespace", NULL));
	const struct kubernetes_scope *s = ns == NULL ? NULL
						      : scope_find(c, ns);

	return s != NULL && !s->follows[FOLLOW_SERVICES].settled;
}

static void
on_made(struct doc *upstream, void *arg)
{
	struct making *m = arg;
	struct kind_program *p = m->cluster->program;
	struct names *n = m->names;
	struct error err = ERROR_INIT;
	char *name;

	if (is_awaited(m->cluster, upstream)) {
		m->cluster->awaits = true;
		doc_free(upstream);
		return;
	}
	name = xstrdup(doc_get_text(doc_get(upstream, "metadata"), "name"));
	if (p->upstream_found(p, upstream, &err) != 0)
		error_prefix(&err, "upstream %s is not made", name);
	n->items = xreallocarray(n->items, n->count + 1, sizeof(char *));
	n->items[n->count++] = name;
	kind_problems_set(m->cluster->upstreams, name, err.text);
}

/* What the service makes no more; unless another one makes it now, which is
 * told of itself. */
static void
made_drop(struct kubernetes_cluster *c, const struct names *old,
	const struct names *now)
{
	for (size_t i = 0; old != NULL && i < old->count; i++) {
		const char *name = old->items[i];

		if (names_have(now, name) ||
			kubernetes_services_makes(c->services, name))
			continue;
		kind_problems_set(c->upstreams, name, NULL);
		c->program->upstream_gone(c->program, name);
	}
}

static void
clash_tell(struct kubernetes_cluster *c, const char *key, const char *ns,
	const char *name)
{
	struct str text;

	str_init(&text);
	kubernetes_services_clash(c->services, ns, name, &text);
	kind_problems_set(c->upstreams, key, text.data);
	str_fini(&text);
}

static void
service_make(struct kubernetes_cluster *c, const char *ns, const char *name)
{
	struct making m = { c, xcalloc(1, sizeof(*m.names)) };
	char *key = xasprintf("%s/%s", ns, name);
	struct names *old = table_steal(c->made, key);

	kubernetes_services_upstreams(c->services, ns, name, on_made, &m);
	made_drop(c, old, m.names);
	clash_tell(c, key, ns, name);
	names_free(old);
	if (m.names->count > 0)
		table_set(c->made, key, m.names);
	else
		names_free(m.names);
	free(key);
}

static void
on_service(const char *ns, const char *name, void *arg)
{
	struct kubernetes_cluster *c = arg;
	const struct kubernetes_scope *s = scope_find(c, ns);

	if (s == NULL || !s->follows[FOLLOW_SERVICES].settled)
		return; /* on_settled makes all */
	if (c->settings->discovery)
		service_make(c, ns, name);
	kubernetes_discovery_touch(c->discovery, ns, name);
	/* Whom no external name may lead to. */
	if (strcmp(ns, "default") == 0 && strcmp(name, "kubernetes") == 0)
		kubernetes_discovery_touch_all(c->discovery, NULL);
}

static void
on_slices(const char *ns, const char *service, void *arg)
{
	const struct kubernetes_cluster *c = arg;

	kubernetes_discovery_touch(c->discovery, ns, service);
}

static void
on_listed(const char *ns, const char *name, void *arg)
{
	const struct kubernetes_scope *s = arg;

	if (s->ns == NULL || strcmp(s->ns, ns) == 0)
		service_make(s->follows[FOLLOW_SERVICES].cluster, ns, name);
}

static void
on_awaiting(const char *ns, const char *name, void *arg)
{
	struct kubernetes_cluster *c = arg;
	const struct kubernetes_scope *s = scope_find(c, ns);

	if (s != NULL && s->follows[FOLLOW_SERVICES].settled)
		service_make(c, ns, name);
}

/* Services of the namespace were listed. */
static void
upstreams_make(struct kubernetes_cluster *c, struct kubernetes_scope *s)
{
	bool awaits = c->awaits;

	c->awaits = false;
	kubernetes_services_each(
		c->services, awaits ? on_awaiting : on_listed,
		awaits ? (void *)c : s);
}

/* What was discovered of a namespace that is followed no more is, too; of one
 * that cannot be told, all have to be. */
static bool
on_said(const struct doc *said, void *arg)
{
	const struct kubernetes_cluster *c = arg;
	const char *ns = doc_string(doc_find(said, "upstreamSpec", "kube",
		"serviceNamespace", NULL));
	const struct kubernetes_scope *s;

	for (size_t i = 0; ns == NULL && i < c->scope_count; i++)
		if (!c->scopes[i].upstreams_settled)
			return false;
	s = ns == NULL ? NULL : scope_find(c, ns);
	return s == NULL || s->upstreams_settled;
}

/* Once of each namespace, whatever is known of endpoints: what an earlier run
 * discovered and this one did not is gone. Not while a service is there that
 * could not be read: that may be what made it. */
static void
upstreams_settle(struct kubernetes_cluster *c)
{
	bool more = false;

	for (size_t i = 0; i < c->scope_count; i++) {
		struct kubernetes_scope *s = &c->scopes[i];

		if (s->upstreams_settled ||
			!s->follows[FOLLOW_SERVICES].whole)
			continue;
		s->upstreams_settled = more = true;
	}
	if (more && c->settings->discovery)
		c->program->upstreams_settled(c->program, on_said, c);
}

/* ---- conditions */

static const char *const parts[FOLLOW_COUNT] = {
	[FOLLOW_SERVICES] = "services",
	[FOLLOW_SLICES] = "endpoints",
	[FOLLOW_ENDPOINTS] = "endpoints",
};

static enum kind_level
follow_level(const struct follow *f)
{
	if (f->reflector == NULL)
		return KIND_OK;
	switch (f->state) {
	case KUBERNETES_BEGINNING:
	case KUBERNETES_CURRENT:
		break;
	case KUBERNETES_STALE:
		return KIND_WARNING;
	case KUBERNETES_FORBIDDEN:
		return KIND_ERROR;
	case KUBERNETES_ABSENT:
		return f->what == FOLLOW_SLICES ? KIND_NOTE : KIND_ERROR;
	}
	return KIND_OK;
}

static const char *
follow_reason(const struct follow *f)
{
	if (f->what == FOLLOW_SLICES && f->state == KUBERNETES_ABSENT)
		return "the API server has no EndpointSlices: Endpoints are "
		       "read, which hold at most 1000 addresses of a service";
	return f->reason == NULL ? "" : f->reason;
}

/* The worst of all that the part is made of. */
static const struct follow *
follow_worst(const struct kubernetes_cluster *c, const char *part)
{
	const struct follow *worst = NULL;

	for (size_t i = 0; i < c->scope_count; i++)
		for (size_t j = 0; j < FOLLOW_COUNT; j++) {
			const struct follow *f = &c->scopes[i].follows[j];

			if (strcmp(parts[j], part) == 0 &&
				(worst == NULL ||
					follow_level(f) > follow_level(worst)))
				worst = f;
		}
	return worst;
}

static void
condition_tell(struct kubernetes_cluster *c, const char *part)
{
	const struct follow *f = follow_worst(c, part);
	enum kind_level level = follow_level(f);
	char *reason = NULL;

	if (level != KIND_OK)
		reason = f->scope->ns == NULL
				 ? xstrdup(follow_reason(f))
				 : xasprintf("namespace %s: %s", f->scope->ns,
					   follow_reason(f));
	c->program->condition_set(c->program, part, level, reason);
	free(reason);
}

/* ---- what is worth saying at each upstream */

/* Slices that the server does not have are no matter: Endpoints are. */
static bool
follow_is_stale(const struct follow *f)
{
	return f->stale_since != 0 &&
	       !(f->what == FOLLOW_SLICES && f->state == KUBERNETES_ABSENT);
}

/* NULL, or what has to be told of: the cluster (its account) or a follow. */
static const void *
problem_find(const struct kubernetes_scope *s, uint64_t now)
{
	const struct kubernetes_cluster *c = s->follows[0].cluster;

	if (c->account_problem != NULL)
		return c;
	for (size_t i = 0; i < FOLLOW_COUNT; i++) {
		const struct follow *f = &s->follows[i];

		if (follow_is_stale(f) &&
			(!scope_is_settled(s) ||
				now - f->stale_since >= STALE_TELL_MS))
			return f;
	}
	return NULL;
}

/* The text stays as long as its cause: upstreams are not told again when the
 * same server fails in another way. */
static void
problem_update(struct kubernetes_scope *s)
{
	const struct kubernetes_cluster *c = s->follows[0].cluster;
	const void *cause = problem_find(s, clock_monotonic_ms());

	if (cause == s->problem_of)
		return;
	free(s->problem);
	s->problem_of = cause;
	s->problem = cause == NULL ? NULL
		     : xstrdup(cause == c ? c->account_problem
					  : follow_reason(cause));
	kubernetes_discovery_touch_all(c->discovery, s->ns);
}

static void
problems_update(struct kubernetes_cluster *c)
{
	for (size_t i = 0; i < c->scope_count; i++)
		problem_update(&c->scopes[i]);
}

static void
on_stale(void *arg)
{
	struct kubernetes_cluster *c = arg;

	problems_update(c);
	for (size_t i = 0; i < c->scope_count; i++)
		for (size_t j = 0; j < FOLLOW_COUNT; j++)
			if (follow_is_stale(&c->scopes[i].follows[j]) &&
				c->scopes[i].problem_of == NULL)
				loop_timer_start(c->stale, STALE_TELL_MS);
}

/* ---- the server */

/* "https://[::1]:6443/path" to "::1" */
static char *
url_host(const char *url)
{
	const char *host = strstr(url, "://");

	host = host == NULL ? url : host + 3;
	if (host[0] == '[')
		return xstrndup(host + 1, strcspn(host + 1, "]"));
	return xstrndup(host, strcspn(host, ":/"));
}

static void
on_server_addrs(const struct addr *addrs, size_t count, void *arg)
{
	struct kubernetes_cluster *c = arg;

	kubernetes_services_server_addrs_set(c->services, addrs, count);
	kubernetes_discovery_touch_all(c->discovery, NULL);
}

/* A kubeconfig may be changed while it is used. */
static void
server_note(struct kubernetes_cluster *c)
{
	char *host = url_host(kubernetes_account_server(c->account));

	kubernetes_services_server_set(c->services, host);
	kubernetes_server_name_set(c->server_name, host);
	free(host);
}

/* ---- reflectors */

/* text "": it is well. */
static void
object_tell(const struct follow *f, const char *ns, const char *name,
	const char *text)
{
	static const char *const kinds[FOLLOW_COUNT] = {
		[FOLLOW_SERVICES] = "Service",
		[FOLLOW_SLICES] = "EndpointSlice",
		[FOLLOW_ENDPOINTS] = "Endpoints",
	};
	char *key = xasprintf("%s %.64s/%.253s", kinds[f->what], ns, name);
	char *sentence = xasprintf("%s is passed over: %s", key, text);

	kind_problems_set(
		f->cluster->objects, key, text[0] == '\0' ? NULL : sentence);
	free(sentence);
	free(key);
}

/* Notes that the object is there but passed over, or is no more. */
static void
refused_set(struct follow *f, const char *ns, const char *name, bool refused)
{
	char *key = xasprintf("%s/%s", ns, name);

	if (refused && f->refused == NULL)
		f->refused = table_new(NULL);
	if (refused)
		table_set(f->refused, key, f);
	else if (f->refused != NULL)
		table_remove(f->refused, key);
	free(key);
}

/* Looks whether nothing is passed over any more. */
static void
whole_look(struct follow *f)
{
	struct kubernetes_cluster *c = f->cluster;

	if (f->whole || !f->listed_whole ||
		(f->refused != NULL && table_count(f->refused) > 0))
		return;
	f->whole = true;
	upstreams_settle(c);
	if (scope_is_whole(f->scope))
		kubernetes_discovery_touch_all(c->discovery, f->scope->ns);
}

static enum kubernetes_slice_sort
follow_sort(const struct follow *f)
{
	return f->what == FOLLOW_SLICES ? KUBERNETES_SLICE
					: KUBERNETES_ENDPOINTS;
}

static void
on_put(const struct doc *object, const char *version, void *arg)
{
	struct follow *f = arg;
	struct kubernetes_cluster *c = f->cluster;
	const struct doc *meta = doc_get(object, "metadata");
	const char *ns = doc_get_text(meta, "namespace");
	const char *name = doc_get_text(meta, "name");
	struct error err = ERROR_INIT;
	int rc;

	(void)version;
	if (f->what == FOLLOW_SERVICES)
		rc = kubernetes_services_put(c->services, object, &err);
	else
		rc = kubernetes_slices_put(
			c->slices, follow_sort(f), object, &err);
	schema_place_trim(&err);
	object_tell(f, ns, name, err.text);
	refused_set(f, ns, name, rc != 0);
	whole_look(f);
}

static void
on_gone(const char *ns, const char *name, void *arg)
{
	struct follow *f = arg;
	struct kubernetes_cluster *c = f->cluster;

	if (f->what == FOLLOW_SERVICES)
		kubernetes_services_remove(c->services, ns, name);
	else
		kubernetes_slices_remove(c->slices, follow_sort(f), ns, name);
	object_tell(f, ns, name, "");
	refused_set(f, ns, name, false);
	whole_look(f);
}

static void
follow_stop(struct follow *f)
{
	kubernetes_reflector_free(f->reflector);
	free(f->reason);
	f->reflector = NULL;
	f->reason = NULL;
	f->state = KUBERNETES_BEGINNING;
	f->stale_since = 0;
	f->settled = f->listed_whole = f->whole = false;
	table_free(f->refused);
	f->refused = NULL;
}

/* The server learnt slices: they were said now, Endpoints are not needed. */
static void
endpoints_replace(struct kubernetes_cluster *c, struct kubernetes_scope *s)
{
	follow_stop(&s->follows[FOLLOW_ENDPOINTS]);
	kubernetes_slices_forget(c->slices, KUBERNETES_ENDPOINTS, s->ns);
}

static void
on_settled(bool whole, void *arg)
{
	struct follow *f = arg;
	struct kubernetes_cluster *c = f->cluster;
	struct kubernetes_scope *s = f->scope;
	bool first = !f->settled;

	/* There are none, and Endpoints are what counts. */
	if (f->what == FOLLOW_SLICES && f->state == KUBERNETES_ABSENT)
		return;
	f->settled = true;
	f->listed_whole = whole;
	server_note(c);
	if (first && f->what == FOLLOW_SERVICES && c->settings->discovery)
		upstreams_make(c, s);
	if (f->what == FOLLOW_SLICES &&
		s->follows[FOLLOW_ENDPOINTS].reflector != NULL)
		endpoints_replace(c, s);
	if (first && scope_is_settled(s))
		kubernetes_discovery_touch_all(c->discovery, s->ns);
	whole_look(f);
	upstreams_settle(c);
	problem_update(s);
	condition_tell(c, parts[f->what]);
}

static void follow_start(struct follow *f);

static void
on_state(enum kubernetes_state state, const char *reason, void *arg)
{
	struct follow *f = arg;
	struct kubernetes_cluster *c = f->cluster;

	/* Refused, or no more. */
	if (state == KUBERNETES_FORBIDDEN || f->state == KUBERNETES_FORBIDDEN)
		kubernetes_permissions_again(c->permissions);
	f->state = state;
	free(f->reason);
	f->reason = xstrdup(reason == NULL ? "" : reason);
	if (state == KUBERNETES_BEGINNING || state == KUBERNETES_CURRENT) {
		f->stale_since = 0;
	} else if (f->stale_since == 0) {
		f->stale_since = clock_monotonic_ms();
		if (!loop_timer_pending(c->stale))
			loop_timer_start(c->stale, STALE_TELL_MS);
	}
	if (state == KUBERNETES_ABSENT && f->what == FOLLOW_SLICES) {
		/* Until Endpoints are read nothing is known. */
		f->settled = f->listed_whole = f->whole = false;
		follow_start(&f->scope->follows[FOLLOW_ENDPOINTS]);
	}
	problem_update(f->scope);
	condition_tell(c, parts[f->what]);
}

static void
follow_start(struct follow *f)
{
	static const char *const core[] = { "v1", NULL };
	static const char *const slices[] = { "v1", "v1beta1", NULL };
	static const struct kubernetes_collection collections[FOLLOW_COUNT] = {
		[FOLLOW_SERVICES] = { "", core, "services", NULL, NULL, NULL },
		[FOLLOW_SLICES] = { "discovery.k8s.io", slices,
			"endpointslices", NULL, NULL, NULL },
		[FOLLOW_ENDPOINTS] = { "", core, "endpoints", NULL, NULL,
			NULL },
	};
	static const struct kubernetes_reflector_events events = {
		.put = on_put,
		.gone = on_gone,
		.settled = on_settled,
		.state = on_state,
	};
	struct kubernetes_collection what = collections[f->what];

	if (f->reflector != NULL)
		return;
	what.ns = f->scope->ns;
	f->reflector = kubernetes_reflector_new(
		f->cluster->api, &what, &events, f);
}

/* ---- the account */

static void
cluster_start(struct kubernetes_cluster *c)
{
	struct kind_program *p = c->program;

	c->api = kubernetes_api_new(p->loop, p->http, c->account);
	server_note(c);
	for (size_t i = 0; i < c->scope_count; i++) {
		follow_start(&c->scopes[i].follows[FOLLOW_SERVICES]);
		follow_start(&c->scopes[i].follows[FOLLOW_SLICES]);
	}
	c->resources = kubernetes_resources_new(c);
	c->permissions = kubernetes_permissions_new(c);
	c->token = kubernetes_token_new(c);
}

static void
on_retry(void *arg)
{
	struct kubernetes_cluster *c = arg;
	struct kind_program *p = c->program;
	struct error err = ERROR_INIT;
	struct kubernetes_account_options o = {
		.kubeconfig = c->settings->kubeconfig,
		.context = c->settings->context,
		.folder = p->settings_folder,
		.insecure = c->settings->insecure,
	};

	c->account = kubernetes_account_open(p->loop, &o, &err);
	free(c->account_problem);
	c->account_problem = NULL;
	if (c->account != NULL) {
		p->condition_set(p, "account", KIND_OK, NULL);
		cluster_start(c);
	} else {
		c->account_problem = xstrdup(err.text);
		p->condition_set(p, "account", KIND_ERROR, err.text);
		loop_timer_start(c->retry, c->retry_ms);
		c->retry_ms *= 2;
		if (c->retry_ms > RETRY_MAX_MS)
			c->retry_ms = RETRY_MAX_MS;
	}
	problems_update(c);
}

/* ---- its life */

static void
scopes_new(struct kubernetes_cluster *c)
{
	const struct kubernetes_settings *t = c->settings;
	size_t count = t->watch_namespace_count;

	c->scope_count = count == 0 ? 1 : count;
	c->scopes = xcalloc(c->scope_count, sizeof(*c->scopes));
	for (size_t i = 0; i < c->scope_count; i++) {
		struct kubernetes_scope *s = &c->scopes[i];

		s->ns = count == 0 ? NULL : xstrdup(t->watch_namespaces[i]);
		for (size_t j = 0; j < FOLLOW_COUNT; j++) {
			s->follows[j].cluster = c;
			s->follows[j].scope = s;
			s->follows[j].what = (enum follow_what)j;
		}
	}
}

/* The program is not called before this has returned. */
void *
kubernetes_open(struct kind_program *program)
{
	struct kubernetes_settings *settings =
		kubernetes_settings_read(program->settings, NULL);
	struct kubernetes_cluster *c;

	if (settings == NULL)
		return NULL; /* settings_check has told */
	c = xcalloc(1, sizeof(*c));
	c->program = program;
	c->settings = settings;
	c->services = kubernetes_services_new(
		settings, program->discovery_namespace, on_service, c);
	c->slices = kubernetes_slices_new(on_slices, c);
	c->server_name = kubernetes_server_name_new(
		program->resolver, on_server_addrs, c);
	c->discovery = kubernetes_discovery_new();
	c->made = table_new(names_free);
	c->objects = kind_problems_new(
		program, "objects", "kubernetes");
	c->upstreams = kind_problems_new(
		program, "upstreams", "kubernetes");
	scopes_new(c);
	c->stale = loop_timer_new(program->loop, on_stale, c);
	c->retry = loop_timer_new(program->loop, on_retry, c);
	c->retry_ms = RETRY_MIN_MS;
	loop_timer_start(c->retry, 0);
	return c;
}

static void
scopes_free(struct kubernetes_cluster *c)
{
	for (size_t i = 0; i < c->scope_count; i++) {
		for (size_t j = 0; j < FOLLOW_COUNT; j++)
			follow_stop(&c->scopes[i].follows[j]);
		free(c->scopes[i].ns);
		free(c->scopes[i].problem);
	}
	free(c->scopes);
}

void
kubernetes_close(void *shared)
{
	struct kubernetes_cluster *c = shared;

	if (c == NULL)
		return;
	kubernetes_token_free(c->token);
	kubernetes_permissions_free(c->permissions);
	kubernetes_resources_free(c->resources);
	scopes_free(c);
	kubernetes_api_free(c->api);
	kubernetes_account_close(c->account);
	kubernetes_server_name_free(c->server_name);
	loop_timer_free(c->retry);
	loop_timer_free(c->stale);
	kubernetes_services_free(c->services);
	kubernetes_slices_free(c->slices);
	kubernetes_discovery_free(c->discovery);
	kind_problems_free(c->objects);
	kind_problems_free(c->upstreams);
	table_free(c->made);
	kubernetes_settings_free(c->settings);
	free(c->account_problem);
	free(c);
}

void
kubernetes_judged(void *shared, const struct kind_verdict *verdict)
{
	struct kubernetes_cluster *c = shared;

	if (c->resources != NULL && c->settings->resources)
		kubernetes_resources_judged(c->resources, verdict);
}

int
kubernetes_preview(void *shared, kind_preview_each_f *each, void *arg,
	struct error *err)
{
	const struct kubernetes_cluster *c = shared;

	for (size_t i = 0; i < c->scope_count; i++) {
		const struct kubernetes_scope *s = &c->scopes[i];

		if (!s->follows[FOLLOW_SERVICES].settled)
			return error_set(err, ERROR_SYSTEM,
				"the services of %s%s were not listed yet%s%s",
				s->ns == NULL ? "the cluster" : "namespace ",
				s->ns == NULL ? "" : s->ns,
				s->problem == NULL ? "" : ": ",
				s->problem == NULL ? "" : s->problem);
	}
	kubernetes_services_upstreams(c->services, NULL, NULL, each, arg);
	return 0;
}
