/* All services of the cluster, and the upstreams made of them. */
#include "kinds/kubernetes/services.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/md5.h"
#include "base/mem.h"
#include "base/table.h"
#include "model/model.h"
#include "model/schema.h"
#include "model/tables.h"

#define NAME_CUT  31 /* bytes that a name too long keeps */
#define PORTS_MAX 1024 /* of one service */

#define ANNOTATIONS "gloo.solo.io/"
#define DISCOVER    ANNOTATIONS "discover"
#define HTTP2       ANNOTATIONS "h2_service"
#define TLS         ANNOTATIONS "sslService."
#define CONFIG      ANNOTATIONS "upstream_config"

struct service_port {
	uint16_t port, target;
	char name[64];
	char protocol[8];
	bool http2, tls;
	/* of the upstream; NULL: it is not discovered */
	char *upstream;
};

struct service {
	char *key; /* "ns/name" */
	char *ns, *name;
	/* What we use of the object, for what follows and to see changes:
	 * created, labels, annotations, selector, externalName, ipFamily (the
	 * first), ports; of the API server's clusterIPs. */
	struct doc *used;
	struct service_port *ports; /* by number, each once */
	size_t port_count;
	struct doc *config; /* of the annotation; NULL: nothing is applied */
	struct str warning;
	bool http2_given, http2; /* by annotation */
	bool tls;                /* by the annotation's sslConfig */
};

/* Services that make an upstream of one name. */
struct claim {
	struct service **services;
	size_t count;
};

struct kubernetes_services {
	const struct kubernetes_settings *settings;
	char *discovery_namespace;
	char *server; /* NULL: not known */
	struct addr *server_addrs;
	size_t server_addr_count;
	struct table *services; /* by key */
	struct table *claims;   /* by the upstream's name */
	kubernetes_services_f *changed;
	void *arg;
};

/* ---- names */

/* As Gloo since 1.0: in 2019-01 the cut took the hash away again, and two ports
 * of one service came to the same name. */
void
kubernetes_upstream_name(const char *ns, const char *service, uint16_t port,
	char out[KUBERNETES_UPSTREAM_MAX])
{
	char *whole = xasprintf("%s-%s-%u", ns, service, port);
	char hash[MD5_HEX + 1];

	for (char *p = whole; *p != '\0'; p++)
		if (*p == '.')
			*p = '-';
	md5_hex(whole, strlen(whole), hash);
	if (strlen(whole) < KUBERNETES_UPSTREAM_MAX)
		memcpy(out, whole, strlen(whole) + 1);
	else
		snprintf(out, KUBERNETES_UPSTREAM_MAX, "%.*s-%.*s", NAME_CUT,
			whole, KUBERNETES_UPSTREAM_MAX - NAME_CUT - 2, hash);
	free(whole);
}

/* ---- reading objects */

