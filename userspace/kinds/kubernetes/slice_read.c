/* What one slice says, and one object Endpoints. */
#include "kinds/kubernetes/slices_inner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/table.h"
#include "model/model.h"

/* ---- records */

void
kubernetes_slice_free(struct slice_record *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->part_count; i++) {
		free(r->parts[i].ports);
		free(r->parts[i].members);
	}
	free(r->parts);
	str_fini(&r->text);
	free(r->key);
	free(r->service);
	free(r);
}

static bool
part_is_same(const struct slice_part *a, const struct slice_part *b)
{
	return a->port_count == b->port_count &&
	       a->member_count == b->member_count &&
	       (a->port_count == 0 ||
		       memcmp(a->ports, b->ports,
			       a->port_count * sizeof(*a->ports)) == 0) &&
	       (a->member_count == 0 ||
		       memcmp(a->members, b->members,
			       a->member_count * sizeof(*a->members)) == 0);
}

bool
kubernetes_slice_is_same(
	const struct slice_record *a, const struct slice_record *b)
{
	if (strcmp(a->service, b->service) != 0 ||
		a->part_count != b->part_count ||
		a->text.length != b->text.length ||
		memcmp(a->text.data, b->text.data, a->text.length) != 0)
		return false;
	for (size_t i = 0; i < a->part_count; i++)
		if (!part_is_same(&a->parts[i], &b->parts[i]))
			return false;
	return true;
}

/* ---- reading objects */

static int
unexpected(const struct doc *d, const char *wanted, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "expected %s, found %s", wanted,
		doc_type_name(doc_type(d)));
}

/* null, and a key that is not there, is an empty list. */
static int
list_check(const struct doc *d, const char *key, struct error *err)
{
	const struct doc *list = doc_get(d, key);

	if (doc_type(list) == DOC_NULL || doc_type(list) == DOC_LIST)
		return 0;
	unexpected(list, "a list", err);
	return error_prefix(err, ".%s", key);
}

static int
map_check(const struct doc *d, const char *key, struct error *err)
{
	const struct doc *map = doc_get(d, key);

	if (doc_type(map) == DOC_NULL || doc_type(map) == DOC_MAP)
		return 0;
	unexpected(map, "a map", err);
	return error_prefix(err, ".%s", key);
}

static int
flag_read(const struct doc *d, const char *key, bool fallback, bool *out,
	struct error *err)
{
	const struct doc *flag = doc_get(d, key);

	*out = fallback;
	if (doc_type(flag) == DOC_NULL)
		return 0;
	*out = doc_bool(flag);
	if (doc_type(flag) == DOC_BOOL)
		return 0;
	unexpected(flag, "true or false", err);
	return error_prefix(err, ".%s", key);
}

static int
string_read(const struct doc *d, const char *key, const char *fallback,
	const char **out, struct error *err)
{
	const struct doc *text = doc_get(d, key);

	*out = fallback;
	if (doc_type(text) == DOC_NULL)
		return 0;
	*out = doc_string(text);
	if (*out != NULL)
		return 0;
	unexpected(text, "a string", err);
	return error_prefix(err, ".%s", key);
}

/* Neighbours mostly say the same: it is kept once. */
static uint32_t
text_keep(struct slice_record *r, const char *text, uint32_t last)
{
	uint32_t place = (uint32_t)r->text.length;

	if (text[0] == '\0')
		return 0;
	if (last != 0 && strcmp(slice_text(r, last), text) == 0)
		return last;
	str_append(&r->text, text, strlen(text) + 1);
	return place;
}

static int
port_read(struct slice_record *r, const struct doc *d, struct slice_port *p,
	const struct slice_port *before, struct error *err)
{
	const struct doc *number = doc_get(d, "port");
	const char *name, *protocol;

	if (doc_type(d) != DOC_MAP)
		return unexpected(d, "a map", err);
	if (string_read(d, "name", "", &name, err) != 0 ||
		string_read(d, "protocol", "TCP", &protocol, err) != 0)
		return -1;
	p->name = text_keep(r, name, 0);
	p->protocol =
		text_keep(r, protocol, before == NULL ? 0 : before->protocol);
	if (doc_type(number) == DOC_NULL) {
		p->all = 1;
		return 0;
	}
	if (doc_type(number) != DOC_INTEGER || doc_integer(number) < 1 ||
		doc_integer(number) > UINT16_MAX)
		return error_set(
			err, ERROR_CONFIG, ".port: expected 1 to 65535");
	p->number = (uint16_t)doc_integer(number);
	return 0;
}

static int
ports_read(struct slice_record *r, struct slice_part *part, const struct doc *d,
	struct error *err)
{
	const struct doc *list = doc_get(d, "ports");
	size_t total = doc_count(list);

