/* Our XDP program: opening the object, loading it over maps, attaching it. */
#ifndef FASTPATH_PROGRAM_H
#define FASTPATH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/fastpath.h"
#include "fastpath/maps.h"

#define PROGRAM_TAG_SIZE 8

struct attached;
struct bpf_object;
struct program;

/* The object (path, or NULL: the one built in), not loaded yet, set to use
 * those of maps that are open and to make the others of these sizes (NULL: as
 * built). bpf_object__close() is due. */
struct bpf_object *program_object_open(const char *path,
	const struct maps *maps, const struct fastpath_sizes *sizes,
	struct error *err);
/* Loads; maps that were not open are made and put into *maps. */
struct program *program_load(const char *path, struct maps *maps,
	const struct fastpath_sizes *sizes, struct error *err);
void program_free(struct program *p);
const uint8_t *program_tag(const struct program *p);
/* To an interface that has no program; mode is native or generic. */
int program_attach(const struct program *p, unsigned ifindex,
	enum fastpath_mode mode, struct error *err);
/* In place of old, which is ours, without a gap. */
int program_replace(const struct program *p, unsigned ifindex,
	const struct attached *old, struct error *err);

#endif
