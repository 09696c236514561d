/* As whom to come to which API server. */
#include "kinds/kubernetes/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/kubernetes/exec_plugin.h"
#include "kinds/kubernetes/kubeconfig.h"
#include "net/loop.h"

#define KUBECONFIG_BYTES_MAX (4u << 20)
#define PEM_BYTES_MAX        (1u << 20)
#define TOKEN_BYTES_MAX      (64u << 10)
#define POD_LOOK_MS          60000
#define EXPIRY_LEEWAY_MS     10000 /* a plugin runs again before the end */
#define PLUGIN_PAUSE_MS      5000  /* after it failed */
#define SOURCE_RETRY_MS      5000

enum { FILE_CA, FILE_CERT, FILE_KEY, FILE_TOKEN, FILE_COUNT };

static const struct {
	const char *what;
	size_t max;
} file_sorts[FILE_COUNT] = {
	[FILE_CA] = { "certificate authority", PEM_BYTES_MAX },
	[FILE_CERT] = { "client certificate", PEM_BYTES_MAX },
	[FILE_KEY] = { "client key", PEM_BYTES_MAX },
	[FILE_TOKEN] = { "token", TOKEN_BYTES_MAX },
};

/* Which state of a file was read. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed, written;
};

struct account_file {
	const char *path; /* of the login; NULL: there is none */
	struct stamp stamp;
	struct str text; /* what was read last */
	bool failing;    /* since; told once */
};

/* What the kubeconfig, or the pod, says, with the files that it names. */
struct papers {
	struct kubeconfig_login *login;
	struct account_file files[FILE_COUNT];
	uint64_t source; /* which state of the kubeconfig files */
};

struct kubernetes_ticket {
	struct kubernetes_account *account;
	kubernetes_ticket_f *cb;
	void *arg;
	TAILQ_ENTRY(kubernetes_ticket) link;
	bool answering; /* no more among those that wait */
};

TAILQ_HEAD(tickets, kubernetes_ticket);

struct kubernetes_account {
	struct loop *loop;
	char *kubeconfig, *context, *folder, *pod_folder;
	bool insecure;
	uint64_t look_ms, plugin_timeout_ms, source_retry_ms;

	struct papers papers;
	bool source_failing, source_again; /* again: at the next look */
	uint64_t source_failed_ms;
	uint64_t looked_ms;
	bool look_now;
	uint64_t serial;

	struct exec_plugin *plugin; /* NULL: it does not run */
	struct exec_credential credential;
	bool has_credential;
	char *plugin_problem; /* NULL: it did not fail last time */
	uint64_t plugin_failed_ms;
	struct tickets waiting, answering;
};

/* ---- files */

static void
secret_clear(struct str *s)
{
	explicit_bzero(s->data, s->length);
	str_clear(s);
}

static int
stamp_get(const char *path, struct stamp *out, struct error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return error_errno(err, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s is no file", path);
	*out = (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_ctim,
		st.st_mtim };
	return 0;
}

static bool
stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec &&
	       a->written.tv_sec == b->written.tv_sec &&
	       a->written.tv_nsec == b->written.tv_nsec;
}

/* It becomes part of a header, so it may hold nothing but visible ASCII. */
static int
token_check(struct str *s, const char *path, struct error *err)
{
	size_t blank = strspn(s->data, " \t\r\n");

	str_consume(s, blank);
	while (s->length > 0 && strchr(" \t\r\n", s->data[s->length - 1]))
		s->data[--s->length] = '\0';
	if (s->length == 0)
		return error_set(err, ERROR_CONFIG, "%s is empty", path);
	for (size_t i = 0; i < s->length; i++)
		if (s->data[i] <= ' ' || s->data[i] >= 0x7f)
			return error_set(err, ERROR_CONFIG,
				"%s holds no token: byte %zu is none that a "
				"token has",
				path, i + 1);
	return 0;
}

