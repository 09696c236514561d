/* What becomes of the answers to calls: passed on, collected, decoded, refused;
 * split, cut, too large, for clients that are slow. */
#include "tests/unit/proxy/call_rig.h"

#include <errno.h>
#include <poll.h>
#include <sys/time.h>

#include "http/body.h"

#define HEAD_OF(path)                                                          \
	"HEAD " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define CLOSE   "connection: close\r\n"
#define BAD     "HTTP/1.1 502 Bad Gateway\r\n"
#define CUT     1 /* flag of a row: the client's connection is reset */
#define AGAIN   2 /* the endpoint's connection is kept */
#define EITHER  4 /* or not, by what of the answer was read already */

static struct str got;

struct row {
	const char *what, *request;
	struct rig_answer answer;
	const char *want; /* all that the client gets, or how it begins */
	unsigned flags;
	const char *reason; /* of the log, or NULL */
};

/* All that comes, and whether it ended with a reset. */
static bool
client_is_cut(int fd, struct str *to)
{
	const struct timeval most = { .tv_sec = RIG_WAIT_MS / 1000 };
	char bytes[4096];
	ssize_t n;

	str_clear(to);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		str_append(to, bytes, (size_t)n);
	n = n < 0 ? errno : 0;
	close(fd);
	if (n == EAGAIN)
		fail_msg("no end after\n%s", to->data);
	return n == ECONNRESET;
}

static void
row_run(const struct row *r, unsigned more)
{
	struct rig_answer script[] = { r->answer, END_OF_LIST };
	struct counters_upstream before, now;
	bool cut;
	int fd;

	script[0].flags |= more;
	rig_origin_reset(rig.origin);
	assert_true(rig_await(&rig, UP_CALLS, "connections_open", 0));
	rig_origin_script(rig.origin, script);
	before = counted(UP_CALLS);
	fd = client_send(r->request);
	cut = client_is_cut(fd, &got);
	rig_settled(&rig);
	if (strstr(r->want, "\r\n\r\n") != NULL)
		is(r->what, &got, r->want);
	else
		begins(r->what, &got, r->want);
	if (cut != (bool)(r->flags & CUT))
		fail_msg("%s: reset is %d", r->what, cut);
	if (r->reason != NULL) {
		char text[128];

		snprintf(text, sizeof(text), "\"reason\":\"%s\"", r->reason);
		logged(text);
	}
	now = counted(UP_CALLS);
	assert_int_equal(now.requests - before.requests, 1);
	if (!(r->flags & EITHER) &&
		now.connections_open != (uint64_t)(bool)(r->flags & AGAIN))
		fail_msg("%s: connections kept: %d", r->what,
			(int)now.connections_open);
	nothing_is_held();
}

static void
rows_run(const struct row *row, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		row_run(&row[i], 0);
		row_run(&row[i], RIG_BYTEWISE);
	}
}

#define ROWS_RUN(rows) rows_run(rows, ARRAY_SIZE(rows))

/* ---- passed on */

#define PASS "HTTP/1.1 200 OK\r\nX-Step: pass\r\n"
#define FIVE "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\n"
#define MANY FIVE FIVE FIVE FIVE FIVE /* more than a client may send */

