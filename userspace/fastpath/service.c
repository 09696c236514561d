/* A service as it was asked for, and what can be wrong with it. */
#include "fastpath/service.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/endpoint.h"

static int
backend_compare(const void *a, const void *b)
{
	const struct fastpath_backend *x = a, *y = b;
	int order = memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));

	if (order != 0)
		return order;
	return x->addr.port_be < y->addr.port_be ?
		-1 :
		x->addr.port_be > y->addr.port_be;
}

bool
service_mode_encapsulates(uint8_t mode)
{
	return mode == GG_MODE_IPIP || mode == GG_MODE_GUE;
}

bool
service_mode_is_direct(uint8_t mode)
{
	return mode == GG_MODE_DSR_L2 || service_mode_encapsulates(mode);
}

struct service_conf *
service_conf_new(const struct fastpath_service *asked)
{
	struct service_conf *c = xcalloc(1, sizeof(*c));
	size_t count = asked->backend_count;
	struct fastpath_backend *backends =
		xcalloc(count + 1, sizeof(*backends));

	c->asked = *asked;
	if (c->asked.idle_s == 0)
		c->asked.idle_s = FASTPATH_UDP_IDLE_S_DEFAULT;
	if (c->asked.drain_ms == 0)
		c->asked.drain_ms = FASTPATH_DRAIN_MS_DEFAULT;
	for (size_t i = 0; i < count; i++) {
		backends[i] = asked->backends[i];
		if (service_mode_is_direct(asked->mode))
			backends[i].addr.port_be = asked->addr.port_be;
	}
	qsort(backends, count, sizeof(*backends), backend_compare);
	c->asked.backends = backends;
	return c;
}

void
service_conf_free(struct service_conf *c)
{
	if (c == NULL)
		return;
	free((void *)(uintptr_t)c->asked.backends);
	free(c);
}

const struct fastpath_backend *
service_conf_backend(const struct service_conf *c, const struct addr *addr)
{
	const struct fastpath_backend key = { .addr = *addr };

	return bsearch(&key, c->asked.backends, c->asked.backend_count,
		sizeof(key), backend_compare);
}

const char *
service_conf_format(const struct service_conf *c, char *out)
{
	char addr[ADDR_TEXT_MAX];

	snprintf(out, SERVICE_TEXT_MAX, "%s/%s",
		addr_format(&c->asked.addr, addr),
		c->asked.l4_proto == IPPROTO_UDP ? "udp" : "tcp");
	return out;
}

bool
service_backend_is_open(const struct fastpath_backend *b)
{
	return b->state == FASTPATH_BACKEND_UP && b->weight > 0;
}

bool
service_conf_keeps_each(const struct service_conf *c)
{
	uint32_t flags = c->asked.flags;

	return flags & GG_SERVICE_ALWAYS ||
		(flags & GG_SERVICE_STICKY && c->asked.l4_proto == IPPROTO_UDP);
}

enum ring_keeping
service_conf_keeping(const struct service_conf *c)
{
	if (c->asked.mode == GG_MODE_NAT)
		return RING_KEEPS_NONE;
	if (c->asked.l4_proto == IPPROTO_TCP)
		return RING_KEEPS_ALL;
	return service_conf_keeps_each(c) ? RING_KEEPS_KNOWN : RING_KEEPS_NONE;
}

/* A packet that stays as it is may go to a backend of either. */
static bool
family_matters(const struct service_conf *c)
{
	return !service_mode_is_direct(c->asked.mode);
}

bool
service_conf_takes(const struct service_conf *c, const struct addr *local)
{
	const enum addr_kind kind = addr_kind(local);

	if (kind == ADDR_LOOPBACK ||
		(kind == ADDR_LINK_LOCAL && !addr_is_v4(local)))
		return false;
	return !family_matters(c) || c->asked.backend_count == 0 ||
		addr_is_v4(local) == addr_is_v4(&c->asked.backends[0].addr);
}

/* ---- checks */

int
service_conf_check_backend(const struct service_conf *c,
	const struct fastpath_backend *b, size_t kept, void *arg,
	struct error *err)
{
	const struct fastpath_backend *list = c->asked.backends;
	/* :: stands for both families, so the first backend says which. */
	const struct addr *like = !addr_is_any(&c->asked.addr) ||
			addr_is_v4(&c->asked.addr) ?
		&c->asked.addr :
		kept > 0 ? &list[0].addr :
			   &b->addr;
	char text[ADDR_TEXT_MAX];

	(void)arg;
	addr_format(&b->addr, text);
	if (addr_is_any(&b->addr) || addr_is_loopback(&b->addr))
		return error_set(err, ERROR_CONFIG,
			"%s is no address that XDP can send to", text);
	if (endpoint_addr_is_pipe(&b->addr))
		return error_set(err, ERROR_CONFIG,
			"a unix socket is nothing that XDP can send to");
	if (b->addr.port_be == 0)
		return error_set(err, ERROR_CONFIG, "%s has no port", text);
	if (kept > 0 && addr_equal(&b->addr, &list[kept - 1].addr))
		return error_set(err, ERROR_CONFIG, "%s is named twice", text);
	if (family_matters(c) && addr_is_v4(&b->addr) != addr_is_v4(like))
		return error_set(err, ERROR_CONFIG,
			"%s is of another family (IPv4, IPv6) than the"
			" service's address",
			text);
	return 0;
}

