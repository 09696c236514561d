/* AWS credentials: their form, copies and the bytes that the proxy is given. */
#include "kinds/aws/credentials.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* IAM and STS name no upper bound of a token; what is longer than this fits in
 * no head that an endpoint takes. */
#define ACCESS_KEY_MAX    128 /* IAM API, AccessKey.AccessKeyId */
#define SECRET_KEY_MAX    1024
#define SESSION_TOKEN_MAX 8192
#define FORM_VERSION      1
#define NUMBER_BYTES      8
#define LENGTH_BYTES      4

void
aws_credentials_fini(struct aws_credentials *c)
{
	mem_free_wiped(c->access_key);
	mem_free_wiped(c->secret_key);
	mem_free_wiped(c->session_token);
	memset(c, 0, sizeof(*c));
}

static char *
part_copy(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

void
aws_credentials_copy(
	struct aws_credentials *to, const struct aws_credentials *from)
{
	const struct aws_credentials copy = {
		.access_key = part_copy(from->access_key),
		.secret_key = part_copy(from->secret_key),
		.session_token = part_copy(from->session_token),
		.expires_ms = from->expires_ms,
	};

	aws_credentials_fini(to);
	*to = copy;
}

/* ---- form */

/* A "/" ends it in the Authorization field, a "," the field's first part. */
static bool
is_of_access_key(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool
is_visible(unsigned char c)
{
	return c > ' ' && c < 0x7f;
}

static int
part_check(const char *name, const char *text, size_t max,
	bool (*is_good)(unsigned char c), struct error *err)
{
	size_t length = text == NULL ? 0 : strlen(text);

	if (length > max)
		return error_set(err, ERROR_CONFIG,
			"the %s is longer than %zu characters", name, max);
	for (size_t i = 0; i < length; i++)
		if (!is_good((unsigned char)text[i]))
			return error_set(err, ERROR_CONFIG,
				"the %s has a character that none has, at "
				"position %zu of %zu",
				name, i + 1, length);
	return 0;
}

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

int
aws_credentials_check(const struct aws_credentials *c, struct error *err)
{
	if (!is_given(c->access_key))
		return error_set(
			err, ERROR_CONFIG, "there is no access key id");
	if (!is_given(c->secret_key))
		return error_set(
			err, ERROR_CONFIG, "there is no secret access key");
	if (part_check("access key id", c->access_key, ACCESS_KEY_MAX,
		    is_of_access_key, err) != 0 ||
		part_check("secret access key", c->secret_key, SECRET_KEY_MAX,
			is_visible, err) != 0)
		return -1;
	return part_check("session token", c->session_token, SESSION_TOKEN_MAX,
		is_visible, err);
}

/* ---- bytes: version, expiry, and each part with its length, all numbers
 * little-endian */

static void
number_write(uint64_t number, size_t bytes, struct str *out)
{
	for (size_t i = 0; i < bytes; i++)
		str_putc(out, (char)(number >> (8 * i)));
}

static void
part_write(const char *text, struct str *out)
{
	size_t length = text == NULL ? 0 : strlen(text);

	number_write(length, LENGTH_BYTES, out);
	str_append(out, text == NULL ? "" : text, length);
}

void
aws_credentials_write(const struct aws_credentials *c, struct str *out)
{
	const char *const parts[] = { c->access_key, c->secret_key,
		c->session_token };
	size_t room = 1 + NUMBER_BYTES;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		room += LENGTH_BYTES +
			(parts[i] == NULL ? 0 : strlen(parts[i]));
	/* At once: what a growing text leaves behind is not overwritten. */
	str_reserve(out, room);
	str_putc(out, FORM_VERSION);
	number_write(c->expires_ms, NUMBER_BYTES, out);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		part_write(parts[i], out);
}

static int
number_read(struct slice *in, size_t bytes, uint64_t *number)
{
	if (in->length < bytes)
		return -1;
	*number = 0;
	for (size_t i = 0; i < bytes; i++)
		*number |= (uint64_t)(unsigned char)in->data[i] << (8 * i);
	in->data += bytes;
	in->length -= bytes;
	return 0;
}

static int
part_read(struct slice *in, char **text)
{
	uint64_t length;

	if (number_read(in, LENGTH_BYTES, &length) != 0 ||
		length > in->length ||
		memchr(in->data, '\0', (size_t)length) != NULL)
		return -1;
	*text = xstrndup(in->data, (size_t)length);
	in->data += length;
	in->length -= (size_t)length;
	return 0;
}

static int
form_read(struct slice in, struct aws_credentials *out)
{
	uint64_t version;

	if (number_read(&in, 1, &version) != 0 || version != FORM_VERSION ||
		number_read(&in, NUMBER_BYTES, &out->expires_ms) != 0 ||
		part_read(&in, &out->access_key) != 0 ||
		part_read(&in, &out->secret_key) != 0 ||
		part_read(&in, &out->session_token) != 0)
		return -1;
	return in.length == 0 ? 0 : -1;
}

int
aws_credentials_read(
	struct slice bytes, struct aws_credentials *out, struct error *err)
{
	struct aws_credentials c = { 0 };
	int rc = 0;

	if (form_read(bytes, &c) != 0)
		rc = error_set(err, ERROR_SYSTEM,
			"AWS credentials came in another form than they are "
			"written in");
	else
		rc = aws_credentials_check(&c, err);
	if (rc != 0)
		aws_credentials_fini(&c);
	*out = c;
	return rc;
}
