/* A change and its verdict. */
#include "cli/change.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/describe.h"
#include "cli/output.h"

#define TRIES 5 /* when somebody else changes the same object */

static const struct change_place nowhere = { NULL, NULL };

/* ---- where it is wrong */

/* The line of what a sentence "virtualHost.routes[3].matchers: ..." begins
 * with, or of the nearest thing above that is there; 0: unknown. */
static int
line_of(const struct doc *d, const char *sentence)
{
	const char *p = sentence;
	int line = 0;
	char key[64];

	while (d != NULL) {
		size_t n = 0;
		char *end;

		line = doc_line(d) > 0 ? doc_line(d) : line;
		if (*p == '[') {
			d = doc_at(d, strtoul(p + 1, &end, 10));
			p = *end == ']' ? end + 1 : end;
			continue;
		}
		p += *p == '.';
		while (n + 1 < sizeof(key) &&
			(isalnum((unsigned char)p[n]) || p[n] == '_'))
			n++;
		if (n == 0 || strchr(".[:", p[n]) == NULL || p[n] == '\0')
			break;
		memcpy(key, p, n);
		key[n] = '\0';
		d = doc_get(d, key);
		p += n;
	}
	return line;
}

static char *
rejection(const struct change_place *place, const char *reason, int line)
{
	if (place->source != NULL)
		line = line_of(place->source, reason);
	if (place->file != NULL && line > 0)
		return xasprintf("%s:%d: %s", place->file, line, reason);
	if (place->file != NULL)
		return xasprintf("%s: %s", place->file, reason);
	return xstrdup(reason);
}

static int
refuse(const struct change_place *place, const char *reason, int line,
	char **refused)
{
	char *sentence = rejection(place, reason, line);

	if (refused != NULL) {
		*refused = sentence;
		return CLI_REJECTED;
	}
	cli_say("rejected: %s", sentence);
	free(sentence);
	return CLI_REJECTED;
}

/* ---- the verdict */

static void
pending_say(const struct doc *verdict)
{
	const char *proxy = doc_get_string(verdict, "proxy");
	const char *kernel = doc_get_string(verdict, "kernel");

	cli_say("pending: stored, but generation %lld is not enforced yet "
		"(proxy: %s, kernel: %s); \"glooctl check\" says what is wrong",
		(long long)doc_integer(doc_get(verdict, "generation")),
		proxy != NULL ? proxy : "unknown",
		kernel != NULL ? kernel : "unknown");
}

/* Says what is to be said of a verdict that is no rejection. */
static int
verdict_say(int status, const struct doc *verdict)
{
	const char *state = doc_get_string(verdict, "state");
	const char *reason = doc_get_string(verdict, "reason");

	if (state == NULL)
		state = "Pending";
	if (strcmp(state, "Warning") == 0 ||
		(reason != NULL && reason[0] != '\0'))
		cli_say("warning: %s", reason != NULL && reason[0] != '\0'
					       ? reason
					       : "the daemon gave no reason");
	if (status == 202 || strcmp(state, "Pending") == 0) {
		pending_say(verdict);
		return CLI_PENDING;
	}
	return strcmp(state, "Warning") == 0 ? CLI_WARNING : CLI_OK;
}

/* The object shows the verdict of this change, whatever it had before. */
static void
status_set(struct doc *object, const struct doc *verdict)
{
	const char *state = doc_get_string(verdict, "state");
	const char *reason = doc_get_string(verdict, "reason");
	struct doc *status = doc_new_map();
	struct doc *secret = doc_steal(doc_get(object, "status"), "secret");

	doc_set_string(status, "reportedBy", "gloo");
	doc_set_string(status, "state", state != NULL ? state : "Pending");
	if (reason != NULL && reason[0] != '\0')
		doc_set_string(status, "reason", reason);
	if (secret != NULL)
		doc_set(status, "secret", secret);
	doc_set(object, "status", status);
}

static int
object_print(const struct cli *cli, enum model_type type, struct doc *object,
	struct error *err)
{
	struct doc *list = doc_new_list();
	int rc;

	doc_add(list, object);
	rc = output_objects(cli, type, list, true, err);
	doc_free(list);
	return rc;
}

static bool
is_rejected(int status, const struct doc *verdict)
{
	const char *state = doc_get_string(verdict, "state");

	return status == 422 ||
	       (state != NULL && strcmp(state, "Rejected") == 0);
}

/* Takes verdict. */
static int
verdict_print(const struct cli *cli, enum model_type type, int status,
	struct doc *verdict, const struct change_place *place, char **refused)
{
	const char *reason = doc_get_string(verdict, "reason");
	struct error err = ERROR_INIT;
	struct doc *object;
	int rc;

