/* One API server: requests, and what its refusals mean. */
#include "kinds/kubernetes/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_split.h"
#include "base/mem.h"
#include "net/loop.h"

#define TIMEOUT_MS         30000
#define TRIES_MAX          10
#define URGENT_MAX         3 /* in a row, while another one waits */
#define REFUSAL_BYTES_MAX  (1u << 20) /* of an answer that is no stream */
#define MESSAGE_MAX        400        /* of the server's words in ours */

TAILQ_HEAD(calls, kubernetes_call);

struct kubernetes_api {
	struct loop *loop;
	struct http_client *http;
	struct kubernetes_account *account;
	struct kubernetes_pace pace;
	uint64_t credit_ms, credited_ms; /* of the bucket, and as of when */
	struct calls urgent, waiting;    /* for the bucket */
	unsigned urgent_begun;           /* in a row, while others waited */
	struct calls others;             /* asked, or waiting for their time */
	struct loop_timer *pump;
	char *server; /* that was asked last */
	uint64_t unreached_ms; /* since when no answer comes; 0: one came */
	struct kubernetes_recovery *recoveries;
	struct loop_timer *recovered; /* they are told */
};

struct kubernetes_call {
	struct kubernetes_api *api;
	struct calls *list; /* where it is */
	TAILQ_ENTRY(kubernetes_call) link;

	char *method, *path, *content_type;
	struct str body;
	uint64_t timeout_ms, idle_timeout_ms;
	bool once, urgent;
	kubernetes_answer_f *cb; /* NULL: a stream */
	struct kubernetes_stream_events events;
	bool of_list;
	void *arg;

	unsigned tries;
	bool refused;    /* with 401, once */
	bool superseded; /* a stream of a server that is not asked any more */
	uint64_t serial; /* of the account, when it was asked */
	struct kubernetes_ticket *ticket;
	struct http_call *http;
	struct loop_timer *timer; /* until it is repeated, or superseded */

	int status;
	struct json_split *split; /* a stream that is open */
	struct str refusal; /* a stream's answer other than 200 */
	char *broken;       /* why the stream is no JSON */
	/* A callback runs; cancelled by it, which is freed afterwards. */
	bool feeding, gone;
};

/* ---- words */

/* One line, of bounded length: it goes into logs. */
static void
words_put(struct str *out, const char *text, size_t length)
{
	if (length > MESSAGE_MAX)
		length = MESSAGE_MAX;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		str_putc(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
	}
}

void
kubernetes_status_describe(const struct doc *status, const char *fallback,
	struct str *out)
{
	const char *reason = doc_get_text(status, "reason");
	const char *message = doc_get_text(status, "message");

	if (strcmp(doc_get_text(status, "kind"), "Status") != 0 ||
		(reason[0] == '\0' && message[0] == '\0')) {
		words_put(out, fallback, strcspn(fallback, "\r\n"));
		return;
	}
	words_put(out, reason, strlen(reason));
	if (reason[0] != '\0' && message[0] != '\0')
		str_puts(out, ": ");
	words_put(out, message, strlen(message));
}

uint64_t
kubernetes_retry_after_ms(const struct kubernetes_api *api, int64_t seconds)
{
	const uint64_t most = KUBERNETES_RETRY_AFTER_MAX_MS;
	uint64_t second_ms = api->pace.second_ms;

	if (seconds <= 0)
		return 0;
	return (uint64_t)seconds > most / second_ms
		       ? most
		       : (uint64_t)seconds * second_ms;
}

uint64_t
kubernetes_status_retry_after_ms(
	const struct kubernetes_api *api, const struct doc *status)
{
	return kubernetes_retry_after_ms(api,
		doc_get_integer(doc_get(status, "details"),
			"retryAfterSeconds"));
}

/* ---- calls */

static void
call_move(struct kubernetes_call *c, struct calls *to)
{
	if (c->list != NULL)
		TAILQ_REMOVE(c->list, c, link);
	c->list = to;
	if (to != NULL)
		TAILQ_INSERT_TAIL(to, c, link);
}

/* Forgets the answer so far. */
static void
call_reset(struct kubernetes_call *c)
{
	json_split_free(c->split);
	c->split = NULL;
	c->status = 0;
	str_fini(&c->refusal);
	free(c->broken);
	c->broken = NULL;
}

