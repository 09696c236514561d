/*
 * TLS to upstreams: which servers are spoken to, what is wrong with the others,
 * and who is told of it.
 */
#include "secure_world.h"

static void
good_servers_are_asked(void **state)
{
	static const uint32_t ids[] = { UP_GOOD, UP_NAMED, UP_ADDRESS,
		UP_MUTUAL };
	struct str name;

	(void)state;
	str_init(&name);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		ask((int)ids[i], 200);
		assert_int_equal(counted(ids[i]).connections_opened, 1);
		assert_int_equal(counted(ids[i]).tls_failures, 0);
		if (ids[i] == UP_GOOD) {
			tls_front_name(front, &name);
			assert_string_equal(name.data, "origin.example");
		}
		if (ids[i] == UP_NAMED) {
			tls_front_name(front, &name);
			assert_string_equal(name.data, "other.test");
		}
	}
	tls_front_name(front_address, &name);
	assert_string_equal(name.data, "");
	str_fini(&name);
}

static void
bad_servers_get_nothing(void **state)
{
	static const struct {
		uint32_t id;
		const char *problem;
	} rows[] = {
		{ UP_OTHER, "its certificate is for origin.example, not for "
			    "other.test" },
		{ UP_OLD, "its certificate (CN=old) has expired: it was valid "
			  "until " },
		{ UP_STRANGER,
			"its certificate (CN=odd) comes from CN=stranger, "
			"which is neither sent along nor one of those that "
			"are trusted" },
		{ UP_BARE, "it refused with the alert \\\"" },
		{ UP_MISSING,
			"the certificates that are trusted did not come" },
		{ UP_SILENT, "the handshake was not over in time" },
	};
	struct str seen;

	(void)state;
	str_init(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char problem[WIRE_TEXT_MAX], detail[400];

		ask((int)rows[i].id, 503);
		assert_int_equal(counted(rows[i].id).tls_failures, 1);
		/* A refusal may come when a request is on its way. */
		assert_true(counted(rows[i].id).requests <=
			    (rows[i].id == UP_BARE));
		rig_origin_seen(rig.origin, &seen);
		assert_string_equal(seen.data, "");
		snprintf(detail, sizeof(detail),
			"\"reason\":\"upstream_tls\",\"detail\":\"%s",
			rows[i].problem);
		log_await(detail);
		snprintf(problem, sizeof(problem), "%s", rows[i].problem);
		if (strstr(problem, "\\\"") != NULL)
			*strstr(problem, "\\\"") = '\0';
		told(rows[i].id, problem);
	}
	str_fini(&seen);
}

/* An alert that says nothing of us may come when the request was taken: it is
 * not sent to another, whatever its method. */
static void
other_alerts_are_a_reset(void **state)
{
	static const char post[] =
		"POST /21 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 2\r\n\r\nab";
	struct tls_front_counts counts, other;
	struct str got;
	int status, tries = 0;

	(void)state;
	str_init(&got);
	tls[UP_PAIR].identity = CLIENT;
	options.wants = &authority;
	options.sick = X509_V_ERR_OUT_OF_MEM; /* internal error (80) */
	options.version = TLS1_3_VERSION;
	tls_front_change(front, &options);
	tls_front_change(front_old, &options);
	image_next();
	/* While nothing is on its way it is a failure of the handshake, and
	 * somebody else is asked. */
	do {
		int fd = rig_client(&rig);

		status = ask_on(fd, post, &got);
		close(fd);
	} while (status == 503 && ++tries < 50);
	assert_int_equal(status, 502);
	log_await("\"upstream_reset\"");
	assert_int_equal(counted(UP_PAIR).reset, 1);
	assert_int_equal(counted(UP_PAIR).requests, 1);
	tls_front_count(front, &counts);
	tls_front_count(front_old, &other);
	assert_int_equal(counts.accepted + other.accepted,
		counted(UP_PAIR).tls_failures + 1);
	str_fini(&got);
}

/* The rig's origin, plain, never answers to a handshake: it waits for the rest
 * of a request. Another one does. */
