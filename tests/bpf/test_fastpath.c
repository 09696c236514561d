/*
 * The kernel half as control uses it: loading, adopting, attaching, pinning,
 * counting, on a veth pair in a network namespace of its own.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <xdp/libxdp.h>

#include "base/file.h"
#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/attached.h"
#include "fastpath/dispatcher.h"
#include "fastpath/fastpath.h"
#include "fastpath/library_log.h"
#include "model/counters.h"
#include "tests/lib/child.h"
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

static int
lab_open(void **state)
{
	(void)state;
	return command("ip link set lo up &&"
		       "ip link add v0 type veth peer name v1 &&"
		       "ip addr add 10.9.0.1/24 dev v0 &&"
		       "ip link set v0 up && ip link set v1 up");
}

static int
lab_close(void **state)
{
	(void)state;
	command("ip link del v0 2>/dev/null; ip link del w0 2>/dev/null;"
		"rm -rf %s",
		netns.pin_path);
	return 0;
}

static void
ip_attach(const char *device)
{
	must("ip link set dev %s xdp obj %s sec xdp 2>/dev/null", device,
		netns.object_path);
}

/* Ours, also below libxdp's dispatcher; else what is there; 0: nothing. */
static uint32_t
program_on(const char *device)
{
	struct error err = ERROR_INIT;
	struct attached now;

	if (attached_query(if_nametoindex(device), &now, &err) != 0)
		fail_msg("%s: %s", device, err.text);
	return now.id;
}

static bool
pin_exists(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", netns.pin_path, name);
	return access(path, F_OK) == 0;
}

static struct fastpath *
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

static struct fastpath *
open_v0(void)
{
	return open_with(netns.pin_path, FASTPATH_AUTO, "v0", NULL);
}

static const struct fastpath_interface *
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

static struct fastpath_listener
listener(const char *ip, uint16_t port, uint8_t l4_proto, uint32_t slot)
{
	struct fastpath_listener l = { .slot = slot, .l4_proto = l4_proto };

	assert_int_equal(addr_parse_ip(ip, port, &l.addr), 0);
	return l;
}

static void
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

static void
counter_take(const char *reason, uint64_t packets, uint64_t bytes, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(reason, w->reason) == 0) {
		w->packets = packets;
		w->bytes = bytes;
	}
}

static struct wanted
counter(const struct fastpath *f, uint32_t slot, const char *reason)
{
	struct wanted w = { .reason = reason };

	assert_int_equal(fastpath_counters(f, slot, counter_take, &w), 0);
	return w;
}

static int
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
static void
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

static void
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

static void
send_and_count(const struct fastpath *f, uint64_t before)
{
	send_into("v1", UDP_TO, PACKETS);
	assert_counter(f, "pass_listener", before + PACKETS);
}

/* ---- gg_vip as it stands */

static int
vip_slot(const char *ip, uint16_t port, uint8_t l4_proto)
{
	struct gg_vip_key key = { .l4_proto = l4_proto };
	struct gg_vip value;
	struct addr a;
	char path[160];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/maps/gg_vip", netns.pin_path);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(addr_parse_ip(ip, port, &a), 0);
	memcpy(key.ip, a.ip, 16);
	key.port_be = a.port_be;
	rc = bpf_map_lookup_elem(fd, &key, &value);
	close(fd);
	return rc == 0 ? (int)value.slot : 0;
}

/* ---- tests */

