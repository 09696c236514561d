/* What calls have beside the request: targets by content, credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "net/shm.h"
#include "proxy/call_credentials.h"
#include "proxy/call_target.h"
#include "tests/unit/proxy/call_dialect.h"

static const struct upstream_kind plain_kind = { .key = "plain" };
static const struct upstream_kind *const kinds[] = { &plain_kind, &calls_kind,
	NULL };

static struct call_target *
get(struct call_targets *t, const char *kind, const char *settings)
{
	return call_targets_get(t, slice_of(kind), slice_of(settings));
}

static void
one_content_is_one_target(void **state)
{
	struct call_targets *t = call_targets_new(kinds);
	struct call_target *a = get(t, "calls", "1 2 0"), *b, *c;

	(void)state;
	assert_null(a->problem);
	assert_non_null(a->made);
	assert_int_equal(a->request_max, 1);
	assert_int_equal(a->answer_max, 2);
	b = get(t, "calls", "1 2 0");
	c = get(t, "calls", "1 2 1");
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	/* Kept while somebody has it. */
	call_target_unref(a);
	call_target_unref(c);
	call_targets_trim(t);
	a = get(t, "calls", "1 2 0");
	assert_ptr_equal(a, b);
	call_target_unref(a);
	call_target_unref(b);
	call_targets_trim(t);
	/* A generation may outlive us. */
	a = get(t, "calls", "1 2 0");
	call_targets_free(t);
	assert_int_equal(a->request_max, 1);
	call_target_unref(a);
	call_target_unref(NULL);
}

static void
bytes_are_content(void **state)
{
	static const char bytes[] = "1 2 0\0a", others[] = "1 2 0\0b";
	struct call_targets *t = call_targets_new(kinds);
	struct call_target *a, *b;

	(void)state;
	a = call_targets_get(t, slice_of("calls"),
		(struct slice){ bytes, sizeof(bytes) - 1 });
	b = call_targets_get(t, slice_of("calls"),
		(struct slice){ others, sizeof(others) - 1 });
	assert_ptr_not_equal(a, b);
	call_target_unref(a);
	call_target_unref(b);
	call_targets_free(t);
}

static void
what_cannot_be_made_says_why(void **state)
{
	static const struct {
		const char *kind, *settings, *problem;
	} all[] = {
		{ "calls", "x", "the settings are not three numbers" },
		{ "plain", "1 2 0", "upstreams of its kind are not called" },
		{ "none", "1 2 0", "upstreams of its kind are not called" },
	};
	struct call_targets *t = call_targets_new(kinds);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct call_target *a = get(t, all[i].kind, all[i].settings);

		assert_null(a->made);
		assert_string_equal(a->problem, all[i].problem);
		call_target_unref(a);
	}
	call_targets_free(t);
}

static int
memory(const char *bytes, size_t length)
{
	int fd = shm_new_shared("credentials", length, NULL);
	size_t mapped;
	void *to = shm_map_shared(fd, &mapped, NULL);

	assert_non_null(to);
	memcpy(to, bytes, length);
	shm_unmap(to, mapped);
	return fd;
}

static void
is_wiped(int fd)
{
	char bytes[64], zeros[64] = "";
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	assert_true(n > 0);
	assert_memory_equal(bytes, zeros, (size_t)n);
	close(fd);
}

static void
credentials_leave_zeros_behind(void **state)
{
	static const struct {
		const char *bytes, *problem;
		uint32_t length;
		bool kindless;
	} all[] = {
		{ "secret", NULL, 6, false },
		{ "secret and more", NULL, 6, false },
		{ "!secret", "they are no use", 7, false },
		{ "secret", "its kind takes none", 6, true },
		{ "secret", "7 of 6 bytes are no credentials", 7, false },
		{ "secret", "0 of 6 bytes are no credentials", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct error err = ERROR_INIT;
		int fd = memory(all[i].bytes, strlen(all[i].bytes));
		struct call_credentials *c = call_credentials_new(
			all[i].kindless ? NULL : &calls_dialect, fd,
			all[i].length, &err);

		is_wiped(fd);
		if (all[i].problem != NULL) {
			assert_null(c);
			assert_string_equal(err.text, all[i].problem);
			continue;
		}
		assert_string_equal(c->made, "secret");
		assert_ptr_equal(call_credentials_ref(c), c);
		call_credentials_unref(c);
		assert_string_equal(c->made, "secret");
		call_credentials_unref(c);
	}
	assert_null(call_credentials_ref(NULL));
	call_credentials_unref(NULL);
}

static void
memory_that_can_change_its_size_is_none(void **state)
{
	struct error err = ERROR_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_null(call_credentials_new(&calls_dialect, ends[0], 6, &err));
	assert_int_not_equal(err.code, ERROR_NONE);
	assert_null(call_credentials_new(&calls_dialect, -1, 6, NULL));
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_content_is_one_target),
		cmocka_unit_test(bytes_are_content),
		cmocka_unit_test(what_cannot_be_made_says_why),
		cmocka_unit_test(credentials_leave_zeros_behind),
		cmocka_unit_test(memory_that_can_change_its_size_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
