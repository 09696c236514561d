/*
 * The functions of one upstream, by name, as its discovery reported them last.
 * Which there are may not be known: then nothing is said of a name.
 */
#ifndef CONTROL_FUNCTIONS_H
#define CONTROL_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/doc.h"

struct functions;

#define FUNCTIONS_KEPT_MAX 65536 /* of one upstream */

struct functions *functions_new(void);
void functions_free(struct functions *f); /* NULL is fine */

/* names: sorted, copied; NULL: it is not known which there are. False: so it
 * was before. */
bool functions_replace(
	struct functions *f, const char *const *names, size_t count);
/* Sorted; NULL: not known. Valid until they are replaced. Entries that end with
 * '*' are no names (functions_replace of struct kind_host). */
const char *const *functions_get(const struct functions *f, size_t *count);
bool functions_is_name(const char *entry);
/* A list of texts; NULL: not known. */
struct doc *functions_print(const struct functions *f);
/* As functions_print made it; what is no text is left out, NULL is fine. */
void functions_restore(struct functions *f, const struct doc *names);

#endif
