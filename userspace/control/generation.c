/* Makes generations: objects to an image. */
#include "control/generation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/credentials.h"
#include "control/destination.h"
#include "control/id_set.h"
#include "control/materials.h"
#include "control/programs.h"
#include "control/relation.h"
#include "control/services.h"
#include "control/supervise.h"
#include "control/vhost_block.h"
#include "model/kind.h"
#include "net/loop.h"
#include "net/shm.h"
#include "routing/image_build.h"

#define COMMIT_MS   50

struct generations {
	uint64_t number;
	bool due;
	uint64_t last_ms;
	struct loop_timer *timer;
	const struct image *image;
	size_t length;
	int fd;
	char problem[512];
	uint64_t blocks_us; /* spent on blocks since the last image */
	uint64_t sent_us;   /* when the newest was sent */
	uint64_t vhosts_built;
	struct generation_times times;
};

static void
on_timer(void *arg)
{
	generation_commit(arg);
}

struct generations *
generations_new(struct control *c)
{
	struct generations *g = xcalloc(1, sizeof(*g));

	g->fd = -1;
	g->timer = loop_timer_new(c->loop, on_timer, c);
	return g;
}

static void
image_drop(struct generations *g)
{
	shm_unmap(g->image, g->length);
	if (g->fd >= 0)
		close(g->fd);
	g->image = NULL;
	g->fd = -1;
}

void
generations_free(struct generations *g)
{
	if (g == NULL)
		return;
	image_drop(g);
	loop_timer_free(g->timer);
	free(g);
}

uint64_t
generation_number(const struct control *c)
{
	return c->generation == NULL ? 0 : c->generation->number;
}

uint64_t
generation_age_ms(const struct control *c)
{
	return clock_monotonic_ms() - c->generation->last_ms;
}

const struct image *
generation_image(const struct control *c)
{
	return c->generation->image;
}

int
generation_fd(const struct control *c)
{
	return c->generation->fd;
}

const char *
generation_problem(const struct control *c)
{
	return c->generation->problem;
}

void
generation_times_get(const struct control *c, struct generation_times *out)
{
	memset(out, 0, sizeof(*out));
	if (c->generation != NULL)
		*out = c->generation->times;
}

void
generation_spent(struct control *c, uint64_t us)
{
	if (c->generation == NULL)
		return;
	c->generation->blocks_us += us;
	c->generation->vhosts_built++;
}

uint64_t
generation_vhosts_built(const struct control *c)
{
	return c->generation == NULL ? 0 : c->generation->vhosts_built;
}

void
generation_enforced(struct control *c, uint64_t number)
{
	struct generations *g = c->generation;

	if (number != g->number || g->sent_us == 0)
		return;
	g->times.enforce_us = clock_monotonic_us() - g->sent_us;
	g->sent_us = 0;
	log_debug("generation %" PRIu64 ": enforced build_us=%" PRIu64
		  " enforce_us=%" PRIu64 " bytes=%zu",
		number, g->times.build_us, g->times.enforce_us, g->times.bytes);
}

void
generation_follow(struct control *c, uint64_t number)
{
	if (number > c->generation->number)
		c->generation->number = number;
}

uint64_t
generation_touch(struct control *c)
{
	struct generations *g = c->generation;
	uint64_t now;

	if (g == NULL)
		return 0;
	if (!g->due && c->listening) {
		now = clock_monotonic_ms();
		loop_timer_start(
			g->timer, now - g->last_ms >= COMMIT_MS
					  ? 0
					  : COMMIT_MS - (now - g->last_ms));
	}
	g->due = true;
	return g->number + 1;
}

void
generation_look(struct control *c)
{
	size_t count = objects_count(c->objects, MODEL_VIRTUAL_SERVICE);

	for (size_t i = 0; i < count; i++) {
		struct object *o =
			objects_at(c->objects, MODEL_VIRTUAL_SERVICE, i);

		if (o->model != NULL && vhost_block_is_stale(c, o))
			generation_touch(c);
	}
}

/* ---- an image */

struct input {
	struct image_build_input in;
	struct image_build_vhost *vhosts;
	struct object **owners; /* of vhosts[i] */
	struct image_build_listener *listeners;
	struct image_build_upstream *upstreams;
	struct image_build_service *services;
	struct id_set used; /* upstreams that a route leads to */
	char **reasons; /* why services are unavailable */
	size_t **lists; /* of vhosts, for each listener */
};

