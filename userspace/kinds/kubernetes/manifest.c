/* What `glooctl install kube` makes in the cluster. */
#include "kinds/kubernetes/manifest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/yaml.h"

static const unsigned char text[] = {
#include "kubernetes_manifests.inc"
};

struct doc *
kubernetes_manifests(void)
{
	struct error err = ERROR_INIT;
	struct doc *list =
		yaml_doc_read_all((const char *)text, sizeof(text), &err);

	if (list == NULL)
		log_fatal("config/kubernetes:%d: %s", err.line, err.text);
	return list;
}

/* ---- names */

/* "apps/v1" to "apps", "v1" to "". */
static struct slice
group_of(const struct doc *object)
{
	const char *version = doc_get_text(object, "apiVersion");
	const char *slash = strchr(version, '/');

	return (struct slice){ version,
		slash == NULL ? 0 : (size_t)(slash - version) };
}

static void
lower_put(struct str *out, const char *word)
{
	for (; *word != '\0'; word++)
		str_putc(out, (char)tolower((unsigned char)*word));
}

static const char *
meta_text(const struct doc *object, const char *key)
{
	return doc_get_text(doc_get(object, "metadata"), key);
}

/* The plural of each kind that we have ends with an s and no more. */
char *
kubernetes_manifest_path(const struct doc *object)
{
	const char *ns = meta_text(object, "namespace");
	struct str path;

	str_init(&path);
	str_printf(&path, "%s/%s",
		group_of(object).length > 0 ? "/apis" : "/api",
		doc_get_text(object, "apiVersion"));
	if (ns[0] != '\0')
		str_printf(&path, "/namespaces/%s", ns);
	str_putc(&path, '/');
	lower_put(&path, doc_get_text(object, "kind"));
	str_printf(&path, "s/%s", meta_text(object, "name"));
	return str_steal(&path);
}

char *
kubernetes_manifest_label(const struct doc *object)
{
	struct slice group = group_of(object);
	struct str label;

	str_init(&label);
	lower_put(&label, doc_get_text(object, "kind"));
	if (group.length > 0)
		str_printf(&label, ".%.*s", (int)group.length, group.data);
	str_printf(&label, "/%s", meta_text(object, "name"));
	return str_steal(&label);
}

bool
kubernetes_manifest_is(const struct doc *object, const char *kind)
{
	return strcmp(doc_get_text(object, "kind"), kind) == 0;
}

bool
kubernetes_manifest_ours(const struct doc *object)
{
	const struct doc *labels = doc_find(object, "metadata", "labels", NULL);

	return kubernetes_manifest_is(object, "Lease") ||
	       strcmp(doc_get_text(labels, "app.kubernetes.io/managed-by"),
		       KUBERNETES_MANAGER) == 0;
}

struct doc *
kubernetes_manifest_lease(void)
{
	struct doc *d = doc_new_map();
	struct doc *meta = doc_set(d, "metadata", doc_new_map());

	doc_set_string(d, "apiVersion", "coordination.k8s.io/v1");
	doc_set_string(d, "kind", "Lease");
	doc_set_string(meta, "name", KUBERNETES_LEASE);
	doc_set_string(meta, "namespace", KUBERNETES_NAMESPACE);
	return d;
}

/* ---- the address */

static const char *
address_unfit(const struct addr *a)
{
	switch (addr_kind(a)) {
	case ADDR_UNSPECIFIED:
		return "it is no address of anything";
	case ADDR_LOOPBACK:
		return "it is a loopback address";
	case ADDR_LINK_LOCAL:
		return "it is a link-local address";
	case ADDR_MULTICAST:
		return "it is a multicast address";
	case ADDR_THIS_NETWORK:
	case ADDR_BROADCAST:
	case ADDR_ORDINARY:
		break;
	}
	return NULL;
}

static void
slice_fill(struct doc *slice, const struct addr *a)
{
	struct doc *endpoints = doc_set(slice, "endpoints", doc_new_list());
	struct doc *one = doc_add(endpoints, doc_new_map());
	struct doc *addresses = doc_set(one, "addresses", doc_new_list());
	struct doc *conditions = doc_set(one, "conditions", doc_new_map());
	char ip[ADDR_TEXT_MAX];

	doc_set_string(slice, "addressType", addr_is_v4(a) ? "IPv4" : "IPv6");
	doc_add(addresses, doc_new_string(addr_format_ip(a, ip)));
	doc_set(conditions, "ready", doc_new_bool(true));
}

int
kubernetes_manifest_address(
	struct doc *manifests, const char *ip, struct error *err)
{
	const char *why = NULL;
	struct addr a;

	if (addr_parse_ip(ip, 0, &a) != 0)
		why = "it is no IP address";
	else
		why = address_unfit(&a);
	if (why != NULL)
		return error_set(err, ERROR_CONFIG,
			"%.64s cannot be the address of service %s: %s", ip,
			KUBERNETES_SERVICE, why);
	for (size_t i = 0; i < doc_count(manifests); i++)
		if (kubernetes_manifest_is(
			    doc_at(manifests, i), "EndpointSlice"))
			slice_fill(doc_at(manifests, i), &a);
	return 0;
}
