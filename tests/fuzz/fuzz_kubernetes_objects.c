/*
 * Objects of a cluster: whatever JSON comes as a Service, an EndpointSlice or
 * Endpoints. None crashes a reader; what is refused says why; the endpoints are
 * valid, sorted and each there once; what upstreams are made are read again;
 * and once everything was removed there is nothing. The name that is seen of
 * what cannot be read is that of what can be read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "config/config.h"
#include "kinds.h"
#include "kinds/kubernetes/object_glimpse.h"
#include "kinds/kubernetes/services.h"
#include "kinds/kubernetes/slices.h"

#define SIZE_MAX_FED (32u << 10)
#define ROOM         64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
on_change(const char *ns, const char *name, void *arg)
{
	size_t *count = arg;

	expect(ns[0] != '\0' && name[0] != '\0');
	++*count;
}

static const char *
name_of(const struct doc *object)
{
	return doc_get_text(doc_get(object, "metadata"), "name");
}

static const char *
ns_of(const struct doc *object)
{
	return doc_get_text(doc_get(object, "metadata"), "namespace");
}

/* ---- slices */

static void
endpoints_check(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q)
{
	struct endpoint set[ROOM];
	size_t count = kubernetes_slices_endpoints(s, q, set, ROOM);

	for (size_t i = 0; i < count && i < ROOM; i++) {
		expect(addr_port(&set[i].addr) != 0 && set[i].weight == 1 &&
			set[i].health == ENDPOINT_UP && set[i].host[0] == '\0');
		expect(i == 0 ||
			memcmp(set[i - 1].addr.ip, set[i].addr.ip, 16) < 0 ||
			(memcmp(set[i - 1].addr.ip, set[i].addr.ip, 16) == 0 &&
				addr_port(&set[i - 1].addr) <
					addr_port(&set[i].addr)));
	}
	expect(kubernetes_slices_endpoints(s, q, NULL, 0) == count);
}

/* By every port that it names, and by one that it does not. */
static void
slices_query(const struct kubernetes_slices *s, const struct doc *object)
{
	const struct doc *labels = doc_find(object, "metadata", "labels", NULL);
	const struct doc *ports = doc_get(object, "ports");
	const char *service =
		doc_get_text(labels, "kubernetes.io/service-name");
	struct kubernetes_slices_query q = {
		.ns = ns_of(object),
		.service = service[0] == '\0' ? name_of(object) : service,
		.port_name = "",
		.protocol = "TCP",
		.port = 1,
		.family = AF_INET,
		.zone = "a",
		.node = "n",
	};

	endpoints_check(s, &q);
	for (size_t i = 0; i < doc_count(ports); i++) {
		q.port_name = doc_get_text(doc_at(ports, i), "name");
		endpoints_check(s, &q);
	}
}

static void
slices_check(const struct doc *objects, enum kubernetes_slice_sort sort)
{
	size_t changes = 0;
	struct kubernetes_slices *s =
		kubernetes_slices_new(on_change, &changes);

	for (size_t i = 0; i < doc_count(objects); i++) {
		const struct doc *object = doc_at(objects, i);
		struct error err = ERROR_INIT;
		size_t before;

		if (kubernetes_slices_put(s, sort, object, &err) != 0) {
			expect(err.code != ERROR_NONE && err.text[0] != '\0');
			continue;
		}
		before = changes;
		expect(kubernetes_slices_put(s, sort, object, NULL) == 0);
		expect(changes == before);
		slices_query(s, object);
	}
	for (size_t i = 0; i < doc_count(objects); i++)
		kubernetes_slices_remove(s, sort, ns_of(doc_at(objects, i)),
			name_of(doc_at(objects, i)));
	expect(kubernetes_slices_count(s, sort) == 0);
	for (size_t i = 0; i < doc_count(objects); i++)
		slices_query(s, doc_at(objects, i));
	kubernetes_slices_free(s);
}

/* ---- services */

