/* AWS Signature Version 4: the canonical request, the key of the day, the
 * signature. */
#include "kinds/aws/sigv4.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define TERMINATOR  "aws4_request"
#define DAY_LENGTH  8 /* of the date: "20260102" */
#define HASH_LENGTH SIGV4_KEY_LENGTH
#define HEX_LENGTH  ((size_t)2 * HASH_LENGTH)
#define NEWEST_MS   253402300799000u /* the end of the year 9999 */

/* ---- OpenSSL; that it fails for want of memory alone ends the process */

static const EVP_MD *sha256_md;

/* To ask for it by name each time takes longer than to hash a request. It is
 * there for as long as the process. */
static void
sha256_fetch(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	assert(sha256_md != NULL);
}

static const EVP_MD *
sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, sha256_fetch);
	return sha256_md;
}

static void
hex_put(struct str *out, const unsigned char bytes[HASH_LENGTH])
{
	static const char digits[] = "0123456789abcdef";
	char text[HEX_LENGTH];

	for (size_t i = 0; i < HASH_LENGTH; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	str_append(out, text, sizeof(text));
}

static void
hash_put(struct str *out, struct slice data)
{
	unsigned char hash[HASH_LENGTH];
	int ok = EVP_Digest(data.length > 0 ? data.data : "", data.length, hash,
		NULL, sha256(), NULL);

	assert(ok == 1);
	hex_put(out, hash);
}

static void
hmac(const void *key, size_t key_length, struct slice data,
	unsigned char out[HASH_LENGTH])
{
	unsigned length = 0;
	unsigned char *got = HMAC(sha256(), key, (int)key_length,
		(const unsigned char *)data.data, data.length, out, &length);

	assert(got != NULL && length == HASH_LENGTH);
}

/* ---- the canonical request */

static bool
is_unreserved(unsigned char c) /* RFC 3986 2.3 */
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

static void
byte_put_coded(struct str *out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	char code[3] = { '%', digits[c >> 4], digits[c & 15] };

	if (is_unreserved(c))
		str_putc(out, (char)c);
	else
		str_append(out, code, sizeof(code));
}

/* What is coded on the wire already is coded once more: its "%" too. */
static void
segment_put(struct str *out, struct slice segment, bool single_encoded)
{
	size_t run = 0; /* what is copied as it is begins there */

	for (size_t i = 0; i < segment.length; i++) {
		unsigned char c = (unsigned char)segment.data[i];

		if (is_unreserved(c) || c == '/' || single_encoded)
			continue;
		str_append(out, segment.data + run, i - run);
		byte_put_coded(out, c);
		run = i + 1;
	}
	str_append(out, segment.data + run, segment.length - run);
}

/* Takes the last segment away. */
static void
segment_drop(struct str *out, size_t from)
{
	size_t length = out->length;

	while (length > from && out->data[length - 1] != '/')
		length--;
	if (length > from)
		length--;
	out->data[length] = '\0';
	out->length = length;
}

static struct slice
part_until(struct slice *rest, char end)
{
	const char *at =
		rest->length > 0 ? memchr(rest->data, end, rest->length) : NULL;
	struct slice part = { rest->data,
		at != NULL ? (size_t)(at - rest->data) : rest->length };
	size_t taken = part.length + (at != NULL ? 1 : 0);

	rest->data += taken;
	rest->length -= taken;
	return part;
}

static void
path_put(struct str *out, const struct sigv4_request *r)
{
	size_t from = out->length;
	struct slice rest = r->path;

	if (r->path_as_it_is && r->path.length > 0) {
		segment_put(out, r->path, r->single_encoded);
		return;
	}
	while (rest.length > 0) {
		struct slice part = part_until(&rest, '/');

		if (part.length == 0 || slice_equal(part, slice_of(".")))
			continue;
		if (slice_equal(part, slice_of(".."))) {
			segment_drop(out, from);
			continue;
		}
		str_putc(out, '/');
		segment_put(out, part, r->single_encoded);
	}
	if (out->length == from ||
		(r->path.length > 0 && r->path.data[r->path.length - 1] == '/'))
		str_putc(out, '/');
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The one canonical coding of what is coded in some way on the wire: there "+"
 * is a space, as servers read it, and a "%" without digits is itself. */
static void
query_part_put(struct str *out, struct slice part)
{
	for (size_t i = 0; i < part.length; i++) {
		char c = part.data[i];

		if (c == '%' && part.length - i > 2 &&
			hex_digit(part.data[i + 1]) >= 0 &&
			hex_digit(part.data[i + 2]) >= 0) {
			c = (char)(hex_digit(part.data[i + 1]) << 4 |
				   hex_digit(part.data[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		byte_put_coded(out, (unsigned char)c);
	}
}

struct parameter {
	struct slice name, value;
};

static int
slice_compare(struct slice a, struct slice b)
{
	size_t least = a.length < b.length ? a.length : b.length;
	int order = least > 0 ? memcmp(a.data, b.data, least) : 0;

	return order != 0 ? order
			  : (a.length > b.length) - (a.length < b.length);
}

static int
parameter_compare(const void *a, const void *b)
{
	const struct parameter *left = a, *right = b;
	int order = slice_compare(left->name, right->name);

	return order != 0 ? order : slice_compare(left->value, right->value);
}

static size_t
count_of(struct slice text, char c)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++)
		count += text.data[i] == c;
	return count;
}

/* By coded name, then by coded value; a value that is empty or missing keeps
 * its "=". */
static void
query_put(struct str *out, struct slice query)
{
	size_t count = 0;
	struct parameter *parameters;
	struct str coded;

	if (query.length == 0)
		return;
	parameters = xcalloc(count_of(query, '&') + 1, sizeof(*parameters));
	str_init(&coded);
	/* Nothing moves any more once there is room for all of it. */
	str_reserve(&coded, 3 * query.length);
	while (query.length > 0) {
		struct slice part = part_until(&query, '&'), name;
		struct parameter *p = &parameters[count];

		if (part.length == 0)
			continue;
		name = part_until(&part, '=');
		p->name.data = coded.data + coded.length;
		query_part_put(&coded, name);
		p->value.data = coded.data + coded.length;
		query_part_put(&coded, part);
		p->name.length = (size_t)(p->value.data - p->name.data);
		p->value.length =
			(size_t)(coded.data + coded.length - p->value.data);
		count++;
	}
	qsort(parameters, count, sizeof(*parameters), parameter_compare);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			str_putc(out, '&');
		str_append(out, parameters[i].name.data,
			parameters[i].name.length);
		str_putc(out, '=');
		str_append(out, parameters[i].value.data,
			parameters[i].value.length);
	}
	str_fini(&coded);
	free(parameters);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t
word_length(struct slice text)
{
	size_t n = 0;

	while (n < text.length && !is_space(text.data[n]))
		n++;
	return n;
}

/* Without spaces at its ends, and one for several within. */
static void
value_put(struct str *out, struct slice value)
{
	bool first = true;

	while (value.length > 0) {
		size_t n = word_length(value);

		if (n > 0) {
			if (!first)
				str_putc(out, ' ');
			str_append(out, value.data, n);
			first = false;
		} else {
			n = 1;
		}
		value.data += n;
		value.length -= n;
	}
}

struct sorted {
	struct sigv4_field fields[SIGV4_FIELDS_MAX + 1];
	size_t count;
};

/* By name; those of one name stay in their order, which counts. */
static void
sorted_add(struct sorted *s, const struct sigv4_field *field)
{
	size_t at = s->count++;

	while (at > 0 &&
		slice_compare(s->fields[at - 1].name, field->name) > 0) {
		s->fields[at] = s->fields[at - 1];
		at--;
	}
	s->fields[at] = *field;
}

static int
sorted_init(struct sorted *s, const struct sigv4_request *r, const char *date,
	struct error *err)
{
	struct sigv4_field own = { slice_of("x-amz-date"), slice_of(date) };

	s->count = 0;
	if (r->field_count > SIGV4_FIELDS_MAX)
		return error_set(err, ERROR_LIMIT,
			"%zu fields are to be signed, %d may be",
			r->field_count, SIGV4_FIELDS_MAX);
	for (size_t i = 0; i < r->field_count; i++)
		sorted_add(s, &r->fields[i]);
	sorted_add(s, &own);
	return 0;
}

static bool
sorted_repeats(const struct sorted *s, size_t i)
{
	return i > 0 && slice_equal(s->fields[i - 1].name, s->fields[i].name);
}

static void
names_put(struct str *out, const struct sorted *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (sorted_repeats(s, i))
			continue;
		if (i > 0)
			str_putc(out, ';');
		str_append(
			out, s->fields[i].name.data, s->fields[i].name.length);
	}
}

static void
fields_put(struct str *out, const struct sorted *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (sorted_repeats(s, i)) {
			str_putc(out, ',');
		} else {
			if (i > 0)
				str_putc(out, '\n');
			str_append(out, s->fields[i].name.data,
				s->fields[i].name.length);
			str_putc(out, ':');
		}
		value_put(out, s->fields[i].value);
	}
	str_putc(out, '\n');
}

/* A session token is in it, so it must not move while it grows. */
static void
canonical_reserve(
	struct str *out, const struct sigv4_request *r, const struct sorted *s)
{
	size_t size = r->method.length + 3 * r->path.length +
		      4 * r->query.length + HEX_LENGTH + 16;

	for (size_t i = 0; i < s->count; i++)
		size += 2 * s->fields[i].name.length +
			s->fields[i].value.length + 4;
	str_reserve(out, size);
}

static void
canonical_put(
	struct str *out, const struct sigv4_request *r, const struct sorted *s)
{
	canonical_reserve(out, r, s);
	str_append(out, r->method.data, r->method.length);
	str_putc(out, '\n');
	path_put(out, r);
	str_putc(out, '\n');
	query_put(out, r->query);
	str_putc(out, '\n');
	fields_put(out, s);
	str_putc(out, '\n');
	names_put(out, s);
	str_putc(out, '\n');
	hash_put(out, r->body);
}

int
sigv4_canonical(const struct sigv4_request *r, const char date[SIGV4_DATE_SIZE],
	struct str *out, struct error *err)
{
	struct sorted sorted;

	if (sorted_init(&sorted, r, date, err) != 0)
		return -1;
	canonical_put(out, r, &sorted);
	return 0;
}

/* ---- the key of a day */

/* FNV-1a; a byte between the parts, so that they cannot run into each other. */
static uint64_t
digest(uint64_t hash, struct slice part)
{
	for (size_t i = 0; i < part.length; i++)
		hash = (hash ^ (unsigned char)part.data[i]) * 1099511628211u;
	return (hash ^ 0xff) * 1099511628211u;
}

static uint64_t
key_owner(const struct sigv4_request *r)
{
	uint64_t hash = digest(
		digest(digest(14695981039346656037u, r->region), r->service),
		r->secret_key);

	return hash != 0 ? hash : 1;
}

static void
key_make(struct sigv4_key *key, const struct sigv4_request *r, const char *day)
{
	unsigned char *bytes = key->bytes;
	struct str first;

	str_init(&first);
	str_reserve(&first, 4 + r->secret_key.length);
	str_puts(&first, "AWS4");
	str_append(&first, r->secret_key.data, r->secret_key.length);
	hmac(first.data, first.length, (struct slice){ day, DAY_LENGTH },
		bytes);
	str_fini_wiped(&first);
	hmac(bytes, HASH_LENGTH, r->region, bytes);
	hmac(bytes, HASH_LENGTH, r->service, bytes);
	hmac(bytes, HASH_LENGTH, slice_of(TERMINATOR), bytes);
}

static void
key_ready(struct sigv4_key *key, const struct sigv4_request *r, const char *day)
{
	uint64_t owner = key_owner(r);

	if (key->of == owner && memcmp(key->day, day, DAY_LENGTH) == 0)
		return;
	key_make(key, r, day);
	key->of = owner;
	memcpy(key->day, day, DAY_LENGTH);
	key->day[DAY_LENGTH] = '\0';
}

void
sigv4_key_forget(struct sigv4_key *key)
{
	mem_wipe(key, sizeof(*key));
}

/* ---- the signature */

/* "2026-01-02T03:04:05Z" without its marks. */
static void
date_format(uint64_t now_ms, char date[SIGV4_DATE_SIZE])
{
	char text[CLOCK_TEXT_MAX];
	size_t length = 0;

	clock_format(now_ms < NEWEST_MS ? now_ms : NEWEST_MS, text);
	for (const char *p = text; *p != '\0' && length < SIGV4_DATE_SIZE - 1;
		p++)
		if (*p != '-' && *p != ':')
			date[length++] = *p;
	while (length < SIGV4_DATE_SIZE)
		date[length++] = '\0';
}

static void
scope_put(struct str *out, const struct sigv4_request *r, const char *day)
{
	str_append(out, day, DAY_LENGTH);
	str_putc(out, '/');
	str_append(out, r->region.data, r->region.length);
	str_putc(out, '/');
	str_append(out, r->service.data, r->service.length);
	str_puts(out, "/" TERMINATOR);
}

static void
string_to_sign_put(struct str *out, const struct sigv4_request *r,
	const struct sorted *s, const char *date)
{
	struct str canonical;

	str_init(&canonical);
	canonical_put(&canonical, r, s);
	str_puts(out, ALGORITHM "\n");
	str_puts(out, date);
	str_putc(out, '\n');
	scope_put(out, r, date);
	str_putc(out, '\n');
	hash_put(out, (struct slice){ canonical.data, canonical.length });
	str_fini_wiped(&canonical);
}

int
sigv4_sign(struct sigv4_key *key, const struct sigv4_request *r,
	char date[SIGV4_DATE_SIZE], struct str *authorization,
	struct error *err)
{
	unsigned char signature[HASH_LENGTH];
	struct sorted sorted;
	struct str text;

	date_format(r->now_ms, date);
	if (sorted_init(&sorted, r, date, err) != 0)
		return -1;
	key_ready(key, r, date);
	str_init(&text);
	string_to_sign_put(&text, r, &sorted, date);
	hmac(key->bytes, HASH_LENGTH, (struct slice){ text.data, text.length },
		signature);
	str_fini(&text);
	str_puts(authorization, ALGORITHM " Credential=");
	str_append(authorization, r->access_key.data, r->access_key.length);
	str_putc(authorization, '/');
	scope_put(authorization, r, date);
	str_puts(authorization, ", SignedHeaders=");
	names_put(authorization, &sorted);
	str_puts(authorization, ", Signature=");
	hex_put(authorization, signature);
	return 0;
}
