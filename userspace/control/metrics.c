/* The numbers of proxy and kernel as text. */
#include "control/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/blocks.h"
#include "control/credentials.h"
#include "control/discovered.h"
#include "control/discovery.h"
#include "control/foreign.h"
#include "control/functions.h"
#include "control/generation.h"
#include "control/health.h"
#include "control/kernel_limits.h"
#include "control/limits.h"
#include "control/materials.h"
#include "control/programs.h"
#include "control/relation.h"
#include "control/service_view.h"
#include "control/services.h"
#include "control/status.h"
#include "control/supervise.h"
#include "fastpath/fastpath.h"
#include "fastpath/sockets.h"
#include "model/counters.h"
#include "net/resolver.h"
#include "version.h"

#define PREFIX "gloo_gateway_"

void
metrics_label(struct str *out, const char *name, const char *value)
{
	str_printf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			str_puts(out, "\\n");
		else if (*value == '"' || *value == '\\')
			str_printf(out, "\\%c", *value);
		else
			str_putc(out, *value);
	}
	str_putc(out, '"');
}

static void
head(struct str *out, const char *name, const char *type, const char *help)
{
	str_printf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
		name, help, name, type);
}

static void
one(struct str *out, const char *name, const char *type, const char *help,
	uint64_t value)
{
	head(out, name, type, help);
	str_printf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static uint64_t
field(const void *sums, const struct counter_name *name)
{
	uint64_t value;

	memcpy(&value, (const char *)sums + name->offset, sizeof(value));
	return value;
}

/* ---- of the proxy */

/* A gateway that listens, and what its slot counted. */
struct listener_row {
	const struct object *gateway;
	char addr[ADDR_TEXT_MAX];
	struct counters_listener sums;
};

static struct listener_row *
listeners_collect(const struct control *c, size_t *count)
{
	size_t room = objects_count(c->objects, MODEL_GATEWAY);
	struct listener_row *rows = xcalloc(room + 1, sizeof(*rows));

	*count = 0;
	for (size_t i = 0; i < room; i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);
		const struct listener *l = listeners_get(c->listeners, o->slot);
		struct listener_row *row = &rows[*count];

		if (o->slot == 0 || l == NULL || service_is(o))
			continue;
		row->gateway = o;
		addr_format(&l->addr, row->addr);
		supervisor_sum_listener(c->supervisor, o->slot, &row->sums);
		(*count)++;
	}
	return rows;
}

struct upstream_row {
	const struct object *upstream;
	struct counters_upstream sums;
};

static struct upstream_row *
upstreams_collect(const struct control *c, size_t *count)
{
	size_t room = objects_count(c->objects, MODEL_UPSTREAM);
	struct upstream_row *rows = xcalloc(room + 1, sizeof(*rows));

	*count = 0;
	for (size_t i = 0; i < room; i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_UPSTREAM, i);

		if (o->model == NULL)
			continue;
		rows[*count].upstream = o;
		supervisor_sum_upstream(
			c->supervisor, o->id, &rows[(*count)++].sums);
	}
	return rows;
}

static void
family_head(struct str *out, const char *family, const struct counter_name *n)
{
	char *name = xasprintf("%s_%s", family, n->name);

	head(out, name, counter_is_gauge(n->name) ? "gauge" : "counter", n->help);
	free(name);
}

/* Counted in slot 0; printed with the process's own. */
static bool
is_of_the_box(const struct counter_name *n)
{
	return n->offset ==
		       offsetof(struct counters_listener, access_log_dropped) ||
	       n->offset == offsetof(struct counters_listener, regex_limited);
}

static void
listeners_print(const struct control *c, struct str *out)
{
	size_t count;
	struct listener_row *rows = listeners_collect(c, &count);

	for (const struct counter_name *n = counters_listener_names;
		n->name != NULL; n++) {
		if (is_of_the_box(n))
			continue;
		family_head(out, "listener", n);
		for (size_t i = 0; i < count; i++) {
			str_printf(out, PREFIX "listener_%s{", n->name);
			metrics_label(out, "listener", rows[i].gateway->label);
			str_putc(out, ',');
			metrics_label(out, "address", rows[i].addr);
			str_printf(out, "} %" PRIu64 "\n",
				field(&rows[i].sums, n));
		}
	}
	free(rows);
}

