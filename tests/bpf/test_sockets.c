/*
 * Which listening socket a new connection gets: the programs of sockets.bpf.c,
 * loaded as control does it, with real connections over the loopback device of
 * a network namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/binds.h"
#include "fastpath/queues.h"
#include "fastpath/sockets.h"
#include "net/listener.h"
#include "tests/lib/child.h"
#include "tests/lib/command.h"
#include "tests/lib/load.h"
#include "tests/lib/netns.h"

#define WORKERS      2
#define SLOT         3
#define PORT         8080
#define GRACE_MS     20   /* that no more come */
#define COME_MS      5000 /* that those come which must */

static struct netns netns;

/* ---- the lab */

static int
lab_open(void **state)
{
	(void)state;
	return command("ip link set lo up &&"
		       "ip route add local 10.66.0.0/16 dev lo &&"
		       "ip -6 route add local fd66::/64 dev lo");
}

static bool
pin_exists(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/sockets/%s", netns.pin_path, name);
	return access(path, F_OK) == 0;
}

static int
pinned(const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/sockets/%s", netns.pin_path, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

struct workers { /* the sockets of a listener */
	struct addr addr;
	int fds[GG_WORKERS_MAX];
	size_t count;
};

static void
group_open(struct workers *g, const char *ip, uint16_t port, size_t count)
{
	struct error err = ERROR_INIT;

	assert_int_equal(addr_parse_ip(ip, port, &g->addr), 0);
	g->count = count;
	if (listener_open(&g->addr, g->fds, count, &err) != 0)
		fail_msg("%s", err.text);
}

static void
group_close(struct workers *g)
{
	while (g->count > 0)
		close(g->fds[--g->count]);
}

static struct sockets_bind
bind_of(const char *prefix, uint16_t first, uint16_t last)
{
	struct sockets_bind b = { .first_port = first, .last_port = last };
	struct error err = ERROR_INIT;

	assert_int_equal(addr_prefix_parse(prefix, &b.prefix, &err), 0);
	return b;
}

static struct sockets_listener
listener(uint32_t slot, const struct workers *g, const struct sockets_bind *binds,
	size_t bind_count)
{
	return (struct sockets_listener){ slot, g->addr, g->fds, g->count,
		binds, bind_count };
}

static void
set_fine(struct sockets *s, const struct sockets_listener *set, size_t count,
	bool by_cpu)
{
	struct error err = ERROR_INIT;

	if (sockets_set(s, set, count, by_cpu, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(sockets_problem(s), "");
}

/* A connection; -1 and errno. */
static int
connect_to(const char *ip, uint16_t port)
{
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t length;
	int fd;

	assert_int_equal(addr_parse_ip(ip, port, &a), 0);
	length = addr_to_sockaddr(&a, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&ss, length) == 0)
		return fd;
	close(fd);
	return -1;
}

/* How many connections wait in these sockets; they are taken. The last step of
 * a handshake may still be under way when connect() has returned, so as many as
 * are wanted are waited for. */
static unsigned
accept_any(const int *fds, size_t fd_count, unsigned want)
{
	struct pollfd waiting[GG_WORKERS_MAX];
	unsigned count = 0;
	int one;

	for (size_t i = 0; i < fd_count; i++)
		waiting[i] = (struct pollfd){ fds[i], POLLIN, 0 };
	while (poll(waiting, fd_count, count < want ? COME_MS : GRACE_MS) > 0) {
		for (size_t i = 0; i < fd_count; i++) {
			if (waiting[i].revents == 0)
				continue;
			one = accept(fds[i], NULL, NULL);
			if (one < 0)
				return count;
			close(one);
			count++;
		}
	}
	return count;
}

static unsigned
accept_all(int fd, unsigned want)
{
	return accept_any(&fd, 1, want);
}

static void
connect_some(const char *ip, uint16_t port, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int fd = connect_to(ip, port);

		if (fd < 0)
			fail_msg("%s port %u: %s", ip, port, strerror(errno));
		close(fd);
	}
}

static int
accept_one(const struct workers *g)
{
	struct pollfd waiting[WORKERS];

	for (size_t i = 0; i < WORKERS; i++)
		waiting[i] = (struct pollfd){ g->fds[i], POLLIN, 0 };
	assert_true(poll(waiting, WORKERS, 5000) > 0);
	return accept(waiting[0].revents != 0 ? g->fds[0] : g->fds[1], NULL,
		NULL);
}

static unsigned
accept_group(const struct workers *g, unsigned want)
{
	return accept_any(g->fds, g->count, want);
}

static void
run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void
run_anywhere(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* ---- the worker of the CPU */

static void
by_cpu(const char *ip, const char *to)
{
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers g;

	group_open(&g, ip, PORT, WORKERS);
	l = listener(SLOT, &g, NULL, 0);
	set_fine(s, &l, 1, true);
	assert_true(sockets_choose(s));
	run_on(0);
	connect_some(to, PORT, 100);
	assert_int_equal(accept_all(g.fds[0], 100), 100);
	assert_int_equal(accept_all(g.fds[1], 0), 0);
	run_on(1);
	connect_some(to, PORT, 100);
	assert_int_equal(accept_all(g.fds[0], 0), 0);
	assert_int_equal(accept_all(g.fds[1], 100), 100);

	/* By hash each gets some: 2^-99 that not. */
	set_fine(s, &l, 1, false);
	connect_some(to, PORT, 100);
	assert_in_range(accept_all(g.fds[0], 1), 1, 99);
	assert_in_range(accept_all(g.fds[1], 1), 1, 99);
	run_anywhere();
	sockets_close(s, true);
	group_close(&g);
}

static void
test_by_cpu(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		print_message("skipped: there is one CPU\n");
		skip();
	}
	by_cpu("127.0.0.1", "127.0.0.1");
	by_cpu("::1", "::1");
	by_cpu("::", "127.0.0.1");
	by_cpu("::", "::1");
}

static void
test_a_dead_worker_refuses_nothing(void **state)
{
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers g;

	(void)state;
	group_open(&g, "127.0.0.1", PORT, WORKERS);
	l = listener(SLOT, &g, NULL, 0);
	set_fine(s, &l, 1, true);
	close(g.fds[0]);
	run_on(0);
	connect_some("127.0.0.1", PORT, 100);
	assert_int_equal(accept_all(g.fds[1], 100), 100);
	run_anywhere();
	sockets_close(s, true);
	close(g.fds[1]);
}

/* One that ends before it accepted. */
static void
test_a_closed_listener_hands_over_what_waits(void **state)
{
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers g;
	unsigned rest;
	int clients[100];
	char byte;

	(void)state;
	must("echo 0 > /proc/sys/net/ipv4/tcp_migrate_req");
	group_open(&g, "127.0.0.1", PORT, WORKERS);
	l = listener(SLOT, &g, NULL, 0);
	set_fine(s, &l, 1, false);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = connect_to("127.0.0.1", PORT);
		assert_true(clients[i] >= 0);
	}
	close(g.fds[0]);
	rest = accept_all(g.fds[1], 100);
	assert_int_equal(rest, 100);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		/* accept_all() has closed it in order; none was reset. */
		assert_int_equal(recv(clients[i], &byte, 1, 0), 0);
		close(clients[i]);
	}
	sockets_close(s, true);
	close(g.fds[1]);
}

