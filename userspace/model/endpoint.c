/* Where an endpoint is. */
#include "model/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/table.h"

static const uint8_t nobody[8] = { 0x01, 0x00 }; /* 100::/64 */

void
endpoint_pipe_addr(const char *path, struct addr *out)
{
	uint64_t hash = hash_bytes(path, strlen(path), 0);

	memset(out, 0, sizeof(*out));
	memcpy(out->ip, nobody, sizeof(nobody));
	memcpy(out->ip + sizeof(nobody), &hash, sizeof(hash));
	out->port_be = htons(1);
}

bool
endpoint_addr_is_pipe(const struct addr *a)
{
	return memcmp(a->ip, nobody, sizeof(nobody)) == 0;
}

const char *
endpoint_format(const struct endpoint *e, char *out)
{
	if (e->host[0] != '/')
		return addr_format(&e->addr, out);
	snprintf(out, ENDPOINT_TEXT_MAX, "unix:%s", e->host);
	return out;
}
