/*
 * Materials: the certificates and keys with which TLS is spoken to upstreams.
 * Each upstream that needs some is given them from its secret, its files or the
 * system's roots; the proxy is sent the bytes of those that a route leads to,
 * before the first image that names them, and told to forget them once every
 * worker runs an image without. An image has only their numbers, which are made
 * of the content: other bytes are another number and another image.
 *
 * Bytes are overwritten as soon as nothing needs them.
 */
#ifndef CONTROL_MATERIALS_H
#define CONTROL_MATERIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "control/core.h"
#include "control/object.h"
#include "control/upstream_tls.h"

struct materials;

struct materials *materials_new(void);
void materials_free(struct materials *m);

/* A secret or an upstream came, changed or went. */
void materials_touch(struct control *c);
/* Files that are named, and the system's roots if reload, are looked at again:
 * where they changed, a generation is due. */
void materials_look_again(struct control *c, bool reload);

/* Why TLS cannot be spoken to that upstream, one sentence; NULL: it can, or
 * need not. Valid until something changes. */
const char *materials_problem(const struct control *c, const struct object *o);
/* What will not hold for long: a certificate that expired; NULL. */
const char *materials_warning(const struct control *c, const struct object *o);

/* The bytes of what tls names, for who speaks TLS in this process; valid until
 * something changes. Each may be empty. */
void materials_bytes(const struct control *c, const struct image_build_tls *tls,
	struct slice *ca, struct slice *cert, struct slice *key);

/* An image is being made: nothing is used yet. */
void materials_begin(struct control *c);
/* A route leads there: how TLS is spoken to it, with the numbers of what the
 * proxy will need; NULL: plainly, or not at all (materials_problem). */
const struct image_build_tls *materials_use(
	struct control *c, const struct object *o);
/* The image is made: the proxy is sent what it does not have. */
void materials_commit(struct control *c, uint64_t generation);
/* Every worker runs that generation: what only older ones named is forgotten. */
void materials_enforced(struct control *c, uint64_t generation);
/* To a proxy that has none (fresh), or it is not known which. */
void materials_send_all(struct control *c, bool fresh);

/* At the start, when objects were read and kinds are open: what an adopted
 * proxy has is used until their secrets are known. */
void materials_remember(struct control *c);
/* The kind has reported all its secrets, or will report none. */
void materials_secrets_settled(
	struct control *c, const struct upstream_kind *kind);

struct materials_counts {
	size_t known; /* needed by an upstream, or not yet forgotten */
	size_t sent;  /* of those, the proxy has them */
};

void materials_counts(const struct control *c, struct materials_counts *out);

#endif
