/* glooctl check lambda|azure: the daemon asks the cloud (/v1/probe), of each
 * upstream of the kind. */
#include "cli/check_functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/describe.h"
#include "cli/function.h"
#include "cli/output.h"

static cli_run_f check_lambda, check_azure;

static const struct cli_flag flags[] = {
	CLI_FLAG_NAME("upstream", "upstreams"),
	{ .name = "namespace",
		.letter = 'n',
		.argument = "string",
		.help = "namespace (default: without a NAME all, else "
			"gloo-system)" },
	CLI_FLAG_END,
};

const struct cli_command check_lambda_command = {
	.name = "lambda",
	.aliases = "aws",
	.arguments = "[UPSTREAM]",
	.summary = "ask AWS whether the functions of upstreams may be called",
	.about =
		"Of one upstream, or of all of kind aws: where the credentials "
		"come from and whose\nthey are, whether functions may be "
		"listed "
		"where they are looked for, and whether\nthose that the "
		"upstream lists or that were found may be called (DryRun: "
		"nothing\nruns). The permission that is missing is named. Exit "
		"status as of check.\n",
	.examples = "  glooctl check lambda hello-lambda\n",
	.complete = "upstreams",
	.flags = flags,
	.run = check_lambda,
	.arguments_max = 1,
};

const struct cli_command check_azure_command = {
	.name = "azure",
	.arguments = "[UPSTREAM]",
	.summary = "ask Azure whether the functions of upstreams may be called",
	.about = "Of one upstream, or of all of kind azure: the host's name, "
		 "the "
		 "keys, the tokens,\nand what is asked of the management API. "
		 "The "
		 "permission that is missing is named.\nExit status as of "
		 "check.\n",
	.examples = "  glooctl check azure orders\n",
	.complete = "upstreams",
	.flags = flags,
	.run = check_azure,
	.arguments_max = 1,
};

/* ---- findings */

static bool
is_level(const struct doc *finding, const char *level)
{
	return strcmp(doc_get_text(finding, "level"), level) == 0;
}

static size_t
level_count(const struct doc *findings, const char *level)
{
	size_t count = 0;

	for (size_t i = 0; i < doc_count(findings); i++)
		count += is_level(doc_at(findings, i), level);
	return count;
}

/* What the daemon cannot ask is an error of that upstream, not of all. */
static struct doc *
findings_get(const struct cli *cli, const struct doc *upstream)
{
	char *path = xasprintf("/v1/probe/%s/%s", describe_namespace(upstream),
		describe_name(upstream));
	struct error err = ERROR_INIT;
	struct doc *answer = api_get(cli, path, NULL, NULL, &err);
	struct doc *findings = doc_steal(answer, "findings"), *one;

	if (doc_type(findings) != DOC_LIST) {
		doc_free(findings);
		findings = doc_new_list();
		one = doc_add(findings, doc_new_map());
		doc_set_string(one, "level", "error");
		doc_set_string(one, "sentence",
			answer == NULL
				? err.text
				: "the daemon answered without findings");
	}
	doc_free(answer);
	free(path);
	return findings;
}

/* A row of the result for it. */
static struct doc *
upstream_probe(const struct cli *cli, const struct doc *upstream)
{
	struct doc *row = doc_new_map();

	doc_set_string(row, "namespace", describe_namespace(upstream));
	doc_set_string(row, "name", describe_name(upstream));
	doc_set(row, "findings", findings_get(cli, upstream));
	return row;
}

/* ---- printing */

static void
row_print(const struct doc *row)
{
	const struct doc *findings = doc_get(row, "findings");
	size_t errors = level_count(findings, "error");
	size_t warnings = level_count(findings, "warning");

	printf("Checking %s.%s... ", doc_get_text(row, "namespace"),
		doc_get_text(row, "name"));
	if (errors > 0)
		printf("%zu Error%s!\n", errors, errors > 1 ? "s" : "");
	else if (warnings > 0)
		printf("%zu Warning%s!\n", warnings, warnings > 1 ? "s" : "");
	else
		printf("OK\n");
	for (size_t i = 0; i < doc_count(findings); i++) {
		const struct doc *one = doc_at(findings, i);

		if (is_level(one, "ok"))
			printf("  %s\n", doc_get_text(one, "sentence"));
		else if (is_level(one, "note"))
			printf("  note: %s\n", doc_get_text(one, "sentence"));
	}
}

