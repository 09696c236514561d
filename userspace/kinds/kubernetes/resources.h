/*
 * Resources of the cluster: gateway.solo.io VirtualService, RouteTable and
 * Gateway; gloo.solo.io Upstream, with the secrets that it names, and
 * UpstreamGroup; and what is written back:
 * status by the leader (Lease), the address of the box at the Service
 * gateway-proxy. With `resources: false` only the address is kept, and what an
 * earlier run read is given up.
 */
#ifndef KINDS_KUBERNETES_RESOURCES_H
#define KINDS_KUBERNETES_RESOURCES_H

#include "kinds/kubernetes/cluster.h"

/* Needs c->api. */
struct kubernetes_resources *kubernetes_resources_new(
	struct kubernetes_cluster *c);
void kubernetes_resources_free(struct kubernetes_resources *r);
void kubernetes_resources_judged(struct kubernetes_resources *r,
	const struct kind_verdict *verdict);

#endif
