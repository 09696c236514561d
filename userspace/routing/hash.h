/* The hash of host names and strings in an image: eight bytes at a time. */
#ifndef ROUTING_HASH_H
#define ROUTING_HASH_H

#include <stdint.h>
#include <string.h>

#include "base/str.h"

static inline uint32_t
text_hash(struct slice text)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = text.length * odd, word;
	size_t i = 0;

	for (; text.length - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, text.data + i, sizeof(word));
		h = (h ^ word) * odd;
		h ^= h >> 32;
	}
	if (i < text.length) {
		word = 0;
		memcpy(&word, text.data + i, text.length - i);
		h = (h ^ word) * odd;
		h ^= h >> 32;
	}
	h *= odd;
	return (uint32_t)(h >> 32);
}

#endif
