/* A cluster that several boxes serve. */
#include "cli/kube_share.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/kube_objects.h"
#include "kinds/kubernetes/box.h"
#include "kinds/kubernetes/manifest.h"

#define MERGE "application/merge-patch+json"

void
kube_box_fini(struct kube_box *box)
{
	free(box->annotation);
	free(box->address);
}

/* ---- whose it is */

static const char *
entry_address(const struct doc *entry)
{
	const char *text = doc_string(doc_at(doc_get(entry, "addresses"), 0));

	return text != NULL ? text : "";
}

static const struct doc *
annotations_of(const struct doc *slice)
{
	return doc_find(slice, "metadata", "annotations", NULL);
}

static bool
is_own(const struct doc *slice, const struct kube_box *box, const char *ip)
{
	const char *noted =
		doc_get_text(annotations_of(slice), box->annotation);

	return strcmp(noted, ip) == 0 ||
	       (box->address != NULL && strcmp(box->address, ip) == 0);
}

/* Did a box put its name to it? */
static bool
is_named(const struct doc *slice, const char *ip)
{
	const struct doc *all = annotations_of(slice);

	for (size_t i = 0; i < doc_count(all); i++) {
		const char *value = doc_string(doc_value_at(all, i));

		if (strncmp(doc_key_at(all, i), KUBERNETES_BOX_ANNOTATION,
			    strlen(KUBERNETES_BOX_ANNOTATION)) == 0 &&
			value != NULL && strcmp(value, ip) == 0)
			return true;
	}
	return false;
}

static bool
is_known(const struct doc *slice, const struct kube_box *box)
{
	return box->address != NULL ||
	       doc_get(annotations_of(slice), box->annotation) != NULL;
}

struct doc *
kube_share_others(const struct doc *slice, const struct kube_box *box)
{
	const struct doc *entries = doc_get(slice, "endpoints");
	struct doc *others = doc_new_list();
	const char *ip = entry_address(doc_at(entries, 0));

	if (doc_count(entries) == 1 && !is_known(slice, box) &&
		!is_named(slice, ip))
		return others;
	for (size_t i = 0; i < doc_count(entries); i++) {
		ip = entry_address(doc_at(entries, i));
		if (!is_own(slice, box, ip))
			doc_add(others, doc_new_string(ip));
	}
	return others;
}

/* ---- asking */

static char *
object_path(const char *kind)
{
	struct doc *all = kubernetes_manifests();
	char *path = NULL;

	for (size_t i = 0; i < doc_count(all) && path == NULL; i++)
		if (kubernetes_manifest_is(doc_at(all, i), kind))
			path = kubernetes_manifest_path(doc_at(all, i));
	doc_free(all);
	return path;
}

/* *there is NULL when nothing is. */
static int
object_get(struct kube *k, const char *path, struct doc **there,
	struct error *err)
{
	const struct kube_question q = { .method = "GET", .path = path };
	struct error its = ERROR_INIT;
	int status;

	*there = NULL;
	if (kube_ask(k, &q, there, &status, &its) == 0 || status == 404)
		return 0;
	return error_set(err, its.code, "%s", its.text);
}

/* ---- coming */

void
kube_share_put(const struct doc *others, struct str *out)
{
	for (size_t i = 0; i < doc_count(others); i++)
		str_printf(out, "%s%s", i > 0 ? ", " : "",
			doc_string(doc_at(others, i)));
}

int
kube_share_family(struct kube *k, const struct kube_box *box, bool ipv6,
	struct error *err)
{
	char *path = object_path("EndpointSlice");
	const char *type;
	struct doc *slice, *others;
	struct str list;
	int rc = object_get(k, path, &slice, err);

	str_init(&list);
	type = doc_get_text(slice, "addressType");
	others = kube_share_others(slice, box);
	kube_share_put(others, &list);
	if (rc == 0 && list.length > 0 &&
		strcmp(type, ipv6 ? "IPv6" : "IPv4") != 0)
		rc = error_set(err, ERROR_CONFIG,
			"the service " KUBERNETES_SERVICE " has %.8s addresses "
			"of other boxes (%.200s), and can have no others "
			"beside them: give --address of that family",
			type, list.data);
	str_fini(&list);
	doc_free(others);
	doc_free(slice);
	free(path);
	return rc;
}

/* ---- leaving */

/* Only fits the version that was read. Takes p. */
static int
patch(struct kube *k, const char *path, const struct doc *there, struct doc *p,
	struct error *err)
{
	const struct kube_question q = { .method = "PATCH",
		.path = path,
		.content_type = MERGE,
		.body = p };
	struct doc *meta = doc_get(p, "metadata");
	int rc;

	if (meta == NULL)
		meta = doc_set(p, "metadata", doc_new_map());
	doc_set_string(meta, "resourceVersion",
		doc_get_text(doc_get(there, "metadata"), "resourceVersion"));
	rc = kube_ask(k, &q, NULL, NULL, err);
	if (rc != 0)
		error_prefix(err, "cannot take the address out of %s", path);
	doc_free(p);
	return rc;
}

static int
slice_leave(struct kube *k, const char *path, const struct doc *slice,
	const struct kube_box *box, struct error *err)
{
	const struct doc *now = doc_get(slice, "endpoints");
	struct doc *p = doc_new_map(), *stay, *meta;

	stay = doc_set(p, "endpoints", doc_new_list());
	for (size_t i = 0; i < doc_count(now); i++)
		if (!is_own(slice, box, entry_address(doc_at(now, i))))
			doc_add(stay, doc_copy(doc_at(now, i)));
	meta = doc_set(p, "metadata", doc_new_map());
	doc_set(doc_set(meta, "annotations", doc_new_map()), box->annotation,
		doc_new_null());
	return patch(k, path, slice, p, err);
}

static int
service_leave(struct kube *k, const struct doc *slice,
	const struct kube_box *box, struct error *err)
{
	char *path = object_path("Service");
	char *place = xasprintf("%s/status", path);
	struct doc *there, *p = doc_new_map(), *stay, *to;
	const struct doc *now;
	int rc = object_get(k, path, &there, err);

	now = doc_find(there, "status", "loadBalancer", "ingress", NULL);
	to = doc_set(p, "status", doc_new_map());
	to = doc_set(to, "loadBalancer", doc_new_map());
	stay = doc_set(to, "ingress", doc_new_list());
	for (size_t i = 0; i < doc_count(now); i++)
		if (!is_own(slice, box, doc_get_text(doc_at(now, i), "ip")))
			doc_add(stay, doc_copy(doc_at(now, i)));
	if (rc == 0 && doc_count(stay) < doc_count(now))
		rc = patch(k, place, there, p, err);
	else
		doc_free(p);
	doc_free(there);
	free(place);
	free(path);
	return rc;
}

int
kube_share_leave(struct kube *k, const struct kube_box *box,
	struct doc **others, struct error *err)
{
	char *path = object_path("EndpointSlice");
	struct doc *slice;
	int rc = object_get(k, path, &slice, err);

	*others = kube_share_others(slice, box);
	if (doc_count(*others) == 0) {
		doc_free(*others);
		*others = NULL;
	} else if (doc_count(*others) <
			   doc_count(doc_get(slice, "endpoints")) ||
		   doc_get(annotations_of(slice), box->annotation) != NULL) {
		rc = slice_leave(k, path, slice, box, err);
	}
	if (rc == 0 && *others != NULL)
		rc = service_leave(k, slice, box, err);
	doc_free(slice);
	free(path);
	return rc;
}
