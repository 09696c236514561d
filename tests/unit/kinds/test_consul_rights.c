/*
 * THE rule of a Consul upstream: what is empty or hidden for want of rights
 * takes nothing away.
 */
#include "consul_upstream.h"

static void
test_empty_but_listed(void **state)
{
	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "]");
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS - 1);
	told_is("");
	pass(1);
	told_is(WEB_STAYS("though its catalog lists it"));
	/* The rights are back. */
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "]");
	pass(50);
	told_is("web: 10.0.0.1:80x10* 10.0.0.2:80x10*\nweb ok\n");
	end();
}

/* Deregistered: both answers change, in either order. */
static void
test_empty_and_gone(void **state)
{
	(void)state;
	for (int health_first = 0; health_first < 2; health_first++) {
		begin_known("[" ROW("a", "10.0.0.1") "]");
		if (health_first)
			says(WEB, "[]");
		pass(100);
		told_is("");
		says(CATALOG, "{\"consul\":[]}");
		if (!health_first) {
			pass(100);
			told_is("");
			says(WEB, "[]");
		}
		pass(100);
		told_is("web: none\n" WEB_GONE);
		lists_web();
		says(WEB, "[" ROW("a", "10.0.0.1") "]");
		pass(100);
		told_is("web: 10.0.0.1:80x10*\nweb ok\n");
		end();
	}
}

/* The catalog is 403, or as empty as the rest: nobody knows. */
static void
test_empty_and_nobody_knows(void **state)
{
	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "]");
	says(CATALOG, "{}");
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	str_consume(&told, strcspn(told.data, "\n") + 1); /* the catalog's */
	told_is(WEB_STAYS("though its catalog lists it"));
	fails(CATALOG, "403 (Permission denied)");
	pass(10000);
	told_is("catalog warning: 403 (Permission denied)\n");
	/* The catalog is well again, and it is gone indeed. */
	says(CATALOG, "{\"consul\":[]}");
	told_is("");
	fails(CATALOG, NULL);
	pass(100);
	told_is("catalog ok\nweb: none\n" WEB_GONE);
	end();
}

static void
test_catalog_never_answered(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	fails(CATALOG, "403");
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(100);
	told_is("catalog warning: 403\nweb: 10.0.0.1:80x10*\nweb ok\n");
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(WEB_STAYS("and its catalog does not say that it is gone"));
	end();
}

/* 1.11 and newer say that they hide something. */
static void
test_filtered(void **state)
{
	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "]");
	says_filtered(
		WEB, "[" ROW("b", "10.0.0.7") "," ROW("c", "10.0.0.3") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.0.0.3:80x10* "
		"10.0.0.7:80x10*\n" WEB_HIDDEN);
	/* What was seen with these rights may go. */
	says_filtered(WEB, "[" ROW("b", "10.0.0.7") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.0.0.7:80x10*\n");
	says_filtered(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(WEB_STAYS("though its catalog lists it"));
	/* The catalog says that it is gone, but something is hidden. */
	says(CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is(WEB_STAYS("and hides some for lack of rights"));
	lists_web();
	says(WEB, "[" ROW("b", "10.0.0.7") "]");
	pass(100);
	told_is("web: 10.0.0.7:80x10*\nweb ok\n");
	end();
}

/* All rights are lost, and some come back. */
static void
test_filtered_wholly_first(void **state)
{
	(void)state;
	begin_known("[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "]");
	says_filtered(WEB, "[]");
	pass(100);
	str_clear(&told);
	says_filtered(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(WEB_HIDDEN);
	end();
}

static void
test_few_rights_all_along(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	says_filtered(CATALOG, "{\"web\":[],\"api\":[]}");
	says_filtered(
		WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "]");
	pass(100);
	str_clear(&told);
	says_filtered(WEB, "[" ROW("b", "10.0.0.2") "]");
	pass(100);
	told_is("web: 10.0.0.2:80x10*\n");
	/* It goes, for those who see few services as well. */
	says(WEB, "[]");
	says_filtered(CATALOG, "{\"api\":[]}");
	pass(100);
	told_is("web: none\n" WEB_GONE);
	end();
}

static void
test_never_there(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	says(WEB, "[]");
	pass(100);
	told_is("");
	says(CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is(WEB_GONE);
	lists_web();
	pass(CONSUL_EMPTY_TELL_MS);
	told_is("web not ok: Consul shows no instance of service \"web\", "
		"though its catalog lists it: the token may lack service:read "
		"or node:read\n");
	end();
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_begin)
	const struct CMUnitTest tests[] = {
		TEST(test_empty_but_listed),
		TEST(test_empty_and_gone),
		TEST(test_empty_and_nobody_knows),
		TEST(test_catalog_never_answered),
		TEST(test_filtered),
		TEST(test_filtered_wholly_first),
		TEST(test_few_rights_all_along),
		TEST(test_never_there),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
