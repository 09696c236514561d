/* The Location of a redirect route. */
#include "filter/parts.h"

#include <stdlib.h>

#include "http/chars.h"
#include "model/model.h"

/* text with what may not stand in a URI percent-coded; brackets only in a host
 * and, as all the world does it, in a query. */
static void
coded_append(struct str *out, struct slice text, bool brackets)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];

		if (http_char_is(c, HTTP_CHAR_PLAIN) &&
			(brackets || (c != '[' && c != ']')))
			str_putc(out, text.data[i]);
		else
			str_printf(out, "%%%02X", (uint8_t)text.data[i]);
	}
}

/* ":port" of an authority, or nothing. */
static struct slice
port_of(struct slice authority)
{
	for (size_t i = authority.length; i-- > 0;) {
		if (authority.data[i] == ':')
			return (struct slice){ authority.data + i,
				authority.length - i };
		if (authority.data[i] < '0' || authority.data[i] > '9')
			break;
	}
	return (struct slice){ NULL, 0 };
}

static struct slice
without_port(struct slice authority)
{
	authority.length -= port_of(authority).length;
	return authority;
}

static bool
leads_to_https(const struct filter_request *r)
{
	return r->match->route->https_redirect ||
	       slice_equal_nocase(http_scheme(r->head, r->peer_trusted, r->tls),
		       SLICE("https"));
}

/* The port that was asked for stays, unless host or scheme change. */
static void
origin_append(const struct filter_request *r, struct str *out)
{
	const struct image_route *route = r->match->route;
	struct slice host = route_text(r, route->host_redirect);
	struct slice port = port_of(host);

	if (host.length == 0) {
		host = r->head->authority;
		if (!route->https_redirect)
			port = port_of(host);
	}
	if (host.length == 0)
		return; /* nothing known: a path alone is a Location too */
	str_puts(out, leads_to_https(r) ? "https://" : "http://");
	coded_append(out, without_port(host), true);
	if (route->port_redirect != 0)
		str_printf(out, ":%u", route->port_redirect);
	else
		coded_append(out, port, true);
}

static void
path_append(const struct filter_request *r, struct str *out)
{
	const struct image_route *route = r->match->route;
	struct slice path = route_text(r, route->path_redirect);
	struct slice prefix = route_text(r, route->prefix_rewrite);
	struct str made;

	str_init(&made);
	if (path.data == NULL) {
		path = r->target->path;
		if (prefix.data != NULL &&
			r->match->path_type != MODEL_PATH_REGEX) {
			http_path_replace_prefix(
				path, r->match->prefix_length, prefix, &made);
			path = (struct slice){ made.data, made.length };
		}
	}
	/* Where our origin is unknown, "//x" would name another. */
	while (path.length > 0 && path.data[0] == '/') {
		path.data++;
		path.length--;
		if (out->length > 0)
			break;
	}
	str_putc(out, '/');
	coded_append(out, path, false);
	/* A path that brings its own query keeps it. */
	if (r->target->query.data != NULL && !route->strip_query &&
		(path.length == 0 ||
			memchr(path.data, '?', path.length) == NULL)) {
		str_putc(out, '?');
		coded_append(out, r->target->query, true);
	}
	str_fini(&made);
}

int
filter_redirect(const struct filter_request *r, struct str *location)
{
	str_clear(location);
	origin_append(r, location);
	path_append(r, location);
	return r->match->route->status;
}
