/* What the management API says of one function app. */
#include "kinds/azure/catalog.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kinds/azure/inquiry.h"
#include "kinds/azure/settings.h"
#include "kinds/azure/token.h"
#include "net/loop.h"

struct azure_catalog {
	struct azure_catalog_options o;
	char *origin;
	struct loop_timer *again;

	/* Of now. */
	struct azure_credentials found;
	bool functions_known, keys_known;
	bool proven;              /* azure_catalog_proves */
	struct loop_timer *doubt; /* ends that */
	char *problem;

	/* Of the walk that goes on. */
	struct http_call *call; /* NULL: none does, or between two questions */
	bool walking;
	enum azure_question question;
	char *url;           /* of the last question */
	unsigned token_sent; /* azure_token_number of the last question */
	bool token_awaited;  /* another one, with which it is asked again */
	bool token_anew;     /* that was had once */
	struct azure_credentials next; /* becomes found */
	bool functions_came, keys_came;
	size_t pages, key_at, keys_asked;
	struct str trouble; /* the first one */
	uint64_t retry_ms;  /* what was asked for */
	unsigned failures;  /* walks in a row */
	uint64_t walked_ms; /* when the last began, monotonic; 0: none */
	/* The next one is because of a refusal; the least time to it. */
	bool refused;
	uint64_t refused_pause_ms;
};

static void ask(struct azure_catalog *c, const char *url);

/* ---- the end of a walk */

static uint64_t
pause_ms(const struct azure_catalog *c)
{
	uint64_t interval = c->o.shared->settings->interval_ms, most;
	unsigned doublings = c->failures < 10 ? c->failures : 10;

	if (c->failures == 0)
		return interval - interval / 10 +
		       arc4random_uniform((uint32_t)(interval / 5 + 1));
	most = (uint64_t)AZURE_CATALOG_RETRY_MS_MIN << (doublings - 1);
	if (most > interval)
		most = interval;
	most = most / 10 + arc4random_uniform((uint32_t)most + 1);
	return most > c->retry_ms ? most : c->retry_ms;
}

static bool
found_is_next(const struct azure_catalog *c)
{
	struct str found, next;
	bool same;

	str_init(&found);
	str_init(&next);
	azure_credentials_write(&c->found, &found);
	azure_credentials_write(&c->next, &next);
	same = slice_equal((struct slice){ found.data, found.length },
		(struct slice){ next.data, next.length });
	str_fini_wiped(&found);
	str_fini_wiped(&next);
	return same;
}

/* Whatever a function refuses is taken for a key that is no good: as long as
 * nothing else comes of it, clients must not make us ask again and again. */
static void
refused_pause_settle(struct azure_catalog *c, bool same)
{
	uint64_t most = c->o.shared->settings->interval_ms / 2;
	uint64_t twice = 2 * c->refused_pause_ms;

	if (!c->refused || !same || most < AZURE_CATALOG_REFUSED_MS_MIN)
		c->refused_pause_ms = AZURE_CATALOG_REFUSED_MS_MIN;
	else
		c->refused_pause_ms = twice < most ? twice : most;
}

static void
refusal_settle(struct azure_catalog *c)
{
	bool same = found_is_next(c);

	refused_pause_settle(c, same);
	if (!same) {
		c->proven = false;
		loop_timer_stop(c->doubt);
	} else if (c->refused && c->trouble.length == 0) {
		c->proven = true;
		loop_timer_start(c->doubt, c->refused_pause_ms);
	}
	c->refused = false;
}

static void
on_doubt(void *arg)
{
	struct azure_catalog *c = arg;

	c->proven = false;
	c->o.changed(c->o.arg);
}

static void
walk_end(struct azure_catalog *c)
{
	c->walking = false;
	refusal_settle(c);
	azure_credentials_fini(&c->found);
	c->found = c->next;
	c->next = (struct azure_credentials){ 0 };
	c->functions_known |= c->functions_came;
	c->keys_known |= c->keys_came;
	free(c->problem);
	c->problem = c->trouble.length > 0 ? xstrdup(c->trouble.data) : NULL;
	c->failures = c->problem == NULL ? 0 : c->failures + 1;
	loop_timer_start(c->again, pause_ms(c));
	c->o.changed(c->o.arg);
}

static void
trouble_add(struct azure_catalog *c, const char *what, const char *why)
{
	if (c->trouble.length == 0)
		str_printf(&c->trouble, "%s of \"%s\": %s", what,
			c->o.spec->app_name, why);
}

/* ---- the questions, one after the other */

