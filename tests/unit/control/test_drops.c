/* Tests userspace/control/drops.c: which samples are kept, and who gets which
 * of them. */
#include "control/drops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define MORE 10

struct lab {
	struct control c;
	struct drops *drops;
};

static void
lab_init(struct lab *lab)
{
	memset(lab, 0, sizeof(*lab));
	lab->c.objects = objects_new();
	lab->drops = drops_new(&lab->c);
}

static void
lab_fini(struct lab *lab)
{
	drops_free(lab->drops);
	objects_free(lab->c.objects);
}

static void
add(struct lab *lab, uint16_t length)
{
	struct fastpath_event event = {
		.time_ns = clock_monotonic_us() * 1000,
		.ifindex = 1,
		.slot = 7, /* of a gateway that is gone */
		.reason = "drop_denied",
		.l4_proto = 6,
		.length = length,
	};

	assert_int_equal(addr_parse_ip("192.0.2.1", 4711, &event.from), 0);
	assert_int_equal(addr_parse_ip("2001:db8::1", 80, &event.to), 0);
	drops_add(lab->drops, &event);
}

/* How many, from which number on, how many were missed. */
static void
expect(const struct lab *lab, uint64_t after, size_t count, int64_t first,
	int64_t missed)
{
	struct doc *d = drops_print(lab->drops, after);
	const struct doc *items = doc_get(d, "items");

	assert_int_equal(doc_count(items), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			doc_integer(doc_get(doc_at(items, i), "number")),
			first + (int64_t)i);
	assert_int_equal(doc_integer(doc_get(d, "missed")), missed);
	doc_free(d);
}

static void
test_kept(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	expect(&lab, 0, 0, 0, 0);
	for (unsigned i = 0; i < DROPS_KEPT; i++)
		add(&lab, 60);
	expect(&lab, 0, DROPS_KEPT, 1, 0);
	expect(&lab, DROPS_KEPT - 1, 1, DROPS_KEPT, 0);
	expect(&lab, DROPS_KEPT, 0, 0, 0);
	for (unsigned i = 0; i < MORE; i++)
		add(&lab, 60);
	expect(&lab, 0, DROPS_KEPT, MORE + 1, MORE);
	expect(&lab, MORE, DROPS_KEPT, MORE + 1, 0);
	expect(&lab, MORE - 1, DROPS_KEPT, MORE + 1, 1);
	/* Of an earlier run, which came further. */
	expect(&lab, 1000000, DROPS_KEPT, MORE + 1, MORE);
	lab_fini(&lab);
}

static void
test_sample(void **state)
{
	static const struct {
		const char *key, *value;
	} rows[] = {
		{ "reason", "drop_denied" },
		{ "source", "192.0.2.1:4711" },
		{ "destination", "[2001:db8::1]:80" },
		{ "protocol", "TCP" },
		{ "interface", "lo" },
		{ "listener", "" },
	};
	struct lab lab;
	struct doc *d;

	(void)state;
	lab_init(&lab);
	add(&lab, 74);
	d = drops_print(lab.drops, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(doc_get_string(doc_at(doc_get(d, "items"), 0),
					    rows[i].key),
			rows[i].value);
	assert_int_equal(doc_integer(doc_get(doc_at(doc_get(d, "items"), 0),
				 "length")),
		74);
	assert_string_equal(
		doc_get_string(d, "problem"), "the kernel half is not opened");
	doc_free(d);
	lab_fini(&lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
