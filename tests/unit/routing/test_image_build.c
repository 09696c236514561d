/* Models to blocks and images: what is warned about, refused and kept. */
#include "routing/image_build.h"

#include "model/subset.h"
#include "tests/unit/routing/virtual_host.h"

#define CHARS(text) ((char *)(uintptr_t)(text))

static const struct image_route *
route_of(const struct fixture *f, uint32_t i)
{
	const struct image_vhost *v = f->block;
	const struct image_route *r = image_at(v, v->routes.offset);

	return &r[i];
}

static const char *
text_of(const struct fixture *f, struct image_str s)
{
	return s.offset == 0 ? "-" : image_text(f->block, s).data;
}

static void
missing_upstreams_answer_for_themselves(void **state)
{
	struct model_destination one[] = { { { CHARS("none"), NULL }, 1,
		NULL, NULL, 0 } };
	struct model_destination some[] = { { { CHARS("none"), NULL }, 9,
						    NULL, NULL, 0 },
		{ { CHARS("b"), NULL }, 2, NULL, NULL, 0 },
		{ { CHARS("c"), NULL }, 3, NULL, NULL, 0 } };
	struct model_destination idle[] = { { { CHARS("a"), NULL }, 0, NULL,
		NULL, 0 } };
	struct model_destination heavy[] = { { { CHARS("a"), NULL }, UINT32_MAX,
						     NULL, NULL, 0 },
		{ { CHARS("b"), NULL }, UINT32_MAX, NULL,
			NULL, 0 } };
	struct model_matcher m[] = { { .path = CHARS("/1") },
		{ .path = CHARS("/2") }, { .path = CHARS("/3") },
		{ .path = CHARS("/4") } };
	struct model_route routes[] = {
		{ .matchers = &m[0],
			.matcher_count = 1,
			.destinations = one,
			.destination_count = 1 },
		{ .matchers = &m[1],
			.matcher_count = 1,
			.target = MODEL_TARGET_MULTI,
			.destinations = some,
			.destination_count = 3 },
		{ .matchers = &m[2],
			.matcher_count = 1,
			.destinations = idle,
			.destination_count = 1 },
		{ .matchers = &m[3],
			.matcher_count = 1,
			.destinations = heavy,
			.destination_count = 2 },
	};
	struct model_virtual_service vs = test_service(routes, 4);
	struct fixture *f = *state;
	const struct image_destination *d;

	fixture_serve(f, &vs);
	assert_string_equal(f->warnings.data,
		"routes[0]: no upstream is named \"none\"\n"
		"routes[1]: no upstream is named \"none\"\n"
		"routes[2]: no destination of the route has a weight\n");
	assert_int_equal(route_of(f, 0)->action, IMAGE_ACTION_UNAVAILABLE);
	assert_string_equal(text_of(f, route_of(f, 0)->reason), missing_reason);
	assert_int_equal(route_of(f, 1)->action, IMAGE_ACTION_ROUTE);
	assert_int_equal(route_of(f, 1)->destinations.count, 2);
	assert_int_equal(route_of(f, 1)->total_weight, 5);
	assert_int_equal(route_of(f, 1)->partial, 1);
	assert_int_equal(route_of(f, 3)->partial, 0);
	d = image_at(f->block, route_of(f, 1)->destinations.offset);
	assert_int_equal(d[0].upstream, 2);
	assert_int_equal(d[1].weight, 3);
	assert_int_equal(route_of(f, 2)->action, IMAGE_ACTION_UNAVAILABLE);
	assert_int_equal(route_of(f, 3)->total_weight, UINT32_MAX - 1);
}

