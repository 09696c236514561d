/* How objects stand to each other. */
#include "control/relation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "bpf/contract.h"
#include "model/kind.h"

#define USERS_NAMED 5
/* Each listener may need one more for its own address. */
#define BINDS_POSSIBLE (GG_BINDS_MAX - GG_LISTENERS_MAX)

bool
gateway_serves(const struct model_gateway *g, const char *ns, const char *name)
{
	if (g->tcp != NULL)
		return false;
	if (g->virtual_service_count == 0)
		return true;
	for (size_t i = 0; i < g->virtual_service_count; i++)
		if (strcmp(g->virtual_services[i].name, name) == 0 &&
			strcmp(g->virtual_services[i].ns, ns) == 0)
			return true;
	return false;
}

void
gateway_addr(const struct model_gateway *g, struct addr *out)
{
	addr_parse_ip(g->bind_address, g->bind_port, out);
}

void
gateway_bind(const struct model_gateway *g, size_t i, struct sockets_bind *out)
{
	const struct model_bind *b = &g->binds[i];

	addr_prefix_parse(b->address, &out->prefix, NULL);
	out->first_port = b->port != 0 ? b->port : g->bind_port;
	out->last_port = b->end_port != 0 ? b->end_port : out->first_port;
}

bool
gateway_is_udp(const struct model_gateway *g)
{
	return g->tcp != NULL && g->tcp->hosts[0].protocol == MODEL_UDP;
}

char *
gateway_slot_key(const struct model_gateway *g)
{
	struct addr addr;
	char text[ADDR_TEXT_MAX];

	gateway_addr(g, &addr);
	return xasprintf("%s/%s@%s%s", g->meta.ns, g->meta.name,
		addr_format(&addr, text), gateway_is_udp(g) ? " UDP" : "");
}

/* What object i of that type will be: m in the place of its older version. */
static const struct model_object *
model_at(const struct objects *objects, enum model_type type, size_t i,
	const struct model_object *m)
{
	const struct object *o = objects_at(objects, type, i);

	if (m->type == type && strcmp(o->name, m->meta->name) == 0 &&
		strcmp(o->ns, m->meta->ns) == 0)
		return NULL;
	return o->model;
}

/* ---- domains */

static int
domain_claim(struct table *owners, const char *domain,
	const struct model_gateway *g, const struct model_virtual_service *vs,
	const struct model_object *m, struct error *err)
{
	const struct model_meta *owner = table_get(owners, domain);

	if (owner == NULL) {
		table_set(owners, domain, (void *)(uintptr_t)&vs->meta);
		return 0;
	}
	if (m->type == MODEL_GATEWAY)
		return error_set(err, ERROR_CONFIG,
			"the virtual services %s.%s and %s.%s both have the "
			"domain \"%.100s\"",
			owner->ns, owner->name, vs->meta.ns, vs->meta.name,
			domain);
	return error_set(err, ERROR_CONFIG,
		"the domain \"%.100s\" belongs to the virtual service %s.%s "
		"already (gateway %s.%s)",
		domain, owner->ns, owner->name, g->meta.ns, g->meta.name);
}

static int
domains_claim(struct table *owners, const struct model_gateway *g,
	const struct model_virtual_service *vs, const struct model_object *m,
	struct error *err)
{
	if (!gateway_serves(g, vs->meta.ns, vs->meta.name))
		return 0;
	if (vs->domain_count == 0)
		return domain_claim(owners, "*", g, vs, m, err);
	for (size_t i = 0; i < vs->domain_count; i++)
		if (domain_claim(owners, vs->domains[i], g, vs, m, err) != 0)
			return -1;
	return 0;
}

static int
gateway_domains_check(const struct objects *objects,
	const struct model_gateway *g, const struct model_object *m,
	struct error *err)
{
	struct table *owners = table_new(NULL);
	size_t count = objects_count(objects, MODEL_VIRTUAL_SERVICE);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct model_object *other =
			model_at(objects, MODEL_VIRTUAL_SERVICE, i, m);

		if (other != NULL)
			rc = domains_claim(
				owners, g, other->virtual_service, m, err);
	}
	if (rc == 0 && m->type == MODEL_VIRTUAL_SERVICE)
		rc = domains_claim(owners, g, m->virtual_service, m, err);
	table_free(owners);
	return rc;
}

/* ---- addresses */

