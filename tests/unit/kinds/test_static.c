/*
 * Discovery of static upstreams, with a loop and a resolver of the test's own:
 * time passes and names are answered when a row says so.
 */
#include "told.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kinds/static/static.h"
#include "net/watched_name.h"
#include "tests/unit/net/fake_resolver.h"
#include "tests/unit/net/fake_time.h"

extern const struct upstream_kind upstream_kind_static;

/* Whoever looks sees that so much has passed, unless a test says otherwise. */
#define LOOK_MS 1000

/* ---- the host: a line per call */

/* The pair that a subset of one pair has, of those that rows use. */
static const char *
subset_name(uint64_t identity)
{
	static char version[] = "version", v1[] = "v1", v2[] = "v2",
		    zone[] = "zone", a[] = "a";
	static const struct model_pair pairs[] = { { version, v1 },
		{ version, v2 }, { zone, a } };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (subset_identity(&pairs[i], 1) == identity)
			return pairs[i].value;
	return "other";
}

static void
endpoints_replace(
	struct kind_host *host, const struct endpoint *set, size_t count)
{
	char text[ADDR_TEXT_MAX];

	(void)host;
	str_puts(&told, "set");
	for (size_t i = 0; i < count; i++) {
		str_printf(&told, " %s*%u", addr_format(&set[i].addr, text),
			set[i].weight);
		if (set[i].host[0] != '\0')
			str_printf(&told, "(%s)", set[i].host);
		if (set[i].server_name[0] != '\0')
			str_printf(&told, "[%s]", set[i].server_name);
		for (size_t k = 0; k < SUBSETS_MAX && set[i].subsets[k] != 0;
			k++)
			str_printf(&told, "{%s}",
				subset_name(set[i].subsets[k]));
		/* Gloo: names are the Host of requests, addresses are not. */
		assert_int_equal(
			set[i].host_rewrite, set[i].host[0] != '\0');
		assert_int_equal(set[i].health, ENDPOINT_UP);
	}
	str_putc(&told, '\n');
}

static void
condition_set(struct kind_host *host, bool ok, const char *reason)
{
	(void)host;
	if (ok)
		str_puts(&told, "ok\n");
	else
		str_printf(&told, "not ok: %s\n", reason);
}

static void
note_set(struct kind_host *host, const char *note)
{
	(void)host;
	str_printf(&told, "note: %s\n", note == NULL ? "none" : note);
}

/* What an earlier run left. */
static struct endpoint used[4];
static size_t used_count;

static const struct endpoint *
endpoints_used(struct kind_host *h, size_t *count)
{
	(void)h;
	*count = used_count;
	return used;
}

static struct kind_host host = {
	.endpoints_replace = endpoints_replace,
	.endpoints_used = endpoints_used,
	.condition_set = condition_set,
	.note_set = note_set,
};

static void *
watch(const char *spec_yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(spec_yaml);
	void *spec = upstream_kind_static.read(d, &err);
	void *state;

	if (spec == NULL)
		fail_msg("%s", err.text);
	state = upstream_kind_static.watch(spec, &host);
	/* The state must not lean on the spec. */
	upstream_kind_static.free(spec);
	doc_free(d);
	return state;
}

static void
unwatch(void *state)
{
	upstream_kind_static.unwatch(state);
	told_is("");
	assert_int_equal(fake_query_count(), 0);
	assert_int_equal(fake_wait_count(), 0);
	assert_null(fake_timers);
	used_count = 0;
}

static void
test_literals(void **state)
{
	void *s = watch("hosts:\n"
			"- {addr: 10.0.0.1, port: 81, loadBalancingWeight: 3}\n"
			"- {addr: \"::1\"}\n"
			"- {addr: 10.0.0.1, port: 81}\n"
			"- {addr: \"::ffff:10.0.0.2\"}\n");

	(void)state;
	told_is("set 10.0.0.1:81*3 [::1]:80*1 10.0.0.2:80*1\nok\n");
	assert_int_equal(fake_query_count(), 0);
	unwatch(s);
	upstream_kind_static.unwatch(NULL);
}

