/*
 * The host names that instances of one upstream have for an address, each kept
 * resolved as long as an instance has it. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_NAMES_H
#define KINDS_CONSUL_NAMES_H

#include "base/doc.h"
#include "net/watched_name.h"

#define CONSUL_NAMES_MAX 1024 /* of one upstream */

struct consul_names;

/* changed: something about one of them; never called before get returned. */
struct consul_names *consul_names_new(
	struct resolver *resolver, void (*changed)(void *arg), void *arg);
void consul_names_free(struct consul_names *n);
/* Between begin and end each that is wanted is got; the others go. */
void consul_names_begin(struct consul_names *n);
void consul_names_end(struct consul_names *n);
/* Valid until the loop runs again. NULL: they would be too many. */
const struct watched_state *consul_names_get(
	struct consul_names *n, const char *host);
/* The same if it is wanted, else NULL. */
const struct watched_state *consul_names_find(
	const struct consul_names *n, const char *host);
/* Adds each to a list of "names". */
void consul_names_show(const struct consul_names *n, struct doc *to);

#endif
