/* What can be said of a regex without running it. */
#ifndef MODEL_REGEX_H
#define MODEL_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Takes a "(?i)" off the front; false: there is none. */
bool regex_cut_nocase(struct slice *pattern);

/* The text that every match of the whole pattern begins with, into out (room
 * for the pattern's length). Less than there is, or nothing, where a pattern
 * is not simple. Returns the length. */
size_t regex_literal(struct slice pattern, char *out);

#endif
