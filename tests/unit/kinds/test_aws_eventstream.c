/*
 * Tests userspace/kinds/aws/eventstream.c and crc32.c: frames in any chunking,
 * what is wrong in them, and how much memory they take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "aws_frames.h"
#include "aws_judged.h"
#include "base/mem.h"
#include "kinds/aws/eventstream.h"

#define STREAM "the function's stream: "

static unsigned long long seed;

static unsigned
roll(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

/* ---- reading, as text: "P(abc)C({})X(Type|{})!reason" */

struct reading {
	struct eventstream *s;
	struct str told;
	enum eventstream_event last;
};

static void
reading_init(struct reading *r)
{
	r->s = eventstream_new();
	r->last = EVENTSTREAM_MORE;
	str_init(&r->told);
}

static void
reading_fini(struct reading *r)
{
	eventstream_free(r->s);
	str_fini(&r->told);
}

static void
tell(struct reading *r, char kind, struct slice exception, struct slice payload)
{
	str_putc(&r->told, kind);
	str_putc(&r->told, '(');
	str_append(&r->told, exception.data, exception.length);
	if (kind == 'X')
		str_putc(&r->told, '|');
	str_append(&r->told, payload.data, payload.length);
	str_putc(&r->told, ')');
}

/* One call; the bytes at in are gone afterwards. */
static size_t
reading_step(struct reading *r, struct slice in)
{
	char *copy = xmemdup(in.data, in.length);
	struct slice payload, exception;
	struct error err = ERROR_INIT;
	size_t used;

	r->last = eventstream_read(r->s, (struct slice){ copy, in.length },
		&used, &payload, &exception, &err);
	assert_in_range(used, 0, in.length);
	assert_int_equal(r->last == EVENTSTREAM_BAD, err.code != ERROR_NONE);
	switch (r->last) {
	case EVENTSTREAM_MORE:
		assert_int_equal(used, in.length);
		assert_null(payload.data);
		break;
	case EVENTSTREAM_PAYLOAD:
		tell(r, 'P', (struct slice){ "", 0 }, payload);
		break;
	case EVENTSTREAM_COMPLETE:
		tell(r, 'C', (struct slice){ "", 0 }, payload);
		break;
	case EVENTSTREAM_EXCEPTION:
		tell(r, 'X', exception, payload);
		break;
	case EVENTSTREAM_BAD:
		str_putc(&r->told, '!');
		str_puts(&r->told, err.text);
		break;
	}
	free(copy);
	return used;
}

/* All of in, a chunk after the other: step bytes, 0: of random length. */
static void
reading_feed(struct reading *r, struct slice in, size_t step)
{
	while (in.length > 0 && r->last != EVENTSTREAM_BAD) {
		size_t size = step > 0 ? step : 1 + roll(roll(4) ? 9 : 700);
		struct slice chunk = { in.data,
			size < in.length ? size : in.length };

		in.data += chunk.length;
		in.length -= chunk.length;
		do {
			size_t used = reading_step(r, chunk);

			chunk.data += used;
			chunk.length -= used;
		} while (r->last != EVENTSTREAM_BAD &&
			 (chunk.length > 0 || r->last != EVENTSTREAM_MORE));
	}
}

static char *
outcome(struct slice in, size_t step)
{
	struct reading r;

	reading_init(&r);
	reading_feed(&r, in, step);
	if (r.last != EVENTSTREAM_BAD && !eventstream_is_between(r.s))
		str_puts(&r.told, "...");
	eventstream_free(r.s);
	return str_steal(&r.told);
}

static void
check(const struct str *in, const char *want)
{
	static const size_t steps[] = { 1 << 20, 1, 2, 3, 7, 12, 13, 16, 100 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		char *got = outcome(
			(struct slice){ in->data, in->length }, steps[i]);

		assert_string_equal(got, want);
		free(got);
	}
}

/* ---- tests */

