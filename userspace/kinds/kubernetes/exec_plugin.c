/* Credential plugins: programs that print an ExecCredential. */
#include "kinds/kubernetes/exec_plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/loop.h"

#define COMPLAINT_MAX 200 /* bytes of what it says on standard error */
#define READ_BYTES    4096
#define READS_MAX     16 /* in one turn of the loop: what a pipe holds */

/* What it prints on one of its descriptors. */
struct output {
	struct exec_plugin *plugin;
	struct loop_fd *watch;
	int fd; /* -1: ended */
	struct str text;
	size_t max; /* more of standard output is an error */
};

struct exec_plugin {
	char *command, *version;
	exec_plugin_f *cb;
	void *arg;
	pid_t pid;
	int pidfd;
	struct loop_fd *exit_watch;
	struct loop_timer *timer;
	struct output out, complaint;
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

/* "Z", "+01:00": how far ahead of UTC, in seconds. */
static int
zone_read(const char *text, long *seconds)
{
	unsigned hours, minutes;
	int used = 0;

	*seconds = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return 0;
	if ((text[0] != '+' && text[0] != '-') ||
		sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) != 2 ||
		used != 5 || text[6] != '\0' || hours > 23 || minutes > 59)
		return -1;
	*seconds = (long)(hours * 3600 + minutes * 60);
	if (text[0] == '-')
		*seconds = -*seconds;
	return 0;
}

