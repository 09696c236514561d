/* The files of the store and what becomes of them. */
#include "control/files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "config/config.h"
#include "config/store.h"
#include "control/change.h"
#include "control/programs.h"

struct file {
	enum model_type type;
	char *ns, *name;
	struct model_object *model; /* NULL: wrong in itself */
	struct error problem;
	struct model_object *good; /* of state/good; or NULL */
};

struct files {
	struct control *control;
	struct file *items;
	size_t count, capacity;
};

static void
files_fini(struct files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		model_object_unref(f->items[i].model);
		model_object_unref(f->items[i].good);
		free(f->items[i].ns);
		free(f->items[i].name);
	}
	free(f->items);
}

/* ---- one file */

static char *
path_of(const struct control *c, enum model_type type, const char *ns,
	const char *name)
{
	char *folder = store_type_folder(c->settings->config_directory,
		c->settings->secret_directory, type);
	char *path = xasprintf("%s/%s/%s.yaml", folder, ns, name);

	free(folder);
	return path;
}

/* The text of an error says file and line. */
static void
problem_locate(const struct control *c, enum model_type type, const char *ns,
	const char *name, struct error *err)
{
	char *path = path_of(c, type, ns, name);

	if (err->line > 0)
		error_prefix(err, "%s:%d", path, err->line);
	else
		error_prefix(err, "%s", path);
	free(path);
}

static struct model_object *
file_read_model(const struct control *c, enum model_type type, const char *ns,
	const char *name, struct doc *d, struct error *err)
{
	struct model_object *m = change_read(c, type, ns, name, d, err);

	if (m == NULL)
		problem_locate(c, type, ns, name, err);
	return m;
}

static struct model_object *
good_read(const struct control *c, enum model_type type, const char *ns,
	const char *name)
{
	struct doc *d = state_good_read(c->state, type, ns, name);
	struct error err = ERROR_INIT;
	struct model_object *m;

	if (d == NULL)
		return NULL;
	m = change_read(c, type, ns, name, d, &err);
	if (m == NULL)
		log_warn("state: the good version of %s %s.%s is left aside: "
			 "%s",
			model_type_kind(type), ns, name, err.text);
	config_doc_free(d, type);
	return m;
}

static void
on_scan(enum model_type type, const char *ns, const char *name, struct doc *d,
	const struct error *problem, bool gone, void *arg)
{
	struct files *f = arg;
	struct file *one;

	if (gone)
		return;
	if (f->count == f->capacity) {
		f->capacity = f->capacity == 0 ? 64 : f->capacity * 2;
		f->items =
			xreallocarray(f->items, f->capacity, sizeof(*f->items));
	}
	one = &f->items[f->count++];
	memset(one, 0, sizeof(*one));
	one->type = type;
	one->ns = xstrdup(ns);
	one->name = xstrdup(name);
	if (d != NULL)
		one->model = file_read_model(
			f->control, type, ns, name, d, &one->problem);
	else
		one->problem = *problem;
	one->good = good_read(f->control, type, ns, name);
	config_doc_free(d, type);
}

/* ---- all files */

/* What routes lead to comes first; gateways come before virtual services, whose
 * domains are theirs. */
static int
type_order(enum model_type type)
{
	switch (type) {
	case MODEL_SECRET:
	case MODEL_UPSTREAM:
	case MODEL_UPSTREAM_GROUP:
		return 0;
	case MODEL_GATEWAY:
		return 1;
	default:
		return 2;
	}
}

static int
file_compare(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int c = type_order(x->type) - type_order(y->type);

	if (c == 0)
		c = strcmp(x->ns, y->ns);
	return c != 0 ? c : strcmp(x->name, y->name);
}

static bool
file_is_good(const struct file *f)
{
	return f->model != NULL && f->good != NULL &&
	       config_equal(f->model, f->good);
}

static void
rejected_log(const struct object *o)
{
	log_warn("%s %s: Rejected: %s%s", model_type_kind(o->type), o->label,
		o->reason,
		o->model != NULL ? " (its last good version goes on)" : "");
}

