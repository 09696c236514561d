/* SIGHUP: the settings, the files and the binary are looked at again. */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "control/core.h"

/* Does not return if a new binary was executed. */
void reload(struct control *c);

#endif
