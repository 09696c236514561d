/*
 * Numbers that stay with a name for as long as it lives: upstream ids and
 * listener slots. A number whose name went is retired: it is given to another
 * name only after no image that used it is in force any more.
 */
#ifndef CONTROL_NUMBERS_H
#define CONTROL_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers;

/* Numbers 1..limit-1. */
struct numbers *numbers_new(uint32_t limit);
void numbers_free(struct numbers *r);

uint32_t numbers_get(const struct numbers *r, const char *name); /* or 0 */
/* The name's number, a new one if it has none (a retired one comes back to
 * life); 0: all are taken. */
uint32_t numbers_take(struct numbers *r, const char *name);
/* A number that an earlier run gave; -1 when it is taken or out of range. */
int numbers_restore(struct numbers *r, const char *name, uint32_t number);
/* No image from that generation on uses the name's number. */
void numbers_retire(struct numbers *r, const char *name, uint64_t generation);

typedef void numbers_released_f(uint32_t number, void *arg);
/* Frees what was retired for that generation or an earlier one. */
void numbers_release(struct numbers *r, uint64_t enforced,
	numbers_released_f *released, void *arg);

/* Start with *number = 0; false at the end. */
bool numbers_next(const struct numbers *r, uint32_t *number, const char **name);
/* Changes whenever a number is given or freed. */
uint64_t numbers_version(const struct numbers *r);

#endif
