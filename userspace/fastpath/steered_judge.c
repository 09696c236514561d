/* Which of the services that were asked for are right. */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fastpath/features.h"
#include "fastpath/steered.h"
#include "fastpath/sync.h"

static bool
runs_program(const struct steered *s, uint32_t ifindex)
{
	for (size_t i = 0; i < s->attached.count; i++) {
		if (s->attached.list[i] == ifindex)
			return true;
	}
	return false;
}

int
steered_way_check(const struct service_conf *conf, const struct addr *to,
	const struct way *way, struct error *err)
{
	static const uint8_t none[16];
	char text[ADDR_TEXT_MAX];

	if (conf->asked.mode == GG_MODE_DSR_L2 && !way->on_link)
		return error_set(err, ERROR_CONFIG,
			"%s is behind a gateway: mode dsr-l2 needs it on a link"
			" of this box",
			addr_format_ip(to, text));
	if (service_mode_encapsulates(conf->asked.mode) &&
		memcmp(way->source, none, sizeof(none)) == 0)
		return error_set(err, ERROR_CONFIG,
			"this box has no address on the way to %s, from which"
			" packets could be sent there inside others",
			addr_format_ip(to, text));
	return 0;
}

/* Packets that the stack has merged into one cannot get a header each. */
static int
generic_judge(const struct steered *s, const struct service_conf *conf,
	struct error *err)
{
	if (!s->generic || conf->asked.l4_proto != IPPROTO_TCP ||
		!service_mode_encapsulates(conf->asked.mode))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"an interface runs XDP in generic mode, where the stack has"
		" merged packets of TCP: modes ipip and gue need native mode");
}

/* What comes in by another interface, natively, is redirected there. */
static int
redirect_judge(const struct steered *s, uint32_t ifindex, const struct addr *addr,
	struct error *err)
{
	char text[ADDR_TEXT_MAX], name[IF_NAMESIZE];
	bool others = false;

	for (size_t i = 0; i < s->native.count; i++)
		others |= s->native.list[i] != ifindex;
	if (!others || !features_lose_redirected(ifindex))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"the way to %s is over %s, which takes no frames that XDP"
		" redirects (ndo_xdp_xmit)",
		addr_format_ip(addr, text),
		if_indextoname(ifindex, name) != NULL ? name : "?");
}

static void
found_add(struct steered *s, const struct addr *to, const struct way *way)
{
	if (s->found_count == s->found_room) {
		s->found_room = s->found_room == 0 ? 64 : 2 * s->found_room;
		s->found = xreallocarray(s->found, s->found_room,
			sizeof(*s->found));
	}
	s->found[s->found_count++] = (struct found){ *to, *way };
}

static int
backend_judge(struct steered *s, const struct service_conf *conf,
	const struct addr *addr, struct error *err)
{
	struct way way = { 0 };
	char text[ADDR_TEXT_MAX], name[IF_NAMESIZE];

	if (way_find(s->netlink, &way, addr, err) != 0)
		return -1;
	if (steered_way_check(conf, addr, &way, err) != 0)
		return -1;
	if (!service_mode_is_direct(conf->asked.mode) &&
		!runs_program(s, way.ifindex))
		return error_set(err, ERROR_CONFIG,
			"the way to %s is over %s, where no XDP program brings"
			" its answers back; name it in xdp.interfaces",
			addr_format_ip(addr, text),
			if_indextoname(way.ifindex, name) != NULL ? name : "?");
	if (redirect_judge(s, way.ifindex, addr, err) != 0)
		return -1;
	found_add(s, addr, &way);
	return 0;
}

/* A backend that left another service may still answer for it. */
static int
backend_judge_route(const struct steered *s, const struct service_conf *conf,
	const struct addr *addr, struct error *err)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 1; i < GG_BACKENDS_MAX; i++) {
		const struct backend *b = &s->backends.list[i];
		const struct service *other = &s->list[b->slot];

		if (b->slot == 0 || b->slot == conf->asked.slot ||
			!b->removed || b->former || other->conf == NULL ||
			other->conf->asked.mode != GG_MODE_ROUTE ||
			other->conf->asked.l4_proto != conf->asked.l4_proto ||
			!addr_equal(&b->addr, addr))
			continue;
		return error_set(err, ERROR_CONFIG,
			"%s is still being drained by another service in mode"
			" route",
			addr_format(addr, text));
	}
	return 0;
}

/* How many of the backends need an index that they do not have. */
static uint32_t
newcomers_count(struct steered *s, const struct service_conf *conf)
{
	uint32_t count = 0;

	for (size_t i = 0; i < conf->asked.backend_count; i++) {
		const struct fastpath_backend *b = &conf->asked.backends[i];
		uint16_t index = backends_find(&s->backends, conf->asked.slot,
			&b->addr);

		count += !backends_is_owner(&s->backends, index, b->owner);
	}
	return count;
}

static bool
has_room(struct steered *s, const struct service_conf *conf)
{
	return newcomers_count(s, conf) <=
		GG_BACKENDS_MAX - 1 - s->backends.count;
}

static int
room_judge(struct steered *s, const struct service_conf *conf,
	struct error *err)
{
	if (has_room(s, conf) || (steered_reclaim(s) > 0 && has_room(s, conf)))
		return 0;
	return error_set(err, ERROR_LIMIT,
		"more than %d backends of all services, those that are drained"
		" included",
		GG_BACKENDS_MAX - 1);
}

