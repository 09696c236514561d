/* SIGHUP: the settings, the files and the binary are looked at again. */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "control/core.h"

/* Does not return if a new binary was executed. */
void reload(struct control *c);
/* The settings and the files only. -1 and err: the settings are wrong, and what
 * ran goes on. */
int reload_settings(struct control *c, struct error *err);

#endif
