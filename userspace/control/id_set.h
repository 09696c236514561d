/* A set of upstreams, by their ids. */
#ifndef CONTROL_ID_SET_H
#define CONTROL_ID_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "model/counters.h"

struct id_set { /* all zero: empty */
	uint8_t bits[(UPSTREAMS_MAX + 7) / 8];
};

static inline void
id_set_add(struct id_set *s, uint32_t id)
{
	if (id < UPSTREAMS_MAX)
		s->bits[id / 8] |= (uint8_t)(1u << id % 8);
}

static inline bool
id_set_has(const struct id_set *s, uint32_t id)
{
	return id < UPSTREAMS_MAX && s->bits[id / 8] & 1u << id % 8;
}

#endif
