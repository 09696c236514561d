/*
 * The proxy process: its own user, no capability, sandboxed. Runs until it is
 * told to drain, or its control has been gone for the orphan timeout.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdbool.h>

struct upstream_kind;

/* channel: the descriptor on which control speaks. unix_sockets: it may connect
 * to some. kinds: for their dialects. Returns the exit status. */
int proxy_main(int channel, bool unix_sockets,
	const struct upstream_kind *const *kinds);

#endif
