/*
 * The packet table of steering, for the services of tests/lib/steer_world.h.
 *
 * A sentence that begins with "+" goes on where the row before left off, the
 * others begin without connections. "@" stands for the port that mode nat gives
 * the flow of the last row without "+".
 */
#ifndef TESTS_STEER_ROWS_H
#define TESTS_STEER_ROWS_H

#include <stdint.h>

#include "bpf/contract.h"
#include "tests/lib/packet.h"

struct steer_row {
	const char *what;
	const char *in; /* tests/lib/packet.h */
	uint32_t action; /* XDP_* */
	enum gg_reason reason;
	uint32_t slot;
	const char *out; /* NULL: as it went in, or nobody's business */
};

/* Ends with a what of NULL. */
extern const struct steer_row steer_rows[];

/* The frame of a row's text, with this port for "@". */
void steer_row_build(struct packet *p, const char *text, unsigned port);

#endif
