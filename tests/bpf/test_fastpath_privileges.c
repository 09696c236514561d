/*
 * What the fastpath does without privileges, and how long it holds the one that
 * it raises.
 */
#include <linux/capability.h>

#include "tests/lib/child.h"
#include "fastpath_lab.h"

/* In a child without privileges: a sentence, and the process goes on. */
static int
unprivileged(const void *arg)
{
	struct error err = ERROR_INIT;
	struct fastpath_listener l = listener("::", 80, IPPROTO_TCP, 1);
	struct fastpath *f;
	bool fine;

	(void)arg;
	if (child_drop_privileges() != 0)
		return 2;
	f = open_v0();
	fine = fastpath_state(f) == FASTPATH_FAILED &&
		strstr(fastpath_interface_get(f, 0)->problem, "CAP_BPF") !=
			NULL &&
		fastpath_listeners_set(f, &l, 1, &err) == 0 &&
		!fastpath_repair(f);
	fastpath_close(f, true);
	return fine ? 0 : 1;
}

static void
test_without_privileges(void **state)
{
	(void)state;
	child_run(unprivileged, NULL);
	assert_int_equal(program_on("v0"), 0);
}

static bool
sys_admin_is_effective(void)
{
	char line[128];
	unsigned long long mask = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "CapEff: %llx", &mask) == 1)
			break;
	}
	if (file != NULL)
		fclose(file);
	return mask >> CAP_SYS_ADMIN & 1;
}

/* CAP_SYS_ADMIN permitted but lowered: raised for the calls that need it. */
static int
frugal(const void *arg)
{
	struct fastpath *f;
	bool fine;

	(void)arg;
	if (child_lower_sys_admin() != 0 || sys_admin_is_effective())
		return 2;
	f = open_v0();
	fine = fastpath_interface_get(f, 0)->adopted &&
		!sys_admin_is_effective() && !fastpath_repair(f) &&
		!sys_admin_is_effective();
	fastpath_close(f, true);
	return fine && !sys_admin_is_effective() ? 0 : 1;
}

static void
test_raises_sys_admin_only_where_it_must(void **state)
{
	(void)state;
	ip_attach("v0");
	child_run(frugal, NULL);
	assert_int_equal(program_on("v0"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_without_privileges),
		LAB(test_raises_sys_admin_only_where_it_must),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
