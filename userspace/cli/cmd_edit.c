/* glooctl edit: an object as YAML in the operator's editor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cli/api.h"
#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"
#include "cli/rate_limit.h"

#define ROUNDS 20 /* of an editor that always writes the same mistake */

static cli_run_f object_edit, upstream_edit, virtual_service_edit;

static const struct cli_flag upstream_flags[] = {
	CLI_FLAG_NAME("upstream", "upstreams"),
	{ .name = "ssl-secret-name",
		.argument = "string",
		.help = "speak TLS, with the certificates of that secret",
		.complete = "secrets" },
	{ .name = "ssl-secret-namespace",
		.argument = "string",
		.fallback = MODEL_NAMESPACE_DEFAULT,
		.help = "namespace of that secret" },
	{ .name = "ssl-sni",
		.argument = "string",
		.help = "speak TLS, and ask for that server name" },
	{ .name = "ssl-remove", .help = "take sslConfig away" },
	CLI_FLAG_END,
};

static const struct cli_command upstream = {
	CLI_UPSTREAM,
	.arguments = "NAME",
	.summary = "edit an upstream",
	.about = "With a flag about TLS no editor opens.\n",
	.examples = "  glooctl edit upstream backend --ssl-secret-name "
		    "backend-ca\n"
		    "  glooctl edit upstream backend --ssl-remove\n",
	.flags = upstream_flags,
	.run = upstream_edit,
};

static const struct cli_command upstream_group = {
	CLI_UPSTREAM_GROUP,
	.arguments = "NAME",
	.summary = "edit an upstream group: its upstreams and their weights",
	.flags = choose_flags[MODEL_UPSTREAM_GROUP],
	.run = object_edit,
};

static const struct cli_flag virtual_service_flags[] = {
	CLI_FLAG_NAME("virtual service", "virtualservices"),
	CLI_FLAGS_RATE_LIMIT,
	CLI_FLAG_END,
};

static const struct cli_command virtual_service = {
	CLI_VIRTUAL_SERVICE,
	.arguments = "NAME",
	.summary = "edit a virtual service",
	.about = "With a flag about rate limiting no editor opens.\n",
	.examples = "  glooctl edit virtualservice default\n"
		    "  glooctl edit virtualservice default "
		    "--enable-rate-limiting \\\n"
		    "      --rate-limit-requests 100 --rate-limit-time-unit "
		    "MINUTE\n"
		    "  glooctl edit virtualservice default "
		    "--enable-rate-limiting=false\n",
	.flags = virtual_service_flags,
	.run = virtual_service_edit,
};

static const struct cli_command gateway = {
	CLI_GATEWAY,
	.arguments = "NAME",
	.summary = "edit a gateway",
	.flags = choose_flags[MODEL_GATEWAY],
	.run = object_edit,
};

static const struct cli_command *const children[] = {
	&upstream,
	&upstream_group,
	&virtual_service,
	&gateway,
	NULL,
};

static const struct cli_flag flags[] = {
	{ .name = "resource-version",
		.argument = "number",
		.help = "edit only if this is the version stored" },
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_OUTPUT,
	CLI_FLAG_DRY_RUN,
	CLI_FLAG_END,
};

const struct cli_command cli_command_edit = {
	.name = "edit",
	.aliases = "ed",
	.summary = "edit an object in $EDITOR",
	.about =
		"The editor ($EDITOR, else $VISUAL, else vi) opens again with "
		"the reason when the\nchange is rejected; leave the text as it "
		"is to give up.\n",
	.examples = "  glooctl edit virtualservice default\n",
	.flags = flags,
	.children = children,
};

struct editing {
	enum model_type type;
	struct doc *object; /* as it is stored */
	char path[64];      /* the file that the editor opens */
	struct str text;    /* what it holds */
};