static bool
addresses_meet(const struct addr *a, const struct addr *b)
{
	if (a->port_be != b->port_be)
		return false;
	if (addr_equal(a, b))
		return true;
	/* "::" takes IPv4 as well; 0.0.0.0 takes nothing else. */
	if (addr_is_any(a) && (!addr_is_v4(a) || addr_is_v4(b)))
		return true;
	return addr_is_any(b) && (!addr_is_v4(b) || addr_is_v4(a));
}

/* Of one prefix both would be the only one. Another's own address, and longer
 * prefixes, are more exact and win. */
static const struct sockets_bind *
binds_meet(const struct model_gateway *a, const struct model_gateway *b,
	struct sockets_bind *out)
{
	struct sockets_bind other;
	struct addr addr;

	for (size_t i = 0; i < a->bind_count; i++) {
		gateway_bind(a, i, out);
		gateway_addr(b, &addr);
		if (out->prefix.bits == 128 &&
			memcmp(out->prefix.ip, addr.ip, sizeof(addr.ip)) == 0 &&
			out->first_port <= addr_port(&addr) &&
			out->last_port >= addr_port(&addr))
			return out;
		for (size_t k = 0; k < b->bind_count; k++) {
			gateway_bind(b, k, &other);
			if (out->prefix.bits == other.prefix.bits &&
				memcmp(out->prefix.ip, other.prefix.ip,
					sizeof(other.prefix.ip)) == 0 &&
				out->first_port <= other.last_port &&
				out->last_port >= other.first_port)
				return out;
		}
	}
	return NULL;
}

static size_t
bind_ports(const struct model_gateway *g)
{
	struct sockets_bind b;
	size_t sum = 0;

	for (size_t i = 0; i < g->bind_count; i++) {
		gateway_bind(g, i, &b);
		sum += (size_t)(b.last_port - b.first_port) + 1;
	}
	return sum;
}

static int
gateway_binds_check(const struct objects *objects,
	const struct model_object *m, struct error *err)
{
	const struct model_gateway *g = m->gateway;
	size_t sum = bind_ports(g);
	struct sockets_bind met;

	for (size_t i = 0; i < objects_count(objects, MODEL_GATEWAY); i++) {
		const struct model_object *other =
			model_at(objects, MODEL_GATEWAY, i, m);
		char text[ADDR_TEXT_MAX];
		struct addr at = { 0 };

		if (other == NULL)
			continue;
		sum += bind_ports(other->gateway);
		if (binds_meet(g, other->gateway, &met) == NULL &&
			binds_meet(other->gateway, g, &met) == NULL)
			continue;
		memcpy(at.ip, met.prefix.ip, sizeof(at.ip));
		return error_set(err, ERROR_CONFIG,
			"additionalAddresses: %s, ports %u to %u: the gateway "
			"%s.%s listens there already",
			addr_format_ip(&at, text), met.first_port,
			met.last_port, other->meta->ns, other->meta->name);
	}
	if (g->bind_count > 0 && sum > BINDS_POSSIBLE)
		return error_set(err, ERROR_LIMIT,
			"additionalAddresses: of all gateways, each address "
			"with each of its ports, that would be %zu; at most %d "
			"are possible",
			sum, BINDS_POSSIBLE);
	return 0;
}

static int
gateway_addr_check(const struct objects *objects, const struct model_object *m,
	struct error *err)
{
	struct addr mine, others;
	char text[ADDR_TEXT_MAX];

	gateway_addr(m->gateway, &mine);
	for (size_t i = 0; i < objects_count(objects, MODEL_GATEWAY); i++) {
		const struct model_object *other =
			model_at(objects, MODEL_GATEWAY, i, m);

		if (other == NULL ||
			gateway_is_udp(other->gateway) !=
				gateway_is_udp(m->gateway))
			continue;
		gateway_addr(other->gateway, &others);
		if (addresses_meet(&mine, &others))
			return error_set(err, ERROR_CONFIG,
				"cannot listen on %s: the gateway %s.%s "
				"listens on %sport %u already",
				addr_format(&mine, text), other->meta->ns,
				other->meta->name,
				gateway_is_udp(m->gateway) ? "UDP " : "",
				addr_port(&others));
	}
	return 0;
}