static int
content_check(int sort, struct str *s, const char *path, struct error *err)
{
	if (sort == FILE_TOKEN)
		return token_check(s, path, err);
	if (memmem(s->data, s->length, "-----BEGIN ", 11) == NULL)
		return error_set(
			err, ERROR_CONFIG, "%s holds no PEM", path);
	return 0;
}

/* Reads it into text and stamp when it changed; 1: it did not. */
static int
file_look(const struct account_file *f, int sort, struct str *text,
	struct stamp *stamp, struct error *err)
{
	if (stamp_get(f->path, stamp, err) != 0)
		return -1;
	if (stamp_equal(stamp, &f->stamp))
		return 1;
	if (file_read(f->path, file_sorts[sort].max, text, err) != 0 ||
		content_check(sort, text, f->path, err) != 0)
		return -1;
	return 0;
}

/* Takes what was read; true: it is another text than before. */
static bool
file_take(struct account_file *f, struct str *text, const struct stamp *stamp)
{
	bool changed = !slice_equal(
		(struct slice){ f->text.data, f->text.length },
		(struct slice){ text->data, text->length });

	secret_clear(&f->text);
	str_append(&f->text, text->data, text->length);
	f->stamp = *stamp;
	return changed;
}

static void
file_tell(struct account_file *f, int sort, const struct error *err)
{
	bool failing = err->code != ERROR_NONE;

	if (failing && !f->failing)
		log_warn("kubernetes: the %s cannot be read again, the old one "
			 "stays: %s",
			file_sorts[sort].what, err->text);
	else if (!failing && f->failing)
		log_info("kubernetes: the %s can be read again path=%s",
			file_sorts[sort].what, f->path);
	f->failing = failing;
}

/* first..last change together or not at all. changed: one is another now. */
static int
files_look(struct papers *p, int first, int last, bool *changed,
	struct error *err)
{
	struct str text[FILE_COUNT];
	struct stamp stamp[FILE_COUNT] = { 0 };
	int found[FILE_COUNT] = { 0 };
	int rc = 0;

	for (int i = first; i <= last; i++) {
		str_init(&text[i]);
		found[i] = 1;
		if (rc == 0 && p->files[i].path != NULL)
			found[i] = file_look(
				&p->files[i], i, &text[i], &stamp[i], err);
		if (found[i] < 0)
			rc = -1;
	}
	for (int i = first; i <= last; i++) {
		if (rc == 0 && found[i] == 0 &&
			file_take(&p->files[i], &text[i], &stamp[i]))
			*changed = true;
		secret_clear(&text[i]);
		str_fini(&text[i]);
	}
	return rc;
}

/* ---- papers */

static void
papers_fini(struct papers *p)
{
	for (int i = 0; i < FILE_COUNT; i++) {
		secret_clear(&p->files[i].text);
		str_fini(&p->files[i].text);
	}
	kubeconfig_login_free(p->login);
	p->login = NULL;
}

static const char *
env_get(const char *name, struct error *err)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0') {
		error_set(err, ERROR_CONFIG,
			"%s is not set, so this is no pod; name a kubeconfig",
			name);
		return NULL;
	}
	return value;
}

static struct kubeconfig_login *
pod_login(const struct kubernetes_account *a, struct error *err)
{
	const char *host = env_get("KUBERNETES_SERVICE_HOST", err);
	const char *port =
		host == NULL ? NULL : env_get("KUBERNETES_SERVICE_PORT", err);
	struct kubeconfig_login *l;
	struct str ns;
	char *path;

	if (port == NULL)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	str_init(&l->ca);
	str_init(&l->cert);
	str_init(&l->key);
	l->server = xasprintf(strchr(host, ':') != NULL ? "https://[%s]:%s"
							: "https://%s:%s",
		host, port);
	l->ca_file = kubeconfig_path(a->pod_folder, "ca.crt");
	l->token_file = kubeconfig_path(a->pod_folder, "token");
	path = kubeconfig_path(a->pod_folder, "namespace");
	str_init(&ns);
	if (file_read(path, TOKEN_BYTES_MAX, &ns, NULL) == 0 &&
		ns.data[strcspn(ns.data, "\r\n")] == '\0')
		l->ns = xstrdup(ns.data);
	str_fini(&ns);
	free(path);
	return l;
}

