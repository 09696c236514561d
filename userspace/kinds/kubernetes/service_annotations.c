/* What annotations of a Service say of its upstreams. */
#include "kinds/kubernetes/services_inner.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/schema.h"
#include "model/tables.h"

#define HTTP2  KUBERNETES_ANNOTATIONS "h2_service"
#define TLS    KUBERNETES_ANNOTATIONS "sslService."
#define CONFIG KUBERNETES_ANNOTATIONS "upstream_config"

const char *
kubernetes_service_annotation(const struct service *v, const char *name)
{
	return doc_get_text(doc_get(v->used, "annotations"), name);
}

static void
warning_add(struct service *v, const char *key, const char *why)
{
	str_printf(&v->warning, "%s%s%s%.64s: %s",
		v->warning.length > 0 ? "; " : "",
		"annotation " CONFIG, key[0] == '\0' ? "" : ": ", key, why);
}

/* Gloo takes the names of its fields in both spellings: use_http2, useHttp2. */
static char *
key_spell(const char *key)
{
	char *spelled = xstrdup(key), *to = spelled;

	for (const char *p = key; *p != '\0'; p++)
		if (*p == '_' && islower((unsigned char)p[1]))
			*to++ = (char)toupper((unsigned char)*++p);
		else
			*to++ = *p;
	*to = '\0';
	return spelled;
}

static struct doc *
doc_spell(const struct doc *d)
{
	struct doc *spelled;

	if (doc_type(d) == DOC_LIST) {
		spelled = doc_new_list();
		for (size_t i = 0; i < doc_count(d); i++)
			doc_add(spelled, doc_spell(doc_at(d, i)));
		return spelled;
	}
	if (doc_type(d) != DOC_MAP)
		return doc_copy(d);
	spelled = doc_new_map();
	for (size_t i = 0; i < doc_count(d); i++) {
		char *key = key_spell(doc_key_at(d, i));
		const struct doc *value = doc_value_at(d, i);

		/* keys of labels are the user's own */
		doc_set(spelled, key,
			strcmp(key, "labels") == 0 ? doc_copy(value)
						   : doc_spell(value));
		free(key);
	}
	return spelled;
}

/* What an upstream may have of it, by its table. */
static int
field_check(const char *key, const struct doc *value, struct error *err)
{
	static const char *const ours[] = { "kube", "metadata",
		"namespacedStatuses", "status", "upstreamSpec" };
	struct doc *trial, *meta;
	struct model_upstream u;
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(key, ours[i]) == 0)
			return error_set(err, ERROR_CONFIG,
				"that is said by the service itself");
	trial = doc_new_map();
	meta = doc_set(trial, "metadata", doc_new_map());
	doc_set_string(meta, "name", "trial");
	doc_set(trial, key, doc_copy(value));
	rc = schema_read(&model_upstream_schema, trial, &u, err);
	if (rc == 0)
		schema_fini(&model_upstream_schema, &u);
	schema_place_trim(err);
	doc_free(trial);
	return rc;
}

static void
field_apply(struct service *v, const char *key, const struct doc *value)
{
	struct error err = ERROR_INIT;

	if (doc_type(value) == DOC_NULL)
		return;
	if (strcmp(key, "useHttp2") == 0 && doc_type(value) == DOC_BOOL) {
		v->http2_given = true;
		v->http2 = doc_bool(value);
	} else if (strcmp(key, "sslConfig") == 0) {
		v->tls = true;
	} else if (field_check(key, value, &err) == 0) {
		doc_set(v->config, key, doc_copy(value));
	} else {
		warning_add(v,
			strncmp(err.text, key, strlen(key)) == 0 ? "" : key,
			err.text);
	}
}

/* upstream_config.deep_merge needs nothing: the fields that could be merged
 * with are refused, as they are the service's own. */
void
kubernetes_service_configure(struct service *v)
{
	const char *text = kubernetes_service_annotation(v, CONFIG);
	struct error err = ERROR_INIT;
	struct doc *d, *spelled;

	if (text[0] == '\0')
		return;
	d = json_doc_read(text, strlen(text), &err);
	if (d == NULL || doc_type(d) != DOC_MAP) {
		warning_add(v, "",
			d == NULL ? err.text : "expected a map in JSON");
		doc_free(d);
		return;
	}
	spelled = doc_spell(d);
	v->config = doc_new_map();
	for (size_t i = 0; i < doc_count(spelled); i++)
		field_apply(
			v, doc_key_at(spelled, i), doc_value_at(spelled, i));
	doc_free(spelled);
	doc_free(d);
}

/* "secret", or "443:secret" for one port. */
static bool
annotated_for(const char *value, uint16_t port)
{
	size_t digits = strspn(value, "0123456789");

	if (value[0] == '\0')
		return false;
	if (digits == 0 || value[digits] != ':')
		return true;
	return strtoul(value, NULL, 10) == port;
}

bool
kubernetes_service_is_tls(const struct service *v, uint16_t port)
{
	static const char *const names[] = { TLS "secret", TLS "tlsCert",
		TLS "tlsKey", TLS "rootCa" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (annotated_for(kubernetes_service_annotation(v, names[i]),
			    port))
			return true;
	return v->tls;
}

bool
kubernetes_service_is_http2(const struct service *v, const struct doc *port)
{
	static const char *const prefixes[] = { "grpc", "h2", "http2" };
	static const char *const protocols[] = { "grpc", "h2c", "http2",
		"kubernetes.io/h2c" };
	const char *said = kubernetes_service_annotation(v, HTTP2);
	const char *name = doc_get_text(port, "name");
	const char *protocol = doc_get_text(port, "appProtocol");

	if (v->http2_given)
		return v->http2;
	if (strcmp(said, "true") == 0 || strcmp(said, "false") == 0)
		return said[0] == 't';
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(protocol, protocols[i]) == 0)
			return true;
	return false;
}