static void
test_another_count_of_workers(void **state)
{
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers g, more;
	int map;
	uint64_t cookie;
	uint32_t key = GG_SOCKET_KEY(SLOT, 1);

	(void)state;
	group_open(&g, "127.0.0.1", PORT, 2);
	l = listener(SLOT, &g, NULL, 0);
	set_fine(s, &l, 1, true);
	map = pinned("gg_socket");
	assert_int_equal(bpf_map_lookup_elem(map, &key, &cookie), 0);

	/* Less: the other one is not chosen any more, and loses nothing. */
	l.fd_count = 1;
	set_fine(s, &l, 1, true);
	assert_int_not_equal(bpf_map_lookup_elem(map, &key, &cookie), 0);
	connect_some("127.0.0.1", PORT, 50);
	assert_int_equal(accept_all(g.fds[0], 50), 50);

	group_open(&more, "127.0.0.1", PORT, 4);
	l = listener(SLOT, &more, NULL, 0);
	set_fine(s, &l, 1, true);
	run_on(0);
	connect_some("127.0.0.1", PORT, 50);
	assert_int_equal(accept_all(more.fds[0], 50), 50);
	run_anywhere();
	close(map);
	sockets_close(s, true);
	group_close(&g);
	group_close(&more);
}

/* ---- additional addresses */

