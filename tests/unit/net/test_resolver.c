/*
 * Tests userspace/net/resolver.c, dns_channel.c and dns_answer.c against a name
 * server on loopback that says what a row wants, right and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "tests/lib/dns_server.h"

static const struct dns_record records[] = {
	{ "two.test", DNS_RECORD_A, 300, "192.0.2.2" },
	{ "two.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "both.test", DNS_RECORD_A, 20, "192.0.2.1" },
	{ "both.test", DNS_RECORD_AAAA, 10, "2001:db8::1" },
	{ "twice.test", DNS_RECORD_A, 20, "192.0.2.1" },
	{ "twice.test", DNS_RECORD_A, 20, "192.0.2.1" },
	{ "six.test", DNS_RECORD_AAAA, 7, "2001:db8::6" },
	{ "alias.test", DNS_RECORD_CNAME, 5, "real.test" },
	{ "real.test", DNS_RECORD_A, 100, "192.0.2.5" },
	{ "chain.test", DNS_RECORD_CNAME, 90, "alias.test" },
	{ "hanging.test", DNS_RECORD_CNAME, 5, "nothing.test" },
	{ "round.test", DNS_RECORD_CNAME, 5, "about.test" },
	{ "about.test", DNS_RECORD_CNAME, 5, "round.test" },
	{ "self.test", DNS_RECORD_CNAME, 5, "self.test" },
	{ "now.test", DNS_RECORD_A, 0, "192.0.2.9" },
	{ "negative.test", DNS_RECORD_A, 0x80000001, "192.0.2.9" },
	{ "cut.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "lies.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "large.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "nowhere.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "id.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "question.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "half.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "mute.test", DNS_RECORD_A, 60, "192.0.2.1" },
	{ "web.inner.test", DNS_RECORD_A, 60, "192.0.2.8" },
	{ "web.bad.test", DNS_RECORD_A, 60, "192.0.2.8" },
	{ "a.b.inner.test", DNS_RECORD_A, 60, "192.0.2.8" },
	{ "_http._tcp.web.test", DNS_RECORD_SRV, 60, "10 20 8001 a.web.test" },
	{ "_http._tcp.web.test", DNS_RECORD_SRV, 30, "10 0 8002 b.web.test" },
	{ "_http._tcp.web.test", DNS_RECORD_SRV, 60, "5 1 8003 c.web.test" },
	{ "_http._tcp.web.test", DNS_RECORD_SRV, 60, "5 1 8003 c.web.test" },
	{ "_far._tcp.web.test", DNS_RECORD_CNAME, 3, "_http._tcp.web.test" },
	{ "_no._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 0 ." },
	{ "_bad._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 80 a b.test" },
	{ "_bad._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 0 a.test" },
	{ "_mixed._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 0 ." },
	{ "_mixed._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 0 a.test" },
	{ "_part._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 80 x\r\ny.test" },
	{ "_part._tcp.web.test", DNS_RECORD_SRV, 60, "0 0 80 good.test" },
	{ NULL, 0, 0, NULL },
};

static const struct dns_rule rules[] = {
	{ "broken.test", 0, DNS_SERVFAIL },
	{ "closed.test", 0, DNS_REFUSED },
	{ "silent.test", 0, DNS_SILENT },
	{ "empty.test", 0, DNS_WELL },
	{ "cut.test", 0, DNS_CUT },
	{ "lies.test", 0, DNS_COUNT_LIES },
	{ "large.test", 0, DNS_TRUNCATED },
	{ "nowhere.test", DNS_RECORD_A, DNS_TRUNCATED_ONLY },
	{ "id.test", 0, DNS_FORGED_ID },
	{ "question.test", 0, DNS_FORGED_NAME },
	{ "half.test", DNS_RECORD_AAAA, DNS_SERVFAIL },
	{ "mute.test", DNS_RECORD_AAAA, DNS_SILENT },
	{ "unsure.test", DNS_RECORD_A, DNS_SERVFAIL },
	{ "many.test", 0, DNS_MANY },
	{ "web.broken.test", 0, DNS_SERVFAIL },
	{ "gone.broken.test", 0, DNS_SERVFAIL },
	{ NULL, 0, 0 },
};

/* What the callback got. */
struct answer {
	size_t calls, count;
	enum resolver_verdict verdict;
	uint32_t ttl_s;
	bool v4_failed, v6_failed;
	struct str what;
	char failure[200];
};

