/*
 * The instances of a service: whatever comes in place of what Consul answers.
 * What is no answer says why; of an answer each instance can be used, is there
 * once and in its place, and read again they are the same. Whoever fits an
 * upstream does so by his tags.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/consul/instances.h"
#include "kinds/consul/spec.h"
#include "model/endpoint.h"

#define SIZE_MAX_FED (32u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
instance_check(const struct consul_instance *i)
{
	expect(i->node[0] != '\0' && i->id[0] != '\0');
	expect(i->address[0] != '\0' && strlen(i->address) < ENDPOINT_HOST_MAX);
	expect(i->port != 0 && (i->weight != 0 || i->out));
	expect(consul_instance_owner(i) != 0);
	for (size_t k = 0; k < i->tag_count; k++)
		expect(i->tags[k] != NULL);
}

static void
fits_check(const struct consul_instance *i)
{
	struct consul_spec spec = { .service_tags = i->tags,
		.service_tag_count = i->tag_count };

	expect(consul_instance_fits(i, &spec) == !i->connect_proxy);
	spec.connect_enabled = true;
	expect(consul_instance_fits(i, &spec));
	spec.blacklist_tags = i->tags;
	spec.blacklist_tag_count = i->tag_count;
	expect(consul_instance_fits(i, &spec) == (i->tag_count == 0));
}

static int
order(const struct consul_instance *a, const struct consul_instance *b)
{
	int rc = strcmp(a->datacenter, b->datacenter);

	if (rc == 0)
		rc = strcmp(a->node, b->node);
	return rc != 0 ? rc : strcmp(a->id, b->id);
}

static void
same_check(const struct consul_instances *a, const struct consul_instances *b)
{
	expect(a->count == b->count && a->passed_over == b->passed_over);
	for (size_t i = 0; i < a->count; i++)
		expect(order(&a->items[i], &b->items[i]) == 0 &&
			strcmp(a->items[i].address, b->items[i].address) == 0 &&
			a->items[i].port == b->items[i].port);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct consul_instances all, again;
	struct error err = ERROR_INIT;

	if (size > SIZE_MAX_FED)
		return 0;
	if (consul_instances_read(text, "dc1", &all, &err) != 0) {
		expect(err.code != ERROR_NONE && err.text[0] != '\0');
		expect(all.count == 0 && all.items == NULL);
		return 0;
	}
	expect(consul_instances_read(text, "dc1", &again, NULL) == 0);
	same_check(&all, &again);
	expect((all.passed_over > 0) == (all.problem != NULL));
	for (size_t i = 0; i < all.count; i++) {
		instance_check(&all.items[i]);
		fits_check(&all.items[i]);
		expect(i == 0 || order(&all.items[i - 1], &all.items[i]) < 0);
	}
	consul_instances_fini(&all);
	consul_instances_fini(&again);
	return 0;
}
