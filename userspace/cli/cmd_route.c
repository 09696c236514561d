/* glooctl route sort: more specific routes before wider ones. */
#include <stdlib.h>

#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/route.h"

static cli_run_f routes_sort;

static const struct cli_flag sort_flags[] = {
	{ .name = "name",
		.argument = "string",
		.help = "virtual service (default: the first with domain *)",
		.complete = "virtualservices" },
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_OUTPUT,
	CLI_FLAG_DRY_RUN,
	CLI_FLAG_END,
};

static const struct cli_command sort = {
	.name = "sort",
	.aliases = "s",
	.arguments = "[VIRTUALSERVICE]",
	.summary = "sort the routes of a virtual service by specificity",
	.about = "Exact paths come first. Prefixes and regexes follow by the "
		 "length of the text that\na path has to begin with, longest "
		 "first, so that none hides a narrower one; of\nequal ones a "
		 "regex before a prefix, then the longer regex, then the one "
		 "whose case counts,\nthen the one with methods, with more "
		 "headers, with more query parameters. Others\nkeep their "
		 "order.\n",
	.examples = "  glooctl route sort --name default\n",
	.complete = "virtualservices",
	.flags = sort_flags,
	.run = routes_sort,
	.arguments_max = 1,
};

static const struct cli_command *const children[] = {
	&sort,
	NULL,
};

const struct cli_command cli_command_route = {
	.name = "route",
	.aliases = "routes r",
	.summary = "sort routes",
	.children = children,
};

static int
target_sort(const struct cli *cli, struct doc *vs, void *arg, struct error *err)
{
	struct doc *routes = route_list(vs);
	size_t moved = route_sort(routes);

	(void)cli;
	(void)arg;
	(void)err;
	if (moved == 0) {
		cli_say("the %zu routes of %s are in order already: nothing "
			"changed",
			doc_count(routes), describe_name(vs));
		return 1;
	}
	cli_say("sorted the routes of %s: exact paths first, then the longest "
		"prefix; %zu of %zu moved",
		describe_name(vs), moved, doc_count(routes));
	return 0;
}

static int
routes_sort(struct cli *cli)
{
	struct choose_target target = { .name = NULL };
	const struct change_edit edit = { choose_target_read, target_sort,
		&target };
	struct error err = ERROR_INIT;
	int rc;

	if (cli->interactive || cli_name(cli) != NULL) {
		target.name = choose_name(cli, MODEL_VIRTUAL_SERVICE,
			"Choose the virtual service whose routes to sort:",
			&err);
		if (target.name == NULL)
			return cli_error(&err);
	}
	rc = change_edit(cli, MODEL_VIRTUAL_SERVICE, &edit);
	free(target.name);
	return rc;
}
