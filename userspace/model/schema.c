/* Documents into structs and back, by tables. */
#include "model/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/duration.h"
#include "model/model.h"

#define PAIR_KEY_MAX   1024
#define PAIR_VALUE_MAX (256u << 10) /* as Kubernetes limits annotations */
#define SUGGEST_MAX    64

static int read_into(const struct schema *s, const struct doc *d, void *base,
	struct error *err);
static void array_fini(const struct schema_field *f, void *base);

static void *
field_at(const struct schema_field *f, const void *base)
{
	return (char *)(uintptr_t)base + f->offset;
}

static size_t *
count_at(const struct schema_field *f, const void *base)
{
	return (size_t *)(void *)((char *)(uintptr_t)base + f->count_offset);
}

static uint64_t
number_get(const void *at, size_t size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		return *(const uint16_t *)at;
	case 4:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static void
number_set(void *at, size_t size, uint64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)at = (uint32_t)value;
		break;
	default:
		*(uint64_t *)at = value;
	}
}

static uint64_t
number_max(const struct schema_field *f)
{
	size_t size = f->type == SCHEMA_NUMBER_GIVEN ? 4 : f->size;

	if (f->max != 0)
		return f->max;
	return size >= 8 ? INT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

static bool
choice_is_taken(const struct schema_field *f, const void *base)
{
	return f->choice_size == 0 ||
	       number_get((const char *)base + f->choice_offset,
		       f->choice_size) == f->choice_value;
}

static void
base_init(const struct schema *s, void *base)
{
	for (const struct schema_field *f = s->fields; f->name != NULL; f++) {
		void *at = field_at(f, base);

		if (f->type == SCHEMA_STRUCT)
			base_init(f->sub, at);
		else if (f->type == SCHEMA_STRING && f->fallback_text != NULL)
			*(char **)at = xstrdup(f->fallback_text);
		else if (f->fallback != 0)
			number_set(at, f->size, f->fallback);
	}
}

/* ---- reading */

static int
line_note(struct error *err, const struct doc *d)
{
	if (err != NULL && err->code != ERROR_NONE && err->line == 0)
		err->line = doc_line(d);
	return -1;
}

static const char *
found_name(const struct doc *d)
{
	enum doc_type type = doc_type(d);

	return type == DOC_INTEGER || type == DOC_REAL ? "a number"
						       : doc_type_name(type);
}

static int
expect(const struct doc *d, enum doc_type type, struct error *err)
{
	if (doc_type(d) == type)
		return 0;
	return error_set(err, ERROR_CONFIG, "expected %s, found %s",
		type == DOC_INTEGER ? "a number" : doc_type_name(type),
		found_name(d));
}

static void
text_free(const struct schema_field *f, char *text)
{
	if (f->flags & SCHEMA_SECRET)
		mem_free_wiped(text);
	else
		free(text);
}

static int
text_read(const struct schema_field *f, const struct doc *d, uint64_t max,
	char **out, struct error *err)
{
	const char *text = doc_string(d);

	if (expect(d, DOC_STRING, err) != 0)
		return -1;
	if (strlen(text) > max)
		return error_set(err, ERROR_CONFIG,
			"%zu bytes are too long, at most %" PRIu64
			" are allowed",
			strlen(text), max);
	if (f->check != NULL && f->check(text, err) != 0)
		return -1;
	text_free(f, *out);
	*out = xstrdup(text);
	return 0;
}

static int
number_read(const struct schema_field *f, const struct doc *d, uint64_t *out,
	struct error *err)
{
	uint64_t max = number_max(f);
	int64_t value = doc_integer(d);

	if (doc_type(d) == DOC_REAL)
		return error_set(err, ERROR_CONFIG,
			"expected a whole number, found a fraction");
	if (expect(d, DOC_INTEGER, err) != 0)
		return -1;
	if (value < 0 || (uint64_t)value < f->min || (uint64_t)value > max)
		return error_set(err, ERROR_CONFIG,
			"expected %" PRIu64 " to %" PRIu64 ", found %" PRId64,
			f->min, max, value);
	*out = (uint64_t)value;
	return 0;
}

static int
duration_read(const struct schema_field *f, const struct doc *d, uint64_t *out,
	struct error *err)
{
	uint64_t max = f->max != 0 ? f->max : DURATION_MS_MAX;
	char *low, *high;

	if (expect(d, DOC_STRING, err) != 0)
		return -1;
	if (duration_parse(doc_string(d), out) != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a duration such as \"15s\", "
			"\"1m30s\" or \"250ms\", at most 24h",
			doc_string(d));
	if (*out >= f->min && *out <= max)
		return 0;
	low = duration_print(f->min);
	high = duration_print(max);
	error_set(err, ERROR_CONFIG, "expected %s to %s, found \"%.64s\"", low,
		high, doc_string(d));
	free(low);
	free(high);
	return -1;
}

static const struct schema_word *
word_find(const struct schema_word *words, const char *name)
{
	for (; words->name != NULL; words++)
		if (strcmp(words->name, name) == 0)
			return words;
	return NULL;
}

static int
word_read(const struct schema_field *f, const struct doc *d, uint64_t *out,
	struct error *err)
{
	const struct schema_word *found;
	const char *text = doc_string(d);
	char digits[24];
	struct str known;

	/* YAML takes a word of digits for a number. */
	if (doc_type(d) == DOC_INTEGER) {
		snprintf(digits, sizeof(digits), "%" PRId64, doc_integer(d));
		text = digits;
	} else if (expect(d, DOC_STRING, err) != 0) {
		return -1;
	}
	found = word_find(f->words, text);
	if (found != NULL) {
		*out = found->value;
		return 0;
	}
	str_init(&known);
	for (const struct schema_word *w = f->words; w->name != NULL; w++)
		str_printf(&known, "%s%s", known.length == 0 ? "" : ", ",
			w->name);
	error_set(err, ERROR_CONFIG, "expected one of %s, found \"%.64s\"",
		known.data, text);
	str_fini(&known);
	return -1;
}

static int
count_check(const struct schema_field *f, size_t count, struct error *err)
{
	if (f->max != 0 && count > f->max)
		return error_set(err, ERROR_CONFIG,
			"%zu are too many, at most %" PRIu64 " are allowed",
			count, f->max);
	if (count < f->min)
		return error_set(err, ERROR_CONFIG,
			"at least %" PRIu64 " must be given", f->min);
	return 0;
}

static int
strings_read(const struct schema_field *f, const struct doc *d, void *base,
	struct error *err)
{
	char ***array = field_at(f, base);
	size_t *count = count_at(f, base);
	size_t total = doc_count(d);

	if (expect(d, DOC_LIST, err) != 0 || count_check(f, total, err) != 0)
		return -1;
	array_fini(f, base);
	if (total == 0)
		return 0;
	*array = xcalloc(total, sizeof(**array));
	for (; *count < total; ++*count) {
		const struct doc *one = doc_at(d, *count);

		if (text_read(f, one, SCHEMA_TEXT_MAX, &(*array)[*count],
			    err) != 0) {
			line_note(err, one);
			return error_prefix(err, "[%zu]", *count);
		}
	}
	return 0;
}

static int
pairs_read(const struct schema_field *f, const struct doc *d, void *base,
	struct error *err)
{
	struct model_pair **array = field_at(f, base);
	size_t *count = count_at(f, base);
	size_t total = doc_count(d);

	if (expect(d, DOC_MAP, err) != 0 || count_check(f, total, err) != 0)
		return -1;
	array_fini(f, base);
	if (total == 0)
		return 0;
	*array = xcalloc(total, sizeof(**array));
	for (size_t i = 0; i < total; i++) {
		const struct doc *value = doc_value_at(d, i);
		const char *key = doc_key_at(d, i);
		struct model_pair *pair = &(*array)[(*count)++];

		if (key[0] == '\0' || strlen(key) > PAIR_KEY_MAX)
			return error_set(err, ERROR_CONFIG,
				"a key must have 1 to %d bytes", PAIR_KEY_MAX);
		pair->key = xstrdup(key);
		if (text_read(f, value, PAIR_VALUE_MAX, &pair->value, err) !=
			0) {
			line_note(err, value);
			return error_prefix(err, ".%s", key);
		}
	}
	return 0;
}

static int
list_read(const struct schema_field *f, const struct doc *d, void *base,
	struct error *err)
{
	char **array = field_at(f, base);
	size_t *count = count_at(f, base);
	size_t total = doc_count(d);

	if (expect(d, DOC_LIST, err) != 0 || count_check(f, total, err) != 0)
		return -1;
	array_fini(f, base);
	if (total == 0)
		return 0;
	*array = xcalloc(total, f->sub->size);
	while (*count < total) {
		size_t i = (*count)++;
		char *at = *array + i * f->sub->size;

		base_init(f->sub, at);
		if (read_into(f->sub, doc_at(d, i), at, err) != 0)
			return error_prefix(err, "[%zu]", i);
	}
	return 0;
}

static int
one_read(const struct schema_field *f, const struct doc *d, void *base,
	struct error *err)
{
	char **array = field_at(f, base);

	array_fini(f, base);
	*array = xcalloc(1, f->sub->size);
	*count_at(f, base) = 1;
	base_init(f->sub, *array);
	return read_into(f->sub, d, *array, err);
}

static int
pointer_read(const struct schema_field *f, const struct doc *d, void *base,
	struct error *err)
{
	void **at = field_at(f, base);

	*at = xcalloc(1, f->sub->size);
	base_init(f->sub, *at);
	return read_into(f->sub, d, *at, err);
}

/* false and the empty list or map ask for nothing, so they are not refused. */
static int
refuse(const struct doc *d, struct error *err)
{
	enum doc_type type = doc_type(d);

	if ((type == DOC_BOOL && !doc_bool(d)) ||
		((type == DOC_LIST || type == DOC_MAP) && doc_count(d) == 0))
		return 0;
	return error_set(err, ERROR_CONFIG, "is not supported yet");
}

static int
value_read(const struct schema_field *f, const struct doc *d, void *base,
	struct error *err)
{
	void *at = field_at(f, base);
	uint64_t number = 0;
	int rc;

	switch (f->type) {
	case SCHEMA_STRING:
		return text_read(
			f, d, f->max != 0 ? f->max : SCHEMA_TEXT_MAX, at, err);
	case SCHEMA_BOOL:
		*(bool *)at = doc_bool(d);
		return expect(d, DOC_BOOL, err);
	case SCHEMA_BOOL_GIVEN:
		*(struct model_bool *)at =
			(struct model_bool){ true, doc_bool(d) };
		return expect(d, DOC_BOOL, err);
	case SCHEMA_NUMBER:
		rc = number_read(f, d, &number, err);
		number_set(at, f->size, number);
		return rc;
	case SCHEMA_NUMBER_GIVEN:
		rc = number_read(f, d, &number, err);
		*(struct model_u32 *)at =
			(struct model_u32){ true, (uint32_t)number };
		return rc;
	case SCHEMA_DURATION:
		return duration_read(f, d, at, err);
	case SCHEMA_DURATION_GIVEN:
		((struct model_duration *)at)->given = true;
		return duration_read(
			f, d, &((struct model_duration *)at)->ms, err);
	case SCHEMA_WORD:
		rc = word_read(f, d, &number, err);
		number_set(at, f->size, number);
		return rc;
	case SCHEMA_STRINGS:
		return strings_read(f, d, base, err);
	case SCHEMA_PAIRS:
		return pairs_read(f, d, base, err);
	case SCHEMA_STRUCT:
		return read_into(f->sub, d, at, err);
	case SCHEMA_POINTER:
		return pointer_read(f, d, base, err);
	case SCHEMA_LIST:
		return list_read(f, d, base, err);
	case SCHEMA_ONE:
		return one_read(f, d, base, err);
	case SCHEMA_DOC:
		*(struct doc **)at = doc_copy(d);
		return expect(d, DOC_MAP, err);
	case SCHEMA_CUSTOM:
		return f->custom->read(d, base, err);
	case SCHEMA_REFUSED:
		return refuse(d, err);
	case SCHEMA_SKIPPED:
		break;
	}
	return 0;
}

/* Levenshtein distance of two short words. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[SUGGEST_MAX + 1];
	size_t columns = strlen(b);

	if (columns > SUGGEST_MAX || strlen(a) > SUGGEST_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= columns; j++) {
			size_t best = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[columns];
}

static int
unknown_key(const struct schema *s, const char *key, struct error *err)
{
	const char *nearest = NULL;
	size_t best = 3; /* more than 2 edits away is no slip of the finger */

	for (const struct schema_field *f = s->fields; f->name != NULL; f++) {
		size_t d = distance(key, f->name);

		if (d < best && d < strlen(key) && f->type != SCHEMA_REFUSED &&
			f->type != SCHEMA_SKIPPED) {
			best = d;
			nearest = f->name;
		}
	}
	if (nearest == NULL)
		return error_set(
			err, ERROR_CONFIG, "unknown key \"%.64s\"", key);
	return error_set(err, ERROR_CONFIG,
		"unknown key \"%.64s\"; did you mean \"%s\"?", key, nearest);
}

