/*
 * The route template of a function, "products/{category:alpha}/{id:int?}"
 * (ASP.NET Core's, learn.microsoft.com "Azure Functions HTTP trigger,
 * customize the HTTP endpoint"), and how a client's path goes into it.
 *
 * Segments without a parameter are sent as they stand. A segment with a
 * parameter, even where it is only a part of it ("v{major}.{minor}"), is the
 * next segment of the client's path, whole: what it must be like (alpha, int,
 * regex) is for the host to check, which answers 404. Where the client's path
 * has no more, segments that may be missing ({id?}, {id=5}) are left out.
 * "{*rest}" and "{**rest}" take all that remains. What the template has no
 * place for follows behind it. Pure.
 */
#ifndef KINDS_AZURE_TEMPLATE_H
#define KINDS_AZURE_TEMPLATE_H

#include "base/error.h"
#include "base/str.h"

#define AZURE_TEMPLATE_MAX          1024 /* bytes */
#define AZURE_TEMPLATE_SEGMENTS_MAX 64

struct azure_template;

/* Slashes at both ends are passed over; "" is the root. NULL and err (one
 * sentence): it is no template. */
struct azure_template *azure_template_new(struct slice text, struct error *err);
void azure_template_free(struct azure_template *t); /* NULL is fine */
/* The path for the host, appended, begins with "/". -1: the client's path has
 * no segment for *missing ("{category}"), which is valid as long as the
 * template. */
int azure_template_fill(const struct azure_template *t, struct slice path,
	struct str *out, const char **missing);

#endif
