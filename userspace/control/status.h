/* What is said about an object: state, reason, and where it is enforced. */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include <stdint.h>

#include "base/doc.h"
#include "control/core.h"

enum status_state {
	STATUS_ACCEPTED,
	STATUS_WARNING,
	STATUS_REJECTED,
	STATUS_PENDING,
};

struct status {
	enum status_state state;
	char *reason; /* never NULL after status_init */
	int line;
	uint64_t generation;
	const char *proxy;  /* "enforced", "pending", "down" */
	const char *kernel; /* "off", "enforced", "pending", "failed" */
};

const char *status_state_name(enum status_state state);
/* generation: the one that has what is asked about; 0: the object's newest. */
void status_init(struct status *s, const struct control *c,
	const struct object *o, uint64_t generation);
void status_fini(struct status *s);

/* Where a generation stands. */
const char *status_proxy(const struct control *c, uint64_t generation);
const char *status_kernel(const struct control *c);
/* "gg0: native", of all interfaces; the caller frees. */
char *status_interfaces(const struct control *c);
/* Why the gateway is not ready, one sentence; NULL: it is. */
const char *status_not_ready(const struct control *c, char *out, size_t size);

/* The document of the object with its status; no value of a secret. */
struct doc *status_document(
	const struct control *c, const struct object *o, uint64_t generation);

#endif
