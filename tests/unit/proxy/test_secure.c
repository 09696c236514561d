/* TLS to upstreams, as the proxy speaks it: a proxy in a child, servers of TLS
 * before the rig's origin. */
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
#include "net/channel.h"
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

static struct image_build_tls tls[UP_END] = {
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

static struct image_build_upstream upstreams[UP_END - UP_GOOD];
static struct model_route routes[UP_END - UP_GOOD];
static struct model_matcher matchers[UP_END - UP_GOOD];
static struct model_destination destinations[UP_END - UP_GOOD];
static char numbers[UP_END][8], paths[UP_END][8], names[UP_END][16];

static struct rig rig;
static struct tls_front *front, *front_old, *front_odd, *front_address,
	*front_mutual;
static struct tls_front_options options;
static int silent;
static uint16_t silent_port;

/* ---- the rig */

/* Returns the memory that it went in. */
static char *
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

static void
material_give(uint64_t number, const struct certificate *ca,
	const struct certificate *own)
{
	size_t length;
	char *memory = material_send(number, ca, own, &length);

	shm_unmap(memory, length);
}

static void
routes_make(void)
{
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

static void
image_next(void)
{
	rig_image(&rig, routes, ARRAY_SIZE(routes));
}

static void
endpoint_set(uint32_t id, uint16_t port)
{
	const struct rig_endpoint e = { .port = port, .weight = 1 };

	rig_endpoints(&rig, id, &e, 1);
}

static void
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

static struct tls_front *
front_of(const struct certificate *own, const struct certificate *wants)
{
	options.own = own;
	options.wants = wants;
	return tls_front_new(&options);
}

static void
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

static int
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
	routes_make();
	return 0;
}

static int
group_teardown(void **state)
{
	struct certificate *all[] = { &authority, &stranger, &good, &old, &odd,
		&address, &client };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		certificate_drop(all[i]);
	return 0;
}

static int
setup(void **state)
{
	const struct wire_settings settings = { .workers = 1,
		.upstream_idle_ms = 30000,
		.body_idle_ms = 30000 };

	(void)state;
	/* Before there are threads, which the child would not have. */
	rig_start(&rig, &settings, NULL, 0);
	options = (struct tls_front_options){ .origin = rig_origin_port(
						      rig.origin) };
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

static int
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

static int
ask_on(int fd, const char *request, struct str *got)
{
	rig_client_send(fd, request, strlen(request));
	str_clear(got);
	if (!rig_client_read(fd, got, SIZE_MAX, RIG_WAIT_MS))
		fail_msg("no end after\n%s", got->data);
	return atoi(got->length > 9 ? got->data + 9 : "0");
}

static void
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

/* The last line of the access log has it. */
static void
log_has(const char *text)
{
	char line[4096] = "", last[4096] = "";
	FILE *f;

	/* It is written when the proxy has ended, at the latest. */
	f = fopen(rig.log_path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		strcpy(last, line);
	fclose(f);
	if (strstr(last, text) == NULL)
		fail_msg("no %s in %s", text, last);
}

static void
log_await(const char *text)
{
	char line[4096];

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
	log_has(text);
}

static void
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

static struct counters_upstream
counted(uint32_t id)
{
	return rig_upstream_counters(&rig, id);
}

/* ---- the tests */

static void
good_servers_are_asked(void **state)
{
	static const uint32_t ids[] = { UP_GOOD, UP_NAMED, UP_ADDRESS,
		UP_MUTUAL };
	struct str name;

	(void)state;
	str_init(&name);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		ask((int)ids[i], 200);
		assert_int_equal(counted(ids[i]).connections_opened, 1);
		assert_int_equal(counted(ids[i]).tls_failures, 0);
		if (ids[i] == UP_GOOD) {
			tls_front_name(front, &name);
			assert_string_equal(name.data, "origin.example");
		}
		if (ids[i] == UP_NAMED) {
			tls_front_name(front, &name);
			assert_string_equal(name.data, "other.test");
		}
	}
	tls_front_name(front_address, &name);
	assert_string_equal(name.data, "");
	str_fini(&name);
}

static void
bad_servers_get_nothing(void **state)
{
	static const struct {
		uint32_t id;
		const char *problem;
	} rows[] = {
		{ UP_OTHER, "its certificate is for origin.example, not for "
			    "other.test" },
		{ UP_OLD, "its certificate (CN=old) has expired: it was valid "
			  "until " },
		{ UP_STRANGER,
			"its certificate (CN=odd) comes from CN=stranger, "
			"which is neither sent along nor one of those that "
			"are trusted" },
		{ UP_BARE, "it refused with the alert \\\"" },
		{ UP_MISSING,
			"the certificates that are trusted did not come" },
		{ UP_SILENT, "the handshake was not over in time" },
	};
	struct str seen;

	(void)state;
	str_init(&seen);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char problem[WIRE_TEXT_MAX], detail[400];

		ask((int)rows[i].id, 503);
		assert_int_equal(counted(rows[i].id).tls_failures, 1);
		/* A refusal may come when a request is on its way. */
		assert_true(counted(rows[i].id).requests <=
			(rows[i].id == UP_BARE));
		rig_origin_seen(rig.origin, &seen);
		assert_string_equal(seen.data, "");
		snprintf(detail, sizeof(detail),
			"\"reason\":\"upstream_tls\",\"detail\":\"%s",
			rows[i].problem);
		log_await(detail);
		snprintf(problem, sizeof(problem), "%s", rows[i].problem);
		if (strstr(problem, "\\\"") != NULL)
			*strstr(problem, "\\\"") = '\0';
		told(rows[i].id, problem);
	}
	str_fini(&seen);
}

/* An alert that says nothing of us may come when the request was taken: it is
 * not sent to another, whatever its method. */
static void
other_alerts_are_a_reset(void **state)
{
	static const char post[] =
		"POST /21 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: 2\r\n\r\nab";
	struct tls_front_counts counts, other;
	struct str got;
	int status, tries = 0;

	(void)state;
	str_init(&got);
	tls[UP_PAIR].identity = CLIENT;
	options.own = &good;
	options.wants = &authority;
	options.sick = X509_V_ERR_OUT_OF_MEM; /* internal error (80) */
	options.version = TLS1_3_VERSION;
	tls_front_change(front, &options);
	tls_front_change(front_old, &options);
	image_next();
	/* While nothing is on its way it is a failure of the handshake, and
	 * somebody else is asked. */
	do {
		int fd = rig_client(&rig);

		status = ask_on(fd, post, &got);
		close(fd);
	} while (status == 503 && ++tries < 50);
	assert_int_equal(status, 502);
	log_await("\"upstream_reset\"");
	assert_int_equal(counted(UP_PAIR).reset, 1);
	assert_int_equal(counted(UP_PAIR).requests, 1);
	tls_front_count(front, &counts);
	tls_front_count(front_old, &other);
	assert_int_equal(counts.accepted + other.accepted,
		counted(UP_PAIR).tls_failures + 1);
	tls[UP_PAIR].identity = 0;
	options = (struct tls_front_options){ .origin = rig_origin_port(
						      rig.origin) };
	str_fini(&got);
}

/* The rig's origin, plain, never answers to a handshake: it waits for the rest
 * of a request. Another one does. */
static void
what_is_no_tls(void **state)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct wire_message m;
	int fd, peer;
	char bytes[2048];

