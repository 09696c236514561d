/*
 * A scripted HTTP server on the test's own loop, on loopback: each request
 * takes the next line of the script, which says what it must ask for and what
 * is answered. Needs cmocka: what does not fit fails the test.
 */
#ifndef TESTS_REPLAY_H
#define TESTS_REPLAY_H

#include <stddef.h>
#include <stdint.h>

struct loop;
struct replay;

#define REPLAY_FOREVER UINT64_MAX

struct replay_line {
	/* Words that must be in the head, in any order, separated by blanks;
	 * one that begins with "!" must not. */
	const char *asked;
	/* 0: the connection is closed without an answer; -1: it stays open
	 * without one. */
	int status;
	const char *headers; /* "Name: value\r\n"...; or NULL */
	const char *body;    /* NULL: none */
	size_t chunk;        /* bytes that are sent at a time; 0: all */
	/* How long it stays open after the body; then it ends as it should.
	 * REPLAY_FOREVER: until the client ends it. */
	uint64_t open_ms;
	int torn; /* in the end the connection is closed within the answer */
	/* Called before it is answered; or NULL. */
	void (*meanwhile)(void *arg);
};

/* script ends with an asked of NULL. */
struct replay *replay_new(struct loop *loop, const struct replay_line *script,
	void *arg);
void replay_free(struct replay *r);
uint16_t replay_port(const struct replay *r);
/* Requests so far. */
size_t replay_count(const struct replay *r);
/* The head of the i-th request. */
const char *replay_head(const struct replay *r, size_t i);
/* When it came, monotonic. */
uint64_t replay_time_ms(const struct replay *r, size_t i);
/* After the script, each request is answered by what this makes of its head;
 * its texts must last until the next request. */
typedef struct replay_line replay_f(const char *head, void *arg);
void replay_then(struct replay *r, replay_f *answer);

#endif
