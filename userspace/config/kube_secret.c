/* A Secret as Kubernetes has it. */
#include "config/kube_secret.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "config/normalise.h"

#define TLS_TYPE "kubernetes.io/tls"
/* kubectl apply keeps the whole secret there, in the clear. */
#define APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static const struct name {
	const char *group, *key; /* canonical: "tls", "certChain" */
	const char *kube;
} names[] = {
	{ "tls", "certChain", "tls.crt" },
	{ "tls", "privateKey", "tls.key" },
	{ "tls", "rootCa", "ca.crt" },
	{ "aws", "accessKey", "aws_access_key_id" },
	{ "aws", "secretKey", "aws_secret_access_key" },
	{ "aws", "sessionToken", "aws_session_token" },
};

static const char *const groups[] = { "tls", "aws", "azure" };

struct source {
	const struct doc *data, *plain; /* plain: stringData */
};

/* ---- reading */

static int
fail(const struct doc *d, const char *place, struct error *err)
{
	error_prefix(err, "%s", place);
	if (err != NULL && err->line == 0)
		err->line = doc_line(d);
	return -1;
}

static bool
has(const struct source *from, const char *key)
{
	return doc_type(doc_get(from->plain, key)) != DOC_NULL ||
	       doc_type(doc_get(from->data, key)) != DOC_NULL;
}

/* The text below data or stringData; *out stays NULL if it is empty. */
static int
text_get(const struct source *from, const char *key, struct doc **out,
	struct error *err)
{
	const struct doc *d = doc_get(from->plain, key);
	struct str text;
	int rc = 0;

	if (doc_type(d) == DOC_NULL)
		d = doc_get(from->data, key);
	else if (doc_type(d) == DOC_STRING) {
		if (doc_string(d)[0] != '\0')
			*out = doc_copy(d);
		return 0;
	}
	if (doc_type(d) != DOC_STRING)
		return error_set(err, ERROR_CONFIG, "expected a string");
	str_init(&text);
	str_reserve(&text, strlen(doc_string(d)));
	if (base64_decode(doc_string(d), strlen(doc_string(d)), &text) != 0)
		rc = error_set(err, ERROR_CONFIG, "is not base64");
	else if (memchr(text.data, '\0', text.length) != NULL)
		rc = error_set(err, ERROR_CONFIG, "is no text");
	else if (text.length > 0)
		*out = doc_new_string_n(text.data, text.length);
	if (*out != NULL)
		doc_set_line(*out, doc_line(d));
	str_fini_wiped(&text);
	return rc;
}

static int
value_lift(struct doc *d, const struct source *from, const struct name *n,
	struct error *err)
{
	struct doc *value = NULL;
	char place[64];

	if (!has(from, n->kube))
		return 0;
	if (text_get(from, n->kube, &value, err) != 0) {
		snprintf(place, sizeof(place), ".data.%s", n->kube);
		return fail(from->data, place, err);
	}
	if (value == NULL)
		return 0;
	if (doc_get(d, n->group) == NULL)
		doc_set(d, n->group, doc_new_map());
	doc_set(doc_get(d, n->group), n->key, value);
	return 0;
}

/* What Gloo writes: the whole as YAML below its own key. */
static int
group_lift(struct doc *d, const struct source *from, const char *group,
	struct error *err)
{
	struct doc *text = NULL, *map = NULL;
	char place[64];

	snprintf(place, sizeof(place), ".data.%s", group);
	if (text_get(from, group, &text, err) != 0)
		return fail(from->data, place, err);
	if (text != NULL)
		map = yaml_doc_read(
			doc_string(text), strlen(doc_string(text)), NULL);
	doc_free_wiped(text);
	if (doc_type(map) != DOC_MAP) {
		doc_free_wiped(map);
		error_set(err, ERROR_CONFIG, "is no map in YAML");
		return fail(from->data, place, err);
	}
	doc_set(d, group, map);
	return 0;
}