/* What was brought to listeners from their additional addresses. */
static void
binds_print(const struct control *c, struct str *out)
{
	static const char *const results[] = { "steered", "no_socket" };
	uint64_t counts[2];

	head(out, "listener_additional_connections", "counter",
		"connection requests to additionalAddresses");
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);
		size_t binds = o->slot == 0 || o->model == NULL
				       ? 0
				       : o->model->gateway->bind_count;

		for (size_t k = 0; k < 2 * binds; k++) {
			const struct model_gateway *g = o->model->gateway;
			struct sockets_bind b;

			gateway_bind(g, k / 2, &b);
			sockets_bind_count(
				c->sockets, &b, &counts[0], &counts[1]);
			str_puts(
				out, PREFIX "listener_additional_connections{");
			metrics_label(out, "listener", o->label);
			str_putc(out, ',');
			metrics_label(out, "address", g->binds[k / 2].address);
			str_printf(out, ",port=\"%u", b.first_port);
			if (b.last_port != b.first_port)
				str_printf(out, "-%u", b.last_port);
			str_printf(out, "\",result=\"%s\"} %" PRIu64 "\n",
				results[k % 2], counts[k % 2]);
		}
	}
}

/* A number of struct health_counts. */
struct health_family {
	const char *name, *type, *help; /* type NULL: as the row before */
	const char *result;             /* a label, or NULL */
	size_t offset;
};

#define AT(member) offsetof(struct health_counts, member)

static const struct health_family health_families[] = {
	{ "upstream_endpoints_up", "gauge", "endpoints that are up", NULL,
		AT(up) },
	{ "upstream_endpoints_draining", "gauge", "endpoints that drain", NULL,
		AT(draining) },
	{ "upstream_endpoints_down", "gauge",
		"endpoints that are down, ejected ones among them", NULL,
		AT(down) },
	{ "upstream_endpoints_ejected", "gauge",
		"endpoints left out for their answers now", NULL, AT(ejected) },
	{ "upstream_endpoints_tls_failing", "gauge",
		"endpoints with which TLS fails", NULL, AT(tls_failing) },
	{ "upstream_health_checks", "counter", "answers of health checks", "ok",
		AT(checks.ok) },
	{ "upstream_health_checks", NULL, NULL, "failed", AT(checks.failed) },
	{ "upstream_health_checks", NULL, NULL, "put_off", AT(checks.put_off) },
	{ "upstream_ejections", "counter",
		"endpoints left out for their answers", NULL, AT(ejections) },
	{ "upstream_ejections_withheld", "counter",
		"ejections that maxEjectionPercent or enforcing... withheld",
		NULL, AT(ejections_withheld) },
};

#undef AT

static uint64_t
health_field(const struct object *upstream, size_t offset)
{
	const struct health *h = discovery_health(upstream->discovery);
	struct health_counts counts;
	uint64_t value;

	if (h == NULL)
		return 0;
	health_counts(h, &counts);
	memcpy(&value, (const char *)&counts + offset, sizeof(value));
	return value;
}

static void
healths_print(struct str *out, const struct upstream_row *rows, size_t count)
{
	for (size_t f = 0; f < ARRAY_SIZE(health_families); f++) {
		const struct health_family *family = &health_families[f];

		if (family->type != NULL)
			head(out, family->name, family->type, family->help);
		for (size_t i = 0; i < count; i++) {
			str_printf(out, PREFIX "%s{", family->name);
			metrics_label(out, "upstream", rows[i].upstream->label);
			if (family->result != NULL)
				str_printf(out, ",result=\"%s\"",
					family->result);
			str_printf(out, "} %" PRIu64 "\n",
				health_field(
					rows[i].upstream, family->offset));
		}
	}
}

static void
upstream_number(struct str *out, const char *name, const struct object *upstream,
	uint64_t value)
{
	str_printf(out, PREFIX "upstream_%s{", name);
	metrics_label(out, "upstream", upstream->label);
	str_printf(out, "} %" PRIu64 "\n", value);
}

static uint64_t
seconds_since(uint64_t realtime_ms)
{
	uint64_t now = clock_realtime_ms();

	return realtime_ms == 0 || realtime_ms > now
		       ? 0
		       : (now - realtime_ms) / 1000;
}

/* Of those of which it is known. */
static void
function_numbers_print(
	struct str *out, const struct upstream_row *rows, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		size_t all, known = 0;
		const char *const *names =
			discovery_functions(rows[i].upstream->discovery, &all);

		if (names == NULL)
			continue;
		for (size_t k = 0; k < all; k++)
			known += functions_is_name(names[k]);
		if (!any)
			head(out, "upstream_functions", "gauge",
				"functions that discovery found");
		any = true;
		upstream_number(out, "functions", rows[i].upstream, known);
	}
}

