/* A service as it was asked for, and what can be wrong with it. Pure. */
#ifndef FASTPATH_SERVICE_H
#define FASTPATH_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "fastpath/ring_slot.h"
#include "fastpath/steering.h"

/* Immutable, but for which backends it has and their states; asked.backends is
 * its own. */
struct service_conf {
	struct fastpath_service asked;
};

/* With defaults filled in. */
struct service_conf *service_conf_new(const struct fastpath_service *asked);
void service_conf_free(struct service_conf *c); /* NULL is fine */

/* In these modes the packet stays as it is and the backend answers by itself,
 * which has the service's address and port. */
bool service_mode_is_direct(uint8_t mode);
/* Of them those that put it into another packet. */
bool service_mode_encapsulates(uint8_t mode);

/* What is wrong with it whatever else there is, and whoever its backends are.
 */
int service_conf_check(const struct service_conf *c, struct error *err);

/* What is wrong with one backend, where those before it were left in place: the
 * first kept ones of the list. */
typedef int service_backend_f(const struct service_conf *c,
	const struct fastpath_backend *b, size_t kept, void *arg,
	struct error *err);
/* Backends that are left out of a service. */
struct service_left {
	size_t count;
	struct error why; /* of the first one */
};
/* Leaves out those with which something is wrong; adds them to left. */
void service_conf_leave(struct service_conf *c, service_backend_f *check,
	void *arg, struct service_left *left);
/* Whatever else there is; arg is not used. */
service_backend_f service_conf_check_backend;
/* The two cannot be there together; text names c. */
int service_conf_clash(const struct service_conf *c,
	const struct service_conf *other, struct error *err);
int service_conf_clash_listener(const struct service_conf *c,
	const struct fastpath_listener *listener, struct error *err);
/* Connections of the one are connections of the other. */
bool service_conf_same(const struct service_conf *a,
	const struct service_conf *b);
/* Nothing about the two differs. */
bool service_conf_equal(const struct service_conf *a,
	const struct service_conf *b);
/* Takes over what the other says of backends that are in both, and leaves out
 * those that it does not name. */
void service_conf_follow(struct service_conf *c,
	const struct service_conf *other);
enum ring_keeping service_conf_keeping(const struct service_conf *c);
/* Each connection is kept and looked up, whatever its slot of the ring. */
bool service_conf_keeps_each(const struct service_conf *c);
/* Whether a local address is one that its wildcard stands for. */
bool service_conf_takes(const struct service_conf *c,
	const struct addr *local);
const struct fastpath_backend *service_conf_backend(
	const struct service_conf *c, const struct addr *addr);
/* New connections may go to it. */
bool service_backend_is_open(const struct fastpath_backend *b);
/* "10.0.0.1:80/tcp"; out has SERVICE_TEXT_MAX bytes. Returns out. */
#define SERVICE_TEXT_MAX (ADDR_TEXT_MAX + 4)
const char *service_conf_format(const struct service_conf *c, char *out);

#endif
