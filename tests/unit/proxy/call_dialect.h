/*
 * A kind "calls" whose dialect does what the endpoint's answer says, so that a
 * test's script decides. Settings are three numbers: most bytes of a request,
 * most of an answer, and whether bodies are made anew (1) or credentials are
 * needed (2).
 *
 * A parameter of a query with "key" in it is a secret.
 *
 * The message is POST /call with what was asked in fields (x-method, x-path,
 * x-rest, x-target, x-authority, x-credentials, x-skew-s), then the client's
 * own. "as" in the query: the client's method; "must": only with credentials,
 * which is found late;
 * "wrong": a line that cannot be written.
 *
 * An answer's x-step is the step, x-status that of what is passed on, x-news
 * what it tells besides. A collected one begins with a word: "done NNN\n",
 * "again\n", "refuse NNN\n", "framed\n" (says its own length), "nothing\n",
 * "odd\n". A decoded one is made of frames, a letter and four digits each:
 * H a head of that status, D and C so many bytes that follow (C: given from
 * other memory), E the end, R a refusal, Z nonsense.
 */
#ifndef TESTS_UNIT_PROXY_CALL_DIALECT_H
#define TESTS_UNIT_PROXY_CALL_DIALECT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/head.h"
#include "http/write.h"
#include "model/dialect.h"
#include "model/kind.h"

struct calls_target {
	size_t request_max, answer_max;
	int how;
};

struct calls_call {
	const struct calls_target *target;
	struct str message, out;
	struct call_news news;
	char frame[6];
	size_t frame_length, left;
	bool copies;
};

static inline void *
calls_target_new(struct slice settings, struct error *err)
{
	struct calls_target *t = xcalloc(1, sizeof(*t));
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)settings.length,
		settings.data);
	if (sscanf(text, "%zu %zu %d", &t->request_max, &t->answer_max,
		    &t->how) == 3)
		return t;
	free(t);
	error_set(err, ERROR_CONFIG, "the settings are not three numbers");
	return NULL;
}

static inline void
calls_target_free(void *target)
{
	free(target);
}

static inline void *
calls_credentials_new(struct slice bytes, struct error *err)
{
	if (bytes.length > 0 && bytes.data[0] != '!')
		return xstrndup(bytes.data, bytes.length);
	error_set(err, ERROR_CONFIG, "they are no use");
	return NULL;
}

static inline void
calls_credentials_free(void *credentials)
{
	mem_free_wiped(credentials);
}

static inline bool
calls_has(struct slice text, const char *word)
{
	return text.data != NULL &&
	       memmem(text.data, text.length, word, strlen(word)) != NULL;
}

static inline void
calls_text(struct http_write *head, const char *name, const char *value)
{
	http_write_field(head, slice_of(name), slice_of(value));
}

static inline bool
calls_query_secret(struct slice parameter)
{
	return calls_has(parameter, "key");
}

static inline void
calls_limits(const void *target, size_t *request_max, size_t *answer_max)
{
	const struct calls_target *t = target;

	*request_max = t->request_max;
	*answer_max = t->answer_max;
}

static inline void *
calls_call_new(const void *target)
{
	struct calls_call *c = xcalloc(1, sizeof(*c));

	c->target = target;
	str_init(&c->message);
	str_init(&c->out);
	return c;
}

static inline void
calls_call_free(void *call)
{
	struct calls_call *c = call;

	str_fini(&c->message);
	str_fini(&c->out);
	free(c);
}

static inline void
calls_refuse(struct call_refusal *r, int status, const char *word,
	const char *sentence)
{
	r->status = status;
	r->word = word;
	snprintf(r->sentence, sizeof(r->sentence), "%s", sentence);
}

static inline void
calls_about(struct http_write *head, const void *credentials,
	const struct call_request *r)
{
	int64_t ms = (int64_t)r->now_ms - (int64_t)clock_realtime_ms();
	char text[32];

	calls_text(head, "host", "calls.example");
	http_write_field(head, slice_of("x-method"), r->method);
	http_write_field(head, slice_of("x-path"), r->path);
	http_write_field(head, slice_of("x-rest"),
		r->rest.data != NULL ? r->rest : slice_of("unknown"));
	http_write_field(head, slice_of("x-target"), r->target);
	http_write_field(head, slice_of("x-authority"), r->host);
	calls_text(head, "x-credentials",
		credentials != NULL ? credentials : "none");
	snprintf(text, sizeof(text), "%" PRId64,
		ms < 0 ? (ms - 500) / 1000 : (ms + 500) / 1000);
	calls_text(head, "x-skew-s", text);
}

