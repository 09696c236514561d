/* A name server on loopback that says what a test wants. */
#include "tests/lib/dns_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"

#define MESSAGE_MAX 65535
#define UDP_MAX     512
#define MANY        3000

struct message {
	uint8_t bytes[MESSAGE_MAX + 64];
	size_t length;
};

struct client { /* of TCP, one question */
	struct client *next;
	struct dns_server *server;
	struct loop_fd *watch;
	int fd;
};

struct dns_server {
	struct loop *loop;
	int udp, tcp;
	struct loop_fd *udp_watch, *tcp_watch;
	struct client *clients;
	char where[64];
	const struct dns_record *records;
	const struct dns_rule *rules;
	size_t asked, asked_tcp;
};

struct question {
	const uint8_t *bytes;
	size_t end; /* of the question section */
	char name[300];
	uint16_t type;
};

/* ---- messages */

static void
put(struct message *m, const void *data, size_t length)
{
	assert(m->length + length <= sizeof(m->bytes));
	memcpy(m->bytes + m->length, data, length);
	m->length += length;
}

static void
put16(struct message *m, unsigned value)
{
	put(m, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void
put_name(struct message *m, const char *name)
{
	while (*name != '\0' && strcmp(name, ".") != 0) {
		size_t n = strcspn(name, ".");

		put(m, (uint8_t[]){ (uint8_t)n }, 1);
		put(m, name, n);
		name += n + (name[n] == '.');
	}
	put(m, "", 1);
}

static void
put_data(struct message *m, uint16_t type, const char *data)
{
	unsigned priority, weight, port;
	char target[256] = "";
	uint8_t ip[16];

	switch (type) {
	case DNS_RECORD_A:
		assert(inet_pton(AF_INET, data, ip) == 1);
		put(m, ip, 4);
		break;
	case DNS_RECORD_AAAA:
		assert(inet_pton(AF_INET6, data, ip) == 1);
		put(m, ip, 16);
		break;
	case DNS_RECORD_CNAME:
		put_name(m, data);
		break;
	default:
		assert(sscanf(data, "%u %u %u %255[^\n]", &priority, &weight,
			       &port, target) == 4);
		put16(m, priority);
		put16(m, weight);
		put16(m, port);
		put_name(m, target);
	}
}

static void
put_record(struct message *m, const char *owner, uint16_t type, uint32_t ttl,
	const char *data)
{
	unsigned count = (unsigned)(m->bytes[6] << 8 | m->bytes[7]) + 1;
	size_t length_at, length;

	put_name(m, owner);
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl & 0xffff);
	length_at = m->length;
	put16(m, 0);
	put_data(m, type, data);
	length = m->length - length_at - 2;
	m->bytes[length_at] = (uint8_t)(length >> 8);
	m->bytes[length_at + 1] = (uint8_t)length;
	m->bytes[6] = (uint8_t)(count >> 8);
	m->bytes[7] = (uint8_t)count;
}

static void
put_head(struct message *m, const struct question *q, unsigned flags)
{
	m->length = 0;
	put(m, q->bytes, 2);
	put16(m, 0x8180u | flags);
	put16(m, 1);
	put16(m, 0);
	put16(m, 0);
	put16(m, 0);
	put(m, q->bytes + 12, q->end - 12);
}

/* The records of the name and of what its aliases lead to; a circle is gone
 * round once. True: the name is known. */
static bool
put_records(struct message *m, const struct dns_server *s, const char *name,
	uint16_t type, int depth)
{
	bool known = false;

	for (const struct dns_record *r = s->records;
		r != NULL && r->name != NULL; r++) {
		if (strcasecmp(r->name, name) != 0)
			continue;
		known = true;
		if (r->type != type && r->type != DNS_RECORD_CNAME)
			continue;
		put_record(m, name, r->type, r->ttl, r->data);
		if (r->type == DNS_RECORD_CNAME && depth < 2)
			put_records(m, s, r->data, type, depth + 1);
	}
	return known;
}

/* ---- answering */

static bool
question_read(struct question *q, const uint8_t *bytes, size_t length)
{
	size_t at = 12;

	memset(q, 0, sizeof(*q));
	q->bytes = bytes;
	while (at < length && bytes[at] != 0) {
		size_t n = bytes[at];

		if (at + 1 + n >= length ||
			strlen(q->name) + n + 2 > sizeof(q->name))
			return false;
		if (q->name[0] != '\0')
			strcat(q->name, ".");
		strncat(q->name, (const char *)bytes + at + 1, n);
		at += 1 + n;
	}
	if (at + 5 > length)
		return false;
	q->type = (uint16_t)(bytes[at + 1] << 8 | bytes[at + 2]);
	q->end = at + 5;
	return true;
}

static enum dns_manner
manner_of(const struct dns_server *s, const struct question *q)
{
	for (const struct dns_rule *r = s->rules; r != NULL && r->name != NULL;
		r++)
		if (strcasecmp(r->name, q->name) == 0 &&
			(r->type == 0 || r->type == q->type))
			return r->manner;
	return DNS_WELL;
}

static void
put_many(struct message *m, const struct question *q)
{
	char ip[32];

	for (unsigned i = 0; q->type == DNS_RECORD_A && i < MANY; i++) {
		snprintf(ip, sizeof(ip), "10.7.%u.%u", i >> 8, i & 0xff);
		/* A short owner: the root's own would not be the question's. */
		put(m, (uint8_t[]){ 0xc0, 12 }, 2);
		put16(m, DNS_RECORD_A);
		put16(m, 1);
		put16(m, 0);
		put16(m, 60);
		put16(m, 4);
		put_data(m, DNS_RECORD_A, ip);
	}
	m->bytes[6] = q->type == DNS_RECORD_A ? MANY >> 8 : 0;
	m->bytes[7] = q->type == DNS_RECORD_A ? MANY & 0xff : 0;
}

static void
put_answer(struct message *m, const struct dns_server *s,
	const struct question *q, enum dns_manner manner)
{
	bool known;

	put_head(m, q, 0);
	switch (manner) {
	case DNS_SERVFAIL:
	case DNS_NXDOMAIN:
	case DNS_REFUSED:
		m->bytes[3] |= (uint8_t)manner;
		return;
	case DNS_MANY:
		put_many(m, q);
		return;
	default:
		break;
	}
	known = put_records(m, s, q->name, q->type, 0);
	if (!known && manner == DNS_WELL) {
		bool ruled = false;

		for (const struct dns_rule *r = s->rules;
			r != NULL && r->name != NULL; r++)
			ruled |= strcasecmp(r->name, q->name) == 0;
		m->bytes[3] |= ruled ? 0 : DNS_NXDOMAIN;
	}
	if (manner == DNS_CUT && m->bytes[7] != 0)
		m->length -= 2;
	if (manner == DNS_COUNT_LIES) {
		m->bytes[6] = 500 >> 8;
		m->bytes[7] = 500 & 0xff;
	}
}

static void
send_to(const struct dns_server *s, const struct message *m,
	const struct sockaddr_in *to)
{
	assert(sendto(s->udp, m->bytes, m->length, 0,
		       (const struct sockaddr *)to,
		       sizeof(*to)) == (ssize_t)m->length);
}

static void
forge(const struct dns_server *s, const struct question *q,
	enum dns_manner manner, const struct sockaddr_in *to)
{
	struct message *m = xcalloc(1, sizeof(*m));

	put_head(m, q, 0);
	if (manner == DNS_FORGED_ID)
		m->bytes[0] ^= 0x55;
	else
		m->bytes[13] = m->bytes[13] == 'x' ? 'y' : 'x';
	if (q->type == DNS_RECORD_A)
		put_record(m, q->name, DNS_RECORD_A, 60, "6.6.6.6");
	send_to(s, m, to);
	free(m);
}

static void
on_udp(int fd, unsigned what, void *arg)
{
	struct dns_server *s = arg;
	struct sockaddr_in from;
	socklen_t from_length = sizeof(from);
	struct message *m;
	struct question q;
	enum dns_manner manner;
	uint8_t bytes[1500];
	ssize_t n;

	(void)what;
	n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from,
		&from_length);
	if (n <= 0 || !question_read(&q, bytes, (size_t)n))
		return;
	s->asked++;
	manner = manner_of(s, &q);
	if (manner == DNS_SILENT)
		return;
	m = xcalloc(1, sizeof(*m));
	if (manner == DNS_FORGED_ID || manner == DNS_FORGED_NAME)
		forge(s, &q, manner, &from);
	put_answer(m, s, &q, manner);
	if (manner == DNS_TRUNCATED || manner == DNS_TRUNCATED_ONLY ||
		m->length > UDP_MAX)
		put_head(m, &q, 0x0200);
	send_to(s, m, &from);
	free(m);
}

