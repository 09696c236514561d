/*
 * What a function answered as an answer of HTTP (docs.aws.amazon.com: the pages
 * that event_wrap.c names, "Output format" and "Respond to"). The text is read
 * where it stands: of an answer of megabytes only its body is kept.
 *
 * Where Gloo's unwrapAsApiGateway and AWS differ it is as AWS has it: no
 * statusCode is an error (Gloo: 200), a missing body is empty (Gloo: "{}"), a
 * body that is no string is an error (Gloo: its JSON), and so is a list or map
 * as the value of a field (Gloo: its JSON); Base64 that is none is an error
 * (Gloo: an empty body).
 */
#include "kinds/aws/event.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_span.h"
#include "base/mem.h"
#include "http/head.h"

/* All that Connection may say: each of its options is looked for among the
 * fields, and an answer has megabytes. */
#define CONNECTION_MAX 1024

/* The members that count; of others nothing is wanted. */
struct parts {
	struct json_span status, headers, multi, cookies, body, base64;
};

static const struct {
	const char *name;
	size_t offset;
} members[] = {
	{ "statusCode", offsetof(struct parts, status) },
	{ "headers", offsetof(struct parts, headers) },
	{ "multiValueHeaders", offsetof(struct parts, multi) },
	{ "cookies", offsetof(struct parts, cookies) },
	{ "body", offsetof(struct parts, body) },
	{ "isBase64Encoded", offsetof(struct parts, base64) },
};

struct unwrap {
	struct parts parts;
	struct aws_event_answer *out;
	size_t seen;  /* fields, those left out too */
	size_t multi; /* of out's fields, those of multiValueHeaders */
	struct str name, value; /* of the field at hand */
	struct str connection;  /* options that Connection named, with commas */
	struct error *err;
};

static struct json_span *
part_at(struct parts *parts, size_t offset)
{
	return (struct json_span *)(void *)((char *)parts + offset);
}

static const char *
type_name(const struct json_span *s)
{
	return s->type == DOC_REAL ? "a number" : doc_type_name(s->type);
}

/* null says as much as nothing. */
static bool
is_there(const struct json_span *s)
{
	return s->text.data != NULL && s->type != DOC_NULL;
}

static int
parts_read(struct parts *parts, const struct json_span *map, struct error *err)
{
	struct json_span key, value;
	struct json_span_walk walk;

	json_span_walk(&walk, map);
	while (json_span_next(&walk, &key, &value)) {
		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			struct json_span *part =
				part_at(parts, members[i].offset);

			if (!json_span_equal(&key, members[i].name))
				continue;
			if (part->text.data != NULL)
				return error_set(err, ERROR_CONFIG,
					"%s comes twice", members[i].name);
			*part = value;
			break;
		}
	}
	return 0;
}

/* ---- status */

/* Digits alone. API Gateway takes them as a string too. */
static int
status_number(const struct json_span *s)
{
	struct slice digits = s->text;
	int status = 0;

	if (s->type == DOC_STRING) {
		digits.data++;
		digits.length -= 2;
	}
	if (digits.length != 3)
		return -1;
	for (size_t i = 0; i < digits.length; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return -1;
		status = status * 10 + digits.data[i] - '0';
	}
	return status;
}

/* 1xx is no final answer: the connection would wait for another one. */
static int
status_read(struct unwrap *u, enum aws_event_shape shape)
{
	const struct json_span *s = &u->parts.status;
	int status;

	if (s->type != DOC_REAL &&
		(s->type != DOC_STRING || shape == AWS_EVENT_ALB))
		return error_set(u->err, ERROR_CONFIG,
			"statusCode is %s, not a number", type_name(s));
	status = status_number(s);
	if (status < 200 || status > 599)
		return error_set(u->err, ERROR_CONFIG,
			"statusCode %.*s is none from 200 to 599",
			s->text.length > 20 ? 20 : (int)s->text.length,
			s->text.data);
	u->out->status = (uint16_t)status;
	return 0;
}

/* ---- fields */

