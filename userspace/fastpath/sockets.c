/* Which listening socket a new connection gets. */
#include "fastpath/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "base/mem.h"
#include "bpf/contract.h"
#include "fastpath/binds.h"
#include "fastpath/socket_programs.h"
#include "model/counters.h"

_Static_assert(GG_WORKERS_MAX == COUNTERS_WORKERS_MAX,
	"kernel and proxy count the same workers");

struct sockets {
	struct socket_programs programs;
	char problem[256]; /* why the kernel chooses the workers, or empty */
	uint8_t held[GG_LISTENERS_MAX]; /* sockets in the map at most, by slot */
};

/* ---- sockets of a listener */


static uint64_t
socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0)
		return 0;
	return cookie;
}

static int
socket_put(const struct sockets *s, uint32_t key, int fd)
{
	uint64_t cookie = 0, value = (uint64_t)fd;

	if (bpf_map_lookup_elem(s->programs.maps[SOCKET_MAP_SOCKET], &key, &cookie) == 0 &&
		cookie != 0 && cookie == socket_cookie(fd))
		return 0;
	return bpf_map_update_elem(s->programs.maps[SOCKET_MAP_SOCKET], &key, &value, BPF_ANY);
}

static int
sockets_put(struct sockets *s, const struct sockets_listener *l,
	struct error *err)
{
	for (size_t i = 0; i < l->fd_count && i < GG_WORKERS_MAX; i++) {
		if (socket_put(s, GG_SOCKET_KEY(l->slot, (uint32_t)i),
			    l->fds[i]) != 0)
			return error_errno(err, errno,
				"cannot put a socket into " GG_MAP_SOCKET);
		if (s->held[l->slot] <= i)
			s->held[l->slot] = (uint8_t)(i + 1);
	}
	return 0;
}

static void
sockets_remove_others(struct sockets *s, const struct sockets_listener *set,
	size_t count)
{
	uint8_t wanted[GG_LISTENERS_MAX] = { 0 };
	uint32_t key;

	for (size_t i = 0; i < count; i++)
		wanted[set[i].slot] = (uint8_t)set[i].fd_count;
	for (uint32_t slot = 0; slot < GG_LISTENERS_MAX; slot++) {
		while (s->held[slot] > wanted[slot]) {
			key = GG_SOCKET_KEY(slot, --s->held[slot]);
			bpf_map_delete_elem(s->programs.maps[SOCKET_MAP_SOCKET], &key);
		}
	}
}

/* ---- gg_listener */

static struct gg_vip_key
listener_key(const struct sockets_listener *l)
{
	struct gg_vip_key key = { .l4_proto = IPPROTO_TCP,
		.port_be = l->addr.port_be };

	memcpy(key.ip, l->addr.ip, 16);
	return key;
}

