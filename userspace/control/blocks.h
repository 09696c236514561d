/*
 * Sources that went on far beyond a rate limit and are blocked for a while at
 * the listener where they did: new connections are dropped by the kernel, or,
 * where it runs no program of ours, reset by the proxy, which also closes those
 * that are open. They come back by themselves.
 */
#ifndef CONTROL_BLOCKS_H
#define CONTROL_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/str.h"
#include "control/core.h"
#include "model/wire.h"

struct blocks;

struct blocks *blocks_new(struct control *c);
void blocks_free(struct blocks *b);
/* What a proxy says of a source (untrusted). */
void blocks_far_beyond(struct blocks *b, const struct wire_message *m);
/* Each second: whose time is over comes back. */
void blocks_look(struct blocks *b);
/* The slot is free for another listener. */
void blocks_slot_closed(struct blocks *b, uint32_t slot);
/* A new proxy is told. */
void blocks_send(const struct blocks *b);
/* For /v1/blocked. */
struct doc *blocks_print(const struct blocks *b);
void blocks_metrics(const struct blocks *b, struct str *out);

#endif
