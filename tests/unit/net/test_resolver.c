/*
 * Tests userspace/net/resolver.c against a name server of its own on loopback,
 * which answers from a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/resolver.h"

enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5, SILENT = 100 };
enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

static const struct record {
	const char *name;
	uint16_t type;
	uint32_t ttl;
	const char *data;
} records[] = {
	{ "two.test", TYPE_A, 300, "192.0.2.2" },
	{ "two.test", TYPE_A, 60, "192.0.2.1" },
	{ "both.test", TYPE_A, 20, "192.0.2.1" },
	{ "both.test", TYPE_AAAA, 10, "2001:db8::1" },
	{ "twice.test", TYPE_A, 20, "192.0.2.1" },
	{ "twice.test", TYPE_A, 20, "192.0.2.1" },
	{ "six.test", TYPE_AAAA, 7, "2001:db8::6" },
	{ "alias.test", TYPE_CNAME, 5, "real.test" },
	{ "now.test", TYPE_A, 0, "192.0.2.9" },
};

static const struct {
	const char *name;
	int rcode;
} failures[] = { { "broken.test", SERVFAIL }, { "closed.test", REFUSED },
	{ "silent.test", SILENT }, { "empty.test", NOERROR } };

struct message {
	uint8_t bytes[512];
	size_t length;
};

struct server {
	struct loop *loop;
	struct loop_fd *watch;
	int fd;
	size_t asked;
};

static void
put(struct message *m, const void *data, size_t length)
{
	assert_true(m->length + length <= sizeof(m->bytes));
	memcpy(m->bytes + m->length, data, length);
	m->length += length;
}

static void
put16(struct message *m, unsigned value)
{
	put(m, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void
put_name(struct message *m, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		put(m, (uint8_t[]){ (uint8_t)n }, 1);
		put(m, name, n);
		name += n + (name[n] == '.');
	}
	put(m, "", 1);
}

/* The answer's head: type, class, TTL, length of the data. */
static void
put_record(struct message *m, const struct record *r, const char *owner)
{
	uint8_t ip[16];
	size_t length_at;

	put_name(m, owner);
	put16(m, r->type);
	put16(m, 1);
	put16(m, r->ttl >> 16);
	put16(m, r->ttl & 0xffff);
	length_at = m->length;
	put16(m, 0);
	if (r->type == TYPE_CNAME) {
		put_name(m, r->data);
	} else if (r->type == TYPE_A) {
		inet_pton(AF_INET, r->data, ip);
		put(m, ip, 4);
	} else {
		inet_pton(AF_INET6, r->data, ip);
		put(m, ip, 16);
	}
	m->bytes[length_at + 1] = (uint8_t)(m->length - length_at - 2);
}

static int
rcode_of(const char *name)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (strcmp(failures[i].name, name) == 0)
			return failures[i].rcode;
	}
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		if (strcmp(records[i].name, name) == 0)
			return NOERROR;
	}
	return NXDOMAIN;
}

/* The question's name as text; returns what follows it. */
static size_t
read_name(const uint8_t *q, size_t length, char *name)
{
	size_t at = 12;

	name[0] = '\0';
	while (at < length && q[at] != 0) {
		size_t n = q[at];

		assert_true(at + 1 + n < length && strlen(name) + n < 200);
		if (name[0] != '\0')
			strcat(name, ".");
		strncat(name, (const char *)q + at + 1, n);
		at += 1 + n;
	}
	return at + 1;
}

static size_t
put_answers(struct message *m, const char *name, unsigned type)
{
	static const struct record real = { "", TYPE_A, 100, "192.0.2.5" };
	size_t count = 0;

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		const struct record *r = &records[i];

		if (strcmp(r->name, name) != 0 ||
			(r->type != type && r->type != TYPE_CNAME))
			continue;
		put_record(m, r, name);
		count++;
		if (r->type == TYPE_CNAME && type == TYPE_A) {
			put_record(m, &real, r->data);
			count++;
		}
	}
	return count;
}

static void
on_question(int fd, unsigned what, void *arg)
{
	struct server *s = arg;
	struct message m = { .length = 0 };
	struct sockaddr_in from;
	socklen_t from_length = sizeof(from);
	uint8_t q[512];
	char name[256];
	size_t end, count;
	ssize_t n;
	int rcode;

	(void)what;
	n = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&from,
		&from_length);
	assert_true(n > 16);
	s->asked++;
	end = read_name(q, (size_t)n, name);
	rcode = rcode_of(name);
	if (rcode == SILENT)
		return;
	put(&m, q, 2);
	put16(&m, 0x8180u | (unsigned)rcode);
	put16(&m, 1);
	put16(&m, 0);
	put16(&m, 0);
	put16(&m, 0);
	put(&m, q + 12, end + 4 - 12);
	count = put_answers(&m, name, q[end + 1]);
	m.bytes[7] = (uint8_t)count;
	assert_int_equal(sendto(fd, m.bytes, m.length, 0,
				 (struct sockaddr *)&from, from_length),
		m.length);
}

/* What the callback got. */
struct answer {
	struct loop *loop;
	size_t calls, count;
	struct addr addrs[8];
	uint32_t ttl_s;
	char failure[200];
};

static void
on_answer(const struct addr *addrs, size_t count, uint32_t ttl_s,
	const char *failure, void *arg)
{
	struct answer *a = arg;

	a->calls++;
	a->count = count;
	a->ttl_s = ttl_s;
	assert_true(count <= 8);
	assert_int_equal(count == 0, failure != NULL);
	for (size_t i = 0; i < count; i++)
		a->addrs[i] = addrs[i];
	snprintf(a->failure, sizeof(a->failure), "%s",
		failure == NULL ? "" : failure);
	loop_stop(a->loop);
}