static void
test_attach_count_keep_detach(void **state)
{
	struct fastpath *f = open_v0();
	const struct fastpath_interface *shown = assert_attached(f);
	uint32_t id = shown->program_id;

	(void)state;
	assert_int_equal(shown->mode, FASTPATH_NATIVE);
	assert_false(shown->adopted);
	assert_true(pin_exists("maps/gg_vip"));
	assert_true(pin_exists("maps/gg_cfg"));
	assert_true(pin_exists("maps/gg_reason"));
	assert_true(fastpath_map_bytes(f) > 100000);
	assert_true(fastpath_map_bytes(f) <= 64 << 20);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);
	assert_int_equal(program_on("v0"), id);

	/* While nobody is there the kernel goes on counting. */
	send_into("v1", UDP_TO, PACKETS);
	f = open_v0();
	shown = assert_attached(f);
	assert_int_equal(shown->program_id, id);
	assert_int_equal(shown->mode, FASTPATH_NATIVE);
	assert_false(shown->adopted);
	assert_counter(f, "pass_listener", 2 * PACKETS);
	assert_false(fastpath_repair(f));

	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), 0);
	assert_false(pin_exists("maps"));
	assert_false(pin_exists("progs"));
}

static void
test_adopts_what_ip_link_attached(void **state)
{
	const struct fastpath_interface *shown;
	struct fastpath *f;
	uint32_t id;

	(void)state;
	ip_attach("v0");
	id = program_on("v0");
	f = open_v0();
	shown = assert_attached(f);
	assert_int_equal(shown->program_id, id);
	assert_true(shown->adopted);
	assert_int_equal(shown->mode, FASTPATH_NATIVE);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);

	f = open_v0();
	shown = assert_attached(f);
	assert_true(shown->adopted);
	assert_int_equal(shown->program_id, id);
	assert_counter(f, "pass_listener", PACKETS);
	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), 0);
}

static void
test_killed_owner_loses_nothing(void **state)
{
	struct fastpath *f;
	int ready[2], status;
	uint32_t id;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		f = open_v0();
		listen_all(f);
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	id = program_on("v0");
	assert_int_not_equal(id, 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	close(ready[1]);

	assert_int_equal(program_on("v0"), id);
	send_into("v1", UDP_TO, PACKETS);
	f = open_v0();
	assert_int_equal(assert_attached(f)->program_id, id);
	assert_counter(f, "pass_listener", PACKETS);
	fastpath_close(f, true);
}

static void
test_repairs_a_detached_program(void **state)
{
	struct fastpath *f = open_v0();

	(void)state;
	listen_all(f);
	send_and_count(f, 0);
	must("ip link set dev v0 xdp off");
	assert_true(fastpath_repair(f));
	assert_attached(f);
	send_and_count(f, PACKETS);
	assert_false(fastpath_repair(f));
	fastpath_close(f, true);
}

static void
test_follows_an_interface_made_anew(void **state)
{
	struct fastpath *f = open_v0();

	(void)state;
	assert_attached(f);
	must("ip link del v0");
	assert_true(fastpath_repair(f));
	assert_int_equal(fastpath_state(f), FASTPATH_FAILED);
	assert_string_equal(fastpath_interface_get(f, 0)->problem,
		"there is no interface v0");
	assert_false(fastpath_repair(f));
	assert_int_equal(lab_open(NULL), 0);
	assert_true(fastpath_repair(f));
	assert_attached(f);
	fastpath_close(f, true);
}

static int
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

static uint32_t
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

static void
test_leaves_a_stranger_alone(void **state)
{
	uint32_t stranger = program_put("stranger", NULL, 0);
	struct fastpath *f = open_v0();
	const struct fastpath_interface *shown = fastpath_interface_get(f, 0);

	(void)state;
	assert_int_equal(fastpath_state(f), FASTPATH_FAILED);
	assert_non_null(strstr(shown->problem, "stranger"));
	listen_all(f);
	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), stranger);

	f = open_v0();
	must("ip link set dev v0 xdp off");
	assert_true(fastpath_repair(f));
	assert_attached(f);
	program_put("stranger", NULL, 0);
	assert_true(fastpath_repair(f));
	assert_int_equal(fastpath_state(f), FASTPATH_FAILED);
	fastpath_close(f, true);
}

