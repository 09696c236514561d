/*
 * Real connections through the XDP program: a client, the box and a backend,
 * each in a network namespace of its own, in all modes and both families.
 *
 * The program runs in native mode on veth, which asks for two things of the
 * ends: an XDP program there as well, or frames that are sent vanish, and whole
 * checksums (tx off), since a frame that never saw a wire has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tests/lib/load.h"
#include "tests/lib/steer_world.h"

#define BULK         (1 << 20)
#define DATAGRAM     4000 /* three fragments */
#define SECONDS      10

enum place { BOX, CLIENT, BACKEND, PLACES };

static struct gateway_bpf *gateway;
static int places[PLACES]; /* network namespaces */
static unsigned to_client, to_backend; /* interfaces of the box */

static const uint8_t mac_box[6] = { 2, 0, 0, 0, 5, 2 };
static const uint8_t mac_backend[6] = { 2, 0, 0, 0, 5, 3 };

/* ---- the namespaces */

static void
go_to(enum place place)
{
	if (setns(places[place], CLONE_NEWNET) != 0) {
		perror("setns");
		exit(1);
	}
}

static void __attribute__((format(printf, 2, 3)))
command(enum place place, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	go_to(place);
	if (system(text) != 0) {
		fprintf(stderr, "failed: %s\n", text);
		exit(1);
	}
	go_to(BOX);
}

static int
place_new(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd;
}

static void
pass_attach(enum place place, const char *name)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, 2, NULL);

	go_to(place);
	if (fd < 0 ||
		bpf_xdp_attach((int)if_nametoindex(name), fd,
			XDP_FLAGS_DRV_MODE, NULL) != 0) {
		perror("a program that passes all");
		exit(1);
	}
	go_to(BOX);
}

static void
links_make(void)
{
	command(BOX, "ip link set lo up;"
		"ip link add g0 address 2:0:0:0:5:0 type veth "
		"peer name c0 address 2:0:0:0:5:1 &&"
		"ip link add g1 address 2:0:0:0:5:2 type veth "
		"peer name b0 address 2:0:0:0:5:3");
	command(BOX, "ip link set c0 netns /proc/%d/fd/%d &&"
		"ip link set b0 netns /proc/%d/fd/%d",
		getpid(), places[CLIENT], getpid(), places[BACKEND]);
	command(BOX, "ip link set g0 up && ip link set g1 up &&"
		"ip addr add 10.1.0.1/24 dev g0 &&"
		"ip addr add 10.2.0.1/24 dev g1 &&"
		"ip addr add fd01::1/64 dev g0 nodad &&"
		"ip addr add fd02::1/64 dev g1 nodad &&"
		"sysctl -qw net.ipv4.ip_forward=1 "
		"net.ipv6.conf.all.forwarding=1 "
		"net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.g1.rp_filter=0");
	command(CLIENT, "ip link set lo up && ip link set c0 up &&"
		"ip addr add 10.1.0.2/24 dev c0 &&"
		"ip addr add fd01::2/64 dev c0 nodad &&"
		"ip route add default via 10.1.0.1 &&"
		"ip -6 route add default via fd01::1 &&"
		"ethtool -K c0 tx off >/dev/null");
	command(BACKEND, "ip link set lo up && ip link set b0 up &&"
		"ip addr add 10.2.0.2/24 dev b0 &&"
		"ip addr add fd02::2/64 dev b0 nodad &&"
		"ip addr add 198.51.100.10/32 dev lo &&"
		"ip addr add 2001:db8::10/128 dev lo nodad &&"
		"ip route add default via 10.2.0.1 &&"
		"ip -6 route add default via fd02::1 &&"
		"ethtool -K b0 tx off >/dev/null");
	pass_attach(CLIENT, "c0");
	pass_attach(BACKEND, "b0");
}

/* ---- the services: those of the world, with a backend that is there */

static void
backend_put(const struct world_service *s, uint16_t port, uint16_t mtu)
{
	bool is4 = strchr(s->ip, '.') != NULL;
	struct gg_backend b = { .port_be = htons(port),
		.slot = (uint16_t)s->slot,
		.ifindex = to_backend,
		.mtu = mtu };

	world_address(is4 ? "::ffff:10.2.0.2" : "fd02::2", b.ip);
	world_address(is4 ? "::ffff:10.2.0.1" : "fd02::1", b.source_ip);
	memcpy(b.to_mac, mac_backend, 6);
	memcpy(b.from_mac, mac_box, 6);
	world_backend(s->slot, &b);
	if (s->mode == GG_MODE_ROUTE)
		world_reverse(s, &b);
}