static inline int
calls_ready(const void *call, const void *credentials,
	struct call_refusal *refusal)
{
	const struct calls_call *c = call;

	if (credentials != NULL || c->target->how != 2)
		return 0;
	calls_refuse(refusal, 503, "no_credentials",
		"it cannot be called without credentials");
	return -1;
}

static inline int
calls_request(void *call, const void *credentials, const struct call_request *r,
	struct http_write *head, struct slice *body,
	struct call_refusal *refusal)
{
	static const struct slice post = { "POST", 4 }, none = { NULL, 0 };
	struct calls_call *c = call;

	if (credentials == NULL && calls_has(r->query, "must")) {
		calls_refuse(refusal, 503, "no_credentials",
			"there are no credentials for it");
		return -1;
	}
	http_write_request_line(head,
		calls_has(r->query, "as") ? r->method : post, slice_of("/call"),
		none);
	calls_about(head, credentials, r);
	if (calls_has(r->query, "wrong"))
		calls_text(head, "x-wrong", "a\r\nb");
	for (size_t i = 0; i < r->field_count; i++)
		http_write_field(head, r->fields[i].name, r->fields[i].value);
	*body = r->body;
	if (c->target->how != 1)
		return 0;
	str_clear(&c->message);
	str_putc(&c->message, '<');
	str_append(&c->message, r->body.data, r->body.length);
	str_putc(&c->message, '>');
	*body = (struct slice){ c->message.data, c->message.length };
	return 0;
}

static inline struct slice
calls_field(const struct http_head *head, const char *name)
{
	const struct http_field *f = http_head_find_name(head, slice_of(name));

	return f != NULL ? http_field_value(head, f) : slice_of("");
}

static inline long
calls_number(struct slice text, const char *name)
{
	const char *at = memmem(text.data, text.length, name, strlen(name));

	return at != NULL ? atol(at + strlen(name)) : 0;
}

static inline void
calls_news(const struct http_head *answer, struct call_news *news)
{
	struct slice text = calls_field(answer, "x-news");

	news->nothing_ran = calls_has(text, "nothing");
	news->credentials_refused = calls_has(text, "refused");
	news->skewed = calls_has(text, "skew=");
	news->skew_ms = calls_number(text, "skew=") * 1000;
	news->billed_ms = (uint32_t)calls_number(text, "billed=");
}

static inline enum call_step
calls_answer(void *call, const struct http_head *answer,
	struct http_write *head, struct call_refusal *refusal,
	struct call_news *news)
{
	static const char *const steps[] = {
		[CALL_MORE] = "more",
		[CALL_PASS] = "pass",
		[CALL_COLLECT] = "collect",
		[CALL_DECODE] = "decode",
		[CALL_AGAIN] = "again",
		[CALL_REFUSE] = "refuse",
	};
	struct slice step = calls_field(answer, "x-step");
	struct slice status = calls_field(answer, "x-status");
	struct calls_call *c = call;

	calls_refuse(
		refusal, 502, "function_error", "the function did not answer");
	refusal->retry_after_s =
		(uint32_t)calls_number(calls_field(answer, "x-news"), "after=");
	calls_news(answer, news);
	c->news = *news;
	c->news.billed_ms = 0;
	c->frame_length = c->left = 0;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i] == NULL || !slice_equal(slice_of(steps[i]), step))
			continue;
		if (i != CALL_PASS)
			return (enum call_step)i;
		http_write_status_line(head,
			status.length > 0 ? atoi(status.data) : answer->status);
		for (unsigned k = 0; k < answer->field_count; k++)
			if (!answer->fields[k].hop_by_hop)
				http_write_field_parsed(head,
					http_field_name(
						answer, &answer->fields[k]),
					http_field_value(
						answer, &answer->fields[k]));
		return CALL_PASS;
	}
	return CALL_DONE; /* which is none here */
}

