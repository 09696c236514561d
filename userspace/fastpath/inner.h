/* What the files of this floor share of the struct behind fastpath.h. */
#ifndef FASTPATH_INNER_H
#define FASTPATH_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bpf/contract.h"
#include "fastpath/fastpath.h"
#include "fastpath/prefixes.h"
#include "fastpath/sets.h"
#include "fastpath/steered.h"
#include "fastpath/steering.h"

struct interface {
	struct fastpath_interface shown;
	enum fastpath_mode wanted;
	unsigned ifindex;
	uint32_t root_id; /* when last looked at */
	uint32_t own_id;  /* what this process attached */
	unsigned patience;
};

struct steering {
	struct steered steered;
	bool neighbours_watched;
	uint64_t commits;
	struct error published; /* what gg_vip does not hold, and why */
	uint64_t routes_ms;     /* when all ways were last looked at at once */
	uint64_t now_ms;        /* of the last tick */
	struct fastpath_service_state shown;
	struct fastpath_backend_status *shown_backends;
};

struct fastpath {
	char *pin_path, *object;
	struct interface *interfaces;
	size_t interface_count;
	struct sets sets;
	bool dispatcher; /* the kernel can */
	int watch_fd;
	/* What is wanted, for maps that come later. */
	struct fastpath_listener *listeners;
	size_t listener_count;
	struct gg_limit *limits; /* by slot; NULL: nothing is limited */
	struct fastpath_prefix *prefixes; /* sorted, masked */
	size_t prefix_count;
	struct steering steering;
	struct {
		bool looked;
		int64_t last; /* how many were left */
		uint64_t next_ms;
	} marks;
};

/* Each brings all sets of maps to what is wanted. */
int listeners_sync(struct fastpath *f, struct error *err);
int limits_sync(struct fastpath *f, struct error *err);
int prefixes_sync(struct fastpath *f, struct error *err);
/* Blocks that stand in the first set stand in all. */
void blocks_spread(struct fastpath *f);
int steering_sync(struct fastpath *f, struct error *err);

void steering_open(struct fastpath *f);
void steering_close(struct fastpath *f);
/* Reads f->watch_fd; true: local addresses changed. */
bool steering_watch(struct fastpath *f);

#endif
