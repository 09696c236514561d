/* The active health check of one endpoint. */
#include "control/checker.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/loop.h"

#define AGAIN_MS 100 /* after a question that was put off */

struct checker {
	const struct model_health_check *check;
	struct probe *probe;
	struct loop_timer *timer;
	bool up, decided;
	uint32_t against; /* answers in a row that speak against the state */
	char *why;
	struct checker_counts *counts;
	checker_changed_f *changed;
	void *arg;
};

/* From 0 up to and with ms. */
static uint64_t
random_ms(uint64_t ms)
{
	return ms >= UINT32_MAX ? arc4random()
				: arc4random_uniform((uint32_t)ms + 1);
}

static uint64_t
first_of(uint64_t a, uint64_t b)
{
	return a != 0 ? a : b;
}

/* edge: the state has just turned. */
static uint64_t
pause_ms(const struct checker *c, bool edge)
{
	const struct model_health_check *h = c->check;
	uint64_t ms = h->interval_ms;

	if (c->up && edge)
		ms = first_of(h->healthy_edge_interval_ms, ms);
	if (!c->up)
		ms = first_of(h->unhealthy_interval_ms, ms);
	if (!c->up && edge)
		ms = first_of(h->unhealthy_edge_interval_ms, ms);
	return ms + random_ms(h->interval_jitter_ms) +
	       random_ms(ms * h->interval_jitter_percent / 100);
}

static void
why_set(struct checker *c, const char *why)
{
	if (c->why != NULL && why != NULL && strcmp(c->why, why) == 0)
		return;
	free(c->why);
	c->why = why == NULL ? NULL : xstrdup(why);
}

static bool
is_enough(const struct checker *c, enum probe_result result)
{
	if (!c->decided || result == PROBE_LEAVING)
		return true;
	return c->against >= (c->up ? c->check->unhealthy_threshold
				    : c->check->healthy_threshold);
}

/* True: the state has turned. */
static bool
result_take(struct checker *c, enum probe_result result)
{
	bool ok = result == PROBE_OK;
	bool turns;

	if (ok)
		c->counts->ok++;
	else
		c->counts->failed++;
	c->against = ok == c->up ? 0 : c->against + 1;
	turns = ok != c->up && is_enough(c, result);
	c->decided = true;
	if (turns) {
		c->up = ok;
		c->against = 0;
	}
	return turns;
}

static void
on_answer(enum probe_result result, const char *why, void *arg)
{
	struct checker *c = arg;
	bool turned;

	if (result == PROBE_PUT_OFF) {
		c->counts->put_off++;
		loop_timer_start(c->timer, AGAIN_MS + random_ms(AGAIN_MS));
		return;
	}
	turned = result_take(c, result);
	if (c->up)
		why_set(c, NULL);
	else if (why != NULL)
		why_set(c, why);
	loop_timer_start(c->timer, pause_ms(c, turned));
	if (turned)
		c->changed(c->arg);
}

static void
on_timer(void *arg)
{
	const struct checker *c = arg;

	probe_ask(c->probe);
}

struct checker *
checker_new(const struct checker_options *o)
{
	struct checker *c = xcalloc(1, sizeof(*c));
	const struct probe_options asked = {
		.probes = o->probes,
		.check = o->check,
		.addr = o->addr,
		.host = o->host,
		.server_name = o->server_name,
		.tls = o->tls,
		.tls_arg = o->tls_arg,
		.done = on_answer,
		.arg = c,
	};

	c->check = o->check;
	c->up = o->up;
	c->why = o->up ? NULL : xstrdup("down before, not asked again yet");
	c->counts = o->counts;
	c->changed = o->changed;
	c->arg = o->arg;
	c->probe = probe_new(&asked);
	c->timer = loop_timer_new(o->loop, on_timer, c);
	loop_timer_start(
		c->timer, random_ms(o->spread_ms) +
				  random_ms(o->check->initial_jitter_ms));
	return c;
}

void
checker_free(struct checker *c)
{
	if (c == NULL)
		return;
	probe_free(c->probe);
	loop_timer_free(c->timer);
	free(c->why);
	free(c);
}

bool
checker_is_up(const struct checker *c)
{
	return c->up;
}

const char *
checker_why(const struct checker *c)
{
	return c->why;
}
