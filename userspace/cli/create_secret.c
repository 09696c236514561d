/* glooctl create secret: certificates and keys, out of files, flags or answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/choose.h"
#include "cli/create.h"
#include "cli/prompt.h"

#define PEM_MAX         (1u << 20)
#define CREDENTIALS_MAX (1u << 20)

static cli_run_f create_tls, create_aws, create_azure;

#define NAME_FLAGS                                                             \
	{                                                                      \
		.name = "name", .argument = "string",                          \
		.help = "name of the secret"                                   \
	},                                                                     \
	{                                                                      \
		.name = "replace",                                             \
		.help = "replace the secret if there is one: it is used from " \
			"then on, without a restart"                           \
	}

static const struct cli_flag tls_flags[] = {
	NAME_FLAGS,
	{ .name = "certchain",
		.argument = "path",
		.help = "file with the certificate and those above it, PEM",
		.complete = "file" },
	{ .name = "privatekey",
		.argument = "path",
		.help = "file with its key, PEM, without a passphrase",
		.complete = "file" },
	{ .name = "rootca",
		.argument = "path",
		.help = "file with the certificates of whom is trusted, PEM",
		.complete = "file" },
	CLI_FLAG_END,
};

static const struct cli_command tls = {
	.name = "tls",
	.arguments = "[NAME]",
	.summary = "create a secret of certificates and a key",
	.about = "--certchain and --privatekey are what the gateway comes with, "
		 "--rootca whom it\ntrusts; one of both is enough.\n",
	.examples = "  glooctl create secret tls backend --rootca ca.pem\n"
		    "  glooctl create secret tls client --certchain cert.pem "
		    "--privatekey key.pem\n",
	.flags = tls_flags,
	.run = create_tls,
	.arguments_max = 1,
};

static const struct cli_flag aws_flags[] = {
	NAME_FLAGS,
	{ .name = "access-key",
		.argument = "string",
		.help = "access key id; empty, as without it: that of "
			"~/.aws/credentials" },
	{ .name = "secret-key",
		.argument = "string",
		.help = "secret access key; likewise" },
	{ .name = "session-token",
		.argument = "string",
		.help = "session token of keys for a time" },
	CLI_FLAG_END,
};

static const struct cli_command aws = {
	.name = "aws",
	.arguments = "[NAME]",
	.summary = "create a secret of AWS keys",
	.about = "What stands on a command line others can see: better are -i, "
		 "which asks without\nan echo, and the file of the AWS tools "
		 "($AWS_SHARED_CREDENTIALS_FILE, else\n~/.aws/credentials), of "
		 "which $AWS_PROFILE, else \"default\", is taken.\n",
	.examples = "  glooctl create secret aws lambda\n"
		    "  glooctl create secret aws lambda -i\n",
	.flags = aws_flags,
	.run = create_aws,
	.arguments_max = 1,
};

static const struct cli_flag azure_flags[] = {
	NAME_FLAGS,
	{ .name = "api-keys",
		.argument = "strings",
		.help = "function=key, comma-separated; _master is the host's" },
	CLI_FLAG_END,
};

static const struct cli_command azure = {
	.name = "azure",
	.arguments = "[NAME]",
	.summary = "create a secret of Azure Functions keys",
	.about = "What stands on a command line others can see; -i asks "
		 "without an echo.\n",
	.examples = "  glooctl create secret azure functions -i\n",
	.flags = azure_flags,
	.run = create_azure,
	.arguments_max = 1,
};

static const struct cli_command *const children[] = {
	&tls,
	&aws,
	&azure,
	NULL,
};

const struct cli_command create_secret_command = {
	.name = "secret",
	.aliases = "secrets sec s",
	.summary = "create a secret",
	.about = "Nobody is shown a value again: \"get secrets\" says "
		 "fingerprint, expiry and who uses it.\n",
	.examples = "  glooctl create secret tls backend --rootca ca.pem\n",
	.children = children,
};

/* Takes values, the map below key. */
static int
secret_store(const struct cli *cli, const char *key, struct doc *values,
	const char *ns, const char *name)
{
	struct doc *object = create_object_new(ns, name);

	doc_set(object, key, values);
	return create_object_store(
		cli, MODEL_SECRET, object, cli_switch(cli, "replace"));
}

/* As create_names_ask; of a secret they are asked for first, and in Gloo's
 * words for it. */
static int
names_ask(const struct cli *cli, char **ns, char **name, struct error *err)
{
	if (!cli->interactive)
		return create_names_ask(cli, ns, name, err);
	*ns = *name = NULL;
	if (cli_given(cli, "namespace"))
		*ns = xstrdup(cli->ns);
	else if (choose_namespace(cli, "Please choose a namespace", ns, err) !=
		 0)
		return -1;
	if (cli_name(cli) != NULL)
		*name = xstrdup(cli_name(cli));
	else if (prompt_text("name of secret", NULL, name, err) != 0)
		return -1;
	return 0;
}

