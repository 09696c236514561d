/* What control writes and the proxy reads: a row of netstrings. Private to
 * kinds/azure/. */
#ifndef KINDS_AZURE_PARTS_H
#define KINDS_AZURE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Without an intermediate copy, so that str_reserve before it is enough to
 * leave no trace of a secret. NULL is "". */
void azure_part_put(struct str *out, const char *text);
void azure_part_put_number(struct str *out, uint64_t number);
/* The next one is taken off the front of rest. false: there is none. */
bool azure_part_take(struct slice *rest, struct slice *text);
/* The same of a number, at most max. */
bool azure_part_take_number(struct slice *rest, uint64_t max, uint64_t *number);
/* As a text of its own; NULL: there is none, or a NUL is in it. */
char *azure_part_take_text(struct slice *rest);

#endif
