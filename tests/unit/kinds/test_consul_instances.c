/* Tests userspace/kinds/consul/instances.c: answers as Consul gives them, and
 * as it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/consul/instances.h"
#include "kinds/consul/spec.h"

/* A row that is in order, but for what is said. */
#define NODE    "\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Datacenter\":\"dc1\""
#define SERVICE "\"ID\":\"web-1\",\"Address\":\"\",\"Port\":8080"
#define ROW(node, service, checks)                                             \
	"{\"Node\":{" node "},\"Service\":{" service "},\"Checks\":" checks "}"
#define CHECK(id, status)   "{\"CheckID\":\"" id "\",\"Status\":\"" status "\"}"
#define OF_SERVICE(service) ROW(NODE, SERVICE "," service, "[]")
#define OF_CHECKS(checks)   ROW(NODE, SERVICE, "[" checks "]")

/* "dc/node/id address:port weight out proxy [tags]" of each; then what was
 * passed over. */
static char *
told(const char *json, const char *local)
{
	struct consul_instances all;
	struct error err = ERROR_INIT;
	struct str text;

	str_init(&text);
	if (consul_instances_read(slice_of(json), local, &all, &err) != 0) {
		assert_int_not_equal(err.code, ERROR_NONE);
		assert_int_equal(all.count, 0);
		assert_null(all.items);
		str_printf(&text, "error: %s", err.text);
		return str_steal(&text);
	}
	assert_int_equal(err.code, ERROR_NONE);
	for (size_t i = 0; i < all.count; i++) {
		const struct consul_instance *c = &all.items[i];

		str_printf(&text, "%s%s/%s/%s %s:%u %u%s%s", i == 0 ? "" : "; ",
			c->datacenter, c->node, c->id, c->address, c->port,
			c->weight, c->out ? " out" : "",
			c->connect_proxy ? " proxy" : "");
		for (size_t k = 0; k < c->tag_count; k++)
			str_printf(&text, " +%s", c->tags[k]);
	}
	assert_int_equal(all.passed_over > 0, all.problem != NULL);
	if (all.passed_over > 0)
		str_printf(&text, " | %zu: %s", all.passed_over, all.problem);
	consul_instances_fini(&all);
	return str_steal(&text);
}

struct case_ {
	const char *what, *json, *want;
};

static void
check_as(const struct case_ *c, const char *local)
{
	char *text = told(c->json, local);

	if (strcmp(text, c->want) != 0)
		fail_msg("%s:\n%s\nis not\n%s", c->what, text, c->want);
	free(text);
}

static void
check_all(const struct case_ *cases, size_t count, const char *local)
{
	for (size_t i = 0; i < count; i++)
		check_as(&cases[i], local);
}

static void
test_rows(void **state)
{
	static const struct case_ cases[] = {
		{ "no instance", " [ ] ", "" },
		{ "as little as there may be", "[" ROW(NODE, SERVICE, "[]") "]",
			"dc1/n1/web-1 10.0.0.1:8080 1" },
		{ "null where Go has nothing",
			"[" ROW(NODE,
				SERVICE ",\"Tags\":null,\"Weights\":null,"
					"\"TaggedAddresses\":null,"
					"\"Kind\":null",
				"null") "]",
			"dc1/n1/web-1 10.0.0.1:8080 1" },
		{ "the service's own address, tags and kind",
			"[{\"Node\":{" NODE
			"},\"Service\":{\"ID\":\"p\",\"Address\":\"web.internal"
			"\",\"Port\":21000,\"Kind\":\"connect-proxy\","
			"\"Tags\":[\"a\",\"b\"]},\"Checks\":[]}]",
			"dc1/n1/p web.internal:21000 1 proxy +a +b" },
		{ "IPv6",
			"[" ROW("\"Node\":\"n\",\"Address\":\"2001:db8::1\"",
				SERVICE, "[]") "]",
			"dc1/n/web-1 2001:db8::1:8080 1" },
		{ "sorted by identity, whatever the order",
			"[" ROW("\"Node\":\"b\",\"Address\":\"10.0.0.2\"",
				SERVICE,
				"[]") "," ROW("\"Node\":\"a\",\"Address\":\"10."
					      "0.0.3\"",
				"\"ID\":\"web-2\",\"Port\":1",
				"[]") "," ROW("\"Node\":\"a\",\"Address\":\"10."
					      "0.0.4\"",
				SERVICE, "[]") "]",
			"dc1/a/web-1 10.0.0.4:8080 1; "
			"dc1/a/web-2 10.0.0.3:1 1; "
			"dc1/b/web-1 10.0.0.2:8080 1" },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), "dc1");
}

