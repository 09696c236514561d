/* glooctl check: is everything well, and if not, what is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api.h"
#include "cli/check_functions.h"
#include "cli/command.h"
#include "cli/output.h"

static cli_run_f check_run;

static const struct cli_flag flags[] = {
	{ .name = "list",
		.help = "list what is looked at, with its state",
		.here = true },
	{ .name = "output",
		.letter = 'o',
		.argument = "form",
		.fallback = "table",
		.help = "table, json or yaml",
		.complete = "table|json|yaml" },
	CLI_FLAG_END,
};

static const struct cli_command *const children[] = {
	&check_lambda_command,
	&check_azure_command,
	NULL,
};

const struct cli_command cli_command_check = {
	.name = "check",
	.summary = "check the state of the gateway",
	.about = "Exit status 0: no problems; 2: warnings only; 3: errors.\n",
	.examples = "  glooctl check\n"
		    "  glooctl check lambda hello-lambda\n",
	.flags = flags,
	.children = children,
	.run = check_run,
};

/* ---- the kernel half, in words */

static void
interface_print(const struct doc *i)
{
	const char *problem = doc_get_text(i, "problem");

	printf("  %s: ", doc_get_text(i, "name"));
	if (!doc_bool(doc_get(i, "attached"))) {
		printf("not attached");
	} else {
		printf("%s mode", doc_get_text(i, "mode"));
		if (doc_bool(doc_get(i, "dispatcher")))
			printf(", by libxdp's dispatcher");
		if (doc_bool(doc_get(i, "adopted")))
			printf(", adopted");
	}
	printf("%s%s\n", problem[0] != '\0' ? ": " : "", problem);
}

static void
kernel_print(const struct doc *status)
{
	const struct doc *kernel = doc_get(status, "kernel");
	const struct doc *interfaces = doc_get(kernel, "interfaces");
	int64_t bytes = doc_integer(doc_get(kernel, "mapBytes"));

	if (doc_count(interfaces) == 0 &&
		strcmp(doc_get_text(kernel, "state"), "off") == 0)
		printf("  off: no interface is configured\n");
	for (size_t i = 0; i < doc_count(interfaces); i++)
		interface_print(doc_at(interfaces, i));
	if (bytes > 0)
		printf("  maps: %lld bytes\n", (long long)bytes);
	if (doc_get_text(kernel, "steering")[0] != '\0')
		printf("  new connections go to %s\n",
			doc_get_text(kernel, "steering"));
	if (doc_get_text(kernel, "migration")[0] != '\0')
		printf("  a listener that closes hands on what waits in it: "
		       "%s\n",
			doc_get_text(kernel, "migration"));
}

/* ---- areas */

/* Is the area what a kind does for all of its upstreams? */
static bool
is_source(const struct cli *cli, const char *area)
{
	for (size_t i = 0; cli->kinds[i] != NULL; i++)
		if (cli->kinds[i]->settings_key != NULL &&
			strcmp(cli->kinds[i]->settings_key, area) == 0)
			return true;
	return false;
}

/* A source's parts, of which most are well. */
static void
notes_print(const struct doc *area)
{
	const struct doc *notes = doc_get(area, "notes");

	for (size_t i = 0; i < doc_count(notes); i++) {
		const char *text = doc_string(doc_at(notes, i));

		printf("  %s\n", text != NULL ? text : "");
	}
}

static void
area_print(
	const struct cli *cli, const struct doc *area, const struct doc *status)
{
	const char *name = doc_get_text(area, "name");
	size_t errors = doc_count(doc_get(area, "errors"));
	size_t warnings = doc_count(doc_get(area, "warnings"));

	printf("Checking %s... ", name);
	if (errors > 0)
		printf("%zu Error%s!\n", errors, errors > 1 ? "s" : "");
	else if (warnings > 0)
		printf("%zu Warning%s!\n", warnings, warnings > 1 ? "s" : "");
	else
		printf("OK\n");
	if (strcmp(name, "kernel") == 0)
		kernel_print(status);
	else if (is_source(cli, name))
		notes_print(area);
}

static size_t
problems_print(const struct doc *areas, const char *key, const char *word,
	size_t number)
{
	for (size_t i = 0; i < doc_count(areas); i++) {
		const struct doc *area = doc_at(areas, i);
		const struct doc *list = doc_get(area, key);

		for (size_t k = 0; k < doc_count(list); k++) {
			const char *text = doc_string(doc_at(list, k));

			printf("%zu. %s: %s%s\n", ++number,
				doc_get_text(area, "name"), word,
				text != NULL ? text : "");
		}
	}
	return number;
}

