/* The words of the command line, read into struct cli. */
#include "cli/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/suggest.h"

#define ROOM 80

static bool
words_have(const char *words, const char *word)
{
	size_t length = strlen(word);

	while (words != NULL && *words != '\0') {
		size_t n = strcspn(words, " ");

		if (n == length && memcmp(words, word, n) == 0)
			return true;
		words += n;
		words += strspn(words, " ");
	}
	return false;
}

static const struct cli_command *
child_find(const struct cli *cli, const char *word)
{
	const struct cli_command *child;

	for (size_t i = 0; (child = cli_child(cli, cli_leaf(cli), i)) != NULL;
		i++)
		if (strcmp(child->name, word) == 0 ||
			words_have(child->aliases, word))
			return child;
	return NULL;
}

const struct cli_flag *
arguments_flag(const struct cli *cli, const char *name)
{
	for (size_t i = cli->depth; i-- > 0;)
		for (const struct cli_flag *f = cli->path[i]->flags;
			f != NULL && f->name != NULL; f++)
			if (strcmp(f->name, name) == 0 &&
				cli_flag_applies(cli, i, f))
				return f;
	return NULL;
}

static const struct cli_flag *
letter_find(const struct cli *cli, char letter)
{
	for (size_t i = cli->depth; i-- > 0;)
		for (const struct cli_flag *f = cli->path[i]->flags;
			f != NULL && f->name != NULL; f++)
			if (f->letter == letter && cli_flag_applies(cli, i, f))
				return f;
	return NULL;
}

static void
value_add(struct cli *cli, const struct cli_flag *flag, const char *value)
{
	cli->values = xreallocarray(
		cli->values, cli->value_count + 1, sizeof(*cli->values));
	cli->values[cli->value_count++] = (struct cli_value){ flag, value };
}

static int
flag_unknown(const struct cli *cli, const char *name, struct error *err)
{
	struct suggest near;

	suggest_init(&near, name);
	for (size_t i = 0; i < cli->depth; i++)
		for (const struct cli_flag *f = cli->path[i]->flags;
			f != NULL && f->name != NULL; f++)
			if (cli_flag_applies(cli, i, f))
				suggest_offer(&near, f->name);
	if (near.nearest != NULL)
		return error_set(err, ERROR_CONFIG,
			"unknown flag --%.64s; did you mean --%s?", name,
			near.nearest);
	return error_set(err, ERROR_CONFIG, "unknown flag --%.64s", name);
}

static int
switch_set(struct cli *cli, const struct cli_flag *f, const char *value,
	struct error *err)
{
	if (value != NULL && strcmp(value, "true") != 0 &&
		strcmp(value, "false") != 0)
		return error_set(err, ERROR_CONFIG,
			"--%s is a switch: true or false, not \"%.64s\"",
			f->name, value);
	value_add(cli, f, value);
	return 0;
}

/* --name, --name=value, --name value; next is NULL at the end. Returns how
 * many further words were used, -1 on failure. */
static int
long_read(struct cli *cli, char *word, char *next, struct error *err)
{
	char *value = strchr(word, '=');
	const struct cli_flag *f;

	if (value != NULL)
		*value++ = '\0';
	f = arguments_flag(cli, word);
	if (f == NULL)
		return flag_unknown(cli, word, err);
	if (f->argument == NULL)
		return switch_set(cli, f, value, err);
	if (value == NULL && next == NULL)
		return error_set(err, ERROR_CONFIG, "--%s needs a value (%s)",
			f->name, f->argument);
	value_add(cli, f, value != NULL ? value : next);
	return value == NULL;
}

/* -f, -fd, -o value, -ovalue, -o=value. */
static int
short_read(struct cli *cli, char *word, char *next, struct error *err)
{
	for (; *word != '\0'; word++) {
		const struct cli_flag *f = letter_find(cli, *word);

		if (f == NULL)
			return error_set(
				err, ERROR_CONFIG, "unknown flag -%c", *word);
		if (f->argument == NULL) {
			value_add(cli, f, NULL);
			continue;
		}
		if (word[1] != '\0') {
			value_add(cli, f, word + 1 + (word[1] == '='));
			return 0;
		}
		if (next == NULL)
			return error_set(err, ERROR_CONFIG,
				"-%c needs a value (%s)", *word, f->argument);
		value_add(cli, f, next);
		return 1;
	}
	return 0;
}

static int
command_unknown(const struct cli *cli, const char *word, struct error *err)
{
	const struct cli_command *leaf = cli_leaf(cli);
	const struct cli_command *child;
	struct suggest near;
	char room[ROOM];

	suggest_init(&near, word);
	for (size_t i = 0; (child = cli_child(cli, leaf, i)) != NULL; i++) {
		if (child->hidden)
			continue;
		suggest_offer(&near, child->name);
		suggest_offer_words(&near, child->aliases, room, sizeof(room));
	}
	if (near.nearest != NULL)
		return error_set(err, ERROR_CONFIG,
			"unknown command \"%.64s\" for %s; did you mean %s?",
			word, leaf->name, near.nearest);
	return error_set(err, ERROR_CONFIG, "unknown command \"%.64s\" for %s",
		word, leaf->name);
}

static int
word_read(struct cli *cli, const char *word, struct error *err)
{
	const struct cli_command *leaf = cli_leaf(cli);
	const struct cli_command *child =
		cli->argument_count == 0 ? child_find(cli, word) : NULL;

	if (cli->depth == 1 && strcmp(word, "help") == 0) {
		value_add(cli, arguments_flag(cli, "help"), NULL);
		return 0;
	}
	if (child != NULL && cli->depth < CLI_DEPTH_MAX) {
		cli->path[cli->depth++] = child;
		return 0;
	}
	if (cli->argument_count >= leaf->arguments_max) {
		if (cli_child(cli, leaf, 0) != NULL)
			return command_unknown(cli, word, err);
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is one argument too many", word);
	}
	cli->arguments[cli->argument_count++] = word;
	return 0;
}

int
arguments_parse(struct cli *cli, int argc, char **argv, struct error *err)
{
	bool words_only = false;

	cli->path[0] = &cli_root;
	cli->depth = 1;
	cli->arguments = xcalloc((size_t)argc + 1, sizeof(*cli->arguments));
	for (int i = 1; i < argc; i++) {
		char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		int used;

		if (!words_only && strcmp(word, "--") == 0) {
			words_only = true;
			continue;
		}
		if (words_only || word[0] != '-' || word[1] == '\0')
			used = word_read(cli, word, err);
		else if (word[1] == '-')
			used = long_read(cli, word + 2, next, err);
		else
			used = short_read(cli, word + 1, next, err);
		if (used < 0)
			return -1;
		i += used;
	}
	return 0;
}