static struct loop *loop;
static struct dns_server *server;
static struct resolver *resolver;

static void
on_answer(const struct resolver_answer *got, void *arg)
{
	struct answer *a = arg;
	char text[ADDR_TEXT_MAX];

	a->calls++;
	a->verdict = got->verdict;
	a->count = got->addr_count + got->service_count;
	a->ttl_s = got->ttl_s;
	a->v4_failed = got->v4_failed;
	a->v6_failed = got->v6_failed;
	assert_int_equal(got->verdict == RESOLVER_FOUND, got->failure == NULL);
	assert_int_equal(got->verdict == RESOLVER_FOUND, a->count > 0);
	str_init(&a->what);
	for (size_t i = 0; i < got->addr_count && i < 8; i++) {
		assert_int_equal(got->addrs[i].port_be, 0);
		str_printf(
			&a->what, "%s ", addr_format_ip(&got->addrs[i], text));
	}
	for (size_t i = 0; i < got->service_count; i++)
		str_printf(&a->what, "%u/%u %s:%u ", got->services[i].priority,
			got->services[i].weight, got->services[i].host,
			got->services[i].port);
	snprintf(a->failure, sizeof(a->failure), "%s",
		got->failure == NULL ? "" : got->failure);
	loop_stop(loop);
}

static int
setup(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	loop = loop_new();
	server = dns_server_new(loop);
	dns_server_say(server, records, rules);
	resolver = resolver_new(loop, dns_server_where(server), NULL, &err);
	return resolver == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(resolver);
	dns_server_free(server);
	loop_free(loop);
	return 0;
}

static void
on_guard(void *arg)
{
	(void)arg;
	fail_msg("no answer came");
}

static void
run(void)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	loop_timer_start(guard, 30000);
	loop_run(loop);
	loop_timer_free(guard);
}

static void
ask(const char *name, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	if (name[0] == '_')
		assert_non_null(
			resolver_services_new(resolver, name, on_answer, a));
	else
		assert_non_null(
			resolver_query_new(resolver, name, on_answer, a));
	assert_int_equal(a->calls, 0);
	while (a->calls == 0)
		run();
	assert_int_equal(a->calls, 1);
}

