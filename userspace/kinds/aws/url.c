/* The address of a service that gives credentials. */
#include "kinds/aws/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/tables.h"

#define PORT_DIGITS_MAX 5

static uint16_t
default_port(bool tls)
{
	return tls ? 443 : 80;
}

static int
form_error(struct error *err)
{
	return error_set(err, ERROR_CONFIG,
		"expected \"http://host:port\" or \"https://host:port\", "
		"without user and \"#\"");
}

static int
port_read(struct slice digits, uint16_t *port, struct error *err)
{
	unsigned number = 0;

	for (size_t i = 0; i < digits.length; i++) {
		if (i == PORT_DIGITS_MAX ||
			!isdigit((unsigned char)digits.data[i]))
			return form_error(err);
		number = number * 10 + (unsigned)(digits.data[i] - '0');
	}
	if (number == 0 || number > UINT16_MAX)
		return error_set(err, ERROR_CONFIG,
			"a port is a number from 1 to 65535");
	*port = (uint16_t)number;
	return 0;
}

static int
host_check(struct slice host, struct error *err)
{
	char *copy = xstrndup(host.data, host.length);
	int rc = model_host_check(copy, err);

	free(copy);
	return rc;
}

static int
authority_read(struct aws_url *u, struct error *err)
{
	const char *at = u->authority.data, *end = at + u->authority.length;
	const char *after;

	if (at < end && *at == '[') {
		after = memchr(at, ']', (size_t)(end - at));
		if (after == NULL)
			return form_error(err);
		u->host = (struct slice){ at + 1, (size_t)(after - at) - 1 };
		after++;
		if (memchr(u->host.data, ':', u->host.length) == NULL)
			return form_error(err);
	} else {
		after = memchr(at, ':', (size_t)(end - at));
		if (after == NULL)
			after = end;
		u->host = (struct slice){ at, (size_t)(after - at) };
	}
	u->port = default_port(u->tls);
	if (after < end && *after != ':')
		return form_error(err);
	if (after < end && port_read((struct slice){ after + 1,
					     (size_t)(end - after) - 1 },
				   &u->port, err) != 0)
		return -1;
	return host_check(u->host, err);
}

/* Nothing that ends a line, and no "\", which some take for a "/". */
static bool
is_of_url(unsigned char c)
{
	return c > ' ' && c < 0x7f && strchr("\\\"<>^`{|}#", c) == NULL;
}

int
aws_url_read(const char *text, struct aws_url *out, struct error *err)
{
	size_t length;

	*out = (struct aws_url){ 0 };
	for (const char *p = text; *p != '\0'; p++)
		if (!is_of_url((unsigned char)*p))
			return form_error(err);
	if (strncmp(text, "https://", 8) == 0) {
		out->tls = true;
		text += 8;
	} else if (strncmp(text, "http://", 7) == 0) {
		text += 7;
	} else {
		return form_error(err);
	}
	length = strcspn(text, "/?");
	if (memchr(text, '@', length) != NULL || text[length] == '?')
		return form_error(err);
	out->authority = (struct slice){ text, length };
	out->path = slice_of(text + length);
	return authority_read(out, err);
}

int
aws_url_check_base(const char *text, struct error *err)
{
	struct aws_url u;

	if (aws_url_read(text, &u, err) != 0)
		return -1;
	if (u.path.length > 1)
		return error_set(err, ERROR_CONFIG,
			"expected no path behind host and port");
	return 0;
}

void
aws_url_host_field(const struct aws_url *u, struct str *out)
{
	bool v6 = memchr(u->host.data, ':', u->host.length) != NULL;

	if (v6)
		str_putc(out, '[');
	str_append(out, u->host.data, u->host.length);
	if (v6)
		str_putc(out, ']');
	if (u->port != default_port(u->tls)) {
		str_putc(out, ':');
		str_put_number(out, u->port);
	}
}
