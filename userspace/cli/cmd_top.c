/* glooctl top: who is limited most, anew each second. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/command.h"
#include "cli/describe.h"

#define ROWS       20 /* where the terminal does not say */
#define ROWS_OTHER 6  /* of the screen, that are no sources */
#define CLEAR      "\033[H\033[2J"

static cli_run_f top_run;

static const struct cli_flag flags[] = {
	{ .name = "count",
		.letter = 'n',
		.argument = "number",
		.fallback = "0",
		.help = "end after so many tables; 0: with Ctrl-C" },
	{ .name = "interval",
		.argument = "seconds",
		.fallback = "1",
		.help = "time from one table to the next" },
	{ .name = "limit",
		.argument = "number",
		.help = "sources that are shown (default: what the screen "
			"holds, else 20)" },
	CLI_FLAG_END,
};

const struct cli_command cli_command_top = {
	.name = "top",
	.summary = "watch whom limits know, those with most drops first",
	.about = "The table of \"get sources --top\", anew each second until "
		 "Ctrl-C. Where standard\noutput is no terminal, one table "
		 "follows the other.\n",
	.examples = "  glooctl top\n"
		    "  glooctl top -n 1 --limit 5\n",
	.flags = flags,
	.run = top_run,
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* Ctrl-C ends a wait, and is no failure. */
static void
interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	sigaction(SIGINT, &action, NULL);
}

static size_t
rows_that_fit(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
		size.ws_row <= ROWS_OTHER)
		return ROWS;
	return size.ws_row - ROWS_OTHER;
}

/* The least of them go, so that the worst are not scrolled away. */
static void
items_fit(struct doc *items, size_t rows)
{
	size_t used = 0, fit = 0;

	for (; fit < doc_count(items); fit++) {
		size_t limits =
			doc_count(doc_get(doc_at(items, fit), "limits"));

		used += limits > 1 ? limits : 1;
		if (used > rows)
			break;
	}
	while (doc_count(items) > fit)
		doc_free(doc_steal_at(items, doc_count(items) - 1));
}

static size_t
blocked_count(const struct doc *items)
{
	size_t count = 0;

	for (size_t i = 0; i < doc_count(items); i++) {
		const char *state = doc_get_string(doc_at(items, i), "state");

		count += state != NULL && strcmp(state, "blocked") == 0;
	}
	return count;
}

static void
table_print(const struct doc *answer, bool clear)
{
	const struct doc *items = doc_get(answer, "items");
	const char *problem = doc_get_string(answer, "problem");
	time_t now = time(NULL);
	char clock[16];
	struct str text;
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%SZ", &tm);
	str_init(&text);
	str_printf(&text, "%s%s  %zu of %lld sources, %zu blocked%s%s\n",
		clear ? CLEAR : "", clock, doc_count(items),
		(long long)doc_integer(doc_get(answer, "total")),
		blocked_count(items), problem != NULL ? ": " : "",
		problem != NULL ? problem : "");
	describe_sources(items, false, &text);
	fputs(text.data, stdout);
	fflush(stdout);
	str_fini(&text);
}

/* False and err: the daemon does not answer. */
static bool
table_once(const struct cli *cli, size_t limit, struct error *err)
{
	size_t rows = rows_that_fit();
	struct doc *answer;
	char query[64];

	snprintf(query, sizeof(query), "limit=%zu&top=1",
		limit > 0 ? limit : rows);
	answer = api_get(cli, "/v1/sources", query, NULL, err);
	if (answer == NULL)
		return false;
	if (limit == 0)
		items_fit(doc_get(answer, "items"), rows);
	table_print(answer, isatty(STDOUT_FILENO));
	doc_free(answer);
	return true;
}

static int
top_run(struct cli *cli)
{
	size_t count, interval, limit = 0;
	struct error err = ERROR_INIT;
	struct timespec pause;

	if (cli_number(cli, "count", 1000000000, &count, &err) != 0 ||
		cli_number(cli, "interval", 3600, &interval, &err) != 0 ||
		(cli_given(cli, "limit") &&
			cli_number(cli, "limit", 10000, &limit, &err) != 0))
		return cli_usage(cli, "%s", err.text);
	if (interval == 0)
		return cli_usage(cli, "--interval: at least 1 second");
	interrupt_catch();
	pause = (struct timespec){ .tv_sec = (time_t)interval };
	for (size_t i = 1;; i++) {
		if (!table_once(cli, limit, &err))
			return interrupted ? CLI_OK : cli_error(&err);
		if (interrupted || i == count || ferror(stdout))
			return CLI_OK;
		if (nanosleep(&pause, NULL) != 0 && interrupted)
			return CLI_OK;
	}
}
