/*
 * Does the account have every rule that the gateway needs, and does the
 * server's clock agree with ours? Asked at the start, again after a refusal and
 * every ten minutes, while a rule is missing every minute; said as the
 * conditions "permissions" and "clock".
 */
#ifndef KINDS_KUBERNETES_PERMISSIONS_H
#define KINDS_KUBERNETES_PERMISSIONS_H

#include "kinds/kubernetes/cluster.h"

struct kubernetes_permissions;

/* Needs c->api, which must live as long. */
struct kubernetes_permissions *kubernetes_permissions_new(
	struct kubernetes_cluster *c);
void kubernetes_permissions_free(struct kubernetes_permissions *p);
/* A request was refused (403): looks again, soon but not for each of many. */
void kubernetes_permissions_again(struct kubernetes_permissions *p);

#endif
