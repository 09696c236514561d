/* Services of TCP and UDP as people see them: who serves each, and where its
 * connections are. */
#ifndef CONTROL_SERVICE_VIEW_H
#define CONTROL_SERVICE_VIEW_H

#include "base/doc.h"
#include "base/str.h"
#include "control/core.h"

/* {"items": [...]}: one per gateway with a tcpGateway. */
struct doc *services_print(const struct control *c);
/* For Prometheus. */
void services_metrics(const struct control *c, struct str *out);
/* "service.NAME.what: N", a line each. */
void services_plain(const struct control *c, struct str *out);

#endif
