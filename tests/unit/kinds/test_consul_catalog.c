/*
 * Discovery of Consul's services: which upstreams the program is told of, when
 * an earlier run's are gone, and what a catalog that shows less means.
 */
#include "consul_fake.h"

#include "kinds/consul/catalog.h"

static char *
listing(const char *services)
{
	return xasprintf("{\"consul\":[]%s%s}", services[0] == '\0' ? "" : ",",
		services);
}

/* A whole answer: Consul's own service is among them. */
static void
lists(const char *where, const char *services)
{
	char *json = listing(services);

	says(where, json);
	free(json);
}

static void
test_service(void **state)
{
	(void)state;
	world_open("{serviceDiscovery: {}}");
	lists(CATALOG, "\"web\":[\"a\",\"b\"]");
	told_is("found web {\"serviceName\":\"web\"}\n"
		"settled web\n");
	assert_true(fake_own_found);
	/* What is as it was is not told again. */
	lists(CATALOG, "\"web\":[\"c\"]");
	told_is("");
	lists(CATALOG, "\"web\":[],\"api\":[]");
	told_is("found api {\"serviceName\":\"api\"}\n");
	lists(CATALOG, "\"api\":[]");
	told_is("gone web\n");
	world_close();
}

/* The settings name none: what the upstreams name is served all the same, and
 * what would be made can be asked. */
static void
on_each(struct doc *d, void *arg)
{
	(void)arg;
	str_printf(&told, "%s ", doc_get_text(doc_get(d, "metadata"), "name"));
	doc_told(doc_get(d, "upstreamSpec"));
	doc_free(d);
}

static void
preview_is(const char *want)
{
	struct error err = ERROR_INIT;

	if (upstream_kind_consul.preview(world.shared, on_each, NULL, &err) !=
		0)
		str_printf(&told, "%s\n", err.text);
	told_is(want);
}

static void
test_preview(void **state)
{
	(void)state;
	world_open("{}");
	preview_is("the services of the agent's data centre were not listed "
		   "yet\n");
	fails(CATALOG, "nobody answers");
	told_is("catalog warning: nobody answers\n");
	preview_is("the services of the agent's data centre were not listed "
		   "yet: nobody answers\n");
	lists(CATALOG, "\"web\":[],\"Api_2\":[]");
	fails(CATALOG, NULL);
	told_is("catalog ok\n");
	assert_false(fake_own_found);
	preview_is("api-2 {\"consul\":{\"serviceName\":\"Api_2\"}}\n"
		   "consul {\"consul\":{\"serviceName\":\"consul\"}}\n"
		   "web {\"consul\":{\"serviceName\":\"web\"}}\n");
	world_close();
}

static void
test_filters(void **state)
{
	(void)state;
	world_open("{serviceDiscovery: {tagsInclude: [edge, beta], "
		   "tagsExclude: [private], splitByTag: true, "
		   "consistencyMode: StaleMode}}");
	assert_int_equal(question(CATALOG)->consistency, CONSUL_STALE);
	lists(CATALOG, "\"web\":[\"edge\",\"v1\"],\"db\":[],"
		       "\"api\":[\"edge\",\"private\"],\"web-sidecar-proxy\":"
		       "[\"edge\"]");
	told_is("found web {\"serviceName\":\"web\"}\n"
		"found web-edge {\"serviceName\":\"web\",\"serviceTags\":"
		"[\"edge\"]}\n"
		"settled web web-edge\n");
	world_close();
}

static void
test_per_tag(void **state)
{
	(void)state;
	world_open("{serviceDiscovery: {splitByTag: true}}");
	lists(CATALOG, "\"web\":[\"v1\",\"v2\"]");
	str_clear(&told);
	lists(CATALOG, "\"web\":[\"v2\"]");
	told_is("gone web-v1\n");
	world_close();
}

/* ---- names that two want */