static inline enum call_step
calls_whole(void *call, struct slice body, struct http_write *head,
	struct slice *out, struct call_refusal *refusal, struct call_news *news)
{
	struct calls_call *c = call;
	const char *line = memchr(body.data, '\n', body.length);
	int status = 0;

	*news = c->news;
	if (line == NULL)
		return CALL_MORE; /* which is none here */
	line++;
	*out = (struct slice){ line, body.length - (size_t)(line - body.data) };
	if (sscanf(body.data, "refuse %d", &status) == 1) {
		calls_refuse(refusal, status, "function_error",
			"the function failed");
		return CALL_REFUSE;
	}
	if (strncmp(body.data, "again", 5) == 0)
		return CALL_AGAIN;
	if (strncmp(body.data, "odd", 3) == 0)
		return CALL_DATA;
	if (strncmp(body.data, "nothing", 7) == 0)
		return CALL_DONE;
	if (sscanf(body.data, "done %d", &status) != 1)
		status = 200;
	http_write_status_line(head, status);
	calls_text(head, "x-made", "whole");
	if (strncmp(body.data, "framed", 6) == 0)
		http_write_field_number(head, "content-length", out->length);
	if (c->target->how != 1)
		return CALL_DONE;
	str_clear(&c->out);
	str_append(&c->out, out->data, out->length);
	*out = (struct slice){ c->out.data, c->out.length };
	return CALL_DONE;
}

/* The frame's letter is complete: what it comes to, CALL_MORE if bytes do. */
static inline enum call_step
calls_frame(struct calls_call *c, struct http_write *head,
	struct call_refusal *refusal)
{
	int number = atoi(c->frame + 1);

	c->frame_length = 0;
	switch (c->frame[0]) {
	case 'H':
		http_write_status_line(head, number);
		calls_text(head, "x-made", "decoded");
		return CALL_HEAD;
	case 'D':
	case 'C':
		c->left = (size_t)number;
		c->copies = c->frame[0] == 'C';
		str_clear(&c->out);
		return CALL_MORE;
	case 'E':
		return CALL_DONE;
	case 'R':
		calls_refuse(refusal, 502, "function_error",
			"the function failed on its way");
		return CALL_REFUSE;
	default:
		return CALL_COLLECT; /* which is none here */
	}
}

static inline enum call_step
calls_bytes(void *call, struct slice in, bool last, size_t *used,
	struct http_write *head, struct slice *out,
	struct call_refusal *refusal, struct call_news *news)
{
	struct calls_call *c = call;

	(void)last;
	(void)news;
	for (*used = 0; *used < in.length;) {
		size_t n = in.length - *used;
		enum call_step step;

		if (c->left > 0) {
			n = n < c->left ? n : c->left;
			*out = (struct slice){ in.data + *used, n };
			*used += n;
			c->left -= n;
			if (!c->copies)
				return CALL_DATA;
			str_append(&c->out, out->data, n);
			*out = (struct slice){ c->out.data, c->out.length };
			if (c->left == 0)
				return CALL_DATA;
			continue;
		}
		c->frame[c->frame_length++] = in.data[(*used)++];
		if (c->frame_length < 5)
			continue;
		step = calls_frame(c, head, refusal);
		if (step != CALL_MORE)
			return step;
	}
	return CALL_MORE;
}

static const struct dialect calls_dialect = {
	.target_new = calls_target_new,
	.target_free = calls_target_free,
	.credentials_new = calls_credentials_new,
	.credentials_free = calls_credentials_free,
	.query_secret = calls_query_secret,
	.limits = calls_limits,
	.call_new = calls_call_new,
	.call_free = calls_call_free,
	.ready = calls_ready,
	.request = calls_request,
	.answer = calls_answer,
	.answer_whole = calls_whole,
	.answer_bytes = calls_bytes,
};

static const struct upstream_kind calls_kind = {
	.key = "calls",
	.title = "Calls",
	.dialect = &calls_dialect,
};

static const struct upstream_kind *const calls_kinds[] = { &calls_kind, NULL };

#endif
