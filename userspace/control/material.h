/*
 * Material: a CA, or a certificate with its key, under the number that images
 * name it by. The number is made of the content: other bytes are another
 * number. Bytes are overwritten when it goes.
 */
#ifndef CONTROL_MATERIAL_H
#define CONTROL_MATERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/digest.h"

struct material_set;

struct material {
	uint64_t number;                     /* not 0 */
	unsigned char digest[DIGEST_LENGTH]; /* of the bytes, ... */
	bool known;            /* ... or it is of another life, and not known */
	char *ca, *cert, *key; /* of ours, each may be NULL */
	bool needed;           /* some upstream's */
	bool using;            /* by the image that is being made */
	bool used;             /* by the newest image */
	bool told;             /* the proxy has it */
	uint64_t gone;         /* the first generation without; 0: it is used */
};

struct material_set *material_set_new(void);
void material_set_free(struct material_set *s); /* NULL is fine */

/* NULL: none has that number. */
struct material *material_get(const struct material_set *s, uint64_t number);
/* One after the other, place is 0 at first; NULL: that was the last. */
struct material *material_next(const struct material_set *s, size_t *place);
bool material_has_bytes(const struct material *m);

/* Of that content, each may be NULL, made if there is none; needed. */
struct material *material_take(struct material_set *s, const char *ca,
	const char *cert, const char *key);
/* The proxy has it, from an earlier control; needed. */
void material_remember(struct material_set *s, uint64_t number);
/* What has that number, if anything has, is needed. */
void material_need(struct material_set *s, uint64_t number);
/* Nothing is needed but what is from now on, ... */
void material_set_unneed(struct material_set *s);
/* ... and what is not, nor used by an image, goes: its bytes, and all of it
 * once the proxy does not have it. */
void material_set_drop(struct material_set *s);

#endif
