/* An IP address and port, IPv4 in its IPv4-mapped form. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

static void
ip_set_v4(uint8_t ip[16], const void *v4)
{
	memcpy(ip, v4_prefix, sizeof(v4_prefix));
	memcpy(ip + 12, v4, 4);
}

int
addr_parse_ip(const char *ip, uint16_t port, struct addr *out)
{
	struct addr a = { .port_be = htons(port) };
	struct in_addr v4;

	if (inet_pton(AF_INET, ip, &v4) == 1)
		ip_set_v4(a.ip, &v4);
	else if (inet_pton(AF_INET6, ip, a.ip) != 1)
		return -1;
	*out = a;
	return 0;
}

static void
ip_mask(uint8_t ip[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		if (keep < 8)
			ip[i] &= (uint8_t)(0xff00u >> keep);
	}
}

int
addr_prefix_parse(const char *text, struct addr_prefix *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
	char ip[INET6_ADDRSTRLEN];
	unsigned long bits, max;
	struct addr a;
	char *end;

	if (length >= sizeof(ip))
		return error_set(err, ERROR_CONFIG,
			"\"%s\" is not an address or prefix", text);
	memcpy(ip, text, length);
	ip[length] = '\0';
	if (addr_parse_ip(ip, 0, &a) < 0)
		return error_set(err, ERROR_CONFIG,
			"\"%s\" is not an address or prefix", text);
	bits = max = strchr(ip, ':') == NULL ? 32 : 128;
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return error_set(err, ERROR_CONFIG,
				"\"%s\" has no prefix length after the slash",
				text);
		bits = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || end - slash > 4 || bits > max)
			return error_set(err, ERROR_CONFIG,
				"the prefix length of \"%s\" is not a number "
				"from 0 to %lu",
				text, max);
	}
	out->bits = (uint8_t)(bits + (128 - max));
	memcpy(out->ip, a.ip, sizeof(out->ip));
	ip_mask(out->ip, out->bits);
	return 0;
}

void
addr_prefix_mask(struct addr_prefix *p)
{
	if (p->bits < 128)
		ip_mask(p->ip, p->bits);
}

bool
addr_prefix_contains(const struct addr_prefix *p, const uint8_t ip[16])
{
	uint8_t masked[16];

	memcpy(masked, ip, sizeof(masked));
	ip_mask(masked, p->bits);
	return memcmp(masked, p->ip, sizeof(masked)) == 0;
}

bool
addr_prefix_overlaps(const struct addr_prefix *a, const struct addr_prefix *b)
{
	return a->bits < b->bits ? addr_prefix_contains(a, b->ip)
				 : addr_prefix_contains(b, a->ip);
}

void
addr_source(const uint8_t ip[16], struct addr_prefix *out)
{
	bool v4 = memcmp(ip, v4_prefix, sizeof(v4_prefix)) == 0;

	memcpy(out->ip, ip, sizeof(out->ip));
	out->bits = v4 ? 128 : 64;
	addr_prefix_mask(out);
}

bool
addr_is_v4(const struct addr *a)
{
	return memcmp(a->ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

static enum addr_kind
kind_of_v4(const uint8_t ip[4])
{
	static const uint8_t zeros[4], ones[4] = { 255, 255, 255, 255 };

	if (ip[0] == 0)
		return memcmp(ip, zeros, 4) == 0 ? ADDR_UNSPECIFIED
						 : ADDR_THIS_NETWORK;
	if (ip[0] == 127)
		return ADDR_LOOPBACK;
	if (ip[0] == 169 && ip[1] == 254)
		return ADDR_LINK_LOCAL;
	if ((ip[0] & 0xf0) == 0xe0)
		return ADDR_MULTICAST;
	return memcmp(ip, ones, 4) == 0 ? ADDR_BROADCAST : ADDR_ORDINARY;
}

static enum addr_kind
kind_of_v6(const uint8_t ip[16])
{
	static const uint8_t zeros[15];

	if (memcmp(ip, zeros, 15) == 0 && ip[15] <= 1)
		return ip[15] == 0 ? ADDR_UNSPECIFIED : ADDR_LOOPBACK;
	if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
		return ADDR_LINK_LOCAL;
	return ip[0] == 0xff ? ADDR_MULTICAST : ADDR_ORDINARY;
}

enum addr_kind
addr_kind(const struct addr *a)
{
	return addr_is_v4(a) ? kind_of_v4(a->ip + 12) : kind_of_v6(a->ip);
}

bool
addr_is_any(const struct addr *a)
{
	return addr_kind(a) == ADDR_UNSPECIFIED;
}

bool
addr_is_loopback(const struct addr *a)
{
	return addr_kind(a) == ADDR_LOOPBACK;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port_be == b->port_be &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

uint16_t
addr_port(const struct addr *a)
{
	return ntohs(a->port_be);
}

void
addr_from_sockaddr(struct addr *a, const struct sockaddr *sa)
{
	memset(a, 0, sizeof(*a));
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, sa, sizeof(sin));
		ip_set_v4(a->ip, &sin.sin_addr);
		a->port_be = sin.sin_port;
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(a->ip, &sin6.sin6_addr, sizeof(a->ip));
		a->port_be = sin6.sin6_port;
	}
}

socklen_t
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (addr_is_v4(a)) {
		struct sockaddr_in sin = { .sin_family = AF_INET };

		memcpy(&sin.sin_addr, a->ip + 12, 4);
		sin.sin_port = a->port_be;
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	} else {
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

		memcpy(&sin6.sin6_addr, a->ip, sizeof(a->ip));
		sin6.sin6_port = a->port_be;
		memcpy(ss, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
}

/* By hand, because every request has one in x-forwarded-for. */
static void
format_v4(const uint8_t ip[4], char *out)
{
	for (int i = 0; i < 4; i++) {
		if (ip[i] >= 100)
			*out++ = (char)('0' + ip[i] / 100);
		if (ip[i] >= 10)
			*out++ = (char)('0' + ip[i] / 10 % 10);
		*out++ = (char)('0' + ip[i] % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *
addr_format_ip(const struct addr *a, char *out)
{
	if (addr_is_v4(a))
		format_v4(a->ip + 12, out);
	else
		inet_ntop(AF_INET6, a->ip, out, ADDR_TEXT_MAX);
	return out;
}

const char *
addr_prefix_format(const struct addr_prefix *p, char *out)
{
	struct addr a = { 0 };
	char ip[ADDR_TEXT_MAX];
	bool v4;

	memcpy(a.ip, p->ip, sizeof(a.ip));
	v4 = addr_is_v4(&a) && p->bits >= 96;
	if (v4)
		addr_format_ip(&a, ip);
	else
		inet_ntop(AF_INET6, a.ip, ip, sizeof(ip));
	snprintf(out, ADDR_TEXT_MAX, "%.45s/%u", ip,
		v4 ? p->bits - 96u : p->bits);
	return out;
}

const char *
addr_source_format(const struct addr_prefix *p, char *out)
{
	struct addr a = { 0 };

	if (p->bits != 128)
		return addr_prefix_format(p, out);
	memcpy(a.ip, p->ip, sizeof(a.ip));
	return addr_format_ip(&a, out);
}

const char *
addr_format(const struct addr *a, char *out)
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	snprintf(out, ADDR_TEXT_MAX, addr_is_v4(a) ? "%.45s:%u" : "[%.45s]:%u",
		ip, addr_port(a));
	return out;
}
