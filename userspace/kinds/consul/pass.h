/*
 * As whom a Consul agent is asked, and whom to take for it: the token and the
 * certificates of the settings, read again while the program runs. A file that
 * cannot be read any more leaves what was read before. Nothing of it is ever
 * part of a message. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_PASS_H
#define KINDS_CONSUL_PASS_H

#include "base/error.h"
#include "kinds/consul/settings.h"
#include "net/http_client.h"

struct consul_pass;

#define CONSUL_TOKEN_BYTES_MAX 4096

/* folder: of relative paths. now_ms of these: loop_now_ms. */
struct consul_pass *consul_pass_new(
	const struct consul_settings *settings, const char *folder);
void consul_pass_free(struct consul_pass *p);
/* Before each call: the token is read at once, certificates at most once in a
 * second. 1: the token is another one than before; 0; -1 and err: there was
 * never anything to read where the settings say. */
int consul_pass_refresh(
	struct consul_pass *p, uint64_t now_ms, struct error *err);
/* "X-Consul-Token: ..."; NULL: no token. Both valid until the next refresh. */
const char *consul_pass_header(const struct consul_pass *p);
const struct http_tls *consul_pass_tls(const struct consul_pass *p);

#endif
