/*
 * How TLS is spoken to upstreams: a context of net/tls, and the names that
 * certificates have to be for. One for each content of struct image_tls, kept
 * from one generation to the next and shared by the workers; those that differ
 * in names alone share their context. Private to proxy/.
 */
#ifndef PROXY_TRUST_H
#define PROXY_TRUST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct image;
struct image_tls;
struct vault;
struct tls_context;
struct trusts;

struct trust {
	_Atomic uint32_t refs;
	struct tls_context *context; /* NULL: nothing is sent to anybody */
	char *problem;               /* then: why, one sentence */
	_Atomic uint32_t
		failures;   /* that workers told control of, all in all */
	bool logged;        /* that; of the main thread */
	char *server_name;  /* empty: the endpoint's own */
	const char **names; /* ends with NULL; or NULL */
};

/* Of the main thread: certificates are taken from vault when one is new. */
struct trusts *trusts_new(const struct vault *vault);
void trusts_free(struct trusts *t);
/* With a reference for the caller. One whose context cannot be made is no less
 * one: it says why. */
struct trust *trusts_get(struct trusts *t, const struct image *image,
	const struct image_tls *tls);
/* Those that nobody but us has any more go. */
void trusts_trim(struct trusts *t);

/* From any thread. */
struct trust *trust_ref(struct trust *t);
void trust_unref(struct trust *t); /* NULL is fine */

#endif
