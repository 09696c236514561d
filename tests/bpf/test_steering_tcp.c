/*
 * TCP connections that are real, over veth, from a client to backends in
 * network namespaces of their own, steered by the attached program: none is
 * reset while backends drain, leave and come back, and the daemon's half is
 * taken away and comes back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"
#include "fastpath/steering.h"
#include "tests/lib/command.h"
#include "tests/lib/control.h"
#include "tests/lib/load.h"
#include "tests/lib/netns.h"

#define SLOT         70
#define BACKENDS     5
#define CONNECTIONS  200
#define CHANGES      16
#define PORT         8080
#define VIP          "10.9.9.9"
#define VIP6         "fd99::9"
#define DRAIN_MS     60000
#define WAIT_MS      5000

static struct netns netns;
static pid_t servers[BACKENDS];

/* ---- namespaces: client "cl", backends "b0"... */

static int
netns_enter(const char *name)
{
	char path[64];
	int fd, rc;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = setns(fd, CLONE_NEWNET);
	close(fd);
	return rc;
}

/* What leaves an end host has its whole checksum: XDP passes it on as it is. */
static int
checksum_offload_end(const char *device)
{
	struct ethtool_value off = { .cmd = ETHTOOL_STXCSUM, .data = 0 };
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	request.ifr_data = (void *)&off;
	rc = ioctl(fd, SIOCETHTOOL, &request);
	close(fd);
	return rc;
}

/* Behind g<n> of the box, with an XDP program, without which veth drops what
 * another sends it. */
static int
host_make(const char *name, const char *device, int n)
{
	int box = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), rc;

	rc = command("ip netns add %s && ip link add g%d type veth peer name %s"
		     " netns %s && ip addr add 10.2.%d.1/24 dev g%d &&"
		     " ip addr add fd02:%d::1/64 dev g%d nodad &&"
		     " ip link set g%d up && ip -n %s link set lo up",
		name, n, device, name, n, n, n, n, n, name);
	if (rc == 0)
		rc = command("ip -n %s addr add 10.2.%d.2/24 dev %s &&"
			     " ip -n %s addr add fd02:%d::2/64 dev %s nodad &&"
			     " ip -n %s link set %s up &&"
			     " ip -n %s route add default via 10.2.%d.1 &&"
			     " ip -n %s route add default via fd02:%d::1 &&"
			     " ip -n %s link set dev %s xdp obj %s sec xdp"
			     " 2>/dev/null",
			name, n, device, name, n, device, name, device, name, n,
			name, n, name, device, netns.object_path);
	if (rc == 0)
		rc = netns_enter(name);
	if (rc == 0)
		rc = checksum_offload_end(device);
	setns(box, CLONE_NEWNET);
	close(box);
	return rc;
}

/* ---- a backend: answers each byte with its number */

static int
server_listen(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
		.sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 ||
		listen(fd, 1024) != 0)
		_exit(1);
	return fd;
}

static void __attribute__((noreturn))
server_run(int n, int ready)
{
	static struct pollfd at[1 + CONNECTIONS * 20];
	nfds_t count = 1;
	char byte, mine = (char)n;

	at[0] = (struct pollfd){ server_listen(), POLLIN, 0 };
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;) {
		if (poll(at, count, -1) < 0)
			_exit(1);
		for (nfds_t i = count; i-- > 1;) {
			if (at[i].revents == 0)
				continue;
			if (read(at[i].fd, &byte, 1) == 1 &&
				write(at[i].fd, &mine, 1) == 1)
				continue;
			close(at[i].fd);
			at[i] = at[--count];
		}
		if (at[0].revents != 0 && count < ARRAY_SIZE(at))
			at[count++] = (struct pollfd){
				accept(at[0].fd, NULL, NULL), POLLIN, 0
			};
	}
}

