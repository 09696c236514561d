/* The local addresses of the machine. */
#include "fastpath/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <sys/socket.h>

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
