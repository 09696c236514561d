/*
 * Requests as events of each shape: always JSON in which no key comes twice,
 * and the body comes through. The bytes are cut at NUL into path, query, host,
 * content type, names and values of fields, and the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/json_span.h"
#include "http/head.h"
#include "kinds/aws/event.h"

#define FIELDS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static struct slice
next(struct slice *in)
{
	const char *nul =
		in->length == 0 ? NULL : memchr(in->data, '\0', in->length);
	struct slice part = { in->data,
		nul == NULL ? in->length : (size_t)(nul - in->data) };

	in->data += part.length + (nul != NULL);
	in->length -= part.length + (nul != NULL);
	return part;
}

static void
check_body(const struct json_span *event, struct slice body)
{
	struct json_span key, value, text = { 0 };
	struct json_span_walk walk;
	struct str got, plain;
	bool coded = false;

	json_span_walk(&walk, event);
	while (json_span_next(&walk, &key, &value)) {
		if (json_span_equal(&key, "body"))
			text = value;
		if (json_span_equal(&key, "isBase64Encoded"))
			coded = value.text.data[0] == 't';
	}
	str_init(&got);
	str_init(&plain);
	if (text.text.data != NULL && text.type == DOC_STRING)
		json_span_text(&text, &got);
	if (coded)
		expect(base64_decode(got.data, got.length, &plain) == 0);
	else
		str_append(&plain, got.data, got.length);
	expect(slice_equal((struct slice){ plain.data, plain.length }, body));
	str_fini(&got);
	str_fini(&plain);
}

static void
check_event(enum aws_event_shape shape, const struct call_request *r,
	const struct aws_event_context *context)
{
	struct json_span event;
	struct error err = ERROR_INIT;
	struct str out;
	struct doc *d;

	str_init(&out);
	json_quote(&out, r->body.data, r->body.length);
	expect(out.length == json_quoted_length(r->body.data, r->body.length));
	str_clear(&out);
	aws_event_wrap(shape, r, context, &out);
	expect(json_span_read((struct slice){ out.data, out.length }, &event,
		       NULL) == 0);
	expect(event.type == DOC_MAP);
	check_body(&event, r->body);
	/* The other reader takes no U+0000, which is allowed. */
	d = json_doc_read(out.data, out.length, &err);
	expect(d != NULL || strstr(out.data, "\\u0000") != NULL);
	doc_free(d);
	str_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data + 1, size - 1 };
	struct call_field fields[FIELDS_MAX + 1];
	struct call_request r = { .method = slice_of("POST"),
		.fields = fields,
		.field_count = 1,
		.request_id = "id" };
	struct aws_event_context context = {
		.function_arn = "arn:aws:lambda:us-east-1:1:function:f"
	};
	unsigned count;

	if (size == 0)
		return 0;
	r.path = next(&in);
	r.query = next(&in);
	r.host = next(&in);
	r.tls = data[0] & 1;
	r.now_ms = (uint64_t)data[0] << 34;
	context.multi_value_headers = data[0] & 2;
	context.stage = data[0] & 4 ? "prod" : NULL;
	fields[0] = (struct call_field){ slice_of("content-type"), next(&in) };
	for (count = data[0] >> 3; count > 0; count--) {
		struct call_field f = { next(&in), next(&in) };

		/* Names were checked by the parser. */
		if (http_is_token(f.name))
			fields[r.field_count++] = f;
	}
	r.body = in;
	for (int shape = AWS_EVENT_GLOO; shape <= AWS_EVENT_API_GATEWAY_V2;
		shape++)
		check_event((enum aws_event_shape)shape, &r, &context);
	return 0;
}
