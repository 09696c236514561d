/* What kubeconfig files say. */
#include "kinds/kubernetes/kubeconfig.h"

#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/yaml.h"

#define EXEC_GROUP     "client.authentication.k8s.io/"
#define EXEC_EXTENSION "client.authentication.k8s.io/exec"

struct kubeconfig_file {
	char *path, *folder;
	struct doc *doc;
};

struct kubeconfig {
	struct kubeconfig_file *files;
	size_t count;
};

/* One named entry of a list of a file. */
struct entry {
	const struct kubeconfig_file *file;
	const struct doc *doc;  /* what stands below kind */
	const char *kind, *name; /* "cluster", "prod" */
};

struct kubeconfig *
kubeconfig_new(void)
{
	return xcalloc(1, sizeof(struct kubeconfig));
}

void
kubeconfig_free(struct kubeconfig *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->count; i++) {
		free(k->files[i].path);
		free(k->files[i].folder);
		doc_free(k->files[i].doc);
	}
	free(k->files);
	free(k);
}

char *
kubeconfig_path(const char *folder, const char *path)
{
	if (path[0] == '/' || folder == NULL)
		return xstrdup(path);
	return xasprintf("%s/%s", folder, path);
}

static int
file_check(const struct doc *d, struct error *err)
{
	const char *kind = doc_get_text(d, "kind");

	if (doc_type(d) != DOC_MAP)
		return error_set(err, ERROR_CONFIG,
			"is %s, not a kubeconfig", doc_type_name(doc_type(d)));
	if (kind[0] != '\0' && strcmp(kind, "Config") != 0)
		return error_set(err, ERROR_CONFIG,
			"kind is \"%.64s\", not \"Config\"", kind);
	return 0;
}

/* The reader's own words may quote what it read, a token: only where it was. */
static struct doc *
file_parse(const char *text, size_t length, struct error *err)
{
	struct error why = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, length, &why);

	if (d == NULL && why.code == ERROR_LIMIT)
		error_set(err, ERROR_LIMIT, "it is too large or too deep");
	else if (d == NULL && why.line > 0)
		error_set(err, ERROR_CONFIG,
			"line %d cannot be read as the YAML of a kubeconfig",
			why.line);
	else if (d == NULL)
		error_set(err, ERROR_CONFIG, "it is no YAML");
	return d;
}

int
kubeconfig_add(struct kubeconfig *k, const char *path, const char *text,
	size_t length, struct error *err)
{
	struct doc *d = NULL;
	char *copy;

	/* What `kubectl config` leaves behind may be empty. */
	if (strspn(text, " \t\r\n") == length)
		return 0;
	d = file_parse(text, length, err);
	if (d == NULL || file_check(d, err) != 0) {
		doc_free(d);
		return error_prefix(err, "%s", path);
	}
	k->files = xreallocarray(k->files, k->count + 1, sizeof(*k->files));
	copy = xstrdup(path);
	k->files[k->count++] = (struct kubeconfig_file){
		.path = xstrdup(path),
		.folder = xstrdup(dirname(copy)),
		.doc = d,
	};
	free(copy);
	return 0;
}

/* ---- entries */

static int __attribute__((format(printf, 3, 4)))
entry_error(const struct entry *e, struct error *err, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(err, ERROR_CONFIG, "%s: %s \"%.64s\": %s",
		e->file->path, e->kind, e->name, text);
}

/* list: "clusters"; kind: "cluster". */
static int
entry_find(const struct kubeconfig *k, const char *list, const char *kind,
	const char *name, struct entry *out, struct error *err)
{
	for (size_t f = 0; f < k->count; f++) {
		const struct doc *entries = doc_get(k->files[f].doc, list);

		for (size_t i = 0; i < doc_count(entries); i++) {
			const struct doc *one = doc_at(entries, i);

			if (strcmp(doc_get_text(one, "name"), name) != 0)
				continue;
			*out = (struct entry){ &k->files[f],
				doc_get(one, kind), kind,
				doc_get_text(one, "name") };
			if (doc_type(out->doc) == DOC_MAP ||
				doc_type(out->doc) == DOC_NULL)
				return 0;
			return entry_error(out, err, "is no map");
		}
	}
	return error_set(err, ERROR_CONFIG,
		"no %s is named \"%.64s\" in any of the kubeconfig files", kind,
		name);
}

