/* The programs of sockets.bpf.c with their maps and the link. */
#include "fastpath/socket_programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/library_log.h"
#include "fastpath/pins.h"
#include "sockets.skel.h"

#define PIN_LINK "link"

static const struct {
	const char *name;
	uint32_t type, key_size, value_size, entries;
} shapes[SOCKET_MAPS] = {
	{ GG_MAP_SOCKET, BPF_MAP_TYPE_SOCKMAP, 4, 8, GG_SOCKETS_MAX },
	{ GG_MAP_LISTENER, BPF_MAP_TYPE_HASH, sizeof(struct gg_vip_key),
		sizeof(struct gg_listener), GG_LISTENERS_MAX },
	{ GG_MAP_BIND, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct gg_bind_key),
		sizeof(struct gg_bind), GG_BINDS_MAX },
};

/* ---- maps */

static bool
map_fits(int fd, int kind)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
		info.type == shapes[kind].type &&
		info.key_size == shapes[kind].key_size &&
		info.value_size == shapes[kind].value_size &&
		info.max_entries == shapes[kind].entries;
}

static void
maps_forget(struct socket_programs *s)
{
	for (int i = 0; i < SOCKET_MAPS; i++) {
		if (s->maps[i] >= 0)
			close(s->maps[i]);
		s->maps[i] = -1;
	}
}

/* Those of an earlier process: all of them or none. */
static void
maps_find(struct socket_programs *s)
{
	for (int i = 0; i < SOCKET_MAPS; i++) {
		s->maps[i] =
			pins_get(s->pin_path, PINS_SOCKETS, shapes[i].name);
		if (s->maps[i] < 0 || !map_fits(s->maps[i], i)) {
			maps_forget(s);
			return;
		}
	}
	s->found = s->pinned = true;
}

void
socket_programs_pin(struct socket_programs *s)
{
	struct error err = ERROR_INIT;
	int rc;

	if (s->pinned)
		return;
	rc = pins_prepare(s->pin_path, PINS_SOCKETS, &err);
	for (int i = 0; i < SOCKET_MAPS && rc == 0; i++)
		rc = pins_set(s->pin_path, PINS_SOCKETS, shapes[i].name,
			s->maps[i], &err);
	if (rc != 0 && !s->warned)
		log_warn("fastpath: the maps of sockets are not pinned: %s",
			err.text);
	s->warned = rc != 0;
	s->pinned = rc == 0;
}

/* ---- programs */

static int
refused(struct error *err, int errnum)
{
	const char *why = library_log_kernel();

	if (errnum == EPERM || errnum == EACCES)
		return error_errno(err, errnum,
			"the kernel does not permit to choose sockets "
			"(CAP_BPF and CAP_NET_ADMIN are needed)");
	if (why[0] != '\0')
		return error_errno(err, errnum,
			"the kernel cannot choose sockets: %s", why);
	return error_errno(err, errnum, "the kernel cannot choose sockets");
}

/* The object with one program of the two: a kernel may have only the other. */
static struct bpf_object *
object_open(const struct socket_programs *s, const char *name,
	struct error *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "sockets");
	struct bpf_program *program;
	struct bpf_object *object;
	const void *bytes;
	size_t size;

	library_log_open();
	bytes = sockets_bpf__elf_bytes(&size);
	object = bpf_object__open_mem(bytes, size, &options);
	if (object == NULL) {
		error_errno(err, errno, "the built-in object of sockets");
		return NULL;
	}
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program,
			strcmp(bpf_program__name(program), name) == 0);
	for (int i = 0; i < SOCKET_MAPS; i++) {
		if (s->maps[i] < 0 ||
			bpf_map__reuse_fd(bpf_object__find_map_by_name(object,
						  shapes[i].name),
				s->maps[i]) == 0)
			continue;
		error_errno(err, errno, "cannot use map %s again",
			shapes[i].name);
		bpf_object__close(object);
		return NULL;
	}
	return object;
}

static int
maps_take(struct socket_programs *s, struct bpf_object *object, struct error *err)
{
	for (int i = 0; i < SOCKET_MAPS; i++) {
		if (s->maps[i] >= 0)
			continue;
		s->maps[i] = fcntl(bpf_object__find_map_fd_by_name(object,
					   shapes[i].name),
			F_DUPFD_CLOEXEC, 0);
		if (s->maps[i] < 0)
			return error_errno(err, errno, "map %s",
				shapes[i].name);
	}
	return 0;
}

