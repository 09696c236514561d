/*
 * An upstream of kind azure in the test's hands: its time, its names, and who
 * is asked over HTTP (instance metadata, the management API, ...), below whose
 * http_call_* it stands. Each question is a line, "GET url", with the fields
 * that matter; the test answers the oldest. What the host is told is a line,
 * too.
 */
#ifndef TESTS_UNIT_KINDS_AZURE_WORLD_H
#define TESTS_UNIT_KINDS_AZURE_WORLD_H

#include "told.h"

#include "tests/unit/net/fake_time.h"

#include <stdio.h>
#include <strings.h>

#include "base/addr.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/credentials.h"
#include "kinds/azure/settings.h"
#include "model/kind.h"
#include "net/http_client.h"
#include "tests/unit/net/fake_resolver.h"
#include "tests/unit/net/fake_time.h"

extern const struct upstream_kind upstream_kind_azure;

#define SECOND 1000u
#define MINUTE (60 * SECOND)

/* ---- chance */

static bool chance_high;

uint32_t
arc4random_uniform(uint32_t bound)
{
	return chance_high ? bound - 1 : bound / 2;
}

/* ---- who is asked */

struct http_call {
	struct http_call *next; /* the oldest first */
	struct http_events events;
	void *arg;
	const char *retry_after; /* of the answer that is told */
};

static struct http_call *calls;
static char last_body[2048]; /* of the last question */

struct http_call *
http_call_new(struct http_client *c, const struct http_request *r,
	const struct http_events *events, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call)), **at = &calls;

	(void)c;
	assert_null(r->proxy);
	assert_true(r->total_timeout_ms > 0);
	str_printf(&told, "%s %s", r->method, r->url);
	for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++)
		if (strncmp(r->headers[i], "Accept", 6) != 0)
			str_printf(&told, " [%s]", r->headers[i]);
	str_putc(&told, '\n');
	snprintf(last_body, sizeof(last_body), "%.*s", (int)r->body.length,
		r->body.length > 0 ? r->body.data : "");
	*call = (struct http_call){ .events = *events, .arg = arg };
	while (*at != NULL)
		at = &(*at)->next;
	*at = call;
	return call;
}

static void
call_remove(struct http_call *call)
{
	struct http_call **at = &calls;

	while (*at != NULL && *at != call)
		at = &(*at)->next;
	assert_ptr_equal(*at, call);
	*at = call->next;
}

void
http_call_cancel(struct http_call *call)
{
	call_remove(call);
	free(call);
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	return strcasecmp(name, "Retry-After") == 0 ? call->retry_after : NULL;
}

/* The oldest question is answered; problem: not at all. */
static inline void
reply_full(int status, const char *body, const char *problem,
	const char *retry_after)
{
	struct http_result result = {
		.status = status, .problem = problem, .body = slice_of(body)
	};
	struct http_call *call = calls;

	assert_non_null(call);
	call_remove(call);
	call->retry_after = retry_after;
	call->events.done(call, &result, call->arg);
	free(call);
}

/* The last question is the next to be answered. */
static inline void
last_first(void)
{
	struct http_call *call = calls;

	assert_non_null(call);
	while (call->next != NULL)
		call = call->next;
	call_remove(call);
	call->next = calls;
	calls = call;
}

static inline void
reply(int status, const char *body)
{
	reply_full(status, body, NULL, NULL);
}

/* A token that lives so long. */
static inline void
reply_token(const char *token, uint64_t life_s)
{
	char body[256];

	snprintf(body, sizeof(body),
		"{\"access_token\":\"%s\",\"expires_on\":\"%llu\"}", token,
		(unsigned long long)(clock_realtime_ms() / 1000 + life_s));
	reply(200, body);
}

/* ---- the upstream */

#define WORLD_KEYS 8

struct world {
	struct kind_host host; /* first */
	const char *name;
	struct azure_shared *shared;
	void *state;
	struct model_meta meta;
	struct model_pair label;
	struct model_secret secret;
	struct model_pair keys[WORLD_KEYS];
	bool has_secret;
	struct endpoint used[2];
	size_t used_count;
	const char *named[4]; /* by routes, up to the first NULL */
};

static inline void
world_endpoints(
	struct kind_host *host, const struct endpoint *set, size_t count)
{
	struct world *w = (struct world *)host;
	char text[ADDR_TEXT_MAX];

	str_printf(&told, "%s:", w->name);
	for (size_t i = 0; i < count; i++) {
		str_printf(&told, " %s", addr_format(&set[i].addr, text));
		if (set[i].host[0] != '\0')
			str_printf(&told, "(%s)", set[i].host);
		assert_int_equal(set[i].health, ENDPOINT_UP);
		assert_int_equal(set[i].weight, 1);
	}
	str_puts(&told, count == 0 ? " none\n" : "\n");
}

static inline const struct endpoint *
world_used(struct kind_host *host, size_t *count)
{
	const struct world *w = (struct world *)host;

	*count = w->used_count;
	return w->used;
}

static inline void
world_condition(struct kind_host *host, bool ok, const char *reason)
{
	const struct world *w = (struct world *)host;

	str_printf(&told, "%s %s%s\n", w->name,
		ok ? "ok" : "not ok: ", ok ? "" : reason);
}

