/*
 * TLS to upstreams, as the proxy speaks it: a proxy in a child, servers of TLS
 * before the rig's origin, an upstream for each thing that may be wrong. Each
 * test begins with all of it anew.
 */
#ifndef TESTS_UNIT_PROXY_SECURE_WORLD_H
#define TESTS_UNIT_PROXY_SECURE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/shm.h"
#include "tests/lib/certificates.h"
#include "tests/lib/rig.h"
#include "tests/lib/tls_front.h"

#define CHARS(text) ((char *)(uintptr_t)(text))
#define OK(body)    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" body
#define GET(path)                                                              \
	"GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

enum { /* materials */
	ROOTS = 101,
	CLIENT,
	ROOTS_OTHER,
	NEVER_SENT,
};

enum {
	UP_GOOD = 10, /* its host's name */
	UP_OTHER,     /* another name than its certificate's */
	UP_NAMED,     /* the right one by verifySubjectAltName */
	UP_OLD,       /* an expired certificate */
	UP_STRANGER,  /* one of another authority */
	UP_ADDRESS,   /* by its address */
	UP_MUTUAL,    /* wants a certificate of us, and gets it */
	UP_BARE,      /* the same, and does not get it */
	UP_MISSING,   /* what is trusted there never came */
	UP_CLEAR,     /* no TLS is spoken there */
	UP_SILENT,    /* nothing is */
	UP_PAIR,      /* expired and good */
	UP_END,
};

static const struct rig_answer always_ok[] = { { OK("a"), 0, 0 },
	{ .bytes = NULL } };

static struct certificate authority, stranger, good, old, odd, address, client;
static const char *const named[] = { "nobody.test", "origin.example" };

/* How a test begins. */
static const struct image_build_tls usual[UP_END] = {
	[UP_GOOD] = { .roots = ROOTS },
	[UP_OTHER] = { .roots = ROOTS, .server_name = "other.test" },
	[UP_NAMED] = { .roots = ROOTS,
		.server_name = "other.test",
		.names = named,
		.name_count = 2 },
	[UP_OLD] = { .roots = ROOTS },
	[UP_STRANGER] = { .roots = ROOTS },
	[UP_ADDRESS] = { .roots = ROOTS, .server_name = "127.0.0.1" },
	[UP_MUTUAL] = { .roots = ROOTS, .identity = CLIENT },
	[UP_BARE] = { .roots = ROOTS },
	[UP_MISSING] = { .roots = NEVER_SENT },
	[UP_CLEAR] = { .roots = ROOTS },
	[UP_SILENT] = { .roots = ROOTS },
	[UP_PAIR] = { .roots = ROOTS },
};

static struct image_build_tls tls[UP_END];
static struct image_build_upstream upstreams[UP_END - UP_GOOD];
static struct model_route routes[UP_END - UP_GOOD];
static struct model_matcher matchers[UP_END - UP_GOOD];
static struct model_destination destinations[UP_END - UP_GOOD];
static char numbers[UP_END][16], paths[UP_END][16], names[UP_END][16];

static struct rig rig;
static struct tls_front *front, *front_old, *front_odd, *front_address,
	*front_mutual;
static struct tls_front_options options; /* those of front */
static int silent;
static uint16_t silent_port;

/* ---- the rig */

/* Returns the memory that it went in. */
static inline char *
material_send(uint64_t number, const struct certificate *ca,
	const struct certificate *own, size_t *length)
{
	struct wire_message m = rig_message(WIRE_MATERIAL);
	struct slice parts[] = { { "", 0 }, { "", 0 }, { "", 0 } };
	struct wire_material head = { 0 };
	struct error err = ERROR_INIT;
	char *memory, *at;
	int fd;

	if (ca != NULL)
		parts[0] = certificate_text(ca);
	if (own != NULL) {
		parts[1] = certificate_text(own);
		parts[2] = certificate_key_text(own);
	}
	head.ca_length = (uint32_t)parts[0].length;
	head.cert_length = (uint32_t)parts[1].length;
	head.key_length = (uint32_t)parts[2].length;
	*length = sizeof(head) + parts[0].length + parts[1].length +
		  parts[2].length;
	fd = shm_new_shared("material", *length, &err);
	memory = shm_map_shared(fd, length, &err);
	assert_non_null(memory);
	at = mempcpy(memory, &head, sizeof(head));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		at = mempcpy(at, parts[i].data, parts[i].length);
	m.material.number = number;
	m.material.length = (uint32_t)*length;
	rig_send(&rig, &m, &fd, 1);
	close(fd);
	return memory;
}

