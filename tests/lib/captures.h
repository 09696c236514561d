/*
 * The packets of tcpdump's own test captures, many of which are malformed on
 * purpose. They lie beside the checkout, in $GG_SHARED or ../shared.
 */
#ifndef TESTS_CAPTURES_H
#define TESTS_CAPTURES_H

#include <stddef.h>
#include <stdint.h>

/* data: a frame of Ethernet. */
typedef void captures_packet_f(
	const char *file, const uint8_t *data, size_t length, void *arg);

/* The number of files with Ethernet frames; 0: they are not there, or cannot be
 * unpacked, and why was printed. */
unsigned captures_each(captures_packet_f *packet, void *arg);

#endif
