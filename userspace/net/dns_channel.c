/* A channel of c-ares on a loop. */
#include "net/dns_channel.h"

#include <arpa/nameser.h>
#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/mem.h"
#include "net/loop.h"

#define TRY_TIMEOUT_MS 1000 /* doubled at each further try */
#define TRIES          3    /* of each server */

/* One socket of c-ares. */
struct watch {
	struct watch *next;
	struct loop_fd *on_loop;
	int fd;
};

struct dns_channel {
	struct loop *loop;
	ares_channel ares;
	char *conf; /* NULL: servers were given */
	struct stat conf_stat;
	char **domains;
	size_t domain_count, ndots;
	struct watch *watches;
	struct loop_timer *timer;
	size_t asked;
	bool ending;
};

struct question {
	struct dns_channel *channel;
	dns_message_f *cb;
	void *arg;
};

/* c-ares must be called again by then. */
static void
channel_set_timer(struct dns_channel *c)
{
	struct timeval tv;

	if (c->ending)
		return;
	if (ares_timeout(c->ares, NULL, &tv) == NULL)
		loop_timer_stop(c->timer);
	else
		/* Rounded up: earlier would be for nothing. */
		loop_timer_start(c->timer, (uint64_t)tv.tv_sec * 1000 +
						   (uint64_t)tv.tv_usec / 1000 +
						   1);
}

static void
on_timer(void *arg)
{
	struct dns_channel *c = arg;

	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	channel_set_timer(c);
}

static void
on_socket(int fd, unsigned what, void *arg)
{
	struct dns_channel *c = arg;

	ares_process_fd(c->ares, what & LOOP_READ ? fd : ARES_SOCKET_BAD,
		what & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	channel_set_timer(c);
}

/* c-ares says what it waits for; nothing: the socket is about to close. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *c = arg;
	unsigned what =
		(readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);
	struct watch **at, *w;

	for (at = &c->watches; *at != NULL && (*at)->fd != fd;)
		at = &(*at)->next;
	w = *at;
	if (w != NULL && what != 0) {
		loop_fd_change(w->on_loop, what);
	} else if (w != NULL) {
		*at = w->next;
		loop_fd_free(w->on_loop);
		free(w);
	} else if (what != 0) {
		w = xcalloc(1, sizeof(*w));
		w->fd = fd;
		w->on_loop = loop_fd_new(c->loop, fd, what, on_socket, c);
		w->next = c->watches;
		c->watches = w;
	}
}

/* No file is one of nothing. */
static void
conf_stat(const char *path, struct stat *st)
{
	if (stat(path, st) < 0)
		memset(st, 0, sizeof(*st));
}

static int
channel_open(struct dns_channel *c, const char *conf, struct error *err)
{
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = c,
		.resolvconf_path = (char *)conf,
	};
	int rc = ares_init_options(&c->ares, &options,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
			ARES_OPT_RESOLVCONF);

	if (rc == ARES_SUCCESS)
		return 0;
	return error_set(err, ERROR_SYSTEM, "the resolver cannot start: %s",
		ares_strerror(rc));
}

static void
channel_read_search(struct dns_channel *c)
{
	struct ares_options options;
	int mask = 0;

	c->ndots = 1;
	if (ares_save_options(c->ares, &options, &mask) != ARES_SUCCESS)
		return;
	if (options.ndots >= 0)
		c->ndots = (size_t)options.ndots;
	if (options.ndomains > 0)
		c->domains =
			xcalloc((size_t)options.ndomains, sizeof(*c->domains));
	for (int i = 0; i < options.ndomains; i++)
		c->domains[c->domain_count++] = xstrdup(options.domains[i]);
	ares_destroy_options(&options);
}

struct dns_channel *
dns_channel_new(struct loop *loop, const char *servers, const char *conf,
	struct error *err)
{
	struct dns_channel *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	/* Before it is read: what is written meanwhile is seen as a change. */
	conf_stat(conf, &c->conf_stat);
	if (channel_open(c, conf, err) < 0) {
		free(c);
		return NULL;
	}
	if (servers == NULL)
		c->conf = xstrdup(conf);
	else if (ares_set_servers_ports_csv(c->ares, servers) != ARES_SUCCESS) {
		error_set(err, ERROR_CONFIG,
			"\"%s\" is not a list of name servers", servers);
		ares_destroy(c->ares);
		free(c);
		return NULL;
	}
	channel_read_search(c);
	c->timer = loop_timer_new(loop, on_timer, c);
	return c;
}

void
dns_channel_free(struct dns_channel *c)
{
	if (c == NULL)
		return;
	c->ending = true;
	ares_destroy(c->ares);
	loop_timer_free(c->timer);
	for (size_t i = 0; i < c->domain_count; i++)
		free(c->domains[i]);
	free(c->domains);
	free(c->conf);
	free(c);
}

bool
dns_channel_is_outdated(const struct dns_channel *c)
{
	const struct stat *was = &c->conf_stat;
	struct stat now;

	if (c->conf == NULL)
		return false;
	conf_stat(c->conf, &now);
	return now.st_ino != was->st_ino || now.st_size != was->st_size ||
	       now.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != was->st_mtim.tv_nsec;
}

static void
on_message(
	void *arg, int status, int timeouts, unsigned char *bytes, int length)
{
	struct question *q = arg;
	struct question was = *q;

	(void)timeouts;
	free(q);
	was.channel->asked--;
	was.cb(status, bytes, length > 0 ? (size_t)length : 0, was.arg);
}

void
dns_channel_ask(struct dns_channel *c, const char *name, enum dns_type type,
	dns_message_f *cb, void *arg)
{
	struct question *q = xcalloc(1, sizeof(*q));

	*q = (struct question){ c, cb, arg };
	c->asked++;
	ares_query(c->ares, name, ns_c_in, (int)type, on_message, q);
	channel_set_timer(c);
}

size_t
dns_channel_asked(const struct dns_channel *c)
{
	return c->asked;
}

char *const *
dns_channel_domains(const struct dns_channel *c, size_t *count)
{
	*count = c->domain_count;
	return c->domains;
}

size_t
dns_channel_ndots(const struct dns_channel *c)
{
	return c->ndots;
}

static void
hosts_add(
	const struct hostent *h, struct addr *addrs, size_t room, size_t *count)
{
	for (char **at = h->h_addr_list; *at != NULL && *count < room; at++) {
		struct sockaddr_in sin = { .sin_family = AF_INET };
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
		bool six = h->h_addrtype == AF_INET6;

		if (six)
			memcpy(&sin6.sin6_addr, *at, sizeof(sin6.sin6_addr));
		else
			memcpy(&sin.sin_addr, *at, sizeof(sin.sin_addr));
		addr_from_sockaddr(&addrs[(*count)++],
			six ? (const struct sockaddr *)&sin6
			    : (const struct sockaddr *)&sin);
	}
}

size_t
dns_channel_hosts(struct dns_channel *c, const char *name, struct addr *addrs,
	size_t room)
{
	static const int families[] = { AF_INET, AF_INET6 };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct hostent *h = NULL;

		if (ares_gethostbyname_file(c->ares, name, families[i], &h) ==
			ARES_SUCCESS)
			hosts_add(h, addrs, room, &count);
		if (h != NULL)
			ares_free_hostent(h);
	}
	return count;
}
