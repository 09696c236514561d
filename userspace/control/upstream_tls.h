/* How TLS is spoken to one upstream, as control/tls_look found it. */
#ifndef CONTROL_UPSTREAM_TLS_H
#define CONTROL_UPSTREAM_TLS_H

#include <stdbool.h>

#include "base/error.h"
#include "control/core.h"
#include "model/model.h"
#include "routing/image_build.h"

struct tls_context;

/* Of what it was made, in numbers: the same, and it need not be made again.
 * 0: nothing of that sort was looked at. */
struct upstream_tls_stamp {
	uint64_t secret, cert, key, ca, roots;
};

struct upstream_tls {
	struct upstream_tls_stamp stamp;
	struct image_build_tls build; /* its texts are of model, or below */
	struct model_object *model;
	char *ciphers, *curves;
	char *problem; /* why it cannot be spoken, one sentence; or NULL */
	char *warning; /* what will not hold for long; or NULL */
	bool remembered; /* the proxy has the bytes, this process not yet */
};

/* By its sslConfig, or by its kind. */
bool upstream_tls_is_spoken(const struct model_upstream *u);
/* Without materials yet: what the model says. NULL: it is spoken to plainly. */
struct upstream_tls *upstream_tls_new(struct model_object *upstream);
void upstream_tls_free(struct upstream_tls *t); /* NULL is fine */

/* Of what a context is made: the same text, the same context. The caller's. The
 * names that a certificate has to be for are no part of it. */
char *upstream_tls_key(const struct image_build_tls *b);
/* As the proxy makes it, of the bytes that control has; with one reference.
 * NULL and err: it cannot be spoken like that. */
struct tls_context *upstream_tls_context(const struct control *c,
	const struct image_build_tls *b, struct error *err);

#endif
