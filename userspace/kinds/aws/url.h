/*
 * The address of a service that gives credentials. Pure; stricter than RFC 3986
 * so that nobody reads a host in it where another one reads it elsewhere.
 * Private to kinds/aws/.
 */
#ifndef KINDS_AWS_URL_H
#define KINDS_AWS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct aws_url { /* all within the text */
	bool tls;
	struct slice host;      /* of an IPv6 address without brackets */
	struct slice authority; /* as Host has it, but for a default port */
	struct slice path;      /* with query; "" or begins with "/" */
	uint16_t port;
};

/* "http://host", "https://[::1]:8443/path?query"; err is a sentence without
 * place. */
int aws_url_read(const char *text, struct aws_url *out, struct error *err);
/* The same as SCHEMA's check; without path and query. */
int aws_url_check_base(const char *text, struct error *err);
/* The value of Host: without the port that its scheme has. */
void aws_url_host_field(const struct aws_url *u, struct str *out);

#endif
