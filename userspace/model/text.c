/* What the texts of a model may be made of. */
#include "model/tables.h"

#include <ctype.h>
#include <string.h>

#include "base/addr.h"
#include "model/model.h"

#define LABEL_MAX 63
#define HOST_MAX  253

int
model_name_check(const char *text, struct error *err)
{
	if (model_name_valid(text))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s\" is not a valid name: 1 to 253 of a-z, 0-9, \"-\" "
		"and \".\", beginning and ending with a letter or digit",
		text);
}

int
model_text_check(const char *text, struct error *err)
{
	for (const char *p = text; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return error_set(err, ERROR_CONFIG,
				"control characters are not allowed (\\x%02x "
				"at byte %zu)",
				(unsigned char)*p, (size_t)(p - text));
	return 0;
}

int
model_token_check(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) &&
			strchr("!#$%&'*+-.^_`|~", *p) == NULL)
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not a token: letters, digits and "
				"!#$%%&'*+-.^_`|~ only",
				text);
	return 0;
}

int
model_path_check(const char *text, struct error *err)
{
	if (text[0] != '/')
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" must begin with \"/\"", text);
	for (const char *p = text; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p) || *p == '?' || *p == '#')
			return error_set(err, ERROR_CONFIG,
				"a path must be printable ASCII without "
				"spaces, \"?\" and \"#\"; use %%XX (byte %zu)",
				(size_t)(p - text));
	return 0;
}

int
model_address_check(const char *text, struct error *err)
{
	struct addr addr;

	if (addr_parse_ip(text, 0, &addr) == 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s\" is not an IPv4 or IPv6 address", text);
}

/* Labels of letters, digits, "-" and "_"; the last one not only digits, which
 * would be a mistyped address. */
static int
dns_name_valid(const char *text)
{
	size_t length = strlen(text);
	size_t label = 0, digits = 0;

	if (length > 1 && text[length - 1] == '.')
		length--;
	if (length == 0 || length > HOST_MAX)
		return 0;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.') {
			if (label == 0 || text[i - 1] == '-')
				return 0;
			label = digits = 0;
			continue;
		}
		if (!isalnum(c) && c != '_' && (c != '-' || label == 0))
			return 0;
		digits += isdigit(c) != 0;
		if (++label > LABEL_MAX)
			return 0;
	}
	return label > digits && text[length - 1] != '-';
}

int
model_host_check(const char *text, struct error *err)
{
	struct addr addr;

	if (addr_parse_ip(text, 0, &addr) == 0 || dns_name_valid(text))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s\" is neither an address nor a DNS name", text);
}
