/*
 * The endpoints of a Consul upstream: which instances, at which addresses, what
 * is asked for them, and what is said of them.
 */
#include "consul_upstream.h"

#include "model/subset.h"

#define TAGGED(ip, tags) ROW_AS(ip, ip, "passing", tags)
#define ROW_NO_PORT(id, address)                                               \
	ROW_IN("dc1", "n1", id, address, "0", "passing", "")

/* ---- which instances */

static void
test_instances(void **state)
{
	(void)state;
	begin_listed("{serviceName: web}");
	assert_null(question(WEB)->datacenter);
	says(WEB,
		"[" ROW("b", "10.0.0.2") "," ROW("a", "10.0.0.1") "," ROW(
			"no-address", "") "," ROW_AS("w", "10.0.0.3", "warning",
			"") "," ROW_AS("c", "10.0.0.4", "critical", "") "]");
	told_is("");
	pass(0);
	told_is("web: 10.0.0.1:80x10* 10.0.0.2:80x10* 10.0.0.3:80* "
		"10.0.9.9:80x10*\n"
		"web ok\n");
	/* The same again: nothing. */
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "," ROW_AS(
			  "w", "10.0.0.3", "warning",
			  "\"new\"") "," ROW("no-address", "") "]");
	pass(100);
	told_is("");
	/* The weight alone. */
	says(WEB, "[" ROW_AS("w", "10.0.0.3", "passing", "") "]");
	pass(0);
	told_is("web: 10.0.0.3:80x10*\n");
	end();
}

/* Others at the same address: pools and health are not theirs. */
static void
test_owner(void **state)
{
	(void)state;
	begin_listed("{serviceName: web}");
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\nweb ok\n");
	says(WEB, "[" ROW("b", "10.0.0.1") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10*\n");
	/* Two who claim one address are one endpoint. */
	says(WEB, "[" ROW("b", "10.0.0.1") "," ROW("c", "10.0.0.1") "]");
	pass(100);
	told_is("");
	end();
}

static void
test_first_change_at_once(void **state)
{
	(void)state;
	begin_listed("{serviceName: web}");
	pass(1000);
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\nweb ok\n");
	says(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(49);
	told_is("");
	pass(1);
	told_is("web: 10.0.0.2:80x10*\n");
	end();
}

static void
test_tags(void **state)
{
	(void)state;
	begin_listed("{serviceName: web, serviceTags: [a], instanceTags: [b], "
		     "instanceBlacklistTags: [x]}");
	says(WEB, "[" TAGGED("10.0.0.1", "\"a\",\"b\"") "," TAGGED(
			  "10.0.0.2", "\"a\"") "," TAGGED("10.0.0.3",
			  "\"b\",\"a\",\"x\"") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\nweb ok\n");
	says(WEB, "[" TAGGED("10.0.0.2", "\"a\"") "]");
	pass(100);
	told_is("web: none\n"
		"web note no instance of service \"web\" has the tags that are "
		"asked for, or is other than a proxy of Connect\n");
	says(WEB, "[" ROW_AS("a", "10.0.0.1", "critical", "\"a\",\"b\"") "]");
	pass(100);
	told_is("web note no instance of service \"web\" passes its checks\n");
	says(WEB, "[" TAGGED("10.0.0.1", "\"a\",\"b\"") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10*\nweb note -\n");
	end();
}

#define PAIR(name, is)                                                         \
	{                                                                      \
		.key = (char *)(name), .value = (char *)(is)                   \
	}

static void
test_subsets(void **state)
{
	static const struct model_pair canary[] = { PAIR("tag_canary", "1") };
	static const struct model_pair stable[] = { PAIR("tag_canary", "0") };

	(void)state;
	begin_listed("{serviceName: web, subsetTags: [canary]}");
	says(WEB, "[" TAGGED("10.0.0.1", "\"canary\"") "," TAGGED(
			  "10.0.0.2", "\"v1\"") "]");
	pass(0);
	assert_int_equal(web.last_count, 2);
	assert_int_equal(web.used[0].subsets[0], subset_identity(canary, 1));
	assert_int_equal(web.used[1].subsets[0], subset_identity(stable, 1));
	assert_int_equal(web.used[0].subsets[1], 0);
	end();
}

static void
test_passed_over(void **state)
{
	(void)state;
	begin_listed("{serviceName: web}");
	says(WEB, "[" ROW("a", "10.0.0.1") ",7," ROW_NO_PORT(
			  "p", "10.0.0.2") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\n"
		"web ok\n"
		"web note 2 of the instances of service \"web\" cannot be "
		"used: instance 2: an instance is not a map\n");
	/* Nobody at all is left: that takes nothing away. */
	says(WEB, "[" ROW_NO_PORT("a", "10.0.0.1") "]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is("web not ok: no instance of service \"web\" can be used, and "
		"those that were known stay: instance a on node n1: it has no "
		"port\n");
	end();
}

/* It is there, but not as it should be: the last that was good of it counts. */
static void
test_garbled(void **state)
{
#define GARBLED(id, key)                                                       \
	"{\"Node\":{\"Node\":\"n1\",\"Datacenter\":\"dc1\"},\"Service\":{"     \
	"\"ID\":\"" id "\",\"Address\":\"10.0.0.7\",\"Port\":80,\"" key        \
	"\":\"bad\"}}"
	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "," ROW(
		"c", "10.0.0.3") "]");
	/* Nobody has known x. */
	says(WEB, "[" GARBLED("x", "Tags") "," GARBLED("a", "Weights") "," ROW(
			  "b", "10.0.0.4") "]");
	pass(50);
	told_is("web: 10.0.0.1:80x10* 10.0.0.4:80x10*\n"
		"web note 2 of the instances of service \"web\" cannot be "
		"used: instance x on node n1: Tags is not a list\n");
	/* Again, and to who sees less. */
	says_filtered(
		WEB, "[" GARBLED("a", "Weights") "," ROW("d", "10.0.0.5") "]");
	pass(50);
	assert_int_equal(web.last_count, 3);
	says_filtered(WEB, "[" ROW("d", "10.0.0.5") "]");
	pass(50);
	assert_int_equal(web.last_count, 2);
	says(WEB, "[" ROW("a", "10.0.0.6") "]");
	pass(50);
	assert_int_equal(web.last_count, 1);
	str_clear(&told);
	/* A fault of who registered it is none of who answers. */
	says(WEB,
		"[" ROW("b", "10.0.0.2") "," ROW_NO_PORT("a", "10.0.0.6") "]");
	pass(50);
	told_is("web: 10.0.0.2:80x10*\n"
		"web note 1 of the instances of service \"web\" cannot be "
		"used: instance a on node n1: it has no port\n");
	end();
}

static void
test_bad_answer(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "]");
	assert_int_equal(answer_to(WEB, "[{\"Node\"", &err), -1);
	assert_int_equal(answer_to(WEB, "{}", &err), -1);
	pass(10000);
	told_is("");
	end();
}

/* ---- host names */

static void
test_names(void **state)
{
	(void)state;
	begin_listed("{serviceName: web}");
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "b.test") "," ROW(
			  "c", "b.test") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10*\n");
	resolves("b.test", "10.1.0.2 10.1.0.1", NULL);
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.1.0.1:80x10(b.test)* "
		"10.1.0.2:80x10(b.test)*\n"
		"web ok\n");
	/* The servers fail: those that are known stay. */
	resolves("b.test", NULL, "SERVFAIL");
	pass(100);
	told_is("web not ok: cannot resolve \"b.test\": SERVFAIL\n");
	resolves("b.test", "10.1.0.2", NULL);
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.1.0.2:80x10(b.test)*\nweb ok\n");
	/* It does not exist any more. */
	resolves("b.test", "", "NXDOMAIN");
	pass(100);
	told_is("web: 10.0.0.1:80x10*\n"
		"web not ok: cannot resolve \"b.test\": NXDOMAIN\n");
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(100);
	told_is("web ok\n");
	assert_null(name_watched("b.test"));
	end();
}

