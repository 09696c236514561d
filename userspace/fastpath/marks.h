/*
 * The marks of the sources that may have an entry (gg_mark). The kernel's
 * program sets them and forgets entries without a word, so the marks grow until
 * they are made anew from what the tables hold: at no moment is a source that
 * has an entry without its mark.
 */
#ifndef FASTPATH_MARKS_H
#define FASTPATH_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/maps.h"

struct fastpath;

/* Makes the marks anew when there are many more than there were after the last
 * time. To be called now and then; it looks once a minute. */
void fastpath_marks_look(struct fastpath *f, uint64_t now_ms);

/* Sets the marks of all entries. */
int marks_fill(const struct maps *m, struct error *err);
/* Leaves the marks of the entries alone. Of all processes one may do this at a
 * time. It waits for programs that run to end: some milliseconds. */
int marks_rebuild(const struct maps *m, struct error *err);
/* -1: they cannot be read. */
int64_t marks_count(const struct maps *m);

#endif
