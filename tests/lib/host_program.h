/*
 * The XDP program compiled on the host, its helpers and maps made of plain C:
 * what the loaded one must make of a frame, byte by byte, with sanitizers
 * where the build has them.
 */
#ifndef TESTS_HOST_PROGRAM_H
#define TESTS_HOST_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/contract.h"

struct host_verdict {
	uint32_t action;
	uint8_t *data; /* until the next run */
	size_t length;
	uint32_t slot;
	enum gg_reason reason; /* GG_REASON_COUNT: not counted, or twice */
};

void host_program_open(void);
void host_program_close(void);
/* name is one of GG_MAP_*. */
void host_program_put(const char *name, const void *key, const void *value);
/* The ring of a service, to be written in place. */
struct gg_ring_slot *host_program_ring(uint32_t slot);
void host_program_empty(const char *name);
struct host_verdict host_program_run(const void *data, size_t length);

#endif