static void
test_answers(void **state)
{
	static const struct {
		const char *what, *name, *addrs;
		uint32_t ttl_s;
	} rows[] = {
		{ "sorted, with the smallest TTL", "two.test",
			"192.0.2.1 192.0.2.2 ", 60 },
		{ "whole", "two.test.", "192.0.2.1 192.0.2.2 ", 60 },
		{ "both families", "both.test", "192.0.2.1 2001:db8::1 ", 10 },
		{ "each address once", "twice.test", "192.0.2.1 ", 20 },
		{ "only IPv6", "six.test", "2001:db8::6 ", 7 },
		{ "the TTL of an alias counts", "alias.test", "192.0.2.5 ", 5 },
		{ "along the chain", "chain.test", "192.0.2.5 ", 5 },
		{ "a TTL of 0 stays one", "now.test", "192.0.2.9 ", 0 },
		{ "a TTL beyond 31 bits is 0", "negative.test", "192.0.2.9 ",
			0 },
		{ "truncated: over TCP", "large.test", "192.0.2.1 ", 60 },
		{ "another id is no answer", "id.test", "192.0.2.1 ", 60 },
		{ "another question is no answer", "question.test",
			"192.0.2.1 ", 60 },
		{ "a literal", "192.0.2.77", "192.0.2.77 ",
			RESOLVER_HOSTS_TTL_S },
		{ "an IPv6 literal", "::1", "::1 ", RESOLVER_HOSTS_TTL_S },
		{ "services", "_http._tcp.web.test",
			"5/1 c.web.test:8003 10/20 a.web.test:8001 "
			"10/0 b.web.test:8002 ",
			30 },
		{ "the TTL of their alias", "_far._tcp.web.test",
			"5/1 c.web.test:8003 10/20 a.web.test:8001 "
			"10/0 b.web.test:8002 ",
			3 },
		{ "hosts that are none are left out", "_part._tcp.web.test",
			"0/0 good.test:80 ", 60 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a;

		ask(rows[i].name, &a);
		if (strcmp(a.what.data, rows[i].addrs) != 0 ||
			a.ttl_s != rows[i].ttl_s)
			fail_msg("%s: %s TTL %u, failure \"%s\"", rows[i].what,
				a.what.data, a.ttl_s, a.failure);
		str_fini(&a.what);
	}
	assert_true(dns_server_asked_tcp(server) >= 1);
}

static void
test_failures(void **state)
{
	static const struct {
		const char *name;
		enum resolver_verdict verdict;
		const char *failure;
	} rows[] = {
		{ "none.test", RESOLVER_NO_NAME,
			"no host is named \"none.test\"" },
		{ "empty.test", RESOLVER_NO_DATA,
			"the name \"empty.test\" has no address" },
		{ "hanging.test", RESOLVER_NO_DATA,
			"the name \"hanging.test\" has no address" },
		{ "broken.test", RESOLVER_FAILED,
			"no name server could resolve \"broken.test\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "closed.test", RESOLVER_FAILED,
			"no name server could resolve \"closed.test\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "silent.test", RESOLVER_FAILED,
			"no name server answered in time for "
			"\"silent.test\"" },
		{ "nowhere.test", RESOLVER_FAILED,
			"no name server could resolve \"nowhere.test\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "cut.test", RESOLVER_FAILED,
			"the name \"cut.test\" was answered with what cannot "
			"be read" },
		{ "lies.test", RESOLVER_FAILED,
			"the name \"lies.test\" was answered with what cannot "
			"be read" },
		{ "round.test", RESOLVER_FAILED,
			"the name \"round.test\" leads in a circle of "
			"aliases" },
		{ "self.test", RESOLVER_FAILED,
			"the name \"self.test\" leads in a circle of "
			"aliases" },
		/* One family has nothing, nobody could say of the other. */
		{ "unsure.test", RESOLVER_FAILED,
			"no name server could resolve \"unsure.test\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "a..b", RESOLVER_FAILED, "\"a..b\" is not a host name" },
		{ "_no._tcp.web.test", RESOLVER_NO_DATA,
			"the name \"_no._tcp.web.test\" is said to have no "
			"service" },
		/* What is wrong is no evidence that there is nothing. */
		{ "_bad._tcp.web.test", RESOLVER_FAILED,
			"the name \"_bad._tcp.web.test\" has a service that "
			"has no host's name, or no port" },
		{ "_mixed._tcp.web.test", RESOLVER_NO_DATA,
			"the name \"_mixed._tcp.web.test\" is said to have no "
			"service" },
		{ "_none._tcp.web.test", RESOLVER_NO_NAME,
			"no host is named \"_none._tcp.web.test\"" },
	};
	struct resolver_counts counts;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a;

		ask(rows[i].name, &a);
		assert_string_equal(a.failure, rows[i].failure);
		assert_int_equal(a.verdict, rows[i].verdict);
		str_fini(&a.what);
	}
	resolver_counts(resolver, &counts);
	assert_int_equal(counts.asked, ARRAY_SIZE(rows));
	assert_int_equal(counts.answered, 6);
	assert_int_equal(counts.failed, ARRAY_SIZE(rows) - 6);
}

/* What one family has is used, and it is said that the other failed. */
static void
test_half_an_answer(void **state)
{
	static const char *const names[] = { "half.test", "mute.test" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct answer a;

		ask(names[i], &a);
		assert_string_equal(a.what.data, "192.0.2.1 ");
		assert_true(a.v6_failed);
		assert_false(a.v4_failed);
		str_fini(&a.what);
	}
}

static void
test_enormous(void **state)
{
	struct answer a;

	(void)state;
	ask("many.test", &a);
	assert_int_equal(a.count, 3000);
	assert_int_equal(a.ttl_s, 60);
	str_fini(&a.what);
}

static void
test_localhost_asks_nobody(void **state)
{
	static const char *const names[] = { "localhost", "LOCALHOST.",
		"a.localhost" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct answer a;

		ask(names[i], &a);
		assert_string_equal(a.what.data, "::1 127.0.0.1 ");
		assert_int_equal(a.ttl_s, RESOLVER_HOSTS_TTL_S);
		str_fini(&a.what);
	}
	assert_int_equal(dns_server_asked(server), 0);
}