static const struct schema_field *
field_find(const struct schema *s, const char *key)
{
	for (const struct schema_field *f = s->fields; f->name != NULL; f++)
		if (strcmp(f->name, key) == 0)
			return f;
	return NULL;
}

static bool
is_given(const struct doc *d, const struct schema_field *f)
{
	return doc_type(doc_get(d, f->name)) != DOC_NULL;
}

/* What is missing, and that of several choices one was made. */
static int
presence_check(const struct schema *s, const struct doc *d, struct error *err)
{
	const struct schema_field *taken = NULL;
	struct str names;

	for (const struct schema_field *f = s->fields; f->name != NULL; f++) {
		if ((f->flags & SCHEMA_REQUIRED) && !is_given(d, f))
			return error_set(err, ERROR_CONFIG,
				"the key \"%s\" is missing", f->name);
		if (f->choice_size == 0 || !is_given(d, f))
			continue;
		if (taken != NULL)
			return error_set(err, ERROR_CONFIG,
				"only one of \"%s\" and \"%s\" may be given",
				taken->name, f->name);
		taken = f;
	}
	if (taken != NULL || !s->choice_needed)
		return 0;
	str_init(&names);
	for (const struct schema_field *f = s->fields; f->name != NULL; f++)
		if (f->choice_size != 0)
			str_printf(&names, "%s\"%s\"",
				names.length == 0 ? "" : ", ", f->name);
	error_set(err, ERROR_CONFIG, "one of %s must be given", names.data);
	str_fini(&names);
	return -1;
}

