/*
 * The endpoints of one upstream of kind kube. Until everything of its namespace
 * was said once, nothing is reported: what an earlier run knew goes on serving.
 * From then on what the cluster says holds, also that there is nothing.
 *
 * Pods themselves are followed only for an upstream whose selector asks for
 * more than the service's own: then those with these labels, by the server's
 * choice.
 */
#include "kinds/kubernetes/discovery.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "kinds/kubernetes/reflector.h"
#include "kinds/kubernetes/services.h"
#include "kinds/kubernetes/slices.h"
#include "kinds/kubernetes/spec.h"
#include "kinds/telling.h"
#include "model/tables.h"
#include "net/loop.h"
#include "net/watched_name.h"

struct kubernetes_discovery {
	struct table *watches; /* by "ns/service": the first of a list */
};

/* What was reported last; an array of these is compared as bytes. */
struct known {
	struct addr addr;
	uint8_t pad[6];
	uint64_t owner;
};

_Static_assert(sizeof(struct known) == 32, "no bytes but the named ones");

struct watch;

/* What an external name leads to. */
struct external {
	struct watch *watch;
	struct watched_name *watched; /* NULL: none, or a literal address */
	char *name;                   /* NULL: there is none */
	uint16_t port;
	struct endpoint *found; /* all that it leads to; NULL: not known */
	size_t found_count;
	char *failure, *refused, *note;
};

/* Pods of the upstream's selector. While they are not to be known, which a
 * problem says, a pod that nothing was said of yet is taken: so a rollout does
 * not end with nobody. */
struct pods {
	struct kubernetes_reflector *reflector; /* NULL: not needed */
	struct table *names;
	struct table *others; /* of the service, and not of the selector */
	bool settled;
	char *problem;
};

struct watch {
	struct watch *next; /* of the same service */
	struct kind_host *host;
	struct kubernetes_cluster *cluster;
	char *key;                          /* "ns/service" */
	char *ns, *service;
	uint16_t port;
	struct model_pair *selector;
	size_t selector_count;

	struct loop_timer *timer;
	uint64_t last_ms; /* of the last report */
	bool reported;    /* known is what the host has */
	struct known *known;
	size_t known_count;
	struct kind_telling telling;

	struct external external;
	struct pods pods;
};

/* ---- telling the host */

/* Both are taken; NULL: nothing. */
static void
watch_tell(struct watch *w, char *problem, char *note)
{
	kind_telling_set(&w->telling, w->host, problem, note);
}

static bool
set_is_known(const struct watch *w, const struct endpoint *set, size_t count)
{
	if (!w->reported || w->known_count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!addr_equal(&w->known[i].addr, &set[i].addr) ||
			w->known[i].owner != set[i].owner)
			return false;
	return true;
}

static void
set_report(struct watch *w, const struct endpoint *set, size_t count)
{
	if (set_is_known(w, set, count))
		return;
	/* What an earlier run knew may be in what was passed over. */
	if (count == 0 && !w->reported &&
		!kubernetes_cluster_whole(w->cluster, w->ns))
		return;
	free(w->known);
	w->known = xcalloc(count + 1, sizeof(*w->known));
	w->known_count = count;
	for (size_t i = 0; i < count; i++) {
		w->known[i].addr = set[i].addr;
		w->known[i].owner = set[i].owner;
	}
	w->reported = true;
	w->host->endpoints_replace(w->host, set, count);
}

/* What does not hold, though the endpoints are right. */
static char *
note_make(const struct kubernetes_port *port, size_t count)
{
	struct str note;

	str_init(&note);
	if (port->http2)
		str_puts(&note,
			"the service asks for HTTP/2, which is not spoken to "
			"upstreams yet: HTTP/1.1 is");
	if (port->warning[0] != '\0')
		str_printf(&note, "%s%s", note.length > 0 ? "; " : "",
			port->warning);
	if (count > ENDPOINTS_MAX)
		str_printf(&note, "%s%zu endpoints, %d are used",
			note.length > 0 ? "; " : "", count, ENDPOINTS_MAX);
	if (note.length > 0)
		return str_steal(&note);
	str_fini(&note);
	return NULL;
}

/* ---- external names */

static void
external_tell(struct external *x)
{
	const char *problem = x->failure != NULL ? x->failure : x->refused;

	watch_tell(x->watch, problem == NULL ? NULL : xstrdup(problem),
		x->note == NULL ? NULL : xstrdup(x->note));
}

