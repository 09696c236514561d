/*
 * The endpoints of a Consul upstream: which instances, at which addresses, and
 * what must not take them away.
 */
#include "consul_fake.h"

#include "kinds/consul/feed.h"
#include "model/subset.h"

#define CATALOG "/v1/catalog/services"
#define WEB     "/v1/health/service/web"
#define OWN     "/v1/health/service/consul"

/* One row of /v1/health/service; status of its one check. */
#define ROW_IN(dc, node, id, address, port, status, tags)                      \
	"{\"Node\":{\"Node\":\"" node "\",\"Datacenter\":\"" dc "\","          \
	"\"Address\":\"10.0.9.9\",\"TaggedAddresses\":{\"wan\":\"192.0.2.9\"}" \
	"},\"Service\":{\"ID\":\"" id "\",\"Service\":\"web\","                \
	"\"Address\":\"" address "\",\"Port\":" port ",\"Tags\":[" tags "],"   \
	"\"Weights\":{\"Passing\":10,\"Warning\":1}},\"Checks\":[{"            \
	"\"CheckID\":\"c\",\"Status\":\"" status "\"}]}"
#define ROW(id, address)                                                       \
	ROW_IN("dc1", "n1", id, address, "80", "passing", "\"v1\"")

/* The condition while nobody says where the agent is. */
#define OWN_UNKNOWN(why)                                                       \
	"dataCenter warning: which data centre is the agent's own is not "    \
	"known, so that instances of others are called at the address that "   \
	"they have there: " why "\n"

static struct upstream web;

static void
begin(const char *settings, const char *spec)
{
	world_open(settings);
	upstream_watch(&web, &upstream_kind_consul, world.shared, "web", spec);
}

static void
end(void)
{
	upstream_unwatch(&web);
	str_clear(&told);
	world_close();
}

static void
lists_web(void)
{
	says(CATALOG, "{\"consul\":[],\"web\":[]}");
}

/* With what is used now. */
static void
watch_again(const char *spec)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(spec);
	void *read = upstream_kind_consul.read(d, &err);

	if (read == NULL)
		fail_msg("%s", err.text);
	web.state = upstream_kind_consul.watch(read, &web.host);
	upstream_kind_consul.free(read);
	doc_free(d);
}

/* As upstream_watch, but an earlier run knew an endpoint, which the kind is
 * told from the start. */
static void
watch_used(const char *spec, const char *ip, const char *host)
{
	struct endpoint *used = &web.used[0];

	web = (struct upstream){
		.host = { .endpoints_replace = upstream_endpoints_replace,
			.endpoints_used = upstream_endpoints_used,
			.condition_set = upstream_condition_set,
			.note_set = upstream_note_set,
			.shared = world.shared },
		.name = "web",
		.kind = &upstream_kind_consul,
		.used_count = 1,
	};
	assert_int_equal(addr_parse_ip(ip, 80, &used->addr), 0);
	used->weight = 10;
	used->owner = 7;
	used->health = ENDPOINT_DOWN; /* by an active check */
	snprintf(used->host, sizeof(used->host), "%s", host);
	watch_again(spec);
}

/* An earlier run knew 10.0.0.1 of dc1 and 10.0.0.8 of dc2. */
static void
watch_two(void)
{
	static char dc1[] = "dc1", dc2[] = "dc2", n1[] = "n1", a[] = "a";
	const struct consul_instance near = { dc1, n1, a, .port = 80 };
	const struct consul_instance far = { dc2, n1, a, .port = 80 };

	watch_used(
		"{serviceName: web, dataCenters: [dc1, dc2]}", "10.0.0.1", "");
	web.used[0].owner = consul_instance_owner(&near);
	web.used[1] = web.used[0];
	web.used[1].owner = consul_instance_owner(&far);
	assert_int_equal(addr_parse_ip("10.0.0.8", 80, &web.used[1].addr), 0);
	web.used_count = 2;
	upstream_kind_consul.unwatch(web.state);
	watch_again("{serviceName: web, dataCenters: [dc1, dc2]}");
}

