/* What can be looked at through the admin API beside the resources. */
#include "control/admin_views.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/admin.h"
#include "control/blocks.h"
#include "control/check.h"
#include "control/drops.h"
#include "control/dump.h"
#include "control/endpoints.h"
#include "control/generation.h"
#include "control/kernel_limits.h"
#include "control/limits.h"
#include "control/log_ring.h"
#include "control/metrics.h"
#include "control/relation.h"
#include "control/service_view.h"
#include "control/services.h"
#include "control/sources.h"
#include "control/status.h"
#include "control/spread.h"
#include "control/supervise.h"
#include "fastpath/fastpath.h"
#include "model/wire.h"
#include "version.h"

static void
reply_text(struct http_server_request *r, int status, const char *type,
	const char *text)
{
	http_server_reply(r, status, type, text, strlen(text));
}

/* ---- the three that also loopback TCP has */

static void
get_healthz(struct control *c, struct http_server_request *r)
{
	(void)c;
	reply_text(r, 200, "text/plain", "ok\n");
}

static void
get_readyz(struct control *c, struct http_server_request *r)
{
	char text[160], line[200];
	const char *why = status_not_ready(c, text, sizeof(text));

	snprintf(line, sizeof(line), "%s\n", why == NULL ? "ok" : why);
	reply_text(r, why == NULL ? 200 : 503, "text/plain", line);
}

static void
get_metrics(struct control *c, struct http_server_request *r)
{
	struct str text;

	str_init(&text);
	metrics_prometheus(c, &text);
	http_server_reply(
		r, 200, "text/plain; version=0.0.4", text.data, text.length);
	str_fini(&text);
}

/* ---- small ones */

static void
get_stats(struct control *c, struct http_server_request *r)
{
	struct str text;

	str_init(&text);
	metrics_plain(c, &text);
	http_server_reply(r, 200, "text/plain", text.data, text.length);
	str_fini(&text);
}

static void
get_version(struct control *c, struct http_server_request *r)
{
	struct doc *d = doc_new_map();

	(void)c;
	doc_set_string(d, "version", VERSION);
	doc_set_string(d, "buildId", BUILD_ID);
	doc_set(d, "contract", doc_new_integer(WIRE_CONTRACT));
	admin_reply_doc(r, 200, d);
}

static void
get_logs(struct control *c, struct http_server_request *r)
{
	const char *since = http_server_request_query(r, "since");

	admin_reply_doc(r, 200,
		log_ring_print(c->logs,
			since == NULL ? 0 : strtoull(since, NULL, 10)));
}

static void
get_check(struct control *c, struct http_server_request *r)
{
	admin_reply_doc(r, 200, check_print(c));
}

static void
get_dump(struct control *c, struct http_server_request *r)
{
	admin_reply_doc(r, 200, dump_print(c));
}

/* ---- limits */

static void
get_limits(struct control *c, struct http_server_request *r)
{
	admin_reply_doc(r, 200, limits_print(c));
}

static void
get_blocked(struct control *c, struct http_server_request *r)
{
	admin_reply_doc(r, 200, blocks_print(c->blocks));
}

static void
get_prefixes(struct control *c, struct http_server_request *r)
{
	admin_reply_doc(r, 200, kernel_prefixes_print(c));
}

static void
get_sources(struct control *c, struct http_server_request *r)
{
	const char *limit = http_server_request_query(r, "limit");
	struct sources_query query = {
		.limit = limit == NULL ? SOURCES_SHOWN_DEFAULT
				       : strtoul(limit, NULL, 10),
		.top = http_server_request_query(r, "top") != NULL,
		.ns = http_server_request_query(r, "namespace"),
	};

	if (query.limit > SOURCES_SHOWN_MAX)
		query.limit = SOURCES_SHOWN_MAX;
	admin_reply_doc(r, 200, sources_print(c, &query));
}

static void
get_drops(struct control *c, struct http_server_request *r)
{
	drops_get(c->drops, r);
}

/* ---- endpoints */

