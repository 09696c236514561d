/* What a cluster's account is on this box. */
#include "cli/kube_local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cli/api.h"
#include "cli/settings_key.h"
#include "kinds/kubernetes/box.h"

#define SETTINGS_DEFAULT "/etc/gloo-gateway/settings.yaml"
#define SETTINGS_MAX     (1u << 20)
#define FILE_MAX         (1u << 20)
#define FOLDER_MODE      0700
#define FILE_MODE        0600
#define SETTINGS_MODE    0644

/* ---- where */

/* The file that the daemon reads, or NULL. */
static char *
daemon_settings(const struct cli *cli)
{
	struct doc *status = api_get(cli, "/v1/status", NULL, NULL, NULL);
	const char *path = doc_get_text(status, "settings");
	char *copy = path[0] != '\0' ? xstrdup(path) : NULL;

	doc_free(status);
	return copy;
}

void
kube_local_init(struct kube_local *l, const struct cli *cli)
{
	const char *given = cli_text(cli, "settings");
	const char *slash;
	char *real;

	l->settings = given != NULL ? xstrdup(given) : daemon_settings(cli);
	if (l->settings == NULL)
		l->settings = xstrdup(SETTINGS_DEFAULT);
	/* A link stays one: what it points at is replaced. */
	real = realpath(l->settings, NULL);
	if (real != NULL) {
		free(l->settings);
		l->settings = real;
	}
	slash = strrchr(l->settings, '/');
	l->folder = slash == NULL
			    ? xstrdup("kubernetes")
			    : xasprintf("%.*s/kubernetes",
				      (int)(slash - l->settings), l->settings);
}

void
kube_local_fini(struct kube_local *l)
{
	free(l->settings);
	free(l->folder);
}

char *
kube_local_path(const struct kube_local *l, const char *name)
{
	return xasprintf("%s/%s", l->folder, name);
}

int
kube_local_prepare(const struct kube_local *l, struct error *err)
{
	if (mkdir(l->folder, FOLDER_MODE) != 0 && errno != EEXIST)
		return error_errno(
			err, errno, "cannot make the folder %s", l->folder);
	if (access(l->folder, W_OK | X_OK) != 0)
		return error_errno(
			err, errno, "cannot write into %s", l->folder);
	return 0;
}

/* ---- files */

/* Appends what is there; false when nothing is. */
static int
text_read(const char *path, size_t max, struct str *out, bool *there,
	struct error *err)
{
	*there = access(path, F_OK) == 0 || errno != ENOENT;
	return *there ? file_read(path, max, out, err) : 0;
}

int
kube_local_put(const struct kube_local *l, const char *name, struct slice text,
	enum kube_outcome *outcome, struct error *err)
{
	char *path = kube_local_path(l, name);
	struct str old;
	bool there;
	int rc;

	str_init(&old);
	rc = text_read(path, FILE_MAX, &old, &there, err);
	*outcome = !there ? KUBE_CREATED : KUBE_CONFIGURED;
	if (rc == 0 && there &&
		slice_equal((struct slice){ old.data, old.length }, text))
		*outcome = KUBE_UNCHANGED;
	else if (rc == 0)
		rc = file_replace(path, text.data, text.length, FILE_MODE, err);
	str_fini(&old);
	free(path);
	return rc;
}

int
kube_local_remove(const struct kube_local *l, const char *name,
	enum kube_outcome *outcome, struct error *err)
{
	char *path = kube_local_path(l, name);
	int rc = 0;

	*outcome = KUBE_DELETED;
	if (unlink(path) != 0 && errno == ENOENT)
		*outcome = KUBE_ABSENT;
	else if (access(path, F_OK) == 0)
		rc = error_errno(err, errno, "cannot remove %s", path);
	free(path);
	return rc;
}

/* ---- the settings */

/* The same mode, and the same owner where we may. */
static int
settings_replace(const struct kube_local *l, const struct str *text,
	struct error *err)
{
	struct stat st;
	bool known = stat(l->settings, &st) == 0;
	mode_t mode = known ? st.st_mode & 07777 : SETTINGS_MODE;

	if (file_replace(l->settings, text->data, text->length, mode, err) != 0)
		return -1;
	if (known && chown(l->settings, st.st_uid, st.st_gid) != 0)
		return error_errno(err, errno,
			"%s is written, but cannot be given back to its owner",
			l->settings);
	return 0;
}

/* Puts the key in, or takes it out. */
static int
settings_edit(const struct kube_local *l, bool in, const char *address,
	enum kube_outcome *outcome, struct error *err)
{
	struct error its = ERROR_INIT;
	struct slice text;
	struct str old, new;
	bool there;
	int rc;

	*outcome = KUBE_UNCHANGED;
	str_init(&old);
	str_init(&new);
	rc = text_read(l->settings, SETTINGS_MAX, &old, &there, err);
	if (rc == 0) {
		text = (struct slice){ old.data, old.length };
		rc = in ? settings_key_add(text, address, &new, &its)
			: settings_key_remove(text, &new, &its);
		if (its.code != ERROR_NONE)
			error_set(err, its.code, "%s: %s", l->settings,
				its.text);
	}
	if (rc == 0) {
		*outcome = KUBE_CONFIGURED;
		rc = settings_replace(l, &new, err);
	}
	str_fini(&old);
	str_fini(&new);
	return rc == 1 && its.code == ERROR_NONE ? 0 : rc;
}

int
kube_local_settings_add(const struct kube_local *l, const char *address,
	enum kube_outcome *outcome, struct error *err)
{
	return settings_edit(l, true, address, outcome, err);
}

int
kube_local_settings_remove(const struct kube_local *l,
	enum kube_outcome *outcome, struct error *err)
{
	return settings_edit(l, false, NULL, outcome, err);
}

void
kube_local_box(const struct kube_local *l, struct kube_box *box)
{
	const struct doc *key;
	const char *identity;
	char address[ADDR_TEXT_MAX];
	struct doc *settings;
	struct addr a;
	struct str text;

	str_init(&text);
	file_read(l->settings, SETTINGS_MAX, &text, NULL);
	settings = yaml_doc_read(text.data, text.length, NULL);
	key = doc_get(settings, SETTINGS_KEY);
	identity = doc_string(doc_get(key, "identity"));
	box->annotation = kubernetes_box_annotation(identity);
	box->address = NULL;
	if (addr_parse_ip(doc_get_text(key, "address"), 0, &a) == 0)
		box->address = xstrdup(addr_format_ip(&a, address));
	doc_free(settings);
	str_fini(&text);
}

/* ---- the daemon */

static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int
kube_local_reload(
	const struct kube_local *l, const struct cli *cli, struct error *why)
{
	char *theirs = daemon_settings(cli);
	int rc = 1;

	if (theirs == NULL)
		error_set(why, ERROR_SYSTEM,
			"no daemon answers at %s; it will read this when it "
			"starts",
			cli->socket);
	else if (!same_file(theirs, l->settings))
		error_set(why, ERROR_CONFIG,
			"the daemon that answers at %s reads %s, not %s",
			cli->socket, theirs, l->settings);
	else
		rc = api_reload(cli, why);
	free(theirs);
	return rc;
}
