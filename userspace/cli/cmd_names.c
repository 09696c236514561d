/* glooctl __names: what the completions ask for, silent when nobody answers. */
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/function.h"

static cli_run_f names_run;

static const struct cli_flag flags[] = {
	{ .name = "namespace",
		.letter = 'n',
		.argument = "string",
		.help = "only those of this namespace" },
	CLI_FLAG_END,
};

const struct cli_command cli_command_names = {
	.name = "__names",
	.arguments = "TYPE [UPSTREAM]",
	.summary = "print the names of all objects of a type, or those of the "
		   "functions",
	.flags = flags,
	.run = names_run,
	.arguments_max = 2,
	.hidden = true,
};

/* Of that upstream, or of all; of several upstreams a name may come again. */
static int
functions_print(const struct cli *cli, const char *ns, const char *upstream)
{
	struct doc *items = api_list(cli, MODEL_UPSTREAM, ns, NULL);

	if (items == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *one = doc_at(items, i);
		struct doc *names;
		bool found;

		if (upstream != NULL &&
			strcmp(describe_name(one), upstream) != 0)
			continue;
		names = function_names(cli, one, &found);
		for (size_t k = 0; k < doc_count(names); k++)
			printf("%s\n", doc_string(doc_at(names, k)));
		doc_free(names);
	}
	doc_free(items);
	return CLI_OK;
}

static int
names_run(struct cli *cli)
{
	const char *word = cli_argument(cli, 0);
	const char *ns = cli_text(cli, "namespace");
	enum model_type type;
	struct doc *items;

	if (word != NULL && strcmp(word, "functions") == 0)
		return functions_print(cli, ns, cli_argument(cli, 1));
	if (word == NULL || cli_argument(cli, 1) != NULL ||
		model_type_parse(word, &type) != 0)
		return CLI_USAGE;
	items = api_list(cli, type, ns, NULL);
	if (items == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < doc_count(items); i++)
		printf("%s\n", describe_name(doc_at(items, i)));
	doc_free(items);
	return CLI_OK;
}