static int
program_load(struct socket_programs *s, struct socket_program *p,
	struct error *err)
{
	struct bpf_object *object = object_open(s, p->name, err);
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);

	if (object == NULL)
		return -1;
	library_log_forget();
	if (bpf_object__load(object) != 0) {
		refused(err, errno);
		bpf_object__close(object);
		return -1;
	}
	if (maps_take(s, object, err) != 0) {
		bpf_object__close(object);
		return -1;
	}
	p->object = object;
	p->fd = bpf_program__fd(
		bpf_object__find_program_by_name(object, p->name));
	if (bpf_obj_get_info_by_fd(p->fd, &info, &length) == 0)
		log_debug("fastpath: %s verified id=%u instructions=%u",
			p->name, info.id, info.verified_insns);
	return 0;
}

int
socket_programs_load(struct socket_programs *s, struct socket_program *p,
	struct error *err)
{
	struct error why = ERROR_INIT;

	if (p->object != NULL)
		return 0;
	if (p->refused[0] == '\0' && program_load(s, p, &why) == 0)
		return 0;
	if (p->refused[0] == '\0')
		snprintf(p->refused, sizeof(p->refused), "%.255s", why.text);
	return error_set(err, ERROR_SYSTEM, "%s", p->refused);
}

/* ---- the link */

static ino_t
own_network(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

/* Attached, and to the network that we are in. */
static bool
link_works(int fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
		info.type == BPF_LINK_TYPE_NETNS &&
		info.netns.attach_type == BPF_SK_LOOKUP &&
		info.netns.netns_ino == own_network();
}

void
socket_programs_detach(struct socket_programs *s)
{
	if (s->link < 0)
		return;
	pins_remove(s->pin_path, PINS_SOCKETS, PIN_LINK);
	close(s->link);
	s->link = -1;
	s->link_is_current = false;
}

static int
link_make(struct socket_programs *s, struct error *err)
{
	int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (network < 0)
		return error_errno(err, errno, "/proc/self/ns/net");
	library_log_forget();
	s->link = bpf_link_create(s->lookup.fd, network, BPF_SK_LOOKUP, NULL);
	if (s->link < 0) {
		refused(err, -s->link);
		s->link = -1;
	}
	close(network);
	return s->link < 0 ? -1 : 0;
}

int
socket_programs_attach(struct socket_programs *s, struct error *err)
{
	struct error quiet = ERROR_INIT;

	if (s->link >= 0 && !link_works(s->link))
		socket_programs_detach(s);
	if (s->link >= 0 && s->link_is_current)
		return 0;
	/* In place of an older program without a gap. */
	if (s->link >= 0 &&
		bpf_link_update(s->link, s->lookup.fd, NULL) != 0)
		socket_programs_detach(s);
	if (s->link < 0 && link_make(s, err) != 0)
		return -1;
	s->link_is_current = true;
	if (pins_prepare(s->pin_path, PINS_SOCKETS, &quiet) == 0)
		pins_set(s->pin_path, PINS_SOCKETS, PIN_LINK, s->link, &quiet);
	return 0;
}

bool
socket_programs_attached(const struct socket_programs *s)
{
	return link_works(s->link);
}

/* ---- beginning and end */

void
socket_programs_init(struct socket_programs *s, const char *pin_path, int link)
{
	*s = (struct socket_programs){
		.worker.name = GG_PROGRAM_WORKER,
		.lookup.name = GG_PROGRAM_LOOKUP,
	};
	if (pin_path != NULL)
		s->pin_path = xstrdup(pin_path);
	for (int i = 0; i < SOCKET_MAPS; i++)
		s->maps[i] = -1;
	maps_find(s);
	s->link = pins_get(pin_path, PINS_SOCKETS, PIN_LINK);
	if (!link_works(s->link)) {
		if (s->link >= 0)
			close(s->link);
		s->link = link;
	} else if (link >= 0) {
		close(link);
	}
}

void
socket_programs_fini(struct socket_programs *s, bool detach)
{
	if (detach)
		pins_remove_folder(s->pin_path, PINS_SOCKETS);
	if (s->link >= 0)
		close(s->link);
	bpf_object__close(s->worker.object);
	bpf_object__close(s->lookup.object);
	maps_forget(s);
	free(s->pin_path);
}
