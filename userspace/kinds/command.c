/* Programs that print a secret: starting them, reading what they print. */
#include "kinds/command.h"

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
#include <unistd.h>

#include <linux/capability.h>

#include "base/mem.h"
#include "net/loop.h"

#define COMPLAINT_MAX 200 /* bytes of what it says on standard error */
#define READ_BYTES    4096
#define OUTPUT_USUAL  65536 /* more of it may leave parts of a secret behind */
#define READS_MAX     16    /* in one turn of the loop: what a pipe holds */

/* What it prints on one of its descriptors. */
struct output {
	struct command *command;
	struct loop_fd *watch;
	int fd; /* -1: ended */
	struct str text;
	size_t max; /* more of standard output is an error */
};

struct command {
	command_f *cb;
	void *arg;
	pid_t pid;
	int pidfd;
	struct loop_fd *exit_watch;
	struct loop_timer *timer;
	struct output out, complaint;
};

/* ---- starting it */

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
	char *const *argv, *const *env;
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
	execvpe(s->argv[0], s->argv, s->env);
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
command_kill(struct command *c)
{
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	c->pid = 0;
}

static void
command_free(struct command *c)
{
	command_kill(c);
	output_close(&c->out);
	output_close(&c->complaint);
	loop_fd_free(c->exit_watch);
	if (c->pidfd >= 0)
		close(c->pidfd);
	loop_timer_free(c->timer);
	str_fini_wiped(&c->out.text);
	str_fini(&c->complaint.text);
	free(c);
}

/* Its own words, if they are fit to be shown: the first line. */
static void
complaint_get(const struct command *c, struct str *out)
{
	const char *text = c->complaint.text.data;
	size_t length = strcspn(text, "\r\n");

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return;
	if (length > 0)
		str_printf(out, ": %.*s", (int)length, text);
}

/* problem NULL: it did what it was started for. */
static void
command_end(struct command *c, const char *problem)
{
	struct command_result result = {
		.output = { c->out.text.data, c->out.text.length },
		.problem = problem,
	};
	struct str complaint;

	command_kill(c);
	str_init(&complaint);
	complaint_get(c, &complaint);
	result.complaint = complaint.data;
	c->cb(&result, c->arg);
	str_fini(&complaint);
	command_free(c);
}

static void __attribute__((format(printf, 2, 3)))
command_fail(struct command *c, const char *fmt, ...)
{
	char text[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	command_end(c, text);
}

/* What n bytes that were read mean. False: there is nothing more to read now.
 */
static bool
output_take(struct output *o, const char *bytes, ssize_t n, bool *too_much)
{
	size_t room = o->max - o->text.length;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return errno == EINTR;
	if (n <= 0) {
		output_close(o);
		return false;
	}
	str_append(&o->text, bytes, (size_t)n < room ? (size_t)n : room);
	*too_much = (size_t)n > room && o == &o->command->out;
	return !*too_much;
}

/* Reads so often at most. False: it printed too much. */
static bool
output_read(struct output *o, unsigned reads)
{
	bool too_much = false, more = o->fd >= 0;
	char bytes[READ_BYTES];

	for (; more && reads > 0; reads--)
		more = output_take(
			o, bytes, read(o->fd, bytes, sizeof(bytes)), &too_much);
	mem_wipe(bytes, sizeof(bytes));
	return !too_much;
}

static void
on_output(int fd, unsigned what, void *arg)
{
	struct output *o = arg;

	(void)fd;
	(void)what;
	if (!output_read(o, READS_MAX))
		command_fail(
			o->command, "it printed more than %zu bytes", o->max);
}

/* What it started may still hold its descriptors: they are not waited for. */
static void
on_exit_seen(int fd, unsigned what, void *arg)
{
	struct command *c = arg;
	siginfo_t info = { 0 };

	(void)fd;
	(void)what;
	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) != 0 ||
		info.si_pid == 0)
		return;
	c->pid = 0;
	output_read(&c->complaint, READS_MAX);
	/* All that is there, which is not much more than its limit. */
	if (!output_read(&c->out, COMMAND_OUTPUT_MAX + 1))
		command_fail(c, "it printed more than %zu bytes", c->out.max);
	else if (info.si_code != CLD_EXITED)
		command_fail(c, "ended by signal %d", info.si_status);
	else if (info.si_status != 0)
		command_fail(c, "ended with status %d", info.si_status);
	else
		command_end(c, NULL);
}

static void
on_timeout(void *arg)
{
	command_fail(arg, "it has not answered in time");
}

/* ---- coming and going */

static void
output_open(struct output *o, struct command *c, struct loop *loop, int fd,
	size_t max)
{
	o->command = c;
	o->fd = fd;
	o->max = max;
	o->watch = loop_fd_new(loop, fd, LOOP_READ, on_output, o);
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

static struct command *
command_new(command_f *cb, void *arg)
{
	struct command *c = xcalloc(1, sizeof(*c));

	c->cb = cb;
	c->arg = arg;
	c->pidfd = c->out.fd = c->complaint.fd = -1;
	str_init(&c->out.text);
	str_reserve(&c->out.text, OUTPUT_USUAL);
	str_init(&c->complaint.text);
	return c;
}

/* 0 or an errno. */
static int
spawn(struct command *c, const struct command_line *line, int out,
	int complaint)
{
	const struct start s = {
		.argv = line->argv,
		.env = line->env,
		.out = out,
		.complaint = complaint,
	};
	int problem = child_start(&s, &c->pid);

	if (problem != 0) {
		c->pid = 0;
		return problem;
	}
	c->pidfd = pidfd_open(c->pid, 0);
	return c->pidfd < 0 ? errno : 0;
}

int
command_start(struct loop *loop, const struct command_line *line, command_f *cb,
	void *arg, struct command **command)
{
	struct command *c;
	int out[2], complaint[2];
	int problem;

	*command = NULL;
	if (pipes_open(out, complaint) != 0)
		return errno;
	c = command_new(cb, arg);
	problem = spawn(c, line, out[1], complaint[1]);
	close(out[1]);
	close(complaint[1]);
	output_open(&c->out, c, loop, out[0], COMMAND_OUTPUT_MAX);
	output_open(&c->complaint, c, loop, complaint[0], COMPLAINT_MAX);
	if (problem != 0) {
		command_free(c);
		return problem;
	}
	c->exit_watch = loop_fd_new(loop, c->pidfd, LOOP_READ, on_exit_seen, c);
	c->timer = loop_timer_new(loop, on_timeout, c);
	loop_timer_start(c->timer,
		line->timeout_ms == 0 ? COMMAND_TIMEOUT_MS : line->timeout_ms);
	*command = c;
	return 0;
}

void
command_cancel(struct command *c)
{
	if (c != NULL)
		command_free(c);
}
