/* Tests relayed TCP services: a proxy between a client and an endpoint that
 * are both this program. */
#include "proxy/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"
#include "tests/lib/rig.h"

#define SLOT     LISTENERS_MAX
#define UPSTREAM 10
#define WAIT_MS  RIG_WAIT_MS

static struct rig rig;
static int endpoints[2]; /* listening sockets */
static uint16_t ports[2], service_port;
static struct image_build_service service;
static struct image_build_upstream upstream;
static struct policy_breakers breakers;

/* ---- both ends */

static int
listen_any(uint16_t *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, length), 0);
	assert_int_equal(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	*port = ntohs(sin.sin_port);
	return fd;
}

static int
client_new(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(service_port);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static bool
is_readable(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, ms) > 0;
}

/* The endpoint's side of the next connection. */
static int
endpoint_accept(int i)
{
	assert_true(is_readable(endpoints[i], WAIT_MS));
	return accept4(endpoints[i], NULL, NULL, SOCK_CLOEXEC);
}

static void
put(int fd, const char *text)
{
	assert_int_equal(
		send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Exactly that text comes next. */
static void
expect(int fd, const char *text)
{
	char got[256];
	size_t length = strlen(text), at = 0;

	while (at < length) {
		ssize_t n;

		assert_true(is_readable(fd, WAIT_MS));
		n = recv(fd, got + at, length - at, 0);
		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_memory_equal(got, text, length);
}

/* 0: the end came, an errno: the connection was cut. */
static int
ending(int fd)
{
	char byte;
	ssize_t n;

	assert_true(is_readable(fd, WAIT_MS));
	n = recv(fd, &byte, 1, 0);
	assert_true(n <= 0);
	return n == 0 ? 0 : errno;
}

/* ---- the service */

static void
service_listen(void)
{
	struct wire_message m = rig_message(WIRE_LISTENER);
	struct error err = ERROR_INIT;
	int fd;

	addr_parse_ip("127.0.0.1", 0, &m.listener.addr);
	assert_int_equal(listener_open(&m.listener.addr, &fd, 1, &err), 0);
	listener_addr(fd, &m.listener.addr);
	service_port = addr_port(&m.listener.addr);
	m.listener.slot = SLOT;
	m.listener.workers = 1;
	rig_send(&rig, &m, &fd, 1);
	close(fd);
}

static void
service_enforce(void)
{
	rig.services = &service;
	rig.service_count = 1;
	rig_image(&rig, NULL, 0);
}

static void
endpoints_set(uint16_t first, uint16_t second)
{
	const struct rig_endpoint set[2] = {
		{ .port = first, .health = ENDPOINT_UP, .weight = 1 },
		{ .port = second, .health = ENDPOINT_UP, .weight = 1 },
	};

	rig_endpoints(&rig, UPSTREAM, set,
		first == 0 ? 0 : second == 0 ? 1 : 2);
}

static struct counters_listener
counters(void)
{
	struct counters_listener sum;

	counters_sum_listener(rig.counters, SLOT, &sum);
	return sum;
}

/* Waits until no relay is open; what was counted must add up. */
static void
settled(void)
{
	uint64_t until = clock_monotonic_ms() + WAIT_MS;
	struct counters_upstream u;
	struct counters_listener c;

	while (counters().connections_open > 0) {
		assert_true(clock_monotonic_ms() < until);
		poll(NULL, 0, 1);
	}
	c = counters();
	u = rig_upstream_counters(&rig, UPSTREAM);
	assert_int_equal(c.connections_accepted, c.connections_closed);
	assert_int_equal(u.connections_open, 0);
	assert_int_equal(u.requests_active, 0);
}

static int
setup(void **state)
{
	struct wire_settings settings = { .workers = 1 };

	(void)state;
	service = (struct image_build_service){ .slot = SLOT,
		.name = "gloo-system.mysql",
		.upstream = UPSTREAM,
		.idle_timeout_ms = 60000,
		.connect_attempts = 3 };
	upstream = (struct image_build_upstream){ .id = UPSTREAM,
		.name = "gloo-system.db",
		.kind = "static",
		.connect_timeout_ms = 1000,
		.breakers = &breakers };
	breakers = policy_breakers_default;
	for (int i = 0; i < 2; i++)
		endpoints[i] = listen_any(&ports[i]);
	rig_start(&rig, &settings, NULL, 0);
	rig.upstreams = &upstream;
	rig.upstream_count = 1;
	endpoints_set(ports[0], 0);
	service_listen();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	close(endpoints[0]);
	close(endpoints[1]);
	return 0;
}

/* ---- the tests */

static void
bytes_go_both_ways(void **state)
{
	int client, endpoint;

	(void)state;
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	put(endpoint, "the endpoint speaks first");
	expect(client, "the endpoint speaks first");
	put(client, "hello");
	expect(endpoint, "hello");
	put(endpoint, "goodbye");
	expect(client, "goodbye");
	close(client);
	assert_int_equal(ending(endpoint), 0);
	close(endpoint);
	settled();
	assert_int_equal(counters().bytes_received, 5);
	assert_int_equal(counters().bytes_sent, 25 + 7);
	assert_int_equal(rig_upstream_counters(&rig, UPSTREAM)
				 .connections_opened, 1);
}

static void
who_comes_before_the_service_is_known_waits(void **state)
{
	int client, endpoint;

	(void)state;
	client = client_new();
	put(client, "early");
	rig_image(&rig, NULL, 0);
	assert_int_equal(counters().connections_accepted, 0);
	service_enforce();
	endpoint = endpoint_accept(0);
	expect(endpoint, "early");
	close(client);
	close(endpoint);
	settled();
}

/* Either side's end is passed on while the other goes on speaking. */
static void
half_close(void **state)
{
	(void)state;
	service_enforce();
	for (int i = 0; i < 2; i++) {
		int client = client_new(), endpoint = endpoint_accept(0);
		int first = i == 0 ? client : endpoint;
		int second = i == 0 ? endpoint : client;

		put(first, "the question");
		assert_int_equal(shutdown(first, SHUT_WR), 0);
		expect(second, "the question");
		assert_int_equal(ending(second), 0);
		put(second, "and its answer");
		expect(first, "and its answer");
		put(second, ", in parts");
		expect(first, ", in parts");
		close(second);
		assert_int_equal(ending(first), 0);
		close(first);
	}
	settled();
}

/* ---- much */

#define MUCH (24u << 20)

struct way { /* one direction, with bytes that tell their place */
	int from, to;
	size_t sent, got;
	bool shut, ended;
};

static char
byte_at(size_t place)
{
	return (char)(place * 31 + (place >> 9) + (place >> 17));
}

static void
way_send(struct way *w)
{
	char bytes[16384];
	size_t length = MUCH - w->sent < sizeof(bytes) ? MUCH - w->sent
							: sizeof(bytes);
	ssize_t n;

	for (size_t i = 0; i < length; i++)
		bytes[i] = byte_at(w->sent + i);
	n = send(w->from, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		w->sent += (size_t)n;
	else if (n < 0)
		assert_true(errno == EAGAIN);
	if (w->sent == MUCH && !w->shut) {
		shutdown(w->from, SHUT_WR);
		w->shut = true;
	}
}

static void
way_receive(struct way *w)
{
	char bytes[16384];
	ssize_t n = recv(w->to, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0) {
		assert_true(errno == EAGAIN);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] != byte_at(w->got + (size_t)i))
			fail_msg("byte %zu is wrong", w->got + (size_t)i);
	w->got += (size_t)n;
	w->ended |= n == 0;
}

/* One end does not read at first: the other is held back, and the proxy does
 * not take all there is. */
static void
held_back(struct way *w)
{
	uint64_t quiet = clock_monotonic_ms() + 200;
	size_t before = 0;

	while (clock_monotonic_ms() < quiet) {
		way_send(w);
		if (w->sent != before)
			quiet = clock_monotonic_ms() + 200;
		before = w->sent;
		assert_true(w->sent < MUCH);
	}
}

static void
much_goes_both_ways(void **state)
{
	uint64_t until = clock_monotonic_ms() + 60000;
	int small = 65536;
	int client, endpoint;
	struct way up = { 0 }, down = { 0 };

	(void)state;
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	setsockopt(endpoint, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	up.from = down.to = client;
	down.from = up.to = endpoint;
	held_back(&up);
	while (!up.ended || !down.ended) {
		struct pollfd p[2] = {
			{ client, POLLIN | (up.shut ? 0 : POLLOUT), 0 },
			{ endpoint, POLLIN | (down.shut ? 0 : POLLOUT), 0 },
		};

		assert_true(clock_monotonic_ms() < until);
		poll(p, 2, 100);
		if (!up.shut)
			way_send(&up);
		if (!down.shut)
			way_send(&down);
		way_receive(&up);
		way_receive(&down);
	}
	assert_int_equal(up.got, MUCH);
	assert_int_equal(down.got, MUCH);
	close(client);
	close(endpoint);
	settled();
	assert_int_equal(counters().bytes_received, MUCH);
	assert_int_equal(counters().bytes_sent, MUCH);
}

/* ---- endpoints that fail */

static void
another_endpoint_is_tried(void **state)
{
	(void)state;
	endpoints_set(rig_dead_port(), ports[1]);
	service_enforce();
	for (int i = 0; i < 20; i++) {
		int client = client_new(), endpoint = endpoint_accept(1);

		put(client, "x");
		expect(endpoint, "x");
		close(client);
		assert_int_equal(ending(endpoint), 0);
		close(endpoint);
	}
	settled();
	assert_true(rig_upstream_counters(&rig, UPSTREAM).connect_failed > 0);
	assert_int_equal(rig_upstream_counters(&rig, UPSTREAM)
				 .connections_opened, 20);
}

static void
attempts_are_bounded(void **state)
{
	int client;

	(void)state;
	endpoints_set(rig_dead_port(), 0);
	service.connect_attempts = 2;
	service_enforce();
	client = client_new();
	assert_int_equal(ending(client), ECONNRESET);
	close(client);
	settled();
	assert_int_equal(rig_upstream_counters(&rig, UPSTREAM).connect_failed,
		2);
}

static void
no_endpoint_is_a_reset(void **state)
{
	int client;

	(void)state;
	endpoints_set(0, 0);
	service_enforce();
	client = client_new();
	assert_int_equal(ending(client), ECONNRESET);
	close(client);
	settled();
	assert_int_equal(rig_upstream_counters(&rig, UPSTREAM).no_endpoint, 1);
}

static void
no_upstream_is_a_reset(void **state)
{
	int client;

	(void)state;
	service.upstream = 0;
	service.unavailable = "no upstream is named \"gloo-system.db\"";
	service_enforce();
	client = client_new();
	assert_int_equal(ending(client), ECONNRESET);
	close(client);
	settled();
}

/* What keeps requests from an upstream, TLS that cannot be spoken to it, is no
 * matter of bytes that are passed on. */
static void
bytes_need_no_certificate(void **state)
{
	int client, endpoint;

	(void)state;
	upstream.unavailable = "its secret is missing";
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	put(client, "x");
	expect(endpoint, "x");
	close(client);
	close(endpoint);
	settled();
}

static void
connections_are_bounded(void **state)
{
	int client, endpoint, more;

	(void)state;
	breakers.connections = 1;
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	put(client, "x");
	expect(endpoint, "x");
	more = client_new();
	assert_int_equal(ending(more), ECONNRESET);
	close(more);
	assert_int_equal(rig_upstream_counters(&rig, UPSTREAM)
				 .connections_overflow, 1);
	put(client, "goes on");
	expect(endpoint, "goes on");
	close(client);
	close(endpoint);
	settled();
}

/* ---- ends */

static void
a_cut_is_passed_on(void **state)
{
	(void)state;
	service_enforce();
	for (int i = 0; i < 2; i++) {
		int client = client_new(), endpoint = endpoint_accept(0);

		put(client, "x");
		expect(endpoint, "x");
		put(endpoint, "y");
		expect(client, "y");
		rig_client_reset(i == 0 ? client : endpoint);
		assert_int_equal(
			ending(i == 0 ? endpoint : client), ECONNRESET);
		close(i == 0 ? endpoint : client);
	}
	settled();
	assert_int_equal(rig_upstream_counters(&rig, UPSTREAM).reset, 1);
}

#define IDLE_MS 800

static bool
moves(int from, int to)
{
	char got;

	return send(from, "x", 1, MSG_NOSIGNAL) == 1 &&
	       is_readable(to, WAIT_MS) && recv(to, &got, 1, 0) == 1 &&
	       got == 'x';
}

/* For longer than the idle time. False when this program or the proxy was held
 * up, so that it may have been idle. */
static bool
goes_on_while_it_moves(int client, int endpoint, uint64_t since)
{
	for (int i = 0; i < 8; i++) {
		bool moved = i % 2 == 0 ? moves(client, endpoint)
					: moves(endpoint, client);
		bool quiet = !is_readable(client, IDLE_MS / 6);
		uint64_t now = clock_monotonic_ms();

		if (now - since > IDLE_MS / 3)
			return false;
		since = now;
		assert_true(moved);
		assert_true(quiet);
	}
	return true;
}

static void
idle_ones_are_closed(void **state)
{
	int client, endpoint, left = 10;
	uint64_t before, since;
	bool held_up;

	(void)state;
	service.idle_timeout_ms = IDLE_MS;
	service_enforce();
	do {
		before = counters().idle_closed;
		since = clock_monotonic_ms();
		client = client_new();
		endpoint = endpoint_accept(0);
		held_up = !goes_on_while_it_moves(client, endpoint, since);
		if (!held_up) {
			assert_int_equal(ending(client), 0);
			assert_int_equal(ending(endpoint), 0);
		}
		close(client);
		close(endpoint);
		settled();
	} while (held_up && --left > 0);
	assert_false(held_up);
	assert_int_equal(counters().idle_closed, before + 1);
}

static void
images_and_endpoints_leave_it_alone(void **state)
{
	int client, endpoint;

	(void)state;
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	put(client, "x");
	expect(endpoint, "x");
	rig_health(&rig, UPSTREAM, ports[0], ENDPOINT_DOWN);
	endpoints_set(ports[1], 0);
	rig_image(&rig, NULL, 0);
	put(client, "another set");
	expect(endpoint, "another set");
	rig.service_count = 0;
	rig.upstream_count = 0;
	rig_image(&rig, NULL, 0);
	put(endpoint, "the service is gone");
	expect(client, "the service is gone");
	rig.upstream_count = 1;
	service_enforce();
	close(client);
	assert_int_equal(ending(endpoint), 0);
	close(endpoint);
	client = client_new();
	endpoint = endpoint_accept(1);
	close(client);
	close(endpoint);
	settled();
}

/* ---- all at once */

#define STORM_CONNECTIONS 600
#define STORM_AT_ONCE     24
#define STORM_BYTES       150000

static uint32_t
storm_random(uint32_t below)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 33) % below;
}

/* An endpoint that does with a connection what its first byte says: e: echo
 * it, r: reset it, c: close it, s: say nothing and take nothing. */
static void *
storm_endpoint(void *arg)
{
	struct pollfd p[1 + 2 * STORM_AT_ONCE] = { { endpoints[0], POLLIN,
		0 } };
	char bytes[16384];
	nfds_t count = 1;

	for (;;) {
		poll(p, count, 20);
		if (__atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE))
			break;
		if (p[0].revents != 0 && count < ARRAY_SIZE(p))
			p[count++] = (struct pollfd){
				accept4(p[0].fd, NULL, NULL, SOCK_CLOEXEC),
				POLLIN, 0 };
		for (nfds_t i = 1; i < count; i++) {
			ssize_t n;

			if (p[i].revents == 0)
				continue;
			n = recv(p[i].fd, bytes, sizeof(bytes), 0);
			if (n > 0 && bytes[0] == 'e') {
				send(p[i].fd, bytes, (size_t)n, MSG_NOSIGNAL);
				continue;
			}
			if (n > 0 && bytes[0] == 's') {
				p[i].events = 0; /* until it is cut */
				continue;
			}
			if (n > 0 && bytes[0] == 'r')
				rig_client_reset(p[i].fd);
			else
				close(p[i].fd);
			p[i--] = p[--count];
		}
	}
	while (count > 1)
		close(p[--count].fd);
	return NULL;
}

struct storm_client {
	int fd; /* -1: none */
	char what;
	size_t size, sent, got;
	bool leaves; /* before all is said */
};

static void
storm_begin(struct storm_client *k)
{
	static const char whats[] = "eeeeercs";

	*k = (struct storm_client){ .fd = client_new(),
		.what = whats[storm_random(sizeof(whats) - 1)],
		.size = 1 + storm_random(STORM_BYTES),
		.leaves = storm_random(6) == 0 };
	fcntl(k->fd, F_SETFL, O_NONBLOCK);
}

/* True: it is over. */
static bool
storm_step(struct storm_client *k, short revents)
{
	char bytes[16384];
	size_t left = k->size - k->sent;
	ssize_t n;

	if (revents & POLLOUT && left > 0) {
		memset(bytes, k->what, sizeof(bytes));
		n = send(k->fd, bytes,
			left < sizeof(bytes) ? left : sizeof(bytes),
			MSG_NOSIGNAL);
		if (n > 0)
			k->sent += (size_t)n;
		if (k->sent == k->size)
			shutdown(k->fd, SHUT_WR);
	}
	if (k->leaves && k->sent > k->size / 2)
		return true;
	/* Nobody waits for who says nothing. */
	if (k->what == 's' && (k->sent == k->size || left > 0))
		return true;
	n = recv(k->fd, bytes, sizeof(bytes), 0);
	if (n > 0)
		k->got += (size_t)n;
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(bytes[i], k->what);
	if (n == 0 && k->what == 'e')
		assert_int_equal(k->got, k->size);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void
nothing_is_lost_in_a_storm(void **state)
{
	struct storm_client clients[STORM_AT_ONCE];
	struct pollfd p[STORM_AT_ONCE];
	uint64_t until = clock_monotonic_ms() + 60000;
	unsigned begun = 0, over = 0;
	bool end = false;
	pthread_t thread;

	(void)state;
	service_enforce();
	assert_int_equal(
		pthread_create(&thread, NULL, storm_endpoint, &end), 0);
	for (int i = 0; i < STORM_AT_ONCE; i++)
		clients[i].fd = -1;
	while (over < STORM_CONNECTIONS) {
		assert_true(clock_monotonic_ms() < until);
		for (int i = 0; i < STORM_AT_ONCE; i++) {
			struct storm_client *k = &clients[i];

			if (k->fd < 0 && begun < STORM_CONNECTIONS) {
				storm_begin(k);
				begun++;
			}
			p[i] = (struct pollfd){ k->fd,
				k->sent < k->size ? POLLIN | POLLOUT : POLLIN,
				0 };
		}
		poll(p, STORM_AT_ONCE, 20);
		for (int i = 0; i < STORM_AT_ONCE; i++) {
			struct storm_client *k = &clients[i];

			if (k->fd < 0 || p[i].revents == 0 ||
				!storm_step(k, p[i].revents))
				continue;
			if (k->leaves || k->what == 's')
				rig_client_reset(k->fd);
			else
				close(k->fd);
			k->fd = -1;
			over++;
		}
	}
	settled();
	__atomic_store_n(&end, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(counters().connections_accepted, STORM_CONNECTIONS);
}

/* It goes on until it ends or the deadline comes. */
static void
draining_waits(void **state)
{
	struct wire_message m = rig_message(WIRE_DRAIN);
	int client, endpoint, other, its;

	(void)state;
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	other = client_new();
	its = endpoint_accept(0);
	m.drain.deadline_ms = 3000;
	rig_send(&rig, &m, NULL, 0);
	put(client, "still here");
	expect(endpoint, "still here");
	close(client);
	assert_int_equal(ending(endpoint), 0);
	close(endpoint);
	assert_int_equal(ending(other), ECONNRESET);
	assert_int_equal(ending(its), ECONNRESET);
	close(other);
	close(its);
	assert_int_equal(rig_wait_exit(&rig), 0);
}

static void
the_access_log_has_a_line(void **state)
{
	uint64_t until = clock_monotonic_ms() + WAIT_MS;
	char line[1024] = "";
	int client, endpoint, log;

	(void)state;
	service_enforce();
	client = client_new();
	endpoint = endpoint_accept(0);
	put(client, "four");
	expect(endpoint, "four");
	put(endpoint, "seven77");
	expect(client, "seven77");
	close(client);
	assert_int_equal(ending(endpoint), 0);
	close(endpoint);
	settled();
	log = open(rig.log_path, O_RDONLY | O_CLOEXEC);
	while (strchr(line, '\n') == NULL) {
		assert_true(clock_monotonic_ms() < until);
		assert_true(pread(log, line, sizeof(line) - 1, 0) >= 0);
		poll(NULL, 0, 1);
	}
	close(log);
	assert_non_null(strstr(line, "\"client\":\"127.0.0.1:"));
	assert_non_null(strstr(line,
		",\"protocol\":\"TCP\",\"service\":\"gloo-system.mysql\","
		"\"bytes_sent\":7,\"bytes_received\":4,\"duration_ms\":"));
	assert_non_null(strstr(line,
		",\"upstream\":\"gloo-system.db\",\"endpoint\":\"127.0.0.1:"));
	assert_non_null(strstr(line, ",\"reason\":\"-\"}\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways),
		TEST(who_comes_before_the_service_is_known_waits),
		TEST(half_close),
		TEST(much_goes_both_ways),
		TEST(another_endpoint_is_tried),
		TEST(attempts_are_bounded),
		TEST(no_endpoint_is_a_reset),
		TEST(no_upstream_is_a_reset),
		TEST(bytes_need_no_certificate),
		TEST(connections_are_bounded),
		TEST(a_cut_is_passed_on),
		TEST(idle_ones_are_closed),
		TEST(images_and_endpoints_leave_it_alone),
		TEST(nothing_is_lost_in_a_storm),
		TEST(draining_waits),
		TEST(the_access_log_has_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