/* ---- which instances */

static void
test_instances(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	assert_null(question(WEB)->datacenter);
	lists_web();
	says(WEB, "[" ROW("b", "10.0.0.2") "," ROW("a", "10.0.0.1") "," ROW(
			  "no-address", "") "," ROW_IN("dc1", "n1", "w",
			  "10.0.0.3", "80", "warning", "") "," ROW_IN("dc1",
			  "n1", "c", "10.0.0.4", "80", "critical", "") "]");
	told_is("");
	pass(0);
	told_is("web: 10.0.0.1:80x10* 10.0.0.2:80x10* 10.0.0.3:80* "
		"10.0.9.9:80x10*\n"
		"web ok\n");
	/* The same again: nothing. */
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "," ROW_IN(
			  "dc1", "n1", "w", "10.0.0.3", "80", "warning",
			  "\"new\"") "," ROW("no-address", "") "]");
	pass(100);
	told_is("");
	/* The weight alone. */
	says(WEB, "[" ROW_IN("dc1", "n1", "w", "10.0.0.3", "80", "passing",
			  "") "]");
	pass(0);
	told_is("web: 10.0.0.3:80x10*\n");
	end();
}

/* Others at the same address: pools and health are not theirs. */
static void
test_owner(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	lists_web();
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
	begin("{}", "{serviceName: web}");
	lists_web();
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
	begin("{}", "{serviceName: web, serviceTags: [a], instanceTags: [b], "
		    "instanceBlacklistTags: [x]}");
	lists_web();
#define TAGGED(ip, tags) ROW_IN("dc1", "n1", ip, ip, "80", "passing", tags)
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
	says(WEB, "[" ROW_IN("dc1", "n1", "a", "10.0.0.1", "80", "critical",
			  "\"a\",\"b\"") "]");
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
	begin("{}", "{serviceName: web, subsetTags: [canary]}");
	lists_web();
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
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") ",7," ROW_IN("dc1", "n1", "p",
			  "10.0.0.2", "0", "passing", "") "]");
	pass(0);
	told_is("web: 10.0.0.1:80x10*\n"
		"web ok\n"
		"web note 2 of the instances of service \"web\" cannot be "
		"used: instance 2: an instance is not a map\n");
	/* Nobody at all is left: that takes nothing away. */
	says(WEB, "[" ROW_IN("dc1", "n1", "a", "10.0.0.1", "0", "passing",
			  "") "]");
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
	"{\"Node\":{\"Node\":\"n1\",\"Datacenter\":\"dc1\"},\"Service\":{"         \
	"\"ID\":\"" id "\",\"Address\":\"10.0.0.7\",\"Port\":80,\"" key           \
	"\":\"bad\"}}"
	(void)state;
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "," ROW(
			  "c", "10.0.0.3") "]");
	pass(0);
	str_clear(&told);
	/* Nobody has known x. */
	says(WEB, "[" GARBLED("x", "Tags") "," GARBLED("a", "Weights") "," ROW(
			  "b", "10.0.0.4") "]");
	pass(50);
	told_is("web: 10.0.0.1:80x10* 10.0.0.4:80x10*\n"
		"web note 2 of the instances of service \"web\" cannot be "
		"used: instance x on node n1: Tags is not a list\n");
	/* Again, and to who sees less. */
	says_filtered(WEB, "[" GARBLED("a", "Weights") "," ROW("d",
				   "10.0.0.5") "]");
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
	says(WEB, "[" ROW("b", "10.0.0.2") "," ROW_IN("dc1", "n1", "a",
			  "10.0.0.6", "0", "passing", "") "]");
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
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	str_clear(&told);
	assert_int_equal(answer_to(WEB, "[{\"Node\"", &err), -1);
	assert_int_equal(answer_to(WEB, "{}", &err), -1);
	pass(10000);
	told_is("");
	end();
}

/* ---- THE rule: what is empty for want of rights takes nothing away */