static void
answers_are_passed_on(void **state)
{
	static const struct row all[] = {
		{ "a length", GET("/calls"),
			{ PASS "Content-Length: 3\r\n\r\nabc", 0, 0 },
			PASS "content-length: 3\r\n" CLOSE "\r\nabc", AGAIN,
			"-" },
		{ "many fields", GET("/calls"),
			{ PASS MANY "Content-Length: 3\r\n\r\nabc", 0, 0 },
			PASS MANY "content-length: 3\r\n" CLOSE "\r\nabc",
			AGAIN, "-" },
		{ "chunks", GET("/calls"),
			{ PASS CHUNKED "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", 0, 0 },
			PASS "transfer-encoding: chunked\r\n" CLOSE, AGAIN,
			NULL },
		{ "to the end", GET("/calls"), { PASS "\r\nabc", RIG_CLOSE, 0 },
			PASS "transfer-encoding: chunked\r\n" CLOSE, 0, NULL },
		{ "nothing", GET("/calls"),
			{ "HTTP/1.1 204 No\r\nX-Step: pass\r\n\r\n", 0, 0 },
			"HTTP/1.1 204 No Content\r\nX-Step: pass\r\n" CLOSE
			"\r\n",
			AGAIN, NULL },
		{ "a status of its own", GET("/calls"),
			{ PASS "X-Status: 418\r\nContent-Length: 1\r\n\r\na", 0,
				0 },
			"HTTP/1.1 418 ", AGAIN, NULL },
		{ "of a body that is none any more", GET("/calls"),
			{ PASS "X-Status: 204\r\nContent-Length: 1\r\n\r\na", 0,
				0 },
			"HTTP/1.1 204 No Content\r\nX-Step: pass\r\n"
			"X-Status: 204\r\n" CLOSE "\r\n",
			0, NULL },
		{ "of nothing a body", GET("/calls"),
			{ "HTTP/1.1 204 No\r\nX-Step: pass\r\nX-Status: 200\r\n"
			  "\r\n",
				0, 0 },
			PASS "X-Status: 200\r\ncontent-length: 0\r\n" CLOSE
			     "\r\n",
			AGAIN, NULL },
		{ "HEAD as POST", HEAD_OF("/calls"),
			{ PASS "Content-Length: 3\r\n\r\nabc", 0, 0 },
			PASS "content-length: 3\r\n" CLOSE "\r\n", 0, NULL },
		{ "HEAD as POST, chunks", HEAD_OF("/calls"),
			{ PASS CHUNKED "1\r\na\r\n0\r\n\r\n", 0, 0 },
			PASS CLOSE "\r\n", 0, NULL },
		{ "HEAD as HEAD", HEAD_OF("/calls?as"),
			{ PASS "Content-Length: 3\r\n\r\n", 0, 0 },
			PASS "content-length: 3\r\n" CLOSE "\r\n", AGAIN,
			NULL },
		{ "HEAD as HEAD, no length", HEAD_OF("/calls?as"),
			{ PASS "\r\n", 0, 0 }, PASS CLOSE "\r\n", AGAIN, NULL },
		{ "heads before it", GET("/calls"),
			{ "HTTP/1.1 100 Continue\r\n\r\n"
			  "HTTP/1.1 103 Early\r\nX-Step: refuse\r\n\r\n" PASS
			  "Content-Length: 0\r\n\r\n",
				0, 0 },
			PASS "content-length: 0\r\n" CLOSE "\r\n", AGAIN,
			NULL },
		{ "HTTP/1.0", "GET /calls HTTP/1.0\r\nHost: h\r\n\r\n",
			{ PASS CHUNKED "1\r\na\r\n0\r\n\r\n", 0, 0 },
			PASS CLOSE "\r\na", AGAIN, NULL },
		{ "filtered", GET("/filtered"),
			{ PASS "X-Made: 1\r\nContent-Length: 0\r\n\r\n", 0, 0 },
			PASS "x-answer: 2\r\ncontent-length: 0\r\n" CLOSE
			     "\r\n",
			AGAIN, NULL },
	};

	(void)state;
	ROWS_RUN(all);
	row_run(&all[2], 0);
	ends("chunks", &got, "\r\n0\r\n\r\n");
}

static void
heads_that_are_none_are_refused(void **state)
{
	static const struct row all[] = {
		{ "no HTTP", GET("/calls"), { "hello\r\n\r\n", 0, 0 }, BAD, 0,
			"bad_response" },
		{ "no step", GET("/calls"),
			{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0,
				0 },
			BAD, 0, "bad_response" },
		{ "an upgrade", GET("/calls"),
			{ "HTTP/1.1 101 Up\r\nX-Step: pass\r\n\r\n", 0, 0 },
			BAD, 0, "unasked_upgrade" },
		{ "status 99", GET("/calls"),
			{ PASS "X-Status: 99\r\nContent-Length: 0\r\n\r\n", 0,
				0 },
			BAD, 0, "bad_response" },
		{ "status 101", GET("/calls"),
			{ PASS "X-Status: 101\r\nContent-Length: 0\r\n\r\n", 0,
				0 },
			BAD, 0, "bad_response" },
		{ "status 1000", GET("/calls"),
			{ PASS "X-Status: 1000\r\nContent-Length: 0\r\n\r\n", 0,
				0 },
			BAD, 0, "bad_response" },
		{ "refused", GET("/calls"),
			{ ANSWER("refuse", "X-News: after=3 billed=20\r\n", "0",
				  ""),
				0, 0 },
			BAD "content-type: text/plain\r\n"
			    "x-gloo-gateway-reason: function_error\r\n"
			    "retry-after: 3\r\ncontent-length: 46\r\n" CLOSE
			    "\r\nupstream g.calls: the function did not answer"
			    "\n",
			0, "function_error" },
		{ "cut within the head", GET("/calls"),
			{ "HTTP/1.1 200 OK\r\nX-St", RIG_CLOSE, 0 }, BAD, 0,
			"upstream_reset" },
	};

	(void)state;
	ROWS_RUN(all);
	logged("\"detail\":\"billed_ms=20; the function did not answer\"");
}

