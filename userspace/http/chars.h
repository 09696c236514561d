/*
 * Classes of bytes in HTTP/1.1 (RFC 9110 5.6.2, RFC 3986 2) and the scans
 * that the speed of the parser hangs on. Used inside http/ only.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum http_char {
	HTTP_CHAR_TOKEN = 0x01,
	HTTP_CHAR_VALUE = 0x02,  /* HTAB, SP and all but CTL and DEL */
	HTTP_CHAR_TARGET = 0x04, /* visible ASCII but "#" */
	HTTP_CHAR_PLAIN = 0x08,  /* may stand raw in a path or query */
	HTTP_CHAR_UNRESERVED = 0x10,
	HTTP_CHAR_HOST = 0x20, /* letters, digits, "-", ".", "_" */
	HTTP_CHAR_PATH = 0x40, /* PLAIN but "%", "?", "." */
	HTTP_CHAR_UNDERSCORE = 0x80,
};

extern const uint8_t http_chars[256];

static inline bool
http_char_is(char c, unsigned classes)
{
	return http_chars[(uint8_t)c] & classes;
}

static inline char
http_char_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* 0 to 15, or -1. */
static inline int
http_char_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Each skip returns the first byte that is not of the class, or end. */
static inline const char *
http_skip_class(const char *p, const char *end, unsigned class)
{
	while (p < end && http_char_is(*p, class))
		p++;
	return p;
}

/* *seen collects the classes of the bytes that were skipped. */
static inline const char *
http_skip_token(const char *p, const char *end, unsigned *seen)
{
	unsigned all = 0;

	for (; p < end; p++) {
		unsigned class = http_chars[(uint8_t)*p];

		if (!(class & HTTP_CHAR_TOKEN))
			break;
		all |= class;
	}
	*seen = all;
	return p;
}

static inline const char *
http_skip_value(const char *p, const char *end)
{
#if defined(__SSE2__)
	const __m128i ctl = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f);
	const __m128i tab = _mm_set1_epi8('\t');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, ctl), x);
		__m128i bad = _mm_or_si128(
			_mm_andnot_si128(_mm_cmpeq_epi8(x, tab), low),
			_mm_cmpeq_epi8(x, del));
		int mask = _mm_movemask_epi8(bad);

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	return http_skip_class(p, end, HTTP_CHAR_VALUE);
}

static inline const char *
http_skip_target(const char *p, const char *end)
{
#if defined(__SSE2__)
	/* A signed compare: bytes from 0x80 up are negative. */
	const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);
	const __m128i hash = _mm_set1_epi8('#');

	while (end - p >= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i odd = _mm_or_si128(
			_mm_cmpeq_epi8(x, del), _mm_cmpeq_epi8(x, hash));
		__m128i good = _mm_andnot_si128(odd, _mm_cmpgt_epi8(x, space));
		unsigned mask = ~(unsigned)_mm_movemask_epi8(good) & 0xffff;

		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	return http_skip_class(p, end, HTTP_CHAR_TARGET);
}

#endif
