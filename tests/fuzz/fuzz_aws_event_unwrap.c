/*
 * Answers of functions: each shape gives an answer that is one message of HTTP,
 * or a reason of one line. The same bytes are the head of a stream, and
 * wherever that is cut the same comes of it. The first byte chooses the shape.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"
#include "http/write.h"
#include "kinds/aws/event.h"
#include "kinds/aws/eventstream.h"
#include "kinds/aws/eventstream_prelude.h"

#define HEAD_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* What the proxy makes of it, and reads again. */
static void
check_message(const struct aws_event_answer *a)
{
	static const struct http_limits limits = {
		.target_bytes = 8 << 10, .head_bytes = HEAD_MAX, .fields = 128
	};
	static char out[HEAD_MAX];
	struct http_write w;
	struct http_head head;
	enum http_refusal why;

	expect(a->status >= 200 && a->status <= 599);
	expect(a->field_count <= CALL_FIELDS_MAX);
	http_write_init(&w, out, sizeof(out));
	http_write_status_line(&w, a->status);
	for (size_t i = 0; i < a->field_count; i++)
		http_write_field(&w, a->fields[i].name, a->fields[i].value);
	http_write_end(&w);
	expect(http_write_ok(&w));
	if (a->field_count > limits.fields)
		return;
	expect(http_response_parse(w.out, w.length, 0, HTTP_GET, &limits, &head,
		       &why) == HTTP_PARSE_DONE);
	expect(head.field_count == a->field_count && !head.upgrade);
	for (size_t i = 0; i < head.field_count; i++) {
		expect(slice_equal(http_field_name(&head, &head.fields[i]),
			a->fields[i].name));
		expect(slice_equal(http_field_value(&head, &head.fields[i]),
			a->fields[i].value));
		expect(!head.fields[i].hop_by_hop ||
			memchr(a->fields[i].name.data, '_',
				a->fields[i].name.length) != NULL);
	}
}

static void
check_reason(const struct error *err)
{
	expect(err->code == ERROR_CONFIG && err->text[0] != '\0');
	for (const char *p = err->text; *p != '\0'; p++)
		expect((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void
whole(enum aws_event_shape shape, struct slice in)
{
	struct error err = ERROR_INIT;
	struct aws_event_answer a;

	if (aws_event_unwrap(shape, in, &a, &err) != 0) {
		check_reason(&err);
		return;
	}
	expect(err.code == ERROR_NONE);
	check_message(&a);
	/* Decoding makes nothing longer. */
	expect(a.body.length <= in.length);
	aws_event_answer_fini(&a);
}

/* All that came of it, as text. */
static void
stream(struct slice in, size_t step, struct str *out)
{
	enum eventstream_prelude_step last = EVENTSTREAM_PRELUDE_MORE;
	struct eventstream_prelude p;
	struct aws_event_answer head;
	struct error err = ERROR_INIT;
	size_t at = 0, used;

	eventstream_prelude_init(&p);
	while (last == EVENTSTREAM_PRELUDE_MORE && at < in.length) {
		size_t left = in.length - at;
		struct slice chunk = { in.data + at,
			left < step ? left : step };

		last = eventstream_prelude_read(&p, chunk, &used, &head, &err);
		expect(used <= chunk.length);
		expect(last != EVENTSTREAM_PRELUDE_MORE ||
			used == chunk.length);
		at += used;
	}
	expect(p.json.length <= EVENTSTREAM_PRELUDE_MAX);
	eventstream_prelude_fini(&p);
	str_printf(out, "%d %s ", (int)last, err.text);
	if (last == EVENTSTREAM_PRELUDE_BAD)
		check_reason(&err);
	if (last != EVENTSTREAM_PRELUDE_DONE)
		return;
	check_message(&head);
	expect(head.body.length == 0);
	str_printf(out, "%zu %d", at, head.status);
	for (size_t i = 0; i < head.field_count; i++) {
		str_append(out, head.fields[i].name.data,
			head.fields[i].name.length);
		str_append(out, head.fields[i].value.data,
			head.fields[i].value.length);
	}
	aws_event_answer_fini(&head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 3, 8, 100 };
	struct slice in = { (const char *)data + 1, size - 1 };
	struct str once, cut;

	if (size == 0)
		return 0;
	whole((enum aws_event_shape)(data[0] % 5), in);
	str_init(&once);
	str_init(&cut);
	stream(in, size, &once);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		str_clear(&cut);
		stream(in, steps[i], &cut);
		expect(once.length == cut.length &&
			memcmp(once.data, cut.data, cut.length) == 0);
	}
	str_fini(&once);
	str_fini(&cut);
	return 0;
}
