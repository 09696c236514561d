/* Tests userspace/control/function_probe.c: who waits, for how long, and what
 * is answered. The HTTP server, the kind and time are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "control/admin.h"
#include "control/function_probe.h"
#include "control/object.h"
#include "tests/unit/net/fake_time.h"

static struct str told; /* an answer each */
static struct control control;

/* A request is its number. */
#define REQUEST(n) ((struct http_server_request *)(uintptr_t)(n))

void
admin_reply_doc(struct http_server_request *r, int status, struct doc *d)
{
	str_printf(&told, "%d %d ", (int)(uintptr_t)r, status);
	json_doc_write(d, 0, &told);
	str_putc(&told, '\n');
	doc_free(d);
}

void
admin_reply_error(struct http_server_request *r, int status, int line,
	const char *fmt, ...)
{
	(void)line;
	str_printf(&told, "%d %d %s\n", (int)(uintptr_t)r, status, fmt);
}

/* ---- the kind */

static kind_finding_f *find;
static void (*done)(void *arg);
static void *probe;
static int probes;

static void
on_probe(void *state, kind_finding_f *each, void (*end)(void *arg), void *arg)
{
	assert_ptr_equal(state, &told);
	find = each;
	done = end;
	probe = arg;
	probes++;
}

static struct function_probes *all;
static struct object one, two;

static int
setup(void **state)
{
	static const struct upstream_kind kind = { .probe = on_probe };
	static struct model_upstream upstream = { .kind = &kind };
	static struct model_object model = { .upstream = &upstream };
	static char a[] = "ns/a", b[] = "ns/b";

	(void)state;
	str_init(&told);
	probes = 0;
	all = function_probes_new(&control);
	one = (struct object){ .key = a, .model = &model };
	two = (struct object){ .key = b, .model = &model };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	function_probes_free(all);
	str_fini(&told);
	assert_null(fake_timers);
	return 0;
}

static void
ask(const struct object *o, int request)
{
	function_probe_run(all, o, &told, NULL, REQUEST(request));
}

static void
said(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

static void
test_done(void **state)
{
	(void)state;
	function_probe_run(all, &one, &told, "no secret", REQUEST(1));
	pass(20000);
	/* It runs already: who comes later gets what was found before. */
	find(KIND_OK, "reached", probe);
	ask(&one, 2);
	find(KIND_NOTE, "slow", probe);
	find(KIND_WARNING, "two\nlines", probe);
	said("");
	done(probe);
	assert_int_equal(probes, 1);
#define ALL                                                                    \
	" 200 {\"findings\":["                                                 \
	"{\"level\":\"error\",\"sentence\":\"no secret\"},"                    \
	"{\"level\":\"ok\",\"sentence\":\"reached\"},"                         \
	"{\"level\":\"note\",\"sentence\":\"slow\"},"                          \
	"{\"level\":\"warning\",\"sentence\":\"two?lines\"}]}\n"
	said("2" ALL "1" ALL);
	/* Another time is another probe. */
	ask(&one, 3);
	assert_int_equal(probes, 2);
	done(probe);
	said("3 200 {\"findings\":[]}\n");
}

static void
test_patience(void **state)
{
	void *first;

	(void)state;
	ask(&one, 1);
	first = probe;
	find(KIND_OK, "reached", probe);
	pass(10000);
	ask(&one, 2);
	pass(19999);
	said("");
	pass(1);
#define LATE                                                                   \
	"{\"level\":\"warning\",\"sentence\":\"not all of it was answered "    \
	"within 30 seconds\"}]}\n"
	said("1 200 "
	     "{\"findings\":[{\"level\":\"ok\",\"sentence\":\"reached\"}"
	     "," LATE);
	pass(10000);
	said("2 200 "
	     "{\"findings\":[{\"level\":\"ok\",\"sentence\":\"reached\"}"
	     "," LATE);
	/* The kind is still at it, and is not asked twice. */
	ask(&one, 3);
	ask(&two, 4);
	assert_int_equal(probes, 2);
	done(first);
	said("3 200 {\"findings\":[{\"level\":\"ok\",\"sentence\":\"reached\"}"
	     "]}\n");
	done(probe);
	said("4 200 {\"findings\":[]}\n");
	/* Nobody waits any more. */
	ask(&one, 5);
	pass(30000);
	str_clear(&told);
	done(probe);
	said("");
}

static void
test_given_up(void **state)
{
	(void)state;
	function_probe_give_up(all, "ns/a");
	function_probe_give_up(NULL, "ns/a");
	ask(&one, 1);
	ask(&two, 2);
	function_probe_give_up(all, "ns/a");
	said("1 200 {\"findings\":[{\"level\":\"warning\",\"sentence\":\"the "
	     "upstream was changed meanwhile: ask again\"}]}\n");
	pass(29999);
	function_probes_free(all);
	all = NULL;
	said("2 503 the gateway stops\n");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_done),
		CASE(test_patience),
		CASE(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
