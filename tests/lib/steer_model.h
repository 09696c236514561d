/* bpf/steer.h compiled on the host, for tests that use libbpf: the two cannot
 * be included together. */
#ifndef TESTS_STEER_MODEL_H
#define TESTS_STEER_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/contract.h"

/* The hash of a frame's flow. */
uint64_t steer_model_hash(const void *data, size_t length, uint32_t seed);
/* The slot of a ring that a flow has, a frame's and one of the tables. */
uint32_t steer_model_index(const void *data, size_t length, uint32_t seed);
uint32_t steer_model_index4(const struct gg_flow4 *flow, uint32_t seed);
/*
 * By how much the checksums of a frame are wrong: a number that stays the same
 * whatever is rewritten with its checksum kept right by the difference; 0: all
 * are right. Of the IP header, and of TCP, UDP and ICMP unless in a later
 * fragment.
 */
uint32_t steer_model_wrongness(const void *data, size_t length);
/* The same of the packet that stands behind size bytes of outer headers; all
 * bits when the outer IP header's is wrong. */
uint32_t steer_model_wrongness_inside(const void *data, size_t length,
	size_t size);

#endif
