/*
 * Control as a whole, against a proxy that only answers the channel: this
 * program itself, started with --proxy-channel=3. What it does is said by the
 * names of upstreams in the image: "mute" enforces nothing, "crash" ends it,
 * of "tattle" it reports failures. How many endpoints of an upstream it was
 * told are down, it shows as that upstream's open connections.
 */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/metrics.h"
#include "model/counters.h"
#include "model/image.h"
#include "model/wire.h"
#include "net/shm.h"
#include "version.h"

/* ---- the proxy */

struct fake {
	int channel, takeover, counters;
	struct counters *shown;
	struct wire_message listeners[SLOTS_MAX];
	int sockets[SLOTS_MAX][WIRE_FDS_MAX];
	uint32_t workers;
	uint64_t generation;
	bool ready;
};

static void
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

static void
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

static void
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

static bool
image_names(const struct image *image, const char *word)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);

	for (uint32_t i = 0; i < image->upstreams.count; i++)
		if (strstr(image_text(image, u[i].name).data, word) != NULL)
			return true;
	return false;
}

static void
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

static void
fake_tattle_all(const struct fake *f, const struct image *image)
{
	const struct image_upstream *u =
		image_at(image, image->upstreams.offset);

	for (uint32_t i = 0; i < image->upstreams.count; i++)
		if (strstr(image_text(image, u[i].name).data, "tattle") != NULL)
			fake_tattle(f, u[i].id);
}

/* Where an upstream's number of endpoints that are down is shown. */
static uint64_t *
fake_downs(struct fake *f, uint32_t upstream)
{
	size_t length;

	if (f->shown == NULL)
		f->shown = shm_map_shared(f->counters, &length, NULL);
	if (f->shown == NULL || upstream >= UPSTREAMS_MAX)
		_exit(4);
	return &f->shown->worker[0].upstream[upstream].connections_open;
}

static void
fake_health(struct fake *f, const struct wire_message *m)
{
	*fake_downs(f, m->health.upstream) +=
		m->health.health == ENDPOINT_DOWN ? 1 : (uint64_t)-1;
}

static void
fake_endpoints(struct fake *f, const struct wire_message *m, int fd)
{
	size_t length = 0;
	const struct endpoint *set = NULL;
	uint64_t *downs = fake_downs(f, m->endpoints.upstream);

	if (m->endpoints.count > 0)
		set = shm_map_sealed(fd, &length, NULL);
	*downs = 0;
	for (uint32_t i = 0; set != NULL && i < m->endpoints.count; i++)
		*downs += set[i].health == ENDPOINT_DOWN;
	shm_unmap(set, length);
}

static void
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
	if (!image_names(image, "mute")) {
		m.type = WIRE_ENFORCED;
		m.generation = f->generation = generation;
		fake_send(f->channel, &m, NULL, 0);
	}
	shm_unmap(image, length);
}

static void
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

static bool
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

static int
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

/* ---- control, started in a child */

extern const struct upstream_kind upstream_kind_static;
extern const struct upstream_kind upstream_kind_consul;

static const struct upstream_kind *const kinds[] = { &upstream_kind_static,
	&upstream_kind_consul, NULL };

static char root[64], settings[96], sock[96];
static uint16_t port;
static pid_t control;

static void
text_put(const char *below, const char *text)
{
	char *path = xasprintf("%s/%s", root, below);
	char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(file_make_folders(folder, 0755, NULL), 0);
	assert_int_equal(file_replace(path, text, strlen(text), 0644, NULL), 0);
	free(folder);
	free(path);
}

static uint16_t
port_free(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, length), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	close(fd);
	return ntohs(sin.sin_port);
}

static void
gateway_put(const char *name, uint16_t at)
{
	char below[96], text[160];

	snprintf(below, sizeof(below), "config/gateways/gloo-system/%s.yaml",
		name);
	snprintf(text, sizeof(text),
		"metadata: { name: %s }\nbindAddress: 127.0.0.1\n"
		"bindPort: %u\n",
		name, at);
	text_put(below, text);
}

static void
control_start(void)
{
	static char name[] = "gloo-gateway";
	static char *argv[] = { name, NULL };

	control = fork();
	assert_true(control >= 0);
	if (control == 0) {
		struct control_options options = { .settings_path = settings,
			.kinds = kinds,
			.argv = argv,
			.log_level = LOG_LEVEL_ERROR };

		options.binary = open("/proc/self/exe", O_PATH | O_CLOEXEC);
		signal(SIGPIPE, SIG_IGN);
		exit(control_main(&options));
	}
}

