/* Tests glooctl install and uninstall as far as no cluster answers: what is
 * printed is what is built in, and what is wrong is said before anything is
 * done. (What a cluster makes of it: tests/e2e/test_install.py.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/yaml.h"
#include "fake.h"
#include "kinds/kubernetes/manifest.h"

/* Nobody listens there. */
static const char kubeconfig[] =
	"apiVersion: v1\nkind: Config\ncurrent-context: a\n"
	"clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n"
	"contexts: [{name: a, context: {cluster: a, user: a}}]\n"
	"users: [{name: a, user: {token: hunter2}}]\n";

static char folder[] = "/tmp/test-install-XXXXXX";
static char *config, *settings;

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	config = xasprintf("%s/config", folder);
	settings = xasprintf("%s/settings.yaml", folder);
	assert_int_equal(file_replace(config, kubeconfig, strlen(kubeconfig),
				 0600, NULL),
		0);
	return 0;
}

static int
teardown(void **state)
{
	char *made = xasprintf("%s/kubernetes", folder);

	(void)state;
	unlink(config);
	unlink(settings);
	rmdir(made);
	rmdir(folder);
	free(made);
	free(config);
	free(settings);
	return 0;
}

static void
test_dry_run(void **state)
{
	struct fake_result r = fake_run(NULL,
		"install kube --dry-run --address 2001:db8::7 --kubeconfig "
		"/nonexistent",
		NULL);
	struct doc *all = kubernetes_manifests(), *printed;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(r.status, CLI_OK);
	assert_string_equal(r.err, "");
	assert_int_equal(
		kubernetes_manifest_address(all, "2001:db8::7", &err), 0);
	printed = yaml_doc_read_all(r.out, strlen(r.out), &err);
	if (printed == NULL)
		fail_msg("%s", err.text);
	assert_true(doc_equal(printed, all));
	doc_free(printed);
	doc_free(all);
	fake_result_fini(&r);
}

/* CONFIG and SETTINGS in the line are the paths. */
static char *
line_make(const char *p)
{
	struct str line;

	str_init(&line);
	while (*p != '\0') {
		if (strncmp(p, "CONFIG", 6) == 0) {
			str_puts(&line, config);
			p += 6;
		} else if (strncmp(p, "SETTINGS", 8) == 0) {
			str_puts(&line, settings);
			p += 8;
		} else {
			str_putc(&line, *p++);
		}
	}
	return str_steal(&line);
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *line, *err;
	} rows[] = {
		{ "install", "install needs a further word" },
		{ "install gateway", "gateway" },
		{ "install kube --docker-email a",
			"unknown flag --docker-email" },
		{ "install kube --token-seconds 599",
			"--token-seconds: at least 600" },
		{ "install kube --token-seconds -1",
			"--token-seconds: \"-1\" is not a number" },
		{ "install kube --kubeconfig /nonexistent/a",
			"/nonexistent/a" },
		{ "install kube --dry-run --address 127.0.0.1",
			"127.0.0.1 cannot be the address of service "
			"gateway-proxy: it is a loopback address" },
		{ "install kube --dry-run --address box",
			"it is no IP address" },
		/* The way to the API server is over loopback. */
		{ "install kube --kubeconfig CONFIG",
			"give the address of this box with --address" },
		{ "install kube --kubeconfig CONFIG --context b", "\"b\"" },
		{ "install kube --kubeconfig CONFIG --address 10.0.0.1 "
		  "--settings SETTINGS",
			"cannot apply namespace/gloo-system: " },
		{ "install kube --kubeconfig CONFIG --address 10.0.0.1 "
		  "--settings /nonexistent/settings.yaml",
			"cannot make the folder /nonexistent/kubernetes" },
		{ "uninstall --kubeconfig CONFIG --settings SETTINGS",
			"cannot delete " },
		{ "uninstall kube all", "all" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *line = line_make(rows[i].line);
		struct fake_result r =
			fake_run("/nonexistent/sock", line, NULL);

		if (r.status != CLI_USAGE ||
			strstr(r.err, rows[i].err) == NULL ||
			strstr(r.err, "hunter2") != NULL)
			fail_msg("%s: %d\n%s%s", line, r.status, r.out, r.err);
		fake_result_fini(&r);
		free(line);
	}
	/* Nothing came of it. */
	assert_int_not_equal(access(settings, F_OK), 0);
}

static void
test_uninstall_dry_run(void **state)
{
	static const struct {
		const char *line;
		bool definitions, ns;
	} rows[] = {
		{ "uninstall --dry-run", false, false },
		{ "uninstall --dry-run --delete-crds", true, false },
		{ "uninstall --dry-run --delete-namespace", false, true },
		{ "uninstall --dry-run --all", true, true },
		{ "uninstall kube -d --all", true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_result r = fake_run(NULL, rows[i].line, NULL);

		assert_int_equal(r.status, CLI_OK);
		assert_int_equal(strncmp(r.out,
					 "lease.coordination.k8s.io/gloo-"
					 "gateway would be deleted\n",
					 56),
			0);
		assert_non_null(strstr(
			r.out, "\nservice/gateway-proxy would be deleted\n"));
		assert_int_equal(strstr(r.out, "customresourcedefinition.") !=
					 NULL,
			rows[i].definitions);
		assert_int_equal(strstr(r.out, "\nnamespace/gloo-system ") !=
					 NULL,
			rows[i].ns);
		fake_result_fini(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_uninstall_dry_run),
	};

	unsetenv("KUBECONFIG");
	return cmocka_run_group_tests(tests, setup, teardown);
}
