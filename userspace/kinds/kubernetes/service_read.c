/* A Service as an object, and what we use of it. */
#include "kinds/kubernetes/services_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PORTS_MAX 1024 /* of one service */
#define DISCOVER  KUBERNETES_ANNOTATIONS "discover"

/* ---- reading objects */

void
kubernetes_service_free(struct service *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < v->port_count; i++)
		free(v->ports[i].upstream);
	free(v->ports);
	doc_free(v->used);
	doc_free(v->config);
	str_fini(&v->warning);
	free(v->key);
	free(v->ns);
	free(v->name);
	free(v);
}

static int
unexpected(const struct doc *d, const char *wanted, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "expected %s, found %s", wanted,
		doc_type_name(doc_type(d)));
}

/* A map of strings below to[key]; those that begin with prefix. */
static int
pairs_use(const struct doc *from, const char *key, const char *prefix,
	struct doc *to, struct error *err)
{
	const struct doc *map = doc_get(from, key);
	struct doc *used = doc_set(to, key, doc_new_map());

	if (doc_type(map) != DOC_NULL && doc_type(map) != DOC_MAP) {
		unexpected(map, "a map", err);
		return error_prefix(err, ".%s", key);
	}
	for (size_t i = 0; i < doc_count(map); i++) {
		const struct doc *value = doc_value_at(map, i);

		if (strncmp(doc_key_at(map, i), prefix, strlen(prefix)) != 0)
			continue;
		if (doc_string(value) == NULL) {
			unexpected(value, "a string", err);
			return error_prefix(
				err, ".%s.%.64s", key, doc_key_at(map, i));
		}
		doc_set_string(used, doc_key_at(map, i), doc_string(value));
	}
	return 0;
}

static int
string_use(const struct doc *from, const char *key, struct doc *to,
	struct error *err)
{
	const struct doc *value = doc_get(from, key);

	if (doc_type(value) == DOC_NULL)
		return 0;
	if (doc_string(value) == NULL) {
		unexpected(value, "a string", err);
		return error_prefix(err, ".%s", key);
	}
	doc_set_string(to, key, doc_string(value));
	return 0;
}

static bool
is_port(const struct doc *d)
{
	return doc_type(d) == DOC_INTEGER && doc_integer(d) >= 1 &&
	       doc_integer(d) <= UINT16_MAX;
}

static int
port_use(const struct doc *from, struct doc *to, struct error *err)
{
	const struct doc *target = doc_get(from, "targetPort");

	if (doc_type(from) != DOC_MAP)
		return unexpected(from, "a map", err);
	if (!is_port(doc_get(from, "port")))
		return error_set(
			err, ERROR_CONFIG, ".port: expected 1 to 65535");
	doc_set(to, "port", doc_copy(doc_get(from, "port")));
	if (doc_type(target) != DOC_NULL && doc_string(target) == NULL &&
		!is_port(target))
		return error_set(err, ERROR_CONFIG,
			".targetPort: expected a name or 1 to 65535");
	if (doc_string(target) == NULL)
		doc_set(to, "targetPort",
			doc_copy(is_port(target) ? target
						 : doc_get(from, "port")));
	if (string_use(from, "name", to, err) != 0 ||
		string_use(from, "protocol", to, err) != 0 ||
		string_use(from, "appProtocol", to, err) != 0)
		return -1;
	if (strlen(doc_get_text(to, "name")) >=
		sizeof(((struct service_port *)0)->name))
		return error_set(err, ERROR_CONFIG,
			".name: expected at most 63 characters");
	if (strlen(doc_get_text(to, "protocol")) >=
		sizeof(((struct service_port *)0)->protocol))
		return error_set(err, ERROR_CONFIG,
			".protocol: expected TCP, UDP or SCTP");
	return 0;
}