/* Of what the name leads to, what may be called. */
static void
external_filter(struct external *x)
{
	struct watch *w = x->watch;
	size_t count = x->found_count, allowed_count = 0;
	const struct endpoint *set = x->found;
	struct endpoint *allowed = xcalloc(count + 1, sizeof(*allowed));

	free(x->refused);
	x->refused = NULL;
	for (size_t i = 0; i < count; i++) {
		struct error err = ERROR_INIT;

		if (kubernetes_services_addr_allowed(w->cluster->services,
			    x->name, &set[i].addr, &err))
			allowed[allowed_count++] = set[i];
		else if (x->refused == NULL)
			x->refused = xstrdup(err.text);
	}
	set_report(w, allowed, allowed_count);
	free(allowed);
}

/* found becomes ours; NULL: it is not known yet. */
static void
external_found(struct external *x, struct endpoint *found, size_t count)
{
	bool same = found != NULL && x->found != NULL &&
		    count == x->found_count &&
		    memcmp(found, x->found, count * sizeof(*found)) == 0;

	if (found == NULL || same) {
		free(found);
		return;
	}
	free(x->found);
	x->found = found;
	x->found_count = count;
	x->watch->reported = false;
	external_filter(x);
}

static void
external_endpoint(const struct external *x, struct endpoint *e,
	const struct addr *addr, const char *host)
{
	e->addr = *addr;
	e->addr.port_be = htons(x->port);
	e->weight = 1;
	snprintf(e->host, sizeof(e->host), "%s", host);
}

static void
on_external(const struct watched_state *state, void *arg)
{
	struct external *x = arg;
	struct endpoint *found = NULL;
	char host[ENDPOINT_HOST_MAX];
	size_t length;

	snprintf(host, sizeof(host), "%s", x->name);
	length = strlen(host);
	/* The dot only says that it is whole. */
	if (length > 0 && host[length - 1] == '.')
		host[length - 1] = '\0';
	if (state->count > 0 || state->gone)
		found = xcalloc(state->count + 1, sizeof(*found));
	for (size_t i = 0; i < state->count; i++)
		external_endpoint(x, &found[i], &state->targets[i].addr, host);
	free(x->failure);
	x->failure = state->problem == NULL
			     ? NULL
			     : xasprintf("cannot resolve \"%s\": %s", host,
				       state->problem);
	external_found(x, found, state->count);
	external_tell(x);
}

static void
external_stop(struct watch *w)
{
	struct external *x = &w->external;

	if (x->name == NULL)
		return;
	watched_name_free(x->watched);
	free(x->name);
	free(x->found);
	free(x->failure);
	free(x->refused);
	free(x->note);
	memset(x, 0, sizeof(*x));
	w->reported = false;
}

static void
external_start(struct watch *w, const struct kubernetes_port *port)
{
	struct external *x = &w->external;
	struct endpoint *found;
	struct addr literal;

	if (x->name != NULL && x->port == port->port &&
		strcmp(x->name, port->host) == 0)
		return;
	external_stop(w);
	x->watch = w;
	x->name = xstrdup(port->host);
	x->port = port->port;
	if (addr_parse_ip(x->name, 0, &literal) != 0) {
		x->watched = watched_name_new(w->host->resolver, x->name,
			WATCHED_ADDRESSES, on_external, x);
		watched_name_pace(x->watched, w->host->dns_refresh_ms);
		return;
	}
	found = xcalloc(1, sizeof(*found));
	external_endpoint(x, found, &literal, "");
	external_found(x, found, 1);
}

/* NULL, or why it is not asked. */
static char *
external_report(struct watch *w, const struct kubernetes_port *port)
{
	struct error err = ERROR_INIT;

	if (model_host_check(port->host, &err) == 0 &&
		kubernetes_services_host_allowed(
			w->cluster->services, port->host, &err)) {
		external_start(w, port);
		if (w->external.found != NULL)
			external_filter(&w->external);
		free(w->external.note);
		w->external.note = note_make(port, 0);
		external_tell(&w->external);
		return NULL;
	}
	external_stop(w);
	set_report(w, NULL, 0);
	return xstrdup(err.text);
}

/* ---- pods */

static void watch_touch(struct watch *w);

static void
pods_put(const struct doc *object, const char *version, void *arg)
{
	struct watch *w = arg;
	const char *name = doc_get_text(doc_get(object, "metadata"), "name");

	(void)version;
	if (table_get(w->pods.names, name) != NULL)
		return;
	table_remove(w->pods.others, name);
	table_set(w->pods.names, name, w);
	watch_touch(w);
}