/* Calls each path of the list; stops at what is not 0. */
typedef int path_f(const char *path, void *arg, struct error *err);

static int
paths_each(const struct kubernetes_account *a, path_f *cb, void *arg,
	struct error *err)
{
	char *list = xstrdup(a->kubeconfig), *rest = list, *one;
	int rc = 0;

	while (rc == 0 && (one = strsep(&rest, ":")) != NULL) {
		char *path;

		if (one[0] == '\0')
			continue;
		path = kubeconfig_path(a->folder, one);
		rc = cb(path, arg, err);
		free(path);
	}
	free(list);
	return rc;
}

static int
source_add(const char *path, void *arg, struct error *err)
{
	uint64_t *source = arg;
	struct stamp stamp;

	(void)err;
	if (stamp_get(path, &stamp, NULL) != 0)
		memset(&stamp, 0, sizeof(stamp));
	*source = hash_bytes(&stamp, sizeof(stamp), *source);
	return 0;
}

static uint64_t
source_get(const struct kubernetes_account *a)
{
	uint64_t source = 1;

	if (a->kubeconfig != NULL)
		paths_each(a, source_add, &source, NULL);
	return source;
}

struct reading {
	struct kubeconfig *config;
	size_t files;
	bool one; /* the only one of the list */
};

/* Of several, those that are not there are passed over, as kubectl does. */
static int
kubeconfig_read(const char *path, void *arg, struct error *err)
{
	struct reading *r = arg;
	struct stamp stamp;
	struct str text;
	int rc = -1;

	if (!r->one && access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	str_init(&text);
	if (stamp_get(path, &stamp, err) == 0 &&
		file_read(path, KUBECONFIG_BYTES_MAX, &text, err) == 0)
		rc = kubeconfig_add(
			r->config, path, text.data, text.length, err);
	secret_clear(&text);
	str_fini(&text);
	r->files++;
	return rc;
}

static struct kubeconfig_login *
kubeconfig_login(const struct kubernetes_account *a, struct error *err)
{
	struct reading r = { .config = kubeconfig_new(),
		.one = strchr(a->kubeconfig, ':') == NULL };
	struct kubeconfig_login *l = NULL;

	if (paths_each(a, kubeconfig_read, &r, err) != 0)
		;
	else if (r.files == 0)
		error_set(err, ERROR_CONFIG,
			"none of the kubeconfig files is there: %.256s",
			a->kubeconfig);
	else
		l = kubeconfig_login_new(r.config, a->context, err);
	kubeconfig_free(r.config);
	return l;
}

/* The same for one that is a text; it is trimmed in place. */
static int
token_text_check(char *token, const char *place, struct error *err)
{
	struct str text;
	int rc;

	str_init(&text);
	str_puts(&text, token);
	rc = token_check(&text, place, err);
	if (rc == 0)
		memcpy(token, text.data, text.length + 1);
	secret_clear(&text);
	str_fini(&text);
	return rc;
}

static int
login_check(const struct kubernetes_account *a, struct kubeconfig_login *l,
	struct error *err)
{
	if (kubeconfig_server_check(l->server, a->insecure, err) != 0)
		return -1;
	if (l->insecure && !a->insecure)
		return error_set(err, ERROR_CONFIG,
			"insecure-skip-tls-verify is refused; give the "
			"cluster's certificate-authority, or allow it with "
			"insecureSkipTlsVerify: true");
	l->insecure = a->insecure;
	return l->token == NULL ? 0
				: token_text_check(l->token,
					  "users[].user.token", err);
}

/* All that the login names must be there; but a token beside a tokenFile stands
 * in for one that cannot be read. */
static int
papers_files(struct papers *p, struct error *err)
{
	const struct kubeconfig_login *l = p->login;
	const char *paths[FILE_COUNT] = { l->ca_file, l->cert_file,
		l->key_file, l->token_file };
	struct error *token_err = l->token != NULL ? NULL : err;
	bool changed;

	for (int i = 0; i < FILE_COUNT; i++)
		p->files[i].path = paths[i];
	if (files_look(p, FILE_CA, FILE_CA, &changed, err) != 0 ||
		files_look(p, FILE_CERT, FILE_KEY, &changed, err) != 0)
		return -1;
	if (files_look(p, FILE_TOKEN, FILE_TOKEN, &changed, token_err) != 0 &&
		l->token == NULL)
		return -1;
	return 0;
}

static int
papers_read(const struct kubernetes_account *a, struct papers *p,
	struct error *err)
{
	memset(p, 0, sizeof(*p));
	for (int i = 0; i < FILE_COUNT; i++)
		str_init(&p->files[i].text);
	p->source = source_get(a);
	p->login = a->kubeconfig != NULL ? kubeconfig_login(a, err)
					 : pod_login(a, err);
	if (p->login == NULL || login_check(a, p->login, err) != 0 ||
		papers_files(p, err) != 0) {
		papers_fini(p);
		return -1;
	}
	return 0;
}

/* ---- looking whether something changed */

static void
credential_drop(struct kubernetes_account *a)
{
	exec_credential_fini(&a->credential);
	a->has_credential = false;
}

static void
source_tell(struct kubernetes_account *a, const struct error *err)
{
	bool failing = err->code != ERROR_NONE;

	if (failing && !a->source_failing)
		log_warn("kubernetes: the kubeconfig has changed and cannot be "
			 "taken, the old one stays: %s",
			err->text);
	else if (!failing)
		log_info("kubernetes: the kubeconfig has changed and was read "
			 "again");
	a->source_failing = failing;
}

static bool
source_is_due(const struct kubernetes_account *a)
{
	return a->source_failing &&
	       (a->source_again || loop_now_ms(a->loop) - a->source_failed_ms >=
					   a->source_retry_ms);
}

static void
source_look(struct kubernetes_account *a)
{
	struct error err = ERROR_INIT;
	uint64_t source = source_get(a);
	struct papers fresh;

	/* While a plugin runs for the old papers, they stay. */
	if ((source == a->papers.source && !source_is_due(a)) ||
		a->plugin != NULL)
		return;
	a->source_again = false;
	if (papers_read(a, &fresh, &err) == 0) {
		papers_fini(&a->papers);
		a->papers = fresh;
		credential_drop(a);
		free(a->plugin_problem);
		a->plugin_problem = NULL;
		a->serial++;
	} else {
		a->papers.source = source;
		a->source_failed_ms = loop_now_ms(a->loop);
	}
	source_tell(a, &err);
}

static void
look(struct kubernetes_account *a)
{
	static const struct {
		int first, last;
	} groups[] = { { FILE_CA, FILE_CA }, { FILE_CERT, FILE_KEY },
		{ FILE_TOKEN, FILE_TOKEN } };
	uint64_t now = loop_now_ms(a->loop);

	if (!a->look_now && now - a->looked_ms < a->look_ms)
		return;
	a->looked_ms = now;
	a->look_now = false;
	source_look(a);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		struct error err = ERROR_INIT;
		bool changed = false;

		if (a->papers.files[groups[i].first].path == NULL &&
			a->papers.files[groups[i].last].path == NULL)
			continue;
		files_look(&a->papers, groups[i].first, groups[i].last,
			&changed, &err);
		file_tell(&a->papers.files[groups[i].last], groups[i].last,
			&err);
		if (changed)
			a->serial++;
	}
}