static void
get_endpoints(struct control *c, struct http_server_request *r)
{
	const char *limit = http_server_request_query(r, "limit");

	admin_reply_doc(r, 200,
		endpoints_print(c, http_server_request_query(r, "namespace"),
			http_server_request_query(r, "name"),
			limit == NULL ? ENDPOINTS_SHOWN_DEFAULT
				      : strtoul(limit, NULL, 10)));
}

static void
get_services(struct control *c, struct http_server_request *r)
{
	admin_reply_doc(r, 200, services_print(c));
}

/* ---- proxies */

static struct doc *
virtual_host_print(const struct object *o)
{
	const struct model_virtual_service *vs = o->model->virtual_service;
	struct doc *d = doc_new_map();
	struct doc *domains = doc_set(d, "domains", doc_new_list());

	doc_set_string(d, "name", o->label);
	for (size_t i = 0; i < vs->domain_count; i++)
		doc_add(domains, doc_new_string(vs->domains[i]));
	if (vs->domain_count == 0)
		doc_add(domains, doc_new_string("*"));
	doc_set(d, "routes", doc_new_integer((int64_t)vs->route_count));
	return d;
}

static void
tcp_listener_print(const struct model_tcp_host *h, struct doc *d)
{
	struct doc *tcp = doc_set(d, "tcpListener", doc_new_map());
	struct doc *hosts = doc_set(tcp, "tcpHosts", doc_new_list());
	struct doc *one = doc_add(hosts, doc_new_map());
	struct doc *upstream = doc_set(one, "upstream", doc_new_map());

	doc_set_string(one, "name", h->name);
	doc_set_string(
		one, "protocol", model_l4_name((enum model_l4)h->protocol));
	doc_set_string(upstream, "name", h->upstream.name);
	doc_set_string(upstream, "namespace", h->upstream.ns);
}

static void
http_listener_print(
	const struct control *c, const struct model_gateway *g, struct doc *d)
{
	size_t count = objects_count(c->objects, MODEL_VIRTUAL_SERVICE);
	struct doc *http = doc_set(d, "httpListener", doc_new_map());
	struct doc *hosts = doc_set(http, "virtualHosts", doc_new_list());

	for (size_t i = 0; i < count; i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_VIRTUAL_SERVICE, i);

		if (o->model != NULL && gateway_serves(g, o->ns, o->name))
			doc_add(hosts, virtual_host_print(o));
	}
}

static struct doc *
listener_print(const struct control *c, const struct object *gateway)
{
	const struct model_gateway *g = gateway->model->gateway;
	struct doc *d = doc_new_map();

	if (g->tcp == NULL)
		http_listener_print(c, g, d);
	doc_set_string(d, "name", gateway->label);
	doc_set_string(d, "bindAddress", g->bind_address);
	doc_set(d, "bindPort", doc_new_integer(g->bind_port));
	if (g->tcp != NULL)
		tcp_listener_print(&g->tcp->hosts[0], d);
	return d;
}

static void
get_proxies(struct control *c, struct http_server_request *r)
{
	struct doc *d = doc_new_map();
	struct doc *items = doc_set(d, "items", doc_new_list());
	struct doc *one = doc_add(items, doc_new_map());
	struct doc *meta = doc_set(one, "metadata", doc_new_map());
	struct doc *listeners = doc_set(one, "listeners", doc_new_list());
	struct doc *status = doc_set(one, "status", doc_new_map());
	char text[160];
	const char *why = status_not_ready(c, text, sizeof(text));

	doc_set_string(meta, "name", "gateway-proxy");
	doc_set_string(meta, "namespace", c->settings->discovery_namespace);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL && o->slot != 0)
			doc_add(listeners, listener_print(c, o));
	}
	doc_set_string(status, "reportedBy", "gloo");
	doc_set_string(status, "state", why == NULL ? "Accepted" : "Pending");
	if (why != NULL)
		doc_set_string(status, "reason", why);
	admin_reply_doc(r, 200, d);
}

/* ---- status */