static size_t
problems_print(const struct doc *rows, const char *level, const char *word,
	size_t number)
{
	for (size_t i = 0; i < doc_count(rows); i++) {
		const struct doc *row = doc_at(rows, i);
		const struct doc *findings = doc_get(row, "findings");

		for (size_t k = 0; k < doc_count(findings); k++)
			if (is_level(doc_at(findings, k), level))
				printf("%zu. %s.%s: %s%s\n", ++number,
					doc_get_text(row, "namespace"),
					doc_get_text(row, "name"), word,
					doc_get_text(doc_at(findings, k),
						"sentence"));
	}
	return number;
}

static int
verdict_of(const struct doc *rows)
{
	int rc = CLI_OK;

	for (size_t i = 0; i < doc_count(rows); i++) {
		const struct doc *findings =
			doc_get(doc_at(rows, i), "findings");

		if (level_count(findings, "error") > 0)
			return CLI_REJECTED;
		if (level_count(findings, "warning") > 0)
			rc = CLI_WARNING;
	}
	return rc;
}

static void
rows_print(const struct doc *rows, int verdict)
{
	for (size_t i = 0; i < doc_count(rows); i++)
		row_print(doc_at(rows, i));
	if (verdict == CLI_OK)
		printf("No problems detected.\n");
	else
		problems_print(rows, "warning",
			"warning: ", problems_print(rows, "error", "", 0));
}

/* ---- which upstreams */

/* The one that was named, as a list; NULL and err: it is none of the kind. */
static struct doc *
named_get(const struct cli *cli, const char *kind, const char *name,
	struct error *err)
{
	struct doc *one =
		api_object(cli, MODEL_UPSTREAM, cli->ns, name, NULL, err);
	struct doc *list;

	if (one == NULL)
		return NULL;
	if (strcmp(function_kind(one), kind) != 0) {
		error_set(err, ERROR_CONFIG,
			"the upstream %s.%s is of kind %s; \"check %s\" is "
			"about those of kind %s",
			cli->ns, name, function_kind(one), cli_leaf(cli)->name,
			kind);
		doc_free(one);
		return NULL;
	}
	list = doc_new_list();
	doc_add(list, one);
	return list;
}

static struct doc *
all_get(const struct cli *cli, const char *kind, struct error *err)
{
	const char *ns = cli_text(cli, "namespace");
	struct doc *items = api_list(cli, MODEL_UPSTREAM, ns, err);

	for (size_t i = doc_count(items); i-- > 0;)
		if (strcmp(function_kind(doc_at(items, i)), kind) != 0)
			doc_free(doc_steal_at(items, i));
	if (items == NULL || doc_count(items) > 0)
		return items;
	error_set(err, ERROR_CONFIG,
		"there is no upstream of kind %s%s%s; \"glooctl create "
		"upstream %s -i\" makes one",
		kind, ns != NULL ? " in namespace " : "", ns != NULL ? ns : "",
		kind);
	doc_free(items);
	return NULL;
}

static int
check(const struct cli *cli, const char *kind)
{
	const char *name = cli_name(cli);
	struct error err = ERROR_INIT;
	struct doc *upstreams = name != NULL ? named_get(cli, kind, name, &err)
					     : all_get(cli, kind, &err);
	struct doc *result, *rows;
	int rc;

	if (upstreams == NULL)
		return cli_error(&err);
	result = doc_new_map();
	rows = doc_set(result, "upstreams", doc_new_list());
	for (size_t i = 0; i < doc_count(upstreams); i++)
		doc_add(rows, upstream_probe(cli, doc_at(upstreams, i)));
	rc = verdict_of(rows);
	if (!output_document(cli, result))
		rows_print(rows, rc);
	doc_free(result);
	doc_free(upstreams);
	return rc;
}

static int
check_lambda(struct cli *cli)
{
	return check(cli, "aws");
}

static int
check_azure(struct cli *cli)
{
	return check(cli, "azure");
}