/* ---- tickets */

static struct slice
material(const struct str *credential, const struct account_file *f,
	const struct str *login)
{
	const struct str *s = credential;

	if (s == NULL || s->length == 0)
		s = f->text.length > 0 ? &f->text : login;
	return (struct slice){ s->data, s->length };
}

static struct http_tls
tls_get(const struct kubernetes_account *a)
{
	const struct papers *p = &a->papers;
	const struct exec_credential *c =
		a->has_credential ? &a->credential : NULL;

	return (struct http_tls){
		.ca = material(NULL, &p->files[FILE_CA], &p->login->ca),
		.cert = material(c == NULL ? NULL : &c->cert,
			&p->files[FILE_CERT], &p->login->cert),
		.key = material(c == NULL ? NULL : &c->key,
			&p->files[FILE_KEY], &p->login->key),
		.server_name = p->login->server_name,
		.insecure = p->login->insecure,
	};
}

static const char *
token_get(const struct kubernetes_account *a)
{
	const struct str *file = &a->papers.files[FILE_TOKEN].text;

	if (a->has_credential && a->credential.token != NULL)
		return a->credential.token;
	return file->length > 0 ? file->data : a->papers.login->token;
}

static bool
credential_holds(const struct kubernetes_account *a, uint64_t leeway_ms)
{
	return a->has_credential &&
	       (a->credential.expires_ms == 0 ||
		       clock_realtime_ms() + leeway_ms <
			       a->credential.expires_ms);
}