static void
groups_are_built_once(void **state)
{
	struct model_pair v2[] = { { CHARS("version"), CHARS("v2") } };
	struct model_destination some[] = {
		{ .upstream = { CHARS("none"), NULL }, .weight = 9 },
		{ .upstream = { CHARS("b"), NULL }, .weight = 2 },
		{ .upstream = { CHARS("c"), NULL },
			.weight = 3,
			.subset = v2,
			.subset_count = 1 },
	};
	struct model_destination none[] = {
		{ .upstream = { CHARS("none"), NULL }, .weight = 1 },
		{ .upstream = { CHARS("a"), NULL }, .weight = 0 },
	};
	const struct model_upstream_group groups[] = {
		{ .meta = { .name = CHARS("canary") },
			.destinations = some,
			.destination_count = 3 },
		{ .meta = { .name = CHARS("off") },
			.destinations = none,
			.destination_count = 2 },
	};
	struct model_matcher m[] = { { .path = CHARS("/1") },
		{ .path = CHARS("/2") }, { .path = CHARS("/3") },
		{ .path = CHARS("/4") } };
	struct model_route routes[] = {
		{ .group = { CHARS("canary"), CHARS("shop") } },
		{ .group = { CHARS("off"), CHARS("shop") } },
		{ .group = { CHARS("canary"), CHARS("shop") } },
		{ .group = { CHARS("gone"), CHARS("shop") } },
	};
	struct model_virtual_service vs = test_service(routes, 4);
	const struct image_destination *d;
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++) {
		routes[i].target = MODEL_TARGET_GROUP;
		routes[i].matchers = &m[i];
		routes[i].matcher_count = 1;
	}
	f->groups = groups;
	f->group_count = 2;
	f->groups_asked = 0;
	fixture_serve(f, &vs);
	assert_string_equal(f->warnings.data,
		"routes[0]: the upstream group \"shop.canary\": no upstream is "
		"named \"none\"\n"
		"routes[1]: the upstream group \"shop.off\": no upstream is "
		"named \"none\"\n"
		"routes[2]: the upstream group \"shop.canary\": no upstream is "
		"named \"none\"\n"
		"routes[3]: no upstream group is named that\n");
	assert_int_equal(f->groups_asked, 3);
	assert_int_equal(route_of(f, 0)->action, IMAGE_ACTION_ROUTE);
	assert_int_equal(route_of(f, 0)->total_weight, 5);
	assert_int_equal(route_of(f, 0)->destinations.count, 2);
	assert_int_equal(route_of(f, 2)->destinations.offset,
		route_of(f, 0)->destinations.offset);
	d = image_at(f->block, route_of(f, 0)->destinations.offset);
	assert_int_equal(d[0].upstream, 2);
	assert_int_equal(d[0].weight, 2);
	assert_true(d[0].subset == 0);
	assert_int_equal(d[1].upstream, 3);
	assert_true(d[1].subset == subset_identity(v2, 1));
	assert_int_equal(route_of(f, 1)->action, IMAGE_ACTION_UNAVAILABLE);
	assert_string_equal(text_of(f, route_of(f, 1)->reason), missing_reason);
	assert_int_equal(route_of(f, 3)->action, IMAGE_ACTION_UNAVAILABLE);
	assert_string_equal(text_of(f, route_of(f, 3)->reason),
		"no upstream group is named that");
}