static void
vhosts_collect(struct control *c, struct input *in, uint64_t number)
{
	size_t count = objects_count(c->objects, MODEL_VIRTUAL_SERVICE);

	in->vhosts = xcalloc(count + 1, sizeof(*in->vhosts));
	in->owners = xcalloc(count + 1, sizeof(*in->owners));
	for (size_t i = 0; i < count; i++) {
		struct object *o =
			objects_at(c->objects, MODEL_VIRTUAL_SERVICE, i);
		const struct model_virtual_service *vs;

		if (o->model == NULL)
			continue;
		if (vhost_block_refresh(c, o)) {
			c->generation->vhosts_built++;
			o->generation = number;
		}
		if (o->block == NULL)
			continue;
		vs = o->model->virtual_service;
		for (size_t k = 0; k < o->use_count; k++)
			id_set_add(&in->used, o->uses[k]);
		in->owners[in->in.vhost_count] = o;
		in->vhosts[in->in.vhost_count++] = (struct image_build_vhost){
			.block = o->block,
			.length = o->block_length,
			.domains = (const char *const *)vs->domains,
			.domain_count = vs->domain_count,
		};
	}
}

static void
listener_add(struct input *in, const struct object *o, uint32_t slot)
{
	size_t *list = xcalloc(in->in.vhost_count + 1, sizeof(*list));
	struct image_build_listener *l = &in->listeners[in->in.listener_count];

	in->lists[in->in.listener_count++] = list;
	l->slot = slot;
	l->name = o->label;
	l->vhosts = list;
	l->gateway = o->model->gateway;
	for (size_t k = 0; k < in->in.vhost_count; k++)
		if (gateway_serves(o->model->gateway, in->owners[k]->ns,
			    in->owners[k]->name))
			list[l->vhost_count++] = k;
}

static bool
slot_is_collected(const struct input *in, uint32_t slot)
{
	for (size_t i = 0; i < in->in.listener_count; i++)
		if (in->listeners[i].slot == slot)
			return true;
	return false;
}

static void
listeners_collect(struct control *c, struct input *in)
{
	size_t count = objects_count(c->objects, MODEL_GATEWAY);

	in->listeners = xcalloc(2 * count + 1, sizeof(*in->listeners));
	in->lists = xcalloc(2 * count + 1, sizeof(*in->lists));
	for (size_t i = 0; i < count; i++) {
		struct object *o = objects_at(c->objects, MODEL_GATEWAY, i);

		if (o->model != NULL && o->slot != 0 && !service_is(o))
			listener_add(in, o, o->slot);
	}
	for (size_t i = 0; i < count; i++) {
		struct object *o = objects_at(c->objects, MODEL_GATEWAY, i);

		/* What was a service has no listener to go on with. */
		if (o->model != NULL && o->slot != 0 && o->slot_before != 0 &&
			!service_is(o) && o->slot_before < LISTENERS_MAX &&
			!slot_is_collected(in, o->slot_before))
			listener_add(in, o, o->slot_before);
	}
}

/* Where nothing leads to it the proxy has no certificates to speak to it with,
 * and says so rather than to speak plainly. */
static const char *
upstream_unavailable(struct control *c, const struct object *o, bool used)
{
	const char *why = programs_not_served(c, o->model->upstream->kind);

	if (why == NULL)
		why = materials_problem(c, o);
	if (why == NULL && o->tls != NULL && !used)
		why = "no route led to it when its certificates were sent";
	return why;
}

static void
upstreams_collect(struct control *c, struct input *in)
{
	size_t count = objects_count(c->objects, MODEL_UPSTREAM);

	in->upstreams = xcalloc(count + 1, sizeof(*in->upstreams));
	for (size_t i = 0; i < count; i++) {
		struct object *o = objects_at(c->objects, MODEL_UPSTREAM, i);
		const struct model_upstream *u;
		bool used;

		if (o->model == NULL)
			continue;
		u = o->model->upstream;
		used = id_set_has(&in->used, o->id);
		if (used && u->kind->dialect != NULL)
			credentials_use(c, o->id, u->kind->key);
		in->upstreams[in->in.upstream_count++] =
			(struct image_build_upstream){
				.id = o->id,
				.name = o->label,
				.kind = u->kind->key,
				.connect_timeout_ms =
					u->connect_timeout.given
						? (uint32_t)
							  u->connect_timeout.ms
						: 5000,
				.max_requests_per_connection =
					u->max_requests_per_connection.value,
				.unavailable =
					upstream_unavailable(c, o, used),
				.balance = u->balance,
				.breakers = u->breakers,
				.outlier = u->outlier,
				.tls = used ? materials_use(c, o) : NULL,
			};
	}
}

