/*
 * How the routes of a virtual host lie in its block: compressed radix trees
 * over the bytes of a path. routing/ builds and walks them, image_check looks
 * them over; nobody else needs to know.
 *
 * Keys: the path of a prefix matcher; the path of an exact matcher and the NUL
 * that follows every string, so that it is found only where the path ends; the
 * text that every match of a regex begins with. A node's matchers are those
 * whose key ends there, lowest index first. What has no key is in the vhost's
 * `residual`, indices as well.
 */
#ifndef MODEL_IMAGE_RADIX_H
#define MODEL_IMAGE_RADIX_H

#include <stdint.h>

#define IMAGE_RADIX_NONE UINT32_MAX
#define IMAGE_NODE_KEYS  16 /* first bytes of children kept in the node */
#define IMAGE_NODE_TEXT  20 /* bytes of a label kept in the node */
#define IMAGE_NO_ROUTE   UINT32_MAX

/* At image_vhost.root: the nodes where the two trees begin. */
struct image_radix {
	uint32_t cased, nocase; /* indices into nodes, or IMAGE_RADIX_NONE */
};

/*
 * Children lie side by side, after their parent, in the order of their first
 * bytes; what is below a node lies close to it.
 *
 * Where a node's only matcher is a prefix or an exact path without further
 * conditions, the node says what it leads to, so that a lookup among many
 * routes need not touch the matcher as well.
 */
struct image_node {
	uint32_t label, label_length; /* what leads here, first byte included;
					 empty only where a tree begins */
	uint32_t matchers; /* the index itself if it is only one, else the
			      offset of the indices */
	uint32_t matcher_count;
	uint32_t route;       /* or IMAGE_NO_ROUTE: the matchers know */
	uint32_t first_child; /* index into nodes */
	uint16_t child_count;
	uint8_t path_type, pad; /* enum model_path, with a route */
	union {
		uint8_t key[IMAGE_NODE_KEYS];
		uint32_t keys; /* offset, with more children than fit */
	};
	char text[IMAGE_NODE_TEXT]; /* the label, where it fits */
};

_Static_assert(sizeof(struct image_node) == 64, "a line of the cache");

#endif