/* The answer's status; its body, if it is JSON, in *body. 0: no answer. */
static int
ask(const char *method, const char *path, const char *type, const char *text,
	struct doc **body)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
	struct str out, in;
	char buffer[4096];
	char *rest;
	ssize_t n;

	*body = NULL;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		close(fd);
		return 0;
	}
	str_init(&out);
	str_init(&in);
	str_printf(&out,
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		"Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
		method, path, type, strlen(text), text);
	assert_int_equal(send(fd, out.data, out.length, MSG_NOSIGNAL),
		(ssize_t)out.length);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		str_append(&in, buffer, (size_t)n);
	close(fd);
	if (sscanf(in.data, "HTTP/1.1 %d", &status) != 1)
		status = 0;
	rest = strstr(in.data, "\r\n\r\n");
	if (rest != NULL)
		*body = json_doc_read(rest + 4, strlen(rest + 4), NULL);
	str_fini(&out);
	str_fini(&in);
	return status;
}

/* As ask, and the text at key of the answer must contain says. */
static void
expect(const char *method, const char *path, const char *text, int status,
	const char *key, const char *says)
{
	struct doc *body;
	int got = ask(method, path, "application/yaml", text, &body);
	const char *there = doc_get_string(body, key == NULL ? "" : key);

	if (got != status ||
		(key != NULL && (there == NULL || strstr(there, says) == NULL)))
		fail_msg("%s %s: %d %s (wanted %d, %s)", method, path, got,
			there == NULL ? "-" : there, status,
			says == NULL ? "-" : says);
	doc_free(body);
}

/* Polls, as everything outside a test happens when it happens. */
static void
until_status(const char *path, int status)
{
	uint64_t end = clock_monotonic_ms() + 15000;
	struct doc *body;
	int got;

	do {
		got = ask("GET", path, "text/plain", "", &body);
		doc_free(body);
		if (got == status)
			return;
		poll(NULL, 0, 10);
	} while (clock_monotonic_ms() < end);
	fail_msg("%s stays %d, not %d", path, got, status);
}

static void
until_text(
	const char *path, const char *outer, const char *key, const char *says)
{
	uint64_t end = clock_monotonic_ms() + 15000;
	char last[600] = "";

	do {
		struct doc *body;
		const char *there;

		ask("GET", path, "text/plain", "", &body);
		there = doc_get_string(doc_get(body, outer), key);
		snprintf(last, sizeof(last), "%s", there ? there : "-");
		doc_free(body);
		if (strstr(last, says) != NULL)
			return;
		poll(NULL, 0, 10);
	} while (clock_monotonic_ms() < end);
	fail_msg("%s: %s.%s stays %s, not %s", path, outer, key, last, says);
}

static int64_t
number_at(const char *path, const char *outer, const char *key)
{
	struct doc *body;
	int64_t n;

	ask("GET", path, "text/plain", "", &body);
	n = doc_integer(doc_get(doc_get(body, outer), key));
	doc_free(body);
	return n;
}

static pid_t
proxy_pid(void)
{
	return (pid_t)number_at("/v1/status", "proxy", "pid");
}

static int
setup(void **state)
{
	char text[512];

	(void)state;
	snprintf(root, sizeof(root), "/tmp/gg-control-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(settings, sizeof(settings), "%s/settings.yaml", root);
	snprintf(sock, sizeof(sock), "%s/admin.sock", root);
	snprintf(text, sizeof(text),
		"directoryConfigSource: { directory: config }\n"
		"directorySecretSource: { directory: secrets }\n"
		"stateDirectory: state\n"
		"admin: { socket: admin.sock }\n"
		"proxy: { workers: 2, user: nobody, drainTimeout: 5s }\n"
		"accessLog: { path: access.json }\n");
	text_put("settings.yaml", text);
	port = port_free();
	gateway_put("gateway", port);
	control_start();
	until_status("/readyz", 200);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];
	int status = 0;

	(void)state;
	if (control > 0) {
		kill(control, SIGTERM);
		waitpid(control, &status, 0);
		control = 0;
	}
	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command) != 0 || !WIFEXITED(status) ||
		WEXITSTATUS(status) != 0) {
		print_error("control ended with %d\n", status);
		return -1;
	}
	return 0;
}