static struct slice
trimmed(const struct str *s)
{
	struct slice t = { s->data, s->length };

	while (t.length > 0 && (t.data[0] == ' ' || t.data[0] == '\t')) {
		t.data++;
		t.length--;
	}
	while (t.length > 0 &&
		(t.data[t.length - 1] == ' ' || t.data[t.length - 1] == '\t'))
		t.length--;
	return t;
}

static bool
answer_has(const struct aws_event_answer *a, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal_nocase(a->fields[i].name, name))
			return true;
	return false;
}

static void
answer_add(struct aws_event_answer *a, struct slice name, struct slice value)
{
	char *text = xmalloc(name.length + value.length + 1);

	if (a->fields == NULL)
		a->fields = xcalloc(CALL_FIELDS_MAX, sizeof(*a->fields));
	memcpy(text, name.data, name.length);
	if (value.length > 0)
		memcpy(text + name.length, value.data, value.length);
	a->fields[a->field_count++] =
		(struct call_field){ { text, name.length },
			{ text + name.length, value.length } };
}

static void
answer_remove(struct aws_event_answer *a, size_t i)
{
	free((char *)a->fields[i].name.data);
	a->field_count--;
	memmove(&a->fields[i], &a->fields[i + 1],
		(a->field_count - i) * sizeof(*a->fields));
}

/* The field whose name is u->name. What is no field is left out, as AWS and
 * Gloo do it: a value with a line break would be another field. */
static int
field_add(struct unwrap *u, const struct json_span *value)
{
	struct slice name = { u->name.data, u->name.length }, text;
	enum http_field_id id = http_field_id_of(name);

	if (++u->seen > CALL_FIELDS_MAX - 1) /* one is for Content-Type */
		return error_set(u->err, ERROR_CONFIG, "more than %d fields",
			CALL_FIELDS_MAX - 1);
	if (value->type == DOC_LIST || value->type == DOC_MAP)
		return error_set(u->err, ERROR_CONFIG,
			"the field \"%.64s\" is %s", u->name.data,
			type_name(value));
	if (value->type == DOC_NULL)
		return 0;
	str_clear(&u->value);
	json_span_text(value, &u->value);
	text = trimmed(&u->value);
	if (!http_is_token(name) || !http_is_field_value(text))
		return 0;
	if (id == HTTP_FIELD_CONNECTION) {
		if (u->connection.length + text.length > CONNECTION_MAX)
			return error_set(u->err, ERROR_CONFIG,
				"Connection says more than %d bytes",
				CONNECTION_MAX);
		str_putc(&u->connection, ',');
		str_append(&u->connection, text.data, text.length);
	}
	if (!http_field_is_of_hop(id))
		answer_add(u->out, name, text);
	return 0;
}

static int
wrong_type(struct unwrap *u, const char *member, const struct json_span *is,
	const char *wanted)
{
	return error_set(u->err, ERROR_CONFIG, "%s is %s, not %s", member,
		type_name(is), wanted);
}

static int
multi_read(struct unwrap *u)
{
	struct json_span key, list, value;
	struct json_span_walk walk, values;

	if (!is_there(&u->parts.multi))
		return 0;
	if (u->parts.multi.type != DOC_MAP)
		return wrong_type(
			u, "multiValueHeaders", &u->parts.multi, "a map");
	json_span_walk(&walk, &u->parts.multi);
	while (json_span_next(&walk, &key, &list)) {
		str_clear(&u->name);
		json_span_text(&key, &u->name);
		if (list.type == DOC_NULL)
			continue;
		if (list.type != DOC_LIST)
			return error_set(u->err, ERROR_CONFIG,
				"multiValueHeaders has \"%.64s\" that is %s, "
				"not a list",
				u->name.data, type_name(&list));
		json_span_walk(&values, &list);
		while (json_span_next(&values, NULL, &value))
			if (field_add(u, &value) != 0)
				return -1;
	}
	u->multi = u->out->field_count;
	return 0;
}

