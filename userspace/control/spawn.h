/* Starts a proxy process: the same binary, its own user, nothing inherited but
 * the channel, standard error and the memory that messages bring. */
#ifndef CONTROL_SPAWN_H
#define CONTROL_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct spawn_options {
	int binary; /* descriptor of the program */
	bool switch_user;
	uid_t uid;
	gid_t gid;
	bool unix_sockets; /* it may connect to some */
};

/* The process, its pidfd (close-on-exec) and our end of its channel. */
struct spawned {
	pid_t pid;
	int pidfd, channel;
};

int spawn_proxy(const struct spawn_options *options, struct spawned *out,
	struct error *err);

#endif