static void
test_many_addresses_to_one_listener(void **state)
{
	const struct sockets_bind binds[] = {
		bind_of("10.66.0.0/24", 80, 80),
		bind_of("10.66.0.7", 8000, 8099),
		bind_of("fd66::/64", 80, 80),
	};
	struct sockets *s = sockets_open(netns.pin_path, -1);
	uint64_t connections, no_socket;
	struct sockets_listener l;
	struct sockaddr_storage ss;
	socklen_t length = sizeof(ss);
	struct addr at;
	struct workers g;
	char ip[32];
	int fd, client;

	(void)state;
	group_open(&g, "::", PORT, WORKERS);
	l = listener(SLOT, &g, binds, 3);
	set_fine(s, &l, 1, false);
	assert_true(sockets_link(s) >= 0);
	assert_true(pin_exists("link"));
	for (int i = 1; i < 255; i++) {
		snprintf(ip, sizeof(ip), "10.66.0.%d", i);
		connect_some(ip, 80, 2);
	}
	assert_int_equal(accept_group(&g, 508), 508);
	for (uint16_t port = 8000; port < 8100; port++)
		connect_some("10.66.0.7", port, 1);
	assert_int_equal(accept_group(&g, 100), 100);
	connect_some("fd66::1:2", 80, 10);
	assert_int_equal(accept_group(&g, 10), 10);
	sockets_bind_count(s, &binds[0], &connections, &no_socket);
	assert_int_equal(connections, 508);
	sockets_bind_count(s, &binds[1], &connections, &no_socket);
	assert_int_equal(connections, 100);
	sockets_bind_count(s, &binds[2], &connections, &no_socket);
	assert_int_equal(connections, 10);
	assert_int_equal(no_socket, 0);

	/* What it was meant for can be asked. */
	client = connect_to("10.66.0.9", 80);
	assert_true(client >= 0);
	fd = accept_one(&g);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &length), 0);
	addr_from_sockaddr(&at, (struct sockaddr *)&ss);
	assert_string_equal(addr_format(&at, ip), "10.66.0.9:80");
	close(fd);
	close(client);

	/* Not named: not steered. */
	assert_int_equal(connect_to("10.66.0.8", 8000), -1);
	assert_int_equal(errno, ECONNREFUSED);
	sockets_close(s, true);
	group_close(&g);
}

static void
test_the_longest_prefix_counts(void **state)
{
	const struct sockets_bind wide[] = { bind_of("10.66.0.0/16", 80, 81) };
	const struct sockets_bind narrow[] = { bind_of("10.66.1.0/24", 80,
		80) };
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener set[3];
	struct workers a, b, exact;

	(void)state;
	group_open(&a, "::", 8080, 1);
	group_open(&b, "::", 8081, 1);
	/* Its own address is within another's: it stays its own. */
	group_open(&exact, "10.66.1.1", 81, 1);
	set[0] = listener(1, &a, wide, 1);
	set[1] = listener(2, &b, narrow, 1);
	set[2] = listener(3, &exact, NULL, 0);
	set_fine(s, set, 3, false);
	connect_some("10.66.0.1", 80, 5);
	connect_some("10.66.1.1", 80, 7);
	connect_some("10.66.1.1", 81, 9);
	connect_some("10.66.1.2", 81, 11);
	assert_int_equal(accept_group(&a, 5 + 11), 5 + 11);
	assert_int_equal(accept_group(&b, 7), 7);
	assert_int_equal(accept_group(&exact, 9), 9);

	/* The narrow one goes, and comes to the same listener as the wide. */
	set_fine(s, set, 1, false);
	connect_some("10.66.1.1", 80, 3);
	assert_int_equal(accept_group(&a, 3), 3);
	set[0].binds = (const struct sockets_bind[]){ wide[0], narrow[0] };
	set[0].bind_count = 2;
	set_fine(s, set, 1, false);
	set[0].binds = narrow;
	set[0].bind_count = 1;
	set_fine(s, set, 1, false);
	connect_some("10.66.1.1", 80, 3);
	assert_int_equal(accept_group(&a, 3), 3);
	assert_int_equal(connect_to("10.66.0.1", 80), -1);
	sockets_close(s, true);
	group_close(&a);
	group_close(&b);
	group_close(&exact);
}

