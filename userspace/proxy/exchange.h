/*
 * One request and its answer: the unit of work. Finds the route and carries
 * the request's bytes, or answers by itself; proxy/attempt brings it to an
 * endpoint, proxy/answer takes the answer back. A session has one at a time.
 * Private to proxy/.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"
#include "filter/limit.h"
#include "http/body.h"
#include "http/head.h"
#include "model/counters.h"
#include "model/image.h"
#include "net/wheel.h"
#include "proxy/session.h"
#include "routing/router.h"

#define EXCHANGE_HEAD_ROOM 1024
#define EXCHANGE_ID_MAX    132

struct backend;
struct call;
struct generation;
struct link;
struct worker;

struct exchange_text { /* within the kept head */
	uint32_t offset, length;
};

/* When something is to happen, on the loop's clock; 0: nothing. */
struct exchange_due {
	uint64_t total_ms; /* the route's timeout */
	uint64_t try_ms;   /* perTryTimeout */
	uint64_t idle_ms;  /* nothing moved for too long */
	uint64_t gone_ms;  /* the client shut its side and may be gone */
	uint64_t retry_ms; /* the next attempt is made */
};

struct exchange {
	struct worker *worker;
	struct session *session;
	struct generation *generation;
	struct router_match match;
	const struct image_upstream *upstream;
	struct counters_upstream *counts;
	struct backend *backend;
	struct link *link;
	struct call *call;     /* NULL: plain HTTP */
	struct exchange *next; /* spare, ended */
	/* Waits for a connection; at NULL: it does not. */
	struct exchange *wait_next, **wait_at;
	struct exchange_due due;

	/* The head as it came, for another attempt and for the log. */
	char *head;
	uint32_t head_length;
	struct exchange_text method, path, host, agent;

	uint64_t subset; /* of the destination; 0: all of its endpoints */
	uint64_t hash;   /* of lbHash */
	uint64_t cookie;
	const struct image_hash *cookie_of; /* a cookie is set; or NULL */
	struct addr client; /* whose request it is */
	struct filter_limit_verdict limit; /* rule NULL: none looked at it */
	struct addr tried, used;            /* used: the last endpoint asked */

	struct http_body body; /* of the answer */
	uint64_t began_ms, bytes_sent;
	const char *reason, *detail; /* detail: more, for the log, or NULL */
	uint32_t seen; /* bytes of an unfinished head that were parsed */
	uint16_t status;
	uint8_t request_method, informational;
	uint8_t attempts; /* further ones, as the route says */
	bool version_10, client_keeps, expects, peer_trusted;
	bool request_done; /* all of it was taken from the client */
	bool replayable, resending, retried, is_retry, tried_other, hashed;
	bool heard; /* some of the request may have reached the endpoint */
	bool head_sent, keep, chunked, until_close, upstream_keeps;

	/* All above is zero at first. */
	char head_room[EXCHANGE_HEAD_ROOM];
	char id[EXCHANGE_ID_MAX];

	/* These stay with a spare one: the timer may still be filed. */
	struct wheel_timer timer;
	/* Body bytes that went out before any byte of an answer came. */
	struct str replay;
};

/* head: parsed, in the session's scratch; or NULL for a request that was not
 * understood. */
struct exchange *exchange_new(struct session *s, const struct http_head *head);
void exchange_free(struct exchange *x);
/* The request is understood; target is in normal form. */
void exchange_begin(struct exchange *x, const struct http_head *head,
	const struct http_target *target);

/* Whether it takes body bytes now; how many it took of these. */
bool exchange_wants_body(const struct exchange *x);
/* It has no connection to send anything on yet, and takes no body. */
bool exchange_waits(const struct exchange *x);
size_t exchange_take_body(struct exchange *x, const char *bytes, size_t length);
/* After a turn of reading: sends what was gathered. */
void exchange_flush(struct exchange *x);

/* From the session. */
void exchange_client_gone(struct exchange *x);
void exchange_client_half_closed(struct exchange *x);
/* When the upstream last took, or could not yet take, some of the body. */
uint64_t exchange_body_moved(const struct exchange *x);
void exchange_body_stalled(struct exchange *x);
void exchange_client_drained(struct exchange *x);

/* ---- for attempt, answer and call */

/* All of the request was taken: what it waits for is an answer. */
void exchange_request_complete(struct exchange *x);
/* Some clients wait for this before they send their body. */
void exchange_continue(struct exchange *x);
/* The client's body is malformed: refused. */
void exchange_body_bad(struct exchange *x);

void exchange_link_drained(struct exchange *x);
void exchange_link_drop(struct exchange *x);
/* After one of x->due was changed. */
void exchange_timer_arm(struct exchange *x);
/* Something moved: idleTimeout begins anew. */
void exchange_moved(struct exchange *x);
/* The whole answer has been passed on; next: how the client goes on. */
void exchange_complete(struct exchange *x, enum session_next next);
/* No answer is given, the connection is reset. */
void exchange_drop(struct exchange *x, const char *word);
/* As exchange_refuse; the sentence is about the upstream. */
void exchange_fail(
	struct exchange *x, int status, const char *word, const char *sentence);
/* Answers by itself: word is for the log, sentence for the client. */
void exchange_refuse(
	struct exchange *x, int status, const char *word, const char *sentence);

#endif
