/* Tests userspace/kinds/azure/answer.c: what becomes of an app's answer. */
#include "azure_rig.h"

enum as {
	OPEN,
	KEYED,
	TOKEN,
	UNKNOWN,
	HEAD_ASKED
};

static void
answer_rig(struct rig *r, enum as as, const struct call_field *field)
{
	struct call_request request = REST("");

	request.fields = field;
	request.field_count = field != NULL;
	switch (as) {
	case OPEN:
		rig_init(r, APP, "open", NULL);
		break;
	case HEAD_ASKED:
		request.method = slice_of("HEAD");
		/* fall through */
	case KEYED:
		rig_init(r, APP, "own", credentials_new(NULL, "own=k"));
		break;
	case TOKEN:
		rig_init(r,
			"functionAppName: my-app\n"
			"functions: [{functionName: own}]\n"
			"appServiceAuthentication: {audience: x}\n",
			"own", credentials_new("Bearer t", ""));
		break;
	case UNKNOWN:
		rig_init(r, "functionAppName: my-app\n", "own", NULL);
		break;
	}
	if (ask(r, request) != 0)
		fail_msg("%s", r->refusal.sentence);
}

/* The head of an answer as the proxy parses it. */
static enum call_step
answer(struct rig *r, enum as as, const char *text)
{
	struct http_head head;
	enum http_refusal why = HTTP_REFUSE_NONE;

	assert_int_equal(http_response_parse(text, strlen(text), 0,
				 as == HEAD_ASKED ? HTTP_HEAD : HTTP_GET,
				 &http_limits_default, &head, &why),
		HTTP_PARSE_DONE);
	http_write_init(&r->w, r->head, sizeof(r->head) - 1);
	r->refusal = (struct call_refusal){ 0 };
	r->news = (struct call_news){ 0 };
	return d->answer(r->call, &head, &r->w, &r->refusal, &r->news);
}

#define STATUS(line) "HTTP/1.1 " line "\r\n"
#define EMPTY        "content-length: 0\r\n\r\n"

