/* The spec of a static upstream: addresses, names and SRV names given by hand.
 */
#ifndef KINDS_STATIC_STATIC_H
#define KINDS_STATIC_STATIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kind.h"
#include "model/model.h"
#include "model/subset_spec.h"

#define PORT_TLS 443

struct static_host {
	char *addr; /* literal address without brackets, DNS name, or SRV name
		     * (its first label begins with "_") */
	uint16_t port; /* 0: of an SRV name, whose answers have ports */
	uint16_t weight;
	char *sni_addr;
	struct doc *metadata; /* as written, or NULL */
	struct model_pair *labels; /* of metadata */
	size_t label_count;
};

struct static_spec {
	struct static_host *hosts; /* at least one */
	size_t host_count;
	struct model_bool use_tls, auto_sni;
	struct subset_spec subsets;
};

bool static_host_is_srv(const struct static_host *h);

kind_tls_f static_tls;
kind_watch_f static_watch;
kind_unwatch_f static_unwatch;
kind_show_f static_show;

#endif
