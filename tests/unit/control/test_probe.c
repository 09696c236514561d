/* Tests userspace/control/probe.c: what an origin answers, and the verdict. */
#include "control/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/tls.h"
#include "tests/lib/certificates.h"
#include "tests/lib/loop_origin.h"
#include "tests/lib/tls_front.h"

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	struct loop_origin *origin;
	struct probes *probes;
	struct probe *probe;
	struct addr addr;
	unsigned answers;
	enum probe_result result;
	char why[200];
};

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("no verdict in time");
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	*state = f;
	f->loop = loop_new();
	f->guard = loop_timer_new(f->loop, on_guard, NULL);
	f->origin = loop_origin_new(f->loop);
	loop_origin_addr(f->origin, &f->addr);
	f->probes = probes_new(f->loop);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	probe_free(f->probe);
	probes_free(f->probes);
	loop_origin_free(f->origin);
	loop_timer_free(f->guard);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void
on_done(enum probe_result result, const char *why, void *arg)
{
	struct fixture *f = arg;

	f->answers++;
	f->result = result;
	snprintf(f->why, sizeof(f->why), "%s", why == NULL ? "" : why);
	loop_stop(f->loop);
}

static void
probe_make(struct fixture *f, const struct model_health_check *check,
	const char *host)
{
	const struct probe_options options = { .probes = f->probes,
		.check = check,
		.addr = &f->addr,
		.host = host,
		.done = on_done,
		.arg = f };

	probe_free(f->probe);
	f->probe = probe_new(&options);
}

static void
ask(struct fixture *f)
{
	unsigned before = f->answers;

	loop_timer_start(f->guard, 5000);
	probe_ask(f->probe);
	if (f->answers == before)
		loop_run(f->loop);
	assert_int_equal(f->answers, before + 1);
}

static struct model_health_check http = {
	.type = MODEL_HEALTH_HTTP,
	.path = (char[]){ "/health?full=1" },
	.timeout_ms = 3000,
	.reuse_connection = true,
};

/* Of whom no answer is expected. */
static struct model_health_check hasty = {
	.type = MODEL_HEALTH_HTTP,
	.path = (char[]){ "/health?full=1" },
	.timeout_ms = 150,
	.reuse_connection = true,
};

#define NO_ANSWER "no answer in 150ms"

#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SILENT ""

static const struct row {
	const char *what;
	struct loop_answer answer;
	enum probe_result result;
	const char *why; /* how it begins */
} rows[] = {
	{ "200", { OK, LOOP_ANSWER_STAY }, PROBE_OK, "" },
	{ "200 until the end",
		{ "HTTP/1.1 200 OK\r\n\r\nbody", LOOP_ANSWER_CLOSE }, PROBE_OK,
		"" },
	{ "chunked",
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		  "2\r\nok\r\n0\r\n\r\n",
			LOOP_ANSWER_STAY },
		PROBE_OK, "" },
	{ "100 first", { "HTTP/1.1 100 Continue\r\n\r\n" OK, LOOP_ANSWER_STAY },
		PROBE_OK, "" },
	{ "100 again and again",
#define HINT "HTTP/1.1 103 Early Hints\r\n\r\n"
		{ HINT HINT HINT HINT HINT HINT HINT HINT HINT OK,
			LOOP_ANSWER_STAY },
		PROBE_FAILED, "HTTP 103" },
	{ "a switch of protocol",
		{ "HTTP/1.1 101 Switching Protocols\r\n\r\n",
			LOOP_ANSWER_STAY },
		PROBE_FAILED, "HTTP 101" },
	{ "204 is not 200", { "HTTP/1.1 204 No\r\n\r\n", LOOP_ANSWER_STAY },
		PROBE_FAILED, "HTTP 204" },
	{ "500",
		{ "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
			LOOP_ANSWER_STAY },
		PROBE_FAILED, "HTTP 500" },
	{ "503",
		{ "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
			LOOP_ANSWER_STAY },
		PROBE_LEAVING, "HTTP 503" },
	{ "nothing", { SILENT, LOOP_ANSWER_STAY }, PROBE_FAILED, NO_ANSWER },
	{ "half a head", { "HTTP/1.1 200 OK\r\n", LOOP_ANSWER_STAY },
		PROBE_FAILED, NO_ANSWER },
	{ "half a body",
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
			LOOP_ANSWER_CLOSE },
		PROBE_FAILED, "the connection was closed within the answer" },
	{ "closed at once", { SILENT, LOOP_ANSWER_CLOSE }, PROBE_FAILED,
		"the connection was closed before an answer" },
	{ "no HTTP", { "220 mail.example ESMTP\r\n", LOOP_ANSWER_STAY },
		PROBE_FAILED, "the answer is malformed" },
	{ "two lengths",
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		  "Content-Length: 3\r\n\r\nok",
			LOOP_ANSWER_STAY },
		PROBE_FAILED, "the answer is malformed" },
	{ "bad chunks",
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz",
			LOOP_ANSWER_STAY },
		PROBE_FAILED, "the body is malformed" },
};

