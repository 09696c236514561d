/* Tests userspace/kinds/kubernetes/exec_plugin.c with shell scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/kubernetes/exec_plugin.h"
#include "net/loop.h"

#define V1      "client.authentication.k8s.io/v1"
#define V1BETA1 "client.authentication.k8s.io/v1beta1"

/* A command that never ends by itself. */
#define HANG "tail -f /dev/null "

/* By then a script has done all that it does before it hangs. */
#define SCRIPT_MS 2200

static char folder[] = "/tmp/exec-plugin-XXXXXX";

/* A pipe that has given "!" is always full from then on. */
static int endless_fd = -1;
static bool endless_wanted;
static unsigned endless_reads;

ssize_t
read(int fd, void *buf, size_t size)
{
	ssize_t (*real)(int, void *, size_t);
	ssize_t n;

	if (fd == endless_fd) {
		if (++endless_reads > 100000)
			fail_msg("the loop is held");
		memset(buf, 'x', size);
		return (ssize_t)size;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "read");
	n = real(fd, buf, size);
	if (endless_wanted && n == 1 && *(char *)buf == '!')
		endless_fd = fd;
	return n;
}

struct outcome {
	struct loop *loop;
	int called;
	char *token, *cert, *key, *problem;
	uint64_t expires_ms;
};

static void
on_plugin(struct exec_credential *c, const char *problem, void *arg)
{
	struct outcome *o = arg;

	o->called++;
	if (c != NULL) {
		o->token = c->token == NULL ? NULL : xstrdup(c->token);
		o->cert = xstrdup(c->cert.data);
		o->key = xstrdup(c->key.data);
		o->expires_ms = c->expires_ms;
	} else {
		o->problem = xstrdup(problem);
	}
	loop_stop(o->loop);
}

static void
outcome_fini(struct outcome *o)
{
	loop_free(o->loop);
	free(o->token);
	free(o->cert);
	free(o->key);
	free(o->problem);
}

static char *
script_make(const char *text)
{
	static unsigned count;
	char *path = xasprintf("%s/plugin-%u", folder, count++);
	struct str s;

	str_init(&s);
	str_printf(&s, "#!/bin/sh\n%s\n", text);
	assert_int_equal(
		file_replace(path, s.data, s.length, 0755, NULL), 0);
	str_fini(&s);
	return path;
}

static void
on_late(void *arg)
{
	(void)arg;
	fail_msg("the plugin has not ended in 20 s");
}

