/* The words of the command line, read into struct cli. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/error.h"
#include "cli/command.h"

/* argv[0] is not looked at. -1 and err with a sentence; cli->path then says
 * how far it came. Values point into argv. */
int arguments_parse(struct cli *cli, int argc, char **argv, struct error *err);
/* The flag of that name that the command or one above it has, or NULL. */
const struct cli_flag *arguments_flag(const struct cli *cli, const char *name);

#endif
