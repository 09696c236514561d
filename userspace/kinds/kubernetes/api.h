/*
 * One API server: requests with the account's credentials, at most so many a
 * second, and what its refusals mean. Shared by the daemon and glooctl.
 */
#ifndef KINDS_KUBERNETES_API_H
#define KINDS_KUBERNETES_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/str.h"
#include "kinds/kubernetes/account.h"
#include "net/http_client.h"

struct kubernetes_api;
struct kubernetes_call;
struct loop;

/* Token bucket of client-go: 5 a second, 10 at once; watches count too. Does
 * not own http and account. */
struct kubernetes_api *kubernetes_api_new(struct loop *loop,
	struct http_client *http, struct kubernetes_account *account);
/* Calls that are open are given up; they are not told. */
void kubernetes_api_free(struct kubernetes_api *api);
/* Another pace than that. */
struct kubernetes_pace {
	uint64_t interval_ms; /* between requests, on average; 200 */
	unsigned burst;       /* at once after a pause; 10 */
	uint64_t second_ms;   /* how long a second of Retry-After is; 1000 */
};
void kubernetes_api_set_pace(
	struct kubernetes_api *api, const struct kubernetes_pace *pace);
struct loop *kubernetes_api_loop(const struct kubernetes_api *api);
const struct kubernetes_account *kubernetes_api_account(
	const struct kubernetes_api *api);

/* Whoever waits for long to ask again is told when the server answers after it
 * could not be reached for a second or more. From the loop, not from within a
 * call of this header. */
struct kubernetes_recovery {
	void (*cb)(void *arg);
	void *arg;
	struct kubernetes_recovery *next; /* the API's */
};
void kubernetes_api_recovery_add(
	struct kubernetes_api *api, struct kubernetes_recovery *r);
void kubernetes_api_recovery_drop(
	struct kubernetes_api *api, struct kubernetes_recovery *r);

#define KUBERNETES_RETRY_AFTER_MAX_MS 300000

/* Of `kind: Status`, or made up of what stands for it (plain text 404). */
struct kubernetes_answer {
	int status;            /* HTTP; 0: none came */
	const struct doc *doc; /* NULL: no JSON */
	struct slice body;
	/* What to tell: one sentence with the server's reason; NULL: 2xx, and
	 * all of it came. */
	const char *problem;
	const char *reason; /* Status.reason: "Expired", "Forbidden", ""... */
	/* Of Retry-After or details.retryAfterSeconds; 0: none; at most
	 * KUBERNETES_RETRY_AFTER_MAX_MS. */
	uint64_t retry_after_ms;
	uint64_t date_ms; /* the server's clock, since 1970; 0: not said */
};

typedef void kubernetes_answer_f(
	const struct kubernetes_answer *answer, void *arg);

struct kubernetes_request {
	const char *method;       /* NULL: GET */
	const char *path;         /* "/api/v1/services?limit=500" */
	const char *content_type; /* NULL: application/json */
	struct slice body;
	uint64_t timeout_ms; /* 0: 30 s; of a stream: none */
	bool once;   /* not repeated on 429 and 503 with Retry-After */
	/* Before those that are not, as streams are; but after three of them
	 * comes one that is not. */
	bool urgent;
};

/* Done once, later; everything is copied. 401: the account is asked anew and
 * the request repeated once. 429 and 503 with Retry-After: repeated, up to 10
 * times in all. */
struct kubernetes_call *kubernetes_api_call(struct kubernetes_api *api,
	const struct kubernetes_request *r, kubernetes_answer_f *cb, void *arg);

/* A stream of JSON values, of a watch, or of the members of `items` of a list;
 * each at most KUBERNETES_OBJECT_MAX, larger ones are passed over. It ends with
 * a problem when a later request goes to another server, as the kubeconfig has
 * changed. */
#define KUBERNETES_OBJECT_MAX (4u << 20)
struct kubernetes_stream_events {
	void (*open)(void *arg); /* 200 came; may be NULL */
	/* text: what value is written as. value is the callee's (doc_free);
	 * NULL where that is no valid JSON or too large: `problem` says which,
	 * and of what is too large text is the beginning. */
	void (*value)(struct doc *value, struct slice text, const char *problem,
		void *arg);
	/* rest: what a list has beside its items; NULL for a watch */
	void (*done)(const struct kubernetes_answer *answer,
		const struct doc *rest, void *arg);
	/* The request goes out, again after a 401; may be NULL, and must not
	 * cancel. */
	void (*sent)(void *arg);
};
struct kubernetes_call *kubernetes_api_stream(struct kubernetes_api *api,
	const struct kubernetes_request *r, bool list, uint64_t idle_timeout_ms,
	const struct kubernetes_stream_events *events, void *arg);
/* Also from within a callback of its own. */
void kubernetes_call_cancel(struct kubernetes_call *call);

/* How long a server that says seconds wants to be left alone, within bounds. */
uint64_t kubernetes_retry_after_ms(
	const struct kubernetes_api *api, int64_t seconds);
/* The same of details.retryAfterSeconds of a Status object. */
uint64_t kubernetes_status_retry_after_ms(
	const struct kubernetes_api *api, const struct doc *status);
/* What a Status object says, with its kind and reason, as one sentence appended
 * to out; `fallback` where it says nothing. */
void kubernetes_status_describe(const struct doc *status, const char *fallback,
	struct str *out);

#endif
