/* The local addresses of the machine, and word of when they change. */
#include "fastpath/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"

int
addresses_read(struct addr **list, size_t *count, struct error *err)
{
	struct ifaddrs *all, *at;
	size_t n = 0;

	*list = NULL;
	*count = 0;
	if (getifaddrs(&all) != 0)
		return error_errno(err, errno, "cannot read local addresses");
	for (at = all; at != NULL; at = at->ifa_next)
		n++;
	*list = xcalloc(n + 1, sizeof(**list));
	for (at = all; at != NULL; at = at->ifa_next) {
		if (at->ifa_addr == NULL ||
			(at->ifa_addr->sa_family != AF_INET &&
				at->ifa_addr->sa_family != AF_INET6))
			continue;
		addr_from_sockaddr(&(*list)[(*count)++], at->ifa_addr);
	}
	freeifaddrs(all);
	return 0;
}

int
addresses_watch_open(struct error *err)
{
	struct sockaddr_nl local = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_ROUTE);

	if (fd < 0)
		return error_errno(err, errno, "no rtnetlink socket");
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0) {
		error_errno(err, errno, "cannot watch addresses");
		close(fd);
		return -1;
	}
	return fd;
}

void
addresses_watch_drain(int fd)
{
	char buffer[8192];

	/* ENOBUFS says that messages were lost: changes, all the same. */
	while (recv(fd, buffer, sizeof(buffer), 0) >= 0 || errno == ENOBUFS ||
		errno == EINTR)
		continue;
}
