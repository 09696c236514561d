/* A streamed answer: frames in, head and body out as they come. */
#include <stdio.h>
#include <string.h>

#include "base/json_span.h"
#include "http/head.h"
#include "http/write.h"
#include "kinds/aws/lambda.h"
#include "kinds/aws/lambda_call.h"

#define FRAMES_TYPE "application/vnd.amazon.eventstream"
#define BYTES_TYPE  "application/octet-stream"

void
lambda_stream_init(struct lambda_stream *s)
{
	*s = (struct lambda_stream){ .frames = NULL };
	eventstream_prelude_init(&s->prelude);
	str_init(&s->held);
}

void
lambda_stream_fini(struct lambda_stream *s)
{
	eventstream_free(s->frames);
	s->frames = NULL;
	eventstream_prelude_fini(&s->prelude);
	str_fini(&s->held);
}

/* Of what is in the frames: theirs says nothing of it. */
void
lambda_stream_begin(
	struct lambda_stream *s, bool with_prelude, struct slice content_type)
{
	if (content_type.length == 0 ||
		content_type.length >= sizeof(s->type) ||
		slice_equal_nocase(content_type, slice_of(FRAMES_TYPE)))
		content_type = slice_of(BYTES_TYPE);
	s->frames = eventstream_new();
	s->with_prelude = with_prelude;
	memcpy(s->type, content_type.data, content_type.length);
	s->type[content_type.length] = '\0';
}

static void
head_of_bytes(struct lambda_stream *s, struct http_write *head)
{
	http_write_status_line(head, 200);
	http_write_field(head, slice_of("content-type"), slice_of(s->type));
	s->head_written = true;
}

static enum call_step
bad(struct call_refusal *refusal, const char *sentence)
{
	return lambda_refuse(
		refusal, 502, "bad_function_answer", "%s", sentence);
}

/* Before the head there may be no body yet: CALL_MORE. What is behind it is
 * given next. */
static enum call_step
payload_take(struct lambda_stream *s, struct slice payload,
	struct http_write *head, struct slice *out,
	struct call_refusal *refusal)
{
	struct aws_event_answer said;
	struct error err = ERROR_INIT;
	size_t used = 0;

	if (s->head_written) {
		*out = payload;
		return CALL_DATA;
	}
	if (s->with_prelude) {
		switch (eventstream_prelude_read(
			&s->prelude, payload, &used, &said, &err)) {
		case EVENTSTREAM_PRELUDE_MORE:
			return CALL_MORE;
		case EVENTSTREAM_PRELUDE_BAD:
			return bad(refusal, err.text);
		case EVENTSTREAM_PRELUDE_DONE:
			break;
		}
		lambda_head_write(head, &said);
		aws_event_answer_fini(&said);
		s->head_written = true;
	} else {
		head_of_bytes(s, head);
	}
	str_append(&s->held, payload.data + used, payload.length - used);
	return CALL_HEAD;
}

/* The members of InvokeComplete's JSON that are strings. */
struct completion {
	struct str code, details, log;
};

static void
completion_read(struct slice json, struct completion *c)
{
	struct json_span whole, key, value;
	struct json_span_walk walk;

	str_init(&c->code);
	str_init(&c->details);
	str_init(&c->log);
	if (json_span_read(json, &whole, NULL) != 0 || whole.type != DOC_MAP)
		return;
	json_span_walk(&walk, &whole);
	while (json_span_next(&walk, &key, &value)) {
		if (value.type != DOC_STRING)
			continue;
		if (json_span_equal(&key, "ErrorCode"))
			json_span_text(&value, &c->code);
		else if (json_span_equal(&key, "ErrorDetails"))
			json_span_text(&value, &c->details);
		else if (json_span_equal(&key, "LogResult"))
			json_span_text(&value, &c->log);
	}
}

static void
completion_fini(struct completion *c)
{
	str_fini(&c->code);
	str_fini(&c->details);
	str_fini(&c->log);
}

static enum call_step
complete_take(struct lambda_call *call, struct slice json,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news)
{
	struct lambda_stream *s = &call->stream;
	enum call_step step = CALL_DONE;
	char code[LAMBDA_TYPE_MAX];
	struct completion c;

	completion_read(json, &c);
	s->complete = true;
	if (call->target->options.log_tail)
		news->billed_ms = lambda_billed_ms(
			(struct slice){ c.log.data, c.log.length });
	if (c.code.length > 0) {
		lambda_type_copy(
			(struct slice){ c.code.data, c.code.length }, code);
		step = lambda_function_failed(code,
			(struct slice){ c.details.data, c.details.length },
			refusal);
	} else if (!s->head_written && s->with_prelude) {
		step = bad(refusal,
			"the function's stream ended before its head did");
	} else if (!s->head_written) {
		head_of_bytes(s, head);
		step = CALL_HEAD;
	}
	completion_fini(&c);
	return step;
}

static enum call_step
exception_take(struct slice exception, struct call_refusal *refusal)
{
	char type[LAMBDA_TYPE_MAX];

	lambda_type_copy(exception, type);
	return lambda_refuse(refusal, 502, "function_error",
		"the function's stream broke off: %s",
		type[0] != '\0' ? type : "an exception");
}

static enum call_step
end_take(const struct lambda_stream *s, struct call_refusal *refusal)
{
	return bad(refusal, eventstream_is_between(s->frames)
				    ? "the function's stream ended before it "
				      "was complete"
				    : "the function's stream ended within a "
				      "frame");
}

/* What stood behind the head was kept for now; not for the life of the stream,
 * which may be a frame of megabytes and minutes. */
static bool
held_give(struct lambda_stream *s, struct slice *out)
{
	if (s->held_given)
		str_fini(&s->held);
	if (!s->head_written || s->held_given)
		return false;
	s->held_given = true;
	*out = (struct slice){ s->held.data, s->held.length };
	return s->held.length > 0;
}

enum call_step
lambda_answer_bytes(void *call, struct slice in, bool last, size_t *used,
	struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news)
{
	struct lambda_call *c = call;
	struct lambda_stream *s = &c->stream;
	struct slice payload, exception;
	struct error err = ERROR_INIT;
	enum call_step step;

	*used = 0;
	if (held_give(s, out))
		return CALL_DATA;
	if (s->complete)
		return CALL_DONE;
	for (;;) {
		size_t n = 0;
		enum eventstream_event event = eventstream_read(
			s->frames, in, &n, &payload, &exception, &err);

		*used += n;
		in.data += n;
		in.length -= n;
		switch (event) {
		case EVENTSTREAM_MORE:
			return last ? end_take(s, refusal) : CALL_MORE;
		case EVENTSTREAM_PAYLOAD:
			if (payload.length == 0)
				continue;
			step = payload_take(s, payload, head, out, refusal);
			if (step == CALL_MORE)
				continue;
			return step;
		case EVENTSTREAM_COMPLETE:
			return complete_take(c, payload, head, refusal, news);
		case EVENTSTREAM_EXCEPTION:
			return exception_take(exception, refusal);
		case EVENTSTREAM_BAD:
			return bad(refusal, err.text);
		}
	}
}
