/*
 * The kernel half seen from control: loads the XDP program (or adopts one that
 * `ip link` attached), pins maps, attaches, keeps gg_vip in step with the
 * listeners by difference, reads counters. Sole user of libbpf and libxdp.
 * Without privileges or kernel support everything still works; the state says
 * why there is no acceleration.
 */
#ifndef FASTPATH_FASTPATH_H
#define FASTPATH_FASTPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/str.h"

struct fastpath;

enum fastpath_mode {
	FASTPATH_AUTO,
	FASTPATH_NATIVE,
	FASTPATH_GENERIC,
};

enum fastpath_state {
	FASTPATH_OFF,      /* no interface is configured */
	FASTPATH_ATTACHED, /* on every configured interface */
	FASTPATH_PARTIAL,
	FASTPATH_FAILED,
};

struct fastpath_interface {
	char name[16];
	bool attached, adopted; /* adopted: ip link had attached it */
	bool dispatcher;        /* through libxdp's dispatcher */
	enum fastpath_mode mode; /* what is active: native or generic */
	uint32_t program_id;
	char problem[256]; /* why not attached, or empty */
};

/* Entries of the tables that grow with the clients; 0: as the object has it.
 * Maps that are found keep the size that they have. */
struct fastpath_sizes {
	uint32_t sources;     /* gg_rl4 and gg_rl6 each */
	uint32_t connections; /* gg_ct4 and gg_ct6 each */
	uint32_t nat;         /* gg_nat4 and gg_nat6 each */
	uint32_t fragments;   /* gg_fragment */
};

struct fastpath_options {
	const char *pin_path;
	const char *object; /* NULL: the object built into the program */
	struct fastpath_sizes sizes;
	uint32_t flood_guard; /* see fastpath_flood_guard_set() */
	uint32_t hash_seed;   /* see fastpath_hash_seed_set() */
	const struct fastpath_interface_option {
		const char *name;
		enum fastpath_mode mode;
	} *interfaces;
	size_t interface_count;
};

/* Never fails as a whole: the state tells. The attachments and pins outlive
 * the process. */
struct fastpath *fastpath_open(const struct fastpath_options *options);
/* detach: take program and pins away; else everything stays as it is. */
void fastpath_close(struct fastpath *f, bool detach);
enum fastpath_state fastpath_state(const struct fastpath *f);
size_t fastpath_interface_count(const struct fastpath *f);
const struct fastpath_interface *fastpath_interface_get(
	const struct fastpath *f, size_t i);
/* Looks whether each program is still attached and attaches again where it is
 * not; true if anything changed (called each second by control). */
bool fastpath_repair(struct fastpath *f);

struct fastpath_listener {
	uint32_t slot; /* 1..SLOTS_MAX-1 */
	struct addr addr; /* a wildcard is expanded by fastpath into the local
			     addresses; address changes are followed */
	uint8_t l4_proto; /* IPPROTO_TCP, IPPROTO_UDP */
};

/* Brings gg_vip to exactly this set, by difference, and reads it back. 0 when
 * the kernel holds it (or there is no kernel half); -1 and err else. */
int fastpath_listeners_set(struct fastpath *f,
	const struct fastpath_listener *set, size_t count, struct error *err);
/* Readable when local addresses, routes, interfaces, their XDP program or, where
 * services are steered, neighbours changed (rtnetlink): then call
 * fastpath_network_changed() and fastpath_repair(). -1 when there is nothing to
 * watch. */
int fastpath_watch_fd(const struct fastpath *f);
void fastpath_network_changed(struct fastpath *f);

/* Sums over CPUs, one row per reason name for a slot. */
typedef void fastpath_counter_f(const char *reason, uint64_t packets,
	uint64_t bytes, void *arg);
int fastpath_counters(const struct fastpath *f, uint32_t slot,
	fastpath_counter_f *cb, void *arg);
/* As above for what is counted beside the reasons: "shadow_packets". */
typedef void fastpath_note_f(const char *note, uint64_t count, void *arg);
int fastpath_notes(const struct fastpath *f, uint32_t slot, fastpath_note_f *cb,
	void *arg);
/* Bytes of memory the maps take (for `check`). */
uint64_t fastpath_map_bytes(const struct fastpath *f);
/* Adds a sentence about maps whose size is not the one asked for; nothing when
 * there are none. */
void fastpath_sizes_explain(const struct fastpath *f, struct str *out);
/* New connections a second and CPU beyond which none is kept and, in mode nat,
 * none begins; 0: no bound. */
int fastpath_flood_guard_set(struct fastpath *f, uint32_t flood_guard,
	struct error *err);
/* Boxes with the same seed and the same services send a flow to the same
 * backend; 0: a seed of this box alone. Of maps that are in use another one is
 * taken only once no service is steered, since it moves every connection. */
int fastpath_hash_seed_set(struct fastpath *f, uint32_t hash_seed,
	struct error *err);
/* Adds a sentence when the seed is not the one asked for. */
void fastpath_hash_seed_explain(const struct fastpath *f, struct str *out);

/* One-shot commands of `gloo-gateway xdp attach|detach|status DEV`; the
 * interfaces of the options are not looked at. Text for the operator goes to
 * out. */
int fastpath_command(const char *verb, const char *device,
	const struct fastpath_options *options, struct str *out,
	struct error *err);

#endif
