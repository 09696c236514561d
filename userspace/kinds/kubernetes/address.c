/* The address of this box at its Service. */
#include "kinds/kubernetes/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/kubernetes/box.h"
#include "net/loop.h"
#include "net/own_address.h"
#include "net/resolver.h"

#define SLICE_PATH                                                             \
	"/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices/%s"
#define SERVICE_PATH "/api/v1/namespaces/%s/services/%s"
#define FAILED_MS   30000
#define CONFLICT_MS 1000
#define HTTPS_PORT  443

struct kubernetes_address {
	struct kubernetes_cluster *cluster;
	struct loop_timer *timer;
	struct resolver_query *query;
	struct kubernetes_call *call;
	char *slice_path, *service_path;
	char *annotation;
	char *host; /* of the API server */
	uint16_t port;
	bool resolved;
	struct addr server;
	char ip[ADDR_TEXT_MAX];   /* ours now */
	char seen_to[ADDR_TEXT_MAX]; /* the one that was seen to last */
	uint64_t again_ms;
	const char *failed; /* what did, and was told; NULL: nothing */
	struct doc *addresses; /* that the slice lists */
};

static uint64_t
now_ms(const struct kubernetes_address *a)
{
	return loop_now_ms(a->cluster->program->loop);
}

static void
tell(const struct kubernetes_address *a, enum kind_level level,
	const char *text)
{
	struct kind_program *p = a->cluster->program;

	p->condition_set(p, "address", level, text);
}

static void
finish(struct kubernetes_address *a, uint64_t again_ms)
{
	snprintf(a->seen_to, sizeof(a->seen_to), "%s", a->ip);
	a->again_ms = now_ms(a) + again_ms;
}

/* Told once, since the words of a problem may be others each time. */
static void
fail(struct kubernetes_address *a, const char *what, const char *path,
	const char *why)
{
	char text[700];

	finish(a, FAILED_MS);
	if (a->failed != NULL && strcmp(a->failed, what) == 0)
		return;
	a->failed = what;
	snprintf(text, sizeof(text),
		"cannot %s for the address %s of this box: %.200s: %.300s",
		what, a->ip, path, why);
	tell(a, KIND_WARNING, text);
}

static void
succeed(struct kubernetes_address *a)
{
	a->failed = NULL;
	tell(a, KIND_OK, "");
	finish(a, KUBERNETES_ADDRESS_AGAIN_MS);
}

/* ---- which address it is */

static void
server_parse(struct kubernetes_address *a, const char *url)
{
	const char *host = strstr(url, "://");
	const char *end;

	host = host == NULL ? url : host + 3;
	a->port = HTTPS_PORT;
	if (*host == '[') {
		host++;
		end = host + strcspn(host, "]");
		a->host = xstrndup(host, (size_t)(end - host));
		end += *end == ']';
	} else {
		end = host + strcspn(host, ":/");
		a->host = xstrndup(host, (size_t)(end - host));
	}
	if (*end == ':')
		a->port = (uint16_t)strtoul(end + 1, NULL, 10);
}

/* Others of the cluster can come to it; slices take no other. */
static bool
is_reachable(const struct addr *own)
{
	const enum addr_kind kind = addr_kind(own);

	return kind != ADDR_UNSPECIFIED && kind != ADDR_LOOPBACK &&
	       kind != ADDR_LINK_LOCAL;
}

/* ---- the Service */

static struct kubernetes_call *
patch_send(struct kubernetes_address *a, const char *path,
	const struct doc *patch, kubernetes_answer_f *cb)
{
	struct kubernetes_request r = {
		.method = "PATCH",
		.path = path,
		.content_type = "application/merge-patch+json",
	};
	struct kubernetes_call *call;
	struct str body;

	str_init(&body);
	json_doc_write(patch, 0, &body);
	r.body = (struct slice){ body.data, body.length };
	call = kubernetes_api_call(a->cluster->api, &r, cb, a);
	str_fini(&body);
	return call;
}

/* A patch that only fits the version that was read. */
static struct doc *
patch_new(const struct doc *object)
{
	struct doc *patch = doc_new_map();
	struct doc *meta = doc_set(patch, "metadata", doc_new_map());

	doc_set_string(meta, "resourceVersion",
		doc_get_text(doc_get(object, "metadata"), "resourceVersion"));
	return patch;
}

