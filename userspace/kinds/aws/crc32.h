/* CRC-32 of IEEE 802.3, that of zlib: the checksum of event stream frames. */
#ifndef KINDS_AWS_CRC32_H
#define KINDS_AWS_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 at first, then what was returned for the bytes before. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t length);

#endif
