/* Resources in the admin API. */
#include "control/admin_resources.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "config/config.h"
#include "config/store.h"
#include "control/admin.h"
#include "control/change.h"
#include "control/generation.h"
#include "control/group.h"
#include "control/preview.h"
#include "control/programs.h"
#include "control/relation.h"
#include "control/secret.h"
#include "control/status.h"
#include "net/loop.h"

/* A change that is made and not yet enforced. */
struct waiter {
	struct waiter *next;
	struct admin_resources *owner;
	struct http_server_request *request;
	enum model_type type;
	char *ns, *name;
	uint64_t generation;
	bool removed;
	char *users; /* of what was removed, or NULL */
	char *note;  /* what came in its place, or NULL */
	struct loop_timer *timer;
};

struct admin_resources {
	struct control *control;
	struct waiter *waiters;
};

struct admin_resources *
admin_resources_new(struct control *c)
{
	struct admin_resources *a = xcalloc(1, sizeof(*a));

	a->control = c;
	return a;
}

static void
waiter_free(struct waiter *w)
{
	loop_timer_free(w->timer);
	free(w->ns);
	free(w->name);
	free(w->users);
	free(w->note);
	free(w);
}

void
admin_resources_free(struct admin_resources *a)
{
	if (a == NULL)
		return;
	while (a->waiters != NULL) {
		struct waiter *w = a->waiters;

		a->waiters = w->next;
		admin_reply_error(w->request, 503, 0,
			"the gateway stops; the change is stored");
		waiter_free(w);
	}
	free(a);
}

/* ---- verdicts */

static struct doc *
verdict_new(const struct status *s, struct doc *resource)
{
	struct doc *d = doc_new_map();

	if (resource != NULL)
		doc_set(d, "resource", resource);
	doc_set_string(d, "state", status_state_name(s->state));
	doc_set_string(d, "reason", s->reason);
	doc_set(d, "line", doc_new_integer(s->line));
	doc_set(d, "generation", doc_new_integer((int64_t)s->generation));
	doc_set_string(d, "proxy", s->proxy);
	doc_set_string(d, "kernel", s->kernel);
	return d;
}

static int
verdict_http(enum status_state state)
{
	switch (state) {
	case STATUS_REJECTED:
		return 422;
	case STATUS_PENDING:
		return 202;
	default:
		return 200;
	}
}

static void
reply_rejected(const struct control *c, struct http_server_request *r,
	const struct error *err)
{
	struct status s = { .state = STATUS_REJECTED,
		.reason = xstrdup(err->text),
		.line = err->line,
		.generation = generation_number(c) };

	s.proxy = status_proxy(c, s.generation);
	s.kernel = status_kernel(c);
	admin_reply_doc(r, 422, verdict_new(&s, NULL));
	status_fini(&s);
}

static void
reply_removed(const struct control *c, struct waiter *w)
{
	struct status s = { .generation = w->generation, .line = 0 };
	struct doc *verdict;

	s.proxy = status_proxy(c, w->generation);
	s.kernel = status_kernel(c);
	s.state = w->users != NULL ? STATUS_WARNING : STATUS_ACCEPTED;
	if (strcmp(s.proxy, "enforced") != 0)
		s.state = STATUS_PENDING;
	s.reason = xstrdup(w->users != NULL ? w->users : "");
	verdict = verdict_new(&s, NULL);
	if (w->note != NULL)
		doc_set_string(verdict, "note", w->note);
	admin_reply_doc(w->request, verdict_http(s.state), verdict);
	status_fini(&s);
}

static void
waiter_answer(struct waiter *w)
{
	const struct control *c = w->owner->control;
	const struct object *o =
		objects_find(c->objects, w->type, w->ns, w->name);
	struct status s;

	if (w->removed || o == NULL) {
		reply_removed(c, w);
		return;
	}
	/* Another change may have come after this one. */
	status_init(&s, c, o, w->generation);
	admin_reply_doc(w->request, verdict_http(s.state),
		verdict_new(&s, status_document(c, o, w->generation)));
	status_fini(&s);
}

