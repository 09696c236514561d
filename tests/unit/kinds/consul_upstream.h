/*
 * The upstream "web" of a Consul agent in the test's hands, for tests of what
 * its endpoints are.
 */
#ifndef TESTS_UNIT_KINDS_CONSUL_UPSTREAM_H
#define TESTS_UNIT_KINDS_CONSUL_UPSTREAM_H

#include "consul_fake.h"

#include "kinds/consul/feed.h"

#define WEB "/v1/health/service/web"

/* The catalog that has it. */
#define LISTING "{\"consul\":[],\"web\":[]}"

/* One row of /v1/health/service; status of its one check. */
#define ROW_IN(dc, node, id, address, port, status, tags)                      \
	"{\"Node\":{\"Node\":\"" node "\",\"Datacenter\":\"" dc "\","          \
	"\"Address\":\"10.0.9.9\",\"TaggedAddresses\":{\"wan\":\"192.0.2.9\"}" \
	"},\"Service\":{\"ID\":\"" id "\",\"Service\":\"web\","                \
	"\"Address\":\"" address "\",\"Port\":" port ",\"Tags\":[" tags "],"   \
	"\"Weights\":{\"Passing\":10,\"Warning\":1}},\"Checks\":[{"            \
	"\"CheckID\":\"c\",\"Status\":\"" status "\"}]}"
#define ROW_AS(id, address, status, tags)                                      \
	ROW_IN("dc1", "n1", id, address, "80", status, tags)
#define ROW(id, address) ROW_AS(id, address, "passing", "\"v1\"")

/* What is told, more than once. */
#define WEB_GONE                                                               \
	"web not ok: there is no service \"web\" in Consul's catalog, or "     \
	"the token may not read it\n"
#define WEB_HIDDEN                                                             \
	"web not ok: Consul hides instances of service \"web\" for lack of "   \
	"rights: those that were known stay; give the token service:read "     \
	"and node:read\n"
#define WEB_STAYS(why)                                                         \
	"web not ok: Consul shows no instance of service \"web\" any "         \
	"more, " why                                                           \
	": those that were known stay; the token may lack service:read or "    \
	"node:read\n"
/* The condition while nobody says where the agent is. */
#define OWN_UNKNOWN(why)                                                       \
	"dataCenter warning: which data centre is the agent's own is not "     \
	"known, so that instances of others are called at the address that "   \
	"they have there: " why "\n"

static struct upstream web;

static inline void
begin(const char *settings, const char *spec)
{
	world_open(settings);
	upstream_watch(&web, &upstream_kind_consul, world.shared, "web", spec);
}

static inline void
end(void)
{
	upstream_unwatch(&web);
	str_clear(&told);
	world_close();
}

static inline void
lists_web(void)
{
	says(CATALOG, LISTING);
}

static inline void
begin_listed(const char *spec)
{
	begin("{}", spec);
	lists_web();
}

/* Its instances are known, and were told. */
static inline void
begin_known(const char *rows)
{
	begin_listed("{serviceName: web}");
	says(WEB, rows);
	pass(100);
	str_clear(&told);
}

/* An earlier run knew an endpoint, which the kind is told from the start. host:
 * the name that it was found by, or "". */
static inline void
begin_used(const char *spec, const char *ip, const char *host)
{
	struct endpoint *used = &web.used[0];

	world_open("{}");
	upstream_init(&web, &upstream_kind_consul, world.shared, "web");
	web.used_count = 1;
	assert_int_equal(addr_parse_ip(ip, 80, &used->addr), 0);
	used->weight = 10;
	used->owner = 7;
	used->health = ENDPOINT_DOWN; /* by an active check */
	snprintf(used->host, sizeof(used->host), "%s", host);
	upstream_resume(&web, spec);
}

/* It says where it is. */
static inline void
agent_in_dc1(void)
{
	says(OWN, "[" ROW_IN("dc1", "n1", "consul", "10.0.0.9", "8300",
			  "passing", "") "]");
}

#endif
