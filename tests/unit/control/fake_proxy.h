/*
 * A proxy that only answers the channel: the test program itself, started with
 * --proxy-channel=3. What it does is said by the names of upstreams in the
 * image: "mute" enforces nothing, "crash" ends it, of "tattle" it reports
 * failures. How many endpoints of an upstream it was told are down, it shows as
 * that upstream's open connections; of the sets that it was told, it shows how
 * many there were (responses_2xx), the IPv4 address of the first endpoint of
 * the last (bytes_sent) and, where its host says when it came to be ("at-" and
 * microseconds), how many came later than FAKE_LATE_US (responses_5xx) and the
 * longest time in microseconds (bytes_received).
 *
 * Of an upstream with functions it shows how often it was given credentials
 * (connect_failed) and told that there are none (connect_timeout), the sum of
 * the bytes that it has (idle_closed), the same of what the image says of calls
 * (retried), in how many images calls led to it while it had no credentials
 * (try_timeout), and whether TLS is spoken to it (tls_failures). Those that
 * begin with "bad" it says are refused.
 */
#ifndef TESTS_UNIT_CONTROL_FAKE_PROXY_H
#define TESTS_UNIT_CONTROL_FAKE_PROXY_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "model/counters.h"
#include "model/endpoint.h"
#include "model/image.h"
#include "model/wire.h"
#include "net/shm.h"
#include "version.h"

#define FAKE_LATE_US 50000

struct fake {
	int channel, takeover, counters;
	struct counters *shown;
	struct wire_message listeners[SLOTS_MAX];
	int sockets[SLOTS_MAX][WIRE_FDS_MAX];
	uint32_t workers;
	uint64_t generation;
	bool ready;
	bool credentials[UPSTREAMS_MAX];
};

static inline void
fake_send(int channel, struct wire_message *m, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char
		room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)] = { 0 };
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	m->contract = WIRE_CONTRACT;
	if (count > 0) {
		struct cmsghdr *cm = (struct cmsghdr *)room;

		mh.msg_control = room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * count);
	}
	(void)!sendmsg(channel, &mh, MSG_NOSIGNAL);
}

static inline void
fake_hello(struct fake *f)
{
	struct wire_message m = { .type = WIRE_HELLO };

	m.hello.contract = WIRE_CONTRACT;
	m.hello.pid = (uint32_t)getpid();
	m.hello.workers = f->workers;
	m.hello.ready = f->ready;
	m.hello.generation = f->generation;
	snprintf(m.hello.build_id, sizeof(m.hello.build_id), "%s", BUILD_ID);
	fake_send(f->channel, &m, NULL, 0);
}

static inline void
fake_takeover(struct fake *f)
{
	struct wire_message counters = { .type = WIRE_COUNTERS };
	struct wire_message end = { .type = WIRE_HELLO_END };
	int channel = accept(f->takeover, NULL, NULL);

	if (channel < 0)
		return;
	if (f->channel >= 0)
		close(f->channel);
	f->channel = channel;
	fake_hello(f);
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (f->listeners[i].type != 0)
			fake_send(channel, &f->listeners[i], f->sockets[i],
				f->listeners[i].listener.workers);
	fake_send(channel, &counters, &f->counters, 1);
	fake_send(channel, &end, NULL, 0);
}

static inline bool
image_names(const struct image *image, const char *word)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);

	for (uint32_t i = 0; i < image->upstreams.count; i++)
		if (strstr(image_text(image, u[i].name).data, word) != NULL)
			return true;
	return false;
}

static inline void
fake_tattle(const struct fake *f, uint32_t upstream)
{
	/* The first ones name nothing that there is. */
	const struct {
		uint32_t upstream, worker;
		uint16_t port;
	} rows[] = { { 0, 0, 80 }, { UINT32_MAX, 0, 80 },
		{ UPSTREAMS_MAX - 1, 0, 80 }, { upstream, 0, 81 },
		{ upstream, f->workers, 80 }, { upstream, UINT32_MAX, 80 },
		{ upstream, 0, 80 }, { upstream, 1, 80 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_message m = { .type = WIRE_OUTLIER };

		m.outlier.upstream = rows[i].upstream;
		m.outlier.worker = rows[i].worker;
		addr_parse_ip("127.0.0.1", rows[i].port, &m.outlier.addr);
		m.outlier.errors = 3;
		fake_send(f->channel, &m, NULL, 0);
	}
}

/* Fails with TLS; "mended": works again. */
static inline void
fake_shaky(const struct fake *f, uint32_t upstream, bool mended)
{
	const struct {
		uint32_t upstream;
		uint16_t port;
		const char *text;
	} rows[] = { { UINT32_MAX, 80, "none" }, { UPSTREAMS_MAX - 1, 80, "no" },
		{ upstream, 81, "of another" },
		{ upstream, 80, "its certificate\nhas expired" },
		{ upstream, 80, "" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows) - !mended; i++) {
		struct wire_message m = { .type = WIRE_TLS };

		m.tls.upstream = rows[i].upstream;
		addr_parse_ip("127.0.0.1", rows[i].port, &m.tls.addr);
		/* Without an end. */
		memset(m.text, 'x', sizeof(m.text));
		if (i != 2)
			snprintf(m.text, sizeof(m.text), "%s", rows[i].text);
		fake_send(f->channel, &m, NULL, 0);
	}
}

static inline void
fake_tattle_all(const struct fake *f, const struct image *image)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);

	for (uint32_t i = 0; i < image->upstreams.count; i++)
		if (strstr(image_text(image, u[i].name).data, "tattle") != NULL)
			fake_tattle(f, u[i].id);
		else if (strstr(image_text(image, u[i].name).data, "shaky") !=
			NULL)
			fake_shaky(f, u[i].id,
				strstr(image_text(image, u[i].name).data,
					"mended") != NULL);
}

