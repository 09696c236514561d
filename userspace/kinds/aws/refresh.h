/*
 * When credentials are got again. Pure but for the dice; times are of the day,
 * in ms since 1970. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_REFRESH_H
#define KINDS_AWS_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "kinds/aws/question.h"

#define REFRESH_ADVISORY_MS  900000 /* before they expire: they are renewed */
#define REFRESH_MANDATORY_MS 600000 /* that they are not is told */
#define REFRESH_FILE_MS      60000  /* a file is looked at again */
#define REFRESH_ATTEMPTS     3      /* SDKs' "standard" retries */
#define REFRESH_PAUSE_MS     5000   /* after these; twice as long each time */
#define REFRESH_PAUSE_MAX_MS 60000

struct refresh_times {
	uint64_t renew_ms;     /* UINT64_MAX: never */
	uint64_t mandatory_ms; /* UINT64_MAX: never */
};

/* Of credentials that were got now. Those that live shorter than half an hour
 * are renewed when half of their time is over. same: the source has not made
 * others yet; it is asked again soon only where they are due. file: they do not expire, but the file may be another one. */
struct refresh_times refresh_times(
	uint64_t expires_ms, uint64_t now_ms, bool same, bool file);

/* How long to wait after the n-th attempt in a row failed (from 1), and after
 * the n-th time that all attempts did. */
uint64_t refresh_attempt_pause_ms(enum aws_trouble trouble, unsigned n);
uint64_t refresh_failure_pause_ms(unsigned n);

#endif