#define UPSTREAM(name)                                                         \
	"metadata: { name: " name " }\nupstreamSpec: { static: { hosts: "      \
	"[ { addr: 127.0.0.1, port: 80 } ] } }\n"
#define SERVICE(name, domain, upstream)                                        \
	"metadata: { name: " name " }\nvirtualHost:\n  domains: [ " domain     \
	" ]\n  routes:\n  - matchers: [ { prefix: / } ]\n    routeAction: { "  \
	"single: { upstream: { name: " upstream " } } }\n"
#define UP(name) "/v1/upstreams/gloo-system/" name
#define VS(name) "/v1/virtualservices/gloo-system/" name
#define GW(name) "/v1/gateways/gloo-system/" name

/* ---- the tests */

static void
test_verdicts(void **state)
{
	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, "state", "Accepted");
	expect("PUT", UP("b"), UPSTREAM("x"), 422, "reason", "metadata.name");
	expect("PUT", UP("b"), "7", 422, "state", "Rejected");
	expect("PUT", UP("b"), "[", 400, "error", "");
	expect("PUT", UP("b"), "", 400, "error", "no document");
	expect("PUT", UP("b"), "upstreamSpec: { static: { hosts: 7 } }", 422,
		"reason", "upstreamSpec.static.hosts");
	expect("GET", UP("b"), "", 404, "error", "b");
	expect("DELETE", UP("b"), "", 404, "error", "b");
	expect("PUT", UP("c"), "upstreamSpec: { consul: { serviceName: web } }",
		200, "reason", "not served yet");
	expect("PUT", VS("v"), SERVICE("v", "v.example", "a"), 200, "state",
		"Accepted");
	expect("PUT", VS("w"), SERVICE("w", "v.example", "a"), 422, "reason",
		"gloo-system.v");
	expect("PUT", VS("w") "?dryRun=true", SERVICE("w", "w.example", "b"),
		200, "reason", "gloo-system.b");
	expect("GET", VS("w"), "", 404, NULL, NULL);
	expect("PUT", VS("w"), SERVICE("w", "w.example", "b"), 200, "reason",
		"no upstream is named \"gloo-system.b\"");
	expect("POST", VS("w"), "", 405, "error", "POST");
	expect("GET", "/v1/nothing", "", 404, "error", "/v1/nothing");
}

static void
test_references(void **state)
{
	(void)state;
	expect("PUT", VS("v"), SERVICE("v", "\"*\"", "late"), 200, "state",
		"Warning");
	expect("PUT", UP("late"), UPSTREAM("late"), 200, "state", "Accepted");
	until_text(VS("v"), "status", "state", "Accepted");
	expect("DELETE", UP("late"), "", 200, "reason", "gloo-system.v");
	until_text(VS("v"), "status", "reason", "late");
}

static void
test_versions(void **state)
{
	char text[256];
	int64_t version;
	struct doc *body;

	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	ask("GET", UP("a"), "text/plain", "", &body);
	version = atoll(doc_string(
		doc_find(body, "metadata", "resourceVersion", NULL)));
	doc_free(body);
	snprintf(text, sizeof(text),
		"metadata: { resourceVersion: \"%lld\" }\nupstreamSpec: { "
		"static: { hosts: [ { addr: 127.0.0.1, port: 81 } ] } }\n",
		(long long)version);
	expect("PUT", UP("a"), text, 200, "state", "Accepted");
	expect("PUT", UP("a"), text, 409, "error", "changed");
	expect("PUT", UP("z"), text, 409, "error", "does not exist");
}

static bool
connects(uint16_t to)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(to),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;

	close(fd);
	return yes;
}

