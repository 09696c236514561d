/*
 * The control process: owns the store, BPF, listening sockets, the proxy.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/error.h"
#include "config/settings.h"
#include "model/kind.h"

struct control_options {
	const char *settings_path; /* or NULL: defaults */
	const struct upstream_kind *const *kinds;
	int binary; /* O_PATH descriptor of the program, opened at start */
	char **argv; /* for the re-execution at reload after an upgrade */
	int log_level; /* -1: as the settings say */
};

/* Runs until SIGTERM; returns the exit status. */
int control_main(const struct control_options *options);
/* `gloo-gateway --check`: reads settings and the whole store, prints what is
 * wrong to stderr; 0 if nothing is Rejected. */
int control_check(const struct control_options *options);

#endif
