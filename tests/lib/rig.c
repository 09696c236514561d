/* A proxy in a child, its control and its origin. */
#include "tests/lib/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/endpoint.h"
#include "net/channel.h"
#include "net/listener.h"
#include "net/shm.h"
#include "proxy/proxy.h"
#include "routing/image_build.h"
#include "tests/lib/rig_private.h"

static const struct upstream_kind *const no_kinds[] = { NULL };
static const struct upstream_kind *const *kinds = no_kinds;

void
rig_kinds(const struct upstream_kind *const *of)
{
	kinds = of;
}

void
rig_die(const char *what)
{
	fprintf(stderr, "rig: %s: %s\n", what, strerror(errno));
	exit(1);
}

void
rig_breathe(void)
{
	poll(NULL, 0, 1);
}

struct wire_message
rig_message(enum wire_type type)
{
	struct wire_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.contract = WIRE_CONTRACT;
	return m;
}

void
rig_send(struct rig *r, const struct wire_message *m, const int *fds,
	size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)m, sizeof(*m) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (count > 0) {
		struct cmsghdr *cm;

		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * count);
	}
	MUST(sendmsg(r->channel, &mh, MSG_NOSIGNAL));
}

bool
rig_receive(struct rig *r, enum wire_type type, struct wire_message *m, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control;

	for (;;) {
		struct pollfd pfd = { r->channel, POLLIN, 0 };
		struct iovec iov = { m, sizeof(*m) };
		struct msghdr mh = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes) };
		struct cmsghdr *cm;
		int got = -1;

		if (poll(&pfd, 1, RIG_WAIT_MS) <= 0 ||
			recvmsg(r->channel, &mh, MSG_CMSG_CLOEXEC) !=
				sizeof(*m))
			return false;
		cm = CMSG_FIRSTHDR(&mh);
		if (cm != NULL)
			memcpy(&got, CMSG_DATA(cm), sizeof(got));
		if (m->type == (uint32_t)type) {
			if (fd != NULL)
				*fd = got;
			else if (got >= 0)
				close(got);
			return true;
		}
		if (m->type == WIRE_TLS)
			r->tls_passed_over = *m;
		if (got >= 0)
			close(got);
	}
}

static uint32_t
upstream_id(const struct model_destination *d, struct str *call,
	const char **reason, void *arg)
{
	uint32_t id = (uint32_t)strtoul(d->upstream.name, NULL, 10);
	const struct rig *r = arg;
	const char *text = r->call_of != NULL ? r->call_of(id) : NULL;

	if (text != NULL)
		str_puts(call, text);
	if (id == 0)
		*reason = "no upstream is named \"none\"";
	return id;
}

static void
no_warning(const char *place, const char *text, void *arg)
{
	(void)place;
	(void)text;
	(void)arg;
}

#define UPSTREAM(number, title, most, why)                                     \
	{                                                                      \
		.id = (number), .name = (title), .kind = "static",             \
		.connect_timeout_ms = 1000,                                    \
		.max_requests_per_connection = (most), .unavailable = (why)    \
	}

/* Those of every rig and the test's own. */
static struct image_build_upstream *
upstreams_make(const struct rig *r, size_t *count)
{
	const struct image_build_upstream all[] = {
		UPSTREAM(1, "gloo-system.origin", 0, NULL),
		UPSTREAM(2, "gloo-system.half", 0, NULL),
		UPSTREAM(3, "gloo-system.empty", 0, NULL),
		UPSTREAM(4, "gloo-system.dead", 0, NULL),
		UPSTREAM(5, "gloo-system.twice", 2, NULL),
		UPSTREAM(6, "gloo-system.off", 0, "not served yet"),
		UPSTREAM(7, "gloo-system.once", 1, NULL),
	};
	struct image_build_upstream *to;

	*count = ARRAY_SIZE(all) + r->upstream_count;
	to = xcalloc(*count, sizeof(*to));
	memcpy(to, all, sizeof(all));
	if (r->upstream_count > 0)
		memcpy(to + ARRAY_SIZE(all), r->upstreams,
			r->upstream_count * sizeof(*to));
	return to;
}