static int
map_make(enum bpf_map_type type, const char *name, uint32_t key,
	uint32_t value, uint32_t entries)
{
	int fd = bpf_map_create(type, name, key, value, entries, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void
test_replaces_an_older_version_and_keeps_its_maps(void **state)
{
	const struct gg_cfg cfg = { .seed = 77 };
	const uint32_t zero = 0;
	struct gg_cfg now;
	struct fastpath *f;
	uint32_t old;
	int maps[3];

	(void)state;
	maps[0] = map_make(BPF_MAP_TYPE_ARRAY, GG_MAP_CFG, 4, sizeof(cfg), 1);
	maps[1] = map_make(BPF_MAP_TYPE_HASH, GG_MAP_VIP,
		sizeof(struct gg_vip_key), sizeof(struct gg_vip), GG_VIPS_MAX);
	maps[2] = map_make(BPF_MAP_TYPE_PERCPU_ARRAY, GG_MAP_REASON, 4,
		sizeof(struct gg_counters), GG_SLOTS_MAX);
	assert_int_equal(bpf_map_update_elem(maps[0], &zero, &cfg, 0), 0);
	old = program_put(GG_PROGRAM, maps, 3);
	f = open_v0();
	assert_int_not_equal(assert_attached(f)->program_id, old);
	assert_false(fastpath_interface_get(f, 0)->adopted);
	assert_int_equal(bpf_map_lookup_elem(maps[0], &zero, &now), 0);
	assert_int_equal(now.seed, 77);
	assert_int_equal(now.contract, GG_CONTRACT_VERSION);
	assert_true(now.hz >= 100 && now.hz <= 1000);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, true);
	for (int i = 0; i < 3; i++)
		close(maps[i]);
}

/* Our object, but for one constant. */
static struct bpf_object *
older_object_open(void)
{
	struct bpf_object *object =
		bpf_object__open_file(netns.object_path, NULL);
	struct bpf_program *program =
		bpf_object__find_program_by_name(object, GG_PROGRAM);
	size_t count = bpf_program__insn_cnt(program), i;
	struct bpf_insn *insns =
		xmemdup(bpf_program__insns(program), count * sizeof(*insns));

	for (i = 0; i < count; i++) {
		if (insns[i].code == (BPF_ALU | BPF_MOV | BPF_K) &&
			insns[i].imm == GG_REASON_pass_malformed_eth)
			break;
	}
	assert_true(i < count);
	insns[i].imm = GG_REASON_pass_not_ip;
	assert_int_equal(bpf_program__set_insns(program, insns, count), 0);
	free(insns);
	return object;
}

/* Replaced while packets come: each is counted by the one or the other. */
static void
test_an_upgrade_counts_every_packet(void **state)
{
	struct bpf_object *object = older_object_open();
	struct bpf_map *map;
	struct fastpath *f = open_v0();
	uint32_t program;
	int status;
	pid_t pid;

	(void)state;
	listen_all(f);
	bpf_object__for_each_map(map, object)
	{
		char path[160];
		int fd;

		snprintf(path, sizeof(path), "%s/maps/%s", netns.pin_path,
			bpf_map__name(map));
		fd = bpf_obj_get(path);
		if (fd < 0) /* room to work in, of the program alone */
			continue;
		assert_int_equal(bpf_map__reuse_fd(map, fd), 0);
		close(fd);
	}
	assert_int_equal(bpf_object__load(object), 0);
	fastpath_close(f, false);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		send_into("v1", UDP_TO, 20 * PACKETS);
		_exit(0);
	}
	for (int i = 0; i < 20; i++) {
		assert_int_equal(bpf_xdp_attach((int)if_nametoindex("v0"),
					 bpf_program__fd(
						 bpf_object__find_program_by_name(
							 object, GG_PROGRAM)),
					 XDP_FLAGS_DRV_MODE, NULL),
			0);
		program = program_on("v0");
		f = open_v0();
		assert_int_not_equal(assert_attached(f)->program_id, program);
		fastpath_close(f, false);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	bpf_object__close(object);
	f = open_v0();
	assert_counter(f, "pass_listener", 20 * PACKETS);
	fastpath_close(f, true);
}

static void
test_replaces_an_older_version_below_the_dispatcher(void **state)
{
	struct bpf_object *object;
	struct xdp_program *older;
	struct fastpath *f;
	uint32_t old;

	(void)state;
	if (!dispatcher_is_possible()) {
		print_message("skipped: the kernel refuses what libxdp's "
			      "dispatcher needs (BPF_PROG_TYPE_EXT)\n");
		skip();
	}
	library_log_open();
	object = older_object_open();
	older = xdp_program__from_bpf_obj(object, GG_SECTION);
	assert_int_equal(xdp_program__attach(older,
				 (int)if_nametoindex("v0"), XDP_MODE_NATIVE, 0),
		0);
	old = program_on("v0");
	xdp_program__close(older);
	bpf_object__close(object);
	f = open_v0();
	assert_int_not_equal(assert_attached(f)->program_id, old);
	assert_true(fastpath_interface_get(f, 0)->dispatcher);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), 0);
}

