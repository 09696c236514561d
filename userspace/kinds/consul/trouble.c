/* Why a question to a Consul agent has no answer. */
#include "kinds/consul/trouble.h"

#include <string.h>

#define BODY_MAX 160 /* bytes of it in a message */

static bool
body_has(struct slice body, const char *words)
{
	return body.length > 0 &&
	       memmem(body.data, body.length, words, strlen(words)) != NULL;
}

enum consul_trouble
consul_trouble_of(int status, struct slice body)
{
	if (status == 200)
		return CONSUL_FINE;
	if (status == 401 || status == 403)
		return CONSUL_FORBIDDEN;
	if (status == 429)
		return CONSUL_LIMITED;
	if (status < 500)
		return CONSUL_REFUSED;
	/* The agent has no code for these; both may come from another server
	 * and then have "rpc error making call: " in front. */
	if (body_has(body, "No cluster leader"))
		return CONSUL_NO_LEADER;
	if (body_has(body, "No path to datacenter"))
		return CONSUL_NO_PATH;
	if (body_has(body, "No known Consul servers") ||
		body_has(body, "rpc error"))
		return CONSUL_NO_SERVER;
	return CONSUL_FAILED;
}

static const char *
remedy(enum consul_trouble trouble, const struct consul_complaint *c)
{
	switch (trouble) {
	case CONSUL_UNREACHED:
		return c->tls ? "see that it runs at consul.httpAddress, and "
				"that consul.caFile, certFile and keyFile are "
				"what it asks for"
			      : "see that it runs, or let consul.httpAddress "
				"say where it is";
	case CONSUL_NO_LEADER:
		return "its servers have to elect one (`consul operator raft "
		       "list-peers`)";
	case CONSUL_NO_SERVER:
		return "see that the agent reaches its servers (`consul "
		       "members`)";
	case CONSUL_NO_PATH:
		return "see that the data centre is joined (`consul members "
		       "-wan`), or leave it out";
	case CONSUL_FORBIDDEN:
		return "let consul.token or consul.tokenFile be a token that "
		       "Consul knows and that has service:read and node:read";
	case CONSUL_LIMITED:
		return "let consul.maxConnections be smaller, or the agent's "
		       "limits.http_max_conns_per_client larger";
	case CONSUL_REFUSED:
	case CONSUL_UNUSABLE:
		return "see that consul.httpAddress is that of a Consul agent";
	case CONSUL_FINE:
	case CONSUL_BROKEN:
	case CONSUL_FAILED:
		return "see the agent's log";
	case CONSUL_NO_PASS:
		return "see that the gateway may read it";
	}
	return "";
}

/* On one line, whoever had a part in it. */
static void
defuse(char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
}

/* Without the line ends that plain text has. */
static struct slice
body_cut(struct slice body)
{
	while (body.length > 0 && (body.data[body.length - 1] == '\n' ||
					  body.data[body.length - 1] == '\r' ||
					  body.data[body.length - 1] == ' '))
		body.length--;
	if (body.length > BODY_MAX)
		body.length = BODY_MAX;
	return body;
}

void
consul_trouble_tell(enum consul_trouble trouble,
	const struct consul_complaint *c, struct str *out)
{
	struct slice body = body_cut(c->body);
	size_t begin = out->length;

	str_printf(out, "Consul agent %s: ", c->agent);
	if (c->why != NULL) {
		str_puts(out, c->why);
	} else {
		str_printf(out, "GET %s", c->path);
		if (c->datacenter != NULL)
			str_printf(out, " of data centre %s", c->datacenter);
		str_printf(out, ": HTTP %d%s", c->status,
			body.length > 0 ? ": " : "");
		str_append(out, body.data, body.length);
	}
	defuse(out->data + begin, out->length - begin);
	str_printf(out, "; %s", remedy(trouble, c));
}

uint64_t
consul_number_read(const char *text)
{
	uint64_t number = 0;

	if (text == NULL || text[0] == '\0')
		return 0;
	for (; *text != '\0'; text++) {
		unsigned digit = (unsigned)(unsigned char)*text - '0';

		if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, digit, &number))
			return 0;
	}
	return number;
}
