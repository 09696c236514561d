/* Failures of every sort at once, and a drain. */
#include "tests/unit/proxy/failures.h"

/* ---- all at once */

#define STORM_CLIENTS  20
#define STORM_REQUESTS 8000
#define STORM_SCRIPT   4096
#define STORM_MS       10000

static uint64_t
storm_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x >> 11;
}

static void
storm_script(struct rig_answer *script)
{
	static const struct rig_answer mix[] = {
		{ "", RIG_ECHO, 0 },
		{ "", RIG_ECHO, 0 },
		{ "", RIG_ECHO, 0 },
		{ "", RIG_ECHO | RIG_SHUT_IDLE, 0 },
		{ "", RIG_ECHO | RIG_BYTEWISE, 0 },
		{ OK("a") "x", 0, 0 },
		{ E503, 0, 0 },
		{ E503, RIG_EARLY, 0 },
		{ "", RIG_CLOSE, 0 },
		{ "", RIG_RESET, 0 },
		{ "", RIG_CLOSE | RIG_EARLY, 0 },
		{ "HTTP/1.1 200 OK\r\nCon", RIG_CLOSE, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", RIG_RESET,
			0 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "1\r\na\r\n0\r\n\r\n",
			0, 0 },
		{ "hello\r\n\r\n", 0, 0 },
		{ "", RIG_SILENT, 0 },
	};

	for (int i = 0; i < STORM_SCRIPT; i++)
		script[i] = mix[storm_random() % ARRAY_SIZE(mix)];
	script[STORM_SCRIPT] = (struct rig_answer)END_OF_LIST;
}

struct storm_client {
	int fd; /* -1: none */
	struct str got;
	char echo[64]; /* what an origin says of the request */
	bool leaves;   /* before the answer */
};

static void
storm_send(struct storm_client *k, unsigned number)
{
	struct str request;
	size_t body = storm_random() % 3000;

	str_init(&request);
	str_printf(&request,
		"%s /storm/%u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n",
		number % 3 == 0 ? "GET" : "POST", number);
	if (number % 3 == 1)
		str_printf(&request, "Content-Length: %zu\r\n", body);
	if (number % 3 == 2)
		str_printf(&request,
			"Transfer-Encoding: chunked\r\n\r\n"
			"1\r\nx\r\n%zx\r\n",
			body + 1);
	else
		str_puts(&request, "\r\n");
	for (size_t i = 0; number % 3 != 0 && i < body + (number % 3 == 2); i++)
		str_putc(&request, 'x');
	if (number % 3 == 2)
		str_puts(&request, "\r\n0\r\n\r\n");
	snprintf(k->echo, sizeof(k->echo), "/storm/%u %zu", number,
		number % 3 == 0   ? 0
		: number % 3 == 1 ? body
				  : body + 2);
	k->fd = rig_client(&rig);
	k->leaves = storm_random() % 8 == 0;
	str_clear(&k->got);
	rig_client_send(k->fd, request.data, request.length);
	str_fini(&request);
}

/* Any status, but a sound head, and nobody else's answer; or nothing. */
static void
storm_end(struct storm_client *k)
{
	if (k->got.length > 0) {
		const char *body = strstr(k->got.data, "\r\n\r\n");

		begins("the storm", &k->got, "HTTP/1.1 ");
		assert_non_null(body);
		assert_null(strstr(k->got.data + 1, "HTTP/1.1 "));
		body += 4;
		/* It may have been cut by the route's timeout. */
		if (body[0] == '/')
			assert_memory_equal(body, k->echo,
				k->got.length - (size_t)(body - k->got.data));
	}
	close(k->fd);
	k->fd = -1;
}

static void
storm_turn(struct storm_client *clients)
{
	struct pollfd fds[STORM_CLIENTS];

	for (int i = 0; i < STORM_CLIENTS; i++)
		fds[i] = (struct pollfd){ clients[i].fd, POLLIN, 0 };
	poll(fds, STORM_CLIENTS, 2);
	for (int i = 0; i < STORM_CLIENTS; i++) {
		struct storm_client *k = &clients[i];
		char bytes[4096];
		ssize_t n;

		if (k->fd < 0 || (!fds[i].revents && !k->leaves))
			continue;
		if (k->leaves) {
			if (storm_random() % 4 != 0)
				continue;
			rig_client_reset(k->fd);
			k->fd = -1;
			continue;
		}
		n = recv(k->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			str_append(&k->got, bytes, (size_t)n);
		else
			storm_end(k);
	}
}

static void
storm_endpoints(uint16_t dead)
{
	struct rig_endpoint all[] = { at_origin(a), at_origin(b), at_origin(c),
		at(dead) };
	struct rig_endpoint set[4];
	uint32_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (storm_random() % 3 == 0)
			continue;
		set[count] = all[i];
		set[count].weight = (uint16_t)(storm_random() % 4);
		set[count++].health =
			(enum endpoint_health)(storm_random() % 3);
	}
	rig_endpoints(&rig, UP_STORM, set, count);
	rig_health(&rig, UP_STORM, all[storm_random() % 4].port,
		(enum endpoint_health)(storm_random() % 3));
}

