/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits per source. Most sources are known to the sketch alone; one that used
 * a good part of its burst gets an entry of its own, which is exact. Every
 * bucket of every rule is looked at before anything is spent, so a refused
 * packet spends nothing.
 *
 * What is a function of its own and not static, the verifier looks at once and
 * for itself; such functions share numbers only, in struct limit_call.
 */
#ifndef BPF_LIMIT_H
#define BPF_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/bucket.h"
#include "bpf/contract.h"
#include "bpf/count.h"
#include "bpf/mark.h"
#include "bpf/parse.h"
#include "bpf/sketch.h"

/* What is returned instead of a reason to drop. */
#define LIMIT_ADMITTED  GG_REASON_COUNT
#define LIMIT_TRY_ENTRY (GG_REASON_COUNT + 1)

#define LIMIT_FRAME_MAX 65535

/* The buckets of a source, in the order of their reasons and notes. */
enum limit_kind {
	LIMIT_PACKETS,
	LIMIT_BYTES,
	LIMIT_CONNECTIONS,
	LIMIT_KINDS,
};

_Static_assert(GG_REASON_drop_limit_packets + LIMIT_BYTES ==
			GG_REASON_drop_limit_bytes &&
		GG_REASON_drop_limit_packets + LIMIT_CONNECTIONS ==
			GG_REASON_drop_limit_connections,
	"a reason for each kind, in this order");
_Static_assert(GG_NOTE_shadow_packets + LIMIT_BYTES == GG_NOTE_shadow_bytes &&
		GG_NOTE_shadow_packets + LIMIT_CONNECTIONS ==
			GG_NOTE_shadow_connections,
	"a note for each kind, in this order");

/* One of both is in use. */
struct limit_keys {
	struct gg_rl4_key v4;
	struct gg_rl6_key v6;
};

/* One packet before one rule. */
struct limit_call {
	__u64 ticks, fine; /* the clocks; fine is 0 until a rule asks for it */
	__u64 hash;        /* of the source, for the sketch */
	__u64 salt;        /* of that hash, in this epoch of the rules */
	__u64 from[2];     /* as the bytes of the address stand in memory */
	struct limit_keys keys;
	__u32 slot, rule;
	__u32 length;
	__u32 admit_shift;
	__u8 is6;
	__u8 request; /* for a TCP connection */
	__u8 spend;   /* 0: look, and change nothing */
	__u8 spent;   /* something, of this or another rule */
	__u32 alone;  /* if there is no entry, none can be made */
};

_Static_assert(sizeof(struct limit_call) == 104, "no padding: all is set");

int limit_rule(struct limit_call *c);
int limit_keep(struct limit_call *c);
int limit_without_entry(struct limit_call *c);

/* ---- rates and buckets by their kind, which is a constant everywhere */

static __always_inline const struct gg_rate *
limit_rate(const struct gg_rule *rule, enum limit_kind kind)
{
	if (kind == LIMIT_PACKETS)
		return &rule->packets;
	return kind == LIMIT_BYTES ? &rule->bytes : &rule->connections;
}

static __always_inline union gg_bucket *
limit_bucket(struct gg_source *source, enum limit_kind kind)
{
	if (kind == LIMIT_PACKETS)
		return &source->packets;
	return kind == LIMIT_BYTES ? &source->bytes : &source->connections;
}

/* Tokens; 0: the packet needs none. */
static __always_inline __u64
limit_need(const struct limit_call *c, const struct gg_rate *rate,
	enum limit_kind kind)
{
	if (rate->burst == 0 || (kind == LIMIT_CONNECTIONS && !c->request))
		return 0;
	return kind == LIMIT_BYTES ? (__u64)rate->cost * c->length : rate->cost;
}

static __always_inline __u64
limit_fine_clock(void)
{
	return bpf_ktime_get_ns() >> GG_FINE_TICK_SHIFT;
}

