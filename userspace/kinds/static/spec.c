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
#define PORT_MAX     65535
#define HOSTS_MAX    4096
#define LABELS_MAX   64

/* ---- metadata: the labels of a host */

/* Where Gloo (and Envoy) have labels that subsets go by. */
#define METADATA_LABELS "envoy.lb"

static int
label_add(struct static_host *h, const char *key, const struct doc *value,
	struct error *err)
{
	const char *text = doc_string(value);

	if (text == NULL)
		return error_set(err, ERROR_CONFIG,
			".%.64s: expected a string, got %s", key,
			doc_type_name(doc_type(value)));
	if (h->label_count == LABELS_MAX)
		return error_set(err, ERROR_CONFIG,
			"expected at most %d labels", LABELS_MAX);
	h->labels = xreallocarray(
		h->labels, h->label_count + 1, sizeof(*h->labels));
	h->labels[h->label_count++] =
		(struct model_pair){ xstrdup(key), xstrdup(text) };
	return 0;
}

static void
metadata_fini(void *base)
{
	struct static_host *h = base;

	for (size_t i = 0; i < h->label_count; i++) {
		free(h->labels[i].key);
		free(h->labels[i].value);
	}
	free(h->labels);
	doc_free(h->metadata);
}

static int
metadata_read_labels(
	struct static_host *h, const struct doc *d, struct error *err)
{
	for (size_t i = 0; i < doc_count(d); i++) {
		const char *key = doc_key_at(d, i);
		const struct doc *value = doc_value_at(d, i);

		if (doc_type(value) == DOC_MAP &&
			strcmp(key, METADATA_LABELS) == 0) {
			for (size_t k = 0; k < doc_count(value); k++)
				if (label_add(h, doc_key_at(value, k),
					    doc_value_at(value, k), err) != 0)
					return -1;
		} else if (label_add(h, key, value, err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int
metadata_read(const struct doc *d, void *base, struct error *err)
{
	struct static_host *h = base;

	if (doc_type(d) != DOC_MAP)
		return error_set(err, ERROR_CONFIG, "expected a map, got %s",
			doc_type_name(doc_type(d)));
	h->metadata = doc_copy(d);
	return metadata_read_labels(h, d, err);
}

static struct doc *
metadata_print(const void *base)
{
	const struct static_host *h = base;

	return h->metadata == NULL ? NULL : doc_copy(h->metadata);
}

static const struct schema_custom metadata = { metadata_read, metadata_print,
	metadata_fini };

/* ---- hosts */

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
		SCHEMA_AT(static_host, port),
		.min = 1 },
	{ .name = "sniAddr",
		.type = SCHEMA_STRING,
		SCHEMA_AT(static_host, sni_addr),
		.check = model_host_check },
	SCHEMA_NOT_YET("healthCheckConfig"),
	{ .name = "metadata", .type = SCHEMA_CUSTOM, .custom = &metadata },
	{ .name = NULL },
};

bool
static_host_is_srv(const struct static_host *h)
{
	return h->addr[0] == '_' && strchr(h->addr, '.') != NULL;
}

static int
host_check(void *base, struct error *err)
{
	const struct static_host *h = base;

	if (static_host_is_srv(h) && h->port != 0)
		return error_set(err, ERROR_CONFIG,
			".port: the answers to an SRV name have ports of their "
			"own; leave it out");
	return 0;
}

static const struct schema host_schema = {
	.fields = host_fields,
	.size = sizeof(struct static_host),
	.check = host_check,
};

/* Ports that are not given: what is spoken there. */
static int
spec_check(void *base, struct error *err)
{
	struct static_spec *spec = base;

	if (spec->auto_sni.given && !spec->auto_sni.value)
		return error_set(err, ERROR_CONFIG,
			".autoSniRewrite: false is not supported: TLS always "
			"says which name it wants (sniAddr, else the host's)");
	for (size_t i = 0; i < spec->host_count; i++) {
		struct static_host *h = &spec->hosts[i];

		if (h->port == 0 && !static_host_is_srv(h))
			h->port = spec->use_tls.value ? PORT_TLS : PORT_DEFAULT;
	}
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
	{ .name = "autoSniRewrite",
		.type = SCHEMA_BOOL_GIVEN,
		SCHEMA_AT(static_spec, auto_sni) },
	SUBSET_SPEC(static_spec, subsets),
	SCHEMA_NOT_YET("serviceSpec"),
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct static_spec),
	.check = spec_check,
};

KIND_SPEC(spec_schema)

/* As Gloo: port 443 of any host means TLS, unless it is said otherwise. */
bool
static_tls(const void *data)
{
	const struct static_spec *spec = data;

	if (spec->use_tls.given)
		return spec->use_tls.value;
	for (size_t i = 0; i < spec->host_count; i++)
		if (spec->hosts[i].port == PORT_TLS)
			return true;
	return false;
}

static void
spec_details(const void *data, struct str *lines)
{
	const struct static_spec *spec = data;

	str_puts(lines, "hosts:\n");
	for (size_t i = 0; i < spec->host_count; i++) {
		const struct static_host *h = &spec->hosts[i];

		if (h->port == 0)
			str_printf(lines, "- %s\n", h->addr);
		else
			str_printf(lines,
				strchr(h->addr, ':') != NULL ? "- [%s]:%u\n"
							     : "- %s:%u\n",
				h->addr, h->port);
	}
}

static int
port_set(
	struct doc *host, const char *addr, const char *port, struct error *err)
{
	if (flag_number(host, "port", port, NULL) == 0 &&
		doc_integer(doc_get(host, "port")) >= 1 &&
		doc_integer(doc_get(host, "port")) <= PORT_MAX)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s:%.64s\" has no port from 1 to %d behind \":\"", addr,
		port, PORT_MAX);
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
		rc = port_set(host, one, port, err);
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
		"by default (443 with TLS); an SRV name begins with \"_\"",
		hosts_set },
	{ "static-outbound-tls", NULL,
		"connect to the hosts with TLS (port 443 means it, too)",
		tls_set },
	FLAG_SERVICE_SPEC,
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_LIST,
		"Add another host for this upstream (empty to skip)?", NULL,
		"static-hosts" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

static void
spec_subsets(const void *data, kind_subset_each_f *each, void *arg)
{
	const struct static_spec *spec = data;

	for (size_t i = 0; i < spec->subsets.selector_count; i++)
		each(&spec->subsets.selectors[i], arg);
}

const struct upstream_kind upstream_kind_static = {
	.key = "static",
	.title = "Static",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.tls = static_tls,
	.subsets = spec_subsets,
	.watch = static_watch,
	.unwatch = static_unwatch,
	.show = static_show,
};
