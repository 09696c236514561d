/* Raw client sockets of a rig. */
#include "tests/lib/rig_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/rig.h"
#include "tests/lib/rig_private.h"

int
rig_client(struct rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd, on = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(r->port);
	MUST(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* One that is accepted and reset at once can say so here already. */
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 &&
		errno != ECONNRESET)
		rig_die("connect");
	return fd;
}

void
rig_client_reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void
rig_client_send(int fd, const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t n = send(fd, bytes + at, length - at, MSG_NOSIGNAL);

		if (n < 0)
			return; /* what reached the client will tell */
		at += (size_t)n;
	}
}

bool
rig_client_read(int fd, struct str *out, size_t most, int ms)
{
	uint64_t until = clock_monotonic_ms() + (uint64_t)ms;
	char bytes[16384];

	while (out->length < most) {
		uint64_t now = clock_monotonic_ms();
		struct pollfd pfd = { fd, POLLIN, 0 };
		ssize_t n;

		if (now >= until || poll(&pfd, 1, (int)(until - now)) <= 0)
			return false;
		n = recv(fd, bytes,
			most - out->length < sizeof(bytes) ? most - out->length
							   : sizeof(bytes),
			0);
		if (n <= 0)
			return true;
		str_append(out, bytes, (size_t)n);
	}
	return false;
}
