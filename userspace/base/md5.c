/* MD5, RFC 1321: whole texts that are in memory. */
#include "base/md5.h"

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64

/* floor(2^32 * abs(sin(i + 1))), RFC 1321 3.4 */
static const uint32_t sines[BLOCK] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391
};

static const unsigned char turns[4][4] = {
	{ 7, 12, 17, 22 },
	{ 5, 9, 14, 20 },
	{ 4, 11, 16, 23 },
	{ 6, 10, 15, 21 },
};

static uint32_t
turn(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

static uint32_t
mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
	switch (round) {
	case 0:
		return (b & c) | (~b & d);
	case 1:
		return (b & d) | (c & ~d);
	case 2:
		return b ^ c ^ d;
	default:
		return c ^ (b | ~d);
	}
}

/* Which word of the block a step takes. */
static unsigned
word_of(unsigned step)
{
	static const unsigned char factor[4] = { 1, 5, 3, 7 };
	static const unsigned char offset[4] = { 0, 1, 5, 0 };
	unsigned round = step / 16;

	return (step * factor[round] + offset[round]) % 16;
}

static void
block_add(uint32_t state[4], const unsigned char *block)
{
	uint32_t words[16], a = state[0], b = state[1], c = state[2],
			    d = state[3];

	memcpy(words, block, BLOCK);
	for (unsigned i = 0; i < BLOCK; i++) {
		uint32_t sum = a + mix(i / 16, b, c, d) + sines[i] +
			       le32toh(words[word_of(i)]);

		a = d;
		d = c;
		c = b;
		b += turn(sum, turns[i / 16][i % 4]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

void
md5_hex(const void *data, size_t length, char out[MD5_HEX + 1])
{
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	unsigned char last[2 * BLOCK] = { 0 };
	uint64_t bits = htole64((uint64_t)length * 8);
	size_t rest = length % BLOCK, whole = length - rest, size;

	for (size_t i = 0; i < whole; i += BLOCK)
		block_add(state, (const unsigned char *)data + i);
	if (rest > 0)
		memcpy(last, (const unsigned char *)data + whole, rest);
	last[rest] = 0x80;
	size = rest < BLOCK - sizeof(bits) ? BLOCK : 2 * BLOCK;
	memcpy(last + size - sizeof(bits), &bits, sizeof(bits));
	for (size_t i = 0; i < size; i += BLOCK)
		block_add(state, last + i);
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x",
			(unsigned)(state[i / 4] >> 8 * (i % 4)) & 0xff);
}
