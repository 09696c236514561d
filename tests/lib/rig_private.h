/* What the files of the rig share; no test includes it. */
#ifndef TESTS_RIG_PRIVATE_H
#define TESTS_RIG_PRIVATE_H

#include <stdnoreturn.h>

/* Says what failed, with errno, and ends the test program. */
noreturn void rig_die(const char *what);

#define MUST(call)                                                             \
	do {                                                                   \
		if ((call) < 0)                                                \
			rig_die(#call);                                        \
	} while (0)

/* Conditions of other threads and processes are asked again each ms. */
void rig_breathe(void);

#endif
