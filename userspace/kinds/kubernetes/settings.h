/* The key `kubernetes` of settings.yaml. Private to kinds/kubernetes/. */
#ifndef KINDS_KUBERNETES_SETTINGS_H
#define KINDS_KUBERNETES_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/error.h"
#include "model/model.h"

struct kubernetes_settings {
	/* kubeconfig: files joined with ":", as $KUBECONFIG has them; NULL: the
	 * account that a pod is given. */
	char *kubeconfig;
	char *context;           /* NULL: the current one */
	char **watch_namespaces; /* watchNamespaces; none: all */
	size_t watch_namespace_count;
	struct model_pair *watch_labels; /* watchLabels, of services */
	size_t watch_label_count;
	bool discovery;        /* make upstreams of services; true */
	bool resources;        /* read custom resources; true */
	char *zone, *node;     /* of this box, for hints; NULL: none */
	char **external_names; /* allowedExternalNames: hosts, "*.suffix" */
	size_t external_name_count;
	char *namespace_; /* of Lease and own Service; gloo-system */
	char *service;    /* gateway-proxy */
	/* Of this box there; NULL: the one on the way to the API server. */
	char *address;
	/* serviceAccount: whose token is renewed; NULL: it is not ours to
	 * renew. */
	char *service_account;
	char *identity; /* of the Lease; NULL: host name, made unique */
	bool insecure;  /* insecureSkipTlsVerify */
};

int kubernetes_settings_check(const struct doc *d, struct error *err);
struct kubernetes_settings *kubernetes_settings_read(
	const struct doc *d, struct error *err);
void kubernetes_settings_free(struct kubernetes_settings *s);

#endif
