/* The services of a data centre. */
#include "kinds/consul/services.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/json.h"
#include "base/md5.h"
#include "base/mem.h"

#define SIDECAR "-sidecar-proxy"

/* ---- reading */

static int
text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
service_compare(const void *a, const void *b)
{
	const struct consul_service *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What is no text is no tag. */
static void
tags_read(struct consul_service *s, const struct doc *list)
{
	size_t kept = 0;

	s->tags = xcalloc(doc_count(list) + 1, sizeof(*s->tags));
	if (doc_type(list) != DOC_LIST)
		return;
	for (size_t i = 0; i < doc_count(list); i++) {
		const char *tag = doc_string(doc_at(list, i));

		if (tag != NULL)
			s->tags[s->tag_count++] = xstrdup(tag);
	}
	qsort(s->tags, s->tag_count, sizeof(*s->tags), text_compare);
	for (size_t i = 0; i < s->tag_count; i++) {
		if (kept > 0 && strcmp(s->tags[kept - 1], s->tags[i]) == 0)
			free(s->tags[i]);
		else
			s->tags[kept++] = s->tags[i];
	}
	s->tag_count = kept;
}

static void
services_read(struct consul_services *out, const struct doc *map)
{
	out->count = doc_count(map);
	out->items = xcalloc(out->count + 1, sizeof(*out->items));
	for (size_t i = 0; i < out->count; i++) {
		out->items[i].name = xstrdup(doc_key_at(map, i));
		tags_read(&out->items[i], doc_value_at(map, i));
	}
	qsort(out->items, out->count, sizeof(*out->items), service_compare);
}

int
consul_services_read(
	struct slice json, struct consul_services *out, struct error *err)
{
	struct doc *d = json_doc_read(json.data, json.length, err);
	int rc = 0;

	*out = (struct consul_services){ 0 };
	if (d == NULL)
		return -1;
	if (doc_type(d) != DOC_MAP)
		rc = error_set(err, ERROR_CONFIG,
			"expected a map of services, found %s",
			doc_type_name(doc_type(d)));
	else if (doc_count(d) > CONSUL_SERVICES_MAX)
		rc = error_set(err, ERROR_LIMIT, "%zu services, more than %d",
			doc_count(d), CONSUL_SERVICES_MAX);
	else
		services_read(out, d);
	doc_free(d);
	return rc;
}

static void
service_fini(struct consul_service *s)
{
	for (size_t i = 0; i < s->tag_count; i++)
		free(s->tags[i]);
	free(s->tags);
	free(s->name);
}

void
consul_services_fini(struct consul_services *s)
{
	for (size_t i = 0; i < s->count; i++)
		service_fini(&s->items[i]);
	free(s->items);
	*s = (struct consul_services){ 0 };
}

const struct consul_service *
consul_services_find(const struct consul_services *s, const char *name)
{
	struct consul_service key = { .name = (char *)name };

	if (s->count == 0)
		return NULL;
	return bsearch(&key, s->items, s->count, sizeof(key), service_compare);
}

void
consul_services_keep(struct consul_services *more, struct consul_services *old)
{
	size_t count = more->count;

	more->items = xreallocarray(more->items, more->count + old->count + 1,
		sizeof(*more->items));
	for (size_t i = 0; i < old->count; i++) {
		const struct consul_services known = { more->items, count };

		if (consul_services_find(&known, old->items[i].name) != NULL)
			service_fini(&old->items[i]);
		else
			more->items[more->count++] = old->items[i];
	}
	qsort(more->items, more->count, sizeof(*more->items), service_compare);
	free(old->items);
	*old = (struct consul_services){ 0 };
}

/* ---- what they make */

static bool
list_has(char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

static bool
service_has_one(
	const struct consul_service *s, char *const *tags, size_t tag_count)
{
	for (size_t i = 0; i < s->tag_count; i++)
		if (list_has(tags, tag_count, s->tags[i]))
			return true;
	return false;
}

static bool
is_sidecar(const char *name)
{
	size_t length = strlen(name), end = strlen(SIDECAR);

	return length > end && strcmp(name + length - end, SIDECAR) == 0;
}

bool
consul_service_makes(
	const struct consul_service *s, const struct consul_settings *settings)
{
	char *const *include = settings->discovery.include_tags;
	char *const *exclude = settings->discovery.exclude_tags;

	if (is_sidecar(s->name) ||
		service_has_one(s, exclude, settings->discovery.exclude_count))
		return false;
	return settings->discovery.include_count == 0 ||
	       service_has_one(s, include, settings->discovery.include_count);
}

bool
consul_service_tag_makes(
	const struct consul_settings *settings, const char *tag)
{
	return settings->discovery.per_tag && tag[0] != '\0' &&
	       (settings->discovery.include_count == 0 ||
		       list_has(settings->discovery.include_tags,
			       settings->discovery.include_count, tag));
}

/* ---- names */

/* "-Web_API." to "web-api" */
static void
name_clean(char *name)
{
	size_t length, start;

	for (char *p = name; *p != '\0'; p++)
		*p = isascii((unsigned char)*p) && isalnum((unsigned char)*p)
			     ? (char)tolower((unsigned char)*p)
			     : '-';
	start = strspn(name, "-");
	length = strlen(name + start);
	memmove(name, name + start, length + 1);
	while (length > 0 && name[length - 1] == '-')
		name[--length] = '\0';
}

void
consul_upstream_name(
	const char *service, const char *tag, char out[UPSTREAM_NAME_MAX])
{
	char *whole = tag == NULL ? xstrdup(service)
				  : xasprintf("%s-%s", service, tag);
	char hash[MD5_HEX + 1];

	md5_hex(whole, strlen(whole), hash);
	name_clean(whole);
	if (whole[0] == '\0') {
		free(whole);
		whole = xasprintf("consul-%s", hash);
	}
	upstream_name_cut(whole, out);
	free(whole);
}
