/* Tests `glooctl get sources`, `top` and `drops` against a scripted admin
 * server, and that glooctl(1) knows every reason of a drop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/contract.h"
#include "fake.h"

#define END                                                                    \
	{                                                                      \
		NULL, 0, NULL, false                                           \
	}
#define BLOCKED                                                                \
	"{\"source\":\"192.0.2.8\",\"state\":\"blocked\",\"listener\":"        \
	"\"a.gw\",\"address\":\"[::]:80\",\"rule\":\"r\",\"by\":\"kernel\","   \
	"\"rate\":4,\"unit\":\"DAY\","                                       \
	"\"dropped\":12,\"until\":\"2026-11-26T06:07:59Z\","                   \
	"\"secondsLeft\":29}"
#define LIMITED                                                                \
	"{\"source\":\"2001:db8::/64\",\"state\":\"limited\",\"listener\":"    \
	"\"a.gw\",\"address\":\"[::]:80\",\"by\":\"kernel\",\"dropped\":3,"    \
	"\"limits\":[{\"counts\":\"packets\",\"left\":7,\"burst\":9,"          \
	"\"rule\":\"p\",\"rate\":9,\"unit\":\"SECOND\"},{\"counts\":"          \
	"\"bytes\",\"left\":0,\"burst\":50}]}"
#define SOURCES(total) "{\"items\":[" BLOCKED "," LIMITED "],\"total\":" total "}"
#define LINE                                                                   \
	"+---------------+---------+-------+------+--------------+-----------" \
	"-----+---------+------------------+\n"
#define TABLE                                                                  \
	LINE                                                                   \
	"|    SOURCE     |  STATE  | WHERE | RULE |     RATE     |      LEFT " \
	"     | DROPPED |  BLOCKED UNTIL   |\n" LINE                          \
	"| 192.0.2.8     | blocked | a.gw  | r    | 4 per DAY    |           " \
	"     | 12      | 06:07:59Z (29 s) |\n"                                \
	"| 2001:db8::/64 | limited | a.gw  | p    | 9 per SECOND | 7 of 9 pac" \
	"kets | 3       |                  |\n"                                \
	"|               |         |       |      |              | 0 of 50 by" \
	"tes  |         |                  |\n" LINE
#define DROP(number)                                                           \
	"{\"number\":" number ",\"time\":\"2026-11-26T06:07:16.627Z\","        \
	"\"interface\":\"eth0\",\"reason\":\"drop_denied\",\"source\":"        \
	"\"192.0.2.3:55977\",\"destination\":\"192.0.2.1:80\","                \
	"\"protocol\":\"TCP\",\"length\":74,\"listener\":\"\"}"
#define DROPS_HEAD                                                             \
	"TIME                      INTERFACE   REASON                  "       \
	"LISTENER                  SOURCE -> DESTINATION\n"
#define DROPS_LINE                                                             \
	"2026-11-26T06:07:16.627Z  eth0        drop_denied             "       \
	"-                         192.0.2.3:55977 -> 192.0.2.1:80 TCP 74 "    \
	"bytes\n"
#define ASK "GET /v1/sources?limit=100"

static const struct row {
	const char *sentence, *line;
	struct fake_row script[4];
	int status;
	const char *out, *err; /* err: a part */
} rows[] = {
	{ "a row for each limit; blocked ones first", "get sources",
		{ { ASK, 200, SOURCES("2"), false }, END }, CLI_OK, TABLE, "" },
	{ "more than are shown", "get sources --top --limit 2",
		{ { "GET /v1/sources?limit=2&top=1", 200, SOURCES("9"), false },
			END },
		CLI_OK, TABLE, "2 of 9 sources are shown; --limit shows more" },
	{ "of a namespace, as JSON", "get sources -n a -o json",
		{ { ASK "&namespace=a", 200, "{\"items\":[],\"total\":0}",
			  false },
			END },
		CLI_OK, "[]\n", "" },
	{ "the table cannot be read", "get sources -o json",
		{ { ASK, 200,
			  "{\"items\":[],\"total\":0,\"problem\":\"why\"}",
			  false },
			END },
		CLI_OK, "[]\n", "warning: why" },
	{ "a source has no name", "get sources -o name", { END }, CLI_USAGE, "",
		"a source has no name" },
	{ "a limit that is none", "get sources --limit x", { END }, CLI_USAGE,
		"", "--limit: \"x\" is not a number" },
	{ "top: no interval", "top --interval 0", { END }, CLI_USAGE, "",
		"--interval: at least 1 second" },
	{ "top: the daemon goes away", "top -n 2",
		{ { "GET /v1/sources?limit=20&top=1", 500, "{\"error\":\"no\"}",
			  false },
			END },
		CLI_USAGE, "", "no" },
	{ "drops: the latest", "drops --limit 1",
		{ { "GET /v1/drops", 200,
			  "{\"items\":[" DROP("1") "," DROP("2") "],\"last\":2}",
			  false },
			END },
		CLI_OK, DROPS_HEAD DROPS_LINE, "" },
	{ "drops: there is no kernel half", "drops",
		{ { "GET /v1/drops", 200,
			  "{\"items\":[],\"last\":0,\"problem\":\"why\"}",
			  false },
			END },
		CLI_OK, DROPS_HEAD, "warning: why" },
	{ "drops -f: until it ends; what went is said", "drops -f --limit 0",
		{ { "GET /v1/drops", 200, "{\"items\":[],\"last\":7}", false },
			{ "GET /v1/drops?after=7&wait=10000", 200,
				"{\"items\":[" DROP("9") "],\"last\":9,"
				"\"missed\":1}",
				false },
			{ "GET /v1/drops?after=9&wait=10000", 200,
				"{\"items\":[],\"last\":9,\"problem\":\"gone\"}",
				false },
			END },
		CLI_USAGE, DROPS_HEAD DROPS_LINE,
		"1 samples came too fast and are missing\nerror: gone" },
	{ "drops: no YAML", "drops -o yaml", { END }, CLI_USAGE, "",
		"--output: table or json" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_result r;
		struct fake f;

		fake_start(&f, rows[i].script);
		r = fake_run(f.socket, rows[i].line, NULL);
		if (r.status != rows[i].status ||
			strcmp(r.out, rows[i].out) != 0 ||
			strstr(r.err, rows[i].err) == NULL ||
			(rows[i].err[0] == '\0' && r.err[0] != '\0'))
			fail_msg("%s: %d\n%s%s", rows[i].sentence, r.status,
				r.out, r.err);
		fake_result_fini(&r);
		fake_stop(&f);
	}
}

