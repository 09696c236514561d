/*
 * All services of the cluster, and the upstreams that discovery makes of them:
 * `<namespace>-<service>-<port>`, labelled discovered_by: kubernetesplugin.
 * Pure: objects in, documents out.
 */
#ifndef KINDS_KUBERNETES_SERVICES_H
#define KINDS_KUBERNETES_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "kinds/kubernetes/settings.h"

struct kubernetes_services;

#define KUBERNETES_DISCOVERED_BY "kubernetesplugin"

/* A service came, changed in what we use of it, or went: its upstreams have to
 * be made again, those who wait for its endpoints ask again. */
typedef void kubernetes_services_f(
	const char *ns, const char *name, void *arg);

struct kubernetes_services *kubernetes_services_new(
	const struct kubernetes_settings *settings,
	const char *discovery_namespace, kubernetes_services_f *changed,
	void *arg);
void kubernetes_services_free(struct kubernetes_services *s);
int kubernetes_services_put(struct kubernetes_services *s,
	const struct doc *object, struct error *err);
void kubernetes_services_remove(
	struct kubernetes_services *s, const char *ns, const char *name);

/* One port of a service. */
struct kubernetes_port {
	uint16_t port;
	char name[64]; /* "": without */
	char protocol[8];
	bool external_name; /* then host is what it points at */
	char host[256];
	bool http2; /* by name, annotation or appProtocol */
};
/* False: there is no such service or port. */
bool kubernetes_services_port(const struct kubernetes_services *s,
	const char *ns, const char *name, uint16_t port,
	struct kubernetes_port *out);
/* False and err: why that host may not be called (localhost, the API server, a
 * link-local or metadata address), unless allowed. */
bool kubernetes_services_host_allowed(const struct kubernetes_services *s,
	const char *host, struct error *err);

typedef void kubernetes_upstream_f(struct doc *upstream, void *arg);
/* The upstreams of one service, or (name NULL) of all; none for those left out
 * by namespace, label or opt-out. The callee frees. */
void kubernetes_services_upstreams(const struct kubernetes_services *s,
	const char *ns, const char *name, kubernetes_upstream_f *cb, void *arg);
/* "default-httpbin-8000", at most 63 bytes cut as Gloo cut it (md5). */
void kubernetes_upstream_name(
	const char *ns, const char *service, uint16_t port, char out[64]);

#endif
