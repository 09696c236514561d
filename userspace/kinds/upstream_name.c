/* Names of upstreams that are discovered. */
#include "kinds/upstream_name.h"

#include <stdio.h>
#include <string.h>

#include "base/md5.h"

#define CUT 31 /* bytes that a name too long keeps */

void
upstream_name_cut(const char *name, char out[UPSTREAM_NAME_MAX])
{
	size_t length = strlen(name);
	char hash[MD5_HEX + 1];

	if (length < UPSTREAM_NAME_MAX) {
		memcpy(out, name, length + 1);
		return;
	}
	md5_hex(name, length, hash);
	snprintf(out, UPSTREAM_NAME_MAX, "%.*s-%.*s", CUT, name,
		UPSTREAM_NAME_MAX - CUT - 2, hash);
}
