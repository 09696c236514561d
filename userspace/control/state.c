/* Control's own memory on disk. */
#include "control/state.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define FOLDER_MODE 0700
#define FILE_MODE   0600

#define HASH_DIGITS 16 /* hexadecimal: a number of JSON would lose some */

struct state {
	char *root;
};

struct state *
state_open_existing(const char *root)
{
	struct state *s = xcalloc(1, sizeof(*s));

	s->root = xstrdup(root);
	return s;
}

static int
folder_make(const struct state *s, const char *below, struct error *err)
{
	char *path = xasprintf("%s/%s", s->root, below);
	int rc = file_make_folders(path, FOLDER_MODE, err);

	free(path);
	return rc;
}

struct state *
state_open(const char *root, struct error *err)
{
	struct state *s = state_open_existing(root);

	if (folder_make(s, "good", err) == 0 &&
		folder_make(s, "endpoints", err) == 0)
		return s;
	state_close(s);
	return NULL;
}

void
state_close(struct state *s)
{
	if (s == NULL)
		return;
	free(s->root);
	free(s);
}

/* ---- documents in files */

static struct doc *
document_read(const char *path)
{
	struct error err = ERROR_INIT;
	struct doc *d = NULL;
	struct str text;

	if (access(path, F_OK) != 0)
		return NULL;
	str_init(&text);
	if (file_read(path, DOC_MAX_BYTES, &text, &err) == 0)
		d = json_doc_read(text.data, text.length, &err);
	if (d == NULL)
		log_warn("state: %s is left aside: %s", path, err.text);
	str_fini_wiped(&text);
	return d;
}

typedef int replace_f(const char *path, const void *data, size_t length,
	mode_t mode, struct error *err);

static int
document_put(const char *path, const struct doc *d, replace_f *replace,
	struct error *err)
{
	struct str text;
	int rc;

	str_init(&text);
	json_doc_write(d, 1, &text);
	str_putc(&text, '\n');
	rc = replace(path, text.data, text.length, FILE_MODE, err);
	str_fini_wiped(&text); /* it may be a secret */
	return rc;
}

static int
document_write(const char *path, const struct doc *d, struct error *err)
{
	return document_put(path, d, file_replace, err);
}

static void
file_remove(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		log_warn("state: cannot remove %s: %s", path, strerror(errno));
}

/* ---- good versions */

static char *
good_path(const struct state *s, enum model_type type, const char *ns,
	const char *name)
{
	return xasprintf("%s/good/%s/%s/%s.json", s->root,
		model_type_plural(type), ns, name);
}

struct doc *
state_good_read(const struct state *s, enum model_type type, const char *ns,
	const char *name)
{
	char *path = good_path(s, type, ns, name);
	struct doc *d = document_read(path);

	free(path);
	return d;
}

static int
good_write(const struct state *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, replace_f *replace,
	struct error *err)
{
	char *path = good_path(s, type, ns, name);
	char *folder = xasprintf(
		"%s/good/%s/%s", s->root, model_type_plural(type), ns);
	int rc = file_make_folders(folder, FOLDER_MODE, err);

	if (rc == 0)
		rc = document_put(path, d, replace, err);
	free(folder);
	free(path);
	return rc;
}

int
state_good_write(const struct state *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, struct error *err)
{
	return good_write(s, type, ns, name, d, file_replace, err);
}

int
state_good_write_lazily(const struct state *s, enum model_type type,
	const char *ns, const char *name, const struct doc *d,
	struct error *err)
{
	return good_write(
		s, type, ns, name, d, file_replace_lazily, err);
}

void
state_good_remove(const struct state *s, enum model_type type, const char *ns,
	const char *name)
{
	char *path = good_path(s, type, ns, name);

	file_remove(path);
	free(path);
}

/* ---- reports */

#define SUFFIX ".json"

static const char *const areas[] = {
	[STATE_DISCOVERED] = "discovered",
	[STATE_RESOURCES] = "resources",
};

