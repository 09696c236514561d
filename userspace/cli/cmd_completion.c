/* glooctl completion: scripts for shells, made from the tree of commands; the
 * names of objects are asked of the daemon when they are needed. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"

static cli_run_f completion_bash, completion_zsh;

static const struct cli_command bash = {
	.name = "bash",
	.summary = "print the completion script for bash",
	.examples = "  source <(glooctl completion bash)\n",
	.run = completion_bash,
};

static const struct cli_command zsh = {
	.name = "zsh",
	.summary = "print the completion script for zsh",
	.examples = "  glooctl completion zsh > "
		    "/usr/local/share/zsh/site-functions/_glooctl\n",
	.run = completion_zsh,
};

static const struct cli_command *const children[] = {
	&bash,
	&zsh,
	NULL,
};

const struct cli_command cli_command_completion = {
	.name = "completion",
	.summary = "print a completion script",
	.children = children,
};

/* One case of one of the script's functions, for the command at the end of
 * cli's path. */
typedef void case_f(const struct cli *cli, const char *path);

static void
tree_walk(struct cli *cli, case_f *put)
{
	const struct cli_command *leaf = cli_leaf(cli);
	const struct cli_command *child;
	struct str path;

	str_init(&path);
	help_path(cli, &path);
	put(cli, path.data);
	str_fini(&path);
	for (size_t i = 0; (child = cli_child(cli, leaf, i)) != NULL; i++) {
		if (child->hidden || cli->depth == CLI_DEPTH_MAX)
			continue;
		cli->path[cli->depth++] = child;
		tree_walk(cli, put);
		cli->depth--;
	}
}

/* Where a word leads: 'glooctl get us') echo 'glooctl get upstream' */
static void
child_case(const struct cli *cli, const char *path)
{
	const struct cli_command *leaf = cli_leaf(cli);
	const struct cli_command *c;

	for (size_t i = 0; (c = cli_child(cli, leaf, i)) != NULL; i++) {
		const char *alias = c->aliases;

		if (c->hidden)
			continue;
		printf("\t'%s %s'", path, c->name);
		while (alias != NULL && *alias != '\0') {
			size_t n = strcspn(alias, " ");

			printf("|'%s %.*s'", path, (int)n, alias);
			alias += n;
			alias += strspn(alias, " ");
		}
		printf(") echo '%s %s';;\n", path, c->name);
	}
}

static void
value_case(const struct cli *cli, const char *path)
{
	for (size_t i = cli->depth; i-- > 0;) {
		for (const struct cli_flag *f = cli->path[i]->flags;
			f != NULL && f->name != NULL; f++) {
			if (f->argument == NULL || !cli_flag_applies(cli, i, f))
				continue;
			printf("\t'%s --%s'", path, f->name);
			if (f->letter != 0)
				printf("|'%s -%c'", path, f->letter);
			printf(") echo '%s';;\n",
				f->complete != NULL ? f->complete : "none");
		}
	}
}

static void
flags_case(const struct cli *cli, const char *path)
{
	printf("\t'%s') echo '", path);
	for (size_t i = cli->depth; i-- > 0;)
		for (const struct cli_flag *f = cli->path[i]->flags;
			f != NULL && f->name != NULL; f++)
			if (cli_flag_applies(cli, i, f))
				printf("--%s ", f->name);
	printf("';;\n");
}

static void
words_case(const struct cli *cli, const char *path)
{
	const struct cli_command *leaf = cli_leaf(cli);
	const struct cli_command *c;

	if (cli_child(cli, leaf, 0) == NULL)
		return;
	printf("\t'%s') echo '", path);
	for (size_t i = 0; (c = cli_child(cli, leaf, i)) != NULL; i++)
		if (!c->hidden)
			printf("%s ", c->name);
	printf("';;\n");
}

