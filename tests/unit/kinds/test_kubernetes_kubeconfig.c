/* Tests userspace/kinds/kubernetes/kubeconfig.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/kubernetes/kubeconfig.h"

/* base64 of "-----BEGIN CA\n", "-----BEGIN CERT\n", "-----BEGIN KEY\n" */
#define CA_DATA   "LS0tLS1CRUdJTiBDQQo="
#define CERT_DATA "LS0tLS1CRUdJTiBDRVJUCg=="
#define KEY_DATA  "LS0tLS1CRUdJTiBLRVkK"

static const char first[] =
	"apiVersion: v1\n"
	"kind: Config\n"
	"clusters:\n"
	"- name: prod\n"
	"  cluster: {server: 'https://prod:6443/', "
	"certificate-authority: ca.crt}\n"
	"- name: embedded\n"
	"  cluster:\n"
	"    server: https://10.0.0.1/path//\n"
	"    certificate-authority: ignored.crt\n"
	"    certificate-authority-data: " CA_DATA "\n"
	"    tls-server-name: kubernetes\n"
	"    proxy-url: socks5://proxy:1080\n"
	"    extensions:\n"
	"    - {name: other, extension: {a: 0}}\n"
	"    - {name: client.authentication.k8s.io/exec, "
	"extension: {audience: x}}\n"
	"- name: careless\n"
	"  cluster: {server: 'https://c', insecure-skip-tls-verify: true}\n"
	"users:\n"
	"- name: token\n"
	"  user: {token: abc, tokenFile: secrets/token}\n"
	"- name: cert\n"
	"  user: {client-certificate: /etc/c.crt, client-key: ../c.key}\n"
	"- name: data\n"
	"  user: {client-certificate-data: " CERT_DATA
	", client-key-data: " KEY_DATA "}\n"
	"- name: plugin\n"
	"  user:\n"
	"    exec:\n"
	"      apiVersion: client.authentication.k8s.io/v1\n"
	"      command: bin/login\n"
	"      args: [get, \"a b\"]\n"
	"      env:\n"
	"      - {name: PROFILE, value: p1}\n"
	"      installHint: install it\n"
	"      interactiveMode: IfAvailable\n"
	"      provideClusterInfo: true\n"
	"contexts:\n"
	"- name: one\n"
	"  context: {cluster: prod, user: token, namespace: web}\n"
	"- name: two\n"
	"  context: {cluster: embedded, user: cert}\n"
	"- name: three\n"
	"  context: {cluster: embedded, user: data}\n"
	"- name: four\n"
	"  context: {cluster: embedded, user: plugin}\n"
	"- name: five\n"
	"  context: {cluster: careless}\n"
	"current-context: one\n";

/* Names what the first one has, and one that only it has; in JSON. */
static const char second[] =
	"{\"current-context\": \"other\","
	"\"clusters\": [{\"name\": \"prod\", \"cluster\": {\"server\": "
	"\"https://second\", \"proxy-url\": \"http://p\"}}, {\"name\": \"dev\","
	"\"cluster\": {\"server\": \"https://dev\", "
	"\"certificate-authority\": \"dev.crt\"}}],"
	"\"contexts\": [{\"name\": \"other\", \"context\": {\"cluster\": "
	"\"dev\", \"user\": \"token\"}}]}";

static struct kubeconfig *
config_of(const char *a, const char *b)
{
	struct kubeconfig *k = kubeconfig_new();
	struct error err = ERROR_INIT;

	assert_int_equal(
		kubeconfig_add(k, "/etc/kube/a", a, strlen(a), &err), 0);
	if (b != NULL)
		assert_int_equal(
			kubeconfig_add(k, "/home/b", b, strlen(b), &err), 0);
	return k;
}

static struct kubeconfig_login *
login_of(const char *a, const char *b, const char *context)
{
	struct kubeconfig *k = config_of(a, b);
	struct error err = ERROR_INIT;
	struct kubeconfig_login *l = kubeconfig_login_new(k, context, &err);

	if (l == NULL)
		fail_msg("%s", err.text);
	kubeconfig_free(k);
	return l;
}

static void
test_current_context(void **state)
{
	struct kubeconfig_login *l = login_of(first, NULL, NULL);

	(void)state;
	assert_string_equal(l->server, "https://prod:6443");
	assert_string_equal(l->ca_file, "/etc/kube/ca.crt");
	assert_string_equal(l->ns, "web");
	assert_string_equal(l->token, "abc");
	assert_string_equal(l->token_file, "/etc/kube/secrets/token");
	assert_null(l->proxy);
	assert_null(l->server_name);
	assert_null(l->exec);
	assert_false(l->insecure);
	kubeconfig_login_free(l);
}

