/* All services of the cluster, and the upstreams made of them. */
#include "kinds/kubernetes/services_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

/* ---- names */

/* As Gloo since 1.0: in 2019-01 the cut took the hash away again, and two ports
 * of one service came to the same name. */
void
kubernetes_upstream_name(const char *ns, const char *service, uint16_t port,
	char out[KUBERNETES_UPSTREAM_MAX])
{
	char *whole = xasprintf("%s-%s-%u", ns, service, port);

	for (char *p = whole; *p != '\0'; p++)
		if (*p == '.')
			*p = '-';
	upstream_name_cut(whole, out);
	free(whole);
}

/* ---- who has a name */

/* The older service; so a restart gives the names to the same ones. */
static int
service_compare(const struct service *a, const struct service *b)
{
	int order = strcmp(doc_get_text(a->used, "creationTimestamp"),
		doc_get_text(b->used, "creationTimestamp"));

	return order != 0 ? order : strcmp(a->key, b->key);
}

static struct service *
claim_winner(const struct kubernetes_services *s, const char *upstream)
{
	const struct claim *c = table_get(s->claims, upstream);
	struct service *winner;

	if (c == NULL)
		return NULL;
	winner = c->services[0];
	for (size_t i = 1; i < c->count; i++)
		if (service_compare(c->services[i], winner) < 0)
			winner = c->services[i];
	return winner;
}

static void
claim_add(struct kubernetes_services *s, struct service *v, const char *name)
{
	struct claim *c = table_get(s->claims, name);

	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		table_set(s->claims, name, c);
	}
	c->services = xreallocarray(
		c->services, c->count + 1, sizeof(struct service *));
	c->services[c->count++] = v;
}

static void
claim_free(void *value)
{
	struct claim *c = value;

	free(c->services);
	free(c);
}

static void
claim_drop(struct kubernetes_services *s, const struct service *v,
	const char *name)
{
	struct claim *c = table_get(s->claims, name);

	for (size_t i = 0; i < c->count; i++) {
		if (c->services[i] != v)
			continue;
		c->services[i] = c->services[--c->count];
		break;
	}
	if (c->count == 0)
		table_remove(s->claims, name);
}

/* ---- the store */

struct kubernetes_services *
kubernetes_services_new(const struct kubernetes_settings *settings,
	const char *discovery_namespace, kubernetes_services_f *changed,
	void *arg)
{
	struct kubernetes_services *s = xcalloc(1, sizeof(*s));

	s->settings = settings;
	s->discovery_namespace = xstrdup(discovery_namespace);
	s->services = table_new(NULL);
	s->claims = table_new(claim_free);
	s->changed = changed;
	s->arg = arg;
	return s;
}

void
kubernetes_services_free(struct kubernetes_services *s)
{
	size_t place = 0;
	void *value;

	if (s == NULL)
		return;
	while (table_next(s->services, &place, NULL, &value))
		kubernetes_service_free(value);
	table_free(s->services);
	table_free(s->claims);
	free(s->discovery_namespace);
	free(s->server);
	free(s->server_addrs);
	free(s);
}

void
kubernetes_services_server_set(struct kubernetes_services *s, const char *host)
{
	free(s->server);
	s->server = xstrdup(host);
}

void
kubernetes_services_server_addrs_set(struct kubernetes_services *s,
	const struct addr *addrs, size_t count)
{
	free(s->server_addrs);
	s->server_addrs = xcalloc(count + 1, sizeof(*addrs));
	s->server_addr_count = count;
	for (size_t i = 0; i < count; i++)
		s->server_addrs[i] = addrs[i];
}

size_t
kubernetes_services_count(const struct kubernetes_services *s)
{
	return table_count(s->services);
}

/* Those that have to be told, once each: values are nothing. */
static void
rivals_note(const struct kubernetes_services *s, const struct service *v,
	struct table *told)
{
	for (size_t i = 0; v != NULL && i < v->port_count; i++) {
		const struct claim *c =
			v->ports[i].upstream == NULL
				? NULL
				: table_get(s->claims, v->ports[i].upstream);

		for (size_t j = 0; c != NULL && j < c->count; j++)
			table_set(told, c->services[j]->key, NULL);
	}
}

