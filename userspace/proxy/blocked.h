/*
 * Sources whose connections to a listener are not taken for a while, because of
 * what they did there (control says who), an IPv6 one with its /64. Each worker has its own; it is
 * bounded: in a full row the one goes that would be the first to come back.
 * Private to proxy/.
 */
#ifndef PROXY_BLOCKED_H
#define PROXY_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

struct blocked;

struct blocked *blocked_new(void);
void blocked_free(struct blocked *b);
/* One that stands is set anew. */
void blocked_add(struct blocked *b, uint32_t slot, const uint8_t ip[16],
	uint64_t until_ms, uint64_t now_ms);
/* Another listener has the slot now. */
void blocked_forget(struct blocked *b, uint32_t slot);
bool blocked_has(const struct blocked *b, uint32_t slot, const uint8_t ip[16],
	uint64_t now_ms);

#endif
