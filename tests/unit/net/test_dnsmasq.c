/*
 * The resolver and names that are kept resolved against a real name server:
 * dnsmasq. Skipped where it is not installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/watched_name.h"

#define HOSTS    50
#define GUARD_MS 20000

static struct loop *loop;
static struct resolver *resolver;
static struct watched_name *name;
static struct str told;
static size_t changes;
static pid_t server;
static char port[8], where[32], hosts[] = "/tmp/test-dnsmasq-XXXXXX";
static const char *address; /* that dnsmasq listens at */

/* ---- dnsmasq */

static unsigned
port_free(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		getsockname(fd, (struct sockaddr *)&sin, &length) < 0)
		fail_msg("no port");
	close(fd);
	return ntohs(sin.sin_port);
}

static void
hosts_write(const char *text)
{
	FILE *f = fopen(hosts, "w");

	assert_non_null(f);
	for (unsigned i = 1; i <= HOSTS; i++)
		fprintf(f, "10.9.2.%u fifty.test\n", i);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
server_run(void)
{
	char port_flag[32], hosts_flag[64], address_flag[48];

	snprintf(address_flag, sizeof(address_flag), "--listen-address=%s",
		address);
	snprintf(port_flag, sizeof(port_flag), "--port=%s", port);
	snprintf(hosts_flag, sizeof(hosts_flag), "--addn-hosts=%s", hosts);
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(126);
	execlp("dnsmasq", "dnsmasq", "--keep-in-foreground", "--no-resolv",
		"--no-hosts", "--conf-file=/dev/null",
		"--pid-file=", "--log-facility=-", address_flag,
		"--bind-interfaces", "--user=root", "--local=/test/",
		"--local-ttl=1", "--max-cache-ttl=1",
		"--srv-host=_http._tcp.web.test,a.test,8001,1,10",
		"--srv-host=_http._tcp.web.test,b.test,8002,1,30",
		"--srv-host=_http._tcp.web.test,c.test,8003,2,0",
		"--srv-host=_none._tcp.web.test", "--cname=alias.test,a.test",
		port_flag, hosts_flag, (char *)NULL);
	_exit(127);
}

static void
server_start(void)
{
	server = fork();
	assert_true(server >= 0);
	if (server == 0)
		server_run();
}

static void
server_stop(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
}

static bool
server_is_there(void)
{
	return system("command -v dnsmasq > /dev/null 2>&1") == 0 &&
	       geteuid() == 0;
}

/* ---- */

static int
setup(void **state)
{
	struct error err = ERROR_INIT;
	int fd = mkstemp(hosts);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	str_init(&told);
	changes = 0;
	snprintf(port, sizeof(port), "%u", port_free());
	address = "127.0.0.1";
	snprintf(where, sizeof(where), "127.0.0.1:%s", port);
	loop = loop_new();
	resolver = resolver_new(loop, where, NULL, &err);
	return resolver == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	server_stop();
	watched_name_free(name);
	name = NULL;
	resolver_free(resolver);
	loop_free(loop);
	str_fini(&told);
	unlink(hosts);
	memcpy(hosts + strlen(hosts) - 6, "XXXXXX", 6);
	return 0;
}

static void
on_state(const struct watched_state *s, void *arg)
{
	char text[ADDR_TEXT_MAX];

	(void)arg;
	changes++;
	str_clear(&told);
	for (size_t i = 0; i < s->count; i++) {
		if (s->targets[i].host == NULL)
			str_printf(&told, "%s ",
				addr_format_ip(&s->targets[i].addr, text));
		else
			str_printf(&told, "%u/%u %s(%s) ",
				s->targets[i].priority, s->targets[i].weight,
				addr_format(&s->targets[i].addr, text),
				s->targets[i].host);
	}
	str_puts(&told, s->problem == NULL       ? "well"
			: s->gone                ? "gone"
			: s->stale_since_ms != 0 ? "stale"
						 : "unknown");
	loop_stop(loop);
}

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("still \"%s\"", told.data);
}

static void
becomes(const char *want)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	loop_timer_start(guard, GUARD_MS);
	while (strcmp(told.data, want) != 0)
		loop_run(loop);
	loop_timer_free(guard);
}

static void
watch(const char *text, enum watched_type type)
{
	watched_name_free(name);
	str_clear(&told);
	name = watched_name_new(resolver, text, type, on_state, NULL);
}