/* What discovery knows of each. */
static void
discoveries_print(struct str *out, const struct upstream_row *rows, size_t count)
{
	head(out, "upstream_endpoints", "gauge", "endpoints known");
	for (size_t i = 0; i < count; i++) {
		size_t known;

		discovery_endpoints(rows[i].upstream->discovery, &known);
		upstream_number(out, "endpoints", rows[i].upstream, known);
	}
	head(out, "upstream_endpoint_messages", "counter",
		"messages that took its set of endpoints to a proxy");
	for (size_t i = 0; i < count; i++)
		upstream_number(out, "endpoint_messages", rows[i].upstream,
			discovery_messages(rows[i].upstream->discovery));
	function_numbers_print(out, rows, count);
	head(out, "upstream_stale_seconds", "gauge",
		"for how long its endpoints could not be asked for");
	for (size_t i = 0; i < count; i++) {
		uint64_t since = 0;

		discovery_problem(rows[i].upstream->discovery, &since);
		upstream_number(out, "stale_seconds", rows[i].upstream,
			seconds_since(since));
	}
}

static void
upstreams_print(const struct control *c, struct str *out)
{
	size_t count;
	struct upstream_row *rows = upstreams_collect(c, &count);

	for (const struct counter_name *n = counters_upstream_names;
		n->name != NULL; n++) {
		family_head(out, "upstream", n);
		for (size_t i = 0; i < count; i++)
			upstream_number(out, n->name, rows[i].upstream,
				field(&rows[i].sums, n));
	}
	discoveries_print(out, rows, count);
	healths_print(out, rows, count);
	free(rows);
}

/* ---- of the kernel */

struct kernel_out {
	struct str *packets, *bytes;
	const char *listener;
	uint32_t slot;
};

static void
kernel_row(struct str *out, const char *name, const struct kernel_out *k,
	const char *reason, uint64_t value)
{
	str_printf(out, PREFIX "%s{slot=\"%u\",", name, k->slot);
	metrics_label(out, "listener", k->listener);
	str_putc(out, ',');
	metrics_label(out, "reason", reason);
	str_printf(out, "} %" PRIu64 "\n", value);
}

static void
on_kernel(const char *reason, uint64_t packets, uint64_t bytes, void *arg)
{
	const struct kernel_out *k = arg;

	kernel_row(k->packets, "kernel_packets", k, reason, packets);
	kernel_row(k->bytes, "kernel_bytes", k, reason, bytes);
}

/* Few ever happen: a series begins with the first. */
static void
on_note(const char *note, uint64_t count, void *arg)
{
	const struct kernel_out *k = arg;

	if (count > 0)
		kernel_row(k->packets, "kernel_notes", k, note, count);
}

static void
notes_print(const struct control *c, struct str *out)
{
	struct kernel_out k = { .packets = out, .listener = "" };

	head(out, "kernel_notes", "counter",
		"beside the reason, of packets that went on all the same: what "
		"would have happened, or what could not be done");
	fastpath_notes(c->fastpath, 0, on_note, &k);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		k.slot = o->slot;
		k.listener = o->label;
		if (o->slot != 0)
			fastpath_notes(c->fastpath, o->slot, on_note, &k);
	}
}

static void
kernel_print(const struct control *c, struct str *out)
{
	struct kernel_out k = { .packets = out, .listener = "" };
	struct str bytes;

	if (c->fastpath == NULL || fastpath_state(c->fastpath) == FASTPATH_OFF)
		return;
	str_init(&bytes);
	k.bytes = &bytes;
	head(out, "kernel_packets", "counter",
		"packets seen by XDP, by slot (0: the box) and reason");
	fastpath_counters(c->fastpath, 0, on_kernel, &k);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->slot == 0)
			continue;
		k.slot = o->slot;
		k.listener = o->label;
		fastpath_counters(c->fastpath, o->slot, on_kernel, &k);
	}
	head(out, "kernel_bytes", "counter",
		"bytes seen by XDP, by slot and reason");
	str_append(out, bytes.data, bytes.length);
	str_fini(&bytes);
	notes_print(c, out);
	kernel_prefixes_metrics(c, out);
	one(out, "kernel_map_bytes", "gauge", "memory of the kernel's maps",
		fastpath_map_bytes(c->fastpath));
}

/* ---- of kinds that are open */

