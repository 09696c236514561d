/*
 * Frames from one line of text, so that a test row can be read:
 *
 *   "eth vlan=5 ip4 to=198.51.100.1 tcp to=80 flags=S data=6"
 *
 * A word without "=" begins a layer; the words after it set that layer's
 * fields. What is not set is filled in so that the frame is right: types,
 * lengths, checksums. What is set stays, right or wrong.
 *
 *   eth    to=MAC from=MAC type=HEX
 *   vlan   id=N type=HEX tpid=HEX (88a8 for the outer of two)
 *   ip4    from= to= ttl= proto= version= ihl= len= options=BYTES
 *          offset=EIGHTS mf=1 df=1 id= tos=HEX
 *   ip6    from= to= hops= next= version= len= class=HEX flow=HEX
 *   hop route dest  (extension headers)  len=EIGHTS next= size=BYTES;
 *          route: left=SEGMENTS
 *   ah     len= next= size=BYTES
 *   frag   offset=EIGHTS mf=1 next= id=
 *   tcp    from= to= flags=SAFRPU doff= options=BYTES sum=HEX
 *   udp    from= to= len= sum=HEX
 *   icmp icmp6  type= code= id= seq= mtu= sum=HEX
 *          quote=BYTES: what follows is finished, then cut to so many
 *   raw    proto=N data=BYTES (any other protocol)
 *   data=BYTES after any layer: payload; fill=HEX: its bytes
 *   pad=BYTES: bytes after the packet's end; cut=BYTES: the frame's length
 */
#ifndef TESTS_PACKET_H
#define TESTS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 9216
#define PACKET_SHIFT 2 /* so that IP headers are aligned, as in the kernel */

struct packet {
	_Alignas(8) uint8_t room[PACKET_SHIFT + PACKET_MAX];
	size_t length;
};

static inline uint8_t *
packet_data(struct packet *p)
{
	return p->room + PACKET_SHIFT;
}

/* Ends the test program with a message when the text is wrong. */
void packet_build(struct packet *p, const char *text);
/* The first bytes of a frame, to stderr. */
void packet_print(const char *what, const uint8_t *data, size_t length);
/* The Internet checksum (RFC 1071) of data, on top of sum. */
uint16_t packet_checksum(const void *data, size_t length, uint32_t sum);

#endif
