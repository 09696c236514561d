/*
 * Configuration documents: YAML or JSON to a model and back. What is printed
 * reads again to the same, as YAML, as JSON and in the Kubernetes form; no
 * bytes crash a reader, and what is refused says why and where.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"
#include "config/config.h"
#include "kinds.h"

#define SIZE_MAX_FED (32u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct doc *read_f(const char *text, size_t length, struct error *err);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
error_check(const struct error *err)
{
	expect(err->code != ERROR_NONE && err->text[0] != '\0' &&
		err->line >= 0);
}

static bool
has_nonfinite(const struct doc *d)
{
	if (doc_type(d) == DOC_REAL)
		return !(doc_real(d) - doc_real(d) == 0);
	for (size_t i = 0; i < doc_count(d); i++)
		if (has_nonfinite(doc_type(d) == DOC_MAP ? doc_value_at(d, i)
							 : doc_at(d, i)))
			return true;
	return false;
}

/* A document written and read is the same document. */
static void
write_again(const struct doc *d)
{
	struct error err = ERROR_INIT;
	struct doc *again;
	struct str text;

	str_init(&text);
	yaml_doc_write(d, &text);
	again = yaml_doc_read(text.data, text.length, &err);
	expect(again != NULL && doc_equal(d, again));
	doc_free(again);
	str_clear(&text);
	json_doc_write(d, 2, &text);
	again = json_doc_read(text.data, text.length, &err);
	/* JSON has no word for what is not finite. */
	expect(again != NULL && (doc_equal(d, again) || has_nonfinite(d)));
	doc_free(again);
	str_fini(&text);
}

static void
read_again(const struct doc *form, const struct doc *printed)
{
	struct error err = ERROR_INIT;
	struct model_object *o = config_read(form, upstream_kinds, &err);
	struct doc *second;

	expect(o != NULL);
	second = config_print(o);
	expect(doc_equal(printed, second));
	doc_free(second);
	model_object_unref(o);
}

static void
model_check(const struct doc *d)
{
	struct error err = ERROR_INIT;
	struct model_object *o = config_read(d, upstream_kinds, &err);
	struct doc *printed, *kube;

	if (o == NULL) {
		error_check(&err);
		return;
	}
	printed = config_print(o);
	write_again(printed);
	read_again(printed, printed);
	kube = config_kube_form(printed, o->type);
	read_again(kube, printed);
	doc_free(kube);
	doc_free(printed);
	model_object_unref(o);
}

static void
text_check(read_f *read, const char *text, size_t size)
{
	struct error err = ERROR_INIT;
	struct doc *d = read(text, size, &err);

	if (d == NULL) {
		error_check(&err);
		return;
	}
	write_again(d);
	if (read == yaml_doc_read_all)
		for (size_t i = 0; i < doc_count(d); i++)
			model_check(doc_at(d, i));
	else
		model_check(d);
	doc_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (size > SIZE_MAX_FED)
		size = SIZE_MAX_FED;
	text_check(yaml_doc_read, text, size);
	text_check(yaml_doc_read_all, text, size);
	text_check(json_doc_read, text, size);
	return 0;
}
