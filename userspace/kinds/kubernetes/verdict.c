/* What an API server's answers to a list or a watch mean. */
#include "kinds/kubernetes/verdict.h"

#include <string.h>

#include "base/mem.h"

#define INITIAL_END "k8s.io/initial-events-end"

static bool
is_expired(const struct kubernetes_answer *a)
{
	return a->status == 410 || strcmp(a->reason, "Expired") == 0 ||
	       strcmp(a->reason, "Gone") == 0;
}

static bool
is_from_future(const struct kubernetes_answer *a)
{
	const struct doc *causes = doc_find(a->doc, "details", "causes", NULL);

	for (size_t i = 0; i < doc_count(causes); i++)
		if (strcmp(doc_get_text(doc_at(causes, i), "reason"),
			    "ResourceVersionTooLarge") == 0)
			return true;
	return false;
}

enum verdict
verdict_of(const struct kubernetes_answer *a)
{
	if (a->status == 404)
		return VERDICT_MISSING;
	if (is_expired(a))
		return VERDICT_EXPIRED;
	if (is_from_future(a))
		return VERDICT_FUTURE;
	switch (a->status) {
	case 0:
	case 200:
		return VERDICT_ENDED;
	case 403:
		return VERDICT_FORBIDDEN;
	case 400:
	case 422:
		return VERDICT_REFUSED;
	default:
		return a->status >= 500 ? VERDICT_BROKEN : VERDICT_FAILED;
	}
}

bool
verdict_no_watch_list(const struct kubernetes_answer *a, bool opened)
{
	/* Refused with 400 or 422, or with 500 within the stream (an etcd that
	 * tells no progress); or it ended before it had begun. */
	return a->problem == NULL || a->status == 400 || a->status == 422 ||
	       (a->status == 500 && opened);
}

bool
verdict_same_problem(const char *one, const char *other)
{
	static const char after[] = "after ", digits[] = "0123456789";
	const size_t length = sizeof(after) - 1;

	while (*one != '\0' && *one == *other) {
		if (strncmp(one, after, length) == 0 &&
			strncmp(other, after, length) == 0) {
			one += length;
			one += strspn(one, digits);
			other += length;
			other += strspn(other, digits);
		} else {
			one++;
			other++;
		}
	}
	return *one == *other;
}

enum event
event_read(const struct doc *event)
{
	static const struct {
		const char *type;
		enum event event;
	} types[] = {
		{ "ADDED", EVENT_PUT },
		{ "MODIFIED", EVENT_PUT },
		{ "DELETED", EVENT_DELETED },
		{ "BOOKMARK", EVENT_BOOKMARK },
		{ "ERROR", EVENT_ERROR },
	};
	const char *type = doc_get_text(event, "type");

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return types[i].event;
	return EVENT_UNKNOWN;
}

struct kubernetes_answer
event_error(const struct kubernetes_api *api, const struct doc *status,
	struct str *problem)
{
	str_puts(problem, "the watch ended with an error: ");
	kubernetes_status_describe(status, "of unknown sort", problem);
	return (struct kubernetes_answer){
		.status = (int)doc_get_integer(status, "code"),
		.doc = status,
		.problem = problem->data,
		.reason = doc_get_text(status, "reason"),
		.retry_after_ms = kubernetes_status_retry_after_ms(api, status),
	};
}

bool
event_is_initial_end(const struct doc *object)
{
	const struct doc *notes =
		doc_find(object, "metadata", "annotations", NULL);

	return strcmp(doc_get_text(notes, INITIAL_END), "true") == 0;
}
