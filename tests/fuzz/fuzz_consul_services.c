/*
 * The catalog of a Consul agent. Whatever the answer: it is read or refused
 * with a reason; what is read is sorted, each once, and makes names that an
 * upstream may have. Two answers joined have what either has.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kinds/consul/services.h"
#include "model/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
name_look(const char *service, const char *tag)
{
	char name[UPSTREAM_NAME_MAX];

	consul_upstream_name(service, tag, name);
	expect(model_name_check(name, NULL) == 0);
}

static void
services_look(const struct consul_services *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct consul_service *one = &s->items[i];

		expect(i == 0 || strcmp(s->items[i - 1].name, one->name) < 0);
		expect(consul_services_find(s, one->name) == one);
		name_look(one->name, NULL);
		for (size_t t = 0; t < one->tag_count; t++) {
			expect(t == 0 ||
				strcmp(one->tags[t - 1], one->tags[t]) < 0);
			name_look(one->name, one->tags[t]);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size == 0 ? NULL : memchr(text, '\n', size);
	size_t first = end == NULL ? size : (size_t)(end - text);
	struct consul_services a, b = { 0 };
	struct error err = ERROR_INIT;
	size_t count;

	if (consul_services_read((struct slice){ text, first }, &a, &err) !=
		0) {
		expect(err.code != ERROR_NONE && a.count == 0);
		return 0;
	}
	services_look(&a);
	if (first < size && consul_services_read(
				    (struct slice){ end + 1, size - first - 1 },
				    &b, NULL) == 0)
		services_look(&b);
	count = b.count;
	consul_services_keep(&a, &b);
	services_look(&a);
	expect(a.count >= count && b.count == 0);
	consul_services_fini(&a);
	consul_services_fini(&b);
	return 0;
}