	(void)state;
	fd = rig_client(&rig);
	endpoint_set(UP_CLEAR, silent_port);
	image_next();
	rig_client_send(fd, GET("/19"), strlen(GET("/19")));
	peer = accept(silent, NULL, NULL);
	assert_true(recv(peer, bytes, sizeof(bytes), 0) > 0);
	assert_int_equal(bytes[0], 0x16); /* a handshake, no request */
	send(peer, answer, strlen(answer), 0);
	do
		assert_true(rig_receive(&rig, WIRE_TLS, &m, NULL));
	while (m.tls.upstream != UP_CLEAR);
	assert_string_equal(m.text, "what it says is not TLS");
	close(peer);
	close(fd);
}

static void
another_endpoint_is_asked(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		ask(UP_PAIR, 200);
	assert_true(counted(UP_PAIR).tls_failures > 0);
	assert_int_equal(counted(UP_PAIR).responses_5xx, 0);
}

/* Told once while it stays, and when it is over. */
static void
what_is_mended_is_told(void **state)
{
	struct wire_message m;

	(void)state;
	ask(UP_OLD, 503);
	ask(UP_OLD, 503);
	told(UP_OLD, "has expired");
	options.own = &good;
	options.wants = NULL;
	tls_front_change(front_old, &options);
	ask(UP_OLD, 200);
	/* The next is that it works, however soon. */
	assert_true(rig_receive(&rig, WIRE_TLS, &m, NULL));
	assert_int_equal(m.tls.upstream, UP_OLD);
	assert_string_equal(m.text, "");
	options.own = &old;
}