int
service_conf_check(const struct service_conf *c, struct error *err)
{
	const struct fastpath_service *s = &c->asked;

	if (s->slot < GG_LISTENERS_MAX || s->slot >= GG_SLOTS_MAX)
		return error_set(err, ERROR_LIMIT,
			"service slot %u is out of %d..%d", s->slot,
			GG_LISTENERS_MAX, GG_SLOTS_MAX - 1);
	if (s->l4_proto != IPPROTO_TCP && s->l4_proto != IPPROTO_UDP)
		return error_set(err, ERROR_CONFIG,
			"only TCP and UDP are steered");
	if (s->mode == GG_MODE_PASS || s->mode >= GG_MODE_COUNT)
		return error_set(err, ERROR_CONFIG,
			"XDP has no mode %u of steering", s->mode);
	if (s->addr.port_be == 0)
		return error_set(err, ERROR_CONFIG, "the service has no port");
	if (s->mode == GG_MODE_ROUTE && addr_is_any(&s->addr))
		return error_set(err, ERROR_CONFIG,
			"mode route needs one address of the service, for that"
			" is what answers get as their source");
	if (s->drain_ms > FASTPATH_DRAIN_MS_MAX)
		return error_set(err, ERROR_CONFIG,
			"a drain takes %d hours at most",
			FASTPATH_DRAIN_MS_MAX / 3600000);
	return 0;
}

static struct fastpath_backend *
backends_of(struct service_conf *c)
{
	return (struct fastpath_backend *)(uintptr_t)c->asked.backends;
}

void
service_conf_leave(struct service_conf *c, service_backend_f *check, void *arg,
	struct service_left *left)
{
	struct fastpath_backend *list = backends_of(c);
	size_t kept = 0;

	for (size_t i = 0; i < c->asked.backend_count; i++) {
		struct error why = ERROR_INIT;

		if (check(c, &list[i], kept, arg, &why) == 0)
			list[kept++] = list[i];
		else if (left->count++ == 0)
			left->why = why;
	}
	c->asked.backend_count = kept;
}

static bool
key_equal(const struct service_conf *c, const struct addr *addr,
	uint8_t l4_proto)
{
	return c->asked.l4_proto == l4_proto &&
		addr_equal(&c->asked.addr, addr);
}

int
service_conf_clash_listener(const struct service_conf *c,
	const struct fastpath_listener *listener, struct error *err)
{
	char text[SERVICE_TEXT_MAX];

	/* Its own: it was relayed until now. */
	if (listener->slot == c->asked.slot ||
		!key_equal(c, &listener->addr, listener->l4_proto))
		return 0;
	return error_set(err, ERROR_CONFIG, "%s is a listener's already",
		service_conf_format(c, text));
}

int
service_conf_clash(const struct service_conf *c,
	const struct service_conf *other, struct error *err)
{
	char text[SERVICE_TEXT_MAX], theirs[SERVICE_TEXT_MAX];

	if (key_equal(c, &other->asked.addr, other->asked.l4_proto))
		return error_set(err, ERROR_CONFIG,
			"%s is another service's already",
			service_conf_format(c, text));
	if (c->asked.mode != GG_MODE_ROUTE ||
		other->asked.mode != GG_MODE_ROUTE ||
		c->asked.l4_proto != other->asked.l4_proto)
		return 0;
	for (size_t i = 0; i < c->asked.backend_count; i++) {
		const struct addr *addr = &c->asked.backends[i].addr;

		if (service_conf_backend(other, addr) != NULL)
			return error_set(err, ERROR_CONFIG,
				"%s is a backend of %s already: in mode route"
				" its answers cannot be told apart",
				addr_format(addr, text),
				service_conf_format(other, theirs));
	}
	return 0;
}

bool
service_conf_same(const struct service_conf *a, const struct service_conf *b)
{
	return a->asked.mode == b->asked.mode &&
		key_equal(a, &b->asked.addr, b->asked.l4_proto);
}

static bool
backend_equal(const struct fastpath_backend *a,
	const struct fastpath_backend *b)
{
	return addr_equal(&a->addr, &b->addr) && a->weight == b->weight &&
		a->state == b->state && a->owner == b->owner;
}

bool
service_conf_equal(const struct service_conf *a, const struct service_conf *b)
{
	const struct fastpath_service *x = &a->asked, *y = &b->asked;

	if (!service_conf_same(a, b) || x->slot != y->slot ||
		x->flags != y->flags || x->idle_s != y->idle_s ||
		x->drain_ms != y->drain_ms || x->relayed != y->relayed ||
		x->leaving != y->leaving ||
		x->backend_count != y->backend_count)
		return false;
	for (size_t i = 0; i < x->backend_count; i++) {
		if (!backend_equal(&x->backends[i], &y->backends[i]))
			return false;
	}
	return true;
}

void
service_conf_follow(struct service_conf *c, const struct service_conf *other)
{
	struct fastpath_backend *list = backends_of(c);
	bool same = service_conf_same(c, other);
	size_t kept = 0;

	for (size_t i = 0; i < c->asked.backend_count; i++) {
		const struct fastpath_backend *b =
			service_conf_backend(other, &list[i].addr);

		/* Of another mode the ports may be others. */
		if (b == NULL && same)
			continue;
		if (b != NULL)
			list[i].state = b->state;
		list[kept++] = list[i];
	}
	c->asked.backend_count = kept;
}