/* ---- collected */

#define WHOLE(length, body) ANSWER("collect", "", length, body)
#define MADE                "HTTP/1.1 200 OK\r\nx-made: whole\r\n"

static void
answers_are_collected(void **state)
{
	static const struct row all[] = {
		{ "a length", GET("/calls"),
			{ WHOLE("12", "done 200\nabc"), 0, 0 },
			MADE "content-length: 3\r\n" CLOSE "\r\nabc", AGAIN,
			"-" },
		{ "chunks", GET("/calls"),
			{ "HTTP/1.1 200 OK\r\nX-Step: collect\r\n" CHUNKED
			  "5\r\ndone \r\n4\r\n201\n\r\n1\r\nx\r\n0\r\n\r\n",
				0, 0 },
			"HTTP/1.1 201 Created\r\nx-made: whole\r\n"
			"content-length: 1\r\n" CLOSE "\r\nx",
			AGAIN, NULL },
		{ "to the end", GET("/calls"),
			{ "HTTP/1.1 200 OK\r\nX-Step: collect\r\n\r\n"
			  "done 200\nabc",
				RIG_CLOSE, 0 },
			MADE "content-length: 3\r\n" CLOSE "\r\nabc", 0, NULL },
		{ "nothing in it", GET("/calls"),
			{ WHOLE("9", "done 200\n"), 0, 0 },
			MADE "content-length: 0\r\n" CLOSE "\r\n", AGAIN,
			NULL },
		{ "no body may be", GET("/calls"),
			{ WHOLE("12", "done 204\nabc"), 0, 0 },
			"HTTP/1.1 204 No Content\r\nx-made: whole\r\n" CLOSE
			"\r\n",
			AGAIN, NULL },
		{ "not changed", GET("/calls"),
			{ WHOLE("12", "done 304\nabc"), 0, 0 },
			"HTTP/1.1 304 Not Modified\r\nx-made: whole\r\n" CLOSE
			"\r\n",
			AGAIN, NULL },
		{ "HEAD", HEAD_OF("/calls"),
			{ WHOLE("12", "done 200\nabc"), 0, 0 },
			MADE "content-length: 3\r\n" CLOSE "\r\n", AGAIN,
			NULL },
		{ "HTTP/1.0", "GET /calls HTTP/1.0\r\nHost: h\r\n\r\n",
			{ WHOLE("12", "done 200\nabc"), 0, 0 },
			MADE "content-length: 3\r\n" CLOSE "\r\nabc", AGAIN,
			NULL },
		{ "filtered", GET("/filtered"),
			{ WHOLE("12", "done 200\nabc"), 0, 0 },
			"HTTP/1.1 200 OK\r\nx-answer: 2\r\n"
			"content-length: 3\r\n" CLOSE "\r\nabc",
			AGAIN, NULL },
		{ "a function's error", GET("/calls"),
			{ WHOLE("11", "refuse 429\n"), 0, 0 }, "HTTP/1.1 429 ",
			AGAIN, "function_error" },
		{ "a status that is no refusal", GET("/calls"),
			{ WHOLE("11", "refuse 200\n"), 0, 0 }, BAD, AGAIN,
			"function_error" },
		{ "again, without retries", GET("/calls"),
			{ WHOLE("6", "again\n"), 0, 0 }, BAD, AGAIN,
			"function_error" },
		{ "a length of its own", GET("/calls"),
			{ WHOLE("10", "framed\nabc"), 0, 0 }, BAD, AGAIN,
			"bad_response" },
		{ "no head", GET("/calls"), { WHOLE("8", "nothing\n"), 0, 0 },
			BAD, AGAIN, "bad_response" },
		{ "a step that is none", GET("/calls"),
			{ WHOLE("4", "odd\n"), 0, 0 }, BAD, AGAIN,
			"bad_response" },
		{ "not understood", GET("/calls"), { WHOLE("3", "odd"), 0, 0 },
			BAD, AGAIN, "bad_response" },
		{ "status 99", GET("/calls"), { WHOLE("8", "done 99\n"), 0, 0 },
			BAD, AGAIN, "bad_response" },
		{ "more than its length", GET("/calls"),
			{ WHOLE("12", "done 200\nabcd"), 0, 0 },
			MADE "content-length: 3\r\n" CLOSE "\r\nabc", 0, NULL },
		{ "cut", GET("/calls"),
			{ WHOLE("12", "done 200\na"), RIG_CLOSE, 0 }, BAD, 0,
			"upstream_reset" },
		{ "reset", GET("/calls"),
			{ WHOLE("12", "done 200\na"), RIG_RESET, 0 }, BAD, 0,
			"upstream_reset" },
		{ "no chunks", GET("/calls"),
			{ "HTTP/1.1 200 OK\r\nX-Step: collect\r\n" CHUNKED
			  "zz\r\n",
				0, 0 },
			BAD, 0, "bad_response" },
		{ "too large by its length", GET("/calls"),
			{ WHOLE("2001", "done"), 0, 0 }, BAD, 0,
			"call_answer_too_large" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		row_run(&all[i], 0);
		/* Byte by byte the rest comes later. */
		if (strcmp(all[i].what, "more than its length") != 0)
			row_run(&all[i], RIG_BYTEWISE);
	}
}

static void
collected_answers_are_limited(void **state)
{
	static char chunks[4096];
	const struct row too_large = { "chunks", GET("/calls"),
		{ chunks, 0, 0 }, BAD, 0, "call_answer_too_large" };
	const struct row refused = { "refused", GET("/calls"),
		{ WHOLE("11", "refuse 413\n"), 0, 0 }, "HTTP/1.1 413 ", AGAIN,
		"function_error" };
	struct counters_upstream before = counted(UP_CALLS);
	int at =
		sprintf(chunks, "HTTP/1.1 200 OK\r\nX-Step: collect\r\n" CHUNKED
				"7d0\r\ndone 200\n");

	(void)state;
	for (int i = 0; i < 2000 - 9; i++)
		chunks[at++] = 'x';
	strcpy(chunks + at, "\r\n0\r\n\r\n");
	{
		struct rig_answer script[] = { { chunks, 0, 0 }, END_OF_LIST };

		rig_origin_script(rig.origin, script);
		ask(GET("/calls"), &got);
		begins("2000", &got, MADE "content-length: 1991\r\n");
	}
	strcpy(chunks + at, "\r\n1\r\ny\r\n0\r\n\r\n");
	row_run(&too_large, 0);
	assert_int_equal(
		counted(UP_CALLS).calls_too_large - before.calls_too_large, 1);
	/* What the function is given, or the function, may say so, too. */
	row_run(&refused, 0);
	assert_int_equal(
		counted(UP_CALLS).calls_too_large - before.calls_too_large, 2);
	assert_int_equal(
		counted(UP_CALLS).calls_refused - before.calls_refused, 0);
}

static void
one_that_is_cut_is_tried_again(void **state)
{
	static const struct rig_answer answers[] = {
		{ WHOLE("12", "done 200\na"), RIG_CLOSE, 0 },
		{ WHOLE("12", "done 200\nabc"), 0, 0 }, END_OF_LIST
	};
	struct counters_upstream before = counted(UP_CALLS);

	(void)state;
	rig_origin_script(rig.origin, answers);
	ask(GET("/retried"), &got);
	is("again", &got, MADE "content-length: 3\r\n" CLOSE "\r\nabc");
	assert_int_equal(counted(UP_CALLS).retried - before.retried, 1);
	assert_int_equal(
		counted(UP_CALLS).retried_idle - before.retried_idle, 0);
	/* Over a kept connection it is no less one that came. */
	rig_origin_script(rig.origin, answers);
	ask(GET("/calls"), &got);
	begins("without retries", &got, BAD);
	nothing_is_held();
}

static void
a_client_goes_on_after_a_call(void **state)
{
	static const struct rig_answer answers[] = {
		{ WHOLE("12", "done 200\nabc"), 0, 0 },
		{ ANSWER("decode", "", "13", "H0200D0001xE0"), 0, 0 },
		{ WHOLE("12", "done 200\ndef"), 0, 0 }, END_OF_LIST
	};
	static const struct rig_answer whole[] = {
		{ WHOLE("12", "done 200\nabc"), 0, 0 }, END_OF_LIST
	};
	int fd;

	(void)state;
	rig_origin_script(rig.origin, answers);
	/* The second has no end. */
	fd = client_send("POST /calls HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 3\r\n\r\nabc"
			 "GET /calls HTTP/1.1\r\nHost: h\r\n\r\n"
			 "GET /calls HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(client_is_cut(fd, &got));
	begins("the first", &got, MADE "content-length: 3\r\n\r\nabc");
	assert_int_equal(times(&got, "def"), 0);
	nothing_is_held();
	rig_origin_script(rig.origin, whole);
	client_read(client_send("POST /calls HTTP/1.1\r\nHost: h\r\n"
				"Content-Length: 3\r\n\r\nabc"
				"GET /calls HTTP/1.1\r\nHost: h\r\n\r\n" GET(
					"/calls")),
		&got);
	is("three", &got,
		MADE "content-length: 3\r\n\r\nabc" MADE
		     "content-length: 3\r\n\r\nabc" MADE
		     "content-length: 3\r\n" CLOSE "\r\nabc");
	nothing_is_held();
}

static void
answers_of_any_size_keep_the_connection(void **state)
{
	uint64_t opened;

	(void)state;
	rig_origin_reset(rig.origin);
	assert_true(rig_await(&rig, UP_LARGE_ANEW, "connections_open", 0));
	opened = counted(UP_LARGE_ANEW).connections_opened;
	for (size_t size = RIG_SIZED_STEP; size <= RIG_SIZED_MOST;
		size += RIG_SIZED_STEP) {
		rig_origin_sized(rig.origin, size, "X-Step: collect\r\n",
			"done 200\n", "");
		ask(GET("/wrapped"), &got);
		begins("a page more", &got, MADE);
	}
	assert_int_equal(counted(UP_LARGE_ANEW).connections_opened, opened + 1);
	nothing_is_held();
}

/* ---- decoded */

#define DECODED                                                                \
	"HTTP/1.1 200 OK\r\nx-made: decoded\r\n"                               \
	"transfer-encoding: chunked\r\n" CLOSE "\r\n"
#define FRAMES(length, frames) ANSWER("decode", "", length, frames)

/* The body of a chunked answer, whatever its chunks; false: it does not end. */
static bool
unchunk(const struct str *from, struct str *to)
{
	const char *at = strstr(from->data, "\r\n\r\n");
	struct http_body body;
	struct slice run;
	size_t n;

	str_clear(to);
	if (at == NULL)
		return false;
	at += 4;
	http_body_init(&body, HTTP_BODY_CHUNKED, 0);
	for (;;) {
		switch (http_body_read(&body, at,
			from->length - (size_t)(at - from->data), &run, &n)) {
		case HTTP_BODY_DATA:
			str_append(to, run.data, run.length);
			at += n;
			continue;
		case HTTP_BODY_DONE:
			return true;
		default:
			return false;
		}
	}
}

static void
answers_are_decoded(void **state)
{
	static const char *const answers[] = {
		FRAMES("31", "H0200D0003abcC0002deD0001fE0000"),
		"HTTP/1.1 200 OK\r\nX-Step: decode\r\n" CHUNKED
		"7\r\nH0200D0\r\n5\r\n003ab\r\n9\r\ncC0002deD\r\n"
		"5\r\n0001f\r\n5\r\nE0000\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-Step: decode\r\n\r\n"
		"H0200D0003abcC0002deD0001fE0000",
	};
	struct str body;

	(void)state;
	str_init(&body);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			struct rig_answer script[] = {
				{ answers[i], bytewise ? RIG_BYTEWISE : 0, 0 },
				END_OF_LIST
			};
			struct counters_upstream u;

			if (i == 2)
				script[0].flags |= RIG_CLOSE;
			rig_origin_reset(rig.origin);
			assert_true(rig_await(
				&rig, UP_CALLS, "connections_open", 0));
			rig_origin_script(rig.origin, script);
			ask(GET("/calls"), &got);
			begins(answers[i], &got, DECODED);
			assert_true(unchunk(&got, &body));
			is(answers[i], &body, "abcdef");
			u = counted(UP_CALLS);
			/* Of chunks the end may come later. */
			if (i != 1 || !bytewise)
				assert_int_equal(u.connections_open, i != 2);
			nothing_is_held();
		}
	}
	str_fini(&body);
}

