/* The numbers of proxy and kernel as text: Prometheus' form, and one line per
 * number for people. No series is made per route. */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "base/str.h"
#include "control/core.h"

void metrics_prometheus(const struct control *c, struct str *out);
void metrics_plain(const struct control *c, struct str *out);
/* name="value" with the value escaped as Prometheus wants it. */
void metrics_label(struct str *out, const char *name, const char *value);

#endif
