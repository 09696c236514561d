/* Documents to models and back. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/kube_secret.h"
#include "config/normalise.h"
#include "model/duration.h"
#include "model/tables.h"

static const struct schema *const schemas[MODEL_TYPE_COUNT] = {
	[MODEL_UPSTREAM] = &model_upstream_schema,
	[MODEL_UPSTREAM_GROUP] = &model_upstream_group_schema,
	[MODEL_VIRTUAL_SERVICE] = &model_virtual_service_schema,
	[MODEL_GATEWAY] = &model_gateway_schema,
	[MODEL_SECRET] = &model_secret_schema,
};

static int
line_note(struct error *err, const struct doc *d)
{
	if (err != NULL && err->line == 0)
		err->line = doc_line(d);
	return -1;
}

int
config_type(const struct doc *d, enum model_type *type, struct error *err)
{
	int rc = normalise_type(d, NULL, type, err);

	schema_place_trim(err);
	return rc;
}

/* ---- what needs the table of kinds */

static int
unknown_kind(const char *key, const struct upstream_kind *const *kinds,
	struct error *err)
{
	struct str known;

	str_init(&known);
	for (; kinds != NULL && *kinds != NULL; kinds++)
		str_printf(&known, "%s%s", known.length == 0 ? "" : ", ",
			(*kinds)->key);
	error_set(err, ERROR_CONFIG,
		"unknown key \"%.64s\"; the kinds of upstream are %s", key,
		known.data);
	str_fini(&known);
	return -1;
}

static int
spec_read(struct model_upstream *u, const struct doc *spec,
	const struct upstream_kind *const *kinds, struct error *err)
{
	const char *key;

	if (doc_type(spec) == DOC_NULL)
		return error_set(err, ERROR_CONFIG,
			"the key \"upstreamSpec\" is missing");
	if (doc_type(spec) != DOC_MAP || doc_count(spec) != 1) {
		error_set(err, ERROR_CONFIG,
			".upstreamSpec: expected a map with one key, the kind "
			"of upstream");
		return line_note(err, spec);
	}
	key = doc_key_at(spec, 0);
	u->kind = kind_find(kinds, key);
	if (u->kind == NULL) {
		unknown_kind(key, kinds, err);
		error_prefix(err, ".upstreamSpec");
		return line_note(err, doc_value_at(spec, 0));
	}
	u->spec = u->kind->read(doc_value_at(spec, 0), err);
	if (u->spec != NULL)
		return 0;
	u->kind = NULL;
	error_prefix(err, ".upstreamSpec.%s", key);
	return line_note(err, doc_value_at(spec, 0));
}

static int
destination_check(const struct model_destination *d,
	const struct upstream_kind *const *kinds, struct error *err)
{
	const struct doc *spec = d->spec;
	const char *key;

	if (spec == NULL)
		return 0;
	key = doc_key_at(spec, 0);
	if (doc_count(spec) != 1)
		error_set(err, ERROR_CONFIG, "expected a map with one key");
	else if (strcmp(key, "rest") == 0 || strcmp(key, "grpc") == 0)
		error_set(err, ERROR_CONFIG, ".%s: is not supported yet", key);
	else if (kind_find(kinds, key) == NULL)
		unknown_kind(key, kinds, err);
	else
		return 0;
	error_prefix(err, ".destinationSpec");
	return line_note(err, spec);
}

/* Those with weights. */
static int
weighted_check(const struct model_destination *list, size_t count,
	const struct upstream_kind *const *kinds, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (destination_check(&list[i], kinds, err) != 0)
			return error_prefix(
				err, ".destinations[%zu].destination", i);
	return 0;
}

static int
route_check(const struct model_route *r,
	const struct upstream_kind *const *kinds, struct error *err)
{
	if (r->target == MODEL_TARGET_MULTI &&
		weighted_check(r->destinations, r->destination_count, kinds,
			err) != 0)
		return error_prefix(err, ".routeAction.multi");
	if (r->target == MODEL_TARGET_SINGLE && r->destination_count > 0 &&
		destination_check(r->destinations, kinds, err) != 0)
		return error_prefix(err, ".routeAction.single");
	return 0;
}

static int
destinations_check(const struct model_virtual_service *vs,
	const struct upstream_kind *const *kinds, struct error *err)
{
	for (size_t i = 0; i < vs->route_count; i++)
		if (route_check(&vs->routes[i], kinds, err) != 0)
			return error_prefix(
				err, ".virtualHost.routes[%zu]", i);
	return 0;
}

/* ---- reading */