#define STAY(why)                                                              \
	"web not ok: Consul shows no instance of service \"web\" any "         \
	"more, " why                                                           \
	": those that were known stay; the token may lack service:read "       \
	"or node:read\n"

static void
test_empty_but_listed(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(0);
	str_clear(&told);
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS - 1);
	told_is("");
	pass(1);
	told_is(STAY("though its catalog lists it"));
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
		begin("{}", "{serviceName: web}");
		lists_web();
		says(WEB, "[" ROW("a", "10.0.0.1") "]");
		pass(100);
		str_clear(&told);
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
		told_is("web: none\n"
			"web not ok: there is no service \"web\" in Consul's "
			"catalog, or the token may not read it\n");
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
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(100);
	str_clear(&told);
	says(CATALOG, "{}");
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	str_consume(&told, strcspn(told.data, "\n") + 1); /* the catalog's */
	told_is(STAY("though its catalog lists it"));
	fails(CATALOG, "403 (Permission denied)");
	pass(10000);
	told_is("catalog warning: 403 (Permission denied)\n");
	/* The catalog is well again, and it is gone indeed. */
	says(CATALOG, "{\"consul\":[]}");
	told_is("");
	fails(CATALOG, NULL);
	pass(100);
	told_is("catalog ok\n"
		"web: none\n"
		"web not ok: there is no service \"web\" in Consul's catalog, "
		"or the token may not read it\n");
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
	told_is(STAY("and its catalog does not say that it is gone"));
	end();
}