static void
test_a_dead_listener_falls_through(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct sockets *s = sockets_open(netns.pin_path, -1);
	uint64_t connections, no_socket;
	struct workers g, other;
	struct sockets_listener l;

	(void)state;
	group_open(&g, "::", PORT, WORKERS);
	l = listener(SLOT, &g, &b, 1);
	set_fine(s, &l, 1, false);
	connect_some("10.66.0.1", 80, 1);
	group_close(&g);
	assert_int_equal(connect_to("10.66.0.1", 80), -1);
	assert_int_equal(errno, ECONNREFUSED);
	group_open(&other, "10.66.0.1", 80, 1);
	connect_some("10.66.0.1", 80, 4);
	assert_int_equal(accept_group(&other, 4), 4);
	sockets_bind_count(s, &b, &connections, &no_socket);
	assert_int_equal(connections, 1);
	assert_int_equal(no_socket, 5);
	sockets_close(s, true);
	group_close(&other);
}

static void
test_listeners_are_swapped_under_connections(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers now, next;
	unsigned got = 0;

	(void)state;
	group_open(&now, "::", 9000, WORKERS);
	l = listener(1, &now, &b, 1);
	set_fine(s, &l, 1, true);
	for (unsigned i = 1; i <= 200; i++) {
		/* Another address and slot, then the same again. */
		group_open(&next, "::", (uint16_t)(9000 + i / 2), WORKERS);
		l = listener(1 + i % 60, &next, &b, 1);
		set_fine(s, &l, 1, true);
		connect_some("10.66.0.1", 80, 3);
		/* Those of the last time. */
		got += accept_group(&now, i == 1 ? 0 : 3);
		group_close(&now);
		now = next;
	}
	got += accept_group(&now, 3);
	assert_int_equal(got, 600);
	sockets_close(s, true);
	group_close(&now);
}

static void
test_more_binds_than_fit(void **state)
{
	struct sockets_bind b = bind_of("10.66.0.0/24", 1, GG_BINDS_MAX + 1);
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct error err = ERROR_INIT;
	struct sockets_listener l;
	struct workers g;

	(void)state;
	group_open(&g, "::", PORT, 1);
	l = listener(SLOT, &g, &b, 1);
	assert_int_equal(sockets_set(s, &l, 1, false, &err), -1);
	assert_non_null(strstr(err.text, "more than 4096"));
	b.last_port = GG_BINDS_MAX;
	set_fine(s, &l, 1, false);
	connect_some("10.66.0.1", GG_BINDS_MAX, 1);
	/* Full, and every entry another one. */
	b = bind_of("10.66.1.0/24", 1, GG_BINDS_MAX);
	set_fine(s, &l, 1, false);
	connect_some("10.66.1.1", GG_BINDS_MAX, 1);
	assert_int_equal(connect_to("10.66.0.1", GG_BINDS_MAX), -1);
	assert_int_equal(accept_group(&g, 2), 2);
	l.slot = GG_LISTENERS_MAX;
	assert_int_equal(sockets_set(s, &l, 1, false, &err), -1);
	sockets_close(s, true);
	group_close(&g);
}

/* ---- without a daemon, and with the next one */

