/* Calls of functions: the clock and the credentials that they are made with,
 * who hears of refused ones, and what of them is not logged. */
#include "tests/unit/proxy/call_asked.h"

static void
a_clock_that_is_wrong_is_corrected_once(void **state)
{
	static const struct rig_answer skewed[] = {
		{ ANSWER("again", "X-News: skew=600 nothing\r\n", "0", ""), 0,
			0 },
		{ OK, 0, 0 }, END_OF_LIST
	};
	static const struct rig_answer never[] = {
		{ ANSWER("again", "X-News: skew=100\r\n", "0", ""), 0, 0 },
		END_OF_LIST
	};

	(void)state;
	rig_origin_script(rig.origin, skewed);
	ask("POST /skewed HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
	    "Content-Length: 3\r\n\r\nabc",
		&got);
	begins("corrected", &got, PASSED);
	seen(&sent);
	assert_int_equal(times(&sent, "x-skew-s: 0\r\n"), 1);
	assert_int_equal(times(&sent, "x-skew-s: 600\r\n"), 1);
	assert_int_equal(counted(UP_SKEWED).calls_corrected, 1);
	assert_int_equal(counted(UP_SKEWED).retried, 0);
	/* It is kept. */
	rig_origin_script(rig.origin, always_ok);
	ask(GET("/skewed"), &got);
	seen(&sent);
	assert_int_equal(times(&sent, "x-skew-s: 600\r\n"), 1);
	/* It counts from the clock of the message; and once is enough. */
	rig_origin_script(rig.origin, never);
	refused(GET("/skewed"), "502", "function_error",
		"the function did not answer");
	seen(&sent);
	assert_int_equal(times(&sent, CALL_LINE), 2);
	assert_int_equal(times(&sent, "x-skew-s: 600\r\n"), 1);
	assert_int_equal(times(&sent, "x-skew-s: 700\r\n"), 1);
	/* Of that upstream alone. */
	rig_origin_script(rig.origin, always_ok);
	ask(GET("/calls"), &got);
	seen(&sent);
	assert_int_equal(times(&sent, "x-skew-s: 0\r\n"), 1);
}

static bool
is_zero(int fd)
{
	char bytes[256] = "", zeros[256] = "";
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	return n > 0 && memcmp(bytes, zeros, (size_t)n) == 0;
}

static void
credentials_given(uint32_t id, const char *kind, const char *text)
{
	int fd = rig_credentials(
		&rig, id, kind, slice_of(text != NULL ? text : ""));

	generation_next();
	if (fd >= 0) {
		assert_true(is_zero(fd));
		close(fd);
	}
}

static void
credentials_come_and_go(void **state)
{
	static const struct {
		const char *kind, *text, *used;
	} steps[] = {
		{ "calls", "first", "first" },
		{ "calls", "second", "second" },
		/* What is no use changes nothing. */
		{ "calls", "!bad", "second" },
		{ "static", "other", "second" },
		{ "calls", NULL, "none" },
		{ "calls", "third", "third" },
	};

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	refused(GET("/guarded?must"), "503", "no_credentials",
		"there are no credentials for it");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		char line[64];

		credentials_given(UP_GUARDED, steps[i].kind, steps[i].text);
		rig_origin_script(rig.origin, always_ok);
		ask(GET("/guarded"), &got);
		begins("guarded", &got, PASSED);
		seen(&sent);
		snprintf(line, sizeof(line), "\r\nx-credentials: %s\r\n",
			steps[i].used);
		has("guarded", &sent, line);
	}
	credentials_given(UP_GUARDED, "calls", NULL);
}

static void
no_connection_is_taken_without_credentials(void **state)
{
	static const char post[] = "POST /strict HTTP/1.1\r\nHost: h\r\n"
				   "Content-Length: 3\r\n\r\nabc";
	static const struct rig_answer again[] = {
		{ "HTTP/1.1 503 No\r\nX-Step: again\r\nX-News: refused\r\n"
		  "Content-Length: 0\r\n\r\n",
			0, 0 },
		END_OF_LIST
	};
	struct wire_message m;
	int fd;

	(void)state;
	rig_origin_script(rig.origin, always_ok);
	refused(GET("/strict"), "503", "no_credentials",
		"upstream g.strict: it cannot be called without credentials");
	refused(post, "503", "no_credentials",
		"it cannot be called without credentials");
	assert_int_equal(counted(UP_STRICT).connections_opened, 0);
	assert_int_equal(counted(UP_STRICT).calls_refused, 2);
	credentials_given(UP_STRICT, "calls", "some");
	ask(GET("/strict"), &got);
	begins("with some", &got, PASSED);
	/* Gone between two attempts: the second is not made. */
	rig_origin_script(rig.origin, again);
	fd = client_send(GET("/strict"));
	assert_true(rig_receive(&rig, WIRE_CREDENTIALS_REFUSED, &m, NULL));
	credentials_given(UP_STRICT, "calls", NULL);
	client_read(fd, &got);
	begins("gone", &got, "HTTP/1.1 503 ");
	has("gone", &got, "\r\nx-gloo-gateway-reason: no_credentials\r\n");
	seen(&sent);
	assert_int_equal(times(&sent, CALL_LINE), 1);
	assert_int_equal(counted(UP_STRICT).requests, 2);
	nothing_is_held();
}

#define REFUSED ANSWER("again", "X-News: refused\r\n", "0", "")

