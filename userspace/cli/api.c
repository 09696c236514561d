/* The admin API in the words of glooctl: objects, lists, verdicts. */
#include "cli/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/suggest.h"

const char *
api_word(enum model_type type)
{
	static const char *const words[MODEL_TYPE_COUNT] = {
		[MODEL_UPSTREAM] = "upstream",
		[MODEL_UPSTREAM_GROUP] = "upstream group",
		[MODEL_VIRTUAL_SERVICE] = "virtual service",
		[MODEL_GATEWAY] = "gateway",
		[MODEL_SECRET] = "secret",
	};

	return words[type];
}

/* The document that an answer holds, or err with what it says instead. */
static struct doc *
answer_read(int status, const struct str *answer, struct error *err)
{
	struct doc *d = json_doc_read(answer->data, answer->length, NULL);
	const char *sentence = doc_get_string(d, "error");

	if (d != NULL && sentence == NULL)
		return d;
	if (sentence != NULL)
		error_set(err, ERROR_CONFIG, "%s", sentence);
	else
		error_set(err, ERROR_SYSTEM,
			"the daemon answered %d, but not with JSON", status);
	if (sentence != NULL && err != NULL)
		err->line = (int)doc_integer(doc_get(d, "line"));
	doc_free(d);
	return NULL;
}

struct doc *
api_get(const struct cli *cli, const char *path, const char *query, int *status,
	struct error *err)
{
	struct client_request r = { .socket = cli->socket,
		.method = "GET",
		.path = path,
		.query = query };
	struct doc *d = NULL;
	struct str answer;
	int rc;

	str_init(&answer);
	rc = client_call(&r, &answer, err);
	if (rc >= 0)
		d = answer_read(rc, &answer, err);
	if (d != NULL && rc != 200) {
		error_set(err, ERROR_SYSTEM, "the daemon answered %d to %s", rc,
			path);
		doc_free(d);
		d = NULL;
	}
	str_fini(&answer);
	if (status != NULL)
		*status = rc;
	return d;
}

int
api_get_text(const struct cli *cli, const char *path, struct str *out,
	struct error *err)
{
	struct client_request r = {
		.socket = cli->socket, .method = "GET", .path = path
	};
	struct doc *d;
	int rc = client_call(&r, out, err);

	if (rc == 200)
		return 0;
	if (rc >= 0) {
		d = answer_read(rc, out, err);
		if (d != NULL)
			error_set(err, ERROR_SYSTEM,
				"the daemon answered %d to %s", rc, path);
		doc_free(d);
	}
	return -1;
}

static struct doc *
items_get(const struct cli *cli, enum model_type type, const char *query,
	struct error *err)
{
	char *path = xasprintf("/v1/%s", model_type_plural(type));
	struct doc *answer = api_get(cli, path, query, NULL, err);
	struct doc *items = doc_steal(answer, "items");

	free(path);
	if (answer != NULL && doc_type(items) != DOC_LIST)
		error_set(err, ERROR_SYSTEM,
			"the daemon answered without a list of items");
	doc_free(answer);
	if (doc_type(items) == DOC_LIST)
		return items;
	doc_free(items);
	return NULL;
}

struct doc *
api_preview(const struct cli *cli, struct error *err)
{
	return items_get(cli, MODEL_UPSTREAM, "preview=true", err);
}

struct doc *
api_list(const struct cli *cli, enum model_type type, const char *ns,
	struct error *err)
{
	struct doc *items = items_get(cli, type, NULL, err);

	for (size_t i = doc_count(items); ns != NULL && i-- > 0;) {
		const char *its = doc_string(doc_find(
			doc_at(items, i), "metadata", "namespace", NULL));

		if (its == NULL || strcmp(its, ns) != 0)
			doc_free(doc_steal_at(items, i));
	}
	return items;
}

