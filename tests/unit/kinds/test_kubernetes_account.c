/* Tests userspace/kinds/kubernetes/account.c: files that change, plugins. */
#include "kubernetes_world.h"

#include <time.h>
#include <unistd.h>

#include "kinds/kubernetes/account.h"

#define CA   "-----BEGIN CERTIFICATE-----\nca\n"
#define CERT "-----BEGIN CERTIFICATE-----\ncert\n"
#define KEY  "-----BEGIN PRIVATE KEY-----\nkey\n"

/* What a ticket said. */
struct given {
	int count;
	char *token, *problem, *ca, *cert, *key;
	bool insecure;
};

static struct loop *loop;

static char *
slice_copy(struct slice s)
{
	return xstrndup(s.data == NULL ? "" : s.data, s.length);
}

static void
given_fini(struct given *g)
{
	free(g->token);
	free(g->problem);
	free(g->ca);
	free(g->cert);
	free(g->key);
	memset(g, 0, sizeof(*g));
}

static void
on_ticket(const char *token, const struct http_tls *tls, const char *problem,
	void *arg)
{
	struct given *g = arg;
	int count = g->count + 1;

	given_fini(g);
	g->count = count;
	if (token != NULL)
		g->token = xstrdup(token);
	if (problem != NULL)
		g->problem = xstrdup(problem);
	if (tls != NULL) {
		g->ca = slice_copy(tls->ca);
		g->cert = slice_copy(tls->cert);
		g->key = slice_copy(tls->key);
		g->insecure = tls->insecure;
	}
}

static bool
is_given(void *arg)
{
	return ((struct given *)arg)->count > 0;
}

/* Of a ticket that is given at once. */
static struct given
ask_now(struct kubernetes_account *a)
{
	struct given g = { 0 };

	assert_null(kubernetes_account_ticket(a, on_ticket, &g));
	assert_int_equal(g.count, 1);
	return g;
}

/* Asks for a ticket and waits for it. */
static struct given
ask(struct kubernetes_account *a)
{
	struct given g = { 0 };

	kubernetes_account_ticket(a, on_ticket, &g);
	assert_true(run_for(loop, WAIT_MS, is_given, &g));
	assert_int_equal(g.count, 1);
	return g;
}

static void
expect_token(struct kubernetes_account *a, const char *token)
{
	struct given g = ask(a);

	assert_null(g.problem);
	if (token == NULL)
		assert_null(g.token);
	else
		assert_string_equal(g.token, token);
	given_fini(&g);
}

static struct kubernetes_account *
open_config(const char *user, struct kubernetes_account_options o)
{
	struct error err = ERROR_INIT;
	struct kubernetes_account *a;

	file_write("ca.crt", "%s", CA);
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://s:6443/', "
		"certificate-authority: ca.crt}}]\n"
		"users: [{name: u, user: {%s}}]\n",
		user);
	o.kubeconfig = "config";
	o.folder = folder;
	a = kubernetes_account_open(loop, &o, &err);
	if (a == NULL)
		fail_msg("%s", err.text);
	return a;
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* ---- files */

static void
test_token_file_is_followed(void **state)
{
	struct kubernetes_account *a;

	(void)state;
	file_write("token", "one\n");
	a = open_config("token: inline, tokenFile: token",
		(struct kubernetes_account_options){ 0 });
	assert_string_equal(kubernetes_account_server(a), "https://s:6443");
	assert_string_equal(kubernetes_account_namespace(a), "");
	assert_non_null(strstr(kubernetes_account_token_file(a), "/token"));
	expect_token(a, "one");
	file_write("token", "two");
	expect_token(a, "two");
	/* What cannot be a token leaves the old one. */
	file_write("token", " \n");
	expect_token(a, "two");
	file_write("token", "thr\nee");
	expect_token(a, "two");
	file_write("token", "\x01");
	expect_token(a, "two");
	unlink(kubernetes_account_token_file(a));
	expect_token(a, "two");
	file_write("token", "four");
	expect_token(a, "four");
	kubernetes_account_close(a);
}

static void
test_token_stands_in_for_its_file(void **state)
{
	struct kubernetes_account *a;

	(void)state;
	a = open_config("token: inline, tokenFile: later",
		(struct kubernetes_account_options){ 0 });
	expect_token(a, "inline");
	file_write("later", "file");
	expect_token(a, "file");
	kubernetes_account_close(a);
}

