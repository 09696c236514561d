/* What the data plane runs, walked from the image itself. */
#ifndef CONTROL_DUMP_H
#define CONTROL_DUMP_H

#include "base/doc.h"
#include "control/core.h"

struct doc *dump_print(const struct control *c);

#endif
