/*
 * How TLS was spoken to upstreams before this process began, when the Secret is
 * that of another store (Kubernetes), which is kept there and nowhere else: the
 * numbers of the certificates that an adopted proxy still has, by which requests
 * go on until that store has been asked. Numbers only; nothing of a key.
 */
#ifndef CONTROL_TLS_BEFORE_H
#define CONTROL_TLS_BEFORE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/core.h"
#include "control/object.h"

struct tls_before;

struct tls_numbers {
	uint64_t roots, identity; /* identity 0: it came as nobody */
};

/* What the disk remembers of kinds that are open. */
struct tls_before *tls_before_read(const struct control *c);
void tls_before_free(struct tls_before *b); /* NULL is fine */
bool tls_before_is_empty(const struct tls_before *b);
/* False: nothing is known, or it was another secret's. */
bool tls_before_get(const struct tls_before *b, const struct object *upstream,
	struct tls_numbers *out);
/* That kind has reported all its secrets. False: nothing was of it. */
bool tls_before_settle(struct tls_before *b, const struct upstream_kind *kind);
/* Of all upstreams as they are now, where that differs from what was written
 * last (the caller's, *written). */
void tls_before_write(const struct control *c, uint64_t *written);

#endif
