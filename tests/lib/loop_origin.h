/*
 * An origin on the loop of the test itself: for what is tested without
 * threads. It answers what comes with the next of its answers.
 */
#ifndef TESTS_LOOP_ORIGIN_H
#define TESTS_LOOP_ORIGIN_H

#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

struct loop;
struct loop_origin;

struct loop_answer {
	const char *bytes; /* NULL: end of the list; "": none */
	enum {
		LOOP_ANSWER_STAY,
		LOOP_ANSWER_CLOSE,      /* after the bytes */
		LOOP_ANSWER_CLOSE_NEXT, /* instead of the next answer */
		LOOP_ANSWER_GREET,      /* sent when the connection comes */
	} then;
};

struct loop_origin *loop_origin_new(struct loop *loop);
void loop_origin_free(struct loop_origin *o);
/* In order; the last is given again and again. What was seen is forgotten. */
void loop_origin_script(struct loop_origin *o, const struct loop_answer *a);
void loop_origin_addr(const struct loop_origin *o, struct addr *out);
const struct str *loop_origin_seen(const struct loop_origin *o);
unsigned loop_origin_connections(const struct loop_origin *o);
/* The time just before the i-th answer was sent, monotonic; 0: there is none
 * such, or it is beyond the first 16. */
uint64_t loop_origin_at_ms(const struct loop_origin *o, unsigned i);

#endif