/* Nothing is on its way any more. */
static void
call_halt(struct kubernetes_call *c)
{
	call_move(c, NULL);
	kubernetes_ticket_cancel(c->ticket);
	c->ticket = NULL;
	if (c->http != NULL)
		http_call_cancel(c->http);
	c->http = NULL;
	loop_timer_stop(c->timer);
}

static void
call_free(struct kubernetes_call *c)
{
	call_halt(c);
	call_reset(c);
	loop_timer_free(c->timer);
	if (c->body.length > 0)
		explicit_bzero(c->body.data, c->body.length);
	str_fini(&c->body);
	free(c->method);
	free(c->path);
	free(c->content_type);
	free(c);
}

void
kubernetes_call_cancel(struct kubernetes_call *call)
{
	if (call == NULL)
		return;
	call->gone = true;
	call_halt(call);
	if (!call->feeding)
		call_free(call);
}

/* ---- the bucket */

static void
bucket_fill(struct kubernetes_api *api)
{
	uint64_t now = loop_now_ms(api->loop);
	uint64_t most = api->pace.interval_ms * api->pace.burst;

	api->credit_ms += now - api->credited_ms;
	api->credited_ms = now;
	if (api->credit_ms > most)
		api->credit_ms = most;
}

static void call_begin(struct kubernetes_call *c);

/* Takes its turn: what is urgent goes first, but does not starve the rest. */
static struct kubernetes_call *
call_next(struct kubernetes_api *api)
{
	struct kubernetes_call *urgent = TAILQ_FIRST(&api->urgent);
	struct kubernetes_call *other = TAILQ_FIRST(&api->waiting);

	if (urgent == NULL ||
		(other != NULL && api->urgent_begun >= URGENT_MAX)) {
		api->urgent_begun = 0;
		return other;
	}
	api->urgent_begun = other == NULL ? 0 : api->urgent_begun + 1;
	return urgent;
}

static void
on_pump(void *arg)
{
	struct kubernetes_api *api = arg;

	bucket_fill(api);
	while (api->credit_ms >= api->pace.interval_ms) {
		struct kubernetes_call *c = call_next(api);

		if (c == NULL)
			return;
		api->credit_ms -= api->pace.interval_ms;
		call_begin(c);
	}
	if (TAILQ_EMPTY(&api->urgent) && TAILQ_EMPTY(&api->waiting))
		return;
	loop_timer_start(api->pump, api->pace.interval_ms - api->credit_ms);
}

static void
call_queue(struct kubernetes_call *c)
{
	struct kubernetes_api *api = c->api;

	call_reset(c);
	call_move(c, c->urgent ? &api->urgent : &api->waiting);
	loop_timer_start(api->pump, 0);
}

/* ---- the end */

static void
answer_tell(struct kubernetes_call *c, const struct kubernetes_answer *a,
	const struct doc *rest)
{
	if (c->cb != NULL)
		c->cb(a, c->arg);
	else
		c->events.done(a, rest, c->arg);
}

static void
problem_put(const struct kubernetes_call *c, const struct kubernetes_answer *a,
	struct str *out)
{
	char fallback[MESSAGE_MAX];

	str_printf(out, "%s %.*s: ", c->method, (int)strcspn(c->path, "?"),
		c->path);
	snprintf(fallback, sizeof(fallback), "HTTP %d%s%.*s", a->status,
		a->body.length > 0 ? ": " : "",
		a->body.length > 120 ? 120 : (int)a->body.length,
		a->body.data == NULL ? "" : a->body.data);
	kubernetes_status_describe(a->doc, fallback, out);
}