static void
decoded_answers_are_strict(void **state)
{
	static const struct row all[] = {
		{ "HEAD", HEAD_OF("/calls"),
			{ FRAMES("18", "H0200D0003abcE0000"), 0, 0 },
			"HTTP/1.1 200 OK\r\nx-made: decoded\r\n" CLOSE "\r\n",
			EITHER, "-" },
		{ "no body may be", GET("/calls"),
			{ FRAMES("18", "H0204D0003abcE0000"), 0, 0 },
			"HTTP/1.1 204 No Content\r\nx-made: decoded\r\n" CLOSE
			"\r\n",
			EITHER, NULL },
		{ "refused before its head", GET("/calls"),
			{ FRAMES("5", "R0000"), 0, 0 }, BAD, 0,
			"function_error" },
		{ "nonsense", GET("/calls"), { FRAMES("5", "Z0000"), 0, 0 },
			BAD, 0, "bad_response" },
		{ "data before its head", GET("/calls"),
			{ FRAMES("6", "D0001x"), 0, 0 }, BAD, 0,
			"bad_response" },
		{ "an end before its head", GET("/calls"),
			{ FRAMES("5", "E0000"), 0, 0 }, BAD, 0,
			"bad_response" },
		{ "nothing", GET("/calls"), { FRAMES("0", ""), 0, 0 }, BAD, 0,
			"bad_response" },
		{ "half a frame", GET("/calls"), { FRAMES("3", "H02"), 0, 0 },
			BAD, 0, "bad_response" },
		{ "status 99", GET("/calls"), { FRAMES("5", "H0099"), 0, 0 },
			BAD, 0, "bad_response" },
		{ "cut before its head", GET("/calls"),
			{ FRAMES("31", "H02"), RIG_CLOSE, 0 }, BAD, 0,
			"upstream_reset" },
	};
	static const struct row late[] = {
		{ "refused on its way", GET("/calls"),
			{ FRAMES("18", "H0200D0003abcR0000"), 0, 0 }, "", CUT,
			"function_error" },
		{ "refused on its way, HTTP/1.0",
			"GET /calls HTTP/1.0\r\nHost: h\r\n\r\n",
			{ FRAMES("18", "H0200D0003abcR0000"), 0, 0 }, "", CUT,
			NULL },
		{ "two heads", GET("/calls"),
			{ FRAMES("10", "H0200H0200"), 0, 0 }, "", CUT,
			"bad_response" },
		{ "nonsense on its way", GET("/calls"),
			{ FRAMES("18", "H0200D0003abcZ0000"), 0, 0 }, "", CUT,
			"bad_response" },
		{ "no end", GET("/calls"),
			{ FRAMES("13", "H0200D0003abc"), 0, 0 }, "", CUT,
			"bad_response" },
		{ "cut", GET("/calls"),
			{ FRAMES("31", "H0200D0003abc"), RIG_CLOSE, 0 }, "",
			CUT, "upstream_reset" },
		{ "no chunks", GET("/calls"),
			{ "HTTP/1.1 200 OK\r\nX-Step: decode\r\n" CHUNKED
			  "5\r\nH0200\r\nzz\r\n",
				0, 0 },
			"", CUT, "bad_response" },
	};

	(void)state;
	ROWS_RUN(all);
	for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
		struct str body;

		str_init(&body);
		row_run(&late[i], 0);
		assert_false(unchunk(&got, &body));
		row_run(&late[i], RIG_BYTEWISE);
		assert_false(unchunk(&got, &body));
		str_fini(&body);
	}
}