static int
newcomer_judge(const struct service_conf *conf,
	const struct fastpath_backend *b, size_t kept, void *arg,
	struct error *err)
{
	struct steered *s = arg;
	uint16_t index =
		backends_find(&s->backends, conf->asked.slot, &b->addr);

	(void)kept;
	/* What is there already may lose its route and stay. */
	if (index != 0 && !s->backends.list[index].removed)
		return 0;
	if (conf->asked.mode == GG_MODE_ROUTE &&
		backend_judge_route(s, conf, &b->addr, err) != 0)
		return -1;
	return backend_judge(s, conf, &b->addr, err);
}

static int
backends_judge(struct steered *s, struct service_conf *conf,
	struct service_left *left, struct error *err)
{
	service_conf_leave(conf, service_conf_check_backend, NULL, left);
	service_conf_leave(conf, newcomer_judge, s, left);
	if (left->count > 0 && conf->asked.backend_count == 0)
		return error_set(err, left->why.code, "%s", left->why.text);
	return room_judge(s, conf, err);
}

/* What the box may do to a service that stays as it is. */
static int
box_judge(const struct steered *s, const struct service_conf *conf,
	struct error *err)
{
	if (generic_judge(s, conf, err) != 0)
		return -1;
	for (size_t i = 0; i < s->listener_count; i++) {
		if (service_conf_clash_listener(conf, &s->listeners[i],
			    err) != 0)
			return -1;
	}
	return 0;
}

int
steered_judge_one(struct steered *s, struct service_conf *conf,
	struct service_left *left, struct error *err)
{
	if (service_conf_check(conf, err) != 0 || box_judge(s, conf, err) != 0)
		return -1;
	for (uint32_t slot = GG_LISTENERS_MAX; slot < GG_SLOTS_MAX; slot++) {
		const struct service *other = &s->list[slot];

		if (slot != conf->asked.slot && other->accepted &&
			service_conf_clash(conf, other->usable, err) != 0)
			return -1;
		/* One that was refused keeps its place. */
		if (slot != conf->asked.slot && !other->accepted &&
			other->wanted != NULL && other->conf != NULL &&
			service_conf_clash(conf, other->conf, err) != 0)
			return -1;
	}
	return backends_judge(s, conf, left, err);
}

static void
problem_set(struct service *service, const struct error *why,
	struct error *err)
{
	snprintf(service->problem, sizeof(service->problem), "%.255s",
		why->text);
	error_set(err, why->code, "%s", service->problem);
}

static void
left_tell(struct service *service, const struct service_left *left,
	struct error *err)
{
	struct error why = ERROR_INIT;

	if (left->count == 1)
		error_set(&why, left->why.code, "a backend is left out: %s",
			left->why.text);
	else
		error_set(&why, left->why.code,
			"%zu backends are left out, the first: %s",
			left->count, left->why.text);
	problem_set(service, &why, err);
}

static void
service_judge(struct steered *s, struct service *service, struct error *err)
{
	struct error why = ERROR_INIT;
	struct service_left left = { 0 };

	service_conf_free(service->usable);
	service->usable = service_conf_new(&service->wanted->asked);
	service->found = s->found_count;
	/* Who is there is not refused for who comes. */
	service->accepted = (steered_stands(service) ?
			box_judge(s, service->usable, &why) :
			steered_judge_one(s, service->usable, &left,
				&why)) == 0;
	service->found_end = s->found_count;
	if (service->accepted) {
		if (left.count > 0)
			left_tell(service, &left, err);
		return;
	}
	service->found = service->found_end;
	problem_set(service, &why, err);
	if (service->conf == NULL)
		return;
	service_conf_follow(service->conf, service->wanted);
	service->filled = false;
}

/* What a former daemon left under the slot is this service. */
static bool
service_is_found(const struct steered *s, const struct service_conf *conf)
{
	uint8_t mode;

	for (size_t i = 0; i < s->sets->count; i++) {
		if (sync_slot_of(&s->sets->list[i].maps, &conf->asked.addr,
			    conf->asked.l4_proto, &mode) == conf->asked.slot &&
			mode == conf->asked.mode)
			return true;
	}
	return false;
}

/* It goes on from where the former daemon left it. */
static void
service_adopt(struct steered *s, struct service *service)
{
	struct service_left left = { 0 };

	if (service->ring.fd < 0 || service->conf != NULL ||
		service->wanted == NULL ||
		service_conf_check(service->wanted, NULL) != 0 ||
		!service_is_found(s, service->wanted))
		return;
	service->conf = service_conf_new(&service->wanted->asked);
	service_conf_leave(service->conf, service_conf_check_backend, NULL,
		&left);
	service->published = true;
	s->ways_moved = true; /* whose its backends are is known now */
}

void
steered_judge(struct steered *s, struct error *err)
{
	s->found_count = 0;
	for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
		service_adopt(s, &s->list[slot]);
		s->list[slot].accepted = false;
		s->list[slot].problem[0] = '\0';
	}
	/* Who has an address keeps it: newcomers are judged last. */
	for (int newcomers = 0; newcomers < 2; newcomers++) {
		for (size_t slot = 0; slot < GG_SLOTS_MAX; slot++) {
			struct service *service = &s->list[slot];
			bool stays = service->conf != NULL &&
				service->wanted != NULL &&
				service_conf_same(service->conf,
					service->wanted);

			if (service->wanted != NULL && stays != newcomers)
				service_judge(s, service, err);
		}
	}
}

