/* The spec of a static upstream: addresses and DNS names given by hand. */
#ifndef KINDS_STATIC_STATIC_H
#define KINDS_STATIC_STATIC_H

#include <stddef.h>
#include <stdint.h>

#include "model/kind.h"
#include "model/model.h"

struct static_host {
	char *addr; /* literal address without brackets, or DNS name */
	uint16_t port;
	uint16_t weight;
	char *sni_addr;
};

struct static_spec {
	struct static_host *hosts; /* at least one */
	size_t host_count;
	struct model_bool use_tls; /* true is refused on reading */
};

kind_watch_f static_watch;
kind_unwatch_f static_unwatch;

#endif
