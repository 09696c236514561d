/* The listening sockets by slot. */
#include "control/listeners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/notify.h"
#include "net/listener.h"

struct listeners {
	uint32_t workers;
	struct listener *slots[SLOTS_MAX];
	int *spare;
	size_t spare_count;
};

struct listeners *
listeners_new(uint32_t workers)
{
	struct listeners *l = xcalloc(1, sizeof(*l));

	l->workers = workers;
	return l;
}

static void
listener_shut(struct listener *one)
{
	while (one->fd_count > 0)
		close(one->fds[--one->fd_count]);
}

static void
listener_free(struct listener *one)
{
	if (one == NULL)
		return;
	listener_shut(one);
	free(one);
}

void
listeners_free(struct listeners *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		listener_free(l->slots[i]);
	for (size_t i = 0; i < l->spare_count; i++)
		close(l->spare[i]);
	free(l->spare);
	free(l);
}

struct listener *
listeners_get(const struct listeners *l, uint32_t slot)
{
	return slot < SLOTS_MAX ? l->slots[slot] : NULL;
}

void
listener_store_name(const struct addr *addr, char out[64])
{
	int n = snprintf(out, 64, "listener-");

	for (size_t i = 0; i < sizeof(addr->ip); i++)
		n += snprintf(out + n, 64 - (size_t)n, "%02x", addr->ip[i]);
	snprintf(out + n, 64 - (size_t)n, "-%u", addr_port(addr));
}

/* ---- sockets of an earlier run */

static bool
is_listening(int fd)
{
	int type = 0, accepts = 0;
	socklen_t length = sizeof(type);
	struct addr addr;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 ||
		type != SOCK_STREAM)
		return false;
	length = sizeof(accepts);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) != 0)
		return false;
	return accepts && listener_addr(fd, &addr) == 0;
}

void
listeners_give(struct listeners *l, int fd)
{
	if (!is_listening(fd)) {
		close(fd);
		return;
	}
	l->spare = xreallocarray(l->spare, l->spare_count + 1, sizeof(int));
	l->spare[l->spare_count++] = fd;
}

/* "::" may have become 0.0.0.0 where the kernel has no IPv6. */
static bool
listens_on(int fd, const struct addr *addr)
{
	struct addr at;

	return listener_addr(fd, &at) == 0 && at.port_be == addr->port_be &&
	       (addr_equal(&at, addr) ||
		       (addr_is_any(&at) && addr_is_any(addr) &&
			       !addr_is_v4(addr)));
}

static size_t
spare_take(struct listeners *l, const struct addr *addr, int *fds, size_t room)
{
	size_t taken = 0, kept = 0;

	for (size_t i = 0; i < l->spare_count; i++) {
		if (taken < room && listens_on(l->spare[i], addr))
			fds[taken++] = l->spare[i];
		else
			l->spare[kept++] = l->spare[i];
	}
	l->spare_count = kept;
	return taken;
}

static bool
is_open(const struct listeners *l, int fd)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (l->slots[i] != NULL && listens_on(fd, &l->slots[i]->addr))
			return true;
	return false;
}

void
listeners_give_up_spare(struct listeners *l)
{
	for (size_t i = 0; i < l->spare_count; i++) {
		struct addr addr;
		char name[64];

		/* The store has sockets of an open address under that name. */
		if (!is_open(l, l->spare[i]) &&
			listener_addr(l->spare[i], &addr) == 0) {
			listener_store_name(&addr, name);
			notify_store_remove(name);
		}
		close(l->spare[i]);
	}
	free(l->spare);
	l->spare = NULL;
	l->spare_count = 0;
}

/* ---- slots */

int
listeners_bind(struct listeners *l, uint32_t slot, const struct addr *addr,
	struct error *err)
{
	struct listener *one = l->slots[slot];
	size_t have;

	if (one != NULL && addr_equal(&one->addr, addr)) {
		one->closing = 0;
		return 0;
	}
	one = xcalloc(1, sizeof(*one));
	one->slot = slot;
	one->addr = *addr;
	have = spare_take(l, addr, one->fds, l->workers);
	one->fd_count = have;
	if (have < l->workers && listener_bind(addr, one->fds + have,
					 l->workers - have, err) != 0) {
		listener_free(one);
		return -1;
	}
	one->fd_count = l->workers;
	listeners_close(l, slot);
	l->slots[slot] = one;
	return 0;
}

int
listeners_listen(struct listeners *l, uint32_t slot, struct error *err)
{
	struct listener *one = l->slots[slot];
	char name[64];

	if (one->listening)
		return 0;
	if (listener_listen(&one->addr, one->fds, one->fd_count, err) != 0)
		return -1;
	one->listening = true;
	listener_store_name(&one->addr, name);
	notify_store_add(name, one->fds, one->fd_count);
	return 0;
}

int
listeners_adopt(struct listeners *l, uint32_t slot, const struct addr *addr,
	const int *fds, size_t count)
{
	struct listener *one;
	char name[64];
	bool good = slot > 0 && slot < SLOTS_MAX && count == l->workers &&
		    l->slots[slot] == NULL;

	for (size_t i = 0; i < count; i++)
		good = good && is_listening(fds[i]) && listens_on(fds[i], addr);
	if (!good) {
		for (size_t i = 0; i < count; i++)
			listeners_give(l, fds[i]);
		return -1;
	}
	one = xcalloc(1, sizeof(*one));
	one->slot = slot;
	one->addr = *addr;
	one->fd_count = count;
	one->listening = one->told = true;
	memcpy(one->fds, fds, count * sizeof(*fds));
	l->slots[slot] = one;
	listener_store_name(addr, name);
	notify_store_add(name, one->fds, one->fd_count);
	return 0;
}

void
listeners_disown(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		struct listener *one = l->slots[i];

		if (one == NULL)
			continue;
		for (size_t k = 0; k < one->fd_count; k++)
			listeners_give(l, one->fds[k]);
		free(one);
		l->slots[i] = NULL;
	}
}

/* A gateway that turned from HTTP to TCP has the address in another slot. */
static void
store_forget(const struct listeners *l, const struct listener *one)
{
	char name[64];

	listener_store_name(&one->addr, name);
	notify_store_remove(name);
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		const struct listener *other = l->slots[i];

		if (other != NULL && other != one &&
			addr_equal(&other->addr, &one->addr))
			notify_store_add(name, other->fds, other->fd_count);
	}
}

void
listeners_close(struct listeners *l, uint32_t slot)
{
	if (slot >= SLOTS_MAX || l->slots[slot] == NULL)
		return;
	store_forget(l, l->slots[slot]);
	listener_free(l->slots[slot]);
	l->slots[slot] = NULL;
}

void
listeners_shut(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (l->slots[i] != NULL)
			listener_shut(l->slots[i]);
}