static void
names_case(const struct cli *cli, const char *path)
{
	if (cli_leaf(cli)->complete != NULL)
		printf("\t'%s') echo '%s';;\n", path, cli_leaf(cli)->complete);
}

static void
function_put(struct cli *cli, const char *name, const char *on, case_f *put)
{
	printf("_glooctl_%s() {\n\tcase \"%s\" in\n", name, on);
	cli->depth = 1;
	tree_walk(cli, put);
	printf("\tesac\n}\n\n");
}

/* What both shells have in common. */
static void
tables_put(struct cli *cli)
{
	size_t depth = cli->depth;

	function_put(cli, "child", "$1 $2", child_case);
	function_put(cli, "value", "$1 $2", value_case);
	function_put(cli, "flags", "$1", flags_case);
	function_put(cli, "words", "$1", words_case);
	function_put(cli, "names", "$1", names_case);
	cli->depth = depth;
	fputs("# A kind of value to the words that it can be; the socket, and "
	      "the upstream\n# and its namespace, as far as they were given.\n"
	      "_glooctl_spread() {\n"
	      "\tcase \"$1\" in\n"
	      "\tfunctions)\n"
	      "\t\tglooctl ${2:+--socket \"$2\"} __names functions "
	      "${3:+\"$3\"} \\\n"
	      "\t\t\t${3:+--namespace \"${4:-" MODEL_NAMESPACE_DEFAULT
	      "}\"} 2>/dev/null;;\n"
	      "\tupstreams|upstreamgroups|virtualservices|gateways|secrets)\n"
	      "\t\tglooctl ${2:+--socket \"$2\"} __names \"$1\" "
	      "2>/dev/null;;\n"
	      "\tnone|'') ;;\n"
	      "\t*) echo \"$1\" | tr '|' ' ';;\n"
	      "\tesac\n"
	      "}\n\n",
		stdout);
}

/* What is needed of a value that was given, to ask for the names of others. */
#define VALUE_KEEP                                                             \
	"\t\t\tcase $w in\n"                                                   \
	"\t\t\t--socket) socket=${words[i]};;\n"                               \
	"\t\t\t--dest-name|-u) upstream=${words[i]};;\n"                       \
	"\t\t\t--dest-namespace|-s) space=${words[i]};;\n"                     \
	"\t\t\tesac\n"