static int
keys_read(const struct schema *s, const struct doc *d, void *base,
	struct error *err)
{
	for (size_t i = 0; i < doc_count(d); i++) {
		const struct doc *value = doc_value_at(d, i);
		const struct schema_field *f = field_find(s, doc_key_at(d, i));

		if (f == NULL) {
			unknown_key(s, doc_key_at(d, i), err);
			return line_note(err, value);
		}
		if (doc_type(value) == DOC_NULL)
			continue;
		if (value_read(f, value, base, err) != 0) {
			line_note(err, value);
			return error_prefix(err, ".%s", f->name);
		}
		if (f->choice_size != 0)
			number_set((char *)base + f->choice_offset,
				f->choice_size, f->choice_value);
	}
	return 0;
}

/* The value that the place in front of an error's text leads to, as far as it
 * can be followed from d. */
static const struct doc *
place_follow(const struct doc *d, const char *text)
{
	while (*text == '.' || *text == '[') {
		const char *name = text + 1;
		size_t length = strcspn(name, ".[]: ");
		char key[SUGGEST_MAX + 1];
		const struct doc *child;

		if (length == 0 || length > SUGGEST_MAX)
			break;
		memcpy(key, name, length);
		key[length] = '\0';
		child = *text == '.' ? doc_get(d, key)
				     : doc_at(d, strtoul(key, NULL, 10));
		if (child == NULL)
			break;
		d = child;
		text = name + length + (name[length] == ']');
	}
	return d;
}

