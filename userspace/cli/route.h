/* Routes of a virtual service, as documents: the list, its order. */
#ifndef CLI_ROUTE_H
#define CLI_ROUTE_H

#include "base/doc.h"
#include "base/error.h"
#include "cli/command.h"

/* virtualHost.routes, made if there is none. */
struct doc *route_list(struct doc *virtual_service);
/* A route out of the flags of `add route`; NULL and err. */
struct doc *route_from_flags(const struct cli *cli, struct error *err);

/*
 * Puts the more specific routes first: exact paths, then by the length of the
 * text that a path has to begin with, longest first; of equal ones a regex
 * before the prefix, which takes all that the regex does, then the longer
 * regex, then the one whose case counts, then the one with methods, more
 * headers, more query parameters. A route with several matchers stands where
 * its widest matcher does. How many stand elsewhere now.
 */
size_t route_sort(struct doc *routes);

#endif
