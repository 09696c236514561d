/*
 * How many client connections there are, in all and from each source. There
 * is one for all workers, looked at once when a connection comes and once when
 * it goes. A source is an IPv4 address or an IPv6 /64. The table is bounded:
 * a source whose row is full of others is not counted. Private to proxy/.
 */
#ifndef PROXY_CENSUS_H
#define PROXY_CENSUS_H

#include <stdint.h>

#define CENSUS_NOWHERE UINT32_MAX /* counted in the total alone */

struct census;

enum census_verdict {
	CENSUS_IN,
	CENSUS_FULL,        /* there are total_max */
	CENSUS_SOURCE_FULL, /* there are source_max of this source */
};

struct census *census_new(void);
void census_free(struct census *c);
/* A maximum of 0: none. place is for census_leave when it is in. */
enum census_verdict census_enter(struct census *c, const uint8_t ip[16],
	uint32_t total_max, uint32_t source_max, uint32_t *place);
void census_leave(struct census *c, uint32_t place);
uint32_t census_total(const struct census *c);

#endif
