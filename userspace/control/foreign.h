/*
 * Resources of another store, which a kind puts: enforced like our own objects,
 * but not written to our store. What is enforced of them is remembered on disk
 * (state/resources/) for a start while the other store cannot be asked. Of two
 * of one name our own is served.
 */
#ifndef CONTROL_FOREIGN_H
#define CONTROL_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/program.h"

struct foreign;

/* Serves what the disk remembers; our own files must be read before. */
struct foreign *foreign_new(struct program *p);
void foreign_free(struct foreign *f);

/* As those of struct kind_program; takes d. */
void foreign_put(struct foreign *f, enum model_type type, const char *ns,
	const char *name, struct doc *d, uint64_t generation);
void foreign_remove(struct foreign *f, enum model_type type, const char *ns,
	const char *name);
void foreign_settled(struct foreign *f, enum model_type type);
/* The kind is opened again: nothing is put, nothing was told yet. */
void foreign_again(struct foreign *f);
/* The kind is not wanted any more: all of them go. */
void foreign_forget(struct foreign *f);

/* Tells the kind what is new of each: of those that wait for it, or of all. */
void foreign_judge(struct foreign *f, bool all);
/* Our own store has one of that name now; o is ours from then on. */
void foreign_displace(struct foreign *f, struct object *o);
/* No object has that name any more. True: one was held back and is served. */
bool foreign_take_place(struct foreign *f, enum model_type type, const char *ns,
	const char *name);

size_t foreign_count(const struct foreign *f);

#endif