static void
proxy_print(const struct control *c, struct doc *to)
{
	struct supervisor_view view;

	supervisor_view(c->supervisor, &view);
	doc_set_string(to, "state", status_proxy(c, generation_number(c)));
	doc_set(to, "pid", doc_new_integer(view.pid));
	doc_set(to, "generation", doc_new_integer((int64_t)view.generation));
	doc_set(to, "workers", doc_new_integer(view.workers));
	doc_set(to, "restarts", doc_new_integer((int64_t)view.restarts));
	doc_set(to, "adopted", doc_new_bool(view.adopted));
	doc_set(to, "draining", doc_new_integer((int64_t)view.draining));
	if (view.problem != NULL)
		doc_set_string(to, "problem", view.problem);
}

static void
steering_print(const struct control *c, struct doc *to)
{
	const char *by = spread_migration(c);
	struct str text;

	str_init(&text);
	spread_explain(c, &text);
	doc_set_string(to, "steering", text.data);
	str_fini(&text);
	doc_set_string(to, "migration", by == NULL ? "" : by);
}

static void
kernel_print(const struct control *c, struct doc *to)
{
	struct doc *list = doc_set(to, "interfaces", doc_new_list());

	doc_set_string(to, "state", status_kernel(c));
	doc_set(to, "mapBytes", doc_new_integer(0));
	if (c->kernel.code != ERROR_NONE)
		doc_set_string(to, "problem", c->kernel.text);
	if (c->fastpath == NULL)
		return;
	steering_print(c, to);
	doc_set(to, "mapBytes",
		doc_new_integer((int64_t)fastpath_map_bytes(c->fastpath)));
	for (size_t i = 0; i < fastpath_interface_count(c->fastpath); i++) {
		const struct fastpath_interface *f =
			fastpath_interface_get(c->fastpath, i);
		struct doc *one = doc_add(list, doc_new_map());

		doc_set_string(one, "name", f->name);
		doc_set(one, "attached", doc_new_bool(f->attached));
		doc_set_string(one, "mode",
			!f->attached                  ? "none"
			: f->mode == FASTPATH_GENERIC ? "generic"
						      : "native");
		doc_set(one, "dispatcher", doc_new_bool(f->dispatcher));
		doc_set(one, "adopted", doc_new_bool(f->adopted));
		doc_set(one, "programId", doc_new_integer(f->program_id));
		doc_set_string(one, "problem", f->problem);
	}
}

static void
objects_print(const struct control *c, struct doc *to, enum model_type type)
{
	for (size_t i = 0; i < objects_count(c->objects, type); i++) {
		const struct object *o = objects_at(c->objects, type, i);
		struct doc *one = doc_add(to, doc_new_map());
		struct status s;

		status_init(&s, c, o, 0);
		doc_set_string(one, "type", model_type_plural(type));
		doc_set_string(one, "namespace", o->ns);
		doc_set_string(one, "name", o->name);
		doc_set_string(one, "state", status_state_name(s.state));
		doc_set_string(one, "reason", s.reason);
		doc_set(one, "generation",
			doc_new_integer((int64_t)s.generation));
		doc_set_string(one, "proxy", s.proxy);
		doc_set_string(one, "kernel", s.kernel);
		status_fini(&s);
	}
}

static void
get_status(struct control *c, struct http_server_request *r)
{
	struct doc *d = doc_new_map();
	struct doc *objects = doc_set(d, "objects", doc_new_list());

	doc_set(d, "generation",
		doc_new_integer((int64_t)generation_number(c)));
	proxy_print(c, doc_set(d, "proxy", doc_new_map()));
	kernel_print(c, doc_set(d, "kernel", doc_new_map()));
	doc_set_string(d, "version", VERSION);
	doc_set_string(d, "buildId", BUILD_ID);
	doc_set(d, "uptimeSeconds",
		doc_new_integer(
			(int64_t)((clock_monotonic_ms() - c->started_ms) /
				  1000)));
	doc_set_string(d, "settings",
		c->settings->path == NULL ? "" : c->settings->path);
	for (int t = 0; t < MODEL_TYPE_COUNT; t++)
		objects_print(c, objects, (enum model_type)t);
	admin_reply_doc(r, 200, d);
}

/* ---- url */