/* A check knows the struct only, not the lines. */
static int
struct_check(const struct schema *s, const struct doc *d, void *base,
	struct error *err)
{
	if (s->check == NULL || s->check(base, err) == 0)
		return 0;
	return line_note(err, err == NULL ? d : place_follow(d, err->text));
}

static int
read_into(const struct schema *s, const struct doc *d, void *base,
	struct error *err)
{
	if (doc_type(d) != DOC_NULL && expect(d, DOC_MAP, err) != 0)
		return line_note(err, d);
	/* Unknown keys first: a misspelt key explains a missing one. */
	if (keys_read(s, d, base, err) != 0 || presence_check(s, d, err) != 0 ||
		struct_check(s, d, base, err) != 0)
		return line_note(err, d);
	return 0;
}

int
schema_read(const struct schema *s, const struct doc *d, void *base,
	struct error *err)
{
	memset(base, 0, s->size);
	base_init(s, base);
	if (read_into(s, d, base, err) == 0)
		return 0;
	schema_fini(s, base);
	return -1;
}

void *
schema_read_new(const struct schema *s, const struct doc *d, struct error *err)
{
	void *base = xcalloc(1, s->size);

	if (schema_read(s, d, base, err) == 0)
		return base;
	free(base);
	return NULL;
}

void
schema_place_trim(struct error *err)
{
	if (err == NULL)
		return;
	if (err->text[0] == '.')
		memmove(err->text, err->text + 1, strlen(err->text));
	text_defuse(err->text);
}

