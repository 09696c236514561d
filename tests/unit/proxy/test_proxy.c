/*
 * The proxy process as control sees it: images under load, take-over, drain,
 * orphaned; and what it does with bodies larger than what it may keep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/channel.h"
#include "net/listener.h"
#include "proxy/sandbox.h"
#include "tests/lib/rig.h"

#define CHARS(text) ((char *)(uintptr_t)(text))
#define GET         "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK_A        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
#define BIG         (50u << 20)

static const struct wire_settings usual = {
	.workers = 2,
	.orphan_timeout_ms = 60000,
	.head_timeout_ms = 10000,
	.idle_timeout_ms = 60000,
	.upstream_idle_ms = 60000,
	.body_idle_ms = 30000,
};

static struct model_destination to_origin[] = {
	{ { CHARS("1"), NULL }, 1, NULL, NULL, 0 },
};
static struct model_header_value answer_field[] = {
	{ CHARS("x-generation"), NULL, false },
};
static struct model_header_manipulation manipulation = {
	.response_add = answer_field,
	.response_add_count = 1,
};

/* Everything to the origin; the answer tells which image it was. */
static struct model_route
route_all(const char *generation)
{
	struct model_route r = { 0 };

	answer_field[0].value = CHARS(generation);
	r.destinations = to_origin;
	r.destination_count = 1;
	r.options.headers = &manipulation;
	return r;
}

static const struct rig_answer ok_always[] = { { OK_A, 0, 0 },
	{ .bytes = NULL } };

static void
rig_usual(struct rig *r, const struct wire_settings *settings)
{
	struct model_route route = route_all("1");

	rig_start(r, settings, &route, 1);
	rig_origin_script(r->origin, ok_always);
}

static void
answer_len(struct str *want, const char *generation)
{
	str_clear(want);
	str_printf(want,
		"HTTP/1.1 200 OK\r\nx-generation: %s\r\n"
		"content-length: 1\r\n\r\na",
		generation);
}

static void
get_and_check(int fd, const char *generation)
{
	struct str got, want;

	str_init(&got);
	str_init(&want);
	answer_len(&want, generation);
	rig_client_send(fd, GET, strlen(GET));
	rig_client_read(fd, &got, want.length, RIG_WAIT_MS);
	assert_string_equal(got.data, want.data);
	str_fini(&got);
	str_fini(&want);
}

/* On a connection of its own: the workers have done what was asked before. */
static void
get_and_check_once(struct rig *r, const char *generation)
{
	int fd = rig_client(r);

	get_and_check(fd, generation);
	close(fd);
}

/* ---- images */

static void
an_image_is_swapped_under_a_kept_connection(void **state)
{
	struct rig r;
	struct counters_upstream u;
	int fd;

	(void)state;
	rig_usual(&r, &usual);
	fd = rig_client(&r);
	get_and_check(fd, "1");
	for (int i = 0; i < 50; i++) {
		char name[16];
		struct model_route route;

		snprintf(name, sizeof(name), "g%d", i);
		route = route_all(name);
		rig_image(&r, &route, 1);
		get_and_check(fd, name);
	}
	u = rig_upstream_counters(&r, 1);
	assert_int_equal(u.connections_opened, 1);
	assert_int_equal(rig_counters(&r).connections_accepted, 1);
	assert_int_equal(r.counters->worker[0].generation, r.generation);
	assert_int_equal(r.counters->worker[1].generation, r.generation);
	close(fd);
	rig_stop(&r);
}

struct loader {
	struct rig *rig;
	pthread_t thread;
	bool stop;
	uint64_t done, failed;
};

static void *
loader_run(void *arg)
{
	struct loader *l = arg;
	int fd = rig_client(l->rig);
	struct str got;

	str_init(&got);
	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		size_t n;

		str_clear(&got);
		rig_client_send(fd, GET, strlen(GET));
		/* "x-generation: 0123" and "01234" differ by a byte. */
		rig_client_read(fd, &got, 17, RIG_WAIT_MS);
		while (memmem(got.data, got.length, "\r\n\r\na", 5) == NULL) {
			n = got.length;
			rig_client_read(fd, &got, n + 1, RIG_WAIT_MS);
			if (got.length == n)
				break;
		}
		if (strncmp(got.data, "HTTP/1.1 200 OK\r\n", 17) == 0)
			l->done++;
		else
			l->failed++;
	}
	close(fd);
	str_fini(&got);
	return NULL;
}

