/*
 * Calls of Azure functions, through the dialect as control and proxy use it:
 * what is written for a route, read into a target, and made of a request.
 */
#include "azure_rig.h"

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
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_bytes_refused),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
