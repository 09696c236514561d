/* glooctl: the table of commands is generated from cli/cmd_*.c. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "model/kind.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_USAGE = 1,    /* wrong use, or the daemon cannot be reached */
	CLI_WARNING = 2,  /* stored and enforced, part of it is not served */
	CLI_REJECTED = 3, /* refused; what was there goes on */
	CLI_PENDING = 4,  /* not yet enforced */
};

int cli_main(int argc, char **argv, const struct upstream_kind *const *kinds);

#endif
