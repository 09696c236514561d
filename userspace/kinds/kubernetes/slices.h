/*
 * All endpoint slices that the cluster has, and the endpoints that they mean
 * for one port of a service (kubernetes.io/docs: EndpointSlices; KEP-1669 for
 * terminating ones). Pure: objects in, endpoints out. Also takes core
 * Endpoints, as slices without conditions. Keeps per slice only what endpoints
 * need.
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

/* Two sorts of objects, with names of their own. */
enum kubernetes_slice_sort {
	KUBERNETES_SLICE,     /* EndpointSlice of v1 or v1beta1 */
	KUBERNETES_ENDPOINTS, /* core Endpoints, of old servers */
};

/* The slices of that service are other ones now: those who use it ask again.
 * Not called when an object says what was known. ns and service may not be used
 * any more once the slices were changed. */
typedef void kubernetes_slices_f(
	const char *ns, const char *service, void *arg);

struct kubernetes_slices *kubernetes_slices_new(
	kubernetes_slices_f *changed, void *arg);
void kubernetes_slices_free(struct kubernetes_slices *s);

/* -1 and err: it is not what it should be, and is passed over; what was known
 * of it stays. */
int kubernetes_slices_put(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const struct doc *object,
	struct error *err);
/* By the object's own name: a deletion need not say whose it was. */
void kubernetes_slices_remove(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const char *ns, const char *name);
/* All of that sort of the namespace, NULL: of all; the others take their place.
 */
void kubernetes_slices_forget(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const char *ns);

struct kubernetes_slices_query {
	const char *ns, *service;
	const char *port_name; /* "" for the port without a name */
	const char *protocol;  /* "TCP", "UDP" */
	/* The number where a slice has that port without one, which means all
	 * of the pod's; 0: such ports are left out. */
	uint16_t port;
	/* AF_INET or AF_INET6: of a pod that has addresses of both only those
	 * of this one, as both lead to the same pod. */
	int family;
	/* Of this box; NULL: such hints are not looked at. */
	const char *zone, *node;
	/* Pods must be of these, by name, in ns; NULL: any, and what is no
	 * pod. Also asked of those that are not ready. */
	bool (*pod_wanted)(const char *pod, void *arg);
	void *arg;
};

/* Sorted, each address once, at most room; those that terminate only where none
 * is ready. The count there would be is returned. */
size_t kubernetes_slices_endpoints(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q, struct endpoint *out,
	size_t room);
/* Objects there are. */
size_t kubernetes_slices_count(
	const struct kubernetes_slices *s, enum kubernetes_slice_sort sort);

#endif
