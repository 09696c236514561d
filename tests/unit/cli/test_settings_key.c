/* Tests userspace/cli/settings_key.c: the key comes and goes, and not one byte
 * beside it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/settings_key.h"

#define BLOCK                                                                  \
	"# By glooctl install kube; glooctl uninstall takes it out.\n"         \
	"kubernetes:\n"                                                        \
	"  kubeconfig: kubernetes/kubeconfig\n"                                \
	"  namespace: gloo-system\n"                                           \
	"  serviceAccount: gloo-gateway\n"

static const struct {
	const char *before, *after;
} adds[] = {
	{ "", BLOCK },
	{ "# nothing\n", "# nothing\n\n" BLOCK },
	{ "logLevel: info\n", "logLevel: info\n\n" BLOCK },
	{ "xdp:\n  interfaces:\n  - name: eth0\n",
		"xdp:\n  interfaces:\n  - name: eth0\n\n" BLOCK },
	{ "xdp:\n  interfaces:\n  - name: eth0\n    # last\n",
		"xdp:\n  interfaces:\n  - name: eth0\n    # last\n\n" BLOCK },
	{ "---\nlogLevel: info # why\n\n\n",
		"---\nlogLevel: info # why\n\n\n\n" BLOCK },
	{ "a: \"\xc3\xa9\"\r\n", "a: \"\xc3\xa9\"\r\n\n" BLOCK },
};

static void
test_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(adds); i++) {
		struct error err = ERROR_INIT;
		struct str with, without;

		str_init(&with);
		str_init(&without);
		if (settings_key_add(slice_of(adds[i].before), NULL, &with,
			    &err) != 0)
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(with.data, adds[i].after);
		if (settings_key_remove(
			    (struct slice){ with.data, with.length }, &without,
			    &err) != 0)
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(without.data, adds[i].before);
		str_fini(&with);
		str_fini(&without);
	}
}

/* A text that does not end its last line gets that end. */
static void
test_no_newline(void **state)
{
	struct str with;

	(void)state;
	str_init(&with);
	assert_int_equal(settings_key_add(slice_of("logLevel: info"), NULL,
				 &with, NULL),
		0);
	assert_string_equal(with.data, "logLevel: info\n\n" BLOCK);
	str_fini(&with);
}

static void
test_address(void **state)
{
	struct str with;

	(void)state;
	str_init(&with);
	assert_int_equal(
		settings_key_add(slice_of(""), "2001:db8::1", &with, NULL), 0);
	assert_non_null(strstr(with.data, "\n  address: \"2001:db8::1\"\n"));
	str_fini(&with);
}

/* The settings that are installed. */
static void
test_installed(void **state)
{
	struct error err = ERROR_INIT;
	struct str text, with, without;

	(void)state;
	str_init(&text);
	str_init(&with);
	str_init(&without);
	assert_int_equal(
		file_read("config/settings.yaml", 1 << 20, &text, &err), 0);
	assert_int_equal(settings_key_add(
				 (struct slice){ text.data, text.length }, NULL,
				 &with, &err),
		0);
	assert_int_equal(
		settings_key_remove((struct slice){ with.data, with.length },
			&without, &err),
		0);
	assert_string_equal(without.data, text.data);
	str_fini(&text);
	str_fini(&with);
	str_fini(&without);
}

static void
test_there_already(void **state)
{
	static const char *const texts[] = { "kubernetes:\n  zone: a\n",
		"kubernetes: {}\n", "{kubernetes: {zone: a}}\n",
		"a: 1\n\"kubernetes\":\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct str out;

		str_init(&out);
		assert_int_equal(settings_key_add(slice_of(texts[i]), NULL,
					 &out, NULL),
			1);
		assert_string_equal(out.data, texts[i]);
		str_fini(&out);
	}
}

