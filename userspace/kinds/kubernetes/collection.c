/* Which objects a reflector asks for, and the paths that ask for them. */
#include "kinds/kubernetes/collection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/kubernetes/absence.h"

static char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

void
collection_init(struct collection *c, const struct kubernetes_collection *what)
{
	size_t count = 0;

	while (what->versions[count] != NULL)
		count++;
	assert(count > 0 && count <= ABSENCE_VERSIONS_MAX);
	c->version = 0;
	c->versions = xcalloc(count + 1, sizeof(*c->versions));
	for (size_t i = 0; i < count; i++)
		c->versions[i] = xstrdup(what->versions[i]);
	c->group = xstrdup(what->group);
	c->plural = xstrdup(what->plural);
	c->ns = copy_or_null(what->ns);
	c->labels = copy_or_null(what->labels);
	c->fields = copy_or_null(what->fields);
	c->name = xasprintf("%s%s%s", what->plural,
		what->group[0] == '\0' ? "" : ".", what->group);
}

void
collection_fini(struct collection *c)
{
	for (size_t i = 0; c->versions[i] != NULL; i++)
		free(c->versions[i]);
	free(c->versions);
	free(c->group);
	free(c->plural);
	free(c->ns);
	free(c->labels);
	free(c->fields);
	free(c->name);
}

const char *
collection_version(const struct collection *c)
{
	return c->versions[c->version];
}

bool
collection_version_next(struct collection *c)
{
	c->version++;
	if (c->versions[c->version] != NULL)
		return true;
	c->version = 0;
	return false;
}

void
collection_query(struct str *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	str_putc(path, strchr(path->data, '?') == NULL ? '?' : '&');
	str_printf(path, "%s=", name);
	str_put_escaped(path, value);
}

void
collection_query_number(struct str *path, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	collection_query(path, name, text);
}

void
collection_path(const struct collection *c, struct str *path)
{
	str_init(path);
	api_path_put(path, c->group, collection_version(c));
	if (c->ns != NULL)
		str_printf(path, "/namespaces/%s", c->ns);
	str_printf(path, "/%s", c->plural);
	collection_query(path, "labelSelector", c->labels);
	collection_query(path, "fieldSelector", c->fields);
}