static void
control_hears_of_refused_credentials(void **state)
{
	static const struct rig_answer answers[] = { { REFUSED, 0, 0 },
		{ OK, 0, 0 }, END_OF_LIST };
	struct wire_message m;
	int fd;

	(void)state;
	credentials_given(UP_GUARDED, "calls", "old");
	rig_origin_script(rig.origin, answers);
	fd = client_send("POST /guarded HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 3\r\n\r\nabc");
	assert_true(rig_receive(&rig, WIRE_CREDENTIALS_REFUSED, &m, NULL));
	assert_int_equal(m.number, UP_GUARDED);
	close(rig_credentials(&rig, UP_GUARDED, "calls", slice_of("new")));
	client_read(fd, &got);
	begins("with others", &got, PASSED);
	seen(&sent);
	assert_int_equal(times(&sent, CALL_LINE), 2);
	assert_int_equal(times(&sent, "x-credentials: old\r\n"), 1);
	assert_int_equal(times(&sent, "x-credentials: new\r\n"), 1);
	assert_int_equal(times(&sent, "\r\n\r\nabc"), 2);
	assert_int_equal(counted(UP_GUARDED).retried, 0);
	nothing_is_held();
}

static void
nobody_waits_for_credentials_beyond_the_deadline(void **state)
{
	static const struct rig_answer answers[] = { { REFUSED, 0, 0 },
		END_OF_LIST };

	(void)state;
	credentials_given(UP_GUARDED, "calls", "still old");
	rig_origin_script(rig.origin, answers);
	refused(GET("/impatient"), "504", "upstream_timeout",
		"it did not answer in time");
	/* And once others were waited for in vain, not at all. */
	refused(GET("/guarded"), "502", "function_error",
		"the function did not answer");
	{
		uint64_t began = clock_monotonic_ms();

		refused(GET("/guarded"), "502", "function_error",
			"the function did not answer");
		assert_true(clock_monotonic_ms() - began < 3000);
	}
	seen(&sent);
	assert_int_equal(times(&sent, CALL_LINE), 3);
	nothing_is_held();
}

/* ---- the log */

static void
secrets_of_a_query_are_not_logged(void **state)
{
	static const struct {
		const char *target, *line;
	} all[] = {
		{ "/calls?a=b=c&key=hidden&&akey=hid=den&key",
			"/calls?a=b=c&key=-&&akey=-&key" },
		{ "/calls?key=hidden?key=hidden", "/calls?key=-" },
		{ "/calls?must&key=hidden", "/calls?must&key=-" },
		{ "/strict?key=hidden", "/strict?key=-" },
		{ "/broken?key=", "/broken?key=-" },
		{ "/broken?key=hidden", "/broken?key=-" },
		/* Where it leads nowhere, nobody knows whose key it is. */
		{ "/nowhere?key=hidden&b=2", "/nowhere?key=-&b=2" },
		{ "/../x?key=hidden", "/../x?key=-" },
		{ "/partly?key=hidden", "/partly?key=-" },
		{ "/calls?", "/calls?" },
		{ "/plain?key=shown", "/plain?key=shown" },
	};
	struct str log, line;

	(void)state;
	str_init(&log);
	str_init(&line);
	rig_origin_script(rig.origin, always_ok);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char *request = xasprintf(GET("%s"), all[i].target);

		ask(request, &got);
		free(request);
		str_clear(&line);
		str_printf(&line, "\"path\":\"%s\"", all[i].line);
		logged(line.data);
	}
	log_read(&log);
	has_not("the access log", &log, "hid");
	str_fini(&line);
	str_fini(&log);
}

static void
an_upstream_is_forgotten_in_the_middle(void **state)
{
	struct wire_message m = rig_message(WIRE_ENDPOINTS_FORGET);
	struct rig_endpoint one = { .port = rig_origin_port(rig.origin),
		.health = ENDPOINT_UP,
		.weight = 1 };
	static const struct rig_answer answers[] = {
		{ ANSWER("again", "X-News: refused skew=5 billed=3\r\n", "0",
			  ""),
			0, 0 },
		END_OF_LIST
	};
	int fd, waits;

	(void)state;
	credentials_given(UP_GONE, "calls", "gone");
	rig_origin_script(rig.origin, answers);
	fd = client_send("POST /gone HTTP/1.1\r\nHost: h\r\n"
			 "Connection: close\r\nContent-Length: 4\r\n\r\nab");
	assert_true(rig_await(&rig, UP_GONE, "call_bytes_active", 2));
	rig_origin_pause(rig.origin, true);
	waits = client_send(GET("/gone"));
	assert_true(rig_await(&rig, UP_GONE, "requests_active", 1));
	m.endpoints.upstream = UP_GONE;
	rig_send(&rig, &m, NULL, 0);
	generation_next();
	rig_client_send(fd, "cd", 2);
	client_read(fd, &got);
	begins("no longer there", &got, "HTTP/1.1 503 ");
	rig_origin_pause(rig.origin, false);
	client_read(waits, &got);
	begins("asked before", &got, "HTTP/1.1 502 ");
	assert_int_equal(counted(UP_GONE).calls_billed_ms, 3);
	nothing_is_held();
	/* Another with its id has none of its credentials. */
	rig_endpoints(&rig, UP_GONE, &one, 1);
	generation_next();
	rig_origin_script(rig.origin, always_ok);
	ask(GET("/gone"), &got);
	seen(&sent);
	has("another", &sent, "\r\nx-credentials: none\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_is_wrong_is_corrected_once),
		cmocka_unit_test(credentials_come_and_go),
		cmocka_unit_test(no_connection_is_taken_without_credentials),
		cmocka_unit_test(control_hears_of_refused_credentials),
		cmocka_unit_test(
			nobody_waits_for_credentials_beyond_the_deadline),
		cmocka_unit_test(secrets_of_a_query_are_not_logged),
		cmocka_unit_test(an_upstream_is_forgotten_in_the_middle),
	};

	return cmocka_run_group_tests(tests, asked_start, asked_stop);
}
