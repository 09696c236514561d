/* What the files of services.h share. */
#ifndef KINDS_KUBERNETES_SERVICES_INNER_H
#define KINDS_KUBERNETES_SERVICES_INNER_H

#include "base/table.h"
#include "kinds/kubernetes/services.h"
#include "model/model.h"

#define KUBERNETES_ANNOTATIONS "gloo.solo.io/"

struct service_port {
	uint16_t port, target;
	char name[64];
	char protocol[8];
	bool http2, tls;
	/* of the upstream; NULL: it is not discovered */
	char *upstream;
};

struct service {
	char *key; /* "ns/name" */
	char *ns, *name;
	/* What we use of the object, for what follows and to see changes:
	 * created, labels, annotations, selector, externalName, ipFamily (the
	 * first), ports; of the API server's clusterIPs. */
	struct doc *used;
	struct service_port *ports; /* by number, each once */
	size_t port_count;
	struct doc *config; /* of the annotation; NULL: nothing is applied */
	struct str warning;
	bool http2_given, http2; /* by annotation */
	bool tls;                /* by the annotation's sslConfig */
};

/* Services that make an upstream of one name. */
struct claim {
	struct service **services;
	size_t count;
};

struct kubernetes_services {
	const struct kubernetes_settings *settings;
	char *discovery_namespace;
	char *server; /* NULL: not known */
	struct addr *server_addrs;
	size_t server_addr_count;
	struct table *services; /* by key */
	struct table *claims;   /* by the upstream's name */
	kubernetes_services_f *changed;
	void *arg;
};

/* ---- service_read.c */

/* NULL and err: it is not what it should be. */
struct service *kubernetes_service_read(const struct kubernetes_services *s,
	const struct doc *object, struct error *err);
void kubernetes_service_free(struct service *v); /* NULL is fine */
/* All pairs stand in the map. */
bool kubernetes_service_has(
	const struct doc *map, const struct model_pair *pairs, size_t count);

/* ---- service_annotations.c */

/* "": there is none. */
const char *kubernetes_service_annotation(
	const struct service *v, const char *name);
/* Fills what upstream_config says of the upstream, and what of it is wrong. */
void kubernetes_service_configure(struct service *v);
bool kubernetes_service_is_tls(const struct service *v, uint16_t port);
bool kubernetes_service_is_http2(
	const struct service *v, const struct doc *port);

/* ---- services.c */

/* NULL: there is none. */
const struct service *kubernetes_service_find(
	const struct kubernetes_services *s, const char *ns, const char *name);

#endif
