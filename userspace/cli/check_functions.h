/* glooctl check lambda|azure: may the functions of an upstream be called, and
 * what else it needs. */
#ifndef CLI_CHECK_FUNCTIONS_H
#define CLI_CHECK_FUNCTIONS_H

#include "cli/command.h"

extern const struct cli_command check_lambda_command, check_azure_command;

#endif