static void
test_replaces_a_version_with_other_maps(void **state)
{
	int map = map_make(BPF_MAP_TYPE_ARRAY, GG_MAP_CFG, 4, 8, 1);
	uint32_t old = program_put(GG_PROGRAM, &map, 1);
	struct fastpath *f = open_v0();

	(void)state;
	assert_int_not_equal(assert_attached(f)->program_id, old);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, true);
	close(map);
}

static void
test_pins_of_another_shape_are_replaced(void **state)
{
	int map = map_make(BPF_MAP_TYPE_ARRAY, GG_MAP_CFG, 4, 8, 1);
	struct error err = ERROR_INIT;
	struct fastpath *f;
	char path[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/maps", netns.pin_path);
	assert_int_equal(file_make_folders(path, 0700, &err), 0);
	snprintf(path, sizeof(path), "%s/maps/gg_cfg", netns.pin_path);
	assert_int_equal(bpf_obj_pin(map, path), 0);
	close(map);
	f = open_v0();
	assert_attached(f);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);
	f = open_v0();
	assert_counter(f, "pass_listener", PACKETS);
	fastpath_close(f, true);
}

static void
test_modes(void **state)
{
	struct fastpath *f =
		open_with(netns.pin_path, FASTPATH_GENERIC, "v0", NULL);

	(void)state;
	assert_int_equal(assert_attached(f)->mode, FASTPATH_GENERIC);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);
	/* auto leaves what is there; native was asked for by name */
	f = open_v0();
	assert_int_equal(assert_attached(f)->mode, FASTPATH_GENERIC);
	fastpath_close(f, false);
	f = open_with(netns.pin_path, FASTPATH_NATIVE, "v0", NULL);
	assert_int_equal(assert_attached(f)->mode, FASTPATH_NATIVE);
	assert_counter(f, "pass_listener", PACKETS);
	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), 0);
}

static void
test_native_refused(void **state)
{
	struct fastpath *f;

	(void)state;
	/* The loopback device has no native mode. */
	f = open_with(netns.pin_path, FASTPATH_NATIVE, "lo", NULL);
	assert_int_equal(fastpath_state(f), FASTPATH_FAILED);
	assert_non_null(
		strstr(fastpath_interface_get(f, 0)->problem, "native mode"));
	fastpath_close(f, true);
	f = open_with(netns.pin_path, FASTPATH_AUTO, "lo", NULL);
	assert_int_equal(assert_attached(f)->mode, FASTPATH_GENERIC);
	fastpath_close(f, true);
	assert_int_equal(program_on("lo"), 0);
}

