/* The instances of a service, as /v1/health/service/<name> has them. */
#include "kinds/consul/instances.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/doc.h"
#include "base/json.h"
#include "base/json_split.h"
#include "base/mem.h"
#include "base/table.h"
#include "kinds/consul/spec.h"
#include "model/endpoint.h"
#include "model/tables.h"

#define ROW_BYTES_MAX       (1u << 20)
#define NAME_MAX_BYTES      1024 /* of a node or an id */
#define PORT_MAX            65535
#define WEIGHT_MAX          65535
#define WEIGHT_DEFAULT      1
#define KEY                 "rows" /* below which the array is put, to be cut */
#define KEY_BEFORE          "{\"" KEY "\":"
#define NODE_MAINTENANCE    "_node_maintenance"
#define DATACENTER_MASK     ((UINT64_C(1) << 20) - 1) /* of an owner */
#define SERVICE_MAINTENANCE "_service_maintenance"

enum health {
	HEALTH_PASSING,
	HEALTH_WARNING,
	HEALTH_CRITICAL,
};

/* What the members of the array are read into. */
struct reading {
	struct consul_instances *out;
	size_t garbled_room;
	const char *local_datacenter;
	size_t room;
	size_t row;
};

/* ---- values; of a wrong type they are an error, null is none */

/* Whoever answers is at fault, and not who registered the instance. */
#define ERROR_OF_TYPE ERROR_SYSTEM

static int
wrong(struct error *err, const char *key, const char *wanted)
{
	return error_set(err, ERROR_OF_TYPE, "%s is not %s", key, wanted);
}

/* The string below map, or "". */
static int
text_read(const struct doc *map, const char *key, const char **out,
	struct error *err)
{
	const struct doc *d = doc_get(map, key);

	*out = "";
	if (doc_type(d) == DOC_NULL)
		return 0;
	if (doc_type(d) != DOC_STRING)
		return wrong(err, key, "a string");
	*out = doc_string(d);
	return 0;
}

static int
number_read(const struct doc *map, const char *key, int64_t most,
	int64_t fallback, int64_t *out, struct error *err)
{
	const struct doc *d = doc_get(map, key);

	*out = fallback;
	if (doc_type(d) == DOC_NULL)
		return 0;
	if (doc_type(d) != DOC_INTEGER || doc_integer(d) < 0)
		return wrong(err, key, "a whole number from 0");
	*out = doc_integer(d) > most ? most : doc_integer(d);
	return 0;
}

/* A map or list below map, or NULL. */
static int
child_read(const struct doc *map, const char *key, enum doc_type type,
	const struct doc **out, struct error *err)
{
	*out = doc_get(map, key);
	if (doc_type(*out) == DOC_NULL)
		*out = NULL;
	else if (doc_type(*out) != type)
		return wrong(err, key, doc_type_name(type));
	return 0;
}

/* ---- health */

static bool
is_maintenance(const char *id)
{
	return strcmp(id, NODE_MAINTENANCE) == 0 ||
	       strncmp(id, SERVICE_MAINTENANCE, strlen(SERVICE_MAINTENANCE)) ==
		       0;
}

static int
check_read(const struct doc *check, enum health *worst, struct error *err)
{
	enum health health = HEALTH_CRITICAL; /* also of what is not known */
	const char *id, *status;

	if (doc_type(check) != DOC_MAP)
		return wrong(err, "a check", "a map");
	if (text_read(check, "CheckID", &id, err) != 0 ||
		text_read(check, "Status", &status, err) != 0)
		return -1;
	if (is_maintenance(id))
		health = HEALTH_CRITICAL;
	else if (strcmp(status, "passing") == 0)
		health = HEALTH_PASSING;
	else if (strcmp(status, "warning") == 0)
		health = HEALTH_WARNING;
	if (health > *worst)
		*worst = health;
	return 0;
}

/* The worst of all: those of the node are among them. */
static int
health_read(const struct doc *row, enum health *out, struct error *err)
{
	const struct doc *checks;

	*out = HEALTH_PASSING;
	if (child_read(row, "Checks", DOC_LIST, &checks, err) != 0)
		return -1;
	for (size_t i = 0; i < doc_count(checks); i++)
		if (check_read(doc_at(checks, i), out, err) != 0)
			return -1;
	return 0;
}

static int
weight_read(const struct doc *service, enum health health,
	struct consul_instance *out, struct error *err)
{
	const struct doc *weights;
	int64_t passing, warning, weight;