static inline void
world_note(struct kind_host *host, const char *note)
{
	const struct world *w = (struct world *)host;

	str_printf(&told, "%s note %s\n", w->name, note == NULL ? "-" : note);
}

static inline const struct model_secret *
world_secret(struct kind_host *host)
{
	const struct world *w = (struct world *)host;

	return w->has_secret ? &w->secret : NULL;
}

static inline void
part_tell(const char *name, const char *value)
{
	if (value != NULL)
		str_printf(&told, " %s=%s", name, value);
}

/* "credentials master=m bearer=Bearer t f=key/1(path)". */
static inline void
world_credentials(struct kind_host *host, const void *bytes, size_t length)
{
	const struct world *w = (struct world *)host;
	struct azure_credentials c;
	struct error err = ERROR_INIT;

	str_printf(&told, "%s credentials", w->name);
	if (length == 0) {
		str_puts(&told, " none\n");
		return;
	}
	if (azure_credentials_read((struct slice){ bytes, length }, &c, &err) !=
		0)
		fail_msg("%s", err.text);
	part_tell("bearer", c.bearer);
	part_tell("master", c.master);
	part_tell("default", c.fallback);
	if (c.proven)
		str_puts(&told, " proven");
	for (size_t i = 0; i < c.count; i++) {
		const struct azure_known *k = &c.functions[i];

		str_printf(&told, " %s=%s/%u", k->name,
			k->key == NULL ? "" : k->key, k->level);
		if (k->path != NULL)
			str_printf(&told, "(%s)", k->path);
	}
	str_putc(&told, '\n');
	azure_credentials_fini(&c);
}

static inline void
world_functions(struct kind_host *host, const char *const *names, size_t count)
{
	const struct world *w = (struct world *)host;

	str_printf(&told, "%s functions", w->name);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
		str_printf(&told, " %s", names[i]);
	}
	str_putc(&told, '\n');
}

static inline void
world_named(struct kind_host *host, kind_function_f *each, void *arg)
{
	const struct world *w = (struct world *)host;

	for (size_t i = 0; w->named[i] != NULL; i++)
		each(w->named[i], arg);
}

/* ---- settings, as open makes them */

static inline void
program_condition(struct kind_program *p, const char *part,
	enum kind_level level, const char *reason)
{
	(void)p;
	if (level != KIND_OK)
		str_printf(&told, "program %s: %s\n", part, reason);
}

static inline struct azure_shared *
shared_new(const char *settings)
{
	struct doc *d = yaml(settings);
	struct kind_program program = { .settings = d,
		.condition_set = program_condition };
	struct azure_shared *shared;
	struct error err = ERROR_INIT;

	if (upstream_kind_azure.settings_check(d, &err) != 0)
		fail_msg("%s", err.text);
	shared = upstream_kind_azure.open(&program);
	assert_non_null(shared);
	doc_free(d);
	return shared;
}

/* "name=key,..." */
static inline void
secret_put(struct world *w, const char *keys)
{
	w->secret = (struct model_secret){ .type = MODEL_SECRET_AZURE,
		.api_keys = w->keys };
	w->has_secret = true;
	while (*keys != '\0') {
		struct model_pair *p = &w->keys[w->secret.api_key_count++];
		size_t name = strcspn(keys, "="),
		       value = strcspn(keys + name, ",") - 1;

		assert_true(w->secret.api_key_count <= WORLD_KEYS);
		free(p->key);
		free(p->value);
		p->key = xstrndup(keys, name);
		p->value = xstrndup(keys + name + 1, value);
		keys += name + 1 + value;
		keys += *keys == ',';
	}
}

/* Before: name, and what else is not to be as it is by itself. */
static inline void
world_watch(struct world *w, struct azure_shared *shared, const char *spec_yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(spec_yaml);
	void *spec = upstream_kind_azure.read(d, &err);

	if (spec == NULL)
		fail_msg("%s", err.text);
	w->shared = shared;
	w->host = (struct kind_host){
		.shared = shared,
		.meta = &w->meta,
		.endpoints_replace = world_endpoints,
		.endpoints_used = world_used,
		.condition_set = world_condition,
		.note_set = world_note,
		.secret_get = world_secret,
		.credentials_replace = world_credentials,
		.functions_replace = world_functions,
		.functions_used = world_named,
	};
	w->state = upstream_kind_azure.watch(spec, &w->host);
	/* The state must not lean on the spec. */
	upstream_kind_azure.free(spec);
	doc_free(d);
}

static inline void
world_discover(struct world *w, const char *value)
{
	static char key[] = "discovery.solo.io/function_discovery";
	static char values[2][16];
	char *copy = values[strcmp(value, "enabled") == 0];

	strcpy(copy, value);
	w->label = (struct model_pair){ key, copy };
	w->meta.labels = &w->label;
	w->meta.label_count = 1;
}

static inline void
world_unwatch(struct world *w)
{
	upstream_kind_azure.unwatch(w->state);
	for (size_t i = 0; i < WORLD_KEYS; i++) {
		free(w->keys[i].key);
		free(w->keys[i].value);
	}
	assert_null(calls);
	assert_int_equal(fake_query_count(), 0);
}

#endif
