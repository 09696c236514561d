/* Base64 of RFC 4648 section 4, with padding. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/str.h"

/* Both append to out. White space in text is passed over; -1: it is no base64,
 * and out is as it was. */
int base64_decode(const char *text, size_t length, struct str *out);
void base64_encode(const void *data, size_t length, struct str *out);

#endif
