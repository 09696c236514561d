/* Times as people write them. Apart from the clocks, which tests replace. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
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
clock_parse_http(const char *text, uint64_t *realtime_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	time_t seconds;

	if (end == NULL || *end != '\0')
		return -1;
	seconds = timegm(&tm);
	if (seconds <= 0)
		return -1;
	*realtime_ms = (uint64_t)seconds * 1000;
	return 0;
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

/* "Z", "+01:00": how far ahead of UTC, in seconds. */
static int
zone_read(const char *text, long *seconds)
{
	unsigned hours, minutes;
	int used = 0;

	*seconds = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return 0;
	if ((text[0] != '+' && text[0] != '-') ||
		sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) != 2 ||
		used != 5 || text[6] != '\0' || hours > 23 || minutes > 59)
		return -1;
	*seconds = (long)(hours * 3600 + minutes * 60);
	if (text[0] == '-')
		*seconds = -*seconds;
	return 0;
}

int
clock_parse_rfc3339(const char *text, uint64_t *realtime_ms)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t at;
	long zone;

	if (rest != NULL && *rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (rest == NULL || zone_read(rest, &zone) != 0)
		return -1;
	at = timegm(&tm) - zone;
	if (at <= 0)
		return -1;
	*realtime_ms = (uint64_t)at * 1000;
	return 0;
}
