/* The router: rows, and a comparison with a plain scan of the models. */
#include "routing/router.h"

#include <ctype.h>
#include <regex.h>
#include <strings.h>

#include "routing/balance.h"
#include "tests/unit/routing/virtual_host.h"

#define CHARS(text) ((char *)(uintptr_t)(text))

/* ---- rows */

struct routed {
	const char *what, *head, *want;
};

static void
routed_check(struct fixture *f, const struct routed *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = fixture_name(f, rows[i].head);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].what, got,
				rows[i].want);
	}
}

static void
paths_are_matched_in_order(void **state)
{
	struct {
		const char *name;
		enum model_path type;
		const char *path;
		bool nocase;
	} want[] = {
		{ "exact", MODEL_PATH_EXACT, "/a/exact", false },
		{ "digits", MODEL_PATH_REGEX, "/a/[0-9]+", false },
		{ "ab", MODEL_PATH_PREFIX, "/a/b", false },
		{ "suffix", MODEL_PATH_REGEX, ".*\\.png", false },
		{ "a", MODEL_PATH_PREFIX, "/a", false },
		{ "late", MODEL_PATH_EXACT, "/a/late", false },
		{ "nocase", MODEL_PATH_PREFIX, "/MiXed", true },
		{ "nocase exact", MODEL_PATH_EXACT, "/Other", true },
		{ "nocase regex", MODEL_PATH_REGEX, "/re[a-c]x", true },
		{ "escaped", MODEL_PATH_REGEX, "/e\\.x/(a|b)c*", false },
	};
	static const struct routed rows[] = {
		{ "an exact path", "GET /a/exact HTTP/1.1\nHost: h\n",
			"exact" },
		{ "an exact path with a query",
			"GET /a/exact?x=1 HTTP/1.1\nHost: h\n", "exact" },
		{ "an exact path is not a prefix",
			"GET /a/exact/ HTTP/1.1\nHost: h\n", "a" },
		{ "a regex", "GET /a/42 HTTP/1.1\nHost: h\n", "digits" },
		{ "a regex takes the whole path",
			"GET /a/42x HTTP/1.1\nHost: h\n", "a" },
		{ "a longer prefix, earlier", "GET /a/bc HTTP/1.1\nHost: h\n",
			"ab" },
		{ "an earlier prefix over a regex without beginning",
			"GET /a/b.png HTTP/1.1\nHost: h\n", "ab" },
		{ "a regex without beginning over a later prefix",
			"GET /a/c.png HTTP/1.1\nHost: h\n", "suffix" },
		{ "a prefix is one of bytes", "GET /ab HTTP/1.1\nHost: h\n",
			"a" },
		{ "an earlier prefix hides a later exact path",
			"GET /a/late HTTP/1.1\nHost: h\n", "a" },
		{ "no case", "GET /mIXED/x HTTP/1.1\nHost: h\n", "nocase" },
		{ "no case, exact", "GET /oTHER HTTP/1.1\nHost: h\n",
			"nocase exact" },
		{ "no case, exact, longer", "GET /oTHER/ HTTP/1.1\nHost: h\n",
			"-" },
		{ "no case, regex", "GET /REBX HTTP/1.1\nHost: h\n",
			"nocase regex" },
		{ "an escaped dot", "GET /e.x/bcc HTTP/1.1\nHost: h\n",
			"escaped" },
		{ "not any byte for an escaped dot",
			"GET /exx/bcc HTTP/1.1\nHost: h\n", "-" },
		{ "nothing", "GET /zzz HTTP/1.1\nHost: h\n", "-" },
		{ "case counts", "GET /A HTTP/1.1\nHost: h\n", "-" },
		{ "only a beginning", "GET / HTTP/1.1\nHost: h\n", "-" },
		{ "the server as a whole", "OPTIONS * HTTP/1.1\nHost: h\n",
			"-" },
	};
	struct model_matcher matchers[ARRAY_SIZE(want)] = { 0 };
	struct model_route routes[ARRAY_SIZE(want)];
	struct model_virtual_service vs =
		test_service(routes, ARRAY_SIZE(want));
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		matchers[i].path_type = want[i].type;
		matchers[i].path = CHARS(want[i].path);
		matchers[i].case_sensitive =
			(struct model_bool){ want[i].nocase, false };
		routes[i] = test_route(CHARS(want[i].name), &matchers[i]);
	}
	fixture_serve(f, &vs);
	routed_check(f, rows, ARRAY_SIZE(rows));
	fixture_find(f, "GET /a/bc HTTP/1.1\nHost: h\n");
	assert_int_equal(f->match.prefix_length, 4);
	assert_int_equal(f->match.path_type, MODEL_PATH_PREFIX);
	fixture_find(f, "GET /a/421 HTTP/1.1\nHost: h\n");
	assert_int_equal(f->match.prefix_length, 6);
	assert_int_equal(f->match.path_type, MODEL_PATH_REGEX);
}

