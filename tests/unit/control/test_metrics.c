/* Tests userspace/control/metrics.c: the labels of metrics. */
#include "control/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static void
test_label(void **state)
{
	struct str text;

	(void)state;
	str_init(&text);
	metrics_label(&text, "a", "x\"y\\z\nw");
	assert_string_equal(text.data, "a=\"x\\\"y\\\\z\\nw\"");
	str_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
