/* Tokens of managed identities and of workloads, kept fresh. */
#include "kinds/azure/token.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kinds/azure/credentials.h"
#include "kinds/azure/settings.h"
#include "kinds/azure/spec.h"
#include "kinds/azure/token_answer.h"
#include "net/http_client.h"
#include "net/loop.h"

#define AUTHORITY_DEFAULT "https://login.microsoftonline.com"
#define TIMEOUT_MS        30000u
#define CONNECT_MS        5000u /* instance metadata is one hop away */
#define ANSWER_MAX        (256u << 10)
#define SOON_MS           1000u /* no more often than that */

enum source {
	SOURCE_METADATA,
	SOURCE_APP_SERVICE,
	SOURCE_WORKLOAD,
};

static const char *const source_names[] = { "instance metadata", "App Service",
	"workload identity" };
/* Where to look if none comes. */
static const char *const source_places[] = {
	"the managed identities of this machine",
	"IDENTITY_ENDPOINT in the gateway's environment",
	"AZURE_* in the gateway's environment, and the federated credentials "
	"of that client",
};

struct azure_token {
	struct azure_shared *shared;
	char *resource, *client_id;
	azure_token_f *cb;
	void *arg;

	struct http_call *call; /* NULL: nothing is asked */
	struct loop_timer *again, *end;
	enum source source; /* that was asked last */
	char *bearer;
	unsigned number;     /* of bearers so far */
	uint64_t expires_ms; /* since 1970 */
	uint64_t asked_ms;   /* monotonic */
	unsigned failures;   /* in a row */
	char *why;           /* it could not be had; NULL: it could */
	char *problem;
};

static void ask(struct azure_token *t);

/* ---- what is asked */

struct question {
	const char *method;
	struct str url, header, body;
};

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

static enum source
source_choose(void)
{
	if (environment("AZURE_FEDERATED_TOKEN_FILE") != NULL)
		return SOURCE_WORKLOAD;
	if (environment("IDENTITY_ENDPOINT") != NULL &&
		environment("IDENTITY_HEADER") != NULL)
		return SOURCE_APP_SERVICE;
	return SOURCE_METADATA;
}

static void
pair_put(struct str *to, const char *name, const char *value)
{
	str_printf(to, "%s=", name);
	str_put_escaped(to, value);
}

static int
metadata_ask(const struct azure_token *t, struct question *q, struct error *err)
{
	(void)err;
	str_printf(&q->url,
		"%s/metadata/identity/oauth2/token?api-version=2018-02-01&",
		t->shared->settings->metadata_url);
	pair_put(&q->url, "resource", t->resource);
	if (t->client_id != NULL) {
		str_putc(&q->url, '&');
		pair_put(&q->url, "client_id", t->client_id);
	}
	str_puts(&q->header, "Metadata: true");
	return 0;
}

static int
app_service_ask(
	const struct azure_token *t, struct question *q, struct error *err)
{
	const char *endpoint = environment("IDENTITY_ENDPOINT");
	const char *header = environment("IDENTITY_HEADER");

	if (strpbrk(header, "\r\n") != NULL)
		return error_set(err, ERROR_CONFIG,
			"IDENTITY_HEADER in the environment is no value of a "
			"field");
	str_printf(&q->url, "%s%capi-version=2019-08-01&", endpoint,
		strchr(endpoint, '?') != NULL ? '&' : '?');
	pair_put(&q->url, "resource", t->resource);
	if (t->client_id != NULL) {
		str_putc(&q->url, '&');
		pair_put(&q->url, "client_id", t->client_id);
	}
	str_reserve(&q->header, strlen(header) + 32);
	str_printf(&q->header, "X-IDENTITY-HEADER: %s", header);
	return 0;
}

static int
workload_body(const struct azure_token *t, const char *client,
	struct str *assertion, struct str *body, struct error *err)
{
	if (file_read(environment("AZURE_FEDERATED_TOKEN_FILE"),
		    AZURE_TOKEN_MAX, assertion, err) != 0)
		return -1;
	while (assertion->length > 0 &&
		strchr(" \r\n", assertion->data[assertion->length - 1]) != NULL)
		assertion->data[--assertion->length] = '\0';
	str_reserve(body, 3 * assertion->length + 4 * strlen(t->resource) +
				  3 * strlen(client) + 512);
	str_puts(body, "grant_type=client_credentials&client_assertion_type="
		       "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A"
		       "jwt-bearer&");
	pair_put(body, "client_id", client);
	str_putc(body, '&');
	pair_put(body, "scope", t->resource);
	str_puts(body, "%2F.default&");
	pair_put(body, "client_assertion", assertion->data);
	return 0;
}