static void
conditions_are_asked(void **state)
{
	static struct model_header_matcher
		is[] = { { CHARS("X-Env"), CHARS("prod"), false, false } },
		present[] = { { CHARS("x-there"), NULL, false, false } },
		absent[] = { { CHARS("x-there"), NULL, false, true },
			{ CHARS("x-absent"), CHARS("1"), false, false } },
		regex[] = { { CHARS("x-n"), CHARS("[0-9]{3}"), true, false } },
		not [] = { { CHARS("x-not"), CHARS("bad"), false, true },
			{ CHARS("user-agent"), CHARS("t"), false, false } };
	static struct model_query_matcher q[] = { { CHARS("a b"), CHARS("1+2"),
							  false },
		{ CHARS("p"), NULL, false } };
	static struct model_query_matcher qr[] = { { CHARS("r"), CHARS("x.z"),
		true } };
	static char *get[] = { CHARS("GET"), CHARS("BREW") };
	static char *brew[] = { CHARS("BREW") };
	struct model_matcher m[] = {
		{ .path = CHARS("/"), .headers = is, .header_count = 1 },
		{ .path = CHARS("/"), .headers = absent, .header_count = 2 },
		{ .path = CHARS("/"), .headers = present, .header_count = 1 },
		{ .path = CHARS("/"), .headers = regex, .header_count = 1 },
		{ .path = CHARS("/"), .headers = not, .header_count = 2 },
		{ .path = CHARS("/"), .query = q, .query_count = 2 },
		{ .path = CHARS("/"), .query = qr, .query_count = 1 },
		{ .path = CHARS("/m"), .methods = get, .method_count = 2 },
		{ .path = CHARS("/n"), .methods = brew, .method_count = 1 },
	};
	static const char *const names[] = { "is", "absent", "present", "regex",
		"not", "query", "query regex", "get", "brew" };
	static const struct routed rows[] = {
		{ "a field, its name without case",
			"GET /x HTTP/1.1\nHost: h\nx-env: prod\n", "is" },
		{ "a value has case", "GET /x HTTP/1.1\nHost: h\nx-env: Prod\n",
			"-" },
		{ "the second line of a field",
			"GET /x HTTP/1.1\nHost: h\nX-Env: test\nX-Env: prod\n",
			"is" },
		{ "presence", "GET /x HTTP/1.1\nHost: h\nX-There:\n",
			"present" },
		{ "inverted presence and another",
			"GET /x HTTP/1.1\nHost: h\nx-absent: 1\n", "absent" },
		{ "all conditions must hold",
			"GET /x HTTP/1.1\nHost: h\nx-absent: 1\nx-there: 1\n",
			"present" },
		{ "a regex", "GET /x HTTP/1.1\nHost: h\nx-n: 123\n", "regex" },
		{ "a regex takes the whole value",
			"GET /x HTTP/1.1\nHost: h\nx-n: 1234\n", "-" },
		{ "inverted: the field is absent",
			"GET /x HTTP/1.1\nHost: h\nuser-agent: t\n", "not" },
		{ "inverted: another value",
			"GET /x HTTP/1.1\nHost: h\n"
			"x-not: good\nuser-agent: t\n",
			"not" },
		{ "inverted: that value",
			"GET /x HTTP/1.1\nHost: h\n"
			"x-not: bad\nuser-agent: t\n",
			"-" },
		{ "inverted: one of the lines",
			"GET /x HTTP/1.1\nHost: h\n"
			"x-not: ok\nx-not: bad\nuser-agent: t\n",
			"-" },
		{ "parameters are decoded",
			"GET /x?p&a%20b=1%2B2 HTTP/1.1\nHost: h\n", "query" },
		{ "a plus is a plus", "GET /x?a%20b=1+2&p= HTTP/1.1\nHost: h\n",
			"query" },
		{ "one parameter is absent",
			"GET /x?a%20b=1+2 HTTP/1.1\nHost: h\n", "-" },
		{ "the second of that name",
			"GET /x?p=1&a%20b=0&a%20b=1%2b2 HTTP/1.1\nHost: h\n",
			"query" },
		{ "a parameter by regex",
			"GET /x?q&r=x%79z HTTP/1.1\nHost: h\n", "query regex" },
		{ "no query at all", "GET /x HTTP/1.1\nHost: h\n", "-" },
		{ "a method", "GET /m HTTP/1.1\nHost: h\n", "get" },
		{ "another method", "POST /m HTTP/1.1\nHost: h\n", "-" },
		{ "a method of no standard", "BREW /m HTTP/1.1\nHost: h\n",
			"get" },
		{ "only that", "BREW /n HTTP/1.1\nHost: h\n", "brew" },
		{ "not a known one", "GET /n HTTP/1.1\nHost: h\n", "-" },
		{ "not another unknown one", "STEEP /n HTTP/1.1\nHost: h\n",
			"-" },
	};
	struct model_route routes[ARRAY_SIZE(m)];
	struct model_virtual_service vs = test_service(routes, ARRAY_SIZE(m));
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		routes[i] = test_route(CHARS(names[i]), &m[i]);
	fixture_serve(f, &vs);
	routed_check(f, rows, ARRAY_SIZE(rows));
}

