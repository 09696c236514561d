/* Tests userspace/control/kernel_limits.c: which rule a source's entry in the
 * kernel is about. */
#include "control/kernel_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"
#include "config/config.h"

static const struct upstream_kind *const kinds[] = { NULL };

#define RULES                                                                  \
	"rateLimits: [ { name: syns, counts: connections, rate: 5, unit: "     \
	"HOUR }, { name: net, counts: packets, rate: 9, unit: SECOND, "        \
	"prefixLengthV4: 24 }, { name: load, counts: packets, rate: 7, unit: " \
	"SECOND } ]"
#define HTTP "metadata: { name: gw }\nbindPort: 80\noptions: { " RULES " }\n"
#define TCP                                                                    \
	"metadata: { name: gw }\ntcpGateway: { tcpHosts: [ { name: h, "        \
	"destination: { single: { upstream: { name: u } } }, " RULES " } ] }\n"

static const struct {
	uint32_t group;
	enum limit_counts counts;
	const char *rule; /* NULL: none */
} rows[] = {
	{ 0, LIMIT_CONNECTIONS, "syns" },
	{ 0, LIMIT_PACKETS, "load" },
	{ 0, LIMIT_BYTES, NULL },
	{ 1, LIMIT_PACKETS, "net" },
	{ 1, LIMIT_CONNECTIONS, NULL },
	{ 2, LIMIT_PACKETS, NULL }, /* the kernel has an older one yet */
};

static void
check(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);
	struct model_object *m = config_read(d, kinds, &err);

	if (m == NULL)
		fail_msg("%s: %s", text, err.text);
	assert_true(kernel_limits_wanted(m->gateway));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit_rule rule;
		bool found = kernel_limits_rule(
			m->gateway, rows[i].group, rows[i].counts, &rule);

		assert_int_equal(found, rows[i].rule != NULL);
		if (found)
			assert_string_equal(rule.name, rows[i].rule);
	}
	model_object_unref(m);
	doc_free(d);
}

static void
test_rule(void **state)
{
	(void)state;
	check(HTTP);
	check(TCP);
}

/* What no bucket holds is refused, and the error says where it stands. */
static void
test_place(void **state)
{
	static const char text[] =
		"metadata: { name: gw }\ntcpGateway: { tcpHosts: [ { name: h, "
		"destination: { single: { upstream: { name: u } } }, "
		"rateLimits: [ { name: b, counts: bytes, rate: 4294967291, "
		"unit: SECOND, burst: 4294967291 } ] } ] }\n";
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);
	struct model_object *m = config_read(d, kinds, &err);

	(void)state;
	if (m == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(kernel_limits_check(m->gateway, &err), -1);
	assert_non_null(
		strstr(err.text, "tcpGateway.tcpHosts[0].rateLimits"));
	model_object_unref(m);
	doc_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
