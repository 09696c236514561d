/*
 * Both halves together under a random churn of backends: control's calls on one
 * side, packets of 10^5 connections through the attached program on the other.
 * No connection may move unless its backend died.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"
#include "fastpath/steering.h"
#include "tests/lib/command.h"
#include "tests/lib/control.h"
#include "tests/lib/load.h"
#include "tests/lib/netns.h"
#include "tests/lib/packet.h"

#define SLOT         70
#define BACKENDS     20
#define CHURNING     8 /* of them; what is kept has to fit into gg_ct4 */
#define CHANGES      20
#define FLOWS        100000
#define DRAIN_MS     60000

static struct netns netns;

struct world {
	struct fastpath *f;
	int program;
	struct packet frame;
	struct fastpath_service service;
	struct fastpath_backend backends[BACKENDS];
	bool asked[BACKENDS]; /* in the set */
	uint16_t home[FLOWS]; /* backend + 1; 0: not open */
	uint16_t round[FLOWS]; /* makes its tuple new when it begins again */
	uint64_t random, now_ms;
	unsigned moved, lost, begun;
};

static uint32_t
chance(struct world *w, uint32_t of)
{
	w->random = w->random * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)(w->random >> 33) % of;
}

/* ---- packets */

/* The backend that the program sends it to, + 1; 0: to none. */
static uint16_t
packet_send(struct world *w, uint32_t flow, bool request)
{
	uint8_t *data = packet_data(&w->frame), out[256];
	struct iphdr *ip = (struct iphdr *)(data + ETH_HLEN);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	LIBBPF_OPTS(bpf_test_run_opts, run,
		.data_in = data,
		.data_size_in = (uint32_t)w->frame.length,
		.data_out = out,
		.data_size_out = sizeof(out));

	ip->saddr = htonl(0x0a080000 + flow);
	tcp->source = htons((uint16_t)(1024 + w->round[flow]));
	tcp->syn = request;
	tcp->ack = !request;
	if (bpf_prog_test_run_opts(w->program, &run) != 0)
		fail_msg("test run: %s", strerror(errno));
	if (run.retval != XDP_TX && run.retval != XDP_REDIRECT)
		return 0;
	assert_memory_equal(out, "\2\0\0\0\11", 5);
	assert_in_range(out[5], 10, 10 + BACKENDS - 1);
	return (uint16_t)(out[5] - 10 + 1);
}

static void
flow_begin(struct world *w, uint32_t flow)
{
	w->round[flow]++;
	w->home[flow] = packet_send(w, flow, true);
	assert_int_not_equal(w->home[flow], 0);
	w->begun++;
}

static void
flow_go_on(struct world *w, uint32_t flow)
{
	uint16_t to = packet_send(w, flow, false), home = w->home[flow];

	if (to == home)
		return;
	if (w->backends[home - 1].state == FASTPATH_BACKEND_DOWN)
		w->lost++;
	else
		w->moved++;
	flow_begin(w, flow);
}

/* A packet of each; a few end and others begin. */
static void
traffic(struct world *w)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		if (w->home[i] == 0 || chance(w, 50) == 0)
			flow_begin(w, i);
		else
			flow_go_on(w, i);
	}
}

/* ---- control */

static void
backends_set(struct world *w)
{
	control_ask(w->f, w->service, w->backends, w->asked, BACKENDS);
}

static void
change(struct world *w)
{
	uint32_t i = chance(w, CHURNING);
	struct fastpath_backend *b = &w->backends[i];

	if (b->state == FASTPATH_BACKEND_DOWN || !w->asked[i]) {
		b->state = FASTPATH_BACKEND_UP;
		w->asked[i] = true;
	} else if (b->state == FASTPATH_BACKEND_DRAINING) {
		b->state = FASTPATH_BACKEND_UP;
	} else if (chance(w, 6) == 0) {
		b->state = FASTPATH_BACKEND_DOWN;
	} else if (chance(w, 2) == 0) {
		b->state = FASTPATH_BACKEND_DRAINING;
	} else {
		w->asked[i] = false;
	}
	backends_set(w);
}