static void
test_goes_on_without_a_daemon(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	uint64_t connections, no_socket;
	struct sockets_listener l;
	struct sockets *s;
	struct workers g;
	int status;
	pid_t pid;

	(void)state;
	group_open(&g, "::", PORT, WORKERS);
	l = listener(SLOT, &g, &b, 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct error err = ERROR_INIT;

		s = sockets_open(netns.pin_path, -1);
		if (sockets_set(s, &l, 1, false, &err) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	connect_some("10.66.0.1", 80, 6);
	assert_int_equal(accept_group(&g, 6), 6);

	/* The next one takes over what counts on. */
	s = sockets_open(netns.pin_path, -1);
	set_fine(s, &l, 1, false);
	connect_some("10.66.0.1", 80, 2);
	assert_int_equal(accept_group(&g, 2), 2);
	sockets_bind_count(s, &b, &connections, &no_socket);
	assert_int_equal(connections, 8);

	/* Nothing is wanted any more: nothing is left but the maps. */
	l.bind_count = 0;
	set_fine(s, &l, 1, false);
	assert_int_equal(sockets_link(s), -1);
	assert_false(pin_exists("link"));
	assert_int_equal(connect_to("10.66.0.1", 80), -1);
	sockets_close(s, true);
	assert_false(pin_exists(""));
	group_close(&g);
}

/* As systemd does it over a restart: the pins go, a descriptor stays. */
static void
test_a_link_that_somebody_holds_goes_on(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers g;
	int held;

	(void)state;
	group_open(&g, "::", PORT, 1);
	l = listener(SLOT, &g, &b, 1);
	set_fine(s, &l, 1, false);
	held = dup(sockets_link(s));
	sockets_close(s, true);
	assert_false(pin_exists("link"));
	connect_some("10.66.0.1", 80, 2);
	s = sockets_open(netns.pin_path, held);
	connect_some("10.66.0.1", 80, 2);
	set_fine(s, &l, 1, false);
	assert_true(pin_exists("link"));
	connect_some("10.66.0.1", 80, 2);
	assert_int_equal(accept_group(&g, 6), 6);
	sockets_close(s, true);
	assert_int_equal(connect_to("10.66.0.1", 80), -1);
	group_close(&g);
}

static void
test_a_detached_link_is_repaired(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct sockets_listener l;
	struct workers g;

	(void)state;
	group_open(&g, "::", PORT, 1);
	l = listener(SLOT, &g, &b, 1);
	set_fine(s, &l, 1, false);
	assert_false(sockets_repair(s));
	assert_int_equal(bpf_link_detach(sockets_link(s)), 0);
	assert_int_equal(connect_to("10.66.0.1", 80), -1);
	assert_true(sockets_repair(s));
	connect_some("10.66.0.1", 80, 1);
	assert_false(sockets_repair(s));
	sockets_close(s, true);
	group_close(&g);
}

/* A kernel that refuses the one has the other all the same: here its list of
 * such programs is full. */
static void
test_lookup_refused_alone(void **state)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = SK_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		.expected_attach_type = BPF_SK_LOOKUP);
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	int program = bpf_prog_load(BPF_PROG_TYPE_SK_LOOKUP, "other", "GPL",
		insns, 2, &options);
	int network = open("/proc/self/ns/net", O_RDONLY), others[128];
	struct sockets *s = sockets_open(netns.pin_path, -1);
	struct error err = ERROR_INIT;
	struct sockets_listener l;
	struct workers g;
	size_t count = 0;

	(void)state;
	assert_true(program >= 0);
	while (count < ARRAY_SIZE(others) &&
		(others[count] = bpf_link_create(program, network,
			 BPF_SK_LOOKUP, NULL)) >= 0)
		count++;
	assert_in_range(count, 1, ARRAY_SIZE(others) - 1);
	group_open(&g, "::", PORT, WORKERS);
	l = listener(SLOT, &g, &b, 1);
	assert_int_equal(sockets_set(s, &l, 1, true, &err), -1);
	assert_non_null(strstr(err.text, "the kernel cannot choose sockets"));
	assert_true(sockets_choose(s));
	assert_string_equal(sockets_problem(s), "");
	assert_int_equal(sockets_link(s), -1);
	run_on(0);
	connect_some("127.0.0.1", PORT, 20);
	assert_int_equal(accept_all(g.fds[0], 20), 20);
	run_anywhere();

	/* Asked for again, when there may be room. */
	while (count > 0)
		close(others[--count]);
	set_fine(s, &l, 1, true);
	connect_some("10.66.0.1", 80, 1);
	close(program);
	close(network);
	sockets_close(s, true);
	group_close(&g);
}

static void
test_pins_of_another_shape(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct sockets_listener l;
	struct sockets *s;
	struct workers g;
	char path[160];
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, GG_MAP_BIND, 4, 8, 1,
		NULL);

	(void)state;
	must("mkdir -p %s/sockets", netns.pin_path);
	snprintf(path, sizeof(path), "%s/sockets/gg_bind", netns.pin_path);
	assert_int_equal(bpf_obj_pin(map, path), 0);
	close(map);
	group_open(&g, "::", PORT, 1);
	l = listener(SLOT, &g, &b, 1);
	s = sockets_open(netns.pin_path, -1);
	set_fine(s, &l, 1, false);
	connect_some("10.66.0.1", 80, 1);
	assert_int_equal(accept_group(&g, 1), 1);
	sockets_close(s, true);
	group_close(&g);
}

