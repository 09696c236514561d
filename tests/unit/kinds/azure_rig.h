/*
 * A call of an Azure function through its dialect, in the test's hands: an
 * upstream, a route's target, credentials, and what is written for a request.
 */
#ifndef TESTS_UNIT_KINDS_AZURE_RIG_H
#define TESTS_UNIT_KINDS_AZURE_RIG_H

#include "told.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/head.h"
#include "http/write.h"
#include "kinds/azure/azure.h"
#include "kinds/azure/credentials.h"
#include "kinds/azure/spec.h"
#include "model/kind.h"

extern const struct upstream_kind upstream_kind_azure;

#define HEAD_MAX 8192

static const struct dialect *const d = &azure_dialect;

/* What is sent for one request, and what came of it. */
struct rig {
	void *target, *credentials, *call;
	char head[HEAD_MAX];
	struct http_write w;
	struct slice body;
	struct call_refusal refusal;
	struct call_news news;
};

#define APP                                                                    \
	"functionAppName: my-app\n"                                            \
	"secretRef: {name: azure}\n"                                           \
	"functions:\n"                                                         \
	"- {functionName: open, authLevel: Anonymous}\n"                       \
	"- {functionName: own, authLevel: Function}\n"                         \
	"- {functionName: other, authLevel: Function}\n"                       \
	"- {functionName: admin, authLevel: Admin}\n"                          \
	"- {functionName: products, authLevel: Function,\n"                    \
	"   route: 'products/{category:alpha}/{id:int?}'}\n"                   \
	"- {functionName: all, authLevel: Function, route: '{*rest}'}\n"

static inline void *
spec_new(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *doc = yaml(text);
	void *spec = upstream_kind_azure.read(doc, &err);

	if (spec == NULL)
		fail_msg("%s", err.text);
	doc_free(doc);
	return spec;
}

/* As control and the image pass it on. */
static inline void *
target_new(const char *spec_yaml, const char *function)
{
	void *spec = spec_new(spec_yaml), *target;
	struct doc *destination = doc_new_map();
	struct error err = ERROR_INIT;
	struct str settings, warning;

	doc_set_string(destination, "functionName", function);
	str_init(&settings);
	str_init(&warning);
	if (d->write(spec, destination, NULL, 0, &settings, &warning, &err) !=
		0)
		fail_msg("%s", err.text);
	target = d->target_new(
		(struct slice){ settings.data, settings.length }, &err);
	if (target == NULL)
		fail_msg("%s", err.text);
	str_fini(&settings);
	str_fini(&warning);
	doc_free(destination);
	upstream_kind_azure.free(spec);
	return target;
}

/* keys: "name=key ...", of the host's "_master" and "default"; "proven". */
static inline void *
credentials_new(const char *bearer, const char *keys)
{
	struct azure_credentials c = { 0 };
	char *copy = xstrdup(keys), *rest = copy, *one;
	struct error err = ERROR_INIT;
	struct str bytes;
	void *read;

	c.bearer = bearer == NULL ? NULL : xstrdup(bearer);
	while ((one = strsep(&rest, " ")) != NULL) {
		char *key = strchr(one, '=');

		c.proven |= strcmp(one, "proven") == 0;
		if (key == NULL)
			continue;
		*key++ = '\0';
		if (strcmp(one, "_master") == 0)
			c.master = xstrdup(key);
		else if (strcmp(one, "default") == 0)
			c.fallback = xstrdup(key);
		else
			azure_credentials_add(&c, one)->key = xstrdup(key);
	}
	str_init(&bytes);
	azure_credentials_write(&c, &bytes);
	read = d->credentials_new(
		(struct slice){ bytes.data, bytes.length }, &err);
	if (read == NULL)
		fail_msg("%s", err.text);
	str_fini_wiped(&bytes);
	azure_credentials_fini(&c);
	free(copy);
	return read;
}

/* credentials: NULL, or as credentials_new makes them, taken. */
static inline void
rig_init(struct rig *r, const char *spec, const char *function,
	void *credentials)
{
	memset(r, 0, sizeof(*r));
	r->target = target_new(spec, function);
	r->credentials = credentials;
	r->call = d->call_new(r->target);
}

static inline void
rig_fini(struct rig *r)
{
	d->call_free(r->call);
	d->credentials_free(r->credentials);
	d->target_free(r->target);
}

static inline int
ask(struct rig *r, struct call_request request)
{
	int rc;

	if (request.method.data == NULL)
		request.method = slice_of("GET");
	if (request.host.data == NULL)
		request.host = slice_of("shop.test");
	http_write_init(&r->w, r->head, sizeof(r->head) - 1);
	r->refusal = (struct call_refusal){ 0 };
	rc = d->request(r->call, r->credentials, &request, &r->w, &r->body,
		&r->refusal);
	r->head[r->w.length] = '\0';
	return rc;
}

static inline void
asked_is(struct rig *r, struct call_request request, const char *head)
{
	if (ask(r, request) != 0)
		fail_msg("%s", r->refusal.sentence);
	assert_string_equal(r->head, head);
}

static inline void
refused_is(struct rig *r, struct call_request request, int status,
	const char *word, const char *sentence)
{
	assert_int_equal(ask(r, request), -1);
	/* It is known before there is a connection. */
	assert_int_equal(d->ready(r->call, r->credentials, &r->refusal),
		strcmp(word, "no_credentials") == 0 ? -1 : 0);
	assert_int_equal(r->refusal.status, status);
	assert_string_equal(r->refusal.word, word);
	assert_string_equal(r->refusal.sentence, sentence);
}

#define REST(text)                                                             \
	{                                                                      \
		.path = { "/x", 2 }, .rest = { text, sizeof(text) - 1 }        \
	}

#endif
