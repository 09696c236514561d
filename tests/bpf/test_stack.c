/* The loaded program and connections that the stack has to the address of a
 * steered service: real ones, on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/listener.h"
#include "tests/lib/load.h"
#include "tests/lib/packet.h"
#include "tests/lib/steer_world.h"

#define SLOT 200

static struct gateway_bpf *gateway;

struct connection {
	struct addr from, to;
	int listener, client, server;
};

static void
connection_open(struct connection *c, const char *ip)
{
	struct sockaddr_storage ss;
	socklen_t length = sizeof(ss);
	struct error err = ERROR_INIT;

	addr_parse_ip(ip, 0, &c->to);
	assert_int_equal(listener_open(&c->to, &c->listener, 1, &err), 0);
	listener_addr(c->listener, &c->to);
	length = addr_to_sockaddr(&c->to, &ss);
	c->client = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		connect(c->client, (struct sockaddr *)&ss, length), 0);
	length = sizeof(ss);
	c->server = accept4(
		c->listener, (struct sockaddr *)&ss, &length, SOCK_CLOEXEC);
	assert_true(c->server >= 0);
	addr_from_sockaddr(&c->from, (struct sockaddr *)&ss);
}

static void
connection_close(struct connection *c)
{
	close(c->client);
	close(c->server);
	close(c->listener);
}

static void
vip_set(const struct connection *c, enum gg_mode mode, uint8_t flags)
{
	struct gg_vip_key key = { .port_be = c->to.port_be,
		.l4_proto = IPPROTO_TCP };
	const struct gg_vip value = { .slot = SLOT,
		.mode = (uint8_t)mode,
		.flags = flags };

	memcpy(key.ip, c->to.ip, sizeof(key.ip));
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(gateway->maps.gg_vip),
				 &key, &value, BPF_ANY),
		0);
}

/* One more of that reason, and that verdict. */
static void
expect(const char *what, const struct connection *c, uint16_t from,
	const char *tcp_flags, enum gg_reason reason, uint32_t action)
{
	bool is4 = addr_is_v4(&c->to);
	char *text = xasprintf(
		"eth %s from=%s to=%s tcp from=%u to=%u flags=%s",
		is4 ? "ip4" : "ip6", is4 ? "127.0.0.1" : "::1",
		is4 ? "127.0.0.1" : "::1", from, addr_port(&c->to), tcp_flags);
	uint64_t before = world_count(SLOT, reason);
	struct world_verdict verdict;
	struct packet p;

	packet_build(&p, text);
	verdict = world_run(packet_data(&p), p.length);
	if (world_count(SLOT, reason) != before + 1 || verdict.action != action)
		fail_msg("%s: verdict %u, of the reason %llu", what,
			verdict.action,
			(unsigned long long)(world_count(SLOT, reason) -
					     before));
	free(text);
}

static void
connections_stay(struct connection *c, enum gg_mode mode,
	enum gg_reason steered)
{
	uint16_t port = addr_port(&c->from);

	vip_set(c, mode, 0);
	expect("nobody said that there are any", c, port, "A", steered,
		XDP_DROP);
	vip_set(c, mode, GG_VIP_RELAYED);
	expect("one that the stack has", c, port, "A",
		GG_REASON_pass_listener, XDP_PASS);
	expect("its end", c, port, "FA", GG_REASON_pass_listener, XDP_PASS);
	expect("one of which it has only the listener", c, 1, "A", steered,
		XDP_DROP);
	expect("a new one is steered", c, 1, "S", GG_REASON_drop_no_backend,
		XDP_DROP);
	vip_set(c, mode, GG_VIP_RELAYED | GG_VIP_LEAVING);
	expect("a new one of a service that leaves", c, 1, "S",
		GG_REASON_pass_listener_syn, XDP_PASS);
	expect("one that the stack has, as well", c, port, "A",
		GG_REASON_pass_listener, XDP_PASS);
	expect("one that it has not", c, 1, "A", steered, XDP_DROP);
}

static void
test_nat(void **state)
{
	struct connection c;

	(void)state;
	connection_open(&c, "127.0.0.1");
	connections_stay(&c, GG_MODE_NAT, GG_REASON_drop_nat_unknown);
	connection_close(&c);
}

static void
test_nat6(void **state)
{
	struct connection c;

	(void)state;
	connection_open(&c, "::1");
	connections_stay(&c, GG_MODE_NAT, GG_REASON_drop_nat_unknown);
	connection_close(&c);
}

static void
test_route(void **state)
{
	struct connection c;

	(void)state;
	connection_open(&c, "127.0.0.1");
	connections_stay(&c, GG_MODE_ROUTE, GG_REASON_drop_no_backend);
	connection_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_nat6),
		cmocka_unit_test(test_route),
	};
	int failed;

	gateway = world_open();
	if (gateway == NULL)
		return load_failed();
	world_cfg(GG_CFG_STEER | GG_CFG_NAT | GG_CFG_ROUTE, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	world_close();
	return failed;
}