static int
verdict_of(const struct doc *areas)
{
	int rc = CLI_OK;

	for (size_t i = 0; i < doc_count(areas); i++) {
		const struct doc *area = doc_at(areas, i);

		if (doc_count(doc_get(area, "errors")) > 0)
			return CLI_REJECTED;
		if (doc_count(doc_get(area, "warnings")) > 0)
			rc = CLI_WARNING;
	}
	return rc;
}

/* ---- --list */

/* "virtual services" is the area of the type "virtualservices". */
static bool
belongs(const struct doc *object, const char *area)
{
	const char *word = doc_get_text(object, "type");
	enum model_type type;

	if (model_type_parse(word, &type) != 0)
		return false;
	word = model_type_plural(type);
	for (; *area != '\0'; area++) {
		if (*area == ' ')
			continue;
		if (*area != *word)
			return false;
		word++;
	}
	return *word == '\0';
}

static void
area_list(
	const struct cli *cli, const struct doc *area, const struct doc *status)
{
	static const struct {
		const char *area, *looks;
	} sentences[] = {
		{ "settings", "the settings file, as it was last read" },
		{ "upstreams", "each is accepted, its endpoints are known and "
			       "fresh, TLS with them does not fail" },
		{ "upstream groups", "each is accepted, and its upstreams are "
				     "there" },
		{ "virtual services", "each is accepted, and what it refers to "
				      "is there" },
		{ "gateways", "each is accepted and listens" },
		{ "proxies", "the proxy runs the newest generation" },
		{ "secrets", "each can be used and has not expired, and nobody "
			     "else may read it" },
		{ "kernel", "the XDP program is attached where it should be" },
		{ "kubernetes", "the API server answers, its clock agrees, the "
				"account has its rights, nothing is stale" },
		{ "consul", "the agent answers, and its catalog shows what it "
			    "showed" },
		{ "aws", "what the upstreams of AWS share; \"check lambda\" "
			 "asks AWS" },
		{ "azure", "what the upstreams of Azure share; \"check azure\" "
			   "asks Azure" },
	};
	const char *name = doc_get_text(area, "name");
	const struct doc *objects = doc_get(status, "objects");

	printf("%s", name);
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (strcmp(sentences[i].area, name) == 0)
			printf(": %s", sentences[i].looks);
	printf("\n");
	for (size_t i = 0; i < doc_count(objects); i++) {
		const struct doc *o = doc_at(objects, i);

		if (belongs(o, name))
			printf("  %s.%s: %s%s%s\n",
				doc_get_text(o, "namespace"),
				doc_get_text(o, "name"),
				doc_get_text(o, "state"),
				*doc_get_text(o, "reason") != '\0' ? ", " : "",
				doc_get_text(o, "reason"));
	}
	if (strcmp(name, "settings") == 0)
		printf("  %s\n", doc_get_text(status, "settings")[0] != '\0'
					 ? doc_get_text(status, "settings")
					 : "none: the defaults");
	if (strcmp(name, "proxies") == 0)
		printf("  %s, pid %lld, generation %lld of %lld\n",
			doc_string(doc_find(status, "proxy", "state", NULL)) !=
					NULL
				? doc_string(doc_find(
					  status, "proxy", "state", NULL))
				: "unknown",
			(long long)doc_integer(
				doc_find(status, "proxy", "pid", NULL)),
			(long long)doc_integer(
				doc_find(status, "proxy", "generation", NULL)),
			(long long)doc_integer(doc_get(status, "generation")));
	if (strcmp(name, "kernel") == 0)
		kernel_print(status);
	else if (is_source(cli, name))
		notes_print(area);
}

static int
check_run(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *check = api_get(cli, "/v1/check", NULL, NULL, &err);
	const struct doc *areas = doc_get(check, "areas");
	struct doc *status = NULL;
	bool list = cli_switch(cli, "list");
	int rc = verdict_of(areas);

	if (check == NULL)
		return cli_error(&err);
	status = api_get(cli, "/v1/status", NULL, NULL, &err);
	if (status == NULL) {
		rc = cli_error(&err);
		goto out;
	}
	if (output_document(cli, list ? status : check)) {
		rc = list ? CLI_OK : rc;
		goto out;
	}
	for (size_t i = 0; i < doc_count(areas); i++)
		(list ? area_list : area_print)(cli, doc_at(areas, i), status);
	if (list)
		rc = CLI_OK;
	else if (rc == CLI_OK)
		printf("No problems detected.\n");
	else
		problems_print(areas, "warnings",
			"warning: ", problems_print(areas, "errors", "", 0));
out:
	doc_free(status);
	doc_free(check);
	return rc;
}
