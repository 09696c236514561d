/*
 * Names with values, as the fields and the query of a request are, on their way
 * into the maps of an event: a name that comes more than once is one key there.
 * Private to event_wrap.
 */
#ifndef KINDS_AWS_EVENT_PAIRS_H
#define KINDS_AWS_EVENT_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct event_pair {
	struct slice name, value;
	size_t place; /* in the request */
};

struct event_pairs {
	struct event_pair *at;
	size_t count, capacity;
	bool nocase;     /* names that differ by case alone are one */
	bool lower;      /* and are written in lower case */
	struct str text; /* of the query */
};

enum event_pairs_form {
	EVENT_PAIRS_LAST,    /* {"a":"2"} */
	EVENT_PAIRS_LISTS,   /* {"a":["1","2"]} */
	EVENT_PAIRS_JOINED,  /* {"a":"1,2"} */
	EVENT_PAIRS_SEVERAL, /* as LISTS, only names that come more than once */
};

void event_pairs_init(struct event_pairs *p);
void event_pairs_fini(struct event_pairs *p);
/* Borrows both. */
void event_pairs_add(
	struct event_pairs *p, struct slice name, struct slice value);
/* The parameters of a query, once; a name without "=" has the value "".
 * decoded: percent-codes and "+". What is no UTF-8 then is U+FFFD, so that
 * names which nobody could tell apart are one. */
void event_pairs_add_query(
	struct event_pairs *p, struct slice query, bool decoded);
/* The last value of a name, without case; data NULL: there is none. */
struct slice event_pairs_find(const struct event_pairs *p, const char *name);
/* Appends a JSON map, by name. Reorders p. */
void event_pairs_put(
	struct event_pairs *p, enum event_pairs_form form, struct str *out);

#endif