static void
test_health(void **state)
{
	static const struct case_ cases[] = {
		{ "passing", "[" OF_CHECKS(CHECK("serfHealth", "passing")) "]",
			"dc1/n1/web-1 10.0.0.1:8080 1" },
		{ "the node's check counts",
			"[" OF_CHECKS(CHECK("service:web", "passing") "," CHECK(
				"serfHealth", "critical")) "]",
			"dc1/n1/web-1 10.0.0.1:8080 1 out" },
		{ "warning has a weight of its own",
			"[" ROW(NODE,
				SERVICE ",\"Weights\":{\"Passing\":10,"
					"\"Warning\":3}",
				"[" CHECK("a", "warning") "," CHECK(
					"b", "passing") "]") "]",
			"dc1/n1/web-1 10.0.0.1:8080 3" },
		{ "the worst of all, not the last",
			"[" OF_CHECKS(CHECK("a", "critical") "," CHECK(
				"b", "warning") "," CHECK("c", "passing")) "]",
			"dc1/n1/web-1 10.0.0.1:8080 1 out" },
		{ "maintenance of the node, whatever its status",
			"[" OF_CHECKS(
				CHECK("_node_maintenance", "passing")) "]",
			"dc1/n1/web-1 10.0.0.1:8080 1 out" },
		{ "maintenance of the service",
			"[" OF_CHECKS(CHECK(
				"_service_maintenance:web-1", "critical")) "]",
			"dc1/n1/web-1 10.0.0.1:8080 1 out" },
		{ "a status that is not known is none to send to",
			"[" OF_CHECKS(CHECK("a", "maintenance")) "]",
			"dc1/n1/web-1 10.0.0.1:8080 1 out" },
		{ "no status at all", "[" OF_CHECKS("{\"CheckID\":\"a\"}") "]",
			"dc1/n1/web-1 10.0.0.1:8080 1 out" },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), "dc1");
}

static void
test_weights(void **state)
{
	static const struct case_ cases[] = {
		{ "0 is out",
			"[" OF_SERVICE("\"Weights\":{\"Passing\":0,"
				       "\"Warning\":1}") "]",
			"dc1/n1/web-1 10.0.0.1:8080 0 out" },
		{ "0 for warnings, and it is well",
			"[" OF_SERVICE("\"Weights\":{\"Passing\":7,"
				       "\"Warning\":0}") "]",
			"dc1/n1/web-1 10.0.0.1:8080 7" },
		{ "one of two",
			"[" OF_SERVICE("\"Weights\":{\"Warning\":5}") "]",
			"dc1/n1/web-1 10.0.0.1:8080 1" },
		{ "as much as there may be",
			"[" OF_SERVICE("\"Weights\":{\"Passing\":70000}") "]",
			"dc1/n1/web-1 10.0.0.1:8080 65535" },
		{ "less than none",
			"[" OF_SERVICE("\"Weights\":{\"Passing\":-1}") "]",
			" | 1: instance web-1 on node n1: Passing is not a "
			"whole number from 0" },
		{ "a part of one",
			"[" OF_SERVICE("\"Weights\":{\"Passing\":0.5}") "]",
			" | 1: instance web-1 on node n1: Passing is not a "
			"whole number from 0" },
		{ "a list", "[" OF_SERVICE("\"Weights\":[1,1]") "]",
			" | 1: instance web-1 on node n1: Weights is not a "
			"map" },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), "dc1");
}

#define FAR_NODE                                                               \
	"\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Datacenter\":\"dc2\","     \
	"\"TaggedAddresses\":{\"lan\":\"10.0.0.1\",\"wan\":\"198.51.100.1\"}"