	if (is_rejected(status, verdict)) {
		rc = refuse(place, reason != NULL ? reason : "no reason given",
			(int)doc_integer(doc_get(verdict, "line")), refused);
		doc_free(verdict);
		return rc;
	}
	object = doc_steal(verdict, "resource");
	if (object != NULL) {
		status_set(object, verdict);
		if (object_print(cli, type, object, &err) != 0)
			cli_error(&err);
	}
	rc = verdict_say(status, verdict);
	doc_free(verdict);
	return rc;
}

/* The answer was no verdict. */
static int
failure_print(int status, const struct error *err,
	const struct change_place *place, char **refused)
{
	switch (status) {
	case 400:
	case 413:
	case 422:
	case 507:
		return refuse(place, err->text, err->line, refused);
	default:
		return cli_error(err);
	}
}

int
change_store_or(const struct cli *cli, enum model_type type,
	const struct doc *object, const struct change_place *place,
	char **refused)
{
	struct error err = ERROR_INIT;
	const char *ns = describe_namespace(object);
	struct doc *verdict;
	int status;

	if (ns[0] == '\0')
		ns = MODEL_NAMESPACE_DEFAULT;
	status = api_put(
		cli, type, ns, describe_name(object), object, &verdict, &err);
	if (verdict == NULL)
		return failure_print(status, &err, place, refused);
	return verdict_print(cli, type, status, verdict, place, refused);
}

int
change_store(const struct cli *cli, enum model_type type,
	const struct doc *object, const struct change_place *place)
{
	return change_store_or(
		cli, type, object, place != NULL ? place : &nowhere, NULL);
}

/* ---- deleting */

int
change_delete(const struct cli *cli, enum model_type type, const char *name)
{
	struct error err = ERROR_INIT;
	struct doc *object = api_object(cli, type, cli->ns, name, NULL, &err);
	struct doc *verdict = NULL;
	int status, rc;

	if (object == NULL)
		return cli_error(&err);
	if (cli->dry_run) {
		printf("%s %s.%s would be deleted\n", api_word(type), cli->ns,
			name);
		rc = CLI_OK;
		goto out;
	}
	status = api_delete(cli, type, cli->ns, name, &verdict, &err);
	if (verdict == NULL) {
		rc = failure_print(status, &err, &nowhere, NULL);
		goto out;
	}
	if (is_rejected(status, verdict)) {
		rc = verdict_print(cli, type, status, verdict, &nowhere, NULL);
		goto out;
	}
	printf("%s %s.%s deleted\n", api_word(type), cli->ns, name);
	if (*doc_get_text(verdict, "note") != '\0')
		cli_say("note: %s", doc_get_text(verdict, "note"));
	rc = verdict_say(status, verdict);
	doc_free(verdict);
out:
	doc_free(object);
	return rc;
}

int
change_is_new(const struct cli *cli, enum model_type type, const char *ns,
	const char *name, struct error *err)
{
	const char *word = api_word(type);
	int status;
	struct error its = ERROR_INIT;
	struct doc *d = api_object(cli, type, ns, name, &status, &its);

	if (d == NULL && status == 404)
		return 0;
	if (d == NULL)
		return error_set(err, its.code, "%s", its.text);
	doc_free(d);
	return error_set(err, ERROR_CONFIG,
		"there is %s %s named \"%s\" already in namespace %s; change "
		"it with \"glooctl edit\", or delete it first",
		strchr("aeiou", word[0]) != NULL ? "an" : "a", word, name, ns);
}

/* ---- read, edit, store */

int
change_edit(const struct cli *cli, enum model_type type,
	const struct change_edit *e)
{
	struct error err = ERROR_INIT;
	struct doc *object = NULL, *verdict = NULL;
	int status = 0;

	for (int i = 0; i < TRIES; i++) {
		int rc;

		err = (struct error)ERROR_INIT;
		object = e->read(cli, e->arg, &err);
		if (object == NULL)
			return cli_error(&err);
		rc = e->edit(cli, object, e->arg, &err);
		if (rc > 0) {
			rc = object_print(cli, type, object, &err);
			return rc == 0 ? CLI_OK : cli_error(&err);
		}
		if (rc < 0) {
			doc_free(object);
			return cli_error(&err);
		}
		status = api_put(cli, type, describe_namespace(object),
			describe_name(object), object, &verdict, &err);
		doc_free(object);
		if (status != 409)
			break;
	}
	if (verdict == NULL)
		return failure_print(status, &err, &nowhere, NULL);
	return verdict_print(cli, type, status, verdict, &nowhere, NULL);
}
