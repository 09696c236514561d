/* Control's own memory on disk. */
#include "control/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

static char root[64];

static struct state *
state_make(void)
{
	struct error err = ERROR_INIT;
	struct state *s = state_open(root, &err);

	if (s == NULL)
		fail_msg("%s", err.text);
	return s;
}

static int
setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/gg-state-XXXXXX");
	return mkdtemp(root) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void
test_good(void **state)
{
	struct state *s = state_make();
	struct doc *d = doc_new_map(), *back;

	(void)state;
	doc_set_string(d, "a", "b");
	assert_null(state_good_read(s, MODEL_GATEWAY, "ns", "x"));
	assert_int_equal(
		state_good_write(s, MODEL_GATEWAY, "ns", "x", d, NULL), 0);
	back = state_good_read(s, MODEL_GATEWAY, "ns", "x");
	assert_true(doc_equal(d, back));
	assert_null(state_good_read(s, MODEL_UPSTREAM, "ns", "x"));
	state_good_remove(s, MODEL_GATEWAY, "ns", "x");
	assert_null(state_good_read(s, MODEL_GATEWAY, "ns", "x"));
	doc_free(back);
	doc_free(d);
	state_close(s);
}

/* ---- reports */

static void
on_report(const struct state_report *r, struct doc *d, void *arg)
{
	str_printf(arg, "%s %s %s/%s %s\n", r->kind,
		model_type_plural(r->type), r->ns, r->name,
		doc_get_text(d, "a"));
	doc_free(d);
}

static void
reports_are(const struct state *s, enum state_area area, const char *kind,
	const char *text)
{
	struct str all;

	str_init(&all);
	state_reports_each(s, area, kind, on_report, &all);
	assert_string_equal(all.data, text);
	str_fini(&all);
}

static void
test_reports(void **state)
{
	const struct state_report service = { STATE_RESOURCES, "one",
		MODEL_VIRTUAL_SERVICE, "ns", "v" };
	const struct state_report gateway = { STATE_RESOURCES, "one",
		MODEL_GATEWAY, "a.b", "g" };
	const struct state_report found = { STATE_DISCOVERED, "two",
		MODEL_UPSTREAM, "ns", "v" };
	struct state *s = state_make();
	struct doc *d = doc_new_map();
	char *junk;

	(void)state;
	reports_are(s, STATE_RESOURCES, "one", "");
	doc_set_string(d, "a", "x");
	assert_int_equal(state_report_write(s, &service, d, NULL), 0);
	assert_int_equal(state_report_write(s, &gateway, d, NULL), 0);
	assert_int_equal(state_report_write(s, &found, d, NULL), 0);
	doc_set_string(d, "a", "y");
	assert_int_equal(state_report_write(s, &service, d, NULL), 0);
	junk = xasprintf("%s/resources/one/gateways/a.b/.new-1", root);
	assert_int_equal(file_replace(junk, "{}", 2, 0600, NULL), 0);
	free(junk);
	/* What a loss of power left. */
	junk = xasprintf("%s/resources/one/gateways/a.b/empty.json", root);
	assert_int_equal(file_replace(junk, "", 0, 0600, NULL), 0);
	free(junk);
	/* Gateways before the virtual services that they serve. */
	reports_are(s, STATE_RESOURCES, "one",
		"one gateways a.b/g x\none virtualservices ns/v y\n");
	reports_are(s, STATE_RESOURCES, "two", "");
	reports_are(s, STATE_DISCOVERED, "one", "");
	reports_are(s, STATE_DISCOVERED, "two", "two upstreams ns/v x\n");
	state_report_remove(s, &service);
	state_report_remove(s, &service);
	reports_are(s, STATE_RESOURCES, "one", "one gateways a.b/g x\n");
	doc_free(d);
	state_close(s);
}

static void
test_endpoints(void **state)
{
	struct endpoint set[2] = { { .weight = 1 }, { .weight = 7 } };
	struct state *s = state_make();
	struct doc *spec = doc_new_map(), *spec_back;
	struct endpoint *back;
	size_t count;

	(void)state;
	doc_set_string(spec, "serviceName", "web");
	addr_parse_ip("10.0.0.1", 80, &set[0].addr);
	addr_parse_ip("2001:db8::1", 65535, &set[1].addr);
	strcpy(set[1].host, "db.example");
	strcpy(set[1].server_name, "tls.example");
	set[1].subsets[0] = 1;
	set[1].subsets[1] = UINT64_C(0xfedcba9876543210);
	set[1].health = ENDPOINT_DOWN;
	set[1].host_rewrite = true;
	strcpy(set[1].server_name, "tls.example");
	set[1].subsets[0] = 1;
	set[1].subsets[1] = UINT64_C(0xfedcba9876543211);
	set[1].owner = UINT64_C(0xfedcba9876543210);
	assert_null(state_endpoints_read(s, "a.b", "c", &spec_back, &count));
	assert_null(spec_back);
	for (int known = 0; known < 2; known++) {
		assert_int_equal(state_endpoints_write(s, "a.b", "c",
					 known ? spec : NULL, set, 2, NULL),
			0);
		back = state_endpoints_read(s, "a.b", "c", &spec_back, &count);
		assert_int_equal(count, 2);
		assert_memory_equal(back, set, sizeof(set));
		assert_true(known ? doc_equal(spec, spec_back)
				  : spec_back == NULL);
		doc_free(spec_back);
		free(back);
	}
	doc_free(spec);
	/* Another upstream, although it reads the same with a dot. */
	assert_null(state_endpoints_read(s, "a", "b.c", &spec_back, &count));
	state_endpoints_remove(s, "a.b", "c");
	assert_null(state_endpoints_read(s, "a.b", "c", &spec_back, &count));
	state_close(s);
}

