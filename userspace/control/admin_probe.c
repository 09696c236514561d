/* Probes in the admin API. */
#include "control/admin_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/admin.h"
#include "control/discovery.h"
#include "control/object.h"
#include "control/programs.h"
#include "model/kind.h"

#define PATH "/v1/probe/"

/* Why nothing can be asked of it; NULL: it can. */
static const char *
cannot(const struct control *c, const struct object *o)
{
	const struct upstream_kind *kind = o->model->upstream->kind;

	if (programs_not_served(c, kind) != NULL)
		return programs_not_served(c, kind);
	if (kind->probe == NULL)
		return "its kind has no functions";
	return NULL;
}

static void
probe(struct control *c, struct http_server_request *r, const char *ns,
	const char *name)
{
	const struct object *o =
		objects_find(c->objects, MODEL_UPSTREAM, ns, name);

	if (o == NULL)
		admin_reply_error(r, 404, 0,
			"no upstream is named \"%.100s.%.100s\"", ns, name);
	else if (o->model == NULL)
		admin_reply_error(r, 409, 0,
			"the upstream \"%.200s\" is Rejected", o->label);
	else if (cannot(c, o) != NULL)
		admin_reply_error(r, 409, 0,
			"the upstream \"%.200s\" cannot be probed: %.400s",
			o->label, cannot(c, o));
	else if (!discovery_probe(o->discovery, o, r))
		admin_reply_error(r, 503, 0,
			"the upstream \"%.200s\" is not watched at the moment; "
			"try again",
			o->label);
}

bool
admin_probe_handle(
	struct control *c, struct http_server_request *r, const char *path)
{
	const char *slash;
	char *ns;

	if (strncmp(path, PATH, strlen(PATH)) != 0)
		return false;
	path += strlen(PATH);
	slash = strchr(path, '/');
	if (slash == NULL || strchr(slash + 1, '/') != NULL)
		return false;
	ns = xstrndup(path, (size_t)(slash - path));
	probe(c, r, ns, slash + 1);
	free(ns);
	return true;
}
