/*
 * What TLS to upstreams is made with, as control sends it: taken, wiped,
 * forgotten, and refused when it is none.
 */
#include "secure_world.h"

#include "net/channel.h"

/* What brought a key is empty when the proxy has it. */
static void
materials_are_wiped(void **state)
{
	size_t length;
	char *memory = material_send(500, NULL, &client, &length);

	(void)state;
	image_next();
	for (size_t i = 0; i < length; i++)
		assert_int_equal(memory[i], 0);
	shm_unmap(memory, length);
}

static void
what_is_forgotten_can_come_again(void **state)
{
	struct wire_message m = rig_message(WIRE_MATERIAL_FORGET);

	(void)state;
	ask(UP_GOOD, 200);
	m.number = ROOTS;
	rig_send(&rig, &m, NULL, 0);
	/* Contexts that there are have what they need. */
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].version_min = TLS1_2_VERSION;
	image_next();
	ask(UP_GOOD, 503);
	log_await("did not come");
	material_give(ROOTS, &authority, NULL);
	image_next();
	ask(UP_GOOD, 200);
}

/* Control ended without a word, and another came: it does not know what that
 * sent, so that nobody would say that it is to be forgotten. */
static void
what_another_control_left_goes(void **state)
{
	struct error err = ERROR_INIT;
	struct wire_message m;

	(void)state;
	material_give(700, &authority, NULL);
	image_next();
	close(rig.channel);
	rig.channel = channel_connect(rig.takeover_path, &err);
	assert_true(rig.channel >= 0);
	assert_true(rig_receive(&rig, WIRE_HELLO_END, &m, NULL));
	material_give(701, &authority, NULL);
	image_next();
	/* What the image names is there, what this control sent as well. */
	tls[UP_GOOD].version_min = TLS1_2_VERSION;
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].roots = 701;
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].roots = 700;
	image_next();
	ask(UP_GOOD, 503);
	log_await("did not come");
	material_give(700, &authority, NULL);
	image_next();
	ask(UP_GOOD, 200);
}

static void
bad_materials_do_no_harm(void **state)
{
	static const struct wire_material heads[] = {
		{ UINT32_MAX, UINT32_MAX, UINT32_MAX, 0 },
		{ 1, 0, 0, 0 },
		{ 0, 0, 33, 0 },
		{ 31, 0, 0, 0 },
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads) + 2; i++) {
		struct wire_message m = rig_message(WIRE_MATERIAL);
		size_t length =
			i < ARRAY_SIZE(heads) ? sizeof(heads[0]) + 32 : 3;
		int fd = shm_new_shared("bad", length, &err);
		char *memory = shm_map_shared(fd, &length, &err);

		if (i < ARRAY_SIZE(heads))
			memcpy(memory, &heads[i], sizeof(heads[i]));
		m.material.number = 600 + i;
		rig_send(&rig, &m, &fd, i < ARRAY_SIZE(heads) + 1 ? 1 : 0);
		shm_unmap(memory, length);
		close(fd);
	}
	image_next();
	ask(UP_GOOD, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(materials_are_wiped),
		TEST(what_is_forgotten_can_come_again),
		TEST(what_another_control_left_goes),
		TEST(bad_materials_do_no_harm),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
