/*
 * What calls need to know of their destinations: made of the bytes in images,
 * by the dialect of the upstream's kind. One for each content, kept from one
 * generation to the next and shared by the workers, who never change it.
 * Private to proxy/.
 */
#ifndef PROXY_CALL_TARGET_H
#define PROXY_CALL_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct call_targets;
struct dialect;
struct upstream_kind;

/* Of the main thread and of the generations that it has. */
struct call_target {
	uint32_t refs;
	const struct dialect *dialect; /* NULL: its kind has none */
	void *made;    /* of target_new; NULL: nothing is called */
	char *problem; /* then: why, one sentence */
	size_t request_max, answer_max;
};

/* kinds: the table of main. */
struct call_targets *call_targets_new(const struct upstream_kind *const *kinds);
void call_targets_free(struct call_targets *t);
/* With a reference for the caller. One that cannot be made is no less one: it
 * says why. */
struct call_target *call_targets_get(
	struct call_targets *t, struct slice kind, struct slice settings);
/* Those that nobody but us has any more go. */
void call_targets_trim(struct call_targets *t);
void call_target_unref(struct call_target *t); /* NULL is fine */

#endif
