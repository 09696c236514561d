/* Tests userspace/net/digest.c. */
#include "net/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* What is where counts, and whether it is there at all. */
static void
digests_tell_lists_apart(void **state)
{
	static const char *const lists[][2] = {
		{ "ab", "c" },
		{ "a", "bc" },
		{ "abc", "" },
		{ "abc", NULL },
		{ NULL, "abc" },
	};
	unsigned char digests[5][DIGEST_LENGTH], again[DIGEST_LENGTH];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		digest_texts(lists[i], 2, digests[i]);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(
				digests[i], digests[k], DIGEST_LENGTH);
	digest_texts(lists[0], 2, again);
	assert_memory_equal(digests[0], again, DIGEST_LENGTH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_tell_lists_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
