/* The management API of a function app. */
#include "kinds/azure/management.h"

#include <stdlib.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "http/head.h"
#include "kinds/azure/template.h"

#define API_VERSION "2022-03-01"
#define WORD_MAX    64

/* ---- questions */

static const struct {
	const char *method, *permission;
} questions[] = {
	[AZURE_ASK_FUNCTIONS] = { "GET", "Microsoft.Web/sites/functions/read" },
	[AZURE_ASK_HOST_KEYS] = { "POST",
		"Microsoft.Web/sites/host/listKeys/action" },
	[AZURE_ASK_FUNCTION_KEYS] = { "POST",
		"Microsoft.Web/sites/functions/listKeys/action" },
};

const char *
azure_management_method(enum azure_question question)
{
	return questions[question].method;
}

const char *
azure_management_permission(enum azure_question question)
{
	return questions[question].permission;
}

static void
step_put(struct str *out, const char *collection, const char *name)
{
	str_printf(out, "/%s/", collection);
	str_put_escaped(out, name);
}

void
azure_management_url(const char *origin, const struct azure_spec *spec,
	enum azure_question question, const char *function, struct str *out)
{
	str_puts(out, origin);
	step_put(out, "subscriptions", spec->subscription_id);
	step_put(out, "resourceGroups", spec->resource_group);
	step_put(out, "providers/Microsoft.Web/sites", spec->app_name);
	if (spec->slot != NULL)
		step_put(out, "slots", spec->slot);
	switch (question) {
	case AZURE_ASK_FUNCTIONS:
		str_puts(out, "/functions");
		break;
	case AZURE_ASK_HOST_KEYS:
		str_puts(out, "/host/default/listkeys");
		break;
	case AZURE_ASK_FUNCTION_KEYS:
		step_put(out, "functions", function);
		str_puts(out, "/listkeys");
		break;
	}
	str_puts(out, "?api-version=" API_VERSION);
}

/* ---- functions */

static const struct doc *
http_trigger(const struct doc *properties)
{
	const struct doc *bindings =
		doc_find(properties, "config", "bindings", NULL);

	if (doc_type(bindings) != DOC_LIST)
		return NULL;
	for (size_t i = 0; i < doc_count(bindings); i++) {
		const struct doc *one = doc_at(bindings, i);

		if (doc_type(one) == DOC_MAP &&
			strcasecmp(doc_get_text(one, "type"), "httpTrigger") ==
				0)
			return one;
	}
	return NULL;
}

/* Without a word: function, as the platform. */
static uint8_t
level_of(const struct doc *trigger)
{
	const char *word = doc_get_text(trigger, "authLevel");

	if (strcasecmp(word, "anonymous") == 0)
		return AZURE_ANONYMOUS;
	return strcasecmp(word, "admin") == 0 ? AZURE_ADMIN : AZURE_FUNCTION;
}

/* What is behind the host of invoke_url_template, "https://host/api/x/{y?}". */
static const char *
url_path(const char *url)
{
	const char *host = url == NULL ? NULL : strstr(url, "://");

	return host == NULL ? NULL : strchr(host + 3, '/');
}

static bool
path_is_good(const char *path)
{
	struct azure_template *t =
		path == NULL ? NULL : azure_template_new(slice_of(path), NULL);

	azure_template_free(t);
	return t != NULL;
}

/* The operator's prefix is believed before what the platform says; NULL: what
 * either says is no template. */
static char *
path_of(const struct doc *properties, const struct doc *trigger,
	const char *name, const struct azure_spec *spec)
{
	const char *route = doc_get_string(trigger, "route");
	const char *path =
		url_path(doc_get_string(properties, "invoke_url_template"));
	const char *prefix = spec->route_prefix;
	char *made;

	if (prefix == NULL && path_is_good(path))
		return xstrdup(path);
	if (prefix == NULL)
		prefix = "api";
	if (route == NULL)
		route = name;
	made = xasprintf("%s/%s", prefix, *route == '/' ? route + 1 : route);
	if (path_is_good(made))
		return made;
	free(made);
	return NULL;
}

static bool
name_is_good(const char *name)
{
	return name[0] != '\0' && strlen(name) <= 128 &&
	       http_is_token(slice_of(name));
}

/* Without the app's: "my-app/hello". */
static const char *
name_of(const struct doc *function, const struct doc *properties)
{
	const char *name = doc_get_text(properties, "name"), *slash;

	if (name[0] == '\0')
		name = doc_get_text(function, "name");
	slash = strrchr(name, '/');
	return slash == NULL ? name : slash + 1;
}

