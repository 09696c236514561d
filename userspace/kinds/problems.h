/*
 * What is wrong with single objects, gathered into one condition of the
 * program: the first of them, and how many more there are. Each is logged when
 * it comes. Private to kinds/.
 */
#ifndef KINDS_PROBLEMS_H
#define KINDS_PROBLEMS_H

#include "model/kind.h"

#define KIND_PROBLEMS_MAX 1024 /* kept; further ones are not */

struct kind_problems;

/* part: of the condition. who: begins the lines of the log. Both are kept. */
struct kind_problems *kind_problems_new(struct kind_program *program,
	const char *part, const char *who);
void kind_problems_free(struct kind_problems *p);
/* text: a sentence that names the object; NULL or "": nothing is wrong with it
 * (any more). */
void kind_problems_set(
	struct kind_problems *p, const char *key, const char *text);

#endif
