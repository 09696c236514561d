/* What STS answers. */
#include "kinds/aws/sts_answer.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define DEPTH_MAX 12
#define CODE_MAX  64

enum {
	PART_ACCESS_KEY,
	PART_SECRET_KEY,
	PART_TOKEN,
	PART_EXPIRATION,
	PART_CODE,
	PART_MESSAGE,
	PART_COUNT,
};

/* Where each stands, below the one element of the document. */
#define ROLE "AssumeRoleResponse/AssumeRoleResult/Credentials/"
#define WEB                                                                    \
	"AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/"   \
	"Credentials/"
static const struct {
	const char *path;
	int part;
} places[] = {
	{ ROLE "AccessKeyId", PART_ACCESS_KEY },
	{ ROLE "SecretAccessKey", PART_SECRET_KEY },
	{ ROLE "SessionToken", PART_TOKEN },
	{ ROLE "Expiration", PART_EXPIRATION },
	{ WEB "AccessKeyId", PART_ACCESS_KEY },
	{ WEB "SecretAccessKey", PART_SECRET_KEY },
	{ WEB "SessionToken", PART_TOKEN },
	{ WEB "Expiration", PART_EXPIRATION },
	{ "ErrorResponse/Error/Code", PART_CODE },
	{ "ErrorResponse/Error/Message", PART_MESSAGE },
	/* of other services, and of moto's STS */
	{ "ErrorResponse/Errors/Error/Code", PART_CODE },
	{ "ErrorResponse/Errors/Error/Message", PART_MESSAGE },
};

struct reader {
	const char *at, *end;
	struct slice open[DEPTH_MAX]; /* names of the elements we are in */
	size_t depth;
	bool begun; /* the one element of the document */
	int part;   /* that is read; -1: none */
	struct str texts[PART_COUNT];
	bool given[PART_COUNT];
	size_t room; /* of each text: no decoded one is longer than all */
};

/* ---- characters */

static bool
is_of_name(char c)
{
	return isalnum((unsigned char)c) ||
	       (c != '\0' && strchr("-._:", c) != NULL);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int
broken(struct error *err, const char *why)
{
	return error_set(err, ERROR_SYSTEM, "%s", why);
}

/* What stands between "&" and ";"; 0: nothing that is known. */
static char
entity_value(struct slice name)
{
	static const struct {
		const char *name;
		char value;
	} known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' },
		{ "quot", '"' }, { "apos", '\'' } };
	unsigned number = 0;
	size_t i = 1;
	unsigned base = 10;

	for (size_t k = 0; k < ARRAY_SIZE(known); k++)
		if (slice_equal(name, slice_of(known[k].name)))
			return known[k].value;
	if (name.length < 2 || name.data[0] != '#')
		return '\0';
	if (name.data[1] == 'x') {
		base = 16;
		i++;
	}
	if (i == name.length || name.length > 8)
		return '\0';
	for (; i < name.length; i++) {
		char c = name.data[i];
		bool good = base == 16 ? isxdigit((unsigned char)c) != 0
				       : isdigit((unsigned char)c) != 0;

		if (!good)
			return '\0';
		number = number * base +
			 (unsigned)(isdigit((unsigned char)c)
					    ? c - '0'
					    : tolower((unsigned char)c) - 'a' +
						      10);
	}
	if (number == 0)
		return '\0';
	return number < 0x80 ? (char)number : '?';
}

/* ---- text */

static int
text_put(struct reader *r, char c)
{
	if (r->part >= 0)
		str_putc(&r->texts[r->part], c);
	return 0;
}

static int
entity_read(struct reader *r, struct error *err)
{
	const char *end = memchr(r->at, ';', (size_t)(r->end - r->at));
	char value;

	if (end == NULL)
		return broken(err, "an entity has no end");
	value = entity_value(
		(struct slice){ r->at + 1, (size_t)(end - r->at) - 1 });
	if (value == '\0')
		return broken(err, "an entity is none of XML's own");
	r->at = end + 1;
	return text_put(r, value);
}

static int
text_read(struct reader *r, struct error *err)
{
	if (r->depth == 0 && !is_space(*r->at))
		return broken(err, "there is text outside of all elements");
	if (*r->at == '\0')
		return broken(err, "there is a NUL in it");
	if (*r->at == '&')
		return entity_read(r, err);
	return text_put(r, *r->at++);
}

/* ---- tags */

static struct slice
name_read(struct reader *r)
{
	const char *begin = r->at;

	while (r->at < r->end && is_of_name(*r->at))
		r->at++;
	return (struct slice){ begin, (size_t)(r->at - begin) };
}

static void
space_skip(struct reader *r)
{
	while (r->at < r->end && is_space(*r->at))
		r->at++;
}

/* name = "value", of which none is wanted. */
static int
attribute_skip(struct reader *r, struct error *err)
{
	const char *close;

	if (name_read(r).length == 0)
		return broken(err, "a tag is cut off or wrong");
	space_skip(r);
	if (r->at == r->end || *r->at++ != '=')
		return broken(err, "a tag is cut off or wrong");
	space_skip(r);
	if (r->at == r->end || (*r->at != '"' && *r->at != '\''))
		return broken(err, "a tag is cut off or wrong");
	close = memchr(r->at + 1, *r->at, (size_t)(r->end - r->at) - 1);
	if (close == NULL)
		return broken(err, "an attribute has no end");
	r->at = close + 1;
	return 0;
}

/* What stands behind an element's name, up to its ">" or "/>". */
static int
attributes_skip(struct reader *r, bool *empty, struct error *err)
{
	for (;;) {
		space_skip(r);
		if (r->at < r->end && *r->at == '>') {
			r->at++;
			*empty = false;
			return 0;
		}
		if (r->end - r->at >= 2 && r->at[0] == '/' && r->at[1] == '>') {
			r->at += 2;
			*empty = true;
			return 0;
		}
		if (attribute_skip(r, err) != 0)
			return -1;
	}
}

