/*
 * Measures the XDP program, for `scripts/bench xdp`: prints lines of JSON, and
 * judges none. Each command is one load: fresh programs, fresh maps.
 *
 *     xdp cases ROUNDS    nanoseconds a packet, by BPF_PROG_TEST_RUN
 *     xdp exact TIMES     two CPUs on one source beyond its limit
 *     xdp ring TIMES      a service's ring made anew
 *     xdp live ROUNDS     live frames, in a network namespace of its own
 */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "tests/bench/xdp_cases.h"
#include "tests/bench/xdp_exact.h"
#include "tests/bench/xdp_live.h"
#include "tests/bench/xdp_ring.h"
#include "tests/bench/xdp_root.h"

static int __attribute__((format(printf, 2, 0)))
library_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

int
main(int argc, char **argv)
{
	int count = argc == 3 ? atoi(argv[2]) : 0;
	int cpu = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;

	if (count <= 0)
		errx(2, "usage: xdp cases|exact|ring|live COUNT");
	libbpf_set_print(library_print);
	if (strcmp(argv[1], "exact") == 0) {
		exact_run(count);
		return 0;
	}
	thread_on_cpu(cpu);
	if (strcmp(argv[1], "cases") == 0)
		cases_run(count);
	else if (strcmp(argv[1], "ring") == 0)
		ring_run(count);
	else if (strcmp(argv[1], "live") == 0)
		live_run(count, cpu);
	else
		errx(2, "no such command: %s", argv[1]);
	return 0;
}
