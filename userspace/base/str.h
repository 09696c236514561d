/*
 * slice: bytes that somebody else owns. str: a growable, always
 * NUL-terminated buffer of bytes.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *data;
	size_t length;
};

static inline struct slice
slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.length == b.length &&
		(a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII */
bool slice_starts(struct slice text, struct slice prefix);

/* Each control character in it becomes a '?', so that it is one line and moves
 * no cursor. */
void text_defuse(char *text);

/* Whether they differ at most in numbers, as of times, and in ids: words of
 * hexadecimal digits and '-', as UUIDs are. Numbers of names ("f1") count, and
 * those of three digits after "status ". */
bool text_is_same_but_digits(const char *a, const char *b);

struct str {
	char *data; /* never NULL after str_init; data[length] is NUL */
	size_t length, capacity;
};

void str_init(struct str *s);
void str_fini(struct str *s);
/* Its bytes are overwritten first. What it moved away from while it grew is
 * not: make room at once (str_reserve) for what is secret. */
void str_fini_wiped(struct str *s);
void str_reserve(struct str *s, size_t more); /* room for so many bytes more */
void str_clear(struct str *s);
void str_append(struct str *s, const void *data, size_t length);
void str_puts(struct str *s, const char *text);
void str_putc(struct str *s, char c);
void str_put_number(struct str *s, unsigned long long number);
/* Percent-coded, all but what RFC 3986 2.3 leaves unreserved. */
void str_put_escaped(struct str *s, const char *text);
/* A netstring, "4:text,": no two lists of them are the same bytes. NULL is "". */
void str_put_netstring(struct str *s, const char *text);
void str_printf(struct str *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Removes length bytes from the front. */
void str_consume(struct str *s, size_t length);
/* The text becomes the caller's (free()); s is empty and usable again. */
char *str_steal(struct str *s);

#endif