static void
test_another_datacenter(void **state)
{
	static const struct case_ cases[] = {
		{ "the node's wan address",
			"[" ROW(FAR_NODE, SERVICE, "[]") "]",
			"dc2/n1/web-1 198.51.100.1:8080 1" },
		{ "the service's address is before the node's",
			"[" ROW(FAR_NODE,
				"\"ID\":\"web-1\",\"Address\":\"10.0.0.9\","
				"\"Port\":80",
				"[]") "]",
			"dc2/n1/web-1 10.0.0.9:80 1" },
		{ "its wan address before that, with its port",
			"[" ROW(FAR_NODE,
				SERVICE
				",\"TaggedAddresses\":{\"lan\":{\"Address\":"
				"\"10.0.0.7\",\"Port\":1},\"wan\":{\"Address\":"
				"\"198.51.100.7\",\"Port\":443}}",
				"[]") "]",
			"dc2/n1/web-1 198.51.100.7:443 1" },
		{ "without a port it is the service's",
			"[" ROW(FAR_NODE,
				SERVICE
				",\"TaggedAddresses\":{\"wan_ipv6\":{"
				"\"Address\":\"2001:db8::7\",\"Port\":0}}",
				"[]") "]",
			"dc2/n1/web-1 2001:db8::7:8080 1" },
		{ "of its own data centre none is looked at",
			"[" ROW("\"Node\":\"n1\",\"Address\":\"10.0.0.1\","
				"\"Datacenter\":\"dc1\",\"TaggedAddresses\":{"
				"\"wan\":\"198.51.100.1\"}",
				SERVICE
				",\"TaggedAddresses\":{\"wan\":{\"Address\":"
				"\"198.51.100.7\",\"Port\":443}}",
				"[]") "]",
			"dc1/n1/web-1 10.0.0.1:8080 1" },
	};
	const struct case_ unknown = { "the agent's is not known",
		"[" ROW(FAR_NODE, SERVICE, "[]") "]",
		"dc2/n1/web-1 10.0.0.1:8080 1" };

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), "dc1");
	check_as(&unknown, NULL);
	check_as(&unknown, "");
}

#define GOOD      ROW("\"Node\":\"good\",\"Address\":\"10.9.9.9\"", SERVICE, "[]")
#define GOOD_TOLD "dc1/good/web-1 10.9.9.9:8080 1"
#define BAD(row, why)                                                          \
	{                                                                      \
		row, "[" GOOD "," row "]", GOOD_TOLD " | 1: " why              \
	}
#define BAD_ON_N1(row, why) BAD(row, "instance web-1 on node n1: " why)