static void
pods_gone(const char *ns, const char *name, void *arg)
{
	struct watch *w = arg;

	(void)ns;
	if (table_remove(w->pods.names, name))
		watch_touch(w);
}

static void
pods_settled(bool whole, void *arg)
{
	struct watch *w = arg;

	(void)whole;
	w->pods.settled = true;
	watch_touch(w);
}

static void
pods_state(enum kubernetes_state state, const char *reason, void *arg)
{
	struct watch *w = arg;
	char *problem = NULL;

	if (state == KUBERNETES_FORBIDDEN)
		problem = xasprintf(
			"its selector is not the service's, which needs the "
			"right to list and watch pods: %s",
			reason);
	else if (state != KUBERNETES_BEGINNING && state != KUBERNETES_CURRENT)
		problem = xasprintf(
			"its selector asks for pods that are not known: %s",
			reason);
	free(w->pods.problem);
	w->pods.problem = problem;
	watch_touch(w);
}

static void
pods_stop(struct watch *w)
{
	struct pods *p = &w->pods;

	if (p->reflector == NULL)
		return;
	kubernetes_reflector_free(p->reflector);
	table_free(p->names);
	table_free(p->others);
	free(p->problem);
	memset(p, 0, sizeof(*p));
}

static void
pods_start(struct watch *w)
{
	static const char *const versions[] = { "v1", NULL };
	static const struct kubernetes_reflector_events events = {
		.put = pods_put,
		.gone = pods_gone,
		.settled = pods_settled,
		.state = pods_state,
	};
	struct kubernetes_collection pods = {
		.group = "",
		.versions = versions,
		.plural = "pods",
		.ns = w->ns,
	};
	struct str labels;

	if (w->pods.reflector != NULL || w->cluster->api == NULL)
		return;
	str_init(&labels);
	for (size_t i = 0; i < w->selector_count; i++)
		str_printf(&labels, "%s%s=%s", i > 0 ? "," : "",
			w->selector[i].key, w->selector[i].value);
	pods.labels = labels.data;
	w->pods.names = table_new(NULL);
	w->pods.others = table_new(NULL);
	w->pods.reflector = kubernetes_reflector_new(
		w->cluster->api, &pods, &events, w);
	str_fini(&labels);
}

static bool
pod_wanted(const char *pod, void *arg)
{
	struct watch *w = arg;

	if (table_get(w->pods.names, pod) != NULL)
		return true;
	if (w->pods.problem != NULL)
		return table_get(w->pods.others, pod) == NULL;
	table_set(w->pods.others, pod, w);
	return false;
}

/* Each report says anew who else there is; not one that cannot know. */
static void
others_begin(struct watch *w)
{
	if (w->pods.problem != NULL)
		return;
	table_free(w->pods.others);
	w->pods.others = table_new(NULL);
}

/* ---- the set */

static struct kubernetes_slices_query
query_of(struct watch *w, const struct kubernetes_port *port, bool by_pod)
{
	const struct kubernetes_settings *t = w->cluster->settings;

	return (struct kubernetes_slices_query){
		.ns = w->ns,
		.service = w->service,
		.port_name = port->name,
		.protocol = port->protocol,
		.port = port->target != 0 ? port->target : port->port,
		.family = port->family,
		.zone = t->zone,
		.node = t->node,
		.pod_wanted = by_pod ? pod_wanted : NULL,
		.arg = w,
	};
}

/* How many there are, of which at most ENDPOINTS_MAX are used. */
static size_t
slices_report(struct watch *w, const struct kubernetes_port *port, bool by_pod)
{
	const struct kubernetes_cluster *c = w->cluster;
	struct kubernetes_slices_query q = query_of(w, port, by_pod);
	size_t count = kubernetes_slices_endpoints(c->slices, &q, NULL, 0);
	size_t room = count < ENDPOINTS_MAX ? count : ENDPOINTS_MAX;
	struct endpoint *set = xcalloc(room + 1, sizeof(*set));

	kubernetes_slices_endpoints(c->slices, &q, set, room);
	set_report(w, set, room);
	free(set);
	return count;
}

static int
known_compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int order = memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));

	return order != 0 ? order
			  : (int)x->addr.port_be - (int)y->addr.port_be;
}