static struct outcome
plugin_run(const char *text, const char *version, uint64_t timeout_ms)
{
	char arg[] = "a b", variable[] = "PROFILE=p1";
	char *args[] = { arg, NULL }, *env[] = { variable, NULL };
	struct kubeconfig_exec x = { .args = args,
		.env = env,
		.version = (char *)version };
	struct outcome o = { .loop = loop_new() };
	struct error err = ERROR_INIT;
	struct loop_timer *late = loop_timer_new(o.loop, on_late, NULL);

	x.command = script_make(text);
	if (exec_plugin_start(o.loop, &x, "{\"told\":1}", timeout_ms, on_plugin,
		    &o, &err) == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(o.called, 0);
	loop_timer_start(late, 20000);
	loop_run(o.loop);
	loop_timer_free(late);
	assert_int_equal(o.called, 1);
	free(x.command);
	return o;
}

#define GOOD(status)                                                           \
	"printf '%s' '{\"apiVersion\":\"" V1                                   \
	"\",\"kind\":\"ExecCredential\",\"status\":{" status "}}'"

/* It runs as who we are, and may do nothing that we may as root. */
static void
test_no_capabilities(void **state)
{
	struct outcome o = plugin_run(
		"caps() { tr -d '\\n\\t' </proc/self/status | "
		"grep -o 'Cap[PE][a-z]*:[0-9a-f]*' | tr '\\n:' '.-'; }\n"
		"printf '{\"apiVersion\":\"" V1 "\",\"kind\":"
		"\"ExecCredential\",\"status\":{\"token\":\"%suid-%s\"}}' "
		"$(caps) $(id -u)",
		V1, 0);
	char *want = xasprintf("CapPrm-0000000000000000."
			       "CapEff-0000000000000000.uid-%u",
		getuid());

	(void)state;
	assert_null(o.problem);
	assert_string_equal(o.token, want);
	free(want);
	outcome_fini(&o);
}

static void
test_token(void **state)
{
	struct outcome o = plugin_run(
		GOOD("\"token\":\"abc\",\"expirationTimestamp\":"
		     "\"2026-11-26T14:00:00+01:00\""),
		V1, 0);

	(void)state;
	assert_null(o.problem);
	assert_string_equal(o.token, "abc");
	assert_string_equal(o.cert, "");
	assert_int_equal(o.expires_ms, UINT64_C(1795698000000));
	outcome_fini(&o);
}

static void
test_certificate(void **state)
{
	struct outcome o = plugin_run(GOOD("\"clientCertificateData\":\"C\","
					   "\"clientKeyData\":\"K\""),
		V1, 0);

	(void)state;
	assert_null(o.problem);
	assert_null(o.token);
	assert_string_equal(o.cert, "C");
	assert_string_equal(o.key, "K");
	assert_int_equal(o.expires_ms, 0);
	outcome_fini(&o);
}

/* Its argument with a blank comes as one; nothing but the three descriptors is
 * open; standard input is empty; it leads a group. */
static void
test_what_it_is_given(void **state)
{
	struct outcome o = plugin_run(
		"read line && exit 3\n"
		"open=$(ls /proc/self/fd | tr '\\n' ' ')\n"
		"printf '%s' \"{\\\"apiVersion\\\":\\\"" V1BETA1
		"\\\",\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":"
		"{\\\"token\\\":\\\"$#-$1-$PROFILE-$open\\\","
		"\\\"ignored\\\":$KUBERNETES_EXEC_INFO}}\"",
		V1BETA1, 0);

	(void)state;
	assert_null(o.problem);
	/* 3 is the folder that ls reads. */
	assert_string_equal(o.token, "1-a b-p1-0 1 2 3 ");
	outcome_fini(&o);
}

static void
test_it_leaves_a_child_behind(void **state)
{
	uint64_t begun = clock_monotonic_ms();
	struct outcome o = plugin_run(
		HANG "--pid=$PPID &\n" GOOD("\"token\":\"t\""), V1, 0);

	(void)state;
	assert_string_equal(o.token, "t");
	assert_true(clock_monotonic_ms() - begun < 4000);
	outcome_fini(&o);
}

static const struct {
	const char *script, *expected; /* what follows the name */
} failures[] = {
	{ "exit 4", "ended with status 4" },
	{ "echo 'log in first' >&2; echo more >&2; exit 1",
		"ended with status 1: log in first" },
	{ "printf 'a\\033b' >&2; exit 1", "ended with status 1" },
	{ "kill -9 $$", "ended by signal 9" },
	{ "echo secret", "what it printed is no JSON (line 1)" },
	{ "true", "what it printed is no JSON (line 1)" },
	{ "echo '[\"secret\"]'", "what it printed is no ExecCredential" },
	{ "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1BETA1
	  "\"}'",
		"it answered in another apiVersion than " V1 },
	{ GOOD(""), "neither a token nor a certificate in its status" },
	{ GOOD("\"token\":7"),
		"neither a token nor a certificate in its status" },
	{ GOOD("\"clientKeyData\":\"k\""),
		"clientCertificateData and clientKeyData come together" },
	{ GOOD("\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\""),
		"expirationTimestamp is no time of RFC 3339" },
	{ GOOD("\"token\":\"t\",\"expirationTimestamp\":"
	       "\"2026-11-26T14:00:00\""),
		"expirationTimestamp is no time of RFC 3339" },
	{ "head -c 1100000 /dev/zero",
		"it printed more than 1048576 bytes" },
	{ "while :; do echo secret; done",
		"it printed more than 1048576 bytes" },
};

static void
test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct outcome o = plugin_run(failures[i].script, V1, 0);
		const char *colon;

		assert_non_null(o.problem);
		colon = strstr(o.problem, "\": ");
		assert_non_null(colon);
		assert_string_equal(colon + 3, failures[i].expected);
		assert_null(strstr(o.problem, "secret"));
		outcome_fini(&o);
	}
}

/* False as well of a corpse that its new parent has not seen yet. */
static bool
is_running(int pid)
{
	char *path = xasprintf("/proc/%d/stat", pid);
	struct str stat;
	bool running;

	str_init(&stat);
	running = file_read(path, 1000, &stat, NULL) == 0 &&
		  strstr(stat.data, ") Z ") == NULL;
	str_fini(&stat);
	free(path);
	return running;
}

