/* Tests userspace/cli/suggest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "cli/suggest.h"

static const struct {
	const char *word, *names, *nearest;
} cases[] = {
	{ "upstrem", "upstream upstreams gateway", "upstream" },
	{ "upstraem", "upstream gateway", "upstream" },
	{ "gte", "get create", "get" },
	{ "compl", "check completion", "completion" },
	{ "dest-nmae", "dest-name dest-namespace", "dest-name" },
	{ "frobnicate", "get create delete", NULL },
	{ "x", "get", NULL },
	{ "", "get", NULL },
};

static void
test_nearest(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct suggest s;
		char room[40];

		suggest_init(&s, cases[i].word);
		suggest_offer_words(&s, cases[i].names, room, sizeof(room));
		if (cases[i].nearest == NULL)
			assert_null(s.nearest);
		else
			assert_string_equal(s.nearest, cases[i].nearest);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