/* The interface of the IPv4 default route. */
static bool
default_interface(char name[IF_NAMESIZE])
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256], device[32];
	unsigned long destination, mask;
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%31s %lx %*x %*x %*d %*d %*d %lx", device,
			    &destination, &mask) != 3)
			continue;
		found = destination == 0 && mask == 0;
	}
	fclose(f);
	if (found)
		snprintf(name, IF_NAMESIZE, "%.*s", IF_NAMESIZE - 1, device);
	return found;
}

/* IPv4 before IPv6, and no link-local one, which needs a scope. */
static bool
interface_address(const char *name, struct addr *out)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (i = all; i != NULL; i = i->ifa_next) {
		struct addr a;

		if (i->ifa_addr == NULL || strcmp(i->ifa_name, name) != 0 ||
			(i->ifa_addr->sa_family != AF_INET &&
				i->ifa_addr->sa_family != AF_INET6))
			continue;
		addr_from_sockaddr(&a, i->ifa_addr);
		if (IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)a.ip))
			continue;
		if (found && !addr_is_v4(&a))
			continue;
		if (found && addr_is_v4(out))
			continue;
		*out = a;
		found = true;
	}
	freeifaddrs(all);
	return found;
}

static void
url_host(const struct control *c, struct addr *addr)
{
	char name[IF_NAMESIZE];
	uint16_t port = addr->port_be;

	if (!addr_is_any(addr))
		return;
	if ((c->settings->interface_count == 0 ||
		    !interface_address(
			    c->settings->interfaces[0].name, addr)) &&
		(!default_interface(name) || !interface_address(name, addr)))
		addr_parse_ip("127.0.0.1", 0, addr);
	addr->port_be = port;
}

static const struct object *
url_gateway(const struct control *c, struct http_server_request *r)
{
	const char *name = http_server_request_query(r, "name");
	const char *ns = http_server_request_query(r, "namespace");

	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL &&
			(name == NULL ? !service_is(o)
				      : strcmp(name, o->name) == 0) &&
			(ns == NULL || strcmp(ns, o->ns) == 0))
			return o;
	}
	return NULL;
}

static const char *
scheme_of(const struct object *gateway)
{
	const struct model_tcp_gateway *t = gateway->model->gateway->tcp;

	if (t == NULL)
		return "http";
	return t->hosts[0].protocol == MODEL_UDP ? "udp" : "tcp";
}

static void
get_url(struct control *c, struct http_server_request *r)
{
	const struct object *o = url_gateway(c, r);
	struct addr addr;
	char text[ADDR_TEXT_MAX], url[ADDR_TEXT_MAX + 16];
	struct doc *d;

	if (o == NULL) {
		admin_reply_error(r, 404, 0, "there is no such gateway");
		return;
	}
	gateway_addr(o->model->gateway, &addr);
	url_host(c, &addr);
	snprintf(url, sizeof(url), "%s://%s", scheme_of(o),
		addr_format(&addr, text));
	d = doc_new_map();
	doc_set_string(d, "url", url);
	admin_reply_doc(r, 200, d);
}

/* ---- which of them */

static const struct view {
	const char *path;
	void (*get)(struct control *c, struct http_server_request *r);
	bool everywhere;
} views[] = {
	{ "/metrics", get_metrics, true },
	{ "/healthz", get_healthz, true },
	{ "/readyz", get_readyz, true },
	{ "/v1/proxies", get_proxies, false },
	{ "/v1/dump", get_dump, false },
	{ "/v1/status", get_status, false },
	{ "/v1/check", get_check, false },
	{ "/v1/endpoints", get_endpoints, false },
	{ "/v1/services", get_services, false },
	{ "/v1/url", get_url, false },
	{ "/v1/limits", get_limits, false },
	{ "/v1/blocked", get_blocked, false },
	{ "/v1/prefixes", get_prefixes, false },
	{ "/v1/sources", get_sources, false },
	{ "/v1/drops", get_drops, false },
	{ "/v1/logs", get_logs, false },
	{ "/v1/stats", get_stats, false },
	{ "/v1/version", get_version, false },
};

bool
admin_views_get(struct control *c, struct http_server_request *r,
	const char *path, bool local)
{
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		if (strcmp(path, views[i].path) != 0 ||
			(!local && !views[i].everywhere))
			continue;
		views[i].get(c, r);
		return true;
	}
	return false;
}
