/* One virtual service, from its text to a router, for targets that need one. */
#ifndef TESTS_FUZZ_SERVICE_H
#define TESTS_FUZZ_SERVICE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "config/config.h"
#include "kinds.h"
#include "model/image.h"
#include "routing/image_build.h"
#include "routing/router.h"

#define SERVICE_SLOT 1 /* of the only listener, which has every host */

static uint32_t
service_upstream(const struct model_destination *d, struct str *call,
	const char **reason, void *arg)
{
	(void)d;
	(void)call;
	(void)reason;
	(void)arg;
	return 1;
}

static void
service_warning(const char *place, const char *text, void *arg)
{
	(void)place;
	(void)text;
	(void)arg;
}

static const struct image *
service_image(const void *block, uint32_t length)
{
	static const struct addr_prefix trusted = { { 127 }, 8 };
	static const size_t index = 0;
	struct image_build_vhost vhost = { .block = block, .length = length };
	struct image_build_listener listener = { .slot = SERVICE_SLOT,
		.name = "listener",
		.vhosts = &index,
		.vhost_count = 1 };
	struct image_build_upstream upstream = {
		.id = 1, .name = "upstream", .kind = "static"
	};
	struct image_build_input in = {
		.generation = 1,
		.vhosts = &vhost,
		.vhost_count = 1,
		.listeners = &listener,
		.listener_count = 1,
		.upstreams = &upstream,
		.upstream_count = 1,
		.trusted = &trusted,
		.trusted_count = 1,
	};
	size_t size;

	return image_build(&in, &size, NULL);
}

/* It lives as long as the process. */
static struct router *
service_router(const char *yaml)
{
	struct doc *d = yaml_doc_read(yaml, strlen(yaml), NULL);
	struct model_object *o = config_read(d, upstream_kinds, NULL);
	static struct matcher_cache *cache;
	const struct image *image;
	struct router *router;
	uint32_t length;
	void *block;

	if (o == NULL)
		abort();
	block = vhost_build(o->virtual_service, service_upstream, NULL,
		service_warning, NULL, &length, NULL);
	image = block != NULL ? service_image(block, length) : NULL;
	cache = matcher_cache_new();
	router = image != NULL ? router_new(image, cache, NULL) : NULL;
	if (router == NULL)
		abort();
	free(block);
	doc_free(d);
	model_object_unref(o);
	return router;
}

#endif
