/*
 * What all upstreams of kind kube, discovery and resources share: the account,
 * the API server, the reflectors of services and slices. One, made by open.
 */
#ifndef KINDS_KUBERNETES_CLUSTER_H
#define KINDS_KUBERNETES_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "kinds/kubernetes/api.h"
#include "kinds/kubernetes/settings.h"
#include "model/kind.h"

struct kubernetes_discovery; /* discovery.h: upstreams that are watched */
struct kubernetes_permissions; /* permissions.h: has the account its rights */
struct kind_problems;        /* problems.h */
struct kubernetes_resources; /* resources.h: custom resources, status, Lease */
struct kubernetes_scope;     /* cluster.c: what is followed of a namespace */
struct kubernetes_server_name; /* server_name.h: where the server is */
struct kubernetes_services;  /* services.h: upstreams made of services */
struct kubernetes_slices;    /* slices.h: all endpoint slices */
struct kubernetes_token;     /* token.h: renews it */
struct loop_timer;
struct table;

struct kubernetes_cluster {
	struct kind_program *program;
	struct kubernetes_settings *settings;
	struct kubernetes_account *account; /* NULL: it could not be read yet */
	struct kubernetes_api *api;         /* NULL with it */
	struct kubernetes_services *services;
	struct kubernetes_slices *slices;
	struct kubernetes_discovery *discovery;
	struct kubernetes_resources *resources; /* NULL with api */
	struct kubernetes_permissions *permissions; /* NULL with api */
	/* the rest is cluster.c's own */
	struct kubernetes_server_name *server_name;
	struct kubernetes_scope *scopes; /* one of all, or one per namespace */
	size_t scope_count;
	struct table *made; /* by "ns/service": its upstreams */
	bool awaits;        /* some are made when more namespaces are listed */
	struct kind_problems *objects, *upstreams;
	struct loop_timer *retry; /* of the account */
	uint64_t retry_ms;
	char *account_problem; /* NULL: it was read */
	struct loop_timer *stale;
	struct kubernetes_token *token; /* NULL: not ours to renew, not yet */
};

kind_open_f kubernetes_open;
kind_close_f kubernetes_close;
kind_judged_f kubernetes_judged;
kind_preview_f kubernetes_preview;
kind_watch_f kubernetes_watch;     /* discovery.c */
kind_unwatch_f kubernetes_unwatch;

/* Services and slices of that namespace are followed. */
bool kubernetes_cluster_follows(
	const struct kubernetes_cluster *c, const char *ns);
/* All of them were said: what is not there now is known not to be. */
bool kubernetes_cluster_settled(
	const struct kubernetes_cluster *c, const char *ns);
/* And nothing that is there was passed over since the start: what an earlier
 * run knew and this one does not is known to be gone. */
bool kubernetes_cluster_whole(
	const struct kubernetes_cluster *c, const char *ns);
/* Why what is known of that namespace may be old, where that is worth saying of
 * each upstream: nothing was heard of it since the start, or for a while. Valid
 * until it changes; NULL: it is not. */
const char *kubernetes_cluster_problem(
	const struct kubernetes_cluster *c, const char *ns);

#endif