static char *
report_folder(const struct state *s, const struct state_report *r)
{
	return xasprintf("%s/%s/%s/%s/%s", s->root, areas[r->area], r->kind,
		model_type_plural(r->type), r->ns);
}

static char *
report_path(const struct state *s, const struct state_report *r)
{
	return xasprintf("%s/%s/%s/%s/%s/%s" SUFFIX, s->root, areas[r->area],
		r->kind, model_type_plural(r->type), r->ns, r->name);
}

int
state_report_write(const struct state *s, const struct state_report *r,
	const struct doc *d, struct error *err)
{
	char *folder = report_folder(s, r), *path = report_path(s, r);
	int rc = file_make_folders(folder, FOLDER_MODE, err);

	if (rc == 0)
		rc = document_put(path, d, file_replace_lazily, err);
	free(folder);
	free(path);
	return rc;
}

void
state_report_remove(const struct state *s, const struct state_report *r)
{
	char *path = report_path(s, r);

	file_remove(path);
	free(path);
}

/* "x.json" to "x"; NULL: none of ours. */
static char *
report_name(const char *file)
{
	size_t length = strlen(file), suffix = strlen(SUFFIX);
	char *name;

	if (length <= suffix || strcmp(file + length - suffix, SUFFIX) != 0)
		return NULL;
	name = xstrndup(file, length - suffix);
	if (model_name_valid(name))
		return name;
	free(name);
	return NULL;
}

static void
namespace_each(const struct state *s, struct state_report *r,
	state_report_f *cb, void *arg)
{
	char *folder = report_folder(s, r);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char *name = report_name(entry->d_name), *path;
		struct doc *d;

		if (name == NULL)
			continue;
		r->name = name;
		path = report_path(s, r);
		d = document_read(path);
		if (d != NULL)
			cb(r, d, arg);
		free(path);
		free(name);
	}
	if (dir != NULL)
		closedir(dir);
	free(folder);
}

void
state_reports_each(const struct state *s, enum state_area area,
	const char *kind, state_report_f *cb, void *arg)
{
	static const enum model_type order[] = { MODEL_UPSTREAM, MODEL_GATEWAY,
		MODEL_VIRTUAL_SERVICE };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct state_report r = { area, kind, order[i], NULL, NULL };
		char *path = xasprintf("%s/%s/%s/%s", s->root, areas[area],
			kind, model_type_plural(r.type));
		DIR *dir = opendir(path);
		struct dirent *entry;

		while (dir != NULL && (entry = readdir(dir)) != NULL) {
			r.ns = entry->d_name;
			if (model_name_valid(r.ns))
				namespace_each(s, &r, cb, arg);
		}
		if (dir != NULL)
			closedir(dir);
		free(path);
	}
}

/* ---- by upstream */

/* In a folder of the namespace: "a.b" and "c" are not "a" and "b.c". */
static char *
upstream_path(const struct state *s, const char *area, const char *ns,
	const char *name)
{
	return xasprintf("%s/%s/%s/%s.json", s->root, area, ns, name);
}

/* Without waiting for the disk. */
static int
upstream_write(const struct state *s, const char *area, const char *ns,
	const char *name, const struct doc *d, struct error *err)
{
	char *path = upstream_path(s, area, ns, name);
	char *folder = xasprintf("%s/%s/%s", s->root, area, ns);
	int rc = file_make_folders(folder, FOLDER_MODE, err);

	if (rc == 0)
		rc = document_put(path, d, file_replace_lazily, err);
	free(folder);
	free(path);
	return rc;
}

static void
upstream_remove(const struct state *s, const char *area, const char *ns,
	const char *name)
{
	char *path = upstream_path(s, area, ns, name);

	file_remove(path);
	free(path);
}

/* ---- functions */

struct doc *
state_functions_read(const struct state *s, const char *ns, const char *name)
{
	char *path = upstream_path(s, "functions", ns, name);
	struct doc *d = document_read(path);

	free(path);
	if (doc_type(d) == DOC_LIST)
		return d;
	doc_free(d);
	return NULL;
}