/* Takes the model of the file. */
static int
file_apply(struct control *c, struct file *f, uint64_t version)
{
	struct model_object *model = f->model;
	struct model_object *wanted;
	struct change change;
	struct object *o;
	bool beside;

	f->model = NULL;
	if (model == NULL)
		return -1;
	wanted = model_object_ref(model);
	if (change_prepare(c, model, &change, &beside, &f->problem) == 0) {
		model_object_unref(wanted);
		change_apply(c, &change, version);
		return 0;
	}
	problem_locate(c, f->type, f->ns, f->name, &f->problem);
	if (!beside) {
		model_object_unref(wanted);
		return -1;
	}
	o = objects_take(c->objects, f->type, f->ns, f->name);
	model_object_unref(o->wanted);
	o->wanted = wanted;
	return -1;
}

/* Its last good version serves, and the status says why. */
static void
file_fall_back(struct control *c, struct file *f)
{
	struct object *o = objects_take(c->objects, f->type, f->ns, f->name);
	struct model_object *wanted = o->wanted;
	struct error err = ERROR_INIT;
	struct change change;

	o->wanted = NULL;
	if (f->good != NULL) {
		uint64_t version = f->good->meta->resource_version;
		struct model_object *good = f->good;

		f->good = NULL;
		if (change_prepare(c, good, &change, NULL, &err) == 0)
			change_apply(c, &change, version)->good_due = false;
	}
	o->wanted = wanted;
	object_reject(o, f->problem.text, f->problem.line);
	rejected_log(o);
}

static void
files_apply(struct control *c, struct files *f)
{
	bool *done = xcalloc(f->count + 1, sizeof(*done));

	if (f->count > 0)
		qsort(f->items, f->count, sizeof(*f->items), file_compare);
	for (size_t i = 0; i < f->count; i++) {
		const struct file *one = &f->items[i];

		if (one->model != NULL &&
			one->model->meta->resource_version > c->version)
			c->version = one->model->meta->resource_version;
		if (one->good != NULL &&
			one->good->meta->resource_version > c->version)
			c->version = one->good->meta->resource_version;
	}
	for (int order = 0; order <= type_order(MODEL_VIRTUAL_SERVICE);
		order++) {
		/* What was good stays, whatever was put beside it. */
		for (size_t i = 0; i < f->count; i++) {
			struct file *one = &f->items[i];

			if (type_order(one->type) != order ||
				!file_is_good(one))
				continue;
			done[i] =
				file_apply(c, one,
					one->good->meta->resource_version) == 0;
			if (done[i])
				objects_find(c->objects, one->type, one->ns,
					one->name)
					->good_due = false;
		}
		for (size_t i = 0; i < f->count; i++)
			if (type_order(f->items[i].type) == order && !done[i] &&
				file_apply(c, &f->items[i], 0) != 0)
				file_fall_back(c, &f->items[i]);
	}
	free(done);
}

/* ---- the first start */

static int
default_gateway(struct control *c, struct files *f, struct error *err)
{
	const char *ns = c->settings->discovery_namespace;
	struct doc *d = doc_new_map();
	int rc;

	doc_set(d, "metadata", doc_new_map());
	doc_set_string(d, "bindAddress", "::");
	doc_set(d, "bindPort", doc_new_integer(8080));
	doc_set_string(doc_get(d, "metadata"), "name", "gateway");
	doc_set_string(doc_get(d, "metadata"), "namespace", ns);
	rc = store_write(c->store, MODEL_GATEWAY, ns, "gateway", d, err);
	if (rc == 0)
		on_scan(MODEL_GATEWAY, ns, "gateway", d, NULL, false, f);
	else
		doc_free(d);
	return rc;
}

static bool
has_gateway(const struct files *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].type == MODEL_GATEWAY)
			return true;
	return false;
}

int
files_load(struct control *c, bool first, struct error *err)
{
	struct files f = { .control = c };
	int rc = store_scan(c->store, on_scan, &f, err);

	if (rc == 0 && first && !has_gateway(&f))
		rc = default_gateway(c, &f, err);
	if (rc == 0)
		files_apply(c, &f);
	files_fini(&f);
	return rc;
}

/* ---- only looking */

static void
file_look(
	struct files *f, enum model_type type, const char *ns, const char *name)
{
	struct control *c = f->control;
	char *path = path_of(c, type, ns, name);
	struct error problem = ERROR_INIT;
	struct doc *d = NULL;
	struct str text;