static void
test_top(void **state)
{
	static const struct fake_row script[] = {
		{ "GET /v1/sources?limit=5&top=1", 200, SOURCES("3"), false },
		END,
	};
	struct fake_result r;
	struct fake f;

	(void)state;
	fake_start(&f, script);
	r = fake_run(f.socket, "top -n 1 --limit 5", NULL);
	assert_int_equal(r.status, CLI_OK);
	assert_string_equal(r.err, "");
	assert_string_equal(
		r.out + strlen("12:34:56Z"), "  2 of 3 sources, 1 blocked\n" TABLE);
	fake_result_fini(&r);
	fake_stop(&f);
}

/* In the help and in the manual, each with its sentence. */
static void
test_reasons(void **state)
{
	static const struct {
		const char *name, *help;
	} reasons[] = {
#define X(name, help) { #name, help },
		GG_REASONS(X)
#undef X
	};
	struct fake_result r = fake_run(NULL, "drops --help", NULL);
	struct str manual;

	(void)state;
	str_init(&manual);
	assert_int_equal(file_read("docs/glooctl.1", 1 << 20, &manual, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		char *row = xasprintf(
			"  %-23s %s\n", reasons[i].name, reasons[i].help);
		char *text = xasprintf(
			".B %s\n%s\n", reasons[i].name, reasons[i].help);
		bool drop = strncmp(reasons[i].name, "drop_", 5) == 0;

		if ((strstr(r.out, row) != NULL) != drop ||
			(strstr(manual.data, text) != NULL) != drop)
			fail_msg("%s: %s", reasons[i].name, reasons[i].help);
		free(row);
		free(text);
	}
	str_fini(&manual);
	fake_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
