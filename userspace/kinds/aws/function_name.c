/* Names of Lambda functions, read and written. */
#include "kinds/aws/function_name.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/aws/spec.h"

#define PARTS_MAX      8 /* arn:P:lambda:R:A:function:NAME:QUALIFIER */
#define NAME_MAX       140
#define QUALIFIER_MAX  128
#define REGION_MAX     32
#define ACCOUNT_DIGITS 12

#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"
#define LETTERS LOWER UPPER

static bool
is_of(struct slice text, const char *these, size_t max)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] == '\0' || strchr(these, text.data[i]) == NULL)
			return false;
	return text.length > 0 && text.length <= max;
}

static bool
is_word(struct slice text, const char *word)
{
	return slice_equal(text, slice_of(word));
}

/* 0: there are too many. */
static size_t
parts_cut(const char *text, struct slice parts[PARTS_MAX])
{
	size_t count = 0;

	for (;;) {
		size_t n = strcspn(text, ":");

		if (count == PARTS_MAX)
			return 0;
		parts[count++] = (struct slice){ text, n };
		if (text[n] == '\0')
			return count;
		text += n + 1;
	}
}

/* How many parts stand before the name; they are set. */
static size_t
place_read(
	const struct slice *parts, size_t count, struct aws_function_name *out)
{
	if (count >= 7 && is_word(parts[0], "arn") &&
		is_word(parts[2], "lambda") && is_word(parts[5], "function")) {
		out->partition = parts[1];
		out->region = parts[3];
		out->account = parts[4];
		return 6;
	}
	if (count >= 4 && is_word(parts[2], "function")) {
		out->region = parts[0];
		out->account = parts[1];
		return 3;
	}
	if (count >= 3 && is_word(parts[1], "function")) {
		out->account = parts[0];
		return 2;
	}
	/* "function" may be a name, too: then a qualifier alone follows. */
	return count == 3 && is_word(parts[0], "function") ? 1 : 0;
}

static bool
is_sound(const struct aws_function_name *n)
{
	return is_of(n->name, LETTERS DIGITS "-_.", NAME_MAX) &&
	       (n->qualifier.data == NULL ||
		       is_of(n->qualifier, LETTERS DIGITS "-_$.",
			       QUALIFIER_MAX)) &&
	       (n->partition.data == NULL ||
		       is_of(n->partition, LOWER "-", REGION_MAX)) &&
	       (n->region.data == NULL ||
		       is_of(n->region, LOWER DIGITS "-", REGION_MAX)) &&
	       (n->account.data == NULL ||
		       (n->account.length == ACCOUNT_DIGITS &&
			       is_of(n->account, DIGITS, ACCOUNT_DIGITS)));
}

int
aws_function_name_read(
	const char *text, struct aws_function_name *out, struct error *err)
{
	struct slice parts[PARTS_MAX];
	size_t count = parts_cut(text, parts), at;

	*out = (struct aws_function_name){ .name = { "", 0 } };
	at = place_read(parts, count, out);
	if (count > at) {
		out->name = parts[at++];
		if (count > at)
			out->qualifier = parts[at++];
	}
	if (count == 0 || at != count || !is_sound(out))
		return error_set(err, ERROR_CONFIG,
			"\"%.200s\" names no function: NAME, NAME:QUALIFIER, "
			"ACCOUNT:function:NAME or an ARN does",
			text);
	return 0;
}

static void
slice_put(struct str *out, struct slice text)
{
	str_append(out, text.data, text.length);
}

void
aws_function_name_short(const struct aws_function_name *name, struct str *out)
{
	slice_put(out, name->name);
	if (name->qualifier.length == 0 || is_word(name->qualifier, "$LATEST"))
		return;
	str_putc(out, ':');
	slice_put(out, name->qualifier);
}

void
aws_function_name_arn(const struct aws_function_name *name, struct str *out)
{
	char *region = xstrndup(name->region.data, name->region.length);

	str_puts(out, "arn:");
	slice_put(out, name->partition.length > 0
			       ? name->partition
			       : slice_of(aws_partition(region)));
	str_puts(out, ":lambda:");
	slice_put(out, name->region);
	str_putc(out, ':');
	slice_put(out, name->account);
	str_puts(out, ":function:");
	slice_put(out, name->name);
	free(region);
}