static void
test_certificates_are_followed_in_pairs(void **state)
{
	struct kubernetes_account *a;
	struct given g;
	uint64_t serial;

	(void)state;
	file_write("c", "%s", CERT);
	file_write("k", "%s", KEY);
	a = open_config("client-certificate: c, client-key: k",
		(struct kubernetes_account_options){ 0 });
	g = ask(a);
	assert_null(g.token);
	assert_string_equal(g.ca, CA);
	assert_string_equal(g.cert, CERT);
	assert_string_equal(g.key, KEY);
	assert_false(g.insecure);
	given_fini(&g);
	serial = kubernetes_account_serial(a);

	/* One of the two is no PEM yet: neither is taken. */
	file_write("c", "%snew\n", CERT);
	file_write("k", "half");
	g = ask(a);
	assert_string_equal(g.cert, CERT);
	assert_string_equal(g.key, KEY);
	given_fini(&g);
	assert_int_equal(kubernetes_account_serial(a), serial);

	file_write("k", "%snew\n", KEY);
	file_write("ca.crt", "%snew\n", CA);
	g = ask(a);
	assert_string_equal(g.cert, CERT "new\n");
	assert_string_equal(g.key, KEY "new\n");
	assert_string_equal(g.ca, CA "new\n");
	given_fini(&g);
	assert_true(kubernetes_account_serial(a) > serial);
	kubernetes_account_close(a);
}

static void
test_kubeconfig_is_followed(void **state)
{
	struct kubernetes_account *a;

	(void)state;
	a = open_config(
		"token: one", (struct kubernetes_account_options){ 0 });
	expect_token(a, "one");
	file_write("config", "nonsense: [");
	expect_token(a, "one");
	/* A file that it names is missing: the old one stays whole. */
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://other', "
		"certificate-authority: missing.crt}}]\n"
		"users: [{name: u, user: {token: two}}]\n");
	expect_token(a, "one");
	assert_string_equal(kubernetes_account_server(a), "https://s:6443");
	file_write("missing.crt", "%s", CA);
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://other', "
		"certificate-authority: missing.crt}}]\n"
		"users: [{name: u, user: {token: two}}]\n\n");
	expect_token(a, "two");
	assert_string_equal(kubernetes_account_server(a), "https://other");
	kubernetes_account_close(a);
}

static void
source_write(const char *token, const char *ca)
{
	file_write("config",
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://other', "
		"certificate-authority: %s}}]\n"
		"users: [{name: u, user: {token: %s}}]\n",
		ca, token);
}

static bool
token_is_three(void *arg)
{
	struct given g = ask_now(arg);
	bool same = strcmp(g.token, "three") == 0;

	given_fini(&g);
	return same;
}

/* What a changed kubeconfig names comes after it: it is tried again though it
 * does not change any more, after a 401 at once. */
static void
test_kubeconfig_that_failed_is_tried_again(void **state)
{
	struct kubernetes_account *a;

	(void)state;
	a = open_config("token: one", (struct kubernetes_account_options){
					      .source_retry_ms = 3600000 });
	source_write("two", "late.crt");
	expect_token(a, "one");
	file_write("late.crt", "%s", CA);
	expect_token(a, "one");
	kubernetes_account_refused(a, kubernetes_account_serial(a));
	expect_token(a, "two");
	kubernetes_account_close(a);

	a = open_config("token: one",
		(struct kubernetes_account_options){ .source_retry_ms = 20 });
	source_write("three", "later.crt");
	expect_token(a, "one");
	file_write("later.crt", "%s", CA);
	assert_true(run_for(loop, WAIT_MS, token_is_three, a));
	kubernetes_account_close(a);
}

static void
test_refused_token_is_read_again_before_its_time(void **state)
{
	struct kubernetes_account *a;
	uint64_t serial;

	(void)state;
	file_write("token", "one");
	a = open_config("tokenFile: token",
		(struct kubernetes_account_options){ .look_ms = 3600000 });
	expect_token(a, "one");
	file_write("token", "two");
	expect_token(a, "one");
	serial = kubernetes_account_serial(a);
	kubernetes_account_refused(a, serial);
	expect_token(a, "two");
	assert_true(kubernetes_account_serial(a) > serial);
	/* Another request with the old one is refused a little later. */
	file_write("token", "three");
	kubernetes_account_refused(a, serial);
	expect_token(a, "two");
	kubernetes_account_close(a);
}

/* ---- a pod */

static void
test_pod(void **state)
{
	struct kubernetes_account_options o = { .pod_folder = folder,
		.look_ms = 1 };
	struct error err = ERROR_INIT;
	struct kubernetes_account *a;

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_string_equal(err.text,
		"KUBERNETES_SERVICE_HOST is not set, so this is no pod; name a "
		"kubeconfig");
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	file_write("token", "one");
	file_write("namespace", "gloo-system");
	file_write("ca.crt", "%s", CA);
	a = kubernetes_account_open(loop, &o, &err);
	assert_non_null(a);
	assert_string_equal(
		kubernetes_account_server(a), "https://[fd00::1]:443");
	assert_string_equal(kubernetes_account_namespace(a), "gloo-system");
	expect_token(a, "one");
	kubernetes_account_close(a);

	/* By default once a minute, but at once after a 401. */
	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	o.look_ms = 0;
	a = kubernetes_account_open(loop, &o, &err);
	assert_string_equal(
		kubernetes_account_server(a), "https://10.0.0.1:443");
	file_write("token", "two");
	expect_token(a, "one");
	kubernetes_account_refused(a, kubernetes_account_serial(a));
	expect_token(a, "two");
	kubernetes_account_close(a);

	file_write("token", " ");
	err = (struct error)ERROR_INIT;
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_non_null(strstr(err.text, "/token is empty"));
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
}

