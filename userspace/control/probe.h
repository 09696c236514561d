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
struct tls_context;
struct probes; /* what all probes of a loop share */

enum probe_result {
	PROBE_OK,
	PROBE_FAILED,
	PROBE_LEAVING, /* 503: the endpoint says itself that it cannot serve */
	PROBE_PUT_OFF, /* we had no socket for it: nothing was asked */
};

struct probes *probes_new(struct loop *loop);
void probes_free(struct probes *p);

/* How TLS is spoken to an endpoint. */
struct probe_tls {
	struct tls_context *context; /* NULL: it cannot be: nothing is asked */
	const char *server_name;     /* NULL: the endpoint's own */
	const char *const *names;    /* ends with NULL; or NULL */
	uint64_t version; /* another one whenever any of that is another */
};

/* As it is now; NULL: it is not. Valid during the call that asked for it. */
typedef const struct probe_tls *probe_tls_f(void *arg);

/* why: one short sentence; NULL with PROBE_OK and PROBE_PUT_OFF. Must not free
 * the probe. */
typedef void probe_done_f(enum probe_result result, const char *why, void *arg);

struct probe_options {
	struct probes *probes;
	const struct model_health_check *check; /* outlives it */
	const struct addr *addr;
	const char *host;        /* as struct endpoint has it */
	const char *server_name; /* that TLS asks for, or "": host */
	probe_tls_f *tls;        /* NULL: TLS is not spoken */
	void *tls_arg;
	probe_done_f *done;
	void *arg;
};

struct probe *probe_new(const struct probe_options *options);
/* Not while it is being answered; done may be called before it returns. */
void probe_ask(struct probe *p);
void probe_free(struct probe *p); /* what was asked is forgotten */

#endif