static int
single_read(struct unwrap *u)
{
	struct json_span key, value;
	struct json_span_walk walk;

	if (!is_there(&u->parts.headers))
		return 0;
	if (u->parts.headers.type != DOC_MAP)
		return wrong_type(u, "headers", &u->parts.headers, "a map");
	json_span_walk(&walk, &u->parts.headers);
	while (json_span_next(&walk, &key, &value)) {
		struct slice name;

		str_clear(&u->name);
		json_span_text(&key, &u->name);
		name = (struct slice){ u->name.data, u->name.length };
		if (answer_has(u->out, u->multi, name))
			value.type = DOC_NULL; /* those win */
		if (field_add(u, &value) != 0)
			return -1;
	}
	return 0;
}

static int
cookies_read(struct unwrap *u)
{
	struct json_span_walk walk;
	struct json_span value;

	if (!is_there(&u->parts.cookies))
		return 0;
	if (u->parts.cookies.type != DOC_LIST)
		return wrong_type(u, "cookies", &u->parts.cookies, "a list");
	str_clear(&u->name);
	str_puts(&u->name, "Set-Cookie");
	json_span_walk(&walk, &u->parts.cookies);
	while (json_span_next(&walk, NULL, &value)) {
		if (value.type != DOC_STRING && value.type != DOC_NULL)
			return error_set(u->err, ERROR_CONFIG,
				"cookies has %s, not strings",
				type_name(&value));
		if (field_add(u, &value) != 0)
			return -1;
	}
	return 0;
}

/* RFC 9110 7.6.1: fields that Connection names go no further. */
static void
connection_obey(struct unwrap *u)
{
	const char *p = u->connection.data, *end = p + u->connection.length;

	while (p < end) {
		size_t length = strcspn(p, ", \t");
		struct slice option = { p, length };

		for (size_t i = u->out->field_count; length > 0 && i > 0; i--)
			if (slice_equal_nocase(
				    u->out->fields[i - 1].name, option))
				answer_remove(u->out, i - 1);
		p += length + (p + length < end);
	}
}

static int
fields_read(struct unwrap *u)
{
	if (multi_read(u) != 0 || single_read(u) != 0 || cookies_read(u) != 0)
		return -1;
	connection_obey(u);
	return 0;
}

/* A body without a type is for the browser to guess, which is not safe. */
static void
type_add(struct aws_event_answer *a, const char *type)
{
	struct slice name = slice_of("Content-Type");

	if (type != NULL && !answer_has(a, a->field_count, name))
		answer_add(a, name, slice_of(type));
}

/* ---- body */

static int
body_decode(struct unwrap *u, const struct json_span *body)
{
	struct slice text = { body->text.data + 1, body->text.length - 2 };
	struct str decoded;
	int rc;

	str_init(&decoded);
	if (memchr(text.data, '\\', text.length) != NULL) { /* "\/" it is */
		json_span_text(body, &decoded);
		text = (struct slice){ decoded.data, decoded.length };
	}
	rc = base64_decode(text.data, text.length, &u->out->body);
	str_fini(&decoded);
	if (rc != 0)
		return error_set(u->err, ERROR_CONFIG,
			"isBase64Encoded is true, but body is no Base64");
	return 0;
}

static int
body_read(struct unwrap *u, enum aws_event_shape shape)
{
	const struct json_span *body = &u->parts.body;
	const struct json_span *base64 = &u->parts.base64;
	bool coded;

	if (is_there(base64) && base64->type != DOC_BOOL)
		return wrong_type(
			u, "isBase64Encoded", base64, "true or false");
	coded = is_there(base64) && base64->text.data[0] == 't';
	if (!is_there(body))
		return 0;
	if (body->type != DOC_STRING &&
		(coded || shape != AWS_EVENT_API_GATEWAY_V2))
		return wrong_type(u, "body", body, "a string");
	if (coded)
		return body_decode(u, body);
	json_span_text(body, &u->out->body);
	return 0;
}

static const char *
default_type(enum aws_event_shape shape)
{
	switch (shape) {
	case AWS_EVENT_ALB:
		return "application/octet-stream";
	case AWS_EVENT_API_GATEWAY_V2:
		return "text/plain; charset=utf-8";
	default:
		return "application/json";
	}
}

