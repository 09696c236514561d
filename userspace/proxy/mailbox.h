/*
 * Messages from one thread's loop to another's: a list behind a mutex and an
 * eventfd that wakes the reader. Never on the path of a request.
 */
#ifndef PROXY_MAILBOX_H
#define PROXY_MAILBOX_H

#include <stdint.h>

#include "model/wire.h"

enum mail_type {
	/* to a worker */
	MAIL_SETTINGS,
	MAIL_ACCESS_LOG, /* object: struct access_file, or NULL */
	MAIL_GENERATION, /* object: struct generation */
	MAIL_ENDPOINTS,  /* number: upstream, object: struct endpoint_set */
	MAIL_HEALTH,     /* number: upstream, addr, owner, health */
	MAIL_CLOSE_IDLE, /* number: upstream: one that waits is closed */
	MAIL_FORGET,     /* number: upstream */
	MAIL_CREDENTIALS, /* number: upstream, object: struct call_credentials,
			   * or NULL */
	MAIL_LISTEN,     /* number: slot, fd */
	MAIL_DEAF,       /* number: slot: close what listens there */
	MAIL_DRAIN,      /* number: deadline in ms */
	MAIL_BLOCK,      /* number: slot, addr, ms: for so long */

	/* to the main thread; number: the worker */
	MAIL_ENFORCED, /* object: struct generation */
	MAIL_RELEASED, /* object: struct generation, nobody uses it any more */
	MAIL_DRAINED,
	MAIL_CROWDED, /* number: the upstream that has no connection to spare */
	MAIL_STREAK, /* object: struct streak_report, the reader's */
	MAIL_FAR_BEYOND, /* object: struct throttle_report, the reader's */
	MAIL_TLS,        /* object: struct secure_report, the reader's */
	MAIL_CREDENTIALS_REFUSED, /* number: the upstream */
};

struct mail {
	struct mail *next;
	enum mail_type type;
	uint32_t number;
	int fd;
	struct addr addr;
	uint64_t owner; /* of addr */
	uint8_t health; /* enum endpoint_health */
	uint32_t ms;
	void *object;
	struct wire_settings settings;
};

struct mailbox;
struct loop;

/* mail is valid during the call. */
typedef void mailbox_f(const struct mail *mail, void *arg);

struct mailbox *mailbox_new(struct loop *loop, mailbox_f *cb, void *arg);
void mailbox_free(struct mailbox *m);
/* From any thread; *mail is copied. */
void mailbox_send(struct mailbox *m, const struct mail *mail);

#endif
