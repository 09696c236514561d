/*
 * The kernel half as control uses it, on a veth pair in a network namespace of
 * its own: what is attached, packets through it and what they are counted as.
 */
#ifndef TESTS_BPF_FASTPATH_LAB_H
#define TESTS_BPF_FASTPATH_LAB_H

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>

#include "bpf/contract.h"
#include "fastpath/attached.h"
#include "fastpath/fastpath.h"
#include "tests/lib/command.h"
#include "tests/lib/load.h"
#include "tests/lib/netns.h"
#include "tests/lib/packet.h"

#define PACKETS 10000
#define SLOT 5
#define UDP_TO "eth ip4 to=10.9.0.1 udp to=9999 data=18"
#define WAIT_MS 5000

static struct netns netns;

/* ---- the lab */

static inline int
lab_open(void **state)
{
	(void)state;
	return command("ip link set lo up &&"
		       "ip link add v0 type veth peer name v1 &&"
		       "ip addr add 10.9.0.1/24 dev v0 &&"
		       "ip link set v0 up && ip link set v1 up");
}

static inline int
lab_close(void **state)
{
	(void)state;
	command("ip link del v0 2>/dev/null; ip link del w0 2>/dev/null;"
		"rm -rf %s",
		netns.pin_path);
	return 0;
}

#define LAB(test) cmocka_unit_test_setup_teardown(test, lab_open, lab_close)

static inline int
program_make(const char *name, const int *maps, size_t map_count)
{
	struct bpf_insn insns[16];
	size_t n = 0;

	for (size_t i = 0; i < map_count; i++) {
		insns[n++] = (struct bpf_insn){
			.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = BPF_REG_1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = maps[i],
		};
		insns[n++] = (struct bpf_insn){ 0 };
	}
	insns[n++] = (struct bpf_insn){
		.code = BPF_ALU64 | BPF_MOV | BPF_K,
		.imm = XDP_PASS,
	};
	insns[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", insns, n, NULL);
}

/* False: the tests are to be skipped, and it was said why. */
static inline bool
lab_may_run(void)
{
	return netns_open(&netns) == 0 &&
		netns_needs(&netns, program_make("probe", NULL, 0),
			"XDP program may be loaded") == 0;
}

/* ---- what is attached */

static inline void
ip_attach(const char *device)
{
	must("ip link set dev %s xdp obj %s sec xdp 2>/dev/null", device,
		netns.object_path);
}

/* Ours, also below libxdp's dispatcher; else what is there; 0: nothing. */
static inline uint32_t
program_on(const char *device)
{
	struct error err = ERROR_INIT;
	struct attached now;

	if (attached_query(if_nametoindex(device), &now, &err) != 0)
		fail_msg("%s: %s", device, err.text);
	return now.id;
}

static inline uint32_t
program_put(const char *name, const int *maps, size_t map_count)
{
	int fd = program_make(name, maps, map_count);

	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("v0"), fd,
				 XDP_FLAGS_DRV_MODE, NULL),
		0);
	close(fd);
	return program_on("v0");
}

static inline bool
pin_exists(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", netns.pin_path, name);
	return access(path, F_OK) == 0;
}

static inline struct fastpath *
open_with(const char *pins, enum fastpath_mode mode, const char *first,
	const char *second)
{
	const struct fastpath_interface_option interfaces[] = {
		{ first, mode },
		{ second, mode },
	};
	const struct fastpath_options options = {
		.pin_path = pins,
		.interfaces = interfaces,
		.interface_count = second == NULL ? 1 : 2,
	};

	return fastpath_open(&options);
}

static inline struct fastpath *
open_v0(void)
{
	return open_with(netns.pin_path, FASTPATH_AUTO, "v0", NULL);
}

static inline const struct fastpath_interface *
assert_attached(const struct fastpath *f)
{
	const struct fastpath_interface *shown = fastpath_interface_get(f, 0);

	if (!shown->attached)
		fail_msg("not attached: %s", shown->problem);
	assert_int_equal(fastpath_state(f), FASTPATH_ATTACHED);
	assert_string_equal(shown->problem, "");
	assert_int_equal(shown->program_id, program_on(shown->name));
	return shown;
}

static inline struct fastpath_listener
listener(const char *ip, uint16_t port, uint8_t l4_proto, uint32_t slot)
{
	struct fastpath_listener l = { .slot = slot, .l4_proto = l4_proto };

	assert_int_equal(addr_parse_ip(ip, port, &l.addr), 0);
	return l;
}

static inline void
listen_all(struct fastpath *f)
{
	struct fastpath_listener l = listener("::", 9999, IPPROTO_UDP, SLOT);
	struct error err = ERROR_INIT;

	if (fastpath_listeners_set(f, &l, 1, &err) != 0)
		fail_msg("%s", err.text);
}

/* ---- traffic and counters */

struct wanted {
	const char *reason;
	uint64_t packets, bytes;
};

static inline void
counter_take(const char *reason, uint64_t packets, uint64_t bytes, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(reason, w->reason) == 0) {
		w->packets = packets;
		w->bytes = bytes;
	}
}

static inline struct wanted
counter(const struct fastpath *f, uint32_t slot, const char *reason)
{
	struct wanted w = { .reason = reason };

	assert_int_equal(fastpath_counters(f, slot, counter_take, &w), 0);
	return w;
}

static inline int
packet_socket(const char *device)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(device),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* What goes into device comes out of its peer. */
static inline void
send_into(const char *device, const char *text, int count)
{
	struct packet p;
	int fd = packet_socket(device);

	packet_build(&p, text);
	for (int i = 0; i < count; i++) {
		while (send(fd, packet_data(&p), p.length, 0) < 0)
			assert_int_equal(errno, ENOBUFS);
	}
	close(fd);
}

static inline void
assert_counter(const struct fastpath *f, const char *reason, uint64_t packets)
{
	struct wanted w = { 0 };

	/* The receiving half runs in the softirq of the sender's CPU, or in
	 * ksoftirqd when there is much. */
	for (int i = 0; i < WAIT_MS; i++) {
		w = counter(f, SLOT, reason);
		if (w.packets >= packets)
			break;
		poll(NULL, 0, 1);
	}
	assert_int_equal(w.packets, packets);
	assert_int_equal(w.bytes, packets * 60);
}

static inline void
send_and_count(const struct fastpath *f, uint64_t before)
{
	send_into("v1", UDP_TO, PACKETS);
	assert_counter(f, "pass_listener", before + PACKETS);
}

#endif
