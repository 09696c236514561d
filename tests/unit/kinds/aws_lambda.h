/* A Lambda upstream, a destination of it and a call, from what operators write:
 * for tests of the dialect. */
#ifndef TESTS_UNIT_KINDS_AWS_LAMBDA_H
#define TESTS_UNIT_KINDS_AWS_LAMBDA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "http/head.h"
#include "http/write.h"
#include "kinds/aws/credentials.h"
#include "kinds/aws/lambda.h"
#include "kinds/aws/spec.h"
#include "model/dialect.h"
#include "model/schema.h"

#define LAMBDA_NOW_MS 1767323045000u /* 20260102T030405Z */
#define LAMBDA_HEAD   (16u << 10)

struct lambda_said { /* what write said */
	int rc;
	struct str settings, warning;
	struct error err;
};

static inline struct doc *
lambda_doc(const char *yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(yaml, strlen(yaml), &err);

	if (d == NULL)
		fail_msg("%s: %s", yaml, err.text);
	return d;
}

static inline void
lambda_said_fini(struct lambda_said *s)
{
	str_fini(&s->settings);
	str_fini(&s->warning);
}

/* destination NULL: there is none. known as write takes it. */
static inline struct lambda_said
lambda_say(const char *upstream, const char *destination,
	const char *const *known, size_t known_count)
{
	struct doc *spec_doc = lambda_doc(upstream);
	struct doc *d = destination == NULL ? NULL : lambda_doc(destination);
	struct lambda_said said = { .err = ERROR_INIT };
	struct error err = ERROR_INIT;
	struct aws_spec *spec =
		schema_read_new(&aws_spec_schema, spec_doc, &err);

	if (spec == NULL)
		fail_msg("%s: %s", upstream, err.text);
	str_init(&said.settings);
	str_init(&said.warning);
	said.rc = aws_dialect.write(spec, d, known, known_count, &said.settings,
		&said.warning, &said.err);
	schema_fini(&aws_spec_schema, spec);
	free(spec);
	doc_free(d);
	doc_free(spec_doc);
	return said;
}

static inline void *
lambda_target(const char *upstream, const char *destination)
{
	struct lambda_said said = lambda_say(upstream, destination, NULL, 0);
	struct error err = ERROR_INIT;
	void *target;

	if (said.rc != 0)
		fail_msg("%s: %s", destination, said.err.text);
	target = aws_dialect.target_new(
		(struct slice){ said.settings.data, said.settings.length },
		&err);
	if (target == NULL)
		fail_msg("%s: %s", said.settings.data, err.text);
	lambda_said_fini(&said);
	return target;
}

static inline void *
lambda_credentials(const char *access_key, const char *token)
{
	struct aws_credentials c = { .access_key = xstrdup(access_key),
		.secret_key =
			xstrdup("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
		.session_token = xstrdup(token) };
	struct error err = ERROR_INIT;
	struct str bytes;
	void *made;

	str_init(&bytes);
	aws_credentials_write(&c, &bytes);
	made = aws_dialect.credentials_new(
		(struct slice){ bytes.data, bytes.length }, &err);
	if (made == NULL)
		fail_msg("%s", err.text);
	str_fini_wiped(&bytes);
	aws_credentials_fini(&c);
	return made;
}

struct lambda_world {
	void *target, *credentials, *call;
	struct call_field fields[8];
	struct call_request r;
	char head_bytes[LAMBDA_HEAD];
	struct http_write head;
	struct slice body; /* of the message */
	struct call_refusal refusal;
	struct call_news news;
	struct slice out;
};

/* The lines end with CR LF as they are; length of all. */
static inline void
lambda_head_begin(struct lambda_world *w)
{
	http_write_init(&w->head, w->head_bytes, sizeof(w->head_bytes) - 1);
}

/* What was written, as a text. */
static inline const char *
lambda_head_text(struct lambda_world *w)
{
	assert_true(http_write_ok(&w->head));
	w->head_bytes[w->head.length] = '\0';
	return w->head_bytes;
}

static inline void
lambda_world_init(
	struct lambda_world *w, const char *upstream, const char *destination)
{
	*w = (struct lambda_world){
		.target = lambda_target(upstream, destination),
		.credentials = lambda_credentials("AKIDEXAMPLE", ""),
		.r = { .method = slice_of("GET"),
			.path = slice_of("/a/b"),
			.query = { NULL, 0 },
			.target = slice_of("/x/a/b"),
			.host = slice_of("shop.example"),
			.fields = w->fields,
			.body = { "", 0 },
			.request_id = "00000000-0000-4000-8000-000000000000",
			.now_ms = LAMBDA_NOW_MS },
	};
	assert_int_equal(addr_parse_ip("192.0.2.7", 4711, &w->r.client), 0);
	w->call = aws_dialect.call_new(w->target);
}

static inline void
lambda_world_fini(struct lambda_world *w)
{
	aws_dialect.call_free(w->call);
	aws_dialect.credentials_free(w->credentials);
	aws_dialect.target_free(w->target);
}

static inline int
lambda_ask(struct lambda_world *w)
{
	lambda_head_begin(w);
	w->refusal = (struct call_refusal){ 0 };
	return aws_dialect.request(w->call, w->credentials, &w->r, &w->head,
		&w->body, &w->refusal);
}

/* The head of an answer, without the empty line: what the dialect says to it.
 */
static inline enum call_step
lambda_answered(struct lambda_world *w, const char *head)
{
	static struct http_head parsed;
	enum http_refusal why;
	enum call_step step;
	struct str text;

	str_init(&text);
	str_printf(&text, "%s\r\n", head);
	if (http_response_parse(text.data, text.length, 0, HTTP_POST,
		    &http_limits_default, &parsed, &why) != HTTP_PARSE_DONE)
		fail_msg("%s: %s", head, http_refusal_word(why));
	lambda_head_begin(w);
	w->refusal = (struct call_refusal){ 0 };
	w->news = (struct call_news){ 0 };
	step = aws_dialect.answer(
		w->call, &parsed, &w->head, &w->refusal, &w->news);
	str_fini(&text);
	return step;
}

static inline enum call_step
lambda_answered_whole(struct lambda_world *w, struct slice body)
{
	w->out = (struct slice){ NULL, 0 };
	lambda_head_begin(w);
	w->refusal = (struct call_refusal){ 0 };
	w->news = (struct call_news){ 0 };
	return aws_dialect.answer_whole(
		w->call, body, &w->head, &w->out, &w->refusal, &w->news);
}

#endif
