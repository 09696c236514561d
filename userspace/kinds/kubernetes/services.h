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

#include "base/addr.h"
#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"
#include "kinds/kubernetes/settings.h"
#include "kinds/upstream_name.h"

struct kubernetes_services;

#define KUBERNETES_DISCOVERED_BY "kubernetesplugin"
#define KUBERNETES_UPSTREAM_MAX  UPSTREAM_NAME_MAX

/* A service came, changed in what we use of it, or went: its upstreams have to
 * be made again, those who wait for its endpoints ask again. Also when another
 * service took the name of one of its upstreams, or gave it back. */
typedef void kubernetes_services_f(
	const char *ns, const char *name, void *arg);

struct kubernetes_services *kubernetes_services_new(
	const struct kubernetes_settings *settings,
	const char *discovery_namespace, kubernetes_services_f *changed,
	void *arg);
void kubernetes_services_free(struct kubernetes_services *s);
/* The API server's host, which external names may not name. */
void kubernetes_services_server_set(
	struct kubernetes_services *s, const char *host);
/* What that host has led to, with the same effect. Copies. */
void kubernetes_services_server_addrs_set(struct kubernetes_services *s,
	const struct addr *addrs, size_t count);
/* -1 and err: it is not what it should be, and is passed over; what was known
 * of it stays. */
int kubernetes_services_put(struct kubernetes_services *s,
	const struct doc *object, struct error *err);
void kubernetes_services_remove(
	struct kubernetes_services *s, const char *ns, const char *name);
size_t kubernetes_services_count(const struct kubernetes_services *s);

/* One port of a service; of two protocols with the same number that of TCP. */
struct kubernetes_port {
	uint16_t port;
	uint16_t target; /* targetPort; 0: it is a name */
	char name[64]; /* "": without */
	char protocol[8];
	int family; /* AF_INET or AF_INET6: the first that the service has */
	bool external_name; /* then host is what it points at */
	char host[256];
	bool http2; /* by name, annotation or appProtocol */
	bool tls; /* by annotation: never to be called in the clear */
	/* What of its annotations is not applied, and why; "": nothing. Valid
	 * until the services are changed. */
	const char *warning;
};
/* False: there is no such service or port. */
bool kubernetes_services_port(const struct kubernetes_services *s,
	const char *ns, const char *name, uint16_t port,
	struct kubernetes_port *out);
/* False: there is no such service. Else appends its ports: "80, 443". */
bool kubernetes_services_ports(const struct kubernetes_services *s,
	const char *ns, const char *name, struct str *out);
/* Its pods have all of these labels, by its selector. */
bool kubernetes_services_selects(const struct kubernetes_services *s,
	const char *ns, const char *name, const struct model_pair *labels,
	size_t count);

/* False and err: why that host may not be called (localhost, the API server, a
 * link-local or metadata address), unless allowed. */
bool kubernetes_services_host_allowed(const struct kubernetes_services *s,
	const char *host, struct error *err);
/* The same of an address that the name host led to. */
bool kubernetes_services_addr_allowed(const struct kubernetes_services *s,
	const char *host, const struct addr *addr, struct error *err);

typedef void kubernetes_upstream_f(struct doc *upstream, void *arg);
/* The upstreams of one service, or (name NULL) of all; none for those left out
 * by namespace, label or opt-out. The callee frees. */
void kubernetes_services_upstreams(const struct kubernetes_services *s,
	const char *ns, const char *name, kubernetes_upstream_f *cb, void *arg);
/* Calls cb for every service, sorted by namespace and name. */
void kubernetes_services_each(const struct kubernetes_services *s,
	kubernetes_services_f *cb, void *arg);
/* Some service makes an upstream of that name. */
bool kubernetes_services_makes(
	const struct kubernetes_services *s, const char *upstream);
/* Appends one sentence if upstreams of that service are not made, because an
 * older service has made one of that name. */
void kubernetes_services_clash(const struct kubernetes_services *s,
	const char *ns, const char *name, struct str *out);

/* "default-httpbin-8000", cut as upstream_name_cut says. */
void kubernetes_upstream_name(const char *ns, const char *service,
	uint16_t port, char out[KUBERNETES_UPSTREAM_MAX]);

#endif
