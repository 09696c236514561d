/* What is wrong, by area: /v1/check, and `gloo-gateway --check`. */
#ifndef CONTROL_CHECK_H
#define CONTROL_CHECK_H

#include "base/doc.h"
#include "control/core.h"

/* {"areas": [{"name", "errors": [], "warnings": [], "notes": []}]} */
struct doc *check_print(const struct control *c);

#endif
