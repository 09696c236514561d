/* The Location of a redirect route. */
#include "filter/filter.h"

#include "tests/unit/routing/virtual_host.h"

#define CHARS(text) ((char *)(uintptr_t)(text))

struct row {
	const char *what, *host, *path, *prefix;
	uint32_t port;
	bool https, strip, tls, trusted;
	const char *head, *want;
};

static const struct row rows[] = {
	{ .what = "https",
		.https = true,
		.head = "GET /a?b=c HTTP/1.1\nHost: h\n",
		.want = "https://h/a?b=c" },
	{ .what = "https leaves the other scheme's port",
		.https = true,
		.head = "GET /a HTTP/1.1\nHost: h:8080\n",
		.want = "https://h/a" },
	{ .what = "https on another port",
		.https = true,
		.port = 8443,
		.head = "GET /a HTTP/1.1\nHost: h:8080\n",
		.want = "https://h:8443/a" },
	{ .what = "another host on the same port",
		.host = "other",
		.head = "GET /a HTTP/1.1\nHost: h:8080\n",
		.want = "http://other/a" },
	{ .what = "another host with its port",
		.host = "other:81",
		.head = "GET /a HTTP/1.1\nHost: h:8080\n",
		.want = "http://other:81/a" },
	{ .what = "another host with https",
		.host = "other",
		.https = true,
		.head = "GET /a HTTP/1.1\nHost: h:8080\n",
		.want = "https://other/a" },
	{ .what = "another port",
		.port = 81,
		.head = "GET /a HTTP/1.1\nHost: [::1]:80\n",
		.want = "http://[::1]:81/a" },
	{ .what = "an address without port",
		.head = "GET /a HTTP/1.1\nHost: [::1]\n",
		.want = "http://[::1]/a" },
	{ .what = "another path",
		.path = "/new",
		.head = "GET /a?x HTTP/1.1\nHost: h\n",
		.want = "http://h/new?x" },
	{ .what = "another path with a query of its own",
		.path = "/new?y",
		.head = "GET /a?x HTTP/1.1\nHost: h\n",
		.want = "http://h/new?y" },
	{ .what = "a path without slash",
		.path = "new",
		.head = "GET /a HTTP/1.1\nHost: h\n",
		.want = "http://h/new" },
	{ .what = "another prefix",
		.prefix = "/new/",
		.head = "GET /old/x?y HTTP/1.1\nHost: h\n",
		.want = "http://h/new/x?y" },
	{ .what = "no query",
		.strip = true,
		.head = "GET /a?x HTTP/1.1\nHost: h\n",
		.want = "http://h/a" },
	{ .what = "an empty query",
		.head = "GET /a? HTTP/1.1\nHost: h\n",
		.want = "http://h/a?" },
	{ .what = "TLS",
		.tls = true,
		.head = "GET /a HTTP/1.1\nHost: h\n",
		.want = "https://h/a" },
	{ .what = "TLS before a trusted peer",
		.trusted = true,
		.head = "GET /a HTTP/1.1\nHost: h\nX-Forwarded-Proto: https\n",
		.want = "https://h/a" },
	{ .what = "TLS and none before a trusted peer",
		.trusted = true,
		.head = "GET /a HTTP/1.1\nHost: h\nX-Forwarded-Proto: https\n"
			"X-Forwarded-Proto: http\n",
		.want = "http://h/a" },
	{ .what = "TLS, says anybody",
		.head = "GET /a HTTP/1.1\nHost: h\nX-Forwarded-Proto: https\n",
		.want = "http://h/a" },
	{ .what = "line ends stay coded",
		.head = "GET /a%25%C3%A4?%0d%0aX:y HTTP/1.1\nHost: h\n",
		.want = "http://h/a%25%C3%A4?%0d%0aX:y" },
	{ .what = "what the operator wrote is coded",
		.path = "/a b\r\n\xc3\xa4<",
		.head = "GET /a HTTP/1.1\nHost: h\n",
		.want = "http://h/a%20b%0D%0A%C3%A4%3C" },
	{ .what = "brackets stay raw in a host and in a query",
		.head = "GET /[a]%5b?b[]=c HTTP/1.1\nHost: [::1]:8080\n",
		.want = "http://[::1]:8080/%5Ba%5D%5B?b[]=c" },
	{ .what = "no host at all", .head = "GET /a HTTP/1.0\n", .want = "/a" },
	{ .what = "two slashes are no host",
		.head = "GET //evil/a HTTP/1.0\n",
		.want = "/evil/a" },
	{ .what = "two slashes behind a host",
		.head = "GET //b/a HTTP/1.1\nHost: h\n",
		.want = "http://h//b/a" },
};

static void
row_check(struct fixture *f, const struct row *row)
{
	struct model_matcher m = { .path = CHARS(row->prefix ? "/old" : "/") };
	struct model_route route = test_route(NULL, &m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct filter_request r = { .head = &f->head,
		.target = &f->request.target,
		.match = &f->match,
		.tls = row->tls,
		.peer_trusted = row->trusted };
	struct str location;

	route.action = MODEL_ACTION_REDIRECT;
	route.redirect = (struct model_redirect){
		.host_redirect = CHARS(row->host),
		.path_redirect = CHARS(row->path),
		.prefix_rewrite = CHARS(row->prefix),
		.status = 308,
		.https_redirect = row->https,
		.strip_query = row->strip,
		.port_redirect = { row->port != 0, row->port },
	};
	fixture_serve(f, &vs);
	fixture_find(f, row->head);
	str_init(&location);
	str_puts(&location, "old");
	assert_int_equal(filter_redirect(&r, &location), 308);
	if (strcmp(location.data, row->want) != 0)
		fail_msg("%s: %s, not %s", row->what, location.data, row->want);
	assert_true(http_is_field_value(slice_of(location.data)));
	str_fini(&location);
}

static void
locations_are_built(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture f;

		fixture_init(&f);
		row_check(&f, &rows[i]);
		fixture_clear(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locations_are_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