static void
world_begin(struct world *w)
{
	char ip[32];

	w->random = 20261126;
	w->now_ms = clock_monotonic_ms();
	w->service = (struct fastpath_service){ .slot = SLOT,
		.l4_proto = IPPROTO_TCP,
		.mode = GG_MODE_DSR_L2,
		.drain_ms = DRAIN_MS };
	addr_parse_ip("10.9.0.200", 80, &w->service.addr);
	for (unsigned i = 0; i < BACKENDS; i++) {
		char text[128];

		snprintf(ip, sizeof(ip), "10.9.0.%u", 10 + i);
		addr_parse_ip(ip, 80, &w->backends[i].addr);
		w->backends[i].weight = 1;
		w->asked[i] = true;
		snprintf(text, sizeof(text),
			"ip neigh add %s dev v0 lladdr 02:00:00:00:09:%02x nud"
			" permanent",
			ip, 10 + i);
		assert_int_equal(system(text), 0);
	}
	packet_build(&w->frame, "eth ip4 to=10.9.0.200 tcp to=80 flags=A");
	w->f = control_open(netns.pin_path, "v0");
	backends_set(w);
	w->program = bpf_prog_get_fd_by_id(
		fastpath_interface_get(w->f, 0)->program_id);
	assert_true(w->program >= 0);
}

static void
test_no_connection_moves_unless_its_backend_died(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	const struct fastpath_service_state *shown;
	unsigned moved_slots = 0, pinned_slots = 0, moved;
	uint64_t kept = 0;

	(void)state;
	world_begin(w);
	traffic(w);
	for (int n = 0; n < CHANGES; n++) {
		change(w);
		moved = fastpath_service_state(w->f, SLOT)->moved_slots;
		moved_slots += moved > 0;
		traffic(w);
		if (n % 4 == 1) { /* a daemon that is killed */
			fastpath_close(w->f, false);
			w->f = control_open(netns.pin_path, "v0");
			fastpath_steering_tick(w->f, w->now_ms);
			backends_set(w);
			assert_int_equal(
				fastpath_service_state(w->f, SLOT)->moved_slots,
				moved);
		}
		/* Half a window, and a walk over the tables. */
		for (int i = 0; i < 4; i++) {
			w->now_ms += DRAIN_MS / 8;
			fastpath_steering_tick(w->f, w->now_ms);
		}
		shown = fastpath_service_state(w->f, SLOT);
		pinned_slots += shown->pinned_slots > 0;
		kept = shown->kept > kept ? shown->kept : kept;
		traffic(w);
	}
	print_message("%d connections, %u begun anew, %u lost with their"
		      " backend, %u moved; kept at most: %llu\n",
		FLOWS, w->begun - FLOWS, w->lost, w->moved,
		(unsigned long long)kept);
	assert_int_equal(w->moved, 0);
	/* It was a churn. */
	assert_true(w->lost > FLOWS / 100 && kept > FLOWS / 20);
	assert_true(moved_slots > CHANGES / 2 && pinned_slots > CHANGES / 3);
	close(w->program);
	fastpath_close(w->f, true);
	free(w);
}

/* ---- start */

static int
lab_open(void **state)
{
	(void)state;
	return command("ip link set lo up &&"
		       "ip link add v0 type veth peer name v1 &&"
		       "ip addr add 10.9.0.1/24 dev v0 &&"
		       "ip link set v0 up && ip link set v1 up");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_no_connection_moves_unless_its_backend_died),
	};
	int rc;

	if (netns_open(&netns) != 0 ||
		netns_needs(&netns, load_map(BPF_MAP_TYPE_DEVMAP_HASH),
			"map of interfaces may be made") != 0)
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, lab_open, NULL);
	netns_close(&netns);
	return rc;
}
