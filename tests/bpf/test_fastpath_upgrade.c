/*
 * An older version of the program is replaced: its maps are kept where they
 * fit, and no packet goes uncounted meanwhile.
 */
#include <sys/wait.h>

#include <xdp/libxdp.h>

#include "base/file.h"
#include "base/mem.h"
#include "fastpath/dispatcher.h"
#include "fastpath/library_log.h"
#include "fastpath_lab.h"

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

/* gg_cfg as another version would leave it, of the same size. */
static int
cfg_of_another_contract(void)
{
	const struct gg_cfg cfg = { .contract = GG_CONTRACT_VERSION + 1,
		.seed = 77 };
	const uint32_t zero = 0;
	int fd = map_make(BPF_MAP_TYPE_ARRAY, GG_MAP_CFG, 4, sizeof(cfg), 1);

	assert_int_equal(bpf_map_update_elem(fd, &zero, &cfg, 0), 0);
	return fd;
}

static void
assert_not_taken(int fd)
{
	const uint32_t zero = 0;
	struct gg_cfg now;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &now), 0);
	assert_int_equal(now.contract, GG_CONTRACT_VERSION + 1);
	assert_int_equal(now.hz, 0);
	close(fd);
}

static void
test_replaces_a_version_of_another_contract(void **state)
{
	int map = cfg_of_another_contract();
	uint32_t old = program_put(GG_PROGRAM, &map, 1);
	struct fastpath *f = open_v0();

	(void)state;
	assert_int_not_equal(assert_attached(f)->program_id, old);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, true);
	assert_not_taken(map);
}

static void
pin_cfg(int fd)
{
	struct error err = ERROR_INIT;
	char path[160];

	snprintf(path, sizeof(path), "%s/maps", netns.pin_path);
	assert_int_equal(file_make_folders(path, 0700, &err), 0);
	snprintf(path, sizeof(path), "%s/maps/gg_cfg", netns.pin_path);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
}

static void
test_pins_of_another_contract_are_replaced(void **state)
{
	int map = cfg_of_another_contract();
	struct fastpath *f;

	(void)state;
	pin_cfg(map);
	f = open_v0();
	assert_attached(f);
	listen_all(f);
	send_and_count(f, 0);
	fastpath_close(f, false);
	assert_not_taken(map);
	f = open_v0();
	assert_counter(f, "pass_listener", PACKETS);
	fastpath_close(f, true);
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
	struct fastpath *f;

	(void)state;
	pin_cfg(map);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_replaces_an_older_version_and_keeps_its_maps),
		LAB(test_an_upgrade_counts_every_packet),
		LAB(test_replaces_an_older_version_below_the_dispatcher),
		LAB(test_replaces_a_version_with_other_maps),
		LAB(test_replaces_a_version_of_another_contract),
		LAB(test_pins_of_another_shape_are_replaced),
		LAB(test_pins_of_another_contract_are_replaced),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
