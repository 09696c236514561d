/* glooctl add route: one route more in a virtual service. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/change.h"
#include "cli/choose.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/function.h"
#include "cli/prompt.h"
#include "cli/route.h"

static cli_run_f add_route;

static const struct cli_flag route_flags[] = {
	{ .name = "path-prefix",
		.letter = 'p',
		.argument = "string",
		.help = "path prefix to match" },
	{ .name = "path-exact",
		.letter = 'e',
		.argument = "string",
		.help = "exact path to match" },
	{ .name = "path-regex",
		.letter = 'r',
		.argument = "string",
		.help = "regex that the whole path has to match" },
	{ .name = "method",
		.letter = 'm',
		.argument = "strings",
		.help = "methods to match, GET,POST (default any)" },
	{ .name = "header",
		.letter = 'd',
		.argument = "k=v",
		.help = "header to match exactly; k alone: it is there" },
	{ .name = "header-regex",
		.argument = "k=regex",
		.help = "header whose whole value has to match" },
	{ .name = "queryParameter",
		.letter = 'q',
		.argument = "k=v",
		.help = "query parameter to match exactly; k alone: is there" },
	{ .name = "dest-name",
		.letter = 'u',
		.argument = "string",
		.help = "upstream that the route leads to",
		.complete = "upstreams" },
	{ .name = "dest-namespace",
		.letter = 's',
		.argument = "string",
		.fallback = MODEL_NAMESPACE_DEFAULT,
		.help = "namespace of that upstream" },
	{ .name = "upstream-group-name",
		.argument = "string",
		.help = "upstream group that the route leads to instead",
		.complete = "upstreamgroups" },
	{ .name = "upstream-group-namespace",
		.argument = "string",
		.fallback = MODEL_NAMESPACE_DEFAULT,
		.help = "namespace of that upstream group" },
	{ .name = "index",
		.letter = 'x',
		.argument = "number",
		.help = "where to insert it, 0 is in front (default: last)" },
	{ .name = "prefix-rewrite",
		.argument = "string",
		.help = "put this in place of the matched prefix" },
	FUNCTION_FLAGS,
	{ .name = "rest-function-name",
		.letter = 'f',
		.argument = "string",
		.help = "REST function (not served yet: refused)" },
	{ .name = "rest-parameters",
		.argument = "strings",
		.help = "parameters of it (not served yet: refused)" },
	{ .name = "name",
		.argument = "string",
		.help = "virtual service (default: the first with domain *)",
		.complete = "virtualservices" },
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_OUTPUT,
	CLI_FLAG_DRY_RUN,
	CLI_FLAG_END,
};

static const struct cli_command route = {
	.name = "route",
	.aliases = "routes r",
	.summary = "add a route to a virtual service",
	.about = "The first route that matches wins; a new one goes to the end "
		 "unless --index is\ngiven. Without --name the first virtual "
		 "service with the domain * is taken; if\nthere is none, "
		 "\"default\" is made.\n",
	.examples = "  glooctl add route --path-prefix /httpbin --dest-name "
		    "default-httpbin-8000 \\\n"
		    "      --prefix-rewrite /\n"
		    "  glooctl add route -e /cart -m GET,HEAD -d x-beta=1 "
		    "-u shop --index 0\n"
		    "  glooctl add route -p /cart --upstream-group-name "
		    "canary\n"
		    "  glooctl add route -p /lambda -u hello-lambda "
		    "--function hello-world:1\n",
	.flags = route_flags,
	.run = add_route,
};

static const struct cli_command *const children[] = {
	&route,
	NULL,
};

const struct cli_command cli_command_add = {
	.name = "add",
	.aliases = "a",
	.summary = "add a route",
	.children = children,
};

/* What the retries of one command share. */
struct adding {
	const char *name; /* of the virtual service, or NULL */
	struct doc *route;
	bool said;
};

static struct doc *
default_new(const struct cli *cli)
{
	struct doc *vs = doc_new_map();
	struct doc *meta = doc_set(vs, "metadata", doc_new_map());
	struct doc *host = doc_set(vs, "virtualHost", doc_new_map());

	doc_set_string(meta, "name", "default");
	doc_set_string(meta, "namespace", cli->ns);
	doc_add(doc_set(host, "domains", doc_new_list()), doc_new_string("*"));
	return vs;
}