/* What was wrong is nothing that is said of another configuration: no request
 * has to come first. */
static void
a_problem_ends_with_its_cause(void **state)
{
	const struct wire_message *m = &rig.tls_passed_over;

	(void)state;
	ask(UP_OTHER, 503);
	told(UP_OTHER, "not for other.test");
	tls[UP_OTHER].server_name = "origin.example";
	image_next();
	assert_int_equal(m->tls.upstream, UP_OTHER);
	assert_string_equal(m->text, "");
	rig.tls_passed_over = (struct wire_message){ 0 };
	ask(UP_OTHER, 200);
	tls[UP_OTHER].server_name = "other.test";
	image_next();
	ask(UP_OTHER, 503);
	told(UP_OTHER, "not for other.test");
	upstreams[UP_OTHER - UP_GOOD].tls = NULL;
	image_next();
	assert_int_equal(m->tls.upstream, UP_OTHER);
	assert_string_equal(m->text, "");
	upstreams[UP_OTHER - UP_GOOD].tls = &tls[UP_OTHER];
}

static void
connections_are_kept(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	for (int i = 0; i < 5; i++)
		ask(UP_GOOD, 200);
	tls_front_count(front, &counts);
	assert_int_equal(counts.accepted, 1);
	assert_int_equal(counted(UP_GOOD).connections_reused, 4);
}

static void
sessions_are_resumed(void **state)
{
	static const struct rig_answer closing[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		  "Connection: close\r\n\r\na",
			RIG_CLOSE, 0 },
		{ .bytes = NULL }
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	rig_origin_script(rig.origin, closing);
	for (size_t v = 0; v < 2; v++) {
		struct tls_front_counts before, after;

		options.own = &good;
		options.wants = NULL;
		options.version = versions[v];
		tls_front_change(front, &options);
		tls_front_count(front, &before);
		for (int i = 0; i < 5; i++)
			ask(UP_GOOD, 200);
		tls_front_count(front, &after);
		assert_int_equal(after.shaken - before.shaken, 5);
		assert_int_equal(after.resumed - before.resumed, 4);
	}
	options.version = 0;
}

/* A pool of before is not used when TLS is to be otherwise. */
static void
changes_end_what_waits(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	ask(UP_GOOD, 200);
	/* Nothing of it changes: it stays. */
	image_next();
	ask(UP_GOOD, 200);
	tls_front_count(front, &counts);
	assert_int_equal(counts.accepted, 1);
	/* A name that its certificate is not for. */
	tls[UP_GOOD].server_name = "other.test";
	image_next();
	assert_true(tls_front_wait_ended(front, 1));
	ask(UP_GOOD, 503);
	/* Another authority. */
	tls[UP_GOOD] = (struct image_build_tls){ .roots = ROOTS_OTHER };
	image_next();
	ask(UP_GOOD, 503);
	log_await("comes from CN=authority");
	tls[UP_GOOD] = (struct image_build_tls){ .roots = ROOTS };
	image_next();
	ask(UP_GOOD, 200);
	/* In the clear: nothing that was of TLS is used. */
	upstreams[0].tls = NULL;
	endpoint_set(UP_GOOD, rig_origin_port(rig.origin));
	image_next();
	ask(UP_GOOD, 200);
	upstreams[0].tls = &tls[UP_GOOD];
}

/* A request that is under way when TLS changes ends as it began, and its
 * connection with it. */
