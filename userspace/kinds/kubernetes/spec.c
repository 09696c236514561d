/* Kubernetes upstreams: the pods behind one port of a service. */
#include "kinds/kubernetes/spec.h"

#include <string.h>

#include "kinds/flags.h"
#include "kinds/kubernetes/cluster.h"
#include "kinds/spec.h"
#include "model/tables.h"

/* Gloo groups by the labels of pods. */
static int
subsets_refuse(const struct doc *d, void *base, struct error *err)
{
	(void)base;
	if (doc_count(d) == 0)
		return 0;
	return error_set(err, ERROR_CONFIG,
		"is not supported yet: which labels a pod has, its "
		"EndpointSlices do not say");
}

static const struct schema_custom subsets = { .read = subsets_refuse };

static const struct schema_field spec_fields[] = {
	{ .name = "selector",
		.type = SCHEMA_PAIRS,
		SCHEMA_ARRAY_AT(kubernetes_spec, selector, selector_count),
		.check = model_text_check },
	{ .name = "serviceName",
		.type = SCHEMA_STRING,
		.flags = SCHEMA_REQUIRED,
		SCHEMA_AT(kubernetes_spec, service_name),
		.check = model_name_check },
	{ .name = "serviceNamespace",
		.type = SCHEMA_STRING,
		SCHEMA_AT(kubernetes_spec, service_namespace),
		.fallback_text = "default",
		.check = model_name_check },
	{ .name = "servicePort",
		.type = SCHEMA_NUMBER,
		.flags = SCHEMA_KEEP,
		SCHEMA_AT(kubernetes_spec, service_port),
		.min = 1,
		.fallback = 80 },
	SCHEMA_NOT_YET("serviceSpec"),
	{ .name = "subsetSpec", .type = SCHEMA_CUSTOM, .custom = &subsets },
	{ .name = NULL },
};

static const struct schema spec_schema = {
	.fields = spec_fields,
	.size = sizeof(struct kubernetes_spec),
};

KIND_SPEC(spec_schema)

static void
spec_details(const void *data, struct str *lines)
{
	const struct kubernetes_spec *spec = data;

	str_printf(lines,
		"svc name:      %s\n"
		"svc namespace: %s\n"
		"port:          %u\n",
		spec->service_name, spec->service_namespace,
		spec->service_port);
}

static int
service_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "serviceName", value, err);
}

static int
namespace_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_text(spec, "serviceNamespace", value, err);
}

static int
port_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_number(spec, "servicePort", value, err);
}

static int
labels_set(struct doc *spec, const char *value, struct error *err)
{
	return flag_pairs(spec, "selector", value, err);
}

static const struct kind_flag flags[] = {
	{ "kube-service", "string", "name of the service", service_set },
	{ "kube-service-namespace", "string",
		"namespace of the service, \"default\" by default",
		namespace_set },
	{ "kube-service-port", "uint32", "port of the service, 80 by default",
		port_set },
	{ "kube-service-labels", "strings",
		"labels that the service's pods must have, key=value,...",
		labels_set },
	FLAG_SERVICE_SPEC,
	{ NULL, NULL, NULL, NULL },
};

static const struct kind_prompt prompts[] = {
	{ KIND_PROMPT_TEXT, "What is the name of the service?", NULL,
		"kube-service" },
	{ KIND_PROMPT_TEXT, "What is the namespace of the service?", "default",
		"kube-service-namespace" },
	{ KIND_PROMPT_TEXT, "Which port of the service?", "80",
		"kube-service-port" },
	{ KIND_PROMPT_LIST,
		"Add a label of the pods, key=value (empty to skip)?", "",
		"kube-service-labels" },
	{ KIND_PROMPT_TEXT, NULL, NULL, NULL },
};

const struct upstream_kind upstream_kind_kubernetes = {
	.key = "kube",
	.title = "Kubernetes",
	.read = spec_read,
	.print = spec_print,
	.free = spec_free,
	.details = spec_details,
	.flags = flags,
	.prompts = prompts,
	.watch = kubernetes_watch,
	.unwatch = kubernetes_unwatch,
	.not_served = "no cluster is configured: set kubernetes in the "
		      "settings, or run \"glooctl install kube\"",
	.settings_key = "kubernetes",
	.settings_check = kubernetes_settings_check,
	.open = kubernetes_open,
	.close = kubernetes_close,
	.judged = kubernetes_judged,
	.preview = kubernetes_preview,
	.resources_tool = "kubectl",
	.discovery_stop = "delete the service, or annotate it with "
			  "gloo.solo.io/discover: \"false\"",
};