static void
test_first_wins(void **state)
{
	struct kubeconfig_login *l = login_of(first, second, NULL);

	(void)state;
	/* The entry of the first file is taken whole: no proxy-url. */
	assert_string_equal(l->server, "https://prod:6443");
	assert_null(l->proxy);
	kubeconfig_login_free(l);

	l = login_of(second, first, NULL);
	assert_string_equal(l->server, "https://dev");
	assert_string_equal(l->ca_file, "/etc/kube/dev.crt");
	/* Its user comes from the other file, with that one's folder. */
	assert_string_equal(l->token_file, "/home/secrets/token");
	kubeconfig_login_free(l);

	l = login_of(first, second, "other");
	assert_string_equal(l->server, "https://dev");
	assert_string_equal(l->ca_file, "/home/dev.crt");
	kubeconfig_login_free(l);
}

static void
test_certificates(void **state)
{
	struct kubeconfig_login *l = login_of(first, NULL, "two");

	(void)state;
	assert_string_equal(l->server, "https://10.0.0.1/path");
	assert_null(l->ca_file);
	assert_string_equal(l->ca.data, "-----BEGIN CA\n");
	assert_string_equal(l->server_name, "kubernetes");
	assert_string_equal(l->proxy, "socks5://proxy:1080");
	assert_string_equal(l->cert_file, "/etc/c.crt");
	assert_string_equal(l->key_file, "/etc/kube/../c.key");
	assert_null(l->token);
	kubeconfig_login_free(l);

	l = login_of(first, NULL, "three");
	assert_string_equal(l->cert.data, "-----BEGIN CERT\n");
	assert_string_equal(l->key.data, "-----BEGIN KEY\n");
	assert_null(l->cert_file);
	kubeconfig_login_free(l);
}

static void
test_exec(void **state)
{
	struct kubeconfig_login *l = login_of(first, NULL, "four");
	const struct kubeconfig_exec *x = l->exec;

	(void)state;
	assert_non_null(x);
	assert_string_equal(x->command, "/etc/kube/bin/login");
	assert_string_equal(x->args[0], "get");
	assert_string_equal(x->args[1], "a b");
	assert_null(x->args[2]);
	assert_string_equal(x->env[0], "PROFILE=p1");
	assert_null(x->env[1]);
	assert_string_equal(x->version, "client.authentication.k8s.io/v1");
	assert_string_equal(x->hint, "install it");
	assert_true(x->wants_cluster);
	assert_string_equal(doc_get_text(x->cluster, "audience"), "x");
	kubeconfig_login_free(l);
}

static void
test_insecure_is_said(void **state)
{
	struct kubeconfig_login *l = login_of(first, NULL, "five");

	(void)state;
	assert_true(l->insecure);
	kubeconfig_login_free(l);
}

static void
test_empty_file(void **state)
{
	struct kubeconfig_login *l = login_of(" \n", first, NULL);

	(void)state;
	assert_string_equal(l->ca_file, "/home/ca.crt");
	kubeconfig_login_free(l);
}

/* ---- what is refused */

#define CLUSTER "clusters: [{name: c, cluster: {server: 'https://s'}}]\n"
#define CONTEXT                                                                \
	"contexts: [{name: x, context: {cluster: c, user: u}}]\n"              \
	"current-context: x\n"
#define USER(text) CLUSTER CONTEXT "users: [{name: u, user: {" text "}}]\n"
#define EXEC(text) USER("exec: {" text "}")
#define V1         "apiVersion: client.authentication.k8s.io/v1"