static void
changed_tell(struct kubernetes_services *s, const struct table *told)
{
	size_t place = 0;
	const char *key;

	while (table_next(told, &place, &key, NULL)) {
		char *ns = xstrdup(key);
		char *slash = strchr(ns, '/');

		*slash = '\0';
		s->changed(ns, slash + 1, s->arg);
		free(ns);
	}
}

/* Takes now, which may be NULL; the old one of that key goes. */
static void
service_swap(
	struct kubernetes_services *s, const char *key, struct service *now)
{
	struct service *old = table_steal(s->services, key);
	struct table *told = table_new(NULL);

	if (old != NULL || now != NULL)
		table_set(told, key, NULL);
	for (size_t i = 0; now != NULL && i < now->port_count; i++)
		if (now->ports[i].upstream != NULL)
			claim_add(s, now, now->ports[i].upstream);
	rivals_note(s, old, told);
	rivals_note(s, now, told);
	for (size_t i = 0; old != NULL && i < old->port_count; i++)
		if (old->ports[i].upstream != NULL)
			claim_drop(s, old, old->ports[i].upstream);
	if (now != NULL)
		table_set(s->services, now->key, now);
	kubernetes_service_free(old);
	changed_tell(s, told);
	table_free(told);
}

int
kubernetes_services_put(struct kubernetes_services *s,
	const struct doc *object, struct error *err)
{
	struct service *now = kubernetes_service_read(s, object, err);
	const struct service *old;

	if (now == NULL)
		return -1;
	old = table_get(s->services, now->key);
	if (old != NULL && doc_equal(old->used, now->used))
		kubernetes_service_free(now);
	else
		service_swap(s, now->key, now);
	return 0;
}

void
kubernetes_services_remove(
	struct kubernetes_services *s, const char *ns, const char *name)
{
	char *key = xasprintf("%s/%s", ns, name);

	service_swap(s, key, NULL);
	free(key);
}

const struct service *
kubernetes_service_find(
	const struct kubernetes_services *s, const char *ns, const char *name)
{
	char *key = xasprintf("%s/%s", ns, name);
	const struct service *v = table_get(s->services, key);

	free(key);
	return v;
}

/* ---- questions */

bool
kubernetes_services_port(const struct kubernetes_services *s, const char *ns,
	const char *name, uint16_t port, struct kubernetes_port *out)
{
	const struct service *v = kubernetes_service_find(s, ns, name);
	const char *external;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; v != NULL && i < v->port_count; i++) {
		const struct service_port *p = &v->ports[i];

		if (p->port != port)
			continue;
		external = doc_get_text(v->used, "externalName");
		out->port = p->port;
		out->target = p->target;
		memcpy(out->name, p->name, sizeof(out->name));
		memcpy(out->protocol, p->protocol, sizeof(out->protocol));
		out->family = strcmp(doc_get_text(v->used, "ipFamily"),
				      "IPv6") == 0
				      ? AF_INET6
				      : AF_INET;
		out->external_name = external[0] != '\0';
		snprintf(out->host, sizeof(out->host), "%s", external);
		out->http2 = p->http2;
		out->tls = p->tls;
		out->warning = v->warning.data;
		return true;
	}
	return false;
}

bool
kubernetes_services_ports(const struct kubernetes_services *s, const char *ns,
	const char *name, struct str *out)
{
	const struct service *v = kubernetes_service_find(s, ns, name);

	for (size_t i = 0; v != NULL && i < v->port_count; i++)
		str_printf(out, "%s%u", i > 0 ? ", " : "", v->ports[i].port);
	return v != NULL;
}

bool
kubernetes_services_selects(const struct kubernetes_services *s,
	const char *ns, const char *name, const struct model_pair *labels,
	size_t count)
{
	const struct service *v = kubernetes_service_find(s, ns, name);

	return v != NULL &&
	       kubernetes_service_has(
		       doc_get(v->used, "selector"), labels, count);
}

