/* Resources of the cluster. */
#include "kinds/kubernetes/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/kubernetes/address.h"
#include "kinds/kubernetes/lease.h"
#include "kinds/kubernetes/permissions.h"
#include "kinds/kubernetes/reflector.h"
#include "kinds/kubernetes/secrets.h"
#include "kinds/kubernetes/status.h"
#include "kinds/problems.h"
#include "net/loop.h"

/* One sort of resource, in the words of its definition. */
struct sort {
	const char *group, *plural, *kind;
	enum model_type type; /* MODEL_TYPE_COUNT: not served, and why */
	const char *not_served;
	const char *by; /* status.reportedBy, as Gloo has it */
};

static const struct sort sorts[] = {
	{ "gloo.solo.io", "upstreams", "Upstream", MODEL_UPSTREAM, NULL,
		"gloo" },
	{ "gateway.solo.io", "virtualservices", "VirtualService",
		MODEL_VIRTUAL_SERVICE, NULL, "gateway" },
	{ "gateway.solo.io", "gateways", "Gateway", MODEL_GATEWAY, NULL,
		"gateway" },
	{ "gateway.solo.io", "routetables", "RouteTable", MODEL_TYPE_COUNT,
		"route tables are not served yet; nothing of this is enforced: "
		"write its routes into the virtual service",
		"gateway" },
	{ "gloo.solo.io", "upstreamgroups", "UpstreamGroup",
		MODEL_UPSTREAM_GROUP, NULL, "gloo" },
};

#define VERSION "v1"

/* A sort in one namespace, or in all. */
struct follower {
	struct kubernetes_resources *resources;
	const struct sort *sort;
	const char *ns; /* NULL: all */
	struct kubernetes_reflector *reflector;
	enum kubernetes_state state;
	char *reason;
	bool listed_whole; /* the last list was */
	bool settled; /* once, with nothing passed over */
	struct table *refused; /* "ns/name": it is there, but passed over */
};

/* What of an object tells whether it is another one now. Of a change of status
 * alone, which is mostly our own, the generation does not grow. */
struct fingerprint {
	uint64_t generation; /* 0: the server counts none */
	uint64_t meta;       /* uid, labels, annotations */
};

struct kubernetes_resources {
	struct kubernetes_cluster *cluster;
	struct follower *followers;
	size_t follower_count;
	struct table *objects; /* path to struct fingerprint */
	struct kubernetes_lease *lease;
	struct kubernetes_status *status;
	struct kubernetes_address *address;
	struct kubernetes_secrets *secrets; /* that upstreams name */
	struct loop_timer *none; /* runs off once where none are wanted */
	struct kind_problems *skipped; /* objects that are none */
};

/* ---- objects */

static char *
path_make(const struct sort *sort, const char *ns, const char *name)
{
	return xasprintf("/apis/%s/" VERSION "/namespaces/%s/%s/%s",
		sort->group, ns, sort->plural, name);
}

static uint64_t
part_hash(const struct doc *meta, const char *key, uint64_t seed)
{
	struct str text;
	uint64_t hash;

	str_init(&text);
	json_doc_write(doc_get(meta, key), 0, &text);
	hash = hash_bytes(text.data, text.length, seed);
	str_fini(&text);
	return hash;
}

static void
fingerprint_take(struct fingerprint *f, const struct doc *object)
{
	const struct doc *meta = doc_get(object, "metadata");
	int64_t generation = doc_get_integer(meta, "generation");

	f->generation = generation > 0 ? (uint64_t)generation : 0;
	f->meta = part_hash(meta, "uid", 0);
	f->meta = part_hash(meta, "labels", f->meta);
	f->meta = part_hash(meta, "annotations", f->meta);
}

static bool
fingerprint_same(const struct fingerprint *a, const struct fingerprint *b)
{
	return a != NULL && a->generation != 0 &&
	       a->generation == b->generation && a->meta == b->meta;
}

/* Everything but what the server notes for itself; resourceVersion is a text of
 * its own, and our objects have one of ours. */
static struct doc *
document_make(const struct sort *sort, const struct doc *object)
{
	struct doc *d = doc_copy(object);
	struct doc *meta = doc_get(d, "metadata");
	char *version = xasprintf("%s/" VERSION, sort->group);

	doc_set_string(d, "apiVersion", version);
	doc_set_string(d, "kind", sort->kind);
	doc_free(doc_steal(d, "status"));
	doc_free(doc_steal(meta, "managedFields"));
	doc_free(doc_steal(meta, "resourceVersion"));
	free(version);
	return d;
}

/* Names become parts of paths. */
static const char *
object_problem(const struct follower *f, const struct doc *object,
	const char *ns, const char *name)
{
	if (doc_type(object) != DOC_MAP ||
		doc_type(doc_get(object, "metadata")) != DOC_MAP)
		return "it has no metadata";
	if (!model_name_valid(name))
		return "metadata.name is no name";
	if (!model_name_valid(ns))
		return "metadata.namespace is no namespace";
	if (f->ns != NULL && strcmp(f->ns, ns) != 0)
		return "it is of another namespace than what was asked for";
	return NULL;
}

