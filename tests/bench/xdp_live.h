/* Live frames over a veth pair: what one CPU receives and answers. */
#ifndef TESTS_BENCH_XDP_LIVE_H
#define TESTS_BENCH_XDP_LIVE_H

/*
 * Needs a network namespace of its own, in which it makes the pair. A line of
 * JSON for each receiver and round: frames sent, frames that came to the end
 * of the way, nanoseconds of CPU time of all of it.
 */
void live_run(int rounds, int cpu);

#endif