/* ---- printing */

static struct doc *
strings_print(const struct schema_field *f, const void *base)
{
	char *const *array = *(char ***)field_at(f, base);
	struct doc *list;

	if (*count_at(f, base) == 0 && !(f->flags & SCHEMA_KEEP))
		return NULL;
	list = doc_new_list();
	for (size_t i = 0; i < *count_at(f, base); i++)
		doc_add(list, doc_new_string(array[i]));
	return list;
}

static struct doc *
pairs_print(const struct schema_field *f, const void *base)
{
	const struct model_pair *array =
		*(struct model_pair **)field_at(f, base);
	struct doc *map;

	if (*count_at(f, base) == 0 && !(f->flags & SCHEMA_KEEP))
		return NULL;
	map = doc_new_map();
	for (size_t i = 0; i < *count_at(f, base); i++)
		doc_set_string(map, array[i].key, array[i].value);
	return map;
}

static struct doc *
list_print(const struct schema_field *f, const void *base)
{
	const char *array = *(char **)field_at(f, base);
	struct doc *list;

	if (*count_at(f, base) == 0 && !(f->flags & SCHEMA_KEEP))
		return NULL;
	list = doc_new_list();
	for (size_t i = 0; i < *count_at(f, base); i++)
		doc_add(list, schema_print(f->sub, array + i * f->sub->size));
	return list;
}

static struct doc *
struct_print(const struct schema_field *f, const void *at)
{
	struct doc *map = schema_print(f->sub, at);

	/* A choice that was made is printed even when it says nothing else. */
	if (doc_count(map) > 0 || (f->flags & SCHEMA_KEEP) ||
		f->choice_size != 0)
		return map;
	doc_free(map);
	return NULL;
}

static struct doc *
duration_doc(uint64_t ms)
{
	char *text = duration_print(ms);
	struct doc *d = doc_new_string(text);

	free(text);
	return d;
}

static struct doc *
word_print(const struct schema_field *f, uint64_t value)
{
	for (const struct schema_word *w = f->words; w->name != NULL; w++)
		if (w->value == value)
			return doc_new_string(w->name);
	return NULL;
}

static struct doc *
scalar_print(const struct schema_field *f, const void *at)
{
	uint64_t number = number_get(at, f->size);

	if (number == f->fallback && !(f->flags & SCHEMA_KEEP))
		return NULL;
	if (f->type == SCHEMA_BOOL)
		return doc_new_bool(number != 0);
	if (f->type == SCHEMA_NUMBER)
		return doc_new_integer((int64_t)number);
	if (f->type == SCHEMA_DURATION)
		return duration_doc(number);
	return word_print(f, number);
}

static struct doc *
given_print(const struct schema_field *f, const void *at)
{
	const struct model_bool *flag = at;
	const struct model_u32 *number = at;
	const struct model_duration *duration = at;

	if (f->type == SCHEMA_BOOL_GIVEN)
		return flag->given ? doc_new_bool(flag->value) : NULL;
	if (f->type == SCHEMA_NUMBER_GIVEN)
		return number->given ? doc_new_integer(number->value) : NULL;
	return duration->given ? duration_doc(duration->ms) : NULL;
}

