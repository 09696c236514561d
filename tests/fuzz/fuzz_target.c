/* Targets: normal form is stable, never longer, and free of what it forbids. */
#include <stdint.h>

#include "http/target.h"
#include "tests/unit/http/feed.h"

#define SIZE_MAX_FED (8 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
contains(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

static void
check_path(struct slice path)
{
	static char scratch[SIZE_MAX_FED];
	struct http_target again;

	if (!http_target_normalise(path, scratch, &again) ||
		again.path.data != path.data || again.query.data ||
		!slice_equal(path, again.path))
		abort();
	for (size_t i = 0; i < path.length; i++)
		if ((unsigned char)path.data[i] <= 0x20 ||
			(unsigned char)path.data[i] >= 0x7f)
			abort();
	if (contains(path, "/../") || contains(path, "/./") ||
		contains(path, "%2F") || contains(path, "%5C") ||
		contains(path, "%00") || contains(path, "%2E") ||
		contains(path, "%5B"))
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
	if (got.path.length + got.query.length > size)
		abort();
	check_path(got.path);
	check_rewrite(got.path, size % (got.path.length + 1), slice_of("/"));
	check_rewrite(got.path, got.path.length / 2, slice_of("/b"));
	return 0;
}
