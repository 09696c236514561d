/* All endpoint slices of the cluster, by service. */
#include "kinds/kubernetes/slices.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "model/model.h"

#define SORT_COUNT 2

enum member_state {
	MEMBER_READY = 1,
	MEMBER_LEAVING = 2, /* terminates and still serves */
};

/* One endpoint. Places in the record's text; 0: nothing. Compared as bytes. */
struct member {
	uint8_t ip[16];
	uint64_t owner;
	uint32_t pod;          /* the name */
	uint32_t zones, nodes; /* of the hints: names, the last one empty */
	uint8_t state;         /* or of enum member_state */
	uint8_t pad[3];
};

_Static_assert(sizeof(struct member) == 40, "no bytes but the named ones");

struct member_port {
	uint32_t name, protocol; /* places in the record's text */
	uint16_t number;
	uint8_t all; /* of the pod's, number is 0 */
	uint8_t pad;
};

_Static_assert(sizeof(struct member_port) == 12, "no bytes but the named ones");

/* Ports and those that have them: a slice is one such part, Endpoints have
 * several (subsets). */
struct part {
	struct member_port *ports;
	size_t port_count;
	struct member *members;
	size_t member_count;
};

/* What was kept of one object. */
struct record {
	char *key;     /* "ns/name" */
	char *service; /* "ns/service" */
	struct part *parts;
	size_t part_count;
	struct str text; /* begins with a NUL: place 0 */
};

struct group { /* of one service */
	struct record **records;
	size_t count, capacity;
};

struct kubernetes_slices {
	struct table *records[SORT_COUNT]; /* by key */
	struct table *groups;              /* by service */
	kubernetes_slices_f *changed;
	void *arg;
};

/* ---- records */

static void
record_free(struct record *r)
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
part_is_same(const struct part *a, const struct part *b)
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

static bool
record_is_same(const struct record *a, const struct record *b)
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

