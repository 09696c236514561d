/* The admin API: its sockets, and who answers which path. */
#include "control/admin.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/admin_probe.h"
#include "control/admin_resources.h"
#include "control/admin_views.h"
#include "control/reload.h"

#define ADMIN_GROUP "gloo-gateway"

struct admin {
	struct control *control;
	struct http_server *server;
	struct admin_resources *resources;
	char *path;
};

void
admin_reply_doc(struct http_server_request *r, int status, struct doc *d)
{
	struct str text;

	str_init(&text);
	json_doc_write(d, 0, &text);
	str_putc(&text, '\n');
	http_server_reply(
		r, status, "application/json", text.data, text.length);
	str_fini(&text);
	doc_free(d);
}

void
admin_reply_error(struct http_server_request *r, int status, int line,
	const char *fmt, ...)
{
	struct doc *d = doc_new_map();
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	doc_set_string(d, "error", text);
	if (line > 0)
		doc_set(d, "line", doc_new_integer(line));
	admin_reply_doc(r, status, d);
}

/* As SIGHUP, but the caller is told whether the settings are right. */
static void
post_reload(struct control *c, struct http_server_request *r)
{
	struct error err = ERROR_INIT;

	log_info("reloading, as the admin API was asked to");
	if (reload_settings(c, &err) != 0)
		admin_reply_error(r, 422, err.line, "%s", err.text);
	else
		admin_reply_doc(r, 200, doc_new_map());
}

static void
on_request(struct http_server_request *r, void *arg)
{
	struct admin *a = arg;
	const char *method = http_server_request_method(r);
	char *path = xstrdup(http_server_request_path(r));
	bool local = http_server_request_local(r);
	bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	if (get && admin_views_get(a->control, r, path, local))
		goto out;
	if (local && strcmp(method, "POST") == 0 &&
		strcmp(path, "/v1/reload") == 0) {
		post_reload(a->control, r);
		goto out;
	}
	if (local && (get || strcmp(method, "POST") == 0) &&
		admin_probe_handle(a->control, r, path))
		goto out;
	if (local && admin_resources_handle(a->resources, r, path))
		goto out;
	admin_reply_error(
		r, 404, 0, "there is no %s %.200s here", method, path);
out:
	free(path);
}

static int
listen_all(struct admin *a, struct error *err)
{
	const struct settings *s = a->control->settings;
	const struct group *group = getgrnam(ADMIN_GROUP);
	const char *slash = strrchr(s->admin_socket, '/');
	char *folder;
	int rc = 0;

	if (slash != NULL && slash != s->admin_socket) {
		folder = xstrndup(
			s->admin_socket, (size_t)(slash - s->admin_socket));
		rc = file_make_folders(folder, 0755, err);
		free(folder);
	}
	if (rc == 0)
		rc = http_server_listen_unix(a->server, s->admin_socket, 0660,
			group == NULL ? (gid_t)-1 : group->gr_gid, err);
	if (rc == 0 && s->admin_http != NULL)
		rc = http_server_listen_tcp(a->server, s->admin_http, err);
	return rc;
}

struct admin *
admin_new(struct control *c, struct error *err)
{
	struct admin *a = xcalloc(1, sizeof(*a));

	a->control = c;
	a->path = xstrdup(c->settings->admin_socket);
	a->resources = admin_resources_new(c);
	a->server = http_server_new(c->loop, on_request, a);
	if (listen_all(a, err) == 0)
		return a;
	admin_free(a, false);
	return NULL;
}

void
admin_free(struct admin *a, bool remove)
{
	if (a == NULL)
		return;
	admin_resources_free(a->resources);
	http_server_free(a->server);
	if (remove)
		unlink(a->path);
	free(a->path);
	free(a);
}

void
admin_enforced(struct admin *a, uint64_t generation)
{
	if (a != NULL)
		admin_resources_enforced(a->resources, generation);
}
