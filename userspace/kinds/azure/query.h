/*
 * The parameter "code" of a query: where a functions host takes a key from as
 * well as from x-functions-key. A client must not choose the key, nor see one,
 * so it goes no way, nor into a log. Names are compared as the host does:
 * percent-decoded and without case. Pure.
 */
#ifndef KINDS_AZURE_QUERY_H
#define KINDS_AZURE_QUERY_H

#include <stdbool.h>

#include "base/str.h"

/* Whether "name=value", or a name alone, is it. */
bool azure_query_is_code(struct slice parameter);
/* The query without it, appended. false: nothing is left of it. */
bool azure_query_strip(struct slice query, struct str *out);
/* The value of a Location with that done to its query, appended. */
void azure_location_strip(struct slice location, struct str *out);

#endif
