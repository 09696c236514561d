/*
 * What an earlier run knew of a Consul upstream: how long it serves, also when
 * the operator has changed the spec that it was found for.
 */
#include "consul_upstream.h"

/* An earlier run knew 10.0.0.1 of dc1 and 10.0.0.8 of dc2. */
static void
begin_two(void)
{
	static const char spec[] =
		"{serviceName: web, dataCenters: [dc1, dc2]}";
	static char dc1[] = "dc1", dc2[] = "dc2", n1[] = "n1", a[] = "a";
	const struct consul_instance near = { dc1, n1, a, .port = 80 };
	const struct consul_instance far = { dc2, n1, a, .port = 80 };

	begin_used(spec, "10.0.0.1", "");
	web.used[0].owner = consul_instance_owner(&near);
	web.used[1] = web.used[0];
	web.used[1].owner = consul_instance_owner(&far);
	assert_int_equal(addr_parse_ip("10.0.0.8", 80, &web.used[1].addr), 0);
	web.used_count = 2;
	upstream_unwatch(&web);
	upstream_resume(&web, spec);
}

static void
test_earlier_run(void **state)
{
	(void)state;
	begin_used("{serviceName: web}", "10.0.0.1", "");
	lists_web();
	pass(100);
	told_is("");
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(WEB_STAYS("though its catalog lists it"));
	says(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(50);
	told_is("web: 10.0.0.2:80x10*\nweb ok\n");
	end();
}

static void
test_earlier_run_gone(void **state)
{
	(void)state;
	begin_used("{serviceName: web}", "10.0.0.1", "");
	says(WEB, "[]");
	/* As who has few rights sees it: that is not sure. */
	says(CATALOG, "{\"api\":[]}");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(WEB_STAYS("and its catalog does not say that it is gone"));
	says(CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is("web: none\n" WEB_GONE);
	end();
}

static void
test_earlier_run_filtered(void **state)
{
	(void)state;
	begin_used("{serviceName: web}", "10.0.0.1", "");
	lists_web();
	says_filtered(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.0.0.2:80x10*\n" WEB_HIDDEN);
	says(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(100);
	told_is("web: 10.0.0.2:80x10*\nweb ok\n");
	end();
}

static void
test_failing_from_the_start(void **state)
{
	(void)state;
	begin_used("{serviceName: web}", "10.0.0.1", "");
	fails(WEB, "refused");
	pass(100);
	told_is("agent warning: refused\nweb not ok: refused\n");
	assert_int_equal(web.used_count, 1);
	end();
}

static void
test_name_of_earlier_run(void **state)
{
	(void)state;
	begin_used("{serviceName: web}", "10.1.0.1", "b.test");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "b.test") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.1.0.1:80x10(b.test)*\n");
	resolves("b.test", "", "timeout");
	pass(100);
	told_is("web not ok: cannot resolve \"b.test\": timeout\n");
	resolves("b.test", "10.1.0.3", NULL);
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.1.0.3:80x10(b.test)*\nweb ok\n");
	end();
	/* It is known not to exist: so is that nobody is there. */
	begin_used("{serviceName: web}", "10.1.0.1", "b.test");
	lists_web();
	says(WEB, "[" ROW("b", "b.test") "]");
	pass(100);
	told_is("");
	resolves("b.test", "", "gone");
	pass(100);
	told_is("web: none\nweb not ok: cannot resolve \"b.test\": gone\n");
	end();
}

/* One data centre that cannot be reached holds back nobody of the others. */
static void
test_one_data_center_of_an_earlier_run(void **state)
{
	(void)state;
	begin_two();
	agent_in_dc1();
	fails("dc2 " WEB, "No path to datacenter");
	says("dc1 " CATALOG, LISTING);
	pass(100);
	str_clear(&told);
	/* Gone while nobody looked. */
	says("dc1 " WEB, "[" ROW("b", "10.0.0.2") "," ROW("c", "10.0.0.3") "]");
	pass(100);
	told_is("web: 10.0.0.2:80x10* 10.0.0.3:80x10* 10.0.0.8:80x10*\n");
	says("dc1 " WEB, "[" ROW("c", "10.0.0.3") "]");
	pass(100);
	told_is("web: 10.0.0.3:80x10* 10.0.0.8:80x10*\n");
	says("dc1 " WEB, "[" ROW_AS("c", "10.0.0.3", "critical", "") "]");
	pass(100);
	told_is("web: 10.0.0.8:80x10*\n");
	end();
}

/* ---- found for a spec that the operator has changed */

static const struct {
	const char *was, *is;
	bool stays;
} edits[] = {
	{ "{serviceName: db}", "{serviceName: db}", true },
	{ "{serviceName: web}", "{serviceName: db}", false },
	{ "{serviceName: db}", "{serviceName: db, subsetTags: [a]}", true },
	{ "{serviceName: db, serviceTags: [a]}", "{serviceName: db}", true },
	{ "{serviceName: db, serviceTags: [b, a]}",
		"{serviceName: db, serviceTags: [a, b]}", true },
	{ "{serviceName: db}", "{serviceName: db, serviceTags: [a]}", false },
	{ "{serviceName: db}", "{serviceName: db, instanceTags: [a]}", false },
	{ "{serviceName: db}", "{serviceName: db, instanceBlacklistTags: [a]}",
		false },
	{ "{hosts: [{addr: 10.0.0.1}]}", "{serviceName: db}", false },
};

/* Watched anew, by a spec that was another one. */
static void
edit(const char *was, const char *is)
{
	struct doc *d = yaml(was);

	upstream_unwatch(&web);
	web.host.used_spec = d;
	upstream_resume(&web, is);
	web.host.used_spec = NULL;
	doc_free(d);
}

static void
begin_edited(const char *was, const char *is)
{
	begin_used(was[1] == 'h' ? "{serviceName: db}" : was, "10.0.0.1", "");
	edit(was, is);
}

#define DB "/v1/health/service/db"

/* Asked in vain, one endpoint of another service is still none of this one. */
static void
test_edited_and_failing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		begin_edited(edits[i].was, edits[i].is);
		pass(1000);
		told_is("");
		fails(DB, "refused");
		pass(1000);
		told_is(edits[i].stays ? "agent warning: refused\n"
					 "web not ok: refused\n"
				       : "agent warning: refused\n"
					 "web: none\n"
					 "web not ok: refused\n");
		fails(DB, NULL);
		end();
	}
}

/* As empty as the rest: for want of rights, or of instances. */
static void
test_edited_and_empty(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		begin_edited(edits[i].was, edits[i].is);
		says(CATALOG, "{\"consul\":[],\"db\":[]}");
		says(DB, "[]");
		pass(0);
		told_is(edits[i].stays ? "" : "web: none\n");
		end();
	}
}