	if (child_read(service, "Weights", DOC_MAP, &weights, err) != 0 ||
		number_read(weights, "Passing", WEIGHT_MAX, WEIGHT_DEFAULT,
			&passing, err) != 0 ||
		number_read(weights, "Warning", WEIGHT_MAX, WEIGHT_DEFAULT,
			&warning, err) != 0)
		return -1;
	weight = health == HEALTH_WARNING ? warning : passing;
	out->weight = (uint16_t)weight;
	out->out = health == HEALTH_CRITICAL || weight == 0;
	return 0;
}

/* ---- address */

/* An address that others reach it at, from another data centre: an object with
 * a port in a service, a string in a node. */
static int
service_wan_read(const struct doc *service, const char **address, int64_t *port,
	struct error *err)
{
	static const char *const keys[] = { "wan", "wan_ipv4", "wan_ipv6" };
	const struct doc *tagged, *wan;

	if (child_read(service, "TaggedAddresses", DOC_MAP, &tagged, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text;
		int64_t number;

		if (child_read(tagged, keys[i], DOC_MAP, &wan, err) != 0 ||
			text_read(wan, "Address", &text, err) != 0 ||
			number_read(wan, "Port", INT64_MAX, 0, &number, err) !=
				0)
			return -1;
		if (text[0] == '\0')
			continue;
		*address = text;
		*port = number != 0 ? number : *port;
		return 0;
	}
	return 0;
}

static int
node_wan_read(const struct doc *node, const char **address, struct error *err)
{
	static const char *const keys[] = { "wan", "wan_ipv4", "wan_ipv6" };
	const struct doc *tagged;

	if (child_read(node, "TaggedAddresses", DOC_MAP, &tagged, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text;

		if (text_read(tagged, keys[i], &text, err) != 0)
			return -1;
		if (text[0] == '\0')
			continue;
		*address = text;
		return 0;
	}
	return 0;
}

static int
address_check(const char *address, int64_t port, struct error *err)
{
	struct addr literal;

	if (address[0] == '\0')
		return error_set(err, ERROR_CONFIG,
			"neither the service nor the node has an address");
	if (model_host_check(address, err) != 0)
		return -1;
	if (strlen(address) >= ENDPOINT_HOST_MAX)
		return error_set(err, ERROR_CONFIG, "its address is too long");
	if (addr_parse_ip(address, 0, &literal) == 0 && addr_is_any(&literal))
		return error_set(err, ERROR_CONFIG, "nothing can be sent to %s",
			address);
	if (port == 0)
		return error_set(err, ERROR_CONFIG, "it has no port");
	if (port > PORT_MAX)
		return error_set(err, ERROR_CONFIG, "its port is out of range");
	return 0;
}

static int
address_read(const struct doc *node, const struct doc *service, bool is_far,
	struct consul_instance *out, struct error *err)
{
	const char *address, *of_node;
	int64_t port;

	if (text_read(service, "Address", &address, err) != 0 ||
		text_read(node, "Address", &of_node, err) != 0 ||
		number_read(service, "Port", INT64_MAX, 0, &port, err) != 0)
		return -1;
	if (is_far && (service_wan_read(service, &address, &port, err) != 0 ||
			      node_wan_read(node, &of_node, err) != 0))
		return -1;
	if (address[0] == '\0')
		address = of_node;
	if (address_check(address, port, err) != 0)
		return -1;
	out->address = xstrdup(address);
	out->port = (uint16_t)port;
	return 0;
}

/* ---- identity */

static int
name_read(const struct doc *map, const char *key, char **out, struct error *err)
{
	const char *text;

	if (text_read(map, key, &text, err) != 0)
		return -1;
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "%s is missing", key);
	if (strlen(text) > NAME_MAX_BYTES)
		return error_set(err, ERROR_CONFIG, "%s is too long", key);
	*out = xstrdup(text);
	return 0;
}

static int
identity_read(const struct doc *node, const struct doc *service,
	const char *local_datacenter, struct consul_instance *out,
	struct error *err)
{
	const char *datacenter;

	if (name_read(node, "Node", &out->node, err) != 0 ||
		name_read(service, "ID", &out->id, err) != 0 ||
		text_read(node, "Datacenter", &datacenter, err) != 0)
		return -1;
	if (strlen(datacenter) > NAME_MAX_BYTES)
		return error_set(err, ERROR_CONFIG, "Datacenter is too long");
	out->datacenter =
		xstrdup(datacenter[0] != '\0' ? datacenter : local_datacenter);
	return 0;
}

static int
identity_compare(
	const struct consul_instance *a, const struct consul_instance *b)
{
	int order = strcmp(a->datacenter, b->datacenter);

	if (order == 0)
		order = strcmp(a->node, b->node);
	return order != 0 ? order : strcmp(a->id, b->id);
}

/* ---- a row */

static int
tags_read(const struct doc *service, struct consul_instance *out,
	struct error *err)
{
	const struct doc *tags;