static void
on_service_written(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_address *a = arg;

	a->call = NULL;
	if (answer->status == 409) {
		finish(a, CONFLICT_MS);
	} else if (answer->problem != NULL) {
		fail(a, "write the status", a->service_path, answer->problem);
	} else {
		succeed(a);
	}
}

/* What was said of an address before (ipMode) stays. */
static struct doc *
ingress_entry(const struct doc *ingress, const char *ip)
{
	struct doc *entry;

	for (size_t i = 0; i < doc_count(ingress); i++)
		if (strcmp(doc_get_text(doc_at(ingress, i), "ip"), ip) == 0)
			return doc_copy(doc_at(ingress, i));
	entry = doc_new_map();
	doc_set_string(entry, "ip", ip);
	return entry;
}

static void
on_service(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_address *a = arg;
	struct doc *wanted, *patch, *to;
	const struct doc *ingress;
	char *path;

	a->call = NULL;
	if (answer->problem != NULL) {
		fail(a, "read the Service", a->service_path, answer->problem);
		return;
	}
	ingress = doc_find(
		answer->doc, "status", "loadBalancer", "ingress", NULL);
	wanted = doc_new_list();
	for (size_t i = 0; i < doc_count(a->addresses); i++)
		doc_add(wanted, ingress_entry(ingress,
					doc_string(doc_at(a->addresses, i))));
	if (doc_equal(wanted, ingress)) {
		doc_free(wanted);
		succeed(a);
		return;
	}
	patch = patch_new(answer->doc);
	to = doc_set(patch, "status", doc_new_map());
	to = doc_set(to, "loadBalancer", doc_new_map());
	doc_set(to, "ingress", wanted);
	path = xasprintf("%s/status", a->service_path);
	a->call = patch_send(a, path, patch, on_service_written);
	free(path);
	doc_free(patch);
}

static void
service_read(struct kubernetes_address *a)
{
	struct kubernetes_request r = { .path = a->service_path };

	a->call = kubernetes_api_call(a->cluster->api, &r, on_service, a);
}

/* ---- its slice */

static void
on_slice_written(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_address *a = arg;

	a->call = NULL;
	if (answer->status == 409)
		finish(a, CONFLICT_MS);
	else if (answer->problem != NULL)
		fail(a, "write the slice", a->slice_path, answer->problem);
	else
		service_read(a);
}

static const char *
endpoint_address(const struct doc *endpoint)
{
	const char *text =
		doc_string(doc_at(doc_get(endpoint, "addresses"), 0));

	return text == NULL ? "" : text;
}

/* The entries as they have to be: without our former address, with ours.
 * *same: they are so already. */
static struct doc *
endpoints_make(const struct kubernetes_address *a, const struct doc *slice,
	const char *former, bool *same)
{
	const struct doc *now = doc_get(slice, "endpoints");
	struct doc *list = doc_new_list(), *own, *addresses;
	bool found = false;

	for (size_t i = 0; i < doc_count(now); i++) {
		const char *ip = endpoint_address(doc_at(now, i));

		found |= strcmp(ip, a->ip) == 0;
		if (strcmp(ip, a->ip) == 0 || strcmp(ip, former) != 0)
			doc_add(list, doc_copy(doc_at(now, i)));
	}
	*same = found && doc_count(list) == doc_count(now);
	if (found)
		return list;
	own = doc_add(list, doc_new_map());
	addresses = doc_set(own, "addresses", doc_new_list());
	doc_add(addresses, doc_new_string(a->ip));
	doc_set(doc_set(own, "conditions", doc_new_map()), "ready",
		doc_new_bool(true));
	return list;
}

static void
addresses_keep(struct kubernetes_address *a, const struct doc *endpoints)
{
	doc_free(a->addresses);
	a->addresses = doc_new_list();
	for (size_t i = 0; i < doc_count(endpoints); i++) {
		const char *ip = endpoint_address(doc_at(endpoints, i));

		if (ip[0] != '\0')
			doc_add(a->addresses, doc_new_string(ip));
	}
}

