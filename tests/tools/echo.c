/*
 * An origin for load: answers every request with its own body (or, for a GET,
 * with the path), keep-alive, a thread per connection. Usage: echo ADDR PORT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 131072

static char *
find_line(char *head, const char *name)
{
	for (char *p = strstr(head, "\r\n"); p != NULL && p[2] != '\r';
		p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, name, strlen(name)) == 0)
			return p + 2 + strlen(name);
	return NULL;
}

static bool
send_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		data += n;
		length -= (size_t)n;
	}
	return true;
}

/* Answers one request at the front of buf; bytes used, 0: more, -1: end. */
static ssize_t
answer(int fd, char *buf, size_t have)
{
	char *end = memmem(buf, have, "\r\n\r\n", 4), *field, head[256];
	size_t head_length, body = 0;
	const char *text;
	int n;

	if (end == NULL)
		return have == ROOM ? -1 : 0;
	*(end + 3) = '\0';
	head_length = (size_t)(end - buf) + 4;
	field = find_line(buf, "content-length:");
	if (field != NULL)
		body = strtoul(field, NULL, 10);
	if (head_length + body > ROOM)
		return -1;
	if (have < head_length + body) {
		*(end + 3) = '\n';
		return 0;
	}
	text = buf + head_length;
	if (body == 0) {
		char *path = strchr(buf, ' ') + 1;
		text = path;
		body = strcspn(path, " ");
		n = snprintf(head, sizeof(head),
			"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
		if (!send_all(fd, head, (size_t)n) || !send_all(fd, text, body))
			return -1;
		return (ssize_t)head_length;
	}
	n = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
	if (!send_all(fd, head, (size_t)n) || !send_all(fd, text, body))
		return -1;
	return (ssize_t)(head_length + body);
}

static void *
serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *buf = malloc(ROOM + 1);
	size_t have = 0;

	while (buf != NULL) {
		ssize_t used = have > 0 ? answer(fd, buf, have) : 0, n;
		if (used < 0)
			break;
		if (used > 0) {
			have -= (size_t)used;
			memmove(buf, buf + used, have);
			continue;
		}
		n = recv(fd, buf + have, ROOM - have, 0);
		if (n <= 0)
			break;
		have += (size_t)n;
		buf[have] = '\0';
	}
	free(buf);
	close(fd);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	pthread_attr_t attr;
	int one = 1, fd;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &sa.sin_addr) != 1) {
		fprintf(stderr, "usage: echo ADDR PORT\n");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	sa.sin_port = htons((uint16_t)atoi(argv[2]));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
		listen(fd, 1024) != 0) {
		perror("echo: listen");
		return 1;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 65536);
	for (;;) {
		pthread_t t;
		int c = accept(fd, NULL, NULL);
		if (c < 0)
			continue;
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&t, &attr, serve, (void *)(intptr_t)c) != 0)
			close(c);
	}
}
