/*
 * A request that is a call of a function: where the destination has a dialect
 * (model/dialect.h). The client's body is collected before a connection is
 * taken, within limits; the dialect makes the message of each attempt; what
 * comes back becomes the client's answer. All that is kept in memory for it is
 * counted against limits.callBytes of the worker. Private to proxy/.
 */
#ifndef PROXY_CALL_H
#define PROXY_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/body.h"
#include "model/dialect.h"

struct call_target;
struct exchange;
struct image_destination;

#define CALL_BYTES_DEFAULT (64u << 20) /* where the settings say 0 */
#define CALL_DETAIL_MAX    (CALL_SENTENCE_MAX + 64)
/* Control has so long to send other credentials after it was told that some
 * were refused; requests wait for them. */
#define CALL_CREDENTIALS_MS 3000

enum call_state {
	CALL_TAKES,   /* the client's body */
	CALL_WAITS,   /* for a connection, or for another attempt */
	CALL_ASKED,   /* head and body are on their way; no final head yet */
	CALL_PASSES,  /* the answer is passed on */
	CALL_GATHERS, /* the answer is collected */
	CALL_DECODES, /* the answer is decoded */
	CALL_ENDS,    /* decoded to its end; the connection may not be there */
	CALL_GIVES,   /* the client is given what was made of a whole answer */
};

struct call {
	const struct call_target *target; /* of the exchange's generation */
	void *made;     /* of the dialect's call_new; NULL: no longer needed */
	uint8_t state;  /* enum call_state */
	uint8_t method; /* enum http_method of the message */
	/* One attempt more was had for clock or credentials; is to be made. */
	bool corrected, correcting;
	bool refused;            /* the answer is the refusal */
	struct str body, answer; /* the client's, the endpoint's */
	struct slice message;    /* body of the message */
	size_t sent;             /* of it */
	struct slice out;        /* CALL_GIVES */
	size_t passed;           /* of it */
	size_t held, made_held;  /* bytes that are counted; of the message */
	int64_t skew_ms;         /* that the message was made with */
	uint64_t credentials;    /* the same: which of the upstream's */
	uint64_t hold_back_ms;   /* other ones are waited for until then */
	/* Of the endpoint's answer; how its body is for who gets all of it. */
	uint16_t status;
	uint8_t framing; /* enum http_framing, never NONE */
	uint64_t length; /* HTTP_BODY_LENGTH */
	struct call_refusal refusal;
	char detail[CALL_DETAIL_MAX]; /* for the log */
};

/* Of an exchange whose route leads to d. It goes on, or is answered. */
void call_begin(struct exchange *x, const struct image_destination *d);
void call_free(struct exchange *x);
/* The head, and as much of the body as goes, on the exchange's connection. */
void call_send(struct exchange *x);
/* Whether an attempt that is due is rather put off, or not made at all. */
bool call_holds_back(struct exchange *x);

/* The target of the request as a log may have it: the values of its query that
 * are secrets, "-". The dialects of a route's destinations say which are; where
 * some lead nowhere, or there is no route, those of all kinds. May lie in the
 * worker's text. */
struct slice call_target_logged(const struct exchange *x, struct slice target);

/* The client's body is being collected; x may have no call. */
bool call_collects(const struct exchange *x);
size_t call_take_body(struct exchange *x, const char *bytes, size_t length);

/* The connection takes more of the body; the client more of the answer. */
void call_link_drained(struct exchange *x);
void call_client_drained(struct exchange *x);

/* ---- within call*.c */

/* So many more bytes are in memory. False: answered, they are too many. */
bool call_hold(struct exchange *x, size_t bytes);
/* The same of what the dialect made, unless it lies in what is counted. */
bool call_hold_made(
	struct exchange *x, struct slice made, const struct str *of);
/* The client's body and the message are no longer needed, nor is, where the
 * answer is passed on, the dialect's call. */
void call_message_drop(struct exchange *x);
/* The answer is what the dialect said in the refusal; once some of another is
 * on its way, the connection is reset. */
void call_refuse(struct exchange *x);
/* What is said of it in the log. */
void call_detail(struct exchange *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- call_answer.c: as answer_take and answer_ended */

size_t call_answer_take(struct exchange *x, const char *bytes, size_t length);
void call_answer_ended(struct exchange *x);
/* More of what is given. */
void call_answer_give(struct exchange *x);

#endif
