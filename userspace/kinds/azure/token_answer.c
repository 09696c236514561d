/* The answers of those who give out tokens. */
#include "kinds/azure/token_answer.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "kinds/azure/credentials.h"

#define BEARER      "Bearer "
#define TROUBLE_MAX 160

/* A whole number, as such or as text; UINT64_MAX: at least that; 0: it is none.
 */
static uint64_t
number_of(const struct doc *d)
{
	const char *text = doc_string(d);

	if (text == NULL)
		return doc_type(d) == DOC_INTEGER && doc_integer(d) > 0
			       ? (uint64_t)doc_integer(d)
			       : 0;
	if (text[strspn(text, "0123456789")] != '\0')
		return 0;
	return strtoull(text, NULL, 10);
}

/* How long it is good from now on; 0: it is over, or that is not said. */
static uint64_t
life_of(const struct doc *d, uint64_t now_s)
{
	uint64_t expires_s = number_of(doc_get(d, "expires_on"));
	uint64_t life_s = number_of(doc_get(d, "expires_in"));

	if (expires_s != 0)
		life_s = expires_s > now_s ? expires_s - now_s : 0;
	return life_s < AZURE_TOKEN_LIFE_S_MAX ? life_s
					       : AZURE_TOKEN_LIFE_S_MAX;
}

static bool
is_token(const char *text)
{
	if (text == NULL || text[0] == '\0' ||
		strlen(text) > AZURE_TOKEN_MAX - sizeof(BEARER))
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			return false;
	return true;
}

static int
answer_fill(const struct doc *d, uint64_t now_ms,
	struct azure_token_answer *out, struct error *err)
{
	const char *token = doc_get_string(d, "access_token");
	uint64_t now_s = now_ms / 1000, life_s = life_of(d, now_s);

	if (!is_token(token))
		return error_set(
			err, ERROR_SYSTEM, "the answer has no access_token");
	if (life_s == 0)
		return error_set(err, ERROR_SYSTEM,
			"the token in the answer is over, or does not say when "
			"it will be");
	out->bearer = xmalloc(sizeof(BEARER) + strlen(token));
	memcpy(out->bearer, BEARER, sizeof(BEARER) - 1);
	strcpy(out->bearer + sizeof(BEARER) - 1, token);
	out->expires_ms = (now_s + life_s) * 1000;
	return 0;
}

int
azure_token_answer_read(struct slice body, uint64_t now_ms,
	struct azure_token_answer *out, struct error *err)
{
	struct doc *d = json_doc_read(body.data, body.length, NULL);
	int rc;

	*out = (struct azure_token_answer){ 0 };
	if (doc_type(d) == DOC_MAP)
		rc = answer_fill(d, now_ms, out, err);
	else
		rc = error_set(
			err, ERROR_SYSTEM, "the answer is no JSON object");
	doc_free_wiped(d);
	return rc;
}

/* Its first line, as far as it is short. */
static void
line_put(const char *text, struct str *out)
{
	size_t start = out->length, length = strcspn(text, "\r\n");

	str_append(out, text, length < TROUBLE_MAX ? length : TROUBLE_MAX);
	text_defuse(out->data + start);
}

void
azure_token_trouble(struct slice body, struct str *out)
{
	struct doc *d = json_doc_read(body.data, body.length, NULL);
	const char *word = doc_get_text(d, "error");
	const char *more = doc_get_text(d, "error_description");

	if (doc_type(d) == DOC_MAP && doc_get(d, "access_token") == NULL) {
		line_put(word, out);
		if (word[0] != '\0' && more[0] != '\0')
			str_puts(out, ": ");
		line_put(more, out);
	}
	doc_free_wiped(d);
}
