/* Tests userspace/base/file.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-file-XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct dirent *e;
	DIR *d;

	(void)state;
	if (chdir(folder) < 0)
		return -1;
	d = opendir(".");
	while ((e = readdir(d)) != NULL)
		remove(e->d_name);
	closedir(d);
	return chdir("/") < 0 ? -1 : rmdir(folder);
}

static size_t
entries(void)
{
	DIR *d = opendir(folder);
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void
test_replace_and_read(void **state)
{
	char *path = xasprintf("%s/a.yaml", folder);
	struct error err = ERROR_INIT;
	struct stat st;
	struct str s;

	(void)state;
	str_init(&s);
	assert_int_equal(file_replace(path, "one\0", 4, 0640, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_replace(path, "second", 6, 0600, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(entries(), 1);
	str_puts(&s, "> ");
	assert_int_equal(file_read(path, 6, &s, &err), 0);
	assert_string_equal(s.data, "> second");
	assert_int_equal(file_replace(path, NULL, 0, 0600, &err), 0);
	str_clear(&s);
	assert_int_equal(file_read(path, 0, &s, &err), 0);
	assert_int_equal(s.length, 0);
	str_fini(&s);
	free(path);
}

static void
test_read_refuses(void **state)
{
	char *path = xasprintf("%s/b", folder);
	struct error err = ERROR_INIT;
	struct str s;

	(void)state;
	str_init(&s);
	assert_int_equal(file_read(path, 10, &s, &err), -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(file_replace(path, "12345", 5, 0600, NULL), 0);
	err.code = ERROR_NONE;
	assert_int_equal(file_read(path, 4, &s, &err), -1);
	assert_int_equal(err.code, ERROR_LIMIT);
	err.code = ERROR_NONE;
	assert_int_equal(file_read(folder, 4, &s, &err), -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	str_fini(&s);
	free(path);
}

static void
test_a_failed_write_leaves_the_old_file(void **state)
{
	char *path = xasprintf("%s/c", folder);
	size_t length = 100000;
	char *data = xcalloc(1, length);
	struct rlimit old, small;
	struct error err = ERROR_INIT;
	struct str s;
	size_t before;
	int rc;

	(void)state;
	str_init(&s);
	assert_int_equal(file_replace(path, "good", 4, 0600, NULL), 0);
	before = entries();
	/* A file size limit fails writes as a full disk does. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 4096;
	setrlimit(RLIMIT_FSIZE, &small);
	rc = file_replace(path, data, length, 0600, &err);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	assert_int_equal(entries(), before);
	assert_int_equal(file_read(path, 100, &s, NULL), 0);
	assert_string_equal(s.data, "good");
	str_fini(&s);
	free(data);
	free(path);
}

static void
test_replace_in_no_folder(void **state)
{
	char *path = xasprintf("%s/none/c", folder);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(file_replace(path, "x", 1, 0600, &err), -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	free(path);
}

static void
test_make_folders(void **state)
{
	char *deep = xasprintf("%s/x//y/z/", folder);
	char *y = xasprintf("%s/x/y/z", folder);
	char *file = xasprintf("%s/f", folder);
	char *below = xasprintf("%s/f/g", folder);
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(file_make_folders(deep, 0700, &err), 0);
	assert_int_equal(file_make_folders(deep, 0700, &err), 0);
	assert_int_equal(stat(y, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(file_make_folders("/", 0700, &err), 0);
	assert_int_equal(file_replace(file, "x", 1, 0600, NULL), 0);
	assert_int_equal(file_make_folders(file, 0700, &err), -1);
	assert_non_null(strstr(err.text, "Not a directory"));
	assert_int_equal(file_make_folders(below, 0700, NULL), -1);
	assert_int_equal(file_make_folders("", 0700, NULL), -1);
	rmdir(y);
	*strrchr(y, '/') = '\0';
	rmdir(y);
	free(deep);
	free(y);
	free(file);
	free(below);
}

static void
test_replace_lazily(void **state)
{
	char *path = xasprintf("%s/lazy", folder);
	struct str text;
	struct stat st;

	(void)state;
	str_init(&text);
	assert_int_equal(file_replace_lazily(path, "one", 3, 0600, NULL), 0);
	assert_int_equal(file_replace_lazily(path, "two!", 4, 0640, NULL), 0);
	assert_int_equal(file_read(path, 10, &text, NULL), 0);
	assert_string_equal(text.data, "two!");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	str_fini(&text);
	unlink(path);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replace_and_read),
		cmocka_unit_test(test_read_refuses),
		cmocka_unit_test(test_a_failed_write_leaves_the_old_file),
		cmocka_unit_test(test_replace_in_no_folder),
		cmocka_unit_test(test_make_folders),
		cmocka_unit_test(test_replace_lazily),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
