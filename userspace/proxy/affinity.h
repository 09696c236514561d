/*
 * What a route's lbHash makes of a request: the hash that leads it to the same
 * endpoint as others like it, and the cookie that brings a client back.
 * Private to proxy/.
 */
#ifndef PROXY_AFFINITY_H
#define PROXY_AFFINITY_H

#include "base/str.h"
#include "http/head.h"

struct exchange;

/* Fills in x->hash and x->hashed, and x->cookie if one is to be set. */
void affinity_find(struct exchange *x, const struct http_head *head);
/* The value of Set-Cookie for x->cookie, appended to out. */
void affinity_cookie_print(const struct exchange *x, struct str *out);

#endif