static void
test_cancelled_queries_say_nothing(void **state)
{
	struct answer cancelled = { .calls = 0 }, a;
	struct resolver_query *q;

	(void)state;
	q = resolver_query_new(resolver, "two.test", on_answer, &cancelled);
	resolver_query_cancel(q);
	/* This one's answer is known and waits for the loop. */
	q = resolver_query_new(resolver, "192.0.2.1", on_answer, &cancelled);
	resolver_query_cancel(q);
	resolver_query_cancel(NULL);
	ask("both.test", &a);
	assert_int_equal(a.count, 2);
	assert_int_equal(cancelled.calls, 0);
	str_fini(&a.what);
}

static void
test_free_with_queries_open(void **state)
{
	struct answer a = { .calls = 0 };
	struct resolver_query *q;

	(void)state;
	/* More than are asked at once. */
	for (size_t i = 0; i < RESOLVER_ASKED_MAX; i++)
		resolver_query_new(resolver, "silent.test", on_answer, &a);
	resolver_query_new(resolver, "192.0.2.1", on_answer, &a);
	q = resolver_query_new(resolver, "two.test", on_answer, &a);
	resolver_query_cancel(q);
	resolver_free(resolver);
	resolver = NULL;
	assert_int_equal(a.calls, 0);
}

static void
free_on_answer(const struct resolver_answer *got, void *arg)
{
	resolver_free(resolver);
	resolver = NULL;
	on_answer(got, arg);
}

static void
test_free_inside_an_answer(void **state)
{
	struct answer a = { .calls = 0 };

	(void)state;
	resolver_query_new(resolver, "both.test", free_on_answer, &a);
	run();
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.count, 2);
	str_fini(&a.what);
}

/* Some wait their turn; whoever is cancelled meanwhile is passed over. */
static void
test_many_at_once(void **state)
{
	enum {
		COUNT = 600
	};
	static struct answer a[COUNT];
	struct resolver_query *q[COUNT];

	(void)state;
	memset(a, 0, sizeof(a));
	for (size_t i = 0; i < COUNT; i++)
		q[i] = resolver_query_new(resolver,
			i % 2 ? "two.test" : "none.test", on_answer, &a[i]);
	assert_true(dns_server_asked(server) <= RESOLVER_ASKED_MAX);
	for (size_t i = 0; i < COUNT; i += 7)
		resolver_query_cancel(q[i]);
	for (size_t i = 0; i < COUNT; i++) {
		if (i % 7 == 0)
			continue;
		while (a[i].calls == 0)
			run();
		assert_int_equal(a[i].calls, 1);
		assert_int_equal(a[i].count, i % 2 ? 2 : 0);
		str_fini(&a[i].what);
	}
	assert_int_equal(a[7].calls, 0);
}

