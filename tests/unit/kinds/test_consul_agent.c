/*
 * Tests userspace/kinds/consul/agent.c and what is below it over real
 * connections: a scripted agent on the loop (tests/lib/replay.h), and servers
 * in children for TLS and Unix sockets. What takes time is in
 * test_consul_query.c and its neighbours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "kinds/consul/agent.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "tests/lib/certificates.h"
#include "tests/lib/command.h"
#include "tests/lib/https_server.h"
#include "tests/lib/replay.h"

#define WAIT_MS 20000 /* for what takes milliseconds, or a pause of a second   \
		       */

static char folder[64];
static struct loop *loop;
static struct http_client *http;
static struct consul_agent *agent;
static struct replay *replay;

/* ---- who asks */

struct asker {
	struct consul_query *query;
	struct str body; /* of the last answer */
	size_t answers, failures;
	uint64_t index;
	bool failing;
	char why[512];
};

static int
on_answer(const struct consul_answer *a, void *arg, struct error *err)
{
	struct asker *w = arg;

	(void)err;
	w->answers++;
	w->index = a->index;
	str_clear(&w->body);
	str_append(&w->body, a->body.data, a->body.length);
	return 0;
}

static void
on_failed(const char *why, uint64_t since_ms, void *arg)
{
	struct asker *w = arg;

	assert_true(since_ms > 0);
	w->failures += why != NULL;
	w->failing = why != NULL;
	snprintf(w->why, sizeof(w->why), "%s", why == NULL ? "" : why);
}

static void
ask(struct asker *w, struct consul_question question)
{
	static const struct consul_events events = { on_answer, on_failed };

	memset(w, 0, sizeof(*w));
	str_init(&w->body);
	w->query = consul_query_new(agent, &question, &events, w);
}

static void
end(struct asker *w)
{
	consul_query_free(w->query);
	str_fini(&w->body);
}

/* ---- the loop runs until something is so */

static struct loop_timer *look, *limit;
static bool (*is_so)(void *arg);
static void *is_so_arg;

static void
on_look(void *arg)
{
	(void)arg;
	if (is_so(is_so_arg))
		loop_stop(loop);
	else
		loop_timer_start(look, 1);
}

static void
on_limit(void *arg)
{
	(void)arg;
	fail_msg("it takes too long");
}

static void
run_until(bool (*so)(void *arg), void *arg)
{
	is_so = so;
	is_so_arg = arg;
	loop_timer_start(look, 0);
	loop_timer_start(limit, WAIT_MS);
	loop_run(loop);
	loop_timer_stop(limit);
}

static bool
is_answered(void *arg)
{
	return ((struct asker *)arg)->answers > 0;
}

static bool
is_failing(void *arg)
{
	return ((struct asker *)arg)->failing;
}

static bool
is_well_again(void *arg)
{
	const struct asker *w = arg;

	return w->failures > 0 && !w->failing;
}

/* ---- the rig */

static void
file_write(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", folder, name);
	struct error err = ERROR_INIT;

	if (file_replace(path, text, strlen(text), 0600, &err) != 0)
		fail_msg("%s", err.text);
	free(path);
}

static struct certificate authority, other, agents, gateway;

static const struct certificate_row made[] = {
	{ &authority, NULL, { .name = "ca", .authority = true } },
	{ &other, NULL, { .name = "other", .authority = true } },
	{ &agents, &authority, { .name = "agent", .names = "IP:127.0.0.1" } },
	{ &gateway, &authority, { .name = "gateway" } },
};

static int
group_set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/consul-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	certificates_make(made, ARRAY_SIZE(made));
	return 0;
}