/* RFC 3339; parts of a second are cut off. */
static int
time_read(const char *text, uint64_t *ms)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t at;
	long zone;

	if (rest != NULL && *rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (rest == NULL || zone_read(rest, &zone) != 0)
		return -1;
	at = timegm(&tm) - zone;
	if (at <= 0)
		return -1;
	*ms = (uint64_t)at * 1000;
	return 0;
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
	if (expires[0] != '\0' && time_read(expires, &out->expires_ms) != 0)
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

/* Not one of ours, and, with no_new_privs, none that a file or the user root
 * would give. */
static int
capabilities_drop(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[2] = { { 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		syscall(SYS_capset, &header, none) != 0)
		return errno;
	return 0;
}

/* Of ours it gets no setting of a signal. Those of the C library itself cannot
 * be set. */
static void
signals_reset(void)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &usual, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

struct start {
	char *command;
	char **argv, **env;
	int out, complaint; /* the ends that it writes to */
};

/* A group of its own, to be killed whole, and no descriptor of ours. Runs in
 * our memory, between vfork and exec: nothing but system calls. An errno, if it
 * returns. */
static int
child_run(const struct start *s)
{
	int null = open("/dev/null", O_RDONLY), rc;

	if (null < 0 || setpgid(0, 0) != 0 || dup2(null, STDIN_FILENO) < 0 ||
		dup2(s->out, STDOUT_FILENO) < 0 ||
		dup2(s->complaint, STDERR_FILENO) < 0 ||
		close_range(STDERR_FILENO + 1, UINT_MAX, 0) != 0)
		return errno;
	rc = capabilities_drop();
	if (rc != 0)
		return rc;
	signals_reset();
	execvpe(s->command, s->argv, s->env);
	return errno;
}

/* 0 or an errno. No signal is taken while the memory is another's, too. */
static int
child_start(const struct start *s, pid_t *pid)
{
	volatile int problem = 0;
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	*pid = vfork();
	if (*pid == 0) {
		problem = child_run(s);
		_exit(127);
	}
	if (*pid < 0)
		problem = errno;
	else if (problem != 0)
		waitpid(*pid, NULL, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return problem;
}

/* 0 or an errno. */
static int
spawn(struct exec_plugin *p, const struct kubeconfig_exec *x, const char *info,
	int out, int complaint)
{
	char *told = xasprintf("KUBERNETES_EXEC_INFO=%s", info);
	const struct start s = {
		.command = x->command,
		.argv = argv_make(x),
		.env = env_make(x, told),
		.out = out,
		.complaint = complaint,
	};
	int rc = child_start(&s, &p->pid);

	free(s.argv);
	free(s.env);
	free(told);
	return rc;
}

/* ---- the end */

static void
output_close(struct output *o)
{
	loop_fd_free(o->watch);
	o->watch = NULL;
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

/* pid is not reaped yet, so the group is still its own. */
static void
plugin_kill(struct exec_plugin *p)
{
	if (p->pid > 0) {
		kill(-p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
}

static void
plugin_free(struct exec_plugin *p)
{
	plugin_kill(p);
	output_close(&p->out);
	output_close(&p->complaint);
	loop_fd_free(p->exit_watch);
	if (p->pidfd >= 0)
		close(p->pidfd);
	loop_timer_free(p->timer);
	explicit_bzero(p->out.text.data, p->out.text.length);
	str_fini(&p->out.text);
	str_fini(&p->complaint.text);
	free(p->command);
	free(p->version);
	free(p);
}

/* Its own words, if they are fit to be shown: the first line. */
static void
complaint_add(const struct exec_plugin *p, struct str *problem)
{
	const char *text = p->complaint.text.data;
	size_t length = strcspn(text, "\r\n");

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return;
	if (length > 0)
		str_printf(problem, ": %.*s", (int)length, text);
}

static void __attribute__((format(printf, 2, 3)))
plugin_fail(struct exec_plugin *p, const char *fmt, ...)
{
	struct str problem;
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	plugin_kill(p);
	str_init(&problem);
	str_printf(&problem, "credential plugin \"%s\": %s", p->command, text);
	complaint_add(p, &problem);
	p->cb(NULL, problem.data, p->arg);
	str_fini(&problem);
	plugin_free(p);
}

static void
plugin_succeed(struct exec_plugin *p)
{
	struct exec_credential c;
	struct error err = ERROR_INIT;

	exec_credential_init(&c);
	if (exec_credential_read(p->out.text.data, p->out.text.length,
		    p->version, &c, &err) != 0) {
		exec_credential_fini(&c);
		plugin_fail(p, "%s", err.text);
		return;
	}
	p->cb(&c, NULL, p->arg);
	exec_credential_fini(&c);
	plugin_free(p);
}

/* Reads so often at most. False: it printed too much. */
static bool
output_read(struct output *o, unsigned reads)
{
	char buf[READ_BYTES];
	ssize_t n;

	for (; o->fd >= 0 && reads > 0; reads--) {
		n = read(o->fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			output_close(o);
			return true;
		}
		if ((size_t)n > o->max - o->text.length) {
			str_append(&o->text, buf, o->max - o->text.length);
			if (o == &o->plugin->out)
				return false;
			continue;
		}
		str_append(&o->text, buf, (size_t)n);
	}
	return true;
}

static void
on_output(int fd, unsigned what, void *arg)
{
	struct output *o = arg;

	(void)fd;
	(void)what;
	if (!output_read(o, READS_MAX))
		plugin_fail(o->plugin, "it printed more than %zu bytes",
			o->max);
}

/* What it started may still hold its descriptors: they are not waited for. */
static void
on_exit_seen(int fd, unsigned what, void *arg)
{
	struct exec_plugin *p = arg;
	siginfo_t info = { 0 };

	(void)fd;
	(void)what;
	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) != 0 ||
		info.si_pid == 0)
		return;
	p->pid = 0;
	output_read(&p->complaint, READS_MAX);
	/* All that is there, which is not much more than its limit. */
	if (!output_read(&p->out, EXEC_PLUGIN_OUTPUT_MAX + 1))
		plugin_fail(p, "it printed more than %zu bytes", p->out.max);
	else if (info.si_code != CLD_EXITED)
		plugin_fail(p, "ended by signal %d", info.si_status);
	else if (info.si_status != 0)
		plugin_fail(p, "ended with status %d", info.si_status);
	else
		plugin_succeed(p);
}

static void
on_timeout(void *arg)
{
	plugin_fail(arg, "it has not answered in time");
}

static void
output_open(struct output *o, struct exec_plugin *p, struct loop *loop, int fd,
	size_t max)
{
	o->plugin = p;
	o->fd = fd;
	o->max = max;
	o->watch = loop_fd_new(loop, fd, LOOP_READ, on_output, o);
}

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

/* The ends that we read do not block; the others are its, and may. */
static int
pipes_open(int out[2], int complaint[2])
{
	if (pipe2(out, O_CLOEXEC) != 0)
		return -1;
	if (pipe2(complaint, O_CLOEXEC) != 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(complaint[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static struct exec_plugin *
plugin_new(const struct kubeconfig_exec *x, exec_plugin_f *cb, void *arg)
{
	struct exec_plugin *p = xcalloc(1, sizeof(*p));

	p->command = xstrdup(x->command);
	p->version = xstrdup(x->version);
	p->cb = cb;
	p->arg = arg;
	p->pidfd = p->out.fd = p->complaint.fd = -1;
	str_init(&p->out.text);
	str_init(&p->complaint.text);
	return p;
}

struct exec_plugin *
exec_plugin_start(struct loop *loop, const struct kubeconfig_exec *x,
	const char *info, uint64_t timeout_ms, exec_plugin_f *cb, void *arg,
	struct error *err)
{
	struct exec_plugin *p;
	int out[2], complaint[2];
	int problem;

	if (pipes_open(out, complaint) != 0) {
		error_errno(err, errno, "no pipe for the credential plugin");
		return NULL;
	}
	p = plugin_new(x, cb, arg);
	problem = spawn(p, x, info, out[1], complaint[1]);
	close(out[1]);
	close(complaint[1]);
	output_open(&p->out, p, loop, out[0], EXEC_PLUGIN_OUTPUT_MAX);
	output_open(&p->complaint, p, loop, complaint[0], COMPLAINT_MAX);
	if (problem == 0) {
		p->pidfd = pidfd_open(p->pid, 0);
		problem = p->pidfd < 0 ? errno : 0;
	} else {
		p->pid = 0;
	}
	if (problem != 0) {
		start_error(x, problem, err);
		plugin_free(p);
		return NULL;
	}
	p->exit_watch =
		loop_fd_new(loop, p->pidfd, LOOP_READ, on_exit_seen, p);
	p->timer = loop_timer_new(loop, on_timeout, p);
	loop_timer_start(p->timer,
		timeout_ms == 0 ? EXEC_PLUGIN_TIMEOUT_MS : timeout_ms);
	return p;
}

void
exec_plugin_cancel(struct exec_plugin *p)
{
	if (p != NULL)
		plugin_free(p);
}
