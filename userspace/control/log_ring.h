/* The last lines of control's log, for `glooctl gateway logs`. The proxy has
 * standard error to itself: its lines are in the journal, not here, so that
 * they outlive control. */
#ifndef CONTROL_LOG_RING_H
#define CONTROL_LOG_RING_H

#include <stdint.h>

#include "base/doc.h"

#define LOG_RING_LINES 2000

struct log_ring;

/* Takes the log's lines from now on. */
struct log_ring *log_ring_new(void);
void log_ring_free(struct log_ring *r);
/* {"lines": [...], "next": N}: what came at since or later. */
struct doc *log_ring_print(const struct log_ring *r, uint64_t since);

#endif
