/* What the kernel says that an interface can do with XDP frames. */
#include "fastpath/features.h"

#include <string.h>
#include <unistd.h>

#include <linux/genetlink.h>

#include "fastpath/netlink.h"

/* <linux/netdev.h>, which Debian 12 does not have. */
#define NETDEV_NAME     "netdev"
#define NETDEV_VERSION  1
#define NETDEV_DEV_GET  1
#define NETDEV_NDO_XMIT (1u << 2)

enum { NETDEV_DEV_IFINDEX = 1, NETDEV_DEV_XDP_FEATURES = 3 };

union answer {
	struct nlmsghdr header;
	char room[NETLINK_ANSWER_MAX];
};

static void
generic_begin(struct netlink_request *request, uint16_t family, uint8_t command)
{
	struct genlmsghdr *header =
		netlink_begin(request, family, 0, sizeof(*header));

	header->cmd = command;
	header->version = NETDEV_VERSION;
}

/* 0: this kernel has none. */
static uint16_t
family_find(int fd, union answer *answer)
{
	const struct rtattr *found[CTRL_ATTR_FAMILY_ID + 1];
	struct netlink_request request;
	uint16_t family = 0;

	generic_begin(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	netlink_put(&request, CTRL_ATTR_FAMILY_NAME, NETDEV_NAME,
		sizeof(NETDEV_NAME));
	if (netlink_ask(fd, &request, answer) != 0)
		return 0;
	netlink_attributes(&answer->header, GENL_HDRLEN, found,
		CTRL_ATTR_FAMILY_ID);
	if (found[CTRL_ATTR_FAMILY_ID] != NULL)
		memcpy(&family, RTA_DATA(found[CTRL_ATTR_FAMILY_ID]),
			sizeof(family));
	return family;
}

static bool
loses(int fd, uint32_t ifindex, union answer *answer)
{
	const struct rtattr *found[NETDEV_DEV_XDP_FEATURES + 1];
	uint16_t family = family_find(fd, answer);
	struct netlink_request request;
	uint64_t features;

	if (family == 0)
		return false;
	generic_begin(&request, family, NETDEV_DEV_GET);
	netlink_put(&request, NETDEV_DEV_IFINDEX, &ifindex, sizeof(ifindex));
	if (netlink_ask(fd, &request, answer) != 0)
		return false;
	netlink_attributes(&answer->header, GENL_HDRLEN, found,
		NETDEV_DEV_XDP_FEATURES);
	if (found[NETDEV_DEV_XDP_FEATURES] == NULL ||
		RTA_PAYLOAD(found[NETDEV_DEV_XDP_FEATURES]) < sizeof(features))
		return false;
	memcpy(&features, RTA_DATA(found[NETDEV_DEV_XDP_FEATURES]),
		sizeof(features));
	return !(features & NETDEV_NDO_XMIT);
}

bool
features_lose_redirected(uint32_t ifindex)
{
	union answer answer;
	int fd = netlink_open_generic(NULL);
	bool lost;

	if (fd < 0)
		return false;
	lost = loses(fd, ifindex, &answer);
	close(fd);
	return lost;
}
