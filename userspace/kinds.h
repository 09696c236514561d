/* The table of upstream kinds, made from the folders below kinds/. Only the
 * two mains include this; everybody else gets the table as an argument. */
#ifndef KINDS_H
#define KINDS_H

#include <stddef.h>

#include "model/kind.h"

#define KIND(name) extern const struct upstream_kind upstream_kind_##name;
#include "upstream_kinds.inc"
#undef KIND

static const struct upstream_kind *const upstream_kinds[] = {
#define KIND(name) &upstream_kind_##name,
#include "upstream_kinds.inc"
#undef KIND
	NULL,
};

#endif
