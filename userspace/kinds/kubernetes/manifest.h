/*
 * What `glooctl install kube` makes in the cluster, and by that what the
 * gateway may do there: the files of config/kubernetes/, built into the
 * program. Pure.
 */
#ifndef KINDS_KUBERNETES_MANIFEST_H
#define KINDS_KUBERNETES_MANIFEST_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

#define KUBERNETES_NAMESPACE "gloo-system"
#define KUBERNETES_ACCOUNT   "gloo-gateway"
#define KUBERNETES_SERVICE   "gateway-proxy"
#define KUBERNETES_LEASE     "gloo-gateway"
/* Of all that is made: the label app.kubernetes.io/managed-by, and who applies
 * it for the server. */
#define KUBERNETES_MANAGER "glooctl"

/* A list in the order in which they are to be made; the caller frees. */
struct doc *kubernetes_manifests(void);

/* Where the API server has it, "/api/v1/namespaces/a/services/b"; the caller
 * frees. */
char *kubernetes_manifest_path(const struct doc *object);
/* As kubectl calls it, "role.rbac.authorization.k8s.io/a"; the caller frees. */
char *kubernetes_manifest_label(const struct doc *object);
bool kubernetes_manifest_is(const struct doc *object, const char *kind);
/* Is it of glooctl's making, or the daemon's (the Lease)? */
bool kubernetes_manifest_ours(const struct doc *object);
/* The daemon's Lease by its name, which is enough to delete it; the caller
 * frees. */
struct doc *kubernetes_manifest_lease(void);
/* Puts the address of the box, without port, into the EndpointSlice. -1 and
 * err: no cluster takes such an address for an endpoint. */
int kubernetes_manifest_address(
	struct doc *manifests, const char *ip, struct error *err);

#endif