static struct model_object *
object_read(const struct doc *d, enum model_type type,
	const struct upstream_kind *const *kinds, struct error *err)
{
	struct doc *canonical = normalise(d, type, kinds, err);
	struct model_object *o = NULL;
	struct model_meta *meta;
	int rc = 0;

	if (canonical == NULL)
		return NULL;
	meta = schema_read_new(schemas[type], canonical, err);
	if (meta == NULL) {
		line_note(err, d);
		goto out;
	}
	o = xcalloc(1, sizeof(*o));
	o->type = type;
	o->refs = 1;
	o->meta = meta;
	if (type == MODEL_UPSTREAM)
		rc = spec_read(o->upstream, doc_get(canonical, "upstreamSpec"),
			kinds, err);
	if (type == MODEL_UPSTREAM_GROUP)
		rc = weighted_check(o->upstream_group->destinations,
			o->upstream_group->destination_count, kinds, err);
	if (type == MODEL_VIRTUAL_SERVICE)
		rc = destinations_check(o->virtual_service, kinds, err);
	if (rc != 0) {
		line_note(err, d);
		model_object_unref(o);
		o = NULL;
	}
out:
	config_doc_free(canonical, type);
	return o;
}

struct model_object *
config_read(const struct doc *d, const struct upstream_kind *const *kinds,
	struct error *err)
{
	struct model_object *o = NULL;
	enum model_type type;

	if (normalise_type(d, kinds, &type, err) == 0)
		o = object_read(d, type, kinds, err);
	schema_place_trim(err);
	return o;
}

struct model_object *
config_read_type(const struct doc *d, enum model_type type,
	const struct upstream_kind *const *kinds, struct error *err)
{
	struct error why = ERROR_INIT;
	struct model_object *o = NULL;
	enum model_type found;

	/* Without a telling key (a Gateway of defaults) the caller's word is
	 * enough; a wrong `kind` is an error in any case. */
	if (normalise_type(d, kinds, &found, &why) != 0 &&
		(doc_type(d) != DOC_MAP || doc_get(d, "kind") != NULL)) {
		if (err != NULL && err->code == ERROR_NONE)
			*err = why;
	} else if (why.code == ERROR_NONE && found != type) {
		error_set(err, ERROR_CONFIG,
			"expected a resource of type %s, "
			"found one of type %s",
			model_type_kind(type), model_type_kind(found));
		line_note(err, d);
	} else {
		o = object_read(d, type, kinds, err);
	}
	schema_place_trim(err);
	return o;
}

/* ---- printing */

struct doc *
config_print(const struct model_object *o)
{
	struct doc *d = schema_print(schemas[o->type], o->meta);

	if (o->type == MODEL_UPSTREAM)
		doc_set(doc_set(d, "upstreamSpec", doc_new_map()),
			o->upstream->kind->key,
			o->upstream->kind->print(o->upstream->spec));
	return d;
}

struct doc *
config_print_shown(const struct model_object *o)
{
	struct doc *d = config_print(o);

	schema_redact(schemas[o->type], d);
	return d;
}

void
config_error_hide(struct error *err)
{
	int line = err->line;

	if (err->code == ERROR_NONE)
		return;
	*err = (struct error)ERROR_INIT;
	error_set(err, ERROR_CONFIG,
		"cannot be read as a document; what is there is not repeated, "
		"for it may be a secret");
	err->line = line;
}

void
config_doc_free(struct doc *d, enum model_type type)
{
	if (type == MODEL_SECRET)
		doc_wipe(d);
	doc_free(d);
}

static void
said_by_us_drop(struct doc *d)
{
	struct doc *meta = doc_get(d, "metadata");

	doc_free(doc_steal(meta, "resourceVersion"));
	doc_free(doc_steal(meta, "creationTimestamp"));
}

bool
config_equal(const struct model_object *a, const struct model_object *b)
{
	struct doc *x = config_print(a), *y = config_print(b);
	bool same;

	said_by_us_drop(x);
	said_by_us_drop(y);
	same = doc_equal(x, y);
	config_doc_free(x, a->type);
	config_doc_free(y, b->type);
	return same;
}

struct doc *
config_kube_form(const struct doc *canonical, enum model_type type)
{
	struct doc *d, *spec;

	if (type == MODEL_SECRET)
		return kube_secret_form(canonical);
	d = doc_new_map();
	doc_set_string(d, "apiVersion", normalise_api_version(type));
	doc_set_string(d, "kind", model_type_kind(type));
	spec = doc_set(d, "spec", doc_new_map());
	for (size_t i = 0; i < doc_count(canonical); i++) {
		const char *key = doc_key_at(canonical, i);
		struct doc *copy = doc_copy(doc_value_at(canonical, i));

		if (strcmp(key, "metadata") == 0 || strcmp(key, "status") == 0)
			doc_set(d, key, copy);
		else
			doc_set(spec, key, copy);
	}
	return d;
}

int
config_duration_parse(const char *text, uint64_t *ms)
{
	return duration_parse(text, ms);
}

char *
config_duration_print(uint64_t ms)
{
	return duration_print(ms);
}
