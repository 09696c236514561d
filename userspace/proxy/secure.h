/*
 * TLS with one endpoint, as a worker knows it: whom it trusts there and by what
 * name, the sessions that may be resumed, and what last went wrong, of which
 * control is told when it changes; that it works, with the first answer and
 * after a failure of any worker. An endpoint gets another one when any of
 * that is to be otherwise; connections refer to the one they were made with,
 * so that none is used for what it was not made for. Private to proxy/.
 */
#ifndef PROXY_SECURE_H
#define PROXY_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/wire.h"
#include "net/tls.h"

#define SECURE_KEPT_MAX 4 /* sessions */

struct backend;
struct conn;
struct secure;
struct trust;
struct worker;

struct secure_report { /* to the main thread; the reader frees */
	uint32_t upstream, worker;
	struct addr addr;
	uint64_t owner;              /* of addr */
	char problem[WIRE_TEXT_MAX]; /* empty: it works again */
};

/* name: that the server is asked for and has to be, unless trust has names.
 * before: the one that leaves, or NULL; control is told no more often than of
 * one. Born with one reference. */
struct secure *secure_new(struct worker *w, struct backend *b,
	struct trust *trust, const char *name, const struct secure *before);
struct secure *secure_ref(struct secure *s);
void secure_unref(struct secure *s); /* NULL is fine */
/* The endpoint has another from now on, or none: control hears no more of this
 * one. past: nor does what it was told hold any more, which it is told at once;
 * otherwise it knows that the endpoint is gone. NULL is fine. */
void secure_leave(struct secure *s, bool past);
bool secure_is_of(
	const struct secure *s, const struct trust *trust, const char *name);

/* The connection, which connects, is going to speak TLS. -1: secure_problem
 * says why not. */
int secure_begin(struct secure *s, struct conn *c);
/* After an event of a connection that is connected. TLS_FAILED: see
 * secure_problem. */
enum tls_step secure_step(struct secure *s, struct conn *c);
/* What it could not do in time, or what the peer said too late. */
void secure_fail(struct secure *s, const char *problem);
/* The first sentence of what last went wrong, or "". */
const char *secure_problem(const struct secure *s);
/* The connection rests or ends: if it was of use all is well, and its session
 * is for the next one. False: to be called again. */
bool secure_settle(struct secure *s, struct conn *c);

#endif
