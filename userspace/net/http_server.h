/*
 * A small HTTP server for administration (evhttp): a Unix socket and, when
 * configured, loopback TCP. Never on the data path.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

struct http_server;
struct http_server_request;
struct loop;

#define HTTP_SERVER_BODY_MAX (64u << 20)

typedef void http_server_handler_f(struct http_server_request *r, void *arg);

/* Host must be a loopback name or address on TCP (DNS rebinding). */
struct http_server *http_server_new(struct loop *loop,
	http_server_handler_f *handler, void *arg);
/* Removes an old socket file; mode and group (or -1) are set. */
int http_server_listen_unix(struct http_server *s, const char *path, mode_t mode,
	gid_t group, struct error *err);
/* "127.0.0.1:9091"; refused if not a loopback address. Requests of this
 * listener have http_server_request_local() false. */
int http_server_listen_tcp(struct http_server *s, const char *where,
	struct error *err);
void http_server_free(struct http_server *s);

const char *http_server_request_method(const struct http_server_request *r);
const char *http_server_request_path(const struct http_server_request *r);
/* Query parameter, decoded, or NULL. */
const char *http_server_request_query(const struct http_server_request *r,
	const char *name);
const char *http_server_request_header(const struct http_server_request *r,
	const char *name);
struct slice http_server_request_body(const struct http_server_request *r);
/* It was a secret and was read: its bytes become zeros. */
void http_server_request_wipe(struct http_server_request *r);
bool http_server_request_local(const struct http_server_request *r);
/* Ends the request; may come later than the handler's return. If the client
 * went away meanwhile, it is only freed. */
void http_server_reply(struct http_server_request *r, int status,
	const char *content_type, const void *body, size_t length);

#endif