	if (child_read(service, "Tags", DOC_LIST, &tags, err) != 0)
		return -1;
	if (doc_count(tags) > 0)
		out->tags = xcalloc(doc_count(tags), sizeof(*out->tags));
	for (size_t i = 0; i < doc_count(tags); i++) {
		const char *tag = doc_string(doc_at(tags, i));

		if (tag == NULL)
			return wrong(err, "a tag", "a string");
		out->tags[out->tag_count++] = xstrdup(tag);
	}
	return 0;
}

static int
row_read(const struct doc *row, const char *local_datacenter,
	struct consul_instance *out, struct error *err)
{
	const struct doc *node, *service;
	enum health health;
	const char *kind;
	bool is_far;

	if (doc_type(row) != DOC_MAP)
		return wrong(err, "an instance", "a map");
	if (child_read(row, "Node", DOC_MAP, &node, err) != 0 ||
		child_read(row, "Service", DOC_MAP, &service, err) != 0 ||
		identity_read(node, service, local_datacenter, out, err) != 0)
		return -1;
	is_far = local_datacenter[0] != '\0' &&
		 strcmp(out->datacenter, local_datacenter) != 0;
	if (address_read(node, service, is_far, out, err) != 0 ||
		health_read(row, &health, err) != 0 ||
		weight_read(service, health, out, err) != 0 ||
		text_read(service, "Kind", &kind, err) != 0)
		return -1;
	out->connect_proxy = strcmp(kind, "connect-proxy") == 0;
	return tags_read(service, out, err);
}

static void
instance_fini(struct consul_instance *i)
{
	for (size_t k = 0; k < i->tag_count; k++)
		free(i->tags[k]);
	free(i->tags);
	free(i->datacenter);
	free(i->node);
	free(i->id);
	free(i->address);
}

/* row: its place in the answer, which names it where it has no name. */
static void
pass_over(struct consul_instances *out, size_t row,
	const struct consul_instance *i, const char *why)
{
	out->passed_over++;
	if (out->problem != NULL)
		return;
	if (i->node != NULL && i->id != NULL)
		out->problem = xasprintf("instance %.64s on node %.64s: %s",
			i->id, i->node, why);
	else
		out->problem = xasprintf("instance %zu: %s", row, why);
	text_defuse(out->problem);
}

/* A value of it is of a wrong type, and it is known who it is. */
static void
garbled_add(struct reading *r, const struct consul_instance *i)
{
	struct consul_instances *out = r->out;

	if (i->datacenter == NULL)
		return;
	if (out->garbled_count == r->garbled_room) {
		r->garbled_room =
			r->garbled_room == 0 ? 16 : 2 * r->garbled_room;
		out->garbled = xreallocarray(out->garbled, r->garbled_room,
			sizeof(*out->garbled));
	}
	out->garbled[out->garbled_count++] = consul_instance_owner(i);
}

static int
on_row(const char *text, size_t length, void *arg)
{
	struct reading *r = arg;
	struct consul_instances *out = r->out;
	struct consul_instance i = { 0 };
	struct error err = ERROR_INIT;
	struct doc *d;
	int rc = -1;

	r->row++;
	if (out->count == CONSUL_INSTANCES_MAX) {
		pass_over(out, r->row, &i, "there are more than can be used");
		return 0;
	}
	d = json_doc_read(text, length, &err);
	if (d != NULL)
		rc = row_read(d, r->local_datacenter, &i, &err);
	doc_free(d);
	if (rc != 0) {
		pass_over(out, r->row, &i, err.text);
		if (err.code == ERROR_OF_TYPE)
			garbled_add(r, &i);
		instance_fini(&i);
		return 0;
	}
	if (out->count == r->room) {
		r->room = r->room == 0 ? 16 : 2 * r->room;
		out->items =
			xreallocarray(out->items, r->room, sizeof(*out->items));
	}
	out->items[out->count++] = i;
	return 0;
}

static int
on_large_row(const char *text, size_t length, void *arg)
{
	struct reading *r = arg;

	(void)text;
	(void)length;
	r->row++;
	pass_over(r->out, r->row, &(struct consul_instance){ 0 },
		"it is larger than 1 MiB");
	return 0;
}

/* ---- the answer */

/* By identity; of one identity, the order of the answer does not matter. */
static int
instance_compare(const void *a, const void *b)
{
	const struct consul_instance *x = a, *y = b;
	int order = identity_compare(x, y);

	if (order == 0)
		order = strcmp(x->address, y->address);
	return order != 0 ? order : (int)x->port - (int)y->port;
}

/* Only a catalog that is wrong has one twice. */
static void
sort_once(struct consul_instances *out)
{
	size_t kept = 0;

	if (out->count == 0)
		return;
	qsort(out->items, out->count, sizeof(*out->items), instance_compare);
	for (size_t i = 0; i < out->count; i++) {
		if (kept > 0 && identity_compare(&out->items[kept - 1],
					&out->items[i]) == 0) {
			pass_over(out, 0, &out->items[i],
				"it is there more than once");
			instance_fini(&out->items[i]);
			continue;
		}
		out->items[kept++] = out->items[i];
	}
	out->count = kept;
}

/* The array that text is, cut into its members: one that is no JSON leaves the
 * others alone. */
static int
rows_read(struct slice text, struct json_split *split, struct error *err)
{
	size_t blank = 0;
	struct slice rest;
	struct doc *d;
	bool alone;

	while (blank < text.length &&
		strchr(" \t\r\n", text.data[blank]) != NULL)
		blank++;
	if (blank == text.length || text.data[blank] != '[')
		return error_set(err, ERROR_CONFIG,
			"what should be the instances of a service is no JSON "
			"array");
	if (json_split_feed(split, KEY_BEFORE, strlen(KEY_BEFORE), err) != 0 ||
		json_split_feed(split, text.data, text.length, err) != 0 ||
		json_split_feed(split, "}", 1, err) != 0)
		return error_prefix(err, "the instances of a service");
	if (!json_split_done(split))
		return error_set(err, ERROR_CONFIG,
			"the instances of a service end within a value");
	/* Nothing else was behind the array. */
	rest = json_split_rest(split);
	d = json_doc_read(rest.data, rest.length, NULL);
	alone = doc_count(d) == 1 && doc_type(doc_get(d, KEY)) == DOC_LIST &&
		doc_count(doc_get(d, KEY)) == 0;
	doc_free(d);
	if (!alone)
		return error_set(err, ERROR_CONFIG,
			"the instances of a service are no JSON array");
	return 0;
}

int
consul_instances_read(struct slice json, const char *local_datacenter,
	struct consul_instances *out, struct error *err)
{
	struct reading r = { .out = out,
		.local_datacenter =
			local_datacenter == NULL ? "" : local_datacenter };
	struct json_split *split;
	int rc;