static void
storm_policy(void)
{
	struct image_build_upstream *u = &upstreams[UP_STORM - UP_ONE];

	u->balance = (struct policy_balance){ .type = storm_random() % 6,
		.ring_min = 16,
		.ring_max = 64,
		.choices = 2,
		.slow_start_ms = storm_random() % 2 * 50,
		.slow_min_percent = 10,
		.panic_percent = storm_random() % 2 * 50 };
	u->max_requests_per_connection = storm_random() % 3;
}

static void
sums_hold(void)
{
	struct counters_listener l = rig_counters(&rig);

	assert_int_equal(l.connections_accepted, l.connections_closed);
	assert_int_equal(l.connections_open, 0);
	assert_int_equal(l.requests_active, 0);
	assert_int_equal(l.requests, l.responses_2xx + l.responses_3xx +
					     l.responses_4xx + l.responses_5xx +
					     l.responses_aborted);
}

static void
nothing_is_lost_in_a_storm(void **state)
{
	static struct rig_answer scripts[3][STORM_SCRIPT + 1];
	struct rig_origin *all[] = { a, b, c };
	struct storm_client clients[STORM_CLIENTS];
	struct counters_upstream before = counted(UP_STORM), now;
	struct rig_endpoint first = at_origin(a);
	uint64_t until = clock_monotonic_ms() + STORM_MS, change = 0;
	uint16_t dead = rig_dead_port();
	unsigned sent = 0, open = 0, changes = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		storm_script(scripts[i]);
		rig_origin_script(all[i], scripts[i]);
	}
	for (int i = 0; i < STORM_CLIENTS; i++) {
		clients[i].fd = -1;
		str_init(&clients[i].got);
	}
	do {
		uint64_t ms = clock_monotonic_ms();

		if (ms >= change) {
			change = ms + 20;
			storm_endpoints(dead);
			storm_policy();
			if (changes++ % 3 == 0)
				generation_next();
		}
		open = 0;
		for (int i = 0; i < STORM_CLIENTS; i++) {
			if (clients[i].fd < 0 && sent < STORM_REQUESTS &&
				ms < until)
				storm_send(&clients[i], sent++);
			open += clients[i].fd >= 0;
		}
		storm_turn(clients);
		assert_true(ms < until + RIG_WAIT_MS);
	} while (open > 0);
	rig_settled(&rig);
	now = counted(UP_STORM);
	print_message("%u requests, %u changes: %ju attempts, %ju tried again, "
		      "%ju resets, %ju too late, %ju waited in vain\n",
		sent, changes, (uintmax_t)(now.requests - before.requests),
		(uintmax_t)now.retried, (uintmax_t)now.reset,
		(uintmax_t)(now.try_timeout + now.request_timeout),
		(uintmax_t)now.pending_overflow);
	assert_true(now.retried > 0 && now.reset > 0 && now.bad_response > 0);
	assert_true(now.try_timeout > 0 && now.connect_failed > 0);
	rig_endpoints(&rig, UP_STORM, NULL, 0);
	assert_true(rig_await(&rig, UP_STORM, "connections_open", 0));
	gauges_are_zero(UP_STORM);
	sums_hold();
	/* And all goes on. */
	rig_endpoints(&rig, UP_STORM, &first, 1);
	generation_next();
	rig_origin_script(a, always_ok);
	ask_for(GET("/storm"), 200);
	for (int i = 0; i < STORM_CLIENTS; i++)
		str_fini(&clients[i].got);
}

/* The last: the proxy ends. */
static void
those_who_wait_are_served_before_the_end(void **state)
{
	struct wire_message drain = rig_message(WIRE_DRAIN);
	int fds[3];

	(void)state;
	rig_origin_script(a, always_ok);
	clients_wait("/narrow", UP_NARROW, fds, 3);
	drain.drain.deadline_ms = RIG_WAIT_MS;
	rig_send(&rig, &drain, NULL, 0);
	rig_origin_pause(a, false);
	for (int i = 0; i < 3; i++)
		answered(fds[i], "HTTP/1.1 200 ");
	assert_int_equal(rig_wait_exit(&rig), 0);
	for (uint32_t i = UP_ONE; i < UP_END; i++) {
		gauges_are_zero(i);
		assert_int_equal(counted(i).connections_open, 0);
		assert_int_equal(counted(i).idle_open, 0);
	}
	sums_hold();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_in_a_storm),
		cmocka_unit_test(those_who_wait_are_served_before_the_end),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
