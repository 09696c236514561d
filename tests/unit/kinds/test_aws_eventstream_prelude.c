/*
 * Tests userspace/kinds/aws/eventstream_prelude.c: where the head of a streamed
 * answer ends, however it is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/eventstream.h"
#include "kinds/aws/eventstream_prelude.h"

#define NULS "\0\0\0\0\0\0\0\0"
#define HEAD "the head of the function's stream: "

/* "201 A=b;|body", "more", or the reason. Caller frees. */
static char *
outcome(struct slice in, size_t step)
{
	enum eventstream_prelude_step last = EVENTSTREAM_PRELUDE_MORE;
	struct eventstream_prelude p;
	struct aws_event_answer head;
	struct error err = ERROR_INIT;
	struct str out;
	size_t at = 0, used;

	str_init(&out);
	eventstream_prelude_init(&p);
	while (last == EVENTSTREAM_PRELUDE_MORE && at < in.length) {
		size_t left = in.length - at, size = left < step ? left : step;
		char *copy = xmemdup(in.data + at, size);

		last = eventstream_prelude_read(
			&p, (struct slice){ copy, size }, &used, &head, &err);
		free(copy);
		assert_in_range(used, 0, size);
		if (last == EVENTSTREAM_PRELUDE_MORE)
			assert_int_equal(used, size);
		at += used;
	}
	assert_in_range(p.json.length, 0, EVENTSTREAM_PRELUDE_MAX - 8);
	eventstream_prelude_fini(&p);
	if (last == EVENTSTREAM_PRELUDE_MORE)
		str_puts(&out, "more");
	if (last == EVENTSTREAM_PRELUDE_BAD)
		str_puts(&out, err.text);
	if (last != EVENTSTREAM_PRELUDE_DONE)
		return str_steal(&out);
	str_printf(&out, "%d ", head.status);
	for (size_t i = 0; i < head.field_count; i++)
		str_printf(&out, "%.*s=%.*s;", (int)head.fields[i].name.length,
			head.fields[i].name.data,
			(int)head.fields[i].value.length,
			head.fields[i].value.data);
	assert_int_equal(head.body.length, 0);
	aws_event_answer_fini(&head);
	str_putc(&out, '|');
	for (; at < in.length; at++)
		str_putc(&out, in.data[at] == '\0' ? '0' : in.data[at]);
	return str_steal(&out);
}

static void
check(struct slice in, const char *want)
{
	for (size_t step = 1; step <= in.length + 1; step++) {
		char *got = outcome(in, step);

		assert_string_equal(got, want);
		free(got);
	}
}

#define CHECK(text, want) check((struct slice){ text, sizeof(text) - 1 }, want)

static void
test_heads(void **state)
{
	(void)state;
	CHECK("{\"statusCode\":201,\"headers\":{\"Content-Type\":\"a/b\","
	      "\"X\":\"\\u0031\"},\"cookies\":[\"c=d\"]}" NULS "body",
		"201 Content-Type=a/b;X=1;Set-Cookie=c=d;|body");
	CHECK("{}" NULS, "200 Content-Type=application/octet-stream;|");
	/* The body may begin with NUL bytes of its own. */
	CHECK("{\"statusCode\":204}" NULS "\0\0x", "204 |00x");
}

static void
test_not_whole(void **state)
{
	(void)state;
	CHECK("", "more");
	CHECK("{\"statusCode\":200}", "more");
	CHECK("{}\0\0\0\0\0\0\0", "more");
}

static void
test_wrong(void **state)
{
	(void)state;
	CHECK("{}\0\0\0\0\0\0\0x\0",
		HEAD "less than eight NUL bytes behind it");
	CHECK("{}\0{}" NULS, HEAD "less than eight NUL bytes behind it");
	CHECK(NULS,
		HEAD "it is no JSON: no value where one should be at byte 0");
	CHECK("hello" NULS,
		HEAD "it is no JSON: no value where one should be at byte 0");
	CHECK("{\"statusCode\":99}" NULS,
		HEAD "statusCode 99 is none from 200 to 599");
}

static void
test_size(void **state)
{
	static const char wide[] = "{\"statusCode\":200,\"x\":\"";
	size_t room = EVENTSTREAM_PRELUDE_MAX - 8;
	static const size_t steps[] = { 1, 1000, 1 << 20 };

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct str in;

		str_init(&in);
		str_puts(&in, wide);
		while (in.length < room + over - 2)
			str_putc(&in, 'x');
		str_puts(&in, "\"}");
		str_append(&in, NULS "body", 12);
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			char *got = outcome(
				(struct slice){ in.data, in.length }, steps[i]);

			assert_string_equal(
				got, over ? HEAD "no eight NUL bytes within "
						 "16 KiB"
					  : "200 Content-Type=application/"
					    "octet-stream;|body");
			free(got);
		}
		str_fini(&in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_not_whole),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
