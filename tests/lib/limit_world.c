/* The loaded XDP program and the fastpath over its maps, with policies. */
#include "tests/lib/limit_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/mem.h"
#include "fastpath/inner.h"
#include "tests/lib/packet.h"

#define FROM4 26 /* of the source address in "eth ip4" */

struct limited limited;

/* ---- the program, and the fastpath over its maps */

void
limited_cfg(uint32_t admit_shift, uint32_t sample)
{
	const uint32_t zero = 0;
	int fd = bpf_map__fd(limited.gateway->maps.gg_cfg);
	struct gg_cfg cfg;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &cfg), 0);
	cfg.admit_shift = admit_shift;
	cfg.sample = sample;
	/* How many sources a tick sees is the machine's business. */
	cfg.source_guard = 0;
	cfg.salt = 12345;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &cfg, BPF_ANY), 0);
}

void
limited_cfg_hz(uint32_t hz)
{
	const uint32_t zero = 0;
	int fd = bpf_map__fd(limited.gateway->maps.gg_cfg);
	struct gg_cfg cfg;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &cfg), 0);
	cfg.hz = hz;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &cfg, BPF_ANY), 0);
}

void
limited_listen(void)
{
	struct fastpath_listener set[16] = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	for (const struct packet_listener *l = packet_listeners; l->ip != NULL;
		l++) {
		if (l->slot >= GG_SLOTS_MAX)
			continue;
		set[count].slot = l->slot;
		set[count].l4_proto = l->l4_proto;
		assert_int_equal(addr_parse_ip(l->ip, l->port,
					 &set[count++].addr), 0);
	}
	if (fastpath_listeners_set(limited.fastpath, set, count, &err) != 0)
		fail_msg("%s", err.text);
}

static void
maps_take_all(struct maps *maps)
{
	struct error err = ERROR_INIT;
	struct bpf_map *map;

	maps_init(maps);
	for (int i = 0; i < MAP_COUNT; i++) {
		map = bpf_object__find_map_by_name(limited.gateway->obj,
			map_names[i]);
		/* one test has another type of table */
		maps->fd[i] = dup(bpf_map__fd(map));
		assert_true(maps->fd[i] >= 0);
	}
	assert_int_equal(maps_configure(maps, 0, 0, &err), 0);
}

/* max_entries of gg_rl4; 0: as built. */
void
limited_load(uint32_t entries, enum bpf_map_type type)
{
	limited.gateway = gateway_bpf__open();
	assert_non_null(limited.gateway);
	if (entries != 0) {
		bpf_map__set_type(limited.gateway->maps.gg_rl4, type);
		bpf_map__set_max_entries(limited.gateway->maps.gg_rl4, entries);
	}
	assert_int_equal(gateway_bpf__load(limited.gateway), 0);
	limited.fastpath = xcalloc(1, sizeof(*limited.fastpath));
	limited.fastpath->watch_fd = -1;
	limited.fastpath->sets.list = xcalloc(1,
		sizeof(*limited.fastpath->sets.list));
	limited.fastpath->sets.count = 1;
	maps_take_all(&limited.fastpath->sets.list[0].maps);
	limited_listen();
	limited_cfg(1, 0);
}

int
limited_setup(void **state)
{
	(void)state;
	limited_load(0, 0);
	return 0;
}

int
limited_teardown(void **state)
{
	(void)state;
	fastpath_close(limited.fastpath, false);
	gateway_bpf__destroy(limited.gateway);
	return 0;
}

/* One at a time: for more the kernel waits for a grace period each time. */
uint32_t
limited_run(const void *data, size_t length)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data,
		.data_size_in = (uint32_t)length, .repeat = 1);
	int rc = bpf_prog_test_run_opts(
		bpf_program__fd(limited.gateway->progs.gg_gateway), &options);

	if (rc != 0)
		fail_msg("test run: %s", strerror(errno));
	return options.retval;
}

