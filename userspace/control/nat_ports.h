/* The ports that mode nat gives to connections, and those that Linux gives to
 * the box's own: none may be both. */
#ifndef CONTROL_NAT_PORTS_H
#define CONTROL_NAT_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* The first port of both, by what sysctl says of net.ipv4.ip_local_port_range
 * and net.ipv4.ip_local_reserved_ports; 0: none. */
uint16_t nat_ports_clash(const char *range, const char *reserved);
/* Adds what is wrong on this box, and the remedy, to out. */
void nat_ports_explain(struct str *out);

#endif