static int
source_lift(struct doc *d, const struct source *from, struct error *err)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		found |= has(from, names[i].kube);
		if (value_lift(d, from, &names[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; !found && i < ARRAY_SIZE(groups); i++)
		if (has(from, groups[i]))
			return group_lift(d, from, groups[i], err);
	if (found)
		return 0;
	error_set(err, ERROR_CONFIG,
		"expected tls.crt with tls.key, ca.crt, or aws_access_key_id "
		"with aws_secret_access_key");
	return fail(d, ".data", err);
}

static int
map_check(const struct doc *d, const char *place, struct error *err)
{
	if (doc_type(d) == DOC_MAP || doc_type(d) == DOC_NULL)
		return 0;
	error_set(err, ERROR_CONFIG, "expected a map, found %s",
		doc_type_name(doc_type(d)));
	return fail(d, place, err);
}

int
kube_secret_lift(struct doc *d, struct error *err)
{
	struct doc *annotations = doc_find(d, "metadata", "annotations", NULL);
	struct doc *data, *plain;
	struct source from;
	int rc = 0;

	if (doc_type(annotations) == DOC_MAP)
		doc_free_wiped(doc_steal(annotations, APPLIED));
	if (doc_get(d, "data") == NULL && doc_get(d, "stringData") == NULL)
		return 0;
	data = doc_steal(d, "data");
	plain = doc_steal(d, "stringData");
	doc_free(doc_steal(d, "type"));
	doc_free(doc_steal(d, "immutable"));
	from = (struct source){ data, plain };
	if (map_check(data, ".data", err) != 0 ||
		map_check(plain, ".stringData", err) != 0 ||
		source_lift(d, &from, err) != 0)
		rc = -1;
	doc_free_wiped(data);
	doc_free_wiped(plain);
	return rc;
}

/* ---- printing */

static void
text_put(struct doc *data, const char *key, const char *text)
{
	struct str coded;

	str_init(&coded);
	str_reserve(&coded, strlen(text) * 4 / 3 + 4);
	base64_encode(text, strlen(text), &coded);
	doc_set_string(data, key, coded.data);
	str_fini_wiped(&coded);
}

static bool
is_redacted(const struct doc *keys)
{
	for (size_t i = 0; i < doc_count(keys); i++)
		if (doc_type(doc_value_at(keys, i)) == DOC_NULL)
			return true;
	return false;
}

static void
azure_put(struct doc *data, const struct doc *azure)
{
	struct str text;

	if (is_redacted(doc_get(azure, "apiKeys"))) {
		doc_set(data, "azure", doc_new_null());
		return;
	}
	str_init(&text);
	yaml_doc_write(azure, &text);
	text_put(data, "azure", text.data);
	str_fini_wiped(&text);
}

struct doc *
kube_secret_form(const struct doc *canonical)
{
	const struct doc *tls = doc_get(canonical, "tls");
	struct doc *d = doc_new_map(), *data;

	doc_set_string(d, "apiVersion", normalise_api_version(MODEL_SECRET));
	doc_set_string(d, "kind", model_type_kind(MODEL_SECRET));
	doc_set(d, "metadata", doc_copy(doc_get(canonical, "metadata")));
	doc_set_string(d, "type",
		doc_get(tls, "certChain") != NULL ? TLS_TYPE : "Opaque");
	data = doc_set(d, "data", doc_new_map());
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct doc *value = doc_find(
			canonical, names[i].group, names[i].key, NULL);

		if (doc_type(value) == DOC_STRING)
			text_put(data, names[i].kube, doc_string(value));
		else if (value != NULL)
			doc_set(data, names[i].kube, doc_new_null());
	}
	if (doc_get(canonical, "azure") != NULL)
		azure_put(data, doc_get(canonical, "azure"));
	if (doc_get(canonical, "status") != NULL)
		doc_set(d, "status", doc_copy(doc_get(canonical, "status")));
	return d;
}