static int
group_tear_down(void **state)
{
	(void)state;
	certificates_drop(made, ARRAY_SIZE(made));
	must("rm -r %s", folder);
	return 0;
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	http = http_client_new(loop);
	look = loop_timer_new(loop, on_look, NULL);
	limit = loop_timer_new(loop, on_limit, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	consul_agent_free(agent);
	agent = NULL;
	http_client_free(http);
	if (replay != NULL)
		replay_free(replay);
	replay = NULL;
	loop_timer_free(look);
	loop_timer_free(limit);
	loop_free(loop);
	return 0;
}

/* settings: the rest of them. */
static void
begin_at(char *address, struct consul_settings settings)
{
	settings.http_address = address;
	settings.wait_time.ms = 300000;
	settings.connections_max = 150;
	agent = consul_agent_new(loop, http, &settings, folder);
	free(address);
}

static void
begin(const struct replay_line *script, struct consul_settings settings)
{
	replay = replay_new(loop, script, NULL);
	begin_at(xasprintf("127.0.0.1:%u", replay_port(replay)), settings);
}

static const struct replay_line nothing[] = {
	{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
};

/* ---- over HTTP */

static void
test_a_question(void **state)
{
	static const struct replay_line script[] = {
		{ "GET /v1/health/service/web?dc=dc1 !index !wait "
		  "application/json X-Consul-Token: s3cr3t !token=",
			200, "x-consul-index: 18446744073709551614\r\n",
			"[{\"Node\":1}]", 3, 0, 0, NULL },
		{ "GET /v1/health/service/web?dc=dc1&"
		  "index=18446744073709551614&wait=300000ms s3cr3t",
			-1, NULL, NULL, 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	char token[] = "s3cr3t";
	struct asker w;

	(void)state;
	begin(script, (struct consul_settings){ .token = token });
	ask(&w, (struct consul_question){ .path = "/v1/health/service/web",
			.datacenter = "dc1" });
	run_until(is_answered, &w);
	assert_string_equal(w.body.data, "[{\"Node\":1}]");
	assert_true(w.index == UINT64_MAX - 1);
	assert_int_equal(w.failures, 0);
	end(&w);
}

/* What comes in place of an answer, and what is said of it. */
static struct replay_line bad;

static struct replay_line
answer_bad(const char *head, void *arg)
{
	(void)arg;
	if (strstr(head, "/v1/status/leader") != NULL)
		return (struct replay_line){ "GET", 200, NULL, "\"\"", 0, 0, 0,
			NULL };
	return bad;
}

static void
test_no_answer(void **state)
{
	static const struct {
		struct replay_line line;
		const char *why;
	} cases[] = {
		{ { "GET", 500, NULL, "No cluster leader", 0, 0, 0, NULL },
			": GET /q: HTTP 500: No cluster leader; its servers" },
		{ { "GET", 500, NULL, "No path to datacenter", 0, 0, 0, NULL },
			"HTTP 500: No path to datacenter; see that the data" },
		{ { "GET", 403, "X-Consul-Index: 1\r\n", "ACL not found", 0, 0,
			  0, NULL },
			"HTTP 403: ACL not found; let consul.token" },
		{ { "GET", 400, NULL, "Invalid wait time", 0, 0, 0, NULL },
			"HTTP 400: Invalid wait time; see that" },
		{ { "GET", 301, "Location: /ui\r\n", "", 0, 0, 0, NULL },
			"HTTP 301; see that consul.httpAddress" },
		/* killed while it was asked */
		{ { "GET", 0, NULL, NULL, 0, 0, 0, NULL },
			"; see that it runs, or let consul.httpAddress" },
		/* and while it answered */
		{ { "GET", 200, "X-Consul-Index: 7\r\n", "[", 0, 0, 1, NULL },
			"; see the agent's log" },
	};

	(void)state;
	begin(nothing, (struct consul_settings){ 0 });
	replay_then(replay, answer_bad);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct asker w;

		bad = cases[i].line;
		ask(&w, (struct consul_question){ .path = "/q" });
		run_until(is_failing, &w);
		assert_int_equal(w.answers, 0);
		if (strncmp(w.why, "Consul agent 127.0.0.1:", 23) != 0 ||
			strstr(w.why, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, w.why);
		/* The place stands there once. */
		assert_null(strstr(w.why, "http://127.0.0.1"));
		end(&w);
	}
}

static void
test_it_works_again(void **state)
{
	struct asker w;

	(void)state;
	bad = (struct replay_line){ "GET", 0, NULL, NULL, 0, 0, 0, NULL };
	begin(nothing, (struct consul_settings){ 0 });
	replay_then(replay, answer_bad);
	ask(&w, (struct consul_question){ .path = "/q" });
	run_until(is_failing, &w);
	bad = (struct replay_line){ "GET", 200, "X-Consul-Index: 5\r\n", "[]",
		0, 0, 0, NULL };
	run_until(is_well_again, &w);
	assert_int_equal(w.answers, 1);
	assert_string_equal(w.body.data, "[]");
	end(&w);
}

static void
test_nobody_there(void **state)
{
	struct asker w;

	(void)state;
	/* a port that was ours a moment ago */
	begin(nothing, (struct consul_settings){ 0 });
	replay_free(replay);
	replay = NULL;
	ask(&w, (struct consul_question){ .path = "/q" });
	run_until(is_failing, &w);
	assert_non_null(strstr(w.why, "; see that it runs, or let "));
	end(&w);
}

/* ---- a Unix socket, and an agent that is killed */

static void
test_unix_socket(void **state)
{
	char *path = xasprintf("%s/agent.sock", folder);
	const struct https_server_options options = { .unix_socket = path };
	struct https_server server;
	struct asker w;

	(void)state;
	https_server_start(&server, &options);
	begin_at(xasprintf("unix://%s", path), (struct consul_settings){ 0 });
	ask(&w, (struct consul_question){ .path = "/hello" });
	run_until(is_answered, &w);
	assert_string_equal(w.body.data, "hello");
	https_server_stop(&server);
	run_until(is_failing, &w);
	assert_non_null(strstr(w.why, "Consul agent unix:///tmp/consul-"));
	assert_null(strstr(w.why, "localhost"));
	must("rm -f %s", path);
	https_server_start(&server, &options);
	run_until(is_well_again, &w);
	assert_int_equal(w.answers, 2);
	https_server_stop(&server);
	end(&w);
	free(path);
}

/* ---- TLS */

static void
test_tls(void **state)
{
	char ca[] = "trusted.crt", cert[] = "us.crt", key[] = "us.key";
	struct https_server server;
	struct asker w;

	(void)state;
	https_server_start(&server,
		&(struct https_server_options){
			.tls = { .own = &agents, .wants = &authority } });
	/* Whom it trusts is somebody else: nothing is asked. */
	file_write(ca, other.cert_pem);
	file_write(cert, gateway.cert_pem);
	file_write(key, gateway.key_pem);
	begin_at(xasprintf("https://127.0.0.1:%u", server.port),
		(struct consul_settings){
			.ca_file = ca, .cert_file = cert, .key_file = key });
	ask(&w, (struct consul_question){ .path = "/who" });
	run_until(is_failing, &w);
	assert_non_null(strstr(w.why, "certificate"));
	assert_non_null(strstr(w.why, "; see that it runs at "
				      "consul.httpAddress, and that "
				      "consul.caFile, "));
	assert_int_equal(w.answers, 0);
	/* The right one comes into the file. */
	file_write(ca, authority.cert_pem);
	run_until(is_well_again, &w);
	assert_string_equal(w.body.data, "gateway");
	end(&w);
	https_server_stop(&server);
}

static void
test_tls_files(void **state)
{
	static char ca[] = "none.crt";
	struct asker w;

	(void)state;
	begin_at(xstrdup("https://127.0.0.1:1"),
		(struct consul_settings){ .ca_file = ca });
	ask(&w, (struct consul_question){ .path = "/q" });
	run_until(is_failing, &w);
	assert_non_null(strstr(w.why, "consul.caFile: "));
	assert_non_null(strstr(w.why, "none.crt"));
	/* An empty one does not stand for the system's roots. */
	end(&w);
	file_write(ca, "");
	ask(&w, (struct consul_question){ .path = "/q" });
	run_until(is_failing, &w);
	assert_non_null(strstr(w.why, "is empty"));
	end(&w);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_question),
		TEST(test_no_answer),
		TEST(test_it_works_again),
		TEST(test_nobody_there),
		TEST(test_unix_socket),
		TEST(test_tls),
		TEST(test_tls_files),
	};
#undef TEST

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
