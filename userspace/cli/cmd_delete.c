/* glooctl delete: takes objects away. */
#include <stdlib.h>

#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"

static cli_run_f delete_upstream, delete_virtual_service, delete_gateway;
static cli_run_f delete_proxy;

static const struct cli_flag upstream_flags[] = {
	CLI_FLAG_NAME("upstream", "upstreams"),
	CLI_FLAG_END,
};

static const struct cli_command upstream = {
	.name = "upstream",
	.aliases = "upstreams us u",
	.arguments = "NAME",
	.summary = "delete an upstream",
	.about = "Routes that lead to it stay and answer 503; exit status 2 "
		 "then. One that was\ndiscovered may come back.\n",
	.complete = "upstreams",
	.flags = upstream_flags,
	.run = delete_upstream,
	.arguments_max = 1,
};

static const struct cli_flag virtual_service_flags[] = {
	CLI_FLAG_NAME("virtual service", "virtualservices"),
	CLI_FLAG_END,
};

static const struct cli_command virtual_service = {
	.name = "virtualservice",
	.aliases = "virtualservices vs",
	.arguments = "NAME",
	.summary = "delete a virtual service with its routes",
	.complete = "virtualservices",
	.flags = virtual_service_flags,
	.run = delete_virtual_service,
	.arguments_max = 1,
};

static const struct cli_flag gateway_flags[] = {
	CLI_FLAG_NAME("gateway", "gateways"),
	CLI_FLAG_END,
};

static const struct cli_command gateway = {
	.name = "gateway",
	.aliases = "gateways gw",
	.arguments = "NAME",
	.summary = "delete a gateway: nothing listens there any more",
	.complete = "gateways",
	.flags = gateway_flags,
	.run = delete_gateway,
	.arguments_max = 1,
};

static const struct cli_command proxy = {
	.name = "proxy",
	.aliases = "proxies px p",
	.arguments = "NAME",
	.summary = "not possible: a proxy is made from the gateways",
	.run = delete_proxy,
	.arguments_max = 1,
	.hidden = true,
};

static const struct cli_command *const children[] = {
	&upstream,
	&virtual_service,
	&gateway,
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
object_delete(const struct cli *cli, enum model_type type)
{
	static const char *const questions[MODEL_TYPE_COUNT] = {
		[MODEL_UPSTREAM] = "Choose an upstream to delete:",
		[MODEL_VIRTUAL_SERVICE] = "Choose a virtual service to delete:",
		[MODEL_GATEWAY] = "Choose a gateway to delete:",
	};
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
delete_upstream(struct cli *cli)
{
	return object_delete(cli, MODEL_UPSTREAM);
}

static int
delete_virtual_service(struct cli *cli)
{
	return object_delete(cli, MODEL_VIRTUAL_SERVICE);
}

static int
delete_gateway(struct cli *cli)
{
	return object_delete(cli, MODEL_GATEWAY);
}

static int
delete_proxy(struct cli *cli)
{
	return cli_usage(cli, "a proxy is made from the gateways: delete or "
			      "change those");
}