static int
ports_use(const struct doc *spec, struct doc *to, struct error *err)
{
	const struct doc *list = doc_get(spec, "ports");
	struct doc *used = doc_set(to, "ports", doc_new_list());

	if (doc_type(list) != DOC_NULL && doc_type(list) != DOC_LIST) {
		unexpected(list, "a list", err);
		return error_prefix(err, ".ports");
	}
	if (doc_count(list) > PORTS_MAX)
		return error_set(err, ERROR_LIMIT,
			".ports: %zu ports, at most %d are taken",
			doc_count(list), PORTS_MAX);
	for (size_t i = 0; i < doc_count(list); i++)
		if (port_use(doc_at(list, i), doc_add(used, doc_new_map()),
			    err) != 0)
			return error_prefix(err, ".ports[%zu]", i);
	return 0;
}

/* Servers before 1.20 do not say, nor have more than one. */
static int
family_use(const struct doc *spec, struct doc *to, struct error *err)
{
	const struct doc *list = doc_get(spec, "ipFamilies");

	if (doc_type(list) == DOC_LIST || doc_type(list) == DOC_NULL) {
		if (doc_string(doc_at(list, 0)) != NULL)
			doc_set_string(
				to, "ipFamily", doc_string(doc_at(list, 0)));
		return 0;
	}
	unexpected(list, "a list", err);
	return error_prefix(err, ".ipFamilies");
}

static int
spec_use(const struct doc *spec, struct doc *to, struct error *err)
{
	if (doc_type(spec) != DOC_MAP)
		return unexpected(spec, "a map", err);
	if (strcmp(doc_get_text(spec, "type"), "ExternalName") == 0 &&
		string_use(spec, "externalName", to, err) != 0)
		return -1;
	if (strlen(doc_get_text(to, "externalName")) >=
		sizeof(((struct kubernetes_port *)0)->host))
		return error_set(err, ERROR_CONFIG,
			".externalName: expected at most 255 characters");
	if (pairs_use(spec, "selector", "", to, err) != 0 ||
		family_use(spec, to, err) != 0)
		return -1;
	return ports_use(spec, to, err);
}

static bool
is_api_server(const char *ns, const char *name)
{
	return strcmp(ns, "default") == 0 && strcmp(name, "kubernetes") == 0;
}

/* What they are not is no matter: they are compared only. */
static void
cluster_ips_use(const struct doc *spec, struct doc *to)
{
	const struct doc *list = doc_get(spec, "clusterIPs");
	struct doc *used = doc_set(to, "clusterIPs", doc_new_list());

	doc_add(used, doc_new_string(doc_get_text(spec, "clusterIP")));
	for (size_t i = 0; i < doc_count(list); i++)
		if (doc_string(doc_at(list, i)) != NULL)
			doc_add(used,
				doc_new_string(doc_string(doc_at(list, i))));
}

static struct doc *
object_use(const struct doc *object, struct error *err)
{
	const struct doc *meta = doc_get(object, "metadata");
	struct doc *to = doc_new_map();

	if (string_use(meta, "creationTimestamp", to, err) != 0 ||
		pairs_use(meta, "labels", "", to, err) != 0 ||
		pairs_use(meta, "annotations", KUBERNETES_ANNOTATIONS, to,
			err) != 0) {
		error_prefix(err, ".metadata");
	} else if (spec_use(doc_get(object, "spec"), to, err) != 0) {
		error_prefix(err, ".spec");
	} else {
		if (is_api_server(doc_get_text(meta, "namespace"),
			    doc_get_text(meta, "name")))
			cluster_ips_use(doc_get(object, "spec"), to);
		return to;
	}
	doc_free(to);
	return NULL;
}

/* ---- ports */

static int
protocol_rank(const char *protocol)
{
	return strcmp(protocol, "TCP") == 0 ? 0
	     : strcmp(protocol, "UDP") == 0 ? 1
					    : 2;
}

static struct service_port *
port_place(struct service *v, uint16_t number)
{
	for (size_t i = 0; i < v->port_count; i++)
		if (v->ports[i].port == number)
			return &v->ports[i];
	return &v->ports[v->port_count];
}