/* ---- what is refused, and lists of files */

static void
test_insecure_must_be_allowed(void **state)
{
	static const char text[] =
		"current-context: x\n"
		"contexts: [{name: x, context: {cluster: c}}]\n"
		"clusters: [{name: c, cluster: {server: '%s', %s: %s}}]\n";
	struct kubernetes_account_options o = { .kubeconfig = "insecure",
		.folder = folder };
	struct error err = ERROR_INIT;
	struct kubernetes_account *a;
	struct given g;

	(void)state;
	file_write("insecure", text, "https://s", "insecure-skip-tls-verify",
		"true");
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_non_null(strstr(
		err.text, "insecure-skip-tls-verify is refused"));
	o.insecure = true;
	a = kubernetes_account_open(loop, &o, NULL);
	g = ask(a);
	assert_true(g.insecure);
	given_fini(&g);
	kubernetes_account_close(a);

	file_write("insecure", text, "http://s", "proxy-url", "http://p:3128");
	o.insecure = false;
	err = (struct error)ERROR_INIT;
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_non_null(strstr(err.text, "is not encrypted"));
	o.insecure = true;
	a = kubernetes_account_open(loop, &o, NULL);
	assert_string_equal(kubernetes_account_proxy(a), "http://p:3128");
	kubernetes_account_close(a);
}

static void
test_lists_of_files(void **state)
{
	struct kubernetes_account_options o = { .folder = folder };
	struct error err = ERROR_INIT;
	struct kubernetes_account *a;

	(void)state;
	a = open_config("token: t", (struct kubernetes_account_options){ 0 });
	kubernetes_account_close(a);
	o.kubeconfig = "missing:config";
	a = kubernetes_account_open(loop, &o, &err);
	assert_non_null(a);
	expect_token(a, "t");
	kubernetes_account_close(a);
	o.kubeconfig = "missing:absent";
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_string_equal(err.text,
		"none of the kubeconfig files is there: missing:absent");
	o.kubeconfig = "missing";
	err = (struct error)ERROR_INIT;
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_non_null(strstr(err.text, "cannot read"));
	assert_non_null(strstr(err.text, "/missing: No such file"));
	o.kubeconfig = "config";
	o.context = "y";
	err = (struct error)ERROR_INIT;
	assert_null(kubernetes_account_open(loop, &o, &err));
	assert_non_null(strstr(err.text, "no context is named \"y\""));
}

/* ---- plugins */

#define EXEC                                                                   \
	"exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}"

/* Gives token-1, token-2, ... that expire then. */
static void
plugin_write(const char *expires)
{
	file_write("plugin",
		"#!/bin/sh\n"
		"echo run >> %s/runs\n"
		"n=$(wc -l < %s/runs)\n"
		"printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\","
		"\"kind\":\"ExecCredential\",\"status\":{\"token\":"
		"\"token-%%d\"%s}}' $n\n",
		folder, folder, expires);
	file_write("runs", "%s", "");
}

static void
test_plugin_is_kept_until_it_expires(void **state)
{
	struct kubernetes_account *a;

	(void)state;
	plugin_write(",\"expirationTimestamp\":\"2999-01-01T00:00:00Z\"");
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	expect_token(a, "token-1");
	expect_token(a, "token-1");
	kubernetes_account_refused(a, kubernetes_account_serial(a));
	expect_token(a, "token-2");
	expect_token(a, "token-2");
	/* Refused is one that is not used any more. */
	kubernetes_account_refused(a, kubernetes_account_serial(a) - 1);
	expect_token(a, "token-2");
	kubernetes_account_close(a);
}

static void
test_plugin_runs_again_before_the_end(void **state)
{
	char when[64];
	time_t soon = time(NULL) + 9; /* less than the leeway */
	struct kubernetes_account *a;

	(void)state;
	strftime(when, sizeof(when),
		",\"expirationTimestamp\":\"%Y-%m-%dT%H:%M:%SZ\"",
		gmtime(&soon));
	plugin_write(when);
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	expect_token(a, "token-1");
	expect_token(a, "token-2");
	/* It fails now: what it gave last holds while it is valid. */
	file_write("plugin", "#!/bin/sh\nexit 1\n");
	expect_token(a, "token-2");
	kubernetes_account_close(a);

	plugin_write(",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\"");
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	for (int i = 0; i < 2; i++) {
		struct given g = ask(a);

		assert_non_null(strstr(g.problem, "has expired already"));
		given_fini(&g);
	}
	kubernetes_account_close(a);
}

