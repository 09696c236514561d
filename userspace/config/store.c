/* The store on disk: a folder per type and namespace, a file per object. */
#include "config/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"
#include "base/yaml.h"
#include "config/config.h"

#define FOLDER_MODE        0750
#define FILE_MODE          0640
#define SECRET_FOLDER_MODE 0700
#define SECRET_FILE_MODE   0600
#define SUFFIX      ".yaml"
#define FOLDER_EVENTS                                                          \
	(IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |            \
		IN_DELETE | IN_ONLYDIR)

struct content { /* what was last read from or written to a file */
	uint64_t hash;
	uint64_t length;
	bool broken; /* unreadable or no document */
	bool seen;   /* during a walk */
};

/* A watched folder: of a type (ns NULL) or of a namespace in it. */
struct folder {
	enum model_type type;
	char *ns;
};

struct store {
	char *root, *secrets;
	int lock, inotify;
	struct table *contents; /* "plural/ns/name" to struct content */
	struct table *folders;  /* watch descriptor in digits to folder */
};

struct walk {
	struct store *store;
	store_file_f *cb;
	void *arg;
	bool changes_only;
};

/* ---- names */

char *
store_type_folder(const char *root, const char *secrets, enum model_type type)
{
	if (type == MODEL_SECRET && strcmp(root, secrets) != 0)
		return xstrdup(secrets);
	return xasprintf("%s/%s", root, model_type_plural(type));
}

static char *
type_folder(const struct store *s, enum model_type type)
{
	return store_type_folder(s->root, s->secrets, type);
}

static char *
namespace_folder(const struct store *s, enum model_type type, const char *ns)
{
	char *above = type_folder(s, type);
	char *folder = xasprintf("%s/%s", above, ns);

	free(above);
	return folder;
}

char *
store_path(const struct store *s, enum model_type type, const char *ns,
	const char *name)
{
	char *folder = namespace_folder(s, type, ns);
	char *path = xasprintf("%s/%s" SUFFIX, folder, name);

	free(folder);
	return path;
}

static mode_t
folder_mode(enum model_type type)
{
	return type == MODEL_SECRET ? SECRET_FOLDER_MODE : FOLDER_MODE;
}

static mode_t
file_mode(enum model_type type)
{
	return type == MODEL_SECRET ? SECRET_FILE_MODE : FILE_MODE;
}

static char *
object_key(enum model_type type, const char *ns, const char *name)
{
	return xasprintf("%s/%s/%s", model_type_plural(type), ns, name);
}

/* "x.yaml" to "x"; NULL for what is none of ours (editors' files too). */
static char *
object_name(const char *file)
{
	size_t length = strlen(file);
	size_t suffix = strlen(SUFFIX);
	char *name;

	if (length <= suffix || strcmp(file + length - suffix, SUFFIX) != 0)
		return NULL;
	name = xstrndup(file, length - suffix);
	if (model_name_valid(name))
		return name;
	free(name);
	return NULL;
}

static int
names_check(const char *ns, const char *name, struct error *err)
{
	if (model_name_valid(ns) && model_name_valid(name))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s/%.64s\" cannot be a namespace and name", ns, name);
}

static void
text_fini(struct str *text, enum model_type type)
{
	if (type == MODEL_SECRET)
		str_fini_wiped(text);
	else
		str_fini(text);
}

/* ---- contents */

static struct content
content_of(const struct str *text)
{
	return (struct content){
		.hash = hash_bytes(text->data, text->length, 0),
		.length = text->length,
	};
}

static struct content
content_broken(const struct error *problem)
{
	return (struct content){
		.hash = hash_bytes(problem->text, strlen(problem->text), 0),
		.broken = true,
	};
}

static bool
content_same(const struct content *a, const struct content *b)
{
	return a != NULL && a->hash == b->hash && a->length == b->length &&
	       a->broken == b->broken;
}

/* Remembers it; false: it is what was there before. */
static bool
content_note(struct store *s, const char *key, struct content now)
{
	struct content *old = table_get(s->contents, key);

	if (content_same(old, &now)) {
		old->seen = true;
		return false;
	}
	now.seen = true;
	table_set(s->contents, key, xmemdup(&now, sizeof(now)));
	return true;
}

/* ---- opening */

static int
lock_refused(int fd, const char *path, struct error *err)
{
	char pid[32];
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	return error_set(err, ERROR_CONFIG,
		"another gloo-gateway%s%s uses this store (%s is locked)",
		pid[0] != '\0' ? " with pid " : "", pid, path);
}

