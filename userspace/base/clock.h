/* Time of day and time that only goes forward. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);
uint64_t clock_realtime_ms(void); /* since 1970, UTC */

/* In clock_text.c: */
#define CLOCK_TEXT_MAX 32
/* "2026-11-26T13:08:33Z" of ms since 1970; out has CLOCK_TEXT_MAX bytes and is
 * returned. */
const char *clock_format(uint64_t realtime_ms, char *out);
/* The same back; -1: it is written in another way, or before 1970. */
int clock_parse(const char *text, uint64_t *realtime_ms);
/* Of a Date field, "Thu, 26 Nov 2026 13:08:33 GMT" (RFC 9110 5.6.7, the form that
 * all servers send); -1: it is written in another way, or not after 1970. */
int clock_parse_http(const char *text, uint64_t *realtime_ms);
/* Any time of RFC 3339, "2026-11-26T14:08:33.5+01:00"; parts of a second are cut
 * off. -1: it is none, or not after 1970. */
int clock_parse_rfc3339(const char *text, uint64_t *realtime_ms);

#endif
