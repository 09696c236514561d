/* How far a service's clock is ahead of ours. */
#include "kinds/aws/skew.h"

#include <stddef.h>

#include "base/clock.h"

bool
aws_skew_find(const char *date, int64_t *skew_ms)
{
	uint64_t theirs, ours = clock_realtime_ms();
	int64_t skew, off;

	if (date == NULL || clock_parse_http(date, &theirs) != 0)
		return false;
	skew = (int64_t)(theirs - ours);
	off = skew - *skew_ms;
	if (off < AWS_SKEW_MS && off > -AWS_SKEW_MS)
		return false;
	*skew_ms = skew;
	return true;
}