static inline struct counters_upstream *
fake_shown(struct fake *f, uint32_t upstream)
{
	size_t length;

	if (f->shown == NULL)
		f->shown = shm_map_shared(f->counters, &length, NULL);
	if (f->shown == NULL || upstream >= UPSTREAMS_MAX)
		_exit(4);
	return &f->shown->worker[0].upstream[upstream];
}

static inline void
fake_health(struct fake *f, const struct wire_message *m)
{
	fake_shown(f, m->health.upstream)->connections_open +=
		m->health.health == ENDPOINT_DOWN ? 1 : (uint64_t)-1;
}

static inline void
fake_first(struct counters_upstream *u, const struct endpoint *first)
{
	unsigned long long at;
	uint32_t ip_be;
	uint64_t took;

	memcpy(&ip_be, first->addr.ip + 12, sizeof(ip_be));
	u->bytes_sent = ntohl(ip_be);
	if (sscanf(first->host, "at-%llu", &at) != 1)
		return;
	took = clock_monotonic_us() - at;
	u->responses_5xx += took > FAKE_LATE_US;
	if (took > u->bytes_received)
		u->bytes_received = took;
}

static inline void
fake_endpoints(struct fake *f, const struct wire_message *m, int fd)
{
	size_t length = 0;
	const struct endpoint *set = NULL;
	struct counters_upstream *u = fake_shown(f, m->endpoints.upstream);

	if (m->endpoints.count > 0)
		set = shm_map_sealed(fd, &length, NULL);
	u->responses_2xx++;
	u->connections_open = 0;
	for (uint32_t i = 0; set != NULL && i < m->endpoints.count; i++)
		u->connections_open += set[i].health == ENDPOINT_DOWN;
	if (set != NULL)
		fake_first(u, &set[0]);
	shm_unmap(set, length);
}

static inline uint64_t
bytes_sum(const void *bytes, size_t length)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += ((const unsigned char *)bytes)[i];
	return sum;
}

/* The first ones name nothing that there is. */
static inline void
fake_refuse(const struct fake *f, uint32_t upstream)
{
	const uint64_t numbers[] = { UINT64_MAX, 0,
		upstream | UINT64_C(1) << 32, upstream };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct wire_message m = { .type = WIRE_CREDENTIALS_REFUSED };

		m.number = numbers[i];
		fake_send(f->channel, &m, NULL, 0);
	}
}

static inline void
fake_credentials(struct fake *f, const struct wire_message *m, int fd)
{
	struct counters_upstream *u = fake_shown(f, m->credentials.upstream);
	size_t length = 0;
	char *bytes;

	f->credentials[m->credentials.upstream] = m->credentials.length > 0;
	u->idle_closed = 0;
	if (strcmp(m->text, "azure") != 0)
		_exit(5);
	if (m->credentials.length == 0) {
		u->connect_timeout++;
		return;
	}
	u->connect_failed++;
	bytes = shm_map_shared(fd, &length, NULL);
	if (bytes == NULL || length != m->credentials.length)
		_exit(5);
	u->idle_closed = bytes_sum(bytes, length);
	if (length >= 3 && memcmp(bytes, "bad", 3) == 0)
		fake_refuse(f, m->credentials.upstream);
	mem_wipe(bytes, length);
	shm_unmap(bytes, length);
}

