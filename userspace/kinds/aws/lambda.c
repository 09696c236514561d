/* The dialect of Lambda: its functions, and the life of credentials and calls.
 */
#include "kinds/aws/lambda.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kinds/aws/lambda_call.h"

/* ---- credentials */

static void
credentials_free(void *credentials)
{
	struct lambda_credentials *c = credentials;

	if (c == NULL)
		return;
	aws_credentials_fini(&c->given);
	sigv4_key_forget(&c->signing->key);
	pthread_mutex_destroy(&c->signing->lock);
	free(c->signing);
	free(c);
}

static void *
credentials_new(struct slice bytes, struct error *err)
{
	static _Atomic uint64_t serial;
	struct lambda_credentials *c;
	struct aws_credentials given;

	if (aws_credentials_read(bytes, &given, err) != 0)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->given = given;
	c->serial = atomic_fetch_add(&serial, 1) + 1;
	c->signing = xcalloc(1, sizeof(*c->signing));
	pthread_mutex_init(&c->signing->lock, NULL);
	return c;
}

/* ---- calls */

static uint64_t
request_max(const void *spec)
{
	(void)spec;
	return LAMBDA_REQUEST_MAX;
}

static void
limits(const void *target, size_t *request_max, size_t *answer_max)
{
	const struct lambda_target *t = target;

	*request_max = lambda_event_max(&t->options);
	*answer_max = LAMBDA_ANSWER_MAX;
}

static void *
call_new(const void *target)
{
	struct lambda_call *c = xcalloc(1, sizeof(*c));

	c->target = target;
	str_init(&c->event);
	str_init(&c->unwrapped.body);
	lambda_stream_init(&c->stream);
	return c;
}

static void
call_free(void *call)
{
	struct lambda_call *c = call;

	if (c == NULL)
		return;
	str_fini(&c->event);
	aws_event_answer_fini(&c->unwrapped);
	lambda_stream_fini(&c->stream);
	free(c);
}

const struct dialect aws_dialect = {
	.write = lambda_write,
	.request_max = request_max,
	.target_new = lambda_target_new,
	.target_free = lambda_target_free,
	.credentials_new = credentials_new,
	.credentials_free = credentials_free,
	.limits = limits,
	.call_new = call_new,
	.call_free = call_free,
	.ready = lambda_ready,
	.request = lambda_request,
	.answer = lambda_answer,
	.answer_whole = lambda_answer_whole,
	.answer_bytes = lambda_answer_bytes,
};
