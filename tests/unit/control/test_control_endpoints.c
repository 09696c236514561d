/*
 * What control knows of endpoints, of its own checks and of the failures that
 * the proxy reports: told to the proxy, shown in status.
 */
#include "control_child.h"

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

	/* As port_free holds it. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	/* Nobody accepts: room for a check every 100 ms. */
	assert_int_equal(listen(fd, 4096), 0);
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
test_withheld(void **state)
{
	(void)state;
	expect("PUT", UP("tattle"),
		UPSTREAM("tattle") "outlierDetection: { consecutive5xx: 5, "
				   "enforcingConsecutive5xx: 0, "
				   "enforcingConsecutiveGatewayFailure: 0 }\n",
		200, NULL, NULL);
	until_number("tattle", "ejectionsWithheld", NULL, 1);
	until_number("tattle", "ejected", NULL, 0);
	expect("DELETE", UP("tattle"), "", 200, NULL, NULL);
}

static void
why_is(const char *name, const char *says)
{
	const struct doc *item;
	const char *why;
	char path[128];
	struct doc *body;

	snprintf(path, sizeof(path),
		"/v1/endpoints?namespace=gloo-system&name=%s", name);
	assert_int_equal(ask("GET", path, "text/plain", "", &body), 200);
	item = doc_at(doc_get(body, "items"), 0);
	why = doc_get_string(doc_at(doc_get(item, "endpoints"), 0), "why");
	if (says == NULL)
		assert_null(why);
	else
		assert_ptr_equal(why, strstr(why, says));
	doc_free(body);
}

static void
problem_is(const char *name, const char *says)
{
	const struct doc *item;
	const char *problem;
	char path[128];
	struct doc *body;

	snprintf(path, sizeof(path),
		"/v1/endpoints?namespace=gloo-system&name=%s", name);
	assert_int_equal(ask("GET", path, "text/plain", "", &body), 200);
	item = doc_at(doc_get(body, "items"), 0);
	problem = doc_get_string(
		doc_at(doc_get(item, "endpoints"), 0), "problem");
	if (says == NULL)
		assert_null(problem);
	else
		assert_string_equal(problem, says);
	doc_free(body);
}

/* The proxy says with whom TLS fails. */
static void
test_tls_fails(void **state)
{
	(void)state;
	expect("PUT", UP("shaky"), UPSTREAM("shaky"), 200, NULL, NULL);
	until_text(UP("shaky"), "status", "reason",
		"TLS with 127.0.0.1:80 fails: its certificate?has expired");
	until_text(UP("shaky"), "status", "state", "Warning");
	problem_is("shaky", "its certificate?has expired");
	expect("DELETE", UP("shaky"), "", 200, NULL, NULL);
	expect("PUT", UP("shaky-mended"), UPSTREAM("shaky-mended"), 200, NULL,
		NULL);
	until_text(UP("shaky-mended"), "status", "state", "Accepted");
	problem_is("shaky-mended", NULL);
	expect("DELETE", UP("shaky-mended"), "", 200, NULL, NULL);
}

#define SLOW(window)                                                           \
	UPSTREAM("slow") "loadBalancerConfig: { roundRobin: { slowStartConfig" \
			 ": { slowStartWindow: " window " } } }\n"

static void
test_slow_start(void **state)
{
	(void)state;
	expect("PUT", UP("slow"), SLOW("1h"), 200, NULL, NULL);
	why_is("slow", "slow start, 3"); /* 3600 s, or some less */
	expect("PUT", UP("slow"), UPSTREAM("slow"), 200, NULL, NULL);
	why_is("slow", NULL);
	expect("DELETE", UP("slow"), "", 200, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_health),
		CASE(test_ejection),
		CASE(test_withheld),
		CASE(test_slow_start),
		CASE(test_tls_fails),
	};

	if (fake_is_asked_for(argc, argv))
		return fake_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
