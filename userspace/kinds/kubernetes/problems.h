/*
 * What is wrong with single objects, gathered into one condition of the
 * program: so many, and the first of them. Each is logged when it comes.
 */
#ifndef KINDS_KUBERNETES_PROBLEMS_H
#define KINDS_KUBERNETES_PROBLEMS_H

#include <stddef.h>

#include "model/kind.h"

#define KUBERNETES_PROBLEMS_MAX 1024 /* kept; more are counted only */

struct kubernetes_problems;

/* part: of the condition; what: "objects are passed over". */
struct kubernetes_problems *kubernetes_problems_new(
	struct kind_program *program, const char *part, const char *what);
void kubernetes_problems_free(struct kubernetes_problems *p);
/* text NULL or "": nothing is wrong with it (any more). */
void kubernetes_problems_set(
	struct kubernetes_problems *p, const char *key, const char *text);
size_t kubernetes_problems_count(const struct kubernetes_problems *p);

#endif