static void
test_clash(void **state)
{
	(void)state;
	world_open("{serviceDiscovery: {splitByTag: true}}");
	lists(CATALOG, "\"web\":[\"v2\"],\"web-v2\":[]");
	told_is("found web {\"serviceName\":\"web\"}\n"
		"upstreams warning: tag \"v2\" of service \"web\" makes no "
		"upstream: \"web-v2\" is that of service \"web-v2\"; create an "
		"upstream of another name for it\n"
		"found web-v2 {\"serviceName\":\"web-v2\"}\n"
		"settled web web-v2\n");
	lists(CATALOG, "\"web\":[\"v2\"]");
	told_is("found web-v2 {\"serviceName\":\"web\",\"serviceTags\":"
		"[\"v2\"]}\n"
		"upstreams ok\n");
	/* Who has it keeps it: its routes are not another's now. */
	lists(CATALOG, "\"web\":[\"v2\"],\"web-v2\":[]");
	told_is("upstreams warning: service \"web-v2\" makes no upstream: "
		"\"web-v2\" is that of tag \"v2\" of service \"web\"; create "
		"an upstream of another name for it\n");
	world_close();
}

static void
test_clash_earlier_run(void **state)
{
	(void)state;
	was_found("web-api", "{serviceName: Web.Api}");
	world_open("{serviceDiscovery: {}}");
	lists(CATALOG, "\"web-api\":[],\"Web.Api\":[],\"Web_Api\":[]");
	told_is("upstreams warning: service \"web-api\" makes no upstream: "
		"\"web-api\" is that of service \"Web.Api\"; create an "
		"upstream "
		"of another name for it\n"
		"upstreams warning: service \"Web_Api\" makes no upstream: "
		"\"web-api\" is that of service \"Web.Api\"; create an "
		"upstream "
		"of another name for it (and 1 more)\n"
		"found web-api {\"serviceName\":\"Web.Api\"}\n"
		"settled web-api\n");
	world_close();
}

static void
test_by_hand(void **state)
{
	(void)state;
	fake_refuses = "web";
	world_open("{serviceDiscovery: {}}");
	lists(CATALOG, "\"web\":[]");
	told_is("found web {\"serviceName\":\"web\"}\n"
		"upstreams warning: upstream web is not made: it was made by "
		"hand\n"
		"settled\n");
	fake_refuses = NULL;
	lists(CATALOG, "\"web\":[],\"api\":[]");
	told_is("found api {\"serviceName\":\"api\"}\n"
		"found web {\"serviceName\":\"web\"}\n"
		"upstreams ok\n");
	world_close();
}

/* What was in the way is away, though nothing changed in Consul. */
static void
test_by_hand_for_a_while(void **state)
{
	(void)state;
	fake_refuses = "web";
	world_open("{serviceDiscovery: {}}");
	lists(CATALOG, "\"api\":[],\"web\":[]");
	str_clear(&told);
	pass(5000);
	told_is("found web {\"serviceName\":\"web\"}\n");
	fake_refuses = NULL;
	pass(5000);
	told_is("found web {\"serviceName\":\"web\"}\nupstreams ok\n");
	/* Then nobody tries. */
	pass(60000);
	told_is("");
	assert_null(fake_timer_next());
	world_close();
}

/* ---- what shows less */

/* No token: 200 and an empty list, without any sign of it. */
static void
test_rights_lost(void **state)
{
	(void)state;
	world_open("{serviceDiscovery: {}}");
	lists(CATALOG, "\"web\":[]");
	str_clear(&told);
	says(CATALOG, "{}");
	told_is("catalog warning: the catalog shows less than before, as it "
		"does to who has no right to read it: what was known stays; "
		"give the token service:read\n");
	/* Fewer of them, what is new is taken. */
	says(CATALOG, "{\"api\":[]}");
	told_is("found api {\"serviceName\":\"api\"}\n");
	says_filtered(CATALOG, "{\"consul\":[],\"api\":[]}");
	told_is("");
	lists(CATALOG, "\"api\":[]");
	told_is("catalog ok\ngone web\n");
	world_close();
}

/* Who has few rights from the start sees services go, but not that what an
 * earlier run found is gone. */
static void
test_few_rights(void **state)
{
	(void)state;
	was_found("old", "{serviceName: old}");
	world_open("{serviceDiscovery: {}}");
	says_filtered(CATALOG, "{\"web\":[],\"api\":[]}");
	told_is("found api {\"serviceName\":\"api\"}\n"
		"found web {\"serviceName\":\"web\"}\n");
	says_filtered(CATALOG, "{\"web\":[]}");
	told_is("gone api\n");
	/* The last of them: that may be the rights. */
	says(CATALOG, "{}");
	told_is("catalog warning: the catalog shows less than before, as it "
		"does to who has no right to read it: what was known stays; "
		"give the token service:read\n");
	lists(CATALOG, "");
	told_is("catalog ok\ngone web\nsettled old\n");
	world_close();
}

