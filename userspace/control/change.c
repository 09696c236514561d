/* The one place where objects change. */
#include "control/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "control/blocks.h"
#include "control/calls.h"
#include "control/credentials.h"
#include "control/discovery.h"
#include "control/generation.h"
#include "control/kernel.h"
#include "control/kernel_limits.h"
#include "control/materials.h"
#include "control/programs.h"
#include "control/relation.h"
#include "control/secret.h"
#include "control/services.h"
#include "control/slots.h"
#include "control/subsets.h"
#include "control/supervise.h"
#include "net/loop.h"

#define GOOD_BATCH  16 /* objects that discovery found, in one go */
#define GOOD_GAP_MS 8

/* ---- reading */

static int
name_settle(struct doc *meta, const char *key, const char *wanted,
	struct error *err)
{
	const char *given = doc_get_string(meta, key);

	if (doc_type(doc_get(meta, key)) == DOC_NULL) {
		doc_set_string(meta, key, wanted);
		return 0;
	}
	if (given == NULL || strcmp(given, wanted) == 0)
		return 0; /* not a string: config says so */
	if (err != NULL)
		err->line = doc_line(doc_get(meta, key));
	return error_set(err, ERROR_CONFIG,
		"metadata.%s: \"%.100s\" stands where \"%s\" belongs", key,
		given, wanted);
}

struct model_object *
change_read(const struct control *c, enum model_type type, const char *ns,
	const char *name, struct doc *d, struct error *err)
{
	struct doc *meta;

	if (doc_type(d) == DOC_MAP) {
		if (doc_type(doc_get(d, "metadata")) == DOC_NULL)
			doc_set(d, "metadata", doc_new_map());
		meta = doc_get(d, "metadata");
		if (doc_type(meta) == DOC_MAP &&
			(name_settle(meta, "name", name, err) != 0 ||
				name_settle(meta, "namespace", ns, err) != 0))
			return NULL;
	}
	return config_read_type(d, type, c->options->kinds, err);
}

/* ---- preparing */

static struct object *
object_of(const struct control *c, const struct model_object *m)
{
	return objects_find(c->objects, m->type, m->meta->ns, m->meta->name);
}

static char *
upstream_key(const struct model_object *m)
{
	return xasprintf("%s/%s", m->meta->ns, m->meta->name);
}

static int
upstream_prepare(struct control *c, struct change *out, struct error *err)
{
	char *key = upstream_key(out->model);

	out->id = numbers_take(c->upstream_ids, key);
	free(key);
	if (out->id == 0)
		return error_set(err, ERROR_LIMIT,
			"there are %d upstreams already, which is the most",
			UPSTREAMS_MAX - 1);
	return 0;
}

static int
gateway_prepare(
	struct control *c, struct change *out, bool *beside, struct error *err)
{
	const struct object *o = object_of(c, out->model);
	const struct model_gateway *g = out->model->gateway;

	if (kernel_limits_check(g, err) != 0) {
		if (beside != NULL)
			*beside = false;
		return -1;
	}
	if (!c->listening)
		return 0;
	if (slot_open(c, g, &out->slot, err) != 0)
		return -1;
	if (services_check(c, g, out->slot, err) == 0)
		return 0;
	if (o == NULL || o->slot != out->slot)
		slot_retire(c, g, out->slot);
	out->slot = 0;
	return -1;
}

int
change_prepare(struct control *c, struct model_object *model,
	struct change *out, bool *beside, struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	out->model = model;
	if (beside != NULL)
		*beside = true;
	rc = relation_check(c->objects, model, err);
	switch (model->type) {
	case MODEL_UPSTREAM:
		rc = upstream_prepare(c, out, err);
		break;
	case MODEL_UPSTREAM_GROUP:
		break;
	case MODEL_GATEWAY:
		if (rc == 0)
			rc = gateway_prepare(c, out, beside, err);
		break;
	case MODEL_SECRET:
		if (beside != NULL)
			*beside = false;
		rc = secret_check(model->secret, err);
		break;
	default:
		if (rc != 0)
			break;
		if (beside != NULL)
			*beside = false;
		rc = vhost_block_build(
			c, model->virtual_service, &out->block, err);
		break;
	}
	if (rc != 0) {
		model_object_unref(model);
		out->model = NULL;
	}
	return rc;
}

