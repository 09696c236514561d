/*
 * An IP address and port. Always 16 bytes: IPv4 stands in its IPv4-mapped
 * form (RFC 4291 2.5.5.2), so that there is one form everywhere.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define ADDR_TEXT_MAX 64 /* "[ffff:...:255.255.255.255]:65535" and NUL */

struct addr {
	uint8_t ip[16];
	uint16_t port_be;
};

struct addr_prefix {
	uint8_t ip[16];
	uint8_t bits; /* of the 128; an IPv4 prefix /24 is 120 */
};

/* What an address is by itself, whoever asks (RFC 6890; IANA's registries of
 * special addresses). Who may use which is for the caller to say. */
enum addr_kind {
	ADDR_ORDINARY,     /* none of the others: somebody may own it */
	ADDR_UNSPECIFIED,  /* 0.0.0.0, :: */
	ADDR_THIS_NETWORK, /* the rest of 0.0.0.0/8 (RFC 1122 3.2.1.3) */
	ADDR_LOOPBACK,     /* 127.0.0.0/8, ::1 */
	ADDR_LINK_LOCAL,   /* 169.254.0.0/16, fe80::/10 */
	ADDR_MULTICAST,    /* 224.0.0.0/4, ff00::/8 */
	ADDR_BROADCAST,    /* 255.255.255.255 */
};

/* ip without brackets; -1 if it is not a literal address. */
int addr_parse_ip(const char *ip, uint16_t port, struct addr *out);
int addr_prefix_parse(const char *text, struct addr_prefix *out,
	struct error *err);
/* Clears the bits beyond the length. */
void addr_prefix_mask(struct addr_prefix *p);
/* Who is behind an address: of IPv6 its /64, in which a host has as many
 * addresses as it likes. */
void addr_source(const uint8_t ip[16], struct addr_prefix *out);
/* As sources are shown: a single address without its length. Returns out. */
const char *addr_source_format(const struct addr_prefix *p, char *out);
/* "10.0.0.0/8" or "2001:db8::/32"; out has ADDR_TEXT_MAX bytes. Returns out. */
const char *addr_prefix_format(const struct addr_prefix *p, char *out);
bool addr_prefix_contains(const struct addr_prefix *p, const uint8_t ip[16]);
bool addr_prefix_overlaps(const struct addr_prefix *, const struct addr_prefix *);
bool addr_is_v4(const struct addr *a);
enum addr_kind addr_kind(const struct addr *a);
bool addr_is_any(const struct addr *a);      /* ADDR_UNSPECIFIED */
bool addr_is_loopback(const struct addr *a); /* ADDR_LOOPBACK */
bool addr_equal(const struct addr *a, const struct addr *b);
uint16_t addr_port(const struct addr *a); /* host order */
void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa);
/* Returns the length; AF_INET for IPv4, else AF_INET6. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/* "10.0.0.1:80" or "[::1]:80"; out has ADDR_TEXT_MAX bytes. Returns out. */
const char *addr_format(const struct addr *a, char *out);
/* Without port and brackets. */
const char *addr_format_ip(const struct addr *a, char *out);

#endif
