/* The cases: which frames go through which program, and what must be counted. */
#include "tests/bench/xdp_cases.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "tests/bench/xdp_gateway.h"
#include "tests/bench/xdp_gateway_slots.h"
#include "tests/bench/xdp_root.h"
#include "xdp_reference.skel.h"

#define LOOPBACK 1
#define WARM_UP  100000
#define PACKETS  500000
#define SLOW     300000 /* of what costs most of a microsecond */
#define MANY     3000000
#define SOURCE   0x0a000000u /* 10.0.0.0 */
#define K32      (1u << 15)
#define K64      (1u << 16)
#define M1       (1u << 20)

enum program {
	GATEWAY, /* as shipped */
	LARGE,   /* another load of it: tables of a million sources and more */
	CROWDED, /* the same, with a million connections through NAT */
	EMPTY,
	PARSE,
	LOOKUP,
	LOOKUP_1M,
	BUCKET,
	INSERT,
	KTIME,
	JIFFIES,
	PROGRAMS,
};

enum fill {
	FILL_NONE,
	FILL_CONNECTIONS, /* a connection request of each flow */
	FILL_SOURCES,     /* packets of each while every source is admitted */
	FILL_REVERSE,     /* the list, with the answers to what was filled */
	FILL_ANSWERS,     /* the list, with packets from the backends */
	FILL_TABLE,       /* of the reference program */
};

enum switches {
	LISTS = 1,
	GUARD = 2,
	ENTRIES = 4, /* those that came are counted in the first round */
	LIMITED = 8, /* the limiter must have written */
	KEYED = 16,  /* the first source must have an entry */
	LAST = 32,   /* in the last round alone: it drives others out of tables */
};

struct bench_case {
	const char *name;
	enum program program;
	const char *floor; /* NULL: the empty program with the same frames */
	enum fill fill;
	int switches;
	uint32_t slot; /* of the gateway: where it goes, what counts it */
	enum gg_reason reason, also; /* also: 0, or as good as reason */
	struct load load;
	uint32_t packets; /* 0: PACKETS */
};

#define TCP4(n) { .kind = ROOT_TCP4, .flows = (n), .flags = "A" }
#define TCP6(n) { .kind = ROOT_TCP6, .flows = (n), .flags = "A" }
#define UDP4(n) { .kind = ROOT_UDP4, .flows = (n) }
#define SYN4(n) { .kind = ROOT_TCP4, .flows = (n), .flags = "S" }
#define ACK_NEW { .kind = ROOT_TCP4, .draw = SCENE_NEW, .flags = "A" }
#define SYN_NEW { .kind = ROOT_TCP4, .draw = SCENE_NEW, .flags = "S" }
#define LIST4(from, n)                                                         \
	{                                                                      \
		.kind = ROOT_TCP4, .draw = SCENE_LISTED, .flags = "A",         \
		.flows = (n), .listed_from = (from)                            \
	}

#define TO(s, r) .slot = SLOT_##s, .reason = GG_REASON_##r

/* Filled in this order, run in this order. */
static struct bench_case cases[] = {
	/* What one thing costs: net of reading the addresses and ports. */
	{ "parse", PARSE, .load = TCP4(K64) },
	{ "lookup 64k", LOOKUP, "parse", FILL_TABLE, .load = TCP4(K64) },
	{ "lookup 1", LOOKUP, "parse", .load = TCP4(1) },
	{ "lookup 1m", LOOKUP_1M, "parse", FILL_TABLE, .load = TCP4(M1) },
	{ "bucket 32k", BUCKET, "parse", FILL_TABLE, .load = TCP4(K32) },
	{ "bucket 1", BUCKET, "parse", .load = TCP4(1) },
	{ "insert", INSERT, "parse", FILL_TABLE, .load = ACK_NEW,
		.packets = SLOW },
	{ "ktime", KTIME, "parse", .load = TCP4(1) },
	{ "jiffies", JIFFIES, "parse", .load = TCP4(1) },

	{ "no listener", TO(BOX, pass_no_vip_tcp), .load = TCP4(M1) },
	{ "listener 1", TO(LISTENER, pass_listener), .load = TCP4(1) },
	{ "listener 32k", TO(LISTENER, pass_listener), .load = TCP4(K32) },
	{ "listener new", TO(LISTENER, pass_listener), .load = ACK_NEW },
	{ "listener syn", TO(LISTENER, pass_listener_syn), .load = SYN4(1) },
	{ "listener lists", TO(LISTENER, pass_listener), .switches = LISTS,
		.load = TCP4(K32) },

