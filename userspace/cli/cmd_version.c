/* glooctl version: of this program and of the daemon. */
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/command.h"
#include "cli/output.h"
#include "version.h"

static cli_run_f version_run;

static const struct cli_flag flags[] = {
	{ .name = "output",
		.letter = 'o',
		.argument = "form",
		.fallback = "table",
		.help = "table, json or yaml",
		.complete = "table|json|yaml" },
	CLI_FLAG_END,
};

const struct cli_command cli_command_version = {
	.name = "version",
	.aliases = "v",
	.summary = "print the versions of glooctl and of the daemon",
	.flags = flags,
	.run = version_run,
};

static struct doc *
versions_new(const struct doc *server)
{
	struct doc *d = doc_new_map();
	struct doc *client = doc_set(d, "client", doc_new_map());

	doc_set_string(client, "version", VERSION);
	doc_set_string(client, "buildId", BUILD_ID);
	doc_set(d, "server",
		server != NULL ? doc_copy(server) : doc_new_null());
	return d;
}

/* "0.1.0" and "0.1.7" go together, "0.2.0" does not. */
static bool
goes_with(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	if (a[n] == '.')
		n += 1 + strcspn(a + n + 1, ".");
	return strncmp(a, b, n) == 0 && (b[n] == '.' || b[n] == '\0');
}

static int
version_run(struct cli *cli)
{
	struct error err = ERROR_INIT;
	struct doc *server = api_get(cli, "/v1/version", NULL, NULL, &err);
	const char *version = doc_get_string(server, "version");
	const char *build = doc_get_string(server, "buildId");
	struct doc *both = versions_new(server);

	if (!output_document(cli, both)) {
		printf("Client: version %s, build %s\n", VERSION, BUILD_ID);
		if (version == NULL)
			printf("Server: version undefined, no daemon answers "
			       "at %s\n",
				cli->socket);
		else
			printf("Server: version %s, build %s\n", version,
				build != NULL ? build : "unknown");
	}
	if (version != NULL && !goes_with(VERSION, version))
		cli_say("warning: glooctl %s and the daemon %s differ by more "
			"than a patch release",
			VERSION, version);
	doc_free(both);
	doc_free(server);
	return CLI_OK;
}
