/*
 * One question to one endpoint, over HTTP or TCP: is it well? Asked again and
 * again, each time answered once. An HTTP connection is kept between two
 * questions where the check says so; a TCP one is not, since to connect is
 * what is asked.
 *
 * An endpoint is as little trusted as a client: what it sends is parsed
 * strictly, read up to a bound, and waited for up to the check's timeout.
 */
#ifndef CONTROL_PROBE_H
#define CONTROL_PROBE_H

#include <stddef.h>

#include "base/addr.h"
#include "model/model.h"

/* Sockets of all probes together, and not more than a quarter of those that the
 * process may open. Beyond: the question is put off. Half of them may be kept
 * between two questions. */
#define PROBES_OPEN_MAX 4096

struct loop;
struct probe;
struct probes; /* what all probes of a loop share */

enum probe_result {
	PROBE_OK,
	PROBE_FAILED,
	PROBE_LEAVING, /* 503: the endpoint says itself that it cannot serve */
	PROBE_PUT_OFF, /* we had no socket for it: nothing was asked */
};

struct probes *probes_new(struct loop *loop);
void probes_free(struct probes *p);

/* why: one short sentence; NULL with PROBE_OK and PROBE_PUT_OFF. Must not free
 * the probe. */
typedef void probe_done_f(enum probe_result result, const char *why, void *arg);

/* check must outlive it. host: the endpoint's, as struct endpoint has it. */
struct probe *probe_new(struct probes *probes,
	const struct model_health_check *check, const struct addr *addr,
	const char *host, probe_done_f *done, void *arg);
/* Not while it is being answered; done may be called before it returns. */
void probe_ask(struct probe *p);
void probe_free(struct probe *p); /* what was asked is forgotten */

#endif
