/* Secrets of the cluster, by name. */
#include "kinds/kubernetes/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "kinds/kubernetes/reflector.h"

struct secret {
	struct kubernetes_secrets *secrets;
	char *ns, *name;
	struct table *users; /* keys of upstreams that name it */
	struct kubernetes_reflector *reflector;
	enum kubernetes_state state;
	char *reason;
	bool settled; /* once */
};

struct kubernetes_secrets {
	struct kubernetes_cluster *cluster;
	struct table *items; /* "ns/name" to struct secret */
	bool complete; /* all upstreams were said */
	bool settled;  /* and what was there before and is not named is gone */
};

static void
secret_free(void *value)
{
	struct secret *s = value;

	kubernetes_reflector_free(s->reflector);
	table_free(s->users);
	free(s->reason);
	free(s->ns);
	free(s->name);
	free(s);
}

struct kubernetes_secrets *
kubernetes_secrets_new(struct kubernetes_cluster *c)
{
	struct kubernetes_secrets *s = xcalloc(1, sizeof(*s));

	s->cluster = c;
	s->items = table_new(secret_free);
	return s;
}

void
kubernetes_secrets_free(struct kubernetes_secrets *s)
{
	if (s == NULL)
		return;
	table_free(s->items);
	free(s);
}

/* ---- how it stands with them */

static enum kind_level
state_level(const struct secret *s)
{
	return s->state == KUBERNETES_STALE ||
			       s->state == KUBERNETES_FORBIDDEN ||
			       s->state == KUBERNETES_ABSENT
		       ? KIND_WARNING
		       : KIND_OK;
}

/* Of the worst of them; the one with the first name, for the same text. */
static void
condition_tell(const struct kubernetes_secrets *s)
{
	struct kind_program *p = s->cluster->program;
	const struct secret *worst = NULL;
	char text[1200] = "";
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(s->items, &place, &key, &value)) {
		const struct secret *one = value;

		if (state_level(one) == KIND_OK)
			continue;
		if (worst == NULL || strcmp(one->ns, worst->ns) < 0 ||
			(strcmp(one->ns, worst->ns) == 0 &&
				strcmp(one->name, worst->name) < 0))
			worst = one;
	}
	if (worst != NULL && worst->state == KUBERNETES_FORBIDDEN)
		snprintf(text, sizeof(text),
			"the secret %s.%s cannot be read: %.500s; grant it "
			"with: kubectl create role gloo-gateway-%s -n %s "
			"--verb=get,list,watch --resource=secrets "
			"--resource-name=%s, and a rolebinding",
			worst->ns, worst->name, worst->reason, worst->name,
			worst->ns, worst->name);
	else if (worst != NULL)
		snprintf(text, sizeof(text), "the secret %s.%s: %.600s",
			worst->ns, worst->name, worst->reason);
	p->condition_set(p, "secrets",
		worst != NULL ? state_level(worst) : KIND_OK, text);
}

static void
settle_look(struct kubernetes_secrets *s)
{
	struct kind_program *p = s->cluster->program;
	size_t place = 0;
	const char *key;
	void *value;

	if (s->settled || !s->complete)
		return;
	while (table_next(s->items, &place, &key, &value))
		if (!((const struct secret *)value)->settled)
			return;
	s->settled = true;
	p->resources_settled(p, MODEL_SECRET);
}

/* ---- what a reflector says */

static bool
is_it(const struct secret *s, const char *ns, const char *name)
{
	return strcmp(ns, s->ns) == 0 && strcmp(name, s->name) == 0;
}

static void
on_put(const struct doc *object, const char *version, void *arg)
{
	struct secret *s = arg;
	struct kind_program *p = s->secrets->cluster->program;
	const struct doc *meta = doc_get(object, "metadata");
	struct doc *d;

	(void)version;
	/* A server that does not heed the selector shows us others, too. */
	if (!is_it(s, doc_get_text(meta, "namespace"),
		    doc_get_text(meta, "name")))
		return;
	d = doc_copy(object);
	doc_set_string(d, "apiVersion", "v1");
	doc_set_string(d, "kind", "Secret");
	doc_free_wiped(doc_steal(doc_get(d, "metadata"), "managedFields"));
	doc_free(doc_steal(doc_get(d, "metadata"), "resourceVersion"));
	p->resource_put(p, MODEL_SECRET, s->ns, s->name, d, 0);
}