/* What was known of a part that was not asked, or could not be had. */
static void
functions_keep(struct azure_catalog *c)
{
	for (size_t i = 0; i < c->found.count; i++) {
		const struct azure_known *old = &c->found.functions[i];
		struct azure_known *k =
			azure_credentials_add(&c->next, old->name);

		if (k == NULL || k->path != NULL)
			continue;
		k->level = old->level;
		k->path = old->path == NULL ? NULL : xstrdup(old->path);
	}
}

static void
host_keys_keep(struct azure_catalog *c)
{
	c->next.master =
		c->found.master == NULL ? NULL : xstrdup(c->found.master);
	c->next.fallback =
		c->found.fallback == NULL ? NULL : xstrdup(c->found.fallback);
}

static void
function_key_keep(struct azure_catalog *c, struct azure_known *k)
{
	const struct azure_known *old =
		azure_credentials_find(&c->found, k->name);

	if (k->key == NULL && old != NULL && old->key != NULL)
		k->key = xstrdup(old->key);
}

static void
function_keys_keep(struct azure_catalog *c)
{
	for (; c->key_at < c->next.count; c->key_at++)
		function_key_keep(c, &c->next.functions[c->key_at]);
	walk_end(c);
}

static bool
key_is_wanted(const struct azure_catalog *c, const struct azure_known *k)
{
	const struct azure_function *f =
		azure_spec_function(c->o.spec, k->name);

	return (f != NULL ? f->level : k->level) == AZURE_FUNCTION;
}

static void
url_ask(struct azure_catalog *c, const char *function)
{
	struct str url;

	str_init(&url);
	azure_management_url(c->origin, c->o.spec, c->question, function, &url);
	ask(c, url.data);
	str_fini(&url);
}

static void
function_key_next(struct azure_catalog *c)
{
	c->question = AZURE_ASK_FUNCTION_KEYS;
	for (; c->key_at < c->next.count; c->key_at++) {
		struct azure_known *k = &c->next.functions[c->key_at];

		if (!key_is_wanted(c, k) ||
			c->keys_asked == AZURE_FUNCTION_KEYS_MAX)
			continue;
		c->keys_asked++;
		url_ask(c, k->name);
		return;
	}
	walk_end(c);
}

static void
keys_begin(struct azure_catalog *c)
{
	if (!c->o.keys) {
		walk_end(c);
		return;
	}
	/* Those of the spec need keys, too. */
	for (size_t i = 0; i < c->o.spec->function_count; i++)
		if (c->o.spec->functions[i].level == AZURE_FUNCTION)
			azure_credentials_add(
				&c->next, c->o.spec->functions[i].name);
	c->question = AZURE_ASK_HOST_KEYS;
	url_ask(c, NULL);
}

/* ---- the answers */

/* -1 and err: it is no such answer. */
static int
answer_read(struct azure_catalog *c, struct slice body, char **next,
	struct error *err)
{
	switch (c->question) {
	case AZURE_ASK_FUNCTIONS:
		return azure_functions_read(
			body, c->origin, c->o.spec, &c->next, next, err);
	case AZURE_ASK_HOST_KEYS:
		return azure_host_keys_read(body, &c->next, err);
	default:
		return azure_function_keys_read(
			body, &c->next.functions[c->key_at].key, err);
	}
}

static void
answer_good(struct azure_catalog *c, const char *next)
{
	switch (c->question) {
	case AZURE_ASK_FUNCTIONS:
		if (next != NULL && ++c->pages < AZURE_PAGES_MAX) {
			ask(c, next);
			return;
		}
		c->functions_came = true;
		keys_begin(c);
		return;
	case AZURE_ASK_HOST_KEYS:
		c->keys_came = true;
		break;
	case AZURE_ASK_FUNCTION_KEYS:
		c->key_at++;
		break;
	}
	function_key_next(c);
}

static void
answer_bad(struct azure_catalog *c, int status, const char *why)
{
	static const char *const what[] = { "the functions",
		"the keys of the host", "the keys of the functions" };

	/* A function that is gone has no keys: nothing is wrong. */
	if (c->question == AZURE_ASK_FUNCTION_KEYS && status == 404) {
		c->key_at++;
		function_key_next(c);
		return;
	}
	trouble_add(c, what[c->question], why);
	switch (c->question) {
	case AZURE_ASK_FUNCTIONS:
		azure_credentials_fini(&c->next);
		functions_keep(c);
		keys_begin(c);
		break;
	case AZURE_ASK_HOST_KEYS: /* who may not ask for these, not for those */
		host_keys_keep(c);
		function_keys_keep(c);
		break;
	case AZURE_ASK_FUNCTION_KEYS:
		function_keys_keep(c);
		break;
	}
}

/* The token is not taken, though it is not over: another may be, and that may
 * be there by now. */
