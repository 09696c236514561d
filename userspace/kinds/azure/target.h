/*
 * What the proxy needs to know of a destination of kind azure: which function
 * of which app, and how it is reached. No secret is in it. Control writes it
 * into the image, the proxy reads it.
 */
#ifndef KINDS_AZURE_TARGET_H
#define KINDS_AZURE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "model/dialect.h"

struct azure_spec;
struct azure_template;

/* Bytes of path and query: "URL length is limited to 4 KB" (HTTP trigger,
 * Limits). */
#define AZURE_TARGET_MAX 4096

struct azure_target {
	char *app, *function;
	char *authority;                 /* for Host */
	struct azure_template *template; /* of the whole path */
	bool described; /* the upstream says it: what was discovered of level
			 * and template does not count */
	uint8_t level;  /* enum azure_level */
	bool keys;      /* the upstream has some */
	bool token;     /* App Service authentication wants one */
	size_t request_max;
};

/* struct dialect's write. */
int azure_target_write(const void *spec, const struct doc *destination,
	const char *const *known, size_t known_count, struct str *settings,
	struct str *warning, struct error *err);
struct azure_target *azure_target_new(struct slice settings, struct error *err);
void azure_target_free(struct azure_target *t); /* NULL is fine */

#endif