static void
slice_mend(struct kubernetes_address *a, const struct doc *slice)
{
	const char *former = doc_get_text(
		doc_find(slice, "metadata", "annotations", NULL),
		a->annotation);
	struct doc *endpoints, *patch, *meta;
	bool same;

	endpoints = endpoints_make(a, slice, former, &same);
	addresses_keep(a, endpoints);
	if (same && strcmp(former, a->ip) == 0) {
		doc_free(endpoints);
		service_read(a);
		return;
	}
	patch = patch_new(slice);
	meta = doc_get(patch, "metadata");
	doc_set_string(doc_set(meta, "annotations", doc_new_map()),
		a->annotation, a->ip);
	doc_set(patch, "endpoints", endpoints);
	a->call = patch_send(a, a->slice_path, patch, on_slice_written);
	doc_free(patch);
}

static void
on_slice(const struct kubernetes_answer *answer, void *arg)
{
	struct kubernetes_address *a = arg;
	const char *family = strchr(a->ip, ':') != NULL ? "IPv6" : "IPv4";
	const char *type;

	a->call = NULL;
	if (answer->status == 404) {
		/* Not installed by glooctl, so nobody asked for it. */
		succeed(a);
		return;
	}
	if (answer->problem != NULL) {
		fail(a, "read the slice", a->slice_path, answer->problem);
		return;
	}
	type = doc_get_text(answer->doc, "addressType");
	if (strcmp(type, family) != 0)
		fail(a, "use the slice", a->slice_path,
			"its addressType is another; glooctl install kube makes "
			"it anew");
	else
		slice_mend(a, answer->doc);
}

/* ---- when */

/* Its own address is known: is it what the cluster has? */
static void
check(struct kubernetes_address *a)
{
	struct kubernetes_request r = { .path = a->slice_path };

	if (strcmp(a->ip, a->seen_to) != 0 || now_ms(a) >= a->again_ms)
		a->call = kubernetes_api_call(
			a->cluster->api, &r, on_slice, a);
}

static void
look(struct kubernetes_address *a)
{
	struct addr own;

	if (own_address(&a->server, &own) != 0)
		return; /* no way there: the API's own failures say so */
	if (!is_reachable(&own)) {
		tell(a, KIND_NOTE,
			"the way to the API server begins at an address that "
			"only this box can use; the Service keeps the address "
			"that it has, unless the settings name one");
		return;
	}
	addr_format_ip(&own, a->ip);
	check(a);
}

static void
on_resolved(const struct resolver_answer *answer, void *arg)
{
	struct kubernetes_address *a = arg;

	a->query = NULL;
	/* The API's calls fail by it, too, and say so. */
	if (answer->addr_count == 0)
		return;
	a->server = answer->addrs[0];
	a->server.port_be = htons(a->port);
	a->resolved = true;
	look(a);
}

static void
on_timer(void *arg)
{
	struct kubernetes_address *a = arg;

	loop_timer_start(a->timer, KUBERNETES_ADDRESS_LOOK_MS);
	if (a->query != NULL || a->call != NULL)
		return;
	if (a->cluster->settings->address != NULL) {
		check(a);
		return;
	}
	if (!a->resolved && addr_parse_ip(a->host, a->port, &a->server) == 0)
		a->resolved = true;
	if (a->resolved)
		look(a);
	else
		a->query = resolver_query_new(a->cluster->program->resolver,
			a->host, on_resolved, a);
}

struct kubernetes_address *
kubernetes_address_new(struct kubernetes_cluster *c)
{
	struct kubernetes_address *a = xcalloc(1, sizeof(*a));
	const struct kubernetes_settings *s = c->settings;

	a->cluster = c;
	a->slice_path = xasprintf(SLICE_PATH, s->namespace_, s->service);
	a->service_path = xasprintf(SERVICE_PATH, s->namespace_, s->service);
	a->annotation = kubernetes_box_annotation(s->identity);
	server_parse(a, kubernetes_account_server(c->account));
	if (s->address != NULL)
		snprintf(a->ip, sizeof(a->ip), "%s", s->address);
	a->timer = loop_timer_new(c->program->loop, on_timer, a);
	loop_timer_start(a->timer, 0);
	return a;
}

void
kubernetes_address_free(struct kubernetes_address *a)
{
	if (a == NULL)
		return;
	if (a->query != NULL)
		resolver_query_cancel(a->query);
	if (a->call != NULL)
		kubernetes_call_cancel(a->call);
	loop_timer_free(a->timer);
	doc_free(a->addresses);
	free(a->slice_path);
	free(a->service_path);
	free(a->annotation);
	free(a->host);
	free(a);
}
