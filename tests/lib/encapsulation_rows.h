/*
 * The packet table of modes ipip and gue, for the services of
 * tests/lib/steer_world.h. As steer_rows, but that "@" is the source port of
 * the outer UDP header and "#" the outer flow label, both of the flow of the
 * last row whose sentence does not begin with "+".
 */
#ifndef TESTS_ENCAPSULATION_ROWS_H
#define TESTS_ENCAPSULATION_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/lib/packet.h"
#include "tests/lib/steer_rows.h"

/* Ends with a what of NULL. */
extern const struct steer_row encapsulation_rows[];

/* The frame of a row's text, for a flow with this hash. */
void encapsulation_row_build(struct packet *p, const char *text,
	uint64_t hash);

#endif
