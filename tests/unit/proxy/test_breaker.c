/* Tests userspace/proxy/breaker.c. */
#include "proxy/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/worker.h"

#define WORKERS  3
#define UPSTREAM 7

struct row {
	const char *what;
	uint64_t active[WORKERS]; /* the first asks */
	uint32_t most;
	bool allowed;
};

static const struct row rows[] = {
	{ "none of none", { 0, 0, 0 }, 0, false },
	{ "the only one", { 0, 0, 0 }, 1, true },
	{ "the only one is another's", { 0, 1, 0 }, 1, false },
	{ "an idle worker, one left", { 0, 999, 0 }, 1000, true },
	{ "an idle worker, another has all", { 0, 1000, 0 }, 1000, false },
	{ "an idle worker, two others have all", { 0, 400, 600 }, 1000, false },
	{ "far below its share, the others have the rest", { 1, 500, 499 },
		1000, false },
	{ "all of it for one", { 999, 0, 0 }, 1000, true },
	{ "no more than all for one", { 1000, 0, 0 }, 1000, false },
	{ "beyond a limit that was lowered", { 0, 50, 0 }, 10, false },
};

static void
test_sum(void **state)
{
	struct counters_worker *all = xcalloc(WORKERS, sizeof(*all));
	struct worker w = { .counters = &all[0],
		.all_counters = all,
		.workers = WORKERS };

	(void)state;
	/* Of another upstream, and another gauge: not looked at. */
	all[1].upstream[UPSTREAM + 1].requests_active = 5000;
	all[1].upstream[UPSTREAM].pending_active = 5000;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < WORKERS; k++)
			all[k].upstream[UPSTREAM].requests_active =
				rows[i].active[k];
		if (BREAKER_ALLOWS(&w, UPSTREAM, requests_active,
			    rows[i].most) != rows[i].allowed)
			fail_msg("%s", rows[i].what);
	}
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