/* Notes that the object is there but passed over, or is no more. */
static void
refused_set(struct follower *f, const char *ns, const char *name, bool refused)
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

/* Once: from then on all that goes is said to be gone. Not while an object is
 * there that could not be taken: an earlier run may have. */
static void
settle_look(struct follower *f)
{
	struct kubernetes_resources *r = f->resources;
	struct kind_program *p = r->cluster->program;

	if (f->settled || !f->listed_whole ||
		(f->refused != NULL && table_count(f->refused) > 0))
		return;
	f->settled = true;
	if (f->sort->type == MODEL_TYPE_COUNT)
		return;
	for (size_t i = 0; i < r->follower_count; i++)
		if (r->followers[i].sort == f->sort &&
			!r->followers[i].settled)
			return;
	p->resources_settled(p, f->sort->type);
	if (f->sort->type == MODEL_UPSTREAM)
		kubernetes_secrets_complete(r->secrets);
}

/* why NULL: it is well, or gone. */
static void
object_tell(const struct follower *f, const char *ns, const char *name,
	const char *why)
{
	char *path = path_make(f->sort, ns, name);
	char *sentence = xasprintf("%s \"%.128s\" in \"%.128s\" is passed "
				   "over: %s",
		f->sort->kind, name, ns, why == NULL ? "" : why);

	kind_problems_set(
		f->resources->skipped, path, why == NULL ? NULL : sentence);
	free(sentence);
	free(path);
}

static void
not_served(struct kubernetes_resources *r, const struct sort *sort,
	const char *path, uint64_t generation)
{
	struct kubernetes_said said = {
		.state = "Rejected",
		.reason = sort->not_served,
		.by = sort->by,
		.generation = generation,
	};

	kubernetes_status_want(r->status, path, &said);
}

static void
on_put(const struct doc *object, const char *version, void *arg)
{
	struct follower *f = arg;
	struct kubernetes_resources *r = f->resources;
	struct kind_program *p = r->cluster->program;
	const struct doc *meta = doc_get(object, "metadata");
	const char *name = doc_get_text(meta, "name");
	const char *ns = doc_get_text(meta, "namespace");
	const char *why = object_problem(f, object, ns, name);
	struct fingerprint *now;
	char *path;
	bool same;

	(void)version;
	/* What is of another namespace is none of ours. */
	refused_set(f, ns, name,
		why != NULL && (f->ns == NULL || strcmp(f->ns, ns) == 0));
	object_tell(f, ns, name, why);
	if (why != NULL)
		return;
	path = path_make(f->sort, ns, name);
	now = xcalloc(1, sizeof(*now));
	fingerprint_take(now, object);
	same = fingerprint_same(table_get(r->objects, path), now);
	table_set(r->objects, path, now);
	kubernetes_status_seen(r->status, path, doc_get_text(meta, "uid"),
		now->generation, doc_get(object, "status"));
	if (f->sort->type == MODEL_TYPE_COUNT)
		not_served(r, f->sort, path, now->generation);
	else if (!same)
		p->resource_put(p, f->sort->type, ns, name,
			document_make(f->sort, object), now->generation);
	if (f->sort->type == MODEL_UPSTREAM && !same)
		kubernetes_secrets_refer(r->secrets, path, object);
	free(path);
	settle_look(f);
}

static void
on_gone(const char *ns, const char *name, void *arg)
{
	struct follower *f = arg;
	struct kubernetes_resources *r = f->resources;
	struct kind_program *p = r->cluster->program;
	char *path = path_make(f->sort, ns, name);

	if (table_remove(r->objects, path)) {
		kubernetes_status_forget(r->status, path);
		if (f->sort->type != MODEL_TYPE_COUNT)
			p->resource_remove(p, f->sort->type, ns, name);
		if (f->sort->type == MODEL_UPSTREAM)
			kubernetes_secrets_refer(r->secrets, path, NULL);
	}
	free(path);
	object_tell(f, ns, name, NULL);
	refused_set(f, ns, name, false);
	settle_look(f);
}

void
kubernetes_resources_judged(
	struct kubernetes_resources *r, const struct kind_verdict *verdict)
{
	struct kubernetes_said said = {
		.state = verdict->state,
		.reason = verdict->reason,
		.generation = verdict->generation,
	};
	char *path;

	if (r->status == NULL)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
		if (sorts[i].type != verdict->type)
			continue;
		said.by = sorts[i].by;
		path = path_make(&sorts[i], verdict->ns, verdict->name);
		kubernetes_status_want(r->status, path, &said);
		free(path);
	}
}

/* ---- how it stands with the reflectors */

static void
on_settled(bool whole, void *arg)
{
	struct follower *f = arg;

	f->listed_whole = whole;
	settle_look(f);
}

