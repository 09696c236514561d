/*
 * Reflectors of the test's own in place of kinds/kubernetes/reflector.c: what
 * the cluster has comes, goes and is settled when the test says so. To be
 * included once in a test program.
 */
#ifndef TESTS_UNIT_KINDS_KUBERNETES_REFLECTOR_FAKE_H
#define TESTS_UNIT_KINDS_KUBERNETES_REFLECTOR_FAKE_H

#include "told.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/kubernetes/reflector.h"

#define REFLECTORS 16

struct kubernetes_reflector {
	char *what;   /* "services", "pods in ns of a=b" */
	char *fields; /* field selector, or "" */
	bool hidden;
	struct kubernetes_reflector_events events;
	void *arg;
};

static struct kubernetes_reflector *reflectors[REFLECTORS];
static const struct kubernetes_api *reflectors_api; /* that all have to ask */
static bool reflectors_told; /* "follow what", "unfollow what" */

static inline const char *
reflector_group(const char *plural)
{
	static const struct {
		const char *plural, *group;
	} rows[] = {
		{ "endpointslices", "discovery.k8s.io" },
		{ "gateways", "gateway.solo.io" },
		{ "routetables", "gateway.solo.io" },
		{ "virtualservices", "gateway.solo.io" },
		{ "upstreamgroups", "gloo.solo.io" },
		{ "upstreams", "gloo.solo.io" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].plural, plural) == 0)
			return rows[i].group;
	return ""; /* core */
}

struct kubernetes_reflector *
kubernetes_reflector_new(struct kubernetes_api *api,
	const struct kubernetes_collection *c,
	const struct kubernetes_reflector_events *events, void *arg)
{
	struct kubernetes_reflector *r = xcalloc(1, sizeof(*r));
	size_t i = 0;

	assert_ptr_equal(api, reflectors_api);
	assert_string_equal(c->group, reflector_group(c->plural));
	assert_string_equal(c->versions[0], "v1");
	if (strcmp(c->plural, "endpointslices") != 0)
		assert_null(c->versions[1]);
	r->what = xasprintf("%s%s%s%s%s", c->plural,
		c->ns == NULL ? "" : " in ", c->ns == NULL ? "" : c->ns,
		c->labels == NULL ? "" : " of ",
		c->labels == NULL ? "" : c->labels);
	r->fields = xstrdup(c->fields == NULL ? "" : c->fields);
	r->hidden = c->hidden;
	r->events = *events;
	r->arg = arg;
	while (i < REFLECTORS && reflectors[i] != NULL)
		i++;
	assert_true(i < REFLECTORS);
	reflectors[i] = r;
	if (reflectors_told)
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
	if (reflectors_told)
		str_printf(&told, "unfollow %s\n", r->what);
	free(r->what);
	free(r->fields);
	free(r);
}

static inline size_t
reflector_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < REFLECTORS; i++)
		count += reflectors[i] != NULL;
	return count;
}

static inline struct kubernetes_reflector *
reflector(const char *what)
{
	for (size_t i = 0; i < REFLECTORS; i++)
		if (reflectors[i] != NULL &&
			strcmp(reflectors[i]->what, what) == 0)
			return reflectors[i];
	fail_msg("%s is not followed", what);
	return NULL;
}

/* text: an object, as YAML. */
static inline void
put(const char *what, const char *text)
{
	struct kubernetes_reflector *r = reflector(what);
	struct doc *d = yaml(text);

	r->events.put(d, "v1", r->arg);
	doc_free(d);
}

static inline void
gone(const char *what, const char *ns, const char *name)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.gone(ns, name, r->arg);
}

static inline void
settled(const char *what)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.settled(true, r->arg);
}

/* Something on the list could not be read. */
static inline void
settled_in_part(const char *what)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.settled(false, r->arg);
}

static inline void
is_now(const char *what, enum kubernetes_state state, const char *reason)
{
	struct kubernetes_reflector *r = reflector(what);

	r->events.state(state, reason, r->arg);
}

#endif
