/*
 * The radix trees of a virtual host (model/image_radix.h): built from keys,
 * walked by path.
 */
#ifndef ROUTING_RADIX_H
#define ROUTING_RADIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/image.h"
#include "model/image_radix.h"
#include "routing/block.h"

struct radix_key {
	uint32_t text, length; /* offset in the block */
	uint32_t matcher;
	uint32_t route;
	uint8_t path_type;
	bool takes_all; /* of the paths that come here: a prefix (or an exact
			   path) without further conditions */
};

struct radix_nodes { /* of both trees, before they go into the block */
	struct image_node *node;
	size_t count, capacity;
};

#define RADIX_NO_ROUTE UINT32_MAX

/* covering: of an earlier route; covered: takes nothing that it leaves. */
typedef void radix_covered_f(
	const struct radix_key *covered, uint32_t covering, void *arg);

/* Adds the tree of keys (any order but ascending by matcher; reordered) to
 * nodes; returns its beginning. cover: a route that takes every path, or
 * RADIX_NO_ROUTE. */
uint32_t radix_build(struct block *b, struct radix_nodes *nodes,
	struct radix_key *keys, size_t count, uint32_t cover,
	radix_covered_f *covered, void *arg);

struct radix_list { /* indices of matchers, ascending */
	const uint32_t *at, *end;
};

struct radix_found {
	/* The first matcher that takes the path for certain; UINT32_MAX: none,
	 * and the rest says nothing. */
	uint32_t matcher;
	uint32_t route;
	uint32_t prefix_length; /* as in struct router_match */
	uint8_t path_type;
	/* Those before it that have to be asked. */
	struct radix_list *lists; /* room for two more than the path is long */
	size_t count;
};

/* Adds what the path meets to found, which may hold something already. */
void radix_walk(const struct image_vhost *vhost, uint32_t root,
	struct slice path, struct radix_found *found);

#endif