static int
listener_put(const struct sockets *s, const struct sockets_listener *l,
	bool by_cpu, struct error *err)
{
	const struct gg_vip_key key = listener_key(l);
	const struct gg_listener value = {
		.slot = l->slot,
		.workers = by_cpu ? (uint32_t)l->fd_count : 0,
	};

	if (bpf_map_update_elem(s->programs.maps[SOCKET_MAP_LISTENER], &key, &value, BPF_ANY) !=
		0)
		return error_errno(err, errno,
			"cannot write " GG_MAP_LISTENER);
	/* The group's, whichever of its sockets is named. */
	if (l->fd_count > 0 &&
		setsockopt(l->fds[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF,
			&s->programs.worker.fd, sizeof(s->programs.worker.fd)) != 0)
		return error_errno(err, errno,
			"cannot attach " GG_PROGRAM_WORKER);
	return 0;
}

static bool
listener_is_wanted(const struct sockets_listener *set, size_t count,
	const struct gg_vip_key *key)
{
	for (size_t i = 0; i < count; i++) {
		struct gg_vip_key one = listener_key(&set[i]);

		if (memcmp(&one, key, sizeof(one)) == 0)
			return true;
	}
	return false;
}

static void
listeners_remove_others(const struct sockets *s,
	const struct sockets_listener *set, size_t count)
{
	struct gg_vip_key keys[GG_LISTENERS_MAX];
	size_t n = 0;

	while (n < GG_LISTENERS_MAX &&
		bpf_map_get_next_key(s->programs.maps[SOCKET_MAP_LISTENER],
			n == 0 ? NULL : &keys[n - 1], &keys[n]) == 0)
		n++;
	for (size_t i = 0; i < n; i++) {
		if (!listener_is_wanted(set, count, &keys[i]))
			bpf_map_delete_elem(s->programs.maps[SOCKET_MAP_LISTENER], &keys[i]);
	}
}

/* ---- the whole */

struct sockets *
sockets_open(const char *pin_path, int link)
{
	struct sockets *s = xcalloc(1, sizeof(*s));

	socket_programs_init(&s->programs, pin_path, link);
	if (s->programs.found)
		memset(s->held, GG_WORKERS_MAX, sizeof(s->held));
	return s;
}

void
sockets_close(struct sockets *s, bool detach)
{
	if (s == NULL)
		return;
	socket_programs_fini(&s->programs, detach);
	free(s);
}

static int
listeners_put(struct sockets *s, const struct sockets_listener *set,
	size_t count, bool by_cpu, struct error *err)
{
	if (socket_programs_load(&s->programs, &s->programs.worker, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (sockets_put(s, &set[i], err) != 0 ||
			listener_put(s, &set[i], by_cpu, err) != 0)
			return -1;
	}
	return 0;
}

static int
binds_put(struct sockets *s, const struct sockets_listener *set, size_t count,
	struct error *err)
{
	struct socket_programs *p = &s->programs;
	struct binds_entry *plan;
	size_t entries;
	int rc = -1;

	if (binds_plan(set, count, &plan, &entries, err) != 0)
		return -1;
	if (entries == 0) {
		socket_programs_detach(p);
		rc = p->maps[SOCKET_MAP_BIND] < 0 ? 0 :
			binds_apply(p->maps[SOCKET_MAP_BIND], plan, 0, err);
		goto out;
	}
	if (socket_programs_load(p, &p->lookup, err) != 0)
		goto out;
	for (size_t i = 0; i < count; i++) {
		if (sockets_put(s, &set[i], err) != 0)
			goto out;
	}
	if (binds_apply(p->maps[SOCKET_MAP_BIND], plan, entries, err) == 0)
		rc = socket_programs_attach(p, err);
out:
	free(plan);
	return rc;
}

int
sockets_set(struct sockets *s, const struct sockets_listener *set,
	size_t count, bool by_cpu, struct error *err)
{
	struct error why = ERROR_INIT;
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (set[i].slot == 0 || set[i].slot >= GG_LISTENERS_MAX)
			return error_set(err, ERROR_LIMIT,
				"listener slot %u is out of 1..%d", set[i].slot,
				GG_LISTENERS_MAX - 1);
	}
	if (listeners_put(s, set, count, by_cpu, &why) != 0) {
		if (strcmp(s->problem, why.text) != 0)
			log_info("fastpath: workers are chosen by hash: %s",
				why.text);
		snprintf(s->problem, sizeof(s->problem), "%.255s", why.text);
	} else {
		s->problem[0] = '\0';
	}
	rc = binds_put(s, set, count, err);
	if (s->programs.maps[SOCKET_MAP_SOCKET] < 0)
		return rc;
	listeners_remove_others(s, set, count);
	sockets_remove_others(s, set, count);
	socket_programs_pin(&s->programs);
	return rc;
}

bool
sockets_choose(const struct sockets *s)
{
	return s->programs.worker.object != NULL && s->problem[0] == '\0';
}

const char *
sockets_problem(const struct sockets *s)
{
	return s->problem;
}

int
sockets_link(const struct sockets *s)
{
	return s->programs.link;
}

bool
sockets_repair(struct sockets *s)
{
	struct error err = ERROR_INIT;

	if (!s->programs.link_is_current ||
		socket_programs_attached(&s->programs))
		return false;
	if (socket_programs_attach(&s->programs, &err) != 0)
		log_warn("fastpath: " GG_PROGRAM_LOOKUP
			 " was detached and is not back: %s",
			err.text);
	return true;
}

void
sockets_bind_count(const struct sockets *s, const struct sockets_bind *b,
	uint64_t *connections, uint64_t *no_socket)
{
	*connections = *no_socket = 0;
	if (s->programs.maps[SOCKET_MAP_BIND] >= 0)
		binds_count(s->programs.maps[SOCKET_MAP_BIND], b, connections,
			no_socket);
}
