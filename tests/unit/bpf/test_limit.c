/*
 * bpf/limit.h, sketch.h and bucket.h on the host: the helpers of the kernel are
 * functions over plain memory here, and time is a variable.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define typeof __typeof__ /* how libbpf declares maps */
#pragma GCC diagnostic ignored "-Wpedantic"
#include "bpf/limit.h"

#include "fastpath/rate.h"
#include "tests/lib/packet_model.h"

#define HZ    250
#define SLOT  3
#define KEYS  256
#define START 0xfffffff0u /* the low half of the clock wraps in each test */

/* ---- the kernel's part */

static struct gg_cfg cfg;
static struct gg_limit limits[GG_SLOTS_MAX];
static struct gg_sketch_line lines[2 * GG_SKETCH_LINES];
static _Thread_local struct gg_counters counters[GG_SLOTS_MAX];
static __u64 marks[GG_MARK_WORDS];
static _Thread_local struct this_cpu cpu;
static volatile __u64 ticks, fine_ns;
static bool inserts_fail;

static struct {
	pthread_mutex_t lock;
	struct {
		__u8 key[sizeof(struct gg_rl6_key)];
		struct gg_source value;
	} entries[2][KEYS];
	size_t counts[2];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct gg_source *
table_get(int which, size_t size, const void *key)
{
	struct gg_source *found = NULL;

	pthread_mutex_lock(&table.lock);
	for (size_t i = 0; i < table.counts[which]; i++) {
		if (memcmp(table.entries[which][i].key, key, size) == 0)
			found = &table.entries[which][i].value;
	}
	pthread_mutex_unlock(&table.lock);
	return found;
}

static void *
host_lookup(void *map, const void *key)
{
	__u32 index;

	if (map == &gg_rl4)
		return table_get(0, sizeof(struct gg_rl4_key), key);
	if (map == &gg_rl6)
		return table_get(1, sizeof(struct gg_rl6_key), key);
	memcpy(&index, key, sizeof(index));
	if (map == &gg_limit)
		return &limits[index];
	if (map == &gg_sketch)
		return &lines[index];
	if (map == &gg_mark)
		return &marks[index];
	if (map == &gg_cpu)
		return &cpu;
	assert_ptr_equal(map, &gg_reason);
	return &counters[index];
}

static long
host_update(void *map, const void *key, const void *value, __u64 flags)
{
	int which = map == &gg_rl6;
	size_t size = which ? sizeof(struct gg_rl6_key) :
			      sizeof(struct gg_rl4_key);
	long rc = -1;

	assert_int_equal(flags, BPF_NOEXIST);
	if (inserts_fail || table_get(which, size, key) != NULL)
		return -1;
	pthread_mutex_lock(&table.lock);
	for (size_t i = 0; i < table.counts[which]; i++) {
		if (memcmp(table.entries[which][i].key, key, size) == 0)
			goto out;
	}
	if (table.counts[which] == KEYS)
		goto out;
	memcpy(table.entries[which][table.counts[which]].key, key, size);
	memcpy(&table.entries[which][table.counts[which]].value, value,
		sizeof(struct gg_source));
	table.counts[which]++;
	rc = 0;
out:
	pthread_mutex_unlock(&table.lock);
	return rc;
}

static __u64
host_jiffies(void)
{
	return ticks;
}

static __u64
host_ktime(void)
{
	return fine_ns;
}

static int
setup(void **state)
{
	(void)state;
	bpf_map_lookup_elem = host_lookup;
	bpf_map_update_elem = host_update;
	bpf_jiffies64 = host_jiffies;
	bpf_ktime_get_ns = host_ktime;
	cfg = (struct gg_cfg){ .hz = HZ, .salt = 0x5eed, .admit_shift = 1 };
	memset(limits, 0, sizeof(limits));
	memset(lines, 0, sizeof(lines));
	memset(marks, 0, sizeof(marks));
	memset(&cpu, 0, sizeof(cpu));
	memset(counters, 0, sizeof(counters));
	memset(&table.entries, 0, sizeof(table.entries));
	table.counts[0] = table.counts[1] = 0;
	ticks = START;
	fine_ns = (__u64)START << GG_FINE_TICK_SHIFT;
	inserts_fail = false;
	return 0;
}

/* ---- rules and packets */

static struct gg_rate
rate_of(uint64_t rate, uint32_t unit_s, uint64_t burst)
{
	const struct fastpath_rate r = { rate, unit_s, burst };
	struct error err = ERROR_INIT;
	struct gg_rate out;

	if (rate_make(&r, HZ, &out, &err) != 0)
		fail_msg("%s", err.text);
	return out;
}

static struct gg_rule *
rule_add(struct gg_rate packets)
{
	struct gg_limit *l = &limits[SLOT];
	struct gg_rule *rule = &l->rules[l->count++];

	*rule = (struct gg_rule){ .packets = packets,
		.plen4 = 32,
		.plen6 = 64 };
	if (packets.flags & GG_RATE_FINE)
		rule->flags |= GG_RULE_FINE;
	return rule;
}

static struct parsed
from4(uint32_t host)
{
	struct parsed p = { .family = 4,
		.from.ip[10] = 0xff,
		.from.ip[11] = 0xff };
	__be32 be = bpf_htonl(host);

	memcpy(p.from.ip + 12, &be, 4);
	return p;
}

static enum gg_reason
pass(const struct parsed *p, uint32_t length)
{
	enum gg_reason reason = limit_packet(&cfg, SLOT, p, length);

	if (reason != LIMIT_ADMITTED)
		count_packet(SLOT, reason, length);
	return reason;
}

static uint64_t
admitted_of(const struct parsed *p, uint32_t length, uint64_t packets)
{
	uint64_t admitted = 0;

	while (packets-- > 0)
		admitted += pass(p, length) == LIMIT_ADMITTED;
	return admitted;
}

static struct gg_source *
kept(const struct parsed *p, uint8_t rule, uint8_t plen)
{
	struct gg_rl4_key key = { .slot = SLOT, .rule = rule, .plen = plen };

	memcpy(key.ip, p->from.ip + 12, 4);
	for (unsigned bit = plen; bit < 32; bit++)
		key.ip[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
	return table_get(0, sizeof(key), &key);
}

/* ---- one bucket */

static void
test_bucket_spends_its_burst_and_refills_by_ticks(void **state)
{
	struct gg_rate r = rate_of(1000, 1, 20); /* 4 a tick */
	union gg_bucket b = { .tokens = r.burst, .stamp = START };
	uint32_t now = START;

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(bucket_spend(&b, &r, r.cost, now),
			BUCKET_SPENT);
	assert_int_equal(bucket_spend(&b, &r, r.cost, now), BUCKET_REFUSED);
	for (int tick = 0; tick < 100; tick++) { /* over the wrap */
		now++;
		for (int i = 0; i < 4; i++)
			assert_int_equal(bucket_spend(&b, &r, r.cost, now),
				BUCKET_SPENT);
		assert_int_equal(bucket_spend(&b, &r, r.cost, now),
			BUCKET_REFUSED);
	}
	assert_int_equal(bucket_left(b, &r, now + 1000), r.burst);
}

static void
test_bucket_refused_writes_nothing(void **state)
{
	struct gg_rate r = rate_of(1, 60, 1);
	union gg_bucket b = { .tokens = r.cost - 1, .stamp = START }, was = b;

	(void)state;
	assert_int_equal(bucket_spend(&b, &r, r.cost, START), BUCKET_REFUSED);
	assert_int_equal(b.word, was.word);
	assert_int_equal(bucket_spend(&b, &r, r.cost, START + 1), BUCKET_SPENT);
	assert_int_equal(b.tokens, 0);
	assert_int_equal(b.stamp, START + 1);
}

static void
test_bucket_clock_of_another_cpu_gives_nothing_twice(void **state)
{
	struct gg_rate r = rate_of(1000, 1, 8);
	union gg_bucket b = { .tokens = 8, .stamp = 100 };

	(void)state;
	assert_int_equal(bucket_spend(&b, &r, 1, 99), BUCKET_SPENT);
	assert_int_equal(b.tokens, 7);
	assert_int_equal(b.stamp, 100);
	b = (union gg_bucket){ .tokens = 0, .stamp = 100 };
	assert_int_equal(bucket_spend(&b, &r, 1, 98), BUCKET_REFUSED);
	assert_int_equal(bucket_spend(&b, &r, 1, 101), BUCKET_SPENT);
	assert_int_equal(bucket_spend(&b, &r, 1, 100), BUCKET_SPENT);
	assert_int_equal(b.stamp, 101);
	assert_int_equal(b.tokens, 2);
}

/* It was stopped between the look at the clock and the bucket. */
static void
test_bucket_cpu_that_is_late(void **state)
{
	struct gg_rate r = rate_of(1000, 1, 250);

	(void)state;
	for (uint32_t late = 1; late < BUCKET_SKEW; late *= 3) {
		union gg_bucket b = { .tokens = 0, .stamp = 5 };

		assert_int_equal(bucket_spend(&b, &r, 1, 5 - late),
			BUCKET_REFUSED);
		b.tokens = 3;
		assert_int_equal(bucket_spend(&b, &r, 1, 5 - late),
			BUCKET_SPENT);
		assert_int_equal(b.tokens, 2);
		assert_int_equal(b.stamp, 5);
	}
}

static void
test_bucket_gifts_do_not_reach_the_stamp(void **state)
{
	struct gg_rate r = rate_of(1000, 1, GG_BURST_MAX);
	union gg_bucket b = { .tokens = r.burst, .stamp = 7 };

	(void)state;
	bucket_give(&b, GG_BURST_MAX);
	assert_int_equal(b.stamp, 7);
	assert_int_equal(bucket_left(b, &r, 7), r.burst);
}

/* ---- a rule on one source, against the same bucket without any haste */

struct model {
	struct gg_rate rate;
	uint64_t tokens, now;
};

static bool
model_admits(struct model *m, uint64_t now, uint64_t need)
{
	m->tokens += (now - m->now) * m->rate.refill;
	m->now = now;
	if (m->tokens > m->rate.burst)
		m->tokens = m->rate.burst;
	if (m->tokens < need)
		return false;
	m->tokens -= need;
	return true;
}

static void
compare_with_model(uint64_t rate, uint32_t unit_s, uint64_t burst,
	uint32_t shift, bool bytes)
{
	uint64_t random = rate + burst + shift, refused = 0;
	struct parsed p = from4(0x0a000001);
	struct model m = { .rate = rate_of(rate, unit_s, burst) };
	struct gg_rule *rule;

	setup(NULL);
	cfg.admit_shift = shift;
	rule = rule_add(bytes ? (struct gg_rate){ 0 } : m.rate);
	if (bytes) {
		rule->bytes = m.rate;
		rule->flags = m.rate.flags & GG_RATE_FINE ? GG_RULE_FINE : 0;
	}
	m.tokens = m.rate.burst;
	m.now = START;
	for (int i = 0; i < 20000; i++) {
		uint64_t r = packet_random(&random);
		uint32_t length = 60 + (r >> 32) % 1400;
		bool mine, wanted;

		if (r % 128 == 0) {
			uint64_t step = (r >> 8) % (r % 8192 == 0 ? 2000 : 3);

			ticks += step;
			fine_ns += step << GG_FINE_TICK_SHIFT;
		}
		wanted = model_admits(&m,
			m.rate.flags & GG_RATE_FINE ?
				fine_ns >> GG_FINE_TICK_SHIFT :
				ticks,
			(uint64_t)m.rate.cost * (bytes ? length : 1));
		mine = pass(&p, length) == LIMIT_ADMITTED;
		refused += !wanted;
		if (mine != wanted)
			fail_msg("%llu in %u s, burst %llu, shift %u: packet "
				 "%d is %s",
				(unsigned long long)rate, unit_s,
				(unsigned long long)burst, shift, i,
				mine ? "admitted" : "refused");
	}
	assert_true(refused > 100);
	assert_non_null(kept(&p, 0, 32));
}

static void
test_as_exact_as_a_bucket_of_its_own(void **state)
{
	(void)state;
	for (uint32_t shift = 0; shift < 4; shift++) {
		compare_with_model(1000, 1, 1000, shift, false);
		compare_with_model(997, 1, 100, shift, false);
		compare_with_model(1, 1, 1, shift, false);
		compare_with_model(100, 60, 100, shift, false);
		compare_with_model(7, 3600, 3, shift, false);
		compare_with_model(100000, 1, 250, shift, false); /* fine */
		compare_with_model(10000, 1, 12000, shift, true);
		compare_with_model(777777, 1, 60000, shift, true);
		compare_with_model(3000000, 1, 6000, shift, true); /* fine */
	}
}

static void
test_burst_then_rate_in_whole_ticks(void **state)
{
	struct parsed p = from4(0x0a000001);
	uint64_t admitted;

	(void)state;
	rule_add(rate_of(100, 1, 50));
	admitted = admitted_of(&p, 64, 500);
	assert_int_equal(admitted, 50);
	for (int second = 1; second <= 20; second++) {
		for (int tick = 0; tick < HZ; tick++) {
			ticks++;
			admitted += admitted_of(&p, 64, 5);
		}
		assert_int_equal(admitted, 50 + 100 * second);
	}
	assert_int_equal(counters[SLOT].drop_limit_packets +
				admitted, 500 + 20 * HZ * 5);
	assert_int_equal(counters[SLOT].drop_limit_contended, 0);
}

static void
test_sources_are_apart_and_prefixes_together(void **state)
{
	struct parsed a = from4(0x0a000001), b = from4(0x0a000102),
		      c = from4(0x0a000003);
	struct gg_rule *rule = rule_add(rate_of(10, 1, 10));

	(void)state;
	assert_int_equal(admitted_of(&a, 64, 50), 10);
	assert_int_equal(admitted_of(&b, 64, 50), 10);
	setup(NULL);
	rule = rule_add(rate_of(10, 1, 10));
	rule->plen4 = 24;
	assert_int_equal(admitted_of(&a, 64, 50), 10);
	assert_int_equal(admitted_of(&c, 64, 50), 0);
	assert_int_equal(admitted_of(&b, 64, 50), 10);
}

static void
test_ipv6_prefixes(void **state)
{
	static const uint8_t plens[] = { 1, 48, 64, 65, 127, 128 };
	struct parsed a = { .family = 6, .from.ip = { 0x20, 1, 0xd, 0xb8 } }, b;

	(void)state;
	for (size_t i = 0; i < sizeof(plens); i++) {
		setup(NULL);
		rule_add(rate_of(10, 1, 10))->plen6 = plens[i];
		assert_int_equal(admitted_of(&a, 64, 50), 10);
		if (plens[i] < 128) { /* the first bit beyond */
			b = a;
			b.from.ip[plens[i] / 8] ^= 0x80u >> plens[i] % 8;
			assert_int_equal(admitted_of(&b, 64, 50), 0);
		}
		b = a; /* the last bit of the prefix */
		b.from.ip[(plens[i] - 1) / 8] ^= 0x80u >> (plens[i] - 1) % 8;
		assert_int_equal(admitted_of(&b, 64, 50), 10);
	}
}

static void
test_all_kinds_must_admit_and_refused_spends_nothing(void **state)
{
	struct parsed p = from4(0x0a000001), syn = p;
	struct gg_rule *rule = rule_add(rate_of(10, 1, 10));

	(void)state;
	syn.tcp_request = true;
	rule->bytes = rate_of(2000, 1, 2000);
	rule->connections = rate_of(2, 1, 2);
	cfg.admit_shift = 0;
	assert_int_equal(pass(&syn, 100), LIMIT_ADMITTED);
	assert_int_equal(pass(&syn, 100), LIMIT_ADMITTED);
	assert_int_equal(pass(&syn, 100), GG_REASON_drop_limit_connections);
	assert_int_equal(pass(&p, 1801), GG_REASON_drop_limit_bytes);
	assert_int_equal(pass(&p, 1800), LIMIT_ADMITTED);
	assert_int_equal(pass(&p, 60), GG_REASON_drop_limit_bytes);
	/* 10 packets less the three that passed */
	assert_int_equal(kept(&p, 0, 32)->packets.tokens,
		7 * rule->packets.cost);
	assert_int_equal(kept(&p, 0, 32)->dropped, 3);
}

static void
test_the_second_rule_refuses_before_the_first_spends(void **state)
{
	struct parsed a = from4(0x0a000001), b = from4(0x0a000002);
	struct gg_rule *first = rule_add(rate_of(10, 1, 10));

	(void)state;
	cfg.admit_shift = 0;
	rule_add(rate_of(12, 1, 12))->plen4 = 24;
	assert_int_equal(admitted_of(&a, 64, 50), 10);
	assert_int_equal(admitted_of(&b, 64, 50), 2);
	assert_int_equal(kept(&b, 0, 32)->packets.tokens,
		8 * first->packets.cost);
	assert_int_equal(kept(&b, 1, 24)->packets.tokens, 0);
	assert_int_equal(kept(&b, 0, 32)->dropped, 0);
	assert_true(kept(&b, 1, 24)->dropped >= 48);
}

static void
test_shadow_counts_and_admits(void **state)
{
	struct parsed p = from4(0x0a000001);

	(void)state;
	rule_add(rate_of(10, 1, 10))->flags |= GG_RULE_SHADOW;
	assert_int_equal(admitted_of(&p, 64, 60), 60);
	assert_int_equal(counters[SLOT].note_shadow_packets, 50);
	assert_int_equal(counters[SLOT].drop_limit_packets, 0);
	assert_int_equal(kept(&p, 0, 32)->dropped, 50);
	/* A rule in shadow does not keep the other from refusing. */
	rule_add(rate_of(5, 1, 5));
	assert_int_equal(admitted_of(&p, 64, 60), 5);
}

static void
test_dropped_is_exact_then_sampled(void **state)
{
	struct parsed p = from4(0x0a000001);
	uint64_t dropped;

	(void)state;
	rule_add(rate_of(1, 60, 1));
	admitted_of(&p, 64, 2);
	for (int i = 1; i <= GG_DROPPED_EXACT; i++) {
		assert_int_equal(kept(&p, 0, 32)->dropped, i);
		admitted_of(&p, 64, 1);
	}
	admitted_of(&p, 64, 1000000);
	dropped = kept(&p, 0, 32)->dropped;
	assert_int_equal(dropped % GG_DROPPED_EXACT, 0);
	assert_true(dropped > 995000 && dropped < 1005000);
}

static void
test_inserts_that_fail_leave_the_sketch(void **state)
{
	struct parsed p = from4(0x0a000001);
	uint64_t admitted;

	(void)state;
	inserts_fail = true;
	rule_add(rate_of(100, 1, 100));
	admitted = admitted_of(&p, 64, 1000);
	/* Up to where it would have got an entry: neither all nor nothing. */
	assert_int_equal(admitted, 51);
	assert_true(counters[SLOT].note_source_not_kept > 900);
	for (int tick = 0; tick < 10 * HZ; tick++) {
		ticks++;
		admitted += admitted_of(&p, 64, 3);
	}
	assert_in_range(admitted, 51 + 999, 51 + 1000);
	/* Once there is room it goes on with what is left. */
	inserts_fail = false;
	admitted += admitted_of(&p, 64, 1000);
	assert_non_null(kept(&p, 0, 32));
	assert_in_range(admitted, 1051, 1100);
}

/* Beyond its entries of a tick a CPU leaves sources to the sketch. */
static void
test_guard_bounds_the_entries_of_a_tick(void **state)
{
	(void)state;
	cfg.source_guard = 3;
	rule_add(rate_of(100, 1, 100));
	for (uint32_t host = 0; host < 10; host++) {
		struct parsed p = from4(0x0a000000 + host);

		assert_int_equal(admitted_of(&p, 64, 1000),
			host < 3 ? 100 : 51);
	}
	assert_int_equal(table.counts[0], 3);
	assert_true(counters[SLOT].note_source_not_kept > 6000);
	for (uint32_t host = 3; host < 10; host++) {
		struct parsed p = from4(0x0a000000 + host);

		ticks += host % 3 == 0;
		assert_true(admitted_of(&p, 64, 1000) <= 50);
		assert_non_null(kept(&p, 0, 32));
	}
	assert_int_equal(table.counts[0], 10);
}

/* Sources of one network in two slots share no more marks than chance has it,
 * and among themselves none. */
static void
test_marks_are_apart(void **state)
{
	static uint8_t seen[GG_MARKS];

	(void)state;
	for (uint16_t slot = 1; slot < 40; slot++) {
		unsigned shared = 0;

		for (uint32_t i = 0; i < 16384; i++) {
			struct gg_rl4_key key = { .slot = slot, .plen = 32 };
			__be32 be = bpf_htonl(0x0a000000 + i);
			__u64 word;
			uint8_t *mark;

			memcpy(key.ip, &be, 4);
			memcpy(&word, &key, sizeof(word));
			mark = &seen[GG_MARK4(word)];
			if (slot == 1)
				assert_int_equal((*mark)++, 0);
			else
				shared += *mark;
		}
		assert_true(shared < 16384 / 8);
	}
}

/* What has no mark is not looked up, what got an entry has one. */
static void
test_entries_have_marks(void **state)
{
	struct parsed p = from4(0x0a000001),
		      p6 = { .family = 6, .from.ip = { 0x20, 1, 0xd, 0xb8 } };

	(void)state;
	rule_add(rate_of(100, 1, 100));
	assert_int_equal(admitted_of(&p, 64, 1000), 100);
	assert_int_equal(admitted_of(&p6, 64, 1000), 100);
	assert_int_equal(admitted_of(&p, 64, 1000), 0);
	assert_int_equal(admitted_of(&p6, 64, 1000), 0);
	ticks += 60 * HZ; /* the sketch knows nothing any more */
	assert_int_equal(admitted_of(&p, 64, 1000), 100);
	assert_int_equal(admitted_of(&p6, 64, 1000), 100);
	memset(marks, 0, sizeof(marks));
	ticks += 60 * HZ;
	assert_int_equal(admitted_of(&p, 64, 20), 20);
	assert_int_equal(kept(&p, 0, 32)->packets.tokens, 0);
}

static void
test_a_lost_entry_begins_where_the_sketch_says(void **state)
{
	struct parsed p = from4(0x0a000001);

	(void)state;
	rule_add(rate_of(100, 1, 100));
	assert_int_equal(admitted_of(&p, 64, 1000), 100);
	table.counts[0] = 0;
	assert_in_range(admitted_of(&p, 64, 1000), 0, 50);
}

static void
test_a_flood_of_others_leaves_a_share(void **state)
{
	struct parsed p = from4(0x0a000001);
	uint64_t random = 5, admitted = 0;
	struct gg_rate r = rate_of(10, 60, 10);

	(void)state;
	inserts_fail = true; /* as if all of the flood had been forgotten */
	rule_add(r);
	for (int i = 0; i < 4000000; i++) {
		struct parsed other = from4((uint32_t)packet_random(&random));

		pass(&other, 64);
	}
	inserts_fail = false;
	/* The sketch is full; who comes now has half its burst less one. */
	assert_int_equal(admitted_of(&p, 64, 100), 4);
	/* With the guard acting they have it one after the other. */
	cfg.source_guard = 1;
	for (int tick = 0; tick < 20; tick++) {
		ticks++;
		for (uint32_t host = 2; host < 22; host++) {
			p = from4(0x0a000000 + host);
			admitted += admitted_of(&p, 64, 8);
		}
	}
	assert_in_range(admitted, 20 * 4, 20 * 4 + 5);
	/* Nothing of the flood is remembered for longer than a burst. */
	setup(NULL);
	rule_add(r);
}

/* ---- the sketch alone: shared cells are stricter, never laxer */

#define SOURCES 40

static void
test_sketch_is_never_laxer_than_a_bucket(void **state)
{
	struct gg_sketch_line line = { { 0 } };
	struct model models[SOURCES];
	uint64_t random = 99, now = START, admitted = 0;
	const struct gg_rate rates[] = {
		rate_of(1000, 1, 30),
		rate_of(100, 1, 10),
		rate_of(10, 60, 5),
		rate_of(333, 1, 100),
	};

	(void)state;
	for (int i = 0; i < SOURCES; i++)
		models[i] = (struct model){ .rate = rates[i % 4],
			.tokens = rates[i % 4].burst, .now = now };
	for (int i = 0; i < 500000; i++) {
		uint64_t r = packet_random(&random);
		int n = (r >> 8) % SOURCES;
		struct sketch s = {
			.row0 = &line.cells[n % 4],
			.row1 = &line.cells[4 + n / 4 % 4],
			.time = models[n].rate.cost_time,
			.full = models[n].rate.burst_time,
			.threshold = models[n].rate.burst_time,
		};

		now += r % 16 == 0 ? (r >> 32) % 5 : 0;
		s.now = now << GG_SKETCH_SHIFT;
		if (!sketch_admits(&s, sketch_read(&s)) ||
			sketch_spend(&s) != BUCKET_SPENT)
			continue;
		admitted++;
		if (!model_admits(&models[n], now, models[n].rate.cost))
			fail_msg("packet %d of source %d: laxer than a bucket",
				i, n);
	}
	assert_true(admitted > 1000);
}

/* ---- many CPUs */

#define THREADS 3

struct worker {
	pthread_t thread;
	uint64_t admitted, contended;
	volatile uint64_t refused;
	volatile bool *stop;
	uint32_t length;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct parsed p = from4(0x0a000001);

	memset(counters, 0, sizeof(counters));
	while (!*w->stop) {
		if (pass(&p, w->length) == LIMIT_ADMITTED)
			w->admitted++;
		else
			w->refused++;
	}
	w->contended = counters[SLOT].drop_limit_contended;
	return NULL;
}

/* Until the bucket was found empty by somebody who came after the call: each
 * thread has one packet before it at most. */
static void
wait_until_empty(const struct worker *workers)
{
	uint64_t refused, begin = 0;

	for (int i = 0; i < THREADS; i++)
		begin += workers[i].refused;
	do {
		sched_yield();
		refused = 0;
		for (int i = 0; i < THREADS; i++)
			refused += workers[i].refused;
	} while (refused <= begin + THREADS);
}

/* Rounds of a burst that begins in the sketch, becomes an entry under all of
 * them, and goes on. */
static void
race(struct gg_rate packets, struct gg_rate bytes, int rounds, int steps)
{
	struct parsed p = from4(0x0a000001);
	uint64_t contended = 0;

	for (int round = 0; round < rounds; round++) {
		struct worker workers[THREADS] = { 0 };
		volatile bool stop = false;
		uint64_t admitted = 0, most, begin;
		struct gg_rule *rule;

		setup(NULL);
		cfg.salt = (uint64_t)round;
		rule = rule_add(packets);
		rule->bytes = bytes;
		begin = ticks;
		for (int i = 0; i < THREADS; i++) {
			workers[i].stop = &stop;
			workers[i].length = 100;
			assert_int_equal(pthread_create(&workers[i].thread,
						 NULL, work, &workers[i]), 0);
		}
		for (int i = 0; i < steps; i++) {
			wait_until_empty(workers);
			ticks++;
		}
		stop = true;
		for (int i = 0; i < THREADS; i++) {
			pthread_join(workers[i].thread, NULL);
			admitted += workers[i].admitted;
			contended += workers[i].contended;
		}
		while (pass(&p, 100) == LIMIT_ADMITTED)
			admitted++;
		most = (packets.burst + (ticks - begin) * packets.refill) /
			packets.cost;
		if (admitted > most)
			fail_msg("round %d: %llu admitted of %llu", round,
				(unsigned long long)admitted,
				(unsigned long long)most);
		/* bytes, where they are limited, are not what runs out */
		if (admitted + contended < most)
			fail_msg("round %d: %llu admitted of %llu, %llu "
				 "contended",
				round, (unsigned long long)admitted,
				(unsigned long long)most,
				(unsigned long long)contended);
	}
}

static void
test_many_cpus_admit_burst_and_rate(void **state)
{
	const struct gg_rate none = { 0 };

	(void)state;
	race(rate_of(1000, 1, 1000), none, 30, 20);
	race(rate_of(1000, 1, 8), none, 30, 20);
	race(rate_of(100000, 1, 10000), none, 10, 50);
	race(rate_of(1000, 1, 500), rate_of(1000000, 1, 1000000), 20, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_bucket_spends_its_burst_and_refills_by_ticks),
		T(test_bucket_refused_writes_nothing),
		T(test_bucket_clock_of_another_cpu_gives_nothing_twice),
		T(test_bucket_cpu_that_is_late),
		T(test_bucket_gifts_do_not_reach_the_stamp),
		T(test_as_exact_as_a_bucket_of_its_own),
		T(test_burst_then_rate_in_whole_ticks),
		T(test_sources_are_apart_and_prefixes_together),
		T(test_ipv6_prefixes),
		T(test_all_kinds_must_admit_and_refused_spends_nothing),
		T(test_the_second_rule_refuses_before_the_first_spends),
		T(test_shadow_counts_and_admits),
		T(test_dropped_is_exact_then_sampled),
		T(test_inserts_that_fail_leave_the_sketch),
		T(test_guard_bounds_the_entries_of_a_tick),
		T(test_entries_have_marks),
		T(test_marks_are_apart),
		T(test_a_lost_entry_begins_where_the_sketch_says),
		T(test_a_flood_of_others_leaves_a_share),
		T(test_sketch_is_never_laxer_than_a_bucket),
		T(test_many_cpus_admit_burst_and_rate),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