/* A8, and A4's first half: what goes on is the function's. */
static void
test_passed(void **state)
{
	static const struct {
		enum as as;
		const char *answer, *head;
	} rows[] = {
		{ KEYED,
			STATUS("200 OK") "content-type: text/plain\r\n"
					 "content-length: 5\r\n"
					 "connection: close\r\n"
					 "set-cookie: a=1\r\n"
					 "set-cookie: b=2\r\n\r\n",
			STATUS("200 OK") "content-type: text/plain\r\n"
					 "set-cookie: a=1\r\n"
					 "set-cookie: b=2\r\n" },
		{ KEYED, STATUS("204 No Content") "\r\n",
			STATUS("204 No Content") },
		{ KEYED, STATUS("404 Not Found") EMPTY,
			STATUS("404 Not Found") },
		{ KEYED, STATUS("500 Internal Server Error") EMPTY,
			STATUS("500 Internal Server Error") },
		{ KEYED, STATUS("502 Bad Gateway") EMPTY,
			STATUS("502 Bad Gateway") },
		{ KEYED, STATUS("403 Forbidden") EMPTY,
			STATUS("403 Forbidden") },
		{ KEYED, STATUS("429 Too Many Requests") EMPTY,
			STATUS("429 Too Many Requests") "retry-after: 1\r\n" },
		{ KEYED,
			STATUS("429 Too Many Requests") "Retry-After: "
							"7\r\n" EMPTY,
			STATUS("429 Too Many Requests") "Retry-After: 7\r\n" },
		/* Its own 401. */
		{ OPEN, STATUS("401 Unauthorized") EMPTY,
			STATUS("401 Unauthorized") },
		{ OPEN,
			STATUS("401 Unauthorized") "www-authenticate: "
						   "Bearer\r\n" EMPTY,
			STATUS("401 Unauthorized") "www-authenticate: "
						   "Bearer\r\n" },
		{ KEYED, STATUS("401 Unauthorized") "content-length: 3\r\n\r\n",
			STATUS("401 Unauthorized") },
		{ UNKNOWN,
			STATUS("401 Unauthorized") "content-length: 3\r\n\r\n",
			STATUS("401 Unauthorized") },
		{ HEAD_ASKED,
			STATUS("401 Unauthorized") "content-length: 3\r\n\r\n",
			STATUS("401 Unauthorized") },
		/* Its own 503, of which nothing can be seen. */
		{ HEAD_ASKED,
			STATUS("503 Service Unavailable") "content-length: "
							  "3\r\n\r\n",
			STATUS("503 Service Unavailable") },
		{ KEYED,
			STATUS("503 Service Unavailable") "content-length: "
							  "1025\r\n\r\n",
			STATUS("503 Service Unavailable") },
		/* No key in what the client is told. */
		{ KEYED,
			STATUS("202 Accepted") "location: "
					       "https://"
					       "my-app.azurewebsites.net/"
					       "runtime/"
					       "x?a=1&code=secret\r\n"
					       "Content-Location: "
					       "/y?code=secret\r\n" EMPTY,
			STATUS("202 Accepted") "location: "
					       "https://"
					       "my-app.azurewebsites.net/"
					       "runtime/"
					       "x?a=1\r\n"
					       "Content-Location: /y\r\n" },
		/* Who comes without a token may be sent to a login. */
		{ OPEN,
			STATUS("302 Found") "location: https://login."
					    "microsoftonline.com/x\r\n" EMPTY,
			STATUS("302 Found") "location: https://login."
					    "microsoftonline.com/x\r\n" },
		{ TOKEN, STATUS("302 Found") "location: /elsewhere\r\n" EMPTY,
			STATUS("302 Found") "location: /elsewhere\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig r;

		answer_rig(&r, rows[i].as, NULL);
		assert_int_equal(
			answer(&r, rows[i].as, rows[i].answer), CALL_PASS);
		r.head[r.w.length] = '\0';
		assert_string_equal(r.head, rows[i].head);
		assert_false(r.news.credentials_refused);
		rig_fini(&r);
	}
}

/* A4: the platform's 401 is asked once more, then the site's 503. */
static void
test_not_let_in(void **state)
{
	static const struct {
		enum as as;
		const char *answer, *what;
	} rows[] = {
		{ KEYED, STATUS("401 Unauthorized") EMPTY, "key" },
		{ HEAD_ASKED, STATUS("401 Unauthorized") EMPTY, "key" },
		{ TOKEN, STATUS("401 Unauthorized") EMPTY, "token" },
		{ TOKEN,
			STATUS("401 Unauthorized") "www-authenticate: Bearer "
						   "realm=\"x\"\r\n"
						   "content-length: 9\r\n\r\n",
			"token" },
		{ TOKEN,
			STATUS("401 Unauthorized") "x-ms-middleware-request-id:"
						   " 1\r\n"
						   "content-length: 9\r\n\r\n",
			"token" },
		{ TOKEN,
			STATUS("302 Found") "location: "
					    "https://login.windows.net/t/"
					    "oauth2\r\n" EMPTY,
			"token" },
		{ TOKEN,
			STATUS("302 Found") "location: "
					    "https://my-app.azurewebsites.net/"
					    ".auth/"
					    "login/aad\r\n" EMPTY,
			"token" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct call_request request = REST("");
		char *sentence =
			xasprintf("\"my-app\" did not take the %s for function "
				  "\"own\"",
				rows[i].what);
		struct rig r;

		answer_rig(&r, rows[i].as, NULL);
		assert_int_equal(
			answer(&r, rows[i].as, rows[i].answer), CALL_AGAIN);
		assert_true(r.news.nothing_ran);
		assert_true(r.news.credentials_refused);
		if (rows[i].as == HEAD_ASKED)
			request.method = slice_of("HEAD");
		assert_int_equal(ask(&r, request), 0);
		assert_int_equal(
			answer(&r, rows[i].as, rows[i].answer), CALL_REFUSE);
		assert_int_equal(r.refusal.status, 503);
		assert_string_equal(r.refusal.word, "credentials_refused");
		assert_string_equal(r.refusal.sentence, sentence);
		assert_true(r.news.credentials_refused);
		rig_fini(&r);
		free(sentence);
	}
}

/* A4: it is not the key that an empty 401 is about. */
static void
test_proven(void **state)
{
	static const char text[] = STATUS("401 Unauthorized") "x-own: 1\r\n"
							      EMPTY;
	static const struct {
		const char *spec, *bearer, *keys;
		enum call_step step;
	} rows[] = {
		{ APP, NULL, "own=k", CALL_AGAIN },
		{ APP, NULL, "own=k proven", CALL_PASS },
		{ APP, NULL, "default=d proven", CALL_PASS },
		/* It may be of level Admin: then that is the wrong key. */
		{ "functionAppName: my-app\nsecretRef: {name: s}\n", NULL,
			"default=d proven", CALL_AGAIN },
		/* It may be about the token. */
		{ APP "appServiceAuthentication: {audience: x}\n", "Bearer t",
			"own=k proven", CALL_AGAIN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct call_request request = REST("");
		struct rig r;

		rig_init(&r, rows[i].spec, "own",
			credentials_new(rows[i].bearer, rows[i].keys));
		assert_int_equal(ask(&r, request), 0);
		assert_int_equal(answer(&r, KEYED, text), rows[i].step);
		assert_int_equal(
			r.news.credentials_refused, rows[i].step == CALL_AGAIN);
		r.head[r.w.length] = '\0';
		if (rows[i].step == CALL_PASS)
			assert_string_equal(r.head,
				STATUS("401 Unauthorized") "x-own: 1\r\n");
		rig_fini(&r);
	}
}

/* The same key once more, which is proven meanwhile; and one that is not. */
static void
test_proven_by_the_first(void **state)
{
	static const char text[] = STATUS("401 Unauthorized") EMPTY;

	(void)state;
	for (int proven = 0; proven < 2; proven++) {
		struct call_request request = REST("");
		struct rig r;

		answer_rig(&r, KEYED, NULL);
		assert_int_equal(answer(&r, KEYED, text), CALL_AGAIN);
		d->credentials_free(r.credentials);
		r.credentials = credentials_new(
			NULL, proven ? "own=k proven" : "own=k2");
		assert_int_equal(ask(&r, request), 0);
		assert_int_equal(answer(&r, KEYED, text),
			proven ? CALL_PASS : CALL_REFUSE);
		assert_int_equal(r.news.credentials_refused, !proven);
		rig_fini(&r);
	}
}

/* The upstream does not list it, discovery says that it is anonymous. */
static void
test_found_to_be_anonymous(void **state)
{
	struct call_request request = REST("");
	struct azure_credentials *c = credentials_new(NULL, "own=k");
	struct rig r;

	(void)state;
	azure_credentials_add(c, "own")->level = AZURE_ANONYMOUS;
	rig_init(&r, "functionAppName: my-app\nsecretRef: {name: s}\n", "own",
		c);
	assert_int_equal(ask(&r, request), 0);
	assert_int_equal(
		answer(&r, KEYED, STATUS("401 Unauthorized") EMPTY), CALL_PASS);
	rig_fini(&r);
}

static void
test_platform_refuses(void **state)
{
	static const struct call_field token = { { "Authorization", 13 },
		{ "Bearer mine", 11 } };
	static const struct {
		enum as as;
		bool client_token;
		const char *answer, *word; /* NULL: passed */
	} rows[] = {
		{ UNKNOWN, false, STATUS("401 Unauthorized") EMPTY,
			"credentials_missing" },
		{ UNKNOWN, true, STATUS("401 Unauthorized") EMPTY, NULL },
		{ OPEN, false,
			STATUS("401 Unauthorized") "x-ms-middleware-request-id:"
						   " 1\r\n" EMPTY,
			"credentials_missing" },
		{ OPEN, false,
			STATUS("401 Unauthorized") "www-authenticate: Bearer "
						   "authorization_uri="
						   "\"x\"\r\n" EMPTY,
			"credentials_missing" },
		{ KEYED, false,
			STATUS("401 Unauthorized") "x-ms-middleware-request-id:"
						   " 1\r\n" EMPTY,
			"credentials_missing" },
		{ OPEN, true,
			STATUS("401 Unauthorized") "x-ms-middleware-request-id:"
						   " 1\r\n" EMPTY,
			NULL },
		{ OPEN, false,
			STATUS("403 Ip Forbidden") "x-ms-forbidden-ip: "
						   "10.0.0.1\r\n" EMPTY,
			"app_forbidden" },
		{ TOKEN, false,
			STATUS("403 Forbidden") "x-ms-middleware-request-id: "
						"1\r\n" EMPTY,
			"app_forbidden" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig r;
		enum call_step step;

		answer_rig(
			&r, rows[i].as, rows[i].client_token ? &token : NULL);
		step = answer(&r, rows[i].as, rows[i].answer);
		if (rows[i].word == NULL) {
			assert_int_equal(step, CALL_PASS);
		} else {
			assert_int_equal(step, CALL_REFUSE);
			assert_int_equal(r.refusal.status, 502);
			assert_string_equal(r.refusal.word, rows[i].word);
		}
		rig_fini(&r);
	}
}

/* Feeds a body in pieces of that size; what went on is in out. */
static enum call_step
body_feed(struct rig *r, const char *body, size_t piece, struct str *out)
{
	size_t length = strlen(body), at = 0;

	for (;;) {
		size_t left = length - at;
		struct slice in = { body + at, left < piece ? left : piece };
		bool last = at + in.length == length;
		struct slice data = { NULL, 0 };
		size_t used = 0;
		enum call_step step = d->answer_bytes(r->call, in, last, &used,
			&r->w, &data, &r->refusal, &r->news);

		assert_true(used <= in.length);
		at += used;
		switch (step) {
		case CALL_MORE:
			assert_int_equal(used, in.length);
			assert_false(last);
			break;
		case CALL_HEAD:
			str_append(out, r->w.out, r->w.length);
			break;
		case CALL_DATA:
			str_append(out, data.data, data.length);
			break;
		default:
			return step;
		}
	}
}

#define MANY                                                                   \
	"0123456789012345678901234567890123456789012345678901234567890123"     \
	"456789 more than is looked at"

static void
test_looked_at(void **state)
{
	static const struct {
		const char *status, *body;
		enum call_step step;
		bool nothing_ran;
	} rows[] = {
		{ "401 Unauthorized", "", CALL_REFUSE, true },
		{ "401 Unauthorized", "x", CALL_DONE, false },
		{ "401 Unauthorized", MANY, CALL_DONE, false },
		{ "503 Service Unavailable", "", CALL_REFUSE, false },
		{ "503 Service Unavailable", "Function host is not running.",
			CALL_REFUSE, true },
		{ "503 Service Unavailable", "The service is unavailable.",
			CALL_REFUSE, false },
		{ "503 Service Unavailable", "Function", CALL_DONE, false },
		{ "503 Service Unavailable", "mine", CALL_DONE, false },
		{ "503 Service Unavailable", MANY, CALL_DONE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t piece = 1; piece < 130; piece++) {
			char *head = xasprintf("HTTP/1.1 %s\r\n"
					       "transfer-encoding: chunked\r\n"
					       "x-own: 1\r\n\r\n",
				rows[i].status);
			char *passed =
				xasprintf("HTTP/1.1 %s\r\nx-own: 1\r\n%s",
					rows[i].status, rows[i].body);
			struct str out;
			struct rig r;

			answer_rig(&r, KEYED, NULL);
			str_init(&out);
			assert_int_equal(answer(&r, KEYED, head), CALL_DECODE);
			/* The head that was parsed is gone by then. */
			memset(head, 'x', strlen(head));
			free(head);
			assert_int_equal(
				body_feed(&r, rows[i].body, piece, &out),
				rows[i].step);
			assert_string_equal(out.data,
				rows[i].step == CALL_DONE ? passed : "");
			assert_int_equal(
				r.news.nothing_ran, rows[i].nothing_ran);
			str_fini(&out);
			free(passed);
			rig_fini(&r);
		}
}

static void
test_collected(void **state)
{
	static const struct {
		const char *body;
		enum call_step step;
		bool nothing_ran;
	} rows[] = {
		{ "Function host is not running.", CALL_AGAIN, true },
		{ "The service is unavailable.", CALL_AGAIN, false },
		{ "mine", CALL_DONE, false },
		{ MANY, CALL_DONE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *head = xasprintf("HTTP/1.1 503 x\r\nx-own: 1\r\n"
				       "content-length: %zu\r\n\r\n",
			strlen(rows[i].body));
		struct slice out = { NULL, 0 };
		struct rig r;

		answer_rig(&r, KEYED, NULL);
		assert_int_equal(answer(&r, KEYED, head), CALL_COLLECT);
		memset(head, 'x', strlen(head));
		free(head);
		assert_int_equal(d->answer_whole(r.call, slice_of(rows[i].body),
					 &r.w, &out, &r.refusal, &r.news),
			rows[i].step);
		assert_int_equal(r.news.nothing_ran, rows[i].nothing_ran);
		if (rows[i].step == CALL_DONE) {
			assert_true(slice_equal(out, slice_of(rows[i].body)));
			r.head[r.w.length] = '\0';
			assert_string_equal(r.head,
				"HTTP/1.1 503 Service Unavailable\r\n"
				"x-own: 1\r\n");
		} else {
			assert_string_equal(r.refusal.word, "host_unavailable");
		}
		rig_fini(&r);
	}
}

static void
test_host_that_starts(void **state)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
				   "retry-after: 12\r\n" EMPTY;
	struct call_request request = REST("");
	struct rig r;

	(void)state;
	answer_rig(&r, KEYED, NULL);
	assert_int_equal(answer(&r, KEYED, text), CALL_AGAIN);
	assert_int_equal(r.refusal.status, 503);
	assert_int_equal(r.refusal.retry_after_s, 12);
	assert_string_equal(r.refusal.word, "host_unavailable");
	assert_string_equal(r.refusal.sentence,
		"the functions host of \"my-app\" is not available");
	assert_false(r.news.credentials_refused);
	assert_int_equal(ask(&r, request), 0);
	assert_int_equal(
		answer(&r, KEYED, "HTTP/1.1 503 x\r\n" EMPTY), CALL_AGAIN);
	assert_int_equal(r.refusal.retry_after_s, 5);
	assert_int_equal(
		answer(&r, KEYED, "HTTP/1.1 200 OK\r\n" EMPTY), CALL_PASS);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_not_let_in),
		cmocka_unit_test(test_proven),
		cmocka_unit_test(test_proven_by_the_first),
		cmocka_unit_test(test_found_to_be_anonymous),
		cmocka_unit_test(test_platform_refuses),
		cmocka_unit_test(test_looked_at),
		cmocka_unit_test(test_collected),
		cmocka_unit_test(test_host_that_starts),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
