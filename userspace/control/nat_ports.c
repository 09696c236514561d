/* The ports of mode nat, and the box's own. */
#include "control/nat_ports.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "bpf/contract.h"

#define RANGE    "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVED "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define FILE_MAX 65536
#define NAT_LAST (GG_NAT_PORT_FIRST + GG_NAT_PORTS - 1)

/* "1-3,8" or "1-3,8\n": the last port of the range that port is in; 0: none. */
static unsigned
reserved_until(const char *list, unsigned port)
{
	unsigned first, last, until = 0;
	char *end;

	while (*list >= '0' && *list <= '9') {
		first = last = (unsigned)strtoul(list, &end, 10);
		if (*end == '-')
			last = (unsigned)strtoul(end + 1, &end, 10);
		if (port >= first && port <= last)
			until = last;
		list = *end == ',' ? end + 1 : end;
	}
	return until;
}

uint16_t
nat_ports_clash(const char *range, const char *reserved)
{
	unsigned port, last, until;

	if (sscanf(range, "%u %u", &port, &last) != 2)
		return 0;
	if (port < GG_NAT_PORT_FIRST)
		port = GG_NAT_PORT_FIRST;
	if (last > NAT_LAST)
		last = NAT_LAST;
	while (port <= last) {
		until = reserved_until(reserved, port);
		if (until == 0)
			return (uint16_t)port;
		port = until + 1;
	}
	return 0;
}

void
nat_ports_explain(struct str *out)
{
	struct str range, reserved;
	uint16_t port = 0;

	str_init(&range);
	str_init(&reserved);
	/* Without the one nothing is known, without the other none is. */
	if (file_read(RANGE, FILE_MAX, &range, NULL) == 0 && range.length > 0) {
		if (file_read(RESERVED, FILE_MAX, &reserved, NULL) != 0 ||
			reserved.length == 0)
			str_puts(&reserved, "\n");
		port = nat_ports_clash(range.data, reserved.data);
	}
	if (port != 0)
		str_printf(out,
			"mode nat gives the ports %d to %d to connections, and "
			"net.ipv4.ip_local_port_range gives %u, too, to the "
			"box's own: sysctl -w net.ipv4.ip_local_reserved_ports="
			"%d-%d, or begin the range at %d",
			GG_NAT_PORT_FIRST, NAT_LAST, port, GG_NAT_PORT_FIRST,
			NAT_LAST, NAT_LAST + 1);
	str_fini(&range);
	str_fini(&reserved);
}