static __always_inline __u64
limit_now(const struct limit_call *c, const struct gg_rate *rate)
{
	return rate->flags & GG_RATE_FINE ? c->fine : c->ticks;
}

static __always_inline const struct gg_rule *
limit_rule_get(const struct limit_call *c)
{
	__u32 slot = c->slot;
	const struct gg_limit *limit = bpf_map_lookup_elem(&gg_limit, &slot);

	if (limit == NULL)
		return NULL;
	return c->rule == 0 ? &limit->rules[0] : &limit->rules[1];
}

/* ---- the source of a rule */

/* Addresses begin at a word, but a memcpy does not believe it: clang would copy
 * them byte by byte. */
typedef __u32 __attribute__((may_alias)) limit_word;

static __always_inline limit_word *
limit_words(__u8 *ip)
{
	return (limit_word *)ip;
}

static __always_inline void
limit_from(struct limit_call *c, const struct gg_vip_key *from)
{
	const limit_word *words = (const limit_word *)from->ip;

	c->from[0] = words[0] | (__u64)words[1] << 32;
	c->from[1] = words[2] | (__u64)words[3] << 32;
}

static __always_inline void
limit_key_make(struct limit_call *c, const struct gg_rule *rule)
{
	__u64 high = c->from[0], low = c->from[1];

	if (!c->is6) {
		c->keys.v4.slot = (__u16)c->slot;
		c->keys.v4.rule = (__u8)c->rule;
		c->keys.v4.plen = rule->plen4;
		limit_words(c->keys.v4.ip)[0] = (__u32)(low >> 32) &
			bpf_htonl(~0u << ((32u - rule->plen4) & 31));
		return;
	}
	if (rule->plen6 <= 64) {
		high &= bpf_cpu_to_be64(~0ull << ((64u - rule->plen6) & 63));
		low = 0;
	} else {
		low &= bpf_cpu_to_be64(~0ull << ((128u - rule->plen6) & 63));
	}
	c->keys.v6.slot = (__u16)c->slot;
	c->keys.v6.rule = (__u8)c->rule;
	c->keys.v6.plen = rule->plen6;
	limit_words(c->keys.v6.ip)[0] = (__u32)high;
	limit_words(c->keys.v6.ip)[1] = (__u32)(high >> 32);
	limit_words(c->keys.v6.ip)[2] = (__u32)low;
	limit_words(c->keys.v6.ip)[3] = (__u32)(low >> 32);
}

/* Linux 6.1 wants keys on the stack of the function that looks them up: *keys
 * is a copy there. */
static __always_inline struct gg_source *
limit_find(const struct limit_call *c, const struct limit_keys *keys)
{
	if (c->is6)
		return bpf_map_lookup_elem(&gg_rl6, &keys->v6);
	return bpf_map_lookup_elem(&gg_rl4, &keys->v4);
}

static __always_inline __u32
limit_mark(const struct limit_call *c)
{
	return c->is6 ? mark_of6(&c->keys.v6) : mark_of4(&c->keys.v4);
}

static __always_inline bool
limit_insert(const struct limit_call *c, const struct limit_keys *keys,
	const struct gg_rl4 *fresh)
{
	/* The larger of the two. */
	if (c->is6)
		return bpf_map_update_elem(&gg_rl6, &keys->v6, fresh,
			       BPF_NOEXIST) == 0;
	return bpf_map_update_elem(&gg_rl4, &keys->v4, fresh, BPF_NOEXIST) == 0;
}

/* ---- refusing */

/* Exact at first, then one of so many, chosen evenly by the number of the drop
 * on this CPU. */
static __always_inline void
limit_count_dropped(struct gg_source *kept, __u64 number)
{
	__u32 turn = (__u32)number * 0x9e3779b1u;

	if (kept == NULL)
		return;
	if (*(volatile __u64 *)&kept->dropped < GG_DROPPED_EXACT)
		__sync_fetch_and_add(&kept->dropped, 1);
	else if (turn < (__u32)((1ull << 32) / GG_DROPPED_EXACT))
		__sync_fetch_and_add(&kept->dropped, GG_DROPPED_EXACT);
}

