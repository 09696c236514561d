/*
 * How well the endpoints of one upstream are: the worst of what discovery says,
 * what the active check says, and whether the endpoint is ejected for its
 * answers. Keeps the set with the health that counts, and tells the proxy each
 * change. An endpoint that stays in the set keeps its state; another owner of
 * its address is another endpoint and begins with nothing. A change of the
 * upstream that does not touch healthChecks leaves the checks alone.
 *
 * An endpoint is up until the contrary is known.
 */
#ifndef CONTROL_HEALTH_H
#define CONTROL_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/core.h"
#include "control/checker.h"
#include "model/endpoint.h"
#include "model/wire.h"

struct health;
struct healths; /* of all upstreams */

struct healths *healths_new(struct control *c);
void healths_free(struct healths *all);
/* What a worker says of an endpoint: untrusted. What names no upstream,
 * endpoint or worker is passed over. */
void healths_outlier(struct healths *all, const struct wire_message *m);
/* Likewise, of TLS with an endpoint; the last word counts. */
void healths_tls(struct healths *all, const struct wire_message *m);
/* The workers are no more: others count from 0, and say themselves with whom
 * TLS fails. */
void healths_forget_workers(struct healths *all);

typedef void health_changed_f(void *arg); /* must not free it */

struct health *health_new(struct control *c, const struct object *o,
	health_changed_f *changed, void *arg);
void health_free(struct health *h);
/* The upstream has a new version. */
void health_change(struct health *h, struct model_object *model);
/* What an earlier run knew: who was down then is down until it is asked. */
void health_restore(struct health *h, const struct endpoint *set, size_t count);
/* What discovery says. False: it is what it said before. The caller tells the
 * proxy the whole set. */
bool health_replace(struct health *h, const struct endpoint *set, size_t count);
const struct endpoint *health_endpoints(const struct health *h, size_t *count);

struct health_view {
	uint64_t since_ms; /* since 1970: when its health last changed */
	char why[192];     /* empty while up */
	const char *problem; /* why TLS with it failed, whether it is up or not;
			      * NULL: it did not. Until something changes */
};

void health_view(const struct health *h, size_t i, struct health_view *out);

/* Each a uint64_t: metrics.c reads them by their offset. */
struct health_counts {
	uint64_t up, draining, down, ejected; /* ejected ones are down too */
	struct checker_counts checks;
	uint64_t ejections, ejections_withheld;
	uint64_t tls_failing; /* endpoints with which TLS fails */
};

void health_counts(const struct health *h, struct health_counts *out);
const char *health_name(enum endpoint_health health); /* "up", ... */

#endif
