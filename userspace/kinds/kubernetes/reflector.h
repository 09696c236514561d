/*
 * Follows all objects of one sort: list, then watch, for ever (client-go's
 * reflector; kubernetes.io/docs/reference/using-api/api-concepts: list and
 * watch). Keeps no object, only their names and versions; what it says is
 * always a difference, so nothing is ever emptied by a failure or a relist.
 */
#ifndef KINDS_KUBERNETES_REFLECTOR_H
#define KINDS_KUBERNETES_REFLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "kinds/kubernetes/api.h"

struct kubernetes_reflector;

/* The times that it goes by, in milliseconds. */
struct kubernetes_times {
	uint64_t backoff_min, backoff_max; /* doubles in between, full jitter */
	uint64_t backoff_reset; /* without a failure: it begins anew */
	uint64_t recovery; /* until it is asked again that could not be reached */
	uint64_t absent;        /* until it is asked for again */
	uint64_t short_watch;   /* shorter, and without an event: an error */
	uint64_t head; /* until a watch is answered, since it was sent */
	uint64_t watch_min, watch_max; /* timeoutSeconds, at random */
	uint64_t watch_grace;   /* then we end the watch */
	uint64_t list_idle;     /* without a byte of a page of a list */
	uint64_t list_total;    /* for a page */
	uint64_t initial_idle;  /* without an event of a WatchList */
};
extern const struct kubernetes_times kubernetes_times_usual;

struct kubernetes_collection {
	const char *group;           /* "discovery.k8s.io"; "": core */
	const char *const *versions; /* the best first: "v1", "v1beta1", NULL */
	const char *plural;          /* "endpointslices" */
	const char *ns;              /* NULL: all */
	const char *labels;          /* label selector, or NULL */
	const char *fields;          /* field selector, or NULL */
	bool hidden;                 /* nothing of an object may be logged */
	const struct kubernetes_times *times; /* NULL: kubernetes_times_usual */
};

enum kubernetes_state {
	KUBERNETES_BEGINNING, /* nothing was heard yet */
	KUBERNETES_CURRENT,
	KUBERNETES_STALE,     /* cannot be asked now; what was said holds */
	KUBERNETES_FORBIDDEN, /* a rule is missing: reason says which */
	KUBERNETES_ABSENT,    /* the server has no such resource (any more) */
};

/* None of them may free the reflector. */
struct kubernetes_reflector_events {
	/* New or changed. version: the API version that it is of. */
	void (*put)(const struct doc *object, const char *version, void *arg);
	/* ns is "" where there is none. */
	void (*gone)(const char *ns, const char *name, void *arg);
	/* All that is there was said (again, after a relist). whole: nothing on
	 * the list was passed over; otherwise what was not said may be there
	 * all the same. Where the server has no such resource (state told that)
	 * it is called, with whole, if it never was before; what was said
	 * before is said to be gone then. That takes a server that answers in
	 * full what it has, and is never done by an error. The state that goes
	 * with it was told before. */
	void (*settled)(bool whole, void *arg);
	/* It is another one now, or the same for another reason, but for how
	 * long that took. reason: "" of CURRENT. Worth a line in the log. */
	void (*state)(enum kubernetes_state state, const char *reason,
		void *arg);
};

struct kubernetes_reflector_counts {
	uint64_t lists;   /* whole sets asked for, WatchLists among them */
	uint64_t watches; /* from a version on */
	uint64_t events;
	uint64_t skipped; /* objects that are too large or none */
	uint64_t last_event_ms; /* monotonic; bookmarks too */
};

struct kubernetes_reflector *kubernetes_reflector_new(
	struct kubernetes_api *api, const struct kubernetes_collection *c,
	const struct kubernetes_reflector_events *events, void *arg);
void kubernetes_reflector_free(struct kubernetes_reflector *r);
void kubernetes_reflector_counts(const struct kubernetes_reflector *r,
	struct kubernetes_reflector_counts *out);
/* The callee forgot: all is listed anew and said again, soon. Also from within
 * a callback. */
void kubernetes_reflector_again(struct kubernetes_reflector *r);

#endif
