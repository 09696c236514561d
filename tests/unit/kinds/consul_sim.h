/*
 * A Consul agent in the test's hands, and no time but the test's: what is asked
 * of it is answered as Consul does, which waits while nothing is newer than the
 * index in the question. For tests of the client, below whose http_call_* it
 * stands.
 */
#ifndef TESTS_UNIT_KINDS_CONSUL_SIM_H
#define TESTS_UNIT_KINDS_CONSUL_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "net/http_client.h"
#include "tests/unit/net/fake_time.h"

#define SIM_ASKED_MAX 65536

struct http_call {
	struct http_call *next;
	struct http_events events;
	void *arg;
	struct loop_timer *timer; /* when it is answered, or its wait is over */
	char *url, *unix_socket;
	bool tls;
	uint64_t total_timeout_ms;
	uint64_t index, wait_ms;
	bool fails;
};

static struct {
	bool down;        /* nobody listens */
	bool mute;        /* nothing is ever answered */
	uint64_t index;   /* of all that is there */
	const char *body; /* of health queries */
	uint32_t limit;   /* of connections; 0: none */
	int status;       /* not 0: of every health query, with status_body */
	const char *status_body;
	const char *headers; /* of answers, "Name: value\n" each; or NULL */
	bool no_index;
	bool streams;       /* answers to questions with an index, or cached */
	bool filtered;      /* says so, where it does not stream */
	const char *leader; /* of /v1/status/leader */
	struct http_call *calls; /* open; the youngest first */
	uint32_t open, open_most;
	size_t asked, probes;
	uint64_t asked_ms[SIM_ASKED_MAX];
	char last[256]; /* the last URL that was asked, without the origin */
	char last_headers[256];
	char *problem; /* of the last failure of a connection */
	unsigned failures;
	struct str head; /* of the answer that is being told */
} sim;

#define SIM_LEADER "\"127.0.0.1:8300\""

static inline const char *
sim_path(const struct http_call *call)
{
	const char *p = strstr(call->url, "://");

	assert_non_null(p);
	return p + 3 + strcspn(p + 3, "/");
}

static inline void
call_end(struct http_call *call)
{
	struct http_call **at = &sim.calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	sim.open--;
	loop_timer_free(call->timer);
	free(call->url);
	free(call->unix_socket);
	free(call);
}

static inline void
sim_tell(struct http_call *call, int status, const char *body,
	const char *problem)
{
	struct http_events events = call->events;
	struct http_result result = {
		.status = status,
		.problem = problem,
		.body = slice_of(body),
	};

	events.done(call, &result, call->arg);
	call_end(call);
}

static inline bool
is_probe(const struct http_call *call)
{
	return strcmp(sim_path(call), "/v1/status/leader") == 0;
}

/* The time of an answer has come. */
static inline void
on_sim(void *arg)
{
	struct http_call *call = arg;

	str_clear(&sim.head);
	if (call->fails) {
		free(sim.problem); /* other words each time */
		sim.problem = xasprintf(
			"http://127.0.0.1:8500: Failed to connect after %u ms",
			sim.failures++);
		sim_tell(call, 0, "", sim.problem);
		return;
	}
	if (is_probe(call)) {
		sim_tell(call, 200, sim.leader, NULL);
		return;
	}
	if (sim.limit != 0 && sim.open > sim.limit) {
		sim_tell(call, 429,
			"Your IP is issuing too many concurrent "
			"connections",
			NULL);
		return;
	}
	str_puts(&sim.head, sim.headers == NULL ? "" : sim.headers);
	if (sim.streams && (call->index > 0 || strstr(call->url, "cached")))
		str_puts(&sim.head, "X-Consul-Knownleader: false\n"
				    "X-Consul-Query-Backend: streaming\n");
	else if (sim.filtered)
		str_puts(
			&sim.head, "X-Consul-Results-Filtered-By-Acls: true\n");
	if (sim.status != 0) {
		sim_tell(call, sim.status, sim.status_body, NULL);
		return;
	}
	if (!sim.no_index)
		str_printf(
			&sim.head, "X-Consul-Index: %" PRIu64 "\n", sim.index);
	sim_tell(call, 200, sim.body, NULL);
}

static inline uint64_t
url_number(const char *url, const char *key)
{
	const char *p = strstr(url, key);

	return p == NULL ? 0 : strtoull(p + strlen(key), NULL, 10);
}

struct http_call *
http_call_new(struct http_client *c, const struct http_request *r,
	const struct http_events *events, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));

	(void)c;
	call->events = *events;
	call->arg = arg;
	call->url = xstrdup(r->url);
	call->unix_socket =
		r->unix_socket == NULL ? NULL : xstrdup(r->unix_socket);
	call->tls = r->tls != NULL;
	call->total_timeout_ms = r->total_timeout_ms;
	call->index = url_number(call->url, "index=");
	call->wait_ms = url_number(call->url, "wait=");
	sim.last_headers[0] = '\0';
	for (const char *const *h = r->headers; *h != NULL; h++)
		snprintf(sim.last_headers + strlen(sim.last_headers),
			sizeof(sim.last_headers) - strlen(sim.last_headers),
			"%s\n", *h);
	call->timer = loop_timer_new(NULL, on_sim, call);
	call->next = sim.calls;
	sim.calls = call;
	sim.open++;
	call->fails = sim.down;
	if (is_probe(call)) {
		sim.probes++;
	} else {
		assert_true(sim.asked < SIM_ASKED_MAX);
		sim.asked_ms[sim.asked++] = fake_now_ms;
		snprintf(sim.last, sizeof(sim.last), "%s", sim_path(call));
		if (sim.open > sim.open_most)
			sim.open_most = sim.open;
	}
	if (sim.mute)
		return call;
	/* With an index from the future it waits, too. */
	loop_timer_start(call->timer,
		sim.down || sim.status != 0 || call->index < sim.index ||
				(sim.limit != 0 && sim.open > sim.limit)
			? 0
			: call->wait_ms + call->wait_ms / 16);
	return call;
}

void
http_call_cancel(struct http_call *call)
{
	if (call != NULL)
		call_end(call);
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	static char value[128];

	(void)call;
	for (const char *p = sim.head.data; p != NULL && *p != '\0';
		p = strchr(p, '\n') + 1) {
		size_t length = strlen(name);

		if (strncasecmp(p, name, length) != 0 || p[length] != ':')
			continue;
		snprintf(value, sizeof(value), "%.*s",
			(int)strcspn(p + length + 2, "\n"), p + length + 2);
		return value;
	}
	return NULL;
}

/* Those who wait for it hear of it. */
static inline void
sim_change(const char *body)
{
	sim.index++;
	sim.body = body;
	for (struct http_call *c = sim.calls; c != NULL; c = c->next)
		if (!is_probe(c) && c->index < sim.index && !sim.mute)
			loop_timer_start(c->timer, 0);
}

/* It is killed: every connection ends. */
static inline void
sim_kill(void)
{
	sim.down = true;
	for (struct http_call *c = sim.calls; c != NULL; c = c->next) {
		c->fails = true;
		loop_timer_start(c->timer, 0);
	}
}

/* It is there again, and knows nothing of what was. */
static inline void
sim_start(uint64_t index, const char *body)
{
	sim.down = false;
	sim.index = index;
	sim.body = body;
}

static inline void
sim_reset(void)
{
	assert_null(sim.calls);
	str_fini(&sim.head);
	free(sim.problem);
	memset(&sim, 0, sizeof(sim));
	str_init(&sim.head);
	sim.index = 10;
	sim.body = "[]";
	sim.leader = SIM_LEADER;
}

#endif