	{ "limit hot", TO(HOT, pass_listener), .floor = "listener 1",
		.fill = FILL_SOURCES, .switches = LIMITED | KEYED,
		.load = TCP4(1) },
	{ "limit 32k", TO(MANY, pass_listener), .floor = "listener 32k",
		.fill = FILL_SOURCES, .switches = LIMITED | KEYED,
		.load = TCP4(K32) },
	{ "limit large 32k", LARGE, TO(MANY, pass_listener),
		.floor = "listener 32k", .fill = FILL_SOURCES,
		.switches = LIMITED | KEYED, .load = TCP4(K32) },
	{ "limit new", TO(FLOOD, pass_listener), .floor = "listener new",
		.switches = ENTRIES | LIMITED, .load = ACK_NEW },
	{ "limit refused", TO(REFUSED, drop_limit_packets),
		.floor = "listener 1", .fill = FILL_SOURCES, .switches = KEYED,
		.load = TCP4(1) },
	{ "limit words", TO(WORDS, pass_listener_syn), .floor = "listener syn",
		.fill = FILL_SOURCES, .switches = LIMITED | KEYED,
		.load = SYN4(1) },
	{ "limit fine", TO(FINE, pass_listener), .floor = "listener 1",
		.fill = FILL_SOURCES, .switches = LIMITED | KEYED,
		.load = TCP4(1) },

	{ "dsr 1", TO(DSR4, forward), .load = TCP4(1) },
	{ "dsr 64k", TO(DSR4, forward), .load = TCP4(K64) },
	{ "dsr 1m", TO(DSR4, forward), .load = TCP4(M1) },
	{ "dsr udp 64k", TO(DSR4, forward), .load = UDP4(K64) },
	{ "dsr lists 64k", TO(DSR4, forward), .switches = LISTS,
		.load = TCP4(K64) },
	{ "dsr6 1", TO(DSR6, forward), .load = TCP6(1) },
	{ "dsr6 64k", TO(DSR6, forward), .load = TCP6(K64) },
	{ "dsr6 1m", TO(DSR6, forward), .load = TCP6(M1) },
	{ "route 1", TO(ROUTE4, forward), .load = TCP4(1) },
	{ "route 64k", TO(ROUTE4, forward), .load = TCP4(K64) },
	{ "route 1m", TO(ROUTE4, forward), .load = TCP4(M1) },
	{ "route6 1", TO(ROUTE6, forward), .load = TCP6(1) },
	{ "route6 64k", TO(ROUTE6, forward), .load = TCP6(K64) },
	{ "route6 1m", TO(ROUTE6, forward), .load = TCP6(M1) },
	{ "route back", TO(ROUTE4, forward_reverse), .fill = FILL_ANSWERS,
		.load = LIST4(2 * M1, K64) },
	{ "dsr flood", TO(DSR4, forward_syn), .switches = ENTRIES,
		.load = SYN_NEW },
	{ "route flood", TO(ROUTE4, forward_syn), .switches = ENTRIES,
		.load = SYN_NEW },

	{ "nat 1", LARGE, TO(NAT4_1, forward), .fill = FILL_CONNECTIONS,
		.load = TCP4(1) },
	{ "nat 64k", LARGE, TO(NAT4_64K, forward), .fill = FILL_CONNECTIONS,
		.load = TCP4(K64) },
	{ "nat 1m", CROWDED, TO(NAT4_1M, forward), .fill = FILL_CONNECTIONS,
		.load = TCP4(M1) },
	{ "nat back 1", LARGE, TO(NAT4_1, forward_reverse), .fill = FILL_REVERSE,
		.load = LIST4(0, 1) },
	{ "nat back 64k", LARGE, TO(NAT4_64K, forward_reverse), .fill = FILL_REVERSE,
		.load = LIST4(K64, K64) },
	{ "nat back 1m", CROWDED, TO(NAT4_1M, forward_reverse),
		.fill = FILL_REVERSE, .load = LIST4(M1, M1) },
	/* So many that all but the first few come when the guard acts. */
	{ "nat flood", LARGE, TO(NAT4_FLOOD, drop_flood_guard),
		.also = GG_REASON_forward_syn, .switches = GUARD,
		.load = SYN_NEW, .packets = MANY },

