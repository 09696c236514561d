/*
 * MD5 (RFC 1321), for names that others have made with it. No protection
 * against anybody.
 */
#ifndef BASE_MD5_H
#define BASE_MD5_H

#include <stddef.h>

#define MD5_HEX 32

/* In lower-case hexadecimal, NUL-terminated. */
void md5_hex(const void *data, size_t length, char out[MD5_HEX + 1]);

#endif
