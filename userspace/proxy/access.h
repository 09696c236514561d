/*
 * The access log: one JSON object per line, gathered per worker and written
 * to the file that control opened. A line that cannot be written (full disk)
 * is dropped and counted.
 */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

struct access;
struct access_file;
struct loop;
struct wheel;

/* Shared by the workers, counted; takes fd. Born with one reference. */
struct access_file *access_file_new(int fd);
struct access_file *access_file_ref(struct access_file *f);
void access_file_unref(struct access_file *f); /* NULL is fine */

/* dropped: the counter of lines. */
struct access *access_new(
	struct loop *loop, struct wheel *wheel, uint64_t *dropped);
void access_free(struct access *a); /* writes what waits */
/* Takes a reference; NULL: off. */
void access_set_file(struct access *a, struct access_file *f);
bool access_is_on(const struct access *a);

struct access_line {
	const struct addr *client;
	struct slice method, path, host, user_agent, request_id;
	int status; /* 0: no answer was given */
	uint64_t bytes_sent, bytes_received, duration_ms;
	struct slice upstream, route, virtual_service;
	const struct addr *endpoint; /* or NULL */
	const char *reason;          /* NULL: the answer was the upstream's */
	const char *detail;          /* of the reason, or NULL */
	struct slice limit; /* the rate limit that it was beyond, or empty */
};

void access_write(struct access *a, const struct access_line *line);

struct access_connection { /* a relayed one, at its end */
	const struct addr *client;
	struct slice service, upstream;
	uint64_t bytes_sent, bytes_received, duration_ms;
	const struct addr *endpoint; /* or NULL */
	const char *reason;          /* NULL: both sides ended it */
};

void access_write_connection(
	struct access *a, const struct access_connection *line);

#endif