#define SKIP_WITHOUT_DNSMASQ                                                   \
	do {                                                                   \
		if (!server_is_there())                                        \
			skip();                                                \
	} while (0)

static void
test_answers(void **state)
{
	(void)state;
	SKIP_WITHOUT_DNSMASQ;
	hosts_write("10.9.1.1 a.test\n10.9.1.2 a.test\nfd00::1 a.test\n"
		    "10.9.1.3 b.test\n10.9.1.4 c.test\n");
	server_start();
	/* It may not listen yet. */
	watch("a.test", WATCHED_ADDRESSES);
	becomes("10.9.1.1 10.9.1.2 fd00::1 well");
	assert_int_equal(watched_name_state(name)->ttl_s, 1);
	watch("alias.test", WATCHED_ADDRESSES);
	becomes("10.9.1.1 10.9.1.2 fd00::1 well");
	watch("_http._tcp.web.test", WATCHED_SERVICES);
	becomes("1/10 10.9.1.1:8001(a.test) 1/10 10.9.1.2:8001(a.test) "
		"1/30 10.9.1.3:8002(b.test) 1/10 [fd00::1]:8001(a.test) "
		"2/0 10.9.1.4:8003(c.test) well");
	/* The target ".". */
	watch("_none._tcp.web.test", WATCHED_SERVICES);
	becomes("gone");
	/* More than a datagram of 512 bytes holds. */
	watch("fifty.test", WATCHED_ADDRESSES);
	while (told.length == 0)
		loop_run(loop);
	assert_int_equal(watched_name_state(name)->count, HOSTS);
}

/* The server's table changes, goes and comes back under a name that is asked
 * each second. */
static void
test_life(void **state)
{
	size_t before;

	(void)state;
	SKIP_WITHOUT_DNSMASQ;
	hosts_write("10.9.1.1 a.test\n");
	server_start();
	watch("a.test", WATCHED_ADDRESSES);
	becomes("10.9.1.1 well");
	hosts_write("10.9.1.2 a.test\n10.9.1.3 a.test\n");
	kill(server, SIGHUP);
	becomes("10.9.1.2 10.9.1.3 well");
	server_stop();
	becomes("10.9.1.2 10.9.1.3 stale");
	server_start();
	becomes("10.9.1.2 10.9.1.3 well");
	before = changes;
	hosts_write("");
	kill(server, SIGHUP);
	becomes("gone");
	/* What was known was not dropped at the first denial. */
	assert_true(changes >= before + 2);
	hosts_write("10.9.1.4 a.test\n");
	kill(server, SIGHUP);
	becomes("10.9.1.4 well");
}

static void
conf_write(const char *path, const char *server_address)
{
	char *next = xasprintf("%s.new", path);
	FILE *f = fopen(next, "w");

	assert_non_null(f);
	fprintf(f, "nameserver %s\n", server_address);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(next, path), 0);
	free(next);
}

/* Other servers in resolv.conf: asked at once where the former ones had
 * nothing to say, and from the next question on where they had. */
static void
test_conf_is_switched(void **state)
{
	struct error err = ERROR_INIT;
	char *conf;

	(void)state;
	SKIP_WITHOUT_DNSMASQ;
	conf = xasprintf("%s.conf", hosts);
	strcpy(port, "53");
	hosts_write("10.9.1.1 a.test\n");
	server_start();
	conf_write(conf, "127.0.0.9");
	resolver_free(resolver);
	resolver = resolver_new(loop, NULL, conf, &err);
	assert_non_null(resolver);
	watch("a.test", WATCHED_ADDRESSES);
	becomes("unknown");
	conf_write(conf, "127.0.0.1");
	becomes("10.9.1.1 well");
	server_stop();
	address = "127.0.0.2";
	hosts_write("10.9.1.2 a.test\n");
	server_start();
	conf_write(conf, "127.0.0.2");
	becomes("10.9.1.2 well");
	unlink(conf);
	free(conf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_life),
		TEST(test_conf_is_switched),
	};

	/* A network of its own, where port 53 is free. */
	if (server_is_there() && (unshare(CLONE_NEWNET) != 0 ||
					 system("ip link set lo up") != 0)) {
		puts("no network namespace can be made here");
		return 77;
	}
	setenv("LOCALDOMAIN", "", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
