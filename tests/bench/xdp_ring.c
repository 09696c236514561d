/*
 * A ring of 65 537 slots made for 100 backends, and its slots written into the
 * kernel's map: the one of the backends is another each time.
 */
#include "tests/bench/xdp_ring.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "bpf/contract.h"
#include "routing/ring.h"
#include "tests/bench/xdp_gateway_slots.h"
#include "tests/bench/xdp_root.h"

/* As the program reads it: eight bytes at once. */
union slot_word {
	struct gg_ring_slot slot;
	uint64_t word;
};

static volatile uint64_t *
map_open(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", sizeof(uint32_t),
		sizeof(struct gg_ring_slot), GG_RING_SLOTS, &opts);
	void *slots;

	if (fd < 0)
		err(1, "a ring");
	slots = mmap(NULL, GG_RING_SLOTS * sizeof(uint64_t),
		PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (slots == MAP_FAILED)
		err(1, "a ring's memory");
	return slots;
}

static void
slots_write(volatile uint64_t *slots, const struct ring *r, uint16_t epoch)
{
	for (uint32_t i = 0; i < GG_RING_SLOTS; i++) {
		union slot_word s = { .word = slots[i] };
		uint16_t owner = (uint16_t)(1 + ring_member_at(r, i));

		if (s.slot.current == owner)
			continue;
		s.slot.flags = s.slot.current == 0 ? 0 : GG_RING_MOVED;
		s.slot.base = s.slot.current == 0 ? owner : s.slot.base;
		s.slot.current = owner;
		s.slot.epoch = epoch;
		slots[i] = s.word;
	}
}

void
ring_run(int times)
{
	struct ring_member members[GATEWAY_BACKENDS] = { 0 };
	volatile uint64_t *slots = map_open();

	for (uint32_t i = 0; i < GATEWAY_BACKENDS; i++)
		members[i] = (struct ring_member){ .identity = i, .weight = 1 };
	printf("{\"ring_ms\": [");
	for (int i = 0; i <= times; i++) {
		uint64_t begin = thread_cpu_ns();
		struct ring *r;

		members[i % GATEWAY_BACKENDS].identity += 1000;
		r = ring_new_maglev(members, GATEWAY_BACKENDS, GG_RING_SLOTS);
		slots_write(slots, r, (uint16_t)i);
		ring_free(r);
		if (i > 0) /* the first fills pages */
			printf("%s%.3f", i > 1 ? ", " : "",
				(double)(thread_cpu_ns() - begin) / 1e6);
	}
	puts("]}");
}