static void
test_without_bpffs(void **state)
{
	struct fastpath *f;
	char elsewhere[96];
	uint32_t id;

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/no-bpffs", netns.folder);
	f = open_with(elsewhere, FASTPATH_AUTO, "v0", NULL);
	id = assert_attached(f)->program_id;
	assert_false(fastpath_interface_get(f, 0)->adopted);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);
	assert_int_not_equal(access(elsewhere, F_OK), 0);
	f = open_with(elsewhere, FASTPATH_AUTO, "v0", NULL);
	assert_int_equal(assert_attached(f)->program_id, id);
	assert_counter(f, "pass_listener", PACKETS);
	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), 0);
}

static void
test_two_interfaces(void **state)
{
	struct fastpath *f =
		open_with(netns.pin_path, FASTPATH_AUTO, "v0", "w0");

	(void)state;
	assert_int_equal(fastpath_state(f), FASTPATH_PARTIAL);
	must("ip link add w0 type veth peer name w1 &&"
	     "ip link set w0 up && ip link set w1 up");
	assert_true(fastpath_repair(f));
	assert_int_equal(fastpath_state(f), FASTPATH_ATTACHED);
	listen_all(f);
	send_and_count(f, 0);
	send_into("w1", UDP_TO, PACKETS);
	assert_counter(f, "pass_listener", 2 * PACKETS);
	fastpath_close(f, true);
	assert_int_equal(program_on("w0"), 0);

	/* Loaded apart, each has maps of its own; seen as one. */
	ip_attach("v0");
	ip_attach("w0");
	f = open_with(netns.pin_path, FASTPATH_AUTO, "v0", "w0");
	assert_int_equal(fastpath_state(f), FASTPATH_ATTACHED);
	assert_true(fastpath_interface_get(f, 0)->adopted);
	assert_true(fastpath_interface_get(f, 1)->adopted);
	listen_all(f);
	send_and_count(f, 0);
	send_into("w1", UDP_TO, PACKETS);
	assert_counter(f, "pass_listener", 2 * PACKETS);
	fastpath_close(f, true);
	assert_int_equal(program_on("v0"), 0);
	assert_int_equal(program_on("w0"), 0);
}

static void
test_listeners_by_difference(void **state)
{
	struct fastpath *f = open_v0();
	struct error err = ERROR_INIT;
	struct fastpath_listener set[3];

	(void)state;
	set[0] = listener("0.0.0.0", 80, IPPROTO_TCP, 1);
	set[1] = listener("10.9.0.1", 80, IPPROTO_TCP, 2);
	set[2] = listener("::", 80, IPPROTO_TCP, 3);
	assert_int_equal(fastpath_listeners_set(f, set, 3, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 2);
	assert_int_equal(vip_slot("127.0.0.1", 80, IPPROTO_TCP), 1);
	assert_int_equal(vip_slot("::1", 80, IPPROTO_TCP), 3);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_UDP), 0);

	set[1].slot = 7;
	assert_int_equal(fastpath_listeners_set(f, set + 1, 1, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 7);
	assert_int_equal(vip_slot("127.0.0.1", 80, IPPROTO_TCP), 0);
	assert_int_equal(vip_slot("::1", 80, IPPROTO_TCP), 0);

	set[1].slot = GG_SLOTS_MAX;
	assert_int_equal(fastpath_listeners_set(f, set + 1, 1, &err), -1);
	assert_non_null(strstr(err.text, "out of 1..255"));
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 7);
	assert_int_equal(fastpath_listeners_set(f, NULL, 0, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 80, IPPROTO_TCP), 0);
	fastpath_close(f, true);
}

