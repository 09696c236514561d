/*
 * The configuration cases: each file of valid/ must load, and printing and
 * loading it again must give the same; each folder of invalid/ holds an
 * input.yaml and the error that reading it must give, "line N: place: what".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "config/config.h"
#include "kinds.h"

#define FOLDER   "tests/config"
#define FILE_MAX (1u << 20)

typedef void case_f(const char *path);

/* Calls run for every entry of a folder, sorted by name. */
static void
each(const char *folder, case_f *run)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);
	int cases = 0;

	if (count < 0)
		fail_msg("cannot read %s; run from the top of the checkout",
			folder);
	for (int i = 0; i < count; i++) {
		char *path = xasprintf("%s/%s", folder, entries[i]->d_name);

		if (entries[i]->d_name[0] != '.') {
			run(path);
			cases++;
		}
		free(path);
		free(entries[i]);
	}
	free(entries);
	assert_true(cases > 0);
}

static void
file_load(const char *path, struct str *text)
{
	struct error err = ERROR_INIT;

	str_init(text);
	if (file_read(path, FILE_MAX, text, &err) != 0)
		fail_msg("%s", err.text);
}

static struct doc *
yaml_load(const char *path, struct error *err)
{
	struct str text;
	struct doc *d;

	file_load(path, &text);
	d = yaml_doc_read(text.data, text.length, err);
	str_fini(&text);
	return d;
}

static struct model_object *
object_load(const struct doc *d, const char *path, const char *what)
{
	struct error err = ERROR_INIT;
	struct model_object *o = config_read(d, upstream_kinds, &err);

	if (o == NULL)
		fail_msg("%s: %s does not load: line %d: %s", path, what,
			err.line, err.text);
	return o;
}

/* Through the text, as the store does. */
static struct doc *
yaml_again(const struct doc *d, const char *path)
{
	struct error err = ERROR_INIT;
	struct doc *again;
	struct str text;

	str_init(&text);
	yaml_doc_write(d, &text);
	again = yaml_doc_read(text.data, text.length, &err);
	if (again == NULL)
		fail_msg("%s: printed, then: %s", path, err.text);
	str_fini(&text);
	return again;
}

static void
same(const struct doc *a, const struct doc *b, const char *path)
{
	struct str one, two;

	str_init(&one);
	str_init(&two);
	yaml_doc_write(a, &one);
	yaml_doc_write(b, &two);
	if (strcmp(one.data, two.data) != 0)
		fail_msg("%s: printed\n%sread and printed again\n%s", path,
			one.data, two.data);
	str_fini(&one);
	str_fini(&two);
}

static void
valid_run(const char *path)
{
	struct error err = ERROR_INIT;
	struct doc *input = yaml_load(path, &err);
	struct model_object *o, *again, *kube;
	struct doc *printed, *reread, *second, *form, *third;

	if (input == NULL)
		fail_msg("%s: line %d: %s", path, err.line, err.text);
	o = object_load(input, path, "the file");
	printed = config_print(o);
	reread = yaml_again(printed, path);
	again = object_load(reread, path, "what was printed");
	second = config_print(again);
	same(printed, second, path);
	form = config_kube_form(printed, o->type);
	kube = object_load(form, path, "the Kubernetes form");
	third = config_print(kube);
	same(printed, third, path);

	doc_free(input);
	doc_free(printed);
	doc_free(reread);
	doc_free(second);
	doc_free(form);
	doc_free(third);
	model_object_unref(o);
	model_object_unref(again);
	model_object_unref(kube);
}

static void
invalid_run(const char *path)
{
	char *input_path = xasprintf("%s/input.yaml", path);
	char *error_path = xasprintf("%s/error", path);
	struct error err = ERROR_INIT;
	struct doc *d = yaml_load(input_path, &err);
	struct model_object *o = NULL;
	struct str want;
	char *got;

	file_load(error_path, &want);
	if (d != NULL)
		o = config_read(d, upstream_kinds, &err);
	if (o != NULL)
		fail_msg("%s: loads, but should not: %s", path, want.data);
	got = xasprintf("line %d: %s\n", err.line, err.text);
	if (strcmp(got, want.data) != 0)
		fail_msg("%s:\nwanted %sgot    %s", path, want.data, got);
	assert_int_equal(err.code, ERROR_CONFIG);
	free(got);
	str_fini(&want);
	doc_free(d);
	free(input_path);
	free(error_path);
}

static void
test_valid(void **state)
{
	(void)state;
	each(FOLDER "/valid", valid_run);
}

static void
test_invalid(void **state)
{
	(void)state;
	each(FOLDER "/invalid", invalid_run);
}

static void
test_examples(void **state)
{
	(void)state;
	each("config/examples", valid_run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
