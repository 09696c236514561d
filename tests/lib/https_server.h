/*
 * A server in a child process, for tests of clients: HTTP/1.1 in the clear,
 * over TLS or on a unix socket, and HTTP/2. It does what the path of a request
 * says; in HTTP/2, whose heads it does not read, what the request's body says.
 *
 * Every answer tells in X-Connection which connection it came on, counted from
 * 1 for each server.
 *
 *   /hello      "hello"
 *   /echo       the request, head and body
 *   /who        the common name in the client's certificate
 *   /status/N   status N with a Location
 *   /size/N     N bytes
 *   /head/N     a head of at least N bytes
 *   /drip/N     N times "tick\n", a chunk each, and between them a little time
 *   /trailers   "hello" in a chunk, then a trailer X-Late
 *   /interim    100, 103 with X-Early, then "hello" with X-Final
 *   /silent     nothing, for ever
 *   /half       half a body, then nothing, for ever
 *   /cut        half a body, then the end
 *   /last       "hello", then the end of the connection, unannounced
 *   /garbage    no HTTP
 *
 * HTTP/2: hello, half, drip and silent likewise, and
 *
 *   reset       the stream is reset
 *   away        "hello", then GOAWAY and the end of the connection
 *   freeze      from then on the connection is neither read nor written
 */
#ifndef TESTS_HTTPS_SERVER_H
#define TESTS_HTTPS_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/lib/tls_server_context.h"

struct https_server_options {
	const char *unix_socket; /* NULL: 127.0.0.1, a port of the kernel's */
	struct tls_server_options tls; /* own NULL: no TLS */
};

struct https_server {
	pid_t pid;
	uint16_t port;
};

/* Ends the program when it cannot. */
void https_server_start(struct https_server *s,
	const struct https_server_options *options);
void https_server_stop(struct https_server *s);

#endif