static void
client_free(struct client *c)
{
	struct client **at = &c->server->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	loop_fd_free(c->watch);
	close(c->fd);
	free(c);
}

static void
client_answer(
	struct client *c, const struct question *q, enum dns_manner manner)
{
	struct message *m = xcalloc(1, sizeof(*m));
	uint8_t length[2];
	ssize_t sent;

	put_answer(m, c->server, q, manner);
	length[0] = (uint8_t)(m->length >> 8);
	length[1] = (uint8_t)m->length;
	sent = send(c->fd, length, 2, MSG_MORE | MSG_NOSIGNAL);
	if (sent == 2)
		sent = send(c->fd, m->bytes, m->length, MSG_NOSIGNAL);
	assert(sent <= 2 || (size_t)sent == m->length);
	free(m);
}

/* c-ares writes a question in one piece; others may follow. */
static void
on_client(int fd, unsigned what, void *arg)
{
	struct client *c = arg;
	struct dns_server *s = c->server;
	uint8_t bytes[1500];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
	size_t at = 0;

	(void)what;
	while (n > 0 && (size_t)n - at > 2) {
		size_t length = (size_t)(bytes[at] << 8 | bytes[at + 1]);
		struct question q;

		if (length > (size_t)n - at - 2 ||
			!question_read(&q, bytes + at + 2, length))
			break;
		s->asked_tcp++;
		if (manner_of(s, &q) == DNS_TRUNCATED_ONLY)
			break;
		client_answer(c, &q, manner_of(s, &q));
		at += 2 + length;
	}
	if (n <= 0 || at < (size_t)n)
		client_free(c);
}

