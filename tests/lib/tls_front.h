/*
 * A server of TLS before a plain one: what comes is passed on in the clear,
 * and back. It runs on threads of its own, one for each connection.
 */
#ifndef TESTS_TLS_FRONT_H
#define TESTS_TLS_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "tests/lib/certificates.h"

struct tls_front;

struct tls_front_options {
	const struct certificate *own;
	const struct certificate *wants; /* clients' authority; or NULL */
	const char *alpn;                /* insists on that one; or NULL */
	int version;                     /* 0: any */
	uint16_t origin;                 /* 127.0.0.1; 0: nobody */
	bool cuts;   /* ends connections without close_notify */
	bool speaks; /* says something as soon as it may */
	int sick;    /* of what it wants: X509_V_ERR_... that it finds */
};

struct tls_front_counts { /* since the start */
	unsigned accepted, shaken, resumed;
	unsigned ended;    /* connections that are over */
	unsigned notified; /* of these: the client said so (close_notify) */
};

/* Ends the program when it cannot. What options name must outlive it. */
struct tls_front *tls_front_new(const struct tls_front_options *options);
void tls_front_free(struct tls_front *f);
uint16_t tls_front_port(const struct tls_front *f);
/* For the connections to come. */
void tls_front_change(
	struct tls_front *f, const struct tls_front_options *options);
void tls_front_count(struct tls_front *f, struct tls_front_counts *out);
/* Waits until so many connections are over; false: in vain. */
bool tls_front_wait_ended(struct tls_front *f, unsigned count);
/* The name that was asked for last, or "". */
void tls_front_name(struct tls_front *f, struct str *out);

#endif
