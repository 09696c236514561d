/*
 * Requests, heads and bodies, one behind the other: whole and cut after every
 * byte (feed.h: what is long, less often) the same heads, bodies and verdict.
 * What is taken is clean enough that, written out again without the hop-by-hop
 * fields, it is taken again.
 */
#include <stdint.h>

#include "http/head.h"
#include "http/target.h"
#include "http/write.h"
#include "tests/unit/http/feed_connection.h"

#define SIZE_MAX_FED (16 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
forward(const struct http_head *h)
{
	static char scratch[SIZE_MAX_FED], out[4 * SIZE_MAX_FED];
	static struct http_head again;
	struct http_target target;
	struct http_write w;
	enum http_refusal why;
	size_t skipped;

	if (!http_target_normalise(h->target, scratch, &target))
		return;
	http_write_init(&w, out, sizeof(out));
	http_write_request_line(&w, h->method_text, target.path, target.query);
	http_write_field(&w, slice_of("host"),
		h->authority.length ? h->authority : slice_of("a"));
	for (unsigned i = 0; i < h->field_count; i++)
		if (!h->fields[i].hop_by_hop &&
			h->fields[i].id != HTTP_FIELD_HOST)
			http_write_field(&w, http_field_name(h, &h->fields[i]),
				http_field_value(h, &h->fields[i]));
	http_write_end(&w);
	if (!http_write_ok(&w))
		abort();
	if (http_request_parse(out, w.length, 0,
		    &(struct http_limits){ SIZE_MAX_FED, sizeof(out), 128 },
		    &again, &skipped, &why) != HTTP_PARSE_DONE ||
		again.length != w.length || again.framing != HTTP_BODY_NONE ||
		again.upgrade)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_limits small = {
		.target_bytes = 40, .head_bytes = 300, .fields = 5
	};
	struct feed_parser parser = { .limits = &http_limits_default };
	const char *bytes = (const char *)data;
	static struct feed got;

	if (size > SIZE_MAX_FED)
		size = SIZE_MAX_FED;
	if (!feed_connection(&parser, bytes, size).sound)
		abort();
	feed_once(&parser, guard_put(bytes, size), size, 0, &got);
	if (got.verdict == HTTP_PARSE_DONE) {
		if (got.head.framing == HTTP_BODY_CLOSE ||
			(got.head.authority.length &&
				!http_authority_valid(got.head.authority)))
			abort();
		forward(&got.head);
	}
	parser.limits = &small;
	if (!feed_connection(&parser, bytes, size).sound)
		abort();
	return 0;
}