/* Those of TCP: what does not come through XDP is relayed. */
static void
services_collect(struct control *c, struct input *in)
{
	size_t count = objects_count(c->objects, MODEL_GATEWAY);

	in->services = xcalloc(count + 1, sizeof(*in->services));
	in->reasons = xcalloc(count + 1, sizeof(*in->reasons));
	for (size_t i = 0; i < count; i++) {
		struct object *o = objects_at(c->objects, MODEL_GATEWAY, i);
		const struct model_tcp_gateway *t;
		struct image_build_service *s;
		char reason[700] = "";

		if (o->slot == 0 || !service_is(o))
			continue;
		t = o->model->gateway->tcp;
		if (t->hosts[0].protocol != MODEL_TCP)
			continue;
		s = &in->services[in->in.service_count];
		s->slot = o->slot;
		s->name = o->label;
		s->upstream = destination_find_relayed(
			c, &t->hosts[0].upstream, reason, sizeof(reason));
		if (s->upstream == 0)
			s->unavailable =
				in->reasons[in->in.service_count] =
					xstrdup(reason);
		s->idle_timeout_ms = (uint32_t)model_tcp_idle_ms(t);
		s->connect_attempts = model_tcp_attempts(t);
		in->in.service_count++;
	}
}

static void
input_fini(struct input *in)
{
	for (size_t i = 0; i < in->in.listener_count; i++)
		free(in->lists[i]);
	for (size_t i = 0; i < in->in.service_count; i++)
		free(in->reasons[i]);
	free(in->reasons);
	free(in->services);
	free(in->lists);
	free(in->vhosts);
	free(in->owners);
	free(in->listeners);
	free(in->upstreams);
}

/* malloc'ed; NULL and err. */
static void *
image_make(
	struct control *c, uint64_t number, size_t *length, struct error *err)
{
	struct input in = { .in.generation = number };
	void *bytes;

	materials_begin(c);
	credentials_begin(c);
	vhosts_collect(c, &in, number);
	listeners_collect(c, &in);
	services_collect(c, &in);
	upstreams_collect(c, &in);
	in.in.services = in.services;
	in.in.vhosts = in.vhosts;
	in.in.listeners = in.listeners;
	in.in.upstreams = in.upstreams;
	in.in.trusted = c->settings->trusted;
	in.in.trusted_count = c->settings->trusted_count;
	bytes = image_build(&in.in, length, err);
	input_fini(&in);
	return bytes;
}

/* The mapping is what `dump` walks; its pages are the proxy's too. */
static int
image_publish(struct generations *g, const void *bytes, size_t length,
	struct error *err)
{
	int fd = shm_new_sealed("gg-image", bytes, length, err);
	const struct image *image;

	if (fd < 0)
		return -1;
	image = shm_map_sealed(fd, &length, err);
	if (image == NULL) {
		close(fd);
		return -1;
	}
	image_drop(g);
	g->image = image;
	g->length = length;
	g->fd = fd;
	return 0;
}

/* ---- committing */

uint64_t
generation_ids_version(const struct control *c)
{
	return numbers_version(c->upstream_ids) + numbers_version(c->slots) +
	       numbers_version(c->service_slots);
}

static void
ids_save(struct control *c)
{
	struct error err = ERROR_INIT;
	uint64_t now = generation_ids_version(c);

	if (now == c->ids_written)
		return;
	if (state_ids_write(c->state, c->upstream_ids, c->slots,
		    c->service_slots, &err) != 0)
		log_warn("state: %s", err.text);
	else
		c->ids_written = now;
}

void
generation_commit(struct control *c)
{
	struct generations *g = c->generation;
	struct error err = ERROR_INIT;
	uint64_t number = g->number + 1, begin = clock_monotonic_us();
	size_t length;
	void *bytes;

	if (!g->due || !c->listening)
		return;
	loop_timer_stop(g->timer);
	g->due = false;
	ids_save(c);
	bytes = image_make(c, number, &length, &err);
	if (bytes == NULL || image_publish(g, bytes, length, &err) != 0) {
		log_error("generation %" PRIu64 ": not made: %s", number,
			err.text);
		snprintf(g->problem, sizeof(g->problem), "%s", err.text);
		free(bytes);
		return;
	}
	free(bytes);
	g->number = number;
	g->problem[0] = '\0';
	g->last_ms = clock_monotonic_ms();
	g->sent_us = clock_monotonic_us();
	g->times = (struct generation_times){
		.build_us = g->blocks_us + (g->sent_us - begin),
		.bytes = length,
	};
	g->blocks_us = 0;
	materials_commit(c, number);
	credentials_commit(c, number);
	supervisor_send_generation(c->supervisor);
	services_commit(c);
}