/* 1.11 and newer say that they hide something. */
static void
test_filtered(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "]");
	pass(100);
	str_clear(&told);
	says_filtered(
		WEB, "[" ROW("b", "10.0.0.7") "," ROW("c", "10.0.0.3") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.0.0.3:80x10* 10.0.0.7:80x10*\n"
		"web not ok: Consul hides instances of service \"web\" for "
		"lack of rights: those that were known stay; give the token "
		"service:read and node:read\n");
	/* What was seen with these rights may go. */
	says_filtered(WEB, "[" ROW("b", "10.0.0.7") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.0.0.7:80x10*\n");
	says_filtered(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(STAY("though its catalog lists it"));
	/* The catalog says that it is gone, but something is hidden. */
	says(CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is(STAY("and hides some for lack of rights"));
	says(CATALOG, "{\"consul\":[],\"web\":[]}");
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
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "10.0.0.2") "]");
	pass(100);
	says_filtered(WEB, "[]");
	pass(100);
	str_clear(&told);
	says_filtered(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is("web not ok: Consul hides instances of service \"web\" for "
		"lack of rights: those that were known stay; give the token "
		"service:read and node:read\n");
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
	told_is("web: none\n"
		"web not ok: there is no service \"web\" in Consul's catalog, "
		"or the token may not read it\n");
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
	told_is("web not ok: there is no service \"web\" in Consul's catalog, "
		"or the token may not read it\n");
	lists_web();
	pass(CONSUL_EMPTY_TELL_MS);
	told_is("web not ok: Consul shows no instance of service \"web\", "
		"though its catalog lists it: the token may lack service:read "
		"or node:read\n");
	end();
}

/* ---- an agent that fails */

static void
test_failing(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "]");
	pass(100);
	str_clear(&told);
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

static void
test_failing_from_the_start(void **state)
{
	(void)state;
	world_open("{}");
	watch_used("{serviceName: web}", "10.0.0.1", "");
	fails(WEB, "refused");
	pass(100);
	told_is("agent warning: refused\nweb not ok: refused\n");
	assert_int_equal(web.used_count, 1);
	end();
}

/* ---- what an earlier run knew */

static void
test_earlier_run(void **state)
{
	(void)state;
	world_open("{}");
	watch_used("{serviceName: web}", "10.0.0.1", "");
	lists_web();
	pass(100);
	told_is("");
	says(WEB, "[]");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(STAY("though its catalog lists it"));
	says(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(50);
	told_is("web: 10.0.0.2:80x10*\nweb ok\n");
	end();
}

static void
test_earlier_run_gone(void **state)
{
	(void)state;
	world_open("{}");
	watch_used("{serviceName: web}", "10.0.0.1", "");
	says(WEB, "[]");
	/* As who has few rights sees it: that is not sure. */
	says(CATALOG, "{\"api\":[]}");
	pass(CONSUL_EMPTY_TELL_MS);
	told_is(STAY("and its catalog does not say that it is gone"));
	says(CATALOG, "{\"consul\":[]}");
	pass(100);
	told_is("web: none\n"
		"web not ok: there is no service \"web\" in Consul's catalog, "
		"or the token may not read it\n");
	end();
}

static void
test_earlier_run_filtered(void **state)
{
	(void)state;
	world_open("{}");
	watch_used("{serviceName: web}", "10.0.0.1", "");
	lists_web();
	says_filtered(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(100);
	told_is("web: 10.0.0.1:80x10* 10.0.0.2:80x10*\n"
		"web not ok: Consul hides instances of service \"web\" for "
		"lack of rights: those that were known stay; give the token "
		"service:read and node:read\n");
	says(WEB, "[" ROW("a", "10.0.0.2") "]");
	pass(100);
	told_is("web: 10.0.0.2:80x10*\nweb ok\n");
	end();
}

/* ---- what was found for a spec that the operator has changed */

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

static void
watch_edited(const char *was, const char *is)
{
	struct doc *d = yaml(was);

	web.host.used_spec = d;
	watch_again(is);
	web.host.used_spec = NULL;
	doc_free(d);
}

static void
begin_edited(const char *was, const char *is)
{
	world_open("{}");
	watch_used(was[1] == 'h' ? "{serviceName: db}" : was, "10.0.0.1", "");
	upstream_kind_consul.unwatch(web.state);
	watch_edited(was, is);
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
		told_is(edits[i].stays
				? "agent warning: refused\nweb not ok: refused\n"
				: "agent warning: refused\nweb: none\n"
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
	upstream_kind_consul.unwatch(web.state);
	watch_edited("{serviceName: web}", "{serviceName: db}");
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
	world_open("{}");
	watch_two();
	upstream_kind_consul.unwatch(web.state);
	watch_edited("{serviceName: web, dataCenters: [dc1, dc2]}",
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

/* ---- data centres */

static void
test_data_centers(void **state)
{
	(void)state;
	world_open("{}");
	watch_used(
		"{serviceName: web, dataCenters: [dc1, dc2]}", "10.0.0.8", "");
	/* Which address of an instance: that waits for who is far. */
	assert_null(question("dc1 " WEB));
	says(OWN, "[" ROW_IN("dc1", "n1", "consul", "10.0.0.1", "8300",
			  "passing", "") "]");
	says("dc1 " CATALOG, "{\"consul\":[],\"web\":[]}");
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
	says("dc2 " WEB,
		"[" ROW_IN("dc2", "n1", "b", "", "80", "passing", "") "]");
	says("dc2 " CATALOG, "{\"consul\":[],\"web\":[]}");
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
		"\"dc1\" "
		"in Consul's catalog, or the token may not read it\n");
	end();
}

/* One data centre that cannot be reached holds back nobody of the others. */
static void
test_one_data_center_of_an_earlier_run(void **state)
{
	(void)state;
	world_open("{}");
	watch_two();
	says(OWN, "[" ROW_IN("dc1", "n1", "consul", "10.0.0.9", "8300",
			  "passing", "") "]");
	fails("dc2 " WEB, "No path to datacenter");
	says("dc1 " CATALOG, "{\"consul\":[],\"web\":[]}");
	pass(100);
	str_clear(&told);
	/* Gone while nobody looked. */
	says("dc1 " WEB, "[" ROW("b", "10.0.0.2") "," ROW("c", "10.0.0.3") "]");
	pass(100);
	told_is("web: 10.0.0.2:80x10* 10.0.0.3:80x10* 10.0.0.8:80x10*\n");
	says("dc1 " WEB, "[" ROW("c", "10.0.0.3") "]");
	pass(100);
	told_is("web: 10.0.0.3:80x10* 10.0.0.8:80x10*\n");
	says("dc1 " WEB, "[" ROW_IN("dc1", "n1", "c", "10.0.0.3", "80",
				 "critical", "") "]");
	pass(100);
	told_is("web: 10.0.0.8:80x10*\n");
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
	says(OWN, "[" ROW_IN("dc1", "n1", "consul", "10.0.0.9", "8300",
			  "passing", "") "]");
	says("dc2 " CATALOG, "{\"consul\":[],\"web\":[]}");
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
	says("dc2 " WEB,
		"[" ROW_IN("dc2", "n1", "b", "", "80", "passing", "") "]");
	pass(0);
	told_is(OWN_UNKNOWN("403") "web: 10.0.9.9:80x10*\nweb ok\n");
	/* Answered, and nobody is shown. */
	says(OWN, "[]");
	told_is(OWN_UNKNOWN("Consul shows no instance of its own service "
			    "\"consul\": give the token service:read and "
			    "node:read"));
	/* It is far after all: asked anew. */
	says(OWN, "[" ROW_IN("dc1", "n1", "consul", "10.0.0.1", "8300",
			  "passing", "") "]");
	says("dc2 " WEB,
		"[" ROW_IN("dc2", "n1", "b", "", "80", "passing", "") "]");
	pass(100);
	told_is("dataCenter ok\nweb: 192.0.2.9:80x10*\n");
	/* What was heard once is believed on. */
	says(OWN, "[]");
	fails(OWN, "refused");
	pass(100);
	told_is("");
	end();
}

/* ---- host names */

static void
test_names(void **state)
{
	(void)state;
	begin("{}", "{serviceName: web}");
	lists_web();
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

static void
test_name_of_earlier_run(void **state)
{
	(void)state;
	world_open("{}");
	watch_used("{serviceName: web}", "10.1.0.1", "b.test");
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
	world_open("{}");
	watch_used("{serviceName: web}", "10.1.0.1", "b.test");
	lists_web();
	says(WEB, "[" ROW("b", "b.test") "]");
	pass(100);
	told_is("");
	resolves("b.test", "", "gone");
	pass(100);
	told_is("web: none\nweb not ok: cannot resolve \"b.test\": gone\n");
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

/* For people: each data centre, and the host names of instances. */
static void
test_show(void **state)
{
	struct doc *d = doc_new_map();
	const struct doc *one;

	(void)state;
	begin("{}", "{serviceName: web, serviceTags: [v1]}");
	lists_web();
	says(WEB, "[" ROW("a", "10.0.0.1") "," ROW("b", "b.test") "," ROW_IN(
			  "dc1", "n1", "c", "10.0.0.4", "80", "critical",
			  "\"v1\"") "," ROW_IN("dc1", "n1", "d", "10.0.0.5",
			  "80", "passing", "") "]");
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
		TEST(test_empty_but_listed),
		TEST(test_empty_and_gone),
		TEST(test_empty_and_nobody_knows),
		TEST(test_catalog_never_answered),
		TEST(test_filtered),
		TEST(test_filtered_wholly_first),
		TEST(test_few_rights_all_along),
		TEST(test_never_there),
		TEST(test_failing),
		TEST(test_failing_from_the_start),
		TEST(test_earlier_run),
		TEST(test_earlier_run_gone),
		TEST(test_earlier_run_filtered),
		TEST(test_edited_and_failing),
		TEST(test_edited_and_empty),
		TEST(test_edited_and_the_same),
		TEST(test_edited_data_centers),
		TEST(test_edited_owners),
		TEST(test_data_centers),
		TEST(test_one_data_center_of_an_earlier_run),
		TEST(test_failure_of_a_former_question),
		TEST(test_own_data_center_unknown),
		TEST(test_names),
		TEST(test_name_of_earlier_run),
		TEST(test_question),
		TEST(test_show),
		TEST(test_not_configured),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
