/* A connection in the making, without waiting. */
#include "net/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/unix_socket.h"

static int
connect_to(const struct sockaddr *to, socklen_t length, bool *full)
{
	const int on = 1;
	int fd, saved;

	fd = socket(
		to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (to->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, to, length) == 0 || errno == EINPROGRESS)
		return fd;
	if (full != NULL && errno == EAGAIN && to->sa_family == AF_UNIX) {
		*full = true;
		return fd;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
pipe_address(const char *host, struct sockaddr_un *sun)
{
	if (unix_socket_address(host, sun, NULL) == 0)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int
connect_start(const struct addr *addr, const char *host, bool *full)
{
	struct sockaddr_storage ss;
	struct sockaddr_un sun;
	socklen_t length;

	if (full != NULL)
		*full = false;
	if (host[0] != '/') {
		length = addr_to_sockaddr(addr, &ss);
		return connect_to((const struct sockaddr *)&ss, length, full);
	}
	if (pipe_address(host, &sun) < 0)
		return -1;
	return connect_to((const struct sockaddr *)&sun, sizeof(sun), full);
}

int
connect_again(int fd, const char *host)
{
	struct sockaddr_un sun;

	if (pipe_address(host, &sun) < 0)
		return -1;
	return connect(fd, (const struct sockaddr *)&sun, sizeof(sun));
}
