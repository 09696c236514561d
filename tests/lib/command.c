/* Commands of a shell. */
#include "tests/lib/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COMMAND_MOST 768

int
command(const char *fmt, ...)
{
	char text[COMMAND_MOST];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return system(text);
}

void
must(const char *fmt, ...)
{
	char text[COMMAND_MOST];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (system(text) != 0)
		fail_msg("failed: %s", text);
}