static int
editor_run(const char *path, struct error *err)
{
	const char *editor = getenv("EDITOR");
	int status;
	pid_t pid;

	if (editor == NULL || editor[0] == '\0')
		editor = getenv("VISUAL");
	if (editor == NULL || editor[0] == '\0')
		editor = "vi";
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return error_errno(err, errno, "cannot start the editor");
	if (pid == 0) {
		/* By a shell, because it may have arguments of its own. */
		char *command = xasprintf("%s \"$1\"", editor);

		execl("/bin/sh", "sh", "-c", command, editor, path,
			(char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(
				err, errno, "cannot wait for the editor");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_SYSTEM,
			"the editor (%.100s) failed; nothing was changed",
			editor);
	return 0;
}

static int
file_write(const struct editing *e, struct error *err)
{
	return file_replace(e->path, e->text.data, e->text.length, 0600, err);
}

/* The temporary file with the object in it, without status. */
static int
editing_open(struct editing *e, struct error *err)
{
	const char *folder = getenv("TMPDIR");
	struct doc *d = doc_copy(e->object);
	int fd;

	if (folder == NULL || strlen(folder) > 32)
		folder = "/tmp";
	snprintf(e->path, sizeof(e->path), "%s/glooctl-XXXXXX.yaml", folder);
	doc_free(doc_steal(d, "status"));
	yaml_doc_write(d, &e->text);
	doc_free(d);
	fd = mkstemps(e->path, 5);
	if (fd < 0)
		return error_errno(err, errno, "cannot make %s", e->path);
	close(fd);
	return file_write(e, err);
}

/* Lines of an earlier round's message, at the top of the file. */
static void
message_drop(struct str *text)
{
	while (strncmp(text->data, "# rejected:", 11) == 0) {
		size_t length = strcspn(text->data, "\n");

		str_consume(text, length + (text->data[length] == '\n'));
	}
}

static void
message_put(struct str *text, const char *reason)
{
	struct str whole;

	str_init(&whole);
	str_puts(&whole, "# rejected: ");
	for (; *reason != '\0'; reason++)
		str_putc(&whole, *reason == '\n' ? ' ' : *reason);
	str_putc(&whole, '\n');
	str_append(&whole, text->data, text->length);
	str_fini(text);
	*text = whole;
}

/* Opens the editor. 1: the text was left as it was. */
static int
round_run(struct editing *e, struct error *err)
{
	struct str now;
	int rc = -1;

	str_init(&now);
	if (editor_run(e->path, err) != 0 ||
		file_read(e->path, DOC_MAX_BYTES, &now, err) != 0)
		goto out;
	rc = now.length == e->text.length &&
	     memcmp(now.data, e->text.data, now.length) == 0;
	str_clear(&e->text);
	str_append(&e->text, now.data, now.length);
	message_drop(&e->text);
out:
	str_fini(&now);
	return rc;
}

/* Sends what the editor left; *refused is set when it is to be edited again. */
static int
text_store(const struct cli *cli, struct editing *e, char **refused)
{
	const char *version = doc_string(
		doc_find(e->object, "metadata", "resourceVersion", NULL));
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(e->text.data, e->text.length, &err);
	const struct change_place place = { e->path, d };
	struct doc *meta = doc_get(d, "metadata");
	int rc;

	if (d == NULL || doc_type(meta) != DOC_MAP) {
		*refused =
			d == NULL ? xasprintf("line %d: %s", err.line, err.text)
				  : xstrdup("metadata is missing");
		doc_free(d);
		return CLI_REJECTED;
	}
	/* So that what somebody else changed meanwhile is not undone. */
	if (version != NULL)
		doc_set_string(meta, "resourceVersion", version);
	rc = change_store_or(cli, e->type, d, &place, refused);
	doc_free(d);
	return rc;
}

static int
rounds_run(const struct cli *cli, struct editing *e, bool *keep)
{
	struct error err = ERROR_INIT;
	char *refused = NULL;
	int rc = CLI_OK;

	for (int i = 0; i < ROUNDS; i++) {
		int same = round_run(e, &err);

		if (same < 0) {
			rc = cli_error(&err);
			break;
		}
		if (same > 0) {
			cli_say(rc == CLI_REJECTED
					? "edit given up: nothing was stored"
					: "edit cancelled: nothing changed");
			break;
		}
		free(refused);
		refused = NULL;
		rc = text_store(cli, e, &refused);
		if (refused == NULL) {
			*keep = rc == CLI_USAGE;
			break;
		}
		cli_say("rejected: %s", refused);
		message_put(&e->text, refused);
		if (file_write(e, &err) != 0) {
			rc = cli_error(&err);
			break;
		}
	}
	free(refused);
	return rc;
}

static int
version_check(
	const struct cli *cli, const struct doc *object, struct error *err)
{
	const char *wanted = cli_text(cli, "resource-version");
	const char *version = doc_string(
		doc_find(object, "metadata", "resourceVersion", NULL));

	if (wanted == NULL || (version != NULL && strcmp(wanted, version) == 0))
		return 0;
	return error_set(err, ERROR_CONFIG, "the version stored is %s, not %s",
		version != NULL ? version : "unknown", wanted);
}

static int
object_edit(struct cli *cli)
{
	static const char *const questions[MODEL_TYPE_COUNT] = {
		[MODEL_UPSTREAM] = "Choose an upstream to edit:",
		[MODEL_UPSTREAM_GROUP] = "Choose an upstream group to edit:",
		[MODEL_VIRTUAL_SERVICE] = "Choose a virtual service to edit:",
		[MODEL_GATEWAY] = "Choose a gateway to edit:",
	};
	enum model_type type = cli_leaf(cli)->type;
	struct editing e = { .type = type };
	struct error err = ERROR_INIT;
	char *name = choose_name(cli, type, questions[type], &err);
	bool keep = false;
	int rc;

	if (name == NULL)
		return cli_usage(cli, "%s", err.text);
	str_init(&e.text);
	e.object = api_object(cli, type, cli->ns, name, NULL, &err);
	if (e.object == NULL || version_check(cli, e.object, &err) != 0 ||
		editing_open(&e, &err) != 0)
		rc = cli_error(&err);
	else
		rc = rounds_run(cli, &e, &keep);
	if (keep)
		cli_say("your text is kept in %s", e.path);
	else if (e.path[0] != '\0')
		unlink(e.path);
	doc_free(e.object);
	str_fini(&e.text);
	free(name);
	return rc;
}

/* ---- by flags */

static struct doc *
stored_read(const struct cli *cli, void *arg, struct error *err)
{
	struct doc *object =
		api_object(cli, cli_leaf(cli)->type, cli->ns, arg, NULL, err);

	if (object != NULL && version_check(cli, object, err) == 0)
		return object;
	doc_free(object);
	return NULL;
}

static int
limit_edit(const struct cli *cli, struct doc *object, void *arg,
	struct error *err)
{
	(void)arg;
	return rate_limit_apply(cli, object, err);
}

static int
virtual_service_edit(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct change_edit edit = { stored_read, limit_edit, NULL };
	int rc;

	if (!rate_limit_given(cli))
		return object_edit(cli);
	edit.arg = choose_name(cli, MODEL_VIRTUAL_SERVICE,
		"Choose a virtual service to edit:", &err);
	if (edit.arg == NULL)
		return cli_usage(cli, "%s", err.text);
	rc = change_edit(cli, MODEL_VIRTUAL_SERVICE, &edit);
	free(edit.arg);
	return rc;
}

/* What else stands in sslConfig stays. */
static int
ssl_edit(const struct cli *cli, struct doc *object, void *arg,
	struct error *err)
{
	struct doc *ssl = doc_get(object, "sslConfig"), *ref;

	(void)arg;
	(void)err;
	if (cli_switch(cli, "ssl-remove")) {
		doc_free(doc_steal(object, "sslConfig"));
		return ssl == NULL ? 1 : 0;
	}
	if (doc_type(ssl) != DOC_MAP)
		ssl = doc_set(object, "sslConfig", doc_new_map());
	if (cli_given(cli, "ssl-sni"))
		doc_set_string(ssl, "sni", cli_text(cli, "ssl-sni"));
	if (!cli_given(cli, "ssl-secret-name"))
		return 0;
	doc_free(doc_steal(ssl, "sslFiles"));
	ref = doc_set(ssl, "secretRef", doc_new_map());
	doc_set_string(ref, "name", cli_text(cli, "ssl-secret-name"));
	doc_set_string(ref, "namespace", cli_text(cli, "ssl-secret-namespace"));
	return 0;
}

static int
upstream_edit(struct cli *cli)
{
	bool set = cli_given(cli, "ssl-secret-name") ||
		   cli_given(cli, "ssl-sni");
	struct change_edit edit = { stored_read, ssl_edit, NULL };
	struct error err = ERROR_INIT;
	int rc;

	if (!set && cli_given(cli, "ssl-secret-namespace"))
		return cli_usage(cli, "--ssl-secret-namespace is of a secret: "
				      "name it with --ssl-secret-name");
	if (set && cli_switch(cli, "ssl-remove"))
		return cli_usage(cli, "--ssl-remove takes away what the other "
				      "flags set");
	if (!set && !cli_switch(cli, "ssl-remove"))
		return object_edit(cli);
	edit.arg = choose_name(
		cli, MODEL_UPSTREAM, "Choose an upstream to edit:", &err);
	if (edit.arg == NULL)
		return cli_usage(cli, "%s", err.text);
	rc = change_edit(cli, MODEL_UPSTREAM, &edit);
	free(edit.arg);
	return rc;
}
