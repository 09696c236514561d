/* glooctl: reads the command line, runs the command, says what went wrong. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"
#include "version.h"

#define SOCKET_DEFAULT "/run/gloo-gateway/admin.sock"

#define COMMAND(name) extern const struct cli_command cli_command_##name;
#include "commands.inc"
#undef COMMAND

static const struct cli_command *const commands[] = {
#define COMMAND(name) &cli_command_##name,
#include "commands.inc"
#undef COMMAND
	NULL,
};

static const struct cli_flag root_flags[] = {
	{ .name = "help", .letter = 'h', .help = "help for a command" },
	{ .name = "interactive",
		.letter = 'i',
		.help = "ask for what is not given" },
	{ .name = "socket",
		.argument = "path",
		.help = "admin socket of the daemon (default "
			"$GLOO_GATEWAY_SOCKET, else " SOCKET_DEFAULT ")",
		.complete = "file" },
	{ .name = "version", .help = "print the version of glooctl" },
	CLI_FLAG_END,
};

const struct cli_command cli_root = {
	.name = "glooctl",
	.summary = "glooctl talks to the gloo-gateway of this machine.",
	.about = "Results go to standard output, everything else to standard "
		 "error.\n"
		 "Exit status: 0 ok; 1 wrong use, or no connection; 2 Warning: "
		 "stored and\n"
		 "enforced, but a part is not served; 3 Rejected: nothing was "
		 "changed;\n"
		 "4 Pending: not yet enforced.\n",
	.examples = "  glooctl create upstream static --name httpbin "
		    "--static-hosts 127.0.0.1:8000\n"
		    "  glooctl add route --path-prefix /httpbin --dest-name "
		    "httpbin --prefix-rewrite /\n"
		    "  curl $(glooctl gateway url)/httpbin/get\n",
	.flags = root_flags,
	.children = commands,
};

const struct cli_command *
cli_leaf(const struct cli *cli)
{
	return cli->path[cli->depth - 1];
}

const struct cli_command *
cli_child(const struct cli *cli, const struct cli_command *c, size_t i)
{
	size_t n = 0;

	for (; c->children != NULL && c->children[n] != NULL; n++)
		if (n == i)
			return c->children[n];
	if (c->kind_run == NULL)
		return NULL;
	for (size_t k = 0; cli->kind_commands[k].name != NULL; k++)
		if (n + k == i)
			return &cli->kind_commands[k];
	return NULL;
}

const struct upstream_kind *
cli_kind(const struct cli *cli)
{
	const struct cli_command *leaf = cli_leaf(cli);

	for (size_t i = 0; cli->kind_commands[i].name != NULL; i++)
		if (leaf == &cli->kind_commands[i])
			return cli->kinds[i];
	return NULL;
}

/* ---- what was given */

const char *
cli_next(const struct cli *cli, const char *flag, size_t *place)
{
	while (*place < cli->value_count) {
		const struct cli_value *v = &cli->values[(*place)++];

		if (strcmp(v->flag->name, flag) == 0)
			return v->value != NULL ? v->value : "true";
	}
	return NULL;
}

bool
cli_given(const struct cli *cli, const char *flag)
{
	size_t place = 0;

	return cli_next(cli, flag, &place) != NULL;
}

const char *
cli_text(const struct cli *cli, const char *flag)
{
	const struct cli_flag *f = arguments_flag(cli, flag);
	const char *last = NULL, *value;
	size_t place = 0;

	while ((value = cli_next(cli, flag, &place)) != NULL)
		last = value;
	return last != NULL ? last : f != NULL ? f->fallback : NULL;
}

bool
cli_switch(const struct cli *cli, const char *flag)
{
	const char *value = cli_text(cli, flag);

	return value != NULL && strcmp(value, "true") == 0;
}

int
cli_number(const struct cli *cli, const char *flag, size_t max, size_t *number,
	struct error *err)
{
	const char *text = cli_text(cli, flag);
	char *end;
	unsigned long long value;

	if (text == NULL)
		text = "";
	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
		value > max)
		return error_set(err, ERROR_CONFIG,
			"--%s: \"%.64s\" is not a number from 0 to %zu", flag,
			text, max);
	*number = (size_t)value;
	return 0;
}

const char *
cli_argument(const struct cli *cli, size_t i)
{
	return i < cli->argument_count ? cli->arguments[i] : NULL;
}

const char *
cli_name(const struct cli *cli)
{
	const char *name = cli_argument(cli, 0);

	return name != NULL ? name : cli_text(cli, "name");
}

