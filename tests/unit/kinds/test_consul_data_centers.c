/*
 * A Consul upstream of several data centres: each is asked on its own, and the
 * agent's own decides at which address an instance is called.
 */
#include "consul_upstream.h"

/* Of another data centre; without an address but its node's. */
#define FAR_ROW ROW_IN("dc2", "n1", "b", "", "80", "passing", "")

static void
test_data_centers(void **state)
{
	(void)state;
	begin_used(
		"{serviceName: web, dataCenters: [dc1, dc2]}", "10.0.0.8", "");
	/* Which address of an instance: that waits for who is far. */
	assert_null(question("dc1 " WEB));
	agent_in_dc1();
	says("dc1 " CATALOG, LISTING);
	says("dc1 " WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	/* The other was not heard yet. */
	told_is("web: 10.0.0.1:80x10* 10.0.0.8:80x10*\n");
	fails("dc2 " WEB, "No path to datacenter");
	fails("dc2 " CATALOG, "No path to datacenter");
	pass(100);
	told_is("agent warning: data centre \"dc2\": No path to datacenter\n"
		"catalog warning: data centre \"dc2\": No path to "
		"datacenter\n"
		"web not ok: data centre \"dc2\": No path to datacenter\n");
	says("dc1 " WEB, "[" ROW("b", "10.0.0.2") "]");
	pass(100);
	told_is("web: 10.0.0.2:80x10* 10.0.0.8:80x10*\n");
	/* At the address that is reached from afar. */
	says("dc2 " WEB, "[" FAR_ROW "]");
	says("dc2 " CATALOG, LISTING);
	fails("dc2 " WEB, NULL);
	fails("dc2 " CATALOG, NULL);
	pass(100);
	told_is("agent ok\ncatalog ok\n"
		"web: 10.0.0.2:80x10* 192.0.2.9:80x10*\n"
		"web ok\n");
	/* Each on its own. */
	says("dc1 " WEB, "[]");
	says("dc1 " CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is("web: 192.0.2.9:80x10*\n");
	says("dc2 " WEB, "[]");
	says("dc2 " CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is("web: none\n"
		"web not ok: there is no service \"web\" of data centre "
		"\"dc1\" in Consul's catalog, or the token may not read it\n");
	end();
}

/* The question that is asked anew is another: what failed is over with it. */
static void
test_failure_of_a_former_question(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web, dataCenters: [dc2]}");
	fails(OWN, "refused");
	fails("dc2 " WEB, "refused");
	pass(CONSUL_STALE_TELL_MS);
	str_clear(&told);
	agent_in_dc1();
	says("dc2 " CATALOG, LISTING);
	says("dc2 " WEB, "[" ROW_IN("dc2", "n1", "a", "10.0.0.1", "80",
				 "passing", "") "]");
	pass(60000);
	told_is("agent ok\n"
		"dataCenter ok\n"
		"web: 10.0.0.1:80x10*\n"
		"web ok\n");
	end();
}

static void
test_own_data_center_unknown(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web, dataCenters: [dc2]}");
	assert_null(question("dc2 " WEB));
	fails(OWN, "403");
	assert_non_null(question("dc2 " WEB));
	says("dc2 " WEB, "[" FAR_ROW "]");
	pass(0);
	told_is(OWN_UNKNOWN("403") "web: 10.0.9.9:80x10*\nweb ok\n");
	/* Answered, and nobody is shown. */
	says(OWN, "[]");
	told_is(OWN_UNKNOWN("Consul shows no instance of its own service "
			    "\"consul\": give the token service:read and "
			    "node:read"));
	/* It is far after all: asked anew. */
	agent_in_dc1();
	says("dc2 " WEB, "[" FAR_ROW "]");
	pass(100);
	told_is("dataCenter ok\nweb: 192.0.2.9:80x10*\n");
	/* What was heard once is believed on. */
	says(OWN, "[]");
	fails(OWN, "refused");
	pass(100);
	told_is("");
	end();
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_begin)
	const struct CMUnitTest tests[] = {
		TEST(test_data_centers),
		TEST(test_failure_of_a_former_question),
		TEST(test_own_data_center_unknown),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
