/*
 * Calls of Azure functions, through the dialect as control and proxy use it:
 * what is written for a route, read into a target, made of a request, and of
 * the answer to it.
 */
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

static void *
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
static void *
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
static void *
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
static void
rig_init(struct rig *r, const char *spec, const char *function,
	void *credentials)
{
	memset(r, 0, sizeof(*r));
	r->target = target_new(spec, function);
	r->credentials = credentials;
	r->call = d->call_new(r->target);
}

static void
rig_fini(struct rig *r)
{
	d->call_free(r->call);
	d->credentials_free(r->credentials);
	d->target_free(r->target);
}

static int
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

static void
asked_is(struct rig *r, struct call_request request, const char *head)
{
	if (ask(r, request) != 0)
		fail_msg("%s", r->refusal.sentence);
	assert_string_equal(r->head, head);
}

static void
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

/* ---- requests */

static void
test_whole(void **state)
{
	static const struct call_field fields[] = {
		{ { "x-forwarded-for", 15 }, { "10.0.0.1", 8 } },
		{ { "X-Functions-Key", 15 }, { "stolen", 6 } },
		{ { "accept", 6 }, { "*/*", 3 } },
		{ { "x-functions-clientid", 20 }, { "me", 2 } },
		{ { "X-MS-CLIENT-PRINCIPAL", 21 }, { "root", 4 } },
		{ { "x-ms-client-principal-name", 26 }, { "root", 4 } },
		{ { "x_ms_client_principal_id", 24 }, { "root", 4 } },
		{ { "x-ms-token-aad-id-token", 23 }, { "t", 1 } },
		{ { "authorization", 13 }, { "Basic YQ==", 10 } },
		{ { "x-functions-keys", 16 }, { "other", 5 } },
	};
	struct call_request request = {
		.method = { "PATCH", 5 },
		.path = { "/shop/a/b", 9 },
		.rest = { "/a/b", 4 },
		.query = { "a=1&code=stolen&b=%20", 21 },
		.fields = fields,
		.field_count = ARRAY_SIZE(fields),
		.body = { "body", 4 },
	};
	struct rig r;

	(void)state;
	rig_init(
		&r, APP, "own", credentials_new(NULL, "own=a+b/c== _master=m"));
	asked_is(&r, request,
		"PATCH /api/own/a/b?a=1&b=%20 HTTP/1.1\r\n"
		"host: my-app.azurewebsites.net\r\n"
		"x-forwarded-for: 10.0.0.1\r\n"
		"accept: */*\r\n"
		"authorization: Basic YQ==\r\n"
		"x-functions-keys: other\r\n"
		"x-forwarded-host: shop.test\r\n"
		"x-functions-key: a+b/c==\r\n");
	assert_int_equal(r.body.length, 4);
	assert_ptr_equal(r.body.data, request.body.data);
	rig_fini(&r);
}

static void
test_forwarded_host_of_a_trusted_peer_stays(void **state)
{
	static const struct call_field field = { { "X-Forwarded-Host", 16 },
		{ "front.test", 10 } };
	struct call_request request = REST("");
	struct rig r;

	(void)state;
	request.fields = &field;
	request.field_count = 1;
	rig_init(&r, APP, "open", NULL);
	asked_is(&r, request,
		"GET /api/open HTTP/1.1\r\n"
		"host: my-app.azurewebsites.net\r\n"
		"X-Forwarded-Host: front.test\r\n");
	rig_fini(&r);
}

#define HEAD_OF(path)                                                          \
	"GET " path " HTTP/1.1\r\nhost: my-app.azurewebsites.net\r\n"          \
	"x-forwarded-host: shop.test\r\n"
#define KEY(key) "x-functions-key: " key "\r\n"