/* A string of the entry, NULL where it is absent or empty. */
static int
entry_text(const struct entry *e, const char *key, const char **out,
	struct error *err)
{
	const struct doc *d = doc_get(e->doc, key);

	*out = NULL;
	if (doc_type(d) == DOC_NULL)
		return 0;
	if (doc_type(d) != DOC_STRING)
		return entry_error(e, err, "%s is %s, not a string", key,
			doc_type_name(doc_type(d)));
	if (doc_string(d)[0] != '\0')
		*out = doc_string(d);
	return 0;
}

static int
entry_copy(const struct entry *e, const char *key, char **out,
	struct error *err)
{
	const char *text;

	if (entry_text(e, key, &text, err) != 0)
		return -1;
	*out = text == NULL ? NULL : xstrdup(text);
	return 0;
}

static int
entry_bool(const struct entry *e, const char *key, bool *out,
	struct error *err)
{
	const struct doc *d = doc_get(e->doc, key);

	*out = doc_bool(d);
	if (doc_type(d) == DOC_NULL || doc_type(d) == DOC_BOOL)
		return 0;
	return entry_error(e, err, "%s is %s, neither true nor false", key,
		doc_type_name(doc_type(d)));
}

/* A path: of the folder of the file that names it. */
static int
entry_path(const struct entry *e, const char *key, char **out,
	struct error *err)
{
	const char *text;

	if (entry_text(e, key, &text, err) != 0)
		return -1;
	*out = text == NULL ? NULL : kubeconfig_path(e->file->folder, text);
	return 0;
}

/* "key" or, before it, "key-data". */
static int
entry_pem(const struct entry *e, const char *key, const char *data_key,
	char **path, struct str *data, struct error *err)
{
	const char *text;

	if (entry_text(e, data_key, &text, err) != 0)
		return -1;
	if (text == NULL)
		return entry_path(e, key, path, err);
	if (base64_decode(text, strlen(text), data) != 0 || data->length == 0)
		return entry_error(e, err, "%s is no base64", data_key);
	if (memmem(data->data, data->length, "-----BEGIN ", 11) == NULL)
		return entry_error(e, err, "%s holds no PEM", data_key);
	return 0;
}

/* ---- clusters */

int
kubeconfig_server_check(const char *server, bool insecure, struct error *err)
{
	if (strncmp(server, "https://", 8) == 0 && server[8] != '\0')
		return 0;
	if (strncmp(server, "http://", 7) == 0 && server[7] != '\0')
		return insecure ? 0
				: error_set(err, ERROR_CONFIG,
					  "server %.128s is not encrypted; use "
					  "https, or allow it with "
					  "insecureSkipTlsVerify: true",
					  server);
	return error_set(err, ERROR_CONFIG,
		"server \"%.128s\" does not begin with https://", server);
}

static int
cluster_server(const struct entry *e, struct kubeconfig_login *l,
	struct error *err)
{
	size_t length;

	if (entry_copy(e, "server", &l->server, err) != 0)
		return -1;
	if (l->server == NULL)
		return entry_error(e, err, "server is missing");
	length = strlen(l->server);
	while (length > 0 && l->server[length - 1] == '/')
		l->server[--length] = '\0';
	if (length == 0 || strpbrk(l->server, " \t\r\n?#@") != NULL)
		return entry_error(e, err, "server is no address of a server");
	return 0;
}

static int
cluster_read(const struct entry *e, struct kubeconfig_login *l,
	struct error *err)
{
	if (cluster_server(e, l, err) != 0 ||
		entry_pem(e, "certificate-authority",
			"certificate-authority-data", &l->ca_file, &l->ca,
			err) != 0 ||
		entry_copy(e, "tls-server-name", &l->server_name, err) != 0 ||
		entry_copy(e, "proxy-url", &l->proxy, err) != 0 ||
		entry_bool(e, "insecure-skip-tls-verify", &l->insecure, err) !=
			0)
		return -1;
	return 0;
}

