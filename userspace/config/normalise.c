/* The accepted spellings of a resource brought to the canonical one. */
#include "config/normalise.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "config/kube_secret.h"

static const char *const api_versions[MODEL_TYPE_COUNT] = {
	[MODEL_UPSTREAM] = "gloo.solo.io/v1",
	[MODEL_UPSTREAM_GROUP] = "gloo.solo.io/v1",
	[MODEL_VIRTUAL_SERVICE] = "gateway.solo.io/v1",
	[MODEL_GATEWAY] = "gateway.solo.io/v1",
	[MODEL_SECRET] = "v1",
};

/* What tells the type when there is no `kind`. */
static const struct {
	const char *key;
	enum model_type type;
} telling_keys[] = {
	{ "upstreamSpec", MODEL_UPSTREAM },
	{ "destinations", MODEL_UPSTREAM_GROUP },
	{ "virtualHost", MODEL_VIRTUAL_SERVICE },
	{ "displayName", MODEL_VIRTUAL_SERVICE },
	{ "bindAddress", MODEL_GATEWAY },
	{ "bindPort", MODEL_GATEWAY },
	{ "httpGateway", MODEL_GATEWAY },
	{ "hybridGateway", MODEL_GATEWAY },
	{ "proxyNames", MODEL_GATEWAY },
	{ "tcpGateway", MODEL_GATEWAY },
	{ "virtualServices", MODEL_GATEWAY },
	{ "connectionConfig", MODEL_UPSTREAM },
	{ "discoveryMetadata", MODEL_UPSTREAM },
	{ "tls", MODEL_SECRET },
};

static const char *const common_keys[] = { "apiVersion", "kind", "metadata",
	"namespacedStatuses", "spec", "status" };

/* What the API server and its controllers keep in metadata, of no meaning to
 * us. */
static const char *const server_keys[] = { "creationTimestamp",
	"deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
	"generateName", "generation", "managedFields", "ownerReferences",
	"selfLink", "uid" };

const char *
normalise_api_version(enum model_type type)
{
	return api_versions[type];
}

static int
fail(const struct doc *d, struct error *err)
{
	if (err != NULL && err->line == 0)
		err->line = doc_line(d);
	return -1;
}

static bool
is_common(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(common_keys); i++)
		if (strcmp(common_keys[i], key) == 0)
			return true;
	return false;
}

/* "aws" and "azure" are kinds of upstream too. */
static bool
is_secret(const struct doc *d)
{
	return doc_find(d, "aws", "accessKey", NULL) != NULL ||
	       doc_find(d, "aws", "secretKey", NULL) != NULL ||
	       doc_find(d, "azure", "apiKeys", NULL) != NULL;
}

static bool
keys_tell(const struct doc *d, const struct upstream_kind *const *kinds,
	enum model_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(telling_keys); i++) {
		if (doc_get(d, telling_keys[i].key) != NULL) {
			*type = telling_keys[i].type;
			return true;
		}
	}
	if (is_secret(d)) {
		*type = MODEL_SECRET;
		return true;
	}
	for (size_t i = 0; i < doc_count(d); i++) {
		const char *key = doc_key_at(d, i);
		bool is_kind = kinds != NULL
				       ? kind_find(kinds, key) != NULL
				       : !is_common(key) &&
						 doc_type(doc_value_at(d, i)) ==
							 DOC_MAP;

		if (is_kind) {
			*type = MODEL_UPSTREAM;
			return true;
		}
	}
	return false;
}

/* "kind: expected A, B or C" */
static void
kinds_say(struct error *err)
{
	struct str names;

	str_init(&names);
	for (int t = 0; t < MODEL_TYPE_COUNT; t++)
		str_printf(&names, "%s%s",
			t == 0                      ? ""
			: t + 1 == MODEL_TYPE_COUNT ? " or "
						    : ", ",
			model_type_kind((enum model_type)t));
	error_set(err, ERROR_CONFIG, ".kind: expected %s", names.data);
	str_fini(&names);
}