/* As with answers that are no functions'. */
static void
what_is_cut_is_a_failure_of_the_endpoint(void **state)
{
	static const struct rig_answer all[][2] = {
		{ { FRAMES("31", "H0200D0003abc"), RIG_CLOSE, 0 },
			END_OF_LIST },
		{ { FRAMES("18", "H0200D0003abcZ0000"), 0, 0 }, END_OF_LIST },
		{ { PASS "Content-Length: 3\r\n\r\na", RIG_CLOSE, 0 },
			END_OF_LIST },
	};
	struct wire_message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		rig_origin_script(rig.origin, all[i]);
		assert_true(client_is_cut(client_send(GET("/once")), &got));
		do
			assert_true(rig_receive(&rig, WIRE_OUTLIER, &m, NULL));
		while (m.outlier.gateway_errors == 0);
		assert_int_equal(m.outlier.upstream, UP_ONCE);
		nothing_is_held();
	}
}

/* ---- large ones */

/* So many bytes as frames D or C of 4000 bytes each, after a head. */
static void
stream_make(struct str *frames, struct str *plain, size_t bytes, char letter)
{
	str_clear(frames);
	str_clear(plain);
	str_puts(frames, "HTTP/1.1 200 OK\r\nX-Step: decode\r\n"
			 "Connection: close\r\n\r\nH0200");
	while (plain->length < bytes) {
		size_t from = plain->length;

		while (plain->length < from + 4000)
			str_putc(plain,
				(char)('a' + (plain->length * 7 +
						     plain->length / 4000) %
						     23));
		str_printf(frames, "%c4000", letter);
		str_append(frames, plain->data + from, 4000);
	}
	str_puts(frames, "E0000");
}

