/* What AWS answered, as an answer for the client: passed on, unwrapped, or the
 * reason why there is none. */
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/head.h"
#include "http/write.h"
#include "kinds/aws/lambda.h"
#include "kinds/aws/lambda_call.h"

#define RETRY_AFTER_MAX_S 3600
#define BILLED_MAX_MS     86400000
#define DATE_MAX          40

/* Of AWS's own fields those that tell a client something; nothing of accounts,
 * and the log is not for it. */
static const char *const kept_fields[] = { "content-type", "date",
	"x-amz-executed-version", "x-amzn-requestid", "x-amzn-trace-id" };

/* ---- fields */

static struct slice
field_get(const struct http_head *answer, const char *name)
{
	const struct http_field *f =
		http_head_find_name(answer, slice_of(name));

	return f != NULL ? http_field_value(answer, f)
			 : (struct slice){ NULL, 0 };
}

/* 0: not said, or in another form. */
static uint32_t
number_read(struct slice text, uint32_t max)
{
	uint64_t n = 0;

	if (text.length == 0)
		return 0;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(text.data[i] - '0');
		if (n > max)
			return max;
	}
	return (uint32_t)n;
}

static uint64_t
date_read(struct slice text)
{
	char date[DATE_MAX];
	uint64_t ms;

	if (text.length == 0 || text.length >= sizeof(date))
		return 0;
	memcpy(date, text.data, text.length);
	date[text.length] = '\0';
	return clock_parse_http(date, &ms) == 0 ? ms : 0;
}

/* The digits behind the last mark in a text. */
static uint32_t
number_behind(const struct str *text, const char *mark)
{
	size_t length = strlen(mark), digits;
	const char *at = text->data, *found = NULL;

	while ((at = strstr(at, mark)) != NULL) {
		at += length;
		found = at;
	}
	if (found == NULL)
		return 0;
	found += strspn(found, " ");
	digits = strspn(found, "0123456789");
	return number_read((struct slice){ found, digits }, BILLED_MAX_MS);
}

/* Its last lines are a report, as text or, if the function logs so, in JSON. */
uint32_t
lambda_billed_ms(struct slice log_result)
{
	struct str log;
	uint32_t ms = 0;

	str_init(&log);
	if (log_result.length > 0 &&
		base64_decode(log_result.data, log_result.length, &log) == 0) {
		ms = number_behind(&log, "Billed Duration:");
		if (ms == 0)
			ms = number_behind(&log, "\"billedDurationMs\":");
	}
	str_fini(&log);
	return ms;
}

/* ---- the head */

static void
attempt_forget(struct lambda_call *c)
{
	c->type[0] = '\0';
	c->retry_after_s = 0;
	c->date_ms = 0;
	aws_event_answer_fini(&c->unwrapped);
	lambda_stream_fini(&c->stream);
	lambda_stream_init(&c->stream);
}

static void
fields_read(struct lambda_call *c, const struct http_head *answer,
	struct call_news *news)
{
	c->status = answer->status;
	lambda_type_copy(field_get(answer, "x-amzn-errortype"), c->type);
	c->retry_after_s = number_read(
		field_get(answer, "retry-after"), RETRY_AFTER_MAX_S);
	c->date_ms = date_read(field_get(answer, "date"));
	if (c->target->options.log_tail)
		news->billed_ms =
			lambda_billed_ms(field_get(answer, "x-amz-log-result"));
}

static void
answer_pass(const struct http_head *answer, struct http_write *head)
{
	http_write_status_line(head, answer->status);
	for (size_t i = 0; i < ARRAY_SIZE(kept_fields); i++) {
		struct slice value = field_get(answer, kept_fields[i]);

		if (value.data != NULL)
			http_write_field_parsed(
				head, slice_of(kept_fields[i]), value);
	}
}

/* AWS's own type is that of the frames; what is in them it says beside. */
static void
stream_begin(struct lambda_call *c, const struct http_head *answer)
{
	struct slice type = field_get(answer, "x-amzn-remapped-content-type");
	bool prelude;

	if (type.length == 0)
		type = field_get(answer, "content-type");
	prelude = c->target->options.unwrap != AWS_EVENT_RAW ||
		  slice_equal_nocase(type, slice_of(EVENTSTREAM_PRELUDE_TYPE));
	lambda_stream_begin(&c->stream, prelude, type);
}

enum call_step
lambda_answer(void *call, const struct http_head *answer,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news)
{
	struct lambda_call *c = call;
	const struct lambda_options *o = &c->target->options;
	struct slice failure = field_get(answer, "x-amz-function-error");

	(void)refusal;
	attempt_forget(c);
	fields_read(c, answer, news);
	if (answer->status < 200 || answer->status > 299) {
		c->whole = LAMBDA_REFUSED;
		return CALL_COLLECT;
	}
	if (failure.data != NULL) {
		lambda_type_copy(failure, c->type);
		c->whole = LAMBDA_FUNCTION_FAILED;
		return CALL_COLLECT;
	}
	if (o->streaming) {
		stream_begin(c, answer);
		return CALL_DECODE;
	}
	if (o->invocation == AWS_SYNC && o->unwrap != AWS_EVENT_RAW) {
		c->whole = LAMBDA_UNWRAP;
		return CALL_COLLECT;
	}
	answer_pass(answer, head);
	return CALL_PASS;
}

/* ---- the whole body */

void
lambda_head_write(struct http_write *head, const struct aws_event_answer *a)
{
	http_write_status_line(head, a->status);
	for (size_t i = 0; i < a->field_count; i++)
		http_write_field(head, a->fields[i].name, a->fields[i].value);
}

static enum call_step
answer_unwrap(struct lambda_call *c, struct slice body, struct http_write *head,
	struct slice *out, struct call_refusal *refusal)
{
	enum aws_event_shape shape =
		(enum aws_event_shape)c->target->options.unwrap;
	struct error err = ERROR_INIT;

	if (aws_event_unwrap(shape, body, &c->unwrapped, &err) != 0)
		return lambda_refuse(
			refusal, 502, "bad_function_answer", "%s", err.text);
	lambda_head_write(head, &c->unwrapped);
	*out = (struct slice){ c->unwrapped.body.data,
		c->unwrapped.body.length };
	return CALL_DONE;
}

enum call_step
lambda_answer_whole(void *call, struct slice body, struct http_write *head,
	struct slice *out, struct call_refusal *refusal, struct call_news *news)
{
	struct lambda_call *c = call;

	switch (c->whole) {
	case LAMBDA_UNWRAP:
		return answer_unwrap(c, body, head, out, refusal);
	case LAMBDA_FUNCTION_FAILED:
		return lambda_function_failed(c->type, body, refusal);
	case LAMBDA_REFUSED:
		break;
	}
	return lambda_refused(c, body, refusal, news);
}