int
normalise_type(const struct doc *d, const struct upstream_kind *const *kinds,
	enum model_type *type, struct error *err)
{
	const struct doc *kind = doc_get(d, "kind");
	const struct doc *spec = doc_get(d, "spec");

	if (doc_type(d) != DOC_MAP) {
		error_set(err, ERROR_CONFIG, "expected a map, found %s",
			doc_type_name(doc_type(d)));
		return fail(d, err);
	}
	if (doc_type(kind) == DOC_STRING) {
		for (int t = 0; t < MODEL_TYPE_COUNT; t++) {
			*type = (enum model_type)t;
			if (strcmp(model_type_kind(*type), doc_string(kind)) ==
				0)
				return 0;
		}
	}
	if (kind != NULL) {
		kinds_say(err);
		return fail(kind, err);
	}
	if (keys_tell(d, kinds, type) ||
		(doc_type(spec) == DOC_MAP && keys_tell(spec, kinds, type)))
		return 0;
	error_set(err, ERROR_CONFIG,
		"cannot tell what this is: there is no \"kind\", and none of "
		"the keys \"upstreamSpec\", \"virtualHost\", \"bindPort\"");
	return fail(d, err);
}

/* Moves every key of map[key] up into map. */
static int
keys_lift(struct doc *map, const char *key, struct error *err)
{
	struct doc *from = doc_get(map, key);

	if (doc_type(from) == DOC_NULL) {
		doc_free(doc_steal(map, key));
		return 0;
	}
	if (doc_type(from) != DOC_MAP) {
		error_set(err, ERROR_CONFIG, ".%s: expected a map, found %s",
			key, doc_type_name(doc_type(from)));
		return fail(from, err);
	}
	from = doc_steal(map, key);
	for (size_t i = 0; i < doc_count(from); i++) {
		const char *name = doc_key_at(from, i);
		struct doc *value = doc_value_at(from, i);

		if (doc_get(map, name) != NULL) {
			error_set(err, ERROR_CONFIG,
				".%s.%s: is given a second time outside of "
				"\"%s\"",
				key, name, key);
			fail(value, err);
			doc_free(from);
			return -1;
		}
		doc_set(map, name, doc_copy(value));
	}
	doc_free(from);
	return 0;
}

static int
key_rename(struct doc *map, const char *old, const char *now, struct error *err)
{
	struct doc *value = doc_get(map, old);

	if (value == NULL)
		return 0;
	if (doc_get(map, now) != NULL) {
		error_set(err, ERROR_CONFIG,
			".%s: is the older spelling of \"%s\", which is given "
			"too",
			old, now);
		return fail(value, err);
	}
	doc_set(map, now, doc_steal(map, old));
	return 0;
}

/* {prefixRewrite: {prefixRewrite: x}} to {prefixRewrite: x}. */
static void
value_unwrap(struct doc *map, const char *key)
{
	struct doc *outer = doc_get(map, key);
	struct doc *inner = doc_get(outer, key);

	if (doc_type(outer) == DOC_MAP && doc_count(outer) == 1 &&
		inner != NULL)
		doc_set(map, key, doc_steal(outer, key));
}

static int
kubernetes_form(struct doc *d, enum model_type type, struct error *err)
{
	struct doc *version = doc_get(d, "apiVersion");
	struct doc *meta = doc_get(d, "metadata");

	if (version != NULL &&
		(doc_type(version) != DOC_STRING ||
			strcmp(doc_string(version), api_versions[type]) != 0)) {
		error_set(err, ERROR_CONFIG, ".apiVersion: expected %s",
			api_versions[type]);
		return fail(version, err);
	}
	if (version != NULL && doc_get(d, "kind") == NULL) {
		error_set(err, ERROR_CONFIG,
			"the key \"kind\" is missing beside \"apiVersion\"");
		return fail(version, err);
	}
	for (size_t i = 0; version != NULL && i < ARRAY_SIZE(server_keys); i++)
		if (type != MODEL_SECRET ||
			strcmp(server_keys[i], "creationTimestamp") != 0)
			doc_free(doc_steal(meta, server_keys[i]));
	doc_free(doc_steal(d, "apiVersion"));
	doc_free(doc_steal(d, "kind"));
	return keys_lift(d, "spec", err);
}