static enum kind_level
state_level(enum kubernetes_state state)
{
	switch (state) {
	case KUBERNETES_ABSENT:
		return KIND_NOTE;
	case KUBERNETES_STALE:
	case KUBERNETES_FORBIDDEN:
		return KIND_WARNING;
	case KUBERNETES_BEGINNING:
	case KUBERNETES_CURRENT:
		break;
	}
	return KIND_OK;
}

/* The worst of all namespaces is what is told of the sort. */
static void
sort_tell(struct kubernetes_resources *r, const struct sort *sort)
{
	struct kind_program *p = r->cluster->program;
	const struct follower *worst = NULL;
	enum kind_level level = KIND_OK;
	char text[700] = "";

	for (size_t i = 0; i < r->follower_count; i++) {
		const struct follower *f = &r->followers[i];

		if (f->sort == sort && state_level(f->state) > level) {
			level = state_level(f->state);
			worst = f;
		}
	}
	if (worst != NULL && worst->state == KUBERNETES_ABSENT)
		snprintf(text, sizeof(text),
			"the cluster does not define %s.%s; `glooctl install "
			"kube` does",
			sort->plural, sort->group);
	else if (worst != NULL)
		snprintf(text, sizeof(text), "%.600s", worst->reason);
	p->condition_set(p, sort->plural, level, text);
}

static void
on_state(enum kubernetes_state state, const char *reason, void *arg)
{
	struct follower *f = arg;

	/* Refused, or no more. */
	if (state == KUBERNETES_FORBIDDEN || f->state == KUBERNETES_FORBIDDEN)
		kubernetes_permissions_again(
			f->resources->cluster->permissions);
	f->state = state;
	free(f->reason);
	f->reason = xstrdup(reason == NULL ? "" : reason);
	sort_tell(f->resources, f->sort);
}

static const struct kubernetes_reflector_events events = {
	.put = on_put,
	.gone = on_gone,
	.settled = on_settled,
	.state = on_state,
};

/* ---- the whole */

static void
on_lead(bool leads, void *arg)
{
	struct kubernetes_resources *r = arg;

	kubernetes_status_lead(r->status, leads);
}

static void
follower_start(struct follower *f)
{
	static const char *const versions[] = { VERSION, NULL };
	const struct kubernetes_collection c = {
		.group = f->sort->group,
		.versions = versions,
		.plural = f->sort->plural,
		.ns = f->ns,
	};

	f->reflector = kubernetes_reflector_new(
		f->resources->cluster->api, &c, &events, f);
}

static void
follow_all(struct kubernetes_resources *r)
{
	const struct kubernetes_settings *s = r->cluster->settings;
	size_t places =
		s->watch_namespace_count > 0 ? s->watch_namespace_count : 1;

	r->follower_count = ARRAY_SIZE(sorts) * places;
	r->followers = xcalloc(r->follower_count, sizeof(*r->followers));
	for (size_t i = 0; i < r->follower_count; i++)
		r->followers[i] = (struct follower){
			.resources = r,
			.sort = &sorts[i / places],
			.ns = s->watch_namespace_count > 0
				      ? s->watch_namespaces[i % places]
				      : NULL,
		};
	for (size_t i = 0; i < r->follower_count; i++)
		follower_start(&r->followers[i]);
}

/* The operator wants none any more: what an earlier run read goes. */
static void
on_none(void *arg)
{
	struct kubernetes_resources *r = arg;
	struct kind_program *p = r->cluster->program;

	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (sorts[i].type != MODEL_TYPE_COUNT)
			p->resources_settled(p, sorts[i].type);
	p->resources_settled(p, MODEL_SECRET);
}

struct kubernetes_resources *
kubernetes_resources_new(struct kubernetes_cluster *c)
{
	struct kubernetes_resources *r = xcalloc(1, sizeof(*r));

	r->cluster = c;
	r->objects = table_new(free);
	r->skipped = kind_problems_new(
		c->program, "resources", "kubernetes");
	r->address = kubernetes_address_new(c);
	if (!c->settings->resources) {
		r->none = loop_timer_new(c->program->loop, on_none, r);
		loop_timer_start(r->none, 0);
		return r;
	}
	r->lease = kubernetes_lease_new(c, on_lead, r);
	r->status = kubernetes_status_new(c, r->lease);
	r->secrets = kubernetes_secrets_new(c);
	follow_all(r);
	return r;
}

void
kubernetes_resources_free(struct kubernetes_resources *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->follower_count; i++) {
		kubernetes_reflector_free(r->followers[i].reflector);
		free(r->followers[i].reason);
		table_free(r->followers[i].refused);
	}
	free(r->followers);
	kubernetes_secrets_free(r->secrets);
	kubernetes_status_free(r->status);
	kubernetes_lease_free(r->lease);
	kubernetes_address_free(r->address);
	if (r->none != NULL)
		loop_timer_free(r->none);
	kind_problems_free(r->skipped);
	table_free(r->objects);
	free(r);
}