/* Others at the same address: they are told, as is what they were found for. */
static void
test_edited_and_the_same(void **state)
{
	(void)state;
	begin_edited("{serviceName: web}", "{serviceName: db}");
	says(DB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\nweb ok\n");
	edit("{serviceName: web}", "{serviceName: db}");
	says(DB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\nweb ok\n");
	end();
}

/* One more leaves those of the others; one that was left out does not. */
static void
test_edited_data_centers(void **state)
{
	static const struct {
		const char *was, *is;
		bool stays;
	} rows[] = {
		{ "{serviceName: web, dataCenters: [dc2]}",
			"{serviceName: web, dataCenters: [dc3, dc2]}", true },
		{ "{serviceName: web, dataCenters: [dc1, dc2]}",
			"{serviceName: web, dataCenters: [dc2]}", false },
		{ "{serviceName: web}",
			"{serviceName: web, dataCenters: [dc2]}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin_edited(rows[i].was, rows[i].is);
		fails(OWN, "refused");
		fails("dc2 " WEB, "refused");
		if (question("dc3 " WEB) != NULL)
			fails("dc3 " WEB, "refused");
		pass(0);
		assert_int_equal(
			strstr(told.data, "web: none") == NULL, rows[i].stays);
		end();
	}
}

/* Of a data centre that was left out, and of one that cannot be asked. */
static void
test_edited_owners(void **state)
{
	(void)state;
	begin_two();
	edit("{serviceName: web, dataCenters: [dc1, dc2]}",
		"{serviceName: web, dataCenters: [dc2]}");
	fails(OWN, "refused");
	pass(0);
	told_is(OWN_UNKNOWN("refused"));
	fails("dc2 " WEB, "refused");
	pass(100);
	told_is("agent warning: data centre \"dc2\": refused\n"
		"web: 10.0.0.8:80x10*\n"
		"web not ok: data centre \"dc2\": refused\n");
	end();
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_begin)
	const struct CMUnitTest tests[] = {
		TEST(test_earlier_run),
		TEST(test_earlier_run_gone),
		TEST(test_earlier_run_filtered),
		TEST(test_failing_from_the_start),
		TEST(test_name_of_earlier_run),
		TEST(test_one_data_center_of_an_earlier_run),
		TEST(test_edited_and_failing),
		TEST(test_edited_and_empty),
		TEST(test_edited_and_the_same),
		TEST(test_edited_data_centers),
		TEST(test_edited_owners),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
