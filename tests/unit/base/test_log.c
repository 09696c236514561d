/* Tests userspace/base/log.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* What body writes to stderr. */
static int
stderr_of(void (*body)(void), char *out, size_t size)
{
	int saved = dup(STDERR_FILENO);
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	body();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(ends[0], out, size - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(ends[0]);
	return (int)n;
}

static void
say_everything(void)
{
	log_error("route: broken id=%d", 1);
	log_warn("route: odd id=%d", 2);
	log_info("route: seen id=%d", 3);
	log_debug("route: walked id=%d", 4);
}

static void
test_levels(void **state)
{
	char out[1024];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_open("control", LOG_LEVEL_INFO);
	stderr_of(say_everything, out, sizeof(out));
	assert_string_equal(out, "control: route: broken id=1\n"
				 "control: route: odd id=2\n"
				 "control: route: seen id=3\n");
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
	stderr_of(say_everything, out, sizeof(out));
	assert_string_equal(out, "control: route: broken id=1\n");
}

static void
test_marks_for_the_journal(void **state)
{
	char out[1024];

	(void)state;
	setenv("JOURNAL_STREAM", "8:12345", 1);
	log_open("proxy", LOG_LEVEL_DEBUG);
	unsetenv("JOURNAL_STREAM");
	stderr_of(say_everything, out, sizeof(out));
	assert_string_equal(out, "<3>proxy: route: broken id=1\n"
				 "<4>proxy: route: odd id=2\n"
				 "<6>proxy: route: seen id=3\n"
				 "<7>proxy: route: walked id=4\n");
}

static void
say_hostile_text(void)
{
	log_error("path=%s", "/a\n<0>fake: line\x1b[2J");
}

static void
test_one_event_is_one_line(void **state)
{
	char out[1024];

	(void)state;
	log_open("proxy", LOG_LEVEL_INFO);
	stderr_of(say_hostile_text, out, sizeof(out));
	assert_string_equal(out, "proxy: path=/a?<0>fake: line?[2J\n");
}

static void
say_much(void)
{
	char longer[9000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_error("%s", longer);
}

static void
test_long_lines_are_cut(void **state)
{
	char out[10000];
	int n;

	(void)state;
	log_open("proxy", LOG_LEVEL_INFO);
	n = stderr_of(say_much, out, sizeof(out));
	assert_in_range(n, 4000, 4096);
	assert_int_equal(out[n - 1], '\n');
}

static char sunk[256];
static enum log_level sunk_level;

static void
sink(enum log_level level, const char *line, void *arg)
{
	*(int *)arg += 1;
	sunk_level = level;
	snprintf(sunk, sizeof(sunk), "%s", line);
	errno = EIO;
}

static void
say_one(void)
{
	errno = ENOENT;
	log_warn("route: odd id=%d", 2);
	assert_int_equal(errno, ENOENT);
}

static void
test_sink_gets_the_line(void **state)
{
	char out[1024];
	int lines = 0;

	(void)state;
	log_open("control", LOG_LEVEL_INFO);
	log_set_sink(sink, &lines);
	stderr_of(say_one, out, sizeof(out));
	log_set_sink(NULL, NULL);
	stderr_of(say_one, out, sizeof(out));
	assert_int_equal(lines, 1);
	assert_int_equal(sunk_level, LOG_LEVEL_WARN);
	assert_string_equal(sunk, "control: route: odd id=2");
}

static void
test_level_words(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("loud", &level), -1);
	assert_int_equal(log_level_parse("", &level), -1);
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void
die_in_a_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		log_fatal("store: gone");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
test_fatal_ends_the_process(void **state)
{
	char out[1024];

	(void)state;
	fflush(NULL);
	log_open("control", LOG_LEVEL_INFO);
	stderr_of(die_in_a_child, out, sizeof(out));
	assert_string_equal(out, "control: store: gone\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_marks_for_the_journal),
		cmocka_unit_test(test_one_event_is_one_line),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_sink_gets_the_line),
		cmocka_unit_test(test_level_words),
		cmocka_unit_test(test_fatal_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