/* ---- plugins */

static int
exec_args(const struct entry *e, struct kubeconfig_exec *x, struct error *err)
{
	const struct doc *args = doc_get(e->doc, "args");
	size_t count = doc_count(args);

	if (count > KUBECONFIG_ENV_MAX)
		return entry_error(e, err, "more than %d args",
			KUBECONFIG_ENV_MAX);
	x->args = xcalloc(count + 1, sizeof(*x->args));
	for (size_t i = 0; i < count; i++) {
		const char *one = doc_string(doc_at(args, i));

		if (one == NULL)
			return entry_error(
				e, err, "args[%zu] is no string", i);
		x->args[i] = xstrdup(one);
	}
	return 0;
}

static int
exec_env(const struct entry *e, struct kubeconfig_exec *x, struct error *err)
{
	const struct doc *env = doc_get(e->doc, "env");
	size_t count = doc_count(env);

	if (count > KUBECONFIG_ENV_MAX)
		return entry_error(e, err, "more than %d variables",
			KUBECONFIG_ENV_MAX);
	x->env = xcalloc(count + 1, sizeof(*x->env));
	for (size_t i = 0; i < count; i++) {
		const char *name = doc_get_text(doc_at(env, i), "name");

		if (name[0] == '\0' || strchr(name, '=') != NULL)
			return entry_error(e, err,
				"env[%zu].name is no name of a variable", i);
		x->env[i] = xasprintf("%s=%s", name,
			doc_get_text(doc_at(env, i), "value"));
	}
	return 0;
}

static int
exec_command(const struct entry *e, struct kubeconfig_exec *x,
	struct error *err)
{
	const char *text;

	if (entry_text(e, "command", &text, err) != 0)
		return -1;
	if (text == NULL)
		return entry_error(e, err, "command is missing");
	x->command = strchr(text, '/') != NULL
			     ? kubeconfig_path(e->file->folder, text)
			     : xstrdup(text);
	if (entry_copy(e, "apiVersion", &x->version, err) != 0)
		return -1;
	if (x->version == NULL ||
		(strcmp(x->version, EXEC_GROUP "v1") != 0 &&
			strcmp(x->version, EXEC_GROUP "v1beta1") != 0))
		return entry_error(e, err,
			"apiVersion must be " EXEC_GROUP "v1 or " EXEC_GROUP
			"v1beta1");
	if (strcmp(doc_get_text(e->doc, "interactiveMode"), "Always") == 0)
		return entry_error(e, err,
			"interactiveMode: Always: there is no terminal to ask "
			"at");
	return 0;
}

static const struct doc *
cluster_extension(const struct entry *cluster)
{
	const struct doc *list = doc_get(cluster->doc, "extensions");

	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc *one = doc_at(list, i);

		if (strcmp(doc_get_text(one, "name"), EXEC_EXTENSION) == 0)
			return doc_get(one, "extension");
	}
	return NULL;
}

static int
exec_read(const struct entry *user, const struct entry *cluster,
	struct kubeconfig_login *l, struct error *err)
{
	struct entry e = *user;
	struct kubeconfig_exec *x;

	e.doc = doc_get(user->doc, "exec");
	e.kind = "exec of user";
	if (doc_type(e.doc) == DOC_NULL)
		return 0;
	if (doc_type(e.doc) != DOC_MAP)
		return entry_error(&e, err, "is no map");
	x = l->exec = xcalloc(1, sizeof(*x));
	if (exec_command(&e, x, err) != 0 || exec_args(&e, x, err) != 0 ||
		exec_env(&e, x, err) != 0 ||
		entry_copy(&e, "installHint", &x->hint, err) != 0 ||
		entry_bool(&e, "provideClusterInfo", &x->wants_cluster, err) !=
			0)
		return -1;
	if (x->wants_cluster && cluster_extension(cluster) != NULL)
		x->cluster = doc_copy(cluster_extension(cluster));
	return 0;
}

