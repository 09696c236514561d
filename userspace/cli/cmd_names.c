/* glooctl __names: what the completions ask for, silent when nobody answers. */
#include <stdio.h>

#include "cli/api.h"
#include "cli/command.h"
#include "cli/describe.h"

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
	.arguments = "TYPE",
	.summary = "print the names of all objects of a type",
	.flags = flags,
	.run = names_run,
	.arguments_max = 1,
	.hidden = true,
};

static int
names_run(struct cli *cli)
{
	enum model_type type;
	struct doc *items;

	if (cli_argument(cli, 0) == NULL ||
		model_type_parse(cli_argument(cli, 0), &type) != 0)
		return CLI_USAGE;
	items = api_list(cli, type, cli_text(cli, "namespace"), NULL);
	if (items == NULL)
		return CLI_USAGE;
	for (size_t i = 0; i < doc_count(items); i++)
		printf("%s\n", describe_name(doc_at(items, i)));
	doc_free(items);
	return CLI_OK;
}
