/*
 * How functions are called: what a kind adds to HTTP where its upstreams take
 * calls rather than requests (AWS Lambda, Azure Functions). Pure: a client's
 * request in, a message to the endpoint out; the endpoint's answer in, the
 * client's answer out. Connections, TLS, times, retries, limits and memory are
 * the proxy's (proxy/call.h).
 *
 * Control writes what a call needs to know of upstream and destination as bytes
 * into the image (write). The proxy reads them once into a target that is never
 * changed and that all workers share (target_new). Credentials come apart from
 * images, as bytes that the kind's discovery made, and change without one.
 *
 * One exchange is one call: the client's body is collected whole, request makes
 * the message for each attempt, last of all, so that nothing changes what was
 * signed; answer sees the head of what comes back and says how it goes on.
 */
#ifndef MODEL_DIALECT_H
#define MODEL_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

struct http_head;
struct http_write;

#define CALL_SENTENCE_MAX 256
#define CALL_FIELDS_MAX   192 /* parsed and added ones */

struct call_field { /* compare names without case */
	struct slice name, value;
};

/* What the client asked, as the route's filters left it. Valid during a call of
 * request, body as long as the call lives. */
struct call_request {
	struct slice method;
	struct slice path, query; /* normal form, rewritten; query.data NULL:
				   * there is none */
	struct slice rest;        /* of path, for the function: what is behind
				   * what the matcher took, all of it where
				   * the route rewrote it; data NULL: it is
				   * not known */
	struct slice target;      /* path and query as the client sent them */
	struct slice host;        /* the client's authority, unless the route
				   * rewrites it */
	/* No hop-by-hop ones, no Host, no Content-Length. */
	const struct call_field *fields;
	size_t field_count;
	struct slice body;
	struct addr client;
	bool tls;               /* the client came with it */
	const char *request_id; /* x-request-id */
	uint64_t now_ms;        /* since 1970, corrected by what skew_ms said */
};

/* What the client gets instead of an answer of the function. */
struct call_refusal {
	int status;       /* 4xx, 5xx */
	const char *word; /* for the log, static: "function_error" */
	char sentence[CALL_SENTENCE_MAX]; /* never with a secret in it */
	uint32_t retry_after_s;           /* 0: not said */
};

/* What an answer told besides. All zero at first. */
struct call_news {
	bool credentials_refused; /* control is to get others */
	bool nothing_ran; /* with CALL_AGAIN: whatever the method, it may be
			   * asked again */
	bool skewed;      /* its clock is skew_ms ahead of the now_ms that
			   * request was given */
	int64_t skew_ms;
	uint32_t billed_ms; /* 0: not known */
};

enum call_step {
	CALL_MORE,    /* all bytes were taken, there is nothing to pass on yet */
	CALL_PASS,    /* head is written; the body is passed on as it comes */
	CALL_COLLECT, /* the body is needed whole: answer_whole */
	CALL_DECODE,  /* the body is decoded as it comes: answer_bytes */
	CALL_HEAD,    /* of a decoded one: head is written, data may follow */
	CALL_DATA,    /* of a decoded one: out holds some of the body */
	CALL_DONE,    /* the answer is complete */
	CALL_AGAIN,   /* another attempt if one may be made; else the refusal */
	CALL_REFUSE,  /* the refusal; after CALL_HEAD: the client's connection
		       * is reset, it must not take what it got for whole */
};

struct dialect {
	/* ---- control */

	/* What a destination of that upstream needs, into settings; spec is the
	 * kind's own, destination the value below its key in destinationSpec or
	 * NULL. Must not hold a secret. known: sorted names of the functions
	 * that were discovered, as functions_replace of kind_host was given
	 * them, NULL: it is not known which there are. -1 and
	 * err (one sentence): the route cannot be served and says so; with
	 * settings written and warning (a sentence) appended to: it is served,
	 * the route has a Warning. */
	int (*write)(const void *spec, const struct doc *destination,
		const char *const *known, size_t known_count,
		struct str *settings, struct str *warning, struct error *err);
	/* The most that a request to a function of it may be, its
	 * maxRequestBytes where the kind has that key. */
	uint64_t (*request_max)(const void *spec);

	/* ---- proxy, main thread */

	/* settings as write made them, from an image: checked all the same. */
	void *(*target_new)(struct slice settings, struct error *err);
	void (*target_free)(void *target);
	/* bytes as credentials_replace of kind_host was given them. */
	void *(*credentials_new)(struct slice bytes, struct error *err);
	void (*credentials_free)(void *credentials); /* overwritten first */

	/* ---- proxy, workers */

	/* Of a parameter of a query, "name=value" as the client spelled it,
	 * whether its value is a secret, which no log may have. NULL: none is.
	 */
	bool (*query_secret)(struct slice parameter);
	/* The most bytes of a client's body (413 beyond), and of an answer that
	 * is collected (502 beyond). */
	void (*limits)(const void *target, size_t *request_max,
		size_t *answer_max);

	void *(*call_new)(const void *target);
	void (*call_free)(void *call);
	/* Whether request could be made with these credentials, NULL: there are
	 * none (yet). Asked before a connection is taken. 0; -1: the refusal
	 * is. */
	int (*ready)(const void *call, const void *credentials,
		struct call_refusal *refusal);
	/* Request line and fields into head, Host among them, without
	 * Content-Length, Connection and the empty line; *body: valid as long
	 * as the call, may be r->body. credentials: not always those that were
	 * ready. 0: it is written; -1: the refusal is. Called again for each
	 * attempt. */
	int (*request)(void *call, const void *credentials,
		const struct call_request *r, struct http_write *head,
		struct slice *body, struct call_refusal *refusal);
	/* The final head of the endpoint's answer. CALL_PASS, CALL_COLLECT,
	 * CALL_DECODE, CALL_AGAIN or CALL_REFUSE. What is written into head
	 * here and below is status line and fields, without those of framing
	 * and of the hop; the proxy parses it again, strictly. */
	enum call_step (*answer)(void *call, const struct http_head *answer,
		struct http_write *head, struct call_refusal *refusal,
		struct call_news *news);
	/* After CALL_COLLECT. CALL_DONE with head and *out (valid as long as
	 * the call or body), CALL_AGAIN or CALL_REFUSE. */
	enum call_step (*answer_whole)(void *call, struct slice body,
		struct http_write *head, struct slice *out,
		struct call_refusal *refusal, struct call_news *news);
	/* After CALL_DECODE, until CALL_DONE or CALL_REFUSE: *used bytes of in
	 * were taken (all with CALL_MORE); last: no more follow. *out is valid
	 * until the next call and may lie in in. */
	enum call_step (*answer_bytes)(void *call, struct slice in, bool last,
		size_t *used, struct http_write *head, struct slice *out,
		struct call_refusal *refusal, struct call_news *news);
};

#endif
