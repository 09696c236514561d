/* What the kernel says an interface runs as XDP program. */
#ifndef FASTPATH_ATTACHED_H
#define FASTPATH_ATTACHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/fastpath.h"
#include "fastpath/program.h"

struct attached {
	uint32_t root_id; /* what the interface runs; 0: nothing */
	uint32_t id; /* our program where it is there, else root_id */
	char name[16]; /* of program id */
	uint8_t tag[PROGRAM_TAG_SIZE];
	enum fastpath_mode mode; /* native or generic */
	bool dispatcher; /* the root is libxdp's dispatcher */
	bool ours;       /* a gateway program, whoever attached it */
};

int attached_query(unsigned ifindex, struct attached *a, struct error *err);
/* Takes exactly the program id off, nothing that came in its place. */
int attached_detach(const struct attached *a, unsigned ifindex,
	struct error *err);

#endif
