/* Listening TCP sockets, one per worker on the same address. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIGRATE "/proc/sys/net/ipv4/tcp_migrate_req"

static int
option_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int
socket_bind(int fd, const struct addr *addr)
{
	struct sockaddr_storage ss;
	socklen_t length = addr_to_sockaddr(addr, &ss);

	if (option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
		option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ||
		/* Accepted sockets inherit it. */
		option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
		return -1;
	if (ss.ss_family == AF_INET6 &&
		option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !addr_is_any(addr)) <
			0)
		return -1;
	return bind(fd, (struct sockaddr *)&ss, length);
}

static int
socket_open(const struct addr *addr)
{
	int family = addr_is_v4(addr) ? AF_INET : AF_INET6;
	int fd, saved;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (socket_bind(fd, addr) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
open_failed(const struct addr *addr, int why, struct error *err)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	if (why == EADDRINUSE)
		return error_set(err, ERROR_SYSTEM,
			"cannot listen on %s: the address is in use by "
			"another program",
			text);
	return error_errno(err, why, "cannot listen on %s", text);
}

int
listener_bind(
	const struct addr *addr, int *fds, size_t count, struct error *err)
{
	struct addr at = *addr;
	int why;

	for (size_t i = 0; i < count; i++) {
		fds[i] = socket_open(&at);
		if (fds[i] < 0 && errno == EAFNOSUPPORT &&
			addr_is_any(&at) && !addr_is_v4(&at)) {
			/* A kernel without IPv6: "::" is what is left. */
			addr_parse_ip("0.0.0.0", addr_port(&at), &at);
			fds[i] = socket_open(&at);
		}
		/* Of port 0 the kernel chooses one, for all of them. */
		if (fds[i] >= 0 && (at.port_be != 0 ||
					   listener_addr(fds[i], &at) == 0))
			continue;
		why = errno;
		for (size_t j = 0; j <= i; j++) {
			if (fds[j] >= 0)
				close(fds[j]);
			fds[j] = -1;
		}
		return open_failed(addr, why, err);
	}
	return 0;
}

int
listener_listen(const struct addr *addr, const int *fds, size_t count,
	struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (listen(fds[i], LISTENER_BACKLOG) < 0)
			return open_failed(addr, errno, err);
	return 0;
}

int
listener_open(
	const struct addr *addr, int *fds, size_t count, struct error *err)
{
	if (listener_bind(addr, fds, count, err) != 0)
		return -1;
	if (listener_listen(addr, fds, count, err) == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		close(fds[i]);
		fds[i] = -1;
	}
	return -1;
}

int
listener_addr(int fd, struct addr *out)
{
	struct sockaddr_storage ss;
	socklen_t length = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &length) < 0)
		return -1;
	if (ss.ss_family != AF_INET && ss.ss_family != AF_INET6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	addr_from_sockaddr(out, (struct sockaddr *)&ss);
	return 0;
}

bool
listener_migrates(void)
{
	char value = '0';
	int fd = open(MIGRATE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value == '1';
}

bool
listener_migrate(void)
{
	bool done = listener_migrates();
	int fd = done ? -1 : open(MIGRATE, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		done = write(fd, "1", 1) == 1;
		close(fd);
	}
	return done;
}
