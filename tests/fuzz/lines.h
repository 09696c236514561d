/* What the fuzzers of texts share: an input is taken line by line, and what must
 * hold of the result does, or the fuzzer stops there. */
#ifndef TESTS_FUZZ_LINES_H
#define TESTS_FUZZ_LINES_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static inline void
expect(bool condition)
{
	if (!condition)
		abort();
}

static inline struct slice
line_take(struct slice *rest)
{
	const char *end = rest->length == 0
				  ? NULL
				  : memchr(rest->data, '\n', rest->length);
	struct slice line = { rest->data,
		end == NULL ? rest->length : (size_t)(end - rest->data) };
	size_t taken = line.length + (end != NULL);

	if (rest->length > 0)
		rest->data += taken;
	rest->length -= taken;
	return line;
}

#endif
