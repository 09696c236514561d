/*
 * Loading BPF in a test. Where the kernel does not let this user do it, the
 * test is skipped with a line that says why; all else is a failure.
 */
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#define EXIT_SKIPPED 77

/* Keeps libbpf's messages back, unless GG_VERBOSE is set. */
void load_quietly(void);
/* A map of this enum bpf_map_type, with keys of 4 and values of 8 bytes: its
 * descriptor shows that the kernel lets one be made; else -1 with errno. */
int load_map(int type);
/* What main() returns when the program was not loaded: looks at errno. */
int load_failed(void);

#endif