int
state_functions_write(const struct state *s, const char *ns, const char *name,
	const struct doc *names, struct error *err)
{
	return upstream_write(s, "functions", ns, name, names, err);
}

void
state_functions_remove(const struct state *s, const char *ns, const char *name)
{
	upstream_remove(s, "functions", ns, name);
}

/* ---- endpoints */

/* As it was written; all else is not known. */
static uint64_t
hash_read(const char *text)
{
	uint64_t hash = 0;

	if (text == NULL || strlen(text) != HASH_DIGITS ||
		strspn(text, "0123456789abcdef") != HASH_DIGITS ||
		sscanf(text, "%" SCNx64, &hash) != 1)
		return 0;
	return hash;
}

static bool
endpoint_read(const struct doc *d, struct endpoint *e)
{
	const char *ip = doc_get_string(d, "address");
	const char *host = doc_get_string(d, "host");
	const char *health = doc_get_string(d, "health");
	int64_t port = doc_integer(doc_get(d, "port"));
	int64_t weight = doc_integer(doc_get(d, "weight"));
	const struct doc *subsets;

	memset(e, 0, sizeof(*e));
	if (ip == NULL || port < 1 || port > 65535 || weight < 1 ||
		weight > 65535 ||
		addr_parse_ip(ip, (uint16_t)port, &e->addr) != 0)
		return false;
	e->weight = (uint16_t)weight;
	e->health = health != NULL && strcmp(health, "down") == 0
			    ? ENDPOINT_DOWN
			    : ENDPOINT_UP;
	if (host != NULL)
		snprintf(e->host, sizeof(e->host), "%s", host);
	e->host_rewrite = doc_bool(doc_get(d, "hostRewrite"));
	snprintf(e->server_name, sizeof(e->server_name), "%s",
		doc_get_text(d, "serverName"));
	e->owner = hash_read(doc_get_string(d, "owner"));
	subsets = doc_get(d, "subsets");
	for (size_t i = 0; i < doc_count(subsets) && i < SUBSETS_MAX; i++)
		e->subsets[i] = hash_read(doc_string(doc_at(subsets, i)));
	return true;
}

static struct doc *
hash_print(uint64_t hash)
{
	char text[HASH_DIGITS + 1];

	snprintf(text, sizeof(text), "%0*" PRIx64, HASH_DIGITS, hash);
	return doc_new_string(text);
}

static void
subsets_print(struct doc *to, const struct endpoint *e)
{
	struct doc *list;

	if (e->subsets[0] == 0)
		return;
	list = doc_set(to, "subsets", doc_new_list());
	for (size_t i = 0; i < SUBSETS_MAX && e->subsets[i] != 0; i++)
		doc_add(list, hash_print(e->subsets[i]));
}

static struct doc *
endpoint_print(const struct endpoint *e)
{
	struct doc *d = doc_new_map();
	char ip[ADDR_TEXT_MAX];

	doc_set_string(d, "address", addr_format_ip(&e->addr, ip));
	doc_set(d, "port", doc_new_integer(addr_port(&e->addr)));
	doc_set(d, "weight", doc_new_integer(e->weight));
	if (e->host[0] != '\0')
		doc_set_string(d, "host", e->host);
	if (e->health == ENDPOINT_DOWN)
		doc_set_string(d, "health", "down");
	if (e->host_rewrite)
		doc_set(d, "hostRewrite", doc_new_bool(true));
	if (e->server_name[0] != '\0')
		doc_set_string(d, "serverName", e->server_name);
	if (e->owner != 0)
		doc_set(d, "owner", hash_print(e->owner));
	subsets_print(d, e);
	return d;
}