static void
ticket_give(struct kubernetes_account *a, kubernetes_ticket_f *cb, void *arg)
{
	struct http_tls tls = tls_get(a);

	if (a->papers.login->exec != NULL && !credential_holds(a, 0))
		cb(NULL, NULL,
			a->plugin_problem != NULL ? a->plugin_problem
						  : "the credential expired",
			arg);
	else
		cb(token_get(a), &tls, NULL, arg);
}

static void
ticket_free(struct kubernetes_ticket *t)
{
	struct kubernetes_account *a = t->account;

	TAILQ_REMOVE(t->answering ? &a->answering : &a->waiting, t, link);
	free(t);
}

static void
tickets_give(struct kubernetes_account *a)
{
	struct kubernetes_ticket *t;

	TAILQ_FOREACH(t, &a->waiting, link)
		t->answering = true;
	TAILQ_CONCAT(&a->answering, &a->waiting, link);
	while ((t = TAILQ_FIRST(&a->answering)) != NULL) {
		kubernetes_ticket_f *cb = t->cb;
		void *arg = t->arg;

		ticket_free(t);
		ticket_give(a, cb, arg);
	}
}

/* ---- the plugin */

static void
plugin_failed(struct kubernetes_account *a, const char *problem)
{
	if (a->plugin_problem == NULL)
		log_warn("kubernetes: %s", problem);
	free(a->plugin_problem);
	a->plugin_problem = xstrdup(problem);
	a->plugin_failed_ms = loop_now_ms(a->loop);
	if (!credential_holds(a, 0))
		credential_drop(a);
}

static int
credential_check(struct exec_credential *c, struct error *err)
{
	if (c->expires_ms != 0 && c->expires_ms <= clock_realtime_ms())
		return error_set(err, ERROR_CONFIG,
			"what it gave has expired already; is the clock "
			"right?");
	return c->token == NULL
		       ? 0
		       : token_text_check(c->token, "what it gave", err);
}

static void
credential_take(struct kubernetes_account *a, struct exec_credential *c)
{
	credential_drop(a);
	a->credential = *c;
	exec_credential_init(c);
	a->has_credential = true;
	a->serial++;
	if (a->plugin_problem != NULL)
		log_info("kubernetes: the credential plugin works again");
	free(a->plugin_problem);
	a->plugin_problem = NULL;
}

static void
on_plugin(struct exec_credential *credential, const char *problem, void *arg)
{
	struct kubernetes_account *a = arg;
	struct error err = ERROR_INIT;

	a->plugin = NULL;
	if (credential == NULL) {
		plugin_failed(a, problem);
	} else if (credential_check(credential, &err) != 0) {
		error_prefix(&err, "credential plugin \"%.128s\"",
			a->papers.login->exec->command);
		plugin_failed(a, err.text);
	} else {
		credential_take(a, credential);
	}
	tickets_give(a);
}

static void
plugin_start(struct kubernetes_account *a)
{
	struct error err = ERROR_INIT;
	struct http_tls tls = tls_get(a);
	char *info = exec_plugin_info(a->papers.login, tls.ca);

	a->plugin = exec_plugin_start(a->loop, a->papers.login->exec, info,
		a->plugin_timeout_ms, on_plugin, a, &err);
	free(info);
	if (a->plugin == NULL)
		plugin_failed(a, err.text);
}

