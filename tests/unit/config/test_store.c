/* The store: files in and out, what other hands change, the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/store.h"

static char *root, *secrets;
static struct str seen; /* what the callback was told, a line each */

static int
entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
setup(void **state)
{
	char folder[] = "/tmp/gg-store-XXXXXX";

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	root = xasprintf("%s/config", folder);
	secrets = xasprintf("%s/secrets", folder);
	str_init(&seen);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	*strrchr(root, '/') = '\0';
	nftw(root, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(root);
	free(secrets);
	str_fini(&seen);
	return 0;
}

static void
note(enum model_type type, const char *ns, const char *name, struct doc *d,
	const struct error *problem, bool gone, void *arg)
{
	(void)arg;
	str_printf(&seen, "%s/%s/%s ", model_type_plural(type), ns, name);
	if (gone)
		str_puts(&seen, "gone\n");
	else if (problem != NULL)
		str_printf(&seen, "problem: %s\n", problem->text);
	else
		str_printf(&seen, "v=%lld\n",
			(long long)doc_integer(doc_get(d, "v")));
	doc_free(d);
}

static struct store *
store_ready(void)
{
	struct error err = ERROR_INIT;
	struct store *s = store_open(root, secrets, &err);

	if (s == NULL || store_scan(s, note, NULL, &err) != 0)
		fail_msg("%s", err.text);
	str_clear(&seen);
	return s;
}

static char *
path_of(const char *below)
{
	return xasprintf("%s/%s", root, below);
}

static void
put(const char *below, const char *text)
{
	char *path = path_of(below);
	FILE *f = fopen(path, "w");

	if (f == NULL)
		fail_msg("%s", path);
	fputs(text, f);
	fclose(f);
	free(path);
}

static void
folder_make(const char *below)
{
	char *path = path_of(below);

	assert_int_equal(mkdir(path, 0750), 0);
	free(path);
}

/* inotify queues events before the system call returns: no waiting. */
static void
changes_are(struct store *s, const char *want)
{
	str_clear(&seen);
	store_changes(s, note, NULL);
	assert_string_equal(seen.data, want);
}

static void
write_v(struct store *s, const char *name, int v)
{
	struct error err = ERROR_INIT;
	struct doc *d = doc_new_map();

	doc_set(d, "v", doc_new_integer(v));
	if (store_write(s, MODEL_UPSTREAM, "ns", name, d, &err) != 0)
		fail_msg("%s", err.text);
	doc_free(d);
}

static void
test_write_and_scan(void **state)
{
	struct error err = ERROR_INIT;
	struct store *s = store_ready();
	char *path = store_path(s, MODEL_UPSTREAM, "ns", "a.b");
	char *want = path_of("upstreams/ns/a.b.yaml");

	(void)state;
	assert_string_equal(path, want);
	write_v(s, "a.b", 1);
	write_v(s, "a.b", 2);
	changes_are(s, "");
	assert_int_equal(access(path, R_OK), 0);
	store_close(s);

	s = store_open(root, secrets, &err);
	str_clear(&seen);
	assert_int_equal(store_scan(s, note, NULL, &err), 0);
	assert_string_equal(seen.data, "upstreams/ns/a.b v=2\n");
	assert_int_equal(store_remove(s, MODEL_UPSTREAM, "ns", "a.b", &err), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(store_remove(s, MODEL_UPSTREAM, "ns", "a.b", &err), 0);
	changes_are(s, "");
	store_close(s);
	store_close(NULL);
	free(path);
	free(want);
}

static void
test_changes(void **state)
{
	struct store *s = store_ready();
	char *from, *to;

	(void)state;
	write_v(s, "a", 1);
	store_changes(s, note, NULL);
	put("upstreams/ns/a.yaml", "v: 7\n");
	changes_are(s, "upstreams/ns/a v=7\n");
	put("upstreams/ns/a.yaml", "v: 7\n");
	changes_are(s, "");
	put("upstreams/ns/a.yaml", "v: [\n");
	str_clear(&seen);
	store_changes(s, note, NULL);
	from = path_of("upstreams/ns/a.yaml");
	to = xasprintf("upstreams/ns/a problem: %s:", from);
	assert_memory_equal(seen.data, to, strlen(to));
	free(to);

	/* As editors save: another file, renamed over it. */
	put("upstreams/ns/.a.yaml.swp", "v: 8\n");
	put("upstreams/ns/a.yaml~", "v: 8\n");
	put("upstreams/ns/A.yaml", "v: 8\n");
	changes_are(s, "");
	free(from);
	from = path_of("upstreams/ns/a.yaml~");
	to = path_of("upstreams/ns/a.yaml");
	assert_int_equal(rename(from, to), 0);
	changes_are(s, "upstreams/ns/a v=8\n");
	unlink(to);
	changes_are(s, "upstreams/ns/a gone\n");
	changes_are(s, "");
	store_close(s);
	free(from);
	free(to);
}

/* Known before it is told of. */
static void
test_is_changed(void **state)
{
	struct store *s = store_ready();
	char *path = path_of("upstreams/ns/late.yaml");

	(void)state;
	assert_false(store_is_changed(s, MODEL_UPSTREAM, "ns", "late"));
	write_v(s, "late", 1);
	assert_false(store_is_changed(s, MODEL_UPSTREAM, "ns", "late"));
	put("upstreams/ns/late.yaml", "v: 2\n");
	assert_true(store_is_changed(s, MODEL_UPSTREAM, "ns", "late"));
	changes_are(s, "upstreams/ns/late v=2\n");
	assert_false(store_is_changed(s, MODEL_UPSTREAM, "ns", "late"));
	unlink(path);
	assert_true(store_is_changed(s, MODEL_UPSTREAM, "ns", "late"));
	changes_are(s, "upstreams/ns/late gone\n");
	put("upstreams/ns/late.yaml", "v: 3\n");
	assert_true(store_is_changed(s, MODEL_UPSTREAM, "ns", "late"));
	unlink(path);
	free(path);
	store_close(s);
}

static void
test_half_written(void **state)
{
	struct store *s = store_ready();
	char *path;
	FILE *f;

	(void)state;
	folder_make("gateways/ns");
	changes_are(s, "");
	path = path_of("gateways/ns/g.yaml");
	f = fopen(path, "w");
	fputs("v: ", f);
	fflush(f);
	changes_are(s, "");
	fputs("5\n", f);
	fclose(f);
	changes_are(s, "gateways/ns/g v=5\n");
	store_close(s);
	free(path);
}

static void
test_folders(void **state)
{
	struct store *s = store_ready();
	char *from, *to;

	(void)state;
	folder_make("virtualservices/team");
	put("virtualservices/team/a.yaml", "v: 1\n");
	changes_are(s, "virtualservices/team/a v=1\n");
	put("virtualservices/team/a.yaml", "v: 2\n");
	changes_are(s, "virtualservices/team/a v=2\n");
	from = path_of("virtualservices/team");
	to = path_of("virtualservices/crew");
	assert_int_equal(rename(from, to), 0);
	changes_are(
		s, "virtualservices/crew/a v=2\nvirtualservices/team/a gone\n");
	put("virtualservices/crew/a.yaml", "v: 3\n");
	changes_are(s, "virtualservices/crew/a v=3\n");
	nftw(to, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	changes_are(s, "virtualservices/crew/a gone\n");
	store_close(s);
	free(from);
	free(to);
}

static void
test_odd_files(void **state)
{
	struct store *s = store_ready();
	char *path, *target;

	(void)state;
	folder_make("upstreams/odd");
	changes_are(s, "");
	path = path_of("upstreams/odd/fifo.yaml");
	assert_int_equal(mkfifo(path, 0600), 0);
	str_clear(&seen);
	store_changes(s, note, NULL);
	assert_non_null(strstr(seen.data, "is not a file"));
	unlink(path);
	changes_are(s, "upstreams/odd/fifo gone\n");
	free(path);

	put("upstreams/odd/empty.yaml", "");
	str_clear(&seen);
	store_changes(s, note, NULL);
	assert_non_null(strstr(seen.data, "the file holds no document"));

	path = path_of("upstreams/odd/huge.yaml");
	put("upstreams/odd/huge.yaml", "v: 1\n");
	assert_int_equal(truncate(path, 100 << 20), 0);
	str_clear(&seen);
	store_changes(s, note, NULL);
	assert_non_null(strstr(seen.data, "has more than 67108864 bytes"));
	free(path);

	/* A link made in one step has no writer whose end one could await. */
	put("target", "v: 4\n");
	target = path_of("target");
	path = path_of("upstreams/odd/link.yaml");
	assert_int_equal(symlink(target, path), 0);
	changes_are(s, "upstreams/odd/link v=4\n");
	store_close(s);
	free(path);
	free(target);
}

static void
test_watch_fd(void **state)
{
	struct store *s = store_ready();
	struct pollfd p = { .fd = store_watch_fd(s), .events = POLLIN };

	(void)state;
	write_v(s, "polled", 1);
	store_changes(s, note, NULL);
	assert_int_equal(poll(&p, 1, 0), 0);
	put("upstreams/ns/polled.yaml", "v: 2\n");
	assert_int_equal(poll(&p, 1, 0), 1);
	changes_are(s, "upstreams/ns/polled v=2\n");
	assert_int_equal(poll(&p, 1, 0), 0);
	store_close(s);
}

static void
test_lock(void **state)
{
	struct error err = ERROR_INIT;
	struct store *s = store_ready();
	char *want = xasprintf("another gloo-gateway with pid %ld uses this "
			       "store (%s/.lock is locked)",
		(long)getpid(), root);

	(void)state;
	assert_null(store_open(root, secrets, &err));
	assert_string_equal(err.text, want);
	store_close(s);
	s = store_ready();
	store_close(s);
	free(want);
}

/* The limit on the size of files stands for a full disk. */
static void
test_full_disk(void **state)
{
	struct store *s = store_ready();
	struct error err = ERROR_INIT;
	struct rlimit old, tight;
	struct doc *d = doc_new_map();
	char *big = xmalloc(10001);
	int rc;

	(void)state;
	write_v(s, "whole", 1);
	memset(big, 'x', 10000);
	big[10000] = '\0';
	doc_set_string(d, "v", big);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 4096;
	setrlimit(RLIMIT_FSIZE, &tight);
	rc = store_write(s, MODEL_UPSTREAM, "ns", "whole", d, &err);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERROR_SYSTEM);
	changes_are(s, "");
	store_close(s);
	str_clear(&seen);
	err = (struct error)ERROR_INIT;
	s = store_open(root, secrets, &err);
	assert_int_equal(store_scan(s, note, NULL, &err), 0);
	assert_non_null(strstr(seen.data, "upstreams/ns/whole v=1\n"));
	store_close(s);
	doc_free(d);
	free(big);
}

static void
test_names(void **state)
{
	struct store *s = store_ready();
	struct doc *d = doc_new_map();

	(void)state;
	assert_int_equal(
		store_write(s, MODEL_UPSTREAM, "..", "a", d, NULL), -1);
	assert_int_equal(
		store_write(s, MODEL_UPSTREAM, "ns", "../../a", d, NULL), -1);
	assert_int_equal(
		store_remove(s, MODEL_UPSTREAM, "ns", "../a", NULL), -1);
	doc_free(d);
	store_close(s);
}

/* What is written so is no change by other hands either. */
static void
test_lazily(void **state)
{
	struct store *s = store_ready();
	struct doc *d = doc_new_map();
	char *path = store_path(s, MODEL_UPSTREAM, "ns", "lazy");

	(void)state;
	doc_set(d, "v", doc_new_integer(7));
	assert_int_equal(
		store_write_lazily(s, MODEL_UPSTREAM, "ns", "lazy", d, NULL),
		0);
	str_clear(&seen);
	store_changes(s, note, NULL);
	assert_string_equal(seen.data, "");
	assert_int_equal(store_write_lazily(
				 s, MODEL_UPSTREAM, "..", "lazy", d, NULL),
		-1);
	assert_false(store_is_empty(s, MODEL_UPSTREAM, "ns", "lazy"));
	assert_false(store_is_empty(s, MODEL_UPSTREAM, "ns", "none"));
	assert_int_equal(file_replace(path, "", 0, 0600, NULL), 0);
	assert_true(store_is_empty(s, MODEL_UPSTREAM, "ns", "lazy"));
	free(path);
	doc_free(d);
	store_close(s);
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		fail_msg("%s", path);
	return st.st_mode & 07777;
}

/* Nobody else may read them; a file put there by hand is taken over; what is
 * wrong with one is said without what is in it. */
static void
test_secrets(void **state)
{
	struct error err = ERROR_INIT;
	struct store *s = store_ready();
	char *file = xasprintf("%s/ns/a.yaml", secrets);
	char *folder = xasprintf("%s/ns", secrets);
	char *path = store_path(s, MODEL_SECRET, "ns", "a");
	struct doc *d = doc_new_map();
	FILE *f;

	(void)state;
	assert_string_equal(path, file);
	assert_int_equal(store_written_ms(s, MODEL_SECRET, "ns", "a"), 0);
	doc_set(d, "v", doc_new_integer(1));
	assert_int_equal(
		store_write(s, MODEL_SECRET, "ns", "a", d, &err), 0);
	assert_int_equal(mode_of(file), 0600);
	assert_int_equal(mode_of(folder), 0700);
	assert_int_equal(mode_of(secrets), 0700);
	assert_true(store_written_ms(s, MODEL_SECRET, "ns", "a") > 0);
	changes_are(s, "");
	f = fopen(file, "w");
	fputs("v: 2\n", f);
	fclose(f);
	changes_are(s, "secrets/ns/a v=2\n");
	f = fopen(file, "w");
	fputs("v: *HIDE\n", f);
	fclose(f);
	str_clear(&seen);
	store_changes(s, note, NULL);
	assert_non_null(strstr(seen.data, "secrets/ns/a problem: "));
	assert_non_null(strstr(seen.data, "a.yaml:1: cannot be read"));
	assert_null(strstr(seen.data, "HIDE"));
	assert_int_equal(store_remove(s, MODEL_SECRET, "ns", "a", &err), 0);
	assert_int_equal(access(file, F_OK), -1);
	store_close(s);
	doc_free(d);
	free(path);
	free(folder);
	free(file);
}

/* Gloo's layout, where one folder is given for both. */
static void
test_secrets_in_root(void **state)
{
	char *folder = store_type_folder("/data", "/data", MODEL_SECRET);

	(void)state;
	assert_string_equal(folder, "/data/secrets");
	free(folder);
	folder = store_type_folder("/data", "/secrets", MODEL_SECRET);
	assert_string_equal(folder, "/secrets");
	free(folder);
	folder = store_type_folder("/data", "/data", MODEL_UPSTREAM);
	assert_string_equal(folder, "/data/upstreams");
	free(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_scan),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_is_changed),
		cmocka_unit_test(test_half_written),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_watch_fd),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lazily),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_secrets_in_root),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
