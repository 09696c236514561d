/*
 * A network namespace of a test's own, with mounts, /run and a bpffs of its
 * own: nothing of the machine is touched.
 */
#ifndef TESTS_NETNS_H
#define TESTS_NETNS_H

struct netns {
	char folder[64]; /* for files */
	char bpffs[80];
	char pin_path[96]; /* in it; to be made by whoever pins */
	char object_path[96]; /* the gateway's object, for `ip link` */
};

/* Moves this process into one. Where that cannot be: -1, after a line that says
 * why the test is skipped. Logs errors; with GG_VERBOSE, all. */
int netns_open(struct netns *n);
/* fd, which it closes, shows whether the kernel makes there what the test
 * needs. Else as netns_open(), and n is closed. */
int netns_needs(struct netns *n, int fd, const char *what);
void netns_close(struct netns *n);

#endif