/* What does not reach the upstream does not choose it. */
static void
fields_that_are_dropped_are_absent(void **state)
{
	static const struct {
		const char *name, *fields;
		bool trusted, untrusted; /* it counts, by who is the peer */
	} rows[] = {
		{ "x-forwarded-for", "X-Forwarded-For: 1\n", true, false },
		{ "x-forwarded-host", "X-Forwarded-Host: a\n", true, false },
		{ "forwarded", "Forwarded: for=a\n", true, false },
		{ "x-real-ip", "X-Real-IP: a\n", true, false },
		{ "x-envoy-original-path", "X-Envoy-Original-Path: /\n", true,
			false },
		{ "x-envoy-internal", "X-ENVOY-Internal: true\n", true, false },
		{ "x-envoy-", "X-Envoy-: 1\n", true, true },
		{ "x-request-id", "X-Request-Id: a\n", true, true },
		{ "x-forwarded-port", "X-Forwarded-Port: 1\n", true, true },
		{ "x-a", "X-A: 1\n", true, true },
		{ "x-a", "Connection: close, x-a\nX-A: 1\n", false, false },
		{ "x-a", "X-A: 1\nX-B: 2\nConnection: x-b\n", true, true },
		{ "x-real-ip", "Connection: x-real-ip\nX-Real-IP: a\n", true,
			false },
		{ "x_real_ip", "X_Real_IP: a\n", false, false },
		{ "connection", "Connection: close\n", false, false },
		{ "te", "TE: trailers\n", false, false },
		{ "expect", "Expect: 100-continue\n", false, false },
		{ "content-length", "Content-Length: 0\n", true, true },
		{ "transfer-encoding", "Transfer-Encoding: chunked\n", true,
			true },
		{ "host", "", true, true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct model_header_matcher there = {
			.name = CHARS(rows[i / 2].name)
		};
		struct model_matcher m = {
			.path = CHARS("/"), .headers = &there, .header_count = 1
		};
		struct model_route route = test_route(CHARS("there"), &m);
		struct model_virtual_service vs = test_service(&route, 1);
		bool counts =
			i % 2 ? rows[i / 2].trusted : rows[i / 2].untrusted;
		char head[256];

		snprintf(head, sizeof(head), "GET / HTTP/1.1\nHost: h\n%s",
			rows[i / 2].fields);
		f->request.peer_trusted = i % 2;
		for (int inverted = 0; inverted < 2; inverted++) {
			there.invert_match = inverted;
			fixture_serve(f, &vs);
			fixture_find(f, head);
			if ((f->match.route != NULL) != (counts != inverted))
				fail_msg("%s, trusted %zu, inverted %d", head,
					i % 2, inverted);
		}
	}
	f->request.peer_trusted = false;
}

/* Its value is what the upstream gets: what is written where nobody who may
 * has said it. */
static void
the_scheme_is_as_the_upstream_gets_it(void **state)
{
	static const struct {
		const char *fields;
		const char *trusted, *untrusted;
	} rows[] = {
		{ "", "http", "http" },
		{ "X-Forwarded-Proto: https\n", "https", "http" },
		{ "X-Forwarded-Proto: http\n", "http", "http" },
		{ "X-Forwarded-Proto: ftp\n", "http", "http" },
		{ "X-Forwarded-Proto: https\nX-Forwarded-Proto: http\n", "http",
			"http" },
		{ "X-Forwarded-Proto: https\nX-Forwarded-Proto: https\n",
			"http", "http" },
		{ "X-Forwarded-Proto: https\nConnection: x-forwarded-proto\n",
			"https", "http" },
	};
	struct model_header_matcher proto = { .name = CHARS(
						      "x-forwarded-proto") };
	struct model_matcher m = {
		.path = CHARS("/"), .headers = &proto, .header_count = 1
	};
	struct model_route route = test_route(CHARS("of it"), &m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct fixture *f = *state;

	for (size_t i = 0; i < 4 * ARRAY_SIZE(rows); i++) {
		const char *want =
			i % 2 ? rows[i / 4].trusted : rows[i / 4].untrusted;
		char head[256];

		proto.value = CHARS(i / 2 % 2 ? "https" : "http");
		fixture_serve(f, &vs);
		snprintf(head, sizeof(head), "GET / HTTP/1.1\nHost: h\n%s",
			rows[i / 4].fields);
		f->request.peer_trusted = i % 2;
		fixture_find(f, head);
		if ((f->match.route != NULL) !=
			(strcmp(proto.value, want) == 0))
			fail_msg("%s, trusted %zu, is it %s", head, i % 2,
				proto.value);
	}
	f->request.peer_trusted = false;
}

static void
hosts_are_found(void **state)
{
	static const char *const domains[][2] = {
		{ "example.com", "www.example.com" },
		{ "*.example.com", "*.org" },
		{ "*.b.example.com", "[::1]" },
		{ "www.*", "api.v1.*" },
		{ "*", "api.*" },
	};
	static char names[ARRAY_SIZE(domains)][2];
	static const struct routed rows[] = {
		{ "exact", "GET / HTTP/1.1\nHost: example.com\n", "0" },
		{ "case, port and dot do not count",
			"GET / HTTP/1.1\nHost: EXAMPLE.com.:8080\n", "0" },
		{ "exact before wildcards",
			"GET / HTTP/1.1\nHost: www.example.com\n", "0" },
		{ "a suffix", "GET / HTTP/1.1\nHost: a.example.com\n", "1" },
		{ "a suffix of several labels",
			"GET / HTTP/1.1\nHost: x.a.example.com\n", "1" },
		{ "the longest suffix",
			"GET / HTTP/1.1\nHost: a.b.example.com\n", "2" },
		{ "a wildcard is at least a label",
			"GET / HTTP/1.1\nHost: b.example.com\n", "1" },
		{ "suffix before prefix", "GET / HTTP/1.1\nHost: www.x.org\n",
			"1" },
		{ "a prefix", "GET / HTTP/1.1\nHost: www.example.net\n", "3" },
		{ "the longest prefix", "GET / HTTP/1.1\nHost: api.v1.net\n",
			"3" },
		{ "a shorter prefix", "GET / HTTP/1.1\nHost: api.v2.net\n",
			"4" },
		{ "an address", "GET / HTTP/1.1\nHost: [::1]:80\n", "2" },
		{ "any other", "GET / HTTP/1.1\nHost: nowhere\n", "4" },
		{ "none", "GET / HTTP/1.0\n", "4" },
		{ "not just the end of a label",
			"GET / HTTP/1.1\nHost: myexample.com\n", "4" },
	};
	struct image_build_vhost vhosts[ARRAY_SIZE(domains)] = { 0 };
	struct fixture *f = *state;
	char long_host[2200] = "GET / HTTP/1.1\nHost: ";

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		struct model_route route = test_route(names[i], NULL);
		struct model_virtual_service vs = test_service(&route, 1);

		names[i][0] = (char)('0' + i);
		vhosts[i].block = fixture_block(f, &vs);
		vhosts[i].length = f->block_length;
		vhosts[i].domains = domains[i];
		vhosts[i].domain_count = 2;
		f->block = NULL;
	}
	fixture_route(f, vhosts, ARRAY_SIZE(vhosts));
	routed_check(f, rows, ARRAY_SIZE(rows));
	for (size_t i = 0; i < 120; i++)
		strcat(long_host, "a.");
	strcat(long_host, "example.com\n");
	assert_string_equal(fixture_name(f, long_host), "1");

	f->request.listener = 2;
	router_find(f->router, f->scratch, &f->request, &f->match);
	assert_null(f->match.vhost);
	f->request.listener = UINT32_MAX;
	router_find(f->router, f->scratch, &f->request, &f->match);
	assert_null(f->match.vhost);
	for (size_t i = 0; i < ARRAY_SIZE(vhosts); i++)
		free((void *)(uintptr_t)vhosts[i].block);
}

static void
hosts_without_default_are_unknown(void **state)
{
	static const char *const domains[] = { "only.example.com" };
	struct model_route route = test_route(CHARS("r"), NULL);
	struct model_virtual_service vs = test_service(&route, 1);
	struct fixture *f = *state;
	struct image_build_vhost vhost = { fixture_block(f, &vs),
		f->block_length, domains, 1 };

	fixture_route(f, &vhost, 1);
	fixture_find(f, "GET / HTTP/1.1\nHost: other\n");
	assert_null(f->match.vhost);
	assert_null(f->match.route);
}

/* ---- a plain scan */

static uint64_t seed;

static uint32_t
pick(uint32_t below)
{
	return (uint32_t)((balance_random(&seed) >> 33) % below);
}

static void
random_path(char *out, size_t most)
{
	static const char letters[] = "aAb/.";
	size_t length = pick((uint32_t)most);

	*out++ = '/';
	while (length-- > 0)
		*out++ = letters[pick(sizeof(letters) - 1)];
	*out = '\0';
}

/* Also valid, with the same meaning, for regcomp(3). */
static void
random_regex(char *out)
{
	static const char *const pieces[] = { "a", "b", "/", "\\.", ".*", "a+",
		"b*", "(a|b)", "[ab]", "A", "a?", "b{2}", "(/a)?", "[^/]+",
		"[a|]", "ab", "/?", "(A|b)?", "a|", "\\/" };
	uint32_t count = 1 + pick(5);

	strcpy(out, pick(6) ? "" : "^");
	strcat(out, pick(8) ? "/" : pick(2) ? "" : "(/a|/b|/)");
	while (count-- > 0)
		strcat(out, pieces[pick(ARRAY_SIZE(pieces))]);
	if (pick(6) == 0)
		strcat(out, "$");
	if (pick(12) == 0)
		strcat(out, "|/b.*");
}

struct random_route {
	struct model_matcher m[2];
	struct model_header_matcher header[2][2];
	struct model_query_matcher query[2][2];
	char *method[2][2];
	char path[2][96], name[24];
	regex_t regex[2];
};

static bool
random_case_counts(struct random_route *r, size_t i)
{
	char pattern[96];

	if (r->m[i].case_sensitive.given)
		return false;
	if (r->m[i].path_type != MODEL_PATH_REGEX || pick(6) != 0)
		return true;
	/* Another way to say it. */
	strcpy(pattern, r->path[i]);
	snprintf(r->path[i], sizeof(r->path[i]), "(?i)%.90s", pattern);
	return false;
}

static void
random_regex_path(struct random_route *r, size_t i)
{
	char full[112];
	int flags = REG_EXTENDED | REG_NOSUB;

	random_regex(r->path[i]);
	snprintf(full, sizeof(full), "^(%s)$", r->path[i]);
	if (!random_case_counts(r, i))
		flags |= REG_ICASE;
	assert_int_equal(regcomp(&r->regex[i], full, flags), 0);
}

static void
random_conditions(struct random_route *r, size_t i)
{
	static const char *const names[] = { "X-H", "x-g", "user-Agent" };
	static const char *const params[] = { "q", "r" };
	static const char *const methods[] = { "GET", "POST", "BREW" };
	struct model_matcher *m = &r->m[i];

	m->headers = r->header[i];
	m->header_count = pick(4) ? 0 : 1 + pick(2);
	for (size_t k = 0; k < m->header_count; k++) {
		bool regex = pick(4) == 0;

		r->header[i][k] = (struct model_header_matcher){
			CHARS(names[pick(ARRAY_SIZE(names))]),
			regex     ? CHARS("1|3")
			: pick(3) ? CHARS("1")
				  : NULL,
			regex, pick(2)
		};
	}
	m->query = r->query[i];
	m->query_count = pick(5) ? 0 : 1 + pick(2);
	for (size_t k = 0; k < m->query_count; k++) {
		bool regex = pick(4) == 0;

		r->query[i][k] = (struct model_query_matcher){
			CHARS(params[pick(ARRAY_SIZE(params))]),
			regex     ? CHARS("1|3")
			: pick(3) ? CHARS("1")
				  : NULL,
			regex
		};
	}
	m->methods = r->method[i];
	m->method_count = pick(5) ? 0 : 1 + pick(2);
	for (size_t k = 0; k < m->method_count; k++)
		r->method[i][k] = CHARS(methods[pick(ARRAY_SIZE(methods))]);
}

static void
random_matcher(struct random_route *r, size_t i)
{
	struct model_matcher *m = &r->m[i];

	memset(m, 0, sizeof(*m));
	m->path_type = (enum model_path)pick(3);
	m->path = r->path[i];
	m->case_sensitive.given = pick(5) == 0;
	if (m->path_type == MODEL_PATH_REGEX)
		random_regex_path(r, i);
	else
		random_path(r->path[i], pick(3) ? 4 : 8);
	random_conditions(r, i);
}

struct plain_request {
	char path[64];
	const char *method;
	const char *header[3], *query[2]; /* NULL: none */
};

/* value: of the request, or NULL. regex is always 1|3. */
static bool
plain_value_holds(const char *wanted, bool regex, const char *value)
{
	if (value == NULL || wanted == NULL)
		return value != NULL;
	if (regex)
		return strcmp(value, "1") == 0 || strcmp(value, "3") == 0;
	return strcmp(wanted, value) == 0;
}

static bool
plain_conditions_hold(
	const struct model_matcher *m, const struct plain_request *q)
{
	bool holds = m->method_count == 0;

	for (size_t k = 0; k < m->method_count; k++)
		holds |= strcmp(m->methods[k], q->method) == 0;
	for (size_t k = 0; k < m->header_count; k++) {
		const struct model_header_matcher *h = &m->headers[k];
		int which = h->name[0] == 'u' ? 2 : h->name[2] == 'g';

		holds &= plain_value_holds(h->value, h->regex,
				 q->header[which]) != h->invert_match;
	}
	for (size_t k = 0; k < m->query_count; k++)
		holds &= plain_value_holds(m->query[k].value, m->query[k].regex,
			q->query[m->query[k].name[0] == 'r']);
	return holds;
}

static bool
plain_matches(
	const struct random_route *r, size_t i, const struct plain_request *q)
{
	const struct model_matcher *m = &r->m[i];
	bool nocase = m->case_sensitive.given, holds;
	size_t n = strlen(m->path);

	if (m->path_type == MODEL_PATH_REGEX)
		holds = regexec(&r->regex[i], q->path, 0, NULL, 0) == 0;
	else if (m->path_type == MODEL_PATH_EXACT)
		holds = (nocase ? strcasecmp : strcmp)(m->path, q->path) == 0;
	else
		holds = (nocase ? strncasecmp : strncmp)(m->path, q->path, n) ==
			0;
	return holds && plain_conditions_hold(m, q);
}

static const char *
plain_find(const struct random_route *r, const struct model_route *routes,
	size_t count, const struct plain_request *q)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < routes[i].matcher_count; k++)
			if (plain_matches(&r[i], k, q))
				return r[i].name;
	return "-";
}