/* Lists alone: what else stands there is left aside. */
static void
test_functions(void **state)
{
	struct state *s = state_make();
	struct doc *names = doc_new_list(), *back;
	char *path = xasprintf("%s/functions/a.b/c.json", root);

	(void)state;
	assert_null(state_functions_read(s, "a.b", "c"));
	for (int count = 0; count < 3; count++) {
		assert_int_equal(
			state_functions_write(s, "a.b", "c", names, NULL), 0);
		back = state_functions_read(s, "a.b", "c");
		assert_int_equal(doc_type(back), DOC_LIST);
		assert_true(doc_equal(names, back));
		doc_free(back);
		doc_add(names, doc_new_string(count == 0 ? "f" : "g:1"));
	}
	assert_null(state_functions_read(s, "a", "b.c"));
	assert_int_equal(file_replace(path, "{}", 2, 0600, NULL), 0);
	assert_null(state_functions_read(s, "a.b", "c"));
	state_functions_remove(s, "a.b", "c");
	assert_int_not_equal(access(path, F_OK), 0);
	state_functions_remove(s, "a.b", "c");
	doc_free(names);
	free(path);
	state_close(s);
}

/* An owner that cannot be read is not known; the endpoint is there. */
static void
test_odd_owners(void **state)
{
	static const char *const owners[] = { "\"\"", "7",
		"\"fedcba987654321\"", "\"FEDCBA9876543210\"",
		"\"-edcba9876543210\"", "\"fedcba98765432100\"" };
	struct state *s = state_make();
	char *path = xasprintf("%s/endpoints/ns", root);

	(void)state;
	assert_int_equal(file_make_folders(path, 0700, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		char *text = xasprintf("[{\"address\": \"10.0.0.1\", \"port\":"
				       " 1, \"weight\": 1, \"owner\": %s}]",
			owners[i]);
		char *file = xasprintf("%s/x.json", path);
		struct endpoint *back;
		struct doc *spec;
		size_t count;

		assert_int_equal(
			file_replace(file, text, strlen(text), 0600, NULL), 0);
		back = state_endpoints_read(s, "ns", "x", &spec, &count);
		assert_null(spec); /* an earlier version's: a list alone */
		assert_int_equal(count, 1);
		assert_int_equal(back[0].owner, 0);
		free(back);
		free(file);
		free(text);
	}
	free(path);
	state_close(s);
}

/* What other hands broke is left aside, not believed. */
static void
test_broken(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"7",
		"{\"endpoints\": {\"address\": \"10.0.0.1\"}, \"spec\": 7}",
		"[7, {}, {\"address\": \"x\", \"port\": 1, \"weight\": 1}]",
		"[{\"address\": \"10.0.0.1\", \"port\": 0, \"weight\": 1}]",
		"[{\"address\": \"10.0.0.1\", \"port\": 1, \"weight\": 70000}]",
	};
	struct state *s = state_make();
	char *path = xasprintf("%s/endpoints/ns", root);

	(void)state;
	assert_int_equal(file_make_folders(path, 0700, NULL), 0);
	free(path);
	path = xasprintf("%s/endpoints/ns/x.json", root);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct doc *spec;
		size_t count = 1;

		assert_int_equal(file_replace(path, texts[i], strlen(texts[i]),
					 0600, NULL),
			0);
		free(state_endpoints_read(s, "ns", "x", &spec, &count));
		doc_free(spec);
		if (count != 0)
			fail_msg("%s", texts[i]);
	}
	free(path);
	state_close(s);
}

static void
test_ids(void **state)
{
	struct state *s = state_make();
	struct numbers *a = numbers_new(16), *b = numbers_new(16);
	struct numbers *x = numbers_new(16), *y = numbers_new(16);
	struct numbers *c = numbers_new(16), *z = numbers_new(16);
	uint32_t one, two, three;

	(void)state;
	assert_false(state_ids_read(s, x, y, z));
	numbers_take(a, "ns/gone");
	one = numbers_take(a, "ns/one");
	two = numbers_take(b, "ns/gateway@[::]:8080");
	numbers_take(c, "ns/gone");
	numbers_take(c, "ns/gone too");
	three = numbers_take(c, "ns/mysql@[::]:3306");
	assert_int_equal(state_ids_write(s, a, b, c, NULL), 0);
	assert_true(state_ids_read(s, x, y, z));
	assert_int_equal(numbers_get(x, "ns/one"), one);
	assert_int_equal(numbers_get(y, "ns/gateway@[::]:8080"), two);
	assert_int_equal(numbers_get(z, "ns/mysql@[::]:3306"), three);
	numbers_free(a);
	numbers_free(b);
	numbers_free(c);
	numbers_free(z);
	numbers_free(x);
	numbers_free(y);
	state_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_endpoints, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_odd_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
