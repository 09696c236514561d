/* The flags of `glooctl create upstream azure`. Private to kinds/azure/. */
#ifndef KINDS_AZURE_FLAGS_H
#define KINDS_AZURE_FLAGS_H

#include "model/kind.h"

extern const struct kind_flag azure_flags[]; /* ends with a NULL name */

#endif
