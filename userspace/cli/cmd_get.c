/* glooctl get: objects as tables, YAML or JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/output.h"

static cli_run_f objects_get, upstreams_get, get_proxy, get_route, get_limits,
	get_sources;

static const struct cli_flag route_flags[] = {
	CLI_FLAG_NAME("virtual service", "virtualservices"),
	CLI_FLAG_END,
};

static const struct cli_command route = {
	.name = "route",
	.aliases = "routes r",
	.arguments = "[VIRTUALSERVICE]",
	.summary = "show the routes of a virtual service, or of all",
	.about = "One table for each kind of action. ID is what --index of "
		 "\"add route\" and\n\"remove route\" takes. HEADER is "
		 "name:value, name~regex, or name alone.\n",
	.examples = "  glooctl get virtualservice route --name default\n",
	.complete = "virtualservices",
	.flags = route_flags,
	.run = get_route,
	.arguments_max = 1,
};

static const struct cli_command *const virtual_service_children[] = {
	&route,
	NULL,
};

static const struct cli_flag upstream_flags[] = {
	{ .name = "preview",
		.help = "show what discovery would make, stored or not" },
	CLI_FLAG_END,
};

static const struct cli_command upstream = {
	CLI_UPSTREAM,
	.arguments = "[NAME]",
	.summary = "show upstreams",
	.about = "With --preview those that discovery would make, whether it "
		 "is on or not: Pending\nare those that are not stored.\n",
	.examples = "  glooctl get upstreams\n"
		    "  glooctl get upstream default-httpbin-8000 -o yaml\n"
		    "  glooctl get upstreams --preview\n",
	.flags = upstream_flags,
	.run = upstreams_get,
};

static const struct cli_command upstream_group = {
	CLI_UPSTREAM_GROUP,
	.arguments = "[NAME]",
	.summary = "show upstream groups: upstreams and their weights",
	.examples = "  glooctl get upstreamgroups\n"
		    "  glooctl get upstreamgroup canary -o yaml\n",
	.run = objects_get,
};

static const struct cli_command virtual_service = {
	CLI_VIRTUAL_SERVICE,
	.arguments = "[NAME]",
	.summary = "show virtual services, or their routes",
	.examples = "  glooctl get virtualservices\n"
		    "  glooctl get virtualservice default -o json\n",
	.children = virtual_service_children,
	.run = objects_get,
};

static const struct cli_command gateway = {
	CLI_GATEWAY,
	.arguments = "[NAME]",
	.summary = "show gateways: where is listened",
	.run = objects_get,
};

static const struct cli_command secret = {
	CLI_SECRET,
	.arguments = "[NAME]",
	.summary = "show secrets: never what is in them",
	.about = "EXPIRES is when the first certificate of the chain ends that "
		 "does, AGE since when\nthe secret is there, USED BY the "
		 "upstreams that name it. wide adds the\nfingerprint and the "
		 "subject of its first certificate; yaml and json have null "
		 "in\nthe place of each value.\n",
	.examples = "  glooctl get secrets\n"
		    "  glooctl get secret backend -o wide\n",
	.run = objects_get,
};

static const struct cli_command proxy = {
	CLI_PROXY,
	.arguments = "[NAME]",
	.summary = "show what the proxy serves",
	.run = get_proxy,
};

static const struct cli_command limits = {
	.name = "limits",
	.aliases = "limit",
	.summary = "show every rate limit and what it refused",
	.about = "WHERE is the object that the rule stands in; of the kernel's "
		 "rules the dropped\npackets are counted, rules of a kind at "
		 "one listener together. wide adds who\nenforces a rule, what "
		 "it would have refused in shadow, and how often a source\nwas "
		 "far beyond it.\n",
	.examples = "  glooctl get limits\n"
		    "  glooctl get limits -o json\n",
	.run = get_limits,
};

static const struct cli_flag sources_flags[] = {
	{ .name = "limit",
		.argument = "number",
		.fallback = "100",
		.help = "show at most so many" },
	{ .name = "top", .help = "show those with most drops first" },
	CLI_FLAG_END,
};

static const struct cli_command sources = {
	.name = "sources",
	.aliases = "source",
	.summary = "show whom limits know by address, and who is blocked",
	.about = "Sources that are blocked come first, then those that the "
		 "kernel counts exactly:\nthey used a good part of their burst "
		 "lately. LEFT is what they have now. DROPPED\nis exact up to "
		 "64, then in steps of 64; in state shadow it is what would "
		 "have been\ndropped. Of limits of requests only who is "
		 "blocked is known by address: the proxy\nkeeps a hash of each "
		 "key (\"get limits\" says what these rules refused). wide\n"
		 "adds the address of the listener and who enforces.\n",
	.examples = "  glooctl get sources --top --limit 10\n"
		    "  glooctl get sources -o json\n",
	.flags = sources_flags,
	.run = get_sources,
};

static const struct cli_command *const children[] = {
	&upstream,
	&upstream_group,
	&virtual_service,
	&gateway,
	&secret,
	&proxy,
	&limits,
	&sources,
	NULL,
};

static const struct cli_flag flags[] = {
	CLI_FLAG_OUTPUT,
	{ .name = "namespace",
		.letter = 'n',
		.argument = "string",
		.help = "namespace (default: of lists all, of a NAME "
			"gloo-system)" },
	CLI_FLAG_END,
};

const struct cli_command cli_command_get = {
	.name = "get",
	.aliases = "g",
	.summary = "show objects",
	.about = "yaml prints several objects between \"---\", json an array; "
		 "name only their names.\nwide adds namespace, version, what "
		 "proxy and kernel enforce, and the reason;\nof upstreams also "
		 "their endpoints, how well each is, when the set last\n"
		 "changed or since when it is stale, functions and where "
		 "credentials come from, and\nwhat of the circuit breakers' "
		 "limits is in use; of gateways of TCP and UDP who\nserves "
		 "each, and its backends.\n",
	.flags = flags,
	.children = children,
};

/* The table of one object has no room for why it is not Accepted. */
static void
reason_say(const struct doc *object)
{
	const struct doc *status = doc_get(object, "status");
	const char *reason = doc_get_text(status, "reason");

	if (reason[0] != '\0')
		cli_say("%s: %s",
			strcmp(doc_get_text(status, "state"), "Rejected") == 0
				? "rejected"
				: "warning",
			reason);
}