static int
lock_take(struct store *s, struct error *err)
{
	char *path = xasprintf("%s/.lock", s->root);
	int rc = -1;

	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->lock < 0) {
		error_errno(err, errno, "cannot open %s", path);
		goto out;
	}
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			lock_refused(s->lock, path, err);
		else
			error_errno(err, errno, "cannot lock %s", path);
		goto out;
	}
	/* The pid is only for people: a full disk must not keep us out. */
	if (ftruncate(s->lock, 0) == 0)
		(void)!dprintf(s->lock, "%ld\n", (long)getpid());
	rc = 0;
out:
	free(path);
	return rc;
}

static void
folder_free(void *value)
{
	struct folder *f = value;

	free(f->ns);
	free(f);
}

static int
folder_watch(struct store *s, const char *path, enum model_type type,
	const char *ns, struct error *err)
{
	struct folder *f;
	char key[24];
	int wd = inotify_add_watch(s->inotify, path, FOLDER_EVENTS);

	if (wd < 0)
		return error_errno(err, errno, "cannot watch %s", path);
	f = xcalloc(1, sizeof(*f));
	f->type = type;
	f->ns = ns == NULL ? NULL : xstrdup(ns);
	snprintf(key, sizeof(key), "%d", wd);
	table_set(s->folders, key, f);
	return 0;
}

static int
folders_make(struct store *s, struct error *err)
{
	for (int t = 0; t < MODEL_TYPE_COUNT; t++) {
		char *path = type_folder(s, (enum model_type)t);
		int rc = file_make_folders(
			path, folder_mode((enum model_type)t), err);

		if (rc == 0)
			rc = folder_watch(
				s, path, (enum model_type)t, NULL, err);
		free(path);
		if (rc != 0)
			return -1;
	}
	return 0;
}

struct store *
store_open(const char *root, const char *secrets, struct error *err)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->root = xstrdup(root);
	s->secrets = xstrdup(secrets);
	s->lock = s->inotify = -1;
	s->contents = table_new(free);
	s->folders = table_new(folder_free);
	if (file_make_folders(root, FOLDER_MODE, err) != 0 ||
		lock_take(s, err) != 0)
		goto fail;
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->inotify < 0) {
		error_errno(err, errno, "cannot watch %s", root);
		goto fail;
	}
	if (folders_make(s, err) == 0)
		return s;
fail:
	store_close(s);
	return NULL;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->inotify >= 0)
		close(s->inotify);
	if (s->lock >= 0)
		close(s->lock);
	table_free(s->contents);
	table_free(s->folders);
	free(s->root);
	free(s->secrets);
	free(s);
}

/* ---- reading */

static void
gone_report(const struct walk *w, enum model_type type, const char *ns,
	const char *name)
{
	char *key = object_key(type, ns, name);

	if (table_remove(w->store->contents, key))
		w->cb(type, ns, name, NULL, NULL, true, w->arg);
	free(key);
}

/* A symbolic link is followed, as operators use them; anything but a file
 * behind it (a FIFO would block) is refused. */
