/* The explanation of a failure: set once, prefixed on the way up. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL || err->code != ERROR_NONE)
		return -1;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
error_errno(struct error *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	char why[128];
	size_t used;

	if (err == NULL || err->code != ERROR_NONE)
		return -1;
	err->code = ERROR_SYSTEM;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		strerror_r(errnum, why, sizeof(why)));
	return -1;
}

int
error_prefix(struct error *err, const char *fmt, ...)
{
	va_list ap;
	char old[sizeof(err->text)];
	const char *joint;
	size_t used;

	if (err == NULL || err->code == ERROR_NONE)
		return -1;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	joint = old[0] == '.' || old[0] == '[' ? "" : ": ";
	snprintf(err->text + used, sizeof(err->text) - used, "%s%s", joint,
		old);
	return -1;
}