static int
objects_get(struct cli *cli)
{
	enum model_type type = cli_leaf(cli)->type;
	const char *name = cli_name(cli);
	struct error err = ERROR_INIT;
	struct doc *items, *one;
	int rc;

	if (name == NULL) {
		items = api_list(cli, type, cli_text(cli, "namespace"), &err);
	} else {
		one = api_object(cli, type, cli->ns, name, NULL, &err);
		items = one != NULL ? doc_new_list() : NULL;
		if (one != NULL)
			doc_add(items, one);
	}
	if (items == NULL)
		return cli_error(&err);
	rc = output_objects(cli, type, items, name != NULL, &err);
	if (rc == 0 && name != NULL && cli->output == CLI_OUTPUT_TABLE)
		reason_say(doc_at(items, 0));
	doc_free(items);
	return rc == 0 ? CLI_OK : cli_error(&err);
}

/* NULL: any. */
static bool
is_asked(const struct doc *object, const char *ns, const char *name)
{
	return (ns == NULL || strcmp(describe_namespace(object), ns) == 0) &&
	       (name == NULL || strcmp(describe_name(object), name) == 0);
}

static int
preview_get(struct cli *cli)
{
	const char *name = cli_name(cli), *ns = cli_text(cli, "namespace");
	struct error err = ERROR_INIT;
	struct doc *items;
	int rc;

	if (cli->output == CLI_OUTPUT_WIDE)
		return cli_usage(cli, "--preview has no wide table: what is "
				      "not stored is not enforced");
	items = api_preview(cli, &err);
	for (size_t i = doc_count(items); i-- > 0;)
		if (!is_asked(doc_at(items, i), ns, name))
			doc_free(doc_steal_at(items, i));
	if (items != NULL && name != NULL && doc_count(items) == 0) {
		doc_free(items);
		items = NULL;
		error_set(&err, ERROR_CONFIG,
			"discovery makes no upstream named \"%s\"%s%s", name,
			ns != NULL ? " in namespace " : "",
			ns != NULL ? ns : "");
	}
	if (items == NULL)
		return cli_error(&err);
	rc = output_objects(cli, MODEL_UPSTREAM, items, name != NULL, &err);
	doc_free(items);
	return rc == 0 ? CLI_OK : cli_error(&err);
}

static int
upstreams_get(struct cli *cli)
{
	return cli_switch(cli, "preview") ? preview_get(cli) : objects_get(cli);
}

static int
get_proxy(struct cli *cli)
{
	const char *name = cli_name(cli);
	struct error err = ERROR_INIT;
	struct doc *answer = api_get(cli, "/v1/proxies", NULL, NULL, &err);
	struct doc *items = doc_get(answer, "items");
	struct str text;

	if (answer == NULL)
		return cli_error(&err);
	for (size_t i = doc_count(items); name != NULL && i-- > 0;)
		if (strcmp(describe_name(doc_at(items, i)), name) != 0)
			doc_free(doc_steal_at(items, i));
	if (name != NULL && doc_count(items) == 0) {
		doc_free(answer);
		error_set(&err, ERROR_CONFIG, "there is no proxy named \"%s\"",
			name);
		return cli_error(&err);
	}
	str_init(&text);
	if (cli->output == CLI_OUTPUT_NAME) {
		for (size_t i = 0; i < doc_count(items); i++)
			str_printf(
				&text, "%s\n", describe_name(doc_at(items, i)));
	} else if (name != NULL && output_document(cli, doc_at(items, 0))) {
		;
	} else if (!output_documents(cli, items)) {
		describe_proxies(items, &text);
	}
	fputs(text.data, stdout);
	str_fini(&text);
	doc_free(answer);
	return CLI_OK;
}

