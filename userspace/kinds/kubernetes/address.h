/*
 * Keeps the address of this box at the Service that `glooctl install kube` made
 * (gateway-proxy), so that `kubectl get service` shows where the gateway is: in
 * the EndpointSlice of the same name, where each box has an entry under its own
 * name, and in status.loadBalancer.ingress, which is what the slice lists.
 * Every box does so for itself, whoever leads; versions keep two from losing
 * each other's. A box that stops leaves its entry: it comes back in a moment.
 * Without the Service nothing is done.
 */
#ifndef KINDS_KUBERNETES_ADDRESS_H
#define KINDS_KUBERNETES_ADDRESS_H

#include "kinds/kubernetes/cluster.h"

struct kubernetes_address;

/* Its own address, the one on the way to the API server unless the settings
 * give one, is looked at so often; what the cluster has, so often if nothing
 * changed. */
#define KUBERNETES_ADDRESS_LOOK_MS  5000
#define KUBERNETES_ADDRESS_AGAIN_MS 300000

/* Needs c->api. Tells the program of failures as its part "address". */
struct kubernetes_address *kubernetes_address_new(struct kubernetes_cluster *c);
void kubernetes_address_free(struct kubernetes_address *a);

#endif
