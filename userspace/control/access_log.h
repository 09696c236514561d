/* The access log: opened here, written by the proxy. */
#ifndef CONTROL_ACCESS_LOG_H
#define CONTROL_ACCESS_LOG_H

#include "control/core.h"

/* Opens what the settings say, or nothing, and tells the proxy. */
void access_log_open(struct control *c);
void access_log_close(struct control *c);

#endif