static inline void
fake_calls(struct fake *f, const struct image_vhost *v)
{
	const struct image_route *r = image_at(v, v->routes.offset);

	for (uint32_t i = 0; i < v->routes.count; i++) {
		const struct image_destination *d =
			image_at(v, r[i].destinations.offset);

		for (uint32_t k = 0; k < r[i].destinations.count; k++) {
			struct slice call = image_text(v, d[k].call);
			struct counters_upstream *u;

			if (call.length == 0)
				continue;
			u = fake_shown(f, d[k].upstream);
			u->retried += bytes_sum(call.data, call.length);
			u->try_timeout += !f->credentials[d[k].upstream];
		}
	}
}

static inline void
fake_functions(struct fake *f, const struct image *image)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);
	const struct image_listener *l =
		image_at(image, image->listeners.offset);

	for (uint32_t i = 0; i < image->upstreams.count; i++) {
		if (strcmp(image_text(image, u[i].kind).data, "azure") != 0)
			continue;
		fake_shown(f, u[i].id)->retried = 0;
		fake_shown(f, u[i].id)->tls_failures = u[i].tls != 0;
	}
	for (uint32_t i = 0; i < image->listeners.count; i++) {
		const struct image_host *h = image_at(image, l[i].hosts.offset);

		for (uint32_t k = 0; k < l[i].hosts.count; k++)
			if (h[k].name.offset != 0)
				fake_calls(f, image_at(image, h[k].vhost));
	}
}

static inline void
fake_image(struct fake *f, uint64_t generation, int fd)
{
	struct wire_message m = { .type = WIRE_READY };
	size_t length;
	const struct image *image = shm_map_sealed(fd, &length, NULL);

	if (image == NULL || image_check(image, length, NULL) != 0)
		_exit(3);
	if (image_names(image, "crash"))
		_exit(7);
	if (!f->ready)
		fake_send(f->channel, &m, NULL, 0);
	f->ready = true;
	fake_tattle_all(f, image);
	fake_functions(f, image);
	if (!image_names(image, "mute")) {
		m.type = WIRE_ENFORCED;
		m.generation = f->generation = generation;
		fake_send(f->channel, &m, NULL, 0);
	}
	shm_unmap(image, length);
}

static inline void
fake_message(
	struct fake *f, const struct wire_message *m, int *fds, size_t count)
{
	struct wire_message drained = { .type = WIRE_DRAINED };
	uint32_t slot;

	switch (m->type) {
	case WIRE_SETTINGS:
		f->workers = m->settings.workers;
		break;
	case WIRE_COUNTERS:
		f->counters = fds[0];
		return;
	case WIRE_TAKEOVER:
		f->takeover = fds[0];
		return;
	case WIRE_LISTENER:
		slot = m->listener.slot;
		f->listeners[slot] = *m;
		memcpy(f->sockets[slot], fds, count * sizeof(int));
		return;
	case WIRE_LISTENER_CLOSE:
		slot = m->listener.slot;
		for (uint32_t i = 0; i < f->listeners[slot].listener.workers;
			i++)
			close(f->sockets[slot][i]);
		f->listeners[slot].type = 0;
		break;
	case WIRE_IMAGE:
		fake_image(f, m->generation, fds[0]);
		break;
	case WIRE_ENDPOINTS:
		fake_endpoints(f, m, count > 0 ? fds[0] : -1);
		break;
	case WIRE_CREDENTIALS:
		fake_credentials(f, m, count > 0 ? fds[0] : -1);
		break;
	case WIRE_HEALTH:
		fake_health(f, m);
		break;
	case WIRE_DRAIN:
		fake_send(f->channel, &drained, NULL, 0);
		_exit(0);
	default:
		break;
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static inline bool
fake_receive(struct fake *f)
{
	_Alignas(struct cmsghdr) char
		room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	struct wire_message m;
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room) };
	int fds[WIRE_FDS_MAX];
	size_t count = 0;
	ssize_t n = recvmsg(f->channel, &mh, 0);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(&mh); cm != NULL;
		cm = CMSG_NXTHDR(&mh, cm)) {
		count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cm), count * sizeof(int));
	}
	fake_message(f, &m, fds, count);
	return true;
}

static inline int
fake_main(void)
{
	static struct fake f = { .channel = 3, .takeover = -1 };

	fake_hello(&f);
	for (;;) {
		struct pollfd p[] = { { f.channel, POLLIN, 0 },
			{ f.takeover, POLLIN, 0 } };

		/* Nobody keeps what a failed test left. */
		if (poll(p, 2, 20000) <= 0)
			return 1;
		if (p[0].revents != 0 && !fake_receive(&f)) {
			close(f.channel);
			f.channel = -1;
		}
		if (p[1].revents != 0)
			fake_takeover(&f);
	}
}

static inline bool
fake_is_asked_for(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "--proxy-channel=3") == 0;
}

#endif
