/* A network namespace with a bpffs. */
#include "tests/lib/netns.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "gateway.skel.h"

static int
enter(struct netns *n)
{
	struct error err = ERROR_INIT;
	const void *bytes;
	size_t size;

	snprintf(n->folder, sizeof(n->folder), "/tmp/%.32s.XXXXXX",
		program_invocation_short_name);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", "/run", "tmpfs", 0, NULL) != 0 ||
		mkdtemp(n->folder) == NULL)
		return -1;
	snprintf(n->bpffs, sizeof(n->bpffs), "%s/bpf", n->folder);
	snprintf(n->pin_path, sizeof(n->pin_path), "%s/gloo-gateway", n->bpffs);
	snprintf(n->object_path, sizeof(n->object_path), "%s/gateway.o",
		n->folder);
	bytes = gateway_bpf__elf_bytes(&size);
	if (mkdir(n->bpffs, 0700) != 0 ||
		mount("bpf", n->bpffs, "bpf", 0, NULL) != 0 ||
		setenv("LIBXDP_BPFFS", n->bpffs, 1) != 0 ||
		file_replace(n->object_path, bytes, size, 0600, &err) != 0)
		return -1;
	return 0;
}

static int
skip(struct netns *n, const char *what)
{
	printf("skipped: no %s here: %s\n", what, strerror(errno));
	netns_close(n);
	return -1;
}

int
netns_open(struct netns *n)
{
	memset(n, 0, sizeof(*n));
	if (enter(n) != 0)
		return skip(n, "network namespace with a bpffs of its own");
	log_open("test", getenv("GG_VERBOSE") != NULL ? LOG_LEVEL_DEBUG :
							LOG_LEVEL_ERROR);
	return 0;
}

int
netns_needs(struct netns *n, int fd, const char *what)
{
	if (fd < 0)
		return skip(n, what);
	close(fd);
	return 0;
}

void
netns_close(struct netns *n)
{
	umount(n->bpffs);
	rmdir(n->bpffs);
	unlink(n->object_path);
	rmdir(n->folder);
}
