/*
 * Numbers that stay with a name for as long as it lives: upstream ids and
 * listener slots. A number whose name went is retired: it is given to another
 * name only after no image that used it is in force any more.
 */
#ifndef CONTROL_REGISTRY_H
#define CONTROL_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;

/* Numbers 1..limit-1. */
struct registry *registry_new(uint32_t limit);
void registry_free(struct registry *r);

uint32_t registry_get(const struct registry *r, const char *name); /* or 0 */
/* The name's number, a new one if it has none (a retired one comes back to
 * life); 0: all are taken. */
uint32_t registry_take(struct registry *r, const char *name);
/* A number that an earlier run gave; -1 when it is taken or out of range. */
int registry_restore(struct registry *r, const char *name, uint32_t number);
/* No image from that generation on uses the name's number. */
void registry_retire(struct registry *r, const char *name, uint64_t generation);

typedef void registry_released_f(uint32_t number, void *arg);
/* Frees what was retired for that generation or an earlier one. */
void registry_release(struct registry *r, uint64_t enforced,
	registry_released_f *released, void *arg);

/* Start with *number = 0; false at the end. */
bool registry_next(const struct registry *r, uint32_t *number,
	const char **name);
/* Changes whenever a number is given or freed. */
uint64_t registry_version(const struct registry *r);

#endif
