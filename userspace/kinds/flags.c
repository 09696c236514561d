/* Texts of command line flags into a spec document. */
#include "kinds/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int
flag_text(
	struct doc *spec, const char *key, const char *value, struct error *err)
{
	if (value == NULL || value[0] == '\0')
		return error_set(err, ERROR_CONFIG, "a value is needed");
	doc_set_string(spec, key, value);
	return 0;
}

int
flag_number(
	struct doc *spec, const char *key, const char *value, struct error *err)
{
	size_t digits = value == NULL ? 0 : strspn(value, "0123456789");

	if (digits == 0 || digits > 18 || value[digits] != '\0')
		return error_set(err, ERROR_CONFIG, "\"%.64s\" is not a number",
			value == NULL ? "" : value);
	doc_set(spec, key, doc_new_integer(strtoll(value, NULL, 10)));
	return 0;
}

int
flag_bool(
	struct doc *spec, const char *key, const char *value, struct error *err)
{
	bool yes = value == NULL || strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "false") != 0)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is neither true nor false", value);
	doc_set(spec, key, doc_new_bool(yes));
	return 0;
}

struct doc *
flag_child(struct doc *spec, const char *key, enum doc_type type)
{
	struct doc *child = doc_get(spec, key);

	if (child != NULL && doc_type(child) == type)
		return child;
	return doc_set(
		spec, key, type == DOC_LIST ? doc_new_list() : doc_new_map());
}

int
flag_each(struct doc *spec, const char *key, const char *value,
	flag_each_f *each, struct error *err)
{
	char *copy = xstrdup(value == NULL ? "" : value);
	char *rest = copy, *one;
	size_t count = 0;
	int rc = 0;

	while (rc == 0 && (one = strsep(&rest, ",")) != NULL) {
		one += strspn(one, " ");
		while (*one != '\0' && one[strlen(one) - 1] == ' ')
			one[strlen(one) - 1] = '\0';
		if (*one == '\0')
			continue;
		count++;
		rc = each(spec, key, one, err);
	}
	free(copy);
	if (rc == 0 && count == 0)
		return error_set(err, ERROR_CONFIG, "a value is needed");
	return rc;
}

static int
list_add(struct doc *spec, const char *key, char *one, struct error *err)
{
	(void)err;
	doc_add(flag_child(spec, key, DOC_LIST), doc_new_string(one));
	return 0;
}

int
flag_list(
	struct doc *spec, const char *key, const char *value, struct error *err)
{
	return flag_each(spec, key, value, list_add, err);
}

static int
pair_add(struct doc *spec, const char *key, char *one, struct error *err)
{
	char *equals = strchr(one, '=');

	if (equals == NULL || equals == one)
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not of the form key=value", one);
	*equals = '\0';
	doc_set_string(flag_child(spec, key, DOC_MAP), one, equals + 1);
	return 0;
}

int
flag_pairs(
	struct doc *spec, const char *key, const char *value, struct error *err)
{
	return flag_each(spec, key, value, pair_add, err);
}

static int
option_add(struct doc *spec, const char *key, char *one, struct error *err)
{
	char *equals = strchr(one, '=');
	const char *value = equals == NULL ? "" : equals + 1;

	if (equals == one ||
		(strcmp(value, "true") != 0 && strcmp(value, "false") != 0))
		return pair_add(spec, key, one, err);
	*equals = '\0';
	return flag_bool(flag_child(spec, key, DOC_MAP), one, value, err);
}

int
flag_options(
	struct doc *spec, const char *key, const char *value, struct error *err)
{
	return flag_each(spec, key, value, option_add, err);
}

int
flag_secret_name(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(
		flag_child(spec, "secretRef", DOC_MAP), "name", value, err);
}

int
flag_secret_namespace(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(flag_child(spec, "secretRef", DOC_MAP), "namespace",
		value, err);
}

int
flag_secret(struct doc *spec, const char *value, struct error *err)
{
	const char *dot = value == NULL ? NULL : strchr(value, '.');
	struct doc *ref;

	if (dot == NULL || dot == value || dot[1] == '\0')
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not of the form namespace.name",
			value == NULL ? "" : value);
	ref = flag_child(spec, "secretRef", DOC_MAP);
	doc_set(ref, "namespace",
		doc_new_string_n(value, (size_t)(dot - value)));
	doc_set_string(ref, "name", dot + 1);
	return 0;
}

int
flag_service_spec(struct doc *spec, const char *value, struct error *err)
{
	if (value == NULL ||
		(strcmp(value, "rest") != 0 && strcmp(value, "grpc") != 0))
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is neither rest nor grpc",
			value == NULL ? "" : value);
	doc_set(flag_child(spec, "serviceSpec", DOC_MAP), value, doc_new_map());
	return 0;
}