static int
function_take(const struct doc *function, const struct azure_spec *spec,
	struct azure_credentials *out, struct error *err)
{
	const struct doc *properties = doc_get(function, "properties");
	const struct doc *trigger;
	struct azure_known *known;
	const char *name;
	char *path;

	if (doc_type(properties) != DOC_MAP)
		return 0;
	trigger = http_trigger(properties);
	name = name_of(function, properties);
	if (trigger == NULL || !name_is_good(name) ||
		doc_bool(doc_get(properties, "isDisabled")) ||
		doc_bool(doc_find(properties, "config", "disabled", NULL)))
		return 0;
	path = path_of(properties, trigger, name, spec);
	if (path == NULL)
		return 0; /* nobody could call it */
	known = azure_credentials_add(out, name);
	if (known == NULL) {
		free(path);
		return error_set(err, ERROR_LIMIT,
			"the app has more than %d functions", AZURE_KNOWN_MAX);
	}
	free(known->path);
	known->level = level_of(trigger);
	known->path = path;
	return 0;
}

static int
next_read(
	const struct doc *d, const char *origin, char **next, struct error *err)
{
	const char *link = doc_get_text(d, "nextLink");
	size_t length = strlen(origin);

	if (link[0] == '\0')
		return 0;
	/* The token of this origin must not go to another one. */
	if (strncmp(link, origin, length) != 0 || link[length] != '/')
		return error_set(err, ERROR_SYSTEM,
			"the next page is said to be on another server");
	*next = xstrdup(link);
	return 0;
}

/* NULL and err: it is no JSON object. */
static struct doc *
object_read(struct slice body, struct error *err)
{
	struct doc *d = json_doc_read(body.data, body.length, NULL);

	if (doc_type(d) == DOC_MAP)
		return d;
	doc_free_wiped(d);
	error_set(err, ERROR_SYSTEM, "the answer is no JSON object");
	return NULL;
}

int
azure_functions_read(struct slice body, const char *origin,
	const struct azure_spec *spec, struct azure_credentials *out,
	char **next, struct error *err)
{
	struct doc *d = object_read(body, err);
	const struct doc *list = doc_get(d, "value");
	int rc = 0;

	*next = NULL;
	if (d == NULL)
		return -1;
	if (doc_type(list) != DOC_LIST)
		rc = error_set(err, ERROR_SYSTEM,
			"the answer has no list of functions");
	for (size_t i = 0; rc == 0 && i < doc_count(list); i++)
		rc = doc_type(doc_at(list, i)) == DOC_MAP
			     ? function_take(doc_at(list, i), spec, out, err)
			     : 0;
	if (rc == 0)
		rc = next_read(d, origin, next, err);
	doc_free(d);
	return rc;
}

/* ---- keys */

/* A key that may be sent; NULL: there is none of that name. */
static char *
key_copy(const struct doc *keys, const char *name)
{
	const char *text =
		doc_type(keys) == DOC_MAP ? doc_get_string(keys, name) : NULL;

	if (text == NULL || text[0] == '\0' || strlen(text) > AZURE_KEY_MAX ||
		!http_is_field_value(slice_of(text)))
		return NULL;
	return xstrdup(text);
}

int
azure_host_keys_read(
	struct slice body, struct azure_credentials *out, struct error *err)
{
	struct doc *d = object_read(body, err);
	char *master, *fallback;

	if (d == NULL)
		return -1;
	master = key_copy(d, "masterKey");
	fallback = key_copy(doc_get(d, "functionKeys"), "default");
	doc_free_wiped(d);
	if (master == NULL && fallback == NULL)
		return error_set(err, ERROR_SYSTEM,
			"the answer has neither a masterKey nor a functionKeys."
			"default");
	mem_free_wiped(out->master);
	mem_free_wiped(out->fallback);
	out->master = master;
	out->fallback = fallback;
	return 0;
}

int
azure_function_keys_read(struct slice body, char **key, struct error *err)
{
	struct doc *d = object_read(body, err);

	*key = NULL;
	if (d == NULL)
		return -1;
	*key = key_copy(d, "default");
	for (size_t i = 0; *key == NULL && i < doc_count(d); i++)
		*key = key_copy(d, doc_key_at(d, i));
	doc_free_wiped(d);
	return *key != NULL
		       ? 0
		       : error_set(err, ERROR_SYSTEM, "the answer has no key");
}

void
azure_management_trouble(int status, struct slice body, struct str *out)
{
	struct doc *d = json_doc_read(body.data, body.length, NULL);
	const char *word = doc_string(doc_find(d, "error", "code", NULL));

	str_printf(out, "status %d", status);
	if (word != NULL && word[0] != '\0' && strlen(word) <= WORD_MAX &&
		http_is_token(slice_of(word)))
		str_printf(out, " %s", word);
	doc_free_wiped(d);
}