/* ---- asking */

static void
test_question(void **state)
{
	(void)state;
	begin("{dataCenter: dc7}",
		"{serviceName: \"a/b c\", consistencyMode: ConsistentMode, "
		"queryOptions: {useCache: true}}");
	says(OWN, "[]");
	assert_int_equal(
		question("dc7 /v1/health/service/a%2Fb%20c")->consistency,
		CONSUL_CONSISTENT);
	assert_true(question("dc7 /v1/health/service/a%2Fb%20c")->use_cache);
	end();
}

static void
test_failing(void **state)
{
	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "]");
	fails(WEB, "refused");
	pass(CONSUL_STALE_TELL_MS - 1);
	told_is("agent warning: refused\n");
	fails(WEB, "no leader");
	pass(1);
	told_is("agent warning: no leader\nweb not ok: no leader\n");
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	fails(WEB, NULL);
	pass(100);
	told_is("agent ok\nweb ok\n");
	/* One that restarts is told of once, not at each upstream. */
	fails(WEB, "refused");
	pass(1000);
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	fails(WEB, NULL);
	pass(10000);
	told_is("agent warning: refused\nagent ok\n");
	end();
}

/* For people: each data centre, and the host names of instances. */
static void
test_show(void **state)
{
	struct doc *d = doc_new_map();
	const struct doc *one;

	(void)state;
	begin_listed("{serviceName: web, serviceTags: [v1]}");
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "b.test") "," ROW_AS(
			  "c", "10.0.0.4", "critical", "\"v1\"") "," ROW_AS("d",
			  "10.0.0.5", "passing", "") "]");
	pass(0);
	upstream_kind_consul.show(web.state, d);
	assert_int_equal(doc_count(doc_get(d, "dataCenters")), 1);
	one = doc_at(doc_get(d, "dataCenters"), 0);
	assert_null(doc_get(one, "name"));
	assert_int_equal(doc_get_integer(one, "instances"), 4);
	assert_int_equal(doc_get_integer(one, "fit"), 3);
	assert_int_equal(doc_get_integer(one, "out"), 1);
	assert_null(doc_get(one, "problem"));
	assert_int_equal(doc_count(doc_get(d, "names")), 1);
	one = doc_at(doc_get(d, "names"), 0);
	assert_string_equal(doc_get_text(one, "name"), "b.test");
	doc_free(d);
	end();
}

/* No agent is configured: not_served says so. */
static void
test_not_configured(void **state)
{
	(void)state;
	upstream_watch(
		&web, &upstream_kind_consul, NULL, "web", "{serviceName: web}");
	assert_null(web.state);
	upstream_unwatch(&web);
	told_is("");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_begin)
	const struct CMUnitTest tests[] = {
		TEST(test_instances),
		TEST(test_owner),
		TEST(test_first_change_at_once),
		TEST(test_tags),
		TEST(test_subsets),
		TEST(test_passed_over),
		TEST(test_garbled),
		TEST(test_bad_answer),
		TEST(test_names),
		TEST(test_question),
		TEST(test_failing),
		TEST(test_show),
		TEST(test_not_configured),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
