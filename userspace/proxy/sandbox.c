/* The seccomp filter of the proxy. */
#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const int allowed[] = {
	/* descriptors that are there */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(lseek),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(splice),
	/* connections */
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* threads, time, signals */
	SCMP_SYS(futex),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
	SCMP_SYS(sysinfo), /* qsort */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(prctl),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* EPERM: libraries live with it. */
static const int refused[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat2),
	SCMP_SYS(creat),
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(statx),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(uname),
	SCMP_SYS(prlimit64),
	SCMP_SYS(ioctl),
};

static int
rules_add_lists(scmp_filter_ctx c)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; !SANITIZED && i < ARRAY_SIZE(refused) && rc == 0;
		i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	return rc;
}

/* TCP, and streams to unix sockets where they are asked for, or nothing. */
static int
rules_add_sockets(scmp_filter_ctx c, bool unix_sockets)
{
	static const unsigned families[] = { AF_INET, AF_INET6 };
	const unsigned type = ~(unsigned)(SOCK_NONBLOCK | SOCK_CLOEXEC);
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && rc == 0; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			SCMP_A0(SCMP_CMP_EQ, families[i]),
			SCMP_A1(SCMP_CMP_MASKED_EQ, type & 0xffffffff,
				SOCK_STREAM));
	for (size_t i = 0; !SANITIZED && i < ARRAY_SIZE(families) && rc == 0;
		i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM),
			SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, families[i]),
			SCMP_A1(SCMP_CMP_MASKED_EQ, type & 0xffffffff,
				SOCK_DGRAM));
	if (rc == 0 && unix_sockets)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
			SCMP_A1(SCMP_CMP_MASKED_EQ, type & 0xffffffff,
				SOCK_STREAM));
	else if (rc == 0 && !SANITIZED)
		rc = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM),
			SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	return rc;
}

static int
rules_add_threads(scmp_filter_ctx c)
{
	int rc;

	rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* Its flags cannot be looked at; libc goes back to clone. */
	if (rc == 0)
		rc = seccomp_rule_add(
			c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* How libc asks for the size of a descriptor. */
	if (rc == 0)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
			1,
			SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH,
				AT_EMPTY_PATH));
	return rc;
}

/* Sanitizers read /proc, trace their own process and look for leaks from a
 * child. */
static int
rules_add_sanitizers(scmp_filter_ctx c)
{
	static const int more[] = {
		SCMP_SYS(readlink),
		SCMP_SYS(ptrace),
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(getdents64),
		SCMP_SYS(wait4),
		SCMP_SYS(kill),
		SCMP_SYS(tkill),
		SCMP_SYS(getppid),
		SCMP_SYS(prlimit64),
		SCMP_SYS(uname),
		SCMP_SYS(arch_prctl),
		SCMP_SYS(personality),
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(more) && rc == 0; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, more[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	if (rc == 0)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT,
				O_RDONLY));
	return rc;
}

int
sandbox_enter(bool unix_sockets, struct error *err)
{
	scmp_filter_ctx c = seccomp_init(
		SANITIZED ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
	int rc;

	if (c == NULL)
		return error_set(err, ERROR_SYSTEM,
			"the kernel, or a filter that is in force already "
			"(SystemCallFilter=), does not allow seccomp");

	rc = rules_add_lists(c);
	if (rc == 0)
		rc = rules_add_sockets(c, unix_sockets);
	if (rc == 0)
		rc = rules_add_threads(c);
	if (rc == 0 && SANITIZED)
		rc = rules_add_sanitizers(c);
	else if (rc == 0)
		rc = seccomp_rule_add(
			c, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 0);
	if (rc == 0)
		rc = seccomp_load(c);
	seccomp_release(c);
	if (rc < 0)
		return error_errno(err, -rc, "cannot enter the sandbox");
	return 0;
}

/* ---- the test */

static int
try_execve(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv);
}

static int
try_open_read(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int
try_open_write(void)
{
	return open("/tmp", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
}

static int
try_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int
try_ptrace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
try_socket_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int
try_socket_udp(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static const struct {
	const char *what;
	int (*call)(void);
	int sanitizers_need_it;
} tries[] = {
	{ "execve", try_execve, 0 },
	{ "open for reading", try_open_read, 1 },
	{ "open for writing", try_open_write, 0 },
	{ "bpf", try_bpf, 0 },
	{ "ptrace", try_ptrace, 1 },
	{ "socket of AF_UNIX", try_socket_unix, 0 },
	{ "socket of UDP", try_socket_udp, 0 },
};

static int
child_try(size_t i)
{
	struct error err = ERROR_INIT;

	if (sandbox_enter(false, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 3;
	}
	if (tries[i].call() >= 0)
		return 1;
	return errno == EPERM ? 0 : 2;
}

/* True: refused. */
static int
result_print(size_t i, int status)
{
	const char *word = "something else";

	if (WIFSIGNALED(status))
		word = strsignal(WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0)
		word = "EPERM";
	else if (WEXITSTATUS(status) == 1)
		word = SANITIZED && tries[i].sanitizers_need_it
			       ? "allowed, for the sanitizer"
			       : "ALLOWED";
	printf("%s: %s\n", tries[i].what, word);
	return WIFSIGNALED(status) || WEXITSTATUS(status) == 0 ||
	       (SANITIZED && tries[i].sanitizers_need_it);
}

int
proxy_sandbox_test(void)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		int status;
		pid_t pid;

		fflush(NULL);
		pid = fork();
		if (pid == 0)
			_exit(child_try(i));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		if (!result_print(i, status))
			rc = 1;
	}
	return rc;
}
