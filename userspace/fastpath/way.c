/* The way to a backend. */
#include "fastpath/way.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <linux/if_arp.h>
#include <linux/neighbour.h>

#include "fastpath/netlink.h"

/* What the next hop's entry must be in for its MAC to be good. */
#define NEIGHBOUR_VALID                                                        \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE |   \
		NUD_DELAY)

#define PROVOKE_MS 1000

union answer {
	struct nlmsghdr header;
	char room[NETLINK_ANSWER_MAX];
};

/* ---- route */

static int
route_refuse(const struct addr *to, int type, struct error *err)
{
	char text[ADDR_TEXT_MAX];

	addr_format_ip(to, text);
	if (type == RTN_LOCAL)
		return error_set(err, ERROR_CONFIG,
			"%s is an address of this box: XDP cannot send to it",
			text);
	return error_set(err, ERROR_CONFIG, "there is no route to %s", text);
}

/* Where the route leaves its gateway to the family of another (RFC 5549). */
static int
route_via(const struct rtattr *attribute, uint8_t hop[16])
{
	uint8_t room[RTA_LENGTH(16)] __attribute__((aligned(4)));
	struct rtattr *ip = (struct rtattr *)room;
	const struct rtvia *via = RTA_DATA(attribute);
	size_t size = RTA_PAYLOAD(attribute);

	if (size < sizeof(*via) + 4 || size > sizeof(*via) + 16)
		return -1;
	ip->rta_len = (unsigned short)RTA_LENGTH(size - sizeof(*via));
	memcpy(RTA_DATA(ip), via->rtvia_addr, size - sizeof(*via));
	return netlink_ip(ip, via->rtvia_family, hop);
}

static uint32_t
route_mtu(const struct rtattr *metrics)
{
	const struct rtattr *nested[RTAX_MTU + 1];

	netlink_nested(metrics, nested, RTAX_MTU);
	return netlink_u32(nested[RTAX_MTU]);
}

/* mtu: of the route, 0: the interface's. */
static int
route_find(int netlink, struct way *way, const struct addr *to, uint32_t *mtu,
	struct error *err)
{
	const struct rtattr *a[RTA_VIA + 1];
	int family = netlink_family(to->ip), rc;
	struct netlink_request request;
	union answer answer;
	const struct rtmsg *route = NLMSG_DATA(&answer.header);
	struct rtmsg *wanted = netlink_begin(&request, RTM_GETROUTE, 0,
		sizeof(*wanted));

	wanted->rtm_family = (unsigned char)family;
	wanted->rtm_dst_len = family == AF_INET ? 32 : 128;
	netlink_put_ip(&request, RTA_DST, to->ip);
	rc = netlink_ask(netlink, &request, &answer);
	if (rc == -ENETUNREACH || rc == -EHOSTUNREACH || rc == -EACCES ||
		rc == -EINVAL)
		return route_refuse(to, RTN_UNREACHABLE, err);
	if (rc != 0)
		return error_errno(err, -rc, "cannot ask for a route");
	if (answer.header.nlmsg_type != RTM_NEWROUTE ||
		route->rtm_type != RTN_UNICAST)
		return route_refuse(to, route->rtm_type, err);
	netlink_attributes(&answer.header, sizeof(*route), a, RTA_VIA);
	way->ifindex = netlink_u32(a[RTA_OIF]);
	way->on_link = a[RTA_GATEWAY] == NULL && a[RTA_VIA] == NULL;
	memcpy(way->hop, to->ip, 16);
	if (a[RTA_GATEWAY] != NULL)
		netlink_ip(a[RTA_GATEWAY], family, way->hop);
	else if (a[RTA_VIA] != NULL)
		route_via(a[RTA_VIA], way->hop);
	if (netlink_ip(a[RTA_PREFSRC], family, way->source) != 0)
		memset(way->source, 0, 16);
	*mtu = route_mtu(a[RTA_METRICS]);
	return way->ifindex != 0 ? 0 : route_refuse(to, RTN_UNREACHABLE, err);
}

/* ---- interface */

static int
link_find(int netlink, struct way *way, const struct addr *to, uint32_t mtu,
	struct error *err)
{
	const struct rtattr *a[IFLA_EXT_MASK + 1];
	const uint32_t terse = RTEXT_FILTER_SKIP_STATS;
	struct netlink_request request;
	union answer answer;
	const struct ifinfomsg *link = NLMSG_DATA(&answer.header);
	struct ifinfomsg *wanted = netlink_begin(&request, RTM_GETLINK, 0,
		sizeof(*wanted));
	char text[ADDR_TEXT_MAX];
	const char *name;
	int rc;