/* Each is passed over; the one beside it is not. */
static void
test_rows_that_are_wrong(void **state)
{
	static const struct case_ cases[] = {
		BAD("null", "instance 2: an instance is not a map"),
		BAD("7", "instance 2: an instance is not a map"),
		BAD("\"x\"", "instance 2: an instance is not a map"),
		BAD("[]", "instance 2: an instance is not a map"),
		BAD("{}", "instance 2: Node is missing"),
		BAD("{\"Node\":3}", "instance 2: Node is not a map"),
		BAD("{\"Node\":{" NODE "}}", "instance 2: ID is missing"),
		BAD("{\"Node\":{" NODE "},\"Service\":[]}",
			"instance 2: Service is not a map"),
		BAD(ROW("\"Node\":\"\"", SERVICE, "[]"),
			"instance 2: Node is missing"),
		BAD(ROW("\"Node\":true", SERVICE, "[]"),
			"instance 2: Node is not a string"),
		BAD(ROW("\"Node\":\"n1\",\"Datacenter\":{}", SERVICE, "[]"),
			"instance web-1 on node n1: Datacenter is not a "
			"string"),
		BAD_ON_N1(ROW("\"Node\":\"n1\"", SERVICE, "[]"),
			"neither the service nor the node has an address"),
		BAD_ON_N1(ROW("\"Node\":\"n1\",\"Address\":\"a b\"", SERVICE,
				  "[]"),
			"\"a b\" is neither an address nor a DNS name"),
		BAD_ON_N1(ROW("\"Node\":\"n1\",\"Address\":\"0.0.0.0\"",
				  SERVICE, "[]"),
			"nothing can be sent to 0.0.0.0"),
		BAD_ON_N1(ROW("\"Node\":\"n1\",\"Address\":\"::\"", SERVICE,
				  "[]"),
			"nothing can be sent to ::"),
		BAD_ON_N1(ROW(NODE, "\"ID\":\"web-1\",\"Port\":0", "[]"),
			"it has no port"),
		BAD_ON_N1(
			ROW(NODE, "\"ID\":\"web-1\"", "[]"), "it has no port"),
		BAD_ON_N1(ROW(NODE, "\"ID\":\"web-1\",\"Port\":65536", "[]"),
			"its port is out of range"),
		BAD_ON_N1(ROW(NODE, "\"ID\":\"web-1\",\"Port\":-8080", "[]"),
			"Port is not a whole number from 0"),
		BAD_ON_N1(ROW(NODE, "\"ID\":\"web-1\",\"Port\":\"80\"", "[]"),
			"Port is not a whole number from 0"),
		BAD_ON_N1(ROW(NODE, SERVICE, "{}"), "Checks is not a list"),
		BAD_ON_N1(OF_CHECKS("null"), "a check is not a map"),
		BAD_ON_N1(
			OF_CHECKS("{\"Status\":1}"), "Status is not a string"),
		BAD_ON_N1(OF_CHECKS("{\"CheckID\":[]}"),
			"CheckID is not a string"),
		BAD_ON_N1(OF_SERVICE("\"Kind\":1"), "Kind is not a string"),
		BAD_ON_N1(OF_SERVICE("\"Tags\":\"a\""), "Tags is not a list"),
		BAD_ON_N1(OF_SERVICE("\"Tags\":[\"a\",null]"),
			"a tag is not a string"),
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), "dc1");
}