static void
test_names(void **state)
{
	void *s = watch("hosts:\n"
			"- {addr: a.test, port: 81, loadBalancingWeight: 2}\n"
			"- {addr: b.test.}\n");

	(void)state;
	told_is("");
	/* The dot means something to the resolver, and nobody else. */
	answer("b.test.", "10.0.0.9", 60, NULL);
	told_is("set 10.0.0.9:80*1(b.test)\n");
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("set [::1]:81*2(a.test) 10.0.0.1:81*2(a.test) "
		"10.0.0.9:80*1(b.test)\nok\n");
	fire(0);
	answer("a.test", "10.0.0.1 ::1", 60, NULL);
	told_is("");
	fire(0);
	answer("a.test", "10.0.0.2", 60, NULL);
	told_is("set 10.0.0.2:81*2(a.test) 10.0.0.9:80*1(b.test)\n");
	unwatch(s);
}

static void
test_literal_at_once(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: 10.0.0.1}]");

	(void)state;
	told_is("set 10.0.0.1:80*1\n");
	answer("a.test", "", 0, "the server said no");
	told_is("not ok: cannot resolve \"a.test\": the server said no\n");
	fire(0);
	answer("a.test", "10.0.0.2", 5, NULL);
	told_is("set 10.0.0.2:80*1(a.test) 10.0.0.1:80*1\nok\n");
	unwatch(s);
}

static void
test_tls_and_labels(void **state)
{
	void *s = watch("hosts:\n"
			"- {addr: a.test, sniAddr: x.test,"
			" metadata: {envoy.lb: {version: v1}}}\n"
			"- {addr: 10.0.0.1, port: 81, sniAddr: y.test,"
			" metadata: {version: v2, zone: a}}\n"
			"- {addr: 10.0.0.2, metadata: {other: v1}}\n"
			"useTls: true\n"
			"subsetSpec: {selectors: [{keys: [version]},"
			" {keys: [zone]}]}\n");

	(void)state;
	answer("a.test", "10.0.0.9", 60, NULL);
	told_is("set 10.0.0.1:81*1[y.test]{v2}{a} 10.0.0.2:443*1\n"
		"set 10.0.0.9:443*1(a.test)[x.test]{v1} "
		"10.0.0.1:81*1[y.test]{v2}{a} 10.0.0.2:443*1\nok\n");
	unwatch(s);
}

static bool
tls_of(const char *spec_yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(spec_yaml);
	void *spec = upstream_kind_static.read(d, &err);
	bool tls;

	if (spec == NULL)
		fail_msg("%s", err.text);
	tls = upstream_kind_static.tls(spec);
	upstream_kind_static.free(spec);
	doc_free(d);
	return tls;
}

static void
test_tls(void **state)
{
	(void)state;
	assert_false(tls_of("hosts: [{addr: a.test}]"));
	assert_true(tls_of("hosts: [{addr: a.test}, {addr: b, port: 443}]"));
	assert_true(tls_of("{hosts: [{addr: a.test}], useTls: true}"));
	assert_false(tls_of(
		"{hosts: [{addr: a.test, port: 443}], useTls: false}"));
}

/* A failure empties nothing, is told once, and of the first name. */
static void
test_failure(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test}]");

	(void)state;
	answer("a.test", "", 0, "timeout");
	told_is("not ok: cannot resolve \"a.test\": timeout\n");
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("set 10.0.0.2:80*1(b.test)\n");
	for (int i = 0; i < 8; i++) {
		fire(0);
		answer("a.test", "", 0, "timeout");
		told_is("");
	}
	fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("set 10.0.0.1:80*1(a.test) 10.0.0.2:80*1(b.test)\nok\n");
	fire(0);
	answer("a.test", "", 0, "broken");
	told_is("not ok: cannot resolve \"a.test\": broken\n");
	fire(1);
	answer("b.test", "", 0, "refused");
	told_is("not ok: cannot resolve \"a.test\": broken (and 1 more)\n");
	fire(0);
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("not ok: cannot resolve \"b.test\": refused\n");
	fire(1);
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("ok\n");
	unwatch(s);
}