static void
test_gateways(void **state)
{
	uint16_t other = port_free(), taken;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[128];
	uint64_t end = clock_monotonic_ms() + 10000;

	(void)state;
	assert_true(connects(port));
	snprintf(text, sizeof(text), "bindAddress: \"::\"\nbindPort: %u\n",
		port);
	expect("PUT", GW("two"), text, 422, "reason", "gloo-system.gateway");
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, length), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	taken = ntohs(sin.sin_port);
	snprintf(text, sizeof(text), "bindAddress: 127.0.0.1\nbindPort: %u\n",
		taken);
	expect("PUT", GW("two"), text, 422, "reason", "in use");
	close(fd);
	snprintf(text, sizeof(text), "bindAddress: 127.0.0.1\nbindPort: %u\n",
		other);
	expect("PUT", GW("two"), text, 200, "state", "Accepted");
	assert_true(connects(other));
	expect("DELETE", GW("two"), "", 200, "state", "Accepted");
	while (connects(other) && clock_monotonic_ms() < end)
		poll(NULL, 0, 10);
	assert_false(connects(other));
	assert_true(connects(port));
}

/* The slot of the first service of /v1/services; 0: there is none. */
static int64_t
service_slot(void)
{
	struct doc *body;
	int64_t slot;

	ask("GET", "/v1/services", "text/plain", "", &body);
	slot = doc_integer(
		doc_get(doc_at(doc_get(body, "items"), 0), "slot"));
	doc_free(body);
	return slot;
}

#define TCP_HOST(more)                                                         \
	"tcpGateway: { tcpHosts: [ { name: x, " more                           \
	"destination: { single: { upstream: { name: u } } } } ] }\n"

/* A TCP service listens, has a slot for as long as it has its address, also
 * over a restart; UDP without XDP is a Warning. */
static void
test_services(void **state)
{
	uint16_t at = port_free();
	char text[256], again[256];
	int64_t slot;

	(void)state;
	snprintf(text, sizeof(text),
		"bindAddress: 127.0.0.1\nbindPort: %u\n" TCP_HOST(""), at);
	expect("PUT", GW("tcp"), text, 200, "reason",
		"tcpGateway.tcpHosts[0].destination: no upstream is named "
		"\"gloo-system.u\"");
	expect("PUT", UP("u"), UPSTREAM("u"), 200, NULL, NULL);
	until_text(GW("tcp"), "status", "state", "Accepted");
	until_text(GW("tcp"), "status", "reason",
		"relayed in user space: no interface is configured");
	assert_true(connects(at));
	slot = service_slot();
	assert_in_range(slot, LISTENERS_MAX, SLOTS_MAX - 1);
	expect("DELETE", UP("u"), "", 200, "reason",
		"it is still routed to by gloo-system.tcp");
	until_text(GW("tcp"), "status", "state", "Warning");
	expect("PUT", UP("u"), UPSTREAM("u"), 200, NULL, NULL);
	snprintf(again, sizeof(again),
		"bindAddress: 127.0.0.1\nbindPort: %u\n" TCP_HOST(
			"mode: relay, "),
		at);
	expect("PUT", GW("tcp"), again, 200, "reason", "mode relay");
	assert_int_equal(service_slot(), slot);
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	assert_int_equal(service_slot(), slot);
	assert_true(connects(at));
	snprintf(again, sizeof(again),
		"bindAddress: 127.0.0.1\nbindPort: %u\n" TCP_HOST(
			"protocol: UDP, "),
		at);
	expect("PUT", GW("udp"), again, 200, "state", "Warning");
	expect("PUT", GW("udp"), again, 200, "reason",
		"UDP is not relayed, and XDP does not steer it");
	snprintf(again, sizeof(again),
		"bindAddress: 127.0.0.1\nbindPort: %u\n", at);
	expect("PUT", GW("tcp"), again, 200, "state", "Accepted");
	expect("DELETE", GW("udp"), "", 200, NULL, NULL);
	assert_int_equal(service_slot(), 0);
	assert_true(connects(at));
}

/* A file that is wrong is Rejected, its last good version goes on, also after
 * a restart; removed, the object is gone. */
static void
test_files(void **state)
{
	int64_t routes;
	struct doc *body;

	(void)state;
	expect("PUT", VS("v"), SERVICE("v", "\"*\"", "a"), 200, NULL, NULL);
	text_put("config/virtualservices/gloo-system/v.yaml",
		"metadata: { name: v }\nvirtualHost:\n  routes: 7\n");
	until_text(VS("v"), "status", "state", "Rejected");
	until_text(VS("v"), "status", "reason", "v.yaml:3: virtualHost.routes");
	kill(control, SIGTERM);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	until_text(VS("v"), "status", "state", "Rejected");
	ask("GET", "/v1/dump", "text/plain", "", &body);
	routes = (int64_t)doc_count(
		doc_get(doc_at(doc_get(body, "virtualHosts"), 0), "routes"));
	doc_free(body);
	assert_int_equal(routes, 1);
	text_put("config/virtualservices/gloo-system/other.yaml",
		SERVICE("other", "\"*\"", "a"));
	until_text(VS("other"), "status", "reason", "gloo-system.v");
	body = NULL;
	assert_int_equal(system("true"), 0);
	{
		char *path = xasprintf(
			"%s/config/virtualservices/gloo-system/v.yaml", root);

		assert_int_equal(unlink(path), 0);
		free(path);
	}
	until_status(VS("v"), 404);
	until_text(VS("other"), "status", "state", "Warning");
}

