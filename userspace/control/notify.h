/* What control tells systemd, and the descriptors that it keeps for us. All
 * of it does nothing when systemd did not start us. */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

void notify_ready(const char *status);
void notify_reloading(void);
/* It may take so long. */
void notify_stopping(uint64_t ms);
void notify_status(const char *status);
void notify_store_add(const char *name, const int *fds, size_t count);
void notify_store_remove(const char *name);

typedef void notify_stored_f(int fd, const char *name, void *arg);
/* Hands over each descriptor that was kept, close-on-exec. */
void notify_stored(notify_stored_f *cb, void *arg);

#endif
