/*
 * Many backends and full tables: how long control is busy with them, and where
 * there are no more.
 */
#include <time.h>

#include <bpf/libbpf.h>

#include "steering_lab.h"

#define RING_OF 100

/* Of this thread: others use the machine, too. */
static uint64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
test_a_ring_of_100_backends_is_rebuilt_fast(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, RING_OF);
	uint64_t begin, took, least = UINT64_MAX, most = 0;
	struct error err = ERROR_INIT;

	(void)state;
	set_ok(f, a);
	for (int i = 0; i < 10; i++) {
		a->backends[i].state = FASTPATH_BACKEND_DRAINING;
		begin = cpu_us();
		assert_int_equal(
			fastpath_services_set(f, &a->service, 1, &err), 0);
		took = cpu_us() - begin;
		least = took < least ? took : least;
		most = took > most ? took : most;
	}
	print_message("a change of one of %d backends: %llu to %llu us\n",
		RING_OF, (unsigned long long)least,
		(unsigned long long)most);
	assert_true(shares(SLOT).moved > GG_RING_SLOTS / 20);
	assert_true(least < 10000);
	free(a);
	fastpath_close(f, true);
}

/* Of which no call may take long, for control waits for it. */
#define STEP_US 50000

static void
test_full_tables_are_walked_in_steps(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service_of(GG_MODE_DSR_L2, 1);
	uint32_t now_s = (uint32_t)(clock_monotonic_ms() / 1000);
	uint64_t begin, most = 0;
	uint16_t backend_index;
	int fd, steps = 0;

	(void)state;
	a->service.flags = GG_SERVICE_ALWAYS;
	set_ok(f, a);
	backend_index = (uint16_t)index_of("10.9.0.10");
	fd = map("gg_ct4");
	for (uint32_t n = 0; n < 60000; n++) {
		const struct gg_flow4 key = {
			.from = { 10, 8, (uint8_t)(n >> 8), (uint8_t)n },
			.to = { 10, 9, 0, 200 },
			.l4_proto = IPPROTO_TCP,
		};
		const struct gg_connection value = {
			.backend = backend_index,
			.seen_s = n % 2 ? now_s : now_s - 3 * 3600,
		};

		assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY),
			0);
	}
	close(fd);
	while (fastpath_service_state(f, SLOT)->kept == 0) {
		begin = cpu_us();
		tick(f, 100);
		begin = cpu_us() - begin;
		most = begin > most ? begin : most;
		assert_true(++steps < 1000);
	}
	print_message("60000 connections: %d calls, at most %llu us each\n",
		steps, (unsigned long long)most);
	assert_int_equal(fastpath_service_state(f, SLOT)->kept, 30000);
	assert_int_equal(entries("gg_ct4"), 30000);
	assert_true(steps > 3 && most < STEP_US);
	free(a);
	fastpath_close(f, true);
}

static void
test_as_many_backends_as_there_are_indices(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service(SLOT, "10.9.0.200", 80, IPPROTO_TCP,
		GG_MODE_NAT);
	struct asked *b = service(SLOT + 1, "10.9.0.201", 80, IPPROTO_TCP,
		GG_MODE_NAT);
	struct fastpath_service both[2];
	uint64_t begin, first, second;
	struct error err = ERROR_INIT;
	char ip[32];

	(void)state;
	must("ip neigh add 10.9.0.20 dev v0 lladdr 02:00:00:00:00:20 nud"
	     " permanent && ip route add 10.20.0.0/16 via 10.9.0.20");
	for (int i = 0; i < 4090; i++) {
		snprintf(ip, sizeof(ip), "10.20.%d.%d", i / 200, 1 + i % 200);
		backend(a, ip, 80);
	}
	begin = cpu_us();
	set_ok(f, a);
	first = cpu_us() - begin;
	a->backends[7].state = FASTPATH_BACKEND_DOWN;
	begin = cpu_us();
	set_ok(f, a);
	second = cpu_us() - begin;
	print_message("4090 backends: %llu ms, a change of one %llu ms\n",
		(unsigned long long)first / 1000,
		(unsigned long long)second / 1000);
	assert_int_equal(fastpath_service_state(f, SLOT)->unreachable, 0);
	for (int i = 0; i < 5; i++) {
		snprintf(ip, sizeof(ip), "10.20.100.%d", 1 + i);
		backend(b, ip, 80);
	}
	both[0] = a->service;
	both[1] = b->service;
	if (fastpath_services_set(f, both, 2, &err) != 0)
		fail_msg("%s", err.text);
	backend(b, "10.20.100.6", 80);
	both[1] = b->service;
	refused(f, both, 2, SLOT + 1,
		"more than 4095 backends of all services, those that are"
		" drained included");
	free(a);
	free(b);
	fastpath_close(f, true);
}

/* ---- endpoints that never stay */

static void
far_away_is_reachable(void)
{
	must("ip neigh add 10.9.0.20 dev v0 lladdr 02:00:00:00:00:20 nud"
	     " permanent && ip route add 10.20.0.0/15 via 10.9.0.20");
}

static void
backends_set(struct asked *a, unsigned count, unsigned from)
{
	char ip[32];

	a->service.backend_count = 0;
	for (unsigned i = from; i < from + count; i++) {
		snprintf(ip, sizeof(ip), "10.20.%u.%u", i / 200, 1 + i % 200);
		backend(a, ip, 80);
	}
}

