/*
 * Answers of the Lambda API, and those that are none: each becomes one message
 * of HTTP or a refusal, never a success of a failure; a stream is the same
 * however it is cut. The same bytes are the settings of a target.
 *
 * Input: how the function is called, in which chunks; head and body.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/head.h"
#include "http/write.h"
#include "kinds/aws/lambda.h"
#include "model/dialect.h"

#define HEAD_MAX (32u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* Style, wrap, unwrap, multi-value, streaming, routing, log. */
static const char *const options[] = { "1000000", "1000001", "1010001",
	"1020001", "1030000", "1440001", "2000000", "3000000", "1000101",
	"1030101", "1040100", "1200000" };

static void *
target_get(size_t i)
{
	static void *targets[ARRAY_SIZE(options)];
	char text[128];

	if (targets[i] == NULL) {
		snprintf(text, sizeof(text),
			"lambda1\nus-east-1\nh\n/p\n\n\n\n%s\n", options[i]);
		targets[i] = aws_dialect.target_new(slice_of(text), NULL);
		expect(targets[i] != NULL);
	}
	return targets[i];
}

static void
refusal_check(const struct call_refusal *r)
{
	expect(r->status >= 400 && r->status <= 599 && r->word != NULL);
	expect(memchr(r->sentence, '\0', sizeof(r->sentence)) != NULL);
	expect(r->sentence[0] != '\0');
	expect(r->status != 401 && r->status != 403 && r->status != 404);
}

/* What a dialect writes is what the proxy can pass on. */
static unsigned
head_check(struct http_write *w)
{
	static struct http_head head;
	enum http_refusal why;

	http_write_end(w);
	if (!http_write_ok(w))
		return 0; /* more than fits, which is the proxy's to refuse */
	if (http_response_parse(w->out, w->length, 0, HTTP_GET,
		    &http_limits_default, &head, &why) != HTTP_PARSE_DONE) {
		expect(why == HTTP_REFUSE_FIELDS ||
			why == HTTP_REFUSE_HEAD_SIZE);
		return 0;
	}
	expect(head.status >= 200 && head.length == w->length);
	expect(http_head_find(&head, HTTP_FIELD_CONTENT_LENGTH) == NULL);
	expect(http_head_find(&head, HTTP_FIELD_TRANSFER_ENCODING) == NULL);
	expect(http_head_find_name(&head, slice_of("x-amz-log-result")) ==
		NULL);
	return head.status;
}

static void
whole_check(void *call, struct slice body, bool failed)
{
	static char bytes[HEAD_MAX];
	struct call_refusal refusal = { 0 };
	struct call_news news = { 0 };
	struct slice out = { NULL, 0 };
	struct http_write w;

	http_write_init(&w, bytes, sizeof(bytes));
	switch (aws_dialect.answer_whole(
		call, body, &w, &out, &refusal, &news)) {
	case CALL_DONE:
		expect(!failed);
		head_check(&w);
		break;
	case CALL_AGAIN:
		refusal_check(&refusal);
		break;
	case CALL_REFUSE:
		refusal_check(&refusal);
		expect(!news.skewed && !news.nothing_ran);
		break;
	default:
		abort();
	}
}

/* All steps as one text. */
static void
stream_tell(void *call, struct slice in, size_t step, struct str *told)
{
	static char bytes[HEAD_MAX];
	bool last = false, head = false;

	for (;;) {
		struct slice chunk = { in.data,
			in.length < step ? in.length : step };
		struct call_refusal refusal = { 0 };
		struct call_news news = { 0 };
		struct slice out = { NULL, 0 };
		struct http_write w;
		size_t used = 0;

		last = in.length == chunk.length;
		http_write_init(&w, bytes, sizeof(bytes));
		switch (aws_dialect.answer_bytes(
			call, chunk, last, &used, &w, &out, &refusal, &news)) {
		case CALL_MORE:
			expect(used == chunk.length && !last);
			break;
		case CALL_HEAD:
			expect(!head);
			head = true;
			head_check(&w);
			str_append(told, w.out, w.length);
			break;
		case CALL_DATA:
			expect(head && out.length > 0);
			str_append(told, out.data, out.length);
			break;
		case CALL_DONE:
			expect(head);
			str_puts(told, "|done");
			return;
		case CALL_REFUSE:
			refusal_check(&refusal);
			str_puts(told, refusal.word);
			return;
		default:
			abort();
		}
		expect(used <= chunk.length);
		in.data += used;
		in.length -= used;
	}
}

static void
answer_check(void *target, const struct http_head *answer, struct slice body,
	size_t step, struct str *told)
{
	static char bytes[HEAD_MAX];
	void *call = aws_dialect.call_new(target);
	struct call_refusal refusal = { 0 };
	struct call_news news = { 0 };
	bool failed = answer->status < 200 || answer->status > 299 ||
		      http_head_find_name(
			      answer, slice_of("x-amz-function-error")) != NULL;
	struct http_write w;

	http_write_init(&w, bytes, sizeof(bytes));
	switch (aws_dialect.answer(call, answer, &w, &refusal, &news)) {
	case CALL_PASS:
		expect(!failed);
		expect(head_check(&w) == answer->status || !http_write_ok(&w));
		break;
	case CALL_COLLECT:
		whole_check(call, body, failed);
		break;
	case CALL_DECODE:
		expect(!failed);
		stream_tell(call, body, step, told);
		break;
	default:
		abort();
	}
	aws_dialect.call_free(call);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head head;
	const char *bytes = (const char *)data + 2;
	struct str one, other;
	enum http_refusal why;
	struct slice body;
	void *target;

	if (size < 2)
		return 0;
	size -= 2;
	target = aws_dialect.target_new((struct slice){ bytes, size }, NULL);
	aws_dialect.target_free(target);
	if (http_response_parse(bytes, size, 0, HTTP_POST, &http_limits_default,
		    &head, &why) != HTTP_PARSE_DONE ||
		head.status < 200)
		return 0;
	body = (struct slice){ bytes + head.length, size - head.length };
	target = target_get(data[0] % ARRAY_SIZE(options));
	str_init(&one);
	str_init(&other);
	answer_check(target, &head, body, SIZE_MAX, &one);
	answer_check(target, &head, body, (size_t)data[1] + 1, &other);
	expect(one.length == other.length &&
		memcmp(one.data, other.data, one.length) == 0);
	str_fini(&other);
	str_fini(&one);
	return 0;
}