static const struct world_service *
service_get(uint32_t slot)
{
	const struct world_service *s = world_services;

	while (s->slot != slot)
		s++;
	return s;
}

static void
program_attach(const char *name, unsigned *ifindex)
{
	struct bpf_devmap_val way = { 0 };
	int rc;

	*ifindex = if_nametoindex(name);
	way.ifindex = *ifindex;
	world_put(gateway->maps.gg_tx, *ifindex, &way);
	rc = bpf_xdp_attach((int)*ifindex,
		bpf_program__fd(gateway->progs.gg_gateway), XDP_FLAGS_DRV_MODE,
		NULL);
	if (rc != 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(-rc));
		exit(1);
	}
}

/* ---- a backend that gives back what it gets */

static void *
echo_stream(void *fd_as_pointer)
{
	int fd = (int)(intptr_t)fd_as_pointer;
	char data[65536];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0) {
		for (ssize_t sent = 0, m; sent < n; sent += m) {
			m = send(fd, data + sent, (size_t)(n - sent),
				MSG_NOSIGNAL);
			if (m <= 0)
				break;
		}
	}
	close(fd);
	return NULL;
}

static void *
echo_accept(void *fd_as_pointer)
{
	int fd = (int)(intptr_t)fd_as_pointer, one;
	pthread_t thread;

	while ((one = accept(fd, NULL, NULL)) >= 0) {
		pthread_create(&thread, NULL, echo_stream,
			(void *)(intptr_t)one);
		pthread_detach(thread);
	}
	return NULL;
}

static void *
echo_datagrams(void *fd_as_pointer)
{
	int fd = (int)(intptr_t)fd_as_pointer;
	struct sockaddr_in6 from;
	socklen_t length = sizeof(from);
	char data[65536];
	ssize_t n;

	while ((n = recvfrom(fd, data, sizeof(data), 0,
			(struct sockaddr *)&from, &length)) >= 0)
		sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from,
			length);
	return NULL;
}

static int
socket_of(int type, const char *ip, uint16_t port, struct sockaddr_in6 *address)
{
	struct timeval patience = { .tv_sec = SECONDS };
	const int one = 1;
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	memset(address, 0, sizeof(*address));
	address->sin6_family = AF_INET6;
	address->sin6_port = htons(port);
	inet_pton(AF_INET6, ip, &address->sin6_addr);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (port == 0 || type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			sizeof(patience));
	return fd;
}

static void
serve(int type, const char *ip, uint16_t port)
{
	struct sockaddr_in6 address;
	pthread_t thread;
	int fd;

	go_to(BACKEND);
	fd = socket_of(type, ip, port, &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		(type == SOCK_STREAM && listen(fd, 16) != 0)) {
		perror(ip);
		exit(1);
	}
	pthread_create(&thread, NULL,
		type == SOCK_STREAM ? echo_accept : echo_datagrams,
		(void *)(intptr_t)fd);
	pthread_detach(thread);
	go_to(BOX);
}

static void
backend_serve(void)
{
	serve(SOCK_STREAM, "::", 80); /* dsr-l2: at the service's address */
	serve(SOCK_STREAM, "::", 8080);
	serve(SOCK_DGRAM, "::ffff:198.51.100.10", 53);
	serve(SOCK_DGRAM, "2001:db8::10", 53);
	serve(SOCK_DGRAM, "::ffff:10.2.0.2", 8080);
	serve(SOCK_DGRAM, "fd02::2", 8080);
}

/* ---- clients */

static int
client_connect(const struct world_service *s)
{
	int type = s->l4_proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
	struct timeval patience = { .tv_sec = SECONDS };
	struct sockaddr_in6 address;
	int fd;

	go_to(CLIENT);
	fd = socket_of(type, s->ip, s->port, &address);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail_msg("slot %u: connect: %s", s->slot, strerror(errno));
	go_to(BOX);
	return fd;
}

struct bulk {
	int fd;
	uint8_t *data;
};

