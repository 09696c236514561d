/*
 * The sizes of maps that settings ask for: made so, kept where they were made
 * before, and said where they are not.
 */
#include "base/str.h"
#include "fastpath_lab.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_sizes),
		LAB(test_sizes_of_an_adopted_program),
		LAB(test_sizes_that_the_kernel_refuses),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
