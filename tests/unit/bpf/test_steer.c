/* bpf/steer.h on the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bpf/steer.h"
#include "tests/lib/packet.h"
#include "tests/lib/packet_model.h"

#define NEW     STEER_NEW
#define MIDDLE  STEER_MIDDLE
#define END     STEER_END
#define DATA    STEER_DATAGRAM
#define MOVED   GG_RING_MOVED
#define PINNED  GG_RING_PINNED
#define ALWAYS  GG_SERVICE_ALWAYS
#define STICKY  GG_SERVICE_STICKY
#define CURRENT 7
#define BASE    5
#define KEPT    3

/* current, base and flags of the slot; the service's flags; the packet; what
 * was kept; then whether it is looked up, and what is made of that. */
static const struct {
	const char *what;
	struct gg_ring_slot slot;
	uint32_t flags;
	enum steer_kind kind;
	uint16_t kept;
	bool looks_up;
	struct steer_choice choice;
} rows[] = {
	{ "stable", { 7, 7, 0, 0 }, 0, MIDDLE, 0, false, { 0, false } },
	{ "stable, SYN", { 7, 7, 0, 0 }, 0, NEW, 0, false, { 0, false } },
	{ "half written is not stable", { 7, 5, 0, 0 }, 0, MIDDLE, 0, true,
		{ BASE, true } },
	{ "moved, SYN", { 7, 5, MOVED, 0 }, 0, NEW, 0, true,
		{ CURRENT, true } },
	{ "moved, SYN of a kept one", { 7, 5, MOVED, 0 }, 0, NEW, KEPT, true,
		{ KEPT, false } },
	{ "moved, kept", { 7, 5, MOVED, 0 }, 0, MIDDLE, KEPT, true,
		{ KEPT, false } },
	{ "moved, first touch", { 7, 5, MOVED, 0 }, 0, MIDDLE, 0, true,
		{ BASE, true } },
	{ "moved, without an old owner", { 7, 0, MOVED, 0 }, 0, MIDDLE, 0, true,
		{ CURRENT, true } },
	{ "moved, end of a kept one", { 7, 5, MOVED, 0 }, 0, END, KEPT, true,
		{ KEPT, false } },
	{ "moved, end of an unknown one", { 7, 5, MOVED, 0 }, 0, END, 0, true,
		{ BASE, false } },
	{ "moved, datagram", { 7, 5, MOVED, 0 }, 0, DATA, 0, false,
		{ 0, false } },
	{ "pinned, SYN", { 7, 7, PINNED, 0 }, 0, NEW, 0, true,
		{ CURRENT, false } },
	{ "pinned, SYN of a kept one", { 7, 7, PINNED, 0 }, 0, NEW, KEPT, true,
		{ KEPT, false } },
	{ "pinned, kept", { 7, 7, PINNED, 0 }, 0, MIDDLE, KEPT, true,
		{ KEPT, false } },
	{ "pinned, not kept", { 7, 7, PINNED, 0 }, 0, MIDDLE, 0, true,
		{ CURRENT, false } },
	{ "pinned, end", { 7, 7, PINNED, 0 }, 0, END, 0, true,
		{ CURRENT, false } },
	{ "all kept, SYN", { 7, 7, 0, 0 }, ALWAYS, NEW, 0, true,
		{ CURRENT, true } },
	{ "all kept, middle", { 7, 7, 0, 0 }, ALWAYS, MIDDLE, 0, true,
		{ CURRENT, true } },
	{ "all kept, known", { 7, 7, 0, 0 }, ALWAYS, MIDDLE, KEPT, true,
		{ KEPT, false } },
	{ "all kept, end", { 7, 7, 0, 0 }, ALWAYS, END, 0, true,
		{ CURRENT, false } },
	{ "all kept, moved, middle", { 7, 5, MOVED, 0 }, ALWAYS, MIDDLE, 0,
		true, { BASE, true } },
	{ "all kept, pinned, middle", { 7, 7, PINNED, 0 }, ALWAYS, MIDDLE, 0,
		true, { CURRENT, true } },
	{ "sticky, new", { 7, 5, MOVED, 0 }, STICKY, DATA, 0, true,
		{ CURRENT, true } },
	{ "sticky, kept", { 7, 7, 0, 0 }, STICKY, DATA, KEPT, true,
		{ KEPT, false } },
	{ "sticky says nothing of TCP", { 7, 7, 0, 0 }, STICKY, MIDDLE, 0,
		false, { 0, false } },
	{ "all kept says it of datagrams too", { 7, 7, 0, 0 }, ALWAYS, DATA, 0,
		true, { CURRENT, true } },
};

static void
test_choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct steer_choice choice;

		if (steer_looks_up(&rows[i].slot, rows[i].flags,
			    rows[i].kind) != rows[i].looks_up)
			fail_msg("%s: looked up or not", rows[i].what);
		if (!rows[i].looks_up)
			continue;
		choice = steer_choose(&rows[i].slot, rows[i].flags,
			rows[i].kind, rows[i].kept);
		if (choice.backend != rows[i].choice.backend ||
			choice.keep != rows[i].choice.keep)
			fail_msg("%s: backend %u, %s", rows[i].what,
				choice.backend,
				choice.keep ? "kept" : "not kept");
	}
}