static void
test_no_rights(void **state)
{
	(void)state;
	was_found("old", "{serviceName: old}");
	world_open("{serviceDiscovery: {}}");
	says(CATALOG, "{}");
	told_is("catalog warning: the catalog shows no service, not even "
		"Consul's own: give the token service:read\n");
	fails(CATALOG, "403");
	told_is("catalog warning: 403\n");
	lists(CATALOG, "\"web\":[]");
	fails(CATALOG, NULL);
	told_is("found web {\"serviceName\":\"web\"}\n"
		"settled old web\n"
		"catalog ok\n");
	world_close();
}

static void
test_bad_answer(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	world_open("{serviceDiscovery: {}}");
	lists(CATALOG, "\"web\":[]");
	str_clear(&told);
	assert_int_equal(answer_to(CATALOG, "[]", &err), -1);
	assert_string_equal(
		err.text, "expected a map of services, found a list");
	told_is("");
	world_close();
}

/* ---- data centres */

static void
test_data_centers(void **state)
{
	(void)state;
	was_found("web", "{serviceName: web, dataCenters: [dc1, dc2]}");
	was_found("only2", "{serviceName: only2, dataCenters: [dc2]}");
	was_found("only1", "{serviceName: only1, dataCenters: [dc1]}");
	was_found("left", "{serviceName: left, dataCenters: [dc3]}");
	world_open("{serviceDiscovery: {dataCenters: [dc1, dc2]}}");
	assert_non_null(question(OWN));
	/* The other does not answer: what it had stays. */
	lists("dc1 " CATALOG, "\"web\":[]");
	told_is("found web {\"dataCenters\":[\"dc1\",\"dc2\"],"
		"\"serviceName\":\"web\"}\n"
		"settled left only1\n");
	fails("dc2 " CATALOG, "No path to datacenter");
	told_is("catalog warning: data centre \"dc2\": No path to "
		"datacenter\n");
	lists("dc1 " CATALOG, "\"web\":[],\"api\":[]");
	told_is("found api {\"dataCenters\":[\"dc1\"],\"serviceName\":"
		"\"api\"}\n");
	lists("dc2 " CATALOG, "\"api\":[]");
	told_is("found api {\"dataCenters\":[\"dc1\",\"dc2\"],"
		"\"serviceName\":\"api\"}\n"
		"found web {\"dataCenters\":[\"dc1\"],\"serviceName\":"
		"\"web\"}\n"
		"settled api left only1 only2 web\n");
	fails("dc2 " CATALOG, NULL);
	told_is("catalog ok\n");
	lists("dc1 " CATALOG, "");
	told_is("found api {\"dataCenters\":[\"dc2\"],\"serviceName\":"
		"\"api\"}\n"
		"gone web\n");
	world_close();
}

/* A name is not given away while who had it may be there still. */
static void
test_data_center_awaited(void **state)
{
	(void)state;
	was_found("web-v2", "{serviceName: web-v2, dataCenters: [dc2]}");
	world_open("{serviceDiscovery: {dataCenters: [dc1, dc2], "
		   "splitByTag: true}}");
	lists("dc1 " CATALOG, "\"web\":[\"v2\"]");
	told_is("found web {\"dataCenters\":[\"dc1\"],\"serviceName\":"
		"\"web\"}\n"
		"settled web\n");
	lists("dc2 " CATALOG, "");
	told_is("found web-v2 {\"dataCenters\":[\"dc1\"],\"serviceName\":"
		"\"web\",\"serviceTags\":[\"v2\"]}\n"
		"settled web web-v2\n");
	world_close();
}

/* ---- who follows a service */

static void
on_changed(void *arg)
{
	static const char *const words[] = {
		[CONSUL_UNKNOWN] = "unknown",
		[CONSUL_LISTED] = "listed",
		[CONSUL_UNLISTED] = "unlisted",
		[CONSUL_GONE] = "gone",
	};
	struct consul_follow **f = arg;

	str_printf(&told, "%s\n", words[consul_follow_presence(*f)]);
}