static int
object_text(const char *path, struct str *text, struct error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return error_errno(err, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s: is not a file", path);
	/* All at once: what text moved away from would stay in memory. */
	str_reserve(text, st.st_size < DOC_MAX_BYTES ? (size_t)st.st_size : 0);
	return file_read(path, DOC_MAX_BYTES, text, err);
}

/* Of a secret no error may repeat what it found. */
static struct doc *
object_parse(enum model_type type, const struct str *text, struct error *err)
{
	struct error why = ERROR_INIT;
	struct doc *d = yaml_doc_read(text->data, text->length, &why);

	if (doc_type(d) == DOC_NULL) {
		doc_free(d);
		d = NULL;
		error_set(&why, ERROR_CONFIG, "the file holds no document");
	}
	if (d == NULL && type == MODEL_SECRET)
		config_error_hide(&why);
	if (d == NULL)
		*err = why;
	return d;
}

static void
object_report(const struct walk *w, enum model_type type, const char *ns,
	const char *name)
{
	char *path = store_path(w->store, type, ns, name);
	char *key = object_key(type, ns, name);
	struct error problem = ERROR_INIT;
	struct content now;
	struct doc *d = NULL;
	struct str text;

	str_init(&text);
	if (object_text(path, &text, &problem) == 0)
		now = content_of(&text);
	else
		now = content_broken(&problem);
	if (access(path, F_OK) != 0 && errno == ENOENT) {
		gone_report(w, type, ns, name);
		goto out;
	}
	if (!content_note(w->store, key, now) && w->changes_only)
		goto out;
	if (problem.code == ERROR_NONE) {
		d = object_parse(type, &text, &problem);
		if (d == NULL && problem.line > 0)
			error_prefix(&problem, "%s:%d", path, problem.line);
		else if (d == NULL)
			error_prefix(&problem, "%s", path);
	}
	w->cb(type, ns, name, d, d == NULL ? &problem : NULL, false, w->arg);
out:
	text_fini(&text, type);
	free(key);
	free(path);
}

static int
namespace_walk(const struct walk *w, enum model_type type, const char *ns,
	struct error *err)
{
	char *path = namespace_folder(w->store, type, ns);
	struct dirent *entry;
	struct stat st;
	DIR *dir = NULL;
	int rc = 0;

	/* What is no folder, or just went, is none of ours. */
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		goto out;
	/* Watched before it is read, so that nothing falls in between. */
	rc = folder_watch(w->store, path, type, ns, err);
	if (rc != 0)
		goto out;
	dir = opendir(path);
	if (dir == NULL) {
		rc = error_errno(err, errno, "cannot read %s", path);
		goto out;
	}
	while ((entry = readdir(dir)) != NULL) {
		char *name = object_name(entry->d_name);

		if (name != NULL)
			object_report(w, type, ns, name);
		free(name);
	}
	closedir(dir);
out:
	free(path);
	return rc;
}

static int
type_walk(const struct walk *w, enum model_type type, struct error *err)
{
	char *path = type_folder(w->store, type);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (dir == NULL) {
		error_errno(err, errno, "cannot read %s", path);
		free(path);
		return -1;
	}
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (model_name_valid(entry->d_name) &&
			(entry->d_type == DT_DIR || entry->d_type == DT_LNK ||
				entry->d_type == DT_UNKNOWN))
			rc = namespace_walk(w, type, entry->d_name, err);
	closedir(dir);
	free(path);
	return rc;
}

int
store_scan(struct store *s, store_file_f *cb, void *arg, struct error *err)
{
	const struct walk w = { s, cb, arg, false };
	int rc = 0;

	for (int t = 0; t < MODEL_TYPE_COUNT && rc == 0; t++)
		rc = type_walk(&w, (enum model_type)t, err);
	return rc;
}

/* ---- watching */

int
store_watch_fd(struct store *s)
{
	return s->inotify;
}

/* "plural/ns/name" back to its parts; ns and name point into key. */
static void
key_split(char *key, enum model_type *type, char **ns, char **name)
{
	*ns = strchr(key, '/');
	*(*ns)++ = '\0';
	*name = strchr(*ns, '/');
	*(*name)++ = '\0';
	model_type_parse(key, type);
}

/* Reports as gone what the walk just made did not see. */
static void
unseen_report(const struct walk *w)
{
	size_t place = 0, count = 0;
	char **gone =
		xcalloc(table_count(w->store->contents) + 1, sizeof(*gone));
	const char *key;
	void *value;

	while (table_next(w->store->contents, &place, &key, &value))
		if (!((struct content *)value)->seen)
			gone[count++] = xstrdup(key);
	for (size_t i = 0; i < count; i++) {
		enum model_type type;
		char *ns, *name;

		key_split(gone[i], &type, &ns, &name);
		gone_report(w, type, ns, name);
		free(gone[i]);
	}
	free(gone);
}

/* Everything is looked at again: after an overflow of the queue, and when a
 * whole folder came or went. */
static void
changes_walk(const struct walk *w)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(w->store->contents, &place, &key, &value))
		((struct content *)value)->seen = false;
	/* A folder that cannot be read must not look like one that is gone. */
	for (int t = 0; t < MODEL_TYPE_COUNT; t++)
		if (type_walk(w, (enum model_type)t, NULL) != 0)
			return;
	unseen_report(w);
}

/* A new plain file: its writer is not done, and closing it is an event too.
 * A link, hard or symbolic, has no writer. */
static bool
is_being_made(const struct walk *w, const struct folder *f, const char *name)
{
	char *path = store_path(w->store, f->type, f->ns, name);
	struct stat st;
	bool plain = lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		     st.st_nlink == 1;

	free(path);
	return plain;
}

/* True: everything has to be looked at again. */
static bool
event_take(const struct walk *w, const struct inotify_event *event,
	struct table *touched)
{
	char key[24];
	const struct folder *f;
	char *name, *object;

