/* What reaches the upstream and the client: rows of heads and edits. */
#include "filter/filter.h"

#include "base/addr.h"
#include "tests/unit/routing/virtual_host.h"

#define CHARS(text) ((char *)(uintptr_t)(text))

struct filtered {
	struct fixture f;
	struct str scratch, lines;
	struct filter_request request;
	struct addr peer;
};

static void
text_puts(struct str *out, struct slice text)
{
	str_append(out, text.data, text.length);
}

/* The head as it would be written: what is kept, then what was added. */
static const char *
edited(struct str *out, const struct http_head *h, const struct head_edit *e)
{
	for (unsigned i = 0; i < h->field_count; i++) {
		if (head_edit_is_removed(e, i))
			continue;
		text_puts(out, http_field_name(h, &h->fields[i]));
		str_puts(out, ": ");
		text_puts(out, http_field_value(h, &h->fields[i]));
		str_putc(out, '\n');
	}
	for (uint32_t i = 0; i < e->added_count; i++) {
		text_puts(out, e->added[i].name);
		str_puts(out, ": ");
		text_puts(out, e->added[i].value);
		str_putc(out, '\n');
	}
	return out->data;
}

static const char *
request_lines(struct filtered *t, const char *head, bool trusted, bool tls)
{
	struct filter_request *r = &t->request;

	assert_int_equal(addr_parse_ip("192.0.2.1", 1234, &t->peer), 0);
	fixture_find(&t->f, head);
	*r = (struct filter_request){
		.head = &t->f.head,
		.target = &t->f.request.target,
		.match = &t->f.match,
		.peer = &t->peer,
		.peer_trusted = trusted,
		.tls = tls,
		.request_id = "made-id",
		.endpoint_host = { "dns.name", 8 },
		.scratch = &t->scratch,
	};
	/* No room to spare, so that a wrong reserve is seen. */
	str_fini(&t->scratch);
	filter_request_apply(r);
	str_clear(&t->lines);
	text_puts(&t->lines, r->path);
	if (r->query.data != NULL) {
		str_putc(&t->lines, '?');
		text_puts(&t->lines, r->query);
	}
	str_puts(&t->lines, " ");
	text_puts(&t->lines, r->host);
	str_putc(&t->lines, '\n');
	return edited(&t->lines, &t->f.head, &r->edit);
}

#define XF(ip) "x-forwarded-for: " ip "\nx-forwarded-proto: http\n"
#define ID     "x-request-id: made-id\n"
#define MS     "x-envoy-expected-rq-timeout-ms: 15000\n"

static struct model_route
plain_route(struct model_matcher *m)
{
	static struct model_destination to = { { CHARS("a"), CHARS("n") }, 1,
		NULL, NULL, 0 };
	struct model_route r = { 0 };

	r.matchers = m;
	r.matcher_count = 1;
	r.destinations = &to;
	r.destination_count = 1;
	return r;
}