void
change_drop(struct control *c, struct change *change)
{
	struct model_object *m = change->model;
	struct object *o;
	char *key;

	if (m == NULL)
		return;
	o = object_of(c, m);
	if (m->type == MODEL_UPSTREAM && (o == NULL || o->id != change->id)) {
		key = upstream_key(m);
		numbers_retire(c->upstream_ids, key, generation_number(c) + 1);
		free(key);
	}
	if (change->slot != 0 && (o == NULL || o->slot != change->slot)) {
		slot_retire(c, m->gateway, change->slot);
		kernel_tell(c);
	}
	vhost_block_fini(&change->block);
	model_object_unref(m);
	change->model = NULL;
}

/* ---- applying */

static void
upstream_apply(struct control *c, struct object *o, const struct change *change,
	const struct model_object *old)
{
	const struct model_upstream *u = o->model->upstream;
	bool elsewhere = old == NULL ||
		(programs_not_served(c, old->upstream->kind) == NULL) !=
			(programs_not_served(c, u->kind) == NULL) ||
		subsets_digest(old->upstream) != subsets_digest(u) ||
		u->kind != old->upstream->kind || u->kind->dialect != NULL;

	o->id = change->id;
	materials_touch(c);
	if (c->loop != NULL) {
		services_touch_upstream(c, o->id);
		if (o->discovery == NULL)
			o->discovery = discovery_new(c, o);
		else
			discovery_change(o->discovery, o);
	}
	/* Last: by what its discovery knows, too. */
	c->upstream_epoch += elsewhere;
}

/* The virtual hosts that it is built into look whether it leads elsewhere. */
static void
group_touch(struct control *c, struct object *o)
{
	o->block_digest = 0;
	c->upstream_epoch++;
}

static void
gateway_apply(struct control *c, struct object *o, const struct change *change,
	const struct model_object *old)
{
	if (o->slot != 0 && o->slot != change->slot) {
		slot_retire(c, old->gateway, o->slot);
		o->slot_before = o->slot;
	}
	o->slot = change->slot;
	c->listeners_stale = true;
	services_touch(c);
}

static void
virtual_service_apply(
	struct control *c, struct object *o, struct change *change)
{
	generation_spent(c, change->block.spent_us);
	vhost_block_give(c, &change->block, o);
}

struct object *
change_apply(struct control *c, struct change *change, uint64_t version)
{
	struct model_meta *meta = change->model->meta;
	struct object *o = objects_take(
		c->objects, change->model->type, meta->ns, meta->name);
	struct model_object *old = o->model;

	if (version == 0)
		version = c->version + 1;
	if (version > c->version)
		c->version = version;
	o->version = version;
	o->model = change->model;
	o->good_due = true;
	o->lazily = change->lazily;
	object_clear(o);
	model_object_unref(o->wanted);
	o->wanted = NULL;
	switch (o->type) {
	case MODEL_UPSTREAM:
		upstream_apply(c, o, change, old);
		break;
	case MODEL_UPSTREAM_GROUP:
		group_touch(c, o);
		break;
	case MODEL_GATEWAY:
		gateway_apply(c, o, change, old);
		break;
	case MODEL_SECRET:
		materials_touch(c);
		calls_secret_changed(c, o->ns, o->name);
		break;
	default:
		virtual_service_apply(c, o, change);
		break;
	}
	o->generation = generation_touch(c);
	model_object_unref(old);
	memset(change, 0, sizeof(*change));
	return o;
}

uint64_t
change_remove(struct control *c, struct object *o)
{
	uint64_t number = generation_touch(c);
	/* Who asks for it is told before it is freed. */
	struct model_object *secret = o->type == MODEL_SECRET && o->model != NULL
					      ? model_object_ref(o->model)
					      : NULL;

	if (o->type == MODEL_UPSTREAM) {
		services_touch_upstream(c, o->id);
		discovery_free(o->discovery);
		credentials_drop(c, o->id);
		state_endpoints_remove(c->state, o->ns, o->name);
		state_functions_remove(c->state, o->ns, o->name);
		numbers_retire(c->upstream_ids, o->key, number);
		c->upstream_epoch++;
	}
	if (o->type == MODEL_UPSTREAM || o->type == MODEL_SECRET)
		materials_touch(c);
	if (o->type == MODEL_UPSTREAM_GROUP)
		group_touch(c, o);
	if (o->type == MODEL_GATEWAY && o->slot != 0)
		slot_retire(c, o->model->gateway, o->slot);
	if (o->type == MODEL_GATEWAY)
		services_touch(c);
	if (o->origin == NULL)
		state_good_remove(c->state, o->type, o->ns, o->name);
	objects_remove(c->objects, o);
	if (secret != NULL)
		calls_secret_changed(c, secret->meta->ns, secret->meta->name);
	model_object_unref(secret);
	return number;
}