static void
discovery_row(struct str *out, const char *name, const struct program *p,
	const char *part, uint64_t value)
{
	str_printf(out, PREFIX "discovery_%s{", name);
	metrics_label(out, "kind", p->kind->key);
	if (part != NULL) {
		str_putc(out, ',');
		metrics_label(out, "part", part);
	}
	str_printf(out, "} %" PRIu64 "\n", value);
}

static void
conditions_print(const struct control *c, struct str *out)
{
	const struct program *p;

	head(out, "discovery_condition", "gauge",
		"how well a part of a kind's work goes: 0 well, 1 worth a note, "
		"2 a warning, 3 an error");
	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++)
		for (size_t k = 0; k < p->condition_count; k++)
			discovery_row(out, "condition", p,
				p->conditions[k].part,
				(uint64_t)p->conditions[k].level);
	head(out, "discovery_condition_seconds", "gauge",
		"for how long that part has not been well");
	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++)
		for (size_t k = 0; k < p->condition_count; k++)
			discovery_row(out, "condition_seconds", p,
				p->conditions[k].part,
				seconds_since(p->conditions[k].since));
}

static void
on_number(const char *name, const char *type, const char *help, uint64_t value,
	void *arg)
{
	one(arg, name, type, help, value);
}

static void
programs_print(const struct control *c, struct str *out)
{
	const struct program *p;

	if (programs_at(c, 0) == NULL)
		return;
	conditions_print(c, out);
	head(out, "discovery_upstreams", "gauge", "upstreams discovered");
	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++)
		discovery_row(out, "upstreams", p, NULL,
			discovered_count(p->discovered));
	head(out, "discovery_resources", "gauge",
		"resources of another store that are known");
	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++)
		discovery_row(out, "resources", p, NULL,
			foreign_count(p->foreign));
	for (size_t i = 0; (p = programs_at(c, i)) != NULL; i++)
		if (p->kind->numbers != NULL && p->shared != NULL)
			p->kind->numbers(p->shared, on_number, out);
}

/* ---- of names */

static void
names_print(const struct control *c, struct str *out)
{
	struct resolver_counts counts;

	if (c->resolver == NULL)
		return;
	resolver_counts(c->resolver, &counts);
	one(out, "dns_asked", "counter", "names asked for", counts.asked);
	one(out, "dns_answered", "counter",
		"names that were answered for, also with that there is none",
		counts.answered);
	one(out, "dns_failed", "counter",
		"names of which no name server could say anything",
		counts.failed);
	one(out, "dns_stale_names", "gauge",
		"names that cannot be resolved now", counts.stale);
}

/* ---- of what TLS is spoken to upstreams with */

static void
materials_print(const struct control *c, struct str *out)
{
	struct materials_counts counts;

	materials_counts(c, &counts);
	one(out, "tls_materials", "gauge",
		"authorities, and certificates with their key, with which TLS "
		"is spoken to upstreams",
		counts.known);
	one(out, "tls_materials_sent", "gauge",
		"those of them that the proxy has, since a route leads there",
		counts.sent);
}

/* ---- of what functions are called with */

static void
credentials_print(const struct control *c, struct str *out)
{
	struct credentials_counts counts;

	credentials_counts(c, &counts);
	one(out, "call_credentials", "gauge",
		"upstreams with functions whose credentials are known",
		counts.known);
	one(out, "call_credentials_sent", "gauge",
		"those whose the proxy has, since a route leads there",
		counts.sent);
}

/* ---- of control */

static void
objects_print(const struct control *c, struct str *out)
{
	head(out, "objects", "gauge", "objects by type and state");
	for (int t = 0; t < MODEL_TYPE_COUNT; t++) {
		size_t states[STATUS_PENDING + 1] = { 0 };
		size_t count = objects_count(c->objects, (enum model_type)t);

		for (size_t i = 0; i < count; i++) {
			struct status s;

			status_init(&s, c,
				objects_at(c->objects, (enum model_type)t, i),
				0);
			states[s.state]++;
			status_fini(&s);
		}
		for (size_t i = 0; i < ARRAY_SIZE(states); i++)
			str_printf(out,
				PREFIX "objects{type=\"%s\",state=\"%s\"} "
				       "%zu\n",
				model_type_plural((enum model_type)t),
				status_state_name((enum status_state)i),
				states[i]);
	}
}

