/* Raw client sockets, connected to the proxy of a rig; plain descriptors. */
#ifndef TESTS_RIG_CLIENT_H
#define TESTS_RIG_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct rig;

int rig_client(struct rig *r);
void rig_client_reset(int fd); /* in place of close */
void rig_client_send(int fd, const char *bytes, size_t length);
/* Reads until there are so many bytes, the end, or ms passed. True: the end
 * came. */
bool rig_client_read(int fd, struct str *out, size_t most, int ms);

#endif
