/*
 * The endpoints and functions of one upstream: runs its kind's discovery, remembers what it
 * found last, tells the proxy, the kernel half and the disk. A failure empties
 * nothing. How well each endpoint is, control/health.h knows.
 *
 * No generation is made for a change: the set goes to the workers in a message
 * of its own, and to the kernel's maps as a difference (control/services.h).
 * The first change is told at once; while changes keep coming there is one
 * message, and one commit, per 50 ms. Functions that come or go are another
 * matter: virtual services that lead to those are built anew.
 */
#ifndef CONTROL_DISCOVERY_H
#define CONTROL_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/core.h"
#include "model/endpoint.h"

struct discovery;
struct doc;
struct health;
struct http_server_request;

/* Starts; what the disk remembers serves until the kind reports. */
struct discovery *discovery_new(struct control *c, const struct object *o);
/* The upstream has a new version: watched anew if its spec changed. */
void discovery_change(struct discovery *d, const struct object *o);
void discovery_free(struct discovery *d);
/* Its kind is closed and opened again; the endpoints stay. */
void discovery_unwatch(struct discovery *d);
void discovery_watch(struct discovery *d);

/* The secret that its kind's spec names came, changed or went. */
void discovery_secret_changed(struct discovery *d);
/* Its endpoints do not take the credentials that they were given. */
void discovery_credentials_refused(struct discovery *d);
/* Asks its kind, which has probe; r is answered now or later. False: it is not
 * watched, and r is not answered. o: the upstream. */
bool discovery_probe(struct discovery *d, const struct object *o,
	struct http_server_request *r);
/* Sorted names; NULL: it is not known which there are. NULL is fine. */
const char *const *discovery_functions(
	const struct discovery *d, size_t *count);

/* With the health that counts. */
const struct endpoint *discovery_endpoints(
	const struct discovery *d, size_t *count);
/* NULL for NULL. */
const struct health *discovery_health(const struct discovery *d);
/* Tells a proxy that is there to be told the set as it is now. NULL is fine. */
void discovery_tell(struct discovery *d);
/* When the set last changed, in ms since 1970; 0: not since the start. */
uint64_t discovery_changed_ms(const struct discovery *d);
/* How often the set was sent to a proxy, new proxies included. */
uint64_t discovery_messages(const struct discovery *d);
/* Why the endpoints may be stale, or NULL; since: ms since 1970. */
const char *discovery_problem(const struct discovery *d, uint64_t *since);
/* What its kind shows beside endpoints, into a map. */
void discovery_show(const struct discovery *d, struct doc *to);
/* What does not hold for it though the endpoints are right, or NULL. */
const char *discovery_note(const struct discovery *d);

#endif
