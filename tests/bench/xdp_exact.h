/* Whether a limit is kept to the packet by two CPUs on one source. */
#ifndef TESTS_BENCH_XDP_EXACT_H
#define TESTS_BENCH_XDP_EXACT_H

/* A line of JSON each time: packets that came, were to be admitted, were
 * admitted, were refused, lost a race; or "problem". */
void exact_run(int times);

#endif