static int
upstream_form(struct doc *d, const struct upstream_kind *const *kinds,
	struct error *err)
{
	for (; kinds != NULL && *kinds != NULL; kinds++) {
		const char *key = (*kinds)->key;
		struct doc *value = doc_get(d, key);
		struct doc *spec;

		if (value == NULL)
			continue;
		if (doc_get(d, "upstreamSpec") != NULL) {
			error_set(err, ERROR_CONFIG,
				".%s: the upstream has another specification",
				key);
			return fail(value, err);
		}
		spec = doc_set(d, "upstreamSpec", doc_new_map());
		doc_set_line(spec, doc_line(value));
		doc_set(spec, key, doc_steal(d, key));
	}
	return 0;
}

static int
route_form(struct doc *route, struct error *err)
{
	struct doc *options, *list;

	if (doc_type(route) != DOC_MAP)
		return 0;
	if (key_rename(route, "routePlugins", "options", err) != 0)
		return -1;
	options = doc_get(route, "options");
	if (doc_type(options) == DOC_MAP) {
		value_unwrap(options, "prefixRewrite");
		value_unwrap(options, "hostRewrite");
	}
	if (doc_get(route, "matcher") == NULL)
		return 0;
	if (doc_get(route, "matchers") != NULL)
		return key_rename(route, "matcher", "matchers", err);
	list = doc_new_list();
	doc_set_line(list, doc_line(doc_get(route, "matcher")));
	doc_add(list, doc_steal(route, "matcher"));
	doc_set(route, "matchers", list);
	return 0;
}

static int
virtual_host_form(struct doc *host, struct error *err)
{
	struct doc *routes;

	if (doc_type(host) != DOC_MAP)
		return 0;
	if (key_rename(host, "virtualHostPlugins", "options", err) != 0)
		return error_prefix(err, ".virtualHost");
	/* Gloo of 2019-01 printed a name here that it made itself. */
	if (doc_type(doc_get(host, "name")) == DOC_STRING)
		doc_free(doc_steal(host, "name"));
	routes = doc_get(host, "routes");
	if (doc_type(routes) != DOC_LIST)
		return 0;
	for (size_t i = 0; i < doc_count(routes); i++)
		if (route_form(doc_at(routes, i), err) != 0)
			return error_prefix(err, ".virtualHost.routes[%zu]", i);
	return 0;
}

static int
gateway_form(struct doc *d, struct error *err)
{
	const struct doc *tcp = doc_get(d, "tcpGateway");

	if (doc_type(tcp) != DOC_NULL &&
		doc_type(doc_get(d, "httpGateway")) != DOC_NULL) {
		error_set(err, ERROR_CONFIG,
			".tcpGateway: a gateway is either of HTTP or of TCP, "
			"and this one has an httpGateway too");
		return fail(tcp, err);
	}
	return keys_lift(d, "httpGateway", err);
}

struct doc *
normalise(const struct doc *d, enum model_type type,
	const struct upstream_kind *const *kinds, struct error *err)
{
	struct doc *copy = doc_copy(d);
	int rc;

	rc = kubernetes_form(copy, type, err);
	if (rc == 0 && type == MODEL_UPSTREAM)
		rc = upstream_form(copy, kinds, err);
	if (rc == 0 && type == MODEL_VIRTUAL_SERVICE)
		rc = virtual_host_form(doc_get(copy, "virtualHost"), err);
	if (rc == 0 && type == MODEL_GATEWAY)
		rc = gateway_form(copy, err);
	if (rc == 0 && type == MODEL_SECRET)
		rc = kube_secret_lift(copy, err);
	if (rc == 0)
		return copy;
	doc_free_wiped(copy);
	return NULL;
}