struct gg_counters
limited_counters(uint32_t slot)
{
	struct gg_counters sum = { 0 };

	assert_int_equal(maps_count(&limited.fastpath->sets.list[0].maps, slot,
		&sum),
		0);
	return sum;
}

struct gg_count
limited_count(uint32_t slot, enum gg_reason reason)
{
	struct gg_counters all = limited_counters(slot);
	struct gg_count counts[GG_REASON_COUNT];

	memcpy(counts, &all, sizeof(counts));
	return counts[reason];
}

/* How many of them passed; each that did not was counted under reason. */
uint64_t
limited_send(const char *text, uint32_t slot, enum gg_reason reason,
	uint32_t packets)
{
	uint64_t before = limited_count(slot, reason).packets, dropped = 0;
	struct packet p;

	packet_build(&p, text);
	for (uint32_t i = 0; i < packets; i++) {
		uint32_t verdict = limited_run(packet_data(&p), p.length);

		assert_true(verdict == XDP_PASS || verdict == XDP_DROP);
		dropped += verdict == XDP_DROP;
	}
	assert_int_equal(limited_count(slot, reason).packets - before, dropped);
	return packets - dropped;
}

/* ---- policies */

void
limited_slots(const struct fastpath_rule *rules, uint32_t count)
{
	struct fastpath_limits set[] = {
		{ .slot = TCP4, .count = count },
		{ .slot = TCP6, .count = count },
		{ .slot = UDP4, .count = count },
	};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 3; i++)
		memcpy(set[i].rules, rules, count * sizeof(*rules));
	if (fastpath_limits_set(limited.fastpath, set, 3, &err) != 0)
		fail_msg("%s", err.text);
}

void
limited_list(const struct packet_prefix *prefixes)
{
	struct fastpath_prefix set[16] = { 0 };
	struct error err = ERROR_INIT;
	size_t count = 0;

	for (; prefixes[count].prefix != NULL; count++) {
		assert_int_equal(addr_prefix_parse(prefixes[count].prefix,
					 &set[count].prefix, &err), 0);
		set[count].deny = prefixes[count].deny;
	}
	if (fastpath_prefixes_set(limited.fastpath, set, count, &err) != 0)
		fail_msg("%s", err.text);
}

void
limited_block(const struct packet_block *blocks, uint32_t ms)
{
	struct error err = ERROR_INIT;
	struct addr a;

	for (; blocks->ip != NULL; blocks++) {
		assert_int_equal(addr_parse_ip(blocks->ip, 0, &a), 0);
		if (fastpath_block(limited.fastpath, blocks->slot, &a, ms,
			&err) != 0)
			fail_msg("%s", err.text);
	}
}

/* ---- what stands in the maps */

bool
limited_cfg_has(uint32_t flag)
{
	const uint32_t zero = 0;
	struct gg_cfg cfg;

	assert_int_equal(bpf_map_lookup_elem(
				 bpf_map__fd(limited.gateway->maps.gg_cfg),
					&zero,
				 &cfg), 0);
	return cfg.flags & flag;
}

void
limited_from(struct packet *p, uint32_t host)
{
	uint32_t be = htonl(host);

	memcpy(packet_data(p) + FROM4, &be, 4);
}

size_t
limited_entries(int fd)
{
	struct gg_rl4_key key;
	size_t count = 0;
	void *last = NULL;

	while (bpf_map_get_next_key(fd, last, &key) == 0) {
		last = &key;
		count++;
	}
	return count;
}

static int
print_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

bool
limited_may_load(void)
{
	struct gateway_bpf *probe;

	libbpf_set_print(print_nothing);
	probe = gateway_bpf__open_and_load();
	if (probe == NULL && (errno == EPERM || errno == ENOSYS)) {
		printf("skipped: the kernel does not let this user load BPF "
		       "programs: %s\n",
			strerror(errno));
		return false;
	}
	gateway_bpf__destroy(probe);
	return true;
}
