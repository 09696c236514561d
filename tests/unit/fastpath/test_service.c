/* Services as they are asked for: what is wrong with them, in sentences. */
#include "fastpath/service.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define BACKENDS 3

struct row {
	const char *what;
	uint32_t slot;
	const char *ip;
	uint16_t port;
	uint8_t l4_proto, mode;
	uint64_t drain_ms;
	const char *backends[BACKENDS]; /* port 80; "" ends */
	const char *error;              /* NULL: none */
};

#define V4 "10.0.0.1", 80, IPPROTO_TCP
#define V6 "fd00::1", 80, IPPROTO_TCP

static const struct row rows[] = {
	{ "nat", 64, V4, GG_MODE_NAT, 0, { "10.1.0.1", "10.1.0.2" }, NULL },
	{ "dsr-l2", 255, V4, GG_MODE_DSR_L2, 0, { "10.1.0.1" }, NULL },
	{ "route", 64, V6, GG_MODE_ROUTE, 0, { "fd00::5" }, NULL },
	{ "no backends", 64, V4, GG_MODE_NAT, 0, { NULL }, NULL },
	{ "a wildcard", 64, "0.0.0.0", 80, IPPROTO_UDP, GG_MODE_NAT, 0,
		{ "10.1.0.1" }, NULL },
	{ "both families, of IPv6", 64, "::", 80, IPPROTO_TCP, GG_MODE_NAT, 0,
		{ "fd00::5", "fd00::6" }, NULL },
	{ "both families, of IPv4", 64, "::", 80, IPPROTO_TCP, GG_MODE_NAT, 0,
		{ "10.1.0.1", "10.1.0.2" }, NULL },
	{ "dsr-l2 by MAC alone", 64, V6, GG_MODE_DSR_L2, 0, { "10.1.0.1" },
		NULL },
	{ "ipip, backends of both families", 64, V4, GG_MODE_IPIP, 0,
		{ "10.1.0.1", "fd00::5" }, NULL },
	{ "gue, backends of both families", 64, V6, GG_MODE_GUE, 0,
		{ "10.1.0.1", "fd00::5" }, NULL },
	{ "slot of a listener", 63, V4, GG_MODE_NAT, 0, { NULL },
		"service slot 63 is out of 64..255" },
	{ "slot of nobody", 256, V4, GG_MODE_NAT, 0, { NULL },
		"service slot 256 is out of 64..255" },
	{ "another protocol", 64, "10.0.0.1", 80, IPPROTO_SCTP, GG_MODE_NAT, 0,
		{ NULL }, "only TCP and UDP are steered" },
	{ "no mode", 64, V4, GG_MODE_PASS, 0, { NULL },
		"XDP has no mode 0 of steering" },
	{ "a mode of later", 64, V4, GG_MODE_COUNT, 0, { NULL },
		"XDP has no mode 6 of steering" },
	{ "no port", 64, "10.0.0.1", 0, IPPROTO_TCP, GG_MODE_NAT, 0, { NULL },
		"the service has no port" },
	{ "a unix socket", 64, "fd00::1", 80, IPPROTO_TCP, GG_MODE_NAT, 0,
		{ "100::1:2:3:4" }, "a unix socket is nothing that XDP can send to" },
	{ "route of many addresses", 64, "0.0.0.0", 80, IPPROTO_TCP,
		GG_MODE_ROUTE, 0, { "10.1.0.1" },
		"mode route needs one address of the service, for that is what"
		" answers get as their source" },
	{ "a long drain", 64, V4, GG_MODE_NAT, FASTPATH_DRAIN_MS_MAX + 1,
		{ NULL }, "a drain takes 8 hours at most" },
	{ "twice", 64, V4, GG_MODE_NAT, 0, { "10.1.0.1", "10.1.0.1" },
		"10.1.0.1:80 is named twice" },
	{ "families mixed", 64, V4, GG_MODE_NAT, 0, { "10.1.0.1", "fd00::5" },
		"[fd00::5]:80 is of another family (IPv4, IPv6) than the"
		" service's address" },
	{ "families mixed below a wildcard", 64, "::", 80, IPPROTO_TCP,
		GG_MODE_NAT, 0, { "10.1.0.1", "fd00::5" },
		"[fd00::5]:80 is of another family (IPv4, IPv6) than the"
		" service's address" },
	{ "to itself", 64, V4, GG_MODE_NAT, 0, { "127.0.0.1" },
		"127.0.0.1:80 is no address that XDP can send to" },
	{ "to nowhere", 64, V4, GG_MODE_NAT, 0, { "0.0.0.0" },
		"0.0.0.0:80 is no address that XDP can send to" },
};

static struct service_conf *
conf_of(const struct row *row)
{
	struct fastpath_backend backends[BACKENDS] = { 0 };
	struct fastpath_service asked = {
		.slot = row->slot,
		.l4_proto = row->l4_proto,
		.mode = row->mode,
		.drain_ms = row->drain_ms,
		.backends = backends,
	};

	assert_int_equal(addr_parse_ip(row->ip, row->port, &asked.addr), 0);
	for (size_t i = 0; i < BACKENDS && row->backends[i] != NULL; i++) {
		backends[i].weight = 1;
		assert_int_equal(addr_parse_ip(row->backends[i], 80,
					 &backends[i].addr),
			0);
		asked.backend_count++;
	}
	return service_conf_new(&asked);
}