/* ---- sentences */

int
cli_usage(const struct cli *cli, const char *fmt, ...)
{
	struct str path;
	va_list ap;

	str_init(&path);
	help_path(cli, &path);
	fflush(stdout);
	fputs("error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nsee %s --help\n", path.data);
	str_fini(&path);
	return CLI_USAGE;
}

int
cli_error(const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "error: %s\n", err->text);
	return CLI_USAGE;
}

void
cli_say(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- running */

static const struct cli_flag *
kind_flags(const struct upstream_kind *kind)
{
	struct cli_flag *flags;
	size_t n = 0;

	while (kind->flags != NULL && kind->flags[n].name != NULL)
		n++;
	flags = xcalloc(n + 1, sizeof(*flags));
	for (size_t i = 0; i < n; i++)
		flags[i] = (struct cli_flag){
			.name = kind->flags[i].name,
			.argument = kind->flags[i].argument,
			.help = kind->flags[i].help,
		};
	return flags;
}

static void
kind_commands_make(struct cli *cli)
{
	size_t n = 0;

	while (cli->kinds[n] != NULL)
		n++;
	cli->kind_commands = xcalloc(n + 1, sizeof(*cli->kind_commands));
	for (size_t i = 0; i < n; i++)
		cli->kind_commands[i] = (struct cli_command){
			.name = cli->kinds[i]->key,
			.summary = xasprintf("create an upstream of kind %s",
				cli->kinds[i]->title),
			.arguments = "[NAME]",
			.arguments_max = 1,
			.flags = kind_flags(cli->kinds[i]),
		};
}

static void
cli_fini(struct cli *cli)
{
	for (size_t i = 0; cli->kind_commands[i].name != NULL; i++) {
		free((void *)(uintptr_t)cli->kind_commands[i].summary);
		free((void *)(uintptr_t)cli->kind_commands[i].flags);
	}
	free(cli->kind_commands);
	free(cli->values);
	free(cli->arguments);
}

static int
settle(struct cli *cli, struct error *err)
{
	const char *env = getenv("GLOO_GATEWAY_SOCKET");

	cli->socket = cli_text(cli, "socket");
	if (cli->socket == NULL)
		cli->socket =
			env != NULL && env[0] != '\0' ? env : SOCKET_DEFAULT;
	cli->interactive = cli_switch(cli, "interactive");
	cli->dry_run = cli_switch(cli, "dry-run");
	cli->ns = cli_text(cli, "namespace");
	if (cli->ns == NULL)
		cli->ns = MODEL_NAMESPACE_DEFAULT;
	if (!model_name_valid(cli->ns))
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not a namespace: letters a-z, digits, - "
			"and . only",
			cli->ns);
	if (cli_text(cli, "output") == NULL)
		return 0;
	/* Nothing is stored, so a table of what is stored would mislead. */
	if (cli->dry_run && !cli_given(cli, "output")) {
		cli->output = CLI_OUTPUT_KUBE_YAML;
		return 0;
	}
	return output_parse(cli_text(cli, "output"), &cli->output, err);
}

static int
command_run(struct cli *cli)
{
	const struct cli_command *leaf = cli_leaf(cli);
	struct error err = ERROR_INIT;
	struct str help;

	if (cli->depth == 1 && cli_switch(cli, "version")) {
		printf("glooctl version %s, build %s\n", VERSION, BUILD_ID);
		return CLI_OK;
	}
	if (cli_switch(cli, "help") || cli->depth == 1) {
		str_init(&help);
		help_print(cli, &help);
		fputs(help.data, stdout);
		str_fini(&help);
		return CLI_OK;
	}
	if (settle(cli, &err) != 0)
		return cli_usage(cli, "%s", err.text);
	if (cli_kind(cli) != NULL)
		return cli->path[cli->depth - 2]->kind_run(cli);
	if (leaf->run == NULL)
		return cli_usage(cli, "%s needs a further word", leaf->name);
	return leaf->run(cli);
}

int
cli_main(int argc, char **argv, const struct upstream_kind *const *kinds)
{
	struct cli cli = { .kinds = kinds };
	struct error err = ERROR_INIT;
	int rc;

	kind_commands_make(&cli);
	if (arguments_parse(&cli, argc, argv, &err) != 0)
		rc = cli_usage(&cli, "%s", err.text);
	else
		rc = command_run(&cli);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "error: cannot write the answer: %s\n",
			strerror(errno));
		rc = CLI_USAGE;
	}
	cli_fini(&cli);
	return rc;
}
