/* Services of TCP and UDP as people see them. */
#include "control/service_view.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "control/metrics.h"
#include "control/relation.h"
#include "control/services.h"
#include "control/supervise.h"
#include "fastpath/steering.h"
#include "model/counters.h"

#define PREFIX "gloo_gateway_service_"

static struct doc *
number(uint64_t value)
{
	return doc_new_integer(value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static const char *
backend_state(const struct fastpath_backend_status *b)
{
	static const char *const names[] = {
		[FASTPATH_BACKEND_UP] = "up",
		[FASTPATH_BACKEND_DRAINING] = "draining",
		[FASTPATH_BACKEND_DOWN] = "down",
	};

	if (b->removed)
		return "removed";
	return names[b->state];
}

/* ---- as a document */

static void
backend_print(struct doc *to, const struct fastpath_backend_status *b)
{
	struct doc *d = doc_add(to, doc_new_map());
	char text[ADDR_TEXT_MAX];

	doc_set_string(d, "address", addr_format(&b->addr, text));
	doc_set_string(d, "state", backend_state(b));
	doc_set(d, "reachable", doc_new_bool(b->reachable));
	doc_set(d, "connections", number(b->connections));
	doc_set(d, "kept", number(b->kept));
	doc_set(d, "packets", number(b->packets));
	doc_set(d, "bytes", number(b->bytes));
	doc_set(d, "ringSlots", number(b->ring_slots));
}

static void
steering_print(struct doc *to, const struct fastpath_service_state *state)
{
	struct doc *ring = doc_set(to, "ring", doc_new_map());
	struct doc *list = doc_set(to, "backends", doc_new_list());

	doc_set(ring, "slots", number(GG_RING_SLOTS));
	doc_set(ring, "moved", number(state->moved_slots));
	doc_set(ring, "pinned", number(state->pinned_slots));
	doc_set(to, "connections", number(state->kept + state->nat));
	for (size_t i = 0; i < state->backend_count; i++)
		backend_print(list, &state->backends[i]);
}

static void
relay_print(const struct control *c, struct doc *to, uint32_t slot)
{
	struct doc *d = doc_set(to, "relayed", doc_new_map());
	struct counters_listener sums;

	supervisor_sum_listener(c->supervisor, slot, &sums);
	doc_set(d, "open", number(sums.connections_open));
	doc_set(d, "accepted", number(sums.connections_accepted));
	doc_set(d, "bytesReceived", number(sums.bytes_received));
	doc_set(d, "bytesSent", number(sums.bytes_sent));
}

static void
service_print(const struct control *c, struct doc *to, const struct object *g)
{
	const struct model_tcp_host *h = &g->model->gateway->tcp->hosts[0];
	struct doc *d = doc_add(to, doc_new_map()), *upstream;
	struct service_view view;
	struct addr addr;
	char text[ADDR_TEXT_MAX];

	service_view(c, g, &view);
	gateway_addr(g->model->gateway, &addr);
	doc_set_string(d, "namespace", g->ns);
	doc_set_string(d, "name", g->name);
	doc_set_string(d, "host", h->name);
	doc_set_string(d, "address", addr_format(&addr, text));
	doc_set_string(
		d, "protocol", model_l4_name((enum model_l4)h->protocol));
	doc_set_string(
		d, "mode", model_steer_name((enum model_steer)h->mode));
	doc_set(d, "slot", number(g->slot));
	upstream = doc_set(d, "upstream", doc_new_map());
	doc_set_string(upstream, "name", h->upstream.name);
	doc_set_string(upstream, "namespace", h->upstream.ns);
	doc_set_string(d, "servedBy", service_server_name(view.server));
	doc_set_string(d, "service", view.text);
	if (view.problem[0] != '\0')
		doc_set_string(d, "problem", view.problem);
	if (h->protocol == MODEL_TCP)
		relay_print(c, d, g->slot);
	if (view.state != NULL)
		steering_print(d, view.state);
}

struct doc *
services_print(const struct control *c)
{
	struct doc *d = doc_new_map();
	struct doc *items = doc_set(d, "items", doc_new_list());

	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);

		if (service_is(g) && g->slot != 0)
			service_print(c, items, g);
	}
	return d;
}

/* ---- as numbers */

struct numbers_of { /* one service; each a uint64_t */
	uint64_t steered, relayed_open, relayed_accepted, relayed_received,
		relayed_sent, relayed_idle, kept, changes, moved, pinned, up,
		draining, down, unreachable;
};