static void
on_upstream(struct doc *d, void *arg)
{
	struct error err = ERROR_INIT;
	struct model_object *o = config_read(d, upstream_kinds, &err);
	const char *name = name_of(d);

	(void)arg;
	expect(strlen(name) < KUBERNETES_UPSTREAM_MAX);
	/* Labels of a cluster have no controls; others may be refused. */
	expect(o != NULL || (err.code != ERROR_NONE && err.text[0] != '\0'));
	model_object_unref(o);
	doc_free(d);
}

static void
service_query(const struct kubernetes_services *s, const struct doc *object)
{
	const struct doc *ports = doc_find(object, "spec", "ports", NULL);
	struct kubernetes_port port;
	struct str text;

	str_init(&text);
	expect(kubernetes_services_ports(
		s, ns_of(object), name_of(object), &text));
	kubernetes_services_clash(s, ns_of(object), name_of(object), &text);
	str_fini(&text);
	for (size_t i = 0; i < doc_count(ports); i++) {
		expect(kubernetes_services_port(s, ns_of(object),
			name_of(object),
			(uint16_t)doc_get_integer(doc_at(ports, i), "port"),
			&port));
		expect(port.port != 0 && port.protocol[0] != '\0');
		if (port.external_name)
			kubernetes_services_host_allowed(s, port.host, NULL);
	}
	kubernetes_services_upstreams(
		s, ns_of(object), name_of(object), on_upstream, NULL);
}

static void
services_check(const struct doc *objects)
{
	size_t changes = 0;
	struct doc *empty = doc_new_map();
	struct kubernetes_settings *settings =
		kubernetes_settings_read(empty, NULL);
	struct kubernetes_services *s = kubernetes_services_new(
		settings, "gloo-system", on_change, &changes);

	for (size_t i = 0; i < doc_count(objects); i++) {
		const struct doc *object = doc_at(objects, i);
		struct error err = ERROR_INIT;
		size_t before;

		if (kubernetes_services_put(s, object, &err) != 0) {
			expect(err.code != ERROR_NONE && err.text[0] != '\0');
			continue;
		}
		before = changes;
		expect(kubernetes_services_put(s, object, NULL) == 0);
		expect(changes == before);
		service_query(s, object);
	}
	for (size_t i = 0; i < doc_count(objects); i++)
		kubernetes_services_remove(s, ns_of(doc_at(objects, i)),
			name_of(doc_at(objects, i)));
	expect(kubernetes_services_count(s) == 0);
	for (size_t i = 0; i < doc_count(objects); i++) {
		char name[KUBERNETES_UPSTREAM_MAX];

		kubernetes_upstream_name(ns_of(doc_at(objects, i)),
			name_of(doc_at(objects, i)), 80, name);
		expect(!kubernetes_services_makes(s, name));
	}
	kubernetes_services_free(s);
	kubernetes_settings_free(settings);
	doc_free(empty);
}

/* One object, or a list of some. */
/* d: what it is read as; NULL: it cannot be. */
static void
glimpse_check(struct slice text, const struct doc *d)
{
	struct doc *event = object_glimpse(text, true);
	struct doc *object = object_glimpse(text, false);

	if (d != NULL && object != NULL)
		expect(strcmp(name_of(d), name_of(object)) == 0 &&
			strcmp(ns_of(d), ns_of(object)) == 0);
	doc_free(event);
	doc_free(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct doc *d, *objects;

	if (size > SIZE_MAX_FED)
		return 0;
	d = json_doc_read((const char *)data, size, &err);
	glimpse_check((struct slice){ (const char *)data, size }, d);
	if (d == NULL)
		return 0;
	objects = d;
	if (doc_type(d) != DOC_LIST) {
		objects = doc_new_list();
		doc_add(objects, d);
	}
	slices_check(objects, KUBERNETES_SLICE);
	slices_check(objects, KUBERNETES_ENDPOINTS);
	services_check(objects);
	doc_free(objects);
	return 0;
}
