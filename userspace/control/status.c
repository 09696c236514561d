/* What is said about an object. */
#include "control/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/calls.h"
#include "control/destination.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/group.h"
#include "control/health.h"
#include "control/kernel.h"
#include "control/kernel_limits.h"
#include "control/materials.h"
#include "control/nat_ports.h"
#include "control/programs.h"
#include "control/relation.h"
#include "control/secret.h"
#include "control/services.h"
#include "control/supervise.h"
#include "control/upstream_tls.h"
#include "fastpath/fastpath.h"
#include "fastpath/steering.h"

const char *
status_state_name(enum status_state state)
{
	static const char *const names[] = {
		[STATUS_ACCEPTED] = "Accepted",
		[STATUS_WARNING] = "Warning",
		[STATUS_REJECTED] = "Rejected",
		[STATUS_PENDING] = "Pending",
	};

	return names[state];
}

/* ---- where it is enforced */

const char *
status_proxy(const struct control *c, uint64_t generation)
{
	struct supervisor_view view;

	if (c->supervisor == NULL)
		return "down";
	supervisor_view(c->supervisor, &view);
	if (view.pid == 0)
		return "down";
	return generation != 0 && view.generation >= generation ? "enforced"
								: "pending";
}

const char *
status_kernel(const struct control *c)
{
	if (c->fastpath == NULL)
		return c->settings->interface_count > 0 ? "pending" : "off";
	switch (fastpath_state(c->fastpath)) {
	case FASTPATH_OFF:
		return "off";
	case FASTPATH_ATTACHED:
		break;
	default:
		return "failed";
	}
	if (c->kernel.code != ERROR_NONE)
		return "failed";
	return c->listeners_stale ? "pending" : "enforced";
}

char *
status_interfaces(const struct control *c)
{
	struct str text;

	str_init(&text);
	for (size_t i = 0; c->fastpath != NULL &&
			   i < fastpath_interface_count(c->fastpath);
		i++) {
		const struct fastpath_interface *f =
			fastpath_interface_get(c->fastpath, i);

		str_printf(
			&text, "%sinterface %s: ", i > 0 ? "; " : "", f->name);
		if (!f->attached)
			str_printf(
				&text, "XDP is not attached: %s", f->problem);
		else
			str_printf(&text, "XDP in %s mode%s",
				f->mode == FASTPATH_GENERIC ? "generic"
							    : "native",
				f->adopted ? ", adopted" : "");
	}
	return str_steal(&text);
}

/* ---- reasons */

static void
reason_add(struct str *to, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	str_printf(to, "%s%s", to->length > 0 ? "; " : "", text);
}

/* None of them is up: which, and why. */
static void
health_warn(struct str *to, const struct health *h)
{
	struct health_counts counts;
	struct health_view view;
	const struct endpoint *set;
	char addr[ENDPOINT_TEXT_MAX], text[320 + ENDPOINT_TEXT_MAX];
	size_t count;

	if (h == NULL)
		return;
	set = health_endpoints(h, &count);
	health_counts(h, &counts);
	if (count == 0 || counts.up > 0)
		return;
	health_view(h, 0, &view);
	snprintf(text, sizeof(text), "none of its %zu endpoint%s is up: %s: %s",
		count, count > 1 ? "s" : "", endpoint_format(&set[0], addr),
		view.why);
	reason_add(to, text);
}

/* The proxy is not allowed to connect to it. */
static void
sockets_warn(struct str *to, const struct control *c, const struct health *h)
{
	size_t count = 0;
	const struct endpoint *set =
		h == NULL ? NULL : health_endpoints(h, &count);

	if (!c->settings->unix_sockets && count > 0 &&
		endpoint_addr_is_pipe(&set[0].addr))
		reason_add(to,
			"it is a unix socket, to which the proxy may not "
			"connect: set proxy.unixSockets: true and restart");
}

/* With which TLS fails: the first of them. */
static void
tls_warn(struct str *to, const struct health *h)
{
	const struct endpoint *set;
	struct health_view view = { .problem = NULL };
	struct health_counts counts;
	char addr[ENDPOINT_TEXT_MAX], text[380 + ENDPOINT_TEXT_MAX];
	char more[48] = "";
	size_t count, i = 0;

	if (h == NULL)
		return;
	health_counts(h, &counts);
	if (counts.tls_failing == 0)
		return;
	set = health_endpoints(h, &count);
	for (; i < count && view.problem == NULL; i++)
		health_view(h, i, &view);
	if (counts.tls_failing > 1)
		snprintf(more, sizeof(more), " (and %" PRIu64 " more)",
			counts.tls_failing - 1);
	snprintf(text, sizeof(text), "TLS with %s%s fails: %s",
		endpoint_format(&set[i - 1], addr), more, view.problem);
	reason_add(to, text);
}

