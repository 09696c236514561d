/* What `scripts/bench xdp` measures by BPF_PROG_TEST_RUN. */
#ifndef TESTS_BENCH_XDP_CASES_H
#define TESTS_BENCH_XDP_CASES_H

/*
 * Fills all tables, then runs every case once a round, one after the other. A
 * line of JSON each: case, floor (the case to subtract), ns, packets; and of
 * the gateway how many were counted as they should be, and as what most were.
 */
void cases_run(int rounds);

#endif