static void
streams_wait_for_slow_clients(void **state)
{
	static const char request[] =
		"POST /calls HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 3\r\n\r\nabc";
	struct str frames, plain, body;

	(void)state;
	str_init(&frames);
	str_init(&plain);
	str_init(&body);
	for (int i = 0; i < 2; i++) {
		struct rig_answer script[] = { { NULL, RIG_CLOSE, 0 },
			END_OF_LIST };
		uint64_t before = counted(UP_CALLS).bytes_received, came;
		int fd;

		stream_make(&frames, &plain, 16 << 20, i == 0 ? 'D' : 'C');
		script[0].bytes = frames.data;
		script[0].length = frames.length;
		rig_origin_script(rig.origin, script);
		fd = rig_client(&rig);
		rig_client_send(fd, request, strlen(request));
		str_clear(&got);
		rig_client_read(fd, &got, 1000, RIG_WAIT_MS);
		/* It stops to come when nobody takes it, and the client is
		 * not given up for that. */
		do {
			came = counted(UP_CALLS).bytes_received;
			assert_int_equal(poll(&(struct pollfd){ fd, 0, 0 }, 1,
						 100),
				0);
		} while (counted(UP_CALLS).bytes_received != came);
		assert_true(came - before < 12 << 20);
		assert_int_equal(counted(UP_CALLS).call_bytes_active, 0);
		if (!rig_client_read(fd, &got, SIZE_MAX, 4 * RIG_WAIT_MS))
			fail_msg("no end");
		close(fd);
		assert_true(unchunk(&got, &body));
		assert_int_equal(body.length, plain.length);
		assert_memory_equal(body.data, plain.data, plain.length);
		nothing_is_held();
	}
	str_fini(&frames);
	str_fini(&plain);
	str_fini(&body);
}

