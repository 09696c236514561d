/* One request to the daemon's admin socket and its answer, blocking. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/error.h"
#include "base/str.h"

struct client_request {
	const char *socket; /* path */
	const char *method;
	const char *path;
	const char *query;        /* without "?", or NULL */
	const char *content_type; /* of body, or NULL */
	struct slice body;
};

/* The status, and the body appended to answer; -1 and err with a sentence
 * that says what to do when there was no answer. */
int client_call(
	const struct client_request *r, struct str *answer, struct error *err);

#endif