static void
on_tcp(int fd, unsigned what, void *arg)
{
	struct dns_server *s = arg;
	struct client *c;
	int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	int size = 1 << 18;

	(void)what;
	if (accepted < 0)
		return;
	setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c = xcalloc(1, sizeof(*c));
	c->server = s;
	c->fd = accepted;
	c->watch = loop_fd_new(s->loop, accepted, LOOP_READ, on_client, c);
	c->next = s->clients;
	s->clients = c;
}

/* ---- life */

/* A port that is free for both. */
static bool
bind_both(struct dns_server *s)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t length = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(s->tcp, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
		getsockname(s->tcp, (struct sockaddr *)&sin, &length) == 0 &&
		bind(s->udp, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
		listen(s->tcp, 64) == 0) {
		snprintf(s->where, sizeof(s->where), "127.0.0.1:%u",
			ntohs(sin.sin_port));
		return true;
	}
	close(s->udp);
	close(s->tcp);
	return false;
}

struct dns_server *
dns_server_new(struct loop *loop)
{
	struct dns_server *s = xcalloc(1, sizeof(*s));
	bool bound = false;

	s->loop = loop;
	for (int i = 0; i < 20 && !bound; i++)
		bound = bind_both(s);
	assert(bound);
	s->udp_watch = loop_fd_new(loop, s->udp, LOOP_READ, on_udp, s);
	s->tcp_watch = loop_fd_new(loop, s->tcp, LOOP_READ, on_tcp, s);
	return s;
}

void
dns_server_free(struct dns_server *s)
{
	if (s == NULL)
		return;
	while (s->clients != NULL)
		client_free(s->clients);
	loop_fd_free(s->udp_watch);
	loop_fd_free(s->tcp_watch);
	close(s->udp);
	close(s->tcp);
	free(s);
}

const char *
dns_server_where(const struct dns_server *s)
{
	return s->where;
}

void
dns_server_say(struct dns_server *s, const struct dns_record *records,
	const struct dns_rule *rules)
{
	s->records = records;
	s->rules = rules;
}

size_t
dns_server_asked(const struct dns_server *s)
{
	return s->asked;
}

size_t
dns_server_asked_tcp(const struct dns_server *s)
{
	return s->asked_tcp;
}