static void
test_flags(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		bool fin = flags & 1, syn = flags & 2, rst = flags & 4,
		     psh = flags & 8, ack = flags & 16, urg = flags & 32;
		bool sane = (flags & 63) != 0 && !(syn && fin) &&
			!(syn && rst) && !(fin && !ack) &&
			!(fin && psh && urg && !ack);

		assert_int_equal(steer_flags_are_sane((uint8_t)flags), sane);
	}
}

static void
test_kinds(void **state)
{
	static const struct {
		const char *packet;
		enum steer_kind kind;
	} kinds[] = {
		{ "eth ip4 tcp flags=S", NEW },
		{ "eth ip4 tcp flags=SA", MIDDLE },
		{ "eth ip4 tcp flags=A", MIDDLE },
		{ "eth ip4 tcp flags=FA", END },
		{ "eth ip4 tcp flags=R", END },
		{ "eth ip6 tcp flags=RA", END },
		{ "eth ip6 udp", DATA },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct parsed parsed = { 0 };
		struct packet p;

		packet_build(&p, kinds[i].packet);
		parse_packet(packet_data(&p), packet_data(&p) + p.length,
			&parsed);
		assert_int_equal(steer_kind_of(&parsed), kinds[i].kind);
	}
}

/* Flows of one client, of a network, of neighbouring ports: slots are drawn
 * as if at random, and another seed draws others. */
static void
spread_check(bool is4, uint32_t seed, int varied)
{
	uint32_t *slots = xcalloc(GG_RING_SLOTS, sizeof(*slots)), same = 0;
	struct gg_vip_key from = { .ip = { [10] = 0xff, 0xff, 10 } };
	struct gg_vip_key to = { .ip = { [10] = 0xff, 0xff, 20 },
		.l4_proto = IPPROTO_TCP };
	const uint32_t flows = 16 * GG_RING_SLOTS;
	double chi = 0;

	for (uint32_t i = 0; i < flows; i++) {
		uint64_t hash;

		if (varied == 0) {
			from.port_be = (uint16_t)i;
			memcpy(from.ip + 12, (uint16_t[]){ (uint16_t)(i >> 16) },
				2);
		} else {
			memcpy(from.ip + 12, &i, 4);
		}
		hash = steer_hash(&from, &to, is4, seed);
		slots[steer_index(hash)]++;
		same += steer_index(hash) ==
			steer_index(steer_hash(&from, &to, is4, seed + 1));
	}
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++)
		chi += (slots[i] - 16.0) * (slots[i] - 16.0) / 16.0;
	/* Mean 65536, deviation 362: six of them. */
	assert_in_range((uint64_t)chi, 63300, 67800);
	assert_in_range(same, 0, 100);
	free(slots);
}

static void
test_hash_spreads(void **state)
{
	(void)state;
	for (int varied = 0; varied < 2; varied++) {
		spread_check(true, 0, varied);
		spread_check(true, 0x12345678, varied);
		spread_check(false, 0xdeadbeef, varied);
	}
	assert_int_equal(steer_index(UINT64_MAX), GG_RING_SLOTS - 1);
	assert_int_equal(steer_index(0), 0);
}

static void
test_every_word_counts(void **state)
{
	struct gg_vip_key from = { 0 }, to = { 0 };
	uint64_t before = steer_hash(&from, &to, false, 1);

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		from.ip[i] = 1;
		assert_int_not_equal(steer_hash(&from, &to, false, 1), before);
		from.ip[i] = 0;
		to.ip[i] = 1;
		assert_int_not_equal(steer_hash(&from, &to, false, 1), before);
		to.ip[i] = 0;
	}
	to.l4_proto = 17;
	assert_int_not_equal(steer_hash(&from, &to, false, 1), before);
	to.l4_proto = 0;
	from.port_be = 1;
	assert_int_not_equal(steer_hash(&from, &to, false, 1), before);
}

/* Boxes of one version and of the next stand beside each other while both are
 * upgraded, and send a flow to the same slot. */
static void
test_hash_is_the_same_in_every_version(void **state)
{
	static const struct {
		const char *packet;
		uint64_t hash;
	} flows[] = {
		{ "eth ip4 from=10.1.2.3 to=198.51.100.1 tcp from=40000 to=80 "
		  "flags=A",
			0x8e7a93fab0414d52 },
		{ "eth ip4 from=10.1.2.3 to=198.51.100.1 udp from=40000 to=80",
			0x8d5fc113ef2aa927 },
		{ "eth ip6 from=2001:db8::7 to=2001:db8:1::1 tcp from=40000 "
		  "to=80 flags=A",
			0x0f9684398f3f11e6 },
		{ "eth ip6 from=2001:db8::7 to=2001:db8:1::1 udp from=40000 "
		  "to=80",
			0xb863f92997732c6a },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		struct parsed parsed = { 0 };
		struct packet p;

		packet_build(&p, flows[i].packet);
		parse_packet(packet_data(&p), packet_data(&p) + p.length,
			&parsed);
		assert_true(steer_hash(&parsed.from, &parsed.to,
			parsed.family == 4, 0x5eed5eed) == flows[i].hash);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_hash_spreads),
		cmocka_unit_test(test_every_word_counts),
		cmocka_unit_test(test_hash_is_the_same_in_every_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
