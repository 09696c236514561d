/* A Consul agent: its connections and whose turn it is. */
#include "kinds/consul/agent_inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * When there are more queries than connections, each waits at the agent only so
 * long that all have had their turn after about TURNS_MS, but not so shortly
 * that the agent is asked more often than once for each connection and
 * TURN_MIN_MS.
 */
#define TURNS_MS    4000
#define TURN_MIN_MS 1000

/* After a 429 one connection more is tried every so often. */
#define CONNECTION_REGAIN_MS 10000

void
agent_enter(struct consul_agent *a)
{
	a->depth++;
}

static void
agent_end(struct consul_agent *a)
{
	consul_address_fini(&a->address);
	consul_pass_free(a->pass);
	free(a->name);
	free(a);
}

bool
agent_leave(struct consul_agent *a)
{
	bool freed = a->freed;

	if (--a->depth == 0 && freed)
		agent_end(a);
	return freed;
}

/* ---- turns */

uint64_t
agent_turn_ms(const struct consul_agent *a)
{
	uint64_t turn_ms;

	if (a->query_count <= a->connections)
		return a->wait_ms;
	turn_ms = (uint64_t)TURNS_MS * a->connections / a->query_count;
	if (turn_ms < TURN_MIN_MS)
		turn_ms = TURN_MIN_MS;
	return turn_ms < a->wait_ms ? turn_ms : a->wait_ms;
}

/* Those that were asked to wait for longer than a turn, before there were so
 * many, give way to those who have none. The time of the next; 0: none. */
static uint64_t
turns_take(struct consul_agent *a, uint64_t now_ms)
{
	uint64_t turn_ms = agent_turn_ms(a), next_ms = 0;
	uint32_t wanted = a->waiting_count;
	struct consul_query *q, *following;

	for (q = TAILQ_FIRST(&a->asking); q != NULL && wanted > 0;
		q = following) {
		following = TAILQ_NEXT(q, link);
		if (q->wait_ms <= turn_ms)
			continue;
		if (q->asked_ms + turn_ms > now_ms) {
			next_ms = q->asked_ms + turn_ms;
			break;
		}
		query_give_way(q);
		wanted--;
	}
	return next_ms;
}

static void
connections_regain(struct consul_agent *a, uint64_t now_ms)
{
	uint64_t more = (now_ms - a->connections_ms) / CONNECTION_REGAIN_MS;

	if (a->connections >= a->connections_max || more == 0)
		return;
	a->connections = more < a->connections_max - a->connections
				 ? a->connections + (uint32_t)more
				 : a->connections_max;
	a->connections_ms = now_ms;
}

/* Of many that were asked at once and refused, the one with the fewest beside
 * it tells. A quarter is left to others, who may come from the same address. */
void
agent_limited(struct consul_agent *a, uint32_t asked_with)
{
	uint32_t fits = asked_with - asked_with / 4 - (asked_with / 4 == 0);

	if (fits == 0)
		fits = 1;
	if (fits < a->connections)
		a->connections = fits;
	a->connections_ms = loop_now_ms(a->loop);
	a->counts.limited++;
}

static struct consul_query *
turn_next(const struct consul_agent *a)
{
	struct consul_query *eager = TAILQ_FIRST(&a->eager);

	return eager != NULL ? eager : TAILQ_FIRST(&a->waiting);
}

static void
on_pump(void *arg)
{
	struct consul_agent *a = arg;
	uint64_t now_ms = loop_now_ms(a->loop), next_ms;
	struct consul_query *q;

	agent_enter(a);
	connections_regain(a, now_ms);
	next_ms = turns_take(a, now_ms);
	while (!a->freed && a->asking_count < a->connections &&
		(q = turn_next(a)) != NULL)
		query_ask(q);
	if (agent_leave(a))
		return;
	if (a->waiting_count > 0 && next_ms != 0 &&
		!loop_timer_pending(a->pump))
		loop_timer_start(a->pump, next_ms - now_ms);
}

void
agent_pump(struct consul_agent *a)
{
	if (!a->freed)
		loop_timer_start(a->pump, 0);
}

/* ---- calls */

int
agent_call(struct consul_agent *a, const char *path_and_query,
	const char *header, uint64_t timeout_ms,
	const struct http_events *events, void *arg, struct http_call **out,
	struct error *err)
{
	const char *headers[4] = { "Accept: application/json" };
	const char *token;
	size_t count = 1;
	char *url;
	int rc = consul_pass_refresh(a->pass, loop_now_ms(a->loop), err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		agent_token_changed(a);
	token = consul_pass_header(a->pass);
	if (token != NULL)
		headers[count++] = token;
	if (header != NULL)
		headers[count++] = header;
	url = xasprintf("%s%s", a->address.base, path_and_query);
	*out = http_call_new(a->http,
		&(struct http_request){
			.url = url,
			.headers = headers,
			.tls = a->address.tls ? consul_pass_tls(a->pass) : NULL,
			.unix_socket = a->address.unix_socket,
			.connect_timeout_ms = CONSUL_CONNECT_MS,
			.total_timeout_ms = timeout_ms,
		},
		events, arg);
	free(url);
	return 0;
}

/* ---- coming and going */

void
consul_agent_counts(
	const struct consul_agent *a, struct consul_agent_counts *out)
{
	*out = a->counts;
	out->open = a->asking_count;
	out->waiting = a->waiting_count;
	out->connections = a->connections;
}

struct consul_agent *
consul_agent_new(struct loop *loop, struct http_client *http,
	const struct consul_settings *settings, const char *folder)
{
	struct consul_agent *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->http = http;
	a->name = xstrdup(settings->http_address);
	/* The settings were checked; of others, each call says what is wrong.
	 */
	if (consul_address_read(settings->http_address, &a->address, NULL) != 0)
		a->address.base = xstrdup(settings->http_address);
	a->pass = consul_pass_new(settings, folder);
	a->has_token_file = settings->token_file != NULL;
	a->wait_ms = settings->wait_time.ms;
	a->connections_max = settings->connections_max;
	a->connections = a->connections_max;
	TAILQ_INIT(&a->all);
	TAILQ_INIT(&a->eager);
	TAILQ_INIT(&a->waiting);
	TAILQ_INIT(&a->asking);
	arc4random_buf(&a->seed, sizeof(a->seed));
	a->pump = loop_timer_new(loop, on_pump, a);
	if (a->has_token_file)
		agent_recovery_watch(a);
	return a;
}

void
consul_agent_free(struct consul_agent *a)
{
	if (a == NULL)
		return;
	agent_recovery_stop(a);
	loop_timer_free(a->pump);
	a->freed = true;
	if (a->depth == 0)
		agent_end(a);
}
