/* Keys, tokens and what is known of functions, as bytes and back. */
#include "kinds/azure/credentials.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/head.h"
#include "kinds/azure/parts.h"
#include "kinds/azure/spec.h"
#include "kinds/azure/template.h"

#define FORM "azure-credentials 2"

static void
known_fini(struct azure_known *k)
{
	free(k->name);
	mem_free_wiped(k->key);
	free(k->path);
	azure_template_free(k->template);
}

void
azure_credentials_fini(struct azure_credentials *c)
{
	mem_free_wiped(c->bearer);
	mem_free_wiped(c->master);
	mem_free_wiped(c->fallback);
	for (size_t i = 0; i < c->count; i++)
		known_fini(&c->functions[i]);
	free(c->functions);
	*c = (struct azure_credentials){ 0 };
}

/* Where it is, or would be. */
static size_t
place_of(const struct azure_credentials *c, const char *function, bool *there)
{
	size_t low = 0, high = c->count;

	*there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(c->functions[middle].name, function);

		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct azure_known *
azure_credentials_find(const struct azure_credentials *c, const char *function)
{
	bool there;
	size_t place = place_of(c, function, &there);

	return there ? &c->functions[place] : NULL;
}

struct azure_known *
azure_credentials_add(struct azure_credentials *c, const char *function)
{
	bool there;
	size_t place = place_of(c, function, &there);

	if (there)
		return &c->functions[place];
	if (c->count == AZURE_KNOWN_MAX)
		return NULL;
	/* Room for twice as many whenever it is full. */
	if ((c->count & (c->count - 1)) == 0)
		c->functions = xreallocarray(
			c->functions, 2 * c->count + 1, sizeof(*c->functions));
	memmove(&c->functions[place + 1], &c->functions[place],
		(c->count - place) * sizeof(*c->functions));
	c->functions[place] = (struct azure_known){ .name = xstrdup(function),
		.level = AZURE_LEVEL_UNKNOWN };
	c->count++;
	return &c->functions[place];
}

/* ---- as bytes */

static size_t
length_of(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}

static size_t
digits_of(size_t number)
{
	size_t digits = 1;

	for (; number >= 10; number /= 10)
		digits++;
	return digits;
}

/* As azure_part_put makes of it. */
static size_t
part_length(const char *text)
{
	return digits_of(length_of(text)) + length_of(text) + 2;
}

static size_t
number_length(size_t number)
{
	return digits_of(digits_of(number)) + digits_of(number) + 2;
}

static size_t
known_length(const struct azure_known *k)
{
	return part_length(k->name) + part_length(k->key) +
	       number_length(k->level) + number_length(k->path != NULL) +
	       part_length(k->path);
}

static size_t
written_length(const struct azure_credentials *c)
{
	size_t length = part_length(FORM) + part_length(c->bearer) +
			part_length(c->master) + part_length(c->fallback) +
			number_length(c->proven) + number_length(c->count);

	for (size_t i = 0; i < c->count; i++)
		length += known_length(&c->functions[i]);
	return length;
}

size_t
azure_credentials_fit(struct azure_credentials *c, size_t max)
{
	size_t length = written_length(c), dropped = 0;

	for (size_t i = 0; c->fallback != NULL && length > max && i < c->count;
		i++) {
		struct azure_known *k = &c->functions[i];

		length -= known_length(k);
		mem_free_wiped(k->key);
		k->key = NULL;
		length += known_length(k);
	}
	while (length > max && c->count > 0) {
		struct azure_known *last = &c->functions[--c->count];

		length -= known_length(last);
		known_fini(last);
		dropped++;
	}
	return dropped;
}

void
azure_credentials_write(const struct azure_credentials *c, struct str *out)
{
	str_reserve(out, written_length(c));
	azure_part_put(out, FORM);
	azure_part_put(out, c->bearer);
	azure_part_put(out, c->master);
	azure_part_put(out, c->fallback);
	azure_part_put_number(out, c->proven);
	azure_part_put_number(out, c->count);
	for (size_t i = 0; i < c->count; i++) {
		const struct azure_known *k = &c->functions[i];

		azure_part_put(out, k->name);
		azure_part_put(out, k->key);
		azure_part_put_number(out, k->level);
		/* "" is a path, too. */
		azure_part_put_number(out, k->path != NULL);
		azure_part_put(out, k->path);
	}
}

/* A value of a field, or *out NULL of an empty one. */
static bool
secret_take(struct slice *rest, size_t max, char **out)
{
	struct slice text;

	if (!azure_part_take(rest, &text) || text.length > max ||
		!http_is_field_value(text))
		return false;
	*out = text.length == 0 ? NULL : xstrndup(text.data, text.length);
	return true;
}

static bool
known_take(struct slice *rest, struct azure_known *k, struct error *err)
{
	uint64_t level, has_path;
	char *path;

	if (!secret_take(rest, AZURE_KEY_MAX, &k->key) ||
		!azure_part_take_number(rest, AZURE_LEVEL_UNKNOWN, &level) ||
		!azure_part_take_number(rest, 1, &has_path) ||
		(path = azure_part_take_text(rest)) == NULL)
		return false;
	k->level = (uint8_t)level;
	if (has_path == 0) {
		free(path);
		return true;
	}
	k->path = path;
	k->template = azure_template_new(slice_of(path), err);
	return k->template != NULL;
}

static bool
functions_take(
	struct slice *rest, struct azure_credentials *c, struct error *err)
{
	uint64_t count;

	if (!azure_part_take_number(rest, AZURE_KNOWN_MAX, &count))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		char *name = azure_part_take_text(rest);
		bool good =
			name != NULL &&
			azure_credentials_find(c, name) == NULL &&
			known_take(rest, azure_credentials_add(c, name), err);

		free(name);
		if (!good)
			return false;
	}
	return true;
}

int
azure_credentials_read(
	struct slice bytes, struct azure_credentials *out, struct error *err)
{
	struct slice rest = bytes, form;
	uint64_t proven;

	*out = (struct azure_credentials){ 0 };
	if (azure_part_take(&rest, &form) &&
		slice_equal(form, slice_of(FORM)) &&
		secret_take(&rest, AZURE_TOKEN_MAX, &out->bearer) &&
		secret_take(&rest, AZURE_KEY_MAX, &out->master) &&
		secret_take(&rest, AZURE_KEY_MAX, &out->fallback) &&
		azure_part_take_number(&rest, 1, &proven) &&
		functions_take(&rest, out, err) && rest.length == 0) {
		out->proven = proven != 0;
		return 0;
	}
	azure_credentials_fini(out);
	return error_set(err, ERROR_SYSTEM,
		"the credentials of an Azure upstream are not what control "
		"makes");
}