/* The call is over; it is freed. failure: there is no answer, or not all. */
static void
call_end(struct kubernetes_call *c, struct kubernetes_answer *a,
	const char *failure)
{
	struct doc *doc = NULL, *rest = NULL;
	struct str problem;

	str_init(&problem);
	if (a->body.length > 0 && a->body.data[0] == '{')
		doc = json_doc_read(a->body.data, a->body.length, NULL);
	a->doc = doc;
	a->reason = "";
	if (strcmp(doc_get_text(doc, "kind"), "Status") == 0)
		a->reason = doc_get_text(doc, "reason");
	if (a->retry_after_ms == 0)
		a->retry_after_ms =
			kubernetes_status_retry_after_ms(c->api, doc);
	if (failure == NULL && c->split != NULL && c->of_list) {
		struct slice text = json_split_rest(c->split);

		rest = json_doc_read(text.data, text.length, NULL);
		if (rest == NULL)
			failure = "the list is no valid JSON";
	}
	if (failure != NULL)
		str_printf(&problem, "%s %.*s: %s", c->method,
			(int)strcspn(c->path, "?"), c->path, failure);
	else if (a->status < 200 || a->status > 299)
		problem_put(c, a, &problem);
	a->problem = problem.length > 0 ? problem.data : NULL;
	call_move(c, NULL);
	c->feeding = true;
	answer_tell(c, a, rest);
	doc_free(doc);
	doc_free(rest);
	str_fini(&problem);
	call_free(c);
}

static void
on_time(void *arg)
{
	struct kubernetes_call *c = arg;

	if (c->superseded)
		call_end(c, &(struct kubernetes_answer){ .status = 0 },
			"the kubeconfig names another API server now");
	else
		call_queue(c);
}

static uint64_t
retry_after(const struct kubernetes_call *c)
{
	const char *text = http_call_header(c->http, "Retry-After");

	if (text == NULL || text[0] == '\0' || strlen(text) > 6 ||
		text[strspn(text, "0123456789")] != '\0')
		return 0;
	return kubernetes_retry_after_ms(c->api, strtol(text, NULL, 10));
}

/* 0: not known. */
static uint64_t
date_read(const struct kubernetes_call *c)
{
	const char *text = http_call_header(c->http, "Date");
	uint64_t ms;

	return text != NULL && clock_parse_http(text, &ms) == 0 ? ms : 0;
}

/* True: the call was or will be made once more. */
static bool
call_repeat(struct kubernetes_call *c, int status, uint64_t retry_after_ms)
{
	if (status == 401 && !c->refused) {
		c->refused = true;
		kubernetes_account_refused(c->api->account, c->serial);
		call_queue(c);
		return true;
	}
	if ((status == 429 || status == 503) && retry_after_ms > 0 &&
		!c->once && c->tries < TRIES_MAX) {
		loop_timer_start(c->timer, retry_after_ms);
		return true;
	}
	return false;
}

/* ---- whether it can be reached */

static void
on_recovered(void *arg)
{
	const struct kubernetes_api *api = arg;

	for (struct kubernetes_recovery *r = api->recoveries; r != NULL;
		r = r->next)
		r->cb(r->arg);
}

static void
reached_note(struct kubernetes_api *api, bool reached)
{
	uint64_t now = loop_now_ms(api->loop), since = api->unreached_ms;

	if (!reached) {
		api->unreached_ms = since == 0 ? now : since;
		return;
	}
	api->unreached_ms = 0;
	if (since != 0 && now - since >= api->pace.second_ms)
		loop_timer_start(api->recovered, 0);
}

void
kubernetes_api_recovery_add(
	struct kubernetes_api *api, struct kubernetes_recovery *r)
{
	r->next = api->recoveries;
	api->recoveries = r;
}

void
kubernetes_api_recovery_drop(
	struct kubernetes_api *api, struct kubernetes_recovery *r)
{
	struct kubernetes_recovery **at = &api->recoveries;

	while (*at != NULL && *at != r)
		at = &(*at)->next;
	if (*at != NULL)
		*at = r->next;
}

/* ---- the end of a request */

static void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	struct kubernetes_call *c = arg;
	struct kubernetes_answer a = { .status = result->status,
		.body = result->body };
	const char *failure = result->problem;

	(void)call;
	a.retry_after_ms = retry_after(c);
	a.date_ms = date_read(c);
	c->http = NULL;
	reached_note(c->api, result->status != 0);
	if (failure == NULL &&
		call_repeat(c, result->status, a.retry_after_ms))
		return;
	if (c->cb == NULL)
		a.body = (struct slice){ c->refusal.data, c->refusal.length };
	if (c->broken != NULL)
		failure = c->broken;
	else if (failure == NULL && c->split != NULL &&
		 !json_split_done(c->split))
		failure = "the answer ended within a value";
	call_end(c, &a, failure);
}

