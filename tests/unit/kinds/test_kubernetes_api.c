/* Tests userspace/kinds/kubernetes/api.c against a scripted server. */
#include "kubernetes_world.h"

#include "base/clock.h"
#include "base/doc.h"
#include "kinds/kubernetes/api.h"
#include "net/http_client.h"
#include "tests/lib/replay.h"

#define STATUS                                                                 \
	"{\"kind\":\"Status\",\"message\":\"pods \\\"a\\\" not\\n"             \
	"found\",\"reason\":\"NotFound\",\"code\":404}"

struct world {
	struct loop *loop;
	struct http_client *http;
	struct kubernetes_account *account;
	struct kubernetes_api *api;
	struct replay *replay;
};

/* What a call ended with. */
struct ended {
	int count, status;
	char *problem, *reason, *name;
	uint64_t retry_after_ms, date_ms;
	bool has_doc;
};

static void
ended_fini(struct ended *e)
{
	free(e->problem);
	free(e->reason);
	free(e->name);
	memset(e, 0, sizeof(*e));
}

static void
on_answer(const struct kubernetes_answer *a, void *arg)
{
	struct ended *e = arg;

	e->count++;
	e->status = a->status;
	e->problem = a->problem == NULL ? NULL : xstrdup(a->problem);
	e->reason = xstrdup(a->reason);
	e->name = xstrdup(doc_get_text(a->doc, "name"));
	e->retry_after_ms = a->retry_after_ms;
	e->date_ms = a->date_ms;
	e->has_doc = a->doc != NULL;
}

static bool
is_ended(void *arg)
{
	return ((struct ended *)arg)->count > 0;
}

static int
set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->loop = loop_new();
	w->http = http_client_new(w->loop);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	kubernetes_api_free(w->api);
	kubernetes_account_close(w->account);
	http_client_free(w->http);
	replay_free(w->replay);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void
begin_as(struct world *w, const struct replay_line *script, const char *user)
{
	struct error err = ERROR_INIT;

	w->replay = replay_new(w->loop, script, w);
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: "
		"'http://127.0.0.1:%u/base/'}}]\n"
		"users: [{name: u, user: {%s}}]\n",
		replay_port(w->replay), user);
	w->account = kubernetes_account_open(w->loop,
		&(struct kubernetes_account_options){ .kubeconfig = "config",
			.folder = folder,
			.insecure = true,
			.look_ms = 3600000 },
		&err);
	if (w->account == NULL)
		fail_msg("%s", err.text);
	w->api = kubernetes_api_new(w->loop, w->http, w->account);
	kubernetes_api_set_pace(
		w->api, &(struct kubernetes_pace){ 1, 100, 10 });
}

static void
begin(struct world *w, const struct replay_line *script)
{
	begin_as(w, script, "token: secret-token");
}

/* One call, to its end. */
static struct ended
call(struct world *w, struct kubernetes_request r)
{
	struct ended e = { 0 };

	kubernetes_api_call(w->api, &r, on_answer, &e);
	assert_int_equal(e.count, 0);
	if (!run_for(w->loop, WAIT_MS, is_ended, &e))
		fail_msg("no end of %s", r.path);
	return e;
}