/* Said twice, a name is gone; the last one leaves an empty set behind. */
static void
test_gone(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test}]");

	(void)state;
	answer("a.test", "10.0.0.1", 60, NULL);
	answer("b.test", "10.0.0.2", 60, NULL);
	str_clear(&told);
	fire(0);
	deny("a.test", RESOLVER_NO_NAME);
	told_is("not ok: cannot resolve \"a.test\": no such name\n");
	fire(0);
	deny("a.test", RESOLVER_NO_DATA);
	told_is("set 10.0.0.2:80*1(b.test)\n"
		"not ok: cannot resolve \"a.test\": no address, said twice: it "
		"has no endpoints\n");
	fire(1);
	deny("b.test", RESOLVER_NO_NAME);
	fire(1);
	deny("b.test", RESOLVER_NO_NAME);
	told_is("not ok: cannot resolve \"a.test\": no address, said twice: it "
		"has no endpoints (and 1 more)\n"
		"set\n");
	fire(1);
	answer("b.test", "10.0.0.2", 60, NULL);
	told_is("set 10.0.0.2:80*1(b.test)\n"
		"not ok: cannot resolve \"a.test\": no address, said twice: it "
		"has no endpoints\n");
	unwatch(s);
}

/* Of a name that was never resolved, that it is gone is news all the same: an
 * earlier run may have known of it. But not while another one may be there. */
static void
test_gone_from_the_start(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test}]");

	(void)state;
	deny("a.test", RESOLVER_NO_NAME);
	fire(0);
	deny("a.test", RESOLVER_NO_NAME);
	answer("b.test", "", 0, "timeout");
	str_clear(&told);
	fire(1);
	deny("b.test", RESOLVER_NO_NAME);
	told_is("");
	fire(1);
	deny("b.test", RESOLVER_NO_NAME);
	told_is("set\n");
	unwatch(s);
}

static void
used_put(const char *ip, uint16_t port, uint16_t weight, const char *name)
{
	struct endpoint *e = &used[used_count++];

	memset(e, 0, sizeof(*e));
	assert_int_equal(addr_parse_ip(ip, port, &e->addr), 0);
	e->weight = weight;
	e->health = ENDPOINT_DOWN;
	strcpy(e->host, name);
}

/* What an earlier run knew of a name serves until the name is known. */
static void
test_earlier_run(void **state)
{
	void *s;

	(void)state;
	used_put("10.0.0.1", 80, 1, "a.test");
	used_put("10.0.0.2", 80, 1, "b.test");
	used_put("10.0.0.3", 81, 1, "b.test");
	used_put("10.0.0.4", 8001, 7, "target.test");
	s = watch("hosts: [{addr: a.test, loadBalancingWeight: 5},"
		  " {addr: b.test}, {addr: _http._tcp.web.test}]");
	told_is("set 10.0.0.1:80*5(a.test) 10.0.0.2:80*1(b.test) "
		"10.0.0.4:8001*7(target.test)\n");
	answer("a.test", "10.0.0.9", 60, NULL);
	told_is("set 10.0.0.9:80*5(a.test) 10.0.0.2:80*1(b.test) "
		"10.0.0.4:8001*7(target.test)\n");
	answer("b.test", "", 0, "timeout");
	told_is("not ok: cannot resolve \"b.test\": timeout\n");
	deny("_http._tcp.web.test", RESOLVER_NO_NAME);
	told_is("not ok: cannot resolve \"b.test\": timeout (and 1 more)\n");
	fire(2);
	deny("_http._tcp.web.test", RESOLVER_NO_NAME);
	told_is("set 10.0.0.9:80*5(a.test) 10.0.0.2:80*1(b.test)\n");
	unwatch(s);
}

/* The operator has given it another name: what the former led to serves until
 * somebody has said something of that one, be it nothing. */
static void
test_edited(void **state)
{
	static const struct {
		const char *was, *is, *name, *was_at;
		bool stays;
	} rows[] = {
		{ "_a._tcp.test", "_a._tcp.test", "_a._tcp.test", "t.test",
			true },
		{ "_a._tcp.test.", "_A._tcp.test", "_A._tcp.test", "t.test",
			true },
		{ "_b._tcp.test", "_a._tcp.test", "_a._tcp.test", "t.test",
			false },
		{ "t.test", "_a._tcp.test", "_a._tcp.test", "t.test", false },
		{ "a.test", "a.test", "a.test", "a.test", true },
		{ "b.test", "a.test", "a.test", "b.test", false },
	};

	static const struct resolver_answer failed = {
		.verdict = RESOLVER_FAILED, .failure = "timeout"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *was = xasprintf("hosts: [{addr: %s}]", rows[i].was);
		char *is = xasprintf("hosts: [{addr: %s}]", rows[i].is);
		struct doc *spec = yaml(was);
		void *s;

		used_put("10.0.0.1", 80, 1, rows[i].was_at);
		host.used_spec = spec;
		s = watch(is);
		host.used_spec = NULL;
		doc_free(spec);
		assert_int_equal(told.length > 0, rows[i].stays);
		str_clear(&told);
		fake_give(rows[i].name, rows[i].name[0] == '_', &failed);
		/* Then it says what it cannot resolve. */
		assert_int_equal(
			strncmp(told.data, "set\n", 4) == 0, !rows[i].stays);
		str_clear(&told);
		unwatch(s);
		free(was);
		free(is);
	}
}

