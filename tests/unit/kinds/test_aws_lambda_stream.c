/* Streamed answers of Lambda functions, however they are cut. */
#include "tests/unit/kinds/aws_lambda.h"

#include "tests/unit/kinds/aws_frames.h"

#define STREAMS "{logicalName: a, responseStreaming: true, logTail: true}"
#define UNWRAPS                                                                \
	"{logicalName: a, responseStreaming: true, unwrapAsApiGateway: true}"
#define FRAMES                                                                 \
	"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon."             \
	"eventstream\r\n"
#define PRELUDE                                                                \
	"X-Amzn-Remapped-Content-Type: application/vnd.awslambda."             \
	"http-integration-response\r\n"
#define OCTETS "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\n"

/* What a client gets: the head, an empty line, the body, and how it ended:
 * "." all of it, "!word" it was told, "!!word" it was cut off. */
struct got {
	struct str text;
	bool head, over;
	uint32_t billed_ms;
};

static void
step_take(struct lambda_world *w, struct got *got, enum call_step step)
{
	switch (step) {
	case CALL_HEAD:
		assert_false(got->head);
		str_puts(&got->text, lambda_head_text(w));
		str_putc(&got->text, '\n');
		got->head = true;
		return;
	case CALL_DATA:
		assert_true(got->head && w->out.length > 0);
		str_append(&got->text, w->out.data, w->out.length);
		return;
	case CALL_DONE:
		assert_true(got->head);
		str_putc(&got->text, '.');
		break;
	case CALL_REFUSE:
		assert_int_equal(w->refusal.status / 100, 5);
		str_printf(&got->text, "%s%s", got->head ? "!!" : "!",
			w->refusal.word);
		break;
	default:
		fail_msg("step %d", step);
	}
	got->over = true;
}

/* As the proxy does it: until more is wanted, or it is over. */
static void
chunk_feed(struct lambda_world *w, struct got *got, struct slice in, bool last)
{
	/* It goes away when this returns. */
	char *bytes = xmemdup(in.data, in.length);
	struct slice left = { bytes, in.length };

	while (!got->over) {
		enum call_step step;
		size_t used = 0;

		lambda_head_begin(w);
		w->out = (struct slice){ NULL, 0 };
		w->news = (struct call_news){ 0 };
		step = aws_dialect.answer_bytes(w->call, left, last, &used,
			&w->head, &w->out, &w->refusal, &w->news);
		assert_in_range(used, 0, left.length);
		left.data += used;
		left.length -= used;
		if (w->news.billed_ms > 0)
			got->billed_ms = w->news.billed_ms;
		if (step == CALL_MORE) {
			assert_int_equal(left.length, 0);
			assert_false(last);
			break;
		}
		step_take(w, got, step);
	}
	free(bytes);
}

static void
stream_play(const char *destination, const char *head, const struct str *frames,
	size_t step, struct got *got)
{
	struct lambda_world w;
	size_t at = 0;

	*got = (struct got){ .head = false };
	str_init(&got->text);
	lambda_world_init(&w, "{}", destination);
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(lambda_answered(&w, head), CALL_DECODE);
	while (at < frames->length && !got->over) {
		size_t n =
			frames->length - at < step ? frames->length - at : step;

		chunk_feed(
			&w, got, (struct slice){ frames->data + at, n }, false);
		at += n;
	}
	if (!got->over)
		chunk_feed(&w, got, slice_of(""), true);
	lambda_world_fini(&w);
}

static uint32_t
stream_expect(const char *destination, const char *head,
	const struct str *frames, const char *wanted)
{
	static const size_t steps[] = { 1 << 20, 1, 2, 3, 5, 16, 61 };
	uint32_t billed_ms = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct got got;

		stream_play(destination, head, frames, steps[i], &got);
		assert_string_equal(got.text.data, wanted);
		billed_ms = got.billed_ms;
		str_fini(&got.text);
	}
	return billed_ms;
}

static void
chunk_put(struct str *frames, const char *text)
{
	frame_put_event(frames, "PayloadChunk", slice_of(text));
}

static void
complete_put(struct str *frames, const char *json)
{
	frame_put_event(frames, "InvokeComplete", slice_of(json));
}

static void
test_bytes(void **state)
{
	struct str f;

	(void)state;
	str_init(&f);
	chunk_put(&f, "Hello");
	chunk_put(&f, "");
	chunk_put(&f, ", world");
	complete_put(&f, "{}");
	stream_expect(STREAMS, FRAMES, &f, OCTETS "Hello, world.");
	stream_expect(STREAMS,
		FRAMES "X-Amzn-Remapped-Content-Type: text/plain\r\n", &f,
		"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\n"
		"Hello, world.");
	/* As the API's description has it. */
	stream_expect(STREAMS, "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n",
		&f,
		"HTTP/1.1 200 OK\r\ncontent-type: text/css\r\n\n"
		"Hello, world.");
	stream_expect(
		STREAMS, "HTTP/1.1 200 OK\r\n", &f, OCTETS "Hello, world.");
	/* What follows the end is nothing. */
	chunk_put(&f, "more");
	stream_expect(STREAMS, FRAMES, &f, OCTETS "Hello, world.");
	str_fini(&f);
}