static void
on_gone(const char *ns, const char *name, void *arg)
{
	struct secret *s = arg;
	struct kind_program *p = s->secrets->cluster->program;

	if (is_it(s, ns, name))
		p->resource_remove(p, MODEL_SECRET, ns, name);
}

static void
on_settled(bool whole, void *arg)
{
	struct secret *s = arg;

	(void)whole;
	s->settled = true;
	settle_look(s->secrets);
}

static void
on_state(enum kubernetes_state state, const char *reason, void *arg)
{
	struct secret *s = arg;

	s->state = state;
	free(s->reason);
	s->reason = xstrdup(reason != NULL ? reason : "");
	condition_tell(s->secrets);
}

static const struct kubernetes_reflector_events events = {
	.put = on_put,
	.gone = on_gone,
	.settled = on_settled,
	.state = on_state,
};

/* ---- who names which */

static struct secret *
secret_take(struct kubernetes_secrets *all, const char *key, const char *ns,
	const char *name)
{
	static const char *const versions[] = { "v1", NULL };
	struct secret *s = table_get(all->items, key);
	struct kubernetes_collection c = {
		.group = "",
		.versions = versions,
		.plural = "secrets",
		.hidden = true,
	};
	char *field;

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->secrets = all;
	s->ns = xstrdup(ns);
	s->name = xstrdup(name);
	s->users = table_new(NULL);
	table_set(all->items, key, s);
	field = xasprintf("metadata.name=%s", name);
	c.ns = s->ns;
	c.fields = field;
	s->reflector = kubernetes_reflector_new(
		all->cluster->api, &c, &events, s);
	free(field);
	return s;
}

/* Nobody names it any more. */
static void
secret_end(struct kubernetes_secrets *all, const char *key)
{
	struct secret *s = table_steal(all->items, key);
	struct kind_program *p = all->cluster->program;

	p->resource_remove(p, MODEL_SECRET, s->ns, s->name);
	secret_free(s);
	condition_tell(all);
}

static void
reference_add(struct table *wanted, const struct doc *ref)
{
	const char *name = doc_get_text(ref, "name");
	const char *ns = doc_get_string(ref, "namespace");
	char *key;

	if (ns == NULL)
		ns = MODEL_NAMESPACE_DEFAULT;
	/* They become parts of paths; what is wrong the upstream's own verdict
	 * says. */
	if (!model_name_valid(name) || !model_name_valid(ns))
		return;
	key = xasprintf("%s/%s", ns, name);
	table_set(wanted, key, wanted);
	free(key);
}

/* secretRef of sslConfig and of the kind, in each spelling of an upstream. */
static void
references_find(struct table *wanted, const struct doc *spec)
{
	for (size_t i = 0; i < doc_count(spec); i++) {
		const struct doc *ref =
			doc_get(doc_value_at(spec, i), "secretRef");

		if (doc_type(ref) == DOC_MAP)
			reference_add(wanted, ref);
	}
}

/* The first that it does not name any more; the caller's. */
static char *
stale_find(const struct kubernetes_secrets *s, const char *user,
	const struct table *wanted)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(s->items, &place, &key, &value))
		if (table_get(((struct secret *)value)->users, user) != NULL &&
			table_get(wanted, key) == NULL)
			return xstrdup(key);
	return NULL;
}

void
kubernetes_secrets_refer(struct kubernetes_secrets *s, const char *user,
	const struct doc *object)
{
	const struct doc *spec = doc_get(object, "spec");
	struct table *wanted = table_new(NULL);
	size_t place = 0;
	const char *key;
	char *stale;
	void *value;

	if (doc_type(spec) == DOC_MAP) {
		references_find(wanted, spec);
		references_find(wanted, doc_get(spec, "upstreamSpec"));
	}
	while (table_next(wanted, &place, &key, &value)) {
		const char *slash = strchr(key, '/');
		char *ns = xstrndup(key, (size_t)(slash - key));
		struct secret *one = secret_take(s, key, ns, slash + 1);

		table_set(one->users, user, one);
		free(ns);
	}
	while ((stale = stale_find(s, user, wanted)) != NULL) {
		struct secret *one = table_get(s->items, stale);

		table_remove(one->users, user);
		if (table_count(one->users) == 0)
			secret_end(s, stale);
		free(stale);
	}
	table_free(wanted);
	settle_look(s);
}

void
kubernetes_secrets_complete(struct kubernetes_secrets *s)
{
	s->complete = true;
	settle_look(s);
}
