/* What is made in a cluster, and taken out again. */
#include "cli/kube_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/kubernetes/manifest.h"

#define APPLY       "application/apply-patch+yaml"
#define APPLY_QUERY "?fieldManager=" KUBERNETES_MANAGER "&force=true"

void
kube_outcome_print(const char *what, enum kube_outcome outcome)
{
	static const char *const words[] = {
		[KUBE_UNCHANGED] = "unchanged",
		[KUBE_CREATED] = "created",
		[KUBE_CONFIGURED] = "configured",
		[KUBE_DELETED] = "deleted",
		[KUBE_ABSENT] = "not found",
		[KUBE_FOREIGN] = "left as it is: glooctl did not make it",
	};

	printf("%s %s\n", what, words[outcome]);
	fflush(stdout);
}

/* ---- what is there */

/* *there is NULL when nothing is. */
static int
object_get(struct kube *k, const char *path, struct doc **there,
	struct error *err)
{
	const struct kube_question q = { .method = "GET", .path = path };
	struct error its = ERROR_INIT;
	int status;

	if (kube_ask(k, &q, there, &status, &its) == 0 || status == 404)
		return 0;
	return error_set(err, its.code, "%s", its.text);
}

static int
object_delete(struct kube *k, const char *path, struct error *err)
{
	const struct kube_question q = { .method = "DELETE", .path = path };
	struct error its = ERROR_INIT;
	int status;

	if (kube_ask(k, &q, NULL, &status, &its) == 0 || status == 404)
		return 0;
	return error_set(err, its.code, "%s", its.text);
}

static const char *
version_of(const struct doc *object)
{
	return doc_get_text(doc_get(object, "metadata"), "resourceVersion");
}

/* So that what another box wrote meanwhile is not lost. there may be NULL. */
static void
version_pin(struct doc *wanted, const struct doc *there)
{
	if (there != NULL)
		doc_set_string(doc_get(wanted, "metadata"), "resourceVersion",
			version_of(there));
}

static bool
same_text(const struct doc *a, const struct doc *b, const char *key)
{
	return strcmp(doc_get_text(a, key), doc_get_text(b, key)) == 0;
}

/* ---- apply */

/* What others may have made before, and we can use as it is. */
static bool
shared(const struct doc *object)
{
	return kubernetes_manifest_is(object, "Namespace") ||
	       kubernetes_manifest_is(object, "CustomResourceDefinition");
}

static const char *
endpoint_address(const struct doc *endpoint)
{
	const char *text =
		doc_string(doc_at(doc_get(endpoint, "addresses"), 0));

	return text != NULL ? text : "";
}

/* Ours beside what is there; what is there if it is among that. */
static struct doc *
endpoints_merge(const struct doc *ours, const struct doc *there)
{
	struct doc *list =
		doc_type(there) == DOC_LIST ? doc_copy(there) : doc_new_list();
	size_t count = doc_count(list);

	for (size_t i = 0; i < doc_count(ours); i++) {
		const char *ip = endpoint_address(doc_at(ours, i));
		size_t k = 0;

		while (k < count &&
			strcmp(endpoint_address(doc_at(list, k)), ip) != 0)
			k++;
		if (k == count)
			doc_add(list, doc_copy(doc_at(ours, i)));
	}
	return list;
}

static int
patch(struct kube *k, const char *path, const struct doc *object,
	struct doc **answer, struct error *err)
{
	char *place = xasprintf("%s" APPLY_QUERY, path);
	const struct kube_question q = { .method = "PATCH",
		.path = place,
		.content_type = APPLY,
		.body = object };
	int rc = kube_ask(k, &q, answer, NULL, err);

	free(place);
	return rc;
}

/* there may be NULL. */
static int
apply_over(struct kube *k, const struct doc *object, const char *path,
	const struct doc *there, enum kube_outcome *outcome, struct error *err)
{
	struct doc *wanted = doc_copy(object), *answer = NULL;
	int rc = 0;

	/* A slice is of one family for ever. */
	if (there != NULL && !same_text(object, there, "addressType")) {
		rc = object_delete(k, path, err);
		there = NULL;
	}
	if (doc_get(object, "endpoints") != NULL) {
		doc_set(wanted, "endpoints",
			endpoints_merge(doc_get(object, "endpoints"),
				doc_get(there, "endpoints")));
		version_pin(wanted, there);
	}
	if (rc == 0)
		rc = patch(k, path, wanted, &answer, err);
	if (there == NULL)
		*outcome = KUBE_CREATED;
	else if (strcmp(version_of(answer), version_of(there)) == 0)
		*outcome = KUBE_UNCHANGED;
	else
		*outcome = KUBE_CONFIGURED;
	doc_free(answer);
	doc_free(wanted);
	return rc;
}

