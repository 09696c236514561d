/*
 * A block of an image while it grows. Pieces are named by their offset, since
 * the bytes move; the first byte of the block is offset 0. Equal strings are
 * stored once.
 */
#ifndef ROUTING_BLOCK_H
#define ROUTING_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "model/image.h"

struct block_slot {
	struct image_str text; /* offset 0: empty */
	uint32_t hash;
};

struct block {
	char *bytes;
	size_t length, capacity;
	struct block_slot *strings; /* open addressing */
	size_t string_count, string_size;
};

void block_init(struct block *b);
void block_fini(struct block *b);
/* Address space for what is to come, so that growing does not move it. */
void block_reserve(struct block *b, size_t more);
/* Zeroed room for count pieces of size bytes, aligned; 0 for none. */
uint32_t block_room(struct block *b, size_t count, size_t size);
/* A copy of bytes from elsewhere, at the beginning of a line of the cache. */
uint32_t block_copy(struct block *b, const void *bytes, size_t length);
/* text, which is not in the block, with a NUL after it. */
struct image_str block_string(struct block *b, struct slice text);
/* As block_string; NULL gives the string that is none. */
struct image_str block_text(struct block *b, const char *text);
/* The bytes become the caller's, their length a multiple of IMAGE_ALIGN; NULL
 * if offsets cannot reach all of them. */
void *block_steal(struct block *b, uint32_t *length, struct error *err);

static inline void *
block_at(const struct block *b, uint32_t offset)
{
	return b->bytes + offset;
}

#endif