static void
a_busy_connection_is_not_kept(void **state)
{
	static const struct rig_answer later[] = { { "", RIG_SILENT, 0 },
		{ .bytes = NULL } };
	struct tls_front_counts counts;
	int fd = rig_client(&rig);

	(void)state;
	rig_origin_script(rig.origin, later);
	rig_client_send(fd, GET("/10"), strlen(GET("/10")));
	assert_true(rig_origin_wait(rig.origin, 10));
	tls[UP_GOOD].alpn = (const char *const[]){ "http/1.1", "http/1.0" };
	tls[UP_GOOD].alpn_count = 2;
	image_next();
	tls_front_count(front, &counts);
	assert_int_equal(counts.ended, 0);
	rig_client_reset(fd);
	assert_true(tls_front_wait_ended(front, 1));
	rig_origin_script(rig.origin, always_ok);
	ask(UP_GOOD, 200);
	tls[UP_GOOD] = (struct image_build_tls){ .roots = ROOTS };
}

/* The image of before has TLS, and maxConnections 1; a request is on the one
 * connection, the next waits for it. */
static void
one_is_busy_one_waits(int *busy, int *waiting)
{
	static const struct policy_breakers one = { .connections = 1,
		.pending = 9,
		.requests = 9 };
	static const struct rig_answer on_shut[] = { { "", RIG_SILENT, 0 },
		{ OK("a"), 0, 0 }, { .bytes = NULL } };

	upstreams[0].breakers = &one;
	image_next();
	rig_origin_script(rig.origin, on_shut);
	*busy = rig_client(&rig);
	rig_client_send(*busy, GET("/10"), strlen(GET("/10")));
	assert_true(rig_origin_wait(rig.origin, 10));
	*waiting = rig_client(&rig);
	rig_client_send(*waiting, GET("/10"), strlen(GET("/10")));
	assert_true(rig_await(&rig, UP_GOOD, "pending_active", 1));
}

/* Its secret is gone for a while: who waited since before goes by TLS. */
static void
who_waits_goes_by_tls(void **state)
{
	int busy, waiting;
	struct str got;

	(void)state;
	str_init(&got);
	one_is_busy_one_waits(&busy, &waiting);
	upstreams[0].tls = NULL;
	upstreams[0].unavailable = "its secret is gone";
	image_next();
	rig_client_reset(busy);
	assert_int_equal(ask_on(waiting, "", &got), 200);
	close(waiting);
	assert_int_equal(counted(UP_GOOD).requests, 2);
	assert_int_equal(counted(UP_GOOD).tls_failures, 0);
	/* It was the last one: no connection is kept, nor what it was made
	 * with. */
	assert_true(tls_front_wait_ended(front, 2));
	upstreams[0].tls = &tls[UP_GOOD];
	upstreams[0].unavailable = NULL;
	upstreams[0].breakers = NULL;
	str_fini(&got);
}

/* It is to be spoken to in the clear: what was meant for TLS is not. */
static void
who_waits_for_tls_gets_no_clear_one(void **state)
{
	int busy, waiting;
	struct str got;

	(void)state;
	str_init(&got);
	one_is_busy_one_waits(&busy, &waiting);
	upstreams[0].tls = NULL;
	endpoint_set(UP_GOOD, rig_origin_port(rig.origin));
	image_next();
	rig_client_reset(busy);
	assert_int_equal(ask_on(waiting, "", &got), 503);
	close(waiting);
	log_await("in the clear by now");
	assert_int_equal(counted(UP_GOOD).requests, 1);
	assert_int_equal(counted(UP_GOOD).tls_failures, 1);
	assert_int_equal(counted(UP_GOOD).connections_opened, 1);
	ask(UP_GOOD, 200);
	upstreams[0].tls = &tls[UP_GOOD];
	upstreams[0].breakers = NULL;
	str_fini(&got);
}

