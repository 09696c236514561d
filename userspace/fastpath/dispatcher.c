/* libxdp's dispatcher. */
#include "fastpath/dispatcher.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <xdp/libxdp.h>

#include "fastpath/library_log.h"
#include "fastpath/program.h"

bool
dispatcher_is_possible(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_EXT, "gg_probe", "GPL", insns, 2,
		NULL);

	/* Without a program to extend the answer is EINVAL, unless the type
	 * as such is refused. */
	if (fd >= 0) {
		close(fd);
		return true;
	}
	return errno != EPERM;
}

static struct xdp_program *
program_find(const struct xdp_multiprog *all, uint32_t id)
{
	struct xdp_program *at = NULL;

	while ((at = xdp_multiprog__next_prog(at, all)) != NULL) {
		if (id != 0 ? xdp_program__id(at) == id :
			      strcmp(xdp_program__name(at), GG_PROGRAM) == 0)
			return at;
	}
	return NULL;
}

uint32_t
dispatcher_find(unsigned ifindex)
{
	struct xdp_multiprog *all;
	struct xdp_program *ours;
	uint32_t id;

	library_log_open();
	all = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(all) != 0)
		return 0;
	ours = program_find(all, 0);
	id = ours == NULL ? 0 : xdp_program__id(ours);
	xdp_multiprog__close(all);
	return id;
}

int
dispatcher_attach(const char *object, const struct maps *maps,
	unsigned ifindex, enum fastpath_mode mode, struct error *err)
{
	struct bpf_object *opened =
		program_object_open(object, maps, NULL, err);
	struct xdp_program *program = NULL;
	long rc = -1;

	if (opened == NULL)
		return -1;
	library_log_forget();
	program = xdp_program__from_bpf_obj(opened, GG_SECTION);
	rc = libxdp_get_error(program);
	if (rc != 0) {
		program = NULL;
		goto out;
	}
	rc = xdp_program__attach(program, (int)ifindex,
		mode == FASTPATH_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
out:
	if (rc != 0)
		error_errno(err, (int)-rc,
			"cannot attach through libxdp's dispatcher");
	xdp_program__close(program);
	bpf_object__close(opened);
	return rc == 0 ? 0 : -1;
}

int
dispatcher_detach(unsigned ifindex, uint32_t id, struct error *err)
{
	struct xdp_multiprog *all;
	struct xdp_program *ours;
	long rc;

	library_log_open();
	all = xdp_multiprog__get_from_ifindex((int)ifindex);
	rc = libxdp_get_error(all);
	if (rc != 0)
		return error_errno(err, (int)-rc, "no dispatcher is attached");
	ours = program_find(all, id);
	rc = ours == NULL ? -ENOENT :
			    xdp_program__detach(ours, (int)ifindex,
				    xdp_multiprog__attach_mode(all), 0);
	xdp_multiprog__close(all);
	if (rc != 0)
		return error_errno(err, (int)-rc,
			"cannot detach program %u from the dispatcher", id);
	return 0;
}
