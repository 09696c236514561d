/*
 * Requests through one worker of the proxy, in this process and without its
 * sandbox, so that valgrind can count instructions by function: a client and
 * an origin that play from a fixed text stand round event_base_loop, which is
 * the only thing to be counted (--toggle-collect=event_base_loop).
 *
 * Usage: replay REQUESTS [ROUTES [prefix|regex]]
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/head.h"
#include "model/endpoint.h"
#include "model/model.h"
#include "net/loop.h"
#include "net/shm.h"
#include "proxy/call_target.h"
#include "proxy/census.h"
#include "proxy/generation.h"
#include "proxy/mailbox.h"
#include "proxy/session.h"
#include "proxy/trust.h"
#include "proxy/upstream.h"
#include "proxy/vault.h"
#include "proxy/worker.h"
#include "routing/image_build.h"

#define ROUTES         1000
#define UPSTREAM       1
#define SLOT           1
#define PATH_MAX_BYTES 32

static const char answer[] = "HTTP/1.1 200 OK\r\nServer: origin\r\n"
			     "X-Origin: 1\r\nContent-Type: text/plain\r\n"
			     "Content-Length: 100\r\n\r\n"
			     "0123456789012345678901234567890123456789"
			     "0123456789012345678901234567890123456789"
			     "01234567890123456789";

static struct worker *worker;

static void
die(const char *what)
{
	fprintf(stderr, "replay: %s\n", what);
	exit(1);
}

/* ---- the configuration, as virtualservice.yaml has it */

static uint32_t
upstream_id(const struct model_destination *d, struct str *call,
	const char **reason, void *arg)
{
	(void)d;
	(void)call;
	(void)reason;
	(void)arg;
	return UPSTREAM;
}

static void
no_warning(const char *place, const char *text, void *arg)
{
	(void)place;
	(void)text;
	(void)arg;
}

static struct model_route *
routes_make(size_t count, bool regex)
{
	static char root[] = "/", name[] = "origin";
	static struct model_destination to = { .upstream = { name, NULL },
		.weight = 1 };
	struct model_route *routes = xcalloc(count, sizeof(*routes));
	struct model_matcher *matchers = xcalloc(count, sizeof(*matchers));
	char(*paths)[PATH_MAX_BYTES] = xcalloc(count, sizeof(*paths));

	for (size_t i = 0; i < count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/route%06zu/%s", i,
			regex ? "[a-z]+" : "");
		matchers[i].path = paths[i];
		if (regex)
			matchers[i].path_type = MODEL_PATH_REGEX;
		routes[i].matchers = &matchers[i];
		routes[i].matcher_count = 1;
		routes[i].destinations = &to;
		routes[i].destination_count = 1;
		routes[i].options.prefix_rewrite = regex ? NULL : root;
		routes[i].options.timeout =
			(struct model_duration){ true, 15000 };
	}
	return routes;
}

static void *
service_build(size_t count, bool regex, uint32_t *length, struct error *err)
{
	static char ns[] = "gloo-system", name[] = "bench", one[] = "1",
		    x_bench[] = "x-bench", x_proxy[] = "x-proxy",
		    x_origin[] = "x-origin", *removed[] = { x_origin };
	static struct model_header_value request = { x_bench, one, true },
					 response = { x_proxy, one, true };
	static struct model_header_manipulation headers = {
		.request_add = &request,
		.request_add_count = 1,
		.response_add = &response,
		.response_add_count = 1,
		.response_remove = removed,
		.response_remove_count = 1,
	};
	struct model_virtual_service vs = { .meta = { .name = name, .ns = ns },
		.routes = routes_make(count, regex),
		.route_count = count,
		.headers = &headers };

	return vhost_build(
		&vs, upstream_id, NULL, no_warning, NULL, length, err);
}

static int
image_make(size_t count, bool regex, struct error *err)
{
	static const char *const domains[] = { "*" };
	struct image_build_upstream upstream = { .id = UPSTREAM,
		.name = "gloo-system.origin",
		.kind = "static",
		.connect_timeout_ms = 5000 };
	struct image_build_vhost vhost = { .domains = domains,
		.domain_count = 1 };
	size_t index = 0, length;
	struct image_build_listener listener = { .slot = SLOT,
		.name = "gloo-system.gateway",
		.vhosts = &index,
		.vhost_count = 1 };
	struct image_build_input in = { .generation = 1,
		.vhosts = &vhost,
		.vhost_count = 1,
		.listeners = &listener,
		.listener_count = 1,
		.upstreams = &upstream,
		.upstream_count = 1 };
	void *image;

	vhost.block = service_build(count, regex, &vhost.length, err);
	if (vhost.block == NULL)
		return -1;
	image = image_build(&in, &length, err);
	return image != NULL ? shm_new_sealed("image", image, length, err) : -1;
}