/* ---- trying again */

static bool
wanted_retry(struct control *c, struct object *o)
{
	struct error err = ERROR_INIT;
	struct change change;

	if (change_prepare(
		    c, model_object_ref(o->wanted), &change, NULL, &err) != 0) {
		object_reject(o, err.text, err.line);
		return false;
	}
	change_apply(c, &change, 0);
	log_info("%s %s: is taken now", model_type_kind(o->type), o->label);
	return true;
}

static void
gateway_listen(struct control *c, struct object *o)
{
	struct error err = ERROR_INIT;
	bool again = o->rejected;

	if (slot_open(c, o->model->gateway, &o->slot, &err) != 0) {
		if (!again)
			log_error("Gateway %s: %s", o->label, err.text);
		object_reject(o, err.text, 0);
		return;
	}
	if (o->wanted == NULL)
		object_clear(o);
	c->listeners_stale = true;
	services_touch(c);
	o->generation = generation_touch(c);
}

void
change_listen(struct control *c)
{
	size_t count = objects_count(c->objects, MODEL_GATEWAY);

	c->listening = true;
	for (size_t i = 0; i < count; i++) {
		struct object *o = objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL && o->slot == 0)
			gateway_listen(c, o);
	}
}

/* One taken may make room for another. */
void
change_retry(struct control *c)
{
	bool more = true;

	while (more) {
		more = false;
		for (int t = 0; t < MODEL_TYPE_COUNT; t++)
			for (size_t i = 0; i < objects_count(c->objects,
						       (enum model_type)t);
				i++) {
				struct object *o = objects_at(
					c->objects, (enum model_type)t, i);

				if (o->wanted != NULL)
					more |= wanted_retry(c, o);
			}
	}
	if (c->listening)
		change_listen(c);
}

/* ---- enforced */

static void
good_write(struct control *c, struct object *o)
{
	struct error err = ERROR_INIT;
	struct doc *d;
	int rc;

	o->good_due = false;
	/* A secret of another store is kept there, and nowhere else. */
	if (o->origin != NULL && o->type == MODEL_SECRET)
		return;
	d = object_document(o);
	if (o->origin != NULL) {
		const struct state_report r = { STATE_RESOURCES, o->origin->key,
			o->type, o->ns, o->name };

		rc = state_report_write(c->state, &r, d, &err);
	} else {
		rc = (o->lazily ? state_good_write_lazily : state_good_write)(
			c->state, o->type, o->ns, o->name, d, &err);
	}
	if (rc != 0)
		log_warn("state: %s", err.text);
	config_doc_free(d, o->type);
}

static void
on_upstream_released(uint32_t id, void *arg)
{
	const struct control *c = arg;

	supervisor_send_forget(c->supervisor, id);
}

/* What discovery found comes by the thousand, and may come late. */
static void
goods_write(struct control *c, uint64_t generation)
{
	int lazily = 0;

	for (int t = 0; t < MODEL_TYPE_COUNT; t++)
		for (size_t i = 0;
			i < objects_count(c->objects, (enum model_type)t);
			i++) {
			struct object *o =
				objects_at(c->objects, (enum model_type)t, i);

			if (!o->good_due || o->model == NULL ||
				o->generation > generation ||
				(o->lazily && lazily == GOOD_BATCH))
				continue;
			lazily += o->lazily;
			good_write(c, o);
		}
	if (lazily == GOOD_BATCH)
		loop_timer_start(c->good_timer, GOOD_GAP_MS);
}

void
change_goods(void *control)
{
	struct control *c = control;
	struct supervisor_view view;

	supervisor_view(c->supervisor, &view);
	goods_write(c, view.generation);
}

void
change_enforced(struct control *c, uint64_t generation)
{
	goods_write(c, generation);
	materials_enforced(c, generation);
	credentials_enforced(c, generation);
	numbers_release(c->upstream_ids, generation, on_upstream_released, c);
	slots_release(c, generation);
}