static void
test_answers(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct loop_answer script[] = { rows[i].answer,
			{ NULL, LOOP_ANSWER_STAY } };

		loop_origin_script(f->origin, script);
		probe_make(f,
			strcmp(rows[i].why, NO_ANSWER) == 0 ? &hasty : &http,
			"");
		ask(f);
		if (f->result != rows[i].result ||
			strncmp(f->why, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %d %s", rows[i].what, (int)f->result,
				f->why);
	}
}

static void
test_question(void **state)
{
	static const struct loop_answer script[] = { { OK, LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	struct model_header_value add[] = {
		{ .name = (char[]){ "X-A" },
			.value = (char[]){ "1" },
			.append = true },
		{ .name = (char[]){ "User-Agent" }, .value = (char[]){ "me" } },
	};
	struct model_health_check check = http;
	struct fixture *f = *state;
	char expected[200], addr[ADDR_TEXT_MAX];

	loop_origin_script(f->origin, script);
	probe_make(f, &check, "");
	ask(f);
	snprintf(expected, sizeof(expected),
		"GET /health?full=1 HTTP/1.1\r\nhost: %s\r\n"
		"user-agent: gloo-gateway-health\r\n\r\n",
		addr_format(&f->addr, addr));
	assert_string_equal(loop_origin_seen(f->origin)->data, expected);

	check.method = (char[]){ "POST" };
	check.reuse_connection = false;
	check.add = add;
	check.add_count = 2;
	loop_origin_script(f->origin, script);
	probe_make(f, &check, "origin.example");
	ask(f);
	assert_string_equal(loop_origin_seen(f->origin)->data,
		"POST /health?full=1 HTTP/1.1\r\nhost: origin.example\r\n"
		"X-A: 1\r\nUser-Agent: me\r\nconnection: close\r\n"
		"content-length: 0\r\n\r\n");
}

static void
test_statuses(void **state)
{
	static const struct loop_answer script[] = {
		{ "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
			LOOP_ANSWER_STAY },
		{ "HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n",
			LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY }
	};
	struct model_status_range range = { 404, 405 };
	struct model_health_check check = http;
	struct fixture *f = *state;

	check.statuses = &range;
	check.status_count = 1;
	loop_origin_script(f->origin, script);
	probe_make(f, &check, "");
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
}

static void
test_reuse(void **state)
{
	static const struct loop_answer stay[] = { { OK, LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	static const struct loop_answer close_next[] = {
		{ OK, LOOP_ANSWER_CLOSE_NEXT }, { NULL, LOOP_ANSWER_STAY }
	};
	static const struct loop_answer too_much[] = {
		{ OK OK, LOOP_ANSWER_STAY }, { NULL, LOOP_ANSWER_STAY }
	};
	struct model_health_check check = http;
	struct fixture *f = *state;

	loop_origin_script(f->origin, stay);
	probe_make(f, &check, "");
	for (int i = 0; i < 3; i++)
		ask(f);
	assert_int_equal(loop_origin_connections(f->origin), 1);

	/* A kept connection that ends under the question is no failure. */
	loop_origin_script(f->origin, close_next);
	probe_make(f, &check, "");
	for (int i = 0; i < 3; i++) {
		ask(f);
		assert_int_equal(f->result, PROBE_OK);
	}
	assert_int_equal(loop_origin_connections(f->origin), 3);

	/* Bytes that nobody asked for: not kept. */
	loop_origin_script(f->origin, too_much);
	probe_make(f, &check, "");
	ask(f);
	ask(f);
	assert_int_equal(loop_origin_connections(f->origin), 2);

	check.reuse_connection = false;
	loop_origin_script(f->origin, stay);
	probe_make(f, &check, "");
	ask(f);
	ask(f);
	assert_int_equal(loop_origin_connections(f->origin), 2);
}

static void
test_tcp(void **state)
{
	static const struct loop_answer ping[] = {
		{ "+OK\r\nx+PONG\r\n", LOOP_ANSWER_STAY },
		{ "+PONG\r\n+OK", LOOP_ANSWER_STAY },
		{ "+OK", LOOP_ANSWER_CLOSE },
		{ "", LOOP_ANSWER_CLOSE },
		{ NULL, LOOP_ANSWER_STAY },
	};
	static const struct loop_answer greet[] = {
		{ "+OK +PONG", LOOP_ANSWER_GREET },
		{ NULL, LOOP_ANSWER_STAY },
	};
	struct model_payload send = { (char[]){ "50494e470D0a" } };
	struct model_payload receive[] = { { (char[]){ "2b4f4b" } },
		{ (char[]){ "2b504f4e47" } } };
	struct model_health_check check = { .type = MODEL_HEALTH_TCP,
		.timeout_ms = 3000 };
	struct fixture *f = *state;

	loop_origin_script(f->origin, ping);
	probe_make(f, &check, "");
	ask(f); /* it is enough to connect */
	assert_int_equal(f->result, PROBE_OK);

	check.send = &send;
	check.receive = receive;
	check.receive_count = 2;
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
	assert_string_equal(loop_origin_seen(f->origin)->data, "PING\r\n");
	check.timeout_ms = hasty.timeout_ms;
	ask(f); /* the wrong order */
	assert_int_equal(f->result, PROBE_FAILED);
	assert_string_equal(f->why, NO_ANSWER);
	check.timeout_ms = 3000;
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
	assert_non_null(strstr(f->why, "not what is expected"));
	ask(f);
	assert_string_equal(
		f->why, "the connection was closed before an answer");

	check.send = NULL; /* an endpoint that speaks first */
	loop_origin_script(f->origin, greet);
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
}

static void
test_refused(void **state)
{
	struct fixture *f = *state;
	struct loop_origin *gone = loop_origin_new(f->loop);

	loop_origin_addr(gone, &f->addr);
	loop_origin_free(gone);
	probe_make(f, &http, "");
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
	assert_string_equal(f->why, "connect: refused");
}

/* No descriptor is left: that is not the endpoint's fault. */
static void
test_put_off(void **state)
{
	static const struct loop_answer script[] = { { OK, LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	struct fixture *f = *state;
	struct rlimit before, none = { .rlim_cur = 0 };

	loop_origin_script(f->origin, script);
	probe_make(f, &http, "");
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	ask(f);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(f->result, PROBE_PUT_OFF);
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
}

static void
test_cancel(void **state)
{
	static const struct loop_answer script[] = { { "", LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	struct fixture *f = *state;

	loop_origin_script(f->origin, script);
	probe_make(f, &hasty, "");
	probe_ask(f->probe);
	probe_make(f, &hasty, ""); /* the first one is forgotten */
	ask(f);
	assert_int_equal(f->answers, 1);
}

/* ---- TLS */

struct secured {
	struct certificate authority, good, old;
	struct tls_front *front;
	struct tls_front_options options;
	struct tls_context *contexts[2]; /* with a certificate, without */
	struct probe_tls tls;
	bool plain;
};

static const struct probe_tls *
on_tls(void *arg)
{
	const struct secured *s = arg;

	return s->plain ? NULL : &s->tls;
}

static void
secured_init(struct fixture *f, struct secured *s)
{
	struct tls_options o = { .ca = { NULL, 0 } };
	struct error err = ERROR_INIT;

	memset(s, 0, sizeof(*s));
#define MAKE(what, by, ...)                                                    \
	certificate_make(&s->what,                                             \
		&(struct certificate_options){ __VA_ARGS__ }, by)
	MAKE(authority, NULL, .name = "authority", .authority = true);
	MAKE(good, &s->authority, .name = "good",
		.names = "DNS:good.test,IP:127.0.0.1");
	MAKE(old, &s->authority, .name = "old", .names = "DNS:good.test",
		.from_days = -9, .to_days = -1);
#undef MAKE
	s->options = (struct tls_front_options){ .own = &s->good,
		.origin = addr_port(&f->addr) };
	s->front = tls_front_new(&s->options);
	o.ca = certificate_text(&s->authority);
	s->contexts[1] = tls_context_new(&o, &err);
	o.cert = certificate_text(&s->good);
	o.key = certificate_key_text(&s->good);
	s->contexts[0] = tls_context_new(&o, &err);
	assert_non_null(s->contexts[0]);
	assert_non_null(s->contexts[1]);
	s->tls.context = s->contexts[0];
}

static void
secured_fini(struct fixture *f, struct secured *s)
{
	probe_free(f->probe);
	f->probe = NULL;
	tls_front_free(s->front);
	tls_context_unref(s->contexts[0]);
	tls_context_unref(s->contexts[1]);
	certificate_drop(&s->authority);
	certificate_drop(&s->good);
	certificate_drop(&s->old);
}

static void
secured_probe(struct fixture *f, struct secured *s,
	const struct model_health_check *check, const char *host,
	const char *name)
{
	struct addr addr;
	struct probe_options options = { .probes = f->probes,
		.check = check,
		.addr = &addr,
		.host = host,
		.server_name = name,
		.tls = on_tls,
		.tls_arg = s,
		.done = on_done,
		.arg = f };

	addr_parse_ip("127.0.0.1", tls_front_port(s->front), &addr);
	probe_free(f->probe);
	f->probe = probe_new(&options);
}

static struct model_health_check http_tls = {
	.type = MODEL_HEALTH_HTTP,
	.path = (char[]){ "/health" },
	.timeout_ms = 3000,
	.reuse_connection = true,
};

static struct model_health_check hasty_tls = {
	.type = MODEL_HEALTH_HTTP,
	.path = (char[]){ "/health" },
	.timeout_ms = 100,
};

static struct model_payload ready[] = { { (char[]){ "7265616479" } } };
static struct model_health_check tcp_tls = {
	.type = MODEL_HEALTH_TCP,
	.timeout_ms = 3000,
	.receive = ready,
	.receive_count = 1,
};

static void
test_tls_names(void **state)
{
	static const struct loop_answer script[] = { { OK, LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	static const char *const names[] = { "nobody.test", "good.test", NULL };
	static const struct {
		const char *host, *name, *set;
		const char *const *names;
		const char *why;
	} cases[] = {
		{ "good.test", "", NULL, NULL, "" },
		{ "other.test", "good.test", NULL, NULL, "" },
		{ "other.test", "other.test", "good.test", NULL, "" },
		{ "", "", NULL, NULL, "" }, /* its address */
		{ "other.test", "", NULL, names, "" },
		{ "other.test", "", NULL, NULL,
			"TLS: its certificate is for good.test, 127.0.0.1, "
			"not for other.test" },
		{ "good.test", "good.test", "other.test", NULL,
			"TLS: its certificate is for good.test" },
	};
	struct fixture *f = *state;
	struct secured s;

	secured_init(f, &s);
	loop_origin_script(f->origin, script);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		s.tls.server_name = cases[i].set;
		s.tls.names = cases[i].names;
		secured_probe(f, &s, &http_tls, cases[i].host, cases[i].name);
		ask(f);
		if (f->result != (cases[i].why[0] == '\0' ? PROBE_OK
							  : PROBE_FAILED) ||
			strncmp(f->why, cases[i].why, strlen(cases[i].why)) !=
				0)
			fail_msg("%zu: %d %s", i, f->result, f->why);
	}
	secured_fini(f, &s);
}

/* A connection is kept as long as TLS is what it was. */
static void
test_tls_changes(void **state)
{
	static const struct loop_answer script[] = { { OK, LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	struct fixture *f = *state;
	struct tls_front_counts counts;
	struct secured s;

	secured_init(f, &s);
	loop_origin_script(f->origin, script);
	secured_probe(f, &s, &http_tls, "good.test", "");
	for (int i = 0; i < 3; i++) {
		ask(f);
		assert_int_equal(f->result, PROBE_OK);
	}
	tls_front_count(s.front, &counts);
	assert_int_equal(counts.accepted, 1);
	s.tls.context = s.contexts[1];
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
	tls_front_count(s.front, &counts);
	assert_int_equal(counts.accepted, 2);
	/* Another name is to be asked for. */
	s.tls.server_name = "127.0.0.1";
	s.tls.version++;
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
	tls_front_count(s.front, &counts);
	assert_int_equal(counts.accepted, 3);
	s.tls.server_name = "other.test";
	s.tls.version++;
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
	/* It cannot be spoken: that is not the endpoint's fault. */
	s.tls.context = NULL;
	ask(f);
	assert_int_equal(f->result, PROBE_PUT_OFF);
	/* It is not to be spoken any more, and the front does. */
	s.plain = true;
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
	secured_fini(f, &s);
}

static void
test_tls_fails(void **state)
{
	static const struct loop_answer script[] = { { OK, LOOP_ANSWER_STAY },
		{ NULL, LOOP_ANSWER_STAY } };
	struct fixture *f = *state;
	struct secured s;

	secured_init(f, &s);
	loop_origin_script(f->origin, script);
	/* A client's certificate is wanted: with it, and without. */
	s.options.wants = &s.authority;
	tls_front_change(s.front, &s.options);
	secured_probe(f, &s, &http_tls, "good.test", "");
	ask(f);
	assert_int_equal(f->result, PROBE_OK);
	s.tls.context = s.contexts[1];
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
	if (strncmp(f->why, "TLS: it refused with the alert", 30) != 0)
		fail_msg("%s", f->why);
	s.options.wants = NULL;
	s.options.own = &s.old;
	tls_front_change(s.front, &s.options);
	ask(f);
	assert_int_equal(f->result, PROBE_FAILED);
	if (strncmp(f->why, "TLS: its certificate (CN=old) has expired", 41) !=
		0)
		fail_msg("%s", f->why);
	/* Who speaks no TLS at all: the origin itself. */
	{
		struct probe_options options = { .probes = f->probes,
			.check = &hasty_tls,
			.addr = &f->addr,
			.host = "good.test",
			.tls = on_tls,
			.tls_arg = &s,
			.done = on_done,
			.arg = f };
		static const struct loop_answer none[] = {
			{ "", LOOP_ANSWER_STAY }, { NULL, LOOP_ANSWER_STAY }
		};

		loop_origin_script(f->origin, none);
		probe_free(f->probe);
		f->probe = probe_new(&options);
		ask(f);
		assert_int_equal(f->result, PROBE_FAILED);
		assert_string_equal(f->why, "TLS: no handshake in 100ms");
		loop_origin_script(f->origin, script);
		options.check = &http_tls;
		probe_free(f->probe);
		f->probe = probe_new(&options);
		ask(f);
		assert_string_equal(f->why, "TLS: what it says is not TLS");
	}
	secured_fini(f, &s);
}

/* What is expected may come at once, with the end of the handshake. */
static void
test_tls_greeting(void **state)
{
	static const struct loop_answer greets[] = {
		{ "ready", LOOP_ANSWER_GREET }, { NULL, LOOP_ANSWER_STAY }
	};
	struct fixture *f = *state;
	struct secured s;

	secured_init(f, &s);
	loop_origin_script(f->origin, greets);
	secured_probe(f, &s, &tcp_tls, "good.test", "");
	for (int i = 0; i < 20; i++) {
		ask(f);
		assert_int_equal(f->result, PROBE_OK);
	}
	secured_fini(f, &s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_answers),
		CASE(test_question),
		CASE(test_statuses),
		CASE(test_reuse),
		CASE(test_tcp),
		CASE(test_refused),
		CASE(test_put_off),
		CASE(test_cancel),
		CASE(test_tls_names),
		CASE(test_tls_changes),
		CASE(test_tls_fails),
		CASE(test_tls_greeting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