int
relation_check(const struct objects *objects, const struct model_object *m,
	struct error *err)
{
	switch (m->type) {
	case MODEL_GATEWAY:
		if (gateway_addr_check(objects, m, err) != 0 ||
			gateway_binds_check(objects, m, err) != 0)
			return -1;
		return gateway_domains_check(objects, m->gateway, m, err);
	case MODEL_VIRTUAL_SERVICE:
		for (size_t i = 0; i < objects_count(objects, MODEL_GATEWAY);
			i++) {
			const struct object *g =
				objects_at(objects, MODEL_GATEWAY, i);

			if (g->model != NULL &&
				gateway_domains_check(objects,
					g->model->gateway, m, err) != 0)
				return -1;
		}
		return 0;
	default:
		return 0;
	}
}

/* ---- references */

static char *
gateway_missing(const struct objects *objects, const struct model_gateway *g)
{
	for (size_t i = 0; i < g->virtual_service_count; i++) {
		const struct model_ref *r = &g->virtual_services[i];
		const struct object *o = objects_find(
			objects, MODEL_VIRTUAL_SERVICE, r->ns, r->name);

		if (o == NULL || o->model == NULL)
			return xasprintf("virtualServices[%zu]: no virtual "
					 "service is named \"%s.%s\"",
				i, r->ns, r->name);
	}
	return NULL;
}

static char *
virtual_service_missing(
	const struct objects *objects, const struct model_virtual_service *vs)
{
	size_t count = objects_count(objects, MODEL_GATEWAY);

	for (size_t i = 0; i < count; i++) {
		const struct object *g = objects_at(objects, MODEL_GATEWAY, i);

		if (g->model != NULL && gateway_serves(g->model->gateway,
						vs->meta.ns, vs->meta.name))
			return NULL;
	}
	return xstrdup(count == 0 ? "there is no gateway to serve it"
				  : "no gateway serves it");
}

/* place: what names it; title: the type that is needed. */
static char *
secret_problem(const struct objects *objects, const struct model_ref *ref,
	const char *place, const char *title)
{
	const struct object *o =
		objects_find(objects, MODEL_SECRET, ref->ns, ref->name);

	if (o == NULL)
		return xasprintf("%s.secretRef: no secret is named \"%s.%s\"",
			place, ref->ns, ref->name);
	if (o->model == NULL)
		return xasprintf("%s.secretRef: the secret \"%s\" is Rejected",
			place, o->label);
	if (strcasecmp(model_secret_title(o->model->secret), title) != 0)
		return xasprintf("%s.secretRef: the secret \"%s\" is of type "
				 "%s, needed is one of type %s",
			place, o->label, model_secret_title(o->model->secret),
			title);
	return NULL;
}

char *
relation_secret_problem(
	const struct objects *objects, const struct model_upstream *u)
{
	if (u->tls == NULL || u->tls->source != MODEL_TLS_SECRET)
		return NULL;
	return secret_problem(objects, &u->tls->secret, "sslConfig", "TLS");
}

const struct model_ref *
relation_kind_secret(const struct model_upstream *u)
{
	return u->kind->secret == NULL ? NULL : u->kind->secret(u->spec);
}

char *
relation_kind_secret_problem(
	const struct objects *objects, const struct model_upstream *u)
{
	const struct model_ref *ref = relation_kind_secret(u);
	char place[64];

	if (ref == NULL)
		return NULL;
	snprintf(place, sizeof(place), "upstreamSpec.%s", u->kind->key);
	return secret_problem(objects, ref, place, u->kind->title);
}

static char *
upstream_missing(const struct objects *objects, const struct model_upstream *u)
{
	char *problem = relation_secret_problem(objects, u);

	return problem != NULL ? problem
			       : relation_kind_secret_problem(objects, u);
}

char *
relation_missing(const struct objects *objects, const struct model_object *m)
{
	switch (m->type) {
	case MODEL_GATEWAY:
		return gateway_missing(objects, m->gateway);
	case MODEL_VIRTUAL_SERVICE:
		return virtual_service_missing(objects, m->virtual_service);
	case MODEL_UPSTREAM:
		return upstream_missing(objects, m->upstream);
	default:
		return NULL;
	}
}

static bool
names(const struct model_ref *r, const struct model_meta *meta)
{
	return strcmp(r->name, meta->name) == 0 && strcmp(r->ns, meta->ns) == 0;
}

static bool
destinations_use(const struct model_destination *list, size_t count,
	const struct model_meta *upstream)
{
	for (size_t i = 0; i < count; i++)
		if (names(&list[i].upstream, upstream))
			return true;
	return false;
}

static bool
route_uses(const struct model_route *r, const struct model_object *m)
{
	if (m->type == MODEL_UPSTREAM_GROUP)
		return r->target == MODEL_TARGET_GROUP &&
		       names(&r->group, m->meta);
	return destinations_use(r->destinations, r->destination_count, m->meta);
}