static void
test_a_request(void **state)
{
	static const struct replay_line script[] = {
		{ "GET /base/api/v1/x?limit=1 Bearer secret-token "
		  "Accept: application/json !Content-Type",
			200, NULL, "{\"name\":\"x\"}", 0, 0, 0, NULL },
		{ "PATCH /base/api/v1/x Content-Type: "
		  "application/merge-patch+json {\"a\":1}",
			200, NULL, "ok", 0, 0, 0, NULL },
		{ "POST /base/api/v1/x application/json\r\n", 201, NULL, "", 0,
			0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world *w = *state;
	struct ended e;

	begin(w, script);
	e = call(w, (struct kubernetes_request){ .path = "/api/v1/x?limit=1" });
	assert_int_equal(e.status, 200);
	assert_null(e.problem);
	assert_string_equal(e.name, "x");
	assert_string_equal(e.reason, "");
	ended_fini(&e);
	e = call(w, (struct kubernetes_request){ .method = "PATCH",
			    .path = "/api/v1/x",
			    .content_type = "application/merge-patch+json",
			    .body = slice_of("{\"a\":1}") });
	assert_null(e.problem);
	assert_false(e.has_doc);
	ended_fini(&e);
	e = call(w, (struct kubernetes_request){ .method = "POST",
			    .path = "/api/v1/x",
			    .body = slice_of("{}") });
	assert_int_equal(e.status, 201);
	ended_fini(&e);
}

static void
test_refusals(void **state)
{
	static const struct {
		struct replay_line line;
		const char *problem, *reason;
	} rows[] = {
		{ { "", 404, NULL, STATUS, 0, 0, 0, NULL },
			"GET /x: NotFound: pods \"a\" not found", "NotFound" },
		{ { "", 404, NULL, "404 page not found\n", 0, 0, 0, NULL },
			"GET /x: HTTP 404: 404 page not found", "" },
		{ { "", 500, NULL, "", 0, 0, 0, NULL },
			"GET /x: HTTP 500", "" },
		{ { "", 502, NULL, "\x1b[2J{", 0, 0, 0, NULL },
			"GET /x: HTTP 502:  [2J{", "" },
		{ { "", 409, NULL,
			  "{\"kind\":\"Status\",\"reason\":\"Conflict\"", 0, 0,
			  0, NULL },
			"GET /x: HTTP 409: {\"kind\":\"Status\",\"reason\":"
			"\"Conflict\"",
			"" },
		{ { "", 302, "Location: /y\r\n", "", 0, 0, 0, NULL },
			"GET /x: HTTP 302", "" },
	};
	struct replay_line script[ARRAY_SIZE(rows) + 1] = { 0 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		script[i] = rows[i].line;
	begin(w, script);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ended e = call(w,
			(struct kubernetes_request){ .path = "/x?secret" });

		assert_int_equal(e.status, rows[i].line.status);
		assert_string_equal(e.problem, rows[i].problem);
		assert_string_equal(e.reason, rows[i].reason);
		ended_fini(&e);
	}
}

static void
test_no_answer(void **state)
{
	static const struct replay_line script[] = {
		{ "", 0, NULL, NULL, 0, 0, 0, NULL },
		{ "", 200, NULL, "{", 0, REPLAY_FOREVER, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world *w = *state;
	struct ended e;

	begin(w, script);
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 0);
	assert_memory_equal(e.problem, "GET /x: ", 8);
	assert_null(strstr(e.problem, "secret"));
	ended_fini(&e);
	e = call(w, (struct kubernetes_request){ .path = "/x",
			    .timeout_ms = 50 });
	assert_non_null(e.problem);
	ended_fini(&e);
}

static void
test_unauthorized_is_asked_once_more(void **state)
{
	static const struct replay_line script[] = {
		{ "", 401, NULL, "", 0, 0, 0, NULL },
		{ "", 200, NULL, "{}", 0, 0, 0, NULL },
		{ "", 401, NULL, "", 0, 0, 0, NULL },
		{ "", 401, NULL, "", 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world *w = *state;
	struct ended e;

	begin(w, script);
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 200);
	ended_fini(&e);
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 401);
	assert_string_equal(e.problem, "GET /x: HTTP 401");
	ended_fini(&e);
	assert_int_equal(replay_count(w->replay), 4);
}

static void
token_changes(void *arg)
{
	(void)arg;
	file_write("token", "two");
}

/* The token is read again because it was refused, not because it is time. */
static void
test_refused_token_is_read_again(void **state)
{
	static const struct replay_line script[] = {
		{ "Bearer one", 401, NULL, "", 0, 0, 0, token_changes },
		{ "Bearer two", 200, NULL, "{}", 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world *w = *state;
	struct ended e;

	file_write("token", "one");
	begin_as(w, script, "tokenFile: token");
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 200);
	ended_fini(&e);
}

static void
test_retry_after(void **state)
{
	static const char busy[] = "Retry-After: 3\r\n";
	static const struct replay_line script[] = {
		{ "", 429, busy, "", 0, 0, 0, NULL },
		{ "", 503, busy, "", 0, 0, 0, NULL },
		{ "", 200, NULL, "{}", 0, 0, 0, NULL },
		/* Not without a time, nor with another status. */
		{ "", 429, NULL, "", 0, 0, 0, NULL },
		{ "", 503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "",
			0, 0, 0, NULL },
		{ "", 504, busy, "", 0, 0, 0, NULL },
		/* Once means once. */
		{ "", 429, busy, "", 0, 0, 0, NULL },
		{ "", 429, NULL,
			"{\"kind\":\"Status\",\"reason\":\"TooManyRequests\","
			"\"details\":{\"retryAfterSeconds\":7}}",
			0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	static const struct {
		int status;
		uint64_t retry_after_ms;
		bool once;
	} rows[] = { { 200, 0, false }, { 429, 0, false }, { 503, 0, false },
		{ 504, 30, false }, { 429, 30, true }, { 429, 70, false } };
	struct world *w = *state;

	begin(w, script);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ended e = call(w,
			(struct kubernetes_request){
				.path = "/x", .once = rows[i].once });

		assert_int_equal(e.status, rows[i].status);
		assert_int_equal(e.retry_after_ms, rows[i].retry_after_ms);
		ended_fini(&e);
	}
	assert_true(replay_time_ms(w->replay, 1) -
			    replay_time_ms(w->replay, 0) >=
		    20);
}

/* Whatever a server says, it is not left alone for ever, and not for less than
 * no time. A second lasts 10 ms here. */
static void
test_retry_after_is_bounded(void **state)
{
	static const struct {
		const char *headers, *seconds;
		uint64_t ms;
	} rows[] = {
		{ NULL, "7", 70 },
		{ NULL, "0", 0 },
		{ NULL, "-5", 0 },
		{ NULL, "-9223372036854775808", 0 },
		{ NULL, "65537", 300000 },
		{ NULL, "9223372036854775807", 300000 },
		{ NULL, "\"7\"", 0 },
		{ "Retry-After: 999999\r\n", "7", 300000 },
		{ "Retry-After: 9\r\n", "7", 90 },
	};
	struct replay_line script[ARRAY_SIZE(rows) + 1] = { 0 };
	char *bodies[ARRAY_SIZE(rows)];
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bodies[i] = xasprintf("{\"kind\":\"Status\",\"details\":{"
				      "\"retryAfterSeconds\":%s}}",
			rows[i].seconds);
		script[i] = (struct replay_line){ "", 429, rows[i].headers,
			bodies[i], 0, 0, 0, NULL };
	}
	begin(w, script);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ended e = call(w,
			(struct kubernetes_request){
				.path = "/x", .once = true });

		assert_int_equal(e.retry_after_ms, rows[i].ms);
		ended_fini(&e);
		free(bodies[i]);
	}
}

static void
test_retries_end(void **state)
{
	struct replay_line script[11] = { 0 };
	struct world *w = *state;
	struct ended e;

	for (size_t i = 0; i < 10; i++)
		script[i] = (struct replay_line){ "", 429,
			"Retry-After: 1\r\n", "", 0, 0, 0, NULL };
	begin(w, script);
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 429);
	assert_int_equal(replay_count(w->replay), 10);
	ended_fini(&e);
}

/* What the server says of its clock, in the form that all send. */
static void
test_date(void **state)
{
	static const struct replay_line script[] = {
		{ "", 200, "Date: Fri, 27 Nov 2026 13:37:01 GMT\r\n", "{}", 0,
			0, 0, NULL },
		{ "", 403, "Date: Fri, 27 Nov 2026 13:37:01 GMT\r\n", "", 0,
			0, 0, NULL },
		{ "", 200, NULL, "{}", 0, 0, 0, NULL },
		{ "", 200, "Date: tomorrow\r\n", "{}", 0, 0, 0, NULL },
		{ "", 200, "Date: Fri, 27 Nov 2026 13:37:01 GMT, or so\r\n",
			"{}", 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world *w = *state;

	begin(w, script);
	for (size_t i = 0; i < 5; i++) {
		struct ended e = call(
			w, (struct kubernetes_request){ .path = "/x" });

		assert_int_equal(e.date_ms, i < 2 ? 1795786621000 : 0);
		ended_fini(&e);
	}
}

/* ---- the bucket */

static bool
all_ended(void *arg)
{
	const struct ended *e = arg;

	for (size_t i = 0; i < 6; i++)
		if (e[i].count == 0)
			return false;
	return true;
}

static void
test_bucket(void **state)
{
	/* In their order, but what is urgent first. */
	static const char *const order[] = { "/base/5", "/base/0", "/base/1",
		"/base/2", "/base/3", "/base/4" };
	struct replay_line script[7] = { 0 };
	struct ended e[6] = { 0 };
	struct world *w = *state;
	uint64_t begun;
	char path[8];

	for (size_t i = 0; i < 6; i++)
		script[i] = (struct replay_line){ order[i], 200, NULL, "{}", 0,
			0, 0, NULL };
	begin(w, script);
	kubernetes_api_set_pace(
		w->api, &(struct kubernetes_pace){ 60, 3, 10 });
	begun = clock_monotonic_ms();
	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/%zu", i);
		kubernetes_api_call(w->api,
			&(struct kubernetes_request){
				.path = path, .urgent = i == 5 },
			on_answer, &e[i]);
	}
	assert_true(run_for(w->loop, WAIT_MS, all_ended, e));
	/* Three at once, then one by one. */
	assert_true(replay_time_ms(w->replay, 3) - begun >= 40);
	assert_true(replay_time_ms(w->replay, 5) - begun >= 150);
	for (size_t i = 0; i < 6; i++)
		ended_fini(&e[i]);
}

/* What is urgent does not keep all else waiting for ever. */
static void
test_urgent_does_not_starve_the_rest(void **state)
{
	static const char *const order[] = { "/base/1", "/base/2", "/base/3",
		"/base/0", "/base/4", "/base/5" };
	struct replay_line script[7] = { 0 };
	struct ended e[6] = { 0 };
	struct world *w = *state;
	char path[8];

	for (size_t i = 0; i < 6; i++)
		script[i] = (struct replay_line){ order[i], 200, NULL, "{}", 0,
			0, 0, NULL };
	begin(w, script);
	kubernetes_api_set_pace(
		w->api, &(struct kubernetes_pace){ 30, 1, 10 });
	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/%zu", i);
		kubernetes_api_call(w->api,
			&(struct kubernetes_request){
				.path = path, .urgent = i > 0 },
			on_answer, &e[i]);
	}
	assert_true(run_for(w->loop, WAIT_MS, all_ended, e));
	for (size_t i = 0; i < 6; i++)
		ended_fini(&e[i]);
}

/* ---- giving up */

static bool
has_been_asked(void *arg)
{
	struct world *w = arg;

	return replay_count(w->replay) > 0;
}

static void
test_cancelled(void **state)
{
	static const struct replay_line script[] = {
		{ "/asked", 200, NULL, "{", 0, REPLAY_FOREVER, 0, NULL },
		{ "/last", 200, NULL, "{}", 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct kubernetes_call *asked, *queued;
	struct ended e[2] = { 0 }, last;
	struct world *w = *state;

	begin(w, script);
	asked = kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/asked" }, on_answer,
		&e[0]);
	assert_true(run_for(w->loop, WAIT_MS, has_been_asked, w));
	queued = kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/queued" }, on_answer,
		&e[1]);
	kubernetes_call_cancel(queued);
	kubernetes_call_cancel(asked);
	kubernetes_call_cancel(NULL);
	last = call(w, (struct kubernetes_request){ .path = "/last" });
	ended_fini(&last);
	assert_int_equal(e[0].count + e[1].count, 0);
	/* These are still open when the server is given up. */
	kubernetes_api_call(w->api,
		&(struct kubernetes_request){ .path = "/open" }, on_answer,
		&e[0]);
}

static void
test_no_ticket(void **state)
{
	static const struct replay_line script[] = {
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world *w = *state;
	struct ended e;

	begin_as(w, script,
		"exec: {apiVersion: client.authentication.k8s.io/v1, "
		"command: /bin/false}");
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 0);
	assert_string_equal(e.problem,
		"GET /x: credential plugin \"/bin/false\": ended with status "
		"1");
	ended_fini(&e);
	e = call(w, (struct kubernetes_request){ .path = "/x" });
	assert_int_equal(e.status, 0);
	ended_fini(&e);
}

/* ---- streams */

struct stream {
	struct kubernetes_call *call;
	struct str said;
	int cancel_at; /* the value in whose callback it is given up */
	int values, done;
};

static void
on_open(void *arg)
{
	struct stream *s = arg;

	str_puts(&s->said, "open ");
}

static void
on_value(struct doc *value, struct slice text, const char *problem, void *arg)
{
	struct stream *s = arg;

	assert_true((value == NULL) == (problem != NULL));
	if (value != NULL)
		str_printf(&s->said, "%lld/%zu ",
			(long long)doc_get_integer(value, "n"), text.length);
	else
		str_puts(&s->said, "bad ");
	doc_free(value);
	if (++s->values == s->cancel_at) {
		kubernetes_call_cancel(s->call);
		s->done++;
	}
}

static void
on_done(const struct kubernetes_answer *answer, const struct doc *rest,
	void *arg)
{
	struct stream *s = arg;

	str_printf(&s->said, "done %d", answer->status);
	if (answer->problem != NULL)
		str_printf(&s->said, " %s", answer->problem);
	if (rest != NULL)
		str_printf(&s->said, " rest=%s", doc_get_text(rest, "kind"));
	s->done++;
}

static bool
stream_is_done(void *arg)
{
	return ((struct stream *)arg)->done > 0;
}

static void
test_streams(void **state)
{
	static const struct {
		struct replay_line line;
		bool list;
		int cancel_at;
		const char *said;
	} rows[] = {
		{ { "", 200, NULL, "{\"n\":1}\n{\"n\":2}{\"n\":3}", 3, 20, 0,
			  NULL },
			false, 0, "open 1/7 2/7 3/7 done 200" },
		{ { "", 200, NULL,
			  "{\"kind\":\"L\",\"items\":[{\"n\":1},{\"n\":2}]}", 5,
			  0, 0, NULL },
			true, 0, "open 1/7 2/7 done 200 rest=L" },
		{ { "", 200, NULL, "{\"n\":1}{\"n\":\"\xff\"}{\"n\":3}", 0, 0,
			  0, NULL },
			false, 0, "open 1/7 bad 3/7 done 200" },
		{ { "", 200, NULL, "{\"n\":1}{\"n\":", 0, 20, 0, NULL }, false,
			0,
			"open 1/7 done 200 GET /x: the answer ended within a "
			"value" },
		{ { "", 410, NULL, STATUS, 0, 0, 0, NULL }, false, 0,
			"done 410 GET /x: NotFound: pods \"a\" not found" },
		{ { "", 200, NULL, "{\"n\":1}{\"n\":2}{\"n\":3}", 0,
			  REPLAY_FOREVER, 0, NULL },
			false, 2, "open 1/7 2/7 " },
	};
	static const struct kubernetes_stream_events events = {
		.open = on_open,
		.value = on_value,
		.done = on_done,
	};
	struct replay_line script[ARRAY_SIZE(rows) + 1] = { 0 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		script[i] = rows[i].line;
	begin(w, script);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stream s = { .cancel_at = rows[i].cancel_at };

		str_init(&s.said);
		s.call = kubernetes_api_stream(w->api,
			&(struct kubernetes_request){ .path = "/x" },
			rows[i].list, 0, &events, &s);
		assert_true(run_for(w->loop, WAIT_MS, stream_is_done, &s));
		assert_string_equal(s.said.data, rows[i].said);
		str_fini(&s.said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_a_request),
		T(test_refusals),
		T(test_no_answer),
		T(test_unauthorized_is_asked_once_more),
		T(test_refused_token_is_read_again),
		T(test_retry_after),
		T(test_date),
		T(test_retry_after_is_bounded),
		T(test_retries_end),
		T(test_bucket),
		T(test_urgent_does_not_starve_the_rest),
		T(test_cancelled),
		T(test_no_ticket),
		T(test_streams),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
