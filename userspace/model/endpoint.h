/* One address behind an upstream; fixed layout, crosses the channel as is. */
#ifndef MODEL_ENDPOINT_H
#define MODEL_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/subset.h"

#define ENDPOINT_HOST_MAX 256
#define ENDPOINTS_MAX 65536 /* of one upstream */

enum endpoint_health {
	ENDPOINT_UP,
	ENDPOINT_DRAINING,
	ENDPOINT_DOWN,
};

struct endpoint {
	struct addr addr; /* 18 bytes */
	uint16_t weight;  /* 1..65535 */
	uint8_t health;   /* enum endpoint_health */
	/* Host is rewritten to host, unless the route says what it is to be
	 * (Gloo: a static host given by name). */
	uint8_t host_rewrite;
	uint8_t pad[2];
	/* Whose address it is, where one may pass from owner to owner (a hash of
	 * a pod's uid); 0: not known. Another owner is another endpoint: pool,
	 * health, ejection and kernel entries of the former are not its. */
	uint64_t owner;
	/* The DNS name that led to addr, NUL-terminated, for autoHostRewrite;
	 * empty for a literal address. Or the path of a unix socket, which
	 * begins with "/": then addr only says which endpoint it is. */
	char host[ENDPOINT_HOST_MAX];
	/* The name that TLS asks for and checks, where the kind has one for
	 * this endpoint alone (a static host's sniAddr); empty: host. */
	char server_name[ENDPOINT_HOST_MAX];
	/* What it belongs to, one for each selector of the upstream's
	 * subsetSpec that fits it, in no order; 0: no more. */
	uint64_t subsets[SUBSETS_MAX];
};

_Static_assert(sizeof(struct endpoint) == 608, "crosses the channel");

#define ENDPOINT_TEXT_MAX (ENDPOINT_HOST_MAX + 8)

/* The address of the endpoint at that path: of 100::/64, where nobody is (RFC
 * 6666), and the port 1. */
void endpoint_pipe_addr(const char *path, struct addr *out);
/* Any endpoint of 100::/64 is taken for one. */
bool endpoint_addr_is_pipe(const struct addr *a);
/* Where it is: "10.0.0.1:80", "unix:/run/app.sock". out has ENDPOINT_TEXT_MAX
 * bytes. Returns out. */
const char *endpoint_format(const struct endpoint *e, char *out);

/* Whether who has the address may be the same: not to know is no evidence of
 * another. */
static inline bool
endpoint_owner_fits(uint64_t a, uint64_t b)
{
	return a == b || a == 0 || b == 0;
}

#endif