/* A failed run is not repeated for each request. */
static bool
plugin_is_due(const struct kubernetes_account *a)
{
	return a->papers.login->exec != NULL &&
	       !credential_holds(a, EXPIRY_LEEWAY_MS) &&
	       (a->plugin_problem == NULL ||
		       loop_now_ms(a->loop) - a->plugin_failed_ms >=
			       PLUGIN_PAUSE_MS);
}

struct kubernetes_ticket *
kubernetes_account_ticket(
	struct kubernetes_account *a, kubernetes_ticket_f *cb, void *arg)
{
	struct kubernetes_ticket *t;

	look(a);
	if (a->plugin == NULL && plugin_is_due(a))
		plugin_start(a);
	if (a->plugin == NULL) {
		ticket_give(a, cb, arg);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->account = a;
	t->cb = cb;
	t->arg = arg;
	TAILQ_INSERT_TAIL(&a->waiting, t, link);
	return t;
}

void
kubernetes_ticket_cancel(struct kubernetes_ticket *t)
{
	if (t != NULL)
		ticket_free(t);
}

void
kubernetes_account_refused(struct kubernetes_account *a, uint64_t serial)
{
	if (serial != a->serial)
		return;
	credential_drop(a);
	a->look_now = a->source_again = true;
	for (int i = 0; i < FILE_COUNT; i++)
		memset(&a->papers.files[i].stamp, 0,
			sizeof(a->papers.files[i].stamp));
}

/* ---- the account */

static char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

struct kubernetes_account *
kubernetes_account_open(struct loop *loop,
	const struct kubernetes_account_options *o, struct error *err)
{
	struct kubernetes_account *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->kubeconfig = copy_or_null(o->kubeconfig);
	a->context = copy_or_null(o->context);
	a->folder = copy_or_null(o->folder);
	a->pod_folder = xstrdup(o->pod_folder != NULL ? o->pod_folder
						      : KUBERNETES_POD_FOLDER);
	a->insecure = o->insecure;
	a->look_ms = o->look_ms;
	if (a->look_ms == 0 && a->kubeconfig == NULL)
		a->look_ms = POD_LOOK_MS;
	a->plugin_timeout_ms = o->plugin_timeout_ms;
	a->source_retry_ms = o->source_retry_ms == 0 ? SOURCE_RETRY_MS
						     : o->source_retry_ms;
	a->looked_ms = loop_now_ms(loop);
	a->serial = 1;
	TAILQ_INIT(&a->waiting);
	TAILQ_INIT(&a->answering);
	exec_credential_init(&a->credential);
	if (papers_read(a, &a->papers, err) != 0) {
		kubernetes_account_close(a);
		return NULL;
	}
	return a;
}

void
kubernetes_account_close(struct kubernetes_account *a)
{
	struct kubernetes_ticket *t;

	if (a == NULL)
		return;
	exec_plugin_cancel(a->plugin);
	while ((t = TAILQ_FIRST(&a->waiting)) != NULL)
		ticket_free(t);
	credential_drop(a);
	if (a->papers.login != NULL)
		papers_fini(&a->papers);
	free(a->plugin_problem);
	free(a->kubeconfig);
	free(a->context);
	free(a->folder);
	free(a->pod_folder);
	free(a);
}

const char *
kubernetes_account_server(const struct kubernetes_account *a)
{
	return a->papers.login->server;
}

const char *
kubernetes_account_proxy(const struct kubernetes_account *a)
{
	return a->papers.login->proxy;
}

const char *
kubernetes_account_namespace(const struct kubernetes_account *a)
{
	return a->papers.login->ns == NULL ? "" : a->papers.login->ns;
}

const char *
kubernetes_account_token_file(const struct kubernetes_account *a)
{
	return a->papers.login->token_file;
}

uint64_t
kubernetes_account_serial(const struct kubernetes_account *a)
{
	return a->serial;
}
