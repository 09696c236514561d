/* Credentials as JSON. */
#include "kinds/aws/document.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define CODE_MAX 64

/* Of a program that answers in another version nothing else is known. */
static int
version_check(const struct doc *d, struct error *err)
{
	if (doc_get_integer(d, "Version") != 1)
		return error_set(err, ERROR_CONFIG, "its \"Version\" is not 1");
	return 0;
}

/* It says there why it has none; a word is shown. Without it (as botocore takes
 * it) the rest has to be whole. */
static int
code_check(const struct doc *d, struct error *err)
{
	const char *code = doc_get_text(d, "Code");
	size_t length = strlen(code);

	if (doc_get(d, "Code") == NULL || strcmp(code, "Success") == 0)
		return 0;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)code[i]))
			length = 0;
	if (length == 0 || length > CODE_MAX)
		code = "no word";
	return error_set(err, ERROR_SYSTEM,
		"its \"Code\" is %s rather than Success", code);
}

static int
expires_read(const struct doc *d, bool needed, uint64_t *ms, struct error *err)
{
	const char *text = doc_get_text(d, "Expiration");

	*ms = 0;
	if (text[0] == '\0' && !needed)
		return 0;
	if (clock_parse_rfc3339(text, ms) != 0)
		return error_set(err, ERROR_CONFIG,
			"its \"Expiration\" is no time of RFC 3339");
	return 0;
}

static int
parts_read(enum aws_document sort, const struct doc *d,
	struct aws_credentials *out, struct error *err)
{
	bool is_process = sort == AWS_DOCUMENT_PROCESS;

	if (is_process && version_check(d, err) != 0)
		return -1;
	if (sort == AWS_DOCUMENT_INSTANCE && code_check(d, err) != 0)
		return -1;
	if (expires_read(d, !is_process, &out->expires_ms, err) != 0)
		return -1;
	out->access_key = xstrdup(doc_get_text(d, "AccessKeyId"));
	out->secret_key = xstrdup(doc_get_text(d, "SecretAccessKey"));
	out->session_token =
		xstrdup(doc_get_text(d, is_process ? "SessionToken" : "Token"));
	return aws_credentials_check(out, err);
}

int
aws_document_read(enum aws_document sort, struct slice json,
	struct aws_credentials *out, struct error *err)
{
	struct error why = ERROR_INIT;
	struct doc *d = json_doc_read(json.data, json.length, &why);
	int rc;

	*out = (struct aws_credentials){ 0 };
	/* The reader's own words may quote what it read: a secret. */
	if (d == NULL)
		return error_set(
			err, ERROR_CONFIG, "it is no JSON (line %d)", why.line);
	rc = parts_read(sort, d, out, err);
	doc_free_wiped(d);
	if (rc != 0)
		aws_credentials_fini(out);
	return rc;
}
