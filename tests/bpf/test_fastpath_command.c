/* What `gloo-gateway xdp attach|detach|status` does and says. */
#include "base/str.h"
#include "fastpath_lab.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(test_commands),
	};
	int rc;

	if (!lab_may_run())
		return EXIT_SKIPPED;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	netns_close(&netns);
	return rc;
}