/* ---- streams */

static int
on_value(const char *text, size_t length, void *arg)
{
	struct kubernetes_call *c = arg;
	struct doc *d = json_doc_read(text, length, NULL);

	/* The reader's own words may quote what it read: a secret. */
	c->events.value(d, (struct slice){ text, length },
		d == NULL ? "it is no valid JSON, or holds what no text may"
			  : NULL,
		c->arg);
	return c->gone;
}

static int
on_large(const char *text, size_t length, void *arg)
{
	struct kubernetes_call *c = arg;

	c->events.value(NULL, (struct slice){ text, length },
		"it is larger than 4 MiB", c->arg);
	return c->gone;
}

static int
stream_feed(struct kubernetes_call *c, const void *data, size_t length)
{
	struct error err = ERROR_INIT;
	int rc;

	c->feeding = true;
	rc = json_split_feed(c->split, data, length, &err);
	c->feeding = false;
	if (c->gone) {
		call_free(c);
		return 1;
	}
	if (rc < 0)
		c->broken = xasprintf("the answer is no JSON: %s", err.text);
	return rc;
}

static void
on_head(struct http_call *call, int status, void *arg)
{
	struct kubernetes_call *c = arg;

	(void)call;
	c->status = status;
	reached_note(c->api, true);
	if (status != 200)
		return;
	c->split = json_split_new(c->of_list ? "items" : NULL,
		KUBERNETES_OBJECT_MAX, on_value, c);
	json_split_set_large(c->split, on_large);
	if (c->events.open != NULL)
		c->events.open(c->arg);
}

static int
on_body(struct http_call *call, const void *data, size_t length, void *arg)
{
	struct kubernetes_call *c = arg;

	(void)call;
	if (c->split != NULL)
		return stream_feed(c, data, length);
	if (length > REFUSAL_BYTES_MAX - c->refusal.length)
		length = REFUSAL_BYTES_MAX - c->refusal.length;
	str_append(&c->refusal, data, length);
	return 0;
}

/* ---- asking */

/* Streams of another server than what is asked now end, soon. */
static void
server_note(struct kubernetes_api *api)
{
	const char *server = kubernetes_account_server(api->account);
	struct kubernetes_call *c;

	if (api->server != NULL && strcmp(api->server, server) == 0)
		return;
	free(api->server);
	api->server = xstrdup(server);
	TAILQ_FOREACH(c, &api->others, link)
		if (c->cb == NULL && c->http != NULL) {
			c->superseded = true;
			loop_timer_start(c->timer, 0);
		}
}

static void
call_ask(struct kubernetes_call *c, const char *token,
	const struct http_tls *tls)
{
	static const struct http_events whole = { .done = on_done };
	static const struct http_events stream = { on_head, on_body, on_done };
	struct kubernetes_api *api = c->api;
	const char *headers[5] = { "Accept: application/json",
		"User-Agent: gloo-gateway" };
	char *bearer = NULL, *type = NULL, *url;
	size_t count = 2;

	server_note(api);
	url = xasprintf(
		"%s%s", kubernetes_account_server(api->account), c->path);
	if (token != NULL)
		headers[count++] = bearer =
			xasprintf("Authorization: Bearer %s", token);
	if (c->body.length > 0)
		headers[count++] = type =
			xasprintf("Content-Type: %s", c->content_type);
	c->tries++;
	c->http = http_call_new(api->http,
		&(struct http_request){
			.method = c->method,
			.url = url,
			.headers = headers,
			.body = { c->body.data, c->body.length },
			.tls = tls,
			.proxy = kubernetes_account_proxy(api->account),
			.idle_timeout_ms = c->idle_timeout_ms,
			.total_timeout_ms = c->timeout_ms,
		},
		c->cb != NULL ? &whole : &stream, c);
	if (bearer != NULL)
		explicit_bzero(bearer, strlen(bearer));
	free(bearer);
	free(type);
	free(url);
	if (c->cb == NULL && c->events.sent != NULL)
		c->events.sent(c->arg);
}

