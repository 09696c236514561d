/*
 * The active health check of one endpoint: when it is asked, and how many
 * answers in a row turn its state (rise and fall). The first answer decides at
 * once, and so does an HTTP 503; before it the state is as it was given.
 */
#ifndef CONTROL_CHECKER_H
#define CONTROL_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "control/probe.h"
#include "model/model.h"

struct checker;
struct loop;

struct checker_counts { /* of all endpoints of an upstream */
	uint64_t ok, failed, put_off;
};

typedef void checker_changed_f(void *arg); /* must not free the checker */

struct checker_options {
	struct loop *loop;
	struct probes *probes;
	const struct model_health_check *check; /* outlives it */
	const struct addr *addr;
	const char *host;   /* as struct endpoint has it */
	const char *server_name; /* as for the probe, with the next two */
	probe_tls_f *tls;
	void *tls_arg;
	bool up;            /* until the first answer */
	uint64_t spread_ms; /* the first question comes within that time */
	struct checker_counts *counts;
	checker_changed_f *changed;
	void *arg;
};

struct checker *checker_new(const struct checker_options *options);
void checker_free(struct checker *c);

bool checker_is_up(const struct checker *c);
const char *checker_why(const struct checker *c); /* NULL while up */

#endif
