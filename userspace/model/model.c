/* Objects of the model: types, names, shared ownership. */
#include "model/model.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "model/kind.h"
#include "model/tables.h"

#define NAME_MAX_BYTES 253

static const struct {
	const char *plural, *kind;
	const char *words[3]; /* further ones, of Gloo's command line */
} types[MODEL_TYPE_COUNT] = {
	[MODEL_UPSTREAM] = { "upstreams", "Upstream", { "us", "u" } },
	[MODEL_UPSTREAM_GROUP] = { "upstreamgroups", "UpstreamGroup",
		{ "ug", "ugs" } },
	[MODEL_VIRTUAL_SERVICE] = { "virtualservices", "VirtualService",
		{ "vs" } },
	[MODEL_GATEWAY] = { "gateways", "Gateway", { "gw" } },
	[MODEL_SECRET] = { "secrets", "Secret", { "sec" } },
};

const char *
model_type_plural(enum model_type type)
{
	return types[type].plural;
}

const char *
model_type_kind(enum model_type type)
{
	return types[type].kind;
}

static bool
type_is(size_t type, const char *word)
{
	if (strcasecmp(word, types[type].plural) == 0 ||
		strcasecmp(word, types[type].kind) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(types[type].words); i++)
		if (types[type].words[i] != NULL &&
			strcmp(word, types[type].words[i]) == 0)
			return true;
	return false;
}

void
model_owner(enum model_type type, const char *ns, const char *name,
	char out[MODEL_OWNER_MAX])
{
	snprintf(out, MODEL_OWNER_MAX, "%s/%.253s/%.253s",
		model_type_plural(type), ns, name);
}

int
model_type_parse(const char *word, enum model_type *type)
{
	for (size_t i = 0; i < MODEL_TYPE_COUNT; i++) {
		if (type_is(i, word)) {
			*type = (enum model_type)i;
			return 0;
		}
	}
	return -1;
}

struct model_object *
model_object_ref(struct model_object *o)
{
	o->refs++;
	return o;
}

void
model_object_unref(struct model_object *o)
{
	if (o == NULL)
		return;
	assert(o->refs > 0);
	if (--o->refs > 0)
		return;
	switch (o->type) {
	case MODEL_UPSTREAM:
		model_upstream_free(o->upstream);
		break;
	case MODEL_UPSTREAM_GROUP:
		model_upstream_group_free(o->upstream_group);
		break;
	case MODEL_VIRTUAL_SERVICE:
		model_virtual_service_free(o->virtual_service);
		break;
	case MODEL_GATEWAY:
		model_gateway_free(o->gateway);
		break;
	case MODEL_SECRET:
		model_secret_free(o->secret);
		break;
	case MODEL_TYPE_COUNT:
		break;
	}
	free(o);
}

static void
struct_free(const struct schema *s, void *base)
{
	if (base != NULL)
		schema_fini(s, base);
	free(base);
}

void
model_upstream_free(struct model_upstream *u)
{
	if (u != NULL && u->kind != NULL)
		u->kind->free(u->spec);
	struct_free(&model_upstream_schema, u);
}

void
model_upstream_group_free(struct model_upstream_group *g)
{
	struct_free(&model_upstream_group_schema, g);
}

void
model_virtual_service_free(struct model_virtual_service *vs)
{
	struct_free(&model_virtual_service_schema, vs);
}

void
model_gateway_free(struct model_gateway *g)
{
	struct_free(&model_gateway_schema, g);
}

void
model_secret_free(struct model_secret *s)
{
	struct_free(&model_secret_schema, s);
}

bool
model_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MAX_BYTES || name[0] == '.' ||
		name[0] == '-' || name[length - 1] == '.' ||
		name[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!islower((unsigned char)name[i]) &&
			!isdigit((unsigned char)name[i]) && name[i] != '.' &&
			name[i] != '-')
			return false;
	return true;
}