/* Before there was a spec beside it, the list was all of the file. */
struct endpoint *
state_endpoints_read(const struct state *s, const char *ns, const char *name,
	struct doc **spec, size_t *count)
{
	char *path = upstream_path(s, "endpoints", ns, name);
	struct doc *d = document_read(path);
	const struct doc *all =
		doc_type(d) == DOC_MAP ? doc_get(d, "endpoints") : d;
	size_t room = doc_count(all);
	struct endpoint *set = NULL;

	*count = 0;
	*spec = doc_type(d) == DOC_MAP && doc_get(d, "spec") != NULL
			? doc_copy(doc_get(d, "spec"))
			: NULL;
	if (room > ENDPOINTS_MAX)
		room = ENDPOINTS_MAX;
	if (doc_type(all) == DOC_LIST && room > 0)
		set = xcalloc(room, sizeof(*set));
	for (size_t i = 0; set != NULL && i < room; i++)
		*count += endpoint_read(doc_at(all, i), &set[*count]);
	doc_free(d);
	free(path);
	return set;
}

int
state_endpoints_write(const struct state *s, const char *ns, const char *name,
	const struct doc *spec, const struct endpoint *set, size_t count,
	struct error *err)
{
	struct doc *d = doc_new_map();
	struct doc *all = doc_set(d, "endpoints", doc_new_list());
	int rc;

	if (spec != NULL)
		doc_set(d, "spec", doc_copy(spec));
	for (size_t i = 0; i < count; i++)
		doc_add(all, endpoint_print(&set[i]));
	rc = upstream_write(s, "endpoints", ns, name, d, err);
	doc_free(d);
	return rc;
}

void
state_endpoints_remove(const struct state *s, const char *ns, const char *name)
{
	upstream_remove(s, "endpoints", ns, name);
}

/* ---- numbers */

static void
ids_restore(const struct doc *d, struct numbers *r)
{
	for (size_t i = 0; i < doc_count(d); i++) {
		const char *name = doc_get_string(doc_at(d, i), "name");
		int64_t id = doc_integer(doc_get(doc_at(d, i), "id"));

		if (name != NULL && id > 0 && id <= UINT32_MAX)
			numbers_restore(r, name, (uint32_t)id);
	}
}

bool
state_ids_read(const struct state *s, struct numbers *upstreams,
	struct numbers *slots, struct numbers *services)
{
	char *path = xasprintf("%s/ids.json", s->root);
	struct doc *d = document_read(path);
	bool known = doc_type(d) == DOC_MAP;

	if (known) {
		ids_restore(doc_get(d, "upstreams"), upstreams);
		ids_restore(doc_get(d, "listeners"), slots);
		ids_restore(doc_get(d, "services"), services);
	}
	doc_free(d);
	free(path);
	return known;
}

static struct doc *
ids_print(const struct numbers *r)
{
	struct doc *d = doc_new_list();
	uint32_t number = 0;
	const char *name;

	while (numbers_next(r, &number, &name)) {
		struct doc *one = doc_add(d, doc_new_map());

		doc_set_string(one, "name", name);
		doc_set(one, "id", doc_new_integer(number));
	}
	return d;
}

int
state_ids_write(const struct state *s, const struct numbers *upstreams,
	const struct numbers *slots, const struct numbers *services,
	struct error *err)
{
	char *path = xasprintf("%s/ids.json", s->root);
	struct doc *d = doc_new_map();
	int rc;

	doc_set(d, "upstreams", ids_print(upstreams));
	doc_set(d, "listeners", ids_print(slots));
	doc_set(d, "services", ids_print(services));
	rc = document_write(path, d, err);
	doc_free(d);
	free(path);
	return rc;
}

/* ---- certificates of before */

struct doc *
state_tls_read(const struct state *s)
{
	char *path = xasprintf("%s/tls.json", s->root);
	struct doc *d = document_read(path);

	free(path);
	return d;
}

int
state_tls_write(
	const struct state *s, const struct doc *d, struct error *err)
{
	char *path = xasprintf("%s/tls.json", s->root);
	int rc = document_write(path, d, err);

	free(path);
	return rc;
}
