/* What is made in a cluster, and taken out again (manifest.h of the kind). */
#ifndef CLI_KUBE_OBJECTS_H
#define CLI_KUBE_OBJECTS_H

#include "cli/kube.h"

enum kube_outcome {
	KUBE_UNCHANGED,
	KUBE_CREATED,
	KUBE_CONFIGURED,
	KUBE_DELETED,
	KUBE_ABSENT,
	KUBE_FOREIGN, /* somebody else made it: left as it is */
};

/* A line of output: "service/gateway-proxy unchanged". */
void kube_outcome_print(const char *what, enum kube_outcome outcome);

/* Server-side apply, with force. Of namespaces and definitions those that
 * somebody else made are left alone, of others they are an error. In a slice
 * the endpoints that are there, of other boxes, stay. */
int kube_apply(struct kube *k, const struct doc *object,
	enum kube_outcome *outcome, struct error *err);
/* That address among those of the service's status; *outcome becomes
 * KUBE_CONFIGURED when it was unchanged so far and the status was not. */
int kube_publish(struct kube *k, const struct doc *service, const char *ip,
	enum kube_outcome *outcome, struct error *err);
int kube_delete(struct kube *k, const struct doc *object,
	enum kube_outcome *outcome, struct error *err);

#endif
