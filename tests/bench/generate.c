/*
 * The load generator of the benchmark: one thread, one epoll. It checks that
 * every answer has status 200 and the length that was asked for, and prints
 * one JSON object: requests, errors, seconds, and in the open loop the
 * latencies counted from when a request was meant to be sent.
 *
 * Usage: generate PORT PATH EXPECT [option]...
 *   EXPECT                 bytes of the body of every answer
 *   --connections N        kept connections (64)
 *   --seconds S            how long (2)
 *   --requests N           end after so many, whatever the time
 *   --body N               POST with a body of N bytes, one number in JSON
 *   --close                a new connection for each request
 *   --rate N               open loop: N requests a second
 *   --idle                 one request on each connection, then print and
 *                          hold them open until standard input ends
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE     262144
#define HEAD_MAX    4096
#define EVENTS      256
#define IDLE_FLIGHT 64    /* connections opened at a time with --idle */
#define ERRORS_MAX  1000  /* then it is no use going on */
#define LATE_MS     20000 /* for what is under way at the end */
#define SECOND_NS   UINT64_C(1000000000)

/* Latencies in nanoseconds: 64 buckets for each power of two. */
#define BUCKET_BITS 6
#define BUCKETS     (64 << BUCKET_BITS)

struct connection {
	int fd;
	bool busy, complete; /* complete: only the end is awaited */
	uint64_t meant_ns;   /* when its request was to be sent */
	uint32_t sent;       /* bytes of the request */
	uint32_t head_length;
	size_t left; /* bytes of the answer's body */
	char *head;  /* of an answer that came in parts */
};

static struct {
	struct sockaddr_in target;
	size_t expect, body, count;
	double seconds;
	uint64_t requests, rate;
	bool close, idle;
} conf = { .count = 64, .seconds = 2, .requests = UINT64_MAX };

static struct connection *connections;
static struct connection **spare; /* open loop: those without a request */
static size_t spare_count, opened, in_flight;
static uint64_t begun, done, errors, start_ns, stop_ns;
static uint64_t buckets[BUCKETS], longest_ns;
static char *request, buffer[RECEIVE];
static const char *first_error = "";
static size_t request_length;
static int epoll;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* ---- latencies */

static unsigned
bucket_of(uint64_t ns)
{
	unsigned power;

	if (ns < (1u << BUCKET_BITS))
		return (unsigned)ns;
	power = 63u - (unsigned)__builtin_clzll(ns);
	return ((power - BUCKET_BITS + 1) << BUCKET_BITS) +
	       (unsigned)(ns >> (power - BUCKET_BITS)) - (1u << BUCKET_BITS);
}

static uint64_t
bucket_value(unsigned bucket)
{
	unsigned power = bucket >> BUCKET_BITS;
	uint64_t rest = bucket & ((1u << BUCKET_BITS) - 1);

	if (power == 0)
		return rest;
	return (rest + (1u << BUCKET_BITS)) << (power - 1);
}

static double
percentile_us(double share)
{
	uint64_t wanted = (uint64_t)((double)done * share), seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += buckets[i];
		if (seen > wanted)
			return (double)bucket_value(i) / 1000;
	}
	return (double)longest_ns / 1000;
}

static void
latency_add(uint64_t ns)
{
	buckets[bucket_of(ns)]++;
	if (ns > longest_ns)
		longest_ns = ns;
}

/* ---- connections */

static bool connection_send(struct connection *c);
static void request_begin(struct connection *c, uint64_t meant_ns);

static bool
over(void)
{
	return begun >= conf.requests || errors > ERRORS_MAX ||
	       (!conf.idle && now_ns() >= stop_ns);
}