/* An answer without an echo, unless the flag was given; "" is none. */
static int
value_ask(const struct cli *cli, const char *flag, const char *question,
	struct doc *values, const char *key, struct error *err)
{
	char *answer = NULL;

	if (cli_given(cli, flag)) {
		if (cli_text(cli, flag)[0] != '\0')
			doc_set_string(values, key, cli_text(cli, flag));
		return 0;
	}
	if (!cli->interactive)
		return 0;
	if (prompt_secret(question, &answer, err) != 0)
		return -1;
	if (answer[0] != '\0')
		doc_set_string(values, key, answer);
	mem_free_wiped(answer);
	return 0;
}

/* ---- tls */

static int
file_add(struct doc *values, const char *key, const char *path,
	struct error *err)
{
	struct str text;
	int rc;

	str_init(&text);
	rc = file_read(path, PEM_MAX, &text, err);
	if (rc == 0 && memchr(text.data, '\0', text.length) != NULL)
		rc = error_set(err, ERROR_CONFIG,
			"%s is no text: PEM is needed, as \"openssl x509\" and "
			"\"openssl pkey\" write it",
			path);
	if (rc == 0)
		doc_set_string(values, key, text.data);
	str_fini_wiped(&text);
	return rc;
}

static int
files_ask(const struct cli *cli, struct doc *values, struct error *err)
{
	static const struct {
		const char *flag, *key, *question;
	} rows[] = {
		{ "rootca", "rootCa", "filename of rootca for secret:" },
		{ "privatekey", "privateKey",
			"filename of privatekey for secret:" },
		{ "certchain", "certChain",
			"filename of certchain for secret:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = cli_text(cli, rows[i].flag);
		char *answer = NULL;
		int rc = 0;

		if (path == NULL && cli->interactive) {
			if (prompt_text(rows[i].question, "", &answer, err) !=
				0)
				return -1;
			path = answer;
		}
		if (path != NULL && path[0] != '\0')
			rc = file_add(values, rows[i].key, path, err);
		free(answer);
		if (rc != 0)
			return -1;
	}
	if (doc_count(values) > 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"--certchain with --privatekey, or --rootca, is missing");
}

static int
create_tls(struct cli *cli)
{
	struct doc *values = doc_new_map();
	struct error err = ERROR_INIT;
	char *ns = NULL, *name = NULL;
	int rc;

	if (names_ask(cli, &ns, &name, &err) != 0 ||
		files_ask(cli, values, &err) != 0) {
		doc_free_wiped(values);
		rc = cli_usage(cli, "%s", err.text);
	} else {
		rc = secret_store(cli, "tls", values, ns, name);
	}
	free(ns);
	free(name);
	return rc;
}

/* ---- aws */

static char *
credentials_path(void)
{
	const char *path = getenv("AWS_SHARED_CREDENTIALS_FILE");
	const char *home = getenv("HOME");

	if (path != NULL && path[0] != '\0')
		return xstrdup(path);
	return xasprintf("%s/.aws/credentials", home != NULL ? home : "");
}

/* "key = value" of the profile's lines. */
static void
credential_take(struct doc *values, char *line)
{
	static const struct {
		const char *name, *key;
	} rows[] = {
		{ "aws_access_key_id", "accessKey" },
		{ "aws_secret_access_key", "secretKey" },
		{ "aws_session_token", "sessionToken" },
	};
	char *name, *value = strchr(line, '=');
	size_t length;

	if (value == NULL)
		return;
	*value++ = '\0';
	name = line + strspn(line, " \t");
	name[strcspn(name, " \t")] = '\0';
	value += strspn(value, " \t");
	for (length = strlen(value);
		length > 0 && strchr(" \t\r", value[length - 1]) != NULL;)
		value[--length] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(name, rows[i].name) == 0 && length > 0)
			doc_set_string(values, rows[i].key, value);
}

static int
credentials_read(struct doc *values, struct error *err)
{
	const char *profile = getenv("AWS_PROFILE");
	char *path = credentials_path(), *head, *rest, *line;
	struct error its = ERROR_INIT;
	bool ours = false;
	struct str text;
	int rc;

	if (profile == NULL || profile[0] == '\0')
		profile = "default";
	head = xasprintf("[%s]", profile);
	str_init(&text);
	rc = file_read(path, CREDENTIALS_MAX, &text, &its);
	for (rest = text.data; rc == 0 && rest != NULL;) {
		line = strsep(&rest, "\n");
		if (line[0] == '[')
			ours = strncmp(line, head, strlen(head)) == 0;
		else if (ours)
			credential_take(values, line);
	}
	if (rc != 0)
		error_set(err, its.code,
			"%s; give --access-key and --secret-key, or -i",
			its.text);
	else if (doc_get(values, "accessKey") == NULL ||
		 doc_get(values, "secretKey") == NULL)
		rc = error_set(err, ERROR_CONFIG,
			"%s has no aws_access_key_id with "
			"aws_secret_access_key in [%s]; give --access-key and "
			"--secret-key, or -i",
			path, profile);
	str_fini_wiped(&text);
	free(head);
	free(path);
	return rc;
}

