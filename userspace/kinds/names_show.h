/* A DNS name that is kept resolved, for people. Private to kinds/. */
#ifndef KINDS_NAMES_SHOW_H
#define KINDS_NAMES_SHOW_H

#include "base/doc.h"
#include "net/watched_name.h"

/* Adds to a list of "names": to how many addresses it leads, for how long, when
 * it is asked for again, and what is wrong since when. */
void names_show_add(
	struct doc *names, const char *name, const struct watched_state *state);

#endif