static void
random_request(struct plain_request *q, struct str *head)
{
	static const char *const methods[] = { "GET", "POST", "BREW" };
	static const char *const values[] = { NULL, "1", "2", "3" };
	static const char *const names[] = { "x-h", "X-G", "User-Agent" };
	struct http_target normal;
	char target[64], mark = '?';

	do {
		random_path(q->path, 12);
	} while (!http_target_normalise(slice_of(q->path), target, &normal) ||
		 normal.path.length != strlen(q->path));
	q->method = methods[pick(3)];
	str_clear(head);
	str_printf(head, "%s %s", q->method, q->path);
	for (size_t i = 0; i < ARRAY_SIZE(q->query); i++) {
		q->query[i] = values[pick(ARRAY_SIZE(values))];
		if (q->query[i] == NULL)
			continue;
		str_printf(head, "%c%c=%s", mark, "qr"[i], q -> query[i]);
		mark = '&';
	}
	str_puts(head, " HTTP/1.1\nHost: h\n");
	for (size_t i = 0; i < ARRAY_SIZE(q->header); i++) {
		q->header[i] = values[pick(ARRAY_SIZE(values))];
		if (q->header[i] != NULL)
			str_printf(head, "%s: %s\n", names[i], q->header[i]);
	}
}

static void
finds_what_a_scan_finds(void **state)
{
	enum {
		ROUTES = 60,
		ROUNDS = 400,
		REQUESTS = 60
	};
	static struct random_route r[ROUTES];
	static struct model_route routes[ROUTES];
	struct fixture *f = *state;
	struct str head;

	str_init(&head);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		size_t count = pick(ROUTES + 1);
		struct model_virtual_service vs = test_service(routes, count);

		for (size_t i = 0; i < count; i++) {
			snprintf(r[i].name, sizeof(r[i].name), "%zu", i);
			routes[i] = test_route(r[i].name, r[i].m);
			routes[i].matcher_count = 1 + pick(2);
			random_matcher(&r[i], 0);
			random_matcher(&r[i], 1);
		}
		fixture_serve(f, &vs);
		for (size_t k = 0; k < REQUESTS; k++) {
			struct plain_request q;
			const char *want, *got;

			random_request(&q, &head);
			want = plain_find(r, routes, count, &q);
			got = fixture_name(f, head.data);
			if (strcmp(want, got) != 0)
				fail_msg("round %u, %s: %s, not %s", round,
					head.data, got, want);
		}
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < 2; k++)
				if (r[i].m[k].path_type == MODEL_PATH_REGEX)
					regfree(&r[i].regex[k]);
		matcher_cache_trim(f->cache);
	}
	str_fini(&head);
	assert_int_equal(f->limited, 0);
}