	str_init(&text);
	if (file_read(path, DOC_MAX_BYTES, &text, &problem) == 0)
		d = yaml_doc_read(text.data, text.length, &problem);
	if (d == NULL && problem.code == ERROR_NONE)
		error_set(&problem, ERROR_CONFIG, "the file holds no document");
	else if (d == NULL && text.length > 0 && type == MODEL_SECRET)
		config_error_hide(&problem);
	if (d == NULL && strstr(problem.text, path) == NULL)
		problem_locate(c, type, ns, name, &problem);
	on_scan(type, ns, name, d, &problem, false, f);
	str_fini_wiped(&text);
	free(path);
}

static void
folder_look(
	struct files *f, const char *path, enum model_type type, const char *ns)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);
		char *name;

		if (length < 6 ||
			strcmp(entry->d_name + length - 5, ".yaml") != 0)
			continue;
		name = xstrndup(entry->d_name, length - 5);
		if (model_name_valid(name))
			file_look(f, type, ns, name);
		free(name);
	}
	closedir(dir);
}

static void
type_look(struct files *f, const char *root, enum model_type type)
{
	char *path = store_type_folder(
		root, f->control->settings->secret_directory, type);
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char *below;

		if (!model_name_valid(entry->d_name))
			continue;
		below = xasprintf("%s/%s", path, entry->d_name);
		folder_look(f, below, type, entry->d_name);
		free(below);
	}
	if (dir != NULL)
		closedir(dir);
	free(path);
}

int
files_look(struct control *c, const char *root, struct error *err)
{
	struct files f = { .control = c };
	struct stat st;

	if (stat(root, &st) != 0 && errno == ENOENT)
		return 0; /* the daemon will make it */
	if (stat(root, &st) != 0 || !S_ISDIR(st.st_mode))
		return error_set(
			err, ERROR_SYSTEM, "the store %s cannot be read", root);
	for (int t = 0; t < MODEL_TYPE_COUNT; t++)
		type_look(&f, root, (enum model_type)t);
	files_apply(c, &f);
	files_fini(&f);
	return 0;
}

/* ---- changes */

/* What kinds reported of that name comes in its place. */
static void
on_removed(struct control *c, enum model_type type, const char *ns,
	const char *name)
{
	const struct upstream_kind *by = programs_freed(c, type, ns, name);

	if (by != NULL)
		log_info("%s %s.%s: that of %s serves now",
			model_type_kind(type), ns, name, by->title);
}

static void
on_change(enum model_type type, const char *ns, const char *name, struct doc *d,
	const struct error *problem, bool gone, void *arg)
{
	struct control *c = arg;
	struct object *o = objects_find(c->objects, type, ns, name);
	struct file f = { .type = type };

	if (gone) {
		if (o != NULL && o->origin == NULL) {
			log_info("%s %s: its file was removed",
				model_type_kind(type), o->label);
			change_remove(c, o);
			on_removed(c, type, ns, name);
		}
		return;
	}
	if (o != NULL && o->origin != NULL)
		programs_displaced(c, o);
	if (o != NULL) {
		model_object_unref(o->wanted);
		o->wanted = NULL;
	}
	f.ns = xstrdup(ns);
	f.name = xstrdup(name);
	if (d != NULL)
		f.model = file_read_model(c, type, ns, name, d, &f.problem);
	else
		f.problem = *problem;
	if (file_apply(c, &f, 0) == 0) {
		log_info("%s %s.%s: its file was taken over",
			model_type_kind(type), ns, name);
	} else {
		o = objects_take(c->objects, type, ns, name);
		object_reject(o, f.problem.text, f.problem.line);
		rejected_log(o);
	}
	config_doc_free(d, type);
	free(f.ns);
	free(f.name);
}

void
files_changed(struct control *c)
{
	store_changes(c->store, on_change, c);
	change_retry(c);
}

static void
on_again(enum model_type type, const char *ns, const char *name, struct doc *d,
	const struct error *problem, bool gone, void *arg)
{
	struct control *c = arg;
	const struct object *o = objects_find(c->objects, type, ns, name);
	struct model_object *m = NULL;
	bool same;

	if (d != NULL && o != NULL && o->model != NULL && !o->rejected &&
		o->origin == NULL)
		m = change_read(c, type, ns, name, d, NULL);
	same = m != NULL && config_equal(m, o->model);
	model_object_unref(m);
	if (same)
		config_doc_free(d, type);
	else
		on_change(type, ns, name, d, problem, gone, arg);
}

void
files_again(struct control *c)
{
	struct error err = ERROR_INIT;

	files_changed(c);
	if (store_scan(c->store, on_again, c, &err) != 0)
		log_error("store: %s", err.text);
	change_retry(c);
}