/* ---- limits */

static int
get_limits(struct cli *cli)
{
	const char *ns = cli_text(cli, "namespace");
	struct error err = ERROR_INIT;
	struct doc *answer, *items;
	struct str text;

	if (cli->output == CLI_OUTPUT_NAME)
		return cli_usage(cli, "a rule has no name of its own");
	answer = api_get(cli, "/v1/limits", NULL, NULL, &err);
	if (answer == NULL)
		return cli_error(&err);
	items = doc_get(answer, "items");
	for (size_t i = doc_count(items); ns != NULL && i-- > 0;) {
		const char *its = doc_get_string(doc_at(items, i), "namespace");

		if (its == NULL || strcmp(its, ns) != 0)
			doc_free(doc_steal_at(items, i));
	}
	str_init(&text);
	if (!output_documents(cli, items))
		describe_limits(
			items, cli->output == CLI_OUTPUT_WIDE, &text);
	fputs(text.data, stdout);
	str_fini(&text);
	doc_free(answer);
	return CLI_OK;
}

/* ---- sources */

static int
get_sources(struct cli *cli)
{
	const char *ns = cli_text(cli, "namespace"), *problem;
	struct error err = ERROR_INIT;
	struct doc *answer, *items;
	struct str text;
	size_t limit;

	if (cli->output == CLI_OUTPUT_NAME)
		return cli_usage(cli, "a source has no name");
	if (cli_number(cli, "limit", 10000, &limit, &err) != 0)
		return cli_usage(cli, "%s", err.text);
	str_init(&text);
	str_printf(&text, "limit=%zu%s", limit,
		cli_switch(cli, "top") ? "&top=1" : "");
	if (ns != NULL)
		str_printf(&text, "&namespace=%s", cli->ns);
	answer = api_get(cli, "/v1/sources", text.data, NULL, &err);
	str_clear(&text);
	items = doc_get(answer, "items");
	if (answer != NULL && !output_documents(cli, items))
		describe_sources(
			items, cli->output == CLI_OUTPUT_WIDE, &text);
	fputs(text.data, stdout);
	str_fini(&text);
	if (answer == NULL)
		return cli_error(&err);
	problem = doc_get_string(answer, "problem");
	if (problem != NULL)
		cli_say("warning: %s", problem);
	if (doc_integer(doc_get(answer, "total")) > (int64_t)doc_count(items))
		cli_say("%zu of %lld sources are shown; --limit shows more",
			doc_count(items),
			(long long)doc_integer(doc_get(answer, "total")));
	doc_free(answer);
	return CLI_OK;
}

/* ---- routes */

static void
routes_print(const struct cli *cli, const struct doc *items)
{
	struct str text;

	str_init(&text);
	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *vs = doc_at(items, i);
		const struct doc *routes =
			doc_find(vs, "virtualHost", "routes", NULL);

		if (doc_count(items) > 1)
			str_printf(&text, "%s%s.%s\n", i > 0 ? "\n" : "",
				describe_namespace(vs), describe_name(vs));
		if (doc_count(routes) == 0)
			cli_say("virtual service %s.%s has no routes",
				describe_namespace(vs), describe_name(vs));
		describe_routes(routes, cli->kinds,
			cli->output == CLI_OUTPUT_WIDE, &text);
	}
	fputs(text.data, stdout);
	str_fini(&text);
}

/* The routes of all of them in one list. */
static struct doc *
routes_collect(const struct doc *items)
{
	struct doc *all = doc_new_list();

	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *routes = doc_find(
			doc_at(items, i), "virtualHost", "routes", NULL);

		for (size_t r = 0; r < doc_count(routes); r++)
			doc_add(all, doc_copy(doc_at(routes, r)));
	}
	return all;
}

static int
get_route(struct cli *cli)
{
	const char *name = cli_name(cli);
	struct error err = ERROR_INIT;
	struct doc *items, *all;

	if (cli->output == CLI_OUTPUT_NAME)
		return cli_usage(cli, "routes have no names to print");
	if (name != NULL) {
		struct doc *one = api_object(
			cli, MODEL_VIRTUAL_SERVICE, cli->ns, name, NULL, &err);

		if (one == NULL)
			return cli_error(&err);
		items = doc_new_list();
		doc_add(items, one);
	} else {
		items = api_list(cli, MODEL_VIRTUAL_SERVICE,
			cli_text(cli, "namespace"), &err);
	}
	if (items == NULL)
		return cli_error(&err);
	all = routes_collect(items);
	if (!output_documents(cli, all))
		routes_print(cli, items);
	doc_free(all);
	doc_free(items);
	return CLI_OK;
}