static void
clients_speak_for_themselves(void **state)
{
	static const struct {
		const char *what, *head;
		bool trusted, tls;
		const char *want;
	} rows[] = {
		{ "nothing said", "GET /x?q HTTP/1.1\nHost: h:80\n", false,
			false, "/x?q h:80\n" XF("192.0.2.1") ID MS },
		{ "an untrusted chain is replaced",
			"GET /x HTTP/1.1\nHost: h\nX-Forwarded-For: 1.2.3.4\n",
			false, false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "a trusted chain grows, its lines joined",
			"GET /x HTTP/1.1\nHost: h\nX-Forwarded-For: 1.2.3.4\n"
			"A: b\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\n",
			true, false,
			"/x h\nA: b\n" XF(
				"1.2.3.4, 10.0.0.1, 10.0.0.2, 192.0.2.1")
				ID MS },
		{ "an empty chain",
			"GET /x HTTP/1.1\nHost: h\nX-Forwarded-For:\n", true,
			false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "a trusted scheme stays",
			"GET /x HTTP/1.1\nHost: h\nX-Forwarded-Proto: https\n",
			true, false,
			"/x h\nx-forwarded-for: 192.0.2.1\n"
			"x-forwarded-proto: https\n" ID MS },
		{ "an untrusted scheme goes",
			"GET /x HTTP/1.1\nHost: h\nX-Forwarded-Proto: https\n",
			false, false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "no scheme at all",
			"GET /x HTTP/1.1\nHost: h\nX-Forwarded-Proto: ftp\n",
			true, false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "two schemes",
			"GET /x HTTP/1.1\nHost: h\n"
			"X-Forwarded-Proto: https\nX-Forwarded-Proto: http\n",
			true, false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "TLS", "GET /x HTTP/1.1\nHost: h\n", false, true,
			"/x h\nx-forwarded-for: 192.0.2.1\n"
			"x-forwarded-proto: https\n" ID MS },
		{ "a request id is kept",
			"GET /x HTTP/1.1\nHost: h\nX-Request-Id: abc-1\n",
			false, false,
			"/x h\n" XF("192.0.2.1") "x-request-id: abc-1\n" MS },
		{ "but not a wrong one",
			"GET /x HTTP/1.1\nHost: h\nX-Request-Id: a b\n", false,
			false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "and not two",
			"GET /x HTTP/1.1\nHost: h\nX-Request-Id: a\n"
			"X-Request-Id: b\n",
			false, false, "/x h\n" XF("192.0.2.1") ID MS },
		{ "what only proxies say",
			"GET /x HTTP/1.1\nHost: h\nX-Real-IP: 1\n"
			"X-Forwarded-Host: x\nForwarded: for=1\n"
			"X-Envoy-Original-Path: /secret\n"
			"x-envoy-expected-rq-timeout-ms: 1\nX-ENVOY-new: 1\n"
			"x-envoyer: 1\n",
			false, false,
			"/x h\nx-envoyer: 1\n" XF("192.0.2.1") ID MS },
		{ "is believed of trusted ones",
			"GET /x HTTP/1.1\nHost: h\nX-Real-IP: 1\n"
			"X-Forwarded-Host: x\nForwarded: for=1\n"
			"X-Envoy-Original-Path: /old\n"
			"x-envoy-expected-rq-timeout-ms: 1\n",
			true, false,
			"/x h\nX-Real-IP: 1\nX-Forwarded-Host: x\n"
			"Forwarded: for=1\nX-Envoy-Original-Path: /old\n" XF(
				"192.0.2.1") ID MS },
		{ "fields of one connection stay behind",
			"GET /x HTTP/1.1\nHost: h\nConnection: x-hop\n"
			"X-Hop: 1\nKeep-Alive: 5\nTE: trailers\nAccept: y\n",
			false, false,
			"/x h\nAccept: y\n" XF("192.0.2.1") ID MS },
		{ "an absolute target names the host",
			"GET http://real/x HTTP/1.1\nHost: real\n", false,
			false, "/x real\n" XF("192.0.2.1") ID MS },
	};
	struct model_matcher m = { .path = CHARS("/") };
	struct model_route route = plain_route(&m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct filtered *t = *state;

	fixture_serve(&t->f, &vs);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = request_lines(
			t, rows[i].head, rows[i].trusted, rows[i].tls);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s:\n%snot\n%s", rows[i].what, got,
				rows[i].want);
	}
}

static void
long_ids_are_replaced(void **state)
{
	struct model_matcher m = { .path = CHARS("/") };
	struct model_route route = plain_route(&m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct filtered *t = *state;
	char head[400], id[200];

	fixture_serve(&t->f, &vs);
	for (int length = 128; length <= 129; length++) {
		memset(id, 'a', sizeof(id));
		snprintf(head, sizeof(head),
			"GET /x HTTP/1.1\nHost: h\n"
			"X-Request-Id: %.*s\n",
			length, id);
		assert_int_equal(strstr(request_lines(t, head, false, false),
					 "made-id") != NULL,
			length == 129);
	}
}

static void
paths_are_rewritten(void **state)
{
	static const struct {
		enum model_path type;
		const char *path, *rewrite, *target, *want;
	} rows[] = {
		{ MODEL_PATH_PREFIX, "/httpbin", "/", "/httpbin/get?a=1",
			"/get?a=1" },
		{ MODEL_PATH_PREFIX, "/httpbin", "/", "/httpbin", "/" },
		{ MODEL_PATH_PREFIX, "/httpbin", "/", "/httpbin/", "/" },
		{ MODEL_PATH_PREFIX, "/httpbin/", "/", "/httpbin/get", "/get" },
		{ MODEL_PATH_PREFIX, "/a/", "/b", "/a/x", "/b/x" },
		{ MODEL_PATH_PREFIX, "/a", "/b", "/a/x?", "/b/x?" },
		{ MODEL_PATH_PREFIX, "/a", "/b/", "/a/x", "/b/x" },
		{ MODEL_PATH_PREFIX, "/a", "/b", "/ax", "/bx" },
		{ MODEL_PATH_PREFIX, "/", "/b", "/x", "/b/x" },
		{ MODEL_PATH_PREFIX, "/a", "", "/a/x", "/x" },
		{ MODEL_PATH_PREFIX, "/a", "/", "/a%2dx/%7Ey", "/-x/~y" },
		{ MODEL_PATH_EXACT, "/a/b", "/c", "/a/b?q", "/c?q" },
		{ MODEL_PATH_REGEX, "/a/.*", "/c", "/a/b", NULL },
	};
	struct filtered *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_matcher m = { .path_type = rows[i].type,
			.path = CHARS(rows[i].path) };
		struct model_route route = plain_route(&m);
		struct model_virtual_service vs = test_service(&route, 1);
		char head[128], want[512];
		const char *got;
		size_t length;

		route.options.prefix_rewrite = CHARS(rows[i].rewrite);
		route.options.timeout = (struct model_duration){ true, 0 };
		fixture_serve(&t->f, &vs);
		snprintf(head, sizeof(head),
			"GET %s HTTP/1.1\nHost: h\n"
			"x-envoy-original-path: /forged\n",
			rows[i].target);
		got = request_lines(t, head, true, false);
		length = (size_t)(strchr(got, ' ') - got);
		snprintf(want, sizeof(want), "%s",
			rows[i].want ? rows[i].want : rows[i].target);
		if (length != strlen(want) || strncmp(got, want, length) != 0)
			fail_msg("%s to %s: %.*s, not %s", rows[i].path,
				rows[i].rewrite, (int)length, got, want);
		snprintf(want, sizeof(want), "\nx-envoy-original-path: %s\n",
			rows[i].want == NULL          ? "/forged"
			: strchr(rows[i].target, '%') ? "/a-x/~y"
						      : rows[i].target);
		if (strstr(got, want) == NULL)
			fail_msg("%s: no %s", got, want);
		assert_null(strstr(got, "timeout"));
		assert_int_equal(
			rows[i].want != NULL, strstr(got, "forged") == NULL);
	}
}

