/* Which address this box has on its way to another one. */
#include "net/own_address.h"

#include <errno.h>
#include <unistd.h>

/* A datagram socket that is connected has its source chosen; no packet goes. */
int
own_address(const struct addr *to, struct addr *own)
{
	struct sockaddr_storage there, here;
	socklen_t length = addr_to_sockaddr(to, &there), size = sizeof(here);
	int fd = socket(there.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&there, length) != 0 ||
		getsockname(fd, (struct sockaddr *)&here, &size) != 0)
		rc = -errno;
	else
		addr_from_sockaddr(own, (struct sockaddr *)&here);
	close(fd);
	return rc;
}
