/* The table of kinds, searched. */
#include "model/kind.h"

#include <string.h>

const struct upstream_kind *
kind_find(const struct upstream_kind *const *kinds, const char *key)
{
	for (; kinds != NULL && *kinds != NULL; kinds++)
		if (strcmp((*kinds)->key, key) == 0)
			return *kinds;
	return NULL;
}