static void
upstream_warn(struct str *to, const struct control *c, const struct object *o,
	bool missing)
{
	const struct model_upstream *u = o->model->upstream;
	uint64_t since = 0;
	const char *problem = discovery_problem(o->discovery, &since);
	char text[CLOCK_TEXT_MAX], cut[256];
	size_t known;

	reason_add(to, programs_not_served(c, u->kind));
	sockets_warn(to, c, discovery_health(o->discovery));
	if (!missing || u->tls == NULL || u->tls->source != MODEL_TLS_SECRET)
		reason_add(to, materials_problem(c, o));
	reason_add(to, materials_warning(c, o));
	health_warn(to, discovery_health(o->discovery));
	tls_warn(to, discovery_health(o->discovery));
	reason_add(to, discovery_note(o->discovery));
	if (calls_cut(c, u, cut, sizeof(cut)))
		reason_add(to, cut);
	if (problem == NULL)
		return;
	reason_add(to, problem);
	discovery_endpoints(o->discovery, &known);
	if (known > 0)
		str_printf(to, " (%zu endpoints stay, stale since %s)", known,
			clock_format(since, text));
}

static void
group_warn(struct str *to, const struct control *c, const struct object *o)
{
	char *missing = group_missing(c, o->model->upstream_group);

	reason_add(to, missing);
	free(missing);
}

/* Packets are told apart by single addresses: see kernel_tell(). */
static void
prefixes_warn(struct str *to, const struct model_gateway *g)
{
	char prefix[ADDR_TEXT_MAX], text[256];
	struct sockets_bind b;

	for (size_t i = 0; i < g->bind_count; i++) {
		gateway_bind(g, i, &b);
		if (b.prefix.bits == 128)
			continue;
		snprintf(text, sizeof(text),
			"its rateLimits of stage kernel do not hold for "
			"packets to %s of additionalAddresses: the kernel "
			"limits single addresses only",
			addr_prefix_format(&b.prefix, prefix));
		reason_add(to, text);
	}
}

static void
gateway_warn(
	struct str *to, const struct control *c, const struct object *o)
{
	enum fastpath_state state;
	char *interfaces, text[640];

	if (kernel_limits_wanted(o->model->gateway) &&
		(c->fastpath != NULL || c->settings->interface_count == 0) &&
		!kernel_is_active(c))
		reason_add(to,
			c->settings->interface_count == 0
				? "its rateLimits of stage kernel are not "
				  "enforced: xdp.interfaces lists no interface"
				: "its rateLimits of stage kernel are not "
				  "enforced");
	if (kernel_limits_wanted(o->model->gateway))
		prefixes_warn(to, o->model->gateway);
	if (o->model->gateway->bind_count > 0 &&
		c->steering.code != ERROR_NONE) {
		snprintf(text, sizeof(text),
			"additionalAddresses are not served: %s",
			c->steering.text);
		reason_add(to, text);
	}
	if (c->fastpath == NULL)
		return;
	state = fastpath_state(c->fastpath);
	if (state == FASTPATH_PARTIAL || state == FASTPATH_FAILED) {
		interfaces = status_interfaces(c);
		reason_add(to, interfaces);
		free(interfaces);
	}
	if (c->kernel.code != ERROR_NONE)
		reason_add(to, c->kernel.text);
}

/* Who serves it goes before what else is said. */
static void
service_say(struct str *to, const struct control *c, const struct object *o)
{
	struct service_view view;

	if (c->loop == NULL)
		return;
	service_view(c, o, &view);
	reason_add(to, view.text);
}

static void
nat_ports_warn(struct str *to)
{
	struct str why;

	str_init(&why);
	nat_ports_explain(&why);
	reason_add(to, why.data);
	str_fini(&why);
}

/* What a client of a service sends is passed on as it is. */
static void
relayed_tls_warn(
	struct str *to, const struct control *c, const struct model_ref *ref)
{
	const struct object *u =
		objects_find(c->objects, MODEL_UPSTREAM, ref->ns, ref->name);
	char text[256];

	if (u == NULL || u->model == NULL ||
		!upstream_tls_is_spoken(u->model->upstream))
		return;
	snprintf(text, sizeof(text),
		"%s of %.100s does not hold for it: its bytes are "
		"passed on as they are, who connects speaks TLS himself",
		u->model->upstream->tls != NULL ? "sslConfig" : "the TLS",
		u->label);
	reason_add(to, text);
}

static void
service_warn(struct str *to, const struct control *c, const struct object *o)
{
	const struct model_tcp_gateway *t = o->model->gateway->tcp;
	struct service_view view;
	char reason[700], text[800];

	if (destination_find_relayed(c, &t->hosts[0].upstream, reason,
		    sizeof(reason)) == 0) {
		snprintf(text, sizeof(text),
			"tcpGateway.tcpHosts[0].destination: %s", reason);
		reason_add(to, text);
	}
	relayed_tls_warn(to, c, &t->hosts[0].upstream);
	if (c->loop == NULL)
		return;
	service_view(c, o, &view);
	reason_add(to, view.problem);
	if (view.server == SERVICE_XDP && service_is_nat(o))
		nat_ports_warn(to);
}

