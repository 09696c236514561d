/* A destination of kind azure, written into the image and read from it. */
#include "kinds/azure/target.h"

#include <stdlib.h>

#include "base/mem.h"
#include "kinds/azure/parts.h"
#include "kinds/azure/spec.h"
#include "kinds/azure/template.h"
#include "model/schema.h"

#define FORM           "azure 1"
#define PREFIX_DEFAULT "api" /* of host.json */

/* ---- control */

static bool
is_known(const char *const *known, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(known[i], name) == 0)
			return true;
	return false;
}

static void
warn(const struct azure_spec *spec, const char *name, const char *const *known,
	size_t known_count, struct str *warning)
{
	if (known != NULL && !is_known(known, known_count, name))
		str_printf(warning,
			"the function app \"%s\" has no function \"%s\" that "
			"HTTP calls, or it is disabled there",
			spec->app_name, name);
	else if (known == NULL && spec->function_count > 0 &&
		 azure_spec_function(spec, name) == NULL)
		str_printf(warning,
			"\"%s\" is none of the functions that the upstream "
			"lists; it is called all the same",
			name);
}

static void
path_make(const struct azure_spec *spec, const char *route, struct str *out)
{
	const char *prefix = spec->route_prefix != NULL ? spec->route_prefix
							: PREFIX_DEFAULT;

	str_puts(out, prefix);
	while (out->length > 0 && out->data[out->length - 1] == '/')
		out->data[--out->length] = '\0';
	while (*route == '/')
		route++;
	if (out->length > 0)
		str_putc(out, '/');
	str_puts(out, route);
}

static int
settings_put(const struct azure_spec *spec, const char *name,
	struct str *settings, struct error *err)
{
	const struct azure_function *f = azure_spec_function(spec, name);
	struct azure_template *template;
	struct str text;

	str_init(&text);
	path_make(spec, f != NULL && f->route != NULL ? f->route : name, &text);
	template = azure_template_new(
		(struct slice){ text.data, text.length }, err);
	if (template != NULL) {
		azure_part_put(settings, FORM);
		azure_part_put(settings, spec->app_name);
		azure_part_put(settings, name);
		azure_part_put(settings, text.data);
		azure_part_put_number(settings, f != NULL);
		azure_part_put_number(
			settings, f != NULL ? f->level : AZURE_LEVEL_UNKNOWN);
		azure_part_put_number(settings,
			spec->secret != NULL || azure_spec_is_managed(spec));
		azure_part_put_number(settings, spec->authentication != NULL);
		azure_part_put_number(settings, spec->request_bytes_max);
		str_clear(&text);
		azure_spec_authority(spec, &text);
		azure_part_put(settings, text.data);
	}
	azure_template_free(template);
	str_fini(&text);
	return template == NULL ? -1 : 0;
}

int
azure_target_write(const void *data, const struct doc *destination,
	const char *const *known, size_t known_count, struct str *settings,
	struct str *warning, struct error *err)
{
	const struct azure_spec *spec = data;
	struct azure_destination d;
	int rc;

	if (destination == NULL)
		return error_set(err, ERROR_CONFIG,
			"a route to a function app needs a function: "
			"destinationSpec.azure.functionName (glooctl add route "
			"--function NAME)");
	if (schema_read(&azure_destination_schema, destination, &d, err) != 0)
		return -1;
	warn(spec, d.function, known, known_count, warning);
	rc = settings_put(spec, d.function, settings, err);
	schema_fini(&azure_destination_schema, &d);
	return rc;
}

/* ---- proxy */

static bool
target_read(struct azure_target *t, struct slice settings, struct error *err)
{
	struct slice rest = settings, form, path;
	uint64_t described, level, keys, token, request_max;

	if (!azure_part_take(&rest, &form) ||
		!slice_equal(form, slice_of(FORM)) ||
		(t->app = azure_part_take_text(&rest)) == NULL ||
		(t->function = azure_part_take_text(&rest)) == NULL ||
		!azure_part_take(&rest, &path) ||
		!azure_part_take_number(&rest, 1, &described) ||
		!azure_part_take_number(&rest, AZURE_LEVEL_UNKNOWN, &level) ||
		!azure_part_take_number(&rest, 1, &keys) ||
		!azure_part_take_number(&rest, 1, &token) ||
		!azure_part_take_number(
			&rest, AZURE_REQUEST_BYTES_MAX, &request_max) ||
		(t->authority = azure_part_take_text(&rest)) == NULL ||
		rest.length != 0)
		return false;
	t->described = described != 0;
	t->level = (uint8_t)level;
	t->keys = keys != 0;
	t->token = token != 0;
	t->request_max = (size_t)request_max;
	t->template = azure_template_new(path, err);
	return t->template != NULL;
}

struct azure_target *
azure_target_new(struct slice settings, struct error *err)
{
	struct azure_target *t = xcalloc(1, sizeof(*t));

	if (target_read(t, settings, err))
		return t;
	azure_target_free(t);
	error_set(err, ERROR_SYSTEM,
		"the settings of a function are not what control makes");
	return NULL;
}

void
azure_target_free(struct azure_target *t)
{
	if (t == NULL)
		return;
	free(t->app);
	free(t->function);
	free(t->authority);
	azure_template_free(t->template);
	free(t);
}
