/* The flags of `glooctl create upstream aws`. Private to kinds/aws/. */
#ifndef KINDS_AWS_FLAGS_H
#define KINDS_AWS_FLAGS_H

#include "model/kind.h"

extern const struct kind_flag aws_flags[]; /* ends with a NULL name */

#endif
