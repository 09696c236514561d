/*
 * A kind of upstream that may be open, as the parts of control see it that
 * serve it: programs.c (its life), discovered.c and foreign.c (its reports).
 */
#ifndef CONTROL_PROGRAM_H
#define CONTROL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/core.h"
#include "model/kind.h"

struct discovered;
struct foreign;

/* A part of its work, from the first time that something was said of it. */
struct program_condition {
	char *part;
	enum kind_level level;
	char *reason;   /* "" when all is well */
	uint64_t since; /* ms since 1970: not well since; 0: well */
};

struct program {
	struct kind_program seen; /* first: the kind hands it back */
	struct control *control;
	const struct upstream_kind *kind;
	bool open;
	bool secrets_settled; /* all of its secrets were put since then */
	void *shared;         /* of open */
	struct doc *settings; /* a copy: settings are read again */
	char *settings_folder, *discovery_namespace;
	struct program_condition *conditions;
	size_t condition_count;
	struct discovered *discovered; /* both NULL: it was never open */
	struct foreign *foreign;
};

#endif