static void
paths_that_leave_their_prefix_are_told(void **state)
{
	static const struct {
		const char *rewrite, *target;
		bool escapes;
	} rows[] = {
		{ "/b/", "/a/x", false },
		{ "/b/", "/a", false },
		{ "/b/", "/a../x", true },
		{ "/b/", "/a..", true },
		{ "/b/", "/a.", true },
		{ "/b/", "/a%2e./x", true },
		{ "/b/", "/a..x", false },
		{ "/b", "/a../x", false },
		{ "/b/.", "/a./x", true },
		{ NULL, "/a../x", false },
	};
	struct filtered *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_matcher m = { .path = CHARS("/a") };
		struct model_route route = plain_route(&m);
		struct model_virtual_service vs = test_service(&route, 1);
		char head[128];

		route.options.prefix_rewrite = CHARS(rows[i].rewrite);
		fixture_serve(&t->f, &vs);
		snprintf(head, sizeof(head), "GET %s HTTP/1.1\nHost: h\n",
			rows[i].target);
		request_lines(t, head, false, false);
		if (t->request.escapes != rows[i].escapes)
			fail_msg("%s to %s", rows[i].target, rows[i].rewrite);
	}
}

static void
hosts_are_rewritten(void **state)
{
	static const struct {
		const char *what, *rewrite;
		struct model_bool automatic;
		bool known, rewrites;
		const char *want;
	} rows[] = {
		{ "as sent", NULL, { 0 }, true, false, "Client:81" },
		{ "rewritten", "other", { true, true }, true, true, "other" },
		{ "the endpoint's", NULL, { true, true }, true, false,
			"dns.name" },
		{ "the endpoint has none", NULL, { true, true }, false, true,
			"Client:81" },
		{ "by the endpoint's own default", NULL, { 0 }, true, true,
			"dns.name" },
		{ "which has none", NULL, { 0 }, false, true, "Client:81" },
		{ "unless the route says otherwise", NULL, { true, false },
			true, true, "Client:81" },
		{ "or what it is", "other", { 0 }, true, true, "other" },
	};
	struct filtered *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_matcher m = { .path = CHARS("/") };
		struct model_route route = plain_route(&m);
		struct model_virtual_service vs = test_service(&route, 1);
		struct filter_request *r = &t->request;

		route.options.host_rewrite = CHARS(rows[i].rewrite);
		route.options.auto_host_rewrite = rows[i].automatic;
		fixture_serve(&t->f, &vs);
		request_lines(
			t, "GET / HTTP/1.1\nHost: Client:81\n", false, false);
		r->endpoint_rewrites = rows[i].rewrites;
		if (!rows[i].known)
			r->endpoint_host.length = 0;
		filter_request_apply(r);
		if (!slice_equal(r->host, slice_of(rows[i].want)))
			fail_msg("%s: %.*s", rows[i].what, (int)r->host.length,
				r->host.data);
	}
}