/* A collected answer of 7 MB. */
static void
whole_make(struct str *answer)
{
	str_clear(answer);
	str_printf(answer,
		"HTTP/1.1 200 OK\r\nX-Step: collect\r\n"
		"Content-Length: %u\r\n\r\ndone 200\n",
		(7u << 20) + 9);
	while (answer->length < 7u << 20)
		str_putc(answer, (char)('a' + answer->length * 7 % 23 +
					 answer->length / 4096 % 3));
	{
		size_t head =
			(size_t)(strstr(answer->data, "done") - answer->data);

		while (answer->length < head + 9 + (7u << 20))
			str_putc(answer, 'z');
	}
}

static void
slow_clients_hold_memory_and_nothing_else(void **state)
{
	struct rig_answer script[] = { { NULL, 0, 0 }, END_OF_LIST };
	struct str answer;
	int fd;

	(void)state;
	str_init(&answer);
	whole_make(&answer);
	script[0].bytes = answer.data;
	script[0].length = answer.length;
	rig_origin_script(rig.origin, script);
	fd = rig_client(&rig);
	rig_client_send(fd, GET("/large"), strlen(GET("/large")));
	str_clear(&got);
	rig_client_read(fd, &got, 1000, RIG_WAIT_MS);
	begins("slow", &got, MADE "content-length: 7340032\r\n");
	/* All of it is there, and its endpoint is free. */
	assert_int_equal(counted(UP_LARGE).call_bytes_active, (7u << 20) + 9);
	assert_int_equal(counted(UP_LARGE).requests_active, 0);
	assert_int_equal(counted(UP_LARGE).connections_open, 0);
	assert_int_equal(rig_counters(&rig).requests_active, 1);
	/* Another one is too much: they cannot all be held. */
	client_read(client_send(GET("/wrapped")), &got);
	begins("another", &got, "HTTP/1.1 503 ");
	str_clear(&got);
	rig_client_read(fd, &got, SIZE_MAX, 4 * RIG_WAIT_MS);
	close(fd);
	ends("all of it", &got, answer.data + answer.length - 100000);
	nothing_is_held();
	/* Who does not read at all is cut off. */
	body_idle_set(2000);
	fd = rig_client(&rig);
	rig_client_send(fd, GET("/large"), strlen(GET("/large")));
	assert_true(
		rig_await(&rig, UP_LARGE, "call_bytes_active", (7u << 20) + 9));
	assert_true(rig_await(&rig, UP_LARGE, "call_bytes_active", 0));
	close(fd);
	body_idle_set(settings.body_idle_ms);
	nothing_is_held();
	str_fini(&answer);
}

