/* Our XDP program: opening the object, loading it over maps, attaching it. */
#include "fastpath/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "base/log.h"
#include "base/mem.h"
#include "fastpath/attached.h"
#include "fastpath/library_log.h"
#include "fastpath/marks.h"
#include "gateway.skel.h"

struct program {
	struct bpf_object *object;
	int fd;
	uint8_t tag[PROGRAM_TAG_SIZE];
};

static const char *
object_name(const char *path)
{
	return path == NULL ? "the built-in BPF object" : path;
}

static int
refused(struct error *err, int errnum, const char *what)
{
	const char *why = library_log_kernel();

	if (errnum == EPERM || errnum == EACCES)
		return error_errno(err, errnum,
			"the kernel does not permit to %s the XDP program "
			"(CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed)",
			what);
	if (why[0] != '\0')
		return error_errno(err, errnum,
			"cannot %s the XDP program: %s", what, why);
	return error_errno(err, errnum, "cannot %s the XDP program", what);
}

/* One that is open is used again, the others get their size. */
static int
map_prepare(struct bpf_object *object, enum map_kind kind,
	const struct maps *maps, const struct fastpath_sizes *sizes,
	const char *path, struct error *err)
{
	struct bpf_map *map =
		bpf_object__find_map_by_name(object, map_names[kind]);
	uint32_t size = sizes == NULL ? 0 : maps_size_wanted(sizes, kind);

	if (map == NULL)
		return error_set(err, ERROR_CONFIG, "%s has no map %s",
			object_name(path), map_names[kind]);
	if (maps->fd[kind] >= 0 && bpf_map__reuse_fd(map, maps->fd[kind]) != 0)
		return error_errno(err, errno, "cannot use map %s again",
			map_names[kind]);
	if (maps->fd[kind] < 0 && size != 0 &&
		bpf_map__set_max_entries(map, size) != 0)
		return error_errno(err, errno, "cannot make map %s of %u",
			map_names[kind], size);
	return 0;
}

struct bpf_object *
program_object_open(const char *path, const struct maps *maps,
	const struct fastpath_sizes *sizes, struct error *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "gateway");
	struct bpf_object *object;
	const void *built_in;
	size_t size;

	library_log_open();
	if (path != NULL) {
		object = bpf_object__open_file(path, &options);
	} else {
		built_in = gateway_bpf__elf_bytes(&size);
		object = bpf_object__open_mem(built_in, size, &options);
	}
	if (object == NULL) {
		error_errno(err, errno, "%s cannot be opened",
			object_name(path));
		return NULL;
	}
	for (int i = 0; i < MAP_COUNT; i++) {
		if (map_prepare(object, (enum map_kind)i, maps, sizes, path,
			    err) != 0) {
			bpf_object__close(object);
			return NULL;
		}
	}
	return object;
}

static int
maps_take_new(struct bpf_object *object, struct maps *maps, struct error *err)
{
	struct bpf_map *map;
	int fd;

	for (int i = 0; i < MAP_COUNT; i++) {
		if (maps->fd[i] >= 0)
			continue;
		map = bpf_object__find_map_by_name(object, map_names[i]);
		fd = dup(bpf_map__fd(map));
		if (fd < 0)
			return error_errno(err, errno, "map %s", map_names[i]);
		if (maps_take(maps, (enum map_kind)i, fd, err) != 0)
			return -1;
	}
	return 0;
}

struct program *
program_load(const char *path, struct maps *maps,
	const struct fastpath_sizes *sizes, struct error *err)
{
	struct bpf_prog_info info = { 0 };
	bool unmarked = maps->fd[MAP_MARK] < 0 && maps->fd[MAP_RL4] >= 0 &&
		maps->fd[MAP_RL6] >= 0;
	uint32_t length = sizeof(info);
	struct bpf_program *program;
	struct program *p = xcalloc(1, sizeof(*p));

	p->object = program_object_open(path, maps, sizes, err);
	if (p->object == NULL)
		goto fail;
	program = bpf_object__find_program_by_name(p->object, GG_PROGRAM);
	if (program == NULL) {
		error_set(err, ERROR_CONFIG, "%s has no program " GG_PROGRAM,
			object_name(path));
		goto fail;
	}
	library_log_forget();
	if (bpf_object__load(p->object) != 0) {
		refused(err, errno, "load");
		goto fail;
	}
	p->fd = bpf_program__fd(program);
	if (bpf_obj_get_info_by_fd(p->fd, &info, &length) != 0) {
		error_errno(err, errno, "the loaded XDP program");
		goto fail;
	}
	memcpy(p->tag, info.tag, sizeof(p->tag));
	log_debug("fastpath: %s verified id=%u instructions=%u", info.name,
		info.id, info.verified_insns);
	if (maps_take_new(p->object, maps, err) != 0)
		goto fail;
	/* Our program finds no source that has an entry and no mark. */
	if (unmarked && marks_fill(maps, err) != 0)
		goto fail;
	return p;
fail:
	program_free(p);
	return NULL;
}

void
program_free(struct program *p)
{
	if (p == NULL)
		return;
	bpf_object__close(p->object);
	free(p);
}

const uint8_t *
program_tag(const struct program *p)
{
	return p->tag;
}

static uint32_t
mode_flags(enum fastpath_mode mode)
{
	return mode == FASTPATH_GENERIC ? XDP_FLAGS_SKB_MODE :
					  XDP_FLAGS_DRV_MODE;
}

int
program_attach(const struct program *p, unsigned ifindex,
	enum fastpath_mode mode, struct error *err)
{
	int rc;

	library_log_forget();
	rc = bpf_xdp_attach((int)ifindex, p->fd,
		mode_flags(mode) | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	return rc == 0 ? 0 : refused(err, -rc, "attach");
}

int
program_replace(const struct program *p, unsigned ifindex,
	const struct attached *old, struct error *err)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	int old_fd = bpf_prog_get_fd_by_id(old->id);
	int rc;

	if (old_fd < 0)
		return error_errno(err, errno, "cannot open program %u",
			old->id);
	options.old_prog_fd = old_fd;
	library_log_forget();
	rc = bpf_xdp_attach((int)ifindex, p->fd,
		mode_flags(old->mode) | XDP_FLAGS_REPLACE, &options);
	close(old_fd);
	return rc == 0 ? 0 : refused(err, -rc, "replace");
}