/* services: "priority weight port host", separated by commas. */
static void
answer_services(const char *name, const char *services)
{
	struct resolver_service list[8];
	struct resolver_answer a = { .verdict = RESOLVER_FOUND, .ttl_s = 60,
		.services = list };
	char *copy = xstrdup(services), *rest = copy, *one;
	char hosts[8][64];

	while ((one = strsep(&rest, ",")) != NULL) {
		size_t i = a.service_count++;
		unsigned priority, weight, port;

		assert_int_equal(sscanf(one, "%u %u %u %63s", &priority,
					 &weight, &port, hosts[i]),
			4);
		list[i] = (struct resolver_service){ hosts[i],
			(uint16_t)priority, (uint16_t)weight, (uint16_t)port };
	}
	fake_give(name, true, &a);
	free(copy);
}

#define SRV "_http._tcp.web.test"

static void
test_services(void **state)
{
	static const struct {
		const char *what, *services, *a, *b, *set;
	} rows[] = {
		{ "weights are shares", "0 10 1 a.test,0 30 2 b.test",
			"10.0.0.1", "10.0.0.2",
			"set 10.0.0.1:1*10(a.test) 10.0.0.2:2*30(b.test)\n" },
		{ "weight 0 is a small one", "0 0 1 a.test,0 30 2 b.test",
			"10.0.0.1", "10.0.0.2",
			"set 10.0.0.1:1*1(a.test) 10.0.0.2:2*30(b.test)\n" },
		{ "only weight 0", "0 0 1 a.test,0 0 2 b.test", "10.0.0.1",
			"10.0.0.2",
			"set 10.0.0.1:1*1(a.test) 10.0.0.2:2*1(b.test)\n" },
		{ "addresses share their host's weight",
			"0 10 1 a.test,0 10 2 b.test", "10.0.0.1 10.0.0.3",
			"10.0.0.2",
			"set 10.0.0.1:1*10(a.test) 10.0.0.2:2*20(b.test) "
			"10.0.0.3:1*10(a.test)\n" },
		{ "the largest weight still fits",
			"0 65535 1 a.test,0 1 2 b.test", "10.0.0.1 10.0.0.3",
			"10.0.0.2",
			"set 10.0.0.1:1*32767(a.test) 10.0.0.2:2*1(b.test) "
			"10.0.0.3:1*32767(a.test)\n" },
		{ "the smallest priority first", "1 10 1 a.test,2 10 2 b.test",
			"10.0.0.1", "10.0.0.2",
			"set 10.0.0.1:1*10(a.test)\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *s = watch("hosts: [{addr: " SRV "}]");

		answer_services(SRV, rows[i].services);
		told_is("");
		/* Nothing is said before all targets are known. */
		answer("a.test.", rows[i].a, 60, NULL);
		told_is("");
		answer("b.test.", rows[i].b, 60, NULL);
		str_puts(&told, rows[i].what);
		if (strncmp(told.data, rows[i].set, strlen(rows[i].set)) != 0)
			fail_msg("%s", told.data);
		str_clear(&told);
		unwatch(s);
	}
}

/* Weights that do not fit keep their shares. */
static void
test_services_of_great_weight(void **state)
{
	void *s = watch("hosts: [{addr: " SRV ", loadBalancingWeight: 100}]");

	(void)state;
	answer_services(SRV, "0 1000 1 a.test,0 2000 2 b.test,0 1 3 c.test");
	answer("a.test.", "10.0.0.1 10.0.0.4", 60, NULL);
	answer("b.test.", "10.0.0.2", 60, NULL);
	answer("c.test.", "10.0.0.3", 60, NULL);
	told_is("set 10.0.0.1:1*16383(a.test) 10.0.0.2:2*65535(b.test) "
		"10.0.0.3:3*32(c.test) 10.0.0.4:1*16383(a.test)\nok\n");
	unwatch(s);
}

/* Port 443 found by SRV: no spec of ours says whether TLS is meant. */
static void
test_services_on_the_port_of_tls(void **state)
{
	static const char note[] =
		"note: \"b.test\" is on port 443 and is spoken to without "
		"TLS: set useTls: true, or useTls: false if that is meant\n";
	static const struct {
		const char *spec, *services;
		bool ssl_config, noted;
	} rows[] = {
		{ "hosts: [{addr: " SRV "}]",
			"0 1 80 a.test,0 1 443 b.test", false, true },
		{ "hosts: [{addr: " SRV "}]", "0 1 80 a.test,0 1 444 b.test",
			false, false },
		{ "hosts: [{addr: " SRV "}]", "0 1 80 a.test,0 1 443 b.test",
			true, false },
		{ "{hosts: [{addr: " SRV "}], useTls: false}",
			"0 1 80 a.test,0 1 443 b.test", false, false },
		{ "{hosts: [{addr: " SRV "}], useTls: true}",
			"0 1 80 a.test,0 1 443 b.test", false, false },
		{ "hosts: [{addr: " SRV "}, {addr: 10.0.0.9, port: 443}]",
			"0 1 80 a.test,0 1 443 b.test", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *s;

		host.tls = rows[i].ssl_config;
		s = watch(rows[i].spec);
		answer_services(SRV, rows[i].services);
		answer("a.test.", "10.0.0.1", 60, NULL);
		answer("b.test.", "10.0.0.2", 60, NULL);
		assert_int_equal(strstr(told.data, note) != NULL, rows[i].noted);
		assert_int_equal(
			strstr(told.data, "note") != NULL, rows[i].noted);
		str_clear(&told);
		if (rows[i].noted) {
			fire(0);
			answer_services(SRV, "0 1 80 a.test");
			told_is("set 10.0.0.1:80*1(a.test)\nnote: none\n");
		}
		unwatch(s);
	}
	host.tls = false;
}

static void
answer_many(const char *name, uint32_t first, size_t count)
{
	struct addr *addrs = xcalloc(count, sizeof(*addrs));
	struct resolver_answer a = { .verdict = RESOLVER_FOUND,
		.ttl_s = 60,
		.addrs = addrs,
		.addr_count = count };

	for (size_t i = 0; i < count; i++) {
		uint32_t ip_be = htonl(first + (uint32_t)i);

		assert_int_equal(addr_parse_ip("10.0.0.0", 0, &addrs[i]), 0);
		memcpy(addrs[i].ip + 12, &ip_be, sizeof(ip_be));
	}
	fake_give(name, false, &a);
	free(addrs);
}

/* What there is no room for is said. */
static void
test_too_many_addresses(void **state)
{
	enum {
		NAMES = ENDPOINTS_MAX / WATCHED_NAME_TARGETS_MAX + 1,
		LAST = 3,
	};
	struct str spec;
	void *s;

	(void)state;
	str_init(&spec);
	str_puts(&spec, "hosts:\n");
	for (int i = 0; i < NAMES; i++)
		str_printf(&spec, "- {addr: n%d.test}\n", i);
	s = watch(spec.data);
	str_fini(&spec);
	/* All but the last at once, then what is too much. */
	fake_step_ms = 0;
	for (int i = 0; i < NAMES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.test", i);
		answer_many(name,
			0x0a000000 + (uint32_t)i * WATCHED_NAME_TARGETS_MAX,
			i + 1 < NAMES ? WATCHED_NAME_TARGETS_MAX : LAST);
	}
	str_clear(&told);
	fire(NAMES);
	fake_step_ms = LOOK_MS;
	assert_non_null(strstr(told.data,
		"ok\nnote: its names lead to 3 addresses more than an upstream "
		"can have (65536): they are not used\n"));
	str_clear(&told);
	fire(NAMES - 1);
	answer("n16.test", "10.0.0.1", 60, NULL);
	told_is("note: none\n");
	unwatch(s);
}

/* The next priority, when no target of the first has an address. */
static void
test_services_without_address(void **state)
{
	void *s = watch("hosts: [{addr: " SRV ", loadBalancingWeight: 2}]");

	(void)state;
	answer_services(SRV, "1 10 1 a.test,2 10 2 b.test");
	answer("a.test.", "", 0, "timeout");
	answer("b.test.", "10.0.0.2", 60, NULL);
	told_is("set 10.0.0.2:2*20(b.test)\n"
		"not ok: cannot resolve \"" SRV "\": timeout\n");
	unwatch(s);
}

/* A name's new target cannot be resolved, or another name is gone while nobody
 * can say anything of this one: what was known serves. */
static void
test_nothing_is_no_answer(void **state)
{
	void *s = watch("hosts: [{addr: " SRV "}]");

	(void)state;
	answer_services(SRV, "0 1 80 a.test");
	answer("a.test.", "10.0.0.1", 60, NULL);
	told_is("set 10.0.0.1:80*1(a.test)\nok\n");
	fire(0);
	answer_services(SRV, "0 1 80 b.test");
	answer("b.test.", "", 0, "SERVFAIL");
	told_is("not ok: cannot resolve \"" SRV "\": SERVFAIL\n");
	unwatch(s);
	s = watch("hosts: [{addr: a.test}, {addr: b.test}]");
	answer("a.test", "10.0.0.1", 60, NULL);
	answer("b.test", "", 0, "SERVFAIL");
	str_clear(&told);
	fire(0);
	deny("a.test", RESOLVER_NO_NAME);
	fire(0);
	deny("a.test", RESOLVER_NO_NAME);
	assert_null(strstr(told.data, "set"));
	str_clear(&told);
	fire(1);
	deny("b.test", RESOLVER_NO_NAME);
	fire(1);
	deny("b.test", RESOLVER_NO_NAME);
	assert_non_null(strstr(told.data, "set\n"));
	str_clear(&told);
	unwatch(s);
}

/* Answers that come at once make one set. */
static void
test_many_answers(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test},"
			" {addr: c.test}]");

	(void)state;
	fake_step_ms = 0;
	answer("a.test", "10.0.0.1", 60, NULL);
	told_is("set 10.0.0.1:80*1(a.test)\n");
	answer("b.test", "10.0.0.2", 60, NULL);
	answer("c.test", "10.0.0.3", 60, NULL);
	told_is("");
	/* The state's own timer, made after the names'. */
	fire(3);
	told_is("set 10.0.0.1:80*1(a.test) 10.0.0.2:80*1(b.test) "
		"10.0.0.3:80*1(c.test)\nok\n");
	fake_step_ms = LOOK_MS;
	unwatch(s);
}

