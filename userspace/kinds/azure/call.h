/* One call of a function, between its request (dialect.c) and its answer
 * (answer.c). Private to kinds/azure/. */
#ifndef KINDS_AZURE_CALL_H
#define KINDS_AZURE_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "http/head.h"
#include "kinds/azure/credentials.h"
#include "kinds/azure/target.h"
#include "model/dialect.h"

#define AZURE_LOOK_MAX    64   /* bytes of a body that are looked at */
#define AZURE_COLLECT_MAX 1024 /* those of a platform are shorter */

struct azure_call {
	const struct azure_target *target;
	/* Of the attempt that is on its way. */
	bool key_sent, token_sent, client_token, head_asked;
	/* The host takes that key: a 401 is the function's. */
	bool key_proven;
	uint8_t level;             /* enum azure_level */
	bool refused, unavailable; /* an attempt before was */
	/* An answer whose body says whose word it is: its head and the begin of
	 * its body. */
	struct http_head *kept; /* bytes are its own */
	char look[AZURE_LOOK_MAX];
	size_t looked, given; /* of look: so many are there, went on */
	bool judged;          /* it is the function's: passed on */
};

/* printf-like; text must not hold a secret. */
void azure_refuse(struct call_refusal *r, int status, const char *word,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Of struct dialect. */
enum call_step azure_answer(void *call, const struct http_head *answer,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news);
enum call_step azure_answer_whole(void *call, struct slice body,
	struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news);
enum call_step azure_answer_bytes(void *call, struct slice in, bool last,
	size_t *used, struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news);
/* What was kept of an answer. */
void azure_answer_forget(struct azure_call *call);

#endif