static void
headers_are_manipulated(void **state)
{
	static struct model_header_value route_add[] = {
		{ CHARS("X-One"), CHARS("route"), false },
		{ CHARS("X-More"), CHARS("route"), true }
	};
	static struct model_header_value host_add[] = {
		{ CHARS("x-more"), CHARS("host"), true },
		{ CHARS("x-last"), CHARS("host"), false }
	};
	static char *route_remove[] = { CHARS("x-gone"), CHARS("Host"),
		CHARS("content-length") };
	static char *host_remove[] = { CHARS("x-request-id") };
	static struct model_header_manipulation of_route = { route_add, 2,
		route_remove, 3, route_add, 2, route_remove, 3 },
						of_host = { host_add, 2,
							host_remove, 1,
							host_add, 2,
							host_remove, 1 };
	struct model_matcher m = { .path = CHARS("/") };
	struct model_route route = plain_route(&m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct filtered *t = *state;
	struct http_head response;
	struct head_edit edit;
	enum http_refusal why;
	static const char answer[] =
		"HTTP/1.1 200 OK\r\nX-One: a\r\n"
		"Content-Length: 2\r\nX-Gone: 1\r\nX-One: b\r\n"
		"Connection: close, x-hop\r\nx-hop: 1\r\nX-More: c\r\n"
		"X-Request-Id: 5\r\n\r\n";

	route.options.headers = &of_route;
	vs.headers = &of_host;
	fixture_serve(&t->f, &vs);
	assert_string_equal(request_lines(t,
				    "POST / HTTP/1.1\nHost: h\n"
				    "x-one: 1\nX-GONE: 2\nX-ONE: 3\nx-more: 4\n"
				    "X_Gone: 5\nx_ONE: 6\n"
				    "Content-Length: 0\n",
				    false, false),
		"/ h\nx-more: 4\n" XF("192.0.2.1") MS
		"X-One: route\nX-More: route\nx-more: host\nx-last: host\n");

	assert_int_equal(
		http_response_parse(answer, sizeof(answer) - 1, 0, HTTP_GET,
			&http_limits_default, &response, &why),
		HTTP_PARSE_DONE);
	filter_response_apply(&t->f.match, &response, &edit);
	str_clear(&t->lines);
	assert_string_equal(edited(&t->lines, &response, &edit),
		"X-More: c\nX-One: route\n"
		"X-More: route\nx-more: host\nx-last: host\n");

	/* Without a route, or even a virtual host, nothing is added. */
	t->f.match = (struct router_match){ 0 };
	filter_response_apply(&t->f.match, &response, &edit);
	assert_int_equal(edit.added_count, 0);
	assert_false(edit.overflow);
}

static bool
is_within(const struct str *s, struct slice text)
{
	return text.data >= s->data &&
	       text.data + text.length <= s->data + s->length;
}

static void
made_texts_do_not_move(void **state)
{
	struct model_matcher m = { .path = CHARS("/a") };
	struct model_route route = plain_route(&m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct filtered *t = *state;
	char head[8192], filler[2000];

	route.options.prefix_rewrite = CHARS("/longer");
	fixture_serve(&t->f, &vs);
	memset(filler, 'x', sizeof(filler));
	for (int length = 1; length < (int)sizeof(filler); length += 7) {
		const struct head_edit *e = &t->request.edit;

		snprintf(head, sizeof(head),
			"GET /a/%.*s?%.*s HTTP/1.1\nHost: h\n"
			"x-forwarded-for: %.*s\n",
			length, filler, length, filler, length, filler);
		request_lines(t, head, true, false);
		assert_true(is_within(&t->scratch, t->request.path));
		assert_int_equal(e->added_count, 5);
		assert_true(is_within(&t->scratch, e->added[0].value));
		assert_true(is_within(&t->scratch, e->added[1].value));
		assert_true(is_within(&t->scratch, e->added[4].value));
	}
}

static void
too_many_fields_are_noticed(void **state)
{
	static struct model_header_value add[EDIT_FIELDS_MAX];
	static char names[EDIT_FIELDS_MAX][8];
	struct model_header_manipulation h = { .request_add = add,
		.request_add_count = EDIT_FIELDS_MAX };
	struct model_matcher m = { .path = CHARS("/") };
	struct model_route route = plain_route(&m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct filtered *t = *state;

	for (size_t i = 0; i < EDIT_FIELDS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "x-%zu", i % 1000);
		add[i] = (struct model_header_value){ names[i], CHARS("v"),
			false };
	}
	route.options.headers = &h;
	fixture_serve(&t->f, &vs);
	request_lines(t, "GET / HTTP/1.1\nHost: h\n", false, false);
	assert_true(t->request.edit.overflow);
}

static int
setup(void **state)
{
	struct filtered *t = xcalloc(1, sizeof(*t));

	fixture_init(&t->f);
	str_init(&t->scratch);
	str_init(&t->lines);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct filtered *t = *state;

	fixture_clear(&t->f);
	str_fini(&t->scratch);
	str_fini(&t->lines);
	free(t);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(clients_speak_for_themselves),
		TEST(long_ids_are_replaced),
		TEST(paths_are_rewritten),
		TEST(paths_that_leave_their_prefix_are_told),
		TEST(hosts_are_rewritten),
		TEST(headers_are_manipulated),
		TEST(made_texts_do_not_move),
		TEST(too_many_fields_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
