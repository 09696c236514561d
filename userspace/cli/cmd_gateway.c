/* glooctl gateway: the data plane's address, state, counters and log. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/output.h"

#define FOLLOW_MS 300

static cli_run_f gateway_url, gateway_dump, gateway_stats, gateway_logs;

static const struct cli_flag url_flags[] = {
	CLI_FLAG_NAME("gateway", "gateways"),
	CLI_FLAG_NAMESPACE,
	CLI_FLAG_END,
};

static const struct cli_command url = {
	.name = "url",
	.arguments = "[NAME]",
	.summary = "print the URL of a gateway, as seen from outside",
	.examples = "  curl $(glooctl gateway url)/httpbin/get\n",
	.complete = "gateways",
	.flags = url_flags,
	.run = gateway_url,
	.arguments_max = 1,
};

static const struct cli_flag dump_flags[] = {
	{ .name = "output",
		.letter = 'o',
		.argument = "form",
		.fallback = "json",
		.help = "json or yaml",
		.complete = "json|yaml" },
	CLI_FLAG_END,
};

static const struct cli_command dump = {
	.name = "dump",
	.summary = "print what the data plane runs, as JSON",
	.examples = "  glooctl gateway dump | jq .listeners\n",
	.flags = dump_flags,
	.run = gateway_dump,
};

static const struct cli_command stats = {
	.name = "stats",
	.summary = "print the counters, a line each",
	.run = gateway_stats,
};

static const struct cli_flag logs_flags[] = {
	{ .name = "follow", .letter = 'f', .help = "go on with what is new" },
	{ .name = "debug",
		.letter = 'd',
		.help = "show debug lines too; the level is not changed" },
	CLI_FLAG_END,
};

static const struct cli_command logs = {
	.name = "logs",
	.summary = "print the last lines of the daemon's log",
	.about = "Debug lines are there only if the daemon runs with that "
		 "level.\n",
	.flags = logs_flags,
	.run = gateway_logs,
};

static const struct cli_command *const children[] = {
	&url,
	&dump,
	&stats,
	&logs,
	NULL,
};

const struct cli_command cli_command_gateway = {
	.name = "gateway",
	.aliases = "gw proxy",
	.summary = "look at the data plane",
	.children = children,
};

static int
gateway_url(struct cli *cli)
{
	const char *name = cli_name(cli);
	struct error err = ERROR_INIT;
	struct doc *answer;
	struct str query;
	int rc = CLI_OK;

	str_init(&query);
	if (name != NULL) {
		str_puts(&query, "name=");
		str_put_escaped(&query, name);
		str_puts(&query, "&namespace=");
		str_put_escaped(&query, cli->ns);
	}
	answer = api_get(
		cli, "/v1/url", name != NULL ? query.data : NULL, NULL, &err);
	if (answer == NULL)
		rc = cli_error(&err);
	else if (doc_get_string(answer, "url") != NULL)
		printf("%s\n", doc_get_string(answer, "url"));
	doc_free(answer);
	str_fini(&query);
	return rc;
}

static int
gateway_dump(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *answer = api_get(cli, "/v1/dump", NULL, NULL, &err);

	if (answer == NULL)
		return cli_error(&err);
	if (cli->output != CLI_OUTPUT_YAML)
		cli->output = CLI_OUTPUT_JSON;
	output_document(cli, answer);
	doc_free(answer);
	return CLI_OK;
}

static int
gateway_stats(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct str text;
	int rc = CLI_OK;

	str_init(&text);
	if (api_get_text(cli, "/v1/stats", &text, &err) == 0)
		fwrite(text.data, 1, text.length, stdout);
	else
		rc = cli_error(&err);
	str_fini(&text);
	return rc;
}

static void
lines_print(const struct doc *lines, bool debug)
{
	for (size_t i = 0; i < doc_count(lines); i++) {
		const struct doc *line = doc_at(lines, i);
		const char *level = doc_get_string(line, "level");
		const char *text = doc_get_string(line, "text");

		if (level == NULL || text == NULL ||
			(!debug && strcmp(level, "debug") == 0))
			continue;
		printf("%-5s %s\n", level, text);
	}
}

static int
gateway_logs(struct cli *cli)
{
	bool follow = cli_switch(cli, "follow");
	struct error err = ERROR_INIT;
	int64_t next = 0;

	for (;;) {
		char *query = xasprintf("since=%lld", (long long)next);
		struct doc *answer =
			api_get(cli, "/v1/logs", query, NULL, &err);

		free(query);
		if (answer == NULL)
			return cli_error(&err);
		lines_print(doc_get(answer, "lines"), cli_switch(cli, "debug"));
		next = doc_integer(doc_get(answer, "next"));
		doc_free(answer);
		/* Whoever reads along may have gone. */
		if (!follow || fflush(stdout) != 0)
			return CLI_OK;
		poll(NULL, 0, FOLLOW_MS);
	}
}
