/* The files of the store and what becomes of them: all of them at start, those
 * that other hands changed since. */
#ifndef CONTROL_FILES_H
#define CONTROL_FILES_H

#include "base/error.h"
#include "control/core.h"

/* The whole store. What is wrong is Rejected, and its last good version is
 * used; first: an empty store is given the default gateway. */
int files_load(struct control *c, bool first, struct error *err);
/* As above, only looking: the folder may be another daemon's. */
int files_look(struct control *c, const char *root, struct error *err);
/* Something below the store changed. */
void files_changed(struct control *c);
/* Looks at every file again. */
void files_again(struct control *c);

#endif
