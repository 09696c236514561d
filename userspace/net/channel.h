/*
 * A SOCK_SEQPACKET channel that carries struct wire-like fixed messages and
 * descriptors, on a loop. Sending never blocks: what the socket does not take
 * is queued (bounded by CHANNEL_QUEUE_MAX; past it the channel is broken).
 */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include <stddef.h>

#include "base/error.h"

#define CHANNEL_QUEUE_MAX 65536
#define CHANNEL_FDS_MAX 64

struct channel;
struct loop;

/* One message arrived. The descriptors are the callee's to close; they are
 * close-on-exec. message is valid during the call only. */
typedef void channel_message_f(const void *message, size_t length,
	const int *fds, size_t fd_count, void *arg);
/* The peer is gone or the channel broke; the callee frees the channel. */
typedef void channel_closed_f(void *arg);

/* Takes fd. */
struct channel *channel_new(struct loop *loop, int fd,
	channel_message_f *on_message, channel_closed_f *on_closed, void *arg);
void channel_free(struct channel *c);
/* Descriptors are duplicated by the kernel; the caller keeps its own. */
int channel_send(struct channel *c, const void *message, size_t length,
	const int *fds, size_t fd_count);
/* Two connected ends, close-on-exec. */
int channel_pair(int ends[2], struct error *err);
int channel_fd(const struct channel *c);
/* A listening SOCK_SEQPACKET socket at path (mode 0600; an old socket file is
 * replaced), and a connection to one. -1 on error. */
int channel_listen(const char *path, struct error *err);
int channel_connect(const char *path, struct error *err);

#endif
