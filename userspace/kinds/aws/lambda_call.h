/* A call of a Lambda function, from what a destination says of it to the
 * answer. Private to lambda*.c; where a function is called and the
 * name of an error are probe.c's and api.c's, too. */
#ifndef KINDS_AWS_LAMBDA_CALL_H
#define KINDS_AWS_LAMBDA_CALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kinds/aws/credentials.h"
#include "kinds/aws/event.h"
#include "kinds/aws/eventstream.h"
#include "kinds/aws/eventstream_prelude.h"
#include "kinds/aws/sigv4.h"
#include "kinds/aws/spec.h"
#include "model/dialect.h"

/* Of the Lambda quotas, of the event with all that is put around a body: 6 MB
 * each way, 1 MB for what is run later (256 KB until October 2025). An answer may
 * be some bytes more (6291556, as AWS says in its errors). */
#define LAMBDA_REQUEST_MAX (6u << 20)
#define LAMBDA_ASYNC_MAX   (1u << 20)
#define LAMBDA_ANSWER_MAX  ((6u << 20) + 1024)
#define LAMBDA_TYPE_MAX    96 /* of the name of an error */

/* How a destination's function is called. */
struct lambda_options {
	uint8_t invocation; /* enum aws_invocation, said */
	uint8_t wrap;       /* enum aws_event_shape */
	uint8_t unwrap;     /* the same */
	bool multi_value_headers, streaming, original_routing, log_tail;
};

struct lambda_target {
	char *region, *authority;
	char *path, *query;  /* as they go on the wire; query "" for none */
	char *arn, *account; /* "": not known */
	struct lambda_options options;
};

/* The key of the day is made by who signs first. */
struct lambda_signing {
	pthread_mutex_t lock;
	struct sigv4_key key;
};

struct lambda_credentials {
	struct aws_credentials given;
	uint64_t serial; /* no two have the same */
	struct lambda_signing *signing;
};

/* What answer_whole has to make of the body. */
enum lambda_whole {
	LAMBDA_UNWRAP,
	LAMBDA_FUNCTION_FAILED,
	LAMBDA_REFUSED,
};

struct lambda_stream {
	struct eventstream *frames; /* NULL: the answer is no stream */
	struct eventstream_prelude prelude;
	bool with_prelude, head_written, complete;
	char type[128];  /* of a body without prelude */
	struct str held; /* of the body, behind the head */
	bool held_given;
};

struct lambda_call {
	const struct lambda_target *target;
	/* Of all attempts. */
	bool wrapped, clock_corrected;
	struct str event;
	uint64_t refused; /* serial of credentials; 0: none */
	/* Of this one. */
	uint64_t signed_ms, serial;
	enum lambda_whole whole;
	uint16_t status;
	char type[LAMBDA_TYPE_MAX]; /* of an error; "" : not said */
	uint32_t retry_after_s;
	uint64_t date_ms; /* 0: not said */
	struct aws_event_answer unwrapped;
	struct lambda_stream stream;
};

/* ---- lambda_target.c */

int lambda_write(const void *spec, const struct doc *destination,
	const char *const *known, size_t known_count, struct str *settings,
	struct str *warning, struct error *err);
void *lambda_target_new(struct slice settings, struct error *err);
void lambda_target_free(void *target);

/* ---- lambda_function.c */

/* Which function a destination's logical name means. path, query, arn and
 * account are appended to; warning as in model/dialect.h. */
struct lambda_function {
	struct str path, query, arn, account;
};
void lambda_function_init(struct lambda_function *f);
void lambda_function_fini(struct lambda_function *f);
int lambda_function_find(const struct aws_spec *spec, const char *logical_name,
	const char *const *known, size_t known_count, bool streaming,
	struct lambda_function *out, struct str *warning, struct error *err);

/* ---- lambda_request.c */

/* The most bytes of what a function is given. */
size_t lambda_event_max(const struct lambda_options *o);
int lambda_ready(const void *call, const void *credentials,
	struct call_refusal *refusal);
int lambda_request(void *call, const void *credentials,
	const struct call_request *r, struct http_write *head,
	struct slice *body, struct call_refusal *refusal);

/* ---- lambda_refusal.c */

/* All return CALL_REFUSE or CALL_AGAIN. */
enum call_step lambda_refuse(struct call_refusal *refusal, int status,
	const char *word, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* AWS answered with a failure; body is JSON or anything. */
enum call_step lambda_refused(struct lambda_call *c, struct slice body,
	struct call_refusal *refusal, struct call_news *news);
/* The function failed: what is its kind ("Unhandled"), body its own words. */
enum call_step lambda_function_failed(
	const char *kind, struct slice body, struct call_refusal *refusal);
/* The name of an error without what AWS puts around it:
 * "com.amazonaws.lambda#NameException:http://..." */
void lambda_type_copy(struct slice type, char out[LAMBDA_TYPE_MAX]);

/* ---- lambda_answer.c */

enum call_step lambda_answer(void *call, const struct http_head *answer,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news);
enum call_step lambda_answer_whole(void *call, struct slice body,
	struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news);
/* Status line and fields of what a function said of its answer. */
void lambda_head_write(
	struct http_write *head, const struct aws_event_answer *a);
/* Of the end of a log, in Base64; 0: it does not say. */
uint32_t lambda_billed_ms(struct slice log_result);

/* ---- lambda_stream.c */

void lambda_stream_init(struct lambda_stream *s);
void lambda_stream_fini(struct lambda_stream *s);
/* An answer begins, whose body is one. */
void lambda_stream_begin(
	struct lambda_stream *s, bool with_prelude, struct slice content_type);
enum call_step lambda_answer_bytes(void *call, struct slice in, bool last,
	size_t *used, struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news);

#endif
