/*
 * The proxy process: its own user, no capability, sandboxed. Runs until it is
 * told to drain, or its control has been gone for the orphan timeout.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdbool.h>

/* channel: the descriptor on which control speaks. unix_sockets: it may connect
 * to some. Returns the exit status. */
int proxy_main(int channel, bool unix_sockets);

#endif