static void
what_is_no_tls(void **state)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct wire_message m;
	int fd, peer;
	char bytes[2048];

	(void)state;
	endpoint_set(UP_CLEAR, silent_port);
	image_next();
	fd = client_send(GET("/19"));
	peer = accept(silent, NULL, NULL);
	assert_true(recv(peer, bytes, sizeof(bytes), 0) > 0);
	assert_int_equal(bytes[0], 0x16); /* a handshake, no request */
	send(peer, answer, strlen(answer), 0);
	do
		assert_true(rig_receive(&rig, WIRE_TLS, &m, NULL));
	while (m.tls.upstream != UP_CLEAR);
	assert_string_equal(m.text, "what it says is not TLS");
	close(peer);
	close(fd);
}

static void
another_endpoint_is_asked(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		ask(UP_PAIR, 200);
	assert_true(counted(UP_PAIR).tls_failures > 0);
	assert_int_equal(counted(UP_PAIR).responses_5xx, 0);
}

/* Told once while it stays, and when it is over. */
static void
what_is_mended_is_told(void **state)
{
	struct wire_message m;

	(void)state;
	ask(UP_OLD, 503);
	ask(UP_OLD, 503);
	told(UP_OLD, "has expired");
	tls_front_change(front_old, &options);
	ask(UP_OLD, 200);
	/* The next is that it works, however soon. */
	assert_true(rig_receive(&rig, WIRE_TLS, &m, NULL));
	assert_int_equal(m.tls.upstream, UP_OLD);
	assert_string_equal(m.text, "");
}

/* What was wrong is nothing that is said of another configuration: no request
 * has to come first. */
static void
a_problem_ends_with_its_cause(void **state)
{
	const struct wire_message *m = &rig.tls_passed_over;

	(void)state;
	ask(UP_OTHER, 503);
	told(UP_OTHER, "not for other.test");
	tls[UP_OTHER].server_name = "origin.example";
	image_next();
	assert_int_equal(m->tls.upstream, UP_OTHER);
	assert_string_equal(m->text, "");
	rig.tls_passed_over = (struct wire_message){ 0 };
	ask(UP_OTHER, 200);
	tls[UP_OTHER].server_name = "other.test";
	image_next();
	ask(UP_OTHER, 503);
	told(UP_OTHER, "not for other.test");
	upstreams[UP_OTHER - UP_GOOD].tls = NULL;
	image_next();
	assert_int_equal(m->tls.upstream, UP_OTHER);
	assert_string_equal(m->text, "");
}

static void
other_protocols_are_refused(void **state)
{
	(void)state;
	options.alpn = "h2";
	tls_front_change(front, &options);
	/* It was not offered. */
	ask(UP_GOOD, 503);
	told(UP_GOOD, "the handshake: bad extension");
	tls[UP_GOOD].alpn = (const char *const[]){ "h2", "http/1.1" };
	tls[UP_GOOD].alpn_count = 2;
	image_next();
	ask(UP_GOOD, 503);
	told(UP_GOOD, "it wants to speak \"h2\", which is not spoken here");
	options.alpn = "http/1.1";
	tls_front_change(front, &options);
	ask(UP_GOOD, 200);
}

static void
who_speaks_unasked_is_refused(void **state)
{
	(void)state;
	/* In TLS 1.2 it comes with the end of the handshake. */
	options.version = TLS1_2_VERSION;
	options.speaks = true;
	options.origin = 0;
	tls_front_change(front, &options);
	for (int i = 0; i < 20; i++) {
		struct str got;
		int fd = rig_client(&rig), status;

		str_init(&got);
		status = ask_on(fd, GET("/10"), &got);
		/* Never an answer; what it is depends on which came first. */
		assert_true(status == 502 || status == 503);
		str_fini(&got);
		close(fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_servers_are_asked),
		TEST(bad_servers_get_nothing),
		TEST(other_alerts_are_a_reset),
		TEST(what_is_no_tls),
		TEST(another_endpoint_is_asked),
		TEST(what_is_mended_is_told),
		TEST(a_problem_ends_with_its_cause),
		TEST(other_protocols_are_refused),
		TEST(who_speaks_unasked_is_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
