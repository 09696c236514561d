/* Memory shared through a descriptor: memfds, sealed. */
#ifndef NET_SHM_H
#define NET_SHM_H

#include <stddef.h>

#include "base/error.h"

/* A memfd with these bytes, sealed against every change. -1 on error. */
int shm_new_sealed(const char *name, const void *bytes, size_t length,
	struct error *err);
/* A zeroed memfd of that size that can be written but not resized. */
int shm_new_shared(const char *name, size_t length, struct error *err);
/* Maps the whole of fd after checking its seals: read-only wants F_SEAL_WRITE,
 * SHRINK and GROW; shared wants SHRINK and GROW. fd stays the caller's. */
const void *shm_map_sealed(int fd, size_t *length, struct error *err);
void *shm_map_shared(int fd, size_t *length, struct error *err);
void shm_unmap(const void *bytes, size_t length);

#endif