static void
test_empty(void **state)
{
	struct str f;

	(void)state;
	str_init(&f);
	complete_put(&f, "{}");
	stream_expect(STREAMS, FRAMES, &f, OCTETS ".");
	stream_expect(UNWRAPS, FRAMES, &f, "!bad_function_answer");
	str_fini(&f);
}

static void
prelude_put(struct str *frames, const char *json, const char *body)
{
	struct str text;

	str_init(&text);
	str_puts(&text, json);
	str_append(&text, "\0\0\0\0\0\0\0\0", 8);
	str_puts(&text, body);
	frame_put_event(frames, "PayloadChunk",
		(struct slice){ text.data, text.length });
	str_fini(&text);
}

static void
test_prelude(void **state)
{
	static const char json[] =
		"{\"statusCode\":201,\"headers\":{\"content-type\":"
		"\"text/html\"},\"cookies\":[\"a=1\"]}";
	static const char wanted[] =
		"HTTP/1.1 201 Created\r\ncontent-type: text/html\r\n"
		"Set-Cookie: a=1\r\n\n<p>hi.";
	struct str f;

	(void)state;
	str_init(&f);
	prelude_put(&f, json, "<p>");
	chunk_put(&f, "hi");
	complete_put(&f, "{}");
	stream_expect(STREAMS, FRAMES PRELUDE, &f, wanted);
	stream_expect(UNWRAPS, FRAMES, &f, wanted);
	str_clear(&f);
	/* In several payloads. */
	chunk_put(&f, "{\"statusCode\":201,\"headers\":{\"content-ty");
	chunk_put(&f, "pe\":\"text/html\"},\"cookies\":[\"a=1\"]}");
	frame_put_event(&f, "PayloadChunk", (struct slice){ "\0\0\0", 3 });
	frame_put_event(&f, "PayloadChunk", (struct slice){ "\0\0\0\0\0", 5 });
	chunk_put(&f, "<p>");
	chunk_put(&f, "hi");
	complete_put(&f, "{}");
	stream_expect(STREAMS, FRAMES PRELUDE, &f, wanted);
	str_fini(&f);
}

/* One that is not read as one is bytes. */
static void
test_no_prelude(void **state)
{
	struct str f;

	(void)state;
	str_init(&f);
	chunk_put(&f, "{\"statusCode\":201}");
	complete_put(&f, "{}");
	stream_expect(STREAMS, FRAMES, &f, OCTETS "{\"statusCode\":201}.");
	stream_expect(UNWRAPS, FRAMES, &f, "!bad_function_answer");
	stream_expect(STREAMS, FRAMES PRELUDE, &f, "!bad_function_answer");
	str_fini(&f);
}

static void
test_bad_prelude(void **state)
{
	static const char *const preludes[] = { "no JSON", "[]",
		"{\"statusCode\":99}", "{\"headers\":[]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(preludes); i++) {
		struct str f;

		str_init(&f);
		prelude_put(&f, preludes[i], "body");
		complete_put(&f, "{}");
		stream_expect(UNWRAPS, FRAMES, &f, "!bad_function_answer");
		str_fini(&f);
	}
}

