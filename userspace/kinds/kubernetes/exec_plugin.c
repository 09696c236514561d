/* Credential plugins: programs that print an ExecCredential. */
#include "kinds/kubernetes/exec_plugin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/command.h"

struct exec_plugin {
	char *name, *version;
	exec_plugin_f *cb;
	void *arg;
	struct command *command;
};

/* ---- what it prints */

void
exec_credential_init(struct exec_credential *c)
{
	memset(c, 0, sizeof(*c));
	str_init(&c->cert);
	str_init(&c->key);
}

void
exec_credential_fini(struct exec_credential *c)
{
	if (c->token != NULL)
		explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	explicit_bzero(c->key.data, c->key.length);
	str_fini(&c->cert);
	str_fini(&c->key);
	exec_credential_init(c);
}

static int
status_read(const struct doc *status, struct exec_credential *out,
	struct error *err)
{
	const char *token = doc_get_text(status, "token");
	const char *cert = doc_get_text(status, "clientCertificateData");
	const char *key = doc_get_text(status, "clientKeyData");
	const char *expires = doc_get_text(status, "expirationTimestamp");

	if ((cert[0] != '\0') != (key[0] != '\0'))
		return error_set(err, ERROR_CONFIG,
			"clientCertificateData and clientKeyData come "
			"together");
	if (token[0] == '\0' && cert[0] == '\0')
		return error_set(err, ERROR_CONFIG,
			"neither a token nor a certificate in its status");
	if (expires[0] != '\0' &&
		clock_parse_rfc3339(expires, &out->expires_ms) != 0)
		return error_set(err, ERROR_CONFIG,
			"expirationTimestamp is no time of RFC 3339");
	if (token[0] != '\0')
		out->token = xstrdup(token);
	str_puts(&out->cert, cert);
	str_puts(&out->key, key);
	return 0;
}

int
exec_credential_read(const char *text, size_t length, const char *version,
	struct exec_credential *out, struct error *err)
{
	struct error why = ERROR_INIT;
	struct doc *d = json_doc_read(text, length, &why);
	int rc = -1;

	/* The reader's own words may quote what it read: a secret. */
	if (d == NULL)
		return error_set(err, ERROR_CONFIG,
			"what it printed is no JSON (line %d)", why.line);
	if (strcmp(doc_get_text(d, "kind"), "ExecCredential") != 0)
		error_set(err, ERROR_CONFIG,
			"what it printed is no ExecCredential");
	else if (strcmp(doc_get_text(d, "apiVersion"), version) != 0)
		error_set(err, ERROR_CONFIG,
			"it answered in another apiVersion than %s", version);
	else
		rc = status_read(doc_get(d, "status"), out, err);
	doc_free(d);
	return rc;
}

/* ---- what it is told */

static struct doc *
info_cluster(const struct kubeconfig_login *l, struct slice ca)
{
	struct doc *c = doc_new_map();
	struct str text;

	doc_set_string(c, "server", l->server);
	if (l->server_name != NULL)
		doc_set_string(c, "tls-server-name", l->server_name);
	if (l->insecure)
		doc_set(c, "insecure-skip-tls-verify", doc_new_bool(true));
	if (l->proxy != NULL)
		doc_set_string(c, "proxy-url", l->proxy);
	if (ca.length > 0) {
		str_init(&text);
		base64_encode(ca.data, ca.length, &text);
		doc_set_string(c, "certificate-authority-data", text.data);
		str_fini(&text);
	}
	if (l->exec->cluster != NULL)
		doc_set(c, "config", doc_copy(l->exec->cluster));
	return c;
}

char *
exec_plugin_info(const struct kubeconfig_login *l, struct slice ca)
{
	struct doc *d = doc_new_map(), *spec;
	struct str text;

	doc_set_string(d, "apiVersion", l->exec->version);
	doc_set_string(d, "kind", "ExecCredential");
	spec = doc_set(d, "spec", doc_new_map());
	doc_set(spec, "interactive", doc_new_bool(false));
	if (l->exec->wants_cluster)
		doc_set(spec, "cluster", info_cluster(l, ca));
	str_init(&text);
	json_doc_write(d, 0, &text);
	doc_free(d);
	return str_steal(&text);
}

/* ---- starting it */