static void
images_under_load(void **state)
{
	struct loader loaders[3] = { 0 };
	struct rig r;
	uint64_t done = 0;

	(void)state;
	rig_usual(&r, &usual);
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		loaders[i].rig = &r;
		pthread_create(
			&loaders[i].thread, NULL, loader_run, &loaders[i]);
	}
	for (int i = 0; i < 200; i++) {
		char name[16];
		struct model_route route;

		snprintf(name, sizeof(name), "g%d", i);
		route = route_all(name);
		rig_image(&r, &route, 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		__atomic_store_n(&loaders[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(loaders[i].thread, NULL);
		assert_int_equal(loaders[i].failed, 0);
		done += loaders[i].done;
	}
	assert_true(done > 0);
	assert_int_equal(
		rig_counters(&r).connections_accepted, ARRAY_SIZE(loaders));
	rig_stop(&r);
}

static void
an_image_that_is_none_is_refused(void **state)
{
	struct wire_message m = rig_message(WIRE_IMAGE), answer;
	struct rig r;
	int fd;

	(void)state;
	rig_usual(&r, &usual);
	fd = rig_client(&r);
	m.generation = 77;
	rig_send(&r, &m, &r.counters_fd, 1);
	assert_true(rig_receive(&r, WIRE_REFUSED, &answer, NULL));
	assert_int_equal(answer.generation, 77);
	assert_true(answer.text[0] != '\0');
	/* No descriptor, another contract, a message cut short. */
	rig_send(&r, &m, NULL, 0);
	assert_true(rig_receive(&r, WIRE_REFUSED, &answer, NULL));
	m.contract++;
	rig_send(&r, &m, NULL, 0);
	assert_int_equal(send(r.channel, &m, 7, 0), 7);
	get_and_check(fd, "1");
	close(fd);
	rig_stop(&r);
}

/* ---- endpoints */

static void
endpoints_come_and_go(void **state)
{
	struct wire_message m = rig_message(WIRE_ENDPOINTS_FORGET);
	struct model_route route = route_all("2");
	static const char want[] = "HTTP/1.1 503 Service Unavailable\r\n";
	struct rig r;
	struct str got;
	int fd;

	(void)state;
	str_init(&got);
	rig_usual(&r, &usual);
	fd = rig_client(&r);
	get_and_check(fd, "1");
	m.endpoints.upstream = 1;
	rig_send(&r, &m, NULL, 0);
	rig_image(&r, &route, 1); /* both have been seen by the workers */
	assert_true(rig_origin_wait_closed(r.origin, 1));
	rig_client_send(fd, GET, strlen(GET));
	rig_client_read(fd, &got, strlen(want), RIG_WAIT_MS);
	assert_string_equal(got.data, want);
	close(fd);
	str_fini(&got);
	rig_stop(&r);
}

/* ---- listeners */

static void
listeners_come_and_go(void **state)
{
	struct wire_message m = rig_message(WIRE_LISTENER);
	struct model_route route = route_all("2");
	struct error err = ERROR_INIT;
	struct rig r, other;
	struct str got;
	int fds[2], fd;
	char byte;

	(void)state;
	str_init(&got);
	rig_usual(&r, &usual);
	addr_parse_ip("127.0.0.1", 0, &m.listener.addr);
	assert_int_equal(listener_open(&m.listener.addr, fds, 1, &err), 0);
	listener_addr(fds[0], &m.listener.addr);
	assert_int_equal(listener_open(&m.listener.addr, fds + 1, 1, &err), 0);
	m.listener.slot = 2;
	m.listener.workers = 2;
	rig_send(&r, &m, fds, 2);
	rig_send(&r, &m, fds, 2); /* known */
	other = r;
	other.port = addr_port(&m.listener.addr);
	fd = rig_client(&other);
	rig_client_send(fd, GET, strlen(GET));
	/* It waits for an image that may know the listener. */
	get_and_check_once(&r, "1");
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	rig_image(&r, &route, 1);
	/* This one does not: no virtual host. */
	rig_client_read(fd, &got, 22, RIG_WAIT_MS);
	assert_string_equal(got.data, "HTTP/1.1 404 Not Found");
	close(fd);
	m = rig_message(WIRE_LISTENER_CLOSE);
	m.listener.slot = 2;
	rig_send(&r, &m, NULL, 0);
	rig_image(&r, &route, 1);
	close(fds[0]);
	close(fds[1]);
	str_fini(&got);
	rig_stop(&r);
}

/* ---- control comes and goes */

static void
a_new_control_takes_over(void **state)
{
	struct wire_message m;
	struct error err = ERROR_INIT;
	struct model_route route;
	struct counters_listener before;
	struct rig r;
	int fd, got = -1;

	(void)state;
	rig_usual(&r, &usual);
	fd = rig_client(&r);
	get_and_check(fd, "1");
	before = rig_counters(&r);
	close(r.channel);
	get_and_check(fd, "1");
	r.channel = channel_connect(r.takeover_path, &err);
	assert_true(r.channel >= 0);
	assert_true(rig_receive(&r, WIRE_HELLO, &m, NULL));
	assert_int_equal(m.hello.ready, 1);
	assert_int_equal(m.hello.workers, 2);
	assert_int_equal(m.hello.generation, r.generation);
	assert_int_equal(m.hello.pid, r.pid);
	assert_true(rig_receive(&r, WIRE_LISTENER, &m, &got));
	assert_int_equal(m.listener.slot, 1);
	assert_int_equal(addr_port(&m.listener.addr), r.port);
	assert_true(got >= 0);
	/* As control does it: the same listener comes back. */
	rig_send(&r, &m, &got, 1);
	close(got);
	got = -1;
	assert_true(rig_receive(&r, WIRE_COUNTERS, &m, &got));
	assert_true(got >= 0);
	rig_send(&r, &m, &got, 1);
	close(got);
	assert_true(rig_receive(&r, WIRE_HELLO_END, &m, NULL));
	route = route_all("2");
	rig_image(&r, &route, 1);
	get_and_check(fd, "2");
	assert_int_equal(rig_counters(&r).requests, before.requests + 2);
	close(fd);
	rig_stop(&r);
}

static void
an_orphan_ends(void **state)
{
	struct wire_settings settings = usual;
	struct rig r;
	int fd;

	(void)state;
	settings.orphan_timeout_ms = 2000;
	rig_usual(&r, &settings);
	fd = rig_client(&r);
	get_and_check(fd, "1");
	close(r.channel);
	get_and_check(fd, "1");
	assert_int_equal(rig_wait_exit(&r), 0);
	r.channel = dup(0);
	close(fd);
	rig_stop(&r);
}

#define CLOSE_FIELD "connection: close\r\n"

static void
draining_finishes_what_is_in_work(void **state)
{
	static const struct rig_answer silent[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	struct wire_message m = rig_message(WIRE_DRAIN);
	struct rig r;
	struct str got, want;
	int fd, slow;

	(void)state;
	str_init(&got);
	str_init(&want);
	rig_usual(&r, &usual);
	fd = rig_client(&r);
	slow = rig_client(&r);
	get_and_check(fd, "1");
	m.drain.deadline_ms = 3000;
	rig_send(&r, &m, NULL, 0);
	/* A request on a kept connection is answered for the last time, once
	 * the worker has heard of the drain. */
	str_puts(&want, "HTTP/1.1 200 OK\r\nx-generation: 1\r\n"
			"content-length: 1\r\nconnection: close\r\n\r\na");
	do {
		str_clear(&got);
		rig_client_send(fd, GET, strlen(GET));
		rig_client_read(fd, &got, want.length - strlen(CLOSE_FIELD),
			RIG_WAIT_MS);
	} while (got.length > 0 && got.data[got.length - 1] == 'a');
	assert_true(rig_client_read(fd, &got, 4096, RIG_WAIT_MS));
	assert_string_equal(got.data, want.data);
	/* One that gets no answer is cut at the deadline. */
	rig_origin_script(r.origin, silent);
	rig_client_send(slow, GET, strlen(GET));
	str_clear(&got);
	assert_true(rig_client_read(slow, &got, 4096, RIG_WAIT_MS));
	assert_true(rig_receive(&r, WIRE_DRAINED, &m, NULL));
	assert_int_equal(rig_wait_exit(&r), 0);
	close(fd);
	close(slow);
	rig_stop(&r);
	str_fini(&got);
	str_fini(&want);
}

/* ---- large bodies */

static long
rss_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static void *
upload(void *arg)
{
	static char block[65536];
	int fd = *(int *)arg;

	memset(block, 'x', sizeof(block));
	for (size_t at = 0; at < BIG; at += sizeof(block))
		rig_client_send(fd, block, sizeof(block));
	return NULL;
}

/* Neither a slow origin nor a slow client makes the proxy keep the body. */
static void
large_bodies_wait_where_they_are(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 52428800\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\n"
				     "Content-Length: 52428800\r\n\r\n";
	struct rig_answer answers[3] = { { OK_A, 0, 0 } };
	struct rig r;
	struct str got, want;
	pthread_t thread;
	char *big = xmalloc(BIG + sizeof(answer));
	long before;
	int fd;

	(void)state;
	str_init(&got);
	str_init(&want);
	memcpy(big, answer, sizeof(answer) - 1);
	memset(big + sizeof(answer) - 1, 'y', BIG);
	answers[0].flags = RIG_EARLY | RIG_SILENT;
	rig_usual(&r, &usual);
	fd = rig_client(&r);
	get_and_check(fd, "1");
	before = rss_kb(r.pid);

	/* Up: the origin does not read for a while. */
	rig_origin_script(r.origin, answers);
	rig_origin_pause(r.origin, true);
	rig_client_send(fd, head, strlen(head));
	pthread_create(&thread, NULL, upload, &fd);
	for (uint64_t last = 0, now = 1; now != last;) {
		last = now;
		poll(NULL, 0, 100);
		now = rig_counters(&r).bytes_received;
	}
	assert_true(rss_kb(r.pid) - before < 8192);
	assert_true(rig_counters(&r).bytes_received < BIG);
	rig_origin_pause(r.origin, false);
	pthread_join(thread, NULL);
	assert_true(rig_origin_wait(r.origin, BIG));
	close(fd);
	rig_settled(&r);

	/* Down: the client does not read for a while. */
	answers[0] = (struct rig_answer){ big, 0, sizeof(answer) - 1 + BIG };
	rig_origin_script(r.origin, answers);
	fd = rig_client(&r);
	rig_client_send(fd, GET, strlen(GET));
	for (uint64_t last = 0, now = 1; now != last;) {
		last = now;
		poll(NULL, 0, 100);
		now = rig_upstream_counters(&r, 1).bytes_received;
	}
	assert_true(rss_kb(r.pid) - before < 8192);
	assert_true(rig_upstream_counters(&r, 1).bytes_received < BIG);
	str_puts(&want, "HTTP/1.1 200 OK\r\nx-generation: 1\r\n"
			"content-length: 52428800\r\n\r\n");
	rig_client_read(fd, &got, want.length + BIG, 4 * RIG_WAIT_MS);
	assert_int_equal(got.length, want.length + BIG);
	assert_memory_equal(got.data, want.data, want.length);
	assert_int_equal(got.data[got.length - 1], 'y');
	close(fd);
	rig_stop(&r);
	free(big);
	str_fini(&got);
	str_fini(&want);
}

static void
the_number_of_connections_is_limited(void **state)
{
	struct wire_settings settings = usual;
	struct rig r;
	struct str got;
	int fds[3];

	(void)state;
	str_init(&got);
	settings.workers = 1;
	settings.connections_max = 2;
	rig_usual(&r, &settings);
	fds[0] = rig_client(&r);
	get_and_check(fds[0], "1");
	fds[1] = rig_client(&r);
	get_and_check(fds[1], "1");
	fds[2] = rig_client(&r);
	assert_true(rig_client_read(fds[2], &got, 1, RIG_WAIT_MS));
	assert_int_equal(got.length, 0);
	assert_int_equal(rig_counters(&r).limit_connections, 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	str_fini(&got);
	rig_stop(&r);
}

/* False: it was reset before an answer came. */
static bool
is_served(struct rig *r)
{
	int fd = rig_client(r);
	struct str got;
	bool served;

	str_init(&got);
	rig_client_send(fd, GET, strlen(GET));
	rig_client_read(fd, &got, 1, RIG_WAIT_MS);
	served = got.length > 0;
	str_fini(&got);
	close(fd);
	return served;
}

static void
a_blocked_source_is_shut_out_for_a_while(void **state)
{
	struct wire_message m = rig_message(WIRE_BLOCK);
	struct model_route route;
	uint64_t until_ms;
	struct rig r;
	struct str got;
	int open, other;

	(void)state;
	str_init(&got);
	rig_usual(&r, &usual);
	open = rig_client(&r);
	get_and_check(open, "1");
	route = route_all("2");
	m.block.slot = 2; /* another listener is not meant */
	m.block.ms = 60000;
	assert_int_equal(addr_parse_ip("127.0.0.1", 0, &m.block.addr), 0);
	rig_send(&r, &m, NULL, 0);
	m.block.slot = 1; /* and another source neither */
	assert_int_equal(addr_parse_ip("127.0.0.2", 0, &m.block.addr), 0);
	rig_send(&r, &m, NULL, 0);
	rig_image(&r, &route, 1);
	get_and_check(open, "2");
	other = rig_client(&r);
	get_and_check(other, "2");
	close(other);
	m.block.ms = 4000;
	assert_int_equal(addr_parse_ip("127.0.0.1", 0, &m.block.addr), 0);
	rig_send(&r, &m, NULL, 0);
	assert_true(rig_client_read(open, &got, 1, RIG_WAIT_MS));
	assert_int_equal(got.length, 0);
	close(open);
	rig_image(&r, &route, 1); /* by then all workers know */
	until_ms = clock_monotonic_ms() + 4 * RIG_WAIT_MS;
	assert_false(is_served(&r));
	assert_true(rig_counters(&r).blocked_source > 0);
	while (!is_served(&r))
		assert_true(clock_monotonic_ms() < until_ms);
	str_fini(&got);
	rig_stop(&r);
}

/* ---- the sandbox */

static void
the_sandbox_refuses(void **state)
{
	(void)state;
	assert_int_equal(proxy_sandbox_test(), 0);
}

static void
the_process_is_sandboxed(void **state)
{
	char path[64], line[256];
	int seccomp = -1, no_new_privs = -1;
	struct rig r;
	FILE *f;

	(void)state;
	rig_usual(&r, &usual);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)r.pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "Seccomp: %d", &seccomp);
		sscanf(line, "NoNewPrivs: %d", &no_new_privs);
	}
	fclose(f);
	assert_int_equal(seccomp, 2);
	assert_int_equal(no_new_privs, 1);
	rig_stop(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_swapped_under_a_kept_connection),
		cmocka_unit_test(images_under_load),
		cmocka_unit_test(an_image_that_is_none_is_refused),
		cmocka_unit_test(endpoints_come_and_go),
		cmocka_unit_test(listeners_come_and_go),
		cmocka_unit_test(a_new_control_takes_over),
		cmocka_unit_test(an_orphan_ends),
		cmocka_unit_test(draining_finishes_what_is_in_work),
		cmocka_unit_test(large_bodies_wait_where_they_are),
		cmocka_unit_test(the_number_of_connections_is_limited),
		cmocka_unit_test(a_blocked_source_is_shut_out_for_a_while),
		cmocka_unit_test(the_sandbox_refuses),
		cmocka_unit_test(the_process_is_sandboxed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