static int
workload_ask(const struct azure_token *t, struct question *q, struct error *err)
{
	const char *tenant = environment("AZURE_TENANT_ID");
	const char *client = t->client_id != NULL
				     ? t->client_id
				     : environment("AZURE_CLIENT_ID");
	const char *authority = t->shared->settings->authority_url;
	struct str assertion;
	int rc;

	if (tenant == NULL || client == NULL)
		return error_set(err, ERROR_CONFIG,
			"AZURE_FEDERATED_TOKEN_FILE is in the environment "
			"without AZURE_TENANT_ID and AZURE_CLIENT_ID");
	if (authority == NULL)
		authority = environment("AZURE_AUTHORITY_HOST");
	if (authority == NULL)
		authority = AUTHORITY_DEFAULT;
	if (azure_origin_check(authority, err) != 0)
		return -1;
	str_append(&q->url, authority,
		authority[strlen(authority) - 1] == '/' ? strlen(authority) - 1
							: strlen(authority));
	str_putc(&q->url, '/');
	str_put_escaped(&q->url, tenant);
	str_puts(&q->url, "/oauth2/v2.0/token");
	str_puts(&q->header, "Content-Type: application/x-www-form-urlencoded");
	q->method = "POST";
	str_init(&assertion);
	rc = workload_body(t, client, &assertion, &q->body, err);
	str_fini_wiped(&assertion);
	return rc;
}

/* ---- what is told */

static void
problem_make(struct azure_token *t)
{
	const char *source = source_names[t->source];
	const char *place = source_places[t->source];
	char until[CLOCK_TEXT_MAX];

	free(t->problem);
	t->problem = NULL;
	if (t->why == NULL)
		return;
	if (t->bearer == NULL)
		t->problem = xasprintf("no token for %s from %s: %s; see %s",
			t->resource, source, t->why, place);
	else
		t->problem = xasprintf("the token for %s is good until %s, but "
				       "no other comes from %s: %s; see %s",
			t->resource, clock_format(t->expires_ms, until), source,
			t->why, place);
}

static void
why_set(struct azure_token *t, const char *why)
{
	free(t->why);
	t->why = why == NULL ? NULL : xstrdup(why);
	problem_make(t);
}

static uint64_t
backoff_ms(const struct azure_token *t)
{
	unsigned doublings = t->failures < 7 ? t->failures : 7;
	uint64_t most = (uint64_t)AZURE_TOKEN_RETRY_MS_MIN << doublings;

	if (most > AZURE_TOKEN_RETRY_MS_MAX)
		most = AZURE_TOKEN_RETRY_MS_MAX;
	/* Full jitter, but no storm. */
	return AZURE_TOKEN_RETRY_MS_MIN / 2 +
	       arc4random_uniform((uint32_t)most);
}

static void
failed(struct azure_token *t, const char *why)
{
	why_set(t, why);
	loop_timer_start(t->again, backoff_ms(t));
	t->failures++;
	t->cb(t->arg);
}

static void
token_set(struct azure_token *t, const struct azure_token_answer *a)
{
	uint64_t now = clock_realtime_ms(), left, due;

	mem_free_wiped(t->bearer);
	t->bearer = a->bearer;
	t->number++;
	t->expires_ms = a->expires_ms;
	t->failures = 0;
	why_set(t, NULL);
	left = a->expires_ms > now ? a->expires_ms - now : 0;
	due = left > 2 * AZURE_TOKEN_EARLY_MS ? left - AZURE_TOKEN_EARLY_MS
					      : left / 2;
	loop_timer_start(t->again, due > SOON_MS ? due : SOON_MS);
	loop_timer_start(t->end, left);
	t->cb(t->arg);
}

static void
on_end(void *arg)
{
	struct azure_token *t = arg;

	mem_free_wiped(t->bearer);
	t->bearer = NULL;
	problem_make(t);
	t->cb(t->arg);
}

