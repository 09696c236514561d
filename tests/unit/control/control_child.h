/*
 * Control as a whole, started in a child with a fake proxy (fake_proxy.h) and
 * asked through its admin socket. A test may define CONTROL_CHILD_KIND, a kind
 * of upstream of its own, CONTROL_CHILD_AZURE, one that has the place of azure,
 * and CONTROL_CHILD_SETTINGS, more lines of settings.
 */
#ifndef TESTS_UNIT_CONTROL_CONTROL_CHILD_H
#define TESTS_UNIT_CONTROL_CONTROL_CHILD_H

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control.h"
#include "fake_proxy.h"

extern const struct upstream_kind upstream_kind_static;
extern const struct upstream_kind upstream_kind_consul;
extern const struct upstream_kind upstream_kind_aws;
extern const struct upstream_kind upstream_kind_azure;

#ifndef CONTROL_CHILD_AZURE
#define CONTROL_CHILD_AZURE upstream_kind_azure
#endif

static const struct upstream_kind *const kinds[] = { &upstream_kind_static,
	&upstream_kind_consul, &upstream_kind_aws, &CONTROL_CHILD_AZURE,
#ifdef CONTROL_CHILD_KIND
	&CONTROL_CHILD_KIND,
#endif
	NULL };

#ifndef CONTROL_CHILD_SETTINGS
#define CONTROL_CHILD_SETTINGS ""
#endif

static char root[64], settings[96], sock[96];
static uint16_t port;
static pid_t control;
static int ports_held[8];
static size_t ports_held_count;

static inline void
text_put(const char *below, const char *text)
{
	char *path = xasprintf("%s/%s", root, below);
	char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(file_make_folders(folder, 0755, NULL), 0);
	assert_int_equal(file_replace(path, text, strlen(text), 0644, NULL), 0);
	free(folder);
	free(path);
}

/* One that nobody else is given until teardown; control can listen at it, as
 * its sockets share their ports with others of the same user. */
static inline uint16_t
port_free(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	assert_true(ports_held_count < ARRAY_SIZE(ports_held));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, length), 0);
	getsockname(fd, (struct sockaddr *)&sin, &length);
	ports_held[ports_held_count++] = fd;
	return ntohs(sin.sin_port);
}

static inline void
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

static inline void
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

/* The answer's status, and all of it in *in. 0: no answer. */
static inline int
ask_text(const char *method, const char *path, const char *type,
	const char *text, struct str *in)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
	struct str out;
	char buffer[4096];
	ssize_t n;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		close(fd);
		return 0;
	}
	str_init(&out);
	str_printf(&out,
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		"Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
		method, path, type, strlen(text), text);
	assert_int_equal(send(fd, out.data, out.length, MSG_NOSIGNAL),
		(ssize_t)out.length);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		str_append(in, buffer, (size_t)n);
	close(fd);
	if (sscanf(in->data, "HTTP/1.1 %d", &status) != 1)
		status = 0;
	str_fini(&out);
	return status;
}

/* The answer's status; its body, if it is JSON, in *body. 0: no answer. */
static inline int
ask(const char *method, const char *path, const char *type, const char *text,
	struct doc **body)
{
	const char *rest;
	struct str in;
	int status;

	*body = NULL;
	str_init(&in);
	status = ask_text(method, path, type, text, &in);
	rest = strstr(in.data, "\r\n\r\n");
	if (rest != NULL)
		*body = json_doc_read(rest + 4, strlen(rest + 4), NULL);
	str_fini(&in);
	return status;
}

/* The number that stands behind series, as "upstream_x{...}", in /metrics; -1:
 * it is not there. */
static inline int64_t
metric(const char *series)
{
	char *line = xasprintf("\ngloo_gateway_%s ", series);
	struct str in;
	const char *at;
	int64_t value = -1;

	str_init(&in);
	ask_text("GET", "/metrics", "text/plain", "", &in);
	at = strstr(in.data, line);
	if (at != NULL)
		value = strtoll(at + strlen(line), NULL, 10);
	str_fini(&in);
	free(line);
	return value;
}

/* As ask, and the text at key of the answer must contain says. */
static inline void
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
static inline void
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

static inline void
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

static inline int64_t
number_at(const char *path, const char *outer, const char *key)
{
	struct doc *body;
	int64_t n;

	ask("GET", path, "text/plain", "", &body);
	n = doc_integer(doc_get(doc_get(body, outer), key));
	doc_free(body);
	return n;
}

static inline pid_t
proxy_pid(void)
{
	return (pid_t)number_at("/v1/status", "proxy", "pid");
}

static inline bool
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

static inline void
settings_put(const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"directoryConfigSource: { directory: config }\n"
		"directorySecretSource: { directory: secrets }\n"
		"stateDirectory: state\n"
		"admin: { socket: admin.sock }\n"
		"proxy: { workers: 2, user: nobody, drainTimeout: 5s }\n"
		"accessLog: { path: access.json }\n%s",
		more);
	text_put("settings.yaml", text);
}

static inline int
setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/gg-control-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(settings, sizeof(settings), "%s/settings.yaml", root);
	snprintf(sock, sizeof(sock), "%s/admin.sock", root);
	settings_put(CONTROL_CHILD_SETTINGS);
	port = port_free();
	gateway_put("gateway", port);
	control_start();
	until_status("/readyz", 200);
	return 0;
}

static inline int
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
	while (ports_held_count > 0)
		close(ports_held[--ports_held_count]);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command) != 0 || !WIFEXITED(status) ||
		WEXITSTATUS(status) != 0) {
		print_error("control ended with %d\n", status);
		return -1;
	}
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define UPSTREAM(name)                                                         \
	"metadata: { name: " name " }\nupstreamSpec: { static: { hosts: "      \
	"[ { addr: 127.0.0.1, port: 80 } ] } }\n"
#define SERVICE(name, domain, upstream)                                        \
	"metadata: { name: " name " }\nvirtualHost:\n  domains: [ " domain     \
	" ]\n  routes:\n  - matchers: [ { prefix: / } ]\n    routeAction: { "  \
	"single: { upstream: { name: " upstream " } } }\n"
#define GROUP(name, first, second)                                             \
	"metadata: { name: " name " }\ndestinations:\n"                        \
	"- { destination: { upstream: { name: a } }, weight: " first " }\n"    \
	"- { destination: { upstream: { name: b } }, weight: " second " }\n"
#define TO_GROUP(name, domain, group)                                          \
	"metadata: { name: " name " }\nvirtualHost:\n  domains: [ " domain     \
	" ]\n  routes:\n  - routeAction: { upstreamGroup: { name: " group      \
	" } }\n"
#define UG(name) "/v1/upstreamgroups/gloo-system/" name
#define UP(name) "/v1/upstreams/gloo-system/" name
#define VS(name) "/v1/virtualservices/gloo-system/" name
#define GW(name) "/v1/gateways/gloo-system/" name

#endif