static void
test_presence(void **state)
{
	struct consul_follow *f;

	(void)state;
	world_open("{}");
	f = consul_follow_new(world.shared, NULL, "web", on_changed, &f);
	assert_int_equal(consul_follow_presence(f), CONSUL_UNKNOWN);
	assert_null(consul_follow_datacenter(f));
	lists(CATALOG, "");
	told_is("gone\n");
	lists(CATALOG, "\"web\":[]");
	told_is("listed\n");
	says(CATALOG, "{}");
	str_clear(&told);
	assert_int_equal(consul_follow_presence(f), CONSUL_LISTED);
	lists(CATALOG, "");
	told_is("catalog ok\ngone\n");
	fails(CATALOG, "gone away");
	told_is("catalog warning: gone away\nunknown\n");
	lists(CATALOG, "");
	told_is("");
	fails(CATALOG, NULL);
	told_is("catalog ok\ngone\n");
	consul_follow_free(f);
	world_close();
}

static void
test_presence_few_rights(void **state)
{
	struct consul_follow *f;

	(void)state;
	world_open("{}");
	f = consul_follow_new(world.shared, NULL, "web", on_changed, &f);
	says(CATALOG, "{\"api\":[]}");
	told_is("unlisted\n");
	consul_follow_free(f);
	world_close();
}

/* Another data centre is asked as long as somebody wants it. */
static void
test_data_center_followed(void **state)
{
	struct consul_follow *f, *g;

	(void)state;
	world_open("{dataCenter: dc1}");
	assert_non_null(question("dc1 " CATALOG));
	f = consul_follow_new(world.shared, "dc9", "web", on_changed, &f);
	g = consul_follow_new(world.shared, NULL, "web", on_changed, &g);
	assert_string_equal(consul_follow_datacenter(g), "dc1");
	assert_non_null(question("dc9 " CATALOG));
	fails("dc9 " CATALOG, "No path to datacenter");
	told_is("catalog warning: data centre \"dc9\": No path to "
		"datacenter\n");
	consul_follow_free(f);
	told_is("catalog ok\n");
	assert_null(question("dc9 " CATALOG));
	consul_follow_free(g);
	assert_non_null(question("dc1 " CATALOG));
	world_close();
}

static void
test_failing(void **state)
{
	struct consul_follow *f, *g;

	(void)state;
	world_open("{}");
	f = consul_follow_new(world.shared, NULL, "a", on_changed, &f);
	g = consul_follow_new(world.shared, NULL, "b", on_changed, &g);
	consul_follow_failing(f, NULL);
	told_is("");
	consul_follow_failing(f, "refused");
	told_is("agent warning: refused\n");
	consul_follow_failing(g, "refused");
	consul_follow_failing(f, "403");
	consul_follow_failing(f, "403");
	told_is("");
	consul_follow_failing(g, NULL);
	told_is("agent warning: 403\n");
	consul_follow_free(f);
	told_is("agent ok\n");
	consul_follow_free(g);
	world_close();
}

static void
test_settings(void **state)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml("{serviceDiscovery: {tag: x}}");

	(void)state;
	assert_string_equal(upstream_kind_consul.settings_key, "consul");
	assert_int_equal(upstream_kind_consul.settings_check(d, &err), -1);
	doc_free(d);
	d = yaml("{}");
	assert_int_equal(upstream_kind_consul.settings_check(d, &err), 0);
	doc_free(d);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_begin)
	const struct CMUnitTest tests[] = {
		TEST(test_service),
		TEST(test_preview),
		TEST(test_filters),
		TEST(test_per_tag),
		TEST(test_clash),
		TEST(test_clash_earlier_run),
		TEST(test_by_hand),
		TEST(test_by_hand_for_a_while),
		TEST(test_rights_lost),
		TEST(test_few_rights),
		TEST(test_no_rights),
		TEST(test_bad_answer),
		TEST(test_data_centers),
		TEST(test_data_center_awaited),
		TEST(test_presence),
		TEST(test_presence_few_rights),
		TEST(test_data_center_followed),
		TEST(test_failing),
		TEST(test_settings),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