static void
test_one_of_many(void **state)
{
	static const struct case_ cases[] = {
		{ "a row that no reader of JSON takes leaves the others alone",
			"[{\"a\":1,\"a\":2}," GOOD ",{\"b\":\"\\u0000\"}]",
			GOOD_TOLD " | 2: instance 1: duplicate key \"a\"" },
		{ "twice the same is there once, the lower address first",
			"[" ROW("\"Node\":\"n1\",\"Address\":\"10.0.0.2\"",
				SERVICE,
				"[]") "," ROW("\"Node\":\"n1\",\"Address\":"
					      "\"10.0.0.1\"",
				SERVICE, "[]") "," GOOD "]",
			GOOD_TOLD
			"; dc1/n1/web-1 10.0.0.1:8080 1 | 1: "
			"instance web-1 on node n1: it is there more than "
			"once" },
		{ "the same id on two nodes is two",
			"[" ROW("\"Node\":\"n2\",\"Address\":\"10.0.0.2\"",
				SERVICE, "[]") "," GOOD "]",
			GOOD_TOLD "; dc1/n2/web-1 10.0.0.2:8080 1" },
		{ "words of others are one line",
			"[" ROW("\"Node\":\"n\\n1\"", SERVICE, "[]") "]",
			" | 1: instance web-1 on node n?1: neither the service "
			"nor the node has an address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = told(cases[i].json, "dc1");

		if (strncmp(text, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("%s:\n%s\ndoes not begin with\n%s",
				cases[i].what, text, cases[i].want);
		free(text);
	}
}

static void
test_no_answer(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"null",
		"{}",
		"7",
		"\"[]\"",
		"[",
		"[{}",
		"[}",
		"[]]",
		"[],[]",
		"[],\"rows\":[]",
		"[],\"x\":1",
		"[] x",
		"{\"rows\":[]}",
		"No cluster leader",
		"[{\"Node\":{\"Node\":",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *text = told(texts[i], "dc1");

		if (strncmp(text, "error: ", 7) != 0)
			fail_msg("\"%s\" is taken: %s", texts[i], text);
		free(text);
	}
}

/* Cut after every byte it is no answer, and never half of one. */
static void
test_cut_everywhere(void **state)
{
	static const char whole[] =
		"[" ROW(FAR_NODE, SERVICE ",\"Tags\":[\"a\"]",
			"[" CHECK("serfHealth", "passing") "]") "," GOOD "]";

	(void)state;
	for (size_t length = 0; length < strlen(whole); length++) {
		char *cut = xmemdup(whole, length == 0 ? 1 : length);
		struct consul_instances all;

		assert_int_equal(
			consul_instances_read((struct slice){ cut, length },
				"dc1", &all, NULL),
			-1);
		assert_int_equal(all.count, 0);
		free(cut);
	}
}

static void
test_many(void **state)
{
	struct consul_instances all;
	struct str json;
	size_t large = 2u << 20;
	char *filler = xmalloc(large + 1);

	(void)state;
	memset(filler, 'x', large);
	filler[large] = '\0';
	str_init(&json);
	str_printf(&json, "[{\"Node\":{\"Node\":\"%s\"}}", filler);
	for (int i = CONSUL_INSTANCES_MAX + 1; i > 0; i--)
		str_printf(&json,
			",{\"Node\":{\"Node\":\"n%05d\",\"Address\":\"10.0.0.1"
			"\"},\"Service\":{\"ID\":\"w\",\"Port\":80}}",
			i);
	str_putc(&json, ']');
	assert_int_equal(
		consul_instances_read((struct slice){ json.data, json.length },
			"dc1", &all, NULL),
		0);
	assert_int_equal(all.count, CONSUL_INSTANCES_MAX);
	assert_int_equal(all.passed_over, 2);
	assert_string_equal(all.problem, "instance 1: it is larger than 1 MiB");
	assert_string_equal(all.items[0].node, "n00002");
	consul_instances_fini(&all);
	str_fini(&json);
	free(filler);
}

/* ---- which of them */

static char a[] = "a", b[] = "b", c[] = "c", empty[] = "";
static char *tags_a[] = { a }, *tags_ab[] = { a, b }, *tags_c[] = { c };

static void
test_fits(void **state)
{
	const struct consul_instance none = { 0 },
				     both = { .tags = tags_ab, .tag_count = 2 },
				     proxy = { .connect_proxy = true };
	struct consul_spec spec = { 0 };

	(void)state;
	assert_true(consul_instance_fits(&none, &spec));
	assert_true(consul_instance_fits(&both, &spec));
	assert_false(consul_instance_fits(&proxy, &spec));
	spec.connect_enabled = true;
	assert_true(consul_instance_fits(&proxy, &spec));
	spec = (struct consul_spec){ .service_tags = tags_ab,
		.service_tag_count = 2 };
	assert_true(consul_instance_fits(&both, &spec));
	assert_false(consul_instance_fits(&none, &spec));
	assert_false(consul_instance_fits(
		&(struct consul_instance){ .tags = tags_a, .tag_count = 1 },
		&spec));
	spec = (struct consul_spec){ .instance_tags = tags_c,
		.instance_tag_count = 1 };
	assert_false(consul_instance_fits(&both, &spec));
	spec = (struct consul_spec){ .blacklist_tags = tags_a,
		.blacklist_tag_count = 1 };
	assert_false(consul_instance_fits(&both, &spec));
	assert_true(consul_instance_fits(&none, &spec));
	spec.blacklist_tags = tags_c;
	assert_true(consul_instance_fits(&both, &spec));
}

static void
test_owner(void **state)
{
	static char ab[] = "ab", bc[] = "bc";
	const struct consul_instance x = {
		.datacenter = a, .node = ab, .id = c
	};
	const struct consul_instance same = { .datacenter = a,
		.node = ab,
		.id = c,
		.address = b,
		.port = 7,
		.weight = 9 };
	const struct consul_instance others[] = {
		{ .datacenter = ab, .node = a, .id = c },
		{ .datacenter = a, .node = a, .id = bc },
		{ .datacenter = b, .node = ab, .id = c },
		{ .datacenter = a, .node = ab, .id = b },
		{ .datacenter = empty, .node = empty, .id = empty },
	};

	(void)state;
	assert_true(consul_instance_owner(&x) != 0);
	assert_true(consul_instance_owner(&x) == consul_instance_owner(&same));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_true(consul_instance_owner(&x) !=
			    consul_instance_owner(&others[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_another_datacenter),
		cmocka_unit_test(test_rows_that_are_wrong),
		cmocka_unit_test(test_one_of_many),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