static struct loop *loop;
static struct server server;
static struct resolver *resolver;

static int
setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);
	struct error err = ERROR_INIT;
	char where[64];

	(void)state;
	loop = loop_new();
	server = (struct server){ .loop = loop };
	server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(server.fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		getsockname(server.fd, (struct sockaddr *)&sin, &length) < 0)
		return -1;
	server.watch = loop_fd_new(loop, server.fd, LOOP_READ, on_question,
		&server);
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(sin.sin_port));
	resolver = resolver_new(loop, where, &err);
	return resolver == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(resolver);
	loop_fd_free(server.watch);
	if (server.fd >= 0)
		close(server.fd);
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

	loop_timer_start(guard, 20000);
	loop_run(loop);
	loop_timer_free(guard);
}

static void
ask(const char *name, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->loop = loop;
	assert_non_null(resolver_query_new(resolver, name, on_answer, a));
	assert_int_equal(a->calls, 0);
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
			"192.0.2.1:0 192.0.2.2:0 ", 60 },
		{ "both families", "both.test", "192.0.2.1:0 [2001:db8::1]:0 ",
			10 },
		{ "each address once", "twice.test", "192.0.2.1:0 ", 20 },
		{ "only IPv6", "six.test", "[2001:db8::6]:0 ", 7 },
		{ "the TTL of an alias counts", "alias.test", "192.0.2.5:0 ",
			5 },
		{ "a TTL of 0 stays one", "now.test", "192.0.2.9:0 ", 0 },
		{ "a literal", "192.0.2.77", "192.0.2.77:0 ",
			RESOLVER_HOSTS_TTL_S },
		{ "an IPv6 literal", "::1", "[::1]:0 ", RESOLVER_HOSTS_TTL_S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char all[400] = "", text[ADDR_TEXT_MAX];
		struct answer a;

		ask(rows[i].name, &a);
		for (size_t j = 0; j < a.count; j++) {
			strcat(all, addr_format(&a.addrs[j], text));
			strcat(all, " ");
		}
		if (strcmp(all, rows[i].addrs) != 0 ||
			a.ttl_s != rows[i].ttl_s)
			fail_msg("%s: %s TTL %u, failure \"%s\"", rows[i].what,
				all, a.ttl_s, a.failure);
	}
}

static void
test_failures(void **state)
{
	static const struct {
		const char *name, *failure;
	} rows[] = {
		{ "none.test", "no host is named \"none.test\"" },
		{ "empty.test", "the name \"empty.test\" has no address" },
		{ "broken.test",
			"no name server could resolve \"broken.test\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "closed.test",
			"no name server could resolve \"closed.test\" "
			"(SERVFAIL, REFUSED or no connection)" },
		{ "silent.test",
			"no name server answered in time for "
			"\"silent.test\"" },
		{ "a..b", "\"a..b\" is not a host name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer a;

		ask(rows[i].name, &a);
		assert_string_equal(a.failure, rows[i].failure);
	}
}

static void
test_localhost_asks_nobody(void **state)
{
	struct answer a;
	struct addr home;

	(void)state;
	ask("localhost", &a);
	assert_true(a.count > 0);
	assert_int_equal(a.ttl_s, RESOLVER_HOSTS_TTL_S);
	assert_int_equal(server.asked, 0);
	addr_parse_ip("127.0.0.1", 0, &home);
	for (size_t i = 0; i < a.count && home.port_be == 0; i++)
		home.port_be = addr_equal(&a.addrs[i], &home);
	assert_true(home.port_be != 0);
}

static void
test_cancelled_queries_say_nothing(void **state)
{
	struct answer cancelled = { .loop = loop }, a;
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
}

static void
test_free_with_queries_open(void **state)
{
	struct answer a = { .loop = loop };
	struct resolver_query *q;

	(void)state;
	resolver_query_new(resolver, "silent.test", on_answer, &a);
	resolver_query_new(resolver, "192.0.2.1", on_answer, &a);
	q = resolver_query_new(resolver, "two.test", on_answer, &a);
	resolver_query_cancel(q);
	resolver_free(resolver);
	resolver = NULL;
	assert_int_equal(a.calls, 0);
}

static void
free_on_answer(const struct addr *addrs, size_t count, uint32_t ttl_s,
	const char *failure, void *arg)
{
	resolver_free(resolver);
	resolver = NULL;
	on_answer(addrs, count, ttl_s, failure, arg);
}

static void
test_free_inside_an_answer(void **state)
{
	struct answer a = { .loop = loop };

	(void)state;
	resolver_query_new(resolver, "both.test", free_on_answer, &a);
	run();
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.count, 2);
}

static void
test_many_at_once(void **state)
{
	struct answer a[200];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		memset(&a[i], 0, sizeof(a[i]));
		a[i].loop = loop;
		resolver_query_new(resolver, i % 2 ? "two.test" : "none.test",
			on_answer, &a[i]);
	}
	for (size_t i = 0; i < 200; i++) {
		while (a[i].calls == 0)
			run();
		assert_int_equal(a[i].calls, 1);
		assert_int_equal(a[i].count, i % 2 ? 2 : 0);
	}
}

static void
test_servers_must_be_addresses(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_null(resolver_new(loop, "not an address", &err));
	assert_int_equal(err.code, ERROR_CONFIG);
	resolver_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_failures),
		TEST(test_localhost_asks_nobody),
		TEST(test_cancelled_queries_say_nothing),
		TEST(test_free_with_queries_open),
		TEST(test_free_inside_an_answer),
		TEST(test_many_at_once),
		TEST(test_servers_must_be_addresses),
	};

	/* Search domains of this host would only add questions. */
	setenv("LOCALDOMAIN", "", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
