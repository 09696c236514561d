/*
 * Which of several gateways writes to the cluster: leader election by a Lease
 * (coordination.k8s.io/v1), in the steps of client-go's leaderelection. What
 * others did is judged by when it was seen here, never by the times that stand
 * in the object. It fences nothing: who leads says kubernetes_lease_held, and
 * is asked before each write.
 */
#ifndef KINDS_KUBERNETES_LEASE_H
#define KINDS_KUBERNETES_LEASE_H

#include <stdbool.h>

#include "kinds/kubernetes/cluster.h"

struct kubernetes_lease;

#define KUBERNETES_LEASE_NAME "gloo-gateway"

/* A holder whose Lease was not seen to change for so long is no longer one. */
#define KUBERNETES_LEASE_MS 15000
/* Between two tries, and up to a fifth more. */
#define KUBERNETES_LEASE_RETRY_MS 2000
/* A holder that could not renew for so long leads no longer. Counted from when
 * the last renewal was sent, so this is over before others may take it. */
#define KUBERNETES_LEASE_GIVE_UP_MS 10000
#define KUBERNETES_LEASE_RELEASE_MS 1000

/* It leads from now on, or does not any more; never called by _new. */
typedef void kubernetes_lease_f(bool leads, void *arg);

/* In the namespace and as the identity of the settings. Needs c->api. Tells the
 * program who leads as its part "leader". */
struct kubernetes_lease *kubernetes_lease_new(struct kubernetes_cluster *c,
	kubernetes_lease_f *changed, void *arg);
/* Gives a Lease that is held to whoever comes next; waits for the API server's
 * answer for at most KUBERNETES_LEASE_RELEASE_MS. */
void kubernetes_lease_free(struct kubernetes_lease *l);
bool kubernetes_lease_held(const struct kubernetes_lease *l);

#endif
