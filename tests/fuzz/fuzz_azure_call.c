/*
 * A call of an Azure function: a client's path and query, then the host's
 * answer. Whatever they are: what is sent is a request that our own parser
 * takes, has one key, ours, and goes to no path of the host's own; the answer
 * is passed on as a head that our own parser takes, or refused with a reason; a
 * body that is looked at comes out as it went in.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/head.h"
#include "http/target.h"
#include "http/write.h"
#include "kinds/azure/azure.h"
#include "tests/fuzz/lines.h"

#define HEAD_MAX (64 << 10)
#define FED_MAX  4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char settings[] =
	"7:azure 1,1:a,1:f,7:{*rest},1:1,1:1,1:1,1:0,4:1024,6:a.test,";
static const char bytes[] = "19:azure-credentials 2,0:,3:KEY,0:,1:0,1:0,";

static void
request_look(const struct http_write *w)
{
	static const struct slice key = { "x-functions-key", 15 };
	struct http_head head;
	enum http_refusal why;
	char text[HEAD_MAX + 2];
	size_t skipped = 0, keys = 0;
	const char *query;

	memcpy(text, w->out, w->length);
	memcpy(text + w->length, "\r\n", 2);
	if (http_request_parse(text, w->length + 2, 0, &http_limits_default,
		    &head, &skipped, &why) != HTTP_PARSE_DONE) {
		expect(why == HTTP_REFUSE_TARGET || why == HTTP_REFUSE_FIELDS);
		return;
	}
	for (unsigned i = 0; i < head.field_count; i++) {
		if (!slice_equal_nocase(
			    http_field_name(&head, &head.fields[i]), key))
			continue;
		keys++;
		expect(slice_equal(http_field_value(&head, &head.fields[i]),
			(struct slice){ "KEY", 3 }));
	}
	expect(keys == 1);
	query = memchr(head.target.data, '?', head.target.length);
	if (query != NULL) {
		size_t left =
			head.target.length - (size_t)(query - head.target.data);

		expect(memmem(query, left, "&code=", 6) == NULL);
		expect(left < 6 || memcmp(query, "?code=", 6) != 0);
	}
	expect(strncasecmp(head.target.data, "/admin/", 7) != 0 &&
		strncasecmp(head.target.data, "/.auth/", 7) != 0);
}

static bool
ask(void *call, const void *credentials, struct slice target, char *out)
{
	static char scratch[FED_MAX];
	static const struct call_field field = { { "X-Functions-Key", 15 },
		{ "theirs", 6 } };
	struct http_target normal;
	struct call_request r = { .method = { "GET", 3 },
		.host = { "h", 1 },
		.fields = &field,
		.field_count = 1 };
	struct call_refusal refusal = { 0 };
	struct http_write w;
	struct slice body;

	if (target.length > FED_MAX ||
		!http_target_normalise(target, scratch, &normal))
		return false;
	r.path = normal.path;
	r.query = normal.query;
	r.target = target;
	r.rest = normal.path;
	http_write_init(&w, out, HEAD_MAX);
	if (azure_dialect.request(call, credentials, &r, &w, &body, &refusal) !=
		0) {
		expect(refusal.status >= 400 && refusal.word != NULL);
		return false;
	}
	request_look(&w);
	return true;
}

static void
passed_look(struct http_write *w)
{
	struct http_head head;
	enum http_refusal why;

	http_write_end(w);
	expect(http_write_ok(w));
	if (http_response_parse(w->out, w->length, 0, HTTP_GET,
		    &http_limits_default, &head, &why) != HTTP_PARSE_DONE)
		expect(why == HTTP_REFUSE_FIELDS ||
			why == HTTP_REFUSE_HEAD_SIZE);
}

/* The body in pieces that the input itself chooses. */
static void
decode(void *call, struct slice body, struct http_write *w, size_t piece)
{
	struct call_refusal refusal = { 0 };
	struct call_news news = { 0 };
	size_t at = 0, out_length = 0;
	bool began = false;

	for (;;) {
		size_t left = body.length - at, used;
		struct slice in = { body.data + at,
			left < piece ? left : piece };
		struct slice out = { NULL, 0 };
		bool last = at + in.length == body.length;
		enum call_step step = azure_dialect.answer_bytes(
			call, in, last, &used, w, &out, &refusal, &news);

		expect(used <= in.length);
		at += used;
		if (step == CALL_REFUSE) {
			expect(!began && refusal.status >= 400);
			return;
		}
		if (step == CALL_HEAD) {
			expect(!began);
			began = true;
			passed_look(w);
		}
		if (step == CALL_DATA) {
			expect(began && out.length > 0);
			expect(out_length + out.length <= body.length);
			expect(memcmp(body.data + out_length, out.data,
				       out.length) == 0);
			out_length += out.length;
		}
		if (step == CALL_DONE) {
			expect(began && out_length == body.length);
			return;
		}
		expect(step != CALL_MORE || (used == in.length && !last));
	}
}

static void
answer_look(void *call, struct slice text, char *out)
{
	struct call_refusal refusal = { 0 };
	struct call_news news = { 0 };
	struct http_head head;
	struct http_write w;
	enum http_refusal why;
	enum call_step step;
	struct slice body, given;

	if (http_response_parse(text.data, text.length, 0, HTTP_GET,
		    &http_limits_default, &head, &why) != HTTP_PARSE_DONE)
		return;
	body = (struct slice){ text.data + head.length,
		text.length - head.length };
	http_write_init(&w, out, HEAD_MAX);
	step = azure_dialect.answer(call, &head, &w, &refusal, &news);
	switch (step) {
	case CALL_PASS:
		passed_look(&w);
		break;
	case CALL_COLLECT:
		step = azure_dialect.answer_whole(
			call, body, &w, &given, &refusal, &news);
		expect(step == CALL_DONE ? slice_equal(given, body)
					 : refusal.status >= 400);
		break;
	case CALL_DECODE:
		decode(call, body, &w, 1 + text.length % 70);
		break;
	default:
		expect(refusal.status >= 400 && refusal.word != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[HEAD_MAX];
	static void *target, *credentials;
	struct slice rest = { (const char *)data, size };
	void *call;

	if (target == NULL) {
		target = azure_dialect.target_new(slice_of(settings), NULL);
		credentials =
			azure_dialect.credentials_new(slice_of(bytes), NULL);
		expect(target != NULL && credentials != NULL);
	}
	call = azure_dialect.call_new(target);
	if (ask(call, credentials, line_take(&rest), out) && rest.length > 0)
		answer_look(call, rest, out);
	azure_dialect.call_free(call);
	return 0;
}