	if (event->mask & IN_Q_OVERFLOW)
		return true;
	snprintf(key, sizeof(key), "%d", event->wd);
	if (event->mask & IN_IGNORED) {
		table_remove(w->store->folders, key);
		return false;
	}
	f = table_get(w->store->folders, key);
	if (f == NULL || event->len == 0)
		return false;
	if (f->ns == NULL)
		return model_name_valid(event->name);
	name = object_name(event->name);
	if (name != NULL &&
		!((event->mask & IN_CREATE) && is_being_made(w, f, name))) {
		object = object_key(f->type, f->ns, name);
		table_set(touched, object, w->store);
		free(object);
	}
	free(name);
	return false;
}

static bool
events_read(const struct walk *w, struct table *touched)
{
	_Alignas(struct inotify_event) char buf[16384];
	bool all = false;
	ssize_t n;

	while ((n = read(w->store->inotify, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *event = (void *)p;

			all |= event_take(w, event, touched);
			p += sizeof(*event) + event->len;
		}
	}
	return all;
}

void
store_changes(struct store *s, store_file_f *cb, void *arg)
{
	const struct walk w = { s, cb, arg, true };
	struct table *touched = table_new(NULL);
	size_t place = 0;
	const char *key;
	void *value;

	if (events_read(&w, touched)) {
		changes_walk(&w);
		goto out;
	}
	while (table_next(touched, &place, &key, &value)) {
		enum model_type type;
		char *copy = xstrdup(key);
		char *ns, *name;

		key_split(copy, &type, &ns, &name);
		object_report(&w, type, ns, name);
		free(copy);
	}
out:
	table_free(touched);
}

/* ---- writing */

typedef int replace_f(const char *path, const void *data, size_t length,
	mode_t mode, struct error *err);

static int
object_write(struct store *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, replace_f *replace,
	struct error *err)
{
	char *path, *folder, *key;
	struct str text;
	int rc = -1;

	if (names_check(ns, name, err) != 0)
		return -1;
	path = store_path(s, type, ns, name);
	key = object_key(type, ns, name);
	folder = namespace_folder(s, type, ns);
	str_init(&text);
	yaml_doc_write(d, &text);
	if (file_make_folders(folder, folder_mode(type), err) != 0 ||
		folder_watch(s, folder, type, ns, err) != 0 ||
		replace(path, text.data, text.length, file_mode(type), err) !=
			0)
		goto out;
	content_note(s, key, content_of(&text));
	rc = 0;
out:
	text_fini(&text, type);
	free(folder);
	free(key);
	free(path);
	return rc;
}

int
store_write(struct store *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, struct error *err)
{
	return object_write(s, type, ns, name, d, file_replace, err);
}

int
store_write_lazily(struct store *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, struct error *err)
{
	return object_write(s, type, ns, name, d, file_replace_lazily, err);
}

bool
store_is_empty(const struct store *s, enum model_type type, const char *ns,
	const char *name)
{
	char *path = store_path(s, type, ns, name);
	struct stat st;
	bool empty = stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		     st.st_size == 0;

	free(path);
	return empty;
}

uint64_t
store_written_ms(const struct store *s, enum model_type type, const char *ns,
	const char *name)
{
	char *path = store_path(s, type, ns, name);
	struct stat st;
	uint64_t ms = 0;

	if (stat(path, &st) == 0)
		ms = (uint64_t)st.st_mtim.tv_sec * 1000 +
		     (uint64_t)st.st_mtim.tv_nsec / 1000000;
	free(path);
	return ms;
}

bool
store_is_changed(const struct store *s, enum model_type type, const char *ns,
	const char *name)
{
	char *path = store_path(s, type, ns, name);
	char *key = object_key(type, ns, name);
	const struct content *known = table_get(s->contents, key);
	struct error problem = ERROR_INIT;
	struct content now;
	struct str text;
	bool changed;

	str_init(&text);
	if (object_text(path, &text, &problem) == 0)
		now = content_of(&text);
	else
		now = content_broken(&problem);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		changed = known != NULL;
	else
		changed = !content_same(known, &now);
	text_fini(&text, type);
	free(key);
	free(path);
	return changed;
}

int
store_remove(struct store *s, enum model_type type, const char *ns,
	const char *name, struct error *err)
{
	char *path, *key;
	int rc = 0;

	if (names_check(ns, name, err) != 0)
		return -1;
	path = store_path(s, type, ns, name);
	key = object_key(type, ns, name);
	if (unlink(path) != 0 && errno != ENOENT)
		rc = error_errno(err, errno, "cannot remove %s", path);
	else
		table_remove(s->contents, key);
	free(key);
	free(path);
	return rc;
}
