/* Durations in Go's form to milliseconds and back. */
#include "model/duration.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define DIGITS_MAX 15 /* of one number, before and after the point together */

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	/* "ms" stands before "m", because the first that fits is taken. */
	{ "ms", 1000000 },
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* micro sign */
	{ "\xce\xbcs", 1000 }, /* Greek mu */
	{ "s", 1000000000 },
	{ "m", 60000000000 },
	{ "h", 3600000000000 },
};

/* One number with its unit; NULL: none. */
static const char *
part_parse(const char *p, uint64_t *ns)
{
	uint64_t digits = 0, divisor = 1;
	unsigned count = 0;
	bool point = false;

	for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (++count > DIGITS_MAX)
			return NULL;
		digits = digits * 10 + (uint64_t)(*p - '0');
		if (point)
			divisor *= 10;
	}
	if (count == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t length = strlen(units[i].name);
		__uint128_t product = (__uint128_t)digits * units[i].ns;

		if (strncmp(p, units[i].name, length) != 0)
			continue;
		if (product % divisor != 0 ||
			product / divisor > DURATION_MS_MAX * 1000000)
			return NULL;
		*ns = (uint64_t)(product / divisor);
		return p + length;
	}
	return NULL;
}

int
duration_parse(const char *text, uint64_t *ms)
{
	uint64_t total = 0, part;

	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return 0;
	}
	if (*text == '\0')
		return -1;
	while (*text != '\0') {
		text = part_parse(text, &part);
		if (text == NULL)
			return -1;
		total += part;
		if (total > DURATION_MS_MAX * 1000000)
			return -1;
	}
	if (total % 1000000 != 0)
		return -1;
	*ms = total / 1000000;
	return 0;
}

char *
duration_print(uint64_t ms)
{
	uint64_t seconds = ms / 1000;
	unsigned rest = (unsigned)(ms % 1000);
	struct str out;

	if (ms > 0 && ms < 1000)
		return xasprintf("%ums", rest);
	str_init(&out);
	if (seconds >= 3600)
		str_printf(&out, "%lluh", (unsigned long long)(seconds / 3600));
	if (seconds >= 60)
		str_printf(&out, "%um", (unsigned)(seconds / 60 % 60));
	str_printf(&out, "%u", (unsigned)(seconds % 60));
	if (rest != 0) {
		str_printf(&out, ".%03u", rest);
		while (out.data[out.length - 1] == '0')
			out.data[--out.length] = '\0';
	}
	str_putc(&out, 's');
	return str_steal(&out);
}
