/*
 * The look at each upstream that TLS is spoken to: which CA and which
 * certificate with key it needs, of its secret, its files or the system's
 * roots, and whether TLS can be spoken with them. What is found stands with the
 * upstream (object.tls, upstream_tls.h). Looked at is what changed since, all
 * of it now and then, since certificates expire without anybody's doing.
 */
#ifndef CONTROL_TLS_LOOK_H
#define CONTROL_TLS_LOOK_H

#include <stdbool.h>

#include "control/core.h"

struct material_set;
struct tls_look;

/* What upstreams need is taken from, and put into, that set, which is the
 * caller's and outlives it. */
struct tls_look *tls_look_new(struct material_set *materials);
void tls_look_free(struct tls_look *l); /* NULL is fine */

/* A secret or an upstream came, changed or went. */
void tls_look_touch(struct tls_look *l);
/* As materials_look_again. */
void tls_look_files(struct control *c, struct tls_look *l, bool reload);
/* Looks, if something changed. Upstreams that can be served now, or no longer,
 * lead routes elsewhere. */
void tls_look_run(struct control *c, struct tls_look *l);

/* What was before this process (tls_before.h) is used until it is known, ... */
void tls_look_remember(struct control *c, struct tls_look *l);
/* ... which it is when the kind has reported all its secrets, ... */
void tls_look_settled(struct control *c, struct tls_look *l,
	const struct upstream_kind *kind);
/* ... and no longer: the proxy is another, and has nothing of it. */
void tls_look_forget(struct control *c, struct tls_look *l);
/* Written for the next process, where it differs, once all is known. */
void tls_look_write(const struct control *c, struct tls_look *l);

#endif
