/* The key `kubernetes` of settings.yaml, read by a schema table. */
#include "kinds/kubernetes/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "model/schema.h"
#include "model/tables.h"

#define WATCH_NAMESPACES_MAX 64
#define WATCH_LABELS_MAX     64
#define EXTERNAL_NAMES_MAX   1024

static int
text_given(const char *text, struct error *err)
{
	if (text[0] == '\0')
		return error_set(err, ERROR_CONFIG, "expected a text");
	return model_text_check(text, err);
}

/* A host, or "*.suffix" for all below it. */
static int
external_name_check(const char *text, struct error *err)
{
	if (strncmp(text, "*.", 2) == 0) {
		struct addr literal;

		if (addr_parse_ip(text + 2, 0, &literal) == 0)
			return error_set(err, ERROR_CONFIG,
				"\"%.64s\": an address has nothing below it",
				text);
		text += 2;
	}
	return model_host_check(text, err);
}

#define TEXT(key, member, checked, value)                                      \
	{                                                                      \
		.name = (key), .type = SCHEMA_STRING,                          \
		SCHEMA_AT(kubernetes_settings, member), .check = (checked),    \
		.fallback_text = (value)                                       \
	}
#define SWITCH(key, member, value)                                             \
	{                                                                      \
		.name = (key), .type = SCHEMA_BOOL,                            \
		SCHEMA_AT(kubernetes_settings, member), .fallback = (value)    \
	}

static const struct schema_field fields[] = {
	TEXT("address", address, model_address_check, NULL),
	{ .name = "allowedExternalNames",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(kubernetes_settings, external_names,
			external_name_count),
		.max = EXTERNAL_NAMES_MAX,
		.check = external_name_check },
	TEXT("context", context, text_given, NULL),
	SWITCH("discovery", discovery, true),
	TEXT("identity", identity, text_given, NULL),
	SWITCH("insecureSkipTlsVerify", insecure, false),
	TEXT("kubeconfig", kubeconfig, text_given, NULL),
	TEXT("namespace", namespace_, model_name_check,
		MODEL_NAMESPACE_DEFAULT),
	TEXT("node", node, text_given, NULL),
	SWITCH("resources", resources, true),
	TEXT("service", service, model_name_check, "gateway-proxy"),
	TEXT("serviceAccount", service_account, model_name_check, NULL),
	{ .name = "watchLabels",
		.type = SCHEMA_PAIRS,
		SCHEMA_ARRAY_AT(kubernetes_settings, watch_labels,
			watch_label_count),
		.max = WATCH_LABELS_MAX,
		.check = model_text_check },
	{ .name = "watchNamespaces",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(kubernetes_settings, watch_namespaces,
			watch_namespace_count),
		.max = WATCH_NAMESPACES_MAX,
		.check = model_name_check },
	TEXT("zone", zone, text_given, NULL),
	{ .name = NULL },
};

/* Of two equal ones, all would come twice. */
static int
settings_finish(void *base, struct error *err)
{
	const struct kubernetes_settings *s = base;

	for (size_t i = 0; i < s->watch_namespace_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(s->watch_namespaces[i],
				    s->watch_namespaces[j]) == 0)
				return error_set(err, ERROR_CONFIG,
					".watchNamespaces[%zu]: \"%s\" is "
					"given twice",
					i, s->watch_namespaces[i]);
	return 0;
}

static const struct schema settings_schema = {
	.fields = fields,
	.size = sizeof(struct kubernetes_settings),
	.check = settings_finish,
};

struct kubernetes_settings *
kubernetes_settings_read(const struct doc *d, struct error *err)
{
	return schema_read_new(&settings_schema, d, err);
}

int
kubernetes_settings_check(const struct doc *d, struct error *err)
{
	struct kubernetes_settings *s = kubernetes_settings_read(d, err);

	if (s == NULL)
		return -1;
	kubernetes_settings_free(s);
	return 0;
}

void
kubernetes_settings_free(struct kubernetes_settings *s)
{
	if (s == NULL)
		return;
	schema_fini(&settings_schema, s);
	free(s);
}