static void
waiter_end(struct waiter *w)
{
	struct waiter **at = &w->owner->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	waiter_answer(w);
	waiter_free(w);
}

static void
on_patience(void *arg)
{
	waiter_end(arg);
}

static struct waiter *
waiter_new(struct admin_resources *a, struct http_server_request *r,
	const struct object *o, uint64_t generation)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->owner = a;
	w->request = r;
	w->type = o->type;
	w->ns = xstrdup(o->ns);
	w->name = xstrdup(o->name);
	w->generation = generation;
	w->timer = loop_timer_new(a->control->loop, on_patience, w);
	/* A large document took its time; that does not count. */
	loop_now_again(a->control->loop);
	loop_timer_start(w->timer, CONTROL_ANSWER_MS);
	w->next = a->waiters;
	a->waiters = w;
	return w;
}

void
admin_resources_enforced(struct admin_resources *a, uint64_t generation)
{
	struct waiter *next;

	for (struct waiter *w = a->waiters; w != NULL; w = next) {
		next = w->next;
		if (w->generation <= generation)
			waiter_end(w);
	}
}

/* "?key=true" */
static bool
is_asked(const struct http_server_request *r, const char *key)
{
	const char *value = http_server_request_query(r, key);

	return value != NULL && strcmp(value, "true") == 0;
}

/* ---- GET */

static void
list_get(const struct control *c, struct http_server_request *r,
	enum model_type type)
{
	struct doc *d = doc_new_map();
	struct doc *items = doc_set(d, "items", doc_new_list());

	for (size_t i = 0; i < objects_count(c->objects, type); i++)
		doc_add(items,
			status_document(c, objects_at(c->objects, type, i), 0));
	admin_reply_doc(r, 200, d);
}

static void
reply_missing(struct http_server_request *r, enum model_type type,
	const char *ns, const char *name)
{
	admin_reply_error(r, 404, 0,
		"there is no %s named \"%s\" in "
		"namespace %s",
		model_type_kind(type), name, ns);
}

static void
object_get(const struct control *c, struct http_server_request *r,
	enum model_type type, const char *ns, const char *name)
{
	const struct object *o = objects_find(c->objects, type, ns, name);

	if (o == NULL)
		reply_missing(r, type, ns, name);
	else
		admin_reply_doc(r, 200, status_document(c, o, 0));
}

/* ---- PUT */

static struct doc *
body_read(const struct http_server_request *r, struct error *err)
{
	const char *type = http_server_request_header(r, "Content-Type");
	struct slice body = http_server_request_body(r);
	struct doc *d;

	if (type != NULL && strcasestr(type, "yaml") != NULL)
		d = yaml_doc_read(body.data, body.length, err);
	else
		d = json_doc_read(body.data, body.length, err);
	if (doc_type(d) != DOC_NULL || err->code != ERROR_NONE)
		return d;
	doc_free(d);
	error_set(err, ERROR_CONFIG, "the body holds no document");
	return NULL;
}

static bool
is_stale(const struct object *o, const struct model_object *m)
{
	uint64_t given = m->meta->resource_version;

	return given != 0 && (o == NULL || o->version != given);
}

static void
reply_stale(struct http_server_request *r, const struct object *o,
	enum model_type type, const char *ns, const char *name)
{
	if (o == NULL)
		admin_reply_error(r, 409, 0,
			"%s %s.%s does not exist any more; leave out "
			"metadata.resourceVersion to make it anew",
			model_type_kind(type), ns, name);
	else
		admin_reply_error(r, 409, 0,
			"%s %s.%s was changed meanwhile: its resourceVersion "
			"is %llu now",
			model_type_kind(type), ns, name,
			(unsigned long long)o->version);
}

