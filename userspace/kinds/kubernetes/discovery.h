/*
 * The upstreams of kind kube that are watched, by the service that they name: a
 * change of a service or of its slices reaches those that use it and no other.
 * The first change is reported at once, then at most one set per
 * KUBERNETES_REPORT_MS while changes keep coming. Private to kinds/kubernetes/.
 */
#ifndef KINDS_KUBERNETES_DISCOVERY_H
#define KINDS_KUBERNETES_DISCOVERY_H

#include "kinds/kubernetes/cluster.h"

#define KUBERNETES_REPORT_MS 50

struct kubernetes_discovery *kubernetes_discovery_new(void);
/* No upstream is watched any more. */
void kubernetes_discovery_free(struct kubernetes_discovery *d);
/* That service, or its slices, changed. */
void kubernetes_discovery_touch(
	struct kubernetes_discovery *d, const char *ns, const char *service);
/* What the cluster says about a namespace (NULL: about all) changed. */
void kubernetes_discovery_touch_all(
	struct kubernetes_discovery *d, const char *ns);

#endif