/* ---- upstreams */

static struct doc *
upstream_make(const struct kubernetes_services *s, const struct service *v,
	const struct service_port *p)
{
	struct doc *d = doc_new_map(), *meta, *kube;
	const struct doc *selector = doc_get(v->used, "selector");

	doc_set(d, "discoveryMetadata", doc_new_map());
	meta = doc_set(d, "metadata", doc_new_map());
	doc_set(meta, "labels", doc_copy(doc_get(v->used, "labels")));
	doc_set_string(doc_get(meta, "labels"), "discovered_by",
		KUBERNETES_DISCOVERED_BY);
	doc_set_string(meta, "name", p->upstream);
	doc_set_string(meta, "namespace", s->discovery_namespace);
	kube = doc_set(doc_set(d, "upstreamSpec", doc_new_map()), "kube",
		doc_new_map());
	if (doc_count(selector) > 0)
		doc_set(kube, "selector", doc_copy(selector));
	doc_set_string(kube, "serviceName", v->name);
	doc_set_string(kube, "serviceNamespace", v->ns);
	doc_set(kube, "servicePort", doc_new_integer(p->port));
	for (size_t i = 0; i < doc_count(v->config); i++)
		doc_set(d, doc_key_at(v->config, i),
			doc_copy(doc_value_at(v->config, i)));
	return d;
}

static void
service_upstreams(const struct kubernetes_services *s, const struct service *v,
	kubernetes_upstream_f *cb, void *arg)
{
	for (size_t i = 0; i < v->port_count; i++) {
		const char *name = v->ports[i].upstream;

		if (name != NULL && claim_winner(s, name) == v)
			cb(upstream_make(s, v, &v->ports[i]), arg);
	}
}

static int
key_compare(const void *a, const void *b)
{
	const struct service *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

/* The caller frees the array, not what it points to. */
static const struct service **
services_sorted(const struct kubernetes_services *s, size_t *count)
{
	const struct service **all = xcalloc(
		table_count(s->services) + 1, sizeof(struct service *));
	size_t place = 0;
	void *value;

	*count = 0;
	while (table_next(s->services, &place, NULL, &value))
		all[(*count)++] = value;
	if (*count > 1)
		qsort(all, *count, sizeof(struct service *), key_compare);
	return all;
}

void
kubernetes_services_upstreams(const struct kubernetes_services *s,
	const char *ns, const char *name, kubernetes_upstream_f *cb, void *arg)
{
	const struct service *one, **all;
	size_t count;

	if (name != NULL) {
		one = kubernetes_service_find(s, ns, name);
		if (one != NULL)
			service_upstreams(s, one, cb, arg);
		return;
	}
	all = services_sorted(s, &count);
	for (size_t i = 0; i < count; i++)
		service_upstreams(s, all[i], cb, arg);
	free(all);
}

void
kubernetes_services_each(const struct kubernetes_services *s,
	kubernetes_services_f *cb, void *arg)
{
	size_t count;
	const struct service **all = services_sorted(s, &count);

	for (size_t i = 0; i < count; i++)
		cb(all[i]->ns, all[i]->name, arg);
	free(all);
}

bool
kubernetes_services_makes(
	const struct kubernetes_services *s, const char *upstream)
{
	return table_get(s->claims, upstream) != NULL;
}

void
kubernetes_services_clash(const struct kubernetes_services *s, const char *ns,
	const char *name, struct str *out)
{
	const struct service *v = kubernetes_service_find(s, ns, name), *winner;

	for (size_t i = 0; v != NULL && i < v->port_count; i++) {
		if (v->ports[i].upstream == NULL)
			continue;
		winner = claim_winner(s, v->ports[i].upstream);
		if (winner == v)
			continue;
		str_printf(out,
			"port %u of service %s/%s makes no upstream: \"%s\" is "
			"that of the service %s/%s, which is older; create an "
			"upstream of another name for it",
			v->ports[i].port, v->ns, v->name, v->ports[i].upstream,
			winner->ns, winner->name);
		return;
	}
}
