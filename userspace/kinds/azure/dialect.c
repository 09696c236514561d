/*
 * A call of an Azure function: the client's request goes on as it is, to the
 * path that the function's template makes of the client's (template.h), with
 * the key and the token that the app wants, and without what a client might
 * smuggle: x-functions-key, x-functions-clientid, x-ms-client-principal*,
 * x-ms-token-* and the query's code. Paths of the host's own ("/admin",
 * "/runtime", "/.auth") are not called: with a master key they would give the
 * client the app.
 *
 * The key, by the function's level: anonymous none; function its own, else the
 * host's default, else the master key, as Gloo; admin the master key. Of a
 * function that nobody described the level is not known: it gets what one of
 * level function would, and none if the upstream has no keys at all.
 *
 * The answer is passed on as it comes, but for what is the platform's own word
 * to the gateway rather than the function's to the client (answer.c).
 */
#include "kinds/azure/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/target.h"
#include "http/write.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/query.h"
#include "kinds/azure/spec.h"
#include "kinds/azure/template.h"

#define SLICE(text) ((struct slice){ (text), sizeof(text) - 1 })

void
azure_refuse(struct call_refusal *r, int status, const char *word,
	const char *fmt, ...)
{
	va_list args;

	*r = (struct call_refusal){ .status = status, .word = word };
	va_start(args, fmt);
	vsnprintf(r->sentence, sizeof(r->sentence), fmt, args);
	va_end(args);
}

static uint64_t
request_max(const void *spec)
{
	return ((const struct azure_spec *)spec)->request_bytes_max;
}

/* ---- the proxy's main thread */

static void *
target_new(struct slice settings, struct error *err)
{
	return azure_target_new(settings, err);
}

static void
target_free(void *target)
{
	azure_target_free(target);
}

static void *
credentials_new(struct slice bytes, struct error *err)
{
	struct azure_credentials *c = xcalloc(1, sizeof(*c));

	if (azure_credentials_read(bytes, c, err) == 0)
		return c;
	free(c);
	return NULL;
}

static void
credentials_free(void *credentials)
{
	if (credentials != NULL)
		azure_credentials_fini(credentials);
	free(credentials);
}

/* ---- workers */

static void
limits(const void *target, size_t *request_max, size_t *answer_max)
{
	const struct azure_target *t = target;

	*request_max = t->request_max;
	*answer_max = AZURE_COLLECT_MAX;
}

static void *
call_new(const void *target)
{
	struct azure_call *call = xcalloc(1, sizeof(*call));

	call->target = target;
	return call;
}

static void
call_free(void *data)
{
	struct azure_call *call = data;

	if (call == NULL)
		return;
	azure_answer_forget(call);
	free(call);
}

/* ---- where to */

/* The first segment of the path, between slashes. */
static bool
path_is_the_hosts(struct slice path)
{
	static const struct slice own[] = { { "admin", 5 }, { "runtime", 7 },
		{ ".auth", 5 } };
	struct slice first = { path.data, 0 };
	size_t at = 0;

	while (at < path.length && path.data[at] == '/')
		at++;
	first.data = path.data + at;
	while (at + first.length < path.length &&
		first.data[first.length] != '/')
		first.length++;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (slice_equal_nocase(first, own[i]))
			return true;
	return false;
}

/* What is the function's of the client's path; where it is not known, nothing,
 * as in Gloo. */
static struct slice
path_for_function(const struct call_request *r)
{
	return r->rest.data != NULL ? r->rest : SLICE("");
}

static int
path_make(const struct azure_target *t, const struct azure_known *known,
	const struct call_request *r, struct str *path,
	struct call_refusal *refusal)
{
	const struct azure_template *template = t->template;
	const char *missing;
	struct slice made;

	if (!t->described && known != NULL && known->template != NULL)
		template = known->template;
	if (azure_template_fill(
		    template, path_for_function(r), path, &missing) != 0) {
		azure_refuse(refusal, 404, "path_too_short",
			"the path has no segment for \"%.64s\" in the route of "
			"function \"%.64s\"",
			missing, t->function);
		return -1;
	}
	made = (struct slice){ path->data, path->length };
	if (!http_path_is_resolved(made)) {
		azure_refuse(refusal, 400, "bad_target",
			"the path leads out of the function");
		return -1;
	}
	if (path_is_the_hosts(made)) {
		azure_refuse(refusal, 404, "path_of_host",
			"the path is one of the functions host's own, not of "
			"function \"%.64s\"",
			t->function);
		return -1;
	}
	return 0;
}

/* ---- as whom */

static uint8_t
level_of(const struct azure_target *t, const struct azure_known *known)
{
	return t->described || known == NULL ? t->level : known->level;
}

static const char *
key_choose(const struct azure_target *t, const struct azure_credentials *c,
	const struct azure_known *known)
{
	uint8_t level = level_of(t, known);

	if (c == NULL || level == AZURE_ANONYMOUS)
		return NULL;
	if (level == AZURE_ADMIN)
		return c->master;
	if (known != NULL && known->key != NULL)
		return known->key;
	return c->fallback != NULL ? c->fallback : c->master;
}

static bool
key_is_needed(const struct azure_target *t, const struct azure_known *known)
{
	uint8_t level = level_of(t, known);

	return level == AZURE_LEVEL_UNKNOWN ? t->keys
					    : level != AZURE_ANONYMOUS;
}

static const struct azure_known *
known_find(const struct azure_target *t, const struct azure_credentials *c)
{
	return c == NULL ? NULL : azure_credentials_find(c, t->function);
}