static void
service_free(struct service *v)
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
		pairs_use(meta, "annotations", ANNOTATIONS, to, err) != 0) {
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

/* ---- annotations */

static const char *
annotation(const struct service *v, const char *name)
{
	return doc_get_text(doc_get(v->used, "annotations"), name);
}

static void
warning_add(struct service *v, const char *key, const char *why)
{
	str_printf(&v->warning, "%s%s%s%.64s: %s",
		v->warning.length > 0 ? "; " : "",
		"annotation " CONFIG, key[0] == '\0' ? "" : ": ", key, why);
}

/* Gloo takes the names of its fields in both spellings: use_http2, useHttp2. */
static char *
key_spell(const char *key)
{
	char *spelled = xstrdup(key), *to = spelled;

	for (const char *p = key; *p != '\0'; p++)
		if (*p == '_' && islower((unsigned char)p[1]))
			*to++ = (char)toupper((unsigned char)*++p);
		else
			*to++ = *p;
	*to = '\0';
	return spelled;
}

static struct doc *
doc_spell(const struct doc *d)
{
	struct doc *spelled;

	if (doc_type(d) == DOC_LIST) {
		spelled = doc_new_list();
		for (size_t i = 0; i < doc_count(d); i++)
			doc_add(spelled, doc_spell(doc_at(d, i)));
		return spelled;
	}
	if (doc_type(d) != DOC_MAP)
		return doc_copy(d);
	spelled = doc_new_map();
	for (size_t i = 0; i < doc_count(d); i++) {
		char *key = key_spell(doc_key_at(d, i));
		const struct doc *value = doc_value_at(d, i);

		/* keys of labels are the user's own */
		doc_set(spelled, key,
			strcmp(key, "labels") == 0 ? doc_copy(value)
						   : doc_spell(value));
		free(key);
	}
	return spelled;
}

/* What an upstream may have of it, by its table. */
static int
field_check(const char *key, const struct doc *value, struct error *err)
{
	static const char *const ours[] = { "kube", "metadata",
		"namespacedStatuses", "status", "upstreamSpec" };
	struct doc *trial, *meta;
	struct model_upstream u;
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(key, ours[i]) == 0)
			return error_set(err, ERROR_CONFIG,
				"that is said by the service itself");
	trial = doc_new_map();
	meta = doc_set(trial, "metadata", doc_new_map());
	doc_set_string(meta, "name", "trial");
	doc_set(trial, key, doc_copy(value));
	rc = schema_read(&model_upstream_schema, trial, &u, err);
	if (rc == 0)
		schema_fini(&model_upstream_schema, &u);
	schema_place_trim(err);
	doc_free(trial);
	return rc;
}

static void
field_apply(struct service *v, const char *key, const struct doc *value)
{
	struct error err = ERROR_INIT;

	if (doc_type(value) == DOC_NULL)
		return;
	if (strcmp(key, "useHttp2") == 0 && doc_type(value) == DOC_BOOL) {
		v->http2_given = true;
		v->http2 = doc_bool(value);
	} else if (strcmp(key, "sslConfig") == 0) {
		v->tls = true;
	} else if (field_check(key, value, &err) == 0) {
		doc_set(v->config, key, doc_copy(value));
	} else {
		warning_add(v,
			strncmp(err.text, key, strlen(key)) == 0 ? "" : key,
			err.text);
	}
}

/* upstream_config.deep_merge needs nothing: the fields that could be merged
 * with are refused, as they are the service's own. */
static void
config_apply(struct service *v)
{
	const char *text = annotation(v, CONFIG);
	struct error err = ERROR_INIT;
	struct doc *d, *spelled;

	if (text[0] == '\0')
		return;
	d = json_doc_read(text, strlen(text), &err);
	if (d == NULL || doc_type(d) != DOC_MAP) {
		warning_add(v, "",
			d == NULL ? err.text : "expected a map in JSON");
		doc_free(d);
		return;
	}
	spelled = doc_spell(d);
	v->config = doc_new_map();
	for (size_t i = 0; i < doc_count(spelled); i++)
		field_apply(
			v, doc_key_at(spelled, i), doc_value_at(spelled, i));
	doc_free(spelled);
	doc_free(d);
}

/* "secret", or "443:secret" for one port. */
static bool
annotated_for(const char *value, uint16_t port)
{
	size_t digits = strspn(value, "0123456789");

	if (value[0] == '\0')
		return false;
	if (digits == 0 || value[digits] != ':')
		return true;
	return strtoul(value, NULL, 10) == port;
}