/* Two indices of each backend at a time, and more backends than indices: those
 * that came and went without a packet are given free. */
static void
test_more_come_and_go_than_there_are_indices(void **state)
{
	static const enum gg_mode modes[] = { GG_MODE_NAT, GG_MODE_ROUTE };

	(void)state;
	far_away_is_reachable();
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		struct fastpath *f = open_v0();
		struct asked *a = service(SLOT, "10.9.0.200", 80, IPPROTO_TCP,
			modes[m]);
		uint64_t begin, least = UINT64_MAX, most = 0;
		struct shares s;

		for (unsigned i = 0; i < 30; i++) {
			backends_set(a, 500, i * 500);
			begin = cpu_us();
			set_ok(f, a);
			begin = cpu_us() - begin;
			least = begin < least ? begin : least;
			most = begin > most ? begin : most;
		}
		print_message("all of 500 backends replaced: %llu to %llu us\n",
			(unsigned long long)least, (unsigned long long)most);
		assert_true(least < 50000);
		/* The first ones, which may have connections, are there. */
		s = shares(SLOT);
		if (modes[m] == GG_MODE_ROUTE)
			assert_true(s.moved > GG_RING_SLOTS / 2 &&
				s.base[index_of("10.20.0.1")] > 0);
		free(a);
		fastpath_close(f, true);
	}
}

/* A packet was sent there: its index is kept until a walk has seen none. */
static void
test_what_was_used_is_not_given_free(void **state)
{
	struct fastpath *f = open_v0();
	struct asked *a = service(SLOT, "10.9.0.200", 80, IPPROTO_TCP,
		GG_MODE_NAT);
	int cpus = libbpf_num_possible_cpus();
	struct gg_backend_hits *hits =
		xcalloc((size_t)cpus, sizeof(*hits));
	uint32_t used;
	struct addr addr;

	(void)state;
	far_away_is_reachable();
	backends_set(a, 500, 0);
	set_ok(f, a);
	used = index_of("10.20.1.7");
	hits[cpus - 1].packets = 1;
	put("gg_backend_hits", &used, hits);
	for (unsigned i = 1; i < 30; i++) {
		backends_set(a, 500, i * 500);
		set_ok(f, a);
	}
	assert_int_equal(addr_parse_ip("10.20.1.7", 80, &addr), 0);
	assert_memory_equal(row(used).ip, addr.ip, 16);
	assert_int_equal(index_of("10.20.1.8"), 0);
	walk(f);
	assert_memory_not_equal(row(used).ip, addr.ip, 16);
	free(hits);
	free(a);
	fastpath_close(f, true);
}

#define SERVICES (GG_SLOTS_MAX - GG_LISTENERS_MAX)

/* All services that there can be: what a change of one of them costs, of ten,
 * and of all. */
static void
test_a_change_costs_what_it_changes(void **state)
{
	static const unsigned changed[] = { 0, 1, 10, SERVICES };
	struct fastpath *f = open_v0();
	struct asked **all = xcalloc(SERVICES, sizeof(struct asked *));
	struct fastpath_service *set = xcalloc(SERVICES, sizeof(*set));
	struct error err = ERROR_INIT;

	(void)state;
	far_away_is_reachable();
	for (unsigned i = 0; i < SERVICES; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.9.1.%u", 1 + i);
		all[i] = service(GG_LISTENERS_MAX + i, ip, 80, IPPROTO_TCP,
			i % 2 ? GG_MODE_NAT : GG_MODE_ROUTE);
		backends_set(all[i], 20, i * 20);
		set[i] = all[i]->service;
	}
	for (size_t k = 0; k < ARRAY_SIZE(changed); k++) {
		uint64_t begin, took, changes;

		if (fastpath_services_set(f, set, SERVICES, &err) != 0)
			fail_msg("%s", err.text);
		for (unsigned i = 0; i < changed[k]; i++)
			all[i]->backends[k].state = FASTPATH_BACKEND_DRAINING;
		changes = fastpath_service_state(f, GG_SLOTS_MAX - 1)->changes;
		begin = cpu_us();
		assert_int_equal(
			fastpath_services_set(f, set, SERVICES, &err), 0);
		took = cpu_us() - begin;
		print_message("%u services, %u change: %llu us\n",
			(unsigned)SERVICES, changed[k],
			(unsigned long long)took);
		assert_true(took < 20000 + 10000 * (uint64_t)changed[k]);
		/* The last one is only touched with all. */
		assert_int_equal(
			fastpath_service_state(f, GG_SLOTS_MAX - 1)->changes,
			changes + (changed[k] == SERVICES));
	}
	for (unsigned i = 0; i < SERVICES; i++)
		free(all[i]);
	free(all);
	free(set);
	fastpath_close(f, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_a_ring_of_100_backends_is_rebuilt_fast),
		LAB(test_full_tables_are_walked_in_steps),
		LAB(test_as_many_backends_as_there_are_indices),
		LAB(test_more_come_and_go_than_there_are_indices),
		LAB(test_what_was_used_is_not_given_free),
		LAB(test_a_change_costs_what_it_changes),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
