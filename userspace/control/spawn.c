/* Starts a proxy process. */
#include "control/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/channel.h"

#define CHANNEL_FD 3
#define BINARY_FD  4

/* All that a proxy gets of our environment: where its log goes, and what
 * sanitizers are told. */
static const char *const env_names[] = {
	"JOURNAL_STREAM",
	"ASAN_OPTIONS",
	"LSAN_OPTIONS",
	"TSAN_OPTIONS",
	"UBSAN_OPTIONS",
};

static void __attribute__((noreturn)) child_fail(const char *what)
{
	dprintf(STDERR_FILENO, "control: the proxy cannot be started: %s: %s\n",
		what, strerror(errno));
	_exit(127);
}

/* Standard input is nothing, 3 the channel, 4 the binary; all else closes. */
static void
child_descriptors(int channel, int binary)
{
	int null;

	channel = fcntl(channel, F_DUPFD_CLOEXEC, BINARY_FD + 1);
	binary = fcntl(binary, F_DUPFD_CLOEXEC, BINARY_FD + 1);
	null = open("/dev/null", O_RDONLY);
	if (channel < 0 || binary < 0 || null < 0 ||
		dup2(null, STDIN_FILENO) < 0 || dup2(channel, CHANNEL_FD) < 0 ||
		dup3(binary, BINARY_FD, O_CLOEXEC) < 0 ||
		close_range(BINARY_FD + 1, UINT_MAX, 0) < 0)
		child_fail("descriptors");
}

static void
child_user(const struct spawn_options *o)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[2] = { { 0 } };

	/* Past the last capability that the kernel knows it says EINVAL. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
		cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			child_fail("dropping the bounding set");
	if (setgroups(0, NULL) < 0 || setresgid(o->gid, o->gid, o->gid) < 0 ||
		setresuid(o->uid, o->uid, o->uid) < 0)
		child_fail("changing the user");
	if (syscall(SYS_capset, &header, none) < 0)
		child_fail("dropping capabilities");
}

/* What a terminal sends to all of its processes is meant for control. */
static void
child_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGHUP, SIGUSR1 };
	sigset_t none;

	sigemptyset(&none);
	for (int signo = 1; signo < NSIG; signo++)
		if (signo != SIGKILL && signo != SIGSTOP)
			signal(signo, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
child_run(const struct spawn_options *o, int channel, char **env)
{
	char name[] = "gloo-gateway", role[] = "--proxy-channel=3";
	char sockets[] = "--proxy-unix-sockets";
	/* The role comes last: whoever reads it begins. */
	char *const argv[] = { name, o->unix_sockets ? sockets : role,
		o->unix_sockets ? role : NULL, NULL };
	struct rlimit files;

	child_signals();
	child_descriptors(channel, o->binary);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (o->switch_user)
		child_user(o);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		child_fail("no_new_privs");
	syscall(SYS_execveat, BINARY_FD, "", argv, env, AT_EMPTY_PATH);
	child_fail("execveat");
}

static char **
env_make(void)
{
	char **env = xcalloc(ARRAY_SIZE(env_names) + 1, sizeof(*env));
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(env_names); i++) {
		const char *value = getenv(env_names[i]);

		if (value != NULL)
			env[count++] = xasprintf("%s=%s", env_names[i], value);
	}
	return env;
}

static void
env_free(char **env)
{
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

int
spawn_proxy(const struct spawn_options *options, struct spawned *out,
	struct error *err)
{
	int ends[2];
	char **env;

	if (channel_pair(ends, err) != 0)
		return -1;
	env = env_make();
	out->pid = fork();
	if (out->pid == 0)
		child_run(options, ends[1], env);
	env_free(env);
	close(ends[1]);
	out->channel = ends[0];
	if (out->pid < 0) {
		close(ends[0]);
		return error_errno(err, errno, "cannot fork a proxy");
	}
	out->pidfd = pidfd_open(out->pid, 0);
	if (out->pidfd >= 0)
		return 0;
	error_errno(err, errno, "cannot watch the proxy");
	kill(out->pid, SIGKILL);
	waitpid(out->pid, NULL, 0);
	close(ends[0]);
	return -1;
}