/* Half of the answer, then nothing: what it started is killed, too. That does
 * not write to us: tail ends by itself when nobody reads what it writes. */
static void
test_it_hangs(void **state)
{
	char *mark = xasprintf("%s/child", folder);
	char *script = xasprintf(HANG "--pid=$PPID >/dev/null &\n"
				      "echo $! > %s\necho '{'\nwait",
		mark);
	uint64_t begun = clock_monotonic_ms();
	struct outcome o = plugin_run(script, V1, SCRIPT_MS);
	struct str pid;

	(void)state;
	assert_true(clock_monotonic_ms() - begun < 10000);
	assert_non_null(strstr(o.problem, "it has not answered in time"));
	str_init(&pid);
	assert_int_equal(file_read(mark, 100, &pid, NULL), 0);
	assert_true(atoi(pid.data) > 0);
	/* It was told to go, and does so when it is scheduled. */
	while (is_running(atoi(pid.data)) &&
		clock_monotonic_ms() - begun < 20000)
		poll(NULL, 0, 10);
	assert_false(is_running(atoi(pid.data)));
	str_fini(&pid);
	outcome_fini(&o);
	free(script);
	free(mark);
}

/* It complains faster than can be read. */
static void
test_it_complains_without_end(void **state)
{
	struct outcome o;

	(void)state;
	endless_wanted = true;
	o = plugin_run("printf '!' >&2; exec " HANG, V1, SCRIPT_MS);
	endless_wanted = false;
	assert_true(endless_fd >= 0);
	endless_fd = -1;
	assert_non_null(strstr(o.problem, "it has not answered in time: !xxx"));
	outcome_fini(&o);
}

static void
test_it_is_cancelled(void **state)
{
	char *none[] = { NULL };
	struct kubeconfig_exec x = { .command = script_make(HANG),
		.args = none,
		.env = none,
		.version = (char *)V1 };
	struct outcome o = { .loop = loop_new() };

	(void)state;
	exec_plugin_cancel(exec_plugin_start(
		o.loop, &x, "{}", 0, on_plugin, &o, NULL));
	exec_plugin_cancel(NULL);
	assert_int_equal(o.called, 0);
	free(x.command);
	outcome_fini(&o);
}

static void
test_it_is_not_there(void **state)
{
	char *none[] = { NULL };
	char hint[] = "see the manual\nof it";
	struct kubeconfig_exec x = { .command = xstrdup("no-such-plugin"),
		.args = none,
		.env = none,
		.hint = hint,
		.version = (char *)V1 };
	struct error err = ERROR_INIT;
	struct loop *loop = loop_new();

	(void)state;
	assert_null(exec_plugin_start(
		loop, &x, "{}", 0, on_plugin, NULL, &err));
	assert_string_equal(err.text,
		"credential plugin \"no-such-plugin\" cannot be run: No such "
		"file or directory; see the manual");
	free(x.command);
	loop_free(loop);
}

static void
test_info(void **state)
{
	struct kubeconfig_exec x = { .version = (char *)V1 };
	struct kubeconfig_login l = { .server = (char *)"https://s",
		.server_name = (char *)"k",
		.exec = &x };
	char *info = exec_plugin_info(&l, slice_of("CA"));

	(void)state;
	assert_string_equal(info,
		"{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\","
		"\"spec\":{\"interactive\":false}}");
	free(info);
	x.wants_cluster = true;
	x.cluster = doc_new_map();
	doc_set_string(x.cluster, "audience", "x");
	info = exec_plugin_info(&l, slice_of("CA"));
	assert_string_equal(info,
		"{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\","
		"\"spec\":{\"cluster\":{\"certificate-authority-data\":"
		"\"Q0E=\",\"config\":{\"audience\":\"x\"},\"server\":"
		"\"https://s\",\"tls-server-name\":\"k\"},"
		"\"interactive\":false}}");
	free(info);
	doc_free(x.cluster);
}

static int
folder_make(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
folder_remove(void **state)
{
	char *text = xasprintf("rm -r %s", folder);
	int rc = system(text);

	(void)state;
	free(text);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_no_capabilities),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_what_it_is_given),
		cmocka_unit_test(test_it_leaves_a_child_behind),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_it_hangs),
		cmocka_unit_test(test_it_complains_without_end),
		cmocka_unit_test(test_it_is_cancelled),
		cmocka_unit_test(test_it_is_not_there),
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
