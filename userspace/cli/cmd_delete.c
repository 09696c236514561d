/* glooctl delete: takes objects away. */
#include <stdlib.h>

#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"

static cli_run_f object_delete, delete_proxy;

static const struct cli_command upstream = {
	CLI_UPSTREAM,
	.arguments = "NAME",
	.summary = "delete an upstream",
	.about = "Routes that lead to it stay and answer 503; exit status 2 "
		 "then. One that was\ndiscovered is back at once, without what "
		 "was changed in it.\n",
	.flags = choose_flags[MODEL_UPSTREAM],
	.run = object_delete,
};

static const struct cli_command upstream_group = {
	CLI_UPSTREAM_GROUP,
	.arguments = "NAME",
	.summary = "delete an upstream group",
	.about = "Routes that lead to it stay and answer 503; exit status 2 "
		 "then. Its upstreams stay.\n",
	.flags = choose_flags[MODEL_UPSTREAM_GROUP],
	.run = object_delete,
};

static const struct cli_command virtual_service = {
	CLI_VIRTUAL_SERVICE,
	.arguments = "NAME",
	.summary = "delete a virtual service with its routes",
	.flags = choose_flags[MODEL_VIRTUAL_SERVICE],
	.run = object_delete,
};

static const struct cli_command gateway = {
	CLI_GATEWAY,
	.arguments = "NAME",
	.summary = "delete a gateway: nothing listens there any more",
	.flags = choose_flags[MODEL_GATEWAY],
	.run = object_delete,
};

static const struct cli_command secret = {
	CLI_SECRET,
	.arguments = "NAME",
	.summary = "delete a secret",
	.about = "Upstreams that name it stay, and routes to them answer 503; "
		 "exit status 2 then.\n",
	.flags = choose_flags[MODEL_SECRET],
	.run = object_delete,
};

static const struct cli_command proxy = {
	CLI_PROXY,
	.arguments = "NAME",
	.summary = "not possible: a proxy is made from the gateways",
	.run = delete_proxy,
	.hidden = true,
};

static const struct cli_command *const children[] = {
	&upstream,
	&upstream_group,
	&virtual_service,
	&gateway,
	&secret,
	&proxy,
	NULL,
};

static const struct cli_flag flags[] = {
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_DRY_RUN,
	CLI_FLAG_END,
};

const struct cli_command cli_command_delete = {
	.name = "delete",
	.aliases = "del d",
	.summary = "delete an object",
	.examples = "  glooctl delete virtualservice default\n",
	.flags = flags,
	.children = children,
};

static int
object_delete(struct cli *cli)
{
	static const char *const questions[MODEL_TYPE_COUNT] = {
		[MODEL_UPSTREAM] = "Choose an upstream to delete:",
		[MODEL_UPSTREAM_GROUP] = "Choose an upstream group to delete:",
		[MODEL_VIRTUAL_SERVICE] = "Choose a virtual service to delete:",
		[MODEL_GATEWAY] = "Choose a gateway to delete:",
		[MODEL_SECRET] = "Choose a secret to delete:",
	};
	enum model_type type = cli_leaf(cli)->type;
	struct error err = ERROR_INIT;
	char *name = choose_name(cli, type, questions[type], &err);
	int rc;

	if (name == NULL)
		return cli_usage(cli, "%s", err.text);
	rc = change_delete(cli, type, name);
	free(name);
	return rc;
}

static int
delete_proxy(struct cli *cli)
{
	return cli_usage(cli, "a proxy is made from the gateways: delete or "
			      "change those");
}
