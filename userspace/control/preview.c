/* The upstreams that discovery would make. */
#include "control/preview.h"

#include <string.h>

#include "config/config.h"
#include "control/admin.h"
#include "control/change.h"
#include "control/discovered.h"
#include "control/programs.h"
#include "control/status.h"

struct preview {
	struct control *control;
	struct doc *items;
};

static const char *
name_of(const struct doc *d)
{
	const char *name = doc_string(doc_find(d, "metadata", "name", NULL));

	return name == NULL ? "" : name;
}

/* By their names, as a list of upstreams is; takes d. */
static void
item_put(struct preview *p, struct doc *d)
{
	size_t low = 0, high = doc_count(p->items);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(name_of(doc_at(p->items, middle)), name_of(d)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	doc_insert(p->items, low, d);
}

/* Takes d. */
static void
item_add(struct preview *p, struct doc *d, const char *state,
	const char *reason)
{
	struct doc *status = doc_new_map();

	doc_set_string(status, "reportedBy", "gloo");
	doc_set_string(status, "state", state);
	doc_set_string(status, "reason", reason);
	doc_set(d, "status", status);
	item_put(p, d);
}

/* What the store has of it, if discovery made that. */
static void
found_add(struct preview *p, const struct model_object *m)
{
	struct control *c = p->control;
	const struct object *o = objects_find(
		c->objects, MODEL_UPSTREAM, m->meta->ns, m->meta->name);
	struct doc *d = config_print(m);
	const char *label = doc_string(
		doc_find(d, "metadata", "labels", "discovered_by", NULL));
	struct error err = ERROR_INIT;

	if (o == NULL) {
		item_add(p, d, "Pending", "it is not discovered yet");
	} else if (discovered_is_left_alone(
			   o, label, &err)) {
		item_add(p, d, "Warning", err.text);
	} else {
		doc_free(d);
		item_put(p, status_document(c, o, 0));
	}
}

static void
on_upstream(struct doc *d, void *arg)
{
	struct preview *p = arg;
	const char *ns = p->control->settings->discovery_namespace;
	struct error err = ERROR_INIT;
	struct model_object *m = change_read(
		p->control, MODEL_UPSTREAM, ns, name_of(d), d, &err);

	if (m == NULL) {
		item_add(p, d, "Rejected", err.text);
		return;
	}
	found_add(p, m);
	model_object_unref(m);
	doc_free(d);
}

void
preview_get(struct control *c, struct http_server_request *r)
{
	struct preview p = { .control = c, .items = doc_new_list() };
	const struct program *one;
	struct error err = ERROR_INIT;
	size_t asked = 0;
	struct doc *answer;

	for (size_t i = 0; (one = programs_at(c, i)) != NULL; i++) {
		if (one->kind->preview == NULL)
			continue;
		asked++;
		if (one->kind->preview(one->shared, on_upstream, &p, &err) == 0)
			continue;
		admin_reply_error(r, 503, 0, "%s: %s", one->kind->title,
			err.text);
		doc_free(p.items);
		return;
	}
	if (asked == 0) {
		admin_reply_error(r, 409, 0,
			"nothing is discovered: the settings have no key of a "
			"kind of upstream that discovers, such as "
			"\"kubernetes\" (gloo-gateway-settings(5))");
		doc_free(p.items);
		return;
	}
	answer = doc_new_map();
	doc_set(answer, "items", p.items);
	admin_reply_doc(r, 200, answer);
}