static const struct family {
	const char *name, *type, *help; /* type NULL: as the row before */
	const char *state;              /* a label, or NULL */
	size_t offset;
} families[] = {
#define AT(member) offsetof(struct numbers_of, member)
	{ "steered", "gauge", "1: XDP steers it; 0: the proxy relays it, or "
			      "nobody serves it",
		NULL, AT(steered) },
	{ "relayed_open", "gauge", "relayed connections open now", NULL,
		AT(relayed_open) },
	{ "relayed_accepted", "counter", "relayed connections accepted", NULL,
		AT(relayed_accepted) },
	{ "relayed_bytes_received", "counter",
		"bytes received from clients and relayed", NULL,
		AT(relayed_received) },
	{ "relayed_bytes_sent", "counter", "bytes relayed to clients", NULL,
		AT(relayed_sent) },
	{ "relayed_idle_closed", "counter",
		"relayed connections closed after idleTimeout", NULL,
		AT(relayed_idle) },
	{ "connections_kept", "gauge",
		"connections that XDP keeps, at the last sweep", NULL,
		AT(kept) },
	{ "changes", "counter",
		"times that its backends or its ring were changed in the "
		"kernel's maps",
		NULL, AT(changes) },
	{ "slots", "gauge", "slots of the ring that are not stable", "moved",
		AT(moved) },
	{ "slots", NULL, NULL, "pinned", AT(pinned) },
	{ "backends", "gauge", "backends that XDP knows", "up", AT(up) },
	{ "backends", NULL, NULL, "draining", AT(draining) },
	{ "backends", NULL, NULL, "down", AT(down) },
	{ "backends", NULL, NULL, "unreachable", AT(unreachable) },
#undef AT
};

static void
backends_count(
	const struct fastpath_service_state *state, struct numbers_of *out)
{
	for (size_t i = 0; i < state->backend_count; i++) {
		const struct fastpath_backend_status *b = &state->backends[i];

		if (b->removed || b->state == FASTPATH_BACKEND_DRAINING)
			out->draining++;
		else if (b->state == FASTPATH_BACKEND_DOWN)
			out->down++;
		else
			out->up++;
	}
	out->unreachable = state->unreachable;
}

static void
numbers_collect(const struct control *c, const struct object *g,
	struct numbers_of *out)
{
	struct counters_listener sums;
	struct service_view view;

	memset(out, 0, sizeof(*out));
	service_view(c, g, &view);
	supervisor_sum_listener(c->supervisor, g->slot, &sums);
	out->steered = view.server == SERVICE_XDP;
	out->relayed_open = sums.connections_open;
	out->relayed_accepted = sums.connections_accepted;
	out->relayed_received = sums.bytes_received;
	out->relayed_sent = sums.bytes_sent;
	out->relayed_idle = sums.idle_closed;
	if (view.state == NULL)
		return;
	out->kept = view.state->kept + view.state->nat;
	out->changes = view.state->changes;
	out->moved = view.state->moved_slots;
	out->pinned = view.state->pinned_slots;
	backends_count(view.state, out);
}

static uint64_t
value_of(const struct numbers_of *n, const struct family *f)
{
	uint64_t value;

	memcpy(&value, (const char *)n + f->offset, sizeof(value));
	return value;
}

static void
family_print(const struct control *c, const struct family *f, struct str *out)
{
	if (f->type != NULL)
		str_printf(out,
			"# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
			f->name, f->help, f->name, f->type);
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);
		struct numbers_of n;

		if (!service_is(g) || g->slot == 0)
			continue;
		numbers_collect(c, g, &n);
		str_printf(out, PREFIX "%s{", f->name);
		metrics_label(out, "service", g->label);
		if (f->state != NULL)
			str_printf(out, ",state=\"%s\"", f->state);
		str_printf(out, "} %" PRIu64 "\n", value_of(&n, f));
	}
}

static bool
is_any(const struct control *c)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++)
		if (service_is(objects_at(c->objects, MODEL_GATEWAY, i)))
			return true;
	return false;
}

void
services_metrics(const struct control *c, struct str *out)
{
	if (!is_any(c))
		return;
	if (c->fastpath != NULL)
		str_printf(out,
			"# HELP gloo_gateway_steering_commits times that the "
			"kernel's maps of services were brought up to date\n"
			"# TYPE gloo_gateway_steering_commits counter\n"
			"gloo_gateway_steering_commits %" PRIu64 "\n",
			fastpath_steering_commits(c->fastpath));
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		family_print(c, &families[i], out);
}

void
services_plain(const struct control *c, struct str *out)
{
	for (size_t i = 0; i < objects_count(c->objects, MODEL_GATEWAY); i++) {
		const struct object *g =
			objects_at(c->objects, MODEL_GATEWAY, i);
		struct numbers_of n;

		if (!service_is(g) || g->slot == 0)
			continue;
		numbers_collect(c, g, &n);
		for (size_t f = 0; f < sizeof(families) / sizeof(families[0]);
			f++)
			str_printf(out, "service.%s.%s%s%s: %" PRIu64 "\n",
				g->label, families[f].name,
				families[f].state != NULL ? "." : "",
				families[f].state != NULL ? families[f].state
							  : "",
				value_of(&n, &families[f]));
	}
}
