/*
 * As whom to come to which API server, and whom to trust there: a kubeconfig
 * (kubernetes.io/docs: "Organizing Cluster Access Using kubeconfig Files"), or
 * the files that a pod is given. Files are read again when they change; a
 * failure keeps what was read before. Tokens are never logged.
 */
#ifndef KINDS_KUBERNETES_ACCOUNT_H
#define KINDS_KUBERNETES_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/http_client.h"

struct kubernetes_account;
struct kubernetes_ticket;
struct loop;

#define KUBERNETES_POD_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

struct kubernetes_account_options {
	const char *kubeconfig; /* "a:b"; NULL: as a pod */
	const char *context;    /* NULL: current-context */
	const char *folder;     /* of relative paths in kubeconfig */
	const char *pod_folder; /* NULL: KUBERNETES_POD_FOLDER */
	/* Any certificate will do, and http:// as well. Without it, a
	 * kubeconfig that asks for that is refused. */
	bool insecure;
	/* How often it is looked whether files have changed; 0: each time that
	 * a ticket is asked for, as a pod once a minute. */
	uint64_t look_ms;
	uint64_t plugin_timeout_ms; /* of an exec plugin; 0: 30 s */
	/* When a changed kubeconfig that could not be taken is read again,
	 * though it did not change since: what it names may be there by then;
	 * 0: 5 s. */
	uint64_t source_retry_ms;
};

/* NULL and err: a file is missing or wrong, and which key of it. */
struct kubernetes_account *kubernetes_account_open(struct loop *loop,
	const struct kubernetes_account_options *o, struct error *err);
/* Tickets that are waited for are given up. Not from within their callback. */
void kubernetes_account_close(struct kubernetes_account *a);

/* What these give is valid until the next ticket: a kubeconfig may change.
 * "https://10.0.0.1:6443", without "/" at the end; it may have a path. */
const char *kubernetes_account_server(const struct kubernetes_account *a);
const char *kubernetes_account_proxy(const struct kubernetes_account *a);
/* "" if the context names none. */
const char *kubernetes_account_namespace(const struct kubernetes_account *a);
/* The file that the token is read from, or NULL. */
const char *kubernetes_account_token_file(const struct kubernetes_account *a);
/* Grows each time that token, certificate or trust are others than before. */
uint64_t kubernetes_account_serial(const struct kubernetes_account *a);

/* What a request needs now; valid during the callback. token NULL: none (client
 * certificate). problem: nothing can be had at the moment, and why. */
typedef void kubernetes_ticket_f(const char *token, const struct http_tls *tls,
	const char *problem, void *arg);
/* Calls back, mostly at once: then it returns NULL. Otherwise an exec plugin
 * runs, and the ticket is valid until cb is called. */
struct kubernetes_ticket *kubernetes_account_ticket(
	struct kubernetes_account *a, kubernetes_ticket_f *cb, void *arg);
void kubernetes_ticket_cancel(struct kubernetes_ticket *t);
/* The server answered 401 to what the ticket with that serial gave: it is
 * dropped unless there is another by now; files are read anew and plugins run
 * again before the next ticket. */
void kubernetes_account_refused(struct kubernetes_account *a, uint64_t serial);

#endif
