/*
 * Credentials with which functions are called: bytes that a kind's discovery
 * makes and its dialect reads in the proxy (model/dialect.h). Kept by upstream,
 * in memory alone, overwritten when they go; nobody prints any of them, and the
 * process is kept from dumps (mem_keep_from_dumps).
 *
 * The proxy is sent those of upstreams that a route of the image leads to,
 * before the first image that does, and an empty message once every worker runs
 * an image in which none does any more, or when there are none.
 */
#ifndef CONTROL_CREDENTIALS_H
#define CONTROL_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/core.h"

struct credentials;

#define CREDENTIALS_MAX 65536 /* bytes of one upstream */

struct credentials *credentials_new(void);
void credentials_free(struct credentials *all); /* NULL is fine */

/* Of the upstream of that id; copied. kind: the key of its kind, static. Length
 * 0: there are none; CREDENTIALS_MAX at most. */
void credentials_replace(struct control *c, uint32_t id, const char *kind,
	const void *bytes, size_t length);

/* The upstream goes: they are overwritten here, and in the proxy once no image
 * that it runs leads there. */
void credentials_drop(struct control *c, uint32_t id);

/* An image is being made: nothing is used yet. */
void credentials_begin(struct control *c);
/* A route leads to that upstream. */
void credentials_use(struct control *c, uint32_t id, const char *kind);
/* The image is made: the proxy is sent what it does not have. */
void credentials_commit(struct control *c, uint64_t generation);
/* Every worker runs that generation: what only older ones used goes. */
void credentials_enforced(struct control *c, uint64_t generation);
/* To a proxy that has none (fresh), or it is not known which: of an upstream
 * of which there are none here, an adopted one keeps what it has until its
 * discovery knows. */
void credentials_send_all(struct control *c, bool fresh);
/* The proxy says, and may say anything: the endpoints of the upstream of that
 * id do not take them. */
void credentials_refused(struct control *c, uint64_t id);

struct credentials_counts {
	size_t known, sent; /* upstreams */
};
void credentials_counts(
	const struct control *c, struct credentials_counts *out);

#endif