static bool
all_given(void *arg)
{
	const struct given *g = arg;

	return g[0].count == 1 && g[2].count == 1;
}

static void
test_one_run_for_all_that_wait(void **state)
{
	struct kubernetes_account *a;
	struct kubernetes_ticket *second;
	struct given g[3] = { 0 };
	struct str runs;
	char *path;

	(void)state;
	plugin_write("");
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	assert_non_null(kubernetes_account_ticket(a, on_ticket, &g[0]));
	second = kubernetes_account_ticket(a, on_ticket, &g[1]);
	kubernetes_account_ticket(a, on_ticket, &g[2]);
	kubernetes_ticket_cancel(second);
	assert_true(run_for(loop, WAIT_MS, all_given, g));
	assert_string_equal(g[0].token, "token-1");
	assert_string_equal(g[2].token, "token-1");
	assert_int_equal(g[1].count, 0);
	given_fini(&g[0]);
	given_fini(&g[2]);
	path = xasprintf("%s/runs", folder);
	str_init(&runs);
	assert_int_equal(file_read(path, 1000, &runs, NULL), 0);
	assert_string_equal(runs.data, "run\n");
	str_fini(&runs);
	free(path);
	/* Closed while it runs: nobody is told. */
	kubernetes_account_refused(a, kubernetes_account_serial(a));
	assert_non_null(kubernetes_account_ticket(a, on_ticket, &g[1]));
	kubernetes_account_close(a);
	assert_int_equal(g[1].count, 0);
}

static void
test_plugin_that_fails_is_left_in_peace(void **state)
{
	struct kubernetes_account *a;
	struct str runs;
	char *path = xasprintf("%s/runs", folder);

	(void)state;
	file_write("runs", "%s", "");
	file_write("plugin",
		"#!/bin/sh\necho run >> %s/runs\necho no network >&2\nexit 1\n",
		folder);
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	for (int i = 0; i < 3; i++) {
		struct given g = ask(a);

		assert_null(g.token);
		assert_non_null(strstr(
			g.problem, "ended with status 1: no network"));
		given_fini(&g);
	}
	str_init(&runs);
	assert_int_equal(file_read(path, 1000, &runs, NULL), 0);
	assert_string_equal(runs.data, "run\n");
	str_fini(&runs);
	free(path);
	kubernetes_account_close(a);
}

/* As `echo token | base64` makes them: no part of what is sent. */
static void
test_line_breaks_around_a_token(void **state)
{
	struct kubernetes_account *a;

	(void)state;
	a = open_config("token: \" one\\n\"",
		(struct kubernetes_account_options){ 0 });
	expect_token(a, "one");
	kubernetes_account_close(a);
	file_write("plugin",
		"#!/bin/sh\nprintf '%%s' "
		"'{\"apiVersion\":\"client.authentication.k8s.io/v1\","
		"\"kind\":\"ExecCredential\",\"status\":{\"token\":"
		"\"two\\r\\n\"}}'\n");
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	expect_token(a, "two");
	kubernetes_account_close(a);
}

static void
test_plugin_with_a_bad_token(void **state)
{
	struct kubernetes_account *a;
	struct given g;

	(void)state;
	file_write("plugin",
		"#!/bin/sh\nprintf '%%s' "
		"'{\"apiVersion\":\"client.authentication.k8s.io/v1\","
		"\"kind\":\"ExecCredential\",\"status\":{\"token\":"
		"\"a\\r\\nX-Evil: 1\"}}'\n");
	a = open_config(EXEC, (struct kubernetes_account_options){ 0 });
	g = ask(a);
	assert_null(g.token);
	assert_non_null(strstr(g.problem, "holds no token"));
	given_fini(&g);
	kubernetes_account_close(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_token_file_is_followed),
		T(test_token_stands_in_for_its_file),
		T(test_certificates_are_followed_in_pairs),
		T(test_kubeconfig_is_followed),
		T(test_kubeconfig_that_failed_is_tried_again),
		T(test_refused_token_is_read_again_before_its_time),
		T(test_pod),
		T(test_insecure_must_be_allowed),
		T(test_lists_of_files),
		T(test_plugin_is_kept_until_it_expires),
		T(test_plugin_runs_again_before_the_end),
		T(test_one_run_for_all_that_wait),
		T(test_plugin_that_fails_is_left_in_peace),
		T(test_line_breaks_around_a_token),
		T(test_plugin_with_a_bad_token),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