/* For people: each name with its TTL. */
static void
test_show(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: 10.0.0.1}]");
	struct doc *d = doc_new_map();
	const struct doc *one;

	(void)state;
	answer("a.test", "10.0.0.2 10.0.0.3", 60, NULL);
	fire(0);
	fake_step_ms = 0;
	answer("a.test", "", 0, "timeout");
	upstream_kind_static.show(s, d);
	fake_step_ms = LOOK_MS;
	assert_int_equal(doc_count(doc_get(d, "names")), 1);
	one = doc_at(doc_get(d, "names"), 0);
	assert_string_equal(doc_get_text(one, "name"), "a.test");
	assert_int_equal(doc_get_integer(one, "addresses"), 2);
	assert_int_equal(doc_get_integer(one, "ttlSeconds"), 60);
	assert_in_range(doc_get_integer(one, "askedAgainInMs"), 950, 1050);
	assert_string_equal(doc_get_text(one, "problem"), "timeout");
	doc_free(d);
	str_clear(&told);
	unwatch(s);
}

static void
test_all_fail(void **state)
{
	void *s = watch("hosts: [{addr: a.test}]");

	(void)state;
	answer("a.test", "", 0, "no such name");
	told_is("not ok: cannot resolve \"a.test\": no such name\n");
	unwatch(s);
}

static void
test_unwatch_while_asking(void **state)
{
	void *s = watch("hosts: [{addr: a.test}, {addr: b.test}]");

	(void)state;
	assert_int_equal(fake_query_count(), 2);
	unwatch(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_literal_at_once),
		cmocka_unit_test(test_tls_and_labels),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_gone_from_the_start),
		cmocka_unit_test(test_earlier_run),
		cmocka_unit_test(test_edited),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_services_of_great_weight),
		cmocka_unit_test(test_services_on_the_port_of_tls),
		cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_services_without_address),
		cmocka_unit_test(test_nothing_is_no_answer),
		cmocka_unit_test(test_many_answers),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_all_fail),
		cmocka_unit_test(test_unwatch_while_asking),
	};

	fake_step_ms = LOOK_MS;
	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
