/* What the tests of a Kubernetes client share: a folder, files, a loop that
 * runs until something is so. Needs cmocka. */
#ifndef TESTS_KUBERNETES_WORLD_H
#define TESTS_KUBERNETES_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"

#define WAIT_MS 20000 /* for what takes milliseconds */

static char folder[64];

static inline int
folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/kubernetes-XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int
folder_remove(void **state)
{
	char *text = xasprintf("rm -r %s", folder);
	int rc = system(text);

	(void)state;
	free(text);
	return rc;
}

/* Replaces the file as a whole, so it is another one for whoever looks. */
static inline void __attribute__((format(printf, 2, 3)))
file_write(const char *name, const char *fmt, ...)
{
	char *path = xasprintf("%s/%s", folder, name);
	struct error err = ERROR_INIT;
	va_list args;
	char *text;

	va_start(args, fmt);
	assert_true(vasprintf(&text, fmt, args) >= 0);
	va_end(args);
	if (file_replace(path, text, strlen(text), 0700, &err) != 0)
		fail_msg("%s", err.text);
	free(text);
	free(path);
}

struct until {
	struct loop *loop;
	bool (*is_so)(void *arg);
	void *arg;
	bool late;
	struct loop_timer *look, *limit;
};

static inline void
until_look(void *arg)
{
	struct until *u = arg;

	if (u->is_so(u->arg))
		loop_stop(u->loop);
	else
		loop_timer_start(u->look, 1);
}

static inline void
until_late(void *arg)
{
	struct until *u = arg;

	u->late = true;
	loop_stop(u->loop);
}

/* False: it was not so within the limit. */
static inline bool
run_for(struct loop *loop, uint64_t limit_ms, bool (*is_so)(void *arg),
	void *arg)
{
	struct until u = { .loop = loop, .is_so = is_so, .arg = arg };

	u.look = loop_timer_new(loop, until_look, &u);
	u.limit = loop_timer_new(loop, until_late, &u);
	loop_timer_start(u.look, 0);
	loop_timer_start(u.limit, limit_ms);
	loop_run(loop);
	loop_timer_free(u.look);
	loop_timer_free(u.limit);
	return !u.late;
}

#endif
