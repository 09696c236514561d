/*
 * Clients for drills: some keep their connection, some open one per request.
 * Every body carries an id and a checksum and must come back as it went.
 * Runs until SIGTERM or for the given seconds, then prints one JSON object:
 * what was sent, what failed and how, the longest time without a success.
 *
 * Usage: load ADDR PORT PATH KEEP FRESH RATE SECONDS
 *   KEEP, FRESH: clients of either sort; RATE: requests a second of them all
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum result {
	RESULT_OK,
	RESULT_REFUSED, /* connection refused */
	RESULT_RESET,   /* connection ended before the answer was complete */
	RESULT_CLOSED,  /* kept connection closed while it was idle */
	RESULT_STATUS,  /* an answer other than 200 */
	RESULT_WRONG,   /* 200 with another body: unforgivable */
	RESULT_TIMEOUT,
	RESULT_COUNT,
};

static const char *const result_names[] = { "ok", "refused", "reset", "closed",
	"status", "wrong", "timeout" };

static struct sockaddr_in target;
static const char *path;
static atomic_ulong results[RESULT_COUNT], sequence, announced_close;
static atomic_ullong last_ok_us, longest_gap_us;
static atomic_bool stop;
static atomic_int last_status;
static double interval_s;

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
on_signal(int signo)
{
	(void)signo;
	stop = true;
}

static uint32_t
checksum(const char *data, size_t length)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)data[i]) * 16777619u;
	return h;
}

/* id, checksum and filling that depends on the id: 64 to 4159 bytes. */
static size_t
make_body(char *out, unsigned long id)
{
	size_t length = 64 + (id * 2654435761u) % 4096;

	for (size_t i = 32; i < length; i++)
		out[i] = (char)('a' + (id + i * 7) % 26);
	snprintf(out, 33, "%016lx-%08x-      ", id,
		checksum(out + 32, length - 32));
	return length;
}

static int
dial(enum result *why)
{
	struct timeval tv = { .tv_sec = 10 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&target, sizeof(target)) == 0)
		return fd;
	*why = errno == ECONNREFUSED ? RESULT_REFUSED :
		errno == EINPROGRESS || errno == ETIMEDOUT ? RESULT_TIMEOUT :
							     RESULT_RESET;
	close(fd);
	return -1;
}

/* One request on fd; *open says whether the connection may be kept. */
static enum result
exchange(int fd, bool keep, unsigned long id, bool reused, bool *open)
{
	static _Thread_local char out[8192], in[16384];
	char body[4352], *end, *field;
	size_t length = make_body(body, id), have = 0, head, total;
	int n = snprintf(out, sizeof(out),
		"POST %s/%lu HTTP/1.1\r\nHost: load\r\nContent-Length: %zu\r\n"
		"%s\r\n",
		path, id, length, keep ? "" : "Connection: close\r\n");
	ssize_t got;

	*open = false;
	memcpy(out + n, body, length);
	if (send(fd, out, (size_t)n + length, MSG_NOSIGNAL) !=
		(ssize_t)((size_t)n + length))
		return reused ? RESULT_CLOSED : RESULT_RESET;
	for (;;) {
		got = recv(fd, in + have, sizeof(in) - 1 - have, 0);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return RESULT_TIMEOUT;
		if (got <= 0)
			return reused && have == 0 ? RESULT_CLOSED : RESULT_RESET;
		have += (size_t)got;
		in[have] = '\0';
		if ((end = strstr(in, "\r\n\r\n")) != NULL)
			break;
		if (have == sizeof(in) - 1)
			return RESULT_WRONG;
	}
	head = (size_t)(end - in) + 4;
	field = strcasestr(in, "\r\ncontent-length:");
	if (field == NULL || field > end)
		return RESULT_WRONG;
	total = head + strtoul(field + 17, NULL, 10);
	if (total > sizeof(in) - 1)
		return RESULT_WRONG;
	while (have < total) {
		got = recv(fd, in + have, total - have, 0);
		if (got <= 0)
			return RESULT_RESET;
		have += (size_t)got;
	}
	field = strcasestr(in, "\r\nconnection: close");
	*open = keep && (field == NULL || field > end);
	if (keep && !*open)
		announced_close++;
	if (strncmp(in + 9, "200", 3) != 0) {
		last_status = atoi(in + 9);
		return RESULT_STATUS;
	}
	if (have - head != length || memcmp(in + head, body, length) != 0)
		return RESULT_WRONG;
	return RESULT_OK;
}

static void
success(void)
{
	uint64_t now = now_us(), last = atomic_exchange(&last_ok_us, now);
	unsigned long long old = longest_gap_us;

	if (last == 0 || now < last)
		return;
	while (now - last > old &&
		!atomic_compare_exchange_weak(&longest_gap_us, &old, now - last))
		;
}

static void *
client(void *arg)
{
	bool keep = arg != NULL, open = false;
	uint64_t next = now_us();
	int fd = -1;

	while (!stop) {
		enum result r = RESULT_RESET;
		bool reused = open;
		uint64_t now = now_us();

		if (now < next)
			poll(NULL, 0, (int)((next - now) / 1000) + 1);
		next += (uint64_t)(interval_s * 1e6);
		if (next + 1000000 < now)
			next = now;
		if (stop)
			break;
		if (!open)
			fd = dial(&r);
		if (fd >= 0)
			r = exchange(fd, keep, sequence++, reused, &open);
		if (fd >= 0 && !open) {
			close(fd);
			fd = -1;
		}
		results[r]++;
		if (r == RESULT_OK)
			success();
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t threads[256];
	uint64_t start, us;
	int keep, fresh, count = 0;

	if (argc != 8 || inet_pton(AF_INET, argv[1], &target.sin_addr) != 1) {
		fprintf(stderr,
			"usage: load ADDR PORT PATH KEEP FRESH RATE SECONDS\n");
		return 1;
	}
	target.sin_family = AF_INET;
	target.sin_port = htons((uint16_t)atoi(argv[2]));
	path = argv[3];
	keep = atoi(argv[4]);
	fresh = atoi(argv[5]);
	if (keep + fresh < 1 || keep + fresh > 256)
		return 1;
	interval_s = (keep + fresh) / atof(argv[6]);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)atoi(argv[7]));
	start = now_us();
	for (int i = 0; i < keep + fresh; i++)
		if (pthread_create(&threads[count], NULL, client,
			    i < keep ? (void *)1 : NULL) == 0)
			count++;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	us = now_us() - start;
	printf("{\"seconds\": %.1f, \"rate\": %.0f, \"gap_ms\": %.1f, "
	       "\"announced_close\": %lu, \"last_status\": %d",
		(double)us / 1e6, (double)results[RESULT_OK] * 1e6 / (double)us,
		(double)longest_gap_us / 1000, (unsigned long)announced_close,
		(int)last_status);
	for (int i = 0; i < RESULT_COUNT; i++)
		printf(", \"%s\": %lu", result_names[i],
			(unsigned long)results[i]);
	printf("}\n");
	return 0;
}