static int
completion_bash(struct cli *cli)
{
	puts("# bash completion for glooctl");
	tables_put(cli);
	fputs("# The words of the line; readline parts them at each colon, and "
	      "there are\n# colons in names of functions. Sets words and "
	      "cur.\n"
	      "_glooctl_words_join() {\n"
	      "\tlocal i w last\n"
	      "\twords=()\n"
	      "\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	      "\t\tw=${COMP_WORDS[i]} last=$((${#words[@]} - 1))\n"
	      "\t\tif ((last > 0)) && [[ -n $w && "
	      "($w == :* || ${words[last]} == *:) ]]; then\n"
	      "\t\t\twords[last]+=$w\n"
	      "\t\telse\n"
	      "\t\t\twords+=(\"$w\")\n"
	      "\t\tfi\n"
	      "\tdone\n"
	      "\tcur=${words[${#words[@]} - 1]}\n"
	      "}\n\n"
	      "# Of the words those that begin as cur does, without what "
	      "readline took for other\n# words. Names are nothing that a "
	      "shell should expand.\n"
	      "_glooctl_offer() {\n"
	      "\tlocal w cut=\n"
	      "\t[[ $COMP_WORDBREAKS == *:* ]] && cut=${cur%\"${cur##*:}\"}\n"
	      "\twhile read -r w; do\n"
	      "\t\t[[ -n $w && $w == \"$cur\"* ]] || continue\n"
	      "\t\tprintf -v w %q \"${w#\"$cut\"}\"\n"
	      "\t\tCOMPREPLY+=(\"$w\")\n"
	      "\tdone < <(printf '%s\\n' \"$*\" | tr ' ' '\\n')\n"
	      "}\n\n"
	      "_glooctl() {\n"
	      "\tlocal cur words path=glooctl socket= upstream= space= i w "
	      "next kind\n"
	      "\tCOMPREPLY=()\n"
	      "\t_glooctl_words_join\n"
	      "\tfor ((i = 1; i + 1 < ${#words[@]}; i++)); do\n"
	      "\t\tw=${words[i]}\n"
	      "\t\tkind=$(_glooctl_value \"$path\" \"$w\")\n"
	      "\t\tif [ -n \"$kind\" ]; then\n"
	      "\t\t\t((i + 2 == ${#words[@]})) && break\n"
	      "\t\t\ti=$((i + 1))\n" VALUE_KEEP "\t\t\tkind=\n"
	      "\t\t\tcontinue\n"
	      "\t\tfi\n"
	      "\t\tnext=$(_glooctl_child \"$path\" \"$w\")\n"
	      "\t\tpath=${next:-$path}\n"
	      "\tdone\n"
	      "\tif [ \"${kind:-}\" = file ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\telif [ -n \"${kind:-}\" ]; then\n"
	      "\t\t_glooctl_offer \"$(_glooctl_spread \"$kind\" "
	      "\"$socket\" \"$upstream\" \"$space\")\"\n"
	      "\telif [ \"${cur#-}\" != \"$cur\" ]; then\n"
	      "\t\t_glooctl_offer \"$(_glooctl_flags \"$path\")\"\n"
	      "\telse\n"
	      "\t\t_glooctl_offer \"$(_glooctl_words \"$path\")\" \\\n"
	      "\t\t\t\"$(_glooctl_spread \"$(_glooctl_names "
	      "\"$path\")\" \"$socket\")\"\n"
	      "\tfi\n"
	      "}\n\n"
	      "complete -F _glooctl glooctl\n",
		stdout);
	return CLI_OK;
}

static int
completion_zsh(struct cli *cli)
{
	puts("#compdef glooctl");
	tables_put(cli);
	fputs("_glooctl() {\n"
	      "\tlocal cur=${words[CURRENT]} at=glooctl socket= upstream= "
	      "space= i w next kind\n"
	      "\tfor ((i = 2; i < CURRENT; i++)); do\n"
	      "\t\tw=${words[i]}\n"
	      "\t\tkind=$(_glooctl_value \"$at\" \"$w\")\n"
	      "\t\tif [ -n \"$kind\" ]; then\n"
	      "\t\t\t((i + 1 == CURRENT)) && break\n"
	      "\t\t\ti=$((i + 1))\n" VALUE_KEEP "\t\t\tkind=\n"
	      "\t\t\tcontinue\n"
	      "\t\tfi\n"
	      "\t\tnext=$(_glooctl_child \"$at\" \"$w\")\n"
	      "\t\tat=${next:-$at}\n"
	      "\tdone\n"
	      "\tif [ \"$kind\" = file ]; then\n"
	      "\t\t_files\n"
	      "\telif [ -n \"$kind\" ]; then\n"
	      "\t\tcompadd -- $(_glooctl_spread \"$kind\" \"$socket\" "
	      "\"$upstream\" \"$space\")\n"
	      "\telif [ \"${cur#-}\" != \"$cur\" ]; then\n"
	      "\t\tcompadd -- $(_glooctl_flags \"$at\")\n"
	      "\telse\n"
	      "\t\tcompadd -- $(_glooctl_words \"$at\") $(_glooctl_spread "
	      "\"$(_glooctl_names \"$at\")\" \"$socket\")\n"
	      "\tfi\n"
	      "}\n\n"
	      "if [ \"$funcstack[1]\" = _glooctl ]; then\n"
	      "\t_glooctl \"$@\"\n"
	      "else\n"
	      "\tcompdef _glooctl glooctl\n"
	      "fi\n",
		stdout);
	return CLI_OK;
}
