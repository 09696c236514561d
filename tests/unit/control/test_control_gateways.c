/*
 * Gateways that control is given: where it listens for them, and the slots of
 * their services.
 */
#include "control_child.h"

static void
test_gateways(void **state)
{
	uint16_t other = port_free(), taken;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[128];
	uint64_t end = clock_monotonic_ms() + 10000;

	(void)state;
	assert_true(connects(port));
	snprintf(text, sizeof(text), "bindAddress: \"::\"\nbindPort: %u\n",
		port);
	expect("PUT", GW("two"), text, 422, "reason", "gloo-system.gateway");
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, length), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	taken = ntohs(sin.sin_port);
	snprintf(text, sizeof(text), "bindAddress: 127.0.0.1\nbindPort: %u\n",
		taken);
	expect("PUT", GW("two"), text, 422, "reason", "in use");
	close(fd);
	snprintf(text, sizeof(text), "bindAddress: 127.0.0.1\nbindPort: %u\n",
		other);
	expect("PUT", GW("two"), text, 200, "state", "Accepted");
	assert_true(connects(other));
	expect("DELETE", GW("two"), "", 200, "state", "Accepted");
	while (connects(other) && clock_monotonic_ms() < end)
		poll(NULL, 0, 10);
	assert_false(connects(other));
	assert_true(connects(port));
}

/* The slot of the first service of /v1/services; 0: there is none. */
static int64_t
service_slot(void)
{
	struct doc *body;
	int64_t slot;

	ask("GET", "/v1/services", "text/plain", "", &body);
	slot = doc_integer(
		doc_get(doc_at(doc_get(body, "items"), 0), "slot"));
	doc_free(body);
	return slot;
}

/* Of the newest image: it leads somewhere. */
static bool
service_is_served(void)
{
	const struct doc *one;
	struct doc *body;
	bool served;

	ask("GET", "/v1/dump", "text/plain", "", &body);
	one = doc_at(doc_get(body, "services"), 0);
	served = one != NULL && doc_get(one, "unavailable") == NULL;
	doc_free(body);
	return served;
}

#define TCP_HOST(more)                                                         \
	"tcpGateway: { tcpHosts: [ { name: x, " more                           \
	"destination: { single: { upstream: { name: u } } } } ] }\n"

/* A TCP service listens, has a slot for as long as it has its address, also
 * over a restart; UDP without XDP is a Warning. */
static void
test_services(void **state)
{
	uint16_t at = port_free();
	char text[256], again[256];
	int64_t slot;

	(void)state;
	snprintf(text, sizeof(text),
		"bindAddress: 127.0.0.1\nbindPort: %u\n" TCP_HOST(""), at);
	expect("PUT", GW("tcp"), text, 200, "reason",
		"tcpGateway.tcpHosts[0].destination: no upstream is named "
		"\"gloo-system.u\"");
	expect("PUT", UP("u"), UPSTREAM("u"), 200, NULL, NULL);
	until_text(GW("tcp"), "status", "state", "Accepted");
	until_text(GW("tcp"), "status", "reason",
		"relayed in user space: no interface is configured");
	assert_true(connects(at));
	slot = service_slot();
	assert_in_range(slot, LISTENERS_MAX, SLOTS_MAX - 1);
	assert_true(service_is_served());
	/* TLS by the kind alone is TLS as well. */
	expect("PUT", UP("u"),
		"metadata: { name: u }\nupstreamSpec: { static: { useTls: true, "
		"hosts: [ { addr: 127.0.0.1 } ] } }\n",
		200, NULL, NULL);
	until_text(GW("tcp"), "status", "reason",
		"the TLS of gloo-system.u does not hold for it: its bytes are "
		"passed on as they are, who connects speaks TLS himself");
	until_text(GW("tcp"), "status", "state", "Warning");
	expect("PUT", UP("u"), UPSTREAM("u") "sslConfig: { sni: a.test }\n",
		200, NULL, NULL);
	until_text(GW("tcp"), "status", "reason",
		"sslConfig of gloo-system.u does not hold for it: its bytes "
		"are passed on as they are, who connects speaks TLS himself");
	until_text(GW("tcp"), "status", "state", "Warning");
	/* Nor does a secret that it has no use for. */
	expect("PUT", UP("u"),
		UPSTREAM("u") "sslConfig: { secretRef: { name: none, "
			      "namespace: gloo-system } }\n",
		200, "state", "Warning");
	until_text(GW("tcp"), "status", "reason",
		"sslConfig of gloo-system.u does not hold for it: its bytes "
		"are passed on as they are, who connects speaks TLS himself; "
		"relayed in user space: no interface is configured");
	assert_true(service_is_served());
	expect("DELETE", UP("u"), "", 200, "reason",
		"it is still routed to by gloo-system.tcp");
	until_text(GW("tcp"), "status", "state", "Warning");
	expect("PUT", UP("u"), UPSTREAM("u"), 200, NULL, NULL);
	snprintf(again, sizeof(again),
		"bindAddress: 127.0.0.1\nbindPort: %u\n" TCP_HOST(
			"mode: relay, "),
		at);
	expect("PUT", GW("tcp"), again, 200, "reason", "mode relay");
	assert_int_equal(service_slot(), slot);
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	assert_int_equal(service_slot(), slot);
	assert_true(connects(at));
	snprintf(again, sizeof(again),
		"bindAddress: 127.0.0.1\nbindPort: %u\n" TCP_HOST(
			"protocol: UDP, "),
		at);
	expect("PUT", GW("udp"), again, 200, "state", "Warning");
	expect("PUT", GW("udp"), again, 200, "reason",
		"UDP is not relayed, and XDP does not steer it");
	snprintf(again, sizeof(again),
		"bindAddress: 127.0.0.1\nbindPort: %u\n", at);
	expect("PUT", GW("tcp"), again, 200, "state", "Accepted");
	expect("DELETE", GW("udp"), "", 200, NULL, NULL);
	assert_int_equal(service_slot(), 0);
	assert_true(connects(at));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_gateways),
		CASE(test_services),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
