/*
 * Questions to the kernel's rtnetlink and generic netlink: one request, one
 * answer. The kernel answers within the call that asks, so nothing here waits
 * for anybody.
 */
#ifndef FASTPATH_NETLINK_H
#define FASTPATH_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/error.h"

#define NETLINK_REQUEST_MAX 256

struct netlink_request {
	union {
		struct nlmsghdr header;
		char room[NETLINK_REQUEST_MAX];
	};
};

#define NETLINK_ANSWER_MAX 16384

/* Non-blocking; groups: RTMGRP_* to hear of. */
int netlink_open(uint32_t groups, struct error *err);
/* Of generic netlink, whose fixed part is a struct genlmsghdr. */
int netlink_open_generic(struct error *err);
/* Begins a request whose fixed part has that size; returns the fixed part. */
void *netlink_begin(struct netlink_request *request, uint16_t type,
	uint16_t flags, size_t fixed_size);
void netlink_put(struct netlink_request *request, uint16_t type,
	const void *data, size_t size);
/* 0 and the answer's message in buffer (NETLINK_ANSWER_MAX bytes, aligned as
 * a struct nlmsghdr), or the kernel's error, negative. Without NLM_F_ACK and an
 * answer this must not be used. */
int netlink_ask(int fd, struct netlink_request *request, void *buffer);
/* The attributes behind the fixed part, by type up to max; NULL: absent. */
void netlink_attributes(const struct nlmsghdr *message, size_t fixed_size,
	const struct rtattr **attributes, size_t max);
/* Those within an attribute. */
void netlink_nested(const struct rtattr *outer,
	const struct rtattr **attributes, size_t max);
uint32_t netlink_u32(const struct rtattr *attribute); /* 0: none */
/* The address of that family in its 16 byte form; -1: it has another size. */
int netlink_ip(const struct rtattr *attribute, int family, uint8_t ip[16]);
/* ip as an attribute: 4 bytes of an IPv4-mapped one, else 16. */
void netlink_put_ip(struct netlink_request *request, uint16_t type,
	const uint8_t ip[16]);
int netlink_family(const uint8_t ip[16]); /* AF_INET, AF_INET6 */

#endif