/* ---- the worker */

static void
on_outbox(const struct mail *mail, void *arg)
{
	(void)mail;
	(void)arg;
}

static void
worker_turn(void)
{
	event_base_loop(loop_base(worker->loop), EVLOOP_NONBLOCK);
}

static void
worker_make(size_t routes, bool regex, int origin)
{
	static const struct wire_settings settings = { .workers = 1,
		.head_timeout_ms = 10000,
		.idle_timeout_ms = 60000,
		.upstream_idle_ms = 60000,
		.body_idle_ms = 30000,
		.head_bytes = 61440,
		.target_bytes = 8192,
		.fields = 100,
		.connections_max = 20000 };
	static const struct upstream_kind *const no_kinds[] = { NULL };
	struct error err = ERROR_INIT;
	struct mail image = { .type = MAIL_GENERATION, .fd = -1 };
	struct mail endpoints = {
		.type = MAIL_ENDPOINTS, .number = UPSTREAM, .fd = -1
	};
	struct endpoint one = { .weight = 1 };
	struct sockaddr_in at;
	socklen_t length = sizeof(at);

	getsockname(origin, (struct sockaddr *)&at, &length);
	addr_parse_ip("127.0.0.1", ntohs(at.sin_port), &one.addr);
	worker = worker_new(0, 1, mailbox_new(loop_new(), on_outbox, NULL),
		&settings, xcalloc(1, sizeof(struct counters_worker)),
		census_new(), no_kinds);
	image.object = generation_new(
		image_make(routes, regex, &err), matcher_cache_new(),
		trusts_new(vault_new()), call_targets_new(no_kinds), 1,
		&err);
	endpoints.object = endpoint_set_new(
		shm_new_sealed("endpoints", &one, sizeof(one), &err), 1, 1,
		&err);
	if (image.object == NULL || endpoints.object == NULL)
		die(err.text);
	mailbox_send(worker_inbox(worker), &endpoints);
	mailbox_send(worker_inbox(worker), &image);
	worker_turn();
	if (worker->generation == NULL)
		die("the worker did not take its configuration");
}

/* ---- client and origin */

static int
origin_listen(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(fd, 8) < 0)
		die("cannot listen on loopback");
	return fd;
}

static int
client_make(void)
{
	struct addr peer;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		die("no socket pair");
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	addr_parse_ip("127.0.0.1", 40000, &peer);
	session_open(worker, fds[1], &peer, SLOT, CENSUS_NOWHERE);
	return fds[0];
}

/* Until the peer has something, for so many turns of the loop. */
static size_t
turn_until(int fd, char *bytes, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		ssize_t n;

		worker_turn();
		n = recv(fd, bytes, size, MSG_DONTWAIT);
		if (n > 0)
			return (size_t)n;
	}
	die("nothing came through the proxy");
	return 0;
}

static void
exchange_play(int client, int *origin, int listener, const char *request)
{
	char bytes[4096];
	size_t n;

	if (send(client, request, strlen(request), 0) < 0)
		die("cannot send the request");
	if (*origin < 0) {
		for (int i = 0; i < 10; i++)
			worker_turn();
		*origin = accept(listener, NULL, NULL);
	}
	turn_until(*origin, bytes, sizeof(bytes));
	if (send(*origin, answer, sizeof(answer) - 1, 0) < 0)
		die("cannot send the answer");
	n = turn_until(client, bytes, sizeof(bytes));
	if (n < 13 || memcmp(bytes, "HTTP/1.1 200 ", 13) != 0)
		die("the answer is not the origin's");
}

int
main(int argc, char **argv)
{
	size_t routes = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUTES;
	int listener = origin_listen(), origin = -1, client;
	bool regex = argc > 3 && strcmp(argv[3], "regex") == 0;
	char request[256];

	if (argc < 2 || routes == 0) {
		fprintf(stderr, "usage: replay REQUESTS [ROUTES [prefix|regex]]\n");
		return 2;
	}
	worker_make(routes, regex, listener);
	client = client_make();
	snprintf(request, sizeof(request),
		"GET /route%06zu/s HTTP/1.1\r\nHost: bench.example.com\r\n"
		"User-Agent: bench/1.0\r\nAccept: */*\r\n\r\n",
		routes - 1);
	for (unsigned long i = strtoul(argv[1], NULL, 10); i > 0; i--)
		exchange_play(client, &origin, listener, request);
	return 0;
}
