/*
 * What the members of a list and the events of a watch come to: the set of
 * objects as it was told, and whether that is all there is. What cannot be read
 * is passed over, and takes nothing away. Pure but for the log. Private to
 * reflector.
 */
#ifndef KINDS_KUBERNETES_INTAKE_H
#define KINDS_KUBERNETES_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

struct intake;

struct intake_events {
	void (*put)(const struct doc *object, void *arg);
	void (*gone)(const char *ns, const char *name, void *arg);
	void (*settled)(bool whole, void *arg);
};

/* name: of the sort, for the log; it must outlive the intake. hidden: nothing
 * of an object may be logged. */
struct intake *intake_new(const char *name, bool hidden,
	const struct intake_events *events, void *arg);
void intake_free(struct intake *in);

/* A whole set is asked for; what it has is collected aside. */
void intake_begin(struct intake *in);
/* object is taken. -1 and err: the set is too large to be collected. */
int intake_collect(
	struct intake *in, struct doc *object, size_t bytes, struct error *err);
void intake_uncollect(struct intake *in, const struct doc *object);
/* A member of a list that cannot be read; text: it, or its beginning. */
void intake_collect_unread(
	struct intake *in, struct slice text, const char *problem);
/* What was collected is the set. Whoever hears that it is settled wants to know
 * the state first: see intake_settle. */
void intake_swap(struct intake *in);
void intake_abandon(struct intake *in);
/* All that is there was said, but for what cannot be read. */
void intake_settle(struct intake *in);

/* What changed, by an event. */
void intake_change(struct intake *in, const struct doc *object, bool deleted);
/* An event that cannot be read, but which object it is of; aside: while a set
 * is collected. False: not that either. */
bool intake_unread(struct intake *in, const struct doc *object, bool aside,
	const char *problem);
/* Something was passed over; what was collected or told of it stays. */
void intake_pass_over(struct intake *in, const char *problem);
/* The same of an object whose name is known: nothing else is in doubt. */
void intake_pass_over_known(struct intake *in, const char *problem);

/* All are gone. */
void intake_empty(struct intake *in);
/* All are put again when they are met next. */
void intake_forget(struct intake *in);

/* What was told last was the whole set. */
bool intake_is_whole(const struct intake *in);
/* Something was passed over since the last set, and it is not known what. */
bool intake_is_in_doubt(const struct intake *in);
size_t intake_count(const struct intake *in);
uint64_t intake_skipped(const struct intake *in);

#endif