static bool
other_token_is_tried(struct azure_catalog *c, const struct http_result *r)
{
	if (r->problem != NULL || r->status != 401)
		return false;
	if (azure_token_get(c->o.token) != NULL &&
		azure_token_number(c->o.token) != c->token_sent) {
		ask(c, c->url);
		return true;
	}
	if (c->token_anew)
		return false;
	c->token_anew = c->token_awaited = true;
	azure_token_drop(c->o.token);
	return true;
}

static void
on_done(struct http_call *call, const struct http_result *r, void *arg)
{
	struct azure_catalog *c = arg;
	struct error err = ERROR_INIT;
	char *next = NULL;
	struct str why;

	c->call = NULL;
	if (other_token_is_tried(c, r))
		return;
	str_init(&why);
	if (azure_inquiry_failed(c->question, r, &why)) {
		uint64_t retry_ms = azure_inquiry_retry_ms(call);

		c->retry_ms = retry_ms > c->retry_ms ? retry_ms : c->retry_ms;
		answer_bad(c, r->status, why.data);
	} else if (answer_read(c, r->body, &next, &err) != 0) {
		answer_bad(c, 0, err.text);
	} else {
		answer_good(c, next);
	}
	free(next);
	str_fini(&why);
}

static void
ask(struct azure_catalog *c, const char *url)
{
	static const struct http_events events = { .done = on_done };
	const char *bearer = azure_token_get(c->o.token);
	char *copy = xstrdup(url);

	free(c->url); /* may be what is asked */
	c->url = copy;
	c->token_sent = azure_token_number(c->o.token);
	if (bearer != NULL)
		c->call = azure_inquiry_new(
			c->o.shared, c->question, bearer, copy, &events, c);
	else
		answer_bad(c, 0, "there is no token for the management API");
}

static void
walk(void *arg)
{
	struct azure_catalog *c = arg;

	if (c->walking || azure_token_get(c->o.token) == NULL)
		return; /* azure_catalog_go */
	c->walking = true;
	c->token_anew = c->functions_came = c->keys_came = false;
	c->walked_ms = clock_monotonic_ms();
	c->pages = c->key_at = c->keys_asked = 0;
	c->retry_ms = 0;
	str_clear(&c->trouble);
	if (!c->o.functions) {
		keys_begin(c);
		return;
	}
	c->question = AZURE_ASK_FUNCTIONS;
	url_ask(c, NULL);
}

/* ---- */

struct azure_catalog *
azure_catalog_new(const struct azure_catalog_options *o)
{
	struct azure_catalog *c = xcalloc(1, sizeof(*c));

	c->o = *o;
	c->origin = azure_inquiry_origin(o->shared, o->spec);
	c->again = loop_timer_new(o->shared->loop, walk, c);
	c->doubt = loop_timer_new(o->shared->loop, on_doubt, c);
	c->refused_pause_ms = AZURE_CATALOG_REFUSED_MS_MIN;
	str_init(&c->trouble);
	return c;
}

void
azure_catalog_free(struct azure_catalog *c)
{
	if (c == NULL)
		return;
	if (c->call != NULL)
		http_call_cancel(c->call);
	loop_timer_free(c->again);
	loop_timer_free(c->doubt);
	azure_credentials_fini(&c->found);
	azure_credentials_fini(&c->next);
	str_fini(&c->trouble);
	free(c->origin);
	free(c->problem);
	free(c->url);
	free(c);
}

void
azure_catalog_go(struct azure_catalog *c)
{
	if (c->token_awaited) {
		c->token_awaited = false;
		ask(c, c->url);
	} else if (!c->walking && !loop_timer_pending(c->again)) {
		loop_timer_start(c->again, 0);
	}
}

void
azure_catalog_refused(struct azure_catalog *c)
{
	uint64_t ago = clock_monotonic_ms() - c->walked_ms;

	if (!c->o.keys || c->walking || c->failures > 0 || c->proven)
		return; /* or it comes soon */
	c->refused = true;
	loop_timer_start(c->again,
		ago >= c->refused_pause_ms ? 0 : c->refused_pause_ms - ago);
}

bool
azure_catalog_proves(const struct azure_catalog *c)
{
	return c->proven;
}

const struct azure_credentials *
azure_catalog_found(const struct azure_catalog *c)
{
	return &c->found;
}

bool
azure_catalog_knows_functions(const struct azure_catalog *c)
{
	return c->functions_known;
}

bool
azure_catalog_knows_keys(const struct azure_catalog *c)
{
	return c->keys_known;
}

const char *
azure_catalog_problem(const struct azure_catalog *c)
{
	return c->problem;
}
