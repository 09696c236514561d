/*
 * What an API server's answers to a list or a watch mean, and the events of a
 * watch (kubernetes.io/docs/reference/using-api/api-concepts). Pure: it says
 * nothing of what is done then. Private to reflector.
 */
#ifndef KINDS_KUBERNETES_VERDICT_H
#define KINDS_KUBERNETES_VERDICT_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/str.h"
#include "kinds/kubernetes/api.h"

enum verdict {
	VERDICT_ENDED,   /* none came; or 200, and it is over or was torn */
	VERDICT_MISSING, /* 404: no such resource; it alone proves nothing */
	VERDICT_EXPIRED, /* the version, or what a page goes on from */
	/* The version is of a future that this server has not seen (a restored
	 * etcd, a cache that lags behind). */
	VERDICT_FUTURE,
	VERDICT_FORBIDDEN, /* a rule is missing */
	VERDICT_REFUSED,   /* not as it was asked */
	VERDICT_BROKEN,    /* the server's own failure */
	VERDICT_FAILED,    /* anything else */
};

enum verdict verdict_of(const struct kubernetes_answer *a);
/* The end of a WatchList: the server knows none, and is to be asked by a list.
 * opened: it had been answered with 200. */
bool verdict_no_watch_list(const struct kubernetes_answer *a, bool opened);
/* Two problems are one but for how long it took, as libcurl tells. */
bool verdict_same_problem(const char *one, const char *other);

enum event {
	EVENT_PUT, /* added, or modified */
	EVENT_DELETED,
	EVENT_BOOKMARK,
	EVENT_ERROR,
	EVENT_UNKNOWN,
};

enum event event_read(const struct doc *event);
/* The object of an event ERROR, as the answer that it stands for. problem is
 * appended to; it and status must outlive the answer. */
struct kubernetes_answer event_error(const struct kubernetes_api *api,
	const struct doc *status, struct str *problem);
/* The object of a bookmark: a WatchList has said its whole set. */
bool event_is_initial_end(const struct doc *object);

#endif