	{ "dsr moved 64k", LARGE, TO(DSR4_MOVED, forward), .fill = FILL_CONNECTIONS,
		.load = TCP4(K64) },
	{ "dsr moved 1m", LARGE, TO(DSR4_MOVED, forward), .fill = FILL_CONNECTIONS,
		.load = TCP4(M1) },
	{ "route moved 64k", LARGE, TO(ROUTE4_MOVED, forward),
		.fill = FILL_CONNECTIONS, .load = TCP4(K64) },
	{ "route moved 1m", LARGE, TO(ROUTE4_MOVED, forward),
		.fill = FILL_CONNECTIONS, .load = TCP4(M1) },
	{ "dsr limit below", TO(DSR4_BELOW, forward),
		.switches = ENTRIES | LIMITED, .load = TCP4(K64) },
	{ "dsr limit keyed", LARGE, TO(DSR4_KEYED, forward), .fill = FILL_SOURCES,
		.switches = LIMITED | KEYED, .load = TCP4(K64) },
	{ "nat new", CROWDED, TO(NAT4_FLOOD, forward_syn), .switches = LAST,
		.load = SYN_NEW, .packets = SLOW },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

struct bench {
	struct root *root;
	struct gateway *gateways[CROWDED + 1];
	struct xdp_reference *reference;
	int programs[PROGRAMS];
};

/* NULL: a reference program. */
static struct gateway *
gateway_of(const struct bench *b, const struct bench_case *c)
{
	return c->program <= CROWDED ? b->gateways[c->program] : NULL;
}

/* ---- tables */

static void
flows_run(struct bench *b, const struct bench_case *c, int program_fd,
	const char *flags)
{
	struct load each = c->load;

	if (each.draw == SCENE_RANDOM)
		each.draw = SCENE_NEXT;
	if (each.kind != ROOT_UDP4)
		each.flags = flags;
	root_calls(b->root, program_fd);
	root_load(b->root, &each);
	/* Of new ones so many that the table is full. */
	root_run(b->root, &each,
		each.draw == SCENE_NEW ? M1 + K64 : each.flows);
}

static void
reverse_fill(struct bench *b, struct bench_case *c)
{
	uint32_t found = gateway_reverse_flows(gateway_of(b, c), c->slot,
		root_list(b->root) + c->load.listed_from, c->load.flows);

	/* Of a million connections some found no port. */
	if (found < c->load.flows / 100 * 99)
		warnx("%s: %" PRIu32 " of %" PRIu32 " connections are there",
			c->name, found, c->load.flows);
	c->load.flows = found > 0 ? found : 1;
}

static void
answers_fill(struct bench *b, const struct bench_case *c)
{
	struct scene_flow *flows = root_list(b->root) + c->load.listed_from;

	for (uint32_t i = 0; i < c->load.flows; i++)
		flows[i] = gateway_answer(gateway_of(b, c), c->slot,
			i % GATEWAY_BACKENDS, SOURCE + i);
}

static int
fill_program(const struct bench *b, enum program p)
{
	switch (p) {
	case LOOKUP:
		return bpf_program__fd(b->reference->progs.fill_lookup);
	case LOOKUP_1M:
		return bpf_program__fd(b->reference->progs.fill_lookup_1m);
	case BUCKET:
		return bpf_program__fd(b->reference->progs.fill_buckets);
	default:
		return b->programs[p];
	}
}

static void
case_fill(struct bench *b, struct bench_case *c)
{
	switch (c->fill) {
	case FILL_NONE:
		break;
	case FILL_CONNECTIONS:
		flows_run(b, c, b->programs[c->program], "S");
		break;
	case FILL_SOURCES:
		gateway_admit_all(gateway_of(b, c), true);
		flows_run(b, c, b->programs[c->program], c->load.flags);
		flows_run(b, c, b->programs[c->program], c->load.flags);
		gateway_admit_all(gateway_of(b, c), false);
		break;
	case FILL_REVERSE:
		reverse_fill(b, c);
		break;
	case FILL_ANSWERS:
		answers_fill(b, c);
		break;
	case FILL_TABLE:
		flows_run(b, c, fill_program(b, c->program), c->load.flags);
		break;
	}
}

/* ---- running */

/* By slot alone: what most were, where it is not what they were to be. */
static void
counted_print(const struct bench_case *c, const uint64_t *before,
	const uint64_t *after)
{
	enum gg_reason reason = c->reason, also = c->also;
	uint64_t counted = after[reason] - before[reason];
	int most = 0;

	for (int i = 1; i < GG_REASON_COUNT; i++) {
		if (after[i] - before[i] > after[most] - before[most])
			most = i;
	}
	if (also != 0)
		counted += after[also] - before[also];
	printf(", \"counted\": %" PRIu64 ", \"as\": \"%s\", \"most\": \"%s\"",
		counted, gateway_reason_name(reason),
		after[most] == before[most] ? "nothing" :
					      gateway_reason_name(most));
}

static void
floor_print(const struct bench_case *c)
{
	if (c->floor != NULL)
		printf(", \"floor\": \"%s\"", c->floor);
	else if (c->program != EMPTY)
		printf(", \"floor\": \"floor %d %d\"", c->load.kind,
			c->load.draw);
}

/* What a case must have changed, or must not. */
struct state {
	uint64_t counts[GG_REASON_COUNT], entries, limit;
	bool has_entry;
};

static void
state_read(const struct bench *b, const struct bench_case *c, bool first,
	struct state *s)
{
	const struct gateway *g = gateway_of(b, c);

