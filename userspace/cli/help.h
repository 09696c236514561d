/* What --help prints, made from the tree of commands. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/str.h"
#include "cli/command.h"

void help_print(const struct cli *cli, struct str *out);
/* "glooctl add route" */
void help_path(const struct cli *cli, struct str *out);

#endif