static struct doc *
target_read(const struct cli *cli, void *arg, struct error *err)
{
	struct adding *a = arg;
	struct doc *vs;
	char *selected;

	vs = choose_virtual_service(cli, a->name, &selected, err);
	if (selected != NULL && !a->said)
		cli_say("selected virtualservice %s for route", selected);
	free(selected);
	if (vs == NULL && err->code == ERROR_NONE) {
		/* The name may be taken by one with other domains. */
		if (change_is_new(cli, MODEL_VIRTUAL_SERVICE, cli->ns,
			    "default", err) != 0) {
			error_prefix(
				err, "no virtual service has the domain *");
			return NULL;
		}
		if (!a->said)
			cli_say("creating virtualservice default with default "
				"domain *");
		vs = default_new(cli);
	}
	a->said = true;
	return vs;
}

static int
route_insert(
	const struct cli *cli, struct doc *vs, void *arg, struct error *err)
{
	const struct adding *a = arg;
	struct doc *routes = route_list(vs);
	size_t index = doc_count(routes);

	if (cli_given(cli, "index")) {
		if (cli_number(cli, "index", SIZE_MAX / 2, &index, err) != 0)
			return -1;
		if (index > doc_count(routes))
			return error_set(err, ERROR_CONFIG,
				"--index %zu: virtual service %s has routes: "
				"%zu, so it can be at most %zu",
				index, describe_name(vs), doc_count(routes),
				doc_count(routes));
	}
	doc_insert(routes, index, doc_copy(a->route));
	return 0;
}

/* ---- asking */

/* Answers become values of flags, and live in here. */
struct answers {
	char **texts;
	size_t count;
};

static void
answer_add(struct cli *cli, struct answers *a, const char *flag, char *text)
{
	const struct cli_flag *f = route_flags;

	while (strcmp(f->name, flag) != 0)
		f++;
	a->texts = xreallocarray(a->texts, a->count + 1, sizeof(*a->texts));
	a->texts[a->count++] = text;
	cli->values = xreallocarray(
		cli->values, cli->value_count + 1, sizeof(*cli->values));
	cli->values[cli->value_count++] = (struct cli_value){ f, text };
}

/* Asks unless the flag was given; an empty answer leaves it out. */
static int
text_ask(struct cli *cli, struct answers *a, const char *question,
	const char *fallback, const char *flag, struct error *err)
{
	char *text;

	if (cli_given(cli, flag))
		return 0;
	if (prompt_text(question, fallback, &text, err) != 0)
		return -1;
	if (text[0] == '\0')
		free(text);
	else
		answer_add(cli, a, flag, text);
	return 0;
}

static int
many_ask(struct cli *cli, struct answers *a, const char *question,
	const char *flag, struct error *err)
{
	char *text;

	if (cli_given(cli, flag))
		return 0;
	for (;;) {
		if (prompt_text(question, "", &text, err) != 0)
			return -1;
		if (text[0] == '\0') {
			free(text);
			return 0;
		}
		answer_add(cli, a, flag, text);
	}
}

static int
path_ask(struct cli *cli, struct answers *a, struct error *err)
{
	static const char *const types[] = { "path-prefix", "path-regex",
		"path-exact" };
	size_t chosen;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (cli_given(cli, types[i]))
			return 0;
	if (prompt_choice("Choose a path match type:", types, ARRAY_SIZE(types),
		    0, &chosen, err) != 0)
		return -1;
	return text_ask(cli, a,
		chosen == 0   ? "What path prefix should we match?"
		: chosen == 1 ? "What path regex should we match?"
			      : "What exact path should we match?",
		"/", types[chosen], err);
}

/* If the upstream is one of functions, and none was named. Where it is known
 * which there are, one of them. */
static int
function_ask(struct cli *cli, struct answers *a, const struct doc *upstream,
	struct error *err)
{
	static const char question[] = "Which function should this route to?";
	struct doc *list;
	const char **names;
	size_t count, chosen;
	char *text = NULL;
	bool found;
	int rc;

	if (!function_kind_has(cli, upstream) || function_named(cli))
		return 0;
	list = function_names(cli, upstream, &found);
	count = doc_count(list);
	names = xcalloc(count + 1, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = doc_string(doc_at(list, i));
	if (found && count > 0) {
		rc = prompt_choice(question, names, count, count, &chosen, err);
		text = rc == 0 ? xstrdup(names[chosen]) : NULL;
	} else {
		rc = prompt_offer(question, names, count, "", &text, err);
	}
	if (text != NULL && text[0] != '\0')
		answer_add(cli, a, "function", text);
	else
		free(text);
	free(names);
	doc_free(list);
	return rc;
}

/* NULL: there is none of that name. */
static const struct doc *
upstream_find(const struct doc *upstreams, const char *name)
{
	for (size_t i = 0; i < doc_count(upstreams); i++)
		if (strcmp(describe_name(doc_at(upstreams, i)), name) == 0)
			return doc_at(upstreams, i);
	return NULL;
}

/* One of the upstreams or, behind them, of the upstream groups. */
static int
destination_choose(struct cli *cli, struct answers *a,
	const struct doc *upstreams, const struct doc *groups,
	struct error *err)
{
	size_t count = doc_count(upstreams), chosen;
	size_t all = count + doc_count(groups);
	char **labels = xcalloc(all + 1, sizeof(*labels));
	int rc;

