/* Answers that the proxy gives by itself. Private to proxy/. */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

#include "base/str.h"

struct exchange;

/* Sends it whole: status, text/plain, always with its length; location may be
 * empty. x->keep says whether the connection stays. -1: the client is gone. */
int reply_send(struct exchange *x, int status, struct slice location,
	struct slice body);

#endif