/* ---- what changes meanwhile */

static void
a_generation_changes_during_an_answer(void **state)
{
	struct rig_answer script[] = { { NULL, RIG_CLOSE, 0 }, END_OF_LIST };
	struct wire_message m = rig_message(WIRE_ENDPOINTS_FORGET);
	struct rig_endpoint one = { .port = rig_origin_port(rig.origin),
		.health = ENDPOINT_UP,
		.weight = 1 };
	struct str frames, plain, body;
	int fd, gone;

	(void)state;
	str_init(&frames);
	str_init(&plain);
	str_init(&body);
	stream_make(&frames, &plain, 4 << 20, 'D');
	script[0].bytes = frames.data;
	script[0].length = frames.length;
	rig_origin_script(rig.origin, script);
	fd = client_send(GET("/gone"));
	str_clear(&got);
	rig_client_read(fd, &got, 1000, RIG_WAIT_MS);
	generation_next();
	rig_image(&rig, routes, 0);
	m.endpoints.upstream = UP_GONE;
	rig_send(&rig, &m, NULL, 0);
	generation_next();
	if (!rig_client_read(fd, &got, SIZE_MAX, 4 * RIG_WAIT_MS))
		fail_msg("no end");
	close(fd);
	assert_true(unchunk(&got, &body));
	assert_memory_equal(body.data, plain.data, plain.length);
	rig_endpoints(&rig, UP_GONE, &one, 1);
	generation_next();
	/* And who goes away during one ends it. */
	gone = client_send(GET("/gone"));
	str_clear(&got);
	rig_client_read(gone, &got, 1000, RIG_WAIT_MS);
	rig_client_reset(gone);
	nothing_is_held();
	assert_true(rig_await(&rig, UP_GONE, "connections_open", 0));
	str_fini(&frames);
	str_fini(&plain);
	str_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_passed_on),
		cmocka_unit_test(heads_that_are_none_are_refused),
		cmocka_unit_test(answers_are_collected),
		cmocka_unit_test(collected_answers_are_limited),
		cmocka_unit_test(one_that_is_cut_is_tried_again),
		cmocka_unit_test(a_client_goes_on_after_a_call),
		cmocka_unit_test(answers_of_any_size_keep_the_connection),
		cmocka_unit_test(answers_are_decoded),
		cmocka_unit_test(decoded_answers_are_strict),
		cmocka_unit_test(what_is_cut_is_a_failure_of_the_endpoint),
		cmocka_unit_test(streams_wait_for_slow_clients),
		cmocka_unit_test(slow_clients_hold_memory_and_nothing_else),
		cmocka_unit_test(a_generation_changes_during_an_answer),
	};
	int rc;

	str_init(&got);
	rc = cmocka_run_group_tests(tests, group_start, group_stop);
	str_fini(&got);
	return rc;
}