static void
test_servers_must_be_addresses(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_null(resolver_new(loop, "not an address", NULL, &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	resolver_free(NULL);
}

/* ---- resolv.conf */

static char conf[] = "/tmp/test-resolver-XXXXXX";

static void
conf_write(const char *text)
{
	char *next = xasprintf("%s.new", conf);
	FILE *f = fopen(next, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(next, conf), 0);
	free(next);
}

static int
setup_conf(void **state)
{
	int fd = mkstemp(conf);

	if (fd < 0 || setup(state) != 0)
		return -1;
	close(fd);
	unsetenv("LOCALDOMAIN");
	return 0;
}

static int
teardown_conf(void **state)
{
	unlink(conf);
	memcpy(conf + strlen(conf) - 6, "XXXXXX", 6);
	setenv("LOCALDOMAIN", "", 1);
	return teardown(state);
}

/* The search list is the file's even where the servers are given. */
static void
test_search(void **state)
{
	static const struct {
		const char *what, *conf, *name, *addrs, *failure;
	} rows[] = {
		{ "a name without dots", "search inner.test\n", "web",
			"192.0.2.8 ", "" },
		{ "one with dots only after itself", "search inner.test\n",
			"a.b", "192.0.2.8 ", "" },
		{ "what is whole is not searched", "search inner.test\n",
			"web.", "", "no host is named \"web\"" },
		{ "a broken domain is passed over",
			"search broken.test inner.test\n", "web", "192.0.2.8 ",
			"" },
		{ "but is no evidence that there is none",
			"search broken.test\n", "gone", "",
			"no name server could resolve \"gone\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "more dots are needed",
			"search inner.test\noptions ndots:5\n", "two.test",
			"192.0.2.1 192.0.2.2 ", "" },
		/* As systemd-resolved writes it. */
		{ "the root is no domain: it is there", "search .\n",
			"two.test", "192.0.2.1 192.0.2.2 ", "" },
		{ "the root is no domain: there is none", "search .\n",
			"none.test", "", "no host is named \"none.test\"" },
		{ "the root comes in its turn",
			"search . inner.test\noptions ndots:2\n", "a.b",
			"192.0.2.8 ", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a;
		struct error err = ERROR_INIT;

		conf_write(rows[i].conf);
		resolver_free(resolver);
		resolver = resolver_new(
			loop, dns_server_where(server), conf, &err);
		assert_non_null(resolver);
		ask(rows[i].name, &a);
		if (strcmp(a.what.data, rows[i].addrs) != 0 ||
			strcmp(a.failure, rows[i].failure) != 0)
			fail_msg("%s: %s \"%s\"", rows[i].what, a.what.data,
				a.failure);
		str_fini(&a.what);
	}
}

static void
on_wait(void *arg)
{
	size_t *told = arg;

	(*told)++;
	loop_stop(loop);
}

/* Another file holds from the next question on; who waits is told. */
static void
test_conf_is_followed(void **state)
{
	struct answer a, open = { .calls = 0 };
	struct error err = ERROR_INIT;
	struct resolver_counts counts;
	struct resolver_wait *w;
	size_t told = 0;

	(void)state;
	resolver_free(resolver);
	conf_write("nameserver 127.0.0.1\nsearch inner.test\n");
	resolver = resolver_new(loop, NULL, conf, &err);
	assert_non_null(resolver);
	w = resolver_wait_new(resolver, on_wait, &told);
	resolver_counts(resolver, &counts);
	assert_int_equal(counts.stale, 1);
	/* Nobody is on port 53 here, or somebody who knows no such name. */
	resolver_query_new(resolver, "silent.test", on_answer, &open);
	conf_write("search inner.test\n# another one\nnameserver 127.0.0.2\n");
	while (told == 0)
		run();
	assert_int_equal(told, 1);
	resolver_wait_free(w);
	resolver_counts(resolver, &counts);
	assert_int_equal(counts.stale, 0);
	ask("localhost", &a);
	str_fini(&a.what);
	while (open.calls == 0)
		run();
	assert_int_not_equal(open.verdict, RESOLVER_FOUND);
	str_fini(&open.what);
}

static size_t failures;

static void
on_failure(const struct resolver_answer *got, void *arg)
{
	const size_t *last = arg;

	assert_int_not_equal(got->verdict, RESOLVER_FOUND);
	if (++failures == *last)
		loop_stop(loop);
}

/* They are asked one after the other, not each within the former one's failure:
 * the stack that is needed does not depend on how many wait. */
static void
test_many_fail_at_once(void **state)
{
	size_t count = 20000;
	struct error err = ERROR_INIT;

	(void)state;
	failures = 0;
	resolver_free(resolver);
	/* Nobody is on port 53 here, or somebody who knows no such name. */
	conf_write("nameserver 127.0.0.2\n");
	resolver = resolver_new(loop, NULL, conf, &err);
	assert_non_null(resolver);
	for (size_t i = 0; i < count; i++)
		resolver_query_new(
			resolver, "broken.test", on_failure, &count);
	/* The first answer finds this one, which is no server's address: what
	 * is asked fails at once. */
	conf_write("nameserver 255.255.255.255\n");
	run();
	assert_int_equal(failures, count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_CONF(name)                                                        \
	cmocka_unit_test_setup_teardown(name, setup_conf, teardown_conf)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_failures),
		TEST(test_half_an_answer),
		TEST(test_enormous),
		TEST(test_localhost_asks_nobody),
		TEST(test_cancelled_queries_say_nothing),
		TEST(test_free_with_queries_open),
		TEST(test_free_inside_an_answer),
		TEST(test_many_at_once),
		TEST(test_servers_must_be_addresses),
		TEST_CONF(test_search),
		TEST_CONF(test_conf_is_followed),
		TEST_CONF(test_many_fail_at_once),
	};

	/* Search domains of this host would only add questions. */
	setenv("LOCALDOMAIN", "", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