static int
ready(const void *data, const void *credentials, struct call_refusal *refusal)
{
	const struct azure_call *call = data;
	const struct azure_target *t = call->target;
	const struct azure_credentials *c = credentials;
	const struct azure_known *known = known_find(t, c);

	if (t->token && (c == NULL || c->bearer == NULL)) {
		azure_refuse(refusal, 503, "no_credentials",
			"there is no token for App Service authentication of "
			"\"%.64s\" (yet); see the status of the upstream",
			t->app);
		return -1;
	}
	if (key_is_needed(t, known) && key_choose(t, c, known) == NULL) {
		azure_refuse(refusal, 503, "no_credentials",
			"there is no key for function \"%.64s\" of \"%.64s\" "
			"(yet); see the status of the upstream",
			t->function, t->app);
		return -1;
	}
	return 0;
}

/* ---- with what */

/* "_" counts as "-": some frameworks take one for the other. */
static bool
name_begins(struct slice name, const char *with, bool whole)
{
	size_t length = strlen(with);

	if (name.length < length || (whole && name.length != length))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if ((c == '_' ? '-' : c) != with[i])
			return false;
	}
	return true;
}

static bool
field_is_kept_back(struct slice name, bool token)
{
	return name_begins(name, "x-functions-key", true) ||
	       name_begins(name, "x-functions-clientid", true) ||
	       name_begins(name, "x-ms-client-principal", false) ||
	       name_begins(name, "x-ms-token-", false) ||
	       (token && name_begins(name, "authorization", true));
}

static void
fields_write(struct azure_call *call, const struct call_request *r,
	const struct azure_credentials *c, const char *key,
	struct http_write *head)
{
	const struct azure_target *t = call->target;
	bool forwarded = false;

	http_write_field(head, SLICE("host"), slice_of(t->authority));
	call->client_token = false;
	for (size_t i = 0; i < r->field_count; i++) {
		const struct call_field *f = &r->fields[i];

		if (field_is_kept_back(f->name, t->token))
			continue;
		forwarded |=
			slice_equal_nocase(f->name, SLICE("x-forwarded-host"));
		call->client_token |=
			slice_equal_nocase(f->name, SLICE("authorization"));
		http_write_field(head, f->name, f->value);
	}
	if (!forwarded && r->host.length > 0)
		http_write_field(head, SLICE("x-forwarded-host"), r->host);
	if (t->token)
		http_write_field(
			head, SLICE("authorization"), slice_of(c->bearer));
	if (key != NULL)
		http_write_field(head, SLICE("x-functions-key"), slice_of(key));
}

/* What of it is path and query, percent-coded: it is the first line. */
static size_t
target_length(const struct http_write *head, struct slice method)
{
	return head->length - method.length - strlen("  HTTP/1.1\r\n");
}

static int
message_write(struct azure_call *call, const struct call_request *r,
	const struct azure_credentials *c, const char *key, struct slice path,
	struct http_write *head, struct call_refusal *refusal)
{
	const struct azure_target *t = call->target;
	struct slice query = { NULL, 0 };
	struct str stripped;

	str_init(&stripped);
	if (azure_query_strip(r->query, &stripped))
		query = (struct slice){ stripped.data, stripped.length };
	http_write_request_line(head, r->method, path, query);
	str_fini(&stripped);
	if (!http_write_ok(head) ||
		target_length(head, r->method) > AZURE_TARGET_MAX) {
		azure_refuse(refusal, 414, "path_too_long",
			"path and query are longer than the %d bytes that a "
			"function app takes, as the route to function "
			"\"%.64s\" makes them",
			AZURE_TARGET_MAX, t->function);
		return -1;
	}
	fields_write(call, r, c, key, head);
	if (!http_write_ok(head)) {
		azure_refuse(refusal, 431, "head_too_large",
			"the request's head is too large for function "
			"\"%.64s\"",
			t->function);
		return -1;
	}
	return 0;
}

static int
request(void *data, const void *credentials, const struct call_request *r,
	struct http_write *head, struct slice *body,
	struct call_refusal *refusal)
{
	struct azure_call *call = data;
	const struct azure_target *t = call->target;
	const struct azure_credentials *c = credentials;
	const struct azure_known *known = known_find(t, c);
	const char *key = key_choose(t, c, known);
	struct str path;
	int rc;

	azure_answer_forget(call);
	str_init(&path);
	rc = path_make(t, known, r, &path, refusal);
	if (rc == 0)
		rc = ready(call, c, refusal);
	if (rc == 0) {
		call->key_sent = key != NULL;
		call->token_sent = t->token;
		call->level = level_of(t, known);
		/* Of a level that is not known it may be the wrong one. */
		call->key_proven = key != NULL && c->proven &&
				   call->level != AZURE_LEVEL_UNKNOWN;
		call->head_asked = slice_equal(r->method, SLICE("HEAD"));
		rc = message_write(call, r, c, key,
			(struct slice){ path.data, path.length }, head,
			refusal);
		*body = r->body;
	}
	str_fini(&path);
	return rc;
}

const struct dialect azure_dialect = {
	.write = azure_target_write,
	.request_max = request_max,
	.target_new = target_new,
	.target_free = target_free,
	.credentials_new = credentials_new,
	.credentials_free = credentials_free,
	.query_secret = azure_query_is_code,
	.limits = limits,
	.call_new = call_new,
	.call_free = call_free,
	.ready = ready,
	.request = request,
	.answer = azure_answer,
	.answer_whole = azure_answer_whole,
	.answer_bytes = azure_answer_bytes,
};