static int
keys_ask(const struct cli *cli, struct doc *values, struct error *err)
{
	bool id, key;

	if (value_ask(cli, "access-key",
		    "Enter AWS Access Key ID (leave empty to read credentials "
		    "from ~/.aws/credentials): ",
		    values, "accessKey", err) != 0 ||
		value_ask(cli, "secret-key",
			"Enter AWS Secret Key (leave empty to read credentials "
			"from ~/.aws/credentials): ",
			values, "secretKey", err) != 0)
		return -1;
	id = doc_get(values, "accessKey") != NULL;
	key = doc_get(values, "secretKey") != NULL;
	if (cli_given(cli, "session-token") && (!id || !key))
		return error_set(err, ERROR_CONFIG,
			"--session-token belongs to an --access-key and a "
			"--secret-key: give all three, or none of them");
	if (!id && !key)
		return credentials_read(values, err);
	if (!id)
		return error_set(err, ERROR_CONFIG,
			"--access-key is missing; without both keys "
			"~/.aws/credentials is read");
	if (!key)
		return error_set(err, ERROR_CONFIG,
			"--secret-key is missing; without both keys "
			"~/.aws/credentials is read");
	if (cli_given(cli, "session-token") &&
		cli_text(cli, "session-token")[0] != '\0')
		doc_set_string(
			values, "sessionToken", cli_text(cli, "session-token"));
	return 0;
}

static int
create_aws(struct cli *cli)
{
	struct doc *values = doc_new_map();
	struct error err = ERROR_INIT;
	char *ns = NULL, *name = NULL;
	int rc;

	if (names_ask(cli, &ns, &name, &err) != 0 ||
		keys_ask(cli, values, &err) != 0) {
		doc_free_wiped(values);
		rc = cli_usage(cli, "%s", err.text);
	} else {
		rc = secret_store(cli, "aws", values, ns, name);
	}
	free(ns);
	free(name);
	return rc;
}

/* ---- azure */

/* "a=1,b=2"; nothing of it is repeated. */
static int
api_keys_add(struct doc *keys, const char *text, struct error *err)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ",");
		const char *equals = memchr(text, '=', length);
		char *key, *value;

		if (equals == NULL || equals == text)
			return error_set(err, ERROR_CONFIG,
				"--api-keys: expected function=key, "
				"comma-separated");
		key = xstrndup(text, (size_t)(equals - text));
		value = xstrndup(
			equals + 1, length - (size_t)(equals + 1 - text));
		doc_set_string(keys, key, value);
		free(key);
		mem_free_wiped(value);
		text += length + (text[length] == ',');
	}
	return 0;
}

static int
api_keys_ask(const struct cli *cli, struct doc *keys, struct error *err)
{
	const char *text;
	size_t place = 0;

	while ((text = cli_next(cli, "api-keys", &place)) != NULL)
		if (api_keys_add(keys, text, err) != 0)
			return -1;
	while (cli->interactive && !cli_given(cli, "api-keys")) {
		char *answer;
		bool last;
		int rc;

		if (prompt_secret("Add an API key as function=key (empty to "
				  "finish):",
			    &answer, err) != 0)
			return -1;
		last = answer[0] == '\0';
		rc = api_keys_add(keys, answer, err);
		mem_free_wiped(answer);
		if (rc != 0)
			return -1;
		if (last)
			break;
	}
	if (doc_count(keys) == 0)
		return error_set(err, ERROR_CONFIG, "--api-keys is missing");
	return 0;
}

static int
create_azure(struct cli *cli)
{
	struct doc *values = doc_new_map();
	struct doc *keys = doc_set(values, "apiKeys", doc_new_map());
	struct error err = ERROR_INIT;
	char *ns = NULL, *name = NULL;
	int rc;

	if (names_ask(cli, &ns, &name, &err) != 0 ||
		api_keys_ask(cli, keys, &err) != 0) {
		doc_free_wiped(values);
		rc = cli_usage(cli, "%s", err.text);
	} else {
		rc = secret_store(cli, "azure", values, ns, name);
	}
	free(ns);
	free(name);
	return rc;
}