static void
test_crc(void **state)
{
	(void)state;
	/* The check value of the CRC catalogue, and a byte at a time. */
	assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(
		crc32_add(crc32_add(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32_add(0, "", 0), 0);
	for (unsigned byte = 0; byte < 256; byte++) {
		unsigned char in = (unsigned char)byte;
		uint32_t crc = ~(uint32_t)0 ^ byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
		assert_int_equal(crc32_add(0, &in, 1), (uint32_t)~crc);
	}
}

/* The frames that AWS's own libraries test themselves with: no header, no
 * payload; and a payload alone. (aws-c-event-stream, message tests.) */
static void
test_known_bytes(void **state)
{
	static const unsigned char empty[] = { 0, 0, 0, 0x10, 0, 0, 0, 0, 0x05,
		0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff };
	struct str made;

	(void)state;
	str_init(&made);
	frame_put(&made, (struct slice){ "", 0 }, (struct slice){ "", 0 });
	assert_int_equal(made.length, sizeof(empty));
	assert_memory_equal(made.data, empty, sizeof(empty));
	check(&made, "!" STREAM "a frame of no known type of message");
	str_fini(&made);
}

static void
test_events(void **state)
{
	struct str in;

	(void)state;
	str_init(&in);
	check(&in, "");
	frame_put_event(&in, "PayloadChunk", slice_of("hello "));
	frame_put_event(&in, "PayloadChunk", slice_of(""));
	frame_put_event(&in, "SomethingNew", slice_of("ignored"));
	frame_put_event(&in, "PayloadChunk", slice_of("world"));
	frame_put_event(&in, "InvokeComplete", slice_of("{\"a\":1}"));
	check(&in, "P(hello )P()P(world)C({\"a\":1})");
	str_fini(&in);
}

static void
test_exceptions(void **state)
{
	struct str in;

	(void)state;
	str_init(&in);
	frame_put_event(&in, "PayloadChunk", slice_of("part"));
	frame_put_message(&in, "exception", ":exception-type",
		"InternalFailure", slice_of("{\"message\":\"x\"}"));
	frame_put_message(
		&in, "error", ":error-code", "InternalError", slice_of(""));
	frame_put_message(&in, "exception", NULL, NULL, slice_of("y"));
	check(&in, "P(part)X(InternalFailure|{\"message\":\"x\"})"
		   "X(InternalError|)X(|y)");
	str_fini(&in);
}

/* Headers of every type stand around those that count. */
static void
test_types_of_values(void **state)
{
	static const struct slice others[] = {
		{ "\1a\0", 3 },
		{ "\1b\1", 3 },
		{ "\1c\2x", 4 },
		{ "\1d\3xx", 5 },
		{ "\1e\4xxxx", 7 },
		{ "\1f\5xxxxxxxx", 11 },
		{ "\1g\6\0\3xxx", 8 },
		{ "\1h\7\0\0", 5 },
		{ "\1i\10xxxxxxxx", 11 },
		{ "\1j\11xxxxxxxxxxxxxxxx", 19 },
	};
	struct str in, headers;

	(void)state;
	str_init(&in);
	str_init(&headers);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		str_append(&headers, others[i].data, others[i].length);
	frame_string(&headers, ":message-type", slice_of("event"));
	frame_string(&headers, ":event-type", slice_of("PayloadChunk"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		str_append(&headers, others[i].data, others[i].length);
	frame_put(&in, (struct slice){ headers.data, headers.length },
		slice_of("x"));
	check(&in, "P(x)");
	str_fini(&headers);
	str_fini(&in);
}

static void
test_wrong_headers(void **state)
{
#define EVENT "\15:message-type\7\0\5event"
	static const struct {
		struct slice headers;
		const char *why;
	} rows[] = {
		{ { "\0\7\0\0", 4 }, "a header that is not whole" },
		{ { "\5ab", 3 }, "a header that is not whole" },
		{ { "\2ab", 3 }, "a header that is not whole" },
		{ { "\1", 1 }, "a header that is not whole" },
		{ { "\1a\12", 3 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\1a\377", 3 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\1a\7", 3 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\1a\7\0", 4 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\1a\7\0\2x", 6 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\1a\7\377\377x", 6 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\1a\11xxx", 6 },
			"a header whose value is not whole or of no known "
			"type" },
		{ { "\15:message-type\6\0\5event", 22 },
			"a header that comes twice or is no string" },
		{ { EVENT EVENT, 44 },
			"a header that comes twice or is no string" },
		{ { "\15:message-type\7\0\0", 17 },
			"a frame of no known type of message" },
		{ { "\13:event-type\7\0\14PayloadChunk", 27 },
			"a frame of no known type of message" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str in, want;

		str_init(&in);
		str_init(&want);
		frame_put(&in, rows[i].headers, slice_of("x"));
		str_printf(&want, "!" STREAM "%s", rows[i].why);
		check(&in, want.data);
		str_fini(&want);
		str_fini(&in);
	}
}

/* The lengths are looked at as soon as they are there: 12 bytes. */
static void
test_wrong_lengths(void **state)
{
	static const struct {
		uint32_t length, headers;
		const char *why;
	} rows[] = {
		{ 0, 0, "a frame of less than 16 bytes or more than 24 MiB" },
		{ 15, 0, "a frame of less than 16 bytes or more than 24 MiB" },
		{ EVENTSTREAM_FRAME_MAX + 1, 0,
			"a frame of less than 16 bytes or more than 24 MiB" },
		{ 0xffffffff, 0,
			"a frame of less than 16 bytes or more than 24 MiB" },
		{ 16, 1,
			"headers that are longer than their frame or than "
			"128 KiB" },
		{ 100, 0xffffffff,
			"headers that are longer than their frame or than "
			"128 KiB" },
		{ 1 << 20, (128 << 10) + 1,
			"headers that are longer than their frame or than "
			"128 KiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str in, want;

		str_init(&in);
		str_init(&want);
		frame_number(&in, rows[i].length);
		frame_number(&in, rows[i].headers);
		frame_number(&in, crc32_add(0, in.data, 8));
		str_printf(&want, "!" STREAM "%s", rows[i].why);
		check(&in, want.data);
		in.data[9] ^= 1;
		check(&in, "!" STREAM "a frame's lengths do not match their "
			   "CRC");
		str_fini(&want);
		str_fini(&in);
	}
}

/* A bit that changed is found wherever it is, and nothing of its frame or of
 * what follows is told. */
static void
test_every_bit_counts(void **state)
{
	struct str in;

	(void)state;
	str_init(&in);
	frame_put_event(&in, "PayloadChunk", slice_of("first"));
	frame_put_event(&in, "InvokeComplete", slice_of("{}"));
	for (size_t bit = 0; bit < 8 * in.length; bit++) {
		struct reading r;

		in.data[bit / 8] = (char)(in.data[bit / 8] ^ 1 << bit % 8);
		reading_init(&r);
		reading_feed(
			&r, (struct slice){ in.data, in.length }, 1 + bit % 50);
		assert_int_equal(r.last, EVENTSTREAM_BAD);
		assert_false(eventstream_is_between(r.s));
		assert_null(strstr(r.told.data, "C("));
		/* Nothing more is decoded. */
		reading_step(&r, (struct slice){ in.data, in.length });
		assert_int_equal(r.last, EVENTSTREAM_BAD);
		reading_fini(&r);
		in.data[bit / 8] = (char)(in.data[bit / 8] ^ 1 << bit % 8);
	}
	check(&in, "P(first)C({})");
	str_fini(&in);
}

/* Cut anywhere: what is whole is told, and it is known that there was more. */
static void
test_every_cut(void **state)
{
	struct str in;
	size_t first;

	(void)state;
	str_init(&in);
	frame_put_event(&in, "PayloadChunk", slice_of("first"));
	first = in.length;
	frame_put_event(&in, "InvokeComplete", slice_of("{}"));
	for (size_t cut = 0; cut <= in.length; cut++) {
		struct str part;

		str_init(&part);
		str_append(&part, in.data, cut);
		check(&part, cut == 0          ? ""
			     : cut < first     ? "..."
			     : cut == first    ? "P(first)"
			     : cut < in.length ? "P(first)..."
					       : "P(first)C({})");
		str_fini(&part);
	}
	str_fini(&in);
}

static void
random_stream(struct str *in)
{
	static const char *const events[] = { "PayloadChunk", "PayloadChunk",
		"InvokeComplete", "Unknown" };
	static char payload[3000];

	for (unsigned count = roll(8); count > 0; count--) {
		struct slice bytes = { payload,
			roll(roll(2) ? 20 : sizeof(payload)) };

		for (size_t i = 0; i < bytes.length; i++)
			payload[i] = (char)('a' + roll(26));
		if (roll(9) == 0)
			frame_put_message(
				in, "exception", ":exception-type", "T", bytes);
		else
			frame_put_event(in, events[roll(4)], bytes);
	}
	for (unsigned wrong = roll(3) == 0; in->length > 0 && wrong > 0;
		wrong--)
		in->data[roll((unsigned)in->length)] ^= 4;
	if (roll(4) == 0 && in->length > 0) {
		in->length = roll((unsigned)in->length);
		in->data[in->length] = '\0';
	}
}

static void
test_any_chunking(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (unsigned long long i = 0; i < 2000; i++) {
		struct str in;
		char *whole, *cut;

		seed = i;
		str_init(&in);
		random_stream(&in);
		whole = outcome((struct slice){ in.data, in.length }, 1 << 20);
		for (int k = 0; k < 4; k++) {
			cut = outcome((struct slice){ in.data, in.length }, 0);
			assert_string_equal(cut, whole);
			free(cut);
		}
		bad += strchr(whole, '!') != NULL;
		free(whole);
		str_fini(&in);
	}
	assert_in_range(bad, 200, 1500);
}

/* A stream that the SDK's codec wrote, with headers of every type. */
static void
test_stream_of_the_sdk(void **state)
{
	static const char want[] =
		"P({\"statusCode\":200,\"headers\":{\"Content-Type\":"
		"\"text/html\"}})P(\0\0\0\0\0\0\0\0<p>)P(Gr\xc3\xbc\xc3\x9f"
		"e)C({\"LogResult\":\"\"})X(InternalFailure|{})";
	static const size_t steps[] = { 1 << 20, 1, 5, 64 };
	struct doc *d = judged();
	struct str in;

	(void)state;
	str_init(&in);
	judged_bytes(d, "stream", &in);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct reading r;

		reading_init(&r);
		reading_feed(
			&r, (struct slice){ in.data, in.length }, steps[i]);
		assert_true(eventstream_is_between(r.s));
		assert_int_equal(r.told.length, sizeof(want) - 1);
		assert_memory_equal(r.told.data, want, sizeof(want) - 1);
		reading_fini(&r);
	}
	str_fini(&in);
	doc_free(d);
}

/* ---- large frames */

#define LARGE (EVENTSTREAM_WHOLE_MAX + 1)

static void
large_put(struct str *in, const char *event, size_t size, char byte)
{
	char *bytes = xmalloc(size);

	memset(bytes, byte, size);
	frame_put_event(in, event, (struct slice){ bytes, size });
	free(bytes);
}

/* As outcome, but that it does not matter in how many pieces it comes. */
static char *
outcome_joined(struct slice in, size_t step)
{
	char *text = outcome(in, step), *to = text;

	for (const char *p = text; *p != '\0';) {
		if (strncmp(p, ")P(", 3) == 0)
			p += 3;
		else
			*to++ = *p++;
	}
	*to = '\0';
	return text;
}

static void
check_large(const struct str *in, const char *want)
{
	static const size_t steps[] = { 1 << 20, 1, 3, 12, 13, 4096, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		char *got = outcome_joined(
			(struct slice){ in->data, in->length }, steps[i]);

		assert_string_equal(got, want);
		free(got);
	}
}

static void
test_large(void **state)
{
	struct str in, want;

	(void)state;
	str_init(&in);
	str_init(&want);
	frame_put_event(&in, "PayloadChunk", slice_of("first "));
	large_put(&in, "PayloadChunk", LARGE, 'x');
	/* Nobody asked for it. */
	large_put(&in, "SomethingNew", LARGE, 'y');
	large_put(&in, "PayloadChunk", EVENTSTREAM_WHOLE_MAX, 'z');
	frame_put_event(&in, "PayloadChunk", slice_of(" last"));
	frame_put_event(&in, "InvokeComplete", slice_of("{}"));
	str_puts(&want, "P(first ");
	for (size_t i = 0; i < LARGE; i++)
		str_putc(&want, 'x');
	for (size_t i = 0; i < EVENTSTREAM_WHOLE_MAX; i++)
		str_putc(&want, 'z');
	str_puts(&want, " last)C({})");
	check_large(&in, want.data);
	str_fini(&want);
	str_fini(&in);
}

/* The largest frame there may be: each piece is given when it is there, out of
 * the bytes it came in. */
static void
test_large_as_it_comes(void **state)
{
	struct eventstream *s = eventstream_new();
	struct slice payload, exception;
	size_t at = 0, used, pieces = 0;
	struct str in;

	(void)state;
	str_init(&in);
	large_put(&in, "PayloadChunk", EVENTSTREAM_FRAME_MAX - 1000, 'x');
	assert_in_range(in.length, EVENTSTREAM_FRAME_MAX - 1000,
		EVENTSTREAM_FRAME_MAX);
	for (; at < in.length; at += used) {
		size_t left = in.length - at;
		struct slice chunk = { in.data + at,
			left < 65536 ? left : 65536 };

		if (eventstream_read(s, chunk, &used, &payload, &exception,
			    NULL) != EVENTSTREAM_PAYLOAD)
			break;
		assert_false(eventstream_is_between(s));
		assert_in_range((uintptr_t)payload.data, (uintptr_t)chunk.data,
			(uintptr_t)(chunk.data + chunk.length));
		for (size_t i = 0; i < payload.length; i++)
			assert_int_equal(payload.data[i], 'x');
		pieces += payload.length;
	}
	assert_int_equal(pieces, EVENTSTREAM_FRAME_MAX - 1000);
	assert_int_equal(used, 4);
	assert_true(eventstream_is_between(s));
	eventstream_free(s);
	eventstream_free(NULL);
	str_fini(&in);
}

/* A bit that changed: what came of its frame is out, and never an end. */
static void
test_large_corrupted(void **state)
{
	size_t headers;
	struct str in;

	(void)state;
	str_init(&in);
	frame_put_event(&in, "PayloadChunk", slice_of(""));
	headers = in.length - 4;
	str_clear(&in);
	large_put(&in, "PayloadChunk", LARGE, 'x');
	frame_put_event(&in, "InvokeComplete", slice_of("{}"));
	for (size_t bit = 0; bit < 8 * (headers + LARGE + 4); bit++) {
		bool of_payload =
			bit / 8 >= headers && bit / 8 < headers + LARGE;
		struct reading r;

		if (of_payload && bit % 29989 != 0)
			continue;
		in.data[bit / 8] = (char)(in.data[bit / 8] ^ 1 << bit % 8);
		reading_init(&r);
		reading_feed(&r, (struct slice){ in.data, in.length },
			1000 + bit % 50);
		assert_int_equal(r.last, EVENTSTREAM_BAD);
		assert_false(eventstream_is_between(r.s));
		assert_null(strstr(r.told.data, "C("));
		if (bit / 8 >= headers)
			assert_non_null(strstr(r.told.data,
				")!" STREAM "a frame does not match its CRC"));
		reading_fini(&r);
		in.data[bit / 8] = (char)(in.data[bit / 8] ^ 1 << bit % 8);
	}
	str_fini(&in);
}

static void
test_large_cut(void **state)
{
	size_t length;
	struct str in;

	(void)state;
	str_init(&in);
	large_put(&in, "PayloadChunk", LARGE, 'x');
	length = in.length;
	for (size_t cut = 1; cut <= length; cut++) {
		struct reading r;

		if (cut > 200 && cut + 10 < length && cut % 997 != 0)
			continue;
		reading_init(&r);
		reading_feed(&r, (struct slice){ in.data, cut }, 30000);
		assert_int_not_equal(r.last, EVENTSTREAM_BAD);
		assert_int_equal(eventstream_is_between(r.s), cut == length);
		reading_fini(&r);
	}
	str_fini(&in);
}

/* What has to be read whole is not, if it is that large. */
static void
test_large_end(void **state)
{
	static const char why[] =
		"!" STREAM "its end, or why it has none, is said in more than "
		"64 KiB";
	char *bytes = xcalloc(1, LARGE);
	struct str in;

	(void)state;
	str_init(&in);
	large_put(&in, "InvokeComplete", LARGE, ' ');
	check_large(&in, why);
	str_clear(&in);
	frame_put_message(&in, "exception", ":exception-type", "T",
		(struct slice){ bytes, LARGE });
	check_large(&in, why);
	str_clear(&in);
	frame_put(&in, (struct slice){ "", 0 }, (struct slice){ bytes, LARGE });
	check_large(&in, "!" STREAM "a frame of no known type of message");
	str_clear(&in);
	frame_put(&in, (struct slice){ "\5ab", 3 },
		(struct slice){ bytes, LARGE });
	check_large(&in, "!" STREAM "a header that is not whole");
	str_fini(&in);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_types_of_values),
		cmocka_unit_test(test_wrong_headers),
		cmocka_unit_test(test_wrong_lengths),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_any_chunking),
		cmocka_unit_test(test_stream_of_the_sdk),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_large_as_it_comes),
		cmocka_unit_test(test_large_corrupted),
		cmocka_unit_test(test_large_cut),
		cmocka_unit_test(test_large_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
