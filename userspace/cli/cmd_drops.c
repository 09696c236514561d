/* glooctl drops: samples of the packets that the kernel half dropped. */
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bpf/contract.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/output.h"

#define WAIT_MS 10000

static cli_run_f drops_run;
static void reasons_put(struct str *out);

static const struct cli_flag flags[] = {
	{ .name = "follow",
		.letter = 'f',
		.help = "go on with those to come, until Ctrl-C" },
	{ .name = "limit",
		.argument = "number",
		.fallback = "20",
		.help = "begin with at most so many of the latest 1024" },
	{ .name = "output",
		.letter = 'o',
		.argument = "form",
		.fallback = "table",
		.help = "table, or json: an object in each line",
		.complete = "table|json" },
	CLI_FLAG_END,
};

const struct cli_command cli_command_drops = {
	.name = "drops",
	.summary = "show samples of the packets that the kernel dropped",
	.about = "Of each listener, reason and CPU the first packet and then "
		 "one of 1024 is kept,\nand of each CPU at least one a "
		 "second; /metrics counts all of them\n"
		 "(gloo_gateway_kernel_packets).\n",
	.about_put = reasons_put,
	.examples = "  glooctl drops\n"
		    "  glooctl drops -f -o json\n",
	.flags = flags,
	.run = drops_run,
};

/* ---- why */

static const struct {
	const char *name, *help;
} reasons[] = {
#define X(name, help) { #name, help },
	GG_REASONS(X)
#undef X
};

static void
reasons_put(struct str *out)
{
	str_puts(out, "\nReasons:\n");
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strncmp(reasons[i].name, "drop_", 5) == 0)
			str_printf(out, "  %-23s %s\n", reasons[i].name,
				reasons[i].help);
}

/* ---- what */

static void
line_put(struct str *out, const char *time, const char *interface,
	const char *reason, const char *where, const char *way)
{
	str_printf(out, "%-24s  %-10s  %-22s  %-24s  %s\n", time, interface,
		reason, where[0] != '\0' ? where : "-", way);
}

static void
drop_put(const struct cli *cli, struct str *out, const struct doc *d)
{
	struct str way;

	if (cli->output == CLI_OUTPUT_JSON) {
		json_doc_write(d, 0, out);
		str_putc(out, '\n');
		return;
	}
	str_init(&way);
	str_printf(&way, "%s -> %s %s %" PRId64 " bytes",
		doc_get_text(d, "source"), doc_get_text(d, "destination"),
		doc_get_text(d, "protocol"), doc_get_integer(d, "length"));
	line_put(out, doc_get_text(d, "time"), doc_get_text(d, "interface"),
		doc_get_text(d, "reason"), doc_get_text(d, "listener"),
		way.data);
	str_fini(&way);
}

static void
drops_print(const struct cli *cli, const struct doc *answer, size_t limit)
{
	const struct doc *items = doc_get(answer, "items");
	size_t count = doc_count(items);
	struct str text;

	str_init(&text);
	for (size_t i = count > limit ? count - limit : 0; i < count; i++)
		drop_put(cli, &text, doc_at(items, i));
	fputs(text.data, stdout);
	fflush(stdout);
	str_fini(&text);
}

static void
head_print(const struct cli *cli)
{
	struct str text;

	if (cli->output == CLI_OUTPUT_JSON)
		return;
	str_init(&text);
	line_put(&text, "TIME", "INTERFACE", "REASON", "LISTENER",
		"SOURCE -> DESTINATION");
	fputs(text.data, stdout);
	str_fini(&text);
}

static struct doc *
drops_ask(const struct cli *cli, long long after, struct error *err)
{
	char query[80] = "";

	if (after >= 0)
		snprintf(query, sizeof(query), "after=%lld&wait=%d", after,
			WAIT_MS);
	return api_get(cli, "/v1/drops", query[0] != '\0' ? query : NULL, NULL,
		err);
}

/* Only Ctrl-C, or a daemon that does not answer, ends it. */
static int
drops_follow(const struct cli *cli, long long after)
{
	struct error err = ERROR_INIT;
	struct doc *answer;
	long long missed;

	while (!ferror(stdout)) {
		answer = drops_ask(cli, after, &err);
		if (answer == NULL)
			return cli_error(&err);
		missed = (long long)doc_integer(doc_get(answer, "missed"));
		if (missed > 0)
			cli_say("%lld samples came too fast and are missing",
				missed);
		drops_print(cli, answer, SIZE_MAX);
		after = (long long)doc_integer(doc_get(answer, "last"));
		if (doc_get(answer, "problem") != NULL) {
			error_set(&err, ERROR_SYSTEM, "%s",
				doc_get_text(answer, "problem"));
			doc_free(answer);
			return cli_error(&err);
		}
		doc_free(answer);
	}
	return CLI_OK;
}

/* Ctrl-C is how one ends it: no failure. Nothing is half-written then. */
static void
on_interrupt(int signo)
{
	(void)signo;
	_Exit(CLI_OK);
}

static int
drops_run(struct cli *cli)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	bool follow = cli_switch(cli, "follow");
	struct error err = ERROR_INIT;
	struct doc *answer;
	long long last;
	size_t limit;

	if (cli->output != CLI_OUTPUT_TABLE && cli->output != CLI_OUTPUT_JSON)
		return cli_usage(cli, "--output: table or json");
	if (cli_number(cli, "limit", 1024, &limit, &err) != 0)
		return cli_usage(cli, "%s", err.text);
	answer = drops_ask(cli, -1, &err);
	if (answer == NULL)
		return cli_error(&err);
	head_print(cli);
	drops_print(cli, answer, limit);
	last = (long long)doc_integer(doc_get(answer, "last"));
	if (doc_get(answer, "problem") != NULL)
		cli_say("warning: %s", doc_get_text(answer, "problem"));
	doc_free(answer);
	if (!follow)
		return CLI_OK;
	sigaction(SIGINT, &action, NULL);
	return drops_follow(cli, last);
}