static void
test_more_listeners_than_the_map_holds(void **state)
{
	static struct fastpath_listener set[GG_VIPS_MAX + 1];
	struct fastpath *f = open_v0();
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < GG_VIPS_MAX + 1; i++)
		set[i] = listener("10.9.0.1", (uint16_t)(i + 1), IPPROTO_TCP,
			1);
	assert_int_equal(
		fastpath_listeners_set(f, set, GG_VIPS_MAX + 1, &err), -1);
	assert_int_equal(fastpath_listeners_set(f, set, GG_VIPS_MAX, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", GG_VIPS_MAX, IPPROTO_TCP), 1);
	/* Full, and every entry another one. */
	for (size_t i = 0; i < GG_VIPS_MAX; i++)
		set[i].l4_proto = IPPROTO_UDP;
	assert_int_equal(fastpath_listeners_set(f, set, GG_VIPS_MAX, &err), 0);
	assert_int_equal(vip_slot("10.9.0.1", 1, IPPROTO_TCP), 0);
	assert_int_equal(vip_slot("10.9.0.1", 1, IPPROTO_UDP), 1);
	fastpath_close(f, true);
}

/* Other news may come first. */
static void
wait_for_vip(struct fastpath *f, const char *address, int slot)
{
	struct pollfd watch = { .fd = fastpath_watch_fd(f), .events = POLLIN };

	while (vip_slot(address, 9999, IPPROTO_UDP) != slot) {
		assert_int_equal(poll(&watch, 1, WAIT_MS), 1);
		fastpath_network_changed(f);
	}
}

static void
test_follows_addresses(void **state)
{
	struct fastpath *f = open_v0();

	(void)state;
	listen_all(f);
	assert_int_equal(vip_slot("10.9.0.2", 9999, IPPROTO_UDP), 0);
	must("ip addr add 10.9.0.2/24 dev v0");
	wait_for_vip(f, "10.9.0.2", SLOT);
	must("ip addr add 2001:db8::5/64 dev v0 nodad");
	wait_for_vip(f, "2001:db8::5", SLOT);
	must("ip addr del 10.9.0.2/24 dev v0");
	wait_for_vip(f, "10.9.0.2", 0);
	assert_int_equal(vip_slot("10.9.0.1", 9999, IPPROTO_UDP), SLOT);
	fastpath_close(f, true);
}

/* In a child without privileges: a sentence, and the process goes on. */
static int
unprivileged(const void *arg)
{
	struct error err = ERROR_INIT;
	struct fastpath_listener l = listener("::", 80, IPPROTO_TCP, 1);
	struct fastpath *f;
	bool fine;

	(void)arg;
	if (child_drop_privileges() != 0)
		return 2;
	f = open_v0();
	fine = fastpath_state(f) == FASTPATH_FAILED &&
		strstr(fastpath_interface_get(f, 0)->problem, "CAP_BPF") !=
			NULL &&
		fastpath_listeners_set(f, &l, 1, &err) == 0 &&
		!fastpath_repair(f);
	fastpath_close(f, true);
	return fine ? 0 : 1;
}

static void
test_without_privileges(void **state)
{
	(void)state;
	child_run(unprivileged, NULL);
	assert_int_equal(program_on("v0"), 0);
}

static bool
sys_admin_is_effective(void)
{
	char line[128];
	unsigned long long mask = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "CapEff: %llx", &mask) == 1)
			break;
	}
	if (file != NULL)
		fclose(file);
	return mask >> CAP_SYS_ADMIN & 1;
}

/* CAP_SYS_ADMIN permitted but lowered: raised for the calls that need it. */
static int
frugal(const void *arg)
{
	struct fastpath *f;
	bool fine;

	(void)arg;
	if (child_lower_sys_admin() != 0 || sys_admin_is_effective())
		return 2;
	f = open_v0();
	fine = fastpath_interface_get(f, 0)->adopted &&
		!sys_admin_is_effective() && !fastpath_repair(f) &&
		!sys_admin_is_effective();
	fastpath_close(f, true);
	return fine && !sys_admin_is_effective() ? 0 : 1;
}

static void
test_raises_sys_admin_only_where_it_must(void **state)
{
	(void)state;
	ip_attach("v0");
	child_run(frugal, NULL);
	assert_int_equal(program_on("v0"), 0);
}

