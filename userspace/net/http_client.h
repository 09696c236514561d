/*
 * The HTTP client of the control process and of glooctl: libcurl's multi
 * interface on the loop, HTTP/1.1 and HTTP/2 (by ALPN), TLS always verified
 * unless the caller says otherwise in so many words. Never on the data path.
 * Names are resolved by libcurl's c-ares or threaded resolver, so nothing here
 * blocks the loop.
 *
 * Calls to one server share connections: one each with HTTP/1.1, one for all
 * with HTTP/2, if they trust and come as the same. A peer that is gone is
 * noticed after 30 s by TCP; a connection on which nothing came while a call
 * timed out ends, with all of its calls. Redirects are not followed. A request
 * may be repeated when a kept connection turns out closed before any answer.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct http_client;
struct http_call;
struct loop;

#define HTTP_CLIENT_BODY_MAX (64u << 20)

struct http_client *http_client_new(struct loop *loop);
/* Calls that are open are given up; their done is not called. */
void http_client_free(struct http_client *c);
/* Who is trusted where a call names no CA of its own, from the next call on: a
 * file, PEM, instead of libcurl's. NULL: that. */
void http_client_trust(struct http_client *c, const char *roots);

/* Whom to trust and as whom to come. All PEM, all may be empty: then the
 * client's roots, no certificate of our own. */
struct http_tls {
	struct slice ca, cert, key; /* key empty: it stands in cert */
	const char *server_name; /* instead of the URL's host; NULL: that */
	bool insecure;           /* any certificate will do */
};

/* What is asked. Everything is copied. */
struct http_request {
	const char *method; /* NULL: GET */
	const char *url;
	const char *const *headers; /* "Name: value", ends with NULL; or NULL.
				     * None is added but Host, Accept,
				     * User-Agent and the body's length. */
	struct slice body;
	const struct http_tls *tls; /* NULL: the client's roots */
	const char *unix_socket;    /* connect there; NULL: to the URL */
	const char *proxy;          /* NULL: none, whatever the environment */
	uint64_t connect_timeout_ms; /* name, TCP and TLS; 0: 10 s */
	uint64_t idle_timeout_ms;    /* without a byte of the answer; 0: none */
	uint64_t total_timeout_ms;   /* 0: none */
	size_t body_max; /* of a collected answer; 0: HTTP_CLIENT_BODY_MAX */
};

/* How it ended. */
struct http_result {
	int status;          /* 0: no answer came */
	const char *problem; /* why it failed, one sentence; NULL: it did not.
			      * A whole answer of status 500 is no failure. */
	bool timed_out;      /* of the three, one is why */
	struct slice body;   /* what was collected, of a failure too */
};

struct http_events {
	/* The head is whole (100 and its like are passed over). May be NULL. */
	void (*head)(struct http_call *call, int status, void *arg);
	/* Bytes of the body as they come; NULL: they are collected. Not 0: no
	 * more is wanted, the call ends with that as its problem. */
	int (*body)(struct http_call *call, const void *data, size_t length,
		void *arg);
	/* The last that is heard; the call is freed afterwards. Never called
	 * before http_call_new returned. In each of the three, calls may be
	 * made and given up, and the client be freed. */
	void (*done)(struct http_call *call, const struct http_result *result,
		void *arg);
};

/* Never NULL: what is wrong with the request, done says. */
struct http_call *http_call_new(struct http_client *c,
	const struct http_request *r, const struct http_events *events,
	void *arg);
/* Gives it up; done is not called. Also from within a callback. */
void http_call_cancel(struct http_call *call);
/* A field of the answer's head (case does not matter), the first of that name;
 * NULL: none. Valid until done has returned. */
const char *http_call_header(const struct http_call *call, const char *name);

#endif
