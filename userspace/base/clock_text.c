/* Times as people write them. Apart from the clocks, which tests replace. */
#include "base/clock.h"

#include <time.h>

const char *
clock_format(uint64_t realtime_ms, char *out)
{
	time_t seconds = (time_t)(realtime_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

int
clock_parse(const char *text, uint64_t *realtime_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t seconds;

	if (end == NULL || *end != '\0')
		return -1;
	seconds = timegm(&tm);
	if (seconds < 0)
		return -1;
	*realtime_ms = (uint64_t)seconds * 1000;
	return 0;
}