static void
on_ticket(const char *token, const struct http_tls *tls, const char *problem,
	void *arg)
{
	struct kubernetes_call *c = arg;

	c->ticket = NULL;
	c->serial = kubernetes_account_serial(c->api->account);
	if (problem != NULL)
		call_end(c, &(struct kubernetes_answer){ .status = 0 },
			problem);
	else
		call_ask(c, token, tls);
}

static void
call_begin(struct kubernetes_call *c)
{
	struct kubernetes_ticket *t;

	call_move(c, &c->api->others);
	t = kubernetes_account_ticket(c->api->account, on_ticket, c);
	/* NULL: it was called back, and the call may be over. */
	if (t != NULL)
		c->ticket = t;
}

static struct kubernetes_call *
call_new(struct kubernetes_api *api, const struct kubernetes_request *r,
	void *arg)
{
	struct kubernetes_call *c = xcalloc(1, sizeof(*c));

	c->api = api;
	c->method = xstrdup(r->method == NULL ? "GET" : r->method);
	c->path = xstrdup(r->path);
	c->content_type = xstrdup(r->content_type == NULL ? "application/json"
							  : r->content_type);
	str_init(&c->body);
	str_init(&c->refusal);
	if (r->body.length > 0)
		str_append(&c->body, r->body.data, r->body.length);
	c->timeout_ms = r->timeout_ms;
	c->once = r->once;
	c->urgent = r->urgent;
	c->arg = arg;
	c->timer = loop_timer_new(api->loop, on_time, c);
	return c;
}

struct kubernetes_call *
kubernetes_api_call(struct kubernetes_api *api,
	const struct kubernetes_request *r, kubernetes_answer_f *cb, void *arg)
{
	struct kubernetes_call *c = call_new(api, r, arg);

	c->cb = cb;
	if (c->timeout_ms == 0)
		c->timeout_ms = TIMEOUT_MS;
	call_queue(c);
	return c;
}

struct kubernetes_call *
kubernetes_api_stream(struct kubernetes_api *api,
	const struct kubernetes_request *r, bool list, uint64_t idle_timeout_ms,
	const struct kubernetes_stream_events *events, void *arg)
{
	struct kubernetes_call *c = call_new(api, r, arg);

	c->events = *events;
	c->of_list = list;
	c->idle_timeout_ms = idle_timeout_ms;
	c->urgent = true;
	call_queue(c);
	return c;
}

/* ---- the server */

struct kubernetes_api *
kubernetes_api_new(struct loop *loop, struct http_client *http,
	struct kubernetes_account *account)
{
	struct kubernetes_api *api = xcalloc(1, sizeof(*api));

	api->loop = loop;
	api->http = http;
	api->account = account;
	TAILQ_INIT(&api->urgent);
	TAILQ_INIT(&api->waiting);
	TAILQ_INIT(&api->others);
	api->pump = loop_timer_new(loop, on_pump, api);
	api->recovered = loop_timer_new(loop, on_recovered, api);
	api->credited_ms = loop_now_ms(loop);
	kubernetes_api_set_pace(
		api, &(struct kubernetes_pace){ 200, 10, 1000 });
	return api;
}

void
kubernetes_api_set_pace(
	struct kubernetes_api *api, const struct kubernetes_pace *pace)
{
	api->pace = *pace;
	api->credit_ms = pace->interval_ms * pace->burst;
}

static void
calls_free(struct calls *calls)
{
	struct kubernetes_call *c;

	while ((c = TAILQ_FIRST(calls)) != NULL)
		kubernetes_call_cancel(c);
}

void
kubernetes_api_free(struct kubernetes_api *api)
{
	if (api == NULL)
		return;
	calls_free(&api->urgent);
	calls_free(&api->waiting);
	calls_free(&api->others);
	loop_timer_free(api->pump);
	loop_timer_free(api->recovered);
	free(api->server);
	free(api);
}

struct loop *
kubernetes_api_loop(const struct kubernetes_api *api)
{
	return api->loop;
}

const struct kubernetes_account *
kubernetes_api_account(const struct kubernetes_api *api)
{
	return api->account;
}