static inline void
material_give(uint64_t number, const struct certificate *ca,
	const struct certificate *own)
{
	size_t length;
	char *memory = material_send(number, ca, own, &length);

	shm_unmap(memory, length);
}

static inline void
routes_make(void)
{
	memcpy(tls, usual, sizeof(tls));
	for (int i = UP_GOOD; i < UP_END; i++) {
		int k = i - UP_GOOD;

		snprintf(numbers[i], sizeof(numbers[i]), "%d", i);
		snprintf(paths[i], sizeof(paths[i]), "/%d", i);
		snprintf(names[i], sizeof(names[i]), "g.%d", i);
		upstreams[k] = (struct image_build_upstream){ .id = (uint32_t)i,
			.name = names[i],
			.kind = "static",
			.connect_timeout_ms = i == UP_SILENT ? 200 : 5000,
			.balance.type = POLICY_ROUND_ROBIN,
			.tls = &tls[i] };
		destinations[k].upstream.name = numbers[i];
		destinations[k].weight = 1;
		matchers[k] =
			(struct model_matcher){ .path_type = MODEL_PATH_PREFIX,
				.path = paths[i] };
		routes[k] = (struct model_route){ .name = CHARS("r"),
			.matchers = &matchers[k],
			.matcher_count = 1,
			.destinations = &destinations[k],
			.destination_count = 1 };
	}
}

static inline void
image_next(void)
{
	rig_image(&rig, routes, ARRAY_SIZE(routes));
}

static inline void
endpoint_set(uint32_t id, uint16_t port)
{
	const struct rig_endpoint e = { .port = port, .weight = 1 };

	rig_endpoints(&rig, id, &e, 1);
}

static inline void
silent_listen(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(sin);

	silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(silent, (struct sockaddr *)&sin, length), 0);
	assert_int_equal(listen(silent, 16), 0);
	getsockname(silent, (struct sockaddr *)&sin, &length);
	silent_port = ntohs(sin.sin_port);
}

static inline struct tls_front *
front_of(const struct certificate *own, const struct certificate *wants)
{
	const struct tls_front_options o = { .own = own,
		.wants = wants,
		.origin = rig_origin_port(rig.origin) };

	return tls_front_new(&o);
}

static inline void
endpoints_send(void)
{
	const struct rig_endpoint pair[] = {
		{ .port = tls_front_port(front_old), .weight = 1 },
		{ .port = tls_front_port(front), .weight = 1 },
	};

	endpoint_set(UP_GOOD, tls_front_port(front));
	endpoint_set(UP_OTHER, tls_front_port(front));
	endpoint_set(UP_NAMED, tls_front_port(front));
	endpoint_set(UP_OLD, tls_front_port(front_old));
	endpoint_set(UP_STRANGER, tls_front_port(front_odd));
	endpoint_set(UP_ADDRESS, tls_front_port(front_address));
	endpoint_set(UP_MUTUAL, tls_front_port(front_mutual));
	endpoint_set(UP_BARE, tls_front_port(front_mutual));
	endpoint_set(UP_MISSING, tls_front_port(front));
	endpoint_set(UP_CLEAR, rig_origin_port(rig.origin));
	endpoint_set(UP_SILENT, silent_port);
	rig_endpoints(&rig, UP_PAIR, pair, 2);
}

static inline int
group_setup(void **state)
{
	(void)state;
#define MAKE(what, by, ...)                                                    \
	certificate_make(                                                      \
		&what, &(struct certificate_options){ __VA_ARGS__ }, by)
	MAKE(authority, NULL, .name = "authority", .authority = true);
	MAKE(stranger, NULL, .name = "stranger", .authority = true);
	MAKE(good, &authority, .name = "good", .names = "DNS:origin.example");
	MAKE(old, &authority, .name = "old", .names = "DNS:origin.example",
		.from_days = -9, .to_days = -1);
	MAKE(odd, &stranger, .name = "odd", .names = "DNS:origin.example");
	MAKE(address, &authority, .name = "address", .names = "IP:127.0.0.1");
	MAKE(client, &authority, .name = "client", .purpose = "clientAuth");
#undef MAKE
	return 0;
}

