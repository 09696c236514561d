/*
 * The store on disk: <root>/<plural>/<namespace>/<name>.yaml, written by temp
 * file, fsync, rename; watched with inotify (the folders), so that a file
 * edited by hand is taken over. One daemon per store: a lock on <root>/.lock.
 * Secrets have a root of their own, <secrets>/<namespace>/<name>.yaml, which
 * nobody else may read: folders of mode 0700, files of 0600.
 */
#ifndef CONFIG_STORE_H
#define CONFIG_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "model/model.h"

struct store;

/* Makes the folders; takes the lock: if another daemon has it, an error says
 * so with its pid. */
struct store *store_open(
	const char *root, const char *secrets, struct error *err);
void store_close(struct store *s);

/* One file seen while reading: doc is NULL when it could not be parsed, and
 * problem says why (file and line in the text). d is the callee's to keep
 * (doc_free). gone: the file was removed; doc and problem are then NULL. */
typedef void store_file_f(enum model_type type, const char *ns, const char *name,
	struct doc *d, const struct error *problem, bool gone, void *arg);
/* Every file there is. */
int store_scan(struct store *s, store_file_f *cb, void *arg, struct error *err);
/* inotify descriptor to poll; store_changes() then reports what changed by
 * other hands (own writes are not reported: content is compared). */
int store_watch_fd(struct store *s);
void store_changes(struct store *s, store_file_f *cb, void *arg);

int store_write(struct store *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, struct error *err);
/* Without waiting for the disk (file_replace_lazily). */
int store_write_lazily(struct store *s, enum model_type type, const char *ns,
	const char *name, const struct doc *d, struct error *err);
/* There is a file of that name and nothing in it: a loss of power left it. */
bool store_is_empty(const struct store *s, enum model_type type,
	const char *ns, const char *name);
/* Its file is not what was last read or written: store_changes() will tell. */
bool store_is_changed(const struct store *s, enum model_type type,
	const char *ns, const char *name);
int store_remove(struct store *s, enum model_type type, const char *ns,
	const char *name, struct error *err);
/* "<root>/<plural>/<ns>/<name>.yaml", the caller frees. */
char *store_path(const struct store *s, enum model_type type, const char *ns,
	const char *name);
/* When the file was written last, ms since 1970; 0: there is none. */
uint64_t store_written_ms(const struct store *s, enum model_type type,
	const char *ns, const char *name);
/* Below which the namespaces of the type stand; the caller frees. Where both
 * roots are one folder, secrets stand in "secrets" below it. */
char *store_type_folder(
	const char *root, const char *secrets, enum model_type type);

#endif
