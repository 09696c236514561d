/* Upstreams behind a unix socket. */
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "kinds/flags.h"
#include "kinds/spec.h"
#include "model/kind.h"
#include "model/tables.h"

struct pipe_spec {
	char *path;
};

static int
path_check(const char *text, struct error *err)
{
	if (text[0] != '/')
		return error_set(err, ERROR_CONFIG,
			"\"%.64s\" is not an absolute path", text);
	if (strlen(text) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(err, ERROR_CONFIG,
			"a path of a socket has at most %zu bytes",
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	return model_text_check(text, err);
}

static const struct schema_field spec_fields[] = {
	{ .name = "path",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(pipe_spec, path),
		.check = path_check },
	SCHEMA_NOT_YET("serviceSpec"),
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct pipe_spec),
};

KIND_SPEC(spec_schema)

static void
spec_details(const void *data, struct str *lines)
{
	const struct pipe_spec *spec = data;

	str_printf(lines, "path: %s\n", spec->path);
}

static int
path_set(struct doc *spec, const char *value, struct error *err)
{
	if (value != NULL && value[0] != '\0' && path_check(value, err) != 0)
		return -1;
	return flag_text(spec, "path", value, err);
}

static const struct kind_flag flags[] = {
	{ "pipe-path", "string",
		"path of the unix socket; the settings must have "
		"proxy.unixSockets: true",
		path_set },
	FLAG_SERVICE_SPEC,
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_TEXT, "What is the path of the unix socket?", NULL,
		"pipe-path" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

/* One endpoint, which is there whether anybody listens or not. */
static void *
pipe_watch(const void *data, struct kind_host *host)
{
	const struct pipe_spec *spec = data;
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	endpoint_pipe_addr(spec->path, &e.addr);
	e.weight = 1;
	e.health = ENDPOINT_UP;
	snprintf(e.host, sizeof(e.host), "%s", spec->path);
	/* What TLS checks where sslConfig has no sni: a path is no name. */
	snprintf(e.server_name, sizeof(e.server_name), "localhost");
	host->endpoints_replace(host, &e, 1);
	host->condition_set(host, true, NULL);
	return xcalloc(1, 1);
}

static void
pipe_unwatch(void *state)
{
	free(state);
}

const struct upstream_kind upstream_kind_pipe = {
	.key = "pipe",
	.title = "Pipe",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.watch = pipe_watch,
	.unwatch = pipe_unwatch,
};