/* What the answer to a change that is not made would be. */
static void
reply_dry(const struct control *c, struct http_server_request *r,
	struct change *change)
{
	struct doc *resource = config_print_shown(change->model);
	struct status s = { .generation = generation_number(c) };
	const char *reason = change->block.warning;
	char *missing = relation_missing(c->objects, change->model);

	if (change->model->type == MODEL_UPSTREAM_GROUP)
		missing = group_missing(c, change->model->upstream_group);
	if (change->model->type == MODEL_UPSTREAM)
		reason = programs_not_served(c, change->model->upstream->kind);
	if (reason == NULL)
		reason = missing;
	s.state = reason != NULL ? STATUS_WARNING : STATUS_ACCEPTED;
	s.reason = xstrdup(reason != NULL ? reason : "");
	s.proxy = status_proxy(c, s.generation);
	s.kernel = status_kernel(c);
	admin_reply_doc(r, 200, verdict_new(&s, resource));
	status_fini(&s);
	free(missing);
}

/* True: the object is of another store, and r is answered. */
static bool
reply_foreign(struct http_server_request *r, const struct object *o)
{
	const struct upstream_kind *kind = o == NULL ? NULL : o->origin;
	const char *tool;

	if (kind == NULL)
		return false;
	tool = kind->resources_tool;
	admin_reply_error(r, 409, 0,
		"%s %s.%s is a resource of %s and can be changed only there%s%s",
		model_type_kind(o->type), o->ns, o->name, kind->title,
		tool != NULL ? ", with " : "", tool != NULL ? tool : "");
	return true;
}

static int
model_store(struct control *c, struct model_object *m, struct error *err)
{
	struct doc *d;
	int rc;

	m->meta->resource_version = c->version + 1;
	d = config_print(m);
	rc = store_write(c->store, m->type, m->meta->ns, m->meta->name, d, err);
	config_doc_free(d, m->type);
	return rc;
}

static void
object_put_model(struct admin_resources *a, struct http_server_request *r,
	struct model_object *m)
{
	struct control *c = a->control;
	struct error err = ERROR_INIT;
	struct change change;
	struct object *o;

	if (change_prepare(c, m, &change, NULL, &err) != 0) {
		reply_rejected(c, r, &err);
		return;
	}
	if (is_asked(r, "dryRun")) {
		reply_dry(c, r, &change);
		change_drop(c, &change);
		return;
	}
	if (model_store(c, m, &err) != 0) {
		change_drop(c, &change);
		admin_reply_error(
			r, 507, 0, "the change is not made: %s", err.text);
		return;
	}
	o = change_apply(c, &change, c->version + 1);
	waiter_new(a, r, o, o->generation);
	change_retry(c);
}

static void
object_put(struct admin_resources *a, struct http_server_request *r,
	enum model_type type, const char *ns, const char *name)
{
	struct control *c = a->control;
	const struct object *o = objects_find(c->objects, type, ns, name);
	struct error err = ERROR_INIT;
	struct doc *d;
	struct model_object *m;

	if (reply_foreign(r, o))
		return;
	d = body_read(r, &err);
	if (type == MODEL_SECRET) {
		http_server_request_wipe(r);
		config_error_hide(&err);
	}
	if (d == NULL) {
		admin_reply_error(r, 400, err.line, "%s", err.text);
		return;
	}
	m = change_read(c, type, ns, name, d, &err);
	config_doc_free(d, type);
	if (m != NULL && type == MODEL_SECRET)
		m->meta->created_ms = o != NULL && o->model != NULL
					      ? secret_created_ms(c, o)
					      : clock_realtime_ms();
	if (m == NULL) {
		reply_rejected(c, r, &err);
	} else if (is_stale(o, m)) {
		reply_stale(r, o, type, ns, name);
		model_object_unref(m);
	} else {
		object_put_model(a, r, m);
	}
}

/* ---- DELETE */

