/*
 * TLS for the health checks of one upstream: as its requests speak it. What
 * that is is looked at before each question, so that a certificate that was
 * exchanged holds for the next one. Upstreams that need the same share it.
 */
#ifndef CONTROL_CHECK_TLS_H
#define CONTROL_CHECK_TLS_H

#include "control/core.h"
#include "control/probe.h"

struct check_tls;

/* all: the list of those that may share. */
struct check_tls *check_tls_new(struct control *c, struct check_tls **all,
	const char *ns, const char *name);
void check_tls_free(struct check_tls *t); /* NULL is fine */
/* Of type probe_tls_f. */
const struct probe_tls *check_tls_get(void *check_tls);

#endif