/* RFC 9112 6.3: what ends with the connection is cut when TLS is. */
static void
cut_answers_are_no_answers(void **state)
{
	static const struct rig_answer open_end[] = {
		{ "HTTP/1.1 200 OK\r\n\r\nsome of it", RIG_CLOSE, 0 },
		{ .bytes = NULL }
	};
	static const char request[] = "GET /10 HTTP/1.0\r\nHost: h\r\n\r\n";
	struct counters_listener before, after;
	struct str got;

	(void)state;
	str_init(&got);
	for (int cuts = 0; cuts < 2; cuts++) {
		int fd = rig_client(&rig);

		options.own = &good;
		options.wants = NULL;
		options.cuts = cuts;
		tls_front_change(front, &options);
		rig_origin_script(rig.origin, open_end);
		before = rig_counters(&rig);
		assert_int_equal(ask_on(fd, request, &got), 200);
		close(fd);
		rig_settled(&rig);
		after = rig_counters(&rig);
		assert_int_equal(
			after.responses_aborted - before.responses_aborted,
			cuts);
		assert_int_equal(counted(UP_GOOD).reset, cuts);
		/* It is no failure of TLS. */
		assert_int_equal(counted(UP_GOOD).tls_failures, 0);
	}
	options.cuts = false;
	str_fini(&got);
}

static void
much_goes_through(void **state)
{
	enum {
		LENGTH = 3000000
	};
	static char answer[LENGTH + 100], body[LENGTH];
	static struct rig_answer script[2];
	int head = snprintf(answer, sizeof(answer),
		"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LENGTH);
	char request[128];
	struct str got;
	int fd = rig_client(&rig);

	(void)state;
	str_init(&got);
	for (int i = 0; i < LENGTH; i++)
		answer[head + i] = body[i] = (char)('a' + i * 31 % 26);
	script[0] = (struct rig_answer){ answer, 0, (size_t)head + LENGTH };
	rig_origin_script(rig.origin, script);
	assert_int_equal(ask_on(fd, GET("/10"), &got), 200);
	assert_true(got.length > LENGTH);
	assert_memory_equal(got.data + got.length - LENGTH, body, LENGTH);
	close(fd);
	/* And the other way. */
	rig_origin_script(rig.origin, always_ok);
	fd = rig_client(&rig);
	snprintf(request, sizeof(request),
		"POST /10 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
		"Content-Length: %d\r\n\r\n",
		1000000);
	rig_client_send(fd, request, strlen(request));
	rig_client_send(fd, body, 1000000);
	assert_int_equal(ask_on(fd, "", &got), 200);
	rig_origin_seen(rig.origin, &got);
	assert_true(got.length > 1000000);
	assert_memory_equal(got.data + got.length - 1000000, body, 1000000);
	close(fd);
	str_fini(&got);
}

static void
other_protocols_are_refused(void **state)
{
	(void)state;
	options.own = &good;
	options.wants = NULL;
	options.alpn = "h2";
	tls_front_change(front, &options);
	/* It was not offered. */
	ask(UP_GOOD, 503);
	told(UP_GOOD, "the handshake: bad extension");
	tls[UP_GOOD].alpn = (const char *const[]){ "h2", "http/1.1" };
	tls[UP_GOOD].alpn_count = 2;
	image_next();
	ask(UP_GOOD, 503);
	told(UP_GOOD, "it wants to speak \"h2\", which is not spoken here");
	options.alpn = "http/1.1";
	tls_front_change(front, &options);
	ask(UP_GOOD, 200);
	options.alpn = NULL;
	tls[UP_GOOD] = (struct image_build_tls){ .roots = ROOTS };
}

static void
who_speaks_unasked_is_refused(void **state)
{
	(void)state;
	options.own = &good;
	options.wants = NULL;
	/* In TLS 1.2 it comes with the end of the handshake. */
	options.version = TLS1_2_VERSION;
	options.speaks = true;
	options.origin = 0;
	tls_front_change(front, &options);
	for (int i = 0; i < 20; i++) {
		struct str got;
		int fd = rig_client(&rig), status;

		str_init(&got);
		status = ask_on(fd, GET("/10"), &got);
		/* Never an answer; what it is depends on which came first. */
		assert_true(status == 502 || status == 503);
		str_fini(&got);
		close(fd);
	}
	options = (struct tls_front_options){ .origin = rig_origin_port(
						      rig.origin) };
}

/* What brought a key is empty when the proxy has it. */
static void
materials_are_wiped(void **state)
{
	size_t length;
	char *memory = material_send(500, NULL, &client, &length);

	(void)state;
	image_next();
	for (size_t i = 0; i < length; i++)
		assert_int_equal(memory[i], 0);
	shm_unmap(memory, length);
}

static void
what_is_forgotten_can_come_again(void **state)
{
	struct wire_message m = rig_message(WIRE_MATERIAL_FORGET);

	(void)state;
	ask(UP_GOOD, 200);
	m.number = ROOTS;
	rig_send(&rig, &m, NULL, 0);
	/* Contexts that there are have what they need. */
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].version_min = TLS1_2_VERSION;
	image_next();
	ask(UP_GOOD, 503);
	log_await("did not come");
	material_give(ROOTS, &authority, NULL);
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].version_min = 0;
}

