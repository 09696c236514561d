/* Questions to the kernel's rtnetlink and generic netlink. */
#include "fastpath/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

static int
socket_open(int protocol, uint32_t groups, struct error *err)
{
	struct sockaddr_nl local = {
		.nl_family = AF_NETLINK,
		.nl_groups = groups,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		protocol);

	if (fd < 0)
		return error_errno(err, errno, "no netlink socket");
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0) {
		error_errno(err, errno, "cannot bind a netlink socket");
		close(fd);
		return -1;
	}
	return fd;
}

int
netlink_open(uint32_t groups, struct error *err)
{
	return socket_open(NETLINK_ROUTE, groups, err);
}

int
netlink_open_generic(struct error *err)
{
	return socket_open(NETLINK_GENERIC, 0, err);
}

void *
netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
	size_t fixed_size)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(fixed_size);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	return NLMSG_DATA(&request->header);
}

void
netlink_put(struct netlink_request *request, uint16_t type, const void *data,
	size_t size)
{
	struct rtattr *attribute = (struct rtattr *)(request->room +
		NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), data, size);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) +
		(uint32_t)RTA_SPACE(size);
}

static int
answer_read(int fd, uint32_t seq, void *buffer)
{
	struct nlmsghdr *message = buffer;
	const struct nlmsgerr *error = NLMSG_DATA(message);
	ssize_t got;

	for (;;) {
		got = recv(fd, buffer, NETLINK_ANSWER_MAX, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!NLMSG_OK(message, (uint32_t)got))
			return -EBADMSG;
		if (message->nlmsg_seq != seq)
			continue; /* of a question that was given up */
		if (message->nlmsg_type != NLMSG_ERROR)
			return 0;
		return message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) ?
			-EBADMSG :
			error->error;
	}
}

int
netlink_ask(int fd, struct netlink_request *request, void *buffer)
{
	static uint32_t seq;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	request->header.nlmsg_seq = ++seq;
	if (sendto(fd, request, request->header.nlmsg_len, 0,
		    (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return answer_read(fd, request->header.nlmsg_seq, buffer);
}

static void
attributes_walk(const struct rtattr *at, size_t left,
	const struct rtattr **attributes, size_t max)
{
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		uint16_t type = at->rta_type & NLA_TYPE_MASK;

		if (type <= max)
			attributes[type] = at;
	}
}

void
netlink_attributes(const struct nlmsghdr *message, size_t fixed_size,
	const struct rtattr **attributes, size_t max)
{
	memset(attributes, 0, (max + 1) * sizeof(*attributes));
	if (message->nlmsg_len < NLMSG_SPACE(fixed_size))
		return;
	attributes_walk((const struct rtattr *)((const char *)message +
				NLMSG_SPACE(fixed_size)),
		message->nlmsg_len - NLMSG_SPACE(fixed_size), attributes, max);
}

void
netlink_nested(const struct rtattr *outer, const struct rtattr **attributes,
	size_t max)
{
	memset(attributes, 0, (max + 1) * sizeof(*attributes));
	if (outer != NULL)
		attributes_walk(RTA_DATA(outer), RTA_PAYLOAD(outer), attributes,
			max);
}

uint32_t
netlink_u32(const struct rtattr *attribute)
{
	uint32_t value = 0;

	if (attribute != NULL && RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

int
netlink_family(const uint8_t ip[16])
{
	struct addr addr = { 0 };

	memcpy(addr.ip, ip, 16);
	return addr_is_v4(&addr) ? AF_INET : AF_INET6;
}

int
netlink_ip(const struct rtattr *attribute, int family, uint8_t ip[16])
{
	size_t size = family == AF_INET ? 4 : 16;

	if (attribute == NULL || RTA_PAYLOAD(attribute) < size)
		return -1;
	memset(ip, 0, 16);
	if (family == AF_INET)
		ip[10] = ip[11] = 0xff;
	memcpy(ip + 16 - size, RTA_DATA(attribute), size);
	return 0;
}

void
netlink_put_ip(struct netlink_request *request, uint16_t type,
	const uint8_t ip[16])
{
	size_t size = netlink_family(ip) == AF_INET ? 4 : 16;

	netlink_put(request, type, ip + 16 - size, size);
}
