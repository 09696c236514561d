/* Where a Consul agent is. */
#include "kinds/consul/address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/tables.h"

#define PORT_DIGITS_MAX 5

/* The text behind the prefix; NULL: it begins with another one. */
static const char *
after(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static int
port_check(struct slice port, struct error *err)
{
	unsigned number = 0;

	if (port.length == 0 || port.length > PORT_DIGITS_MAX)
		return error_set(err, ERROR_CONFIG,
			"the port has to be a number from 1 to 65535");
	for (size_t i = 0; i < port.length; i++) {
		if (!isdigit((unsigned char)port.data[i]))
			return error_set(err, ERROR_CONFIG,
				"the port has to be a number from 1 to 65535");
		number = number * 10 + (unsigned)(port.data[i] - '0');
	}
	if (number == 0 || number > 65535)
		return error_set(err, ERROR_CONFIG,
			"the port has to be a number from 1 to 65535");
	return 0;
}

/* "host", "host:port", "[::1]:port" into its two; port.data NULL: none. */
static int
authority_split(struct slice text, struct slice *host, struct slice *port,
	struct error *err)
{
	const char *end = text.data + text.length, *colon;

	*port = (struct slice){ NULL, 0 };
	if (text.length > 0 && text.data[0] == '[') {
		const char *close = memchr(text.data, ']', text.length);

		if (close == NULL || (close + 1 < end && close[1] != ':'))
			return error_set(err, ERROR_CONFIG,
				"expected \"]\" behind an IPv6 address");
		*host = (struct slice){ text.data + 1,
			(size_t)(close - text.data) - 1 };
		colon = close + 1 < end ? close + 1 : NULL;
	} else {
		colon = memchr(text.data, ':', text.length);
		if (colon != NULL && memchr(colon + 1, ':',
					     (size_t)(end - colon) - 1) != NULL)
			return error_set(err, ERROR_CONFIG,
				"an IPv6 address has to be in brackets");
		*host = (struct slice){ text.data,
			colon == NULL ? text.length
				      : (size_t)(colon - text.data) };
	}
	if (colon != NULL)
		*port = (struct slice){ colon + 1, (size_t)(end - colon) - 1 };
	return 0;
}

static int
authority_check(struct slice text, bool port_needed, struct error *err)
{
	struct slice host = { NULL, 0 }, port = { NULL, 0 };
	char *copy;
	int rc;

	if (authority_split(text, &host, &port, err) != 0)
		return -1;
	if (port.data != NULL && port_check(port, err) != 0)
		return -1;
	if (port.data == NULL && port_needed)
		return error_set(err, ERROR_CONFIG,
			"expected a port, as in \"127.0.0.1:8500\"");
	copy = xstrndup(host.data, host.length);
	rc = model_host_check(copy, err);
	free(copy);
	return rc;
}

/* What every request has in front of its path. */
static int
prefix_check(const char *path, struct error *err)
{
	for (const char *p = path; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("/-._~", *p) == NULL)
			return error_set(err, ERROR_CONFIG,
				"its path may have letters, digits and "
				"\"/-._~\" only");
	return 0;
}

static int
unix_read(const char *path, struct consul_address *out, struct error *err)
{
	if (path[0] != '/' || model_text_check(path, err) != 0)
		return error_set(err, ERROR_CONFIG,
			"expected an absolute path, as in "
			"\"unix:///run/consul.sock\"");
	*out = (struct consul_address){
		.base = xstrdup("http://localhost"),
		.unix_socket = xstrdup(path),
	};
	return 0;
}

int
consul_address_read(
	const char *text, struct consul_address *out, struct error *err)
{
	const char *path = after(text, "unix://");
	const char *rest = after(text, "https://");
	bool tls = rest != NULL, scheme = true;
	size_t length;

	*out = (struct consul_address){ 0 };
	if (path != NULL)
		return unix_read(path, out, err);
	if (rest == NULL)
		rest = after(text, "http://");
	if (rest == NULL) {
		scheme = false;
		rest = text;
	}
	if (strpbrk(rest, "@?#") != NULL || strstr(rest, "://") != NULL)
		return error_set(err, ERROR_CONFIG,
			"expected \"host:port\", \"http://host:port\", "
			"\"https://host:port\" or \"unix:///path\" without "
			"user, \"?\" and \"#\"");
	length = strcspn(rest, "/");
	if (authority_check((struct slice){ rest, length }, !scheme, err) !=
			0 ||
		prefix_check(rest + length, err) != 0)
		return -1;
	length = strlen(rest);
	while (length > 0 && rest[length - 1] == '/')
		length--;
	out->base = xasprintf(
		"%s://%.*s", tls ? "https" : "http", (int)length, rest);
	out->tls = tls;
	return 0;
}

void
consul_address_fini(struct consul_address *a)
{
	free(a->base);
	free(a->unix_socket);
	*a = (struct consul_address){ 0 };
}
