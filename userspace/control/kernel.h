/* Control's dealings with the kernel half: opens it as the settings say, looks
 * after it, logs what becomes of it. */
#ifndef CONTROL_KERNEL_H
#define CONTROL_KERNEL_H

#include "control/core.h"

void kernel_open(struct control *c);
/* As kernel_open with new settings; detach: what is attached goes first. */
void kernel_reopen(struct control *c, bool detach);
void kernel_close(struct control *c, bool detach);
/* Where those of the settings do nothing. */
void kernel_prefixes_log(const struct control *c);
/* Each second. */
void kernel_look(struct control *c);
/* Some interface runs the program. */
bool kernel_is_active(const struct control *c);
/* Brings the maps to the listeners, if that is due. */
void kernel_tell(struct control *c);
/* That gateway, which is no object yet or not as it is to be, has bound the
 * sockets of the slot and is about to listen: what it limits is in the maps
 * before a client comes. */
void kernel_tell_ahead(
	struct control *c, const struct model_gateway *g, uint32_t slot);

#endif