static inline int
group_teardown(void **state)
{
	struct certificate *all[] = { &authority, &stranger, &good, &old, &odd,
		&address, &client };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		certificate_drop(all[i]);
	return 0;
}

static inline int
setup(void **state)
{
	const struct wire_settings settings = {
		.workers = 1, .upstream_idle_ms = 30000, .body_idle_ms = 30000
	};

	(void)state;
	routes_make();
	/* Before there are threads, which the child would not have. */
	rig_start(&rig, &settings, NULL, 0);
	options = (struct tls_front_options){ .own = &good,
		.origin = rig_origin_port(rig.origin) };
	front = front_of(&good, NULL);
	front_old = front_of(&old, NULL);
	front_odd = front_of(&odd, NULL);
	front_address = front_of(&address, NULL);
	front_mutual = front_of(&good, &authority);
	silent_listen();
	material_give(ROOTS, &authority, NULL);
	material_give(ROOTS_OTHER, &stranger, NULL);
	material_give(CLIENT, NULL, &client);
	endpoints_send();
	rig.upstreams = upstreams;
	rig.upstream_count = ARRAY_SIZE(upstreams);
	image_next();
	rig_origin_script(rig.origin, always_ok);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	tls_front_free(front);
	tls_front_free(front_old);
	tls_front_free(front_odd);
	tls_front_free(front_address);
	tls_front_free(front_mutual);
	close(silent);
	return 0;
}

/* ---- asking */

/* Returns the client's socket. */
static inline int
client_send(const char *request)
{
	int fd = rig_client(&rig);

	rig_client_send(fd, request, strlen(request));
	return fd;
}

/* What is sent on it as well, or "". Returns the status; got: the answer. */
static inline int
ask_on(int fd, const char *request, struct str *got)
{
	rig_client_send(fd, request, strlen(request));
	str_clear(got);
	if (!rig_client_read(fd, got, SIZE_MAX, RIG_WAIT_MS))
		fail_msg("no end after\n%s", got->data);
	return atoi(got->length > 9 ? got->data + 9 : "0");
}

static inline void
ask(int upstream, int status)
{
	char request[128];
	struct str got;
	int fd = rig_client(&rig), answer;

	str_init(&got);
	snprintf(request, sizeof(request), GET("/%d"), upstream);
	answer = ask_on(fd, request, &got);
	if (answer != status)
		fail_msg("upstream %d: %s", upstream, got.data);
	/* What is wrong with its certificate is nothing for clients. */
	if (status == 503 && strstr(got.data, ": TLS with it failed\n") == NULL)
		fail_msg("%s", got.data);
	str_fini(&got);
	close(fd);
	rig_settled(&rig);
}

/* A line of the access log has it, or will. */
static inline void
log_await(const char *text)
{
	char line[4096] = "";

	for (int i = 0; i < RIG_WAIT_MS; i++) {
		FILE *f = fopen(rig.log_path, "r");
		bool there = false;

		assert_non_null(f);
		while (!there && fgets(line, sizeof(line), f) != NULL)
			there = strstr(line, text) != NULL;
		fclose(f);
		if (there)
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("no %s in %s", text, line);
}

static inline void
told(uint32_t upstream, const char *problem)
{
	struct wire_message m;

	do {
		if (!rig_receive(&rig, WIRE_TLS, &m, NULL))
			fail_msg("nothing is told of %u", upstream);
	} while (m.tls.upstream != upstream);
	m.text[WIRE_TEXT_MAX - 1] = '\0';
	if (problem[0] == '\0' ? m.text[0] != '\0'
			       : strstr(m.text, problem) == NULL)
		fail_msg("told: \"%s\"", m.text);
	assert_int_equal(m.tls.worker, 0);
	assert_true(addr_is_loopback(&m.tls.addr));
}

static inline struct counters_upstream
counted(uint32_t id)
{
	return rig_upstream_counters(&rig, id);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
