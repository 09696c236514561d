/* What control does with the kernel half, in a test of the two. */
#ifndef TESTS_CONTROL_H
#define TESTS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/fastpath.h"
#include "fastpath/steering.h"

/* Attached to this one interface, or the test fails. Caller closes. */
struct fastpath *control_open(const char *pin_path, const char *interface);
/* With this seed of the hash of flows; 0: as above. */
struct fastpath *control_open_seeded(const char *pin_path,
	const char *interface, uint32_t hash_seed);
/* Asks for this service alone with those of count backends that are asked for;
 * fails the test where that is refused. */
void control_ask(struct fastpath *f, struct fastpath_service service,
	const struct fastpath_backend *backends, const bool *asked,
	size_t count);

#endif
