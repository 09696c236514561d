/* Asks the server what it serves. */
#include "kinds/kubernetes/absence.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct absence {
	struct kubernetes_api *api;
	const char *group, *plural;
	const char *const *versions;
	absence_f *cb;
	void *arg;
	struct kubernetes_call *call;
	size_t version; /* that is asked for */
	bool unknown[ABSENCE_VERSIONS_MAX]; /* the server answered 404 */
};

void
api_path_put(struct str *path, const char *group, const char *version)
{
	if (group[0] == '\0')
		str_printf(path, "/api/%s", version);
	else
		str_printf(path, "/apis/%s/%s", group, version);
}

static void
absence_tell(struct absence *a, const char *problem)
{
	absence_f *cb = a->cb;
	void *arg = a->arg;

	free(a);
	cb(problem, arg);
}

static bool
list_has(const struct doc *list, const char *key, const char *text)
{
	for (size_t i = 0; i < doc_count(list); i++)
		if (strcmp(doc_get_text(doc_at(list, i), key), text) == 0)
			return true;
	return false;
}

static bool
kind_is(const struct kubernetes_answer *answer, const char *kind)
{
	return answer->problem == NULL &&
	       strcmp(doc_get_text(answer->doc, "kind"), kind) == 0;
}

/* Is a version that the server did not know in its list nevertheless? */
static bool
group_is_listed(const struct absence *a, const struct doc *group)
{
	const struct doc *versions = doc_get(group, "versions");

	if (strcmp(doc_get_text(group, "name"), a->group) != 0)
		return false;
	for (size_t i = 0; a->versions[i] != NULL; i++)
		if (a->unknown[i] &&
			list_has(versions, "version", a->versions[i]))
			return true;
	return false;
}

static void
on_groups(const struct kubernetes_answer *answer, void *arg)
{
	struct absence *a = arg;
	const struct doc *groups = doc_get(answer->doc, "groups");

	a->call = NULL;
	if (!kind_is(answer, "APIGroupList")) {
		absence_tell(a, answer->problem != NULL
					? answer->problem
					: "/apis is no APIGroupList");
		return;
	}
	for (size_t i = 0; i < doc_count(groups); i++)
		if (group_is_listed(a, doc_at(groups, i))) {
			absence_tell(a, "it answers 404, but lists the group");
			return;
		}
	absence_tell(a, NULL);
}

static void version_ask(struct absence *a);

static void
on_version(const struct kubernetes_answer *answer, void *arg)
{
	struct absence *a = arg;

	a->call = NULL;
	if (answer->status == 404 && a->group[0] != '\0') {
		a->unknown[a->version] = true;
	} else if (!kind_is(answer, "APIResourceList")) {
		absence_tell(a, answer->problem != NULL
					? answer->problem
					: "it is no APIResourceList");
		return;
	} else if (list_has(doc_get(answer->doc, "resources"), "name",
			   a->plural)) {
		absence_tell(a, "it answers 404, but lists the resource");
		return;
	}
	a->version++;
	version_ask(a);
}

static void
version_ask(struct absence *a)
{
	struct kubernetes_request r = { .path = "/apis", .urgent = true };
	bool unknown = false;
	struct str path;

	for (size_t i = 0; i < a->version; i++)
		unknown |= a->unknown[i];
	if (a->versions[a->version] == NULL) {
		if (unknown)
			a->call = kubernetes_api_call(
				a->api, &r, on_groups, a);
		else
			absence_tell(a, NULL);
		return;
	}
	str_init(&path);
	api_path_put(&path, a->group, a->versions[a->version]);
	r.path = path.data;
	a->call = kubernetes_api_call(a->api, &r, on_version, a);
	str_fini(&path);
}

struct absence *
absence_ask(struct kubernetes_api *api, const char *group,
	const char *const *versions, const char *plural, absence_f *cb,
	void *arg)
{
	struct absence *a = xcalloc(1, sizeof(*a));

	a->api = api;
	a->group = group;
	a->versions = versions;
	a->plural = plural;
	a->cb = cb;
	a->arg = arg;
	version_ask(a);
	return a;
}

void
absence_cancel(struct absence *a)
{
	if (a == NULL)
		return;
	kubernetes_call_cancel(a->call);
	free(a);
}
