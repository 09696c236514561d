/*
 * What all upstreams of kind kube, discovery and resources share: the account,
 * the API server, the reflectors of services and slices. One, made by open.
 */
#ifndef KINDS_KUBERNETES_CLUSTER_H
#define KINDS_KUBERNETES_CLUSTER_H

#include "kinds/kubernetes/api.h"
#include "kinds/kubernetes/settings.h"
#include "model/kind.h"

struct kubernetes_resources; /* resources.h: custom resources, status, Lease */
struct kubernetes_services;  /* services.h: upstreams made of services */
struct kubernetes_slices;    /* slices.h: all endpoint slices */

struct kubernetes_cluster {
	struct kind_program *program;
	struct kubernetes_settings *settings;
	struct kubernetes_account *account; /* NULL: it could not be read yet */
	struct kubernetes_api *api;         /* NULL with it */
	struct kubernetes_services *services;
	struct kubernetes_slices *slices;
	struct kubernetes_resources *resources;
	/* the rest is cluster.c's own */
	struct loop_timer *retry;
};

kind_open_f kubernetes_open;
kind_close_f kubernetes_close;
kind_judged_f kubernetes_judged;
kind_preview_f kubernetes_preview;
kind_watch_f kubernetes_watch;     /* discovery.c */
kind_unwatch_f kubernetes_unwatch;

#endif