static void
regexes_that_do_not_end_leave_nothing_to_the_next(void **state)
{
	struct model_matcher m[] = {
		{ .path_type = MODEL_PATH_REGEX, .path = CHARS("/(a+)+b") },
		{ .path = CHARS("/") },
	};
	struct model_route routes[] = { test_route(CHARS("evil"), &m[0]),
		test_route(CHARS("all"), &m[1]) };
	struct model_virtual_service vs = test_service(routes, 2);
	struct fixture *f = *state;

	fixture_serve(f, &vs);
	assert_string_equal(
		fixture_name(f, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc "
				"HTTP/1.1\nHost: h\n"),
		"-");
	assert_true(f->match.limited);
	assert_int_equal(f->limited, 1);
	assert_string_equal(
		fixture_name(f, "GET /aab HTTP/1.1\nHost: h\n"), "evil");
	assert_false(f->match.limited);
	assert_string_equal(
		fixture_name(f, "GET /b HTTP/1.1\nHost: h\n"), "all");
	assert_int_equal(f->limited, 1);
}

#define EVIL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc"

/* Neither a condition nor its contrary; what does not hold beside it decides.
 */
static void
regexes_that_do_not_end_are_no_verdict_on_a_condition(void **state)
{
	static struct model_header_matcher headers[] = {
		{ CHARS("x"), CHARS("(a+)+b"), true, true },
		{ CHARS("y"), CHARS("(a+)+b"), true, false },
		{ CHARS("z"), CHARS("1"), false, false },
	};
	static struct model_query_matcher query = { CHARS("q"), CHARS("(a+)+b"),
		true };
	struct model_matcher m[] = {
		{ .path = CHARS("/x"),
			.headers = &headers[0],
			.header_count = 1 },
		{ .path = CHARS("/y"),
			.headers = &headers[1],
			.header_count = 2 },
		{ .path = CHARS("/q"), .query = &query, .query_count = 1 },
		{ .path = CHARS("/") },
	};
	struct model_route routes[] = { test_route(CHARS("x"), &m[0]),
		test_route(CHARS("y"), &m[1]), test_route(CHARS("q"), &m[2]),
		test_route(CHARS("all"), &m[3]) };
	static const struct {
		const char *head, *name;
		int limited;
		bool is_given_up;
	} rows[] = {
		{ "GET /x HTTP/1.1\nHost: h\nx: c\n", "x", 0, false },
		{ "GET /x HTTP/1.1\nHost: h\nx: ab\n", "all", 0, false },
		{ "GET /x HTTP/1.1\nHost: h\nx: " EVIL "\n", "-", 1, true },
		/* The first that fulfils it is enough. */
		{ "GET /x HTTP/1.1\nHost: h\nx: ab\nx: " EVIL "\n", "all", 0,
			false },
		/* Not each of them has its turn of 50 000 steps. */
		{ "GET /x HTTP/1.1\nHost: h\nx: " EVIL "\nx: " EVIL "\n", "-",
			1, true },
		{ "GET /y HTTP/1.1\nHost: h\ny: ab\nz: 1\n", "y", 0, false },
		{ "GET /y HTTP/1.1\nHost: h\ny: " EVIL "\nz: 1\n", "-", 1,
			true },
		{ "GET /y HTTP/1.1\nHost: h\ny: " EVIL "\nz: 2\n", "all", 1,
			false },
		{ "GET /q?q=ab HTTP/1.1\nHost: h\n", "q", 0, false },
		{ "GET /q?q=" EVIL " HTTP/1.1\nHost: h\n", "-", 1, true },
		{ "GET /other?q=" EVIL " HTTP/1.1\nHost: h\nx: " EVIL "\n",
			"all", 0, false },
	};
	struct model_virtual_service vs = test_service(routes, 4);
	struct fixture *f = *state;

	fixture_serve(f, &vs);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name;

		f->limited = 0;
		name = fixture_name(f, rows[i].head);
		if (strcmp(name, rows[i].name) != 0 ||
			f->limited != (uint64_t)rows[i].limited ||
			f->match.limited != rows[i].is_given_up)
			fail_msg("%s: %s", rows[i].head, name);
	}
}