static void
test_failures(void **state)
{
	static const struct {
		const char *json, *word;
	} rows[] = {
		{ "{\"ErrorCode\":\"Unhandled\",\"ErrorDetails\":\"{}\"}",
			"function_error" },
		{ "{\"ErrorCode\":\"Unhandled\",\"ErrorDetails\":"
		  "\"{\\\"errorType\\\":\\\"Sandbox.Timedout\\\"}\"}",
			"function_timeout" },
		{ "{\"ErrorCode\":\"Sandbox.Timedout\"}", "function_timeout" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str f, wanted;

		str_init(&f);
		str_init(&wanted);
		complete_put(&f, rows[i].json);
		str_printf(&wanted, "!%s", rows[i].word);
		stream_expect(STREAMS, FRAMES, &f, wanted.data);
		/* When some of an answer went out, it is cut off. */
		str_clear(&f);
		str_clear(&wanted);
		chunk_put(&f, "half");
		complete_put(&f, rows[i].json);
		str_printf(&wanted, OCTETS "half!!%s", rows[i].word);
		stream_expect(STREAMS, FRAMES, &f, wanted.data);
		str_fini(&wanted);
		str_fini(&f);
	}
}

static void
test_exception(void **state)
{
	struct str f;

	(void)state;
	str_init(&f);
	frame_put_message(&f, "exception", ":exception-type",
		"ServiceException", slice_of("{\"Message\":\"m\"}"));
	stream_expect(STREAMS, FRAMES, &f, "!function_error");
	str_clear(&f);
	chunk_put(&f, "half");
	frame_put_message(&f, "exception", ":exception-type",
		"ServiceException", slice_of("{}"));
	stream_expect(STREAMS, FRAMES, &f, OCTETS "half!!function_error");
	str_fini(&f);
}

/* Cut after each byte: never an answer that looks whole. */
static void
test_cut(void **state)
{
	struct str f, part;
	size_t first;

	(void)state;
	str_init(&f);
	str_init(&part);
	chunk_put(&f, "half");
	first = f.length;
	complete_put(&f, "{}");
	for (size_t n = 0; n < f.length; n++) {
		struct got got;

		str_clear(&part);
		str_append(&part, f.data, n);
		stream_play(STREAMS, FRAMES, &part, 1 << 20, &got);
		assert_string_equal(got.text.data,
			n < first ? "!bad_function_answer"
				  : OCTETS "half!!bad_function_answer");
		str_fini(&got.text);
	}
	str_fini(&part);
	str_fini(&f);
}

/* One bit that is wrong, anywhere. */
static void
test_corrupted(void **state)
{
	struct str f;
	size_t first;

	(void)state;
	str_init(&f);
	chunk_put(&f, "half");
	first = f.length;
	complete_put(&f, "{}");
	for (size_t i = 0; i < f.length; i++) {
		struct got got;

		f.data[i] ^= 4;
		stream_play(STREAMS, FRAMES, &f, 1 << 20, &got);
		assert_string_equal(got.text.data,
			i < first ? "!bad_function_answer"
				  : OCTETS "half!!bad_function_answer");
		str_fini(&got.text);
		f.data[i] ^= 4;
	}
	str_fini(&f);
}

/* A frame of a megabyte: the client has what came of it before the rest does,
 * and is cut off if it was not what was sent. */
static void
test_large_frame(void **state)
{
	static const size_t steps[] = { 1 << 21, 1000, 16 };
	static const char head[] = "HTTP/1.1 200 OK\r\n"
				   "content-type: text/plain\r\n\n";
	size_t size = 1 << 20;
	char *bytes = xmalloc(size + 1);
	struct str f, wanted;
	struct got got;

	(void)state;
	str_init(&f);
	str_init(&wanted);
	memset(bytes, 'x', size);
	bytes[size] = '\0';
	prelude_put(&f, "{\"headers\":{\"content-type\":\"text/plain\"}}",
		bytes);
	complete_put(&f, "{}");
	str_printf(&wanted, "%s%s.", head, bytes);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		stream_play(UNWRAPS, FRAMES, &f, steps[i], &got);
		assert_string_equal(got.text.data, wanted.data);
		str_fini(&got.text);
	}
	f.data[size] ^= 4;
	stream_play(UNWRAPS, FRAMES, &f, 1000, &got);
	assert_memory_equal(got.text.data, head, sizeof(head) - 1);
	assert_string_equal(got.text.data + sizeof(head) - 1 + size,
		"!!bad_function_answer");
	str_fini(&got.text);
	/* It ends in it. */
	f.data[size] ^= 4;
	f.length = 1000;
	stream_play(UNWRAPS, FRAMES, &f, 100, &got);
	assert_memory_equal(got.text.data, head, sizeof(head) - 1);
	assert_in_range(got.text.length, 800, 1000);
	assert_non_null(strstr(got.text.data, "xxx!!bad_function_answer"));
	str_fini(&got.text);
	str_fini(&wanted);
	str_fini(&f);
	free(bytes);
}

static void
test_billed(void **state)
{
	struct str f;

	(void)state;
	str_init(&f);
	chunk_put(&f, "x");
	/* "Billed Duration: 7 ms" */
	complete_put(&f, "{\"LogResult\":\"QmlsbGVkIER1cmF0aW9uOiA3IG1z\"}");
	assert_int_equal(stream_expect(STREAMS, FRAMES, &f, OCTETS "x."), 7);
	assert_int_equal(
		stream_expect("{logicalName: a, responseStreaming: true}",
			FRAMES, &f, OCTETS "x."),
		0);
	str_fini(&f);
}

/* A failure before any frame is one of those of Invoke. */
static void
test_refused(void **state)
{
	struct lambda_world w;

	(void)state;
	lambda_world_init(&w, "{}", STREAMS);
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(
		lambda_answered(&w, "HTTP/1.1 429 Too Many Requests\r\n"),
		CALL_COLLECT);
	assert_int_equal(lambda_answered_whole(&w, slice_of("")), CALL_AGAIN);
	/* And another attempt begins anew. */
	assert_int_equal(lambda_ask(&w), 0);
	assert_int_equal(lambda_answered(&w, FRAMES), CALL_DECODE);
	assert_int_equal(lambda_answered(&w, FRAMES), CALL_DECODE);
	lambda_world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_prelude),
		cmocka_unit_test(test_no_prelude),
		cmocka_unit_test(test_bad_prelude),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_corrupted),
		cmocka_unit_test(test_large_frame),
		cmocka_unit_test(test_billed),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
