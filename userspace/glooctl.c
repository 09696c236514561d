/* glooctl: hands the table of kinds to cli/. */
#include "cli/cli.h"
#include "kinds.h"

int
main(int argc, char **argv)
{
	return cli_main(argc, argv, upstream_kinds);
}
