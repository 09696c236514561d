/*
 * The answer on its way from the upstream to the client: its head is parsed
 * and written anew, its body follows as it comes. Private to proxy/.
 */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct exchange;

/* False: the client has enough to read for now. */
bool answer_is_wanted(const struct exchange *x);
/* How many of these bytes were taken; the exchange may be over then. */
size_t answer_take(struct exchange *x, const char *bytes, size_t length);
/* The upstream's connection is over. */
void answer_ended(struct exchange *x);

#endif
