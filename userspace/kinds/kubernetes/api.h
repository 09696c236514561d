/*
 * One API server: requests with the account's credentials, at most so many a
 * second, and what its refusals mean. Shared by the daemon and glooctl.
 */
#ifndef KINDS_KUBERNETES_API_H
#define KINDS_KUBERNETES_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/str.h"
#include "kinds/kubernetes/account.h"
#include "net/http_client.h"

struct kubernetes_api;
struct kubernetes_call;
struct loop;

/* Token bucket of client-go: 5 a second, 10 at once; watches count too. */
struct kubernetes_api *kubernetes_api_new(struct loop *loop,
	struct http_client *http, struct kubernetes_account *account);
void kubernetes_api_free(struct kubernetes_api *api);

/* Of `kind: Status`, or made up of what stands for it (plain text 404). */
struct kubernetes_answer {
	int status;            /* HTTP; 0: none came */
	const struct doc *doc; /* NULL: no JSON */
	struct slice body;
	/* What to tell: one sentence with the server's reason; NULL: 2xx. */
	const char *problem;
	const char *reason;    /* Status.reason: "Expired", "Forbidden", ""... */
	uint64_t retry_after_ms; /* of Retry-After or details; 0: none */
};

typedef void kubernetes_answer_f(
	const struct kubernetes_answer *answer, void *arg);

struct kubernetes_request {
	const char *method;       /* NULL: GET */
	const char *path;         /* "/api/v1/services?limit=500" */
	const char *content_type; /* NULL: application/json */
	struct slice body;
	uint64_t timeout_ms;      /* 0: 30 s */
	bool once; /* not repeated on 429 and 5xx with Retry-After */
};

/* Done once, later. 401: the account is asked anew and the request repeated
 * once. 429 and 503 with Retry-After: repeated, up to 10 times. */
struct kubernetes_call *kubernetes_api_call(struct kubernetes_api *api,
	const struct kubernetes_request *r, kubernetes_answer_f *cb, void *arg);

/* A stream of JSON values, of a watch, or of the members of `items` of a list;
 * each at most KUBERNETES_OBJECT_MAX, larger ones are passed over (`skipped`
 * of the end tells how many). */
#define KUBERNETES_OBJECT_MAX (4u << 20)
struct kubernetes_stream_events {
	void (*open)(void *arg); /* 200 came; may be NULL */
	/* value is NULL where a member is no valid JSON: `problem` says why */
	void (*value)(struct doc *value, const char *problem, void *arg);
	/* rest: what a list has beside its items; NULL for a watch */
	void (*done)(const struct kubernetes_answer *answer,
		const struct doc *rest, uint64_t skipped, void *arg);
};
struct kubernetes_call *kubernetes_api_stream(struct kubernetes_api *api,
	const struct kubernetes_request *r, bool list, uint64_t idle_timeout_ms,
	const struct kubernetes_stream_events *events, void *arg);
void kubernetes_call_cancel(struct kubernetes_call *call);

#endif
