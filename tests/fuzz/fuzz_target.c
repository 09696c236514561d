/*
 * Targets: normal form is stable, never longer, and free of what it forbids;
 * the router finds for it what a linear scan of the routes finds.
 */
#include "tests/fuzz/service.h"

#include "http/target.h"
#include "tests/unit/http/feed.h"

#define SIZE_MAX_FED (8 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char service[] =
	"metadata: {name: default}\n"
	"virtualHost:\n"
	"  domains: ['*']\n"
	"  routes:\n"
	"  - {name: '0', matchers: [{exact: /exact}], directResponseAction: "
	"{status: 200}}\n"
	"  - {name: '1', matchers: [{exact: /a/b, caseSensitive: false}], "
	"directResponseAction: {status: 200}}\n"
	"  - {name: '2', matchers: [{prefix: /a/b/}], directResponseAction: "
	"{status: 200}}\n"
	"  - {name: '3', matchers: [{regex: '/a/[0-9]+'}], "
	"directResponseAction: {status: 200}}\n"
	"  - {name: '4', matchers: [{prefix: /A/, caseSensitive: false}], "
	"directResponseAction: {status: 200}}\n"
	"  - {name: '5', matchers: [{regex: '.*b%3F[x-z]'}], "
	"directResponseAction: {status: 200}}\n"
	"  - {name: '6', matchers: [{prefix: /ab}], directResponseAction: "
	"{status: 200}}\n"
	"  - {name: '7', matchers: [{prefix: /abc}, {exact: /z}], "
	"directResponseAction: {status: 200}}\n"
	"  - {name: '8', matchers: [{prefix: '/[a]'}], directResponseAction: "
	"{status: 200}}\n";

/* What the matchers above mean, said again. */
static const struct {
	char route;
	enum {
		EXACT,
		PREFIX,
		DIGITS,
		TAIL
	} kind;
	bool any_case;
	const char *text;
} matchers[] = {
	{ '0', EXACT, false, "/exact" },
	{ '1', EXACT, true, "/a/b" },
	{ '2', PREFIX, false, "/a/b/" },
	{ '3', DIGITS, false, "/a/" },
	{ '4', PREFIX, true, "/a/" },
	{ '5', TAIL, false, "b%3F" },
	{ '6', PREFIX, false, "/ab" },
	{ '7', PREFIX, false, "/abc" },
	{ '7', EXACT, false, "/z" },
	{ '8', PREFIX, false, "/[a]" },
};

static bool
begins(struct slice path, const char *text, bool any_case)
{
	size_t n = strlen(text);

	if (path.length < n)
		return false;
	return any_case ? strncasecmp(path.data, text, n) == 0
			: memcmp(path.data, text, n) == 0;
}

static bool
is_matched(struct slice path, size_t i)
{
	const char *text = matchers[i].text;
	size_t n = strlen(text);

	switch (matchers[i].kind) {
	case EXACT:
		return path.length == n &&
		       begins(path, text, matchers[i].any_case);
	case PREFIX:
		return begins(path, text, matchers[i].any_case);
	case DIGITS:
		if (!begins(path, text, false) || path.length == n)
			return false;
		while (n < path.length && path.data[n] >= '0' &&
			path.data[n] <= '9')
			n++;
		return n == path.length;
	case TAIL:
		return path.length > n &&
		       memcmp(path.data + path.length - n - 1, text, n) == 0 &&
		       path.data[path.length - 1] >= 'x' &&
		       path.data[path.length - 1] <= 'z';
	}
	return false;
}

static char
route_of(struct slice path)
{
	for (size_t i = 0; i < sizeof(matchers) / sizeof(*matchers); i++)
		if (is_matched(path, i))
			return matchers[i].route;
	return '-';
}

static void
check_route(struct slice path)
{
	static struct router *router;
	static struct router_scratch *scratch;
	static uint64_t limited;
	static struct http_head head; /* GET, without fields */
	struct router_request request = { .listener = SERVICE_SLOT,
		.head = &head,
		.host = { "h", 1 },
		.target = { .path = path } };
	struct router_match match;
	char got = '-';

	if (router == NULL) {
		router = service_router(service);
		scratch = router_scratch_new(&limited);
		head.method = HTTP_GET;
		head.method_text = slice_of("GET");
	}
	router_find(router, scratch, &request, &match);
	if (match.route != NULL)
		got = *image_text(match.vhost, match.route->name).data;
	if (got != route_of(path) || match.prefix_length > path.length)
		abort();
}

static bool
contains(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

/* In normal form, so taken as it is; the query too, which is kept as it came.
 */
static void
check_again(const struct http_target *got)
{
	static char scratch[SIZE_MAX_FED], text[SIZE_MAX_FED];
	size_t length = got->path.length;
	struct http_target again;

	memcpy(text, got->path.data, length);
	if (got->query.data != NULL) {
		text[length++] = '?';
		memcpy(text + length, got->query.data, got->query.length);
		length += got->query.length;
	}
	if (!http_target_normalise(
		    (struct slice){ text, length }, scratch, &again) ||
		again.path.data != text ||
		!slice_equal(again.path, got->path) ||
		(again.query.data == NULL) != (got->query.data == NULL) ||
		!slice_equal(again.query, got->query))
		abort();
}

static void
check_path(struct slice path)
{
	for (size_t i = 0; i < path.length; i++)
		if ((unsigned char)path.data[i] <= 0x20 ||
			(unsigned char)path.data[i] >= 0x7f)
			abort();
	if (!http_path_is_resolved(path) || contains(path, "/../") ||
		contains(path, "/./") || contains(path, "%2F") ||
		contains(path, "%5C") || contains(path, "%00") ||
		contains(path, "%2E") || contains(path, "%5B"))
		abort();
}

static void
check_rewrite(struct slice path, size_t prefix, struct slice replacement)
{
	struct str out;

	str_init(&out);
	http_path_replace_prefix(path, prefix, replacement, &out);
	if (out.length == 0 || out.data[0] != '/')
		abort();
	/* One slash where the two parts meet. */
	if (replacement.length <= 1 && out.length > 1 && out.data[1] == '/')
		abort();
	str_fini(&out);
}

static void
check_authority(struct slice authority)
{
	char host[SIZE_MAX_FED];
	size_t n;

	if (!http_authority_valid(authority))
		return;
	n = http_authority_host(authority, host);
	if (n == 0 || n > authority.length ||
		!http_authority_valid((struct slice){ host, n }))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char scratch[SIZE_MAX_FED];
	struct http_target got;
	struct slice raw;

	if (size > SIZE_MAX_FED)
		size = SIZE_MAX_FED;
	raw = (struct slice){ guard_put((const char *)data, size), size };
	check_authority(raw);
	if (!http_target_normalise(raw, scratch, &got))
		return 0;
	if (got.path.length + (got.query.data != NULL) + got.query.length >
		size)
		abort();
	check_again(&got);
	check_path(got.path);
	check_route(got.path);
	check_rewrite(got.path, size % (got.path.length + 1), slice_of("/"));
	check_rewrite(got.path, got.path.length / 2, slice_of("/b"));
	return 0;
}
