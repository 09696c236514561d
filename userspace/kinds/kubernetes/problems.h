/*
 * What is wrong with single objects, gathered into one condition of the
 * program: the first of them, and how many more there are. Each is logged when
 * it comes.
 */
#ifndef KINDS_KUBERNETES_PROBLEMS_H
#define KINDS_KUBERNETES_PROBLEMS_H

#include "model/kind.h"

#define KUBERNETES_PROBLEMS_MAX 1024 /* kept; further ones are not */

struct kubernetes_problems;

/* part: of the condition. */
struct kubernetes_problems *kubernetes_problems_new(
	struct kind_program *program, const char *part);
void kubernetes_problems_free(struct kubernetes_problems *p);
/* text: a sentence that names the object; NULL or "": nothing is wrong with it
 * (any more). */
void kubernetes_problems_set(
	struct kubernetes_problems *p, const char *key, const char *text);

#endif
