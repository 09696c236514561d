/*
 * Where a Consul agent is: consul.httpAddress taken apart, as a URL and, of a
 * Unix socket, the path of that. Pure. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_ADDRESS_H
#define KINDS_CONSUL_ADDRESS_H

#include <stdbool.h>

#include "base/error.h"

struct consul_address {
	char *base; /* "https://host:8501", "http://127.0.0.1:8500/consul": a
		     * path is put behind it */
	char *unix_socket; /* or NULL */
	bool tls;
};

/* "host:8500", "http://host:8500", "https://host:8501/prefix",
 * "unix:///run/consul.sock". -1: err is a sentence without a place. */
int consul_address_read(
	const char *text, struct consul_address *out, struct error *err);
void consul_address_fini(struct consul_address *a);

#endif