static int
server_start(int n)
{
	char name[16], byte;
	int ready[2];

	snprintf(name, sizeof(name), "b%d", n);
	if (pipe(ready) != 0)
		return -1;
	servers[n] = fork();
	if (servers[n] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		if (netns_enter(name) != 0)
			_exit(1);
		server_run(n, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	return 0;
}

static int
lab_open(void **state)
{
	char name[16], device[16];

	(void)state;
	if (command("ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward"
		    " && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding &&"
		    " echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter &&"
		    " echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter") !=
			0 ||
		host_make("cl", "c0", 9) != 0)
		return -1;
	for (int i = 0; i < BACKENDS; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		snprintf(device, sizeof(device), "d%d", i);
		if (host_make(name, device, i) != 0 ||
			command("ip -n %s addr add " VIP "/32 dev lo &&"
				" ip -n %s addr add " VIP6 "/128 dev lo nodad",
				name, name) != 0 ||
			server_start(i) != 0)
			return -1;
	}
	return 0;
}

static int
lab_close(void **state)
{
	(void)state;
	for (int i = 0; i < BACKENDS; i++) {
		if (servers[i] > 0) {
			kill(servers[i], SIGKILL);
			waitpid(servers[i], NULL, 0);
		}
		command("ip link del g%d 2>/dev/null; ip netns del b%d", i, i);
	}
	command("ip link del g9 2>/dev/null; ip netns del cl; rm -rf %s",
		netns.pin_path);
	return 0;
}

/* ---- the box */

struct world {
	struct fastpath *f;
	struct fastpath_service service;
	struct fastpath_backend backends[BACKENDS];
	bool asked[BACKENDS];
	uint64_t now_ms, random;
	int sockets[CONNECTIONS];
	int home[CONNECTIONS];
};

static void
box_open(struct world *w)
{
	static const char *const names[] = { "g9", "g0", "g1", "g2", "g3",
		"g4" };
	struct fastpath_interface_option interfaces[ARRAY_SIZE(names)];
	const struct fastpath_options options = {
		.pin_path = netns.pin_path,
		.interfaces = interfaces,
		.interface_count = ARRAY_SIZE(names),
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		interfaces[i] = (struct fastpath_interface_option){ names[i],
			FASTPATH_NATIVE };
	w->f = fastpath_open(&options);
	assert_int_equal(fastpath_state(w->f), FASTPATH_ATTACHED);
	fastpath_steering_tick(w->f, w->now_ms);
}

static void
backends_set(struct world *w)
{
	control_ask(w->f, w->service, w->backends, w->asked, BACKENDS);
}

/* Until the next hops of all are known: word of them comes by itself. */
static void
hops_wait(struct world *w)
{
	struct pollfd watch = { fastpath_watch_fd(w->f), POLLIN, 0 };
	uint64_t end = clock_monotonic_ms() + WAIT_MS;

	while (fastpath_service_state(w->f, SLOT)->unreachable > 0) {
		if (clock_monotonic_ms() > end)
			fail_msg("%s", fastpath_service_state(w->f, SLOT)
						->problem);
		if (poll(&watch, 1, 100) > 0)
			fastpath_network_changed(w->f);
		else
			fastpath_steering_tick(w->f, w->now_ms);
	}
}

static bool
is_open(const struct world *w, size_t i)
{
	return w->asked[i] && w->backends[i].state == FASTPATH_BACKEND_UP;
}

/* One leaves or drains, if two others are open, or is back. */
static void
change(struct world *w)
{
	size_t i, open = 0;

	for (i = 0; i < BACKENDS; i++)
		open += is_open(w, i);
	do {
		w->random = w->random * UINT64_C(6364136223846793005) +
			UINT64_C(1442695040888963407);
		i = (size_t)(w->random >> 33) % BACKENDS;
	} while (open <= 2 && is_open(w, i));
	if (!is_open(w, i)) {
		w->asked[i] = true;
		w->backends[i].state = FASTPATH_BACKEND_UP;
	} else if (w->random >> 63) {
		w->backends[i].state = FASTPATH_BACKEND_DRAINING;
	} else {
		w->asked[i] = false;
	}
	backends_set(w);
	hops_wait(w);
}

/* ---- the client */

/* The number of the backend that answers, -1: reset or silent. */
static int
ask(int fd)
{
	struct pollfd at = { fd, POLLIN, 0 };
	char byte = 0;

	if (write(fd, &byte, 1) != 1 || poll(&at, 1, WAIT_MS) != 1 ||
		read(fd, &byte, 1) != 1)
		return -1;
	return byte;
}

static void
counter_print(const char *reason, uint64_t packets, uint64_t bytes, void *arg)
{
	(void)bytes;
	(void)arg;
	if (packets > 0)
		print_error("%s %llu\n", reason, (unsigned long long)packets);
}

static void
connection_open(struct world *w, int n)
{
	struct sockaddr_storage to;
	socklen_t length = addr_to_sockaddr(&w->service.addr, &to);
	int box = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	const unsigned patience = WAIT_MS;

	assert_int_equal(netns_enter("cl"), 0);
	w->sockets[n] = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(box, CLONE_NEWNET), 0);
	close(box);
	setsockopt(w->sockets[n], IPPROTO_TCP, TCP_USER_TIMEOUT, &patience,
		sizeof(patience));
	if (connect(w->sockets[n], (struct sockaddr *)&to, length) != 0) {
		fastpath_counters(w->f, 0, counter_print, NULL);
		fastpath_counters(w->f, SLOT, counter_print, NULL);
		fail_msg("connect: %s", strerror(errno));
	}
	w->home[n] = ask(w->sockets[n]);
	assert_in_range(w->home[n], 0, BACKENDS - 1);
}

static void
all_answer(struct world *w, int change_number)
{
	for (int n = 0; n < CONNECTIONS; n++) {
		int home = ask(w->sockets[n]);

		if (home != w->home[n])
			fail_msg("after change %d connection %d of backend %d"
				 " is answered by %d",
				change_number, n, w->home[n], home);
	}
}

/* A few end and others begin: with those that take new ones. */
static void
some_begin(struct world *w, int change_number)
{
	for (int n = change_number % 10; n < CONNECTIONS; n += 10) {
		close(w->sockets[n]);
		connection_open(w, n);
		assert_true(w->asked[w->home[n]]);
		assert_int_equal(w->backends[w->home[n]].state,
			FASTPATH_BACKEND_UP);
	}
}

static void
churn(enum gg_mode mode, bool six)
{
	struct world *w = xcalloc(1, sizeof(*w));
	unsigned homes[BACKENDS] = { 0 };
	char ip[32];

	w->random = 5;
	w->now_ms = clock_monotonic_ms();
	w->service = (struct fastpath_service){ .slot = SLOT,
		.l4_proto = IPPROTO_TCP,
		.mode = (uint8_t)mode,
		.drain_ms = DRAIN_MS };
	addr_parse_ip(six ? VIP6 : VIP, PORT, &w->service.addr);
	for (int i = 0; i < BACKENDS; i++) {
		snprintf(ip, sizeof(ip), six ? "fd02:%d::2" : "10.2.%d.2", i);
		addr_parse_ip(ip, PORT, &w->backends[i].addr);
		w->backends[i].weight = 1;
		w->asked[i] = true;
	}
	box_open(w);
	backends_set(w);
	hops_wait(w);
	for (int n = 0; n < CONNECTIONS; n++) {
		connection_open(w, n);
		homes[w->home[n]]++;
	}
	for (int i = 0; i < BACKENDS; i++)
		assert_true(homes[i] > 0);
	for (int n = 0; n < CHANGES; n++) {
		change(w);
		all_answer(w, n);
		if (n % 4 == 2) {
			fastpath_close(w->f, false);
			all_answer(w, n);
			box_open(w);
			backends_set(w);
		}
		some_begin(w, n);
		for (int i = 0; i < 4; i++) {
			w->now_ms += DRAIN_MS / 8;
			fastpath_steering_tick(w->f, w->now_ms);
		}
		all_answer(w, n);
	}
	for (int n = 0; n < CONNECTIONS; n++)
		close(w->sockets[n]);
	fastpath_close(w->f, true);
	free(w);
}

static void
test_dsr_l2(void **state)
{
	(void)state;
	churn(GG_MODE_DSR_L2, false);
}

static void
test_nat(void **state)
{
	(void)state;
	churn(GG_MODE_NAT, false);
}

static void
test_route(void **state)
{
	(void)state;
	churn(GG_MODE_ROUTE, false);
}

static void
test_dsr_l2_ipv6(void **state)
{
	(void)state;
	churn(GG_MODE_DSR_L2, true);
}

static void
test_nat_ipv6(void **state)
{
	(void)state;
	churn(GG_MODE_NAT, true);
}

/* ---- start */

#define LAB(test) cmocka_unit_test_setup_teardown(test, lab_open, lab_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_dsr_l2),
		LAB(test_nat),
		LAB(test_route),
		LAB(test_dsr_l2_ipv6),
		LAB(test_nat_ipv6),
	};
	int rc;

	if (netns_open(&netns) != 0 ||
		netns_needs(&netns, load_map(BPF_MAP_TYPE_DEVMAP_HASH),
			"map of interfaces may be made") != 0)
		return EXIT_SKIPPED;
	signal(SIGPIPE, SIG_IGN);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
