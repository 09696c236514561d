/* Material for TLS, under numbers that are made of the content. */
#include "control/material.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/table.h"

struct material_set {
	struct table *items; /* number in digits to struct material */
};

static void
bytes_wipe(struct material *m)
{
	mem_free_wiped(m->ca);
	mem_free_wiped(m->cert);
	mem_free_wiped(m->key);
	m->ca = m->cert = m->key = NULL;
}

static void
material_free(void *value)
{
	bytes_wipe(value);
	free(value);
}

struct material_set *
material_set_new(void)
{
	struct material_set *s = xcalloc(1, sizeof(*s));

	s->items = table_new(material_free);
	return s;
}

void
material_set_free(struct material_set *s)
{
	if (s == NULL)
		return;
	table_free(s->items);
	free(s);
}

static char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

bool
material_has_bytes(const struct material *m)
{
	return m->ca != NULL || m->cert != NULL;
}

struct material *
material_get(const struct material_set *s, uint64_t number)
{
	char name[24];

	snprintf(name, sizeof(name), "%" PRIx64, number);
	return table_get(s->items, name);
}

struct material *
material_next(const struct material_set *s, size_t *place)
{
	const char *name;
	void *value;

	return table_next(s->items, place, &name, &value) ? value : NULL;
}

static struct material *
material_add(struct material_set *s, uint64_t number)
{
	struct material *one = xcalloc(1, sizeof(*one));
	char name[24];

	snprintf(name, sizeof(name), "%" PRIx64, number);
	one->number = number;
	table_set(s->items, name, one);
	return one;
}

/* The number is that of the digest's beginning, or, where another has it, the
 * next one. */
struct material *
material_take(struct material_set *s, const char *ca, const char *cert,
	const char *key)
{
	unsigned char digest[DIGEST_LENGTH];
	struct material *one;
	uint64_t number;

	digest_texts((const char *const[]){ ca, cert, key }, 3, digest);
	memcpy(&number, digest, sizeof(number));
	for (;; number++) {
		one = number == 0 ? NULL : material_get(s, number);
		if (number != 0 && (one == NULL || !one->known ||
					   memcmp(one->digest, digest,
						   sizeof(digest)) == 0))
			break;
	}
	if (one == NULL)
		one = material_add(s, number);
	one->needed = one->known = true;
	memcpy(one->digest, digest, sizeof(digest));
	if (!material_has_bytes(one)) {
		one->ca = copy_or_null(ca);
		one->cert = copy_or_null(cert);
		one->key = copy_or_null(key);
	}
	return one;
}

void
material_remember(struct material_set *s, uint64_t number)
{
	struct material *one = material_get(s, number);

	if (one == NULL) {
		one = material_add(s, number);
		one->told = true;
	}
	one->needed = true;
}

void
material_need(struct material_set *s, uint64_t number)
{
	struct material *one = number == 0 ? NULL : material_get(s, number);

	if (one != NULL)
		one->needed = true;
}

void
material_set_unneed(struct material_set *s)
{
	size_t place = 0;
	struct material *one;

	while ((one = material_next(s, &place)) != NULL)
		one->needed = false;
}

void
material_set_drop(struct material_set *s)
{
	size_t place = 0;
	const char *name;
	void *value;

	while (table_next(s->items, &place, &name, &value)) {
		struct material *one = value;

		if (one->needed || one->used)
			continue;
		if (one->told)
			bytes_wipe(one);
		else
			table_remove(s->items, name);
	}
}