static void
test_off(void **state)
{
	const struct fastpath_options options = { .pin_path = netns.pin_path };
	struct fastpath *f = fastpath_open(&options);

	(void)state;
	assert_int_equal(fastpath_state(f), FASTPATH_OFF);
	assert_int_equal(fastpath_watch_fd(f), -1);
	assert_int_equal(fastpath_map_bytes(f), 0);
	listen_all(f);
	assert_false(fastpath_repair(f));
	fastpath_close(f, true);
}

static void
test_object_from_a_file(void **state)
{
	const struct fastpath_interface_option interface = { "v0",
		FASTPATH_AUTO };
	struct fastpath_options options = {
		.pin_path = netns.pin_path,
		.object = netns.object_path,
		.interfaces = &interface,
		.interface_count = 1,
	};
	struct fastpath *f = fastpath_open(&options);

	(void)state;
	assert_attached(f);
	fastpath_close(f, true);
	options.object = "/nowhere/gateway.bpf.o";
	f = fastpath_open(&options);
	assert_int_equal(fastpath_state(f), FASTPATH_FAILED);
	assert_non_null(strstr(fastpath_interface_get(f, 0)->problem,
		"/nowhere/gateway.bpf.o"));
	fastpath_close(f, true);
}

static uint32_t
pinned_entries(const char *name)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/maps/%s", netns.pin_path, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	close(fd);
	return info.max_entries;
}

static struct fastpath *
open_sized(const struct fastpath_sizes *sizes)
{
	const struct fastpath_interface_option interface = { "v0",
		FASTPATH_AUTO };
	const struct fastpath_options options = {
		.pin_path = netns.pin_path,
		.sizes = *sizes,
		.interfaces = &interface,
		.interface_count = 1,
	};

	return fastpath_open(&options);
}

static char *
sizes_text(const struct fastpath *f)
{
	struct str text;

	str_init(&text);
	fastpath_sizes_explain(f, &text);
	return str_steal(&text);
}

static void
test_sizes(void **state)
{
	struct fastpath_sizes sizes = { 2048, 4096, 1024, 8192 };
	struct fastpath *f = open_sized(&sizes);
	uint64_t small = fastpath_map_bytes(f);
	char *text;

	(void)state;
	assert_attached(f);
	assert_int_equal(pinned_entries("gg_rl4"), 2048);
	assert_int_equal(pinned_entries("gg_rl6"), 2048);
	assert_int_equal(pinned_entries("gg_ct4"), 4096);
	assert_int_equal(pinned_entries("gg_ct6"), 4096);
	assert_int_equal(pinned_entries("gg_nat4"), 1024);
	assert_int_equal(pinned_entries("gg_nat6"), 1024);
	assert_int_equal(pinned_entries("gg_fragment"), 8192);
	text = sizes_text(f);
	assert_string_equal(text, "");
	free(text);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);

	/* What is there is kept, with what it counted, and said to be. */
	sizes.sources = 65536;
	f = open_sized(&sizes);
	assert_counter(f, "pass_listener", PACKETS);
	assert_int_equal(pinned_entries("gg_rl4"), 2048);
	text = sizes_text(f);
	assert_non_null(strstr(text,
		"gg_rl4 has 2048 entries (xdp.maps.sources: 65536), gg_rl6"));
	assert_null(strstr(text, "gg_nat4"));
	free(text);
	fastpath_close(f, true);

	f = open_sized(&sizes);
	assert_int_equal(pinned_entries("gg_rl4"), 65536);
	assert_true(fastpath_map_bytes(f) > small + (2 << 20));
	fastpath_close(f, true);
}

/* More than the kernel makes: it says which map, and the program runs all the
 * same. */