/* Of itself, or of a backend, which then it is without. */
static int
judge(struct service_conf *c, struct error *err)
{
	struct service_left left = { 0 };
	size_t count = c->asked.backend_count;

	if (service_conf_check(c, err) != 0)
		return -1;
	service_conf_leave(c, service_conf_check_backend, NULL, &left);
	assert_int_equal(c->asked.backend_count, count - left.count);
	*err = left.why;
	return left.count == 0 ? 0 : -1;
}

static void
wrong_ones_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_conf *c = conf_of(&rows[i]);
		struct error err = ERROR_INIT;
		int rc = judge(c, &err);

		if ((rc == 0) != (rows[i].error == NULL) ||
			(rc != 0 && strcmp(err.text, rows[i].error) != 0))
			fail_msg("%s: \"%s\"", rows[i].what, err.text);
		service_conf_free(c);
	}
}

/* One that is wrong takes no other with it. */
static void
wrong_backends_are_left_out(void **state)
{
	static const struct row row = { "", 64, "::", 80, IPPROTO_TCP,
		GG_MODE_NAT, 0, { "127.0.0.1", "fd00::5", "fd00::6" }, NULL };
	struct service_conf *c = conf_of(&row);
	struct service_left left = { 0 };
	struct addr addr;

	(void)state;
	service_conf_leave(c, service_conf_check_backend, NULL, &left);
	assert_int_equal(left.count, 1);
	assert_string_equal(left.why.text,
		"127.0.0.1:80 is no address that XDP can send to");
	assert_int_equal(c->asked.backend_count, 2);
	addr_parse_ip("fd00::6", 80, &addr);
	assert_non_null(service_conf_backend(c, &addr));
	addr_parse_ip("127.0.0.1", 80, &addr);
	assert_null(service_conf_backend(c, &addr));
	service_conf_free(c);
}

/* What is refused says who is to get no connection any more all the same. */
static void
one_that_is_refused_is_followed(void **state)
{
	static const struct row had = { "", 64, V4, GG_MODE_NAT, 0,
		{ "10.1.0.1", "10.1.0.2", "10.1.0.3" }, NULL };
	static const struct row wanted = { "", 64, V4, GG_MODE_NAT, 0,
		{ "10.1.0.2", "10.1.0.9" }, NULL };
	static const struct row moved = { "", 64, "10.0.0.2", 81, IPPROTO_TCP,
		GG_MODE_DSR_L2, 0, { "10.1.0.2" }, NULL };
	struct service_conf *c = conf_of(&had), *to = conf_of(&wanted);
	struct service_conf *elsewhere = conf_of(&moved);
	struct addr addr;

	(void)state;
	addr_parse_ip("10.1.0.2", 80, &addr);
	service_conf_follow(c, elsewhere);
	assert_int_equal(c->asked.backend_count, 3);
	((struct fastpath_backend *)(uintptr_t)to->asked.backends)[0].state =
		FASTPATH_BACKEND_DOWN;
	service_conf_follow(c, to);
	assert_int_equal(c->asked.backend_count, 1);
	assert_int_equal(service_conf_backend(c, &addr)->state,
		FASTPATH_BACKEND_DOWN);
	service_conf_free(c);
	service_conf_free(to);
	service_conf_free(elsewhere);
}

/* Whatever differs is seen. */
static void
another_service_is_not_equal(void **state)
{
	struct fastpath_backend backends[2] = { { .weight = 1 },
		{ .weight = 2, .owner = 7 } };
	const struct fastpath_service asked = {
		.slot = 64,
		.l4_proto = IPPROTO_TCP,
		.mode = GG_MODE_NAT,
		.idle_s = 5,
		.drain_ms = 6,
		.backends = backends,
		.backend_count = 2,
	};
	struct service_conf *a, *b;

	(void)state;
	addr_parse_ip("10.1.0.1", 80, &backends[0].addr);
	addr_parse_ip("10.1.0.2", 80, &backends[1].addr);
	a = service_conf_new(&asked);
	for (int i = 0; i <= 13; i++) {
		struct fastpath_service other = asked;
		struct fastpath_backend twin[2] = { backends[0], backends[1] };

		other.backends = twin;
		other.slot += i == 1;
		other.addr.port_be += i == 2;
		other.l4_proto = i == 3 ? IPPROTO_UDP : IPPROTO_TCP;
		other.mode = i == 4 ? GG_MODE_ROUTE : GG_MODE_NAT;
		other.flags = i == 5 ? GG_SERVICE_ALWAYS : 0;
		other.idle_s += i == 6;
		other.drain_ms += i == 7;
		other.relayed = i == 8;
		other.leaving = i == 9;
		twin[1].addr.ip[15] += i == 10;
		twin[1].weight += i == 11;
		twin[1].state = i == 12 ? FASTPATH_BACKEND_DOWN :
					  FASTPATH_BACKEND_UP;
		twin[1].owner += i == 13;
		b = service_conf_new(&other);
		if (service_conf_equal(a, b) != (i == 0))
			fail_msg("%d", i);
		service_conf_free(b);
	}
	backends[0] = backends[1];
	b = service_conf_new(&(struct fastpath_service){ .slot = 64,
		.l4_proto = IPPROTO_TCP,
		.mode = GG_MODE_NAT,
		.idle_s = 5,
		.drain_ms = 6,
		.backends = backends,
		.backend_count = 1 });
	assert_false(service_conf_equal(a, b));
	service_conf_free(a);
	service_conf_free(b);
}

