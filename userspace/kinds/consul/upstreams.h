/*
 * The upstreams that the services of all discovered data centres make, and the
 * program told of what is another than before. One per service, whichever data
 * centres it is in; with splitByTag one for each of its tags, too. Private to
 * kinds/consul/.
 */
#ifndef KINDS_CONSUL_UPSTREAMS_H
#define KINDS_CONSUL_UPSTREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "kinds/consul/services.h"
#include "kinds/consul/settings.h"
#include "model/kind.h"

#define CONSUL_DISCOVERED_BY "consulplugin"

struct consul_upstreams;

/* What is known of a data centre. */
struct consul_source {
	const char *datacenter; /* one of dataCenters; NULL: none are given */
	const struct consul_services *services;
	bool answered; /* it was said once which services there are */
	bool settled;  /* and no lack of rights hid any */
};

/* Both are kept. */
struct consul_upstreams *consul_upstreams_new(
	struct kind_program *program, const struct consul_settings *settings);
void consul_upstreams_free(struct consul_upstreams *u);
/* Which there are now. What a data centre that did not answer yet had in an
 * earlier run stays as it was. */
void consul_upstreams_make(struct consul_upstreams *u,
	const struct consul_source *sources, size_t count);
/* Those data centres that are settled have said all: what an earlier run found
 * only there, and this one did not, is gone. After consul_upstreams_make. */
void consul_upstreams_settle(struct consul_upstreams *u,
	const struct consul_source *sources, size_t count);
/* Calls each for every document that consul_upstreams_make would tell. */
void consul_upstreams_each(struct consul_upstreams *u,
	const struct consul_source *sources, size_t count,
	kind_preview_each_f *each, void *arg);

#endif