static void
test_proxy_dies(void **state)
{
	pid_t first = proxy_pid(), now;
	uint64_t end = clock_monotonic_ms() + 10000;

	(void)state;
	assert_true(first > 1);
	kill(first, SIGKILL);
	do {
		poll(NULL, 0, 5);
		now = proxy_pid();
	} while ((now == 0 || now == first) && clock_monotonic_ms() < end);
	assert_true(now > 1 && now != first);
	until_status("/readyz", 200);
	assert_int_equal(number_at("/v1/status", "proxy", "restarts"), 1);
	assert_true(connects(port));
	expect("PUT", UP("a"), UPSTREAM("a"), 200, "state", "Accepted");
}

static void
test_control_dies(void **state)
{
	pid_t proxy = proxy_pid();
	int64_t generation;

	(void)state;
	expect("PUT", UP("a"), UPSTREAM("a"), 200, NULL, NULL);
	generation = number_at("/v1/status", "proxy", "generation");
	kill(control, SIGKILL);
	waitpid(control, NULL, 0);
	control_start();
	until_status("/readyz", 200);
	assert_int_equal(proxy_pid(), proxy);
	assert_true(
		number_at("/v1/status", "proxy", "generation") > generation);
	expect("GET", UP("a"), "", 200, NULL, NULL);
	expect("PUT", UP("b"), UPSTREAM("b"), 200, "state", "Accepted");
	assert_true(connects(port));
}

/* A proxy that ends again and again is not started in a hot loop, and what is
 * refused to it stays pending. */
static void
test_crash(void **state)
{
	int64_t restarts;

	(void)state;
	expect("PUT", UP("crash"), UPSTREAM("crash"), 202, "state", "Pending");
	restarts = number_at("/v1/status", "proxy", "restarts");
	assert_in_range(restarts, 2, 12);
	until_status("/readyz", 503);
	expect("DELETE", UP("crash"), "", 200, "state", "Accepted");
	until_status("/readyz", 200);
}

static void
test_pending(void **state)
{
	uint64_t start = clock_monotonic_ms();

	(void)state;
	expect("PUT", UP("mute"), UPSTREAM("mute"), 202, "proxy", "pending");
	assert_in_range(clock_monotonic_ms() - start, 4900, 9000);
	expect("DELETE", UP("mute"), "", 200, NULL, NULL);
}