void
metrics_prometheus(const struct control *c, struct str *out)
{
	struct counters_listener box;
	struct supervisor_view view;
	struct generation_times times;

	supervisor_view(c->supervisor, &view);
	generation_times_get(c, &times);
	supervisor_sum_listener(c->supervisor, 0, &box);
	head(out, "build_info", "gauge", "version and build");
	str_puts(out, PREFIX "build_info{version=\"" VERSION
			     "\",build_id=\"" BUILD_ID "\"} 1\n");
	one(out, "uptime_seconds", "gauge", "age of the control process",
		(clock_monotonic_ms() - c->started_ms) / 1000);
	one(out, "generation", "gauge", "the newest generation",
		generation_number(c));
	one(out, "generation_enforced", "gauge",
		"the generation that all workers run", view.generation);
	one(out, "generation_build_us", "gauge",
		"what it took to build the newest generation", times.build_us);
	one(out, "generation_enforce_us", "gauge",
		"from sending it until the last worker ran it",
		times.enforce_us);
	one(out, "generation_bytes", "gauge", "size of the newest image",
		times.bytes);
	one(out, "virtual_hosts_built", "counter",
		"virtual services that were built for an image, because they "
		"or what they lead to changed",
		generation_vhosts_built(c));
	one(out, "proxy_up", "gauge", "1: a proxy runs", view.pid != 0);
	one(out, "proxy_restarts", "counter",
		"proxies that ended and were replaced", view.restarts);
	one(out, "proxy_draining", "gauge", "older proxies that drain",
		view.draining);
	one(out, "access_log_dropped", "counter",
		"access log lines dropped (full disk)", box.access_log_dropped);
	one(out, "regex_limited", "counter",
		"regexes given up for their limits: answered with 500",
		box.regex_limited);
	objects_print(c, out);
	listeners_print(c, out);
	binds_print(c, out);
	services_metrics(c, out);
	upstreams_print(c, out);
	programs_print(c, out);
	names_print(c, out);
	materials_print(c, out);
	credentials_print(c, out);
	limits_metrics(c, out);
	blocks_metrics(c->blocks, out);
	kernel_print(c, out);
}

/* ---- for people */

static void
on_kernel_plain(const char *reason, uint64_t packets, uint64_t bytes, void *arg)
{
	const struct kernel_out *k = arg;

	str_printf(k->packets, "kernel.%s.%s.packets: %" PRIu64 "\n",
		k->listener, reason, packets);
	str_printf(k->packets, "kernel.%s.%s.bytes: %" PRIu64 "\n", k->listener,
		reason, bytes);
}

static void
kernel_plain(const struct control *c, struct str *out)
{
	struct kernel_out k = { .packets = out, .listener = "box" };

	if (c->fastpath == NULL || fastpath_state(c->fastpath) == FASTPATH_OFF)
		return;
	fastpath_counters(c->fastpath, 0, on_kernel_plain, &k);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *o =
			objects_at(c->objects, MODEL_GATEWAY, i);

		k.listener = o->label;
		if (o->slot != 0)
			fastpath_counters(
				c->fastpath, o->slot, on_kernel_plain, &k);
	}
}

void
metrics_plain(const struct control *c, struct str *out)
{
	struct supervisor_view view;
	struct listener_row *listeners;
	struct upstream_row *upstreams;
	size_t count;

	supervisor_view(c->supervisor, &view);
	str_printf(
		out, "control.generation: %" PRIu64 "\n", generation_number(c));
	str_printf(out, "control.uptime_seconds: %" PRIu64 "\n",
		(clock_monotonic_ms() - c->started_ms) / 1000);
	str_printf(out, "proxy.generation: %" PRIu64 "\n", view.generation);
	str_printf(out, "proxy.restarts: %" PRIu64 "\n", view.restarts);
	listeners = listeners_collect(c, &count);
	for (size_t i = 0; i < count; i++)
		for (const struct counter_name *n = counters_listener_names;
			n->name != NULL; n++)
			str_printf(out, "listener.%s.%s: %" PRIu64 "\n",
				listeners[i].gateway->label, n->name,
				field(&listeners[i].sums, n));
	free(listeners);
	services_plain(c, out);
	upstreams = upstreams_collect(c, &count);
	for (size_t i = 0; i < count; i++)
		for (const struct counter_name *n = counters_upstream_names;
			n->name != NULL; n++)
			str_printf(out, "upstream.%s.%s: %" PRIu64 "\n",
				upstreams[i].upstream->label, n->name,
				field(&upstreams[i].sums, n));
	free(upstreams);
	kernel_plain(c, out);
}