/* Their bytes may be any; equal ones are stored once. */
static void
calls_are_kept(void **state)
{
	struct model_destination some[] = {
		{ .upstream = { CHARS("a"), CHARS("{\"f\": 1}") }, .weight = 1 },
		{ .upstream = { CHARS("b"), NULL }, .weight = 2 },
		{ .upstream = { CHARS("none"), CHARS("lost") }, .weight = 3 },
		{ .upstream = { CHARS("c"), CHARS("{\"f\": 1}") }, .weight = 4 },
	};
	const struct model_upstream_group group = {
		.meta = { .name = CHARS("calls") },
		.destinations = some,
		.destination_count = 4,
	};
	struct model_matcher m[] = { { .path = CHARS("/1") },
		{ .path = CHARS("/2") } };
	struct model_route routes[] = {
		{ .matchers = &m[0],
			.matcher_count = 1,
			.target = MODEL_TARGET_MULTI,
			.destinations = some,
			.destination_count = 4 },
		{ .matchers = &m[1],
			.matcher_count = 1,
			.target = MODEL_TARGET_GROUP,
			.group = { CHARS("calls"), CHARS("shop") } },
	};
	struct model_virtual_service vs = test_service(routes, 2);
	struct fixture *f = *state;

	f->groups = &group;
	f->group_count = 1;
	fixture_serve(f, &vs);
	for (uint32_t i = 0; i < 2; i++) {
		const struct image_destination *d = image_at(
			f->block, route_of(f, i)->destinations.offset);

		assert_int_equal(route_of(f, i)->destinations.count, 3);
		assert_int_equal(route_of(f, i)->total_weight, 7);
		assert_string_equal(text_of(f, d[0].call), "{\"f\": 1}");
		assert_int_equal(d[0].call.length, 8);
		assert_int_equal(d[1].call.offset, 0);
		assert_int_equal(d[1].call.length, 0);
		assert_int_equal(d[2].upstream, 3);
		assert_int_equal(d[2].call.offset, d[0].call.offset);
	}
}

static void
options_are_resolved(void **state)
{
	struct model_header_value add[] = { { CHARS("X-Add"), CHARS("v"),
						    true },
		{ CHARS("Content-Length"), CHARS("0"), false } };
	char *remove[] = { CHARS("host"), CHARS("x-gone") };
	struct model_header_manipulation h = { add, 2, remove, 2, NULL, 0, NULL,
		0 };
	struct model_route routes[] = {
		test_route(CHARS("plain"), NULL),
		test_route(NULL, NULL),
	};
	struct model_virtual_service vs = test_service(routes, 2);
	const struct image_headers *to;
	const struct image_header *list;
	struct fixture *f = *state;

	routes[0].options.prefix_rewrite = CHARS("");
	routes[0].options.headers = &h;
	routes[0].direct.body = CHARS("hello");
	routes[1].options.timeout = (struct model_duration){ true, 0 };
	routes[1].action = MODEL_ACTION_REDIRECT;
	routes[1].redirect.port_redirect = (struct model_u32){ true, 8443 };
	routes[1].redirect.path_redirect = CHARS("/new");
	fixture_serve(f, &vs);
	assert_string_equal(f->warnings.data,
		"routes[0]: headerManipulation leaves Content-Length as it "
		"is: it is the gateway's own\n"
		"routes[0]: headerManipulation leaves host as it is: it is "
		"the gateway's own\n"
		"routes[1]: prefix / is never reached: routes[0], prefix /, "
		"comes first and takes the same requests\n");
	assert_int_equal(route_of(f, 0)->timeout_ms, 15000);
	assert_int_equal(route_of(f, 1)->timeout_ms, 0);
	assert_string_equal(text_of(f, route_of(f, 0)->name), "plain");
	assert_string_equal(text_of(f, route_of(f, 1)->name), "-");
	assert_string_equal(text_of(f, route_of(f, 0)->prefix_rewrite), "");
	assert_string_equal(text_of(f, route_of(f, 1)->prefix_rewrite), "-");
	assert_string_equal(text_of(f, route_of(f, 0)->body), "hello");
	assert_int_equal(route_of(f, 0)->status, 200);
	assert_int_equal(route_of(f, 1)->status, 301);
	assert_int_equal(route_of(f, 1)->port_redirect, 8443);
	to = image_at(f->block, route_of(f, 0)->headers);
	assert_int_equal(to->request_add.count, 1);
	assert_int_equal(to->request_remove.count, 1);
	list = image_at(f->block, to->request_add.offset);
	assert_string_equal(text_of(f, list->name), "X-Add");
	assert_true(list->append);
	list = image_at(f->block, to->request_remove.offset);
	assert_string_equal(text_of(f, list->name), "x-gone");
	assert_string_equal(
		text_of(f, ((const struct image_vhost *)f->block)->name),
		"gloo-system.default");
}

/* ---- regexes */

