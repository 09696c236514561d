/*
 * How far a service's clock is ahead of ours: a signature holds for five
 * minutes, and a refused one may be refused for the clock alone. Private to
 * kinds/aws/.
 */
#ifndef KINDS_AWS_SKEW_H
#define KINDS_AWS_SKEW_H

#include <stdbool.h>
#include <stdint.h>

#define AWS_SKEW_MS 240000 /* AWS takes 5 min; Date is in whole seconds */

/* date: Date of a refusal, or NULL. True: by *skew_ms, 0 at first, the clocks
 * were not told apart as they are; now they are, and it is worth asking again.
 */
bool aws_skew_find(const char *date, int64_t *skew_ms);

#endif
