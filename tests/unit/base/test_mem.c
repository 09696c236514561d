/* Tests userspace/base/mem.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static void
test_copies(void **state)
{
	char *a = xstrdup("abc");
	char *b = xstrndup("abcdef", 3);
	char *c = xstrndup("ab", 10);
	char *d = xmemdup("a\0b", 3);
	char *e = xasprintf("%s-%d", "x", 7);

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "abc");
	assert_string_equal(c, "ab");
	assert_memory_equal(d, "a\0b", 3);
	assert_string_equal(e, "x-7");
	free(a);
	free(b);
	free(c);
	free(d);
	free(e);
}

static void
test_nothing_is_something(void **state)
{
	void *a = xmalloc(0), *b = xcalloc(0, 8);
	void *c = xreallocarray(NULL, 0, 0), *d = xmemdup(NULL, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	assert_non_null(d);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void
test_wipe(void **state)
{
	char text[] = "secret";
	const char none[sizeof(text)] = { 0 };

	(void)state;
	mem_wipe(text + 1, 0);
	assert_string_equal(text, "secret");
	mem_wipe(text, strlen(text));
	assert_memory_equal(text, none, sizeof(text));
	mem_wipe(NULL, 0);
	mem_free_wiped(NULL);
	mem_free_wiped(xstrdup("secret"));
}

static void
ask_for_too_much(void)
{
	volatile size_t half = SIZE_MAX / 2 + 2;

	free(xreallocarray(NULL, half, 2));
}

static void
test_an_overflow_ends_the_process(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		ask_for_too_much();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
test_kept_from_dumps(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct rlimit core = { 1, 1 };

		mem_keep_from_dumps();
		getrlimit(RLIMIT_CORE, &core);
		_exit(core.rlim_cur == 0 && core.rlim_max == 0 &&
					prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
				? 0
				: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_nothing_is_something),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_an_overflow_ends_the_process),
		cmocka_unit_test(test_kept_from_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
