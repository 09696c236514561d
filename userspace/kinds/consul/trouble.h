/*
 * Why a question to a Consul agent has no answer, as one sentence that says
 * what to do about it. An error never looks like "no instances": only a whole
 * answer of status 200 is one. Pure. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_TROUBLE_H
#define KINDS_CONSUL_TROUBLE_H

#include <stdint.h>

#include "base/str.h"

enum consul_trouble {
	CONSUL_FINE,
	CONSUL_UNREACHED, /* no answer, or not within the time */
	CONSUL_BROKEN,    /* it did not come whole */
	CONSUL_NO_LEADER, /* the servers have elected none: 500, or the agent
			   * answered from what it had */
	CONSUL_NO_SERVER, /* 500: the agent reaches none of its servers */
	CONSUL_NO_PATH,   /* 500: to another data centre */
	CONSUL_FORBIDDEN, /* 403, 401: the token is unknown or may not */
	CONSUL_LIMITED,   /* 429: of connections or requests */
	CONSUL_REFUSED,   /* any other status below 500 but 200 */
	CONSUL_FAILED,    /* any other */
	CONSUL_UNUSABLE,  /* 200, and it is not what was asked for */
	CONSUL_NO_PASS,   /* token or certificates cannot be read */
};

enum consul_trouble consul_trouble_of(int status, struct slice body);

struct consul_complaint {
	const char *agent; /* as the settings name it */
	bool tls;
	const char *path, *datacenter; /* of the question; datacenter or NULL */
	int status;
	struct slice body; /* plain text, or what there is */
	const char *why;   /* in place of status and body; or NULL */
};

/* Appends it. Control characters and what is no ASCII become "?". */
void consul_trouble_tell(enum consul_trouble trouble,
	const struct consul_complaint *c, struct str *out);

/* X-Consul-Index, X-Consul-Lastcontact: decimal digits; anything else, NULL
 * and what does not fit in 64 bits is 0. */
uint64_t consul_number_read(const char *text);

#endif
