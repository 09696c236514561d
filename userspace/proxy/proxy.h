/*
 * The proxy process: its own user, no capability, sandboxed. Runs until it is
 * told to drain, or its control has been gone for the orphan timeout.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

/* channel: the descriptor on which control speaks. Returns the exit status. */
int proxy_main(int channel);

#endif