static void
regexes_are_checked(void **state)
{
	struct model_matcher m[] = { { .path = CHARS("/") },
		{ .path = CHARS("/a(b"), .path_type = MODEL_PATH_REGEX } };
	struct model_header_matcher h = { CHARS("x"), CHARS("["), true, false };
	struct model_route routes[] = { test_route(NULL, NULL),
		test_route(NULL, m) };
	struct model_virtual_service vs = test_service(routes, 2);
	struct fixture *f = *state;

	routes[1].matcher_count = 2;
	assert_null(fixture_block(f, &vs));
	assert_int_equal(f->err.code, ERROR_CONFIG);
	assert_non_null(strstr(f->err.text,
		"virtualHost.routes[1].matchers[1].regex: the regex \"/a(b\" "
		"is wrong at character 5: "));
	m[1] = (struct model_matcher){
		.path = CHARS("/"), .headers = &h, .header_count = 1
	};
	assert_null(fixture_block(f, &vs));
	assert_non_null(strstr(f->err.text,
		"virtualHost.routes[1].matchers[1].headers[0].value: "));
}

static void
rewrites_of_regexes_are_warned_about(void **state)
{
	struct model_matcher m = { .path = CHARS("/x.*"),
		.path_type = MODEL_PATH_REGEX };
	struct model_route route = test_route(NULL, &m);
	struct model_virtual_service vs = test_service(&route, 1);
	struct fixture *f = *state;

	route.options.prefix_rewrite = CHARS("/y");
	fixture_block(f, &vs);
	assert_string_equal(f->warnings.data,
		"routes[0]: prefixRewrite has no effect on a regex matcher\n");
}

/* ---- unreachable routes */