/* Control ended without a word, and another came: it does not know what that
 * sent, so that nobody would say that it is to be forgotten. */
static void
what_another_control_left_goes(void **state)
{
	struct error err = ERROR_INIT;
	struct wire_message m;

	(void)state;
	material_give(700, &authority, NULL);
	image_next();
	close(rig.channel);
	rig.channel = channel_connect(rig.takeover_path, &err);
	assert_true(rig.channel >= 0);
	assert_true(rig_receive(&rig, WIRE_HELLO_END, &m, NULL));
	material_give(701, &authority, NULL);
	image_next();
	/* What the image names is there, what this control sent as well. */
	tls[UP_GOOD].version_min = TLS1_2_VERSION;
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].roots = 701;
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].roots = 700;
	image_next();
	ask(UP_GOOD, 503);
	log_await("did not come");
	material_give(700, &authority, NULL);
	image_next();
	ask(UP_GOOD, 200);
	tls[UP_GOOD].roots = ROOTS;
	tls[UP_GOOD].version_min = 0;
	image_next();
}

static void
bad_materials_do_no_harm(void **state)
{
	static const struct wire_material heads[] = {
		{ UINT32_MAX, UINT32_MAX, UINT32_MAX, 0 },
		{ 1, 0, 0, 0 },
		{ 0, 0, 33, 0 },
		{ 31, 0, 0, 0 },
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads) + 2; i++) {
		struct wire_message m = rig_message(WIRE_MATERIAL);
		size_t length =
			i < ARRAY_SIZE(heads) ? sizeof(heads[0]) + 32 : 3;
		int fd = shm_new_shared("bad", length, &err);
		char *memory = shm_map_shared(fd, &length, &err);

		if (i < ARRAY_SIZE(heads))
			memcpy(memory, &heads[i], sizeof(heads[i]));
		m.material.number = 600 + i;
		rig_send(&rig, &m, &fd, i < ARRAY_SIZE(heads) + 1 ? 1 : 0);
		shm_unmap(memory, length);
		close(fd);
	}
	image_next();
	ask(UP_GOOD, 200);
}

/* The end of a connection is said, so that the server does not take it for
 * cut. */
static void
ends_are_said(void **state)
{
	struct tls_front_counts counts;

	(void)state;
	ask(UP_GOOD, 200);
	upstreams[0].tls = NULL;
	image_next();
	assert_true(tls_front_wait_ended(front, 1));
	tls_front_count(front, &counts);
	assert_int_equal(counts.notified, 1);
	upstreams[0].tls = &tls[UP_GOOD];
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_servers_are_asked),
		TEST(bad_servers_get_nothing),
		TEST(other_alerts_are_a_reset),
		TEST(what_is_no_tls),
		TEST(another_endpoint_is_asked),
		TEST(what_is_mended_is_told),
		TEST(a_problem_ends_with_its_cause),
		TEST(connections_are_kept),
		TEST(sessions_are_resumed),
		TEST(changes_end_what_waits),
		TEST(a_busy_connection_is_not_kept),
		TEST(who_waits_goes_by_tls),
		TEST(who_waits_for_tls_gets_no_clear_one),
		TEST(cut_answers_are_no_answers),
		TEST(much_goes_through),
		TEST(other_protocols_are_refused),
		TEST(who_speaks_unasked_is_refused),
		TEST(materials_are_wiped),
		TEST(what_is_forgotten_can_come_again),
		TEST(what_another_control_left_goes),
		TEST(bad_materials_do_no_harm),
		TEST(ends_are_said),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
