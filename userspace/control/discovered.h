/*
 * Upstreams that a kind found. Each is stored like an operator's own; what the
 * operator changed or added in it stays when discovery says something new,
 * which is found by comparing with what discovery said before (on disk:
 * state/discovered/). One without its label discovered_by is the operator's.
 */
#ifndef CONTROL_DISCOVERED_H
#define CONTROL_DISCOVERED_H

#include <stdbool.h>
#include <stddef.h>

#include "control/program.h"

struct discovered;

/* Knows what the disk remembers; that counts as not found yet. */
struct discovered *discovered_new(struct program *p);
void discovered_free(struct discovered *d);

/* As upstream_found of struct kind_program; takes doc. What could not be
 * stored is tried again by discovered_look. */
int discovered_found(
	struct discovered *d, struct doc *doc, struct error *err);
void discovered_gone(struct discovered *d, const char *name);
/* As upstream_said of struct kind_program. */
const struct doc *discovered_said(
	const struct discovered *d, const char *name);
/* As upstreams_settled of struct kind_program. */
void discovered_settled(
	struct discovered *d, kind_settled_f *settled, void *arg);
/* The kind is opened again: nothing is found yet. */
void discovered_again(struct discovered *d);
/* Once a second. */
void discovered_look(struct discovered *d);
/* The upstream was removed by hand. True: it was discovered and is back, as
 * discovery says it. */
bool discovered_come_back(
	struct discovered *d, const char *ns, const char *name);
/* Is o left alone when discovery finds its name? Then why. label: what
 * discovered_by says of what was found; NULL: nothing. */
bool discovered_is_left_alone(
	const struct object *o, const char *label, struct error *err);

size_t discovered_count(const struct discovered *d);

#endif