/* A rule refuses: the reason to drop, or LIMIT_ADMITTED in shadow. */
static __always_inline __u32
limit_refuse(const struct limit_call *c, const struct gg_rule *rule,
	struct gg_source *kept, enum limit_kind kind)
{
	if (!(rule->flags & GG_RULE_SHADOW)) {
		limit_count_dropped(kept, count_read(c->slot,
			GG_REASON_drop_limit_packets + kind));
		return GG_REASON_drop_limit_packets + kind;
	}
	if (c->spend)
		limit_count_dropped(kept,
			count_note(c->slot, GG_NOTE_shadow_packets + kind));
	return LIMIT_ADMITTED;
}

/* Two CPUs saw enough for one of them. The loser is refused as if it had come
 * later, unless it spent elsewhere already: what that cost is counted. */
static __always_inline __u32
limit_lost(const struct limit_call *c, const struct gg_rule *rule,
	struct gg_source *kept, enum limit_kind kind, enum bucket_result result)
{
	if (rule->flags & GG_RULE_SHADOW ||
		(result == BUCKET_REFUSED && !c->spent))
		return limit_refuse(c, rule, kept, kind);
	return GG_REASON_drop_limit_contended;
}

/* ---- a source with an entry */

static __always_inline bool
limit_entry_has(const struct limit_call *c, const struct gg_rule *rule,
	struct gg_source *kept, enum limit_kind kind)
{
	const struct gg_rate *rate = limit_rate(rule, kind);
	__u64 need = limit_need(c, rate, kind);

	return need == 0 ||
		bucket_left(bucket_read(limit_bucket(kept, kind)), rate,
			(__u32)limit_now(c, rate)) >= need;
}

static __always_inline enum bucket_result
limit_entry_spend(struct limit_call *c, const struct gg_rule *rule,
	struct gg_source *kept, enum limit_kind kind)
{
	const struct gg_rate *rate = limit_rate(rule, kind);
	__u64 need = limit_need(c, rate, kind);
	enum bucket_result result;

	if (need == 0)
		return BUCKET_SPENT;
	result = bucket_spend(limit_bucket(kept, kind), rate, need,
		(__u32)limit_now(c, rate));
	if (result == BUCKET_SPENT)
		c->spent = 1;
	return result;
}

static __always_inline __u32
limit_entry(struct limit_call *c, const struct gg_rule *rule,
	struct gg_source *kept)
{
	enum bucket_result result;

	if (!limit_entry_has(c, rule, kept, LIMIT_BYTES))
		return limit_refuse(c, rule, kept, LIMIT_BYTES);
	if (!limit_entry_has(c, rule, kept, LIMIT_CONNECTIONS))
		return limit_refuse(c, rule, kept, LIMIT_CONNECTIONS);
	/* What is spent first needs no look before it. */
	if (!c->spend)
		return limit_entry_has(c, rule, kept, LIMIT_PACKETS) ?
			LIMIT_ADMITTED :
			limit_refuse(c, rule, kept, LIMIT_PACKETS);
#pragma GCC unroll 3
	for (int i = 0; i < LIMIT_KINDS; i++) {
		result = limit_entry_spend(c, rule, kept, (enum limit_kind)i);
		if (result != BUCKET_SPENT)
			return limit_lost(c, rule, kept, (enum limit_kind)i,
				result);
	}
	return LIMIT_ADMITTED;
}

/* ---- a source that the sketch alone knows */

/* Its lines: for rates in jiffies, and for those in the fine clock. */
struct limit_lines {
	struct gg_sketch_line *coarse, *fine;
};