static void
regexes_outlive_their_router(void **state)
{
	struct model_matcher m = { .path_type = MODEL_PATH_REGEX,
		.path = CHARS("/x[0-9]") };
	struct model_route route = test_route(CHARS("x"), &m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct fixture *f = *state;
	struct router *other;

	fixture_serve(f, &vs);
	other = router_new(f->image, f->cache, &f->err);
	router_free(f->router);
	f->router = other;
	matcher_cache_trim(f->cache);
	assert_string_equal(
		fixture_name(f, "GET /x1 HTTP/1.1\nHost: h\n"), "x");
}

static void
upstreams_are_found_by_id(void **state)
{
	struct fixture *f = *state;

	fixture_route(f, NULL, 0);
	for (uint32_t id = 1; id <= 26; id++)
		assert_int_equal(image_upstream_get(f->image, id)->id, id);
	assert_null(image_upstream_get(f->image, 0));
	assert_null(image_upstream_get(f->image, 27));
	assert_ptr_equal(router_image(f->router), f->image);
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	fixture_init(f);
	seed = UINT64_C(0x9e3779b97f4a7c15);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	fixture_clear(*state);
	free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths_are_matched_in_order),
		TEST(conditions_are_asked),
		TEST(fields_that_are_dropped_are_absent),
		TEST(the_scheme_is_as_the_upstream_gets_it),
		TEST(hosts_are_found),
		TEST(hosts_without_default_are_unknown),
		TEST(finds_what_a_scan_finds),
		TEST(regexes_that_do_not_end_leave_nothing_to_the_next),
		TEST(regexes_that_do_not_end_are_no_verdict_on_a_condition),
		TEST(regexes_outlive_their_router),
		TEST(upstreams_are_found_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
