/*
 * The answer on its way from the upstream to the client: its head is parsed
 * and written anew, its body follows as it comes. Private to proxy/.
 */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

struct exchange;

/* False: the client has enough to read for now. */
bool answer_is_wanted(const struct exchange *x);
/* How many of these bytes were taken; the exchange may be over then. */
size_t answer_take(struct exchange *x, const char *bytes, size_t length);
/* What comes next is so much of a plain body that it goes from socket to
 * socket, a turn each call. */
bool answer_may_splice(const struct exchange *x);
size_t answer_splice(struct exchange *x); /* bytes moved */
/* The upstream's connection is over. */
void answer_ended(struct exchange *x);

/* ---- for call*.c */

/* Heads, up to the final one: true, it is in the worker's answer. It answers a
 * request with that method. *used counts all heads. */
bool answer_head(struct exchange *x, enum http_method method, const char *bytes,
	size_t length, size_t *used);
/* The client is to get that head and x->body behind it. False: answered
 * otherwise. */
bool answer_begin(struct exchange *x, const struct http_head *answer);
/* What of x->body is in bytes, from at on, is passed on; as answer_take. */
size_t answer_pass(
	struct exchange *x, const char *bytes, size_t length, size_t at);
/* What is gathered is sent. False: the exchange is over. */
bool answer_flush(struct exchange *x);
/* The endpoint has answered; clean: and nothing else came. Its connection goes
 * back if it may. */
void answer_link_done(struct exchange *x, bool clean);
/* All of it was passed on. */
void answer_complete(struct exchange *x, bool clean);
void answer_count_status(struct exchange *x, uint16_t status);

#endif
