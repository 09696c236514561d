/* The files of certificates and keys that upstreams name. */
#include "control/tls_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"

#define FILE_MAX (4u << 20)

struct source {
	struct tls_file file;
	struct stat st; /* by which a change is seen */
	bool needed;
};

struct tls_files {
	struct table *sources; /* path to struct source */
	uint64_t serial;       /* of the last that was read */
};

static void
source_free(void *value)
{
	struct source *s = value;

	mem_free_wiped(s->file.text);
	free(s->file.problem);
	free(s);
}

struct tls_files *
tls_files_new(void)
{
	struct tls_files *f = xcalloc(1, sizeof(*f));

	f->sources = table_new(source_free);
	return f;
}

void
tls_files_free(struct tls_files *f)
{
	if (f == NULL)
		return;
	table_free(f->sources);
	free(f);
}

static void
source_read(struct source *s, const char *path)
{
	struct error err = ERROR_INIT;
	struct str text;

	str_init(&text);
	if (stat(path, &s->st) != 0) {
		error_errno(&err, errno, "cannot open %s", path);
		memset(&s->st, 0, sizeof(s->st));
	} else if (!S_ISREG(s->st.st_mode)) {
		error_set(&err, ERROR_CONFIG, "%s is not a file", path);
	} else {
		/* At once: what text moved away from would not be wiped. */
		str_reserve(&text, (size_t)s->st.st_size <= FILE_MAX
					   ? (size_t)s->st.st_size
					   : 0);
		file_read(path, FILE_MAX, &text, &err);
	}
	if (err.code == ERROR_NONE &&
		memchr(text.data, '\0', text.length) != NULL)
		error_set(&err, ERROR_CONFIG, "%s is no text", path);
	if (err.code == ERROR_NONE)
		s->file.text = xstrdup(text.data);
	else
		s->file.problem = xstrdup(err.text);
	str_fini_wiped(&text);
}

const struct tls_file *
tls_files_take(struct tls_files *f, const char *path)
{
	struct source *s = table_get(f->sources, path);

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->file.serial = ++f->serial;
		source_read(s, path);
		table_set(f->sources, path, s);
	}
	s->needed = true;
	return &s->file;
}

void
tls_files_unneed(struct tls_files *f)
{
	size_t place = 0;
	const char *path;
	void *value;

	while (table_next(f->sources, &place, &path, &value))
		((struct source *)value)->needed = false;
}

void
tls_files_drop(struct tls_files *f)
{
	size_t place = 0;
	const char *path;
	void *value;

	while (table_next(f->sources, &place, &path, &value))
		if (!((struct source *)value)->needed)
			table_remove(f->sources, path);
}

static bool
source_moved(const struct source *s, const char *path)
{
	struct stat now;

	if (stat(path, &now) != 0)
		return s->st.st_ino != 0;
	return now.st_ino != s->st.st_ino || now.st_dev != s->st.st_dev ||
	       now.st_size != s->st.st_size ||
	       now.st_mtim.tv_sec != s->st.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != s->st.st_mtim.tv_nsec;
}

bool
tls_files_look_again(struct tls_files *f, const char *but)
{
	size_t place = 0;
	bool changed = false;
	const char *path;
	void *value;

	while (table_next(f->sources, &place, &path, &value)) {
		if ((but != NULL && strcmp(path, but) == 0) ||
			!source_moved(value, path))
			continue;
		log_info("tls: %s changed", path);
		table_remove(f->sources, path);
		changed = true;
	}
	return changed;
}
