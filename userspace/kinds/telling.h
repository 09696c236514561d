/*
 * What an upstream's host was told last of how discovery goes, so that it is
 * told only what is another: a condition and a line of the log each. Private to
 * kinds/.
 */
#ifndef KINDS_TELLING_H
#define KINDS_TELLING_H

#include <stdbool.h>

#include "model/kind.h"

struct kind_telling {
	bool told;
	/* Problems have in them what a service says, with times and ids: one
	 * that differs in those alone is not told again. */
	bool quotes;
	char *problem, *note; /* NULL: none */
};

/* Both are taken; NULL: nothing. */
void kind_telling_set(struct kind_telling *t, struct kind_host *host,
	char *problem, char *note);
/* Takes the note back. */
void kind_telling_fini(struct kind_telling *t, struct kind_host *host);

#endif
