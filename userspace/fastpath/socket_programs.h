/*
 * The programs of bpf/sockets.bpf.c with their maps and the link: loaded when
 * they are first needed, each without the other, as a kernel may have only one
 * of them; pinned, and found again by the next process.
 */
#ifndef FASTPATH_SOCKET_PROGRAMS_H
#define FASTPATH_SOCKET_PROGRAMS_H

#include <stdbool.h>

#include "base/error.h"

enum socket_map {
	SOCKET_MAP_SOCKET,
	SOCKET_MAP_LISTENER,
	SOCKET_MAP_BIND,
	SOCKET_MAPS,
};

struct bpf_object;

struct socket_program {
	const char *name;
	struct bpf_object *object; /* NULL: not loaded */
	int fd;
	char refused[256]; /* why the kernel does not have it, or empty */
};

struct socket_programs {
	char *pin_path; /* or NULL */
	int maps[SOCKET_MAPS]; /* -1: not there yet */
	bool found; /* the maps are an earlier process's */
	struct socket_program worker, lookup;
	int link; /* of lookup with our network; -1: none */
	bool link_is_current; /* runs our program, not an older one's */
	bool pinned, warned;
};

/* Finds what is pinned. link: of an earlier process, taken; or -1. */
void socket_programs_init(struct socket_programs *s, const char *pin_path,
	int link);
/* detach: the pins go. */
void socket_programs_fini(struct socket_programs *s, bool detach);
/* The program (one of the two above) is loaded and all maps are there when
 * this returns 0. What a kernel refused is not asked for again. */
int socket_programs_load(struct socket_programs *s,
	struct socket_program *which, struct error *err);
/* The loaded lookup program decides for our network, in place of an older one
 * without a gap. */
int socket_programs_attach(struct socket_programs *s, struct error *err);
bool socket_programs_attached(const struct socket_programs *s);
void socket_programs_detach(struct socket_programs *s);
/* Pins the maps, once; a failure is logged. */
void socket_programs_pin(struct socket_programs *s);

#endif