static void *
bulk_send(void *argument)
{
	const struct bulk *b = argument;

	for (size_t sent = 0; sent < BULK;) {
		ssize_t n = send(b->fd, b->data + sent, BULK - sent,
			MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	shutdown(b->fd, SHUT_WR);
	return NULL;
}

/* A megabyte there and back. */
static void
stream_check(uint32_t slot)
{
	struct bulk b = { .fd = client_connect(service_get(slot)) };
	uint8_t *back = xmalloc(BULK + 1);
	size_t got = 0;
	pthread_t thread;
	ssize_t n;

	b.data = xmalloc(BULK);
	for (size_t i = 0; i < BULK; i++)
		b.data[i] = (uint8_t)(i * 2654435761u >> 24);
	pthread_create(&thread, NULL, bulk_send, &b);
	while ((n = recv(b.fd, back + got, BULK + 1 - got, 0)) > 0)
		got += (size_t)n;
	pthread_join(thread, NULL);
	if (n < 0)
		fail_msg("slot %u: after %zu bytes: %s", slot, got,
			strerror(errno));
	assert_int_equal(got, BULK);
	assert_memory_equal(back, b.data, BULK);
	close(b.fd);
	free(back);
	free(b.data);
}

static void
datagram_check(uint32_t slot, size_t size)
{
	int fd = client_connect(service_get(slot));
	uint8_t out[DATAGRAM], back[DATAGRAM + 1];
	ssize_t n;

	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(i + slot);
	assert_int_equal(send(fd, out, size, 0), size);
	n = recv(fd, back, sizeof(back), 0);
	if (n < 0)
		fail_msg("slot %u: %zu bytes: %s", slot, size, strerror(errno));
	assert_int_equal(n, size);
	assert_memory_equal(back, out, size);
	close(fd);
}

static void
nothing_was_dropped(uint32_t slot)
{
	for (int r = GG_REASON_drop_denied; r < GG_REASON_COUNT; r++)
		assert_int_equal(world_count(slot, (enum gg_reason)r), 0);
}

/* ---- tests */

static void
mode_check(uint32_t tcp4, uint32_t udp4, uint32_t tcp6, uint32_t udp6)
{
	const uint32_t slots[] = { tcp4, tcp6, udp4, udp6 };

	for (int i = 0; i < 2; i++) {
		stream_check(slots[i]);
		assert_true(world_count(slots[i], GG_REASON_forward_syn) > 0);
	}
	for (int i = 2; i < 4; i++) {
		datagram_check(slots[i], 100);
		datagram_check(slots[i], DATAGRAM);
		assert_true(world_count(slots[i],
				    GG_REASON_forward_fragment) >= 2);
	}
	for (int i = 0; i < 4; i++)
		nothing_was_dropped(slots[i]);
}

static void
test_dsr_l2(void **state)
{
	(void)state;
	mode_check(64, 65, 66, 67);
}

static void
test_route(void **state)
{
	(void)state;
	mode_check(68, 69, 70, 71);
	for (uint32_t slot = 68; slot < 72; slot++)
		assert_true(world_count(slot, GG_REASON_forward_reverse) > 0);
}

static void
test_nat(void **state)
{
	(void)state;
	mode_check(72, 73, 74, 75);
	for (uint32_t slot = 72; slot < 76; slot++)
		assert_true(world_count(slot, GG_REASON_forward_reverse) > 0);
}

/* The backend's "port unreachable" reaches the client as the service's. */
static void
test_errors_reach_the_client(void **state)
{
	static const uint32_t slots[] = { 69, 71, 73, 75 };

	(void)state;
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		const struct world_service *s = service_get(slots[i]);
		char byte = 1;
		int fd;

		backend_put(s, 8099, 0);
		fd = client_connect(s);
		assert_int_equal(send(fd, &byte, 1, 0), 1);
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		if (errno != ECONNREFUSED)
			fail_msg("slot %u: %s", s->slot, strerror(errno));
		assert_int_equal(world_count(s->slot, GG_REASON_forward_icmp),
			1);
		close(fd);
	}
}

/* A sender that is told of the smaller MTU sends smaller segments. */
static void
test_too_big_is_heeded(void **state)
{
	static const uint32_t slots[] = { 64, 66, 68, 70, 72, 74 };

	(void)state;
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		backend_put(service_get(slots[i]), 8080, 1300);
		stream_check(slots[i]);
		nothing_was_dropped(slots[i]);
	}
	/* Both services of a family share the address that was told of. */
	assert_true(world_count(64, GG_REASON_answer_too_big) > 0);
	assert_true(world_count(66, GG_REASON_answer_too_big) > 0);
}

static void
services_put(void)
{
	for (const struct world_service *s = world_services; s->ip != NULL;
		s++) {
		if (s->slot < 76)
			backend_put(s, 8080, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dsr_l2),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_errors_reach_the_client),
		cmocka_unit_test(test_too_big_is_heeded),
	};

	load_quietly();
	for (int i = PLACES; i-- > 0;)
		places[i] = place_new();
	if (places[BOX] < 0) {
		printf("skipped: cannot make network namespaces: %s\n",
			strerror(errno));
		return EXIT_SKIPPED;
	}
	gateway = world_open();
	if (gateway == NULL)
		return load_failed();
	links_make();
	program_attach("g0", &to_client);
	program_attach("g1", &to_backend);
	services_put();
	backend_serve();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
