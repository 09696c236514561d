/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* The length of the character that text begins with; 0: it is none. length is
 * at least 1. */
size_t utf8_length(const char *text, size_t length);
bool utf8_is_valid(const char *text, size_t length);
/* Appends text; each byte that is no part of a character becomes U+FFFD, so
 * that it may grow to three times its length. */
void utf8_put_valid(struct str *out, const char *text, size_t length);
/* Appends one character; what is none (a surrogate) becomes U+FFFD. */
void utf8_put_code(struct str *out, unsigned code);

#endif