	if (g == NULL)
		return;
	if (first && c->switches & ENTRIES)
		s->entries = gateway_entries(g);
	if (c->switches & (LIMITED | KEYED))
		s->limit = gateway_limit_state(
			g, c->slot, SOURCE, &s->has_entry);
	gateway_counts(g, c->slot, s->counts);
}

static void
state_print(const struct bench_case *c, bool first, const struct state *before,
	const struct state *after)
{
	if (c->program > CROWDED)
		return;
	counted_print(c, before->counts, after->counts);
	if (c->switches & LIMITED && before->limit == after->limit)
		printf(", \"problem\": \"no bucket was written\"");
	else if (c->switches & KEYED && !after->has_entry)
		printf(", \"problem\": \"the source has no entry\"");
	if (first && c->switches & ENTRIES)
		printf(", \"grown\": %" PRId64,
			(int64_t)(after->entries - before->entries));
}

static void
case_run(struct bench *b, const struct bench_case *c, bool first)
{
	uint32_t packets = c->packets != 0 ? c->packets : PACKETS;
	struct state before = { 0 }, after = { 0 };
	struct gateway *g = gateway_of(b, c);
	double ns;

	if (g != NULL) {
		gateway_lists(g, c->switches & LISTS);
		gateway_flood_guard(g, c->switches & GUARD);
	}
	root_calls(b->root, b->programs[c->program]);
	root_load(b->root, &c->load);
	state_read(b, c, first, &before);
	root_run(b->root, &c->load, WARM_UP);
	if (g != NULL)
		gateway_counts(g, c->slot, before.counts);
	ns = root_run(b->root, &c->load, packets);
	printf("{\"case\": \"%s\", \"ns\": %.2f, \"packets\": %" PRIu32,
		c->name, ns, packets);
	floor_print(c);
	state_read(b, c, first, &after);
	state_print(c, first, &before, &after);
	puts("}");
}

/* The empty program with each kind of frame and draw that is used. */
static void
floors_run(struct bench *b)
{
	bool done[ROOT_KINDS][SCENE_LISTED + 1] = { 0 };

	for (size_t i = 0; i < CASES; i++) {
		struct bench_case c = cases[i];
		char name[32];

		if (done[c.load.kind][c.load.draw])
			continue;
		done[c.load.kind][c.load.draw] = true;
		snprintf(name, sizeof(name), "floor %d %d", c.load.kind,
			c.load.draw);
		c.name = name;
		c.program = EMPTY;
		c.floor = NULL;
		c.switches = 0;
		case_run(b, &c, false);
	}
}

static void
bench_open(struct bench *b)
{
	b->root = root_new();
	for (int i = 0; i <= CROWDED; i++) {
		b->gateways[i] = gateway_new(i == GATEWAY, LOOPBACK);
		b->programs[i] = gateway_program(b->gateways[i]);
	}
	b->reference = xdp_reference__open_and_load();
	if (b->reference == NULL)
		err(1, "the reference programs do not load");
#define REFERENCE(number, name)                                                \
	b->programs[number] =                                                  \
		bpf_program__fd(b->reference->progs.reference_##name)
	REFERENCE(EMPTY, empty);
	REFERENCE(PARSE, parse);
	REFERENCE(LOOKUP, lookup);
	REFERENCE(LOOKUP_1M, lookup_1m);
	REFERENCE(BUCKET, bucket);
	REFERENCE(INSERT, insert);
	REFERENCE(KTIME, ktime);
	REFERENCE(JIFFIES, jiffies);
#undef REFERENCE
}

void
cases_run(int rounds)
{
	struct bench b = { 0 };

	bench_open(&b);
	for (size_t i = 0; i < CASES; i++) {
		struct bench_case *c = &cases[i];
		const struct slot *s = slot_get(c->slot);

		c->load.source = SOURCE;
		c->load.to = s != NULL ? s->address : "198.51.100.99";
		c->load.port = GATEWAY_PORT;
		case_fill(&b, c);
		root_calls(b.root, b.programs[EMPTY]);
		root_load(b.root, &c->load);
		if (!root_frames_are_right(b.root, &c->load))
			errx(1, "%s: the root writes wrong frames", c->name);
	}
	for (int round = 0; round < rounds; round++) {
		floors_run(&b);
		for (size_t i = 0; i < CASES; i++) {
			if (round == rounds - 1 || !(cases[i].switches & LAST))
				case_run(&b, &cases[i], round == 0);
		}
		fflush(stdout);
	}
	if (b.reference->bss->misses != 0)
		errx(1, "%llu lookups of the reference programs missed",
			(unsigned long long)b.reference->bss->misses);
	xdp_reference__destroy(b.reference);
	for (int i = 0; i <= CROWDED; i++)
		gateway_free(b.gateways[i]);
	root_free(b.root);
}