static void
test_sizes_that_the_kernel_refuses(void **state)
{
	const struct fastpath_sizes sizes = { .nat = UINT32_MAX };
	struct fastpath *f = open_sized(&sizes);
	char *text = sizes_text(f);

	(void)state;
	assert_attached(f);
	assert_in_range(pinned_entries("gg_nat4"), 1, 1 << 20);
	assert_non_null(strstr(text, "xdp.maps.nat: 4294967295"));
	free(text);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, true);
}

/* `ip link` cannot set sizes: as built, whatever the settings say. */
static void
test_sizes_of_an_adopted_program(void **state)
{
	const struct fastpath_sizes sizes = { .nat = 1024 };
	struct fastpath *f;
	char *text;

	(void)state;
	ip_attach("v0");
	f = open_sized(&sizes);
	assert_true(assert_attached(f)->adopted);
	/* A map that the program does not use went with `ip`. */
	text = sizes_text(f);
	if (pinned_entries("gg_nat4") == 1024)
		assert_null(strstr(text, "gg_nat4"));
	else
		assert_non_null(strstr(text,
			"gg_nat4 has 65536 entries (xdp.maps.nat: 1024)"));
	free(text);
	fastpath_close(f, true);
}

static void
assert_says(const char *verb, int rc, const char *text)
{
	const struct fastpath_options options = { .pin_path = netns.pin_path };
	struct error err = ERROR_INIT;
	struct str out;

	str_init(&out);
	assert_int_equal(fastpath_command(verb, "v0", &options, &out, &err),
		rc);
	if (strstr(rc == 0 ? out.data : err.text, text) == NULL)
		fail_msg("xdp %s: \"%s\" \"%s\"", verb, out.data, err.text);
	str_fini(&out);
}

static void
test_commands(void **state)
{
	(void)state;
	assert_says("status", 0, "v0: no XDP program is attached\n");
	assert_says("detach", 0, "v0: no XDP program is attached\n");
	assert_says("attach", 0, "v0: attached, native mode");
	assert_says("attach", 0, "v0: attached, native mode");
	assert_says("status", 0, "pinned in ");
	assert_says("status", 0, "  map gg_reason, id ");
	assert_says("detach", 0, "v0: detached\n");
	assert_int_equal(program_on("v0"), 0);
	assert_false(pin_exists("maps"));
	program_put("stranger", NULL, 0);
	assert_says("status", 0, "another XDP program is attached, native "
				 "mode: stranger");
	assert_says("detach", -1, "is not ours");
	assert_says("attach", -1, "stranger");
	assert_says("polish", -1, "no xdp command");
}

/* ---- start */

#define LAB(test) cmocka_unit_test_setup_teardown(test, lab_open, lab_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_attach_count_keep_detach),
		LAB(test_adopts_what_ip_link_attached),
		LAB(test_killed_owner_loses_nothing),
		LAB(test_repairs_a_detached_program),
		LAB(test_follows_an_interface_made_anew),
		LAB(test_leaves_a_stranger_alone),
		LAB(test_replaces_an_older_version_and_keeps_its_maps),
		LAB(test_an_upgrade_counts_every_packet),
		LAB(test_replaces_an_older_version_below_the_dispatcher),
		LAB(test_replaces_a_version_with_other_maps),
		LAB(test_pins_of_another_shape_are_replaced),
		LAB(test_modes),
		LAB(test_native_refused),
		LAB(test_without_bpffs),
		LAB(test_two_interfaces),
		LAB(test_listeners_by_difference),
		LAB(test_more_listeners_than_the_map_holds),
		LAB(test_follows_addresses),
		LAB(test_without_privileges),
		LAB(test_raises_sys_admin_only_where_it_must),
		LAB(test_off),
		LAB(test_object_from_a_file),
		LAB(test_sizes),
		LAB(test_sizes_of_an_adopted_program),
		LAB(test_sizes_that_the_kernel_refuses),
		LAB(test_commands),
	};
	int rc;

	if (netns_open(&netns) != 0 ||
		netns_needs(&netns, program_make("probe", NULL, 0),
			"XDP program may be loaded") != 0)
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