	for (size_t i = 0; i < count; i++)
		labels[i] = xstrdup(describe_name(doc_at(upstreams, i)));
	for (size_t i = count; i < all; i++)
		labels[i] = xasprintf("upstream group %s",
			describe_name(doc_at(groups, i - count)));
	rc = prompt_choice("Choose the upstream to route to:",
		(const char *const *)labels, all, all, &chosen, err);
	if (rc == 0 && chosen < count)
		answer_add(cli, a, "dest-name", xstrdup(labels[chosen]));
	else if (rc == 0)
		answer_add(cli, a, "upstream-group-name",
			xstrdup(describe_name(doc_at(groups, chosen - count))));
	for (size_t i = 0; i < all; i++)
		free(labels[i]);
	free(labels);
	return rc;
}

static int
destination_ask(struct cli *cli, struct answers *a, struct error *err)
{
	struct doc *upstreams, *groups = NULL;
	int rc = 0;

	if (cli_given(cli, "upstream-group-name"))
		return 0;
	upstreams = api_list(
		cli, MODEL_UPSTREAM, cli_text(cli, "dest-namespace"), err);
	if (upstreams == NULL)
		return -1;
	if (!cli_given(cli, "dest-name")) {
		groups = api_list(cli, MODEL_UPSTREAM_GROUP,
			cli_text(cli, "upstream-group-namespace"), err);
		rc = groups == NULL ? -1
				    : destination_choose(
					      cli, a, upstreams, groups, err);
	}
	if (rc == 0 && cli_given(cli, "dest-name"))
		rc = function_ask(cli, a,
			upstream_find(upstreams, cli_text(cli, "dest-name")),
			err);
	doc_free(upstreams);
	doc_free(groups);
	return rc;
}

static int
rewrite_ask(struct cli *cli, struct answers *a, struct error *err)
{
	bool yes;

	if (cli_given(cli, "prefix-rewrite"))
		return 0;
	if (prompt_yes_no("Do you wish to add a prefix-rewrite transformation "
			  "to the route?",
		    false, &yes, err) != 0)
		return -1;
	if (!yes)
		return 0;
	return text_ask(cli, a,
		"rewrite the matched portion of HTTP requests with this "
		"prefix:",
		"/", "prefix-rewrite", err);
}

static int
questions_ask(struct cli *cli, struct answers *a, struct error *err)
{
	if (text_ask(cli, a,
		    "Choose a virtual service to add the route to (empty: "
		    "the default one):",
		    "", "name", err) != 0)
		return -1;
	if (text_ask(cli, a,
		    "Where do you want to insert the route (0 is in front, "
		    "empty: at the end)?",
		    "", "index", err) != 0 ||
		path_ask(cli, a, err) != 0)
		return -1;
	if (many_ask(cli, a,
		    "Add a header for this matcher, key=value (empty to skip)?",
		    "header", err) != 0 ||
		many_ask(cli, a,
			"HTTP method to match for this route (empty to skip)?",
			"method", err) != 0 ||
		destination_ask(cli, a, err) != 0)
		return -1;
	return rewrite_ask(cli, a, err);
}

static int
add_route(struct cli *cli)
{
	struct answers answers = { NULL, 0 };
	struct adding adding = { .route = NULL };
	struct error err = ERROR_INIT;
	const struct change_edit edit = { target_read, route_insert, &adding };
	int rc;

	if (cli->interactive && questions_ask(cli, &answers, &err) != 0) {
		rc = cli_error(&err);
		goto out;
	}
	adding.name = cli_text(cli, "name");
	adding.route = route_from_flags(cli, &err);
	if (adding.route == NULL) {
		rc = cli_usage(cli, "%s", err.text);
		goto out;
	}
	rc = change_edit(cli, MODEL_VIRTUAL_SERVICE, &edit);
out:
	doc_free(adding.route);
	for (size_t i = 0; i < answers.count; i++)
		free(answers.texts[i]);
	free(answers.texts);
	return rc;
}