static void
test_second(void **state)
{
	pid_t first = control, second;
	int status;

	(void)state;
	control_start();
	second = control;
	control = first;
	waitpid(second, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	until_status("/readyz", 200);
}

/* ---- health */

/* Polls /v1/endpoints until items[0] says that; inner may be NULL. */
static void
until_number(
	const char *name, const char *outer, const char *inner, int64_t value)
{
	uint64_t end = clock_monotonic_ms() + 15000;
	char path[128];
	int64_t got = -1;

	snprintf(path, sizeof(path),
		"/v1/endpoints?namespace=gloo-system&name=%s", name);
	do {
		const struct doc *at;
		struct doc *body;

		ask("GET", path, "text/plain", "", &body);
		at = doc_get(doc_at(doc_get(body, "items"), 0), outer);
		if (inner != NULL)
			at = doc_find(at, inner, "now", NULL);
		got = at == NULL ? -1 : doc_integer(at);
		doc_free(body);
		if (got == value)
			return;
		poll(NULL, 0, 10);
	} while (clock_monotonic_ms() < end);
	fail_msg("%s of %s stays %lld, not %lld", outer, name, (long long)got,
		(long long)value);
}

static int
listen_at(uint16_t at)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(at),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

#define CHECKED(more)                                                          \
	"metadata: { name: checked }\nupstreamSpec: { static: { hosts: "       \
	"[ { addr: 127.0.0.1, port: %u }, { addr: 127.0.0.1, port: %u } ] } "  \
	"}\n" more
#define TCP_CHECK                                                              \
	"healthChecks: [ { timeout: 1s, interval: 100ms, healthyThreshold: 2," \
	" unhealthyThreshold: 2, tcpHealthCheck: {} } ]\n"

static void
test_health(void **state)
{
	uint16_t first = port_free(), second = port_free();
	char text[1024];
	int fd;

	(void)state;
	snprintf(text, sizeof(text), CHECKED(TCP_CHECK), first, second);
	expect("PUT", UP("checked"), text, 200, "state", "");
	until_number("checked", "down", NULL, 2);
	until_number("checked", "inUse", "connections", 2); /* it was told */
	until_text(UP("checked"), "status", "reason",
		"none of its 2 endpoints is up");
	until_text(UP("checked"), "status", "reason", "connect: refused");
	fd = listen_at(second);
	until_number("checked", "up", NULL, 1);
	until_number("checked", "inUse", "connections", 1);
	until_text(UP("checked"), "status", "state", "Accepted");
	/* A change beside the checks leaves them alone. */
	snprintf(text, sizeof(text),
		CHECKED(TCP_CHECK "connectionConfig: { connectTimeout: 2s }\n"),
		first, second);
	expect("PUT", UP("checked"), text, 200, "state", "Accepted");
	until_number("checked", "down", NULL, 1);
	close(fd);
	until_number("checked", "up", NULL, 0);
	/* A new proxy is told with the set. */
	kill(proxy_pid(), SIGKILL);
	until_status("/readyz", 200);
	until_number("checked", "inUse", "connections", 2);
	/* Without checks nobody is known to be down. */
	snprintf(text, sizeof(text), CHECKED(""), first, second);
	expect("PUT", UP("checked"), text, 200, NULL, NULL);
	until_number("checked", "up", NULL, 2);
	until_text(UP("checked"), "status", "state", "Accepted");
	expect("DELETE", UP("checked"), "", 200, NULL, NULL);
}

#define OUTLIERS(time)                                                         \
	"outlierDetection: { consecutive5xx: 5, interval: 100ms, "             \
	"baseEjectionTime: " time " }\n"

static void
test_ejection(void **state)
{
	(void)state;
	expect("PUT", UP("tattle"), UPSTREAM("tattle") OUTLIERS("1h"), 200,
		NULL, NULL);
	until_number("tattle", "ejected", NULL, 1);
	until_number("tattle", "inUse", "connections", 1);
	until_text(UP("tattle"), "status", "reason", "ejected, 3");
	/* Other reports while it is out count for nothing. */
	expect("PUT", UP("other"), UPSTREAM("other"), 200, NULL, NULL);
	until_number("tattle", "ejections", NULL, 1);
	expect("PUT", UP("tattle"), UPSTREAM("tattle"), 200, NULL, NULL);
	until_number("tattle", "ejected", NULL, 0);
	until_number("tattle", "inUse", "connections", 0);
	expect("DELETE", UP("tattle"), "", 200, NULL, NULL);
	expect("PUT", UP("tattle-short"),
		UPSTREAM("tattle-short") OUTLIERS("100ms"), 200, NULL, NULL);
	until_number("tattle-short", "ejections", NULL, 1);
	until_number("tattle-short", "ejected", NULL, 0);
	until_text(UP("tattle-short"), "status", "state", "Accepted");
	expect("DELETE", UP("tattle-short"), "", 200, NULL, NULL);
}

static void
test_label(void **state)
{
	struct str text;

	(void)state;
	str_init(&text);
	metrics_label(&text, "a", "x\"y\\z\nw");
	assert_string_equal(text.data, "a=\"x\\\"y\\\\z\\nw\"");
	str_fini(&text);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label),
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_verdicts),
		CASE(test_references),
		CASE(test_versions),
		CASE(test_gateways),
		CASE(test_services),
		CASE(test_files),
		CASE(test_proxy_dies),
		CASE(test_control_dies),
		CASE(test_crash),
		CASE(test_pending),
		CASE(test_second),
		CASE(test_health),
		CASE(test_ejection),
	};

	if (argc > 1 && strcmp(argv[1], "--proxy-channel=3") == 0)
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