struct pair {
	struct row a, b;
	const char *error;
};

static const struct pair pairs[] = {
	{ { "", 64, V4, GG_MODE_NAT, 0, { "10.1.0.1" }, NULL },
		{ "", 65, V4, GG_MODE_DSR_L2, 0, { "10.1.0.1" }, NULL },
		"10.0.0.1:80/tcp is another service's already" },
	{ { "", 64, V4, GG_MODE_NAT, 0, { "10.1.0.1" }, NULL },
		{ "", 65, "10.0.0.1", 80, IPPROTO_UDP, GG_MODE_NAT, 0,
			{ "10.1.0.1" }, NULL },
		NULL },
	{ { "", 64, V4, GG_MODE_NAT, 0, { "10.1.0.1" }, NULL },
		{ "", 65, "0.0.0.0", 80, IPPROTO_TCP, GG_MODE_NAT, 0,
			{ "10.1.0.1" }, NULL },
		NULL },
	{ { "", 64, V4, GG_MODE_ROUTE, 0, { "10.1.0.1" }, NULL },
		{ "", 65, "10.0.0.2", 80, IPPROTO_TCP, GG_MODE_ROUTE, 0,
			{ "10.1.0.2", "10.1.0.1" }, NULL },
		"10.1.0.1:80 is a backend of 10.0.0.2:80/tcp already: in mode"
		" route its answers cannot be told apart" },
	{ { "", 64, V4, GG_MODE_ROUTE, 0, { "10.1.0.1" }, NULL },
		{ "", 65, "10.0.0.2", 80, IPPROTO_TCP, GG_MODE_NAT, 0,
			{ "10.1.0.1" }, NULL },
		NULL },
};

static void
two_that_clash_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct service_conf *a = conf_of(&pairs[i].a);
		struct service_conf *b = conf_of(&pairs[i].b);
		struct error err = ERROR_INIT;
		int rc = service_conf_clash(a, b, &err);

		if ((rc == 0) != (pairs[i].error == NULL) ||
			(rc != 0 && strcmp(err.text, pairs[i].error) != 0))
			fail_msg("pair %zu: \"%s\"", i, err.text);
		service_conf_free(a);
		service_conf_free(b);
	}
}

static void
a_listener_has_its_address_alone(void **state)
{
	struct service_conf *c = conf_of(&rows[0]);
	struct fastpath_listener l = { .slot = 1, .l4_proto = IPPROTO_TCP };
	struct error err = ERROR_INIT;

	(void)state;
	addr_parse_ip("10.0.0.1", 81, &l.addr);
	assert_int_equal(service_conf_clash_listener(c, &l, &err), 0);
	addr_parse_ip("10.0.0.1", 80, &l.addr);
	assert_int_equal(service_conf_clash_listener(c, &l, &err), -1);
	assert_string_equal(err.text,
		"10.0.0.1:80/tcp is a listener's already");
	l.l4_proto = IPPROTO_UDP;
	assert_int_equal(service_conf_clash_listener(c, &l, &err), 0);
	service_conf_free(c);
}

static void
a_wildcard_stands_for_what_its_backends_can_serve(void **state)
{
	static const struct {
		const char *ip;
		bool of4, of6;
	} local[] = {
		{ "10.0.0.1", true, false },
		{ "fd00::1", false, true },
		{ "127.0.0.1", false, false },
		{ "::1", false, false },
		{ "fe80::1", false, false },
	};
	struct service_conf *of6 = conf_of(&rows[5]);
	struct service_conf *of4 = conf_of(&rows[6]);
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		addr_parse_ip(local[i].ip, 0, &addr);
		assert_int_equal(service_conf_takes(of4, &addr), local[i].of4);
		assert_int_equal(service_conf_takes(of6, &addr), local[i].of6);
	}
	service_conf_free(of4);
	service_conf_free(of6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_ones_are_refused),
		cmocka_unit_test(wrong_backends_are_left_out),
		cmocka_unit_test(one_that_is_refused_is_followed),
		cmocka_unit_test(another_service_is_not_equal),
		cmocka_unit_test(two_that_clash_are_told_apart),
		cmocka_unit_test(a_listener_has_its_address_alone),
		cmocka_unit_test(
			a_wildcard_stands_for_what_its_backends_can_serve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