static bool
name_is_set_by(const char *pair, char *const *pairs)
{
	size_t length = strcspn(pair, "=") + 1;

	for (size_t i = 0; pairs[i] != NULL; i++)
		if (strncmp(pairs[i], pair, length) == 0)
			return true;
	return false;
}

/* Ours, then what the kubeconfig sets, then what it is told. The strings are
 * others' but the last, which is the caller's. */
static char **
env_make(const struct kubeconfig_exec *x, char *info)
{
	size_t count = 0, room = 2;
	char **env;

	for (size_t i = 0; environ[i] != NULL; i++)
		room++;
	for (size_t i = 0; x->env[i] != NULL; i++)
		room++;
	env = xcalloc(room, sizeof(*env));
	for (size_t i = 0; environ[i] != NULL; i++)
		if (!name_is_set_by(environ[i], x->env))
			env[count++] = environ[i];
	for (size_t i = 0; x->env[i] != NULL; i++)
		env[count++] = x->env[i];
	env[count] = info;
	return env;
}

static char **
argv_make(const struct kubeconfig_exec *x)
{
	size_t count = 0;
	char **argv;

	while (x->args[count] != NULL)
		count++;
	argv = xcalloc(count + 2, sizeof(*argv));
	argv[0] = x->command;
	memcpy(argv + 1, x->args, count * sizeof(*argv));
	return argv;
}

/* ---- its end */

static void
plugin_free(struct exec_plugin *p)
{
	free(p->name);
	free(p->version);
	free(p);
}

static void
plugin_fail(struct exec_plugin *p, const char *why, const char *complaint)
{
	char *problem = xasprintf(
		"credential plugin \"%s\": %s%s", p->name, why, complaint);

	p->cb(NULL, problem, p->arg);
	free(problem);
}

static void
on_end(const struct command_result *result, void *arg)
{
	struct exec_plugin *p = arg;
	struct exec_credential c;
	struct error err = ERROR_INIT;

	exec_credential_init(&c);
	if (result->problem != NULL)
		plugin_fail(p, result->problem, result->complaint);
	else if (exec_credential_read(result->output.data,
			 result->output.length, p->version, &c, &err) != 0)
		plugin_fail(p, err.text, result->complaint);
	else
		p->cb(&c, NULL, p->arg);
	exec_credential_fini(&c);
	plugin_free(p);
}

/* ---- coming and going */

static int
start_error(const struct kubeconfig_exec *x, int problem, struct error *err)
{
	const char *hint = x->hint == NULL ? "" : x->hint;
	int length = problem == ENOENT ? (int)strcspn(hint, "\r\n") : 0;

	return error_set(err, ERROR_SYSTEM,
		"credential plugin \"%.128s\" cannot be run: %s%s%.*s",
		x->command, strerror(problem), length > 0 ? "; " : "", length,
		hint);
}

/* 0 or an errno. */
static int
plugin_run(struct exec_plugin *p, struct loop *loop,
	const struct kubeconfig_exec *x, const char *info, uint64_t timeout_ms)
{
	char *told = xasprintf("KUBERNETES_EXEC_INFO=%s", info);
	char **argv = argv_make(x), **env = env_make(x, told);
	const struct command_line line = {
		.argv = argv,
		.env = env,
		.timeout_ms = timeout_ms,
	};
	int problem = command_start(loop, &line, on_end, p, &p->command);

	free(argv);
	free(env);
	free(told);
	return problem;
}

struct exec_plugin *
exec_plugin_start(struct loop *loop, const struct kubeconfig_exec *x,
	const char *info, uint64_t timeout_ms, exec_plugin_f *cb, void *arg,
	struct error *err)
{
	struct exec_plugin *p = xcalloc(1, sizeof(*p));
	int problem;

	p->name = xstrdup(x->command);
	p->version = xstrdup(x->version);
	p->cb = cb;
	p->arg = arg;
	problem = plugin_run(p, loop, x, info, timeout_ms);
	if (problem == 0)
		return p;
	start_error(x, problem, err);
	plugin_free(p);
	return NULL;
}

void
exec_plugin_cancel(struct exec_plugin *p)
{
	if (p == NULL)
		return;
	command_cancel(p->command);
	plugin_free(p);
}