static struct doc *
value_print(const struct schema_field *f, const void *base)
{
	const void *at = field_at(f, base);

	switch (f->type) {
	case SCHEMA_STRING:
		return *(char *const *)at == NULL
			       ? NULL
			       : doc_new_string(*(char *const *)at);
	case SCHEMA_BOOL:
	case SCHEMA_NUMBER:
	case SCHEMA_DURATION:
	case SCHEMA_WORD:
		return scalar_print(f, at);
	case SCHEMA_BOOL_GIVEN:
	case SCHEMA_NUMBER_GIVEN:
	case SCHEMA_DURATION_GIVEN:
		return given_print(f, at);
	case SCHEMA_STRINGS:
		return strings_print(f, base);
	case SCHEMA_PAIRS:
		return pairs_print(f, base);
	case SCHEMA_STRUCT:
		return struct_print(f, at);
	case SCHEMA_POINTER:
		return *(void *const *)at == NULL
			       ? NULL
			       : schema_print(f->sub, *(void *const *)at);
	case SCHEMA_LIST:
		return list_print(f, base);
	case SCHEMA_ONE:
		return *count_at(f, base) == 0
			       ? NULL
			       : schema_print(f->sub, *(void *const *)at);
	case SCHEMA_DOC:
		return doc_copy(*(struct doc *const *)at);
	case SCHEMA_CUSTOM:
		return f->custom->print == NULL ? NULL : f->custom->print(base);
	case SCHEMA_SKIPPED:
	case SCHEMA_REFUSED:
		break;
	}
	return NULL;
}

struct doc *
schema_print(const struct schema *s, const void *base)
{
	struct doc *map = doc_new_map();

	for (const struct schema_field *f = s->fields; f->name != NULL; f++) {
		struct doc *value = NULL;

		if (choice_is_taken(f, base))
			value = value_print(f, base);
		if (value != NULL)
			doc_set(map, f->name, value);
	}
	return map;
}

static void
value_redact(const struct schema_field *f, struct doc *d, struct doc *value)
{
	if (f->flags & SCHEMA_SECRET && f->type == SCHEMA_PAIRS) {
		doc_wipe(value);
		for (size_t i = 0; i < doc_count(value); i++)
			doc_set(value, doc_key_at(value, i), doc_new_null());
	} else if (f->flags & SCHEMA_SECRET) {
		doc_wipe(value);
		doc_set(d, f->name, doc_new_null());
	} else if (f->type == SCHEMA_STRUCT) {
		schema_redact(f->sub, value);
	}
}

void
schema_redact(const struct schema *s, struct doc *d)
{
	for (const struct schema_field *f = s->fields; f->name != NULL; f++) {
		struct doc *value = doc_get(d, f->name);

		if (value != NULL)
			value_redact(f, d, value);
	}
}

/* ---- freeing */

static void
array_fini(const struct schema_field *f, void *base)
{
	void **array = field_at(f, base);
	size_t *count = count_at(f, base);

	for (size_t i = 0; *array != NULL && i < *count; i++) {
		if (f->type == SCHEMA_STRINGS) {
			free(((char **)*array)[i]);
		} else if (f->type == SCHEMA_PAIRS) {
			free(((struct model_pair *)*array)[i].key);
			text_free(f, ((struct model_pair *)*array)[i].value);
		} else {
			schema_fini(f->sub, (char *)*array + i * f->sub->size);
		}
	}
	free(*array);
	*array = NULL;
	*count = 0;
}

/* Pointers become NULL, because rows of a choice share a member. */
void
schema_fini(const struct schema *s, void *base)
{
	for (const struct schema_field *f = s->fields; f->name != NULL; f++) {
		void **at = field_at(f, base);

		switch (f->type) {
		case SCHEMA_STRING:
			text_free(f, *at);
			*at = NULL;
			break;
		case SCHEMA_STRINGS:
		case SCHEMA_PAIRS:
		case SCHEMA_LIST:
		case SCHEMA_ONE:
			array_fini(f, base);
			break;
		case SCHEMA_STRUCT:
			schema_fini(f->sub, at);
			break;
		case SCHEMA_POINTER:
			if (*at != NULL)
				schema_fini(f->sub, *at);
			free(*at);
			*at = NULL;
			break;
		case SCHEMA_DOC:
			doc_free(*at);
			*at = NULL;
			break;
		case SCHEMA_CUSTOM:
			if (f->custom->fini != NULL)
				f->custom->fini(base);
			break;
		default:
			break;
		}
	}
}
