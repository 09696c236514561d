/*
 * The admin API: HTTP and JSON on the Unix socket; /metrics, /healthz and
 * /readyz also on loopback TCP when configured.
 */
#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "control/core.h"
#include "net/http_server.h"

struct admin;

struct admin *admin_new(struct control *c, struct error *err);
/* Removes the socket file when remove is set. */
void admin_free(struct admin *a, bool remove);
/* Answers those who waited for that generation. */
void admin_enforced(struct admin *a, uint64_t generation);

/* ---- for the parts of the API */

/* Takes d. */
void admin_reply_doc(struct http_server_request *r, int status, struct doc *d);
/* {"error": sentence} */
void admin_reply_error(struct http_server_request *r, int status, int line,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
