/*
 * Writes what became of an object into its status: one merge-patch of the
 * status subresource for one change of what there is to say, none for what the
 * object says already. Objects wait in the order in which they became due, each
 * once; only a leader writes, one call at a time.
 */
#ifndef KINDS_KUBERNETES_STATUS_H
#define KINDS_KUBERNETES_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "kinds/kubernetes/cluster.h"

struct kubernetes_lease;
struct kubernetes_status;

/* Below what the API allows, so that lists and watches never wait for it: so
 * many writes a second after so many at once. */
#define KUBERNETES_STATUS_PER_S 3
#define KUBERNETES_STATUS_BURST 5
/* What is not decided for so long is worth saying. */
#define KUBERNETES_STATUS_PENDING_MS 1000
/* Somebody else's hand in a status is answered once in that time, so that two
 * who disagree do not keep each other busy. */
#define KUBERNETES_STATUS_AGAIN_MS 60000

struct kubernetes_said {
	const char *state;      /* "Accepted", "Warning", "Rejected", "Pending" */
	const char *reason;     /* "": none */
	const char *by;         /* reportedBy */
	uint64_t generation;    /* observedGeneration */
};

/* lease: asked before each write; outlives the writer. Tells the program of
 * failures as its part "status". */
struct kubernetes_status *kubernetes_status_new(
	struct kubernetes_cluster *c, const struct kubernetes_lease *lease);
void kubernetes_status_free(struct kubernetes_status *s);

/* path: of the object, "/apis/gateway.solo.io/v1/namespaces/...". It is of that
 * generation now and has that status (NULL: none). With another uid it is
 * another object: what was wanted of the old one is forgotten. */
void kubernetes_status_seen(struct kubernetes_status *s, const char *path,
	const char *uid, uint64_t generation, const struct doc *status);
/* That is to be its status. Only of objects that were seen; nothing is written
 * that is of an older generation than the object. */
void kubernetes_status_want(struct kubernetes_status *s, const char *path,
	const struct kubernetes_said *said);
void kubernetes_status_forget(struct kubernetes_status *s, const char *path);
/* Begins to lead: all that differs is written; or ends. */
void kubernetes_status_lead(struct kubernetes_status *s, bool leads);

#endif
