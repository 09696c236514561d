/* How long a service's ring takes to be made anew. */
#ifndef TESTS_BENCH_XDP_RING_H
#define TESTS_BENCH_XDP_RING_H

/* A line of JSON: milliseconds of each time. */
void ring_run(int times);

#endif