	wanted->ifi_index = (int)way->ifindex;
	netlink_put(&request, IFLA_EXT_MASK, &terse, sizeof(terse));
	rc = netlink_ask(netlink, &request, &answer);
	if (rc != 0)
		return error_errno(err, -rc, "interface %u", way->ifindex);
	netlink_attributes(&answer.header, sizeof(*link), a, IFLA_EXT_MASK);
	name = a[IFLA_IFNAME] != NULL ? RTA_DATA(a[IFLA_IFNAME]) : "?";
	if (link->ifi_type != ARPHRD_ETHER || a[IFLA_ADDRESS] == NULL ||
		RTA_PAYLOAD(a[IFLA_ADDRESS]) != 6)
		return error_set(err, ERROR_CONFIG,
			"the way to %s leads over %s, which has no Ethernet"
			" address",
			addr_format_ip(to, text), name);
	memcpy(way->from_mac, RTA_DATA(a[IFLA_ADDRESS]), 6);
	if (mtu == 0 || mtu > netlink_u32(a[IFLA_MTU]))
		mtu = netlink_u32(a[IFLA_MTU]);
	way->mtu = (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu);
	return 0;
}

int
way_find(int netlink, struct way *way, const struct addr *to,
	struct error *err)
{
	struct error why = ERROR_INIT;
	struct way found = *way;
	uint32_t mtu;

	if (route_find(netlink, &found, to, &mtu, &why) != 0 ||
		link_find(netlink, &found, to, mtu, &why) != 0) {
		/* A question that failed says nothing about the way. */
		if (why.code == ERROR_SYSTEM)
			way->stale = true;
		else
			*way = (struct way){ .provoked_ms = way->provoked_ms };
		return error_set(err, why.code, "%s", why.text);
	}
	/* Until it was met: of another hop nothing is known. */
	if (found.ifindex != way->ifindex ||
		memcmp(found.hop, way->hop, 16) != 0)
		found.reachable = false;
	found.stale = false;
	*way = found;
	return 0;
}

/* ---- next hop */

/* Its state and, where that is valid, its MAC; 0: there is no entry. */
static uint16_t
neighbour_get(int netlink, const struct way *way, uint8_t mac[6])
{
	const struct rtattr *a[NDA_LLADDR + 1];
	struct netlink_request request;
	union answer answer;
	const struct ndmsg *neighbour = NLMSG_DATA(&answer.header);
	struct ndmsg *wanted = netlink_begin(&request, RTM_GETNEIGH, 0,
		sizeof(*wanted));

	wanted->ndm_family = (unsigned char)netlink_family(way->hop);
	wanted->ndm_ifindex = (int)way->ifindex;
	netlink_put_ip(&request, NDA_DST, way->hop);
	if (netlink_ask(netlink, &request, &answer) != 0 ||
		answer.header.nlmsg_type != RTM_NEWNEIGH)
		return 0;
	netlink_attributes(&answer.header, sizeof(*neighbour), a, NDA_LLADDR);
	if (!(neighbour->ndm_state & NEIGHBOUR_VALID) ||
		a[NDA_LLADDR] == NULL || RTA_PAYLOAD(a[NDA_LLADDR]) != 6)
		return neighbour->ndm_state & (uint16_t)~NEIGHBOUR_VALID;
	memcpy(mac, RTA_DATA(a[NDA_LLADDR]), 6);
	return neighbour->ndm_state;
}

/* As if a packet had been sent there, without one. */
static void
neighbour_provoke(int netlink, const struct way *way)
{
	struct netlink_request request;
	union answer answer;
	struct ndmsg *wanted = netlink_begin(&request, RTM_NEWNEIGH,
		NLM_F_CREATE | NLM_F_ACK, sizeof(*wanted));

	wanted->ndm_family = (unsigned char)netlink_family(way->hop);
	wanted->ndm_ifindex = (int)way->ifindex;
	wanted->ndm_flags = NTF_USE;
	netlink_put_ip(&request, NDA_DST, way->hop);
	netlink_ask(netlink, &request, &answer);
}

void
way_meet(int netlink, struct way *way, uint64_t now_ms)
{
	uint8_t mac[6];
	uint16_t state;

	if (way->ifindex == 0)
		return;
	state = neighbour_get(netlink, way, mac);
	way->reachable = (state & NEIGHBOUR_VALID) != 0;
	if (way->reachable)
		memcpy(way->to_mac, mac, 6);
	/* What XDP sends does not count as use: the kernel would forget it. */
	if (way->reachable && !(state & NUD_STALE))
		return;
	if (way->provoked_ms != 0 && now_ms - way->provoked_ms < PROVOKE_MS)
		return;
	way->provoked_ms = now_ms;
	neighbour_provoke(netlink, way);
}
