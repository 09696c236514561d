/*
 * The proxy process and those that went before it: adopts the running one,
 * starts one, tells it what it needs, starts another when it dies, drains.
 * Everything that a proxy says is untrusted.
 */
#ifndef CONTROL_SUPERVISE_H
#define CONTROL_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/core.h"
#include "model/counters.h"
#include "model/endpoint.h"

struct supervisor;

struct supervisor *supervisor_new(struct control *c);
void supervisor_free(struct supervisor *s); /* the proxy goes on */
/* Looks for a running proxy; control_settle is called when that is known. */
void supervisor_find(struct supervisor *s);
/* After control_settle: starts a proxy unless one was adopted. */
int supervisor_start(struct supervisor *s, struct error *err);

/* None of these does anything while there is no proxy to be told; a new one
 * is told everything. */
void supervisor_send_generation(struct supervisor *s);
void supervisor_send_settings(struct supervisor *s);
void supervisor_send_access_log(struct supervisor *s);
void supervisor_send_log_level(struct supervisor *s);
/* True: it was sent. */
bool supervisor_send_endpoints(struct supervisor *s, uint32_t id,
	uint64_t version, const struct endpoint *set, size_t count);
void supervisor_send_health(
	struct supervisor *s, uint32_t id, const struct endpoint *e);
void supervisor_send_forget(struct supervisor *s, uint32_t id);
/* fd: struct wire_material and its bytes. True: it was sent. */
bool supervisor_send_material(
	struct supervisor *s, uint64_t number, int fd, uint32_t length);
void supervisor_send_material_forget(struct supervisor *s, uint64_t number);
/* fd: length bytes, or -1 and 0: there are none any more. kind: the key of the
 * upstream's kind. True: it was sent. */
bool supervisor_send_credentials(struct supervisor *s, uint32_t id,
	const char *kind, int fd, uint32_t length);
void supervisor_send_close(struct supervisor *s, uint32_t slot);
/* Connections of addr to the slot end, and no new ones are taken for ms. */
void supervisor_send_block(struct supervisor *s, uint32_t slot,
	const struct addr *addr, uint32_t ms);

/* All proxies finish what they have; control_ended when the last is gone.
 * Called again: they are ended at once. */
void supervisor_drain(struct supervisor *s, uint64_t deadline_ms);

struct supervisor_view {
	pid_t pid;           /* 0: none runs */
	uint64_t generation; /* that all its workers run */
	uint32_t workers;
	uint64_t restarts; /* since control started */
	size_t draining;   /* older proxies */
	bool adopted;
	const char *problem; /* why there is none, or why it refused, or NULL */
};

void supervisor_view(const struct supervisor *s, struct supervisor_view *out);
void supervisor_sum_listener(const struct supervisor *s, uint32_t slot,
	struct counters_listener *out);
void supervisor_sum_upstream(
	const struct supervisor *s, uint32_t id, struct counters_upstream *out);

#endif
