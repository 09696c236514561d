/*
 * The pins below the pin path: maps/<name> for the maps, progs/<ifindex> for
 * the program that we attached to that interface, sockets/ for what chooses
 * listening sockets. They let a restarted daemon find its maps, and tell its
 * own program from one that `ip link` attached.
 */
#ifndef FASTPATH_PINS_H
#define FASTPATH_PINS_H

#include <stdint.h>

#include "base/error.h"

#define PINS_MAPS "maps"
#define PINS_PROGRAMS "progs"
#define PINS_SOCKETS "sockets"

/* Makes the folder; fails with what to do when there is no bpffs. */
int pins_prepare(const char *pin_path, const char *folder, struct error *err);
/* The descriptor behind a pin, -1 when there is none. */
int pins_get(const char *pin_path, const char *folder, const char *name);
/* Pins fd, in place of what had the name. */
int pins_set(const char *pin_path, const char *folder, const char *name,
	int fd, struct error *err);
void pins_remove(const char *pin_path, const char *folder, const char *name);
/* Takes the folder and every pin in it away; the pin path itself stays. */
void pins_remove_folder(const char *pin_path, const char *folder);
/* Those of the XDP program: its maps and what is attached. */
void pins_remove_all(const char *pin_path);

#endif