	if (list_check(d, "ports", err) != 0)
		return -1;
	part->ports = xcalloc(total + 1, sizeof(*part->ports));
	for (size_t i = 0; i < total; i++) {
		if (port_read(r, doc_at(list, i), &part->ports[i],
			    i == 0 ? NULL : &part->ports[i - 1], err) != 0)
			return error_prefix(err, ".ports[%zu]", i);
		part->port_count++;
	}
	return 0;
}

static bool
hint_is_same(
	const struct slice_record *r, uint32_t last, const struct str *hint)
{
	return last != 0 && r->text.length - last >= hint->length &&
	       memcmp(slice_text(r, last), hint->data, hint->length) == 0;
}

/* hints.forZones, hints.forNodes */
static int
hint_read(struct slice_record *r, const struct doc *hints, const char *key,
	uint32_t last, uint32_t *place, struct error *err)
{
	const struct doc *list = doc_get(hints, key);
	struct str names;
	int rc = list_check(hints, key, err);

	str_init(&names);
	for (size_t i = 0; rc == 0 && i < doc_count(list); i++) {
		const char *name = doc_get_text(doc_at(list, i), "name");

		if (name[0] != '\0')
			str_append(&names, name, strlen(name) + 1);
	}
	*place = 0;
	if (rc == 0 && names.length > 0) {
		str_putc(&names, '\0');
		*place = last;
		if (!hint_is_same(r, last, &names)) {
			*place = (uint32_t)r->text.length;
			str_append(&r->text, names.data, names.length);
		}
	}
	str_fini(&names);
	return rc;
}

/* A pod's uid; what is no pod has none. */
static int
owner_read(struct slice_record *r, const struct doc *d, struct slice_member *m,
	struct error *err)
{
	const struct doc *ref = doc_get(d, "targetRef");
	const char *uid, *kind, *name, *ns;
	size_t length = strcspn(r->key, "/");

	if (map_check(d, "targetRef", err) != 0)
		return -1;
	if (string_read(ref, "uid", "", &uid, err) != 0 ||
		string_read(ref, "kind", "", &kind, err) != 0 ||
		string_read(ref, "name", "", &name, err) != 0 ||
		string_read(ref, "namespace", "", &ns, err) != 0)
		return error_prefix(err, ".targetRef");
	if (uid[0] != '\0') {
		m->owner = hash_bytes(uid, strlen(uid), 0);
		m->owner += m->owner == 0;
	}
	if (strcmp(kind, "Pod") == 0 &&
		(ns[0] == '\0' || (strlen(ns) == length &&
					  memcmp(ns, r->key, length) == 0)))
		m->pod = text_keep(r, name, 0);
	return 0;
}

/* The first address only (the API: the others mean the same). */
static int
address_read(const char *text, int family, struct slice_member *m,
	struct error *err)
{
	struct addr addr;

	if (text == NULL || addr_parse_ip(text, 0, &addr) != 0 ||
		(family != AF_UNSPEC &&
			addr_is_v4(&addr) != (family == AF_INET)))
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is no address of that type",
			text == NULL ? "" : text);
	memcpy(m->ip, addr.ip, sizeof(m->ip));
	return 0;
}

static int
conditions_read(const struct doc *d, struct slice_member *m, struct error *err)
{
	const struct doc *conditions = doc_get(d, "conditions");
	bool ready, serving, terminating;

	if (map_check(d, "conditions", err) != 0)
		return -1;
	if (flag_read(conditions, "ready", true, &ready, err) != 0 ||
		flag_read(conditions, "serving", ready, &serving, err) != 0 ||
		flag_read(conditions, "terminating", false, &terminating,
			err) != 0)
		return error_prefix(err, ".conditions");
	if (ready)
		m->state |= MEMBER_READY;
	if (serving && terminating)
		m->state |= MEMBER_LEAVING;
	return 0;
}

static int
endpoint_read(struct slice_record *r, const struct doc *d, int family,
	struct slice_member *m, const struct slice_member *before,
	struct error *err)
{
	const struct doc *hints = doc_get(d, "hints");
	uint32_t zones = before == NULL ? 0 : before->zones;
	uint32_t nodes = before == NULL ? 0 : before->nodes;

	if (doc_type(d) != DOC_MAP)
		return unexpected(d, "a map", err);
	if (list_check(d, "addresses", err) != 0)
		return -1;
	if (address_read(doc_string(doc_at(doc_get(d, "addresses"), 0)),
		    family, m, err) != 0)
		return error_prefix(err, ".addresses[0]");
	if (conditions_read(d, m, err) != 0 || owner_read(r, d, m, err) != 0 ||
		map_check(d, "hints", err) != 0)
		return -1;
	if (hint_read(r, hints, "forZones", zones, &m->zones, err) != 0 ||
		hint_read(r, hints, "forNodes", nodes, &m->nodes, err) != 0)
		return error_prefix(err, ".hints");
	return 0;
}

