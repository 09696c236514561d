/*
 * Attaching, adopting, repairing and detaching: the program stays on its
 * interfaces whoever attached it and whatever becomes of control, and others'
 * programs are left alone.
 */
#include <signal.h>
#include <sys/wait.h>

#include "fastpath_lab.h"

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
		LAB(test_modes),
		LAB(test_native_refused),
		LAB(test_without_bpffs),
		LAB(test_two_interfaces),
		LAB(test_off),
		LAB(test_object_from_a_file),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