static void
warnings_collect(
	struct str *to, const struct control *c, const struct object *o)
{
	char *missing = relation_missing(c->objects, o->model);

	reason_add(to, missing);
	switch (o->type) {
	case MODEL_UPSTREAM:
		upstream_warn(to, c, o, missing != NULL);
		break;
	case MODEL_SECRET:
		secret_warn(o->model->secret, clock_realtime_ms(), to);
		break;
	case MODEL_UPSTREAM_GROUP:
		group_warn(to, c, o);
		break;
	case MODEL_GATEWAY:
		if (service_is(o))
			service_warn(to, c, o);
		gateway_warn(to, c, o);
		break;
	default:
		reason_add(to, o->warning);
		break;
	}
	free(missing);
}

static const char *
service_kernel(const struct control *c, const struct object *o)
{
	struct service_view view;

	service_view(c, o, &view);
	if (view.pending)
		return "pending";
	return view.state != NULL && !view.state->enforced ? "failed"
							   : "enforced";
}

static void
pending_reason(struct str *to, const struct control *c, const struct status *s)
{
	struct supervisor_view view;

	if (c->generation != NULL && generation_problem(c)[0] != '\0') {
		reason_add(to, generation_problem(c));
		return;
	}
	if (c->supervisor == NULL)
		return;
	supervisor_view(c->supervisor, &view);
	if (view.problem != NULL)
		reason_add(to, view.problem);
	else if (view.pid == 0)
		reason_add(to, "no proxy runs");
	else
		str_printf(to,
			"generation %" PRIu64 " is not enforced yet, the proxy "
			"runs %" PRIu64,
			s->generation, view.generation);
}

void
status_init(struct status *s, const struct control *c, const struct object *o,
	uint64_t generation)
{
	struct str reason;

	str_init(&reason);
	memset(s, 0, sizeof(*s));
	s->generation = generation != 0 ? generation : o->generation;
	s->proxy = status_proxy(c, s->generation);
	s->kernel = status_kernel(c);
	/* Only a gateway needs anything of the kernel. */
	if (o->type != MODEL_GATEWAY && strcmp(s->kernel, "off") != 0)
		s->kernel = "enforced";
	else if (o->type == MODEL_GATEWAY && service_is(o) &&
		 strcmp(s->kernel, "enforced") == 0)
		s->kernel = service_kernel(c, o);
	s->line = o->line;
	if (o->rejected) {
		s->state = STATUS_REJECTED;
		reason_add(&reason, o->reason);
	} else if (strcmp(s->proxy, "enforced") != 0 && c->loop != NULL) {
		s->state = STATUS_PENDING;
		pending_reason(&reason, c, s);
	} else {
		warnings_collect(&reason, c, o);
		s->state = reason.length > 0 ? STATUS_WARNING : STATUS_ACCEPTED;
		if (o->type == MODEL_GATEWAY && service_is(o))
			service_say(&reason, c, o);
		if (o->type == MODEL_GATEWAY && s->state == STATUS_ACCEPTED) {
			char *interfaces = status_interfaces(c);

			reason_add(&reason, interfaces);
			free(interfaces);
		}
	}
	s->reason = str_steal(&reason);
	str_fini(&reason);
}

void
status_fini(struct status *s)
{
	free(s->reason);
	s->reason = NULL;
}

/* ---- the whole */

const char *
status_not_ready(const struct control *c, char *out, size_t size)
{
	struct supervisor_view view;

	if (c->stopping)
		return "the gateway is stopping";
	if (!c->running)
		return "the gateway is starting";
	supervisor_view(c->supervisor, &view);
	if (view.pid == 0)
		return "no proxy runs";
	if (view.generation >= generation_number(c))
		return NULL;
	/* One on its way is no reason: readiness would flap with each change.
	 */
	if (view.generation > 0 && generation_age_ms(c) < CONTROL_ANSWER_MS)
		return NULL;
	snprintf(out, size,
		"the proxy runs generation %" PRIu64 ", the newest is "
		"%" PRIu64,
		view.generation, generation_number(c));
	return out;
}

struct doc *
status_document(
	const struct control *c, const struct object *o, uint64_t generation)
{
	struct doc *d = object_shown(o);
	struct doc *to = doc_new_map();
	struct status s;

	status_init(&s, c, o, generation);
	doc_set_string(to, "reportedBy", "gloo");
	doc_set_string(to, "state", status_state_name(s.state));
	if (s.reason[0] != '\0')
		doc_set_string(to, "reason", s.reason);
	if (o->origin != NULL)
		doc_set_string(to, "origin", o->origin->title);
	if (o->type == MODEL_SECRET && o->model != NULL)
		doc_set(to, "secret", secret_print(c, o));
	doc_set(d, "status", to);
	status_fini(&s);
	return d;
}
