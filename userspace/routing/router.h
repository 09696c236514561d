/*
 * The proxy's view of one image: finds virtual host and route for a request.
 * Owns what cannot live in an image, the compiled regexes, which are kept by
 * content in a matcher_cache from one generation to the next. Immutable after
 * router_new and shared by all workers; the scratch is each worker's own.
 */
#ifndef ROUTING_ROUTER_H
#define ROUTING_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "http/head.h"
#include "http/target.h"
#include "model/image.h"

struct router;
struct router_scratch;
struct matcher_cache;

struct matcher_cache *matcher_cache_new(void);
/* Drops regexes that no router uses any more. */
void matcher_cache_trim(struct matcher_cache *c);
void matcher_cache_free(struct matcher_cache *c);

/* image stays the caller's and must outlive the router. Main thread only. */
struct router *router_new(const struct image *image, struct matcher_cache *c,
	struct error *err);
void router_free(struct router *r);
const struct image *router_image(const struct router *r);
/* Its virtual hosts, each once, by offset; NULL: there are not so many. */
const struct image_vhost *router_vhost(const struct router *r, size_t index);

/* *limited counts the regexes that were given up for their limits. */
struct router_scratch *router_scratch_new(uint64_t *limited);
void router_scratch_free(struct router_scratch *s);

struct router_request {
	uint32_t listener; /* slot */
	const struct http_head *head;
	struct slice host; /* http_authority_host */
	struct http_target target;
	bool peer_trusted; /* see http_field_counts */
	bool tls;          /* between the client and us */
};

struct router_match {
	const struct image_listener *listener; /* NULL: not in the image */
	const struct image_vhost *vhost; /* NULL: no virtual host */
	const struct image_route *route; /* NULL: no route */
	uint32_t prefix_length; /* how much of the path the matcher took: the
				   prefix, or the whole for exact and regex */
	uint8_t path_type;      /* enum model_path of the matcher */
	bool limited; /* no route: it hangs on a regex that was given up, and
			 who sent the request must not choose by that */
};

/* The first route in order that matches, as a linear scan would find it. */
void router_find(const struct router *r, struct router_scratch *scratch,
	const struct router_request *request, struct router_match *match);

const struct image_upstream *image_upstream_get(const struct image *image,
	uint32_t id);

const struct image_service *image_service_get(const struct image *image,
	uint32_t slot);

/* A full match of pattern against text with PCRE2 limits: for checks. */
int matcher_check(const char *pattern, struct error *err);

#endif