static bool
service_uses(const struct model_gateway *g, const struct model_object *m)
{
	return m->type == MODEL_UPSTREAM && g->tcp != NULL &&
	       names(&g->tcp->hosts[0].upstream, m->meta);
}

/* Whether user leads to m, an upstream or a group. */
static bool
leads_to(const struct model_object *user, const struct model_object *m)
{
	const struct model_virtual_service *vs = user->virtual_service;

	switch (user->type) {
	case MODEL_UPSTREAM_GROUP:
		return m->type == MODEL_UPSTREAM &&
		       destinations_use(user->upstream_group->destinations,
			       user->upstream_group->destination_count,
			       m->meta);
	case MODEL_VIRTUAL_SERVICE:
		for (size_t i = 0; i < vs->route_count; i++)
			if (route_uses(&vs->routes[i], m))
				return true;
		return false;
	case MODEL_GATEWAY:
		return service_uses(user->gateway, m);
	default:
		return false;
	}
}

static bool
ref_is(const char *ns, const char *name, const struct model_meta *meta)
{
	return name != NULL && strcmp(name, meta->name) == 0 &&
	       strcmp(ns, meta->ns) == 0;
}

bool
relation_upstream_uses(
	const struct model_upstream *u, const struct model_object *secret)
{
	const struct model_secret *s = secret->secret;
	const struct model_ref *ref = relation_kind_secret(u);

	if (u->tls != NULL && u->tls->source == MODEL_TLS_SECRET &&
		ref_is(u->tls->secret.ns, u->tls->secret.name, &s->meta))
		return true;
	/* Keys of a cloud are of use to its own kind alone. */
	return s->type != MODEL_SECRET_TLS &&
	       strcasecmp(u->kind->title, model_secret_title(s)) == 0 &&
	       ref != NULL && ref_is(ref->ns, ref->name, &s->meta);
}

struct doc *
relation_secret_users(
	const struct objects *objects, const struct model_object *secret)
{
	struct doc *list = doc_new_list();

	for (size_t i = 0; i < objects_count(objects, MODEL_UPSTREAM); i++) {
		const struct object *o = objects_at(objects, MODEL_UPSTREAM, i);

		if (o->model != NULL &&
			relation_upstream_uses(o->model->upstream, secret))
			doc_add(list, doc_new_string(o->label));
	}
	return list;
}

static bool
uses(const struct model_object *user, const struct model_object *m)
{
	if (m->type == MODEL_SECRET)
		return relation_upstream_uses(user->upstream, m);
	if (m->type == MODEL_UPSTREAM || m->type == MODEL_UPSTREAM_GROUP)
		return leads_to(user, m);
	return user->gateway->virtual_service_count > 0 &&
	       gateway_serves(user->gateway, m->meta->ns, m->meta->name);
}

static size_t
users_collect(const struct objects *objects, const struct model_object *m,
	enum model_type type, size_t found, struct str *text)
{
	for (size_t i = 0; i < objects_count(objects, type); i++) {
		const struct object *o = objects_at(objects, type, i);

		if (o->model == NULL || !uses(o->model, m))
			continue;
		if (found++ < USERS_NAMED)
			str_printf(
				text, "%s%s", found > 1 ? ", " : "", o->label);
	}
	return found;
}

char *
relation_users(const struct objects *objects, const struct model_object *m)
{
	bool target = m->type == MODEL_UPSTREAM ||
		      m->type == MODEL_UPSTREAM_GROUP;
	size_t found = 0;
	struct str text;
	char *users;

	if (m->type == MODEL_GATEWAY)
		return NULL;
	str_init(&text);
	if (target) {
		found = users_collect(
			objects, m, MODEL_VIRTUAL_SERVICE, found, &text);
		found = users_collect(
			objects, m, MODEL_UPSTREAM_GROUP, found, &text);
	}
	found = users_collect(objects, m,
		m->type == MODEL_SECRET ? MODEL_UPSTREAM : MODEL_GATEWAY, found,
		&text);
	if (found == 0) {
		str_fini(&text);
		return NULL;
	}
	if (found > USERS_NAMED)
		str_printf(&text, " and %zu more", found - USERS_NAMED);
	users = xasprintf("it is still %s by %s",
		target ? "routed to" : "named", text.data);
	str_fini(&text);
	return users;
}