static const char *
record_text(const struct record *r, uint32_t place)
{
	return r->text.data + place;
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
text_keep(struct record *r, const char *text, uint32_t last)
{
	uint32_t place = (uint32_t)r->text.length;

	if (text[0] == '\0')
		return 0;
	if (last != 0 && strcmp(record_text(r, last), text) == 0)
		return last;
	str_append(&r->text, text, strlen(text) + 1);
	return place;
}

static int
port_read(struct record *r, const struct doc *d, struct member_port *p,
	const struct member_port *before, struct error *err)
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
ports_read(struct record *r, struct part *part, const struct doc *d,
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
hint_is_same(const struct record *r, uint32_t last, const struct str *hint)
{
	return last != 0 && r->text.length - last >= hint->length &&
	       memcmp(record_text(r, last), hint->data, hint->length) == 0;
}

/* hints.forZones, hints.forNodes */
static int
hint_read(struct record *r, const struct doc *hints, const char *key,
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
owner_read(struct record *r, const struct doc *d, struct member *m,
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
address_read(const char *text, int family, struct member *m, struct error *err)
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
conditions_read(const struct doc *d, struct member *m, struct error *err)
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
endpoint_read(struct record *r, const struct doc *d, int family,
	struct member *m, const struct member *before, struct error *err)
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
endpoints_read(struct record *r, struct part *part, const struct doc *d,
	int family, struct error *err)
{
	const struct doc *list = doc_get(d, "endpoints");
	size_t total = doc_count(list);

	part->members = xcalloc(total + 1, sizeof(*part->members));
	for (size_t i = 0; i < total; i++) {
		struct member *m = &part->members[part->member_count];

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
slice_read(struct record *r, const struct doc *d, struct error *err)
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
subset_read(struct record *r, struct part *part, const struct doc *d,
	struct error *err)
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
		struct member *m = &part->members[i];
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
subsets_read(struct record *r, const struct doc *d, struct error *err)
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

/* Whose it is; NULL: nobody's. */
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

static struct record *
record_read(const struct doc *d, enum kubernetes_slice_sort sort,
	const char *ns, const char *name, const char *service,
	struct error *err)
{
	struct record *r = xcalloc(1, sizeof(*r));
	int rc;

	str_init(&r->text);
	str_putc(&r->text, '\0');
	r->key = xasprintf("%s/%s", ns, name);
	r->service = xasprintf("%s/%s", ns, service);
	rc = sort == KUBERNETES_SLICE ? slice_read(r, d, err)
				      : subsets_read(r, d, err);
	if (rc == 0)
		return r;
	record_free(r);
	return NULL;
}

/* ---- the store */

struct kubernetes_slices *
kubernetes_slices_new(kubernetes_slices_f *changed, void *arg)
{
	struct kubernetes_slices *s = xcalloc(1, sizeof(*s));

	for (size_t i = 0; i < SORT_COUNT; i++)
		s->records[i] = table_new(NULL);
	s->groups = table_new(NULL);
	s->changed = changed;
	s->arg = arg;
	return s;
}

static void
group_free(struct group *g)
{
	free(g->records);
	free(g);
}

void
kubernetes_slices_free(struct kubernetes_slices *s)
{
	size_t place = 0;
	void *value;

	if (s == NULL)
		return;
	for (size_t i = 0; i < SORT_COUNT; i++) {
		place = 0;
		while (table_next(s->records[i], &place, NULL, &value))
			record_free(value);
		table_free(s->records[i]);
	}
	place = 0;
	while (table_next(s->groups, &place, NULL, &value))
		group_free(value);
	table_free(s->groups);
	free(s);
}

static void
group_add(struct kubernetes_slices *s, struct record *r)
{
	struct group *g = table_get(s->groups, r->service);

	if (g == NULL) {
		g = xcalloc(1, sizeof(*g));
		table_set(s->groups, r->service, g);
	}
	if (g->count == g->capacity) {
		g->capacity = g->capacity == 0 ? 2 : 2 * g->capacity;
		g->records = xreallocarray(
			g->records, g->capacity, sizeof(struct record *));
	}
	g->records[g->count++] = r;
}

static void
group_drop(struct kubernetes_slices *s, const struct record *r)
{
	struct group *g = table_get(s->groups, r->service);

	for (size_t i = 0; i < g->count; i++) {
		if (g->records[i] != r)
			continue;
		g->records[i] = g->records[--g->count];
		break;
	}
	if (g->count > 0)
		return;
	table_remove(s->groups, r->service);
	group_free(g);
}

/* service is "ns/service". */
static void
changed_tell(struct kubernetes_slices *s, const char *service)
{
	char *ns = xstrdup(service);
	char *slash = strchr(ns, '/');

	*slash = '\0';
	s->changed(ns, slash + 1, s->arg);
	free(ns);
}

/* Takes now, which may be NULL; the old one of that key goes. */
static void
record_swap(struct kubernetes_slices *s, enum kubernetes_slice_sort sort,
	const char *key, struct record *now)
{
	struct record *old = table_steal(s->records[sort], key);

	if (now != NULL) {
		table_set(s->records[sort], key, now);
		group_add(s, now);
	}
	if (old != NULL)
		group_drop(s, old);
	if (now != NULL)
		changed_tell(s, now->service);
	if (old != NULL &&
		(now == NULL || strcmp(old->service, now->service) != 0))
		changed_tell(s, old->service);
	record_free(old);
}

int
kubernetes_slices_put(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const struct doc *object,
	struct error *err)
{
	const char *ns, *name, *service;
	struct record *r;
	const struct record *old;

	if (names_read(object, &ns, &name, err) != 0)
		return -1;
	service = service_of(object, sort);
	if (service == NULL) {
		kubernetes_slices_remove(s, sort, ns, name);
		return 0;
	}
	r = record_read(object, sort, ns, name, service, err);
	if (r == NULL)
		return -1;
	old = table_get(s->records[sort], r->key);
	if (old != NULL && record_is_same(old, r))
		record_free(r);
	else
		record_swap(s, sort, r->key, r);
	return 0;
}

void
kubernetes_slices_remove(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const char *ns, const char *name)
{
	char *key = xasprintf("%s/%s", ns, name);

	record_swap(s, sort, key, NULL);
	free(key);
}

void
kubernetes_slices_forget(struct kubernetes_slices *s,
	enum kubernetes_slice_sort sort, const char *ns)
{
	size_t place = 0, length = ns == NULL ? 0 : strlen(ns);
	const char *key;

	while (table_next(s->records[sort], &place, &key, NULL)) {
		char *copy;

		if (ns != NULL && (strncmp(key, ns, length) != 0 ||
					  key[length] != '/'))
			continue;
		copy = xstrdup(key);
		record_swap(s, sort, copy, NULL);
		free(copy);
	}
}

size_t
kubernetes_slices_count(
	const struct kubernetes_slices *s, enum kubernetes_slice_sort sort)
{
	return table_count(s->records[sort]);
}

/* ---- the endpoints of one port */

struct candidate {
	struct addr addr;
	const struct record *record;
	const struct member *member;
};

struct candidates {
	struct candidate *items;
	size_t count;
};

static bool
port_find(const struct record *r, const struct part *part,
	const struct kubernetes_slices_query *q, uint16_t *number)
{
	for (size_t i = 0; i < part->port_count; i++) {
		const struct member_port *p = &part->ports[i];

		if (strcmp(record_text(r, p->name), q->port_name) != 0 ||
			strcmp(record_text(r, p->protocol), q->protocol) != 0)
			continue;
		*number = p->all ? q->port : p->number;
		return *number != 0;
	}
	return false;
}

static bool
member_wanted(const struct record *r, const struct member *m,
	const struct kubernetes_slices_query *q)
{
	if (q->pod_wanted == NULL)
		return true;
	return m->pod != 0 && q->pod_wanted(record_text(r, m->pod), q->arg);
}

static void
part_collect(struct candidates *c, const struct record *r,
	const struct part *part, const struct kubernetes_slices_query *q)
{
	uint16_t number;

	if (!port_find(r, part, q, &number))
		return;
	for (size_t i = 0; i < part->member_count; i++) {
		const struct member *m = &part->members[i];
		struct candidate *one = &c->items[c->count];

		if (!member_wanted(r, m, q) || m->state == 0)
			continue;
		memcpy(one->addr.ip, m->ip, sizeof(m->ip));
		one->addr.port_be = htons(number);
		one->record = r;
		one->member = m;
		c->count++;
	}
}

static size_t
group_size(const struct group *g)
{
	size_t total = 0;

	for (size_t i = 0; i < g->count; i++)
		for (size_t j = 0; j < g->records[i]->part_count; j++)
			total += g->records[i]->parts[j].member_count;
	return total;
}

typedef bool keep_f(const struct candidate *c, const void *arg);

static size_t
candidates_having(const struct candidates *c, keep_f *has, const void *arg)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		count += has(&c->items[i], arg);
	return count;
}

static void
candidates_keep(struct candidates *c, keep_f *keep, const void *arg)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		if (keep(&c->items[i], arg))
			c->items[count++] = c->items[i];
	c->count = count;
}

static bool
is_ready(const struct candidate *c, const void *arg)
{
	(void)arg;
	return (c->member->state & MEMBER_READY) != 0;
}

static bool
has_zones(const struct candidate *c, const void *arg)
{
	(void)arg;
	return c->member->zones != 0;
}

static bool
has_nodes(const struct candidate *c, const void *arg)
{
	(void)arg;
	return c->member->nodes != 0;
}

static bool
hint_names(const char *names, const char *wanted)
{
	for (; names[0] != '\0'; names += strlen(names) + 1)
		if (strcmp(names, wanted) == 0)
			return true;
	return false;
}

static bool
is_of_zone(const struct candidate *c, const void *zone)
{
	return hint_names(record_text(c->record, c->member->zones), zone);
}

static bool
is_of_node(const struct candidate *c, const void *node)
{
	return hint_names(record_text(c->record, c->member->nodes), node);
}

/* Those of one pod in a row; those of no known owner are first. */
static int
owner_compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->member->owner > y->member->owner) -
	       (x->member->owner < y->member->owner);
}

static bool
is_of_family(const struct candidate *c, int family)
{
	return addr_is_v4(&c->addr) == (family == AF_INET);
}

/* A pod of two families stands in a slice of each: it is one endpoint. */
static void
family_apply(struct candidates *c, int family)
{
	size_t count = 0, end;

	if (c->count > 1)
		qsort(c->items, c->count, sizeof(*c->items), owner_compare);
	for (size_t i = 0; i < c->count; i = end) {
		uint64_t owner = c->items[i].member->owner;
		bool has = false;

		for (end = i; end < c->count &&
			      c->items[end].member->owner == owner;
			end++)
			has |= is_of_family(&c->items[end], family);
		for (size_t j = i; j < end; j++)
			if (owner == 0 || !has ||
				is_of_family(&c->items[j], family))
				c->items[count++] = c->items[j];
	}
	c->count = count;
}

/* Only if every one has hints, and some are for us (KEP-2433): else a few would
 * get all the load, or nobody any. */
static bool
hints_apply(
	struct candidates *c, const char *ours, keep_f *has, keep_f *is_ours)
{
	if (ours == NULL || c->count == 0 ||
		candidates_having(c, has, NULL) != c->count ||
		candidates_having(c, is_ours, ours) == 0)
		return false;
	candidates_keep(c, is_ours, ours);
	return true;
}

static int
candidate_compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));

	if (order == 0)
		order = (int)ntohs(x->addr.port_be) -
			(int)ntohs(y->addr.port_be);
	if (order == 0)
		order = (x->member->owner > y->member->owner) -
			(x->member->owner < y->member->owner);
	return order;
}