static void
port_take(struct service *v, const struct doc *d)
{
	uint16_t number = (uint16_t)doc_get_integer(d, "port");
	struct service_port *p = port_place(v, number);
	const char *protocol = doc_get_text(d, "protocol");

	if (protocol[0] == '\0')
		protocol = "TCP";
	if (p != &v->ports[v->port_count] &&
		protocol_rank(p->protocol) <= protocol_rank(protocol))
		return;
	if (p == &v->ports[v->port_count])
		v->port_count++;
	p->port = number;
	p->target = (uint16_t)doc_get_integer(d, "targetPort");
	snprintf(p->name, sizeof(p->name), "%s", doc_get_text(d, "name"));
	snprintf(p->protocol, sizeof(p->protocol), "%s", protocol);
	p->http2 = kubernetes_service_is_http2(v, d);
	p->tls = kubernetes_service_is_tls(v, number);
}

static int
port_compare(const void *a, const void *b)
{
	const struct service_port *x = a, *y = b;

	return (int)x->port - (int)y->port;
}

/* ---- what is discovered */

static bool
is_watched(const struct kubernetes_settings *t, const char *ns)
{
	for (size_t i = 0; i < t->watch_namespace_count; i++)
		if (strcmp(t->watch_namespaces[i], ns) == 0)
			return true;
	return t->watch_namespace_count == 0;
}

/* All pairs stand in the map. */
bool
kubernetes_service_has(
	const struct doc *map, const struct model_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = doc_get_string(map, pairs[i].key);

		if (value == NULL || strcmp(value, pairs[i].value) != 0)
			return false;
	}
	return true;
}

/* gloo.solo.io/discover, as an annotation (Gloo's) or as a label. */
static bool
is_discovered(const struct kubernetes_services *s, const struct service *v)
{
	const struct doc *labels = doc_get(v->used, "labels");
	const char *said = kubernetes_service_annotation(v, DISCOVER);

	if (said[0] == '\0')
		said = doc_get_text(labels, DISCOVER);
	if (!is_watched(s->settings, v->ns) || strcmp(said, "false") == 0)
		return false;
	return strcmp(said, "true") == 0 ||
	       kubernetes_service_has(labels, s->settings->watch_labels,
		       s->settings->watch_label_count);
}

static void
ports_name(const struct kubernetes_services *s, struct service *v)
{
	char name[KUBERNETES_UPSTREAM_MAX];

	if (!is_discovered(s, v))
		return;
	for (size_t i = 0; i < v->port_count; i++) {
		kubernetes_upstream_name(
			v->ns, v->name, v->ports[i].port, name);
		v->ports[i].upstream = xstrdup(name);
	}
}

struct service *
kubernetes_service_read(const struct kubernetes_services *s,
	const struct doc *object, struct error *err)
{
	const char *ns = doc_get_text(doc_get(object, "metadata"), "namespace");
	const char *name = doc_get_text(doc_get(object, "metadata"), "name");
	struct doc *used, *ports;
	struct service *v;

	if (!model_name_valid(ns) || !model_name_valid(name)) {
		error_set(err, ERROR_CONFIG,
			".metadata: expected the name and namespace of an "
			"object");
		return NULL;
	}
	used = object_use(object, err);
	if (used == NULL)
		return NULL;
	v = xcalloc(1, sizeof(*v));
	v->key = xasprintf("%s/%s", ns, name);
	v->ns = xstrdup(ns);
	v->name = xstrdup(name);
	v->used = used;
	str_init(&v->warning);
	kubernetes_service_configure(v);
	ports = doc_get(used, "ports");
	v->ports = xcalloc(doc_count(ports) + 1, sizeof(*v->ports));
	for (size_t i = 0; i < doc_count(ports); i++)
		port_take(v, doc_at(ports, i));
	if (v->port_count > 1)
		qsort(v->ports, v->port_count, sizeof(*v->ports), port_compare);
	ports_name(s, v);
	return v;
}
