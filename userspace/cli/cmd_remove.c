/* glooctl remove route: one route less in a virtual service. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/prompt.h"
#include "cli/route.h"

static cli_run_f remove_route;

static const struct cli_flag route_flags[] = {
	{ .name = "name",
		.argument = "string",
		.help = "virtual service (default: the first with domain *)",
		.complete = "virtualservices" },
	{ .name = "index",
		.letter = 'x',
		.argument = "number",
		.help = "which route, 0 is the first (ID of \"get vs "
			"route\")" },
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_OUTPUT,
	CLI_FLAG_DRY_RUN,
	CLI_FLAG_END,
};

static const struct cli_command route = {
	.name = "route",
	.aliases = "routes r",
	.summary = "remove a route from a virtual service",
	.examples = "  glooctl remove route --name default --index 0\n",
	.flags = route_flags,
	.run = remove_route,
};

static const struct cli_command *const children[] = {
	&route,
	NULL,
};

const struct cli_command cli_command_remove = {
	.name = "remove",
	.aliases = "rm",
	.summary = "remove a route",
	.children = children,
};

struct removing {
	struct choose_target target; /* first: see choose_target_read */
	char *taken; /* what the one that was chosen by index says */
	size_t index;
};

static int
route_take(const struct cli *cli, struct doc *vs, void *arg, struct error *err)
{
	struct removing *r = arg;
	struct doc *routes = route_list(vs);
	struct str text;

	if (r->index >= doc_count(routes))
		return error_set(err, ERROR_CONFIG,
			"--index %zu: virtual service %s has routes: %zu, "
			"counted from 0",
			r->index, describe_name(vs), doc_count(routes));
	str_init(&text);
	describe_matchers(doc_at(routes, r->index), &text);
	str_puts(&text, " -> ");
	describe_action(doc_at(routes, r->index), cli->kinds, &text);
	/* After a conflict the index may mean another one: better not. */
	if (r->taken != NULL && strcmp(r->taken, text.data) != 0) {
		error_set(err, ERROR_CONFIG,
			"the routes of %s were changed by others meanwhile: "
			"route %zu is %s now; look again",
			describe_name(vs), r->index, text.data);
		str_fini(&text);
		return -1;
	}
	free(r->taken);
	r->taken = str_steal(&text);
	str_fini(&text);
	doc_free(doc_steal_at(routes, r->index));
	return 0;
}

/* Asks which one of the routes there are. */
static int
index_ask(const struct cli *cli, struct removing *r, struct error *err)
{
	struct doc *vs = choose_target_read(cli, &r->target, err);
	const struct doc *routes = doc_find(vs, "virtualHost", "routes", NULL);
	size_t count = doc_count(routes);
	struct str *texts = xcalloc(count + 1, sizeof(*texts));
	const char **choices = xcalloc(count + 1, sizeof(*choices));
	int rc = -1;

	for (size_t i = 0; i < count; i++) {
		str_init(&texts[i]);
		str_printf(&texts[i], "%zu: ", i);
		describe_matchers(doc_at(routes, i), &texts[i]);
		str_puts(&texts[i], " -> ");
		describe_action(doc_at(routes, i), cli->kinds, &texts[i]);
		choices[i] = texts[i].data;
	}
	if (vs != NULL)
		rc = prompt_choice("Choose the route to remove:", choices,
			count, count, &r->index, err);
	for (size_t i = 0; i < count; i++)
		str_fini(&texts[i]);
	free(texts);
	free(choices);
	doc_free(vs);
	return rc;
}

static int
remove_route(struct cli *cli)
{
	struct removing r = { .taken = NULL };
	const struct change_edit edit = { choose_target_read, route_take, &r };
	struct error err = ERROR_INIT;
	int rc;

	if (cli->interactive || cli_text(cli, "name") != NULL) {
		r.target.name = choose_name(cli, MODEL_VIRTUAL_SERVICE,
			"Choose the virtual service to remove a route from:",
			&err);
		if (r.target.name == NULL)
			return cli_error(&err);
	}
	if (cli_given(cli, "index"))
		rc = cli_number(cli, "index", SIZE_MAX / 2, &r.index, &err);
	else if (cli->interactive)
		rc = index_ask(cli, &r, &err);
	else
		rc = error_set(&err, ERROR_CONFIG,
			"--index, which route to remove, is missing");
	rc = rc != 0 ? cli_usage(cli, "%s", err.text)
		     : change_edit(cli, MODEL_VIRTUAL_SERVICE, &edit);
	free(r.target.name);
	free(r.taken);
	return rc;
}