static size_t
candidates_write(
	const struct candidates *c, struct endpoint *out, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct candidate *one = &c->items[i];

		if (i > 0 && addr_equal(&one->addr, &one[-1].addr))
			continue;
		if (count < room) {
			memset(&out[count], 0, sizeof(out[count]));
			out[count].addr = one->addr;
			out[count].weight = 1;
			out[count].health = ENDPOINT_UP;
			out[count].owner = one->member->owner;
		}
		count++;
	}
	return count;
}

size_t
kubernetes_slices_endpoints(const struct kubernetes_slices *s,
	const struct kubernetes_slices_query *q, struct endpoint *out,
	size_t room)
{
	struct candidates c = { NULL, 0 };
	char *key = xasprintf("%s/%s", q->ns, q->service);
	const struct group *g = table_get(s->groups, key);
	size_t count;

	free(key);
	if (g == NULL)
		return 0;
	c.items = xcalloc(group_size(g) + 1, sizeof(*c.items));
	for (size_t i = 0; i < g->count; i++)
		for (size_t j = 0; j < g->records[i]->part_count; j++)
			part_collect(&c, g->records[i],
				&g->records[i]->parts[j], q);
	if (candidates_having(&c, is_ready, NULL) > 0)
		candidates_keep(&c, is_ready, NULL);
	family_apply(&c, q->family);
	if (!hints_apply(&c, q->node, has_nodes, is_of_node))
		hints_apply(&c, q->zone, has_zones, is_of_zone);
	if (c.count > 1)
		qsort(c.items, c.count, sizeof(*c.items), candidate_compare);
	count = candidates_write(&c, out, room);
	free(c.items);
	return count;
}