static int
endpoints_read(struct slice_record *r, struct slice_part *part,
	const struct doc *d, int family, struct error *err)
{
	const struct doc *list = doc_get(d, "endpoints");
	size_t total = doc_count(list);

	part->members = xcalloc(total + 1, sizeof(*part->members));
	for (size_t i = 0; i < total; i++) {
		struct slice_member *m = &part->members[part->member_count];

		if (endpoint_read(r, doc_at(list, i), family, m,
			    part->member_count == 0 ? NULL : m - 1, err) != 0)
			return error_prefix(err, ".endpoints[%zu]", i);
		part->member_count++;
	}
	return 0;
}

/* AF_UNSPEC for FQDN: names are no endpoints (deprecated, never made by
 * Kubernetes itself). */
static int
family_read(const struct doc *d, int *family, struct error *err)
{
	const char *type;

	if (string_read(d, "addressType", "", &type, err) != 0)
		return -1;
	if (strcmp(type, "IPv4") == 0)
		*family = AF_INET;
	else if (strcmp(type, "IPv6") == 0)
		*family = AF_INET6;
	else if (strcmp(type, "FQDN") == 0)
		*family = AF_UNSPEC;
	else
		return error_set(err, ERROR_CONFIG,
			".addressType: expected IPv4, IPv6 or FQDN, found "
			"\"%.64s\"",
			type);
	return 0;
}

static int
slice_read(struct slice_record *r, const struct doc *d, struct error *err)
{
	int family = AF_UNSPEC;

	r->parts = xcalloc(1, sizeof(*r->parts));
	r->part_count = 1;
	if (family_read(d, &family, err) != 0 ||
		list_check(d, "endpoints", err) != 0)
		return -1;
	if (family == AF_UNSPEC)
		return 0;
	if (ports_read(r, &r->parts[0], d, err) != 0)
		return -1;
	return endpoints_read(r, &r->parts[0], d, family, err);
}

static int
subset_read(struct slice_record *r, struct slice_part *part,
	const struct doc *d, struct error *err)
{
	const struct doc *list = doc_get(d, "addresses");
	size_t total = doc_count(list);

	if (doc_type(d) != DOC_MAP)
		return unexpected(d, "a map", err);
	if (ports_read(r, part, d, err) != 0 ||
		list_check(d, "addresses", err) != 0)
		return -1;
	part->members = xcalloc(total + 1, sizeof(*part->members));
	for (size_t i = 0; i < total; i++) {
		struct slice_member *m = &part->members[i];
		const struct doc *one = doc_at(list, i);

		if (address_read(doc_string(doc_get(one, "ip")), AF_UNSPEC, m,
			    err) != 0 ||
			owner_read(r, one, m, err) != 0)
			return error_prefix(err, ".addresses[%zu]", i);
		m->state = MEMBER_READY;
		part->member_count++;
	}
	return 0;
}

static int
subsets_read(struct slice_record *r, const struct doc *d, struct error *err)
{
	const struct doc *list = doc_get(d, "subsets");
	size_t total = doc_count(list);

	if (list_check(d, "subsets", err) != 0)
		return -1;
	r->parts = xcalloc(total + 1, sizeof(*r->parts));
	for (size_t i = 0; i < total; i++) {
		r->part_count++;
		if (subset_read(r, &r->parts[i], doc_at(list, i), err) != 0)
			return error_prefix(err, ".subsets[%zu]", i);
	}
	return 0;
}

static int
names_read(const struct doc *d, const char **ns, const char **name,
	struct error *err)
{
	const struct doc *meta = doc_get(d, "metadata");

	*ns = doc_get_text(meta, "namespace");
	*name = doc_get_text(meta, "name");
	if (model_name_valid(*ns) && model_name_valid(*name))
		return 0;
	return error_set(err, ERROR_CONFIG,
		".metadata: expected the name and namespace of an object");
}

/* NULL: nobody's. */
static const char *
service_of(const struct doc *d, enum kubernetes_slice_sort sort)
{
	const char *service;

	if (sort == KUBERNETES_ENDPOINTS)
		return doc_get_string(doc_get(d, "metadata"), "name");
	service = doc_get_string(doc_find(d, "metadata", "labels", NULL),
		"kubernetes.io/service-name");
	return service != NULL && model_name_valid(service) ? service : NULL;
}

struct slice_record *
kubernetes_slice_read(const struct doc *object,
	enum kubernetes_slice_sort sort, struct error *err)
{
	const char *ns, *name, *service;
	struct slice_record *r;
	int rc;

	if (names_read(object, &ns, &name, err) != 0)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	str_init(&r->text);
	str_putc(&r->text, '\0');
	r->key = xasprintf("%s/%s", ns, name);
	service = service_of(object, sort);
	if (service == NULL)
		return r;
	r->service = xasprintf("%s/%s", ns, service);
	rc = sort == KUBERNETES_SLICE ? slice_read(r, object, err)
				      : subsets_read(r, object, err);
	if (rc == 0)
		return r;
	kubernetes_slice_free(r);
	return NULL;
}
