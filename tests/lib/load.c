/* Loading BPF in a test. */
#include "tests/lib/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int
print_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

void
load_quietly(void)
{
	if (getenv("GG_VERBOSE") == NULL)
		libbpf_set_print(print_nothing);
}

int
load_map(int type)
{
	return bpf_map_create((enum bpf_map_type)type, "probe", 4, 8, 1, NULL);
}

int
load_failed(void)
{
	if (errno == EPERM || errno == ENOSYS) {
		printf("skipped: the kernel does not let this user load BPF "
		       "programs: %s\n",
			strerror(errno));
		return EXIT_SKIPPED;
	}
	fprintf(stderr, "cannot load the program: %s\n", strerror(errno));
	return 1;
}