static __always_inline __u64
limit_mix(__u64 x)
{
	x *= 0x9e3779b97f4a7c15ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static __always_inline void
limit_hash(struct limit_call *c)
{
	__u64 who = c->slot | (__u64)c->rule << 16, high, low;
	const limit_word *ip;

	if (!c->is6) {
		ip = limit_words(c->keys.v4.ip);
		who |= (__u64)c->keys.v4.plen << 24 | (__u64)ip[0] << 32;
		c->hash = limit_mix(who ^ c->salt);
		return;
	}
	ip = limit_words(c->keys.v6.ip);
	high = ip[0] | (__u64)ip[1] << 32;
	low = ip[2] | (__u64)ip[3] << 32;
	who |= (__u64)c->keys.v6.plen << 24;
	c->hash = limit_mix(limit_mix(high ^ c->salt) ^ low ^ who << 32);
}

static __always_inline bool
limit_lines_find(const struct limit_call *c, struct limit_lines *lines)
{
	__u32 index = (c->hash >> 48) % GG_SKETCH_LINES;

	lines->coarse = bpf_map_lookup_elem(&gg_sketch, &index);
	index += GG_SKETCH_LINES;
	lines->fine = bpf_map_lookup_elem(&gg_sketch, &index);
	return lines->coarse != NULL && lines->fine != NULL;
}

/* The cells of one kind are not those of another kind of the same source. */
static __always_inline void
limit_sketch(const struct limit_call *c, const struct gg_rate *rate,
	const struct limit_lines *lines, enum limit_kind kind, __u64 need,
	struct sketch *s)
{
	struct gg_sketch_line *line =
		rate->flags & GG_RATE_FINE ? lines->fine : lines->coarse;

	s->row0 = &line->cells[(c->hash + kind) & 3];
	s->row1 = &line->cells[4 + (((c->hash >> 2) + kind) & 3)];
	s->now = limit_now(c, rate) << GG_SKETCH_SHIFT;
	s->full = rate->burst_time;
	s->threshold = s->full >> (c->admit_shift & 31);
	/* Only bytes come in so many sizes; a division is dear. */
	s->time = kind != LIMIT_BYTES ? rate->cost_time :
		((need << GG_SKETCH_SHIFT) + rate->refill - 1) / rate->refill;
}

static __always_inline bool
limit_sketch_has(const struct limit_call *c, const struct gg_rule *rule,
	const struct limit_lines *lines, enum limit_kind kind)
{
	const struct gg_rate *rate = limit_rate(rule, kind);
	__u64 need = limit_need(c, rate, kind);
	struct sketch s;

	if (need == 0)
		return true;
	if (need > rate->burst)
		return false;
	limit_sketch(c, rate, lines, kind, need, &s);
	return sketch_admits(&s, sketch_read(&s));
}

static __always_inline enum bucket_result
limit_sketch_spend(struct limit_call *c, const struct gg_rule *rule,
	const struct limit_lines *lines, enum limit_kind kind)
{
	const struct gg_rate *rate = limit_rate(rule, kind);
	__u64 need = limit_need(c, rate, kind);
	enum bucket_result result;
	struct sketch s;

	if (need == 0)
		return BUCKET_SPENT;
	limit_sketch(c, rate, lines, kind, need, &s);
	result = sketch_spend(&s);
	if (result == BUCKET_SPENT)
		c->spent = 1;
	return result;
}

/* The first kind that has too little, in the order of limit_entry();
 * LIMIT_KINDS: none. */
static __always_inline enum limit_kind
limit_sketch_look(const struct limit_call *c, const struct gg_rule *rule,
	const struct limit_lines *lines)
{
	if (!limit_sketch_has(c, rule, lines, LIMIT_BYTES))
		return LIMIT_BYTES;
	if (!limit_sketch_has(c, rule, lines, LIMIT_CONNECTIONS))
		return LIMIT_CONNECTIONS;
	if (!limit_sketch_has(c, rule, lines, LIMIT_PACKETS))
		return LIMIT_PACKETS;
	return LIMIT_KINDS;
}

/* ---- an entry for a source */

/* Gives a bucket that was made empty what the sketch says is left. The clock
 * is read again: who found no entry has read it before this, and is refused
 * by the cells that are closed now. */
static __always_inline void
limit_fill(const struct limit_call *c, const struct gg_rule *rule,
	const struct limit_lines *lines, struct gg_source *kept,
	enum limit_kind kind, __u64 ticks, __u64 fine)
{
	const struct gg_rate *rate = limit_rate(rule, kind);
	__u64 need = rate->cost, debt, passed;
	struct sketch s;

	if (rate->burst == 0)
		return;
	if (kind == LIMIT_BYTES) {
		need *= LIMIT_FRAME_MAX;
		need = need < rate->burst ? need : rate->burst;
	}
	limit_sketch(c, rate, lines, kind, need, &s);
	passed = s.now;
	s.now = (rate->flags & GG_RATE_FINE ? fine : ticks) << GG_SKETCH_SHIFT;
	passed = s.now - passed;
	/* All sources have entries: only what an insert that failed left here
	 * counts, and closing would close the cells for all. */
	debt = c->admit_shift == 0 ? sketch_read(&s) : sketch_close(&s);
	debt += passed;
	if (debt < s.full)
		bucket_give(limit_bucket(kept, kind),
			rate->burst - (__u32)(debt * rate->refill >>
				GG_SKETCH_SHIFT));
}

/* Made empty, then filled: of many CPUs one makes it, all use it. */
__attribute__((noinline)) int
limit_keep(struct limit_call *c)
{
	const struct gg_rule *rule;
	struct limit_lines lines;
	struct gg_source *kept;
	struct gg_rl4 fresh = {};
	struct limit_keys keys;
	__u64 fine = 0, ticks;

	if (c == NULL)
		return 0;
	rule = limit_rule_get(c);
	if (rule == NULL || !limit_lines_find(c, &lines))
		return 0;
	fresh.source.packets.stamp = (__u32)limit_now(c, &rule->packets);
	fresh.source.bytes.stamp = (__u32)limit_now(c, &rule->bytes);
	fresh.source.connections.stamp =
		(__u32)limit_now(c, &rule->connections);
	keys = c->keys;
	/* In this order: see mark.h. */
	if (!mark_set(limit_mark(c)) || !limit_insert(c, &keys, &fresh))
		return 0;
	kept = limit_find(c, &keys);
	if (kept == NULL)
		return 0;
	ticks = bpf_jiffies64();
	if (rule->flags & GG_RULE_FINE)
		fine = limit_fine_clock();
	limit_fill(c, rule, &lines, kept, LIMIT_PACKETS, ticks, fine);
	limit_fill(c, rule, &lines, kept, LIMIT_BYTES, ticks, fine);
	limit_fill(c, rule, &lines, kept, LIMIT_CONNECTIONS, ticks, fine);
	return 0;
}

/* LIMIT_TRY_ENTRY when it should have one. */
__attribute__((noinline)) int
limit_without_entry(struct limit_call *c)
{
	const struct gg_rule *rule;
	struct limit_lines lines;
	enum bucket_result result;
	enum limit_kind kind;

	if (c == NULL)
		return LIMIT_ADMITTED;
	rule = limit_rule_get(c);
	limit_hash(c);
	if (rule == NULL || !limit_lines_find(c, &lines))
		return LIMIT_ADMITTED;
	kind = limit_sketch_look(c, rule, &lines);
	if (!c->alone && (kind != LIMIT_KINDS || c->admit_shift == 0))
		return LIMIT_TRY_ENTRY;
	if (c->alone)
		count_note(c->slot, GG_NOTE_source_not_kept);
	if (kind != LIMIT_KINDS)
		return limit_refuse(c, rule, NULL, kind);
	if (!c->spend)
		return LIMIT_ADMITTED;
#pragma GCC unroll 3
	for (int i = 0; i < LIMIT_KINDS; i++) {
		result = limit_sketch_spend(c, rule, &lines,
			(enum limit_kind)i);
		if (result != BUCKET_SPENT)
			return limit_lost(c, rule, NULL, (enum limit_kind)i,
				result);
	}
	return LIMIT_ADMITTED;
}

/* ---- a rule, and all rules of a slot */

/* The reason to drop the packet, LIMIT_ADMITTED or LIMIT_TRY_ENTRY. */
__attribute__((noinline)) int
limit_rule(struct limit_call *c)
{
	const struct gg_rule *rule;
	struct limit_keys keys;
	struct gg_source *kept;

	if (c == NULL)
		return LIMIT_ADMITTED;
	rule = limit_rule_get(c);
	if (rule == NULL)
		return LIMIT_ADMITTED;
	if (rule->flags & GG_RULE_FINE && c->fine == 0)
		c->fine = limit_fine_clock();
	limit_key_make(c, rule);
	if (!mark_is_set(limit_mark(c)))
		return limit_without_entry(c);
	keys = c->keys;
	kept = limit_find(c, &keys);
	if (kept == NULL)
		return limit_without_entry(c);
	return limit_entry(c, rule, kept);
}

/* Counts an entry to be made. An insert is dear, and drives another source out
 * of a full table: a flood that fills the sketch shall not pay one a packet.
 * By ticks and not seconds, so that no source waits longer than that. */
static __always_inline bool
limit_may_keep(const struct gg_cfg *cfg, __u64 ticks)
{
	__u32 zero = 0;
	struct this_cpu *cpu = bpf_map_lookup_elem(&gg_cpu, &zero);

	if (cpu == NULL || cfg->source_guard == 0)
		return true;
	if (cpu->sources_tick != ticks) {
		cpu->sources_tick = ticks;
		cpu->new_sources = 0;
	}
	if (cpu->new_sources >= cfg->source_guard)
		return false;
	cpu->new_sources += 1;
	return true;
}

/* From here, for the sake of the stack: limit_keep() needs much of it. */
static __always_inline __u32
limit_ask(const struct gg_cfg *cfg, struct limit_call *c)
{
	__u32 reason = limit_rule(c);

	if (reason != LIMIT_TRY_ENTRY)
		return reason;
	if (limit_may_keep(cfg, c->ticks))
		limit_keep(c);
	c->alone = 1;
	reason = limit_rule(c);
	c->alone = 0;
	return reason;
}

static __always_inline __u32
limit_packet(const struct gg_cfg *cfg, __u32 slot, const struct parsed *packet,
	__u32 length)
{
	const struct gg_limit *limit = bpf_map_lookup_elem(&gg_limit, &slot);
	struct limit_call c = {
		.slot = slot,
		.length = length,
		.admit_shift = cfg->admit_shift,
		.is6 = packet->family == 6,
		.request = packet->tcp_request,
	};
	__u32 reason;

	if (limit == NULL || limit->count == 0)
		return LIMIT_ADMITTED;
	/* Spread over the word, or it would undo what the slot is there. */
	c.salt = cfg->salt + limit->epoch * 0x9e3779b97f4a7c15ull;
	limit_from(&c, &packet->from);
	/* Before any entry is looked up: see limit_fill(). */
	c.ticks = bpf_jiffies64();
	if (limit->count > 1) {
		reason = limit_ask(cfg, &c);
		if (reason != LIMIT_ADMITTED)
			return reason;
		c.spend = 1;
		c.rule = 1;
		reason = limit_ask(cfg, &c);
		if (reason != LIMIT_ADMITTED)
			return reason;
		c.rule = 0;
	}
	c.spend = 1;
	return limit_ask(cfg, &c);
}

#endif
