/*
 * One request and its answer: the unit of work. Finds the route, runs the
 * filters, gets a connection to an endpoint and carries bytes both ways; or
 * answers by itself. A session has one at a time. Private to proxy/.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"
#include "http/body.h"
#include "http/head.h"
#include "model/counters.h"
#include "model/image.h"
#include "net/wheel.h"
#include "routing/router.h"

#define EXCHANGE_HEAD_ROOM 1024
#define EXCHANGE_ID_MAX    132

struct backend;
struct generation;
struct link;
struct session;
struct worker;

struct exchange_text { /* within the kept head */
	uint32_t offset, length;
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
	struct exchange *next;    /* spare, ended */
	struct wheel_timer timer; /* the route's timeout */

	/* The head as it came, for another attempt and for the log. */
	char *head;
	uint32_t head_length;
	struct exchange_text method, path, host, agent;
	char head_room[EXCHANGE_HEAD_ROOM];
	char id[EXCHANGE_ID_MAX];

	/* Body bytes that went out before any byte of an answer came. */
	struct str replay;
	struct addr tried, used; /* used: the last endpoint asked */

	struct http_body body; /* of the answer */
	uint64_t began_ms, answer_ms, bytes_sent;
	const char *reason;
	uint32_t seen; /* bytes of an unfinished head that were parsed */
	uint16_t status;
	uint8_t request_method, informational;
	bool version_10, client_keeps, expects;
	bool request_done; /* all of it was taken from the client */
	bool replayable, retried, tried_other, half_closed;
	bool heard; /* some of the request may have reached the endpoint */
	bool head_sent, keep, chunked, until_close, upstream_keeps;
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
size_t exchange_take_body(struct exchange *x, const char *bytes, size_t length);
/* After a turn of reading: sends what was gathered. */
void exchange_flush(struct exchange *x);

/* From the link. */
bool exchange_wants_answer(const struct exchange *x);
size_t exchange_take_answer(
	struct exchange *x, const char *bytes, size_t length);
void exchange_answer_ended(struct exchange *x);
void exchange_connected(struct exchange *x);
void exchange_connect_failed(struct exchange *x, int problem);
void exchange_link_drained(struct exchange *x);

/* From the session. */
void exchange_client_gone(struct exchange *x);
void exchange_client_half_closed(struct exchange *x);
/* When the upstream last took, or could not yet take, some of the body. */
uint64_t exchange_body_moved(const struct exchange *x);
void exchange_body_stalled(struct exchange *x);
void exchange_client_drained(struct exchange *x);

/* Answers by itself: word is for the log, sentence for the client. */
void exchange_refuse(
	struct exchange *x, int status, const char *word, const char *sentence);

#endif
