/*
 * Credentials that control sent, as the dialect of the upstream's kind has
 * them: made by the main thread, shared by the workers, never changed. Nothing
 * of them is ever printed. Private to proxy/.
 */
#ifndef PROXY_CALL_CREDENTIALS_H
#define PROXY_CALL_CREDENTIALS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"

#define CALL_CREDENTIALS_MAX (64u << 10) /* bytes of one */

struct dialect;

struct call_credentials {
	_Atomic uint32_t refs;
	const struct dialect *dialect;
	void *made; /* of credentials_new */
};

/* fd holds length bytes, can be written and not be resized; it stays the
 * caller's and is left with zeros, whatever is said. dialect may be NULL, which
 * is an error. Born with one reference. */
struct call_credentials *call_credentials_new(const struct dialect *dialect,
	int fd, uint32_t length, struct error *err);
/* From any thread: who lets go last frees them. NULL is fine. */
struct call_credentials *call_credentials_ref(struct call_credentials *c);
void call_credentials_unref(struct call_credentials *c);

#endif