/* These have no content (RFC 9110 15.3.5, 15.3.6, 15.4.5). */
static bool
status_has_body(unsigned status)
{
	return status != 204 && status != 205 && status != 304;
}

/* ---- all of it */

static int
answer_read(struct unwrap *u, enum aws_event_shape shape,
	const struct json_span *whole)
{
	bool anything = shape == AWS_EVENT_API_GATEWAY_V2;

	if (whole->type != DOC_MAP && !anything)
		return error_set(u->err, ERROR_CONFIG,
			"it is %s, not a map with a statusCode",
			type_name(whole));
	if (parts_read(&u->parts, whole, u->err) != 0)
		return -1;
	if (!is_there(&u->parts.status)) {
		if (!anything)
			return error_set(
				u->err, ERROR_CONFIG, "it has no statusCode");
		u->out->status = 200;
		json_span_text(whole, &u->out->body);
		type_add(u->out, "application/json");
		return 0;
	}
	if (status_read(u, shape) != 0 || fields_read(u) != 0 ||
		body_read(u, shape) != 0)
		return -1;
	if (!status_has_body(u->out->status))
		str_clear(&u->out->body);
	if (u->out->body.length > 0)
		type_add(u->out, default_type(shape));
	return 0;
}

static int
head_read(struct unwrap *u, const struct json_span *whole)
{
	if (whole->type != DOC_MAP)
		return error_set(u->err, ERROR_CONFIG, "it is %s, not a map",
			type_name(whole));
	if (parts_read(&u->parts, whole, u->err) != 0)
		return -1;
	u->out->status = 200;
	if (is_there(&u->parts.status) &&
		status_read(u, AWS_EVENT_API_GATEWAY_V2) != 0)
		return -1;
	if (fields_read(u) != 0)
		return -1;
	if (status_has_body(u->out->status))
		type_add(u->out, "application/octet-stream");
	return 0;
}

static int
whole_read(struct slice answer, struct json_span *whole, struct error *err)
{
	if (json_span_read(answer, whole, err) != 0)
		return error_prefix(err, "it is no JSON");
	return 0;
}

static void
unwrap_init(struct unwrap *u, struct aws_event_answer *out, struct error *err)
{
	*out = (struct aws_event_answer){ 0 };
	str_init(&out->body);
	*u = (struct unwrap){ .out = out, .err = err };
	str_init(&u->name);
	str_init(&u->value);
	str_init(&u->connection);
}

/* what: "the function's answer"; the reason may quote it. */
static int
unwrap_fini(struct unwrap *u, int rc, const char *what)
{
	str_fini(&u->name);
	str_fini(&u->value);
	str_fini(&u->connection);
	if (rc == 0)
		return 0;
	aws_event_answer_fini(u->out);
	if (u->err != NULL)
		text_defuse(u->err->text);
	return error_prefix(u->err, "%s", what);
}

int
aws_event_unwrap(enum aws_event_shape shape, struct slice answer,
	struct aws_event_answer *out, struct error *err)
{
	struct json_span whole;
	struct unwrap u;
	int rc = 0;

	unwrap_init(&u, out, err);
	if (shape == AWS_EVENT_RAW) {
		out->status = 200;
		str_append(&out->body, answer.data, answer.length);
	} else {
		rc = whole_read(answer, &whole, err);
		if (rc == 0)
			rc = answer_read(&u, shape, &whole);
	}
	return unwrap_fini(&u, rc, "the function's answer");
}

int
aws_event_unwrap_head(
	struct slice json, struct aws_event_answer *out, struct error *err)
{
	struct json_span whole;
	struct unwrap u;
	int rc;

	unwrap_init(&u, out, err);
	rc = whole_read(json, &whole, err);
	if (rc == 0)
		rc = head_read(&u, &whole);
	return unwrap_fini(&u, rc, "the head of the function's stream");
}

void
aws_event_answer_fini(struct aws_event_answer *a)
{
	for (size_t i = 0; i < a->field_count; i++)
		free((char *)a->fields[i].name.data);
	free(a->fields);
	str_fini(&a->body);
	*a = (struct aws_event_answer){ 0 };
	str_init(&a->body);
}