static void
exec_free(struct kubeconfig_exec *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; x->args != NULL && x->args[i] != NULL; i++)
		free(x->args[i]);
	for (size_t i = 0; x->env != NULL && x->env[i] != NULL; i++)
		free(x->env[i]);
	free(x->args);
	free(x->env);
	free(x->command);
	free(x->version);
	free(x->hint);
	doc_free(x->cluster);
	free(x);
}

/* ---- users */

static int
user_check(const struct entry *e, struct error *err)
{
	static const struct {
		const char *key, *remedy;
	} refused[] = {
		{ "username", "API servers know no passwords any more; use a "
			      "token or a client certificate" },
		{ "auth-provider", "use exec in its place" },
		{ "as", "impersonation is not supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (doc_type(doc_get(e->doc, refused[i].key)) != DOC_NULL)
			return entry_error(e, err, "%s: %s", refused[i].key,
				refused[i].remedy);
	return 0;
}

static int
user_read(const struct entry *e, struct kubeconfig_login *l, struct error *err)
{
	if (user_check(e, err) != 0 ||
		entry_copy(e, "token", &l->token, err) != 0 ||
		entry_path(e, "tokenFile", &l->token_file, err) != 0 ||
		entry_pem(e, "client-certificate", "client-certificate-data",
			&l->cert_file, &l->cert, err) != 0 ||
		entry_pem(e, "client-key", "client-key-data", &l->key_file,
			&l->key, err) != 0)
		return -1;
	if ((l->cert_file != NULL || l->cert.length > 0) !=
		(l->key_file != NULL || l->key.length > 0))
		return entry_error(e, err,
			"client-certificate and client-key come together");
	return 0;
}

/* ---- contexts */

static int
context_find(const struct kubeconfig *k, const char *context,
	struct entry *out, struct error *err)
{
	for (size_t i = 0; context == NULL && i < k->count; i++) {
		const char *current =
			doc_get_text(k->files[i].doc, "current-context");

		if (current[0] != '\0')
			context = current;
	}
	if (context == NULL)
		return error_set(err, ERROR_CONFIG,
			"the kubeconfig has no current-context; name a "
			"context");
	return entry_find(k, "contexts", "context", context, out, err);
}

static int
login_read(struct kubeconfig_login *l, const struct kubeconfig *k,
	const char *name, struct error *err)
{
	struct entry context, cluster, user;
	const char *cluster_name, *user_name;

	if (context_find(k, name, &context, err) != 0 ||
		entry_text(&context, "cluster", &cluster_name, err) != 0 ||
		entry_text(&context, "user", &user_name, err) != 0 ||
		entry_copy(&context, "namespace", &l->ns, err) != 0)
		return -1;
	if (cluster_name == NULL)
		return entry_error(&context, err, "cluster is missing");
	if (entry_find(k, "clusters", "cluster", cluster_name, &cluster, err) !=
			0 ||
		cluster_read(&cluster, l, err) != 0)
		return -1;
	if (user_name == NULL)
		return 0;
	if (entry_find(k, "users", "user", user_name, &user, err) != 0 ||
		user_read(&user, l, err) != 0 ||
		exec_read(&user, &cluster, l, err) != 0)
		return -1;
	return 0;
}

struct kubeconfig_login *
kubeconfig_login_new(const struct kubeconfig *k, const char *context,
	struct error *err)
{
	struct kubeconfig_login *l = xcalloc(1, sizeof(*l));

	str_init(&l->ca);
	str_init(&l->cert);
	str_init(&l->key);
	if (login_read(l, k, context, err) != 0) {
		kubeconfig_login_free(l);
		return NULL;
	}
	return l;
}

static void
secret_free(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

void
kubeconfig_login_free(struct kubeconfig_login *l)
{
	if (l == NULL)
		return;
	free(l->server);
	free(l->proxy);
	free(l->server_name);
	free(l->ns);
	free(l->ca_file);
	free(l->cert_file);
	free(l->key_file);
	free(l->token_file);
	secret_free(l->token);
	explicit_bzero(l->key.data, l->key.length);
	str_fini(&l->ca);
	str_fini(&l->cert);
	str_fini(&l->key);
	exec_free(l->exec);
	free(l);
}