static void
connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void
connection_open(struct connection *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
					    EPOLLET,
		.data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0) {
		perror("generate: socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&conf.target,
		    sizeof(conf.target)) < 0 &&
		errno != EINPROGRESS) {
		perror("generate: connect");
		exit(1);
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

/* The connection has no request now. */
static void
connection_next(struct connection *c)
{
	if (conf.idle) {
		if (opened < conf.count && !over())
			request_begin(&connections[opened++], 0);
	} else if (conf.rate > 0) {
		spare[spare_count++] = c;
	} else if (!over()) {
		request_begin(c, 0);
	}
}

static void
request_failed(struct connection *c, const char *why)
{
	if (errors++ == 0)
		first_error = why;
	connection_close(c);
	if (!c->busy)
		return; /* it was idle, and waits among the spare ones */
	c->busy = false;
	in_flight--;
	if (!over())
		connection_next(c);
}

static void
request_begin(struct connection *c, uint64_t meant_ns)
{
	begun++;
	in_flight++;
	c->busy = true;
	c->complete = false;
	c->meant_ns = meant_ns;
	c->sent = c->head_length = 0;
	c->left = SIZE_MAX;
	if (c->fd < 0)
		connection_open(c); /* it is sent when connected */
	else if (!connection_send(c))
		request_failed(c, "send");
}

static void
request_end(struct connection *c)
{
	done++;
	in_flight--;
	c->busy = false;
	if (conf.rate > 0)
		latency_add(now_ns() - c->meant_ns);
	if (conf.close)
		connection_close(c);
	connection_next(c);
}

static bool
connection_send(struct connection *c)
{
	while (c->sent < request_length) {
		ssize_t n = send(c->fd, request + c->sent,
			request_length - c->sent, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		c->sent += (uint32_t)n;
	}
	return true;
}

/* Its Content-Length, or SIZE_MAX when the head is not what it should be. */
static size_t
head_read(const char *head, size_t length)
{
	const char *p = head, *end = head + length;

	if (length < 13 || memcmp(head, "HTTP/1.1 200 ", 13) != 0)
		return SIZE_MAX;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL && ++p < end)
		if ((*p | 0x20) == 'c' &&
			strncasecmp(p, "content-length:", 15) == 0)
			return strtoul(p + 15, NULL, 10);
	return SIZE_MAX;
}

/* What of n bytes belongs to the body; SIZE_MAX: the head is wrong. */
static size_t
head_take(struct connection *c, const char *bytes, size_t n)
{
	const char *head = bytes, *end;
	size_t length = n, kept = c->head_length;

	if (kept > 0) {
		if (kept + n > HEAD_MAX)
			n = HEAD_MAX - kept;
		memcpy(c->head + kept, bytes, n);
		head = c->head;
		length = kept + n;
	}
	end = memmem(head, length, "\r\n\r\n", 4);
	if (end == NULL) {
		if (length >= HEAD_MAX)
			return SIZE_MAX;
		if (c->head == NULL)
			c->head = malloc(HEAD_MAX);
		if (kept == 0)
			memcpy(c->head, bytes, n);
		c->head_length = (uint32_t)length;
		return 0;
	}
	c->left = head_read(head, (size_t)(end + 4 - head));
	if (c->left != conf.expect)
		return SIZE_MAX;
	return length - (size_t)(end + 4 - head);
}

/* False: the request has ended, well or not. */
static bool
answer_take(struct connection *c, size_t n)
{
	if (!c->busy || c->complete) {
		request_failed(c, "bytes that nobody asked for");
		return false;
	}
	if (c->left == SIZE_MAX) {
		n = head_take(c, buffer, n);
		if (n == SIZE_MAX) {
			request_failed(c, "not the answer that was asked for");
			return false;
		}
		if (c->left == SIZE_MAX)
			return true;
	}
	if (n > c->left) {
		request_failed(c, "more than the answer");
		return false;
	}
	c->left -= n;
	if (c->left > 0)
		return true;
	if (conf.close) {
		c->complete = true;
		return true;
	}
	request_end(c);
	return false;
}

static void
connection_read(struct connection *c, bool ended)
{
	for (;;) {
		ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);

		if (n > 0) {
			buffer[n < RECEIVE ? n : RECEIVE - 1] = '\0';
			if (!answer_take(c, (size_t)n) && !ended)
				return;
			if (c->fd < 0)
				return;
			if ((size_t)n < sizeof(buffer) && !ended)
				return;
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			return;
		if (n == 0 && c->complete) {
			request_end(c);
			return;
		}
		if (!c->busy && !conf.idle && conf.rate == 0 && over()) {
			connection_close(c);
			return;
		}
		request_failed(c, n == 0 ? "closed" : "reset");
		return;
	}
}

static void
connection_event(struct connection *c, unsigned events)
{
	if (c->fd < 0)
		return;
	if (events & EPOLLOUT && c->busy && c->sent < request_length) {
		if (!connection_send(c)) {
			request_failed(c, "send");
			return;
		}
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		connection_read(c, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* ---- the loop */

/* When the next request of the open loop is meant to be sent. */
static uint64_t
due_ns(void)
{
	return start_ns + (uint64_t)((double)begun * (double)SECOND_NS /
				     (double)conf.rate);
}

static void
send_due(void)
{
	while (spare_count > 0 && !over()) {
		uint64_t due = due_ns();

		if (due > now_ns())
			return;
		request_begin(spare[--spare_count], due);
	}
}

static void
wait_for_events(void)
{
	struct epoll_event events[EVENTS];
	uint64_t now = now_ns(), until = now + SECOND_NS / 20;
	struct timespec wait = { 0 };
	int n;

	if (conf.rate > 0 && spare_count > 0 && due_ns() < until)
		until = due_ns();
	if (until > now)
		wait.tv_nsec = (long)(until - now);
	n = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
	for (int i = 0; i < n; i++)
		connection_event(events[i].data.ptr, events[i].events);
}

static void
run(void)
{
	size_t first = conf.count;

	if (conf.idle && first > IDLE_FLIGHT)
		first = IDLE_FLIGHT;
	start_ns = now_ns();
	stop_ns = start_ns + (uint64_t)(conf.seconds * (double)SECOND_NS);
	for (opened = 0; opened < first; opened++) {
		if (conf.rate > 0)
			spare[spare_count++] = &connections[opened];
		else if (!over())
			request_begin(&connections[opened], 0);
	}
	while (!over() && (in_flight > 0 || conf.rate > 0)) {
		if (conf.rate > 0)
			send_due();
		wait_for_events();
	}
	stop_ns = now_ns();
	while (in_flight > 0 && now_ns() < stop_ns + LATE_MS * 1000000ull &&
		errors <= ERRORS_MAX)
		wait_for_events();
	errors += in_flight;
	if (in_flight > 0 && errors == in_flight)
		first_error = "no answer";
}

static void
request_make(const char *path)
{
	size_t size = strlen(path) + conf.body + 512;
	int n;

	request = malloc(size);
	if (request == NULL)
		exit(1);
	n = snprintf(request, size,
		"%s %s HTTP/1.1\r\nHost: bench.example.com\r\n"
		"User-Agent: bench/1.0\r\nAccept: */*\r\n%s",
		conf.body > 0 ? "POST" : "GET", path,
		conf.close ? "Connection: close\r\n" : "");
	if (conf.body > 0)
		n += snprintf(
			request + n, 64, "Content-Length: %zu\r\n", conf.body);
	n += snprintf(request + n, 3, "\r\n");
	memset(request + n, '1', conf.body);
	request_length = (size_t)n + conf.body;
}

static void
report(void)
{
	printf("{\"requests\": %llu, \"errors\": %llu, \"error\": \"%s\", "
	       "\"seconds\": %.4f",
		(unsigned long long)done, (unsigned long long)errors,
		first_error, (double)(stop_ns - start_ns) / 1e9);
	if (conf.rate > 0)
		printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, "
		       "\"p999_us\": %.1f, \"max_us\": %.1f",
			percentile_us(0.5), percentile_us(0.99),
			percentile_us(0.999), (double)longest_ns / 1000);
	printf("}\n");
	fflush(stdout);
}

static int
usage(void)
{
	fprintf(stderr, "usage: generate PORT PATH EXPECT [option]...\n");
	return 2;
}

static bool
options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "connections", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "requests", required_argument, NULL, 'r' },
		{ "body", required_argument, NULL, 'b' },
		{ "close", no_argument, NULL, 'c' },
		{ "rate", required_argument, NULL, 'R' },
		{ "idle", no_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'n':
			conf.count = strtoul(optarg, NULL, 10);
			break;
		case 's':
			conf.seconds = strtod(optarg, NULL);
			break;
		case 'r':
			conf.requests = strtoull(optarg, NULL, 10);
			break;
		case 'b':
			conf.body = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			conf.close = true;
			break;
		case 'R':
			conf.rate = strtoull(optarg, NULL, 10);
			break;
		case 'i':
			conf.idle = true;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 3 && conf.count > 0;
}

int
main(int argc, char **argv)
{
	if (!options_read(argc, argv))
		return usage();
	conf.target = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[optind])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	conf.expect = strtoul(argv[optind + 2], NULL, 10);
	request_make(argv[optind + 1]);
	connections = calloc(conf.count, sizeof(*connections));
	spare = calloc(conf.count, sizeof(struct connection *));
	if (connections == NULL || spare == NULL)
		return 1;
	for (size_t i = 0; i < conf.count; i++)
		connections[i].fd = -1;
	prctl(PR_SET_TIMERSLACK, 1);
	epoll = epoll_create1(0);
	/* Whatever happens, it ends. */
	alarm((unsigned)conf.seconds + 60);
	run();
	report();
	if (conf.idle) {
		alarm(120);
		while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
			;
	}
	return errors > ERRORS_MAX;
}