	*out = (struct consul_instances){ 0 };
	split = json_split_new(KEY, ROW_BYTES_MAX, on_row, &r);
	json_split_set_large(split, on_large_row);
	rc = rows_read(json, split, err);
	json_split_free(split);
	if (rc != 0)
		consul_instances_fini(out);
	else
		sort_once(out);
	return rc;
}

void
consul_instances_fini(struct consul_instances *i)
{
	for (size_t k = 0; k < i->count; k++)
		instance_fini(&i->items[k]);
	free(i->items);
	free(i->garbled);
	free(i->problem);
	*i = (struct consul_instances){ 0 };
}

/* ---- which of them */

static bool
has_tag(const struct consul_instance *i, const char *tag)
{
	for (size_t k = 0; k < i->tag_count; k++)
		if (strcmp(i->tags[k], tag) == 0)
			return true;
	return false;
}

static bool
has_all(const struct consul_instance *i, char *const *tags, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (!has_tag(i, tags[k]))
			return false;
	return true;
}

static bool
has_any(const struct consul_instance *i, char *const *tags, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (has_tag(i, tags[k]))
			return true;
	return false;
}

bool
consul_instance_fits(
	const struct consul_instance *i, const struct consul_spec *spec)
{
	return (!i->connect_proxy || spec->connect_enabled) &&
	       has_all(i, spec->service_tags, spec->service_tag_count) &&
	       has_all(i, spec->instance_tags, spec->instance_tag_count) &&
	       !has_any(i, spec->blacklist_tags, spec->blacklist_tag_count);
}

static uint64_t
datacenter_hash(const char *datacenter)
{
	return hash_bytes(datacenter, strlen(datacenter) + 1, 0);
}

/* The low bits are of the data centre, the others of all three. */
uint64_t
consul_instance_owner(const struct consul_instance *i)
{
	uint64_t of_datacenter = datacenter_hash(i->datacenter), owner;

	/* Each with its NUL, so that none runs into the next. */
	owner = hash_bytes(i->node, strlen(i->node) + 1, of_datacenter);
	owner = hash_bytes(i->id, strlen(i->id) + 1, owner);
	owner = (owner & ~DATACENTER_MASK) | (of_datacenter & DATACENTER_MASK);
	return owner == 0 ? 1 : owner;
}

bool
consul_owner_is_of(uint64_t owner, const char *datacenter)
{
	return owner != 0 &&
	       ((owner ^ datacenter_hash(datacenter)) & DATACENTER_MASK) == 0;
}
