/*
 * A non-blocking stream connection on a loop. One persistent edge-triggered
 * event for its whole life; write interest only while the socket is full.
 * Bytes come and go through a transport (plain TCP here; TLS is another table
 * of the same four functions). Buffers are owned only while data waits in them.
 *
 * The owner reads when it wants to: `readable` remembers an edge that nobody
 * has followed yet, which is how reading is paused and resumed.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct conn;
struct conn_buffer;
struct conn_pool;
struct loop;
struct loop_fd;

#define CONN_IOV_MAX 64

/* Each returns bytes, 0 at the peer's end (receive), or -1 with errno. */
struct transport {
	ssize_t (*receive)(struct conn *c, void *to, size_t size);
	ssize_t (*send)(struct conn *c, const struct iovec *iov, int count);
	void (*shut)(struct conn *c); /* nothing more will be sent */
	void (*release)(struct conn *c);
};

extern const struct transport transport_plain;

/* what: of enum loop_what. What was queued has been sent as far as it went. */
typedef void conn_event_f(struct conn *c, unsigned what);

struct conn {
	const struct transport *transport;
	struct conn_pool *pool;
	struct loop_fd *watch;
	struct conn_buffer *in, *out;
	conn_event_f *cb;
	uint64_t *received, *sent; /* counters */
	uint64_t progress_ms;      /* when queued bytes last moved */
	uint64_t window_ms, acked; /* of conn_is_stalled; 0: not yet begun */
	int fd;
	bool readable, closed; /* closed: the peer shut its side */
	bool ended;            /* and all that it sent has been received */
	bool failed;           /* nothing can be sent any more */
	bool wants_write;
	/* Set before conn_send by the owner: nothing follows these bytes but
	 * conn_shut, before the loop goes on. A transport may keep the tail of
	 * them for it, so that both go in one segment. */
	bool last;
};

/* The buffers of one thread's connections. */
struct conn_pool *conn_pool_new(struct loop *loop);
void conn_pool_free(struct conn_pool *p);

/* Takes fd. connecting: the first event with LOOP_WRITE tells how it went. */
void conn_init(struct conn *c, struct conn_pool *pool, int fd, bool connecting,
	conn_event_f *cb);
void conn_fini(struct conn *c); /* closes */
/* Closes so that the peer sees that something was cut off. */
void conn_reset(struct conn *c);
/* The outcome of connecting: 0 or an errno. */
int conn_connected(struct conn *c);
/* What cut it, which reading would say as well: an errno, once; or 0. */
int conn_problem(const struct conn *c);

enum conn_got {
	CONN_GOT_DATA,
	CONN_GOT_NOTHING,
	CONN_GOT_END,
	CONN_GOT_ERROR,
};

/* A read that does not fill the room has taken all there was. */
enum conn_got conn_receive(struct conn *c, void *to, size_t size, size_t *n);
/* Of a peer that has nothing to say: it looks whether something came all the
 * same. False: something did, of which a byte is lost, or it has ended or
 * failed. In TLS it takes new keys and tickets. */
bool conn_is_quiet(struct conn *c);
/* Sends what the socket takes and queues the rest. Less than one system call
 * when something is queued already. -1: the connection failed. */
int conn_send(struct conn *c, const struct iovec *iov, int count);
size_t conn_queued(const struct conn *c);
/* Whether conn_splice may be called: both have the plain transport, and nothing
 * is kept of the one nor queued for the other. */
bool conn_can_splice(struct conn *from, struct conn *to);
/* Moves at most so many bytes within the kernel. About `from` it tells what
 * conn_receive does, but one turn need not take all there was; what `to` does
 * not take is queued, and to->failed says that it failed. Both belong to one
 * pool. SIGPIPE must be ignored. */
enum conn_got conn_splice(
	struct conn *from, struct conn *to, size_t most, size_t *n);
/* What is queued is sent no more. */
void conn_forget_queued(struct conn *c);
/* Bytes are queued, and over window_ms the peer took none, or fewer than rate
 * a second. The first look begins it; *due_ms: when to look again, 0 when
 * nothing is queued. */
bool conn_is_stalled(
	struct conn *c, uint32_t window_ms, uint32_t rate, uint64_t *due_ms);
void conn_shut(struct conn *c);
/* For transports: an event comes when the socket takes bytes, though none are
 * queued; asked again, it comes again. */
void conn_watch_write(struct conn *c, bool wanted);

/* Input that could not be used yet. keep replaces what was kept. */
void conn_keep(struct conn *c, const char *bytes, size_t length);
size_t conn_kept(const struct conn *c);
/* Moves it to the front of to, which has room for it; returns its length. */
size_t conn_take(struct conn *c, char *to);

#endif
