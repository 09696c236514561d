/*
 * Two boxes that stand for each other: what one sends to a backend, the other
 * one, which has heard nothing of the connection, sends there as well, if both
 * have the same seed and the same resources. Each box is a fast path of its own
 * in a network namespace of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
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
#include "tests/lib/steer_model.h"

#define SEED     0x2b0ce5ed
#define SLOT     70 /* of the services, and beyond */
#define BACKENDS 12
#define SPARE    2 /* of them: not asked for at first */
#define FLOWS    100000
#define DRAIN_MS 60000

#define DSR   GG_MODE_DSR_L2
#define ROUTE GG_MODE_ROUTE

/* A frame of a client to it; the numbers of the flow go into the frame. */
static const struct kind {
	enum gg_mode mode;
	uint8_t l4_proto;
	bool is4;
	uint16_t port;
	const char *frame;
} kinds[] = {
	{ DSR, IPPROTO_TCP, true, 80,
		"eth ip4 to=10.9.0.200 tcp to=80 flags=A" },
	{ DSR, IPPROTO_UDP, true, 80, "eth ip4 to=10.9.0.200 udp to=80" },
	{ DSR, IPPROTO_TCP, false, 80,
		"eth ip6 to=fd09::200 tcp to=80 flags=A" },
	{ DSR, IPPROTO_UDP, false, 80, "eth ip6 to=fd09::200 udp to=80" },
	{ ROUTE, IPPROTO_TCP, true, 81,
		"eth ip4 to=10.9.0.200 tcp to=81 flags=A" },
	{ ROUTE, IPPROTO_UDP, true, 81, "eth ip4 to=10.9.0.200 udp to=81" },
	{ ROUTE, IPPROTO_TCP, false, 81,
		"eth ip6 to=fd09::200 tcp to=81 flags=A" },
	{ ROUTE, IPPROTO_UDP, false, 81, "eth ip6 to=fd09::200 udp to=81" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct box {
	const char *name; /* of its namespace and of the folder of its pins */
	bool reversed;    /* has services and backends the other way round */
	int place; /* the namespace */
	char pin_path[160];
	struct fastpath *f;
	int program;
};

struct backends {
	struct fastpath_backend list[BACKENDS];
	bool asked[BACKENDS];
};

static struct netns netns;
static struct box first = { .name = "first" };
static struct box second = { .name = "second", .reversed = true };
static struct packet frames[KINDS];

/* ---- a box */

static void
box_enter(const struct box *b)
{
	if (setns(b->place, CLONE_NEWNET) != 0)
		fail_msg("namespace %s: %s", b->name, strerror(errno));
}

/* Cold: there is nothing in its maps. */
static void
box_start(struct box *b, uint32_t seed)
{
	box_enter(b);
	b->f = control_open_seeded(b->pin_path, "v0", seed);
	b->program = bpf_prog_get_fd_by_id(
		fastpath_interface_get(b->f, 0)->program_id);
	assert_true(b->program >= 0);
}

static void
box_stop(struct box *b)
{
	box_enter(b);
	close(b->program);
	fastpath_close(b->f, true);
	b->f = NULL;
}

static uint32_t
box_slot(const struct box *b, size_t kind)
{
	return SLOT + (uint32_t)(b->reversed ? KINDS - 1 - kind : kind);
}

/* The same backends as a service of this kind has them. */
static size_t
backends_of(const struct box *b, size_t kind, const struct backends *all,
	struct fastpath_backend *set)
{
	size_t count = 0;
	char ip[64];

	for (size_t n = 0; n < BACKENDS; n++) {
		size_t i = b->reversed ? BACKENDS - 1 - n : n;

		if (!all->asked[i])
			continue;
		snprintf(ip, sizeof(ip),
			kinds[kind].is4 ? "10.9.0.%zu" : "fd09::%zu", 10 + i);
		set[count] = all->list[i];
		addr_parse_ip(ip, (uint16_t)(8080 + kind), &set[count].addr);
		count++;
	}
	return count;
}

static void
box_ask(struct box *b, const struct backends *all)
{
	struct fastpath_backend sets[KINDS][BACKENDS];
	struct fastpath_service services[KINDS];
	struct error err = ERROR_INIT;

	for (size_t kind = 0; kind < KINDS; kind++) {
		services[kind] = (struct fastpath_service){
			.slot = box_slot(b, kind),
			.l4_proto = kinds[kind].l4_proto,
			.mode = (uint8_t)kinds[kind].mode,
			.drain_ms = DRAIN_MS,
			.backends = sets[kind],
			.backend_count = backends_of(b, kind, all, sets[kind]),
		};
		addr_parse_ip(kinds[kind].is4 ? "10.9.0.200" : "fd09::200",
			kinds[kind].port, &services[kind].addr);
	}
	box_enter(b);
	if (fastpath_services_set(b->f, services, KINDS, &err) != 0)
		fail_msg("%s: %s", b->name, err.text);
}

/* The ring of a service as the kernel has it. Caller frees. */
static struct gg_ring_slot *
box_ring(const struct box *b, uint32_t slot)
{
	struct gg_ring_slot *ring = xcalloc(GG_RING_SLOTS, sizeof(*ring));
	char path[200];
	uint32_t id;
	int outer, fd;

	snprintf(path, sizeof(path), "%s/maps/" GG_MAP_RING, b->pin_path);
	outer = bpf_obj_get(path);
	assert_true(outer >= 0);
	assert_int_equal(bpf_map_lookup_elem(outer, &slot, &id), 0);
	close(outer);
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		assert_int_equal(bpf_map_lookup_elem(fd, &i, &ring[i]), 0);
	close(fd);
	return ring;
}

/* ---- flows */

static struct packet *
frame_of(uint32_t flow)
{
	size_t kind = flow % KINDS;
	struct packet *p = &frames[kind];
	size_t ip = kinds[kind].is4 ? 20 : 40;
	uint8_t *from = packet_data(p) + 14 + (kinds[kind].is4 ? 12 : 8);
	uint32_t client_be = htonl(0x0a080000 + flow / KINDS / 4);
	uint16_t port_be = htons((uint16_t)(40000 + flow / KINDS % 4));

	memcpy(from + (kinds[kind].is4 ? 0 : 12), &client_be, 4);
	memcpy(packet_data(p) + 14 + ip, &port_be, 2);
	return p;
}

/* A further packet of the flow: the backend that the box sends it to. */
static uint8_t
flow_send(const struct box *b, uint32_t flow)
{
	struct packet *p = frame_of(flow);
	uint8_t out[256];
	LIBBPF_OPTS(bpf_test_run_opts, run,
		.data_in = packet_data(p),
		.data_size_in = (uint32_t)p->length,
		.data_out = out,
		.data_size_out = sizeof(out));

	if (bpf_prog_test_run_opts(b->program, &run) != 0)
		fail_msg("test run: %s", strerror(errno));
	if (run.retval != XDP_TX && run.retval != XDP_REDIRECT)
		fail_msg("%s: flow %u: verdict %u", b->name, flow, run.retval);
	assert_memory_equal(out, "\2\0\0\0\11", 5);
	assert_in_range(out[5], 10, 10 + BACKENDS - 1);
	return (uint8_t)(out[5] - 10);
}

/* One packet of each flow. */
static void
flows_send(const struct box *b, uint8_t home[FLOWS])
{
	box_enter(b);
	for (uint32_t i = 0; i < FLOWS; i++)
		home[i] = flow_send(b, i);
}

static uint32_t
flows_alike(const uint8_t *a, const uint8_t *b)
{
	uint32_t alike = 0;

	for (uint32_t i = 0; i < FLOWS; i++)
		alike += a[i] == b[i];
	return alike;
}

/* Which flows are in stable slots of a box. */
static void
flows_stable(const struct box *b, bool stable[FLOWS])
{
	struct gg_ring_slot *rings[KINDS];

	for (size_t kind = 0; kind < KINDS; kind++)
		rings[kind] = box_ring(b, box_slot(b, kind));
	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct packet *p = frame_of(i);
		const struct gg_ring_slot *at = &rings[i % KINDS]
			[steer_model_index(p->room + PACKET_SHIFT, p->length,
				SEED)];

		stable[i] = at->flags == 0 && at->current == at->base;
	}
	for (size_t kind = 0; kind < KINDS; kind++)
		free(rings[kind]);
}

/* ---- the tests */

/* Of flows, seed and resources alone, and of each version: boxes of two of them
 * stand beside each other while they are upgraded. */
#define HOMES UINT64_C(0x24f1ac044e763a7b)

static uint64_t
homes_fold(const uint8_t home[FLOWS])
{
	uint64_t fold = 0;

	for (uint32_t i = 0; i < FLOWS; i++)
		fold = fold * 31 + home[i];
	return fold;
}

static void
backends_begin(struct backends *all)
{
	memset(all, 0, sizeof(*all));
	for (size_t i = 0; i < BACKENDS; i++) {
		all->list[i].weight = 1 + (uint32_t)i % 3;
		all->asked[i] = i < BACKENDS - SPARE;
	}
}

/* Two come, one goes, one drains, one dies, one gets more. */
static void
backends_change(struct backends *all)
{
	all->asked[BACKENDS - 1] = all->asked[BACKENDS - 2] = true;
	all->asked[0] = false;
	all->list[1].state = FASTPATH_BACKEND_DRAINING;
	all->list[2].state = FASTPATH_BACKEND_DOWN;
	all->list[3].weight = 5;
}

/* Else it would not be seen that slots of services and indices matter not. */
static void
assert_other_indices(void)
{
	struct gg_ring_slot *a = box_ring(&first, box_slot(&first, 0));
	struct gg_ring_slot *b = box_ring(&second, box_slot(&second, 0));
	uint32_t other = 0;

	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		other += a[i].current != b[i].current;
	assert_true(other > GG_RING_SLOTS / 2);
	free(a);
	free(b);
}

static void
test_a_cold_box_sends_flows_where_they_were(void **state)
{
	uint8_t *home = xcalloc(FLOWS, 1), *now = xcalloc(FLOWS, 1);
	bool *stable = xcalloc(FLOWS, sizeof(*stable));
	struct backends all;

	(void)state;
	backends_begin(&all);
	box_start(&first, SEED);
	box_ask(&first, &all);
	flows_send(&first, home);
	flows_stable(&first, stable);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_true(stable[i]);
	box_start(&second, SEED);
	box_ask(&second, &all);
	assert_other_indices();
	flows_send(&second, now);
	assert_int_equal(flows_alike(home, now), FLOWS);
	assert_true(homes_fold(home) == HOMES);
	box_stop(&second);
	box_stop(&first);
	free(stable);
	free(now);
	free(home);
}

/* So the seed is what does it. */
static void
test_another_seed_is_another_matter(void **state)
{
	static const uint32_t seeds[] = { SEED + 1, 0 };
	uint8_t *home = xcalloc(FLOWS, 1), *now = xcalloc(FLOWS, 1);
	struct backends all;

	(void)state;
	backends_begin(&all);
	box_start(&first, SEED);
	box_ask(&first, &all);
	flows_send(&first, home);
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		box_start(&second, seeds[i]);
		box_ask(&second, &all);
		flows_send(&second, now);
		assert_in_range(flows_alike(home, now), 1, FLOWS / 5);
		box_stop(&second);
	}
	box_stop(&first);
	free(now);
	free(home);
}