static bool
is_at(const struct reader *r, const char *path)
{
	for (size_t i = 0; i < r->depth; i++) {
		struct slice name = r->open[i];

		if (strncmp(path, name.data, name.length) != 0)
			return false;
		path += name.length;
		if (*path != (i + 1 < r->depth ? '/' : '\0'))
			return false;
		path++;
	}
	return r->depth > 0;
}

/* The part whose element has just begun is read from here on. */
static int
part_begin(struct reader *r, struct error *err)
{
	if (r->part >= 0)
		return broken(err, "there is an element where text should be");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (is_at(r, places[i].path))
			r->part = places[i].part;
	if (r->part < 0)
		return 0;
	if (r->given[r->part])
		return broken(err, "an element stands there twice");
	r->given[r->part] = true;
	str_reserve(&r->texts[r->part], r->room);
	return 0;
}

static int
element_begin(struct reader *r, struct error *err)
{
	struct slice name;
	bool empty;
	int rc;

	r->at++;
	name = name_read(r);
	if (name.length == 0)
		return broken(err, "a tag has no name that is taken");
	if (r->depth == 0 && r->begun)
		return broken(err, "there is more than one document");
	if (r->depth == DEPTH_MAX)
		return broken(err, "its elements are nested too deeply");
	r->begun = true;
	r->open[r->depth++] = name;
	if (attributes_skip(r, &empty, err) != 0)
		return -1;
	rc = part_begin(r, err);
	if (empty) {
		r->depth--;
		r->part = -1;
	}
	return rc;
}

static int
element_end(struct reader *r, struct error *err)
{
	struct slice name;

	r->at += 2;
	name = name_read(r);
	space_skip(r);
	if (r->at == r->end || *r->at != '>' || r->depth == 0 ||
		!slice_equal(name, r->open[r->depth - 1]))
		return broken(err, "an element ends that has not begun");
	r->at++;
	r->depth--;
	r->part = -1;
	return 0;
}

static int
prolog_skip(struct reader *r, struct error *err)
{
	const char *end;

	if (r->end - r->at < 5 || memcmp(r->at, "<?xml", 5) != 0)
		return 0;
	end = memmem(r->at, (size_t)(r->end - r->at), "?>", 2);
	if (end == NULL)
		return broken(err, "its first line has no end");
	r->at = end + 2;
	return 0;
}

static int
document_read(struct reader *r, struct error *err)
{
	if (prolog_skip(r, err) != 0)
		return -1;
	while (r->at < r->end) {
		int rc;

		if (*r->at != '<')
			rc = text_read(r, err);
		else if (r->end - r->at >= 2 && r->at[1] == '/')
			rc = element_end(r, err);
		else
			rc = element_begin(r, err);
		if (rc != 0)
			return -1;
	}
	if (r->depth > 0 || !r->begun)
		return broken(err, "it is cut off");
	return 0;
}

/* ---- what it says */

static int
code_check(const char *code, struct error *err)
{
	size_t length = strlen(code);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)code[i]) && code[i] != '.')
			length = 0;
	if (length == 0 || length > CODE_MAX)
		return broken(err, "its error has no code");
	return 0;
}

static char *
text_take(const struct reader *r, int part)
{
	return r->given[part] ? xstrdup(r->texts[part].data) : NULL;
}

static int
credentials_take(
	const struct reader *r, struct aws_credentials *c, struct error *err)
{
	for (int i = PART_ACCESS_KEY; i <= PART_EXPIRATION; i++)
		if (!r->given[i])
			return broken(err, "its credentials are not complete");
	if (clock_parse_rfc3339(
		    r->texts[PART_EXPIRATION].data, &c->expires_ms) != 0)
		return broken(err, "its Expiration is no time");
	c->access_key = text_take(r, PART_ACCESS_KEY);
	c->secret_key = text_take(r, PART_SECRET_KEY);
	c->session_token = text_take(r, PART_TOKEN);
	return aws_credentials_check(c, err);
}

static int
answer_take(const struct reader *r, struct sts_answer *out, struct error *err)
{
	if (!r->given[PART_CODE] && !r->given[PART_MESSAGE])
		return credentials_take(r, &out->credentials, err);
	if (code_check(r->texts[PART_CODE].data, err) != 0)
		return -1;
	out->code = text_take(r, PART_CODE);
	out->message = text_take(r, PART_MESSAGE);
	return 0;
}

int
sts_answer_read(struct slice xml, struct sts_answer *out, struct error *err)
{
	struct reader r = {
		.at = xml.data,
		.end = xml.data + xml.length,
		.part = -1,
		.room = xml.length,
	};
	int rc;

	*out = (struct sts_answer){ 0 };
	if (xml.length > STS_ANSWER_MAX)
		return error_set(err, ERROR_LIMIT, "it has more than %u bytes",
			STS_ANSWER_MAX);
	for (int i = 0; i < PART_COUNT; i++)
		str_init(&r.texts[i]);
	rc = document_read(&r, err);
	if (rc == 0)
		rc = answer_take(&r, out, err);
	for (int i = 0; i < PART_COUNT; i++)
		str_fini_wiped(&r.texts[i]);
	if (rc != 0)
		sts_answer_fini(out);
	return rc;
}

void
sts_answer_fini(struct sts_answer *a)
{
	aws_credentials_fini(&a->credentials);
	free(a->code);
	mem_free_wiped(a->message);
	*a = (struct sts_answer){ 0 };
}
