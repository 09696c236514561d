/* Listeners and services, their limits, backends and addresses. */
#include "tests/bench/xdp_gateway_slots.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fastpath/rate.h"

#define BACKEND_PORT 8080
/* More than can come: at 10 ns a packet. */
#define RATE_PLENTY  100000000
#define BURST_PLENTY 10000000
#define BYTES_PLENTY 4000000000

#define PLENTY { RATE_PLENTY, BURST_PLENTY }

static const struct slot slots[SLOT_END] = {
	[SLOT_LISTENER] = { .address = "198.51.100.1" },
	[SLOT_HOT] = { .address = "198.51.100.2", .limited = true,
		.packets = PLENTY },
	[SLOT_MANY] = { .address = "198.51.100.3", .limited = true,
		.packets = PLENTY },
	[SLOT_FLOOD] = { .address = "198.51.100.4", .limited = true,
		.packets = { 1000, 1000 } },
	[SLOT_REFUSED] = { .address = "198.51.100.5", .limited = true,
		.packets = { 100, 100 } },
	[SLOT_WORDS] = { .address = "198.51.100.6", .limited = true,
		.packets = PLENTY, .bytes = { BYTES_PLENTY, BYTES_PLENTY / 10 },
		.connections = PLENTY },
	/* Less than two ticks' worth at once. */
	[SLOT_FINE] = { .address = "198.51.100.7", .limited = true,
		.packets = { RATE_PLENTY, RATE_PLENTY / 1000 } },
	/* A second's worth at once: on a busy machine both senders may have to
	 * wait, and a bucket that is full again would lose what they had due. */
	[SLOT_EXACT] = { .address = "198.51.100.8", .limited = true,
		.packets = { 100000, 100000 } },
	[SLOT_DSR4] = { .address = "198.51.100.20", .mode = GG_MODE_DSR_L2 },
	[SLOT_DSR6] = { .address = "2001:db8:ffff::20",
		.mode = GG_MODE_DSR_L2 },
	[SLOT_ROUTE4] = { .address = "198.51.100.21", .mode = GG_MODE_ROUTE },
	[SLOT_ROUTE6] = { .address = "2001:db8:ffff::21",
		.mode = GG_MODE_ROUTE },
	[SLOT_NAT4_1] = { .address = "198.51.100.22", .mode = GG_MODE_NAT },
	[SLOT_NAT4_64K] = { .address = "198.51.100.23", .mode = GG_MODE_NAT },
	[SLOT_NAT4_1M] = { .address = "198.51.100.24", .mode = GG_MODE_NAT },
	[SLOT_NAT4_FLOOD] = { .address = "198.51.100.25",
		.mode = GG_MODE_NAT },
	[SLOT_DSR4_MOVED] = { .address = "198.51.100.26",
		.mode = GG_MODE_DSR_L2, .moved = true },
	[SLOT_ROUTE4_MOVED] = { .address = "198.51.100.27",
		.mode = GG_MODE_ROUTE, .moved = true },
	[SLOT_DSR4_BELOW] = { .address = "198.51.100.28",
		.mode = GG_MODE_DSR_L2, .limited = true,
		.packets = { 10000, 10000 } },
	[SLOT_DSR4_KEYED] = { .address = "198.51.100.29",
		.mode = GG_MODE_DSR_L2, .limited = true, .packets = PLENTY },
};

const struct slot *
slot_get(uint32_t slot)
{
	return slot < SLOT_END && slots[slot].address != NULL ? &slots[slot] :
								NULL;
}

uint32_t
slot_number(const struct slot *s)
{
	return (uint32_t)(s - slots);
}

/* The coarse clock moves once a tick. */
uint32_t
kernel_hz(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 ||
		tick.tv_nsec <= 0)
		abort();
	return (uint32_t)((1000000000 + tick.tv_nsec / 2) / tick.tv_nsec);
}

static struct gg_rate
rate_of(uint32_t rate, uint32_t burst)
{
	const struct fastpath_rate wanted = { .rate = rate, .unit_s = 1,
		.burst = burst };
	struct error problem = ERROR_INIT;
	struct gg_rate out;

	if (rate_make(&wanted, kernel_hz(), &out, &problem) != 0)
		errx(1, "%s", problem.text);
	return out;
}

struct gg_rule
slot_rule(const struct slot *s)
{
	struct gg_rule rule = {
		.packets = rate_of(s->packets.rate, s->packets.burst),
		.bytes = rate_of(s->bytes.rate, s->bytes.burst),
		.connections =
			rate_of(s->connections.rate, s->connections.burst),
		.plen4 = 32,
		.plen6 = 64,
	};

	if (rule.packets.flags & GG_RATE_FINE)
		rule.flags |= GG_RULE_FINE;
	return rule;
}

static bool
slot_is_v4(const struct slot *s)
{
	struct addr a;

	return addr_parse_ip(s->address, 0, &a) == 0 && addr_is_v4(&a);
}

void
slot_backend(const struct slot *s, uint32_t index, struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (slot_is_v4(s))
		snprintf(text, sizeof(text), "172.16.%u.%u", index >> 8,
			index & 0xff);
	else
		snprintf(text, sizeof(text), "2001:db8:b::%x", index);
	if (addr_parse_ip(text, BACKEND_PORT, a) != 0)
		abort();
}

void
slot_box_address(const struct slot *s, struct addr *a)
{
	if (addr_parse_ip(slot_is_v4(s) ? "192.0.2.254" : "2001:db8:2::fe", 0,
		    a) != 0)
		abort();
}
