/* What the kernel says an interface runs as XDP program. */
#include "fastpath/attached.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "fastpath/dispatcher.h"

static int
root_query(unsigned ifindex, struct attached *a, struct error *err)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, options);
	int rc = bpf_xdp_query((int)ifindex, 0, &options);

	if (rc != 0)
		return error_errno(err, -rc, "cannot ask for its XDP program");
	a->mode = FASTPATH_NATIVE;
	switch (options.attach_mode) {
	case XDP_ATTACHED_NONE:
		break;
	case XDP_ATTACHED_SKB:
		a->mode = FASTPATH_GENERIC;
		a->root_id = options.skb_prog_id;
		break;
	case XDP_ATTACHED_HW:
		a->root_id = options.hw_prog_id;
		break;
	default:
		a->root_id = options.drv_prog_id;
		break;
	}
	return 0;
}

static int
identity_read(struct attached *a, struct error *err)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(a->id);
	int rc;

	if (fd < 0)
		return error_errno(err, errno,
			"XDP program %u is attached and cannot be looked at",
			a->id);
	rc = bpf_obj_get_info_by_fd(fd, &info, &length);
	close(fd);
	if (rc != 0)
		return error_errno(err, errno, "XDP program %u", a->id);
	memcpy(a->name, info.name, sizeof(a->name));
	a->name[sizeof(a->name) - 1] = '\0';
	memcpy(a->tag, info.tag, sizeof(a->tag));
	a->ours = strcmp(a->name, GG_PROGRAM) == 0;
	return 0;
}

int
attached_query(unsigned ifindex, struct attached *a, struct error *err)
{
	uint32_t ours;

	memset(a, 0, sizeof(*a));
	if (root_query(ifindex, a, err) != 0)
		return -1;
	a->id = a->root_id;
	if (a->id == 0)
		return 0;
	if (identity_read(a, err) != 0)
		return -1;
	a->dispatcher = strcmp(a->name, DISPATCHER_PROGRAM) == 0;
	if (!a->dispatcher)
		return 0;
	ours = dispatcher_find(ifindex);
	if (ours == 0)
		return 0;
	a->id = ours;
	return identity_read(a, err);
}

int
attached_detach(const struct attached *a, unsigned ifindex, struct error *err)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	uint32_t flags = a->mode == FASTPATH_GENERIC ? XDP_FLAGS_SKB_MODE :
						       XDP_FLAGS_DRV_MODE;
	int fd, rc;

	if (a->dispatcher)
		return dispatcher_detach(ifindex, a->id, err);
	fd = bpf_prog_get_fd_by_id(a->id);
	if (fd < 0)
		return error_errno(err, errno, "cannot open program %u", a->id);
	options.old_prog_fd = fd;
	rc = bpf_xdp_detach((int)ifindex, flags, &options);
	close(fd);
	return rc == 0 ? 0 :
			 error_errno(err, -rc, "cannot detach program %u",
				 a->id);
}