static int
image_fd(struct rig *r, struct model_route *routes, size_t count)
{
	static char name[] = "default", ns[] = "gloo-system";
	static const char *const domains[] = { "*" };
	struct model_virtual_service vs = { 0 };
	struct image_build_vhost vhost = { .domains = domains,
		.domain_count = 1 };
	size_t index = 0, upstream_count, length;
	struct image_build_upstream *upstreams =
		upstreams_make(r, &upstream_count);
	struct image_build_listener listener = { .slot = 1,
		.name = "gloo-system.gateway",
		.vhosts = &index,
		.vhost_count = 1 };
	struct image_build_input in = { .generation = ++r->generation,
		.vhosts = &vhost,
		.vhost_count = 1,
		.listeners = &listener,
		.listener_count = 1,
		.upstreams = upstreams,
		.upstream_count = upstream_count,
		.services = r->services,
		.service_count = r->service_count };
	struct error err = ERROR_INIT;
	void *image;
	int fd;

	vs.meta.name = name;
	vs.meta.ns = ns;
	vs.routes = routes;
	vs.route_count = count;
	vhost.block = vhost_build(
		&vs, upstream_id, NULL, no_warning, r, &vhost.length, &err);
	image = vhost.block != NULL ? image_build(&in, &length, &err) : NULL;
	if (image == NULL) {
		fprintf(stderr, "rig: %s\n", err.text);
		exit(1);
	}
	fd = shm_new_sealed("image", image, length, &err);
	MUST(fd);
	free((void *)(uintptr_t)vhost.block);
	free(upstreams);
	free(image);
	return fd;
}

