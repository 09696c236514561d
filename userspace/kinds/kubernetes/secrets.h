/*
 * Secrets of the cluster that upstreams of the cluster name, each watched by its
 * name, so that the account needs no right to any other. They are kept by the
 * program alone: never in our store, never on disk, never in a log.
 */
#ifndef KINDS_KUBERNETES_SECRETS_H
#define KINDS_KUBERNETES_SECRETS_H

#include "kinds/kubernetes/cluster.h"

struct kubernetes_secrets;

/* Needs c->api, which must live as long. */
struct kubernetes_secrets *kubernetes_secrets_new(struct kubernetes_cluster *c);
void kubernetes_secrets_free(struct kubernetes_secrets *s);
/* The upstream of that key is object now; NULL: it is gone. What it names in
 * sslConfig.secretRef and in the secretRef of its kind is followed. */
void kubernetes_secrets_refer(struct kubernetes_secrets *s, const char *user,
	const struct doc *object);
/* All upstreams that there are have been said. */
void kubernetes_secrets_complete(struct kubernetes_secrets *s);

#endif