/* Then what is otherwise in it is said. */
static void
test_there_otherwise(void **state)
{
	static const struct {
		const char *text, *address, *says;
	} rows[] = {
		{ BLOCK, NULL, "" },
		{ BLOCK "  address: 10.0.0.1\n", "10.0.0.1", "" },
		{ BLOCK "  address: 10.0.0.1\n", NULL, "" },
		{ BLOCK "  address: 10.0.0.1\n", "10.0.0.2",
			"kubernetes.address is \"10.0.0.1\", not "
			"\"10.0.0.2\": it stays" },
		{ "kubernetes: { kubeconfig: a }\n", NULL,
			"kubernetes.kubeconfig is \"a\", not "
			"\"kubernetes/kubeconfig\": it stays" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct str out;

		str_init(&out);
		assert_int_equal(settings_key_add(slice_of(rows[i].text),
					 rows[i].address, &out, &err),
			1);
		assert_string_equal(err.text, rows[i].says);
		str_fini(&out);
	}
}

#define OURS "  kubeconfig: kubernetes/kubeconfig\n"

static const struct {
	const char *before, *after;
} removes[] = {
	{ "kubernetes:\n" OURS, "" },
	{ "kubernetes: {kubeconfig: kubernetes/kubeconfig}\n", "" },
	{ "kubernetes:\n" OURS "a: 1\n", "a: 1\n" },
	{ "a: 1\nkubernetes:\n" OURS "\n  # and\n  node: b\n\nb: 2\n",
		"a: 1\n\nb: 2\n" },
	{ "kubernetes:\n" OURS "# of b\nb: 2\n", "# of b\nb: 2\n" },
	{ "# mine\nkubernetes:\n" OURS, "# mine\n" },
	{ "a: |\n  kubernetes:\n  x\nkubernetes:\n" OURS,
		"a: |\n  kubernetes:\n  x\n" },
	{ "kubernetes:\n" OURS "  watchNamespaces:\n  - a\nb: 2", "b: 2" },
};

static void
test_remove(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(removes); i++) {
		struct error err = ERROR_INIT;
		struct str out;

		str_init(&out);
		if (settings_key_remove(slice_of(removes[i].before), &out,
			    &err) != 0)
			fail_msg("%zu: %s", i, err.text);
		assert_string_equal(out.data, removes[i].after);
		str_fini(&out);
	}
}

/* What an operator wrote is his. */
static void
test_by_hand(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "a: 1\nkubernetes:\n  kubeconfig: /etc/a\n  zone: b\n",
			"kubernetes.kubeconfig is \"/etc/a\", not "
			"\"kubernetes/kubeconfig\": it stays" },
		{ "kubernetes:\n  zone: a\n",
			"kubernetes.kubeconfig is \"\", not "
			"\"kubernetes/kubeconfig\": it stays" },
		{ "{kubernetes: {kubeconfig: a}}\n",
			"kubernetes.kubeconfig is \"a\", not "
			"\"kubernetes/kubeconfig\": it stays" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct str out;

		str_init(&out);
		assert_int_equal(settings_key_remove(slice_of(rows[i].text),
					 &out, &err),
			1);
		assert_string_equal(out.data, rows[i].text);
		assert_string_equal(err.text, rows[i].says);
		str_fini(&out);
	}
}

static void
test_gone_already(void **state)
{
	static const char *const texts[] = { "", "# a\n", "a: 1\n",
		"a:\n  kubernetes: 1\n", "#kubernetes:\n#  zone: a\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct str out;

		str_init(&out);
		assert_int_equal(settings_key_remove(
					 slice_of(texts[i]), &out, NULL),
			1);
		assert_string_equal(out.data, texts[i]);
		str_fini(&out);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		bool in;
		const char *text, *why;
	} rows[] = {
		{ true, "{a: 1}\n", "add this to it:\n# By glooctl" },
		{ true, "a: 1\n...\n", "add this to it:\n# By glooctl" },
		{ true, "- a\n", "it is not a map of keys" },
		{ true, "a: 1\na: 2\n", "line 2: " },
		{ true, "a: [\n", "line " },
		{ false,
			"{kubernetes: {kubeconfig: kubernetes/kubeconfig}, "
			"b: 1}\n",
			"take it out by hand" },
		{ false, "\"kubernetes\":\n" OURS,
			"take it out by hand" },
		{ false, "a: 1\na: 2\n", "line 2: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct slice text = slice_of(rows[i].text);
		struct str out;
		int rc;

		str_init(&out);
		rc = rows[i].in ? settings_key_add(text, NULL, &out, &err)
				: settings_key_remove(text, &out, &err);
		if (rc != -1 || strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s: %d %s", rows[i].text, rc, err.text);
		str_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_newline),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_installed),
		cmocka_unit_test(test_there_already),
		cmocka_unit_test(test_there_otherwise),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_gone_already),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
