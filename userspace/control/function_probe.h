/*
 * Probes: kinds with functions ask whether all that an upstream needs is
 * permitted (kind->probe), for `glooctl check lambda|azure`. One at a time for
 * each upstream; who asks meanwhile gets what the running one finds.
 *
 * Answers {"findings": [{"level", "sentence"}]}, level being one of ok, note,
 * warning, error: when the kind is done, or after FUNCTION_PROBE_MS what was
 * found until then and that it is not all.
 */
#ifndef CONTROL_FUNCTION_PROBE_H
#define CONTROL_FUNCTION_PROBE_H

#include "control/core.h"
#include "model/kind.h"
#include "net/http_server.h"

#define FUNCTION_PROBE_MS 30000

struct function_probes;
struct object;

struct function_probes *function_probes_new(struct control *c);
/* Whoever waits is told that the gateway stops. NULL is fine. */
void function_probes_free(struct function_probes *all);

/* Of the upstream o, whose kind has probe; state: of its watch. problem: what
 * is known to be wrong already, or NULL. Answers r, now or later. */
void function_probe_run(struct function_probes *all, const struct object *o,
	void *state, const char *problem, struct http_server_request *r);
/* The upstream of that key ("namespace/name") is not watched any more: the kind
 * is not going to say anything. */
void function_probe_give_up(struct function_probes *all, const char *key);

#endif