/* Both had the same flows to keep and the same change; of its own each has
 * only the indices. */
static void
test_boxes_that_saw_the_same_change(void **state)
{
	uint8_t *home = xcalloc(FLOWS, 1), *now = xcalloc(FLOWS, 1);
	struct backends all;

	(void)state;
	backends_begin(&all);
	box_start(&first, SEED);
	box_start(&second, SEED);
	box_ask(&first, &all);
	box_ask(&second, &all);
	backends_change(&all);
	box_ask(&second, &all);
	box_ask(&first, &all);
	flows_send(&first, home);
	flows_send(&second, now);
	assert_int_equal(flows_alike(home, now), FLOWS);
	box_stop(&second);
	box_stop(&first);
	free(now);
	free(home);
}

/* The window passes, and what the tables hold of its slots stays there. */
static void
window_pass(struct box *b)
{
	uint64_t now_ms = clock_monotonic_ms();

	box_enter(b);
	for (int i = 0; i < 12; i++) {
		now_ms += DRAIN_MS / 8;
		fastpath_steering_tick(b->f, now_ms);
	}
}

/* It knows nothing of the window, which is told of in the manual: what is in
 * slots that moved goes elsewhere, all else stays. */
static void
test_a_cold_box_after_a_change(void **state)
{
	uint8_t *home = xcalloc(FLOWS, 1), *now = xcalloc(FLOWS, 1);
	bool *stable = xcalloc(FLOWS, sizeof(*stable));
	uint32_t settled = 0, astray = 0;
	struct backends all;

	(void)state;
	backends_begin(&all);
	box_start(&first, SEED);
	box_ask(&first, &all);
	backends_change(&all);
	box_ask(&first, &all);
	flows_send(&first, home);
	window_pass(&first);
	flows_send(&first, home);
	flows_stable(&first, stable);
	box_start(&second, SEED);
	box_ask(&second, &all);
	flows_send(&second, now);
	for (uint32_t i = 0; i < FLOWS; i++) {
		settled += stable[i];
		astray += home[i] != now[i];
		if (stable[i])
			assert_int_equal(home[i], now[i]);
	}
	print_message("%u of %d flows in stable slots, %u elsewhere\n", settled,
		FLOWS, astray);
	assert_in_range(settled, FLOWS / 2, FLOWS - FLOWS / 20);
	assert_in_range(astray, FLOWS / 20, FLOWS - settled);
	box_stop(&second);
	box_stop(&first);
	free(stable);
	free(now);
	free(home);
}