/* What the host uses, sorted. The caller frees it. */
static struct known *
used_take(struct watch *w, size_t *count)
{
	const struct endpoint *set = w->host->endpoints_used(w->host, count);
	struct known *used = xcalloc(*count + 1, sizeof(*used));

	for (size_t i = 0; i < *count; i++) {
		used[i].addr = set[i].addr;
		used[i].owner = set[i].owner;
	}
	if (*count > 1)
		qsort(used, *count, sizeof(*used), known_compare);
	return used;
}

/* Which pods the selector chooses was never said: who is used goes on, for as
 * long as the service has it. */
static size_t
used_report(struct watch *w, const struct kubernetes_port *port)
{
	struct kubernetes_slices_query q = query_of(w, port, false);
	const struct kubernetes_slices *slices = w->cluster->slices;
	size_t used_count, kept = 0;
	struct known *used = used_take(w, &used_count);
	size_t count = kubernetes_slices_endpoints(slices, &q, NULL, 0);
	struct endpoint *set = xcalloc(count + 1, sizeof(*set));

	kubernetes_slices_endpoints(slices, &q, set, count);
	for (size_t i = 0; i < count; i++) {
		const struct known key = { .addr = set[i].addr };
		const struct known *k = bsearch(&key, used, used_count,
			sizeof(key), known_compare);

		if (k != NULL && endpoint_owner_fits(k->owner, set[i].owner))
			set[kept++] = set[i];
	}
	if (used_count > 0)
		set_report(w, set, kept);
	free(used);
	free(set);
	return kept;
}

static bool
needs_pods(const struct watch *w)
{
	return w->selector_count > 0 &&
	       !kubernetes_services_selects(w->cluster->services, w->ns,
		       w->service, w->selector, w->selector_count);
}

static char *
absence(const struct watch *w)
{
	struct str ports;
	char *text;

	str_init(&ports);
	if (!kubernetes_services_ports(
		    w->cluster->services, w->ns, w->service, &ports))
		text = xasprintf("there is no service \"%s\" in namespace "
				 "\"%s\"",
			w->service, w->ns);
	else if (ports.length == 0)
		text = xasprintf("service \"%s\" has no port", w->key);
	else
		text = xasprintf("service \"%s\" has no port %u; it has %.128s",
			w->key, w->port, ports.data);
	str_fini(&ports);
	return text;
}

/* Why that port cannot be called at all. */
static char *
refusal(const struct watch *w, const struct kubernetes_port *port)
{
	if (port->tls)
		return xasprintf("annotations of service \"%s\" ask for TLS, "
				 "which is not spoken to upstreams yet; "
				 "nothing is sent in the clear",
			w->key);
	if (strcmp(port->protocol, "TCP") != 0 &&
		strcmp(port->protocol, "UDP") != 0)
		return xasprintf("port %u of service \"%s\" is of %s, which "
				 "is not served",
			w->port, w->key, port->protocol);
	return NULL;
}

static void
nothing_report(struct watch *w, char *problem)
{
	external_stop(w);
	pods_stop(w);
	set_report(w, NULL, 0);
	watch_tell(w, problem, NULL);
}

static void
pods_report(struct watch *w, const struct kubernetes_port *port)
{
	const char *problem = kubernetes_cluster_problem(w->cluster, w->ns);
	bool by_pod = needs_pods(w);
	size_t count = 0;

	external_stop(w);
	if (by_pod)
		pods_start(w);
	else
		pods_stop(w);
	if (by_pod && w->pods.settled)
		others_begin(w);
	if (!by_pod || w->pods.settled)
		count = slices_report(w, port, by_pod);
	else if (w->pods.problem != NULL)
		count = used_report(w, port);
	if (w->pods.problem != NULL)
		problem = w->pods.problem;
	watch_tell(w, problem == NULL ? NULL : xstrdup(problem),
		note_make(port, count));
}

/* What the cluster says now, which is all that there is to say. */
static void
settled_report(struct watch *w)
{
	struct kubernetes_port port;
	char *problem;

	if (!kubernetes_services_port(w->cluster->services, w->ns, w->service,
		    w->port, &port)) {
		nothing_report(w, absence(w));
		return;
	}
	problem = refusal(w, &port);
	if (problem != NULL) {
		nothing_report(w, problem);
	} else if (port.external_name) {
		pods_stop(w);
		problem = external_report(w, &port);
		if (problem != NULL)
			watch_tell(w, problem, NULL);
	} else {
		pods_report(w, &port);
	}
}

