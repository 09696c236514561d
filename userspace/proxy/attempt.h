/*
 * A request on its way to an endpoint: which one, over which connection, and
 * what is done when that does not work: another endpoint, another attempt as
 * the route's retries say, or an answer that says why not. Private to proxy/.
 */
#ifndef PROXY_ATTEMPT_H
#define PROXY_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "http/head.h"
#include "http/target.h"
#include "model/policy.h"

struct exchange;
struct upstream;

/* The first; the route is found, head and target are as parsed. */
void attempt_begin(struct exchange *x, const struct http_head *head,
	const struct http_target *target);
/* The first of a call, whose request is complete. */
void attempt_start(struct exchange *x);
/* x waits for a connection. False: there is none yet. */
bool attempt_resume(struct exchange *x);
/* x waits for a connection to an upstream that is gone. */
void attempt_refuse(struct exchange *x);
/* The request is complete: its times begin. */
void attempt_request_complete(struct exchange *x);

/* From the link. */
void attempt_connected(struct exchange *x);
void attempt_connect_failed(struct exchange *x, int problem);
/* TLS with the endpoint came to nothing; why: one sentence, for the log. */
void attempt_tls_failed(struct exchange *x, const char *why);
/* The connection is over before the answer was. */
void attempt_lost(struct exchange *x);
/* Nothing can be sent; an answer may be there all the same, and is passed on
 * as fast as the client takes it. */
void attempt_send_failed(struct exchange *x);

/* The answer is malformed or cannot be passed on. */
void attempt_answer_bad(
	struct exchange *x, const char *word, const char *sentence);
/* The final status came. True: another attempt is made instead. */
bool attempt_answered(struct exchange *x, uint16_t status);
/* The same in two steps, for an answer that does not come to that yet: it is
 * noted, and another attempt follows if the route's retries say so. unheard:
 * the endpoint did nothing, so it is as if it could not be reached, whatever
 * the method. */
void attempt_note(struct exchange *x, uint16_t status);
bool attempt_refused(struct exchange *x, uint16_t status, bool unheard);
/* Another one now, or after wait_ms, which is none of the route's retries. */
void attempt_once_more(struct exchange *x, uint64_t wait_ms);
/* The endpoint has done its part. */
void attempt_leave(struct exchange *x);
/* Where x goes, as the worker knows it; NULL: it is gone. */
struct upstream *attempt_upstream(const struct exchange *x);
/* The route's timeout, perTryTimeout, the wait before a retry are over. */
void attempt_overdue(struct exchange *x);
void attempt_timed_out(struct exchange *x);
void attempt_again(struct exchange *x);

/* Sends what is gathered, and keeps it if it may have to be sent again. -1:
 * the connection failed. */
int attempt_send(struct exchange *x);
/* Takes x out of whatever it waits in. */
void attempt_end(struct exchange *x);

#endif
