/*
 * Whose request it is: the peer of the connection, unless that is a trusted
 * proxy, which is the return value; then who it says in X-Forwarded-For, read
 * from the right past all that are trusted too. Private to proxy/.
 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include <stdbool.h>

#include "base/addr.h"
#include "http/head.h"

struct generation;

bool client_address(const struct generation *g, const struct addr *peer,
	const struct http_head *head, struct addr *out);

#endif