static bool
port_is_tls(const struct service *v, uint16_t port)
{
	static const char *const names[] = { TLS "secret", TLS "tlsCert",
		TLS "tlsKey", TLS "rootCa" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (annotated_for(annotation(v, names[i]), port))
			return true;
	return v->tls;
}

static bool
port_is_http2(const struct service *v, const struct doc *port)
{
	static const char *const prefixes[] = { "grpc", "h2", "http2" };
	static const char *const protocols[] = { "grpc", "h2c", "http2",
		"kubernetes.io/h2c" };
	const char *said = annotation(v, HTTP2);
	const char *name = doc_get_text(port, "name");
	const char *protocol = doc_get_text(port, "appProtocol");

	if (v->http2_given)
		return v->http2;
	if (strcmp(said, "true") == 0 || strcmp(said, "false") == 0)
		return said[0] == 't';
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(protocol, protocols[i]) == 0)
			return true;
	return false;
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
	p->http2 = port_is_http2(v, d);
	p->tls = port_is_tls(v, number);
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
static bool
pairs_match(const struct doc *map, const struct model_pair *pairs, size_t count)
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
	const char *said = annotation(v, DISCOVER);

	if (said[0] == '\0')
		said = doc_get_text(labels, DISCOVER);
	if (!is_watched(s->settings, v->ns) || strcmp(said, "false") == 0)
		return false;
	return strcmp(said, "true") == 0 ||
	       pairs_match(labels, s->settings->watch_labels,
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

static struct service *
service_read(const struct kubernetes_services *s, const struct doc *object,
	struct error *err)
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
	config_apply(v);
	ports = doc_get(used, "ports");
	v->ports = xcalloc(doc_count(ports) + 1, sizeof(*v->ports));
	for (size_t i = 0; i < doc_count(ports); i++)
		port_take(v, doc_at(ports, i));
	if (v->port_count > 1)
		qsort(v->ports, v->port_count, sizeof(*v->ports), port_compare);
	ports_name(s, v);
	return v;
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
		service_free(value);
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
	service_free(old);
	changed_tell(s, told);
	table_free(told);
}

int
kubernetes_services_put(struct kubernetes_services *s,
	const struct doc *object, struct error *err)
{
	struct service *now = service_read(s, object, err);
	const struct service *old;

	if (now == NULL)
		return -1;
	old = table_get(s->services, now->key);
	if (old != NULL && doc_equal(old->used, now->used))
		service_free(now);
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

static const struct service *
service_find(
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
	const struct service *v = service_find(s, ns, name);
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
	const struct service *v = service_find(s, ns, name);

	for (size_t i = 0; v != NULL && i < v->port_count; i++)
		str_printf(out, "%s%u", i > 0 ? ", " : "", v->ports[i].port);
	return v != NULL;
}

bool
kubernetes_services_selects(const struct kubernetes_services *s,
	const char *ns, const char *name, const struct model_pair *labels,
	size_t count)
{
	const struct service *v = service_find(s, ns, name);

	return v != NULL &&
	       pairs_match(doc_get(v->used, "selector"), labels, count);
}

/* ---- external names */

/* Without the dot at the end, which only says that the name is whole. */
static struct slice
host_trim(const char *host)
{
	struct slice h = slice_of(host);

	if (h.length > 0 && h.data[h.length - 1] == '.')
		h.length--;
	return h;
}

static bool
host_is(struct slice host, const char *name)
{
	return slice_equal_nocase(host, slice_of(name));
}

/* suffix begins with a dot. */
static bool
host_is_below(struct slice host, const char *suffix)
{
	struct slice end = slice_of(suffix);

	if (host.length <= end.length)
		return false;
	host.data += host.length - end.length;
	host.length = end.length;
	return slice_equal_nocase(host, end);
}

static bool
host_is_listed(const struct kubernetes_services *s, struct slice host)
{
	for (size_t i = 0; i < s->settings->external_name_count; i++) {
		const char *name = s->settings->external_names[i];

		if (name[0] == '*' ? host_is_below(host, name + 1)
				   : host_is(host, name))
			return true;
	}
	return false;
}

static const char *
host_problem(const struct kubernetes_services *s, struct slice host)
{
	static const char *const servers[] = { "kubernetes",
		"kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local" };

	if (host_is(host, "localhost") || host_is_below(host, ".localhost") ||
		host_is(host, "localhost.localdomain") ||
		host_is(host, "ip6-localhost") || host_is(host, "ip6-loopback"))
		return "it means this box";
	if (host_is(host, "metadata.google.internal") ||
		host_is(host, "instance-data.ec2.internal"))
		return "it gives out credentials of this box";
	if (s->server != NULL && host_is(host, s->server))
		return "it is the API server";
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		if (host_is(host, servers[i]))
			return "it is the API server";
	return NULL;
}

static bool
addr_is_below(const struct addr *a, const char *prefix)
{
	struct addr_prefix p;

	return addr_prefix_parse(prefix, &p, NULL) == 0 &&
	       addr_prefix_contains(&p, a->ip);
}

static bool
addr_is(const char *text, const struct addr *a)
{
	struct addr parsed;

	return addr_parse_ip(text, 0, &parsed) == 0 &&
	       memcmp(parsed.ip, a->ip, sizeof(a->ip)) == 0;
}

/* By its URL, by what the name there leads to, and as a service. */
static bool
addr_is_server(const struct kubernetes_services *s, const struct addr *a)
{
	const struct service *v = service_find(s, "default", "kubernetes");
	const struct doc *ips =
		v == NULL ? NULL : doc_get(v->used, "clusterIPs");

	if (s->server != NULL && addr_is(s->server, a))
		return true;
	for (size_t i = 0; i < s->server_addr_count; i++)
		if (memcmp(s->server_addrs[i].ip, a->ip, sizeof(a->ip)) == 0)
			return true;
	for (size_t i = 0; i < doc_count(ips); i++)
		if (addr_is(doc_string(doc_at(ips, i)), a))
			return true;
	return false;
}

static const char *
addr_problem(const struct kubernetes_services *s, const struct addr *a)
{
	if (addr_is_loopback(a) || addr_is_below(a, "127.0.0.0/8") ||
		addr_is_any(a) || addr_is_below(a, "0.0.0.0/8"))
		return "it means this box";
	if (addr_is_below(a, "169.254.0.0/16") || addr_is_below(a, "fe80::/10"))
		return "it is link-local";
	if (addr_is_below(a, "fd00:ec2::254/128") ||
		addr_is_below(a, "100.100.100.200/32"))
		return "it gives out credentials of this box";
	if (addr_is_below(a, "224.0.0.0/4") || addr_is_below(a, "ff00::/8") ||
		addr_is_below(a, "255.255.255.255/32"))
		return "it is nobody's own";
	if (addr_is_server(s, a))
		return "it is the API server's";
	return NULL;
}

bool
kubernetes_services_addr_allowed(const struct kubernetes_services *s,
	const char *host, const struct addr *addr, struct error *err)
{
	const char *problem = addr_problem(s, addr);
	char text[ADDR_TEXT_MAX];

	if (problem == NULL || host_is_listed(s, host_trim(host)))
		return true;
	error_set(err, ERROR_CONFIG,
		"externalName \"%s\" leads to %s: %s; list the name in "
		"kubernetes.allowedExternalNames if it may be called",
		host, addr_format_ip(addr, text), problem);
	return false;
}

bool
kubernetes_services_host_allowed(const struct kubernetes_services *s,
	const char *host, struct error *err)
{
	const char *problem = host_problem(s, host_trim(host));
	struct addr literal;

	if (host_is_listed(s, host_trim(host)))
		return true;
	if (addr_parse_ip(host, 0, &literal) == 0)
		return kubernetes_services_addr_allowed(
			s, host, &literal, err);
	if (problem == NULL)
		return true;
	error_set(err, ERROR_CONFIG,
		"externalName \"%s\" is refused: %s; list it in "
		"kubernetes.allowedExternalNames if it may be called",
		host, problem);
	return false;
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
		one = service_find(s, ns, name);
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
	const struct service *v = service_find(s, ns, name), *winner;

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
