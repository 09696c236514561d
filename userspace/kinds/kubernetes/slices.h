/*
 * All endpoint slices that the cluster has, and the endpoints that they mean
 * for one port of a service (kubernetes.io/docs: EndpointSlices; KEP-1669 for
 * terminating ones). Pure: objects in, endpoints out. Also takes core Endpoints,
 * as slices without conditions. Keeps per slice only what endpoints need.
 */
#ifndef KINDS_KUBERNETES_SLICES_H
#define KINDS_KUBERNETES_SLICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "model/endpoint.h"

struct kubernetes_slices;

/* The slices of that service are other ones now: those who use it ask again.
 * Not called when an object says what was known. */
typedef void kubernetes_slices_f(const char *ns, const char *service, void *arg);

struct kubernetes_slices *kubernetes_slices_new(
	kubernetes_slices_f *changed, void *arg);
void kubernetes_slices_free(struct kubernetes_slices *s);

/* An EndpointSlice of v1 or v1beta1, or Endpoints. -1 and err: it is not what
 * it should be, and is passed over; what was known of it stays. */
int kubernetes_slices_put(struct kubernetes_slices *s,
	const struct doc *object, struct error *err);
/* By the slice's own name: a deletion need not say whose it was. */
void kubernetes_slices_remove(
	struct kubernetes_slices *s, const char *ns, const char *name);

struct kubernetes_slices_query {
	const char *ns, *service;
	const char *port_name; /* "" for the port without a name */
	const char *protocol;  /* "TCP", "UDP" */
	/* Of a selector-less way of asking: the number, when ports have no
	 * such name; 0: by name only. */
	uint16_t port;
	const char *zone, *node; /* of this box; NULL: hints are not looked at */
	/* Pods must be of these; NULL: any. (targetRef "ns/name") */
	bool (*pod_wanted)(const char *ns, const char *pod, void *arg);
	void *arg;
};

/* Sorted, each address once, at most room; those that terminate only where none
 * is ready. The count there would be is returned. */
size_t kubernetes_slices_endpoints(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q, struct endpoint *out,
	size_t room);
bool kubernetes_slices_known(
	const struct kubernetes_slices *s, const char *ns, const char *service);

#endif