static void
test_without_bpffs(void **state)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct sockets_listener l;
	struct sockets *s;
	struct workers g;
	char elsewhere[96];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/no-bpffs", netns.folder);
	group_open(&g, "::", PORT, 1);
	l = listener(SLOT, &g, &b, 1);
	s = sockets_open(elsewhere, -1);
	set_fine(s, &l, 1, false);
	connect_some("10.66.0.1", 80, 1);
	assert_int_equal(accept_group(&g, 1), 1);
	sockets_close(s, true);
	assert_int_not_equal(access(elsewhere, F_OK), 0);
	assert_int_equal(connect_to("10.66.0.1", 80), -1);
	group_close(&g);
}

/* In a child without privileges: a sentence, and the listener listens on. */
static int
unprivileged(const void *arg)
{
	const struct sockets_bind b = bind_of("10.66.0.0/24", 80, 80);
	struct error err = ERROR_INIT;
	struct sockets_listener l;
	struct sockets *s;
	struct workers g;

	(void)arg;
	if (child_drop_privileges() != 0)
		return 2;
	group_open(&g, "::", PORT, WORKERS);
	l = listener(SLOT, &g, NULL, 0);
	s = sockets_open(netns.pin_path, -1);
	if (sockets_set(s, &l, 1, true, &err) != 0 || sockets_choose(s) ||
		strstr(sockets_problem(s), "CAP_BPF") == NULL)
		return 3;
	connect_some("127.0.0.1", PORT, 20);
	if (accept_group(&g, 20) != 20)
		return 4;
	l = listener(SLOT, &g, &b, 1);
	if (sockets_set(s, &l, 1, true, &err) == 0 ||
		strstr(err.text, "CAP_BPF") == NULL || sockets_repair(s))
		return 5;
	sockets_close(s, true);
	group_close(&g);
	return 0;
}

static void
test_without_privileges(void **state)
{
	(void)state;
	child_run(unprivileged, NULL);
}

static void
test_migration_is_switched_on(void **state)
{
	(void)state;
	must("echo 0 > /proc/sys/net/ipv4/tcp_migrate_req");
	assert_false(listener_migrates());
	assert_true(listener_migrate());
	assert_true(listener_migrates());
	assert_true(listener_migrate());
}

static void
test_queues(void **state)
{
	(void)state;
	assert_int_equal(queues_count("nosuch0"), 0);
	assert_int_equal(queues_count("lo"), 0);
	must("ip link add q0 numrxqueues 3 numtxqueues 3 "
	     "type veth peer name q1");
	assert_in_range(queues_count("q0"), 1, 3);
	command("ip link del q0");
}

/* ---- start */

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_cpu),
		cmocka_unit_test(test_a_dead_worker_refuses_nothing),
		cmocka_unit_test(test_a_closed_listener_hands_over_what_waits),
		cmocka_unit_test(test_another_count_of_workers),
		cmocka_unit_test(test_many_addresses_to_one_listener),
		cmocka_unit_test(test_the_longest_prefix_counts),
		cmocka_unit_test(test_a_dead_listener_falls_through),
		cmocka_unit_test(test_listeners_are_swapped_under_connections),
		cmocka_unit_test(test_more_binds_than_fit),
		cmocka_unit_test(test_goes_on_without_a_daemon),
		cmocka_unit_test(test_a_link_that_somebody_holds_goes_on),
		cmocka_unit_test(test_a_detached_link_is_repaired),
		cmocka_unit_test(test_lookup_refused_alone),
		cmocka_unit_test(test_pins_of_another_shape),
		cmocka_unit_test(test_without_bpffs),
		cmocka_unit_test(test_without_privileges),
		cmocka_unit_test(test_migration_is_switched_on),
		cmocka_unit_test(test_queues),
	};
	int rc;

	if (netns_open(&netns) != 0 ||
		netns_needs(&netns, load_map(BPF_MAP_TYPE_SOCKMAP),
			"map of sockets may be made") != 0)
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, lab_open, NULL);
	netns_close(&netns);
	return rc;
}
