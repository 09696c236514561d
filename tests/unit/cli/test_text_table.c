/* Tests userspace/cli/text_table.c: the seed's tables are rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cli/text_table.h"

#define COLUMNS_MAX 6
#define ROWS_MAX    4

static const struct {
	const char *what;
	size_t columns;
	const char *titles[COLUMNS_MAX];
	const char *rows[ROWS_MAX][COLUMNS_MAX];
	const char *drawn;
} cases[] = {
	{ "the post's AWS upstream", 4,
		{ "Upstream", "type", "STATUS", "details" },
		{ { "hello-lambda", "AWS", "Accepted",
			"region: us-east-2\nsecret: gloo-system.aws\n" } },
		"+--------------+------+----------+-------------------------+\n"
		"|   UPSTREAM   | TYPE |  STATUS  |         DETAILS         |\n"
		"+--------------+------+----------+-------------------------+\n"
		"| hello-lambda | AWS  | Accepted | region: us-east-2       |\n"
		"|              |      |          | secret: gloo-system.aws |\n"
		"|              |      |          |                         |\n"
		"+--------------+------+----------+-------------------------+"
		"\n" },
	{ "a cell over 30 columns is wrapped and its column is 30 wide", 2,
		{ "virtual service", "routes" },
		{ { "default", "/httpbin -> default-httpbin-8000" } },
		"+-----------------+--------------------------------+\n"
		"| VIRTUAL SERVICE |             ROUTES             |\n"
		"+-----------------+--------------------------------+\n"
		"| default         | /httpbin ->                    |\n"
		"|                 | default-httpbin-8000           |\n"
		"+-----------------+--------------------------------+\n" },
	{ "30 columns are not wrapped", 1, { "a" },
		{ { "123456789 123456789 1234567890" } },
		"+--------------------------------+\n"
		"|               A                |\n"
		"+--------------------------------+\n"
		"| 123456789 123456789 1234567890 |\n"
		"+--------------------------------+\n" },
	{ "one word over 30 columns widens its column", 1, { "a" },
		{ { "123456789-123456789-123456789-1 x" } },
		"+---------------------------------+\n"
		"|                A                |\n"
		"+---------------------------------+\n"
		"| 123456789-123456789-123456789-1 |\n"
		"| x                               |\n"
		"+---------------------------------+\n" },
	{ "the odd space of a title is on its right", 2, { "ab", "cd" },
		{ { "12345", "1234" } },
		"+-------+------+\n"
		"|  AB   |  CD  |\n"
		"+-------+------+\n"
		"| 12345 | 1234 |\n"
		"+-------+------+\n" },
	{ "lines are as even as can be, the last does not count", 1, { "a" },
		{ { "aaaaaaaaaa bbbbbbbbbb cccccccc dd eeeeeeeeeeee" } },
		"+--------------------------------+\n"
		"|               A                |\n"
		"+--------------------------------+\n"
		"| aaaaaaaaaa bbbbbbbbbb cccccccc |\n"
		"| dd eeeeeeeeeeee                |\n"
		"+--------------------------------+\n" },
	{ "runs of spaces stay in a cell that is not wrapped", 1, { "details" },
		{ { "port:          8000" } },
		"+---------------------+\n"
		"|       DETAILS       |\n"
		"+---------------------+\n"
		"| port:          8000 |\n"
		"+---------------------+\n" },
	{ "without rows the borders close the titles", 1, { "upstream" },
		{ { NULL } },
		"+----------+\n"
		"| UPSTREAM |\n"
		"+----------+\n" },
	{ "characters of several bytes are one column", 1, { "name" },
		{ { "\xc3\xa4\xc3\xb6" }, { "12345" } },
		"+-------+\n"
		"| NAME  |\n"
		"+-------+\n"
		"| \xc3\xa4\xc3\xb6    |\n"
		"| 12345 |\n"
		"+-------+\n" },
	{ "a control character does not reach the terminal", 1, { "name" },
		{ { "a\x1b[2Jb" } },
		"+--------+\n"
		"|  NAME  |\n"
		"+--------+\n"
		"| a?[2Jb |\n"
		"+--------+\n" },
};

static void
test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct text_table *t =
			text_table_new(cases[i].columns, cases[i].titles);
		struct str out;

		for (size_t r = 0; r < ROWS_MAX && cases[i].rows[r][0] != NULL;
			r++)
			text_table_add(t, cases[i].rows[r]);
		str_init(&out);
		text_table_print(t, &out);
		if (strcmp(out.data, cases[i].drawn) != 0)
			fail_msg("%s:\n%s", cases[i].what, out.data);
		str_fini(&out);
		text_table_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