int
kube_apply(struct kube *k, const struct doc *object, enum kube_outcome *outcome,
	struct error *err)
{
	char *path = kubernetes_manifest_path(object);
	char *label = kubernetes_manifest_label(object);
	struct doc *there = NULL;
	int rc = object_get(k, path, &there, err);

	if (rc == 0 && there != NULL && !kubernetes_manifest_ours(there)) {
		*outcome = KUBE_FOREIGN;
		if (!shared(object))
			rc = error_set(err, ERROR_CONFIG,
				"it is there already, and glooctl did not make "
				"it; delete it if it is not needed");
	} else if (rc == 0) {
		rc = apply_over(k, object, path, there, outcome, err);
	}
	if (rc != 0)
		error_prefix(err, "cannot apply %s", label);
	doc_free(there);
	free(path);
	free(label);
	return rc;
}

/* ---- the service's status */

/* With that address in it; NULL: it has it already. */
static struct doc *
ingress_merge(const struct doc *there, const char *ip)
{
	struct doc *list;

	for (size_t i = 0; i < doc_count(there); i++)
		if (strcmp(doc_get_text(doc_at(there, i), "ip"), ip) == 0)
			return NULL;
	list = doc_type(there) == DOC_LIST ? doc_copy(there) : doc_new_list();
	doc_set_string(doc_add(list, doc_new_map()), "ip", ip);
	return list;
}

static struct doc *
status_new(const struct doc *service, struct doc *ingress)
{
	struct doc *d = doc_new_map();
	const struct doc *meta = doc_get(service, "metadata");
	struct doc *to = doc_set(d, "metadata", doc_new_map());

	doc_set_string(d, "apiVersion", doc_get_text(service, "apiVersion"));
	doc_set_string(d, "kind", doc_get_text(service, "kind"));
	doc_set_string(to, "name", doc_get_text(meta, "name"));
	doc_set_string(to, "namespace", doc_get_text(meta, "namespace"));
	to = doc_set(d, "status", doc_new_map());
	to = doc_set(to, "loadBalancer", doc_new_map());
	doc_set(to, "ingress", ingress);
	return d;
}

int
kube_publish(struct kube *k, const struct doc *service, const char *ip,
	enum kube_outcome *outcome, struct error *err)
{
	char *path = kubernetes_manifest_path(service);
	char *place = xasprintf("%s/status", path);
	struct doc *there = NULL, *ingress = NULL, *status;
	int rc = object_get(k, path, &there, err);

	if (rc == 0)
		ingress = ingress_merge(doc_find(there, "status",
						"loadBalancer", "ingress",
						NULL),
			ip);
	if (ingress != NULL) {
		status = status_new(service, ingress);
		version_pin(status, there);
		rc = patch(k, place, status, NULL, err);
		if (*outcome == KUBE_UNCHANGED)
			*outcome = KUBE_CONFIGURED;
		doc_free(status);
	}
	if (rc != 0)
		error_prefix(err, "cannot write %s", place);
	doc_free(there);
	free(place);
	free(path);
	return rc;
}

/* ---- delete */

int
kube_delete(struct kube *k, const struct doc *object,
	enum kube_outcome *outcome, struct error *err)
{
	char *path = kubernetes_manifest_path(object);
	char *label = kubernetes_manifest_label(object);
	struct doc *there = NULL;
	int rc = object_get(k, path, &there, err);

	if (there == NULL) {
		*outcome = KUBE_ABSENT;
	} else if (!kubernetes_manifest_ours(there)) {
		*outcome = KUBE_FOREIGN;
	} else {
		*outcome = KUBE_DELETED;
		rc = object_delete(k, path, err);
	}
	if (rc != 0)
		error_prefix(err, "cannot delete %s", label);
	doc_free(there);
	free(path);
	free(label);
	return rc;
}