static const struct {
	const char *text, *expected;
} refused[] = {
	{ CLUSTER, "the kubeconfig has no current-context; name a context" },
	{ CLUSTER "current-context: y\n",
		"no context is named \"y\" in any of the kubeconfig files" },
	{ "contexts: [{name: x, context: {user: u}}]\ncurrent-context: x\n",
		"/etc/kube/a: context \"x\": cluster is missing" },
	{ CONTEXT, "no cluster is named \"c\" in any of the kubeconfig files" },
	{ CONTEXT CLUSTER,
		"no user is named \"u\" in any of the kubeconfig files" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: ''}}]\n",
		"/etc/kube/a: cluster \"c\": server is missing" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: 7}}]\n",
		"/etc/kube/a: cluster \"c\": server is an integer, not a "
		"string" },
	{ CONTEXT "clusters: [{name: c, cluster: [1]}]\n",
		"/etc/kube/a: cluster \"c\": is no map" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: '/'}}]\n",
		"/etc/kube/a: cluster \"c\": server is no address of a "
		"server" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: 'https://u:p@s'}}]\n",
		"/etc/kube/a: cluster \"c\": server is no address of a "
		"server" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: 'https://s', "
		  "certificate-authority-data: '?'}}]\n",
		"/etc/kube/a: cluster \"c\": certificate-authority-data is no "
		"base64" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: 'https://s', "
		  "certificate-authority-data: Zm9v}}]\n",
		"/etc/kube/a: cluster \"c\": certificate-authority-data holds "
		"no PEM" },
	{ CONTEXT "clusters: [{name: c, cluster: {server: 'https://s', "
		  "insecure-skip-tls-verify: maybe}}]\n",
		"/etc/kube/a: cluster \"c\": insecure-skip-tls-verify is a "
		"string, neither true nor false" },
	{ USER("username: me, password: pw"),
		"/etc/kube/a: user \"u\": username: API servers know no "
		"passwords any more; use a token or a client certificate" },
	{ USER("auth-provider: {name: gcp}"),
		"/etc/kube/a: user \"u\": auth-provider: use exec in its "
		"place" },
	{ USER("as: root"),
		"/etc/kube/a: user \"u\": as: impersonation is not "
		"supported" },
	{ USER("client-key: k"),
		"/etc/kube/a: user \"u\": client-certificate and client-key "
		"come together" },
	{ EXEC(V1),
		"/etc/kube/a: exec of user \"u\": command is missing" },
	{ EXEC("command: c"),
		"/etc/kube/a: exec of user \"u\": apiVersion must be "
		"client.authentication.k8s.io/v1 or "
		"client.authentication.k8s.io/v1beta1" },
	{ EXEC(V1 ", command: c, interactiveMode: Always"),
		"/etc/kube/a: exec of user \"u\": interactiveMode: Always: "
		"there is no terminal to ask at" },
	{ EXEC(V1 ", command: c, args: [[]]"),
		"/etc/kube/a: exec of user \"u\": args[0] is no string" },
	{ EXEC(V1 ", command: c, env: [{name: 'A=B'}]"),
		"/etc/kube/a: exec of user \"u\": env[0].name is no name of a "
		"variable" },
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct kubeconfig *k = config_of(refused[i].text, NULL);
		struct error err = ERROR_INIT;

		assert_null(kubeconfig_login_new(k, NULL, &err));
		assert_string_equal(err.text, refused[i].expected);
		kubeconfig_free(k);
	}
}

static void
test_files_refused(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "kind: Pod\n", "/f: kind is \"Pod\", not \"Config\"" },
		{ "[1]\n", "/f: is a list, not a kubeconfig" },
		/* What is no YAML may be a secret. */
		{ "users:\n- {user: {token: 31415926535897932384626}}\n",
			"/f: line 2 cannot be read as the YAML of a kubeconfig" },
		{ "token: &31415 x\n",
			"/f: line 1 cannot be read as the YAML of a kubeconfig" },
		{ "a: {secret: 1, secret: 2}\n",
			"/f: line 1 cannot be read as the YAML of a kubeconfig" },
	};
	struct kubeconfig *k = kubeconfig_new();
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		err = (struct error)ERROR_INIT;
		assert_int_equal(kubeconfig_add(k, "/f", rows[i].text,
					 strlen(rows[i].text), &err),
			-1);
		assert_string_equal(err.text, rows[i].expected);
	}
	err = (struct error)ERROR_INIT;
	assert_int_equal(kubeconfig_add(k, "/f", "a: [", 4, &err), -1);
	assert_memory_equal(err.text, "/f: ", 4);
	kubeconfig_free(k);
}

static void
test_servers(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(kubeconfig_server_check("https://s", false, &err), 0);
	assert_int_equal(kubeconfig_server_check("http://s", true, &err), 0);
	assert_int_equal(kubeconfig_server_check("http://s", false, &err), -1);
	assert_string_equal(err.text,
		"server http://s is not encrypted; use https, or allow it with "
		"insecureSkipTlsVerify: true");
	assert_int_equal(kubeconfig_server_check("s:6443", true, NULL), -1);
	assert_int_equal(kubeconfig_server_check("https://", true, NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_current_context),
		cmocka_unit_test(test_first_wins),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_insecure_is_said),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_files_refused),
		cmocka_unit_test(test_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
