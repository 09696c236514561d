/* Durations in Go's form, "1m30s", "250ms", in whole milliseconds. */
#ifndef MODEL_DURATION_H
#define MODEL_DURATION_H

#include <stdint.h>

#define DURATION_MS_MAX 86400000ull /* 24h */

/* -1: not a duration, not a whole number of ms, or more than 24h. */
int duration_parse(const char *text, uint64_t *ms);
char *duration_print(uint64_t ms); /* the caller frees */

#endif