static void
unreachable_routes_are_found(void **state)
{
	static const struct {
		const char *what;
		enum model_path type[2];
		const char *path[2];
		bool conditional, nocase[2], warned;
	} rows[] = {
		{ "a shorter prefix", { MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/a", "/ab" }, false, { 0 }, true },
		{ "the same prefix", { MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/a", "/a" }, false, { 0 }, true },
		{ "a longer prefix", { MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/ab", "/a" }, false, { 0 }, false },
		{ "an exact path below",
			{ MODEL_PATH_PREFIX, MODEL_PATH_EXACT },
			{ "/a", "/a/b" }, false, { 0 }, true },
		{ "the same exact path", { MODEL_PATH_EXACT, MODEL_PATH_EXACT },
			{ "/a", "/a" }, false, { 0 }, true },
		{ "an exact path before its prefix",
			{ MODEL_PATH_EXACT, MODEL_PATH_PREFIX }, { "/a", "/a" },
			false, { 0 }, false },
		{ "conditions", { MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/a", "/ab" }, true, { 0 }, false },
		{ "a regex below", { MODEL_PATH_PREFIX, MODEL_PATH_REGEX },
			{ "/a", "/a/[0-9]" }, false, { 0 }, true },
		{ "a regex that reaches further",
			{ MODEL_PATH_PREFIX, MODEL_PATH_REGEX },
			{ "/a", "/.*" }, false, { 0 }, false },
		{ "the same regex", { MODEL_PATH_REGEX, MODEL_PATH_REGEX },
			{ "/a.*", "/a.*" }, false, { 0 }, true },
		{ "the same regex without case",
			{ MODEL_PATH_REGEX, MODEL_PATH_REGEX },
			{ "/a.*", "/a.*" }, false, { false, true }, false },
		{ "a regex before", { MODEL_PATH_REGEX, MODEL_PATH_PREFIX },
			{ "/.*", "/a" }, false, { 0 }, false },
		{ "everything before a regex without beginning",
			{ MODEL_PATH_PREFIX, MODEL_PATH_REGEX }, { "/", ".*x" },
			false, { 0 }, true },
		{ "everything before one without case",
			{ MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/", "/Ab" }, false, { false, true }, true },
		{ "without case", { MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/aB", "/Abc" }, false, { true, true }, true },
		{ "with case before without",
			{ MODEL_PATH_PREFIX, MODEL_PATH_PREFIX },
			{ "/a", "/Ab" }, false, { false, true }, false },
	};
	static const char *const types[] = { "prefix", "exact", "regex" };
	static char *get[] = { CHARS("GET") };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_matcher m[2] = { 0 };
		struct model_route routes[] = { test_route(NULL, &m[0]),
			test_route(NULL, &m[1]) };
		struct model_virtual_service vs = test_service(routes, 2);
		char text[256];
		bool warned;

		for (size_t k = 0; k < 2; k++) {
			m[k].path_type = rows[i].type[k];
			m[k].path = CHARS(rows[i].path[k]);
			m[k].case_sensitive.given = rows[i].nocase[k];
		}
		if (rows[i].conditional) {
			m[0].methods = get;
			m[0].method_count = 1;
		}
		fixture_block(f, &vs);
		snprintf(text, sizeof(text),
			"routes[1]: %s %s is never reached: routes[0], %s %s, "
			"comes first and takes the same requests\n",
			types[rows[i].type[1]], rows[i].path[1],
			types[rows[i].type[0]], rows[i].path[0]);
		warned = strcmp(f->warnings.data, text) == 0;
		if (warned != rows[i].warned)
			fail_msg("%s: %s", rows[i].what, f->warnings.data);
	}
}

static void
equal_conditions_leave_nothing(void **state)
{
	static struct model_header_matcher one[] = { { CHARS("x"), CHARS("1"),
		false, false } },
					   two[] = { { CHARS("x"), CHARS("2"),
						   false, false } },
					   inverted[] = { { CHARS("x"),
						   CHARS("1"), false, true } };
	static struct model_query_matcher query[] = { { CHARS("x"), CHARS("1"),
		false } };
	static char *get[] = { CHARS("GET") }, *post[] = { CHARS("POST") };
	struct model_matcher m[] = {
		{ .path = CHARS("/"), .headers = one, .header_count = 1 },
		{ .path = CHARS("/"), .headers = two, .header_count = 1 },
		{ .path = CHARS("/"), .headers = inverted, .header_count = 1 },
		{ .path = CHARS("/a"), .headers = one, .header_count = 1 },
		{ .path = CHARS("/"), .query = query, .query_count = 1 },
		{ .path = CHARS("/"), .methods = get, .method_count = 1 },
		{ .path = CHARS("/"), .methods = post, .method_count = 1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		for (size_t k = 0; k < ARRAY_SIZE(m); k++) {
			struct model_route routes[] = { test_route(NULL, &m[i]),
				test_route(NULL, &m[k]) };
			struct model_virtual_service vs =
				test_service(routes, 2);

			fixture_block(f, &vs);
			if ((f->warnings.length > 0) != (i == k))
				fail_msg("%zu before %zu: %s", i, k,
					f->warnings.data);
		}
}

/* Only those that begin with no fixed text are tried one by one. */
static void
many_regexes_without_beginning_are_warned_about(void **state)
{
	static const struct {
		const char *what, *pattern;
		size_t count;
		bool nocase, warned;
	} rows[] = {
		{ "64", ".*/%zu", 64, false, false },
		{ "65", ".*/%zu", 65, false, true },
		{ "with a beginning", "/%zu/.*", 65, false, false },
		{ "with a beginning, without case", "/a%zu/.*", 65, true,
			false },
		{ "with a beginning, (?i)", "(?i)/a%zu/.*", 65, false, false },
		{ "alternatives", "/a%zu|/b", 65, false, true },
	};
	static struct model_matcher m[65];
	static struct model_route routes[65];
	static char paths[65][32];
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_virtual_service vs =
			test_service(routes, rows[i].count);

		for (size_t k = 0; k < rows[i].count; k++) {
			char *number = strstr(rows[i].pattern, "%zu");

			snprintf(paths[k], sizeof(paths[k]), "%.*s%zu%s",
				(int)(number - rows[i].pattern),
				rows[i].pattern, k, number + 3);
			m[k] = (struct model_matcher){
				.path_type = MODEL_PATH_REGEX,
				.path = paths[k],
				.case_sensitive.given = rows[i].nocase,
			};
			routes[k] = test_route(NULL, &m[k]);
		}
		fixture_block(f, &vs);
		if ((strstr(f->warnings.data, "one by one") != NULL) !=
			rows[i].warned)
			fail_msg("%s: %s", rows[i].what, f->warnings.data);
	}
}

static void
one_reachable_matcher_is_enough(void **state)
{
	struct model_matcher m[] = { { .path = CHARS("/a/b") },
		{ .path = CHARS("/c") }, { .path = CHARS("/a") } };
	struct model_route routes[] = { test_route(NULL, &m[2]),
		test_route(NULL, m) };
	struct model_virtual_service vs = test_service(routes, 2);
	struct fixture *f = *state;

	routes[1].matcher_count = 2;
	fixture_block(f, &vs);
	assert_string_equal(f->warnings.data, "");
}

/* ---- images */

static void
blocks_may_lie_anywhere(void **state)
{
	static const char *const domains[] = { "x" };
	struct model_matcher m = { .path = CHARS("/a[0-9]"),
		.path_type = MODEL_PATH_REGEX };
	struct model_route routes[] = { test_route(CHARS("first"), &m),
		test_route(CHARS("second"), NULL) };
	struct model_virtual_service vs = test_service(routes, 2);
	struct image_build_vhost vhosts[9] = { 0 };
	struct fixture *f = *state;

	for (size_t i = 0; i < 8; i++) {
		static const char *const names[][1] = { { "0" }, { "1" },
			{ "2" }, { "3" }, { "4" }, { "5" }, { "6" }, { "7" } };
		struct model_virtual_service other =
			test_service(routes, i % 3);

		vhosts[i].block = fixture_block(f, &other);
		vhosts[i].length = f->block_length;
		vhosts[i].domains = names[i];
		vhosts[i].domain_count = 1;
		f->block = NULL;
	}
	vhosts[8] = (struct image_build_vhost){ fixture_block(f, &vs),
		f->block_length, domains, 1 };
	fixture_route(f, vhosts, 9);
	assert_string_equal(
		fixture_name(f, "GET /a1 HTTP/1.1\nHost: x\n"), "first");
	assert_string_equal(
		fixture_name(f, "GET /aa HTTP/1.1\nHost: x\n"), "second");
	assert_memory_equal(f->match.vhost, f->block, f->block_length);
	for (size_t i = 0; i < 8; i++)
		free((void *)(uintptr_t)vhosts[i].block);
}

static void
domains_are_unique_and_sound(void **state)
{
	static const struct {
		const char *first, *second, *error;
	} rows[] = {
		{ "a.com", "a.com",
			"gloo-system.gateway: the domain \"a.com\" "
			"belongs to both gloo-system.default and "
			"gloo-system.default" },
		{ "*", "*",
			"gloo-system.gateway: the domain \"*\" belongs to "
			"both gloo-system.default and gloo-system.default" },
		{ "*.a", "*.a",
			"gloo-system.gateway: the domain \"*.a\" "
			"belongs to both gloo-system.default and "
			"gloo-system.default" },
		{ "*.a", "a.*", NULL },
		{ ".a", "*.a", NULL },
		{ "a", "b*",
			"gloo-system.gateway: the domain \"b*\" is "
			"neither a name, \"*.name\", \"name.*\" nor \"*\"" },
		{ "a", "*.b.*",
			"gloo-system.gateway: the domain \"*.b.*\" is "
			"neither a name, \"*.name\", \"name.*\" nor \"*\"" },
		{ "a", "",
			"gloo-system.gateway: the domain \"\" is "
			"neither a name, \"*.name\", \"name.*\" nor \"*\"" },
	};
	struct model_route route = test_route(NULL, NULL);
	struct model_virtual_service vs = test_service(&route, 1);
	struct fixture *f = *state;

	fixture_block(f, &vs);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_build_vhost vhosts[] = {
			{ f->block, f->block_length, &rows[i].first, 1 },
			{ f->block, f->block_length, &rows[i].second, 1 },
		};

		if (rows[i].error == NULL) {
			fixture_route(f, vhosts, 2);
			continue;
		}
		assert_null(fixture_image(f, vhosts, 2));
		assert_string_equal(f->err.text, rows[i].error);
	}
}

static void
services_are_found_by_slot(void **state)
{
	struct fixture *f = *state;
	const struct image_service *s;
	struct image_build_service wrong = { .slot = 63, .name = "a.b" };
	struct image_build_input in = { .services = &wrong,
		.service_count = 1 };
	struct error err = ERROR_INIT;
	size_t length;

	fixture_route(f, NULL, 0);
	s = image_service_get(f->image, 200);
	assert_string_equal(
		image_text(f->image, s->name).data, "gloo-system.mysql");
	assert_int_equal(s->upstream, 2);
	assert_int_equal(s->idle_timeout_ms, 60000);
	assert_int_equal(s->connect_attempts, 3);
	s = image_service_get(f->image, 64);
	assert_string_equal(
		image_text(f->image, s->unavailable).data, "no upstream");
	assert_null(image_service_get(f->image, 65));
	assert_null(image_service_get(f->image, 1));
	assert_null(image_build(&in, &length, &err));
	assert_string_equal(err.text, "a.b: service slot 63 is out of range");
}

static const struct image_tls *
tls_of(const struct fixture *f, uint32_t id)
{
	const struct image_upstream *u = image_upstream_get(f->image, id);

	return u->tls == 0 ? NULL : image_at(f->image, u->tls);
}

static void
tls_is_copied(void **state)
{
	struct fixture *f = *state;
	const struct image_tls *t;
	const struct image_str *s;

	fixture_route(f, NULL, 0);
	t = tls_of(f, 1);
	assert_int_equal(t->roots, 1);
	assert_int_equal(t->identity, 0);
	assert_int_equal(t->server_name.length + t->names.count +
				 t->alpn.count + t->ciphers.length +
				 t->curves.length,
		0);
	t = tls_of(f, 2);
	assert_int_equal(t->roots, 2);
	assert_int_equal(t->identity, 3);
	assert_string_equal(
		image_text(f->image, t->server_name).data, "api.test");
	assert_int_equal(t->names.count, 2);
	s = image_at(f->image, t->names.offset);
	assert_string_equal(image_text(f->image, s[1]).data, "spiffe://b");
	assert_int_equal(t->alpn.count, 1);
	s = image_at(f->image, t->alpn.offset);
	assert_string_equal(image_text(f->image, s[0]).data, "http/1.1");
	assert_string_equal(
		image_text(f->image, t->ciphers).data, "ECDHE+AESGCM");
	assert_string_equal(image_text(f->image, t->curves).data, "P-256");
	assert_int_equal(t->version_min, 0x0303);
	assert_int_equal(t->version_max, 0x0304);
	assert_true(t->renegotiation);
	assert_null(tls_of(f, 3));
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	fixture_init(f);
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
		TEST(missing_upstreams_answer_for_themselves),
		TEST(groups_are_built_once),
		TEST(calls_are_kept),
		TEST(options_are_resolved),
		TEST(regexes_are_checked),
		TEST(rewrites_of_regexes_are_warned_about),
		TEST(unreachable_routes_are_found),
		TEST(equal_conditions_leave_nothing),
		TEST(services_are_found_by_slot),
		TEST(tls_is_copied),
		TEST(many_regexes_without_beginning_are_warned_about),
		TEST(one_reachable_matcher_is_enough),
		TEST(blocks_may_lie_anywhere),
		TEST(domains_are_unique_and_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
