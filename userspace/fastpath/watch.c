/* Word from the kernel of what changed in its network. */
#include "fastpath/watch.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/neighbour.h>

#include "fastpath/netlink.h"

int
watch_open(struct error *err)
{
	return netlink_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			RTMGRP_IPV6_ROUTE,
		err);
}

int
watch_neighbours(int fd, struct error *err)
{
	const int group = RTNLGRP_NEIGH;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		    sizeof(group)) != 0)
		return error_errno(err, errno, "cannot watch neighbours");
	return 0;
}

static void
neighbour_tell(const struct nlmsghdr *message, watch_neighbour_f *neighbour,
	void *arg)
{
	const struct ndmsg *n = NLMSG_DATA(message);
	const struct rtattr *a[NDA_DST + 1];
	uint8_t ip[16];

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*n)))
		return;
	netlink_attributes(message, sizeof(*n), a, NDA_DST);
	if ((n->ndm_family == AF_INET || n->ndm_family == AF_INET6) &&
		netlink_ip(a[NDA_DST], n->ndm_family, ip) == 0)
		neighbour((uint32_t)n->ndm_ifindex, ip, arg);
}

static void
message_take(const struct nlmsghdr *message, struct watch_news *news,
	watch_neighbour_f *neighbour, void *arg)
{
	switch (message->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		news->addresses = true;
		news->routes = true; /* the box's own address on some way */
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		news->routes = true;
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		neighbour_tell(message, neighbour, arg);
		break;
	default:
		break;
	}
}

struct watch_news
watch_read(int fd, watch_neighbour_f *neighbour, void *arg)
{
	struct watch_news news = { 0 };
	union {
		struct nlmsghdr header;
		char room[NETLINK_ANSWER_MAX];
	} buffer;
	const struct nlmsghdr *message;
	ssize_t got;

	for (;;) {
		got = recv(fd, &buffer, sizeof(buffer), 0);
		if (got < 0 && errno == ENOBUFS)
			news.lost = true;
		else if (got < 0 && errno != EINTR)
			return news;
		message = &buffer.header;
		for (size_t left = got < 0 ? 0 : (size_t)got;
			NLMSG_OK(message, left);
			message = NLMSG_NEXT(message, left))
			message_take(message, &news, neighbour, arg);
	}
}