/* What is of that name now that the operator's object is gone. */
static char *
place_explain(const struct upstream_kind *by, const struct object *o)
{
	if (o != NULL && o->origin != NULL)
		return xasprintf(
			"the %s of that name in %s is served in its place",
			model_type_kind(o->type), by->title);
	return xasprintf("it was discovered by %s and is back, without what was "
			 "changed in it; to be rid of it, %s",
		by->title,
		by->discovery_stop != NULL
			? by->discovery_stop
			: "take away what it is made from");
}

static void
object_delete(struct admin_resources *a, struct http_server_request *r,
	enum model_type type, const char *ns, const char *name)
{
	struct control *c = a->control;
	struct object *o = objects_find(c->objects, type, ns, name);
	const struct upstream_kind *by;
	struct error err = ERROR_INIT;
	struct waiter *w;

	if (o == NULL) {
		reply_missing(r, type, ns, name);
		return;
	}
	if (reply_foreign(r, o))
		return;
	if (store_remove(c->store, type, ns, name, &err) != 0) {
		admin_reply_error(
			r, 507, 0, "the change is not made: %s", err.text);
		return;
	}
	w = waiter_new(a, r, o, 0);
	w->removed = true;
	if (o->model != NULL)
		w->users = relation_users(c->objects, o->model);
	w->generation = change_remove(c, o);
	by = programs_freed(c, type, ns, name);
	if (by != NULL) {
		free(w->users);
		w->users = NULL;
		w->note = place_explain(
			by, objects_find(c->objects, type, ns, name));
	}
	change_retry(c);
}

/* ---- which of them */

static void
object_handle(struct admin_resources *a, struct http_server_request *r,
	enum model_type type, const char *ns, const char *name)
{
	const char *method = http_server_request_method(r);
	const struct control *c = a->control;
	bool put = strcmp(method, "PUT") == 0;

	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		object_get(c, r, type, ns, name);
	else if (!put && strcmp(method, "DELETE") != 0)
		admin_reply_error(r, 405, 0,
			"a resource has GET, PUT and DELETE, not %s", method);
	else if (!c->running || c->stopping)
		admin_reply_error(r, 503, 0, "the gateway is %s; try again",
			c->stopping ? "stopping" : "starting");
	else if (put)
		object_put(a, r, type, ns, name);
	else
		object_delete(a, r, type, ns, name);
}

/* "/v1/<plural>[/<namespace>/<name>]" */
bool
admin_resources_handle(struct admin_resources *a, struct http_server_request *r,
	const char *path)
{
	char *copy, *rest, *word, *ns, *name;
	enum model_type type;
	bool ours = false;

	if (strncmp(path, "/v1/", 4) != 0)
		return false;
	copy = xstrdup(path + 4);
	rest = copy;
	word = strsep(&rest, "/");
	if (model_type_parse(word, &type) != 0 ||
		strcmp(word, model_type_plural(type)) != 0)
		goto out;
	ns = strsep(&rest, "/");
	name = strsep(&rest, "/");
	ours = rest == NULL && (ns == NULL) == (name == NULL);
	if (!ours)
		goto out;
	if (ns != NULL && (!model_name_valid(ns) || !model_name_valid(name)))
		admin_reply_error(r, 400, 0,
			"\"%.100s/%.100s\" is not a namespace and a name: 1 to "
			"253 of a-z, 0-9, - and .",
			ns, name);
	else if (ns != NULL)
		object_handle(a, r, type, ns, name);
	else if (strcmp(http_server_request_method(r), "GET") == 0 &&
		 type == MODEL_UPSTREAM && is_asked(r, "preview"))
		preview_get(a->control, r);
	else if (strcmp(http_server_request_method(r), "GET") == 0)
		list_get(a->control, r, type);
	else
		admin_reply_error(r, 405, 0, "a list has GET only");
out:
	free(copy);
	return ours;
}
