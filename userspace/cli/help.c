/* What --help prints, made from the tree of commands. */
#include "cli/help.h"

#include <string.h>

#define TEXT_COLUMN  30
#define LINE_COLUMNS 80

void
help_path(const struct cli *cli, struct str *out)
{
	for (size_t i = 0; i < cli->depth; i++)
		str_printf(out, "%s%s", i == 0 ? "" : " ", cli->path[i]->name);
}

static void
column_fill(struct str *out, size_t start)
{
	size_t width = out->length - start;

	if (width + 2 > TEXT_COLUMN) {
		str_putc(out, '\n');
		width = 0;
	}
	str_printf(out, "%*s", (int)(TEXT_COLUMN - width), "");
}

/* text from TEXT_COLUMN on, in as many lines as it needs. */
static void
text_put(struct str *out, const char *text, const char *fallback)
{
	size_t column = TEXT_COLUMN;
	struct str whole;
	const char *p;

	str_init(&whole);
	str_puts(&whole, text);
	if (fallback != NULL)
		str_printf(&whole, " (default %s)", fallback);
	for (p = whole.data; *p != '\0'; p += *p == ' ') {
		size_t length = strcspn(p, " ");

		if (column > TEXT_COLUMN &&
			column + 1 + length > LINE_COLUMNS) {
			str_printf(out, "\n%*s", TEXT_COLUMN, "");
			column = TEXT_COLUMN;
		} else if (column > TEXT_COLUMN) {
			str_putc(out, ' ');
			column++;
		}
		str_append(out, p, length);
		column += length;
		p += length;
	}
	str_putc(out, '\n');
	str_fini(&whole);
}

static void
flag_print(const struct cli_flag *f, struct str *out)
{
	size_t start = out->length;

	if (f->letter != 0)
		str_printf(out, "  -%c, --%s", f->letter, f->name);
	else
		str_printf(out, "      --%s", f->name);
	if (f->argument != NULL)
		str_printf(out, " %s", f->argument);
	column_fill(out, start);
	text_put(out, f->help, f->fallback);
}

static bool
flags_hold(const struct cli_flag *flags, const char *name)
{
	for (; flags != NULL && flags->name != NULL; flags++)
		if (strcmp(flags->name, name) == 0)
			return true;
	return false;
}

/* A command's own row hides the one of the same name above it. */
static bool
is_hidden_below(const struct cli *cli, size_t level, const char *name)
{
	for (size_t i = level + 1; i < cli->depth; i++)
		if (flags_hold(cli->path[i]->flags, name))
			return true;
	return false;
}

static void
flags_print(const struct cli *cli, struct str *out)
{
	bool any = false;

	for (size_t i = cli->depth; i-- > 1;) {
		for (const struct cli_flag *f = cli->path[i]->flags;
			f != NULL && f->name != NULL; f++) {
			if (is_hidden_below(cli, i, f->name) ||
				!cli_flag_applies(cli, i, f))
				continue;
			if (!any)
				str_puts(out, "\nFlags:\n");
			any = true;
			flag_print(f, out);
		}
	}
	str_puts(out, "\nGlobal flags:\n");
	for (const struct cli_flag *f = cli_root.flags; f->name != NULL; f++)
		if (!is_hidden_below(cli, 0, f->name))
			flag_print(f, out);
}

static void
children_print(const struct cli *cli, struct str *out)
{
	const struct cli_command *leaf = cli_leaf(cli);
	const struct cli_command *child;
	bool any = false;

	for (size_t i = 0; (child = cli_child(cli, leaf, i)) != NULL; i++) {
		size_t start;

		if (child->hidden)
			continue;
		if (!any)
			str_puts(out, "\nCommands:\n");
		any = true;
		start = out->length;
		str_printf(out, "  %s", child->name);
		column_fill(out, start);
		str_printf(out, "%s\n", child->summary);
	}
}

static void
aliases_print(const char *aliases, struct str *out)
{
	str_puts(out, "\nAliases: ");
	for (; *aliases != '\0'; aliases++) {
		if (*aliases == ' ')
			str_putc(out, ',');
		str_putc(out, *aliases);
	}
	str_putc(out, '\n');
}

void
help_print(const struct cli *cli, struct str *out)
{
	const struct cli_command *leaf = cli_leaf(cli);

	str_printf(out, "%s\n\nUsage:\n", leaf->summary);
	if (leaf->run != NULL || cli_kind(cli) != NULL) {
		str_puts(out, "  ");
		help_path(cli, out);
		if (leaf->arguments != NULL)
			str_printf(out, " %s", leaf->arguments);
		str_puts(out, " [flags]\n");
	}
	if (cli_child(cli, leaf, 0) != NULL) {
		str_puts(out, "  ");
		help_path(cli, out);
		str_puts(out, " COMMAND\n");
	}
	if (leaf->about != NULL)
		str_printf(out, "\n%s", leaf->about);
	if (leaf->about_put != NULL)
		leaf->about_put(out);
	if (leaf->aliases != NULL)
		aliases_print(leaf->aliases, out);
	children_print(cli, out);
	flags_print(cli, out);
	if (leaf->examples != NULL)
		str_printf(out, "\nExamples:\n%s", leaf->examples);
}