/* ---- start */

static int
place_open(struct box *b)
{
	char path[64];

	snprintf(b->pin_path, sizeof(b->pin_path), "%s/%s", netns.bpffs,
		b->name);
	if (command("ip netns add %s && ip -n %s link set lo up &&"
		    "ip -n %s link add v0 type veth peer name v1 &&"
		    "ip -n %s addr add 10.9.0.1/24 dev v0 &&"
		    "ip -n %s addr add fd09::1/64 dev v0 nodad &&"
		    "ip -n %s link set v0 up && ip -n %s link set v1 up",
		    b->name, b->name, b->name, b->name, b->name, b->name,
		    b->name) != 0)
		return -1;
	for (unsigned i = 0; i < BACKENDS; i++) {
		if (command("for ip in 10.9.0.%u fd09::%u; do ip -n %s neigh "
			    "add $ip dev v0 lladdr 02:00:00:00:09:%02x nud "
			    "permanent || exit 1; done",
			    10 + i, 10 + i, b->name, 10 + i) != 0)
			return -1;
	}
	snprintf(path, sizeof(path), "/run/netns/%s", b->name);
	b->place = open(path, O_RDONLY | O_CLOEXEC);
	return b->place < 0 ? -1 : 0;
}

static int
places_open(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < KINDS; kind++)
		packet_build(&frames[kind], kinds[kind].frame);
	return place_open(&first) != 0 || place_open(&second) != 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_cold_box_sends_flows_where_they_were),
		cmocka_unit_test(test_another_seed_is_another_matter),
		cmocka_unit_test(test_boxes_that_saw_the_same_change),
		cmocka_unit_test(test_a_cold_box_after_a_change),
	};
	int rc;

	if (netns_open(&netns) != 0 ||
		netns_needs(&netns, load_map(BPF_MAP_TYPE_DEVMAP_HASH),
			"map of interfaces may be made") != 0)
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, places_open, NULL);
	netns_close(&netns);
	return rc;
}