static void
watch_report(struct watch *w)
{
	const struct kubernetes_cluster *c = w->cluster;
	const char *problem;

	if (!kubernetes_cluster_follows(c, w->ns)) {
		watch_tell(w,
			xasprintf("namespace \"%s\" is not watched: add it to "
				  "kubernetes.watchNamespaces",
				w->ns),
			NULL);
		return;
	}
	if (kubernetes_cluster_settled(c, w->ns)) {
		w->last_ms = loop_now_ms(w->host->loop);
		settled_report(w);
		return;
	}
	problem = kubernetes_cluster_problem(c, w->ns);
	if (problem != NULL)
		watch_tell(w, xstrdup(problem), NULL);
}

static void
on_timer(void *arg)
{
	watch_report(arg);
}

/* In the loop's next round, so that what came in one piece is one report. */
static void
watch_touch(struct watch *w)
{
	uint64_t now = loop_now_ms(w->host->loop);
	uint64_t due = w->last_ms + KUBERNETES_REPORT_MS;

	if (!loop_timer_pending(w->timer))
		loop_timer_start(w->timer, now >= due ? 0 : due - now);
}

/* ---- the index */

struct kubernetes_discovery *
kubernetes_discovery_new(void)
{
	struct kubernetes_discovery *d = xcalloc(1, sizeof(*d));

	d->watches = table_new(NULL);
	return d;
}

void
kubernetes_discovery_free(struct kubernetes_discovery *d)
{
	if (d == NULL)
		return;
	table_free(d->watches);
	free(d);
}

void
kubernetes_discovery_touch(
	struct kubernetes_discovery *d, const char *ns, const char *service)
{
	char *key = xasprintf("%s/%s", ns, service);

	for (struct watch *w = table_get(d->watches, key); w != NULL;
		w = w->next)
		watch_touch(w);
	free(key);
}

void
kubernetes_discovery_touch_all(struct kubernetes_discovery *d, const char *ns)
{
	size_t place = 0;
	void *value;

	while (table_next(d->watches, &place, NULL, &value))
		for (struct watch *w = value; w != NULL; w = w->next)
			if (ns == NULL || strcmp(w->ns, ns) == 0)
				watch_touch(w);
}

static void
index_add(struct kubernetes_discovery *d, struct watch *w)
{
	w->next = table_get(d->watches, w->key);
	table_set(d->watches, w->key, w);
}

static void
index_drop(struct kubernetes_discovery *d, struct watch *w)
{
	struct watch *first = table_get(d->watches, w->key);

	if (first != w) {
		while (first->next != w)
			first = first->next;
		first->next = w->next;
	} else if (w->next != NULL) {
		table_set(d->watches, w->key, w->next);
	} else {
		table_remove(d->watches, w->key);
	}
}

/* ---- its life */

static void
selector_copy(struct watch *w, const struct kubernetes_spec *spec)
{
	w->selector_count = spec->selector_count;
	w->selector = xcalloc(w->selector_count + 1, sizeof(*w->selector));
	for (size_t i = 0; i < w->selector_count; i++) {
		w->selector[i].key = xstrdup(spec->selector[i].key);
		w->selector[i].value = xstrdup(spec->selector[i].value);
	}
}

void *
kubernetes_watch(const void *data, struct kind_host *host)
{
	const struct kubernetes_spec *spec = data;
	struct watch *w;

	if (host->shared == NULL)
		return NULL; /* no cluster is configured: not_served says so */
	w = xcalloc(1, sizeof(*w));
	w->host = host;
	w->cluster = host->shared;
	w->ns = xstrdup(spec->service_namespace);
	w->service = xstrdup(spec->service_name);
	w->key = xasprintf("%s/%s", w->ns, w->service);
	w->port = spec->service_port;
	selector_copy(w, spec);
	w->timer = loop_timer_new(host->loop, on_timer, w);
	index_add(w->cluster->discovery, w);
	watch_report(w);
	return w;
}

void
kubernetes_unwatch(void *state)
{
	struct watch *w = state;

	if (w == NULL)
		return;
	index_drop(w->cluster->discovery, w);
	kind_telling_fini(&w->telling, w->host);
	external_stop(w);
	pods_stop(w);
	loop_timer_free(w->timer);
	for (size_t i = 0; i < w->selector_count; i++) {
		free(w->selector[i].key);
		free(w->selector[i].value);
	}
	free(w->selector);
	free(w->known);
	free(w->key);
	free(w->ns);
	free(w->service);
	free(w);
}
