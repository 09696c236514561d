/* Static upstreams: what the operator writes, and the kind itself. */
#include "kinds/static/static.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/flags.h"
#include "kinds/spec.h"
#include "model/schema.h"
#include "model/tables.h"

#define PORT_DEFAULT 80
#define PORT_TLS     443
#define HOSTS_MAX    4096

static const char no_tls[] =
	"TLS to upstreams is not supported yet; use a port other than 443 and "
	"useTls: false";

static const struct schema_field host_fields[] = {
	{ .name = "addr",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(static_host, addr),
		.check = model_host_check },
	{ .name = "loadBalancingWeight",
		.type = SCHEMA_NUMBER,
		SCHEMA_AT(static_host, weight),
		.min = 1,
		.fallback = 1 },
	{ .name = "port",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_KEEP,
		SCHEMA_AT(static_host, port),
		.min = 1,
		.fallback = PORT_DEFAULT },
	{ .name = "sniAddr",
		.type = SCHEMA_STRING,
		SCHEMA_AT(static_host, sni_addr),
		.check = model_host_check },
	SCHEMA_NOT_YET("healthCheckConfig"),
	SCHEMA_NOT_YET("metadata"),
	{ .name = NULL },
};

static const struct schema host_schema = {
	.fields = host_fields,
	.size = sizeof(struct static_host),
};

static int
spec_check(void *base, struct error *err)
{
	const struct static_spec *spec = base;

	if (spec->use_tls.value)
		return error_set(err, ERROR_CONFIG, ".useTls: %s", no_tls);
	for (size_t i = 0; !spec->use_tls.given && i < spec->host_count; i++)
		if (spec->hosts[i].port == PORT_TLS)
			return error_set(err, ERROR_CONFIG,
				".hosts[%zu].port: %s", i, no_tls);
	return 0;
}

static const struct schema_field spec_fields[] = {
	{ .name = "hosts",
		.type = SCHEMA_LIST,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_ARRAY_AT(static_spec, hosts, host_count),
		.min = 1,
		.max = HOSTS_MAX,
		.sub = &host_schema },
	{ .name = "useTls",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(static_spec, use_tls) },
	SCHEMA_NOT_YET("autoSniRewrite"),
	SCHEMA_NOT_YET("serviceSpec"),
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct static_spec),
	.check = spec_check,
};

KIND_SPEC(spec_schema)

static void
spec_details(const void *data, struct str *lines)
{
	const struct static_spec *spec = data;

	str_puts(lines, "hosts:\n");
	for (size_t i = 0; i < spec->host_count; i++) {
		const struct static_host *h = &spec->hosts[i];

		str_printf(lines,
			strchr(h->addr, ':') != NULL ? "- [%s]:%u\n"
						     : "- %s:%u\n",
			h->addr, h->port);
	}
}

/* host[:port], [v6][:port] or a bare v6 address. */
static int
host_add(struct doc *spec, const char *key, char *one, struct error *err)
{
	struct doc *host = doc_new_map();
	char *port = NULL;
	char *end;
	int rc = 0;

	if (one[0] == '[') {
		end = strchr(one, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
			doc_free(host);
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\" is not of the form [address]:port",
				one);
		}
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		one++;
	} else if ((end = strchr(one, ':')) != NULL &&
		   strchr(end + 1, ':') == NULL) {
		port = end + 1;
		*end = '\0';
	}
	rc = model_host_check(one, err);
	doc_set_string(host, "addr", one);
	if (rc == 0 && port != NULL)
		rc = flag_number(host, "port", port, err);
	if (rc == 0)
		doc_add(flag_child(spec, key, DOC_LIST), host);
	else
		doc_free(host);
	return rc;
}

static int
hosts_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_each(spec, "hosts", value, host_add, err);
}

static int
tls_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_bool(spec, "useTls", value, err);
}

static const struct kind_flag flags[] = {
	{ "static-hosts", "strings",
		"hosts of the upstream, comma-separated host[:port], port 80 "
		"by default",
		hosts_set },
	{ "static-outbound-tls", NULL,
		"connect to the hosts with TLS (not supported yet)", tls_set },
	FLAG_SERVICE_SPEC,
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_LIST,
		"Add another host for this upstream (empty to skip)?", "",
		"static-hosts" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

const struct upstream_kind upstream_kind_static = {
	.key = "static",
	.title = "Static",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.watch = static_watch,
	.unwatch = static_unwatch,
};