/* A1: the level and the keys that are there decide. */
static void
test_keys(void **state)
{
	static const struct {
		const char *function, *keys, *head; /* NULL: refused */
	} rows[] = {
		{ "open", "own=k1 default=k2 _master=k3",
			HEAD_OF("/api/open") },
		{ "open", "open=k1", HEAD_OF("/api/open") },
		{ "own", "own=k1 default=k2 _master=k3",
			HEAD_OF("/api/own") KEY("k1") },
		{ "other", "own=k1 default=k2 _master=k3",
			HEAD_OF("/api/other") KEY("k2") },
		{ "other", "own=k1 _master=k3",
			HEAD_OF("/api/other") KEY("k3") },
		{ "other", "own=k1", NULL },
		{ "admin", "admin=k1 default=k2 _master=k3",
			HEAD_OF("/api/admin") KEY("k3") },
		{ "admin", "admin=k1 default=k2", NULL },
		/* Nobody described it: as one of level function. */
		{ "unlisted", "unlisted=k1 _master=k3",
			HEAD_OF("/api/unlisted") KEY("k1") },
		{ "unlisted", "_master=k3",
			HEAD_OF("/api/unlisted") KEY("k3") },
		{ "unlisted", "own=k1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct call_request request = REST("");
		struct rig r;

		rig_init(&r, APP, rows[i].function,
			credentials_new(NULL, rows[i].keys));
		if (rows[i].head != NULL) {
			asked_is(&r, request, rows[i].head);
		} else {
			char sentence[CALL_SENTENCE_MAX];

			snprintf(sentence, sizeof(sentence),
				"there is no key for function \"%s\" of "
				"\"my-app\" (yet); see the status of the "
				"upstream",
				rows[i].function);
			refused_is(
				&r, request, 503, "no_credentials", sentence);
		}
		rig_fini(&r);
	}
}

static void
test_no_credentials(void **state)
{
	static const char token[] =
		"functionAppName: my-app\n"
		"functions: [{functionName: open}]\n"
		"appServiceAuthentication: {audience: 'api://x'}\n";
	struct call_request request = REST("");
	struct rig r;

	(void)state;
	/* An anonymous function needs none; nor does one of an upstream that
	 * has none at all. */
	rig_init(&r, APP, "open", NULL);
	asked_is(&r, request, HEAD_OF("/api/open"));
	rig_fini(&r);
	rig_init(&r, "functionAppName: my-app\n", "x", NULL);
	asked_is(&r, request, HEAD_OF("/api/x"));
	rig_fini(&r);
	rig_init(&r, APP, "own", NULL);
	refused_is(&r, request, 503, "no_credentials",
		"there is no key for function \"own\" of \"my-app\" (yet); see "
		"the status of the upstream");
	rig_fini(&r);
	rig_init(&r, token, "open", NULL);
	refused_is(&r, request, 503, "no_credentials",
		"there is no token for App Service authentication of "
		"\"my-app\" (yet); see the status of the upstream");
	rig_fini(&r);
	rig_init(&r, token, "open", credentials_new(NULL, "a=b"));
	assert_int_equal(ask(&r, request), -1);
	rig_fini(&r);
}

/* A7: the gateway's token takes the place of the client's. */
static void
test_token(void **state)
{
	static const struct call_field field = { { "Authorization", 13 },
		{ "Bearer mine", 11 } };
	struct call_request request = REST("");
	struct rig r;

	(void)state;
	request.fields = &field;
	request.field_count = 1;
	rig_init(&r, APP "appServiceAuthentication: {audience: 'api://x'}\n",
		"own", credentials_new("Bearer ours", "own=k"));
	asked_is(&r, request,
		HEAD_OF("/api/own") "authorization: Bearer ours\r\n" KEY("k"));
	rig_fini(&r);
}

/* A2: where it goes. */
static void
test_paths(void **state)
{
	static const struct {
		const char *more, *function, *rest, *path;
	} rows[] = {
		{ "", "open", "/a//b/", "/api/open/a//b/" },
		{ "", "products", "/books/7", "/api/products/books/7" },
		{ "", "products", "/books", "/api/products/books" },
		{ "", "all", "/a/b", "/api/a/b" },
		{ "routePrefix: ''\n", "open", "/a", "/open/a" },
		{ "routePrefix: ''\n", "all", "", "/" },
		{ "routePrefix: v1/x\n", "open", "", "/v1/x/open" },
		{ "routePrefix: /v1/\n", "open", "", "/v1/open" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct call_request request = { .path = slice_of("/x"),
			.rest = slice_of(rows[i].rest) };
		char *spec = xasprintf("%s%s", APP, rows[i].more);
		char *line = xasprintf("GET %s HTTP/1.1\r\n", rows[i].path);
		struct rig r;

		rig_init(&r, spec, rows[i].function,
			credentials_new(NULL, "default=k"));
		if (ask(&r, request) != 0)
			fail_msg("%s", r.refusal.sentence);
		assert_memory_equal(r.head, line, strlen(line));
		rig_fini(&r);
		free(line);
		free(spec);
	}
}

/* Where the proxy does not say what is the function's: however the client wrote
 * the path. */
static void
test_path_not_known(void **state)
{
	struct call_request as_it_was = { .path = slice_of("/shop/a"),
		.target = slice_of("/shop/a?x") };
	struct call_request resolved = { .path = slice_of("/shop/a"),
		.target = slice_of("/x/../sh%6fp/a?x") };
	struct rig r;

	(void)state;
	rig_init(&r, APP, "open", NULL);
	asked_is(&r, as_it_was, HEAD_OF("/api/open"));
	asked_is(&r, resolved, HEAD_OF("/api/open"));
	rig_fini(&r);
}

static void
test_paths_refused(void **state)
{
	static const struct {
		const char *more, *function, *rest;
		int status;
		const char *word, *sentence;
	} rows[] = {
		{ "", "products", "", 404, "path_too_short",
			"the path has no segment for \"{category:alpha}\" in "
			"the route of function \"products\"" },
		{ "", "open", "../admin/host", 400, "bad_target",
			"the path leads out of the function" },
		{ "routePrefix: ''\n", "all", "/admin/host/status", 404,
			"path_of_host",
			"the path is one of the functions host's own, not of "
			"function \"all\"" },
		{ "routePrefix: ''\n", "all", "//ADMIN", 404, "path_of_host",
			"the path is one of the functions host's own, not of "
			"function \"all\"" },
		{ "routePrefix: ''\n", "all", "/runtime/webhooks", 404,
			"path_of_host",
			"the path is one of the functions host's own, not of "
			"function \"all\"" },
		{ "routePrefix: ''\n", "all", "/.auth/me", 404, "path_of_host",
			"the path is one of the functions host's own, not of "
			"function \"all\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct call_request request = { .path = slice_of("/x"),
			.rest = slice_of(rows[i].rest) };
		char *spec = xasprintf("%s%s", APP, rows[i].more);
		struct rig r;

		rig_init(&r, spec, rows[i].function,
			credentials_new(NULL, "_master=k"));
		refused_is(&r, request, rows[i].status, rows[i].word,
			rows[i].sentence);
		rig_fini(&r);
		free(spec);
	}
}

/* What the host takes is sent, one byte more is not; the bytes that go out
 * count. */
static void
test_path_too_long(void **state)
{
	static const char sentence[] =
		"path and query are longer than the 4096 bytes that a function "
		"app takes, as the route to function \"open\" makes them";
	static const struct {
		size_t rest, query;
		char with;
		bool taken;
	} rows[] = {
		{ 4096 - 9, 0, 'a', true }, /* behind "/api/open" */
		{ 4097 - 9, 0, 'a', false },
		{ 2000, 4096 - 9 - 2000 - 1, 'a', true },
		{ 2000, 4097 - 9 - 2000 - 1, 'a', false },
		{ 1363, 0, '"', true }, /* "%22" each */
		{ 1364, 0, '"', false },
		{ 100 << 10, 0, 'a', false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str rest, query;
		struct call_request request = { .path = slice_of("/x") };
		struct rig r;

		str_init(&rest);
		str_init(&query);
		for (size_t k = 0; k < rows[i].rest; k++)
			str_putc(&rest, k == 0 ? '/' : rows[i].with);
		for (size_t k = 0; k < rows[i].query; k++)
			str_putc(&query, 'q');
		request.rest = (struct slice){ rest.data, rest.length };
		if (query.length > 0)
			request.query = (struct slice){ query.data,
				query.length };
		rig_init(&r, APP, "open", NULL);
		if (rows[i].taken)
			assert_int_equal(ask(&r, request), 0);
		else
			refused_is(
				&r, request, 414, "path_too_long", sentence);
		rig_fini(&r);
		str_fini(&query);
		str_fini(&rest);
	}
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *spec, *line;
	} rows[] = {
		{ "functionAppName: a\nslot: blue\n",
			"host: a-blue.azurewebsites.net\r\n" },
		{ "functionAppName: a\nhostname: a-1x.westus-01."
		  "azurewebsites.net\n",
			"host: a-1x.westus-01.azurewebsites.net\r\n" },
		{ "functionAppName: a\nhostname: 'a.test:8443'\n",
			"host: a.test:8443\r\n" },
		{ "functionAppName: a\nhostname: 'a.test:443'\n",
			"host: a.test\r\n" },
		{ "functionAppName: a\nhostname: '[::1]:8443'\n",
			"host: [::1]:8443\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct call_request request = REST("");
		struct rig r;

		rig_init(&r, rows[i].spec, "f", NULL);
		assert_int_equal(ask(&r, request), 0);
		assert_non_null(strstr(r.head, rows[i].line));
		rig_fini(&r);
	}
}

/* What was discovered counts where the upstream says nothing. */
static void
test_discovered(void **state)
{
	struct azure_credentials c = { .fallback = xstrdup("k") };
	struct call_request request = REST("/books");
	struct azure_known *k = azure_credentials_add(&c, "found");
	struct error err = ERROR_INIT;
	struct str bytes;
	struct rig r;
	void *read;

	(void)state;
	k->level = AZURE_ANONYMOUS;
	k->path = xstrdup("/v2/shop/{category}");
	k = azure_credentials_add(&c, "products");
	k->level = AZURE_ANONYMOUS;
	k->path = xstrdup("/wrong");
	str_init(&bytes);
	azure_credentials_write(&c, &bytes);
	azure_credentials_fini(&c);
	for (int i = 0; i < 2; i++) {
		read = d->credentials_new(
			(struct slice){ bytes.data, bytes.length }, &err);
		assert_non_null(read);
		rig_init(&r, APP, i == 0 ? "found" : "products", read);
		asked_is(&r, request,
			i == 0 ? HEAD_OF("/v2/shop/books")
			       : HEAD_OF("/api/products/books") KEY("k"));
		rig_fini(&r);
	}
	str_fini(&bytes);
}

/* A3: two apps with a function of the same name have nothing in common. */
static void
test_two_apps(void **state)
{
	struct call_request request = REST("");
	struct rig a, b;

	(void)state;
	rig_init(&a, "functionAppName: my-app\nsecretRef: {name: a}\n", "f",
		credentials_new(NULL, "f=key-of-a _master=m"));
	rig_init(&b, "functionAppName: your-app\nsecretRef: {name: b}\n", "f",
		credentials_new(NULL, "_master=key-of-b"));
	asked_is(&a, request, HEAD_OF("/api/f") KEY("key-of-a"));
	asked_is(&b, request,
		"GET /api/f HTTP/1.1\r\nhost: your-app.azurewebsites.net\r\n"
		"x-forwarded-host: shop.test\r\n" KEY("key-of-b"));
	asked_is(&a, request, HEAD_OF("/api/f") KEY("key-of-a"));
	rig_fini(&a);
	rig_fini(&b);
}

static void
test_head_too_large(void **state)
{
	static char value[HEAD_MAX];
	struct call_field field = { { "x", 1 }, { value, sizeof(value) } };
	struct call_request request = REST("");
	struct rig r;

	(void)state;
	memset(value, 'a', sizeof(value));
	request.fields = &field;
	request.field_count = 1;
	rig_init(&r, APP, "open", NULL);
	refused_is(&r, request, 431, "head_too_large",
		"the request's head is too large for function \"open\"");
	rig_fini(&r);
}

static void
test_limits(void **state)
{
	size_t request_max, answer_max;
	struct rig r;

	(void)state;
	rig_init(&r, APP, "open", NULL);
	d->limits(r.target, &request_max, &answer_max);
	assert_int_equal(request_max, AZURE_REQUEST_BYTES_DEFAULT);
	rig_fini(&r);
	rig_init(&r, APP "maxRequestBytes: 104857600\n", "open", NULL);
	d->limits(r.target, &request_max, &answer_max);
	assert_int_equal(request_max, 104857600);
	rig_fini(&r);
}

/* ---- answers */

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

/* ---- bytes */

static void
test_fit(void **state)
{
	struct azure_credentials c = { .master = xstrdup("m") }, read;
	struct error err = ERROR_INIT;
	char name[16], key[100];
	size_t dropped;
	struct str bytes;

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	for (int i = 0; i < 1000; i++) {
		struct azure_known *k;

		snprintf(name, sizeof(name), "f%04d", i);
		k = azure_credentials_add(&c, name);
		k->key = xstrdup(key);
		k->path = xstrdup(i % 2 == 0 ? "/api/x" : "");
	}
	dropped = azure_credentials_fit(&c, AZURE_CREDENTIALS_MAX);
	assert_true(dropped > 0 && dropped < 1000);
	assert_int_equal(c.count, 1000 - dropped);
	str_init(&bytes);
	azure_credentials_write(&c, &bytes);
	assert_true(bytes.length <= AZURE_CREDENTIALS_MAX);
	/* One more would have been too many. */
	assert_true(bytes.length + 140 > AZURE_CREDENTIALS_MAX);
	assert_int_equal(azure_credentials_read(
				 (struct slice){ bytes.data, bytes.length },
				 &read, &err),
		0);
	assert_int_equal(read.count, c.count);
	azure_credentials_fini(&read);
	/* With the host's default key the keys go first, and no function. */
	c.fallback = xstrdup("d");
	assert_int_equal(azure_credentials_fit(&c, bytes.length / 2), 0);
	assert_null(c.functions[0].key);
	assert_non_null(c.functions[c.count - 1].key);
	str_clear(&bytes);
	azure_credentials_write(&c, &bytes);
	assert_int_equal(azure_credentials_fit(&c, bytes.length), 0);
	assert_int_equal(azure_credentials_fit(&c, 0), 1000 - dropped);
	assert_int_equal(c.count, 0);
	str_fini(&bytes);
	azure_credentials_fini(&c);
}

static void
test_bytes_refused(void **state)
{
	static const char *const rows[] = { "", "1:x,", "7:azure 1,",
		"19:azure-credentials 2,",
		"19:azure-credentials 2,0:,0:,0:,1:0,",
		"19:azure-credentials 2,0:,0:,0:,1:2,1:0,",
		"19:azure-credentials 2,0:,0:,0:,1:0,1:1,",
		"19:azure-credentials 2,0:,0:,0:,1:0,1:0,x",
		"19:azure-credentials 2,3:a\nb,0:,0:,1:0,1:0,",
		"19:azure-credentials 2,0:,0:,0:,1:0,6:999999,",
		"19:azure-credentials 2,0:,0:,0:,1:0,1:1,1:f,0:,1:9,1:0,0:,",
		"19:azure-credentials 2,0:,0:,0:,1:0,1:1,1:f,0:,1:1,1:1,2:a?,",
		"99999999999999999999:", "019:azure-credentials 2," };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		assert_null(d->credentials_new(slice_of(rows[i]), &err));
		assert_int_not_equal(err.code, ERROR_NONE);
		err = (struct error)ERROR_INIT;
		assert_null(d->target_new(slice_of(rows[i]), &err));
		assert_int_not_equal(err.code, ERROR_NONE);
	}
}

/* ---- what control says of a route */

static void
test_written(void **state)
{
	static const char *const known[] = { "open", "own" };
	static const struct {
		const char *destination; /* NULL: none */
		bool is_known;
		const char *warning, *error; /* "" */
	} rows[] = {
		{ "functionName: own", false, "", "" },
		{ "functionName: own", true, "", "" },
		{ "functionName: x", false,
			"\"x\" is none of the functions that the upstream "
			"lists; it is called all the same",
			"" },
		{ "functionName: other", true,
			"the function app \"my-app\" has no function \"other\" "
			"that HTTP calls, or it is disabled there",
			"" },
		{ NULL, false, "",
			"a route to a function app needs a function: "
			"destinationSpec.azure.functionName (glooctl add route "
			"--function NAME)" },
		{ "{}", false, "", "the key \"functionName\" is missing" },
		{ "logicalName: x", false, "", "unknown key \"logicalName\"" },
		{ "functionName: 'a#b'", false,
			"\"a#b\" is none of the functions that the upstream "
			"lists; it is called all the same",
			"\"api/a#b\" is no route template: a byte may not "
			"stand there as it is" },
	};
	void *spec = spec_new(APP);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *destination = rows[i].destination == NULL
						  ? NULL
						  : yaml(rows[i].destination);
		struct error err = ERROR_INIT;
		struct str settings, warning;

		str_init(&settings);
		str_init(&warning);
		assert_int_equal(
			d->write(spec, destination,
				rows[i].is_known ? known : NULL,
				rows[i].is_known ? ARRAY_SIZE(known) : 0,
				&settings, &warning, &err),
			rows[i].error[0] == '\0' ? 0 : -1);
		assert_string_equal(warning.data, rows[i].warning);
		if (rows[i].error[0] != '\0')
			assert_non_null(strstr(err.text, rows[i].error));
		else
			assert_true(settings.length > 0);
		str_fini(&settings);
		str_fini(&warning);
		doc_free(destination);
	}
	upstream_kind_azure.free(spec);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_forwarded_host_of_a_trusted_peer_stays),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_no_credentials),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_path_not_known),
		cmocka_unit_test(test_paths_refused),
		cmocka_unit_test(test_path_too_long),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_discovered),
		cmocka_unit_test(test_two_apps),
		cmocka_unit_test(test_head_too_large),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_not_let_in),
		cmocka_unit_test(test_proven),
		cmocka_unit_test(test_proven_by_the_first),
		cmocka_unit_test(test_found_to_be_anonymous),
		cmocka_unit_test(test_platform_refuses),
		cmocka_unit_test(test_looked_at),
		cmocka_unit_test(test_collected),
		cmocka_unit_test(test_host_that_starts),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_bytes_refused),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