static void
missing_explain(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, struct error *err)
{
	struct doc *items = api_list(cli, type, ns, NULL);
	struct suggest near;

	suggest_init(&near, name);
	for (size_t i = 0; i < doc_count(items); i++) {
		const char *other = doc_string(
			doc_find(doc_at(items, i), "metadata", "name", NULL));

		if (other != NULL)
			suggest_offer(&near, other);
	}
	error_set(err, ERROR_CONFIG,
		"there is no %s named \"%s\" in namespace %s%s%s%s",
		api_word(type), name, ns,
		near.nearest != NULL ? "; did you mean " : "",
		near.nearest != NULL ? near.nearest : "",
		near.nearest != NULL ? "?" : "");
	doc_free(items);
}

static char *
object_path(enum model_type type, const char *ns, const char *name,
	struct error *err)
{
	const char *wrong = !model_name_valid(ns)     ? ns
			    : !model_name_valid(name) ? name
						      : NULL;

	if (wrong == NULL)
		return xasprintf(
			"/v1/%s/%s/%s", model_type_plural(type), ns, name);
	error_set(err, ERROR_CONFIG,
		"\"%.64s\" is not a name: 1 to 253 letters a-z, digits, - and "
		". only",
		wrong);
	return NULL;
}

struct doc *
api_object(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, int *status, struct error *err)
{
	struct error its = ERROR_INIT;
	struct doc *d = NULL;
	char *path = object_path(type, ns, name, &its);
	int rc = -1;

	if (path != NULL)
		d = api_get(cli, path, NULL, &rc, &its);
	free(path);
	if (status != NULL)
		*status = rc;
	if (d == NULL && rc == 404)
		missing_explain(cli, type, ns, name, err);
	else if (d == NULL)
		error_set(err, its.code, "%s", its.text);
	return d;
}

static int
change(const struct cli *cli, const char *method, const char *path,
	const struct doc *object, struct doc **verdict, struct error *err)
{
	struct client_request r = { .socket = cli->socket,
		.method = method,
		.path = path,
		.query = cli->dry_run ? "dryRun=true" : NULL };
	struct str body, answer;
	int rc;

	str_init(&body);
	str_init(&answer);
	*verdict = NULL;
	if (object != NULL) {
		json_doc_write(object, 0, &body);
		r.content_type = "application/json";
		r.body = (struct slice){ body.data, body.length };
	}
	rc = client_call(&r, &answer, err);
	if (rc >= 0)
		*verdict = answer_read(rc, &answer, err);
	if (*verdict != NULL && rc != 200 && rc != 202 && rc != 422) {
		error_set(err, ERROR_SYSTEM, "the daemon answered %d", rc);
		doc_free(*verdict);
		*verdict = NULL;
	}
	str_fini_wiped(&body); /* it may be a secret */
	str_fini(&answer);
	return rc;
}

int
api_put(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, const struct doc *object, struct doc **verdict,
	struct error *err)
{
	char *path = object_path(type, ns, name, err);
	int rc;

	*verdict = NULL;
	if (path == NULL)
		return -1;
	rc = change(cli, "PUT", path, object, verdict, err);
	free(path);
	return rc;
}

int
api_delete(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, struct doc **verdict, struct error *err)
{
	char *path = object_path(type, ns, name, err);
	int rc;

	*verdict = NULL;
	if (path == NULL)
		return -1;
	rc = change(cli, "DELETE", path, NULL, verdict, err);
	free(path);
	return rc;
}

int
api_reload(const struct cli *cli, struct error *err)
{
	struct client_request r = {
		.socket = cli->socket, .method = "POST", .path = "/v1/reload"
	};
	struct doc *d = NULL;
	struct str answer;
	int rc;

	str_init(&answer);
	rc = client_call(&r, &answer, err);
	if (rc >= 0)
		d = answer_read(rc, &answer, err);
	if (d != NULL && rc != 200)
		error_set(err, ERROR_SYSTEM,
			"the daemon answered %d to a reload", rc);
	rc = d != NULL && rc == 200 ? 0 : -1;
	doc_free(d);
	str_fini(&answer);
	return rc;
}