static void
on_done(struct http_call *call, const struct http_result *r, void *arg)
{
	struct azure_token *t = arg;
	struct azure_token_answer a;
	struct error err = ERROR_INIT;
	struct str why;

	(void)call;
	t->call = NULL;
	if (r->problem == NULL && r->status == 200 &&
		azure_token_answer_read(
			r->body, clock_realtime_ms(), &a, &err) == 0) {
		token_set(t, &a);
		return;
	}
	str_init(&why);
	if (r->problem != NULL) {
		str_puts(&why, r->problem);
	} else if (r->status == 200) {
		str_puts(&why, err.text);
	} else {
		str_printf(&why, "status %d ", r->status);
		azure_token_trouble(r->body, &why);
		if (why.data[why.length - 1] == ' ')
			why.data[--why.length] = '\0';
	}
	failed(t, why.data);
	str_fini(&why);
}

static void
question_send(struct azure_token *t, const struct question *q)
{
	static const struct http_events events = { .done = on_done };
	const char *headers[] = { "Accept: application/json", q->header.data,
		NULL };
	struct http_tls tls = { .ca = { t->shared->ca.data,
					t->shared->ca.length } };
	struct http_request request = {
		.method = q->method,
		.url = q->url.data,
		.headers = headers,
		.body = { q->body.data, q->body.length },
		.tls = tls.ca.length > 0 ? &tls : NULL,
		.connect_timeout_ms = CONNECT_MS,
		.total_timeout_ms = TIMEOUT_MS,
		.body_max = ANSWER_MAX,
	};

	t->call = http_call_new(t->shared->http, &request, &events, t);
}

static void
ask(struct azure_token *t)
{
	static int (*const asks[])(const struct azure_token *,
		struct question *, struct error *) = { metadata_ask,
		app_service_ask, workload_ask };
	struct error err = ERROR_INIT;
	struct question q = { .method = "GET" };

	t->asked_ms = clock_monotonic_ms();
	t->source = source_choose();
	str_init(&q.url);
	str_init(&q.header);
	str_init(&q.body);
	if (asks[t->source](t, &q, &err) == 0)
		question_send(t, &q);
	str_fini(&q.url);
	str_fini_wiped(&q.header);
	str_fini_wiped(&q.body);
	if (t->call == NULL)
		failed(t, err.text);
}

static void
on_again(void *arg)
{
	struct azure_token *t = arg;

	if (t->call == NULL)
		ask(t);
}

/* ---- */

struct azure_token *
azure_token_new(struct azure_shared *shared, const char *resource,
	const char *client_id, azure_token_f *cb, void *arg)
{
	struct azure_token *t = xcalloc(1, sizeof(*t));

	t->shared = shared;
	t->resource = xstrdup(resource);
	t->client_id = client_id == NULL ? NULL : xstrdup(client_id);
	t->cb = cb;
	t->arg = arg;
	t->source = source_choose();
	t->again = loop_timer_new(shared->loop, on_again, t);
	t->end = loop_timer_new(shared->loop, on_end, t);
	loop_timer_start(t->again, 0);
	return t;
}

void
azure_token_free(struct azure_token *t)
{
	if (t == NULL)
		return;
	if (t->call != NULL)
		http_call_cancel(t->call);
	loop_timer_free(t->again);
	loop_timer_free(t->end);
	mem_free_wiped(t->bearer);
	free(t->resource);
	free(t->client_id);
	free(t->why);
	free(t->problem);
	free(t);
}

const char *
azure_token_get(const struct azure_token *t)
{
	return t->bearer;
}

unsigned
azure_token_number(const struct azure_token *t)
{
	return t->number;
}

const char *
azure_token_problem(const struct azure_token *t)
{
	return t->problem;
}

uint64_t
azure_token_expires_ms(const struct azure_token *t)
{
	return t->bearer == NULL ? 0 : t->expires_ms;
}

const char *
azure_token_source(const struct azure_token *t)
{
	return source_names[t->source];
}

/* Unless it is asked for just now. */
static void
ask_soon(struct azure_token *t)
{
	uint64_t ago = clock_monotonic_ms() - t->asked_ms;

	if (t->call == NULL)
		loop_timer_start(
			t->again, ago >= AZURE_TOKEN_REFUSED_MS_MIN
					  ? 0
					  : AZURE_TOKEN_REFUSED_MS_MIN - ago);
}

void
azure_token_drop(struct azure_token *t)
{
	loop_timer_stop(t->end);
	mem_free_wiped(t->bearer);
	t->bearer = NULL;
	problem_make(t);
	ask_soon(t);
}

void
azure_token_refused(struct azure_token *t)
{
	if (t->failures == 0) /* or another is on its way */
		ask_soon(t);
}