static void
send_fd(struct rig *r, const struct wire_message *m, int fd)
{
	rig_send(r, m, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

void
rig_endpoints(struct rig *r, uint32_t id, const struct rig_endpoint *endpoints,
	uint32_t count)
{
	struct wire_message m = rig_message(WIRE_ENDPOINTS);
	struct endpoint *set = xcalloc(count + 1, sizeof(*set));
	int fd = -1;

	for (uint32_t i = 0; i < count; i++) {
		const char *ip = endpoints[i].ip;

		addr_parse_ip(ip != NULL ? ip : "127.0.0.1", endpoints[i].port,
			&set[i].addr);
		set[i].weight = endpoints[i].weight;
		set[i].health = (uint8_t)endpoints[i].health;
		set[i].owner = endpoints[i].owner;
		memcpy(set[i].subsets, endpoints[i].subsets,
			sizeof(endpoints[i].subsets));
		snprintf(set[i].host, sizeof(set[i].host), "origin.example");
		set[i].host_rewrite = endpoints[i].host_rewrite;
	}
	m.endpoints.upstream = id;
	m.endpoints.count = count;
	if (count > 0)
		fd = shm_new_sealed(
			"endpoints", set, count * sizeof(*set), NULL);
	send_fd(r, &m, fd);
	free(set);
}

int
rig_credentials(struct rig *r, uint32_t id, const char *kind, struct slice bytes)
{
	struct wire_message m = rig_message(WIRE_CREDENTIALS);
	size_t mapped;
	int fd = -1;

	m.credentials.upstream = id;
	m.credentials.length = (uint32_t)bytes.length;
	snprintf(m.text, sizeof(m.text), "%s", kind);
	if (bytes.length > 0) {
		void *to;

		MUST(fd = shm_new_shared("credentials", bytes.length, NULL));
		to = shm_map_shared(fd, &mapped, NULL);
		if (to == NULL)
			rig_die("credentials");
		memcpy(to, bytes.data, bytes.length);
		shm_unmap(to, mapped);
	}
	rig_send(r, &m, &fd, fd >= 0);
	return fd;
}

void
rig_health(
	struct rig *r, uint32_t id, uint16_t port, enum endpoint_health health)
{
	rig_health_of(r, id, port, 0, health);
}

void
rig_health_of(struct rig *r, uint32_t id, uint16_t port, uint64_t owner,
	enum endpoint_health health)
{
	struct wire_message m = rig_message(WIRE_HEALTH);

	m.health.upstream = id;
	m.health.owner = owner;
	addr_parse_ip("127.0.0.1", port, &m.health.addr);
	m.health.health = (uint8_t)health;
	rig_send(r, &m, NULL, 0);
}

static void
endpoints_send(
	struct rig *r, uint32_t id, const uint16_t *ports, uint32_t count)
{
	struct rig_endpoint set[2] = { 0 };

	for (uint32_t i = 0; i < count; i++)
		set[i] = (struct rig_endpoint){ .port = ports[i],
			.health = ENDPOINT_UP,
			.weight = 1 };
	rig_endpoints(r, id, set, count);
}

/* A port on which nothing listens. */
uint16_t
rig_dead_port(void)
{
	static struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);
	int fd;

	if (sin.sin_port == 0) {
		/* It stays open, or another program might be given the port. */
		sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		MUST(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		MUST(bind(fd, (struct sockaddr *)&sin, sizeof(sin)));
		MUST(getsockname(fd, (struct sockaddr *)&sin, &length));
	}
	return ntohs(sin.sin_port);
}

static void
counters_make(struct rig *r)
{
	struct error err = ERROR_INIT;
	size_t length;

	r->counters_length = counters_size(r->settings.workers);
	r->counters_fd = shm_new_shared("counters", r->counters_length, &err);
	MUST(r->counters_fd);
	r->counters = shm_map_shared(r->counters_fd, &length, &err);
	if (r->counters == NULL)
		rig_die("counters");
	r->counters->magic = COUNTERS_MAGIC;
	r->counters->workers = r->settings.workers;
}

static void
child_start(struct rig *r)
{
	struct error err = ERROR_INIT;
	int ends[2];

	MUST(channel_pair(ends, &err));
	fcntl(ends[0], F_SETFL, 0);
	MUST(r->pid = fork());
	if (r->pid == 0) {
		close(ends[0]);
		close(r->listener);
		_exit(proxy_main(ends[1], false, kinds));
	}
	close(ends[1]);
	r->channel = ends[0];
}

static void
opening_send(struct rig *r)
{
	struct wire_message m = rig_message(WIRE_SETTINGS);
	uint16_t good = rig_origin_port(r->origin);
	uint16_t half[2] = { rig_dead_port(), good };
	struct addr addr;
	int log;

	m.settings = r->settings;
	rig_send(r, &m, NULL, 0);
	m = rig_message(WIRE_LOG_LEVEL);
	m.number = getenv("RIG_DEBUG") != NULL ? 3 : 0;
	rig_send(r, &m, NULL, 0);
	m = rig_message(WIRE_COUNTERS);
	rig_send(r, &m, &r->counters_fd, 1);
	m = rig_message(WIRE_ACCESS_LOG);
	snprintf(r->log_path, sizeof(r->log_path), "/tmp/rig-XXXXXX");
	MUST(log = mkostemp(r->log_path, O_APPEND | O_CLOEXEC));
	send_fd(r, &m, log);
	if (r->takeover >= 0) {
		m = rig_message(WIRE_TAKEOVER);
		rig_send(r, &m, &r->takeover, 1);
	}
	listener_addr(r->listener, &addr);
	m = rig_message(WIRE_LISTENER);
	m.listener.slot = 1;
	m.listener.workers = 1;
	m.listener.addr = addr;
	rig_send(r, &m, &r->listener, 1);
	endpoints_send(r, 1, &good, 1);
	endpoints_send(r, 2, half, 2);
	endpoints_send(r, 3, NULL, 0);
	endpoints_send(r, 4, half, 1);
	endpoints_send(r, 5, &good, 1);
	endpoints_send(r, 6, &good, 1);
	endpoints_send(r, 7, &good, 1);
}

void
rig_start(struct rig *r, const struct wire_settings *settings,
	struct model_route *routes, size_t count)
{
	struct error err = ERROR_INIT;
	struct wire_message m;
	struct addr addr;

	memset(r, 0, sizeof(*r));
	r->settings = *settings;
	if (r->settings.workers == 0)
		r->settings.workers = 1;
	snprintf(r->takeover_path, sizeof(r->takeover_path), "/tmp/rig-%d.sock",
		(int)getpid());
	MUST(r->takeover = channel_listen(r->takeover_path, &err));
	addr_parse_ip("127.0.0.1", 0, &addr);
	MUST(listener_open(&addr, &r->listener, 1, &err));
	listener_addr(r->listener, &addr);
	r->port = addr_port(&addr);
	counters_make(r);
	child_start(r);
	r->origin = rig_origin_new();
	if (!rig_receive(r, WIRE_HELLO, &m, NULL))
		rig_die("no hello");
	opening_send(r);
	rig_image(r, routes, count);
}

void
rig_image(struct rig *r, struct model_route *routes, size_t count)
{
	struct wire_message m = rig_message(WIRE_IMAGE), answer;

	send_fd(r, &m, image_fd(r, routes, count));
	do {
		if (!rig_receive(r, WIRE_ENFORCED, &answer, NULL))
			rig_die("not enforced");
	} while (answer.generation != r->generation);
}

int
rig_wait_exit(struct rig *r)
{
	uint64_t until = clock_monotonic_ms() + 2 * RIG_WAIT_MS;
	int status;

	while (clock_monotonic_ms() < until) {
		if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
			r->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : 128 + WTERMSIG(status);
		}
		rig_breathe();
	}
	return -1;
}

void
rig_stop(struct rig *r)
{
	struct wire_message m = rig_message(WIRE_DRAIN);
	int status = 0;

	m.drain.deadline_ms = 50;
	if (r->pid > 0) {
		rig_send(r, &m, NULL, 0);
		status = rig_wait_exit(r);
	}
	if (status != 0) {
		fprintf(stderr, "rig: the proxy ended with %d\n", status);
		exit(1);
	}
	close(r->channel);
	close(r->listener);
	close(r->takeover);
	unlink(r->takeover_path);
	unlink(r->log_path);
	shm_unmap(r->counters, r->counters_length);
	close(r->counters_fd);
	rig_origin_free(r->origin);
}

struct counters_listener
rig_counters(struct rig *r)
{
	struct counters_listener sum;

	counters_sum_listener(r->counters, 1, &sum);
	return sum;
}

struct counters_upstream
rig_upstream_counters(struct rig *r, uint32_t id)
{
	struct counters_upstream sum;

	counters_sum_upstream(r->counters, id, &sum);
	return sum;
}

static uint64_t
upstream_counter(struct rig *r, uint32_t id, const char *name)
{
	struct counters_upstream c = rig_upstream_counters(r, id);
	uint64_t value = UINT64_MAX;

	for (const struct counter_name *n = counters_upstream_names;
		n->name != NULL; n++)
		if (strcmp(n->name, name) == 0)
			memcpy(&value, (const char *)&c + n->offset,
				sizeof(value));
	return value;
}

bool
rig_await(struct rig *r, uint32_t id, const char *name, uint64_t value)
{
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;

	while (upstream_counter(r, id, name) != value) {
		if (clock_monotonic_ms() >= until)
			return false;
		rig_breathe();
	}
	return true;
}

void
rig_settled(struct rig *r)
{
	uint64_t until = clock_monotonic_ms() + RIG_WAIT_MS;

	for (;;) {
		struct counters_listener c = rig_counters(r);

		if (c.requests_active == 0 && c.connections_open == 0)
			return;
		if (clock_monotonic_ms() >= until) {
			fprintf(stderr,
				"rig: requests or connections do not end\n");
			exit(1);
		}
		rig_breathe();
	}
}
