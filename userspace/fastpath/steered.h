/*
 * The services that XDP steers: what was asked for beside what the kernel
 * holds, and the steps that bring the one to the other. What time brings is in
 * tending.h.
 */
#ifndef FASTPATH_STEERED_H
#define FASTPATH_STEERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/backends.h"
#include "fastpath/ring_map.h"
#include "fastpath/rows.h"
#include "fastpath/service.h"
#include "fastpath/sets.h"
#include "fastpath/sweep.h"
#include "fastpath/tx.h"

/* A way that was asked for to judge a backend, to be used to fill it. */
struct found {
	struct addr to;
	struct way way;
};

struct service {
	struct service_conf *wanted; /* asked for last; NULL: it is to go */
	struct service_conf *usable; /* wanted without the backends that XDP
					cannot send to, of the last judgement;
					NULL: there was none */
	struct service_conf *conf;   /* that the maps were filled from; NULL:
					nothing is there, or what a former
					daemon left */
	bool accepted;  /* usable is right */
	bool published; /* gg_vip is to name it; then conf is not NULL */
	bool filled;    /* the maps hold conf, whole, and it was right */
	uint64_t changes; /* how often they were brought to another */
	size_t found, found_end; /* its own in steered.found, to be used */
	struct ring_map ring;
	uint64_t given; /* hash of what the ring was built from; 0: unknown */
	uint32_t moved, pinned; /* slots of the ring */
	uint64_t window_look_ms; /* when a window may be over */
	uint8_t *candidates; /* pinned slots that the walk may settle; NULL */
	uint64_t kept, nat, nat_expired; /* connections */
	char problem[256];
};

struct steered {
	struct sets *sets;
	struct service list[GG_SLOTS_MAX]; /* by slot */
	bool wanted; /* they were asked for since the start */
	bool restored;
	/* What the owner keeps up to date. */
	const struct fastpath_listener *listeners;
	size_t listener_count;
	struct tx attached; /* interfaces that run the program */
	struct tx native;   /* those in native mode */
	bool generic;       /* one of them in generic mode */
	/* What services were filled for. */
	size_t filled_sets;
	bool filled_generic;
	struct tx filled_attached;
	struct found *found; /* of this commit, by service, in its order */
	size_t found_count, found_room;
	struct backends backends;
	struct rows rows;
	struct tx tx;
	int netlink; /* -1: not open */
	uint16_t way_next; /* whose way is looked at next */
	bool routes_changed, listeners_changed; /* since the last tick */
	bool ways_moved; /* gg_tx and gg_reverse have to follow */
	struct sweep sweep;
	uint64_t sweep_ms; /* when the walk began; 0: never */
	uint32_t kept_seen[GG_BACKENDS_MAX], nat_seen[GG_BACKENDS_MAX];
};

/* The pointer stays the caller's and must outlive it. */
void steered_init(struct steered *s, struct sets *sets);
/* The kernel keeps what it has. */
void steered_fini(struct steered *s);

/* Copies; -1: a slot is out of range or given twice. */
int steered_want(struct steered *s, const struct fastpath_service *set,
	size_t count, struct error *err);

/* ---- from wanted to done, in this order */

/* Opens what is needed and reads back what a former daemon left. */
int steered_open(struct steered *s, struct error *err);
/* Which are right; what is wrong with the others, the first into err. */
void steered_judge(struct steered *s, struct error *err);
/* True: some whose address or mode changed are published no more; first gg_vip
 * and steered_drop(), before they are filled anew. */
bool steered_withdraw(struct steered *s);
/* Rings, backends and all else that gg_vip is about to lead to. Then gg_vip. */
void steered_fill(struct steered *s, uint64_t now_ms, struct error *err);
/* What gg_vip does not name any more. */
void steered_drop(struct steered *s);

/* What gg_vip is to name. */
size_t steered_published(const struct steered *s,
	const struct service_conf *list[GG_SLOTS_MAX]);
/* GG_CFG_* that they need. */
uint32_t steered_flags(const struct steered *s);
/* It is asked for as it was the last time, when it was right and filled. */
bool steered_stands(const struct service *service);
/* What is wrong with one, beside those that were accepted. Leaves out of conf
 * the backends that XDP cannot send to, unless that is all of them. */
int steered_judge_one(struct steered *s, struct service_conf *conf,
	struct service_left *left, struct error *err);

/* ---- pieces */

/* Gives the slots of the ring, which is new or stands, to the open backends. */
void steered_give_ring(struct steered *s, struct service *service,
	bool fresh, uint64_t now_ms);
/* Counts who has which slots of the ring. */
void steered_count_ring(struct steered *s, uint32_t slot);
/* Packets can go that way in the mode of the service; -1: err says why not. */
int steered_way_check(const struct service_conf *conf, const struct addr *to,
	const struct way *way, struct error *err);
/* The next hop of a backend, whole: the route as well, as they are now. */
void steered_look_way(struct steered *s, uint16_t index, bool whole,
	uint64_t now_ms);
/* Gives the index free. */
void steered_release(struct steered *s, uint16_t index);
/* For when all are in use: gives those free that were removed before a packet
 * was sent there, so that no connection can be theirs. Returns how many. */
uint32_t steered_reclaim(struct steered *s);
/* gg_reverse and gg_tx, to what the backends need. */
int steered_sync_ways(struct steered *s, struct error *err);

#endif
