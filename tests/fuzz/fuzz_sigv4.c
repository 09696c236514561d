/*
 * Canonical requests of AWS: of any path, query and fields the lines are where
 * they belong and hold what they may; the order of parameters and of fields of
 * different names changes nothing; a kept key signs as a new one does.
 *
 * Input: switches, then parts that a NUL ends: path, query, names and values.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kinds/aws/sigv4.h"

#define DATE         "20260102T030405Z"
#define FIELDS_MAX   8
#define SIZE_MAX_FED 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static struct slice
part_next(struct slice *rest)
{
	const char *end = rest->length > 0
				  ? memchr(rest->data, '\0', rest->length)
				  : NULL;
	struct slice part = { rest->data,
		end != NULL ? (size_t)(end - rest->data) : rest->length };
	size_t used = part.length + (end != NULL ? 1 : 0);

	rest->data += used;
	rest->length -= used;
	return part;
}

static struct slice
line_next(struct slice *rest)
{
	const char *end = memchr(rest->data, '\n', rest->length);
	struct slice line = { rest->data, 0 };

	expect(end != NULL);
	line.length = (size_t)(end - rest->data);
	rest->data += line.length + 1;
	rest->length -= line.length + 1;
	return line;
}

static bool
is_of(struct slice text, const char *others)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr(others, c) == NULL)
			return false;
	}
	return true;
}

static void
path_check(struct slice path, const struct sigv4_request *r)
{
	if (!r->single_encoded)
		expect(is_of(path, "-._~/%"));
	if (r->path_as_it_is)
		return;
	expect(path.length > 0 && path.data[0] == '/');
	expect(memmem(path.data, path.length, "//", 2) == NULL);
	expect(memmem(path.data, path.length, "/./", 3) == NULL);
	expect(memmem(path.data, path.length, "/../", 4) == NULL);
}

static void
canonical_check(const struct str *canonical, const struct sigv4_request *r)
{
	struct slice rest = { canonical->data, canonical->length };
	struct slice path;

	expect(slice_equal(line_next(&rest), slice_of("PUT")));
	if (!r->single_encoded) {
		path = line_next(&rest);
		path_check(path, r);
		expect(is_of(line_next(&rest), "-._~&=%"));
	}
	/* The hash of the body is the last line. */
	expect(canonical->length > 65 &&
		canonical->data[canonical->length - 65] == '\n');
}

/* What follows the first "&" stands before it. */
static struct slice
query_turn(struct slice query, char *out)
{
	const char *at =
		query.length > 0 ? memchr(query.data, '&', query.length) : NULL;
	size_t first, second;

	if (at == NULL)
		return query;
	first = (size_t)(at - query.data);
	second = query.length - first - 1;
	memcpy(out, at + 1, second);
	out[second] = '&';
	memcpy(out + second + 1, query.data, first);
	return (struct slice){ out, query.length };
}

static void
signatures_compare(const struct sigv4_request *r)
{
	static struct sigv4_key kept;
	struct sigv4_key fresh = { .of = 0 };
	char date[SIGV4_DATE_SIZE];
	struct str one, other;

	str_init(&one);
	str_init(&other);
	expect(sigv4_sign(&kept, r, date, &one, NULL) == 0);
	expect(sigv4_sign(&fresh, r, date, &other, NULL) == 0);
	expect(strlen(date) == SIGV4_DATE_SIZE - 1);
	expect(one.length == other.length &&
		memcmp(one.data, other.data, one.length) == 0);
	str_fini(&other);
	str_fini(&one);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char turned[SIZE_MAX_FED];
	struct sigv4_field fields[FIELDS_MAX];
	struct sigv4_request r = { .method = { "PUT", 3 },
		.fields = fields,
		.access_key = { "A", 1 },
		.region = { "r", 1 },
		.service = { "s", 1 } };
	struct slice rest = { (const char *)data, size };
	struct str canonical, again;

	if (size < 2 || size > SIZE_MAX_FED)
		return 0;
	r.single_encoded = data[0] & 1;
	r.path_as_it_is = data[0] & 2;
	r.now_ms = (uint64_t)data[1] * 86400000u * 30;
	rest.data += 2;
	rest.length -= 2;
	r.path = part_next(&rest);
	r.query = part_next(&rest);
	while (rest.length > 0 && r.field_count < FIELDS_MAX) {
		fields[r.field_count].name = part_next(&rest);
		fields[r.field_count++].value = part_next(&rest);
	}
	r.body = rest;
	r.secret_key = r.path;
	str_init(&canonical);
	str_init(&again);
	expect(sigv4_canonical(&r, DATE, &canonical, NULL) == 0);
	canonical_check(&canonical, &r);
	r.query = query_turn(r.query, turned);
	if (r.field_count == 2 &&
		!slice_equal(fields[0].name, fields[1].name)) {
		struct sigv4_field first = fields[0];

		fields[0] = fields[1];
		fields[1] = first;
	}
	expect(sigv4_canonical(&r, DATE, &again, NULL) == 0);
	expect(canonical.length == again.length &&
		memcmp(canonical.data, again.data, again.length) == 0);
	str_fini(&again);
	str_fini(&canonical);
	signatures_compare(&r);
	return 0;
}
